//! What cannot be taken back needs a proof that is not old.

use std::time::Duration;

use secrecy::SecretString;

use super::{FactorError, Proof, Refusal, is_asked, mail_code, of, refuse, rules, show, sql};
use crate::access::Caller;
use crate::accounts::{self, Account, ChangeError};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::limits::rules::NOTICE_PER_ACCOUNT;
use crate::passkeys::{self, Challenge, Purpose};
use crate::{browser, sessions};

/// Why something that cannot be taken back was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepUp {
    /// The caller proved too long ago who they are.
    #[error("the proof is too old")]
    Due {
        /// How old it may be.
        max_age: Duration,
        /// What may be shown: `totp` and `recovery_code`, or `password`; and `passkey`. Where there is none of
        /// them, `email`: a code to the address that was proved.
        factors: Vec<&'static str>,
    },

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Fails unless the caller proved not long ago who they are, with the second factor where there is one: a device
/// that is trusted spares it at sign-in only.
pub async fn fresh(app: &App, ctx: &Ctx, caller: &Caller) -> Result<(), StepUp> {
    let max_age = app.live.load().second_factor.max_age;
    let found = sessions::find(&mut app.store.glance().await?, caller.session).await?;
    let has_factor = caller.user.second_factor_at.is_some();
    let is_fresh = |session: &sessions::Session| {
        rules::is_fresh(session.auth_time, max_age, ctx.now)
            && (!has_factor || rules::shows_second(&session.amr.0))
    };
    if found.is_some_and(|found| is_fresh(&found.session)) {
        return Ok(());
    }
    let has_password = accounts::has_password(app, caller.user.id).await?;
    let mut factors = match caller.user.second_factor_at {
        Some(_) => vec!["totp", "recovery_code"],
        None if is_asked(app, &caller.user) || !has_password => Vec::new(),
        None => vec!["password"],
    };
    if passkeys::has_any(&mut app.store.glance().await?, caller.user.id).await? {
        factors.push("passkey");
    }
    if factors.is_empty() && caller.user.email_verified_at.is_some() {
        factors.push("email");
    }
    Err(StepUp::Due { max_age, factors })
}

/// The same for who shows the password now: without a second factor that is as good. Returns the account as it
/// is; `reason` says what for, to the audit trail.
pub async fn fresh_or_now(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    password: Option<&SecretString>,
    reason: &'static str,
) -> Result<Account, ChangeError> {
    if password.is_none() || is_asked(app, &caller.user) {
        fresh(app, ctx, caller).await?;
    }
    if let Some(password) = password {
        return accounts::confirm(app, ctx, caller, password, reason).await;
    }
    let account = accounts::by_id(&mut app.store.glance().await?, caller.user.id).await?;
    account.ok_or(ChangeError::Raced)
}

/// Fails where the proof must be fresh before a form is shown: where there is a second factor, or no password that
/// the form itself could ask for. Returns whether it does.
pub async fn fresh_for_form(app: &App, ctx: &Ctx, caller: &Caller) -> Result<bool, StepUp> {
    let has_password = accounts::has_password(app, caller.user.id).await?;
    if !has_password || is_asked(app, &caller.user) {
        fresh(app, ctx, caller).await?;
    }
    Ok(has_password)
}

/// What somebody shows who proves again who they are.
pub struct Again {
    /// The second factor, or a passkey, or a code by mail.
    pub proof: Option<Proof>,
    /// The password, where that is enough to sign in.
    pub password: Option<SecretString>,
}

/// Makes a challenge for the caller's passkeys.
pub async fn challenge_again(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
) -> Result<Challenge, FactorError> {
    let mut tx = app.store.write().await?;
    let (purpose, owner) = (Purpose::StepUp(caller.session), Some(caller.user.id));
    let challenge = passkeys::challenge(&mut tx, app, ctx, &purpose, owner).await?;
    if challenge.known.is_empty() {
        return Err(FactorError::NotEnabled);
    }
    tx.commit().await?;
    Ok(challenge)
}

/// Sends a code to who has nothing else to show, and returns how long it works.
pub async fn send_code_again(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
) -> Result<Duration, FactorError> {
    let user = &caller.user;
    if accounts::has_password(app, user.id).await? {
        return Err(FactorError::NotEnabled);
    }
    // By the account: what strangers ask for is no affair of who is signed in.
    let spent = app.limits.spend(&NOTICE_PER_ACCOUNT, &user.id.to_string(), ctx.now).await;
    spent.map_err(FactorError::Limited)?;
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    mail_code::send(tx, app, ctx, user.id, of(caller.session)).await
}

/// Takes the proof again: the second factor where there is one or must be one, else the password; or a passkey, or
/// where there is nothing else, a code by mail.
pub async fn step_up(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    again: &Again,
) -> Result<(), FactorError> {
    let user = &caller.user;
    // Whoever cannot sign in with the password alone proves nothing with it alone.
    let needs_factor = is_asked(app, user);
    let by_itself = matches!(again.proof, Some(Proof::Passkey(_) | Proof::MailCode(_)));
    if matches!(again.proof, Some(Proof::MailCode(_)))
        && accounts::has_password(app, user.id).await?
    {
        return Err(FactorError::NotEnabled);
    }
    if !needs_factor && !by_itself {
        let Some(password) = &again.password else { return Err(ChangeError::WrongPassword.into()) };
        accounts::confirm(app, ctx, caller, password, "step_up").await?;
    }
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    let purpose = Purpose::StepUp(caller.session);
    let proved = match &again.proof {
        Some(proof) if needs_factor || by_itself => {
            let totp = sql::find(&mut tx, user.id).await?;
            show(&mut tx, app, ctx, user, &purpose, totp, proof).await?
        }
        None if needs_factor => Err(Refusal::Because("no_code")),
        _ => Ok(Vec::new()),
    };
    let methods = match proved {
        Ok(methods) => methods,
        Err(refusal) => return Err(refuse(tx, app, ctx, Some(user.id), refusal).await?),
    };
    // What was shown now, behind what the session began with where that still counts.
    let first = match &again.proof {
        _ if !needs_factor && !by_itself => Some("pwd".to_owned()),
        Some(Proof::Passkey(_)) => None,
        _ => {
            let found = sessions::find(&mut tx, caller.session).await?;
            found.and_then(|found| found.session.amr.0.into_iter().next())
        }
    };
    let mut amr: Vec<_> = first.into_iter().chain(methods.into_iter().map(str::to_owned)).collect();
    amr.dedup();
    sessions::prove_again(&mut tx, caller.session, amr.clone(), ctx.now).await?;
    browser::withdraw(&mut tx, caller.session).await?;
    let stepped_up = Event::SteppedUp { user: user.id, session: caller.session, amr };
    audit::record(&mut tx, app, ctx, &stepped_up).await?;
    tx.commit().await?;
    Ok(())
}
