//! Counting in the database, so that all nodes share one count without Redis.

use onesql::{Result, Store, Timestamp};

use super::Rule;
use super::gcra::{self, Decision};

/// How long a row is kept longer than it matters, for nodes whose clocks differ.
const SPARE: std::time::Duration = std::time::Duration::from_mins(1);

/// Decides and remembers in one statement, between whose parts no other node can come.
///
/// The statement does what [`gcra::check`] does with the state, and returns the one it found: the pure function
/// turns that into the same decision. A budget of which nothing was spent is whole since 1970.
pub(super) async fn check(
    store: &Store,
    key: &[u8],
    rule: &Rule,
    now: Timestamp,
    cost: u32,
) -> Result<Decision> {
    let (at, cost) = (now.as_microsecond(), cost.min(rule.at_most.max(1)));
    // On PostgreSQL a statement that stands alone is a transaction: one round trip instead of three.
    let stands_alone = store.kind() == "postgres";
    let mut tx = if stands_alone { store.glance().await? } else { store.write().await? };
    let (found,): (i64,) = tx
        .query(
            "INSERT INTO limit_counters (key, found, whole_at, expires_at)
             VALUES ($1, $2, CASE WHEN $3 = 0 THEN 0 ELSE $2 + $3 END, $5)
             ON CONFLICT (key) DO UPDATE
             SET found = limit_counters.whole_at,
                 whole_at = CASE WHEN $3 = 0 AND limit_counters.whole_at < $2
                                 THEN limit_counters.whole_at
                                 WHEN limit_counters.whole_at < $2 THEN $2 + $3
                                 WHEN limit_counters.whole_at > $4 THEN $4
                                 WHEN limit_counters.whole_at + $3 > $4 THEN limit_counters.whole_at
                                 ELSE limit_counters.whole_at + $3 END,
                 expires_at = excluded.expires_at
             RETURNING found",
        )
        .bind(key.to_vec())
        .bind(at)
        .bind(rule.interval().saturating_mul(i64::from(cost)))
        .bind(at.saturating_add(rule.burst()))
        .bind(now + rule.within + SPARE)
        .one()
        .await?;
    if !stands_alone {
        tx.commit().await?;
    }
    Ok(gcra::check(Some(found), rule, now, cost))
}
