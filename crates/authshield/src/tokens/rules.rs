//! What to make of a refresh token that could not be taken.

use std::time::Duration;

use super::sql::Known;
use crate::kernel::{SessionId, Timestamp};

/// What a token that was not taken means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The answer was lost, or two tabs asked at once: the same successor once more.
    Retry(SessionId),
    /// Somebody uses a token that was already exchanged.
    Reused {
        /// Its session.
        session: SessionId,
        /// How long ago it was exchanged.
        age: Duration,
    },
    /// It is worth nothing, and nothing more is to be done.
    Invalid(Option<SessionId>, &'static str),
}

/// Judges a token that was not there to take: unknown, expired, or already used.
///
/// Two browser tabs or a lost answer are not theft: within the leeway the old token yields its
/// successor again, as long as that one has not itself been used.
pub(super) fn judge(known: Option<Known>, leeway: Duration, now: Timestamp) -> Verdict {
    let Some(known) = known else { return Verdict::Invalid(None, "unknown") };
    let session = known.session_id;
    if known.session_ended {
        return Verdict::Invalid(Some(session), "family_revoked");
    }
    let Some(used_at) = known.used_at else {
        return Verdict::Invalid(Some(session), "expired");
    };
    let age = now.since(used_at);
    if known.successor_unused && !leeway.is_zero() && age <= leeway {
        return Verdict::Retry(session);
    }
    Verdict::Reused { session, age }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn a_retry_is_no_theft_and_a_theft_is_no_retry() {
        let world = Sandbox::default();
        let (now, leeway) = (world.now(), Duration::from_secs(10));
        let session = SessionId::new(&world);
        let known = |used: Option<u64>, successor_unused, session_ended| {
            let used_at = used.map(|seconds| now - Duration::from_secs(seconds));
            Some(Known { session_id: session, used_at, successor_unused, session_ended })
        };
        let reused = |seconds| Verdict::Reused { session, age: Duration::from_secs(seconds) };
        let invalid = |why| Verdict::Invalid(Some(session), why);
        for (known, leeway, expected) in [
            (None, leeway, Verdict::Invalid(None, "unknown")),
            (known(None, false, false), leeway, invalid("expired")),
            (known(Some(0), true, false), leeway, Verdict::Retry(session)),
            (known(Some(10), true, false), leeway, Verdict::Retry(session)),
            (known(Some(11), true, false), leeway, reused(11)),
            (known(Some(1), false, false), leeway, reused(1)),
            (known(Some(0), true, false), Duration::ZERO, reused(0)),
            (known(Some(1), true, true), leeway, invalid("family_revoked")),
        ] {
            assert_eq!(judge(known, leeway, now), expected);
        }
    }
}
