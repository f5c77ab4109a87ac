//! The published half of a key that signs mail (DKIM, RFC 6376 and RFC 8463).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::checks::x509::element;

/// A key, as far as its strength goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// With so many bits.
    Rsa(usize),
    Ed25519,
}

/// Why nobody can verify with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Useless {
    #[error("it is no record of a DKIM key")]
    NoRecord,
    #[error("the key was revoked: its `p=` is empty")]
    Revoked,
    #[error("its `p=` is not a key")]
    NoKey,
    #[error("its kind of key, {0:?}, is not known")]
    Kind(String),
    #[error("it is for testing (`t=y`), so receivers act as if the mail were not signed")]
    Testing,
}

/// Reads a record.
pub(super) fn parse(text: &str) -> Result<Key, Useless> {
    let tags = tags(text);
    let tag = |name: &str| tags.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    if tag("v").is_some_and(|version| version != "DKIM1") {
        return Err(Useless::NoRecord);
    }
    let published: String = tag("p").ok_or(Useless::NoRecord)?.split_ascii_whitespace().collect();
    if published.is_empty() {
        return Err(Useless::Revoked);
    }
    if tag("t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y")) {
        return Err(Useless::Testing);
    }
    let key = BASE64.decode(published).map_err(|_| Useless::NoKey)?;
    match tag("k").unwrap_or("rsa") {
        "rsa" => rsa_bits(&key).map(Key::Rsa).ok_or(Useless::NoKey),
        "ed25519" => (key.len() == 32).then_some(Key::Ed25519).ok_or(Useless::NoKey),
        other => Err(Useless::Kind(other.to_owned())),
    }
}

/// Splits `v=DKIM1; k=rsa; p=…`.
pub(super) fn tags(text: &str) -> Vec<(&str, &str)> {
    let pairs = text.split(';').filter_map(|tag| tag.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim())).collect()
}

/// Returns how long the modulus is, of a `SubjectPublicKeyInfo` or a bare `RSAPublicKey`.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let inside = element(der, 0x30)?.0;
    let key = match inside.first()? {
        // An algorithm first: the key is in the bit string behind it.
        0x30 => {
            let behind = element(inside, 0x30)?.1;
            let bits = element(behind, 0x03)?.0;
            element(bits.strip_prefix(&[0])?, 0x30)?.0
        }
        _ => inside,
    };
    let modulus = element(key, 0x02)?.0;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let digits = &modulus[first..];
    Some(digits.len() * 8 - digits[0].leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_as_strong_as_its_modulus() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let info =
            AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
        for der in [info.as_ref(), pair.public_key().as_ref()] {
            let record = format!("v=DKIM1; k=rsa; p={}", BASE64.encode(der));
            assert_eq!(parse(&record), Ok(Key::Rsa(2048)));
        }
        let ed = format!("v=DKIM1; k=ed25519; p={}", BASE64.encode([7; 32]));
        assert_eq!(parse(&ed), Ok(Key::Ed25519));
    }

    #[test]
    fn a_record_without_a_key_says_why() {
        for (record, why) in [
            ("v=DKIM1; p=", Useless::Revoked),
            ("v=DKIM1; k=rsa", Useless::NoRecord),
            ("v=spf1 -all", Useless::NoRecord),
            ("p=AAAA", Useless::NoKey),
            ("p=!", Useless::NoKey),
            ("v=DKIM1; t=s:y; p=AAAA", Useless::Testing),
            ("k=dsa; p=AAAA", Useless::Kind("dsa".to_owned())),
        ] {
            assert_eq!(parse(record), Err(why), "{record}");
        }
    }

    proptest! {
        #[test]
        fn noise_is_no_key_and_no_panic(noise: Vec<u8>) {
            let _ = rsa_bits(&noise);
            let _ = parse(&format!("v=DKIM1; p={}", BASE64.encode(&noise)));
        }
    }
}
