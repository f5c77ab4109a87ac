//! Recovery codes: what somebody keeps on paper, for the day when their second factor is lost.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::TokenHashKey;
use crate::world::World;

/// Digits and letters that nobody takes for another (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 24 digits of 5 bits: 120 random bits, so that a keyed hash is enough to store one.
const LENGTH: usize = 24;
/// How many digits stand together.
const GROUP: usize = 4;

/// A code of 120 random bits that works once in the place of a second factor.
///
/// It is shown as `k3x9-…` in six groups of four; read with or without hyphens, in either case, and
/// with `o`, `i` and `l` for the digits that they look like. Its `Debug` shows nothing, its memory is
/// wiped.
pub struct RecoveryCode(Zeroizing<[u8; LENGTH]>);

impl RecoveryCode {
    /// Makes a new one.
    #[must_use]
    pub fn new(world: &dyn World) -> Self {
        let mut random = Zeroizing::new([0; LENGTH]);
        world.fill(&mut *random);
        for digit in random.iter_mut() {
            *digit = DIGITS[usize::from(*digit % 32)];
        }
        Self(random)
    }

    /// Reads one; `None` if it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = Zeroizing::new([0; LENGTH]);
        let mut count = 0;
        for letter in text.bytes() {
            let digit = match letter.to_ascii_lowercase() {
                b'-' | b' ' => continue,
                b'o' => b'0',
                b'i' | b'l' => b'1',
                digit => digit,
            };
            if !DIGITS.contains(&digit) || count == LENGTH {
                return None;
            }
            digits[count] = digit;
            count += 1;
        }
        (count == LENGTH).then_some(Self(digits))
    }

    /// Returns its text, to be shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for group in self.0.chunks(GROUP) {
            if !text.is_empty() {
                text.push('-');
            }
            text.extend(group.iter().map(|digit| char::from(*digit)));
        }
        text
    }

    /// Returns what is stored of it.
    #[must_use]
    pub fn hash(&self, key: &TokenHashKey) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&key.0);
        // The kind belongs to it: a code never counts as a token.
        context.update(b"recovery code\0");
        context.update(&*self.0);
        context.sign().as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::Sandbox;

    /// ASVS: V6.5.4
    #[test]
    fn what_is_written_by_hand_is_read() {
        let code = RecoveryCode::new(&Sandbox::default());
        let text = code.reveal();
        assert_eq!(text.len(), 29);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 6]);
        let key = TokenHashKey::new(&[7; 32]);
        for written in [
            text.to_string(),
            text.to_uppercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            text.replace('0', "O").replace('1', "l"),
        ] {
            let read = RecoveryCode::parse(&written).expect("it is the same code");
            assert_eq!(read.hash(&key), code.hash(&key));
        }
        for other in ["", "-", "123456", &text[1..], &format!("{}a", *text), "u", "é"] {
            assert!(RecoveryCode::parse(other).is_none(), "{other:?}");
        }
        assert_eq!(format!("{code:?}"), "RecoveryCode(…)");
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_fail(text: String) {
            let _ = RecoveryCode::parse(&text);
        }
    }
}
