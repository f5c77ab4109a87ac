//! Opening an account for who proved its address already: at a provider, or by a mail that they read.

use onesql::Tx;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, FullName, Locale, UserId};

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
