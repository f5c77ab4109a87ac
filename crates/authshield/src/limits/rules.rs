//! Every limit there is.
//!
//! A budget `at_most` can be spent at once; then it comes back evenly, one part every
//! `within / at_most`. So nobody who stays below the rate ever notices, and whoever does not waits
//! for one part, not for the whole window. Over a long time it is `at_most` per `within`.
//!
//! *Per client* is keyed by [`crate::kernel::ClientAddress::network`], *per recipient* by the canonical
//! address that was typed, whether or not somebody has it.

use std::time::Duration;

use crate::config::RateLimit;

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

/// Sign-ins of strangers, per neighbourhood from which many accounts are attacked: an IPv4 address, or the /48 of
/// an IPv6 address. Who signed in from there before is no stranger. [`crate::guessing`] says when.
pub const LOGIN_UNDER_ATTACK: Rule =
    Rule { name: "login-under-attack", at_most: 5, within: MINUTE };

/// Questions at forms where a captcha is asked for on suspicion, per address that was typed, whether or not
/// somebody has it: beyond that it is suspicious.
pub const UNSUSPECTED_PER_ADDRESS: Rule =
    Rule { name: "unsuspected-per-address", at_most: 5, within: Duration::from_mins(15) };

/// The same, per client, whoever's address it is.
pub const UNSUSPECTED_PER_CLIENT: Rule =
    Rule { name: "unsuspected-per-client", at_most: 20, within: Duration::from_mins(15) };

/// Codes of a second factor that are sent with a sign-in, per client. How many are tried per account is
/// counted in the database, whoever asks and on whichever node.
pub const SECOND_FACTOR_PER_CLIENT: Rule =
    Rule { name: "second-factor-per-client", at_most: 30, within: MINUTE };

/// Challenges for passkeys and sign-ins with them, per client; each sign-in is one of each.
pub const PASSKEY_PER_CLIENT: Rule =
    Rule { name: "passkey-per-client", at_most: 60, within: MINUTE };

/// Sign-ins at a provider, per client: to be sent there, to come back, and to get the tokens is three of them.
pub const FEDERATION_PER_CLIENT: Rule =
    Rule { name: "federation-per-client", at_most: 60, within: MINUTE };

/// Registrations, per client.
pub const REGISTER_PER_CLIENT: Rule =
    Rule { name: "register-per-client", at_most: 10, within: HOUR };

/// Mails that strangers can cause, per recipient: those that prove an address (registration, verification, its
/// change) together, and those that let somebody in (reset, sign-in) together. Nobody's mailbox is filled by
/// us. [`crate::guessing::spend_entry_mail`] says where strangers do not count.
pub const MAIL_PER_RECIPIENT: Rule = Rule { name: "mail-per-recipient", at_most: 5, within: HOUR };

/// Mails that strangers can cause, per client, whoever the recipients.
pub const MAIL_PER_CLIENT: Rule = Rule { name: "mail-per-client", at_most: 20, within: HOUR };

/// Link tokens that are redeemed, per client. They cannot be guessed; this bounds the work that
/// trying makes.
pub const REDEEM_PER_CLIENT: Rule = Rule { name: "redeem-per-client", at_most: 30, within: MINUTE };

/// Questions what became of a mail, per client: a page that waits asks every few seconds.
pub const PROGRESS_PER_CLIENT: Rule =
    Rule { name: "progress-per-client", at_most: 60, within: MINUTE };

/// What somebody who is signed in asks for and is told of by mail, and could ask for again and again, per account:
/// its deletion, a new passkey, a code to prove again who they are. Whoever stole a token fills no mailbox. What takes such a thing back is not counted.
pub const NOTICE_PER_ACCOUNT: Rule = Rule { name: "notice-per-account", at_most: 20, within: HOUR };

/// Copies of all that is kept of somebody, per account: each reads thousands of rows.
pub const EXPORT_PER_ACCOUNT: Rule = Rule { name: "export-per-account", at_most: 6, within: HOUR };

/// Pages of the revocation feed, per client: a service asks twice a second, and several may share an address.
/// It protects the cores of the node that signs.
pub const REVOCATIONS_PER_CLIENT: Rule =
    Rule { name: "revocations-per-client", at_most: 1200, within: MINUTE };

/// Refreshes, per session: an access token lasts minutes, so one a second is a program that loops.
pub const REFRESH_PER_SESSION: Rule =
    Rule { name: "refresh-per-session", at_most: 60, within: MINUTE };

/// Hashes of passwords that sign-ins and registrations cost, per site: the /24 of an IPv4 address, the /48 of an
/// IPv6 address. It protects the cores of the node that hashes, so that node counts, wherever the others do.
pub const HASHES_PER_SITE: Rule = Rule { name: "hashes-per-site", at_most: 600, within: MINUTE };

/// All of them, for documentation and tests.
pub const ALL: [&Rule; 17] = [
    &PASSKEY_PER_CLIENT,
    &FEDERATION_PER_CLIENT,
    &LOGIN_PER_CLIENT,
    &LOGIN_UNDER_ATTACK,
    &UNSUSPECTED_PER_ADDRESS,
    &UNSUSPECTED_PER_CLIENT,
    &SECOND_FACTOR_PER_CLIENT,
    &REGISTER_PER_CLIENT,
    &MAIL_PER_RECIPIENT,
    &MAIL_PER_CLIENT,
    &REDEEM_PER_CLIENT,
    &PROGRESS_PER_CLIENT,
    &NOTICE_PER_ACCOUNT,
    &EXPORT_PER_ACCOUNT,
    &REVOCATIONS_PER_CLIENT,
    &REFRESH_PER_SESSION,
    &HASHES_PER_SITE,
];

/// Returns all of them with the numbers that the configuration gives.
#[must_use]
pub fn configured(policy: &RateLimit) -> [Rule; ALL.len()] {
    [
        (PASSKEY_PER_CLIENT, policy.passkey_per_client),
        (FEDERATION_PER_CLIENT, policy.federation_per_client),
        (LOGIN_PER_CLIENT, policy.login_per_client),
        (LOGIN_UNDER_ATTACK, policy.login_under_attack),
        (UNSUSPECTED_PER_ADDRESS, policy.unsuspected_per_address),
        (UNSUSPECTED_PER_CLIENT, policy.unsuspected_per_client),
        (SECOND_FACTOR_PER_CLIENT, policy.second_factor_per_client),
        (REGISTER_PER_CLIENT, policy.register_per_client),
        (MAIL_PER_RECIPIENT, policy.mail_per_recipient),
        (MAIL_PER_CLIENT, policy.mail_per_client),
        (REDEEM_PER_CLIENT, policy.redeem_per_client),
        (PROGRESS_PER_CLIENT, policy.progress_per_client),
        (NOTICE_PER_ACCOUNT, policy.notice_per_account),
        (EXPORT_PER_ACCOUNT, policy.export_per_account),
        (REVOCATIONS_PER_CLIENT, policy.revocations_per_client),
        (REFRESH_PER_SESSION, policy.refresh_per_session),
        (HASHES_PER_SITE, policy.hashes_per_site),
    ]
    .map(|(rule, rate)| Rule { at_most: rate.at_most, within: rate.within, ..rule })
}

/// Wrong passwords, per account and place, wherever one is asked for. They are counted in
/// [`crate::guessing`]; this is what a client is told: so many at once, and then one after each wait,
/// the longest of which is `within`.
#[must_use]
pub fn password_per_account(policy: &RateLimit) -> Rule {
    Rule {
        name: "password-per-account",
        at_most: policy.password_attempts,
        within: policy.password_wait_at_most,
    }
}

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

    /// Returns whether each node counts for itself, because it protects what is the node's own.
    pub(super) fn is_of_node(&self) -> bool {
        self.name == HASHES_PER_SITE.name || self.name == REVOCATIONS_PER_CLIENT.name
    }

    /// Returns whether each node counts for itself rather than to ask the database: a program that loops is
    /// found by any count, and a refresh should cost no round trip more.
    pub(super) fn is_of_node_without_redis(&self) -> bool {
        self.is_of_node() || self.name == REFRESH_PER_SESSION.name
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
    fn what_nobody_configured_is_what_stands_on_the_page() {
        let configured = configured(&crate::config::development().rate_limit);
        assert_eq!(configured, ALL.map(|rule| *rule));
    }

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
