//! How many wrong passwords an account bears, and how long one waits for the next.

use std::time::Duration;

use crate::config::RateLimit;
use crate::kernel::Timestamp;

/// After a pause as long as this the waits begin anew; failures in a row do not.
pub(super) const PAUSE: Duration = Duration::from_hours(24);

/// A wait of this length is a lock: the owner is told of it.
const LOCK: Duration = Duration::from_mins(15);

/// What came from one place since the last right password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// How many were wrong.
    pub(super) failures: i64,
    /// How many of them without a pause.
    pub(super) streak: i64,
    /// From then on the next is judged.
    pub(super) open_at: Timestamp,
}

/// Who wants to try a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody in a network from which the owner signed in, or who holds a session.
    Known,
    /// Everybody else, together.
    Stranger,
}

/// Why a password is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There were too many lately; after so long one more is.
    Wait(Duration),
    /// There were too many in a row: only the way back by mail helps.
    Locked,
}

/// Decides whether one more password is judged, and returns the place as it is if that is wrong.
///
/// `failures` is how many were wrong in a row before, from all places. Strangers get four fifths of what
/// there is at most: the last fifth is the owner's, who mistypes, too.
pub(super) fn next(
    place: Option<&Place>,
    who: Who,
    failures: i64,
    policy: &RateLimit,
    now: Timestamp,
) -> Result<Place, Refused> {
    let Place { failures: here, streak, open_at } =
        place.copied().unwrap_or(Place { failures: 0, streak: 0, open_at: now });
    // Without a wait it is only the instant of another attempt, by a clock that is ahead.
    if open_at > now && !wait(streak, policy).is_zero() {
        return Err(Refused::Wait(open_at.since(now)));
    }
    if is_spent(who, failures, here, policy) {
        return Err(Refused::Locked);
    }
    let streak = if now.since(open_at) > PAUSE { 1 } else { streak.saturating_add(1) };
    Ok(Place { failures: here + 1, streak, open_at: now + wait(streak, policy) })
}

fn is_spent(who: Who, failures: i64, here: i64, policy: &RateLimit) -> bool {
    let at_most = i64::from(policy.password_failures);
    failures >= at_most || (who == Who::Stranger && here >= of_strangers(at_most))
}

/// Returns how many of `at_most` are for strangers.
fn of_strangers(at_most: i64) -> i64 {
    at_most - at_most / 5
}

/// Returns how long it takes after the last of `streak` wrong passwords until the next is judged: twice as
/// long each time.
pub(super) fn wait(streak: i64, policy: &RateLimit) -> Duration {
    let over = streak - i64::from(policy.password_attempts);
    if over < 0 {
        return Duration::ZERO;
    }
    let factor = u32::try_from(over).ok().and_then(|doublings| 1_u32.checked_shl(doublings));
    let factor = factor.unwrap_or(u32::MAX);
    policy.password_wait.saturating_mul(factor).min(policy.password_wait_at_most)
}

/// Why nobody gets in from a place for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Strangers guess.
    Strangers,
    /// Somebody guesses where the owner signed in before.
    KnownPlace,
    /// There were too many in a row from strangers: they are not listened to any more.
    StrangersForGood,
    /// There were too many in a row altogether: nobody is listened to any more.
    ForGood,
}

impl Lock {
    /// Returns its name in the audit trail.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Strangers => "strangers_guess",
            Self::KnownPlace => "known_place_guesses",
            Self::StrangersForGood => "too_many_from_strangers",
            Self::ForGood => "too_many_in_a_row",
        }
    }

    /// Returns whether only the way back by mail ends it.
    pub(super) fn is_for_good(self) -> bool {
        matches!(self, Self::StrangersForGood | Self::ForGood)
    }
}

/// Returns what a wrong password locks, if it does: it left `place` so, and `failures` in a row.
pub(super) fn lock(place: &Place, who: Who, failures: i64, policy: &RateLimit) -> Option<Lock> {
    if failures >= i64::from(policy.password_failures) {
        return Some(Lock::ForGood);
    }
    if is_spent(who, failures, place.failures, policy) {
        return Some(Lock::StrangersForGood);
    }
    (wait(place.streak, policy) >= LOCK).then_some(match who {
        Who::Stranger => Lock::Strangers,
        Who::Known => Lock::KnownPlace,
    })
}

/// From how many accounts on failures from one place are an attack on all of them.
const MANY: usize = 20;

/// An attack on many accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// A list of addresses and passwords from elsewhere: most addresses have no account here.
    Stuffing,
    /// A few passwords, on many accounts.
    Spraying,
}

impl Pattern {
    /// Returns its name in the audit trail.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Stuffing => "stuffing",
            Self::Spraying => "spraying",
        }
    }
}

/// What came of the sign-ins from one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many accounts were tried, and did not open.
    pub(super) failed: usize,
    /// How many of them do not exist.
    pub(super) unknown: usize,
    /// How many opened.
    pub(super) entered: usize,
}

impl Tally {
    /// Returns whether it is an attack. Where people sign in, some mistype: as long as one account opens for every
    /// three that do not, it is none. One account counts once, or an attacker's own would hide what he does.
    pub(super) fn is_attack(self) -> bool {
        self.failed >= MANY && self.entered.saturating_mul(3) < self.failed
    }

    /// Returns of which kind an attack is.
    pub(super) fn pattern(self) -> Pattern {
        let most_are_unknown = self.unknown.saturating_mul(2) >= self.failed;
        if most_are_unknown { Pattern::Stuffing } else { Pattern::Spraying }
    }

    /// Returns both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            failed: self.failed.saturating_add(other.failed),
            unknown: self.unknown.saturating_add(other.unknown),
            entered: self.entered.saturating_add(other.entered),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config;
    use crate::world::{Sandbox, World};

    fn policy() -> RateLimit {
        config::development().rate_limit
    }

    /// Guesses as often as it is allowed for `days`, and returns how often that was, day by day.
    fn greedy(days: u64) -> Vec<i64> {
        let (start, policy) = (Sandbox::default().now(), policy());
        let (mut place, mut now) = (None, start);
        let mut judged = vec![0; usize::try_from(days).expect("few")];
        loop {
            let day = now.since(start).as_secs() / 86_400;
            let Some(today) = judged.get_mut(usize::try_from(day).expect("few")) else { break };
            let failures = place.map_or(0, |place: Place| place.failures);
            match next(place.as_ref(), Who::Stranger, failures, &policy, now) {
                Ok(after) => (place, *today) = (Some(after), *today + 1),
                Err(Refused::Wait(span)) => now = now + span,
                Err(Refused::Locked) => break,
            }
        }
        judged
    }

    #[test]
    fn a_stranger_gets_twenty_two_guesses_on_the_first_day_and_eighty_in_all() {
        let judged = greedy(400);
        assert_eq!(judged[..3], [22, 6, 6]);
        assert_eq!(judged.iter().sum::<i64>(), 80);
    }

    #[test]
    fn clocks_that_differ_make_nobody_wait() {
        let (now, policy) = (Sandbox::default().now(), policy());
        let place = |streak| Place { failures: streak, streak, open_at: now };
        let earlier = now - Duration::from_millis(1);
        let at = |streak| next(Some(&place(streak)), Who::Known, streak, &policy, earlier);
        assert_eq!(at(9).map(|place| place.streak), Ok(10));
        assert_eq!(at(10), Err(Refused::Wait(Duration::from_millis(1))));
    }

    #[test]
    fn many_accounts_that_fail_are_a_pattern() {
        for (failed, unknown, entered, expected) in [
            (19, 19, 0, None),
            (20, 20, 0, Some(Pattern::Stuffing)),
            (20, 10, 6, Some(Pattern::Stuffing)),
            (20, 9, 6, Some(Pattern::Spraying)),
            (20, 20, 7, None),
            (256, 0, 86, None),
        ] {
            let tally = Tally { failed, unknown, entered };
            let judged = tally.is_attack().then(|| tally.pattern());
            assert_eq!(judged, expected, "{tally:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits = [0, 9, 10, 11, 14, 17, 18, 60, i64::MAX].map(|n| wait(n, &policy()));
        let minutes = [0, 0, 1, 2, 16, 128, 240, 240, 240].map(Duration::from_mins);
        assert_eq!(waits, minutes);
    }

    #[test]
    fn a_pause_ends_the_waits_and_not_the_count() {
        let (now, policy) = (Sandbox::default().now(), policy());
        let place = Place { failures: 14, streak: 14, open_at: now };
        let at = |pause| {
            next(Some(&place), Who::Stranger, 14, &policy, now + pause).map(|place| place.streak)
        };
        assert_eq!(at(PAUSE), Ok(15));
        assert_eq!(at(PAUSE + Duration::from_secs(1)), Ok(1));
        let place = Place { failures: 80, ..place };
        let late = now + 30 * PAUSE;
        assert_eq!(next(Some(&place), Who::Stranger, 80, &policy, late), Err(Refused::Locked));
    }

    #[test]
    fn strangers_never_spend_what_is_the_owners() {
        let (now, policy) = (Sandbox::default().now(), policy());
        let place = |failures| Place { failures, streak: 1, open_at: now };
        for (who, failures, here, expected) in [
            (Who::Stranger, 79, 79, Ok(80)),
            (Who::Stranger, 80, 80, Err(Refused::Locked)),
            (Who::Stranger, 99, 60, Ok(61)),
            (Who::Stranger, 100, 60, Err(Refused::Locked)),
            (Who::Known, 80, 0, Ok(1)),
            (Who::Known, 99, 19, Ok(20)),
            (Who::Known, 100, 20, Err(Refused::Locked)),
        ] {
            let decided = next(Some(&place(here)), who, failures, &policy, now);
            assert_eq!(decided.map(|place| place.failures), expected, "{who:?} {failures} {here}");
        }
    }

    #[test]
    fn a_lock_says_whose_fault_it_is() {
        let (now, policy) = (Sandbox::default().now(), policy());
        let place = |failures, streak| Place { failures, streak, open_at: now };
        for (place, who, failures, expected) in [
            (place(13, 13), Who::Stranger, 13, None),
            (place(14, 14), Who::Stranger, 14, Some(Lock::Strangers)),
            (place(14, 14), Who::Known, 14, Some(Lock::KnownPlace)),
            (place(80, 1), Who::Stranger, 80, Some(Lock::StrangersForGood)),
            (place(80, 1), Who::Known, 99, None),
            (place(20, 1), Who::Known, 100, Some(Lock::ForGood)),
        ] {
            assert_eq!(lock(&place, who, failures, &policy), expected, "{place:?} {failures}");
        }
    }

    proptest! {
        /// Whoever comes when, from however many places: never more than the policy says in a row.
        #[test]
        fn never_more_in_a_row_than_there_are(
            steps in proptest::collection::vec((0..4_usize, 0..200_000_u64), 1..400),
        ) {
            let (mut now, policy) = (Sandbox::default().now(), policy());
            let (mut places, mut failures, mut strange) = ([None; 4], 0_i64, 0_i64);
            for (at, pause) in steps {
                now = now + Duration::from_secs(pause);
                let who = if at == 0 { Who::Stranger } else { Who::Known };
                if let Ok(place) = next(places[at].as_ref(), who, failures, &policy, now) {
                    places[at] = Some(place);
                    failures += 1;
                    strange += i64::from(at == 0);
                }
            }
            prop_assert!(failures <= 100 && strange <= 80, "{} {}", failures, strange);
        }
    }
}
