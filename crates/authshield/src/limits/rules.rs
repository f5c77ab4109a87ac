//! Every limit there is.
//!
//! A budget `at_most` can be spent at once; then it comes back evenly, one part every
//! `within / at_most`. So nobody who stays below the rate ever notices, and whoever does not waits
//! for one part, not for the whole window. Over a long time it is `at_most` per `within`.
//!
//! *Per client* is keyed by [`crate::kernel::ClientAddress::network`], *per account* and *per
//! recipient* by the canonical address that was typed, whether or not somebody has it.

use std::time::Duration;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name in headers, logs and keys.
    pub name: &'static str,
    /// How much can be spent at once, and in `within` in the long run.
    pub at_most: u32,
    /// How long it takes until a budget that was spent is whole again.
    pub within: Duration,
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Sign-ins, per client. An office behind one address signs in together on Monday; a list of stolen
/// passwords takes an hour for 1,200.
pub const LOGIN_PER_CLIENT: Rule = Rule { name: "login-per-client", at_most: 20, within: MINUTE };

/// Passwords that are tried, per account, wherever from and at whichever route: signing in,
/// changing the password, changing the address, and whatever else asks for the current password.
/// There is one budget for all, or each route would add guesses.
pub const PASSWORD_PER_ACCOUNT: Rule =
    Rule { name: "password-per-account", at_most: 10, within: Duration::from_mins(15) };

/// Registrations, per client.
pub const REGISTER_PER_CLIENT: Rule =
    Rule { name: "register-per-client", at_most: 10, within: HOUR };

/// Mails that strangers can cause, per recipient: registration, verification and reset together.
/// Nobody's mailbox is filled by us.
pub const MAIL_PER_RECIPIENT: Rule = Rule { name: "mail-per-recipient", at_most: 5, within: HOUR };

/// Mails that strangers can cause, per client, whoever the recipients.
pub const MAIL_PER_CLIENT: Rule = Rule { name: "mail-per-client", at_most: 20, within: HOUR };

/// Link tokens that are redeemed, per client. They cannot be guessed; this bounds the work that
/// trying makes.
pub const REDEEM_PER_CLIENT: Rule = Rule { name: "redeem-per-client", at_most: 30, within: MINUTE };

/// Questions what became of a mail, per client: a page that waits asks every few seconds.
pub const PROGRESS_PER_CLIENT: Rule =
    Rule { name: "progress-per-client", at_most: 60, within: MINUTE };

/// Refreshes, per session: an access token lasts minutes, so one a second is a program that loops.
pub const REFRESH_PER_SESSION: Rule =
    Rule { name: "refresh-per-session", at_most: 60, within: MINUTE };

/// All of them, for documentation and tests.
pub const ALL: [&Rule; 8] = [
    &LOGIN_PER_CLIENT,
    &PASSWORD_PER_ACCOUNT,
    &REGISTER_PER_CLIENT,
    &MAIL_PER_RECIPIENT,
    &MAIL_PER_CLIENT,
    &REDEEM_PER_CLIENT,
    &PROGRESS_PER_CLIENT,
    &REFRESH_PER_SESSION,
];

impl Rule {
    /// Returns how long it takes until one part of the budget is back, in microseconds.
    pub(super) fn interval(&self) -> i64 {
        let within = i64::try_from(self.within.as_micros()).unwrap_or(i64::MAX);
        (within / i64::from(self.at_most.max(1))).max(1)
    }

    /// Returns how long it takes until the whole budget is back, in microseconds.
    pub(super) fn burst(&self) -> i64 {
        self.interval().saturating_mul(i64::from(self.at_most.max(1)))
    }

    /// Returns the same rule with half the budget, for when every node counts for itself.
    pub(super) fn stricter(&self) -> Self {
        Self { at_most: (self.at_most / 2).max(1), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_can_be_named_and_counted() {
        let names: BTreeSet<_> = ALL.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), ALL.len(), "names are unique");
        for rule in ALL {
            let is_plain = |b: u8| b.is_ascii_lowercase() || b == b'-';
            assert!(rule.name.bytes().all(is_plain), "{rule:?}");
            assert!(rule.at_most > 1 && rule.within >= MINUTE, "{rule:?}");
            assert_eq!(Duration::from_micros(rule.burst().cast_unsigned()), rule.within);
            assert!(rule.stricter().at_most < rule.at_most && rule.stricter().at_most > 0);
        }
    }
}
