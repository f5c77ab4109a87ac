//! The key that signs the checkpoints of the audit trail: an Ed25519 key of its own, made once, whose
//! public half is published.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::key::{Pair, thumbprint};

/// The key that signs checkpoints.
pub struct SealKey {
    pair: Ed25519KeyPair,
    kid: String,
}

impl SealKey {
    /// Makes the key of a secret.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let pair = || {
            Ed25519KeyPair::from_seed_unchecked(secret).expect("any 32 bytes are an Ed25519 seed")
        };
        Self { kid: Pair::EdDsa(pair()).kid(), pair: pair() }
    }

    /// Returns its name: the thumbprint of its public half (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs `words`, and returns the signature as base64url.
    #[must_use]
    pub fn sign(&self, words: &str) -> String {
        BASE64.encode(self.pair.sign(words.as_bytes()))
    }

    /// Returns the public half as a JWK set (RFC 7517, RFC 8037).
    #[must_use]
    pub fn jwks(&self) -> Value {
        let x = BASE64.encode(self.pair.public_key());
        json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": "EdDSA", "use": "sig",
        }] })
    }

    /// Returns the public half, for who verifies.
    #[must_use]
    pub fn public(&self) -> SealKeys {
        let public = self.pair.public_key().as_ref().to_vec();
        SealKeys(BTreeMap::from([(self.kid.clone(), public)]))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.kid)
    }
}

/// The text is not a JWK set with an Ed25519 key in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK set with an Ed25519 key in it")]
pub struct NotAKeySet;

/// The public halves of keys that sign checkpoints, by their names.
#[derive(Debug, Clone)]
pub struct SealKeys(BTreeMap<String, Vec<u8>>);

impl SealKeys {
    /// Reads a JWK set; a key is called by its thumbprint, whatever the set calls it.
    pub fn from_jwks(text: &str) -> Result<Self, NotAKeySet> {
        let set: Value = serde_json::from_str(text).map_err(|_| NotAKeySet)?;
        let keys = set["keys"].as_array().ok_or(NotAKeySet)?;
        let keys: BTreeMap<_, _> = keys
            .iter()
            .filter(|key| key["kty"] == "OKP" && key["crv"] == "Ed25519")
            .filter_map(|key| {
                let public = BASE64.decode(key["x"].as_str()?).ok()?;
                let members = json!({"crv": "Ed25519", "kty": "OKP", "x": key["x"]});
                (public.len() == 32).then(|| Some((thumbprint(members.as_object()?), public)))?
            })
            .collect();
        if keys.is_empty() { Err(NotAKeySet) } else { Ok(Self(keys)) }
    }

    /// Returns whether the key `kid` is known.
    #[must_use]
    pub fn knows(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    /// Returns whether the key `kid` signed `words`.
    #[must_use]
    pub fn confirm(&self, kid: &str, words: &str, signature: &str) -> bool {
        let Some(public) = self.0.get(kid) else { return false };
        let Ok(signature) = BASE64.decode(signature) else { return false };
        UnparsedPublicKey::new(&ED25519, public).verify(words.as_bytes(), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_signs_is_confirmed_by_what_it_publishes_and_by_nothing_else() {
        let key = SealKey::new(&[7; 32]);
        let signature = key.sign("words");
        let published = SealKeys::from_jwks(&key.jwks().to_string()).unwrap();
        for keys in [&key.public(), &published] {
            assert!(keys.knows(key.kid()) && keys.confirm(key.kid(), "words", &signature));
            assert!(!keys.confirm(key.kid(), "other words", &signature));
            assert!(!keys.confirm(key.kid(), "words", "AAAA"));
            assert!(!keys.confirm("another", "words", &signature));
        }
        let other = SealKey::new(&[8; 32]).public();
        assert!(!other.knows(key.kid()) && !other.confirm(key.kid(), "words", &signature));
        assert!(!format!("{key:?}").contains('7') || key.kid().contains('7'));
    }

    #[test]
    fn a_key_that_is_called_by_anothers_name_is_not_that_key() {
        let (one, other) = (SealKey::new(&[1; 32]), SealKey::new(&[2; 32]));
        let renamed = other.jwks().to_string().replace(other.kid(), one.kid());
        assert!(!SealKeys::from_jwks(&renamed).unwrap().knows(one.kid()));
        for text in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"RSA"}]}"#] {
            assert!(SealKeys::from_jwks(text).is_err(), "{text}");
        }
    }
}
