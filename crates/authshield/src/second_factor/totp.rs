//! One-time codes by time (RFC 6238), as every authenticator app makes them: HMAC-SHA-1, six digits,
//! thirty seconds.

use std::fmt::{self, Write as _};

use aws_lc_rs::hmac;
use qrcode::{Color, EcLevel, QrCode};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::kernel::{EmailAddress, Timestamp};
use crate::world::World;

/// How long a code is shown, in seconds (RFC 6238, 5.2).
const STEP: i64 = 30;
/// How many steps before and after the present one are taken: for clocks that are off, and for who
/// types slowly (RFC 6238, 5.2 and 6).
const DRIFT: i64 = 1;
/// How many digits a code has.
pub(super) const DIGITS: u32 = 6;
/// 160 bits, as long as the output of the hash (RFC 4226, 4, R6).
const LENGTH: usize = 20;

/// How much white a camera needs around a QR code, in modules (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// What an authenticator app and we have in common. Its `Debug` shows nothing, its memory is wiped.
pub(super) struct Secret(Zeroizing<[u8; LENGTH]>);

impl Secret {
    /// Makes a new one.
    pub(super) fn new(world: &dyn World) -> Self {
        let mut secret = Zeroizing::new([0; LENGTH]);
        world.fill(&mut *secret);
        Self(secret)
    }

    /// Reads what was stored; `None` if it has another length.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Returns it in base 32 without padding, as apps take it when there is no camera.
    pub(super) fn base32(&self) -> Zeroizing<String> {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut text = Zeroizing::new(String::with_capacity(LENGTH / 5 * 8));
        for five in self.0.chunks_exact(5) {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for place in (0..8).rev() {
                let letter = usize::try_from(bits >> (5 * place) & 31).expect("below 32");
                text.push(char::from(LETTERS[letter]));
            }
        }
        text
    }

    /// Returns the step that `code` is for, among those that are taken at `now`. All of them are
    /// worked out whatever comes: the time that it takes tells nothing.
    pub(super) fn step_of(&self, code: u32, now: Timestamp) -> Option<i64> {
        let present = now.as_second().div_euclid(STEP);
        let mut found = -1_i64;
        for step in present - DRIFT..=present + DRIFT {
            let counter = u64::try_from(step).expect("after 1970");
            let right = hotp(self.as_bytes(), counter, DIGITS);
            found.conditional_assign(&step, right.ct_eq(&code));
        }
        (found >= 0).then_some(found)
    }

    /// Returns the address that apps read from a QR code.
    pub(super) fn uri(&self, service: &str, email: &EmailAddress) -> Zeroizing<String> {
        let (service, account) = (escaped(service), escaped(email.as_str()));
        Zeroizing::new(format!(
            "otpauth://totp/{service}:{account}?secret={}&issuer={service}&algorithm=SHA1&digits=6\
             &period=30",
            *self.base32()
        ))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Works out a code (RFC 4226, 5.3).
fn hotp(secret: &[u8], counter: u64, digits: u32) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let four: [u8; 4] = tag[offset..offset + 4].try_into().expect("four bytes are there");
    (u32::from_be_bytes(four) & 0x7FFF_FFFF) % 10_u32.pow(digits)
}

/// Everything but letters, digits and `-._~` as `%XX`: apps differ in what else they bear.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a string takes everything");
        }
        escaped
    })
}

/// Draws `text` as a QR code: a picture of some kilobytes that runs nothing and loads nothing.
pub(super) fn qr_svg(text: &str) -> String {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .expect("an address of some hundred bytes fits");
    let (width, colours) = (code.width(), code.to_colors());
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (y, row) in colours.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run[0] == Color::Dark {
                let (left, top, length) = (x + QUIET, y + QUIET, run.len());
                write!(path, "M{left} {top}h{length}v1h-{length}z")
                    .expect("a string takes everything");
            }
            x += run.len();
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"240\" \
         height=\"240\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" \
         d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::world::Sandbox;

    const RFC: &[u8; 20] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfcs() {
        // RFC 4226, appendix D.
        let codes = [
            755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871,
            520_489,
        ];
        for (counter, code) in codes.into_iter().enumerate() {
            assert_eq!(hotp(RFC, counter as u64, 6), code);
        }
        // RFC 6238, appendix B, the rows for SHA-1.
        for (second, code) in [
            (59_u64, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(hotp(RFC, second / 30, 8), code);
        }
    }

    /// ASVS: V6.5.5, V6.5.8
    #[test]
    fn a_code_is_taken_one_step_early_and_one_step_late() {
        let secret = Secret::from_bytes(RFC).unwrap();
        let now = Sandbox::default().now();
        let present = now.as_second() / STEP;
        for away in -3..=3 {
            let step = present + away;
            let code = hotp(RFC, u64::try_from(step).unwrap(), DIGITS);
            assert_eq!(secret.step_of(code, now), (away.abs() <= 1).then_some(step), "{away}");
        }
        let later = now + Duration::from_secs(30);
        let code = hotp(RFC, u64::try_from(present).unwrap(), DIGITS);
        assert_eq!(secret.step_of(code, later), Some(present));
        assert_eq!(secret.step_of(1_000_000, now), None);
    }

    #[test]
    fn apps_read_what_we_write() {
        let secret = Secret::from_bytes(RFC).unwrap();
        // RFC 4648, 10, by another hand.
        assert_eq!(*secret.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = secret.uri("Example & Söhne", &"ann+a@example.org".parse().unwrap());
        assert_eq!(
            *uri,
            "otpauth://totp/Example%20%26%20S%C3%B6hne:ann%2Ba%40example.org\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example%20%26%20S%C3%B6hne\
             &algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn the_picture_has_the_dark_modules_and_no_others() {
        let text = "otpauth://totp/Example:ann%40example.org?secret=GEZDGNBVGY3TQOJQ";
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let drawn = qr_svg(text);
        let path = drawn.split("#000\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut dark = std::collections::BTreeSet::new();
        for run in path.split_terminator('z') {
            let (corner, rest) = run.strip_prefix('M').unwrap().split_once('h').unwrap();
            let (x, y) = corner.split_once(' ').unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let length: usize = rest.split('v').next().unwrap().parse().unwrap();
            dark.extend((x..x + length).map(|x| (x - QUIET, y - QUIET)));
        }
        for (place, colour) in code.to_colors().into_iter().enumerate() {
            let at = (place % code.width(), place / code.width());
            assert_eq!(dark.contains(&at), colour == Color::Dark, "{at:?}");
        }
        assert!(drawn.len() < 16_000, "{}", drawn.len());
    }
}
