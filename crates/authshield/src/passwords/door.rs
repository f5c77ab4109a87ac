//! How the features meet passwords: with the context that the rules need, and as problems.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::breached::{Answer, Ranges};
use super::{Rejected, Weakness, policy};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, FullName, UserId};
use crate::problem::{Code, Invalid, Problem};
use crate::telemetry::metrics::BreachLookup;

/// Who chooses a password, and where.
#[derive(Debug, Clone, Copy)]
pub struct Chooser<'c> {
    /// `registration`, `setup`, `reset`, `change` or `command`.
    pub at: &'static str,
    /// The account, where it is known whose it is.
    pub user: Option<UserId>,
    /// Its address.
    pub email: &'c EmailAddress,
    /// What they are called.
    pub full_name: Option<&'c FullName>,
}

/// Passwords are switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("passwords are switched off")]
pub struct Off;

impl From<Off> for Problem {
    fn from(_: Off) -> Self {
        Self::from(Code::SignInMethodOff)
            .detail("Nobody has a password here: sign in by mail, with a passkey or at a provider.")
            .because("password")
    }
}

/// Whether people have passwords here.
#[must_use]
pub fn are_on(app: &App) -> bool {
    app.live.load().password.enabled
}

/// Fails where nobody has one: every story that takes a password, sets one or sends a link to choose one asks
/// this before anything else.
pub fn must_be_on(app: &App) -> Result<(), Off> {
    if are_on(app) { Ok(()) } else { Err(Off) }
}

/// Judges a new password against its owner's own words, and hashes it if it will do. Where others are to be asked
/// whether it was stolen elsewhere, they are asked of one that would do otherwise; if they do not answer, it does. The
/// audit trail is told of one that was stolen, and of one that nobody could be asked about.
pub async fn choose(
    app: &App,
    ctx: &Ctx,
    password: &SecretString,
    chooser: Chooser<'_>,
) -> Result<String, Rejected> {
    must_be_on(app)?;
    let Chooser { at, user, email, full_name } = chooser;
    let context = policy::Context {
        email: Some(email.as_str()),
        full_name: full_name.map(FullName::as_str),
        host: app.config.public_url.host_str(),
    };
    let mut chosen = app.passwords.choose(password, &context).await;
    let email = || email.as_str().to_owned();
    let mut told = None;
    if chosen.is_ok() {
        match ask(app, ctx, password, at).await {
            Some(Answer::Stolen) => chosen = Err(Rejected::Weak(vec![Weakness::Breached])),
            Some(unanswered @ (Answer::Failed(_) | Answer::Paused)) => {
                let reason = unanswered.as_str();
                told = Some(Event::BreachLookupFailed { user, email: email(), reason, at });
            }
            Some(Answer::Unknown) | None => {}
        }
    }
    if let Err(Rejected::Weak(found)) = &chosen
        && found.contains(&Weakness::Breached)
    {
        told = Some(Event::PasswordRefused { user, email: email(), reason: "breached", at });
    }
    if let Some(told) = told
        && let Err(error) = audit::record_alone(app, ctx, &told).await
    {
        // What was decided is decided all the same.
        tracing::error!(error = %crate::problem::chain(&error), "what was found of a password was not noted");
    }
    chosen
}

/// Whether the password that somebody signs in with was stolen elsewhere, by the file.
#[must_use]
pub fn is_known_stolen(app: &App, password: &SecretString) -> bool {
    app.passwords.breached().knows(password.expose_secret())
}

/// Whether others are asked of sign-ins, too.
#[must_use]
pub fn others_are_asked(app: &App) -> bool {
    app.ranges.as_ref().is_some_and(Ranges::are_asked_at_sign_in)
}

/// Whether the password that somebody signs in with was stolen elsewhere, by those who are asked of sign-ins, too. Ask
/// when it is right, no other is anybody's; and when it lets somebody in, or the time that it takes tells that it is.
pub async fn others_know(app: &App, ctx: &Ctx, password: &SecretString) -> bool {
    ask(app, ctx, password, "sign_in").await == Some(Answer::Stolen)
}

/// Asks others whether a password was stolen, if somebody is to be asked.
async fn ask(app: &App, ctx: &Ctx, password: &SecretString, at: &'static str) -> Option<Answer> {
    let ranges = app.ranges.as_ref()?;
    let answer = ranges.ask(password.expose_secret(), ctx.now).await;
    let outcome = answer.as_str();
    app.metrics.breach_lookups.get_or_create(&BreachLookup { at, outcome }).inc();
    if let Answer::Failed(error) = &answer {
        tracing::warn!(error, at, "nobody could be asked whether a password was stolen elsewhere");
    }
    Some(answer)
}

/// Returns whether two passwords are one, as hashing would see them.
#[must_use]
pub fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret().nfc().eq(other.expose_secret().nfc())
}

/// Says what is wrong with the password at `pointer`.
#[must_use]
pub fn weaknesses(pointer: &str, found: &[Weakness]) -> Problem {
    let errors: Vec<_> = found
        .iter()
        .map(|weakness| Invalid {
            pointer: pointer.to_owned(),
            code: weakness.code().to_owned(),
            detail: weakness.to_string(),
        })
        .collect();
    Problem::invalid(&errors)
}
