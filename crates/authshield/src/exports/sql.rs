//! Where each sink stands, and what it did not take.

use onesql::{Result, Store, Timestamp, Tx};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::Sink;
use super::rules::Cursor;
use crate::audit::{Entry, first_id_of};
use crate::kernel::AuditId;

/// Finds where a sink stands; a new one stands at the end: what was before is for a replay.
pub(super) async fn cursor(store: &Store, sink: Sink) -> Result<Cursor> {
    type Row = (i64, i64, Option<Timestamp>, Option<Timestamp>, Option<String>);
    const FIND: &str = "SELECT seq, attempts, failing_since, next_attempt_at, last_error
                        FROM export_cursors WHERE sink = $1";
    let found: Option<Row> = store.glance().await?.query(FIND).bind(sink).optional().await?;
    let row = if let Some(row) = found {
        row
    } else {
        let mut tx = store.write().await?;
        tx.query(
            "INSERT INTO export_cursors (sink, seq, attempts)
                 VALUES ($1, COALESCE((SELECT MAX(seq) FROM audit_links), 0), 0)
                 ON CONFLICT (sink) DO NOTHING",
        )
        .bind(sink)
        .execute()
        .await?;
        let made = tx.query(FIND).bind(sink).one().await?;
        tx.commit().await?;
        made
    };
    let (seq, attempts, failing_since, next_attempt_at, last_error) = row;
    Ok(Cursor { seq, attempts, failing_since, next_attempt_at, last_error })
}

/// Writes where a sink stands, if it stands at `before` still; returns whether it did. Another node may have
/// gone on, or somebody may have had events given again.
pub(super) async fn stand(tx: &mut Tx, sink: Sink, before: i64, cursor: &Cursor) -> Result<bool> {
    let rows = tx
        .query(
            "UPDATE export_cursors
             SET seq = $3, attempts = $4, failing_since = $5, next_attempt_at = $6, last_error = $7
             WHERE sink = $1 AND seq = $2",
        )
        .bind(sink)
        .bind(before)
        .bind(cursor.seq)
        .bind(cursor.attempts)
        .bind(cursor.failing_since)
        .bind(cursor.next_attempt_at)
        .bind(cursor.last_error.clone())
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Has a sink given everything from the link `from` on again; never takes it forward.
pub(super) async fn back(store: &Store, sink: Sink, from: i64) -> Result<()> {
    let mut tx = store.write().await?;
    tx.query("UPDATE export_cursors SET seq = $2 WHERE sink = $1 AND seq > $2")
        .bind(sink)
        .bind(from - 1)
        .execute()
        .await?;
    tx.commit().await
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
pub(super) async fn risen(store: &Store, sink: Sink, at_most: i64) -> Result<Vec<Sealed>> {
    const RISEN: &str = sealed!(
        "export_dead_letters AS d JOIN audit_links AS l ON l.seq = d.seq",
        "WHERE d.sink = $1 AND d.again_at IS NOT NULL ORDER BY d.seq LIMIT $2"
    );
    store.glance().await?.query(RISEN).bind(sink).bind(at_most).all().await
}

/// Writes down that a sink did not take an event.
pub(super) async fn bury(
    tx: &mut Tx,
    sink: Sink,
    seq: i64,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "INSERT INTO export_dead_letters (sink, seq, at, reason) VALUES ($1, $2, $3, $4)
         ON CONFLICT (sink, seq) DO UPDATE
         SET at = excluded.at, reason = excluded.reason, again_at = NULL",
    )
    .bind(sink)
    .bind(seq)
    .bind(now)
    .bind(why.to_owned())
    .execute()
    .await?;
    Ok(())
}

/// Forgets a dead letter that was taken.
pub(super) async fn forget(tx: &mut Tx, sink: Sink, seq: i64) -> Result<()> {
    tx.query("DELETE FROM export_dead_letters WHERE sink = $1 AND seq = $2")
        .bind(sink)
        .bind(seq)
        .execute()
        .await?;
    Ok(())
}

/// An event that a sink did not take.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, ToSchema)]
pub struct DeadLetter {
    /// Which.
    pub event_id: AuditId,
    /// What happened.
    pub code: String,
    /// When the sink was tried last.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What it said.
    pub reason: String,
    /// When somebody had it sent again, if it waits for that.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub again_at: Option<Timestamp>,
}

/// Lists what a sink did not take, the newest events first, of those that are older than `before`.
pub async fn dead_letters(
    tx: &mut Tx,
    sink: Sink,
    before: uuid::Uuid,
    at_most: i64,
) -> Result<Vec<DeadLetter>> {
    tx.query(
        "SELECT e.id AS event_id, e.code, d.at, d.reason, d.again_at
         FROM export_dead_letters AS d JOIN audit_links AS l ON l.seq = d.seq
         JOIN audit_events AS e ON e.id = l.event_id
         WHERE d.sink = $1 AND e.id < $2 ORDER BY e.id DESC LIMIT $3",
    )
    .bind(sink)
    .bind(before)
    .bind(at_most)
    .all()
    .await
}

/// How a sink does.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Place {
    pub(super) failing_since: Option<Timestamp>,
    pub(super) next_attempt_at: Option<Timestamp>,
    pub(super) last_error: Option<String>,
    pub(super) behind: i64,
    /// The first event that it was not given.
    pub(super) first: Option<AuditId>,
    /// Of those whose events are there still.
    pub(super) dead_letters: i64,
}

/// Finds how a sink does; nothing if it was never begun.
pub(super) async fn place(tx: &mut Tx, sink: Sink) -> Result<Option<Place>> {
    tx.query(
        "SELECT c.failing_since, c.next_attempt_at, c.last_error,
                COALESCE((SELECT MAX(seq) FROM audit_links), c.seq) - c.seq AS behind,
                (SELECT event_id FROM audit_links WHERE seq > c.seq ORDER BY seq LIMIT 1) AS first,
                (SELECT COUNT(*) FROM export_dead_letters AS d
                 JOIN audit_links AS l ON l.seq = d.seq WHERE d.sink = c.sink) AS dead_letters
         FROM export_cursors AS c WHERE c.sink = $1",
    )
    .bind(sink)
    .optional()
    .await
}

/// Has every dead letter of a sink sent again, and returns how many.
pub(super) async fn raise(tx: &mut Tx, sink: Sink, now: Timestamp) -> Result<u64> {
    tx.query("UPDATE export_dead_letters SET again_at = $2 WHERE sink = $1")
        .bind(sink)
        .bind(now)
        .execute()
        .await
}

/// Forgets every dead letter of a sink, and returns how many.
pub(super) async fn drop_all(tx: &mut Tx, sink: Sink) -> Result<u64> {
    tx.query("DELETE FROM export_dead_letters WHERE sink = $1").bind(sink).execute().await
}

/// Has a sink given everything again that happened since `since`, at once, and returns how many events
/// wait for it then; nothing if it was never begun.
pub(super) async fn rewind(tx: &mut Tx, sink: Sink, since: Timestamp) -> Result<Option<u64>> {
    let waits: Option<(i64,)> = tx
        .query(
            "UPDATE export_cursors
             SET attempts = 0, failing_since = NULL, next_attempt_at = NULL, last_error = NULL,
                 seq = COALESCE((SELECT MIN(l.seq) - 1 FROM audit_links AS l
                                 WHERE l.event_id >= $2 AND l.seq <= export_cursors.seq), seq)
             WHERE sink = $1
             RETURNING COALESCE((SELECT MAX(l.seq) FROM audit_links AS l), seq) - seq",
        )
        .bind(sink)
        .bind(first_id_of(since))
        .optional()
        .await?;
    Ok(waits.map(|(count,)| count.unsigned_abs()))
}
