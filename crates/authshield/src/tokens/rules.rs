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

/// Judges a token that was not there to take: unknown, expired, already used, or of a session that
/// does not go on.
///
/// Two browser tabs or a lost answer are not theft: within the leeway the old token yields its
/// successor again, as long as that one has not itself been used.
pub(super) fn judge(known: Option<Known>, leeway: Duration, now: Timestamp) -> Verdict {
    let Some(known) = known else { return Verdict::Invalid(None, "unknown") };
    let session = known.session_id;
    let invalid = |reason| Verdict::Invalid(Some(session), reason);
    let Some(used_at) = known.used_at else {
        return invalid(if known.expires_at <= now {
            "expired"
        } else if known.user_disabled {
            "user_disabled"
        } else {
            "session_ended"
        });
    };
    if known.session_ended {
        return invalid("family_revoked");
    }
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
        let used = |seconds: u64, successor_unused, session_ended| {
            Some(Known {
                session_id: session,
                expires_at: now + Duration::from_hours(1),
                used_at: Some(now - Duration::from_secs(seconds)),
                successor_unused,
                session_ended,
                user_disabled: false,
            })
        };
        let unused = |lasts, session_ended, user_disabled| {
            let known = used(0, false, session_ended);
            known.map(|known| Known {
                used_at: None,
                expires_at: now + Duration::from_secs(lasts),
                user_disabled,
                ..known
            })
        };
        let reused = |seconds| Verdict::Reused { session, age: Duration::from_secs(seconds) };
        let invalid = |why| Verdict::Invalid(Some(session), why);
        for (known, leeway, expected) in [
            (None, leeway, Verdict::Invalid(None, "unknown")),
            (unused(0, false, false), leeway, invalid("expired")),
            (unused(1, false, true), leeway, invalid("user_disabled")),
            (unused(1, true, false), leeway, invalid("session_ended")),
            (used(0, true, false), leeway, Verdict::Retry(session)),
            (used(10, true, false), leeway, Verdict::Retry(session)),
            (used(11, true, false), leeway, reused(11)),
            (used(1, false, false), leeway, reused(1)),
            (used(0, true, false), Duration::ZERO, reused(0)),
            (used(1, true, true), leeway, invalid("family_revoked")),
        ] {
            assert_eq!(judge(known, leeway, now), expected);
        }
    }
}
