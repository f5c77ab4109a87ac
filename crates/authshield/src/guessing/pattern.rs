//! Attacks on many accounts at once, as one node sees them: many accounts, one neighbourhood.
//!
//! What comes from everywhere shows in the metrics of all nodes, and their alerts; this is about what has a
//! place, which can be slowed down.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use super::rules::{self, Pattern};
use crate::kernel::{ClientAddress, Timestamp};

/// For how long failures are looked at together.
const WINDOW: Duration = Duration::from_mins(10);
/// For how long a neighbourhood is slowed down.
const SLOWED: Duration = Duration::from_hours(1);
/// How many accounts of one neighbourhood are told apart.
const ACCOUNTS_AT_MOST: usize = 256;
/// How many neighbourhoods are looked at: some 4 MiB of accounts if somebody fills them.
const PLACES_AT_MOST: usize = 8192;

/// What this node saw lately.
#[derive(Default)]
pub struct Patterns(Mutex<HashMap<String, Seen>>);

#[derive(Debug)]
struct Seen {
    since: Timestamp,
    /// The beginnings of keyed hashes of the addresses that were typed.
    failed: HashSet<u64>,
    unknown: HashSet<u64>,
    succeeded: usize,
    slowed_until: Option<Timestamp>,
}

impl Seen {
    fn from(now: Timestamp) -> Self {
        let (failed, unknown) = (HashSet::new(), HashSet::new());
        Self { since: now, failed, unknown, succeeded: 0, slowed_until: None }
    }

    /// Begins anew when the window has passed; a slowed neighbourhood stays slowed.
    fn turn(&mut self, now: Timestamp) {
        if now.since(self.since) > WINDOW {
            *self = Self { slowed_until: self.slowed_until, ..Self::from(now) };
        }
    }

    fn is_slowed(&self, now: Timestamp) -> bool {
        self.slowed_until.is_some_and(|until| until > now)
    }
}

/// What was seen for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) pattern: Pattern,
    /// The address of a client, or the /48 of an IPv6 address.
    pub(super) network: String,
    pub(super) accounts: usize,
    pub(super) unknown: usize,
}

/// Whose failures are looked at together: one IPv4 address, since many people may share a /24; one /48, since
/// one person may have it.
fn neighbourhood(client: &ClientAddress) -> String {
    match client.ip {
        IpAddr::V4(_) => client.network(),
        IpAddr::V6(_) => client.site(),
    }
}

impl Patterns {
    /// Notes a wrong password, and returns what that makes visible, once until the neighbourhood is no longer
    /// slowed down.
    pub(super) fn failed(
        &self,
        client: &ClientAddress,
        account: &[u8],
        is_unknown: bool,
        now: Timestamp,
    ) -> Option<Sighting> {
        let network = neighbourhood(client);
        let mut places = self.0.lock().expect("nobody panics while holding it");
        if !places.contains_key(&network) {
            make_room(&mut places, now);
        }
        let seen = places.entry(network.clone()).or_insert_with(|| Seen::from(now));
        seen.turn(now);
        let account = account.first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
        if seen.failed.len() < ACCOUNTS_AT_MOST {
            seen.failed.insert(account);
            if is_unknown {
                seen.unknown.insert(account);
            }
        }
        let (accounts, unknown) = (seen.failed.len(), seen.unknown.len());
        let pattern = rules::pattern(accounts, unknown, seen.succeeded)?;
        let is_new = !seen.is_slowed(now);
        seen.slowed_until = Some(now + SLOWED);
        is_new.then_some(Sighting { pattern, network, accounts, unknown })
    }

    /// Notes a right password.
    pub(super) fn succeeded(&self, client: &ClientAddress, now: Timestamp) {
        let mut places = self.0.lock().expect("nobody panics while holding it");
        // Where nothing was wrong there is nothing to weigh it against.
        if let Some(seen) = places.get_mut(&neighbourhood(client)) {
            seen.turn(now);
            seen.succeeded = seen.succeeded.saturating_add(1);
        }
    }

    /// Returns whether sign-ins of the client's neighbourhood are slowed down.
    pub(super) fn slows(&self, client: &ClientAddress, now: Timestamp) -> bool {
        let places = self.0.lock().expect("nobody panics while holding it");
        places.get(&neighbourhood(client)).is_some_and(|seen| seen.is_slowed(now))
    }
}

/// Forgets what is over; if that is not enough, those with the fewest accounts: who floods us with places
/// drives out his own.
fn make_room(places: &mut HashMap<String, Seen>, now: Timestamp) {
    if places.len() < PLACES_AT_MOST {
        return;
    }
    places.retain(|_, seen| seen.is_slowed(now) || now.since(seen.since) <= WINDOW);
    if places.len() >= PLACES_AT_MOST {
        places.retain(|_, seen| seen.is_slowed(now) || seen.failed.len() > 1);
    }
    if places.len() >= PLACES_AT_MOST {
        places.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    fn client(ip: &str) -> ClientAddress {
        ClientAddress { ip: ip.parse().expect("an address"), https: None }
    }

    fn account(n: u64) -> Vec<u8> {
        n.to_be_bytes().to_vec()
    }

    #[test]
    fn a_list_of_addresses_from_one_place_is_seen_once_and_slowed_for_an_hour() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let here = client("192.0.2.1");
        for n in 0..19 {
            assert_eq!(patterns.failed(&here, &account(n), true, world.now()), None, "{n}");
            assert_eq!(patterns.failed(&here, &account(n), true, world.now()), None, "again {n}");
        }
        assert!(!patterns.slows(&here, world.now()));
        let sighting = patterns.failed(&here, &account(19), true, world.now());
        let expected = Sighting {
            pattern: Pattern::Stuffing,
            network: "192.0.2.1".to_owned(),
            accounts: 20,
            unknown: 20,
        };
        assert_eq!(sighting, Some(expected));
        assert_eq!(patterns.failed(&here, &account(20), true, world.now()), None, "once");
        assert!(patterns.slows(&here, world.now()));
        assert!(!patterns.slows(&client("192.0.2.2"), world.now()));
        world.advance(SLOWED);
        assert!(!patterns.slows(&here, world.now()));
    }

    #[test]
    fn an_ipv6_site_is_one_place_and_a_window_ends() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let from = |n: u64| client(&format!("2001:db8:1:{n:x}::1"));
        for n in 0..15 {
            patterns.failed(&from(n), &account(n), false, world.now());
        }
        world.advance(WINDOW + Duration::from_secs(1));
        let mut seen = Vec::new();
        for n in 0..25 {
            seen.extend(patterns.failed(&from(n), &account(n), false, world.now()));
        }
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].pattern, seen[0].accounts), (Pattern::Spraying, 20));
        assert_eq!(seen[0].network, "2001:db8:1::/48");
    }

    #[test]
    fn where_people_also_get_in_there_is_no_attack() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let office = client("192.0.2.1");
        for n in 0..60 {
            assert_eq!(patterns.failed(&office, &account(n), false, world.now()), None);
            patterns.succeeded(&office, world.now());
        }
    }

    #[test]
    fn a_flood_of_places_stays_bounded() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        for n in 0..u32::try_from(2 * PLACES_AT_MOST).expect("few") {
            let ip = std::net::Ipv4Addr::from_bits(n);
            patterns.failed(&client(&ip.to_string()), &account(1), false, world.now());
        }
        assert!(patterns.0.lock().expect("no panic").len() <= PLACES_AT_MOST);
    }
}
