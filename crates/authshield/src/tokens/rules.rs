//! What to make of a refresh token that could not be taken.

use std::time::Duration;

use super::sql::Known;
use crate::kernel::Timestamp;

/// What a token that was not taken means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The answer was lost, or two tabs asked at once: the same successor once more.
    Retry,
    /// Somebody uses a token that was already exchanged.
    Reused {
        /// How long ago it was exchanged.
        age: Duration,
    },
    /// It is worth nothing, and nothing more is to be done.
    Invalid(&'static str),
}

/// How sure the ways in which somebody signed in make us of who they are, by the levels of NIST SP
/// 800-63B: a password alone is the first, with a one-time code it is the second, and so is a passkey
/// whose owner showed a finger or a PIN.
pub(super) fn acr(amr: &[String]) -> &'static str {
    let has = |method: &str| amr.iter().any(|one| one == method);
    let first = has("pwd") || has("fed");
    if has("mfa") || first && has("otp") { "aal2" } else { "aal1" }
}

/// Judges a token that was not there to take: expired, already used, or of a session that does not go
/// on.
///
/// Two browser tabs or a lost answer are not theft: within the leeway the old token yields its
/// successor again, as long as that one has not itself been used.
pub(super) fn judge(known: &Known, leeway: Duration, now: Timestamp) -> Verdict {
    let Some(used_at) = known.used_at else {
        return Verdict::Invalid(if known.expires_at <= now {
            "expired"
        } else if known.user_disabled {
            "user_disabled"
        } else {
            "session_ended"
        });
    };
    if known.session_ended {
        return Verdict::Invalid("family_revoked");
    }
    let age = now.since(used_at);
    if known.successor_unused && !leeway.is_zero() && age <= leeway {
        return Verdict::Retry;
    }
    Verdict::Reused { age }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn two_factors_are_more_than_one() {
        for (amr, expected) in [
            (vec![], "aal1"),
            (vec!["pwd"], "aal1"),
            (vec!["otp"], "aal1"),
            (vec!["swk", "user", "mfa"], "aal2"),
            (vec!["pwd", "otp"], "aal2"),
            (vec!["otp", "pwd"], "aal2"),
            (vec!["fed"], "aal1"),
            (vec!["fed", "otp"], "aal2"),
            // A mailbox is no factor (NIST SP 800-63B-4, 3.1.3).
            (vec!["email"], "aal1"),
            (vec!["email", "otp"], "aal1"),
            (vec!["email", "hwk", "user", "mfa"], "aal2"),
        ] {
            let amr: Vec<_> = amr.into_iter().map(str::to_owned).collect();
            assert_eq!(acr(&amr), expected, "{amr:?}");
        }
    }

    #[test]
    fn a_retry_is_no_theft_and_a_theft_is_no_retry() {
        let world = Sandbox::default();
        let (now, leeway) = (world.now(), Duration::from_secs(10));
        let used = |seconds: u64, successor_unused, session_ended| Known {
            expires_at: now + Duration::from_hours(1),
            used_at: Some(now - Duration::from_secs(seconds)),
            successor_unused,
            session_ended,
            user_disabled: false,
        };
        let unused = |lasts, session_ended, user_disabled| {
            let expires_at = now + Duration::from_secs(lasts);
            Known { used_at: None, expires_at, user_disabled, ..used(0, false, session_ended) }
        };
        let reused = |seconds| Verdict::Reused { age: Duration::from_secs(seconds) };
        let invalid = Verdict::Invalid;
        for (known, leeway, expected) in [
            (unused(0, false, false), leeway, invalid("expired")),
            (unused(1, false, true), leeway, invalid("user_disabled")),
            (unused(1, true, false), leeway, invalid("session_ended")),
            (used(0, true, false), leeway, Verdict::Retry),
            (used(10, true, false), leeway, Verdict::Retry),
            (used(11, true, false), leeway, reused(11)),
            (used(1, false, false), leeway, reused(1)),
            (used(0, true, false), Duration::ZERO, reused(0)),
            (used(1, true, true), leeway, invalid("family_revoked")),
        ] {
            assert_eq!(judge(&known, leeway, now), expected);
        }
    }
}
