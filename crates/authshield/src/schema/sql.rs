//! What migrations say of themselves, and programs, as the database keeps it.

use onesql::{Result, Timestamp, Tx};

use super::Instance;
use super::notes::Note;
use crate::kernel::NodeId;

/// Returns, by migration, the oldest program that works with it.
pub(super) async fn oldest(tx: &mut Tx) -> Result<Vec<(i64, String)>> {
    tx.query("SELECT version, oldest FROM schema_notes ORDER BY version").all().await
}

/// Writes down what a migration says, in place of what it said before.
pub(super) async fn write_note(tx: &mut Tx, version: i64, note: Note) -> Result<u64> {
    tx.query(
        "INSERT INTO schema_notes (version, phase, oldest) VALUES ($1, $2, $3)
         ON CONFLICT (version) DO UPDATE SET phase = excluded.phase, oldest = excluded.oldest",
    )
    .bind(version)
    .bind(note.phase.as_str())
    .bind(note.oldest.to_string())
    .execute()
    .await
}

/// Writes down that a program of `version` is alive.
pub(super) async fn beat(
    tx: &mut Tx,
    node: NodeId,
    version: &'static str,
    now: Timestamp,
) -> Result<u64> {
    tx.query(
        "INSERT INTO instances (node_id, version, started_at, seen_at) VALUES ($1, $2, $3, $3)
         ON CONFLICT (node_id) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(node)
    .bind(version)
    .bind(now)
    .execute()
    .await
}

/// Forgets a program that ends.
pub(super) async fn leave(tx: &mut Tx, node: NodeId) -> Result<u64> {
    tx.query("DELETE FROM instances WHERE node_id = $1").bind(node).execute().await
}

/// Forgets programs that were not heard of since `before`.
pub(super) async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM instances WHERE seen_at < $1").bind(before).execute().await
}

/// Returns the programs that were heard of since `since`, the oldest first.
pub(super) async fn alive(tx: &mut Tx, since: Timestamp) -> Result<Vec<Instance>> {
    tx.query(
        "SELECT node_id, version, started_at, seen_at FROM instances
         WHERE seen_at >= $1 ORDER BY started_at, node_id",
    )
    .bind(since)
    .all()
    .await
}
