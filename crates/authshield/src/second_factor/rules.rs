//! What a code may be, and how long wrong ones make everybody wait.

use std::time::Duration;

use super::totp::DIGITS;
use crate::kernel::{RecoveryCode, Timestamp};

/// How many wrong codes in a row cost nothing.
const FREE: i64 = 5;
/// The longest wait after a wrong code.
const LONGEST: Duration = Duration::from_hours(24);

/// How many codes one ticket is good for: whoever guesses needs the password again then.
pub(super) const TRIES_PER_TICKET: i64 = 5;
/// How many codes of one mail are looked at before another must be asked for.
pub(super) const TRIES_PER_MAIL: i64 = 5;
/// How many recovery codes there are at first.
pub(super) const RECOVERY_CODES: usize = 10;
/// So few are left that their owner is told to make new ones.
pub(super) const FEW: i64 = 3;

/// What somebody shows as their second factor.
#[derive(Debug)]
pub(super) enum Shown {
    /// The code of an authenticator app.
    Totp(u32),
    /// One of the recovery codes.
    RecoveryCode(RecoveryCode),
}

/// Reads a code, whichever kind it is; `None` if it can be none. Apps show the six digits in groups,
/// so spaces mean nothing.
pub(super) fn read(text: &str) -> Option<Shown> {
    let digits = text.bytes().filter(|byte| *byte != b' ');
    if digits.clone().all(|byte| byte.is_ascii_digit()) && digits.clone().count() == DIGITS as usize
    {
        let code = digits.fold(0, |code, digit| code * 10 + u32::from(digit - b'0'));
        return Some(Shown::Totp(code));
    }
    RecoveryCode::parse(text).map(Shown::RecoveryCode)
}

/// After how many wrong codes in a row codes are taken no more (NIST SP 800-63B-4, 3.2.2): the owner uses a
/// recovery code, or asks an administrator.
const AT_MOST: i64 = 100;
/// For as long as anybody lives.
pub(super) const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 100);

/// How long no code is looked at after that many wrong ones in a row. A guess is right with three in a
/// million; this bounds them to a score on the first day and one a day from then on, a hundred in all,
/// whoever asks and in how many sign-ins.
pub(super) fn pause(misses: i64) -> Option<Duration> {
    if misses >= AT_MOST {
        return Some(FOR_EVER);
    }
    let doublings = u32::try_from(misses - FREE).ok()?.min(16);
    Some((Duration::from_mins(1) * 2_u32.pow(doublings)).min(LONGEST))
}

/// Whether the owner is written to after that many wrong codes: somebody knows their password.
pub(super) fn warns(misses: i64) -> bool {
    misses == FREE || (misses > FREE && misses % 10 == 0)
}

/// Whether somebody with these roles must have a second factor.
pub(super) fn is_due(roles: &[String], required_for: &[String]) -> bool {
    roles.iter().any(|role| required_for.contains(role))
}

/// What may be shown where a second factor is due, or added where there is neither an app nor a passkey.
pub(super) fn factors(has_app: bool, has_passkey: bool, has_codes: bool) -> Vec<&'static str> {
    [("totp", has_app || !has_passkey), ("passkey", has_passkey), ("recovery_code", has_codes)]
        .into_iter()
        .filter_map(|(factor, is_offered)| is_offered.then_some(factor))
        .collect()
}

/// Whether a session whose owner signed in as `amr` tells showed more than a first factor for it.
pub(super) fn shows_second(amr: &[String]) -> bool {
    amr.len() > 1
}

/// Whether a code of an app, or a recovery code, was shown for a session that `amr` tells of.
pub(super) fn shows_code(amr: &[String]) -> bool {
    amr.iter().any(|method| method == "otp")
}

/// Whether a proof is fresh enough for what cannot be taken back.
pub(super) fn is_fresh(proved_at: Timestamp, max_age: Duration, now: Timestamp) -> bool {
    proved_at + max_age > now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_what_it_is_and_nothing_else_is() {
        for (text, code) in [("000000", 0), ("123456", 123_456), ("123 456", 123_456)] {
            assert!(matches!(read(text), Some(Shown::Totp(read)) if read == code), "{text}");
        }
        let long = "k3x9-0000-zzzz-7777-abcd-efgh";
        assert!(matches!(read(long), Some(Shown::RecoveryCode(_))));
        for text in [
            "",
            " ",
            "12345",
            "1234567",
            "１２３４５６",
            "12345a",
            "+12345",
            "-12345",
            "1e5",
            "null",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn guessing_becomes_slow_and_stays_slow() {
        let minutes = |misses| pause(misses).map(|pause| pause.as_secs() / 60);
        assert_eq!((minutes(0), minutes(4)), (None, None));
        assert_eq!([5, 6, 7, 10].map(minutes), [Some(1), Some(2), Some(4), Some(32)]);
        assert_eq!([16, 50, 99].map(minutes), [Some(1440); 3]);
        assert_eq!([100, 100_000].map(pause), [Some(FOR_EVER); 2]);
        // Whoever guesses without a rest has so many guesses in the first day, and in the first year.
        let guesses_in = |days: u64| {
            let (mut misses, mut waited) = (0, Duration::ZERO);
            while waited < Duration::from_hours(24 * days) {
                misses += 1;
                waited += pause(misses).unwrap_or_default();
            }
            misses
        };
        assert!(guesses_in(1) <= 20, "{}", guesses_in(1));
        assert_eq!(guesses_in(365), AT_MOST);
    }

    #[test]
    fn the_owner_hears_of_guesses_and_is_not_flooded() {
        let told: Vec<_> = (0..=40).filter(|misses| warns(*misses)).collect();
        assert_eq!(told, [5, 10, 20, 30, 40]);
    }
}
