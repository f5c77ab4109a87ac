//! What the database knows of leases.

use std::time::Duration;

use onesql::{Result, Store};

use crate::kernel::{NodeId, Timestamp};

/// Takes the lease `name` for `node`, or keeps it; returns whether this node has it now. Of several
/// that try at once, one gets it.
pub(super) async fn take(
    store: &Store,
    name: &'static str,
    node: NodeId,
    now: Timestamp,
    length: Duration,
) -> Result<bool> {
    const HELD: &str = "SELECT holder, until FROM leases WHERE name = $1";
    const TAKE: &str = "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
                        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
                        WHERE leases.until <= $4 OR leases.holder = excluded.holder
                        RETURNING holder";
    let held: Option<(NodeId, Timestamp)> =
        store.glance().await?.query(HELD).bind(name.to_owned()).optional().await?;
    match held {
        // Long enough to look, and without a write.
        Some((holder, until)) if holder == node && until > now + length / 2 => return Ok(true),
        Some((holder, until)) if holder != node && until > now => return Ok(false),
        _ => {}
    }
    let mut tx = store.write().await?;
    let taken: Option<(NodeId,)> = tx
        .query(TAKE)
        .bind(name.to_owned())
        .bind(node)
        .bind(now + length)
        .bind(now)
        .optional()
        .await?;
    tx.commit().await?;
    Ok(taken.is_some())
}
