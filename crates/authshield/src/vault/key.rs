//! One signing key: made, written down, read back and parsed once.

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::config::SigningAlgorithm;

/// A key pair, ready to sign.
pub(super) enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Pair {
    /// Makes a new one. RSA takes up to seconds: not for a thread that serves requests.
    pub(super) fn generate(algorithm: SigningAlgorithm) -> Self {
        let made = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self::Es256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate().map(Self::EdDsa),
            SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa3072).map(Self::Rs256),
        };
        made.expect("the operating system has randomness and memory")
    }

    /// Reads PKCS#8; `None` if it is not a sound key of `algorithm`.
    pub(super) fn from_pkcs8(algorithm: SigningAlgorithm, der: &[u8]) -> Option<Self> {
        match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Self::Es256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Self::EdDsa),
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Self::Rs256),
        }
        .ok()
    }

    /// Writes PKCS#8: a secret.
    pub(super) fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let document = match self {
            Self::Es256(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Self::EdDsa(pair) => pair.to_pkcs8().map(|der| der.as_ref().to_vec()),
            Self::Rs256(pair) => AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'static>>::as_der(pair)
                .map(|der| der.as_ref().to_vec()),
        };
        Zeroizing::new(document.expect("a key pair can be written down"))
    }

    /// Returns the name of the algorithm in JOSE.
    pub(super) fn alg(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256(_) => "RS256",
        }
    }

    /// Returns the public half: only the members that define the key (RFC 7638, 3.2).
    fn public(&self) -> Map<String, Value> {
        let jwk = match self {
            Self::Es256(pair) => {
                // An uncompressed point: 4, x, y.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"crv": "P-256", "kty": "EC", "x": BASE64.encode(x), "y": BASE64.encode(y)})
            }
            Self::EdDsa(pair) => {
                json!({"crv": "Ed25519", "kty": "OKP", "x": BASE64.encode(pair.public_key())})
            }
            Self::Rs256(pair) => {
                let key = pair.public_key();
                json!({
                    "e": BASE64.encode(key.exponent().big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": BASE64.encode(key.modulus().big_endian_without_leading_zero()),
                })
            }
        };
        let Value::Object(members) = jwk else { unreachable!("made as an object") };
        members
    }

    /// Returns the name of the key: its thumbprint.
    pub(super) fn kid(&self) -> String {
        thumbprint(&self.public())
    }

    /// Returns what is published: the public half, its name, and what it is for.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.public();
        jwk.insert("kid".to_owned(), self.kid().into());
        jwk.insert("alg".to_owned(), self.alg().into());
        jwk.insert("use".to_owned(), "sig".into());
        Value::Object(jwk)
    }

    /// Signs `message`.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        // aws-lc draws on its own generator and ignores this one, which costs nothing to make.
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => {
                pair.sign(&random, message).expect("a sound key signs").as_ref().to_vec()
            }
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a sound key signs");
                signature
            }
        }
    }

    /// Returns whether the public half confirms `signature`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (algorithm, public): (&'static dyn VerificationAlgorithm, &[u8]) = match self {
            Self::Es256(pair) => (&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()),
            Self::EdDsa(pair) => (&ED25519, pair.public_key().as_ref()),
            Self::Rs256(pair) => (&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref()),
        };
        UnparsedPublicKey::new(algorithm, public).verify(message, signature).is_ok()
    }
}

/// Returns the SHA-256 thumbprint of the members that define a key (RFC 7638, 3).
pub(super) fn thumbprint(members: &Map<String, Value>) -> String {
    // Sorted whatever map the JSON library uses, and without white space.
    let sorted: std::collections::BTreeMap<_, _> = members.iter().collect();
    let canonical = serde_json::to_vec(&sorted).expect("text is plain data");
    BASE64.encode(digest::digest(&digest::SHA256, &canonical))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SigningAlgorithm; 3] =
        [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6\
                  tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5\
                  v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD0\
                  8qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU\
                  8awapJzKnqDKgw",
            "e": "AQAB",
        });
        let thumbprint = thumbprint(jwk.as_object().unwrap());
        assert_eq!(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_key_survives_being_written_down() {
        for algorithm in ALL {
            let pair = Pair::generate(algorithm);
            let der = pair.to_pkcs8();
            let again = Pair::from_pkcs8(algorithm, &der).unwrap();
            assert_eq!(pair.jwk(), again.jwk());
            for other in ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(Pair::from_pkcs8(other, &der).is_none());
            }
        }
    }

    #[test]
    fn e12_nothing_private_is_published() {
        for algorithm in ALL {
            let jwk = Pair::generate(algorithm).jwk();
            let names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
            let public = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
            assert!(names.iter().all(|name| public.contains(name)), "{names:?}");
            let set = json!({ "keys": [jwk] }).to_string();
            assert!(authshield_verify::KeySet::from_json(&set).is_ok());
        }
    }
}
