//! What cannot be taken back needs a proof that is not old.

use std::time::Duration;

use secrecy::SecretString;

use super::{FactorError, Refusal, prove, refuse, rules};
use crate::access::Caller;
use crate::accounts::{self, ChangeError};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::sessions;

/// Why something that cannot be taken back was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepUp {
    /// The caller proved too long ago who they are.
    #[error("the proof is too old")]
    Due {
        /// How old it may be.
        max_age: Duration,
        /// What may be shown: `totp` and `recovery_code`, or `password`.
        factors: Vec<&'static str>,
    },

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Fails unless the caller proved not long ago who they are.
pub async fn fresh(app: &App, ctx: &Ctx, caller: &Caller) -> Result<(), StepUp> {
    let max_age = app.live.load().second_factor.max_age;
    let found = sessions::find(&mut app.store.glance().await?, caller.session).await?;
    if found.is_some_and(|found| rules::is_fresh(found.session.auth_time, max_age, ctx.now)) {
        return Ok(());
    }
    let factors = match caller.user.second_factor_at {
        Some(_) => vec!["totp", "recovery_code"],
        None => vec!["password"],
    };
    Err(StepUp::Due { max_age, factors })
}

/// The same, for what asks for the password anyway: without a second factor that is enough.
pub async fn fresh_where_there_is_one(app: &App, ctx: &Ctx, caller: &Caller) -> Result<(), StepUp> {
    match caller.user.second_factor_at {
        Some(_) => fresh(app, ctx, caller).await,
        None => Ok(()),
    }
}

/// Takes the proof again: the second factor where there is one, else the password.
pub async fn step_up(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    password: Option<&SecretString>,
    code: Option<&SecretString>,
) -> Result<(), FactorError> {
    let user = &caller.user;
    let has_factor = user.second_factor_at.is_some();
    if !has_factor {
        let Some(password) = password else { return Err(ChangeError::WrongPassword.into()) };
        accounts::confirm(app, ctx, caller, password, "step_up").await?;
    }
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    let mut amr = vec!["pwd".to_owned()];
    if has_factor {
        let proved = match code {
            Some(code) => prove(&mut tx, app, ctx, user, code).await?,
            None => Err(Refusal::Because("no_code")),
        };
        if let Err(refusal) = proved {
            return Err(refuse(tx, app, ctx, Some(user.id), refusal).await?);
        }
        amr.push("otp".to_owned());
    }
    sessions::prove_again(&mut tx, caller.session, amr.clone(), ctx.now).await?;
    let stepped_up = Event::SteppedUp { user: user.id, session: caller.session, amr };
    audit::record(&mut tx, app, ctx, &stepped_up).await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}
