//! Which mail a report is about, and whether whoever reports it ever had that mail. Pure.
//!
//! Each mail leaves with an envelope address of its own (VERP), `bounce+TOKEN@example.org`, and with the
//! token as its envelope id (RFC 3461). The token names the mail and is signed: without that, anyone
//! could say that mail to a victim came back.

use std::fmt;

use aws_lc_rs::hmac;
use lettre::Address;
use uuid::Uuid;

use crate::kernel::MailId;

/// How many bytes of the signature a token has.
const SIGNED: usize = 8;

/// How many characters a token has: 24 bytes in base32.
const LENGTH: usize = 39;

/// RFC 4648, in lower case: local parts may lose theirs on the way.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Signs the tokens of mails.
pub struct ReturnKey(hmac::Key);

impl ReturnKey {
    /// Makes the key.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn signature(&self, what: Purpose, id: &[u8]) -> [u8; SIGNED] {
        let purpose: &[u8] = match what {
            Purpose::Return => b"mail return v1\0",
            Purpose::Canary => b"mail canary v1\0",
        };
        let tag = hmac::sign(&self.0, &[purpose, id].concat());
        tag.as_ref()[..SIGNED].try_into().expect("SHA-256 gives more")
    }

    /// Returns the token of a mail.
    #[must_use]
    pub fn token(&self, mail: MailId) -> String {
        self.sign(Purpose::Return, mail)
    }

    /// Returns the mail that a token is of, if we made it.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<MailId> {
        self.verify(Purpose::Return, token)
    }

    /// Returns what a canary bears, and nobody else can write.
    #[must_use]
    pub fn nonce(&self, mail: MailId) -> String {
        self.sign(Purpose::Canary, mail)
    }

    /// Returns the canary that bears a nonce, if we made it.
    #[must_use]
    pub fn read_nonce(&self, nonce: &str) -> Option<MailId> {
        self.verify(Purpose::Canary, nonce)
    }

    fn sign(&self, what: Purpose, mail: MailId) -> String {
        let id = mail.as_uuid().into_bytes();
        encode(&[&id[..], &self.signature(what, &id)].concat())
    }

    fn verify(&self, what: Purpose, token: &str) -> Option<MailId> {
        let bytes = decode(token)?;
        let (id, signature) = bytes.split_first_chunk::<16>()?;
        let expected = self.signature(what, id);
        let same = subtle::ConstantTimeEq::ct_eq(signature, &expected[..]);
        bool::from(same).then(|| MailId::from(Uuid::from_bytes(*id)))
    }
}

/// What a signature is good for.
#[derive(Clone, Copy)]
enum Purpose {
    /// Saying what became of a mail.
    Return,
    /// Saying that it came here.
    Canary,
}

impl fmt::Debug for ReturnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReturnKey(…)")
    }
}

/// Returns whether text has the form of a token.
pub(super) fn is_token(text: &str) -> bool {
    decode(text).is_some()
}

/// Returns the address that `token` comes back to.
pub(super) fn address(base: &Address, token: &str) -> Address {
    let local = format!("{}+{token}", base.user());
    Address::new(local, base.domain()).expect("letters and digits after a plus leave it an address")
}

/// Finds the token in an address that mail came back to, as in `<bounce+TOKEN@example.org>`.
pub(super) fn token_in(text: &str, base: &Address) -> Option<String> {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    let (local, domain) = text.rsplit_once('@')?;
    if !domain.eq_ignore_ascii_case(base.domain()) {
        return None;
    }
    let (user, token) = local.rsplit_once('+')?;
    (user.eq_ignore_ascii_case(base.user()) && is_token(token)).then(|| token.to_owned())
}

fn encode(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::with_capacity(LENGTH), 0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() != LENGTH {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(24), 0_u32, 0_u32);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter.to_ascii_lowercase())?;
        held = (held << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 255).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    // What is left over is nothing, or it is another way to write the same.
    (held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::Sandbox;

    fn key() -> ReturnKey {
        ReturnKey::new(&[7; 32])
    }

    #[test]
    fn a_token_names_its_mail_and_survives_the_way() {
        let mail = MailId::new(&Sandbox::default());
        let token = key().token(mail);
        assert_eq!(token.len(), LENGTH);
        assert_eq!(key().read(&token), Some(mail));
        assert_eq!(key().read(&token.to_uppercase()), Some(mail));
        assert_eq!(ReturnKey::new(&[8; 32]).read(&token), None, "another installation's");
        assert_eq!(key().read_nonce(&key().nonce(mail)), Some(mail));
        assert_eq!((key().read_nonce(&token), key().read(&key().nonce(mail))), (None, None));

        let base: Address = "bounce@mail.example.org".parse().unwrap();
        let address = address(&base, &token);
        assert!(address.user().len() <= 64, "RFC 5321, 4.5.3.1.1");
        for text in [
            address.to_string(),
            format!("<{address}>"),
            format!(" <{}> ", address.to_string().to_uppercase()),
        ] {
            let found = token_in(&text, &base).unwrap();
            assert_eq!(key().read(&found), Some(mail), "{text}");
        }
        for text in [
            format!("bounce+{token}@other.example.org"),
            format!("other+{token}@mail.example.org"),
            format!("bounce+{}@mail.example.org", &token[1..]),
            "bounce@mail.example.org".to_owned(),
            String::new(),
        ] {
            assert_eq!(token_in(&text, &base), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_token_itself_is_one(bytes in any::<[u8; 24]>(), at in 0..LENGTH, other in 0..32_usize) {
            let text = encode(&bytes);
            prop_assert_eq!(decode(&text), Some(bytes.to_vec()));
            prop_assert_eq!(key().read(&text), None, "nobody guesses a signature");

            let token = key().token(MailId::from(Uuid::from_bytes(bytes[..16].try_into().unwrap())));
            let mut forged = token.clone().into_bytes();
            forged[at] = ALPHABET[other];
            let forged = String::from_utf8(forged).unwrap();
            if forged != token {
                prop_assert_eq!(key().read(&forged), None);
            }
        }

        #[test]
        fn no_text_is_too_odd_to_be_looked_at(text in "\\PC{0,80}") {
            let base: Address = "bounce@example.org".parse().unwrap();
            let _ = (key().read(&text), token_in(&text, &base));
        }
    }
}
