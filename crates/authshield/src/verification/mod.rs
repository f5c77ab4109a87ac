//! Proving an address: that of a new account, or the next one of an old account.
//!
//! ```text
//! POST /auth/verify-email ─ http::verify ─ verify
//!     links::redeem     one UPDATE: of two requests with one link, one is taken
//!     accounts          mark verified, with the password of the registration that waited; or take
//!                       the new address, even from an account that nobody proved
//!     audit, mail       the old address is told; the mail with the link is known to have arrived
//! ```

pub mod http;

use crate::accounts::{self, Account};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::evenly;
use crate::kernel::{EmailAddress, LinkToken, MailId, UserId};
use crate::limits::rules::MAIL_PER_RECIPIENT;
use crate::links::{self, Link, Purpose};
use crate::mail::{self, Letter};
use crate::passwords;
use crate::registration;

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
    // A newcomer who registers the address at this instant makes it somebody's who has not proved it:
    // then once more, and it is taken from them.
    for _ in 0..ROUNDS {
        if let Some(outcome) = try_to_verify(app, ctx, token).await? {
            return outcome;
        }
    }
    Err(VerifyError::InvalidLink(noted(app, ctx, Purpose::ChangeEmail, "address_taken").await?))
}

/// How often a change of address is tried when somebody registers the address meanwhile.
const ROUNDS: usize = 8;

/// Proves an address, or returns `None` if somebody else took it at this instant.
async fn try_to_verify(
    app: &App,
    ctx: &Ctx,
    token: Option<&LinkToken>,
) -> onesql::Result<Option<Result<Verified, VerifyError>>> {
    let mut tx = app.store.write().await?;
    let link = match token {
        Some(token) => {
            let either = [Purpose::VerifyEmail, Purpose::ChangeEmail];
            links::redeem(&mut tx, app, token, either, ctx.now).await?
        }
        None => None,
    };
    let Some(Link { purpose, user_id: Some(user), email: Some(email), mail_id, .. }) = link else {
        let reason = links::why_not(&mut tx, app, token).await?;
        let rejected = Event::LinkRejected { purpose: Purpose::VerifyEmail.name(), reason };
        audit::record(&mut tx, app, ctx, &rejected).await?;
        tx.commit().await?;
        return Ok(Some(Err(VerifyError::InvalidLink(reason))));
    };
    let (purpose, done) = if purpose == Purpose::ChangeEmail.name() {
        (Purpose::ChangeEmail, take_address(&mut tx, app, ctx, user, &email).await)
    } else {
        (Purpose::VerifyEmail, prove_address(&mut tx, app, ctx, user, &email).await)
    };
    match done {
        Ok(true) => {
            mail::confirm(&mut tx, app, mail_id, ctx.now).await?;
            tx.commit().await?;
            Ok(Some(Ok(Verified { user, email })))
        }
        Ok(false) => {
            // Nothing of what was begun lasts, not even that the link was used.
            drop(tx);
            let reason = noted(app, ctx, purpose, "address_changed").await?;
            Ok(Some(Err(VerifyError::InvalidLink(reason))))
        }
        Err(error) if error.is_unique_violation() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes down why a link was not accepted, and returns it.
async fn noted(
    app: &App,
    ctx: &Ctx,
    purpose: Purpose,
    reason: &'static str,
) -> onesql::Result<&'static str> {
    let rejected = Event::LinkRejected { purpose: purpose.name(), reason };
    audit::record_alone(app, ctx, &rejected).await?;
    Ok(reason)
}

/// Takes the address of an account, which `tx` holds, as proved; then the password of the
/// registration that waited for it is the account's. Who waited for its owner waits no more.
pub async fn prove_address(
    tx: &mut onesql::Tx,
    app: &App,
    ctx: &Ctx,
    user: UserId,
    email: &EmailAddress,
) -> onesql::Result<bool> {
    let is_new = accounts::by_id(tx, user)
        .await?
        .is_some_and(|account| account.user.email_verified_at.is_none());
    if !accounts::mark_verified(tx, user, email, ctx.now).await? {
        return Ok(false);
    }
    // An account that is somebody's already gets nothing from a registration that came later.
    if is_new && let Some(hash) = registration::take(tx, app, email, ctx.now).await? {
        accounts::set_password(tx, user, &hash, ctx.now).await?;
    }
    accounts::end_recovery(tx, user, ctx.now).await?;
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
    if let Some(user) = accounts::delete_unverified(tx, email, user).await? {
        let reason = Some("address_proved_by_another");
        audit::record(tx, app, ctx, &Event::UserDeleted { user, reason }).await?;
    }
    // Of who registers the address at this instant, the unique index tells.
    let is_taken = accounts::by_email(tx, email).await?.is_some_and(|holder| {
        holder.user.email_verified_at.is_some() || holder.user.disabled_at.is_some()
    });
    if is_taken || !accounts::set_email(tx, user, email, ctx.now).await? {
        return Ok(false);
    }
    for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail, Purpose::ResetPassword] {
        links::withdraw(tx, user, purpose).await?;
    }
    registration::forget(tx, email, ctx.now).await?;
    tell_former(tx, app, ctx, &before.user).await?;
    audit::record(tx, app, ctx, &Event::EmailChanged { user }).await?;
    Ok(true)
}

/// Writes to the address that an account had, with a link that puts it back. An address that nobody proved gets
/// none: whoever reads its mail never was the owner.
async fn tell_former(
    tx: &mut onesql::Tx,
    app: &App,
    ctx: &Ctx,
    before: &accounts::User,
) -> onesql::Result<()> {
    let mail = app.outbox.next();
    let link = if before.email_verified_at.is_some() {
        let new = links::New {
            purpose: Purpose::NotMe,
            user: Some(before.id),
            email: Some(&before.email),
            mail: Some(mail),
            lasts: app.config.recovery.not_me_ttl,
        };
        let token = links::issue(tx, app, ctx, new).await?;
        Some(links::url(&app.config.mail.link_not_me, &token))
    } else {
        None
    };
    let letter = Letter::EmailChanged { link };
    app.outbox.put_as(mail, tx, &before.recipient(), &letter, ctx.now).await
}

/// Sends a new link to an account that is not verified; the answer tells nothing.
///
/// Who registered in the last day and names the mail of that, `of`, is told of the new mail as they were
/// of the first: there is one whatever the account is, as there was then.
pub async fn resend(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    of: Option<MailId>,
) -> Result<Option<MailId>, VerifyError> {
    app.limits
        .spend(&MAIL_PER_RECIPIENT, email.as_str(), ctx.now)
        .await
        .map_err(VerifyError::Limited)?;
    let registered = match of {
        Some(id) => registration::is_of_own(app, ctx, id, email).await?,
        None => false,
    };
    let asked = evenly::Question::now();
    let mut tx = app.store.write().await?;
    let account = accounts::ask_by_email(&mut tx, email).await?;
    registration::prolong(&mut tx, app, ctx, email).await?;
    let user = account.as_ref().map(|account| account.user.id);
    let (mail, reason) = match account {
        None => (None, Some("no_such_user")),
        Some(Account { user, password_hash, .. }) => {
            // Where nobody chooses a password, proving the address opens an account again.
            let is_closed =
                !passwords::are_on(app) && accounts::awaits_recovery(&mut tx, user.id).await?;
            let reason = if user.email_verified_at.is_some() && !is_closed {
                Some("already_verified")
            } else if user.disabled_at.is_some() {
                Some("user_disabled")
            } else {
                None
            };
            let mail = match reason {
                None if is_closed => {
                    Some(registration::send_way_back(&mut tx, app, ctx, &user).await?)
                }
                None => {
                    let has_password = password_hash.is_some();
                    Some(registration::send_again(&mut tx, app, ctx, &user, has_password).await?)
                }
                Some(_) if registered => {
                    Some(registration::already_registered(&mut tx, app, ctx, &user).await?)
                }
                Some(_) => None,
            };
            (mail, reason)
        }
    };
    let requested = Event::VerificationRequested { user, email: email.as_str().to_owned(), reason };
    audit::record(&mut tx, app, ctx, &requested).await?;
    tx.commit().await?;
    asked.until_step().await;
    Ok(mail.filter(|_| registered))
}
