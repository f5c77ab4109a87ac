//! The keys that an issuer publishes (RFC 7517), parsed once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json;

/// More keys than an honest issuer has at a time.
const KEYS_AT_MOST: usize = 100;

/// The longest `kid` that is looked at.
pub(crate) const KID_AT_MOST: usize = 256;

/// Members of a JWK that nobody publishes: private numbers, and symmetric keys.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// How a key signs. A key has one algorithm, and the header of a token never changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 to 4096 bits.
    Rs256,
}

impl Algorithm {
    /// Every algorithm that can be verified at all.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Returns its name in JOSE (RFC 7518, 3.1; RFC 8037, 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A public key, parsed, with the one algorithm it is for.
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

impl Key {
    /// Returns whether `signature` is of `message` under this key.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }

    /// Reads a JWK; `None` if it is not one of ours or not a sound one.
    pub(crate) fn from_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();

        if jwk.get("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops")
            && !operations.as_array()?.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let (algorithm, parsed) = match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => {
                let (x, y) = (number("x")?, number("y")?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                // Parsing checks that the point is on the curve (RFC 8725, 3.4).
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                let parsed = ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
                (Algorithm::Es256, parsed.ok()?)
            }
            ("OKP", Some("Ed25519")) => {
                let x = number("x")?;
                if x.len() != 32 {
                    return None;
                }
                (Algorithm::EdDsa, ParsedPublicKey::new(&signature::ED25519, x).ok()?)
            }
            ("RSA", None) => {
                let (n, e) = (number("n")?, number("e")?);
                if !is_sound_rsa(&n, &e) {
                    return None;
                }
                let parsed = RsaPublicKeyComponents { n, e }
                    .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256);
                (Algorithm::Rs256, parsed.ok()?)
            }
            _ => return None,
        };
        if jwk.get("alg").is_some_and(|name| name != algorithm.name()) {
            return None;
        }
        Some(Self { algorithm, parsed })
    }
}

/// Returns whether the numbers make a key of 2048 to 4096 bits with an exponent that does something.
fn is_sound_rsa(n: &[u8], e: &[u8]) -> bool {
    let (Some(&first), Some(&last)) = (n.first(), e.last()) else {
        return false;
    };
    let bits = n.len() * 8 - first.leading_zeros() as usize;
    let canonical = first != 0 && e[0] != 0;
    canonical && (2048..=4096).contains(&bits) && e.len() <= 4 && last % 2 == 1 && e != [1]
}

/// Why a key set is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// It is not `{"keys": [...]}`, or a member is there twice.
    #[error("not a JWK set")]
    Malformed,
    /// It publishes a secret; whoever reads it can sign.
    #[error("the JWK set contains a private or symmetric key")]
    Private,
    /// Two keys have one name.
    #[error("two keys of the JWK set have the same `kid`")]
    Ambiguous,
    /// There are too many keys.
    #[error("the JWK set has more than {KEYS_AT_MOST} keys")]
    TooMany,
    /// No key is for a signature that we verify.
    #[error("the JWK set has no ES256, EdDSA or RS256 key to verify with")]
    Empty,
}

/// The public keys of an issuer, parsed once, by `kid`.
pub struct KeySet {
    keys: BTreeMap<String, Key>,
    ignored: usize,
}

impl KeySet {
    /// Parses a JWK set.
    ///
    /// Keys of unknown kind, for another use, without `kid` or out of range are ignored, as RFC 7517
    /// (section 5) has it. A set is refused whole if it holds a secret or one `kid` twice.
    pub fn from_json(text: &str) -> Result<Self, KeySetError> {
        let set = json::object(text.as_bytes()).ok_or(KeySetError::Malformed)?;
        let jwks = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::Malformed)?;
        if jwks.len() > KEYS_AT_MOST {
            return Err(KeySetError::TooMany);
        }
        let mut keys = BTreeMap::new();
        let mut kids = BTreeSet::new();
        for jwk in jwks {
            let jwk = jwk.as_object().ok_or(KeySetError::Malformed)?;
            if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
                return Err(KeySetError::Private);
            }
            let Some(kid) = jwk.get("kid").and_then(Value::as_str) else {
                continue;
            };
            if !kids.insert(kid) {
                return Err(KeySetError::Ambiguous);
            }
            if kid.len() <= KID_AT_MOST
                && let Some(key) = Key::from_jwk(jwk)
            {
                keys.insert(kid.to_owned(), key);
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        let ignored = jwks.len() - keys.len();
        Ok(Self { keys, ignored })
    }

    /// Returns the key that `kid` names.
    pub(crate) fn get(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid)
    }

    /// Lists the names of the keys, with their algorithms.
    pub fn kids(&self) -> impl Iterator<Item = (&str, Algorithm)> {
        self.keys.iter().map(|(kid, key)| (kid.as_str(), key.algorithm))
    }

    /// Returns how many keys of the set could not be used.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.ignored
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.kids()).finish()
    }
}
