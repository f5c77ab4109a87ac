//! How the features meet passwords: with the context that the rules need, and as problems.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::{Rejected, Weakness, policy};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, FullName, UserId};
use crate::problem::{Code, Invalid, Problem};

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

/// Judges a new password against its owner's own words, and hashes it if it will do. The audit trail is told of
/// one that was stolen elsewhere.
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
    let chosen = app.passwords.choose(password, &context).await;
    if let Err(Rejected::Weak(found)) = &chosen
        && found.contains(&Weakness::Breached)
    {
        let email = email.as_str().to_owned();
        let refused = Event::PasswordRefused { user, email, reason: "breached", at };
        if let Err(error) = audit::record_alone(app, ctx, &refused).await {
            // It is refused all the same.
            tracing::error!(error = %crate::problem::chain(&error), "a refused password was not noted");
        }
    }
    chosen
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
