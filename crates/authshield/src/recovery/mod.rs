//! A forgotten password.
//!
//! ```text
//! POST /auth/forgot-password ─ http::forgot ─ forgot    a link, if there is an account
//!     captcha::pass     is a captcha due?
//! POST /auth/reset-password  ─ http::reset  ─ reset
//!     links::peek       whose? the rules for passwords need to know; nothing is used up
//!     Passwords::hash   before the transaction
//!     links::redeem     one UPDATE: of two requests with one link, one is taken
//!     accounts          the new password; every session ends; other links, identities at providers and a
//!                       registration that waits die; wrong passwords are forgotten; the owner is told
//! ```

pub mod http;

use std::time::Duration;

use secrecy::SecretString;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::captcha::{self, CaptchaError, Door};
use crate::kernel::{EmailAddress, LinkToken, MailId, UserId};
use crate::links::{self, Link, Purpose};
use crate::mail::{self, Letter};
use crate::passwords::{self, Overloaded, Rejected, Weakness};
use crate::{evenly, federation, guessing, registration};

/// Why no new password was set.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The link is unknown, used or expired.
    #[error("the link is not valid: {0}")]
    InvalidLink(&'static str),

    /// The new password is too easy to guess; the link still works.
    #[error("the new password is too weak")]
    Weak(Vec<Weakness>),

    /// Nobody has a password here.
    #[error(transparent)]
    PasswordsOff(#[from] passwords::Off),

    /// A captcha is due, or we could not find out.
    #[error(transparent)]
    Captcha(#[from] CaptchaError),

    /// There were too many tries.
    #[error("too many mails to one address")]
    Limited(crate::limits::Exceeded),

    /// There is too much to do.
    #[error("too many sign-ins at once")]
    Overloaded(#[from] Overloaded),

    /// We could not find out.
    #[error("the store failed during recovery")]
    Store(#[from] onesql::Error),
}

impl From<Rejected> for ResetError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Weak(found) => Self::Weak(found),
            Rejected::Off(off) => off.into(),
            Rejected::Overloaded(overloaded) => Self::Overloaded(overloaded),
        }
    }
}

/// Sends a link to set a new password; the answer tells nothing. `captcha` is the answer to one, where one was
/// asked for.
pub async fn forgot(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    captcha: Option<&SecretString>,
) -> Result<(), ResetError> {
    passwords::must_be_on(app)?;
    captcha::pass(app, ctx, Door::Reset, email, captcha).await?;
    guessing::spend_entry_mail(app, ctx, email).await?.map_err(ResetError::Limited)?;
    let asked = evenly::Question::now();
    let mut tx = app.store.write().await?;
    let user = accounts::ask_by_email(&mut tx, email).await?.map(|account| account.user);
    let reason = match &user {
        None => Some("no_such_user"),
        Some(User { disabled_at: Some(_), .. }) => Some("user_disabled"),
        Some(user) => {
            send_reset(&mut tx, app, ctx, user).await?;
            None
        }
    };
    let requested = Event::PasswordResetRequested {
        user: user.map(|user| user.id),
        email: email.as_str().to_owned(),
        reason,
    };
    audit::record(&mut tx, app, ctx, &requested).await?;
    tx.commit().await?;
    asked.until_step().await;
    Ok(())
}

/// Puts a link to set a new password into the outbox.
pub async fn send_reset(
    tx: &mut onesql::Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
) -> onesql::Result<MailId> {
    let mail = app.outbox.next();
    let token = issue(tx, app, ctx, user, mail, app.config.recovery.ttl).await?;
    let letter =
        Letter::ResetPassword { link: links::url(&app.config.mail.link_reset_password, &token) };
    app.outbox.put_as(mail, tx, &user.recipient(), &letter, ctx.now).await?;
    Ok(mail)
}

/// Makes a link to set a new password, which proves the address, too; `mail` is going to carry it.
pub async fn issue(
    tx: &mut onesql::Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    mail: MailId,
    lasts: Duration,
) -> onesql::Result<LinkToken> {
    let new = links::New {
        purpose: Purpose::ResetPassword,
        user: Some(user.id),
        email: Some(&user.email),
        mail: Some(mail),
        lasts,
    };
    links::issue(tx, app, ctx, new).await
}

/// Sets a new password with the link that was sent to the account's address.
pub async fn reset(
    app: &App,
    ctx: &Ctx,
    token: Option<&LinkToken>,
    new: SecretString,
) -> Result<UserId, ResetError> {
    passwords::must_be_on(app)?;
    let user = match token {
        Some(token) => {
            let mut tx = app.store.glance().await?;
            match links::peek(&mut tx, app, token, Purpose::ResetPassword, ctx.now).await? {
                Some(Link { user_id: Some(user), .. }) => {
                    accounts::by_id(&mut tx, user).await?.map(|account| account.user)
                }
                _ => None,
            }
        }
        None => None,
    };
    let (Some(token), Some(user)) = (token, user) else {
        return Err(reject(app, ctx, token).await?);
    };
    let hash = passwords::choose(app, ctx, &new, user.chooser("reset")).await?;

    let mut tx = app.store.write().await?;
    let only = [Purpose::ResetPassword, Purpose::ResetPassword];
    let Some(Link { email: Some(email), mail_id, .. }) =
        links::redeem(&mut tx, app, token, only, ctx.now).await?
    else {
        drop(tx);
        return Err(reject(app, ctx, Some(token)).await?);
    };
    // The link came by mail, so whoever used it reads mail at this address; if the account has
    // another one by now, that is no longer its owner's.
    if !accounts::mark_verified(&mut tx, user.id, &email, ctx.now).await? {
        let reason = "address_changed";
        let rejected = Event::LinkRejected { purpose: Purpose::ResetPassword.name(), reason };
        audit::record(&mut tx, app, ctx, &rejected).await?;
        tx.commit().await?;
        return Err(ResetError::InvalidLink(reason));
    }
    accounts::set_password(&mut tx, user.id, &hash, ctx.now).await?;
    accounts::password_was_set(&mut tx, app, ctx, &user, None, "password_reset").await?;
    federation::remove_all(&mut tx, app, ctx, &user).await?;
    links::withdraw(&mut tx, user.id, Purpose::VerifyEmail).await?;
    links::withdraw_at(&mut tx, user.id, Purpose::NotMe, &email).await?;
    registration::forget(&mut tx, &email, ctx.now).await?;
    guessing::recovered(&mut tx, app, ctx, &email).await?;
    mail::confirm(&mut tx, app, mail_id, ctx.now).await?;
    audit::record(&mut tx, app, ctx, &Event::PasswordResetCompleted { user: user.id }).await?;
    tx.commit().await?;
    Ok(user.id)
}

async fn reject(app: &App, ctx: &Ctx, token: Option<&LinkToken>) -> onesql::Result<ResetError> {
    let mut tx = app.store.write().await?;
    let reason = links::why_not(&mut tx, app, token).await?;
    let rejected = Event::LinkRejected { purpose: Purpose::ResetPassword.name(), reason };
    audit::record(&mut tx, app, ctx, &rejected).await?;
    tx.commit().await?;
    Ok(ResetError::InvalidLink(reason))
}
