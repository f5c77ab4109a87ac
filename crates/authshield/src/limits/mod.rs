//! How often somebody may do something.
//!
//! ```text
//! Limits::spend ─ rules   the page of every limit
//!     gcra                the arithmetic, pure
//!     memory              counts in this process, or
//!     redis               counts for all nodes, or
//!     shared, sql         count for all nodes in the database; if what counts for all cannot be
//!                         reached, memory with half the budget
//!     fields              what the client is told
//!     inspect             what a Redis server says of itself
//! ```
//!
//! Spend before the work that the limit protects, and before anything is looked up: keyed by what
//! was typed, a refusal tells nothing of what is known.

mod fields;
mod gcra;
mod inspect;
mod memory;
mod redis;
pub mod rules;
mod shared;
mod sql;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub use fields::fields;
pub use inspect::{Facts, inspect};
pub use rules::Rule;

use self::gcra::Decision;
use self::memory::Memory;
use self::redis::{PATIENCE, Redis};
use self::shared::Shared;
use crate::config::{Config, LimitStore};
use crate::kernel::Timestamp;
use crate::world::World;

/// The counters behind all limits.
pub struct Limits {
    store: Store,
    /// What each node counts for itself: all of it, or what it must while the others cannot be reached.
    memory: Memory,
    /// With the numbers that the configuration gives.
    rules: [Rule; rules::ALL.len()],
}

enum Store {
    Off,
    Memory,
    Redis(Box<Redis>),
    Database(Box<Shared>),
}

/// How somebody stands with a limit after a request that was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Which limit.
    pub rule: Rule,
    /// How many more requests would be allowed at once.
    pub remaining: u32,
    /// How long until the budget is whole again.
    pub reset_after: Duration,
}

/// There were too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than the limit {} allows", rule.name)]
pub struct Exceeded {
    /// Which limit.
    pub rule: Rule,
    /// How long until one more is allowed.
    pub retry_after: Duration,
}

impl Exceeded {
    /// Returns what to write into `Retry-After`: whole seconds, at least one.
    #[must_use]
    pub fn retry_after_seconds(&self) -> u64 {
        fields::whole_seconds(self.retry_after).max(1)
    }

    /// Returns the same for [`fields()`]: nothing remains.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing { rule: self.rule, remaining: 0, reset_after: self.retry_after }
    }
}

/// Why there are no limits.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address of Redis cannot be read. It may hold a password, so it is not repeated.
    #[error(
        "redis_url is not the address of a Redis server; write \
         redis://[user:password@]host[:port][/number], or rediss:// for TLS"
    )]
    RedisUrl(#[source] ::redis::RedisError),
}

impl Limits {
    /// Opens the store that `config` names.
    ///
    /// A Redis server that cannot be reached is no error, now or later: its outage must not keep
    /// people from signing in. Until it answers, this process counts for itself with half of every
    /// budget, says so once in the log, and [`Limits::degraded`] is true.
    ///
    /// The same holds for a database that counts; `salt` is a secret under which it is told whose a counter is.
    pub async fn open(
        config: &Config,
        database: &onesql::Store,
        salt: [u8; 32],
        world: &dyn World,
    ) -> Result<Self, OpenError> {
        let policy = &config.rate_limit;
        let store = match (&config.redis_url, policy.store) {
            _ if !policy.enabled => Store::Off,
            (_, LimitStore::Database) => {
                Store::Database(Box::new(Shared::new(database.clone(), salt)))
            }
            (None, LimitStore::Auto) => Store::Memory,
            (Some(url), LimitStore::Auto) => Self::redis(url, PATIENCE).await?,
        };
        Ok(Self { rules: rules::configured(policy), ..Self::with(store, world) })
    }

    fn with(store: Store, world: &dyn World) -> Self {
        Self { store, memory: Memory::new(world), rules: rules::ALL.map(|rule| *rule) }
    }

    async fn redis(url: &SecretString, patience: Duration) -> Result<Store, OpenError> {
        let redis = Redis::new(url.expose_secret(), patience).map_err(OpenError::RedisUrl)?;
        // a failure is logged there, and counts as the beginning of an outage
        let _ = redis.ping().await;
        Ok(Store::Redis(Box::new(redis)))
    }

    /// Spends one of `key`'s budget under `rule`, or says when there will be one again. A request
    /// that is refused costs nothing.
    ///
    /// # Cancellation
    ///
    /// If this future is dropped, the request may or may not have been counted.
    pub async fn spend(
        &self,
        rule: &'static Rule,
        key: &str,
        now: Timestamp,
    ) -> Result<Standing, Exceeded> {
        self.spend_some(rule, key, now, 1).await
    }

    /// Spends `cost` of it, all or nothing.
    pub async fn spend_some(
        &self,
        rule: &'static Rule,
        key: &str,
        now: Timestamp,
        cost: u32,
    ) -> Result<Standing, Exceeded> {
        let rule = *self.rules.iter().find(|one| one.name == rule.name).unwrap_or(rule);
        let shared = match &self.store {
            Store::Off => {
                let remaining = rule.at_most;
                return Ok(Standing { rule, remaining, reset_after: Duration::ZERO });
            }
            Store::Redis(redis) if !rule.is_of_node() => {
                Some(redis.check(&rule, key, now, cost).await)
            }
            Store::Database(shared) if !rule.is_of_node_without_redis() => {
                Some(shared.check(&rule, key, now, cost).await)
            }
            Store::Memory | Store::Redis(_) | Store::Database(_) => None,
        };
        let decision = match shared {
            Some(Some(decision)) => decision,
            Some(None) => self.memory.check(&rule.stricter(), key, now, cost),
            None => self.memory.check(&rule, key, now, cost),
        };
        let Decision { allowed, remaining, reset_after, retry_after, .. } = decision;
        if allowed {
            Ok(Standing { rule, remaining, reset_after })
        } else {
            Err(Exceeded { rule, retry_after })
        }
    }

    /// Returns whether there are limits at all.
    #[must_use]
    pub fn enabled(&self) -> bool {
        !matches!(self.store, Store::Off)
    }

    /// Asks Redis for a sign of life and returns how long it took, or why there was none; `None`
    /// if there is no Redis.
    pub async fn ping(&self) -> Option<Result<Duration, String>> {
        match &self.store {
            Store::Off | Store::Memory | Store::Database(_) => None,
            Store::Redis(redis) => Some(redis.ping().await),
        }
    }

    /// Returns whether what counts for all nodes cannot be reached, so that limits are stricter and not shared.
    #[must_use]
    pub fn degraded(&self) -> bool {
        match &self.store {
            Store::Off | Store::Memory => false,
            Store::Redis(redis) => redis.is_degraded(),
            Store::Database(shared) => shared.is_degraded(),
        }
    }
}

/// Returns what a counter is kept under: no store learns whose it is, and none has to hold text of
/// any length.
fn digest(salt: &[u8], rule: &Rule, key: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in [salt, rule.name.as_bytes(), &[0], key.as_bytes()] {
        hash.update(part);
    }
    let hash = hash.finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

#[cfg(test)]
mod tests;
