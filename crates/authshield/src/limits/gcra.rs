//! The arithmetic of limits: the generic cell rate algorithm (ITU-T I.371) as one pure function.

use std::time::Duration;

use super::Rule;
use crate::kernel::Timestamp;

/// What follows from a request that wants to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// Whether it may.
    pub(super) allowed: bool,
    /// How much could still be spent at once.
    pub(super) remaining: u32,
    /// How long until the budget is whole again.
    pub(super) reset_after: Duration,
    /// How long until the same cost can be spent; zero if it was.
    pub(super) retry_after: Duration,
    /// What to remember from now on, if it differs: the instant, in microseconds, at which the
    /// budget is whole again.
    pub(super) new_state: Option<i64>,
}

/// Decides whether `cost` may be spent at `now`, given the `state` that was remembered.
///
/// The state is one number, the *theoretical arrival time*: when the budget would be whole again.
/// What lies further ahead than a whole budget cannot have been spent: the clock went back. It is
/// taken for a budget that was spent to its end, so that nobody is shut out for longer than that.
///
/// A cost above the whole budget is the whole budget; it would never be allowed otherwise.
pub(super) fn check(state: Option<i64>, rule: &Rule, now: Timestamp, cost: u32) -> Decision {
    let (interval, burst, now) = (rule.interval(), rule.burst(), now.as_microsecond());
    let whole_at = state.unwrap_or(now).clamp(now, now.saturating_add(burst));
    let cost = i64::from(cost.min(rule.at_most.max(1)));
    let spent = whole_at - now;
    let wanted = spent.saturating_add(interval.saturating_mul(cost));
    let allowed = wanted <= burst;
    let spent = if allowed { wanted } else { spent };
    let whole_at = now.saturating_add(spent);
    Decision {
        allowed,
        remaining: u32::try_from((burst - spent) / interval).unwrap_or(u32::MAX),
        reset_after: micros(spent),
        retry_after: micros(if allowed { 0 } else { wanted - burst }),
        new_state: (spent > 0 && state != Some(whole_at)).then_some(whole_at),
    }
}

fn micros(span: i64) -> Duration {
    u64::try_from(span).map_or(Duration::ZERO, Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: Rule = Rule { name: "test", at_most: 3, within: Duration::from_secs(30) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_microsecond((1_800_000_000 + second) * 1_000_000)
    }

    #[test]
    fn a_budget_can_be_spent_at_once_and_comes_back_evenly() {
        let mut state = None;
        for (second, cost, allowed, remaining, reset_after, retry_after) in [
            (0, 1, true, 2, 10, 0),
            (0, 1, true, 1, 20, 0),
            (0, 1, true, 0, 30, 0),
            (0, 1, false, 0, 30, 10),
            (9, 1, false, 0, 21, 1),
            (10, 1, true, 0, 30, 0),
            (10, 0, true, 0, 30, 0),
            (25, 2, false, 1, 15, 5),
            (30, 2, true, 0, 30, 0),
            (60, 1, true, 2, 10, 0),
            (900, 99, true, 0, 30, 0),
            (900, 99, false, 0, 30, 30),
            // the clock goes back by an hour
            (-2700, 1, false, 0, 30, 10),
            (-2690, 1, true, 0, 30, 0),
        ] {
            let decision = check(state, &RULE, at(second), cost);
            assert_eq!(
                (
                    decision.allowed,
                    decision.remaining,
                    decision.reset_after.as_secs(),
                    decision.retry_after.as_secs()
                ),
                (allowed, remaining, reset_after, retry_after),
                "at {second}"
            );
            state = decision.new_state.or(state);
        }
    }

    proptest! {
        #[test]
        fn what_is_promised_is_kept(
            state in proptest::option::of(any::<i64>()),
            now in 0..i64::MAX,
            at_most in 0..2_000_u32,
            within in 0..100_000_000_000_u64,
            cost in 0..3_000_u32,
        ) {
            let rule = Rule { name: "any", at_most, within: Duration::from_micros(within) };
            let now = Timestamp::from_microsecond(now / 2);
            let first = check(state, &rule, now, cost);
            let state = first.new_state.or(state);
            prop_assert!(first.remaining <= at_most.max(1));
            prop_assert_eq!(first.allowed, first.retry_after.is_zero());
            if !first.allowed {
                // it is refused up to the promised instant, and allowed at it
                let retry = now + first.retry_after;
                let too_soon = retry - Duration::from_micros(1);
                if retry > now && retry + Duration::from_secs(1) > retry {
                    prop_assert!(!check(state, &rule, too_soon, cost).allowed);
                    prop_assert!(check(state, &rule, retry, cost).allowed);
                }
            }
            let rest = check(state, &rule, now, first.remaining);
            prop_assert!(rest.allowed && rest.remaining == 0);
        }

        #[test]
        fn no_sequence_gets_more_than_its_share(gaps in proptest::collection::vec(0..20_i64, 1..60)) {
            let (mut state, mut second, mut granted) = (None, 0, 0);
            for gap in gaps {
                second += gap;
                let decision = check(state, &RULE, at(second), 1);
                granted += i64::from(decision.allowed);
                state = decision.new_state.or(state);
                prop_assert!(granted <= 3 + second / 10, "{} in {} s", granted, second);
            }
        }
    }
}
