//! Whose devices may be trusted, and for how long.

use std::time::Duration;

use crate::kernel::Timestamp;

/// Whether a device may spare somebody their second factor: they have one, nothing is switched off, and none of
/// their roles is excepted in one of two lists.
///
/// Only an app counts here. Whoever has nothing but passkeys signs in with one in one step.
pub(super) fn is_offered(
    ttl: Duration,
    second_factor_at: Option<Timestamp>,
    roles: &[String],
    except: [&[String]; 2],
) -> bool {
    let is_excepted = |role: &String| except.iter().any(|list| list.contains(role));
    !ttl.is_zero() && second_factor_at.is_some() && !roles.iter().any(is_excepted)
}

/// When a device is trusted no more. A shorter life counts from when it is configured, a longer one for devices
/// that come after.
pub(super) fn end(created_at: Timestamp, expires_at: Timestamp, ttl: Duration) -> Timestamp {
    expires_at.min(created_at + ttl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn a_device_is_trusted_where_there_is_a_second_factor_and_no_rule_against_it() {
        let (now, month) = (Sandbox::default().now(), Duration::from_hours(30 * 24));
        let of = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let (admin, moderator) = (of(&["admin"]), of(&["moderator"]));
        for (ttl, since, roles, expected) in [
            (month, Some(now), of(&["user"]), true),
            (month, Some(now), of(&["user", "moderator"]), true),
            (month, Some(now), of(&["user", "admin"]), false),
            (month, None, of(&["user"]), false),
            (Duration::ZERO, Some(now), of(&["user"]), false),
        ] {
            for except in [[&admin[..], &[]], [&[], &admin[..]]] {
                assert_eq!(is_offered(ttl, since, &roles, except), expected, "{ttl:?} {roles:?}");
            }
        }
        assert!(is_offered(month, Some(now), &of(&["user", "admin"]), [&[], &moderator]));
    }

    #[test]
    fn a_shorter_life_counts_at_once_and_a_longer_one_not_for_what_is_there() {
        let day = Duration::from_hours(24);
        let now = Sandbox::default().now();
        for (days, ends_after) in [(30, 30), (7, 7), (90, 30), (0, 0)] {
            assert_eq!(end(now, now + 30 * day, days * day), now + ends_after * day, "{days}");
        }
    }
}
