//! When something is tried again, and when no more.

use std::time::Duration;

use crate::kernel::Timestamp;

/// For how long one event is tried before it becomes a dead letter.
pub(super) const GIVE_UP: Duration = Duration::from_hours(24);

/// How long it is to the next attempt.
const STEPS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
];

/// Why a sink did not take an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It will not take this one.
    Refused(String),
    /// It may take it later.
    Later(String),
    /// It may take it later, and what it was given from this link on may be lost.
    Lost(String, i64),
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// It becomes a dead letter.
    Bury(String),
    /// It is tried again then.
    Again(Timestamp),
}

/// Judges a failure of the attempt with the number `attempts`, of an event that fails since `since`.
pub(super) fn judge(failure: &Failure, attempts: i64, since: Timestamp, now: Timestamp) -> Next {
    match failure {
        Failure::Refused(why) => Next::Bury(why.clone()),
        Failure::Later(why) | Failure::Lost(why, _) if now.since(since) >= GIVE_UP => {
            Next::Bury(why.clone())
        }
        Failure::Later(_) | Failure::Lost(..) => {
            let step = usize::try_from(attempts - 1).unwrap_or(0).min(STEPS.len() - 1);
            Next::Again(now + STEPS[step])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_ever_later_for_a_day_and_what_is_refused_is_not_tried_again() {
        let now = Timestamp::from_microsecond(1_800_000_000_000_000);
        let later = Failure::Later("503".into());
        for (attempt, seconds) in [(1, 5), (2, 15), (3, 60), (6, 1800), (60, 1800)] {
            let again = now + Duration::from_secs(seconds);
            assert_eq!(judge(&later, attempt, now, now), Next::Again(again), "{attempt}");
        }
        assert_eq!(judge(&later, 60, now - GIVE_UP, now), Next::Bury("503".into()));
        assert_eq!(judge(&Failure::Refused("400".into()), 1, now, now), Next::Bury("400".into()));
    }
}
