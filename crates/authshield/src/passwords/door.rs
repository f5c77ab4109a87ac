//! How the features meet passwords: with the context that the rules need, and as problems.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::{Rejected, Weakness, policy};
use crate::app::App;
use crate::kernel::{EmailAddress, FullName};
use crate::problem::{Invalid, Problem};

/// Judges a new password against its owner's own words, and hashes it if it will do.
pub async fn choose(
    app: &App,
    password: &SecretString,
    email: &EmailAddress,
    full_name: Option<&FullName>,
) -> Result<String, Rejected> {
    let context = policy::Context {
        email: Some(email.as_str()),
        full_name: full_name.map(FullName::as_str),
        host: app.config.public_url.host_str(),
    };
    app.passwords.choose(password, &context).await
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
