//! Whether a device is new, and whether its owner is told.

use std::time::Duration;

use crate::kernel::Timestamp;

/// For how long a device is remembered after its last sign-in.
pub(super) const KEPT: Duration = Duration::from_hours(400 * 24);

/// Within what time only so many new devices are told.
pub(super) const RECENT: Duration = Duration::from_hours(24);

/// How many that are. Whoever has the password could fill the owner's mailbox, and hide among the mails what
/// matters: after a handful the owner knows.
const TOLD_AT_MOST: i64 = 5;

/// What a device is that was not seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The first of the account: there is nothing to compare it with.
    First,
    /// One more.
    New {
        /// Whether a mail says so.
        is_told: bool,
    },
}

/// Judges a device that was not seen before. `others` are known besides it, `recent` of them since a day.
///
/// An account whose devices were all forgotten is not new because of that: who comes back after more than a
/// year is told.
pub(super) fn judge(others: i64, recent: i64, opened_at: Timestamp, now: Timestamp) -> Seen {
    if others < 1 && now.since(opened_at) < KEPT {
        return Seen::First;
    }
    // The first of an account is recent, too, and was not told: so it may count among the others.
    Seen::New { is_told: recent < TOLD_AT_MOST }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn the_first_device_is_not_told_and_of_many_only_some() {
        let now = Sandbox::default().now();
        let told = |is_told| Seen::New { is_told };
        for (others, recent, age, expected) in [
            (0, 0, Duration::ZERO, Seen::First),
            (0, 0, RECENT, Seen::First),
            (0, 0, KEPT, told(true)),
            (1, 1, Duration::ZERO, told(true)),
            (9, 0, KEPT, told(true)),
            (9, 4, RECENT, told(true)),
            (9, 5, RECENT, told(false)),
        ] {
            let judged = judge(others, recent, now - age, now);
            assert_eq!(judged, expected, "{others} {recent} {age:?}");
        }
        // A clock that went back makes nobody's account older.
        assert_eq!(judge(0, 0, now + RECENT, now), Seen::First);
    }
}
