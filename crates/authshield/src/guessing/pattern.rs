//! Attacks on many accounts at once, as one node sees them: many accounts, one neighbourhood.
//!
//! What comes from everywhere shows in the metrics of all nodes, and their alerts; this is about what has a
//! place, which can be slowed down.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use super::rules::{Pattern, Tally};
use crate::kernel::{ClientAddress, Timestamp};

/// For how long sign-ins are looked at together.
const WINDOW: Duration = Duration::from_mins(10);
/// For how long a neighbourhood is slowed down after it was last seen to attack.
const SLOWED: Duration = Duration::from_hours(1);
/// How many accounts of one neighbourhood are told apart in a window; by default one IPv4 address can try 220.
const ACCOUNTS_AT_MOST: usize = 256;
/// How many neighbourhoods are looked at: 16 MiB if each of them has as many accounts as it may.
const PLACES_AT_MOST: usize = 4096;

/// What this node saw lately.
#[derive(Default)]
pub struct Patterns(Mutex<HashMap<String, Seen>>);

#[derive(Debug)]
struct Seen {
    since: Timestamp,
    /// Who was tried since then: the beginnings of keyed hashes of the addresses that were typed.
    tried: Vec<(u64, Fate)>,
    attack: Option<Attack>,
}

/// What became of an account that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Failed,
    Unknown,
    Entered,
}

#[derive(Debug)]
struct Attack {
    slowed_until: Timestamp,
    /// The sums of the windows that are over.
    before: Tally,
    /// How many accounts the last event told of.
    told: usize,
}

impl Seen {
    fn from(now: Timestamp) -> Self {
        Self { since: now, tried: Vec::new(), attack: None }
    }

    /// Begins a new window if it is time, and ends an attack that is over.
    fn turn(&mut self, now: Timestamp) {
        if self.attack.as_ref().is_some_and(|attack| attack.slowed_until <= now) {
            *self = Self::from(now);
        }
        if now.since(self.since) > WINDOW {
            let tally = self.tally();
            if let Some(attack) = &mut self.attack {
                attack.before = attack.before.plus(tally);
            }
            self.tried.clear();
            self.since = now;
        }
    }

    fn is_slowed(&self, now: Timestamp) -> bool {
        self.attack.as_ref().is_some_and(|attack| attack.slowed_until > now)
    }

    /// Notes what became of an account. One that opened and one that did not are one: people mistype.
    fn note(&mut self, account: &[u8], fate: Fate) {
        let account = account.first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
        let known = self.tried.iter_mut().find(|(known, _)| *known == account);
        if let Some((_, before)) = known {
            if fate == Fate::Entered {
                *before = fate;
            }
        } else if self.tried.len() < ACCOUNTS_AT_MOST {
            self.tried.push((account, fate));
        }
    }

    /// Returns the sums of this window.
    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (_, fate) in &self.tried {
            match fate {
                Fate::Failed => tally.failed += 1,
                Fate::Unknown => {
                    tally.failed += 1;
                    tally.unknown += 1;
                }
                Fate::Entered => tally.entered += 1,
            }
        }
        tally
    }
}

/// An attack that is to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) pattern: Pattern,
    /// Since it began.
    pub(super) tally: Tally,
    /// The address of a client, or the /48 of an IPv6 address.
    pub(super) network: String,
}

/// Whose sign-ins are looked at together: one IPv4 address, since many people may share a /24; one /48, since
/// one person may have it.
fn neighbourhood(client: &ClientAddress) -> String {
    match client.ip {
        IpAddr::V4(_) => client.network(),
        IpAddr::V6(_) => client.site(),
    }
}

impl Patterns {
    /// Notes a wrong password, and returns what that makes visible: once when an attack begins, and again
    /// whenever it has tried twice as many accounts.
    pub(super) fn failed(
        &self,
        client: &ClientAddress,
        account: &[u8],
        exists: bool,
        now: Timestamp,
    ) -> Option<Sighting> {
        let network = neighbourhood(client);
        let mut places = self.0.lock().expect("nobody panics while holding it");
        if places.len() >= PLACES_AT_MOST && !places.contains_key(&network) {
            make_room(&mut places, now);
        }
        let seen = places.entry(network.clone()).or_insert_with(|| Seen::from(now));
        seen.turn(now);
        seen.note(account, if exists { Fate::Failed } else { Fate::Unknown });
        let window = seen.tally();
        if !window.is_attack() {
            return None;
        }
        let begun = Attack { slowed_until: now, before: Tally::default(), told: 0 };
        let attack = seen.attack.get_or_insert(begun);
        attack.slowed_until = now + SLOWED;
        let tally = attack.before.plus(window);
        if tally.failed < attack.told.saturating_mul(2) {
            return None;
        }
        attack.told = tally.failed;
        Some(Sighting { pattern: tally.pattern(), tally, network })
    }

    /// Notes a right password.
    pub(super) fn succeeded(&self, client: &ClientAddress, account: &[u8], now: Timestamp) {
        let mut places = self.0.lock().expect("nobody panics while holding it");
        // Where nothing was wrong there is nothing to weigh it against.
        if let Some(seen) = places.get_mut(&neighbourhood(client)) {
            seen.turn(now);
            seen.note(account, Fate::Entered);
        }
    }

    /// Whether many accounts were attacked from the client's neighbourhood lately.
    pub fn is_slowed(&self, client: &ClientAddress, now: Timestamp) -> bool {
        self.slowed(client, now).is_some()
    }

    /// Returns the client's neighbourhood if strangers there are slowed down.
    pub(super) fn slowed(&self, client: &ClientAddress, now: Timestamp) -> Option<String> {
        let network = neighbourhood(client);
        let places = self.0.lock().expect("nobody panics while holding it");
        places.get(&network).is_some_and(|seen| seen.is_slowed(now)).then_some(network)
    }
}

/// Forgets what is over; if that is not enough, the half where fewest accounts were tried: who floods us with
/// places drives out his own.
fn make_room(places: &mut HashMap<String, Seen>, now: Timestamp) {
    places.retain(|_, seen| seen.is_slowed(now) || now.since(seen.since) <= WINDOW);
    if places.len() < PLACES_AT_MOST {
        return;
    }
    let rank = |seen: &Seen| (seen.is_slowed(now), seen.tried.len(), seen.since);
    let mut ranked: Vec<_> = places.iter().map(|(key, seen)| (rank(seen), key.clone())).collect();
    ranked.sort_unstable();
    for (_, key) in ranked.drain(..PLACES_AT_MOST / 2) {
        places.remove(&key);
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
    fn a_list_from_one_place_is_told_at_each_doubling_and_slowed_until_an_hour_after() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let here = client("192.0.2.1");
        let mut told = Vec::new();
        for n in 0..700 {
            for _ in 0..2 {
                told.extend(patterns.failed(&here, &account(n), n % 2 == 1, world.now()));
            }
            assert_eq!(patterns.slowed(&here, world.now()).is_some(), n >= 19, "{n}");
            world.advance(Duration::from_secs(6));
        }
        for it in &told {
            assert_eq!((it.pattern, &*it.network), (Pattern::Stuffing, "192.0.2.1"), "{it:?}");
        }
        let tallies: Vec<_> = told.iter().map(|it| (it.tally.failed, it.tally.unknown)).collect();
        // A window that has just begun shows no attack yet: so the last two are told a little later.
        assert_eq!(tallies, [(20, 10), (40, 20), (80, 40), (160, 80), (323, 162), (646, 323)]);
        assert_eq!(patterns.slowed(&client("192.0.2.2"), world.now()), None);
        world.advance(SLOWED);
        assert_eq!(patterns.slowed(&here, world.now()), None);
        assert_eq!(patterns.failed(&here, &account(1), true, world.now()), None, "a new beginning");
    }

    #[test]
    fn an_ipv6_site_is_one_place_and_a_window_ends() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let from = |n: u64| client(&format!("2001:db8:1:{n:x}::1"));
        for n in 0..15 {
            patterns.failed(&from(n), &account(n), true, world.now());
        }
        world.advance(WINDOW + Duration::from_secs(1));
        let seen: Vec<_> = (0..25)
            .filter_map(|n| patterns.failed(&from(n), &account(n), true, world.now()))
            .collect();
        let tally = Tally { failed: 20, unknown: 0, entered: 0 };
        let network = "2001:db8:1::/48".to_owned();
        assert_eq!(seen, [Sighting { pattern: Pattern::Spraying, tally, network }]);
    }

    #[test]
    fn where_people_also_get_in_there_is_no_attack_and_one_account_does_not_hide_one() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let office = client("192.0.2.1");
        for n in 0..60 {
            // Some mistype and get in, some do not, some get in at once.
            assert_eq!(patterns.failed(&office, &account(n), true, world.now()), None);
            patterns.succeeded(
                &office,
                &account(if n % 2 == 0 { n } else { n + 100 }),
                world.now(),
            );
        }
        let attacker = client("192.0.2.2");
        let mut told = Vec::new();
        for n in 0..20 {
            told.extend(patterns.failed(&attacker, &account(n), true, world.now()));
            patterns.succeeded(&attacker, &account(1000), world.now());
        }
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].tally, Tally { failed: 20, unknown: 0, entered: 1 });
    }

    #[test]
    fn a_flood_of_places_stays_bounded_and_does_not_drive_out_an_attack() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let attacker = client("203.0.113.1");
        for n in 0..20 {
            patterns.failed(&attacker, &account(n), false, world.now());
        }
        for n in 0..u32::try_from(3 * PLACES_AT_MOST).expect("few") {
            let ip = client(&std::net::Ipv4Addr::from_bits(n).to_string());
            patterns.failed(&ip, &account(1), false, world.now());
            patterns.failed(&ip, &account(2), false, world.now());
        }
        assert!(patterns.0.lock().expect("no panic").len() <= PLACES_AT_MOST);
        assert!(patterns.slowed(&attacker, world.now()).is_some());
    }

    #[test]
    fn a_flood_of_accounts_stays_bounded() {
        let (world, patterns) = (Sandbox::default(), Patterns::default());
        let here = client("192.0.2.1");
        for n in 0..2000 {
            patterns.failed(&here, &account(n), false, world.now());
        }
        let places = patterns.0.lock().expect("no panic");
        assert_eq!(places["192.0.2.1"].tried.len(), ACCOUNTS_AT_MOST);
    }
}
