//! Public keys of passkeys (COSE, RFC 9052 and 9053), and what they signed.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};

use super::cbor::Map;

/// The algorithms that are offered, the best first: ES256, EdDSA with Ed25519, RS256 (RFC 9053,
/// RFC 8812).
pub(super) const OFFERED: [i64; 3] = [-7, -8, -257];

/// A key of an algorithm that is offered.
pub(super) enum PublicKey<'b> {
    Parsed(ParsedPublicKey),
    Rsa { n: &'b [u8], e: &'b [u8] },
}

impl<'b> PublicKey<'b> {
    /// Reads a key; `None` if its algorithm is not offered or it is not sound, as a point that is not
    /// on the curve.
    pub(super) fn from_cose(key: &'b [u8]) -> Option<Self> {
        let (key, _) = Map::read(key).filter(|(_, rest)| rest.is_empty())?;
        let coordinate = |label: i64| key.bytes(label).filter(|bytes| bytes.len() == 32);
        match (key.integer(1)?, key.integer(3)?) {
            (2, -7) if key.integer(-1)? == 1 => {
                let point = [&[4], coordinate(-2)?, coordinate(-3)?].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok().map(Self::Parsed)
            }
            (1, -8) if key.integer(-1)? == 6 => {
                ParsedPublicKey::new(&ED25519, coordinate(-2)?).ok().map(Self::Parsed)
            }
            (3, -257) => {
                let (n, e) = (key.bytes(-1)?, key.bytes(-2)?);
                let is_sound = (256..=1024).contains(&n.len()) && (1..=8).contains(&e.len());
                is_sound.then_some(Self::Rsa { n, e })
            }
            _ => None,
        }
    }

    /// Returns whether `signature` is of `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Parsed(key) => key.verify_sig(message, signature).is_ok(),
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }
}
