//! Counting in this process.

use std::collections::HashMap;
use std::sync::Mutex;

use super::gcra::{self, Decision};
use super::{Rule, digest};
use crate::kernel::Timestamp;
use crate::world::World;

/// Many locks, so that requests seldom wait for each other.
const SHARDS: usize = 64;

/// How many keys a shard holds: 262,144 in all, some 16 MiB when somebody makes us fill them.
const LARGEST: usize = 4096;

/// Below this many keys it is not worth looking for those that have expired.
const SMALLEST: usize = 64;

/// Counters of one process.
pub(super) struct Memory {
    /// Drawn at start: nobody outside can choose keys that all fall into one shard.
    salt: [u8; 16],
    shards: Vec<Mutex<Shard>>,
}

struct Shard {
    counters: HashMap<[u8; 16], Counter>,
    /// When so many keys are held, those that have expired are dropped.
    purge_at: usize,
}

#[derive(Clone, Copy)]
struct Counter {
    state: i64,
    burst: i64,
}

impl Counter {
    fn is_spent_at(&self, now: Timestamp) -> bool {
        self.state > now.as_microsecond()
    }

    /// Returns how much of its budget is spent, in millionths.
    fn spent(&self, now: Timestamp) -> i64 {
        let ahead = (self.state - now.as_microsecond()).clamp(0, self.burst);
        i64::try_from(i128::from(ahead) * 1_000_000 / i128::from(self.burst.max(1))).unwrap_or(0)
    }
}

impl Memory {
    pub(super) fn new(world: &dyn World) -> Self {
        let mut salt = [0; 16];
        world.fill(&mut salt);
        let shard = || Mutex::new(Shard { counters: HashMap::new(), purge_at: SMALLEST });
        Self { salt, shards: std::iter::repeat_with(shard).take(SHARDS).collect() }
    }

    /// Decides and remembers in one step: of requests at the same time, none is counted twice or
    /// not at all.
    pub(super) fn check(&self, rule: &Rule, key: &str, now: Timestamp, cost: u32) -> Decision {
        let key = digest(&self.salt, rule, key);
        let mut shard = self.shards[usize::from(key[0]) % SHARDS]
            .lock()
            .expect("nobody panics while holding a shard");
        let state = shard.counters.get(&key).map(|counter| counter.state);
        let decision = gcra::check(state, rule, now, cost);
        if let Some(new_state) = decision.new_state {
            if state.is_none() && shard.counters.len() >= shard.purge_at {
                shard.make_room(now);
            }
            shard.counters.insert(key, Counter { state: new_state, burst: rule.burst() });
        }
        decision
    }
}

impl Shard {
    /// Drops what has expired; if that is not enough, the quarter that has spent the least of its
    /// budget. Who floods us with new keys thus drives out his own, not the counter of the account
    /// that he is guessing at.
    fn make_room(&mut self, now: Timestamp) {
        self.counters.retain(|_, counter| counter.is_spent_at(now));
        if self.counters.len() >= LARGEST {
            let mut spent: Vec<i64> =
                self.counters.values().map(|counter| counter.spent(now)).collect();
            let (_, least, _) = spent.select_nth_unstable(LARGEST / 4);
            let (least, mut left) = (*least, LARGEST / 4);
            self.counters.retain(|_, counter| {
                let goes = left > 0 && counter.spent(now) <= least;
                left -= usize::from(goes);
                !goes
            });
        }
        self.purge_at = (self.counters.len() * 2).clamp(SMALLEST, LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::world::Sandbox;

    const RULE: Rule = Rule { name: "test", at_most: 10, within: Duration::from_mins(10) };

    fn held(memory: &Memory) -> usize {
        memory.shards.iter().map(|shard| shard.lock().expect("no panic").counters.len()).sum()
    }

    #[test]
    fn a04_of_a_hundred_at_once_ten_pass() {
        let world = Sandbox::default();
        let (memory, now) = (Arc::new(Memory::new(&world)), world.now());
        let threads: Vec<_> = (0..100)
            .map(|_| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || memory.check(&RULE, "ann@example.org", now, 1).allowed)
            })
            .collect();
        let passed = threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|ok| *ok);
        assert_eq!(passed.count(), 10);
    }

    #[test]
    fn what_has_expired_is_dropped() {
        let world = Sandbox::default();
        let memory = Memory::new(&world);
        for round in 0..20 {
            for key in 0..5_000 {
                memory.check(&RULE, &format!("{round} {key}"), world.now(), 1);
            }
            world.advance(Duration::from_secs(61));
        }
        assert!(held(&memory) < 15_000, "{}", held(&memory));
    }

    #[test]
    fn a_flood_of_keys_stays_bounded_and_frees_nobody_who_was_stopped() {
        let world = Sandbox::default();
        let (memory, now) = (Memory::new(&world), world.now());
        while memory.check(&RULE, "ann@example.org", now, 1).allowed {}
        for key in 0..SHARDS * LARGEST + 50_000 {
            memory.check(&RULE, &key.to_string(), now, 1);
        }
        assert!(held(&memory) <= SHARDS * LARGEST);
        assert!(!memory.check(&RULE, "ann@example.org", now, 1).allowed);
    }
}
