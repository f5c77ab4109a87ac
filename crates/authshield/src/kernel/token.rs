//! Opaque tokens: 256 random bits that a person, a log or a secret scanner can recognise.
//!
//! ```text
//! asr_ 3k…43 base62 digits…Xe 0aB9zQ
//! kind the secret             CRC-32 of all before it
//! ```
//!
//! Kind and checksum let scanners find leaks without false alarms, and let us refuse a typo without
//! asking the database. There is one way to write a token: another length, white space or digits
//! that exceed 256 bits are refused.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::MailCode;
use crate::world::World;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX_LENGTH: usize = 4;
/// 62 to the power of 43 is just above 2 to the power of 256.
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const LENGTH: usize = PREFIX_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;

/// The key under which tokens are hashed before they are stored: who reads the database cannot tell
/// whether a token they guess is in it.
pub struct TokenHashKey(pub(super) hmac::Key);

impl TokenHashKey {
    /// Makes the key.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Returns what is stored of a code that goes by mail to who shows once more who they are; `asked_by` is the
    /// session or the ticket that it is for.
    #[must_use]
    pub fn of_proof_code(&self, asked_by: &[u8], code: &MailCode) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"authshield code of a proof by mail v1\0");
        context.update(asked_by);
        context.update(code.reveal().as_bytes());
        tag_bytes(&context.sign())
    }
}

impl fmt::Debug for TokenHashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHashKey(…)")
    }
}

/// The key from which the successor of a refresh token is derived.
pub struct SuccessorKey(hmac::Key);

impl SuccessorKey {
    /// Makes the key.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl fmt::Debug for SuccessorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SuccessorKey(…)")
    }
}

/// What all kinds have in common.
#[derive(Clone)]
struct Opaque {
    secret: Zeroizing<[u8; 32]>,
    text: Zeroizing<String>,
}

impl Opaque {
    fn new(prefix: &str, secret: Zeroizing<[u8; 32]>) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(prefix);
        push_base62(&mut text, &secret, SECRET_LENGTH);
        let mut checksum = Zeroizing::new([0; 32]);
        checksum[28..].copy_from_slice(&crc32(text.as_bytes()).to_be_bytes());
        push_base62(&mut text, &checksum, CHECKSUM_LENGTH);
        Self { secret, text }
    }

    fn random(prefix: &str, world: &dyn World) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        world.fill(&mut *secret);
        Self::new(prefix, secret)
    }

    fn parse(prefix: &str, text: &str) -> Option<Self> {
        // ASCII, so that it can be cut anywhere.
        if text.len() != LENGTH || !text.is_ascii() || !text.starts_with(prefix) {
            return None;
        }
        let secret = read_base62(&text.as_bytes()[PREFIX_LENGTH..LENGTH - CHECKSUM_LENGTH])?;
        // Written again it must be the same: that settles the checksum too.
        let token = Self::new(prefix, secret);
        (*token.text == text).then_some(token)
    }

    fn hash(&self, prefix: &str, key: &TokenHashKey) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&key.0);
        // The kind belongs to it: a token of one kind never counts as one of another.
        context.update(prefix.as_bytes());
        context.update(&*self.secret);
        tag_bytes(&context.sign())
    }
}

fn tag_bytes(tag: &hmac::Tag) -> [u8; 32] {
    tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// A number of 256 bits in pieces, the highest first.
type Pieces = Zeroizing<[u32; 8]>;

/// Writes a number of 256 bits with `length` digits.
fn push_base62(text: &mut String, number: &[u8; 32], length: usize) {
    let mut pieces: Pieces = Zeroizing::new([0; 8]);
    for (piece, bytes) in pieces.iter_mut().zip(number.as_chunks().0) {
        *piece = u32::from_be_bytes(*bytes);
    }
    let mut digits = Zeroizing::new([0_u8; SECRET_LENGTH]);
    for digit in digits[..length].iter_mut().rev() {
        let mut remainder = 0_u64;
        for piece in pieces.iter_mut() {
            let value = remainder << 32 | u64::from(*piece);
            *piece = u32::try_from(value / 62).expect("the remainder was below 62");
            remainder = value % 62;
        }
        *digit = DIGITS[usize::try_from(remainder).expect("below 62")];
    }
    text.extend(digits[..length].iter().map(|digit| char::from(*digit)));
}

/// Reads digits as a number; `None` if one is none, or the number has more than 256 bits.
fn read_base62(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut pieces: Pieces = Zeroizing::new([0; 8]);
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        let mut carry = u64::from(value);
        for piece in pieces.iter_mut().rev() {
            let value = u64::from(*piece) * 62 + carry;
            *piece = u32::try_from(value & 0xFFFF_FFFF).expect("32 bits");
            carry = value >> 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut number = Zeroizing::new([0; 32]);
    for (bytes, piece) in number.as_chunks_mut().0.iter_mut().zip(pieces.iter()) {
        *bytes = piece.to_be_bytes();
    }
    Some(number)
}

/// CRC-32 as in gzip and in GitHub's tokens.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// Its `Debug` shows nothing, its memory is wiped.
        #[derive(Clone)]
        pub struct $name(Opaque);

        impl $name {
            /// What it begins with.
            pub const PREFIX: &str = $prefix;

            /// Makes a new one.
            #[must_use]
            pub fn new(world: &dyn World) -> Self {
                Self(Opaque::random(Self::PREFIX, world))
            }

            /// Reads one; `None` if it cannot be one of ours.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Opaque::parse(Self::PREFIX, text).map(Self)
            }

            /// Returns its text, to be given to its owner and to nobody else.
            #[must_use]
            pub fn reveal(&self) -> &str {
                &self.0.text
            }

            /// Returns what is stored of it.
            #[must_use]
            pub fn hash(&self, key: &TokenHashKey) -> [u8; 32] {
                self.0.hash(Self::PREFIX, key)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(", $prefix, "…)"))
            }
        }
    )*};
}

opaque! {
    /// What keeps a session going: rotated with every use.
    RefreshToken = "asr_";
    /// What a link in a mail carries: works once.
    LinkToken = "asl_";
    /// What a sign-in carries that waits for a second factor: works once, and for minutes.
    PendingToken = "asm_";
    /// What an application gets after a sign-in at a provider, to exchange it once for tokens.
    FederationToken = "asf_";
    /// What the cookie of a browser carries that is signed in: the same until its session ends.
    BrowserToken = "asb_";
    /// What a client keeps that asked for a sign-in by mail: the code and the link open nothing without it.
    AskerToken = "asa_";
    /// What a device keeps that is trusted: it spares the second factor of one account, until it ends.
    TrustToken = "ast_";
}

impl AskerToken {
    /// Returns what is stored of the code that goes by mail to whom the client named. There are only a million
    /// codes, but nobody who reads the database has the key or this token.
    #[must_use]
    pub fn code_hash(&self, key: &TokenHashKey, code: &MailCode) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&key.0);
        context.update(b"authshield code of a sign-in by mail v1\0");
        context.update(&*self.0.secret);
        context.update(code.reveal().as_bytes());
        tag_bytes(&context.sign())
    }
}

impl BrowserToken {
    /// Returns what forms of pages carry that are shown to this browser: whoever cannot read the page cannot
    /// know it, and it tells nothing of the token.
    #[must_use]
    pub fn form_guard(&self, key: &TokenHashKey) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&key.0);
        context.update(b"authshield guard of a browser's forms v1\0");
        context.update(&*self.0.secret);
        tag_bytes(&context.sign())
    }
}

impl RefreshToken {
    /// Returns the token that follows this one.
    ///
    /// It is derived, so a client that asks twice gets the same one, and nothing secret is stored for
    /// it. Without the key nobody gets from a stolen old token to its successor.
    #[must_use]
    pub fn successor(&self, key: &SuccessorKey) -> Self {
        let mut context = hmac::Context::with_key(&key.0);
        context.update(b"authshield refresh token successor v1\0");
        context.update(&*self.0.secret);
        let secret = Zeroizing::new(tag_bytes(&context.sign()));
        Self(Opaque::new(Self::PREFIX, secret))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::Sandbox;

    fn token(secret: [u8; 32]) -> RefreshToken {
        RefreshToken(Opaque::new(RefreshToken::PREFIX, Zeroizing::new(secret)))
    }

    #[test]
    fn the_form_is_fixed() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let zero = token([0; 32]);
        assert_eq!(&zero.reveal()[..47], format!("asr_{}", "0".repeat(43)));
        let full = token([0xFF; 32]);
        assert_eq!(full.reveal().len(), 53);
        for token in [zero, full] {
            let again = RefreshToken::parse(token.reveal()).unwrap();
            assert_eq!(again.0.secret, token.0.secret);
        }
    }

    /// ASVS: V6.4.1, V6.5.3, V7.2.3, V11.5.1
    #[test]
    fn ten_thousand_of_them_are_all_different() {
        let world = crate::world::Real;
        let some = || RefreshToken::new(&world).reveal().to_owned();
        let seen: std::collections::BTreeSet<_> = (0..10_000).map(|_| some()).collect();
        assert_eq!(seen.len(), 10_000);
        // Every digit but the first, which cannot be all 62, takes many values.
        for place in PREFIX_LENGTH + 1..PREFIX_LENGTH + SECRET_LENGTH {
            let digits: std::collections::BTreeSet<_> =
                seen.iter().map(|token| token.as_bytes()[place]).collect();
            assert_eq!(digits.len(), 62, "place {place}");
        }
    }

    #[test]
    fn more_than_256_bits_are_refused_whatever_the_checksum() {
        let mut text = format!("asr_{}", "z".repeat(43));
        let mut checksum = Zeroizing::new([0; 32]);
        checksum[28..].copy_from_slice(&crc32(text.as_bytes()).to_be_bytes());
        push_base62(&mut text, &checksum, CHECKSUM_LENGTH);
        assert!(RefreshToken::parse(&text).is_none());
    }

    #[test]
    fn d15_another_shape_is_another_text() {
        let world = Sandbox::default();
        let token = RefreshToken::new(&world);
        let text = token.reveal();
        let link = LinkToken::new(&world);
        for other in [
            format!(" {text}"),
            format!("{text} "),
            format!("{text}\n"),
            format!("{text}="),
            text.replacen("asr_", "asl_", 1),
            text.replacen("asr_", "ASR_", 1),
            text.replacen("asr_", "asr%5F", 1),
            text[4..].to_owned(),
            "ä".repeat(26) + "x",
            link.reveal().to_owned(),
            String::new(),
        ] {
            assert!(RefreshToken::parse(&other).is_none(), "{other}");
        }
        assert!(LinkToken::parse(text).is_none());
    }

    #[test]
    fn hashes_and_successors_depend_on_key_kind_and_token() {
        let (a, b) = (token([1; 32]), token([2; 32]));
        let link = LinkToken(Opaque::new(LinkToken::PREFIX, Zeroizing::new([1; 32])));
        let (one, two) = (TokenHashKey::new(&[1; 32]), TokenHashKey::new(&[2; 32]));
        assert_eq!(a.hash(&one), token([1; 32]).hash(&one));
        let browser =
            |byte| BrowserToken(Opaque::new(BrowserToken::PREFIX, Zeroizing::new([byte; 32])));
        let guards = [browser(1).form_guard(&one), browser(1).form_guard(&two)];
        let hashes = [a.hash(&one), a.hash(&two), b.hash(&one), link.hash(&one)];
        let hashes =
            [&hashes[..], &guards, &[browser(2).form_guard(&one), browser(1).hash(&one)]].concat();
        let asker = |byte| AskerToken(Opaque::new(AskerToken::PREFIX, Zeroizing::new([byte; 32])));
        let code = |digits| MailCode::parse(digits).unwrap();
        let codes = [
            one.of_proof_code(&[1; 16], &code("123456")),
            one.of_proof_code(&[2; 16], &code("123456")),
            two.of_proof_code(&[1; 16], &code("123456")),
            one.of_proof_code(&[1; 16], &code("123457")),
            asker(1).code_hash(&one, &code("123456")),
            asker(1).code_hash(&one, &code("123457")),
            asker(1).code_hash(&two, &code("123456")),
            asker(2).code_hash(&one, &code("123456")),
            asker(1).hash(&one),
        ];
        let hashes = [&hashes[..], &codes].concat();
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());

        let (one, two) = (SuccessorKey::new(&[1; 32]), SuccessorKey::new(&[2; 32]));
        assert_eq!(a.successor(&one).reveal(), a.successor(&one).reveal());
        assert_ne!(a.successor(&one).reveal(), a.successor(&two).reveal());
        assert_ne!(a.successor(&one).reveal(), b.successor(&one).reveal());
        assert_ne!(a.successor(&one).successor(&one).reveal(), a.successor(&one).reveal());
        assert!(RefreshToken::parse(a.successor(&one).reveal()).is_some());
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let token = token([7; 32]);
        assert_eq!(format!("{token:?}"), "RefreshToken(asr_…)");
        let keys = (TokenHashKey::new(&[7; 32]), SuccessorKey::new(&[7; 32]));
        assert_eq!(format!("{keys:?}"), "(TokenHashKey(…), SuccessorKey(…))");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(secret: [u8; 32]) {
            let token = token(secret);
            let again = RefreshToken::parse(token.reveal()).expect("our own text");
            prop_assert_eq!(&*again.0.secret, &secret);
            prop_assert_eq!(again.reveal(), token.reveal());
        }

        #[test]
        fn a_typo_is_refused(secret: [u8; 32], at in 0..LENGTH, digit in 0..62_usize) {
            let text = token(secret).reveal().to_owned();
            for cut in 0..LENGTH {
                prop_assert!(RefreshToken::parse(&text[..cut]).is_none());
            }
            let mut typo = text.clone().into_bytes();
            typo[at] = DIGITS[digit];
            let typo = String::from_utf8(typo).expect("ASCII");
            prop_assert_eq!(RefreshToken::parse(&typo).is_some(), typo == text);
            let flipped: String = text
                .chars()
                .enumerate()
                .map(|(n, c)| match c {
                    c if n != at => c,
                    c if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
                    c => c.to_ascii_lowercase(),
                })
                .collect();
            prop_assert_eq!(RefreshToken::parse(&flipped).is_some(), flipped == text);
        }

        #[test]
        fn noise_is_no_token(text in ".{0,60}") {
            prop_assert!(RefreshToken::parse(&text).is_none());
        }
    }
}
