//! Apple: the client proves itself with a token that it signs, and somebody's name comes once, by their browser.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::EcdsaKeyPair;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::config::apple_key;
use crate::kernel::FullName;

/// How long a client secret is good, in seconds; Apple takes half a year.
const LASTS: i64 = 5 * 60;

/// What makes client secrets.
pub(super) struct Signer {
    key: EcdsaKeyPair,
    team_id: String,
    key_id: String,
}

impl Signer {
    /// Reads the key; `None` if it is none.
    pub(super) fn new(pem: &SecretString, team_id: &str, key_id: &str) -> Option<Self> {
        let key = apple_key(pem.expose_secret())?;
        Some(Self { key, team_id: team_id.to_owned(), key_id: key_id.to_owned() })
    }

    /// Makes a client secret: a JWT that says who we are, for Apple and for a few minutes.
    pub(super) fn client_secret(&self, client_id: &str, audience: &str, now: i64) -> SecretString {
        let part = |value: serde_json::Value| BASE64.encode(value.to_string());
        let head = part(json!({ "alg": "ES256", "kid": self.key_id }));
        let claims = part(json!({
            "iss": self.team_id, "sub": client_id, "aud": audience,
            "iat": now, "exp": now + LASTS,
        }));
        let words = format!("{head}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), words.as_bytes());
        let signature = signature.expect("the operating system has randomness");
        format!("{words}.{}", BASE64.encode(signature)).into()
    }
}

/// What comes beside the code, the first time alone. A browser brings it, and can write into it what it likes: so
/// the name is that of a new account at the most, and the address in it is of no interest.
#[derive(Deserialize)]
struct Told {
    name: Option<Name>,
}

#[derive(Deserialize)]
struct Name {
    #[serde(rename = "firstName")]
    first: Option<String>,
    #[serde(rename = "lastName")]
    last: Option<String>,
}

/// Returns the name that came along, if it can be one.
pub(super) fn name(user: &str) -> Option<String> {
    let Name { first, last } = serde_json::from_str::<Told>(user).ok()?.name?;
    let name = format!("{} {}", first.unwrap_or_default(), last.unwrap_or_default());
    let name: FullName = name.trim().parse().ok()?;
    Some(name.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_along_if_it_can_be_one() {
        for (user, expected) in [
            (
                r#"{"name":{"firstName":"Ann","lastName":"Lee"},"email":"x@example.org"}"#,
                Some("Ann Lee"),
            ),
            (r#"{"name":{"firstName":"Ann"}}"#, Some("Ann")),
            (r#"{"name":{}}"#, None),
            (r#"{"email":"x@example.org"}"#, None),
            (r#"{"name":{"firstName":["Ann"]}}"#, None),
            (r#"{"name":{"firstName":"A\u0000nn"}}"#, None),
            ("Ann", None),
            ("", None),
        ] {
            assert_eq!(name(user).as_deref(), expected, "{user}");
        }
        let long = format!(r#"{{"name":{{"firstName":"{}"}}}}"#, "n".repeat(5000));
        assert_eq!(name(&long), None);
    }
}
