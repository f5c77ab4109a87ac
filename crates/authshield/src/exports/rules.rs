//! When a sink is tried again, and when an event is given up.

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

/// Where a sink stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The last link of the audit trail that it was given.
    pub(super) seq: i64,
    /// How often the next one was tried.
    pub(super) attempts: i64,
    /// Since when it fails.
    pub(super) failing_since: Option<Timestamp>,
    /// When it is tried again.
    pub(super) next_attempt_at: Option<Timestamp>,
    /// Why it failed.
    pub(super) last_error: Option<String>,
}

impl Cursor {
    /// Where a sink stands that took everything up to `seq`.
    pub(super) fn at(seq: i64) -> Self {
        Self { seq, ..Self::default() }
    }
}

/// Why a sink did not take an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It answered that it will never take this one.
    Refused(String),
    /// It answered something else than yes: this one may be too much for it, or it has trouble of its own.
    Later(String),
    /// It gave no answer, which says nothing about the event.
    Away(String),
}

impl Failure {
    /// Says why.
    pub(super) fn why(&self) -> &str {
        let (Self::Refused(why) | Self::Later(why) | Self::Away(why)) = self;
        why
    }
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The event becomes a dead letter, and the next one has its turn.
    Bury,
    /// The sink stands there, and is tried again.
    Again(Cursor),
}

/// Judges why the event behind `stands` was not taken.
pub(super) fn judge(failure: &Failure, stands: &Cursor, now: Timestamp) -> Next {
    let since = stands.failing_since.unwrap_or(now);
    match failure {
        Failure::Refused(_) => return Next::Bury,
        Failure::Later(_) if now.since(since) >= GIVE_UP => return Next::Bury,
        Failure::Later(_) | Failure::Away(_) => {}
    }
    let step = usize::try_from(stands.attempts).unwrap_or(0).min(STEPS.len() - 1);
    Next::Again(Cursor {
        seq: stands.seq,
        attempts: stands.attempts + 1,
        failing_since: Some(since),
        next_attempt_at: Some(now + STEPS[step]),
        last_error: Some(failure.why().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_ever_later_and_what_is_answered_with_no_for_a_day_is_given_up() {
        let began = Timestamp::from_microsecond(1_800_000_000_000_000);
        let later = Failure::Later("it answered 503".into());
        let (mut stands, mut now, mut waits) = (Cursor::at(7), began, Vec::new());
        while let Next::Again(next) = judge(&later, &stands, now) {
            let again = next.next_attempt_at.unwrap();
            waits.push(again.since(now).as_secs());
            assert_eq!((next.seq, next.failing_since), (7, Some(began)));
            assert_eq!(next.last_error.as_deref(), Some("it answered 503"));
            (stands, now) = (next, again);
        }
        assert_eq!(waits[..7], [5, 15, 60, 300, 900, 1800, 1800]);
        assert!(now.since(began) >= GIVE_UP && now.since(began) < GIVE_UP + STEPS[5]);

        assert_eq!(judge(&Failure::Refused("422".into()), &Cursor::at(7), now), Next::Bury);
        // Nobody there is never an event's fault.
        let away = Failure::Away("connection refused".into());
        assert!(matches!(judge(&away, &stands, now), Next::Again(next) if next.seq == 7));
    }
}
