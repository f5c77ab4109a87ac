//! What operators ask of mail, over HTTP and by commands.
//!
//! ```text
//! POST /admin/mail/{id}/resend ─ http::resend_mail ─ resend
//!     it waits       it is hurried: the same message
//!     it is settled  its link is gone, so another one is made, if what it was about still stands
//!     audit          who did it; the timeline of the old message says it too
//! /admin/mail/suppressions           ─ suppressions
//! ```

pub mod canaries;
pub mod cells;
pub mod http;
pub mod suppressions;

use onesql::Tx;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{MailId, UserId};
use crate::mail::{self, Letter, MailRow, Recipient};
use crate::{passwords, recovery, registration};

/// Why a mail was not sent again.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// There is none.
    #[error("there is no such mail")]
    NoSuchMail,

    /// It would help nobody; the words say what would.
    #[error("{0}")]
    Refused(&'static str),

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Has a mail sent again, and returns the one that goes out: the same if it waits, another if it is
/// settled.
pub async fn resend(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    id: MailId,
) -> Result<MailId, ResendError> {
    let mut tx = app.store.write().await?;
    let row = mail::find(&mut tx, id, ctx.now).await?.ok_or(ResendError::NoSuchMail)?;
    let replaced_by = if mail::hurry(&mut tx, app, id, ctx.now).await? {
        None
    } else {
        let new = anew(&mut tx, app, ctx, &row).await?;
        mail::resent(&mut tx, app, id, Some(new), ctx.now).await?;
        Some(new)
    };
    let event = Event::MailResent { actor, user: row.user_id, mail: id, replaced_by };
    audit::record(&mut tx, app, ctx, &event).await?;
    tx.commit().await?;
    Ok(replaced_by.unwrap_or(id))
}

/// Puts another mail in the place of one that is settled.
async fn anew(tx: &mut Tx, app: &App, ctx: &Ctx, row: &MailRow) -> Result<MailId, ResendError> {
    let account = match row.user_id {
        Some(user) => {
            accounts::lock(tx, user).await?;
            accounts::by_id(tx, user).await?
        }
        None => None,
    };
    // Mail only ever goes to the address that the account has now.
    let account = account.filter(|account| account.user.email.as_str() == row.recipient);
    let owner = account.as_ref().map(|account| &account.user);
    let refused = |words| Err(ResendError::Refused(words));
    match (row.kind.as_str(), owner) {
        _ if row.state == "sending" => refused("It is being sent at this moment."),
        _ if row.state == "queued" => refused("It waits, and is no longer worth sending."),
        _ if mail::is_suppressed(tx, &app.outbox, &row.recipient, &row.kind, ctx.now).await? => {
            refused("Mail to this address is suppressed; lift that first.")
        }
        (
            "verify_email" | "choose_password" | "reset_password",
            Some(User { disabled_at: Some(_), .. }),
        ) => refused("The account is disabled."),
        ("verify_email" | "choose_password", Some(User { email_verified_at: Some(_), .. })) => {
            refused("The address is verified already.")
        }
        ("verify_email" | "choose_password", Some(user)) => {
            registration::prolong(tx, app, ctx, &user.email).await?;
            let has_password =
                account.as_ref().is_some_and(|account| account.password_hash.is_some());
            Ok(registration::send_again(tx, app, ctx, user, has_password).await?)
        }
        ("reset_password", Some(_)) if !passwords::are_on(app) => {
            refused("Nobody has a password here: password.enabled is false.")
        }
        ("reset_password", Some(user)) => Ok(recovery::send_reset(tx, app, ctx, user).await?),
        ("password_changed", Some(user)) => {
            let letter = Letter::PasswordChanged;
            Ok(app.outbox.put(tx, &user.recipient(), &letter, ctx.now).await?)
        }
        ("test", _) => {
            let to = Recipient {
                user: None,
                email: row.recipient.clone(),
                name: None,
                locale: registration::default_locale(app).as_str().to_owned(),
            };
            Ok(app.outbox.put(tx, &to, &Letter::Test, ctx.now).await?)
        }
        ("confirm_new_email" | "email_changing", _) => {
            refused("The change of address has to be asked for again.")
        }
        ("verify_email" | "choose_password" | "reset_password" | "password_changed", None) => {
            refused("The account is gone, or has another address now.")
        }
        _ => refused("A mail of this kind is not sent again."),
    }
}
