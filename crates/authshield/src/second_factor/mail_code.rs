//! A code by mail, for who has nothing else to show: neither an app nor a passkey, nor a password where one proves it
//! again.
//!
//! ```text
//! POST /auth/2fa/email       with the ticket of a sign-in that does not look like those before it ─ risk
//! POST /auth/step-up/email   in the session of who signed in too long ago ─ fresh
//! send                       a code for that ticket or session alone, in the place of the one before
//! take                       one of few tries, counted for the account over all codes that are shown in the same way;
//!                            used up once
//! ```
//!
//! It proves a mailbox, which is no second factor by NIST SP 800-63B-4 (3.1.3): `amr` says `email`, and `acr` stays
//! what it was.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use onesql::Tx;
use secrecy::{ExposeSecret, SecretString};

use super::{FactorError, Refusal, sql};
use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::guessing::{self, CodeAt, CodeRefused};
use crate::kernel::{MailCode, UserId};
use crate::mail::{self, Letter};
use crate::passkeys;

/// Whether mail to the address of an account, which was proved, is all that its owner can show besides a first
/// factor.
pub(super) async fn is_last(tx: &mut Tx, user: &User) -> onesql::Result<bool> {
    Ok(user.second_factor_at.is_none()
        && user.email_verified_at.is_some()
        && !passkeys::has_any(tx, user.id).await?)
}

/// Counts a mail to somebody, before a transaction begins.
pub(super) async fn spend(app: &App, ctx: &Ctx, user: &User) -> Result<(), FactorError> {
    guessing::spend_entry_mail(app, ctx, &user.email).await?.map_err(FactorError::Limited)
}

/// Sends a code for who is `asked_by`, and returns how long it works; the account is held.
pub(super) async fn send(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    user: UserId,
    asked_by: Vec<u8>,
) -> Result<Duration, FactorError> {
    let Some(account) = accounts::by_id(&mut tx, user).await? else {
        return Err(FactorError::NoSuchUser);
    };
    let user = account.user;
    if user.disabled_at.is_some() {
        return Err(FactorError::AccountDisabled);
    }
    if !is_last(&mut tx, &user).await? {
        return Err(FactorError::NotEnabled);
    }
    let (code, mail) = (MailCode::new(ctx.world()), app.outbox.next());
    let lasts = app.config.magic_link.ttl;
    let new = sql::NewCode {
        asked_by: asked_by.clone(),
        user: user.id,
        email: &user.email,
        code_hash: app.secrets.token_hash.of_proof_code(&asked_by, &code).to_vec(),
        mail,
        now: ctx.now,
        expires_at: ctx.now + lasts,
    };
    sql::put_code(&mut tx, new).await?;
    let letter = Letter::ProofCode { code: SecretString::from(code.reveal()) };
    app.outbox.put_as(mail, &mut tx, &user.recipient(), &letter, ctx.now).await?;
    tx.commit().await?;
    Ok(lasts)
}

/// Uses a code up; the account is held. What a refusal leaves behind is in `tx`, too, and must last.
pub(super) async fn take(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    (asked_by, at): (Vec<u8>, CodeAt),
    code: &SecretString,
) -> Result<Result<(), Refusal>, FactorError> {
    if !is_last(tx, user).await? {
        return Ok(Err(Refusal::NotEnabled));
    }
    let Some(waiting) = sql::code(tx, &asked_by, user.id, ctx.now).await? else {
        return Ok(Err(Refusal::Because("no_mail_code")));
    };
    if waiting.email != user.email {
        return Ok(Err(Refusal::Because("address_changed")));
    }
    let counted = match guessing::begin_code(tx, app, ctx, &user.email, at).await? {
        Ok(counted) => counted,
        Err(CodeRefused::Locked) => return Ok(Err(Refusal::Because("codes_locked"))),
        Err(CodeRefused::Wait(exceeded)) => return Ok(Err(Refusal::Paused(exceeded.retry_after))),
    };
    if !sql::try_code(tx, &asked_by, ctx.now).await? {
        return Ok(Err(Refusal::Because("no_mail_code")));
    }
    let is_right = MailCode::parse(code.expose_secret()).is_some_and(|code| {
        let made = app.secrets.token_hash.of_proof_code(&asked_by, &code);
        verify_slices_are_equal(&made, &waiting.code_hash).is_ok()
    });
    if !is_right || !sql::use_up_code(tx, &asked_by).await? {
        return Ok(Err(Refusal::Because("wrong_mail_code")));
    }
    guessing::code_was_right(tx, &counted).await?;
    mail::confirm(tx, app, Some(waiting.mail_id), ctx.now).await?;
    Ok(Ok(()))
}
