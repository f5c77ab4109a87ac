//! Opening an account for who proved its address already: at a provider, or by a mail that they read.

use onesql::Tx;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::domains;
use crate::kernel::{EmailAddress, FullName, Locale, UserId};
use crate::problem::Code;

/// Why nobody opens an account with an address that they proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpen {
    /// Strangers may not open accounts here.
    #[error("registration is closed")]
    Closed,
    /// Addresses of its domain are not taken.
    #[error("addresses of this domain are not taken")]
    Domain,
}

impl NotOpen {
    /// Returns its name in the audit trail.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Closed => "registration_closed",
            Self::Domain => "email_domain_refused",
        }
    }

    /// Returns what a client is told, as where it is registered with a form.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Closed => Code::RegistrationClosed,
            Self::Domain => Code::EmailDomainRefused,
        }
    }
}

/// Fails where nobody opens an account with an address, whoever proves it.
pub fn may_open(app: &App, email: &EmailAddress) -> Result<(), NotOpen> {
    if !app.live.load().registration.enabled {
        return Err(NotOpen::Closed);
    }
    if domains::may_open(app, email) { Ok(()) } else { Err(NotOpen::Domain) }
}

/// Somebody who proved an address that nobody proved before.
pub struct Proved<'a> {
    /// What the account will be called.
    pub id: UserId,
    /// The address.
    pub email: &'a EmailAddress,
    /// What they are called.
    pub full_name: Option<FullName>,
    /// Which language they read.
    pub locale: Locale,
    /// How they proved it, for the audit trail.
    pub reason: &'static str,
}

/// Opens an account without a password; nothing if somebody else opened one just now. One that somebody began with
/// the address and never proved goes, with its password, its sessions and whatever opens it: it may be a trap.
pub async fn open_proved(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    Proved { id, email, full_name, locale, reason }: Proved<'_>,
) -> onesql::Result<Option<User>> {
    let user = User {
        email_verified_at: Some(ctx.now),
        ..User::new(id, email.clone(), full_name, locale, ctx.now)
    };
    if let Some(before) = accounts::delete_unverified(tx, email, id).await? {
        let reason = Some("address_proved_by_another");
        audit::record(tx, app, ctx, &Event::UserDeleted { user: before, reason }).await?;
    }
    super::forget(tx, email, ctx.now).await?;
    if !accounts::create(tx, &user, None).await? {
        return Ok(None);
    }
    accounts::give_role(tx, id, "user", None, ctx.now).await?;
    let reason = Some(reason);
    audit::record(tx, app, ctx, &Event::RegisterSucceeded { user: id, reason }).await?;
    Ok(Some(user))
}
