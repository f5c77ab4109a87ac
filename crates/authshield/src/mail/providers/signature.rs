//! Signatures under a shared key. Pure.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;

use super::report::Refused;
use crate::kernel::Timestamp;
use std::time::Duration;

/// How far from now the instant of a signature may be: clocks differ, and deliveries take their time.
pub(super) const WINDOW: Duration = Duration::from_mins(5);

/// Refuses what was signed long ago, or is from the future; seconds since 1970.
pub(super) fn is_fresh(seconds: &str, now: Timestamp) -> Result<(), Refused> {
    let digits = seconds.len() <= 12 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let at: i64 = seconds.parse().ok().filter(|_| digits).ok_or(Refused::Forged)?;
    let window = i64::try_from(WINDOW.as_secs()).expect("five minutes");
    if (now.as_second() - at).abs() <= window { Ok(()) } else { Err(Refused::Stale) }
}

/// Returns the HMAC-SHA-256 of `parts`.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}

/// Returns whether two texts are the same, in a time that tells nothing.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// Returns bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
