//! Where each sink stands, and what it did not take.

use onesql::{Result, Store, Timestamp, Tx};
use serde::Serialize;
use sqlx::FromRow;

use crate::audit::{Entry, first_id_of};

/// Where a sink stands.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Cursor {
    /// The last link that it was given.
    pub(super) seq: i64,
    /// How often the next one was tried.
    pub(super) attempts: i64,
    /// Since when it fails.
    pub(super) failing_since: Option<Timestamp>,
    /// When it is tried again.
    pub(super) next_attempt_at: Option<Timestamp>,
    /// Why it failed.
    pub(super) last_error: Option<String>,
}

/// Finds where a sink stands; a new one stands at the end: what was before is for a replay.
pub(super) async fn cursor(store: &Store, sink: &str, now: Timestamp) -> Result<Cursor> {
    const FIND: &str = "SELECT seq, attempts, failing_since, next_attempt_at, last_error
                        FROM export_cursors WHERE sink = $1";
    let found: Option<Cursor> =
        store.glance().await?.query(FIND).bind(sink.to_owned()).optional().await?;
    if let Some(found) = found {
        return Ok(found);
    }
    let mut tx = store.write().await?;
    tx.query(
        "INSERT INTO export_cursors (sink, seq, attempts, updated_at)
         SELECT $1, COALESCE((SELECT MAX(seq) FROM audit_links), 0), 0, $2
         ON CONFLICT DO NOTHING",
    )
    .bind(sink.to_owned())
    .bind(now)
    .execute()
    .await?;
    let made = tx.query(FIND).bind(sink.to_owned()).one().await?;
    tx.commit().await?;
    Ok(made)
}

/// Writes where a sink stands.
pub(super) async fn stand(tx: &mut Tx, sink: &str, cursor: &Cursor, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE export_cursors
         SET seq = $2, attempts = $3, failing_since = $4, next_attempt_at = $5, last_error = $6,
             updated_at = $7
         WHERE sink = $1",
    )
    .bind(sink.to_owned())
    .bind(cursor.seq)
    .bind(cursor.attempts)
    .bind(cursor.failing_since)
    .bind(cursor.next_attempt_at)
    .bind(cursor.last_error.clone())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// An event with its link.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Sealed {
    pub(super) seq: i64,
    #[sqlx(flatten)]
    pub(super) entry: Entry,
}

macro_rules! sealed {
    ($from:literal, $rest:literal) => {
        concat!(
            "SELECT l.seq, e.id, e.at, e.code, e.reason, e.actor_id, e.user_id, e.session_id,
                    e.ip_address, e.user_agent, e.request_id, e.data
             FROM ",
            $from,
            " JOIN audit_events AS e ON e.id = l.event_id ",
            $rest
        )
    };
}

/// Lists the events behind a link, in the order of the chain.
pub(super) async fn behind(store: &Store, seq: i64, at_most: i64) -> Result<Vec<Sealed>> {
    const BEHIND: &str = sealed!("audit_links AS l", "WHERE l.seq > $1 ORDER BY l.seq LIMIT $2");
    store.glance().await?.query(BEHIND).bind(seq).bind(at_most).all().await
}

/// Lists dead letters that are to be sent again.
pub(super) async fn risen(store: &Store, sink: &str, at_most: i64) -> Result<Vec<Sealed>> {
    const RISEN: &str = sealed!(
        "export_dead_letters AS d JOIN audit_links AS l ON l.seq = d.seq",
        "WHERE d.sink = $1 AND d.again_at IS NOT NULL ORDER BY d.seq LIMIT $2"
    );
    store.glance().await?.query(RISEN).bind(sink.to_owned()).bind(at_most).all().await
}

/// Writes down that a sink did not take an event.
pub(super) async fn bury(
    tx: &mut Tx,
    sink: &str,
    seq: i64,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "INSERT INTO export_dead_letters (sink, seq, at, reason) VALUES ($1, $2, $3, $4)
         ON CONFLICT (sink, seq) DO UPDATE
         SET at = excluded.at, reason = excluded.reason, again_at = NULL",
    )
    .bind(sink.to_owned())
    .bind(seq)
    .bind(now)
    .bind(why.to_owned())
    .execute()
    .await?;
    Ok(())
}

/// Forgets a dead letter that was taken.
pub(super) async fn forget(tx: &mut Tx, sink: &str, seq: i64) -> Result<()> {
    tx.query("DELETE FROM export_dead_letters WHERE sink = $1 AND seq = $2")
        .bind(sink.to_owned())
        .bind(seq)
        .execute()
        .await?;
    Ok(())
}

/// How a sink does.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct Standing {
    /// Which.
    pub sink: String,
    /// The last link that it was given.
    pub seq: i64,
    /// How many sealed events it was not given yet.
    pub behind: i64,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// Why.
    pub last_error: Option<String>,
    /// How many events it did not take.
    pub dead_letters: i64,
}

/// Lists how every sink does that ever was.
pub async fn standings(store: &Store) -> Result<Vec<Standing>> {
    const STANDINGS: &str = "SELECT c.sink, c.seq, c.failing_since, c.last_error,
            COALESCE((SELECT MAX(seq) FROM audit_links), c.seq) - c.seq AS behind,
            (SELECT COUNT(*) FROM export_dead_letters AS d WHERE d.sink = c.sink) AS dead_letters
         FROM export_cursors AS c ORDER BY c.sink";
    store.glance().await?.query(STANDINGS).all().await
}

/// Has every dead letter of a sink sent again, and returns how many.
pub async fn replay_dead(store: &Store, sink: &str, now: Timestamp) -> Result<u64> {
    let mut tx = store.write().await?;
    let rows = tx
        .query("UPDATE export_dead_letters SET again_at = $2 WHERE sink = $1")
        .bind(sink.to_owned())
        .bind(now)
        .execute()
        .await?;
    tx.commit().await?;
    Ok(rows)
}

/// Has a sink given everything again that happened since `since`; false if there is no such sink.
pub async fn rewind(store: &Store, sink: &str, since: Timestamp) -> Result<bool> {
    let mut tx = store.write().await?;
    let rows = tx
        .query(
            "UPDATE export_cursors
             SET attempts = 0, failing_since = NULL, next_attempt_at = NULL,
                 seq = COALESCE((SELECT MIN(seq) - 1 FROM audit_links WHERE event_id >= $2), seq)
             WHERE sink = $1",
        )
        .bind(sink.to_owned())
        .bind(first_id_of(since))
        .execute()
        .await?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Returns the name of the first event that a sink was not given, and how many dead letters it has; none
/// if it was never begun.
pub(super) async fn waits(
    tx: &mut Tx,
    sink: &str,
) -> Result<Option<(Option<crate::kernel::AuditId>, i64)>> {
    tx.query(
        "SELECT (SELECT event_id FROM audit_links WHERE seq > c.seq ORDER BY seq LIMIT 1),
                (SELECT COUNT(*) FROM export_dead_letters AS d WHERE d.sink = c.sink)
         FROM export_cursors AS c WHERE c.sink = $1",
    )
    .bind(sink.to_owned())
    .optional()
    .await
}
