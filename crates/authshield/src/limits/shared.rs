//! Counting in the database, as long as it answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use onesql::Store;

use super::gcra::Decision;
use super::{Rule, digest, sql};
use crate::kernel::Timestamp;

/// How long a request waits for an answer before it counts without.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long after a failure nobody waits, before one request tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// Counters that nodes share in their database.
pub(super) struct Shared {
    store: Store,
    /// A secret: the database does not learn whose a counter is.
    salt: [u8; 32],
    /// When it is tried again, after a failure.
    try_at: Mutex<Option<Instant>>,
    degraded: AtomicBool,
}

impl Shared {
    pub(super) fn new(store: Store, salt: [u8; 32]) -> Self {
        Self { store, salt, try_at: Mutex::new(None), degraded: AtomicBool::new(false) }
    }

    /// Returns whether the last that was heard of the database is that it does not answer.
    pub(super) fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    /// Decides and remembers in one step; `None` if the database does not answer in time.
    pub(super) async fn check(
        &self,
        rule: &Rule,
        key: &str,
        now: Timestamp,
        cost: u32,
    ) -> Option<Decision> {
        if !self.may_try() {
            return None;
        }
        let key = digest(&self.salt, rule, key);
        let asked = sql::check(&self.store, &key, rule, now, cost);
        let why = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(decision)) => {
                if self.degraded.swap(false, Ordering::Relaxed) {
                    tracing::info!(event = "limits.shared", "the database counts limits again");
                }
                return Some(decision);
            }
            Ok(Err(error)) => crate::problem::chain(&error),
            Err(_elapsed) => format!("no answer within {PATIENCE:?}"),
        };
        *self.try_at.lock().expect("nobody panics while holding it") = Some(Instant::now() + PAUSE);
        if !self.degraded.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "limits.fallback",
                error = why,
                "the database does not count limits; until it does, this node counts for itself, \
                 with half the budgets"
            );
        }
        None
    }

    /// Returns whether to ask; during an outage one request in each pause does.
    fn may_try(&self) -> bool {
        let mut try_at = self.try_at.lock().expect("nobody panics while holding it");
        match *try_at {
            Some(at) if Instant::now() < at => false,
            Some(_) if self.is_degraded() => {
                *try_at = Some(Instant::now() + PAUSE);
                true
            }
            _ => true,
        }
    }
}
