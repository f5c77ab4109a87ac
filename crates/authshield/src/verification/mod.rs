//! Proving an address: that of a new account, or the next one of an old account.
//!
//! ```text
//! POST /auth/verify-email ─ http::verify ─ verify
//!     links::redeem     one UPDATE: of two requests with one link, one is taken
//!     accounts          mark verified, or take the new address
//!     audit, mail       the old address is told; the mail with the link is known to have arrived
//! ```

pub mod http;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, LinkToken, UserId};
use crate::limits::rules::MAIL_PER_RECIPIENT;
use crate::links::{self, Link, Purpose};
use crate::mail::{self, Letter};
use crate::registration::send_verification;

/// Why an address was not proved.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The link is unknown, used or expired, or does not fit any more.
    #[error("the link is not valid: {0}")]
    InvalidLink(&'static str),

    /// There were too many tries.
    #[error("too many mails to one address")]
    Limited(crate::limits::Exceeded),

    /// We could not find out.
    #[error("the store failed during verification")]
    Store(#[from] onesql::Error),
}

/// An address that was proved.
pub struct Verified {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub email: EmailAddress,
}

/// Proves an address with the link that was sent to it.
pub async fn verify(
    app: &App,
    ctx: &Ctx,
    token: Option<&LinkToken>,
) -> Result<Verified, VerifyError> {
    let mut tx = app.store.write().await?;
    let link = match token {
        Some(token) => {
            let either = [Purpose::VerifyEmail, Purpose::ChangeEmail];
            links::redeem(&mut tx, app, token, either, ctx.now).await?
        }
        None => None,
    };
    let Some(Link { purpose, user_id: Some(user), email: Some(email), mail_id }) = link else {
        let reason = links::why_not(&mut tx, app, token).await?;
        let rejected = Event::LinkRejected { purpose: Purpose::VerifyEmail.name(), reason };
        audit::record(&mut tx, app, ctx, &rejected).await?;
        tx.commit().await?;
        return Err(VerifyError::InvalidLink(reason));
    };
    let done = if purpose == Purpose::ChangeEmail.name() {
        take_address(&mut tx, app, ctx, user, &email).await
    } else {
        prove_address(&mut tx, app, ctx, user, &email).await
    };
    match done {
        Ok(true) => {
            mail::confirm(&mut tx, app, mail_id, ctx.now).await?;
            tx.commit().await?;
            app.outbox.wake();
            Ok(Verified { user, email })
        }
        Ok(false) => Err(reject(tx, app, ctx, &purpose, "address_changed").await?),
        Err(error) if error.is_unique_violation() => {
            Err(reject(tx, app, ctx, &purpose, "address_taken").await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Undoes what was begun, and writes down why.
async fn reject(
    tx: onesql::Tx,
    app: &App,
    ctx: &Ctx,
    purpose: &str,
    reason: &'static str,
) -> onesql::Result<VerifyError> {
    drop(tx);
    let all = [Purpose::VerifyEmail, Purpose::ChangeEmail];
    let purpose = all.into_iter().find(|known| known.name() == purpose);
    let purpose = purpose.unwrap_or(Purpose::VerifyEmail).name();
    audit::record_alone(app, ctx, &Event::LinkRejected { purpose, reason }).await?;
    Ok(VerifyError::InvalidLink(reason))
}

async fn prove_address(
    tx: &mut onesql::Tx,
    app: &App,
    ctx: &Ctx,
    user: UserId,
    email: &EmailAddress,
) -> onesql::Result<bool> {
    if !accounts::mark_verified(tx, user, email, ctx.now).await? {
        return Ok(false);
    }
    links::withdraw(tx, user, Purpose::VerifyEmail).await?;
    audit::record(tx, app, ctx, &Event::EmailVerified { user }).await?;
    Ok(true)
}

async fn take_address(
    tx: &mut onesql::Tx,
    app: &App,
    ctx: &Ctx,
    user: UserId,
    email: &EmailAddress,
) -> onesql::Result<bool> {
    let Some(before) = accounts::by_id(tx, user).await? else { return Ok(false) };
    if !accounts::set_email(tx, user, email, ctx.now).await? {
        return Ok(false);
    }
    for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail, Purpose::ResetPassword] {
        links::withdraw(tx, user, purpose).await?;
    }
    app.outbox.put(tx, &before.user.recipient(), &Letter::EmailChanged, ctx.now).await?;
    audit::record(tx, app, ctx, &Event::EmailChanged { user }).await?;
    Ok(true)
}

/// Sends a new link to an account that is not verified; the answer tells nothing.
pub async fn resend(app: &App, ctx: &Ctx, email: &EmailAddress) -> Result<(), VerifyError> {
    app.limits
        .spend(&MAIL_PER_RECIPIENT, email.as_str(), ctx.now)
        .await
        .map_err(VerifyError::Limited)?;
    let mut tx = app.store.write().await?;
    let account = accounts::by_email(&mut tx, email).await?;
    let user = account.map(|account| account.user);
    let reason = match &user {
        None => Some("no_such_user"),
        Some(User { email_verified_at: Some(_), .. }) => Some("already_verified"),
        Some(User { disabled_at: Some(_), .. }) => Some("user_disabled"),
        Some(user) => {
            send_verification(&mut tx, app, ctx, user).await?;
            None
        }
    };
    let requested = Event::VerificationRequested {
        user: user.map(|user| user.id),
        email: email.as_str().to_owned(),
        reason,
    };
    audit::record(&mut tx, app, ctx, &requested).await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}
