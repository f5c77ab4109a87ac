//! What the database knows of outcomes.

use onesql::{Json, Result, Tx};

use super::arithmetic::Times;
use super::digest::{self, Answer};
use super::{Cell, Sums};
use crate::kernel::{MailId, Timestamp};

/// A message, as far as its outcome goes.
#[derive(sqlx::FromRow)]
pub(super) struct Written {
    pub(super) id: MailId,
    pub(super) created_at: Timestamp,
    pub(super) kind: String,
    pub(super) provider: Option<String>,
    pub(super) mailbox_provider: Option<String>,
    pub(super) message_id: String,
    pub(super) state: String,
    pub(super) unknown_from: Option<Timestamp>,
    pub(super) accepted_at: Option<Timestamp>,
    pub(super) delivered_at: Option<Timestamp>,
    pub(super) confirmed_at: Option<Timestamp>,
    /// The gravest answer that refused it, if it was not for the relay or our settings.
    pub(super) refused_with: Option<i64>,
}

/// What is known of one cell in one window.
#[derive(sqlx::FromRow)]
pub(super) struct Slice {
    pub(super) window_at: Timestamp,
    #[sqlx(flatten)]
    pub(super) cell: Cell,
    #[sqlx(flatten)]
    pub(super) sums: Sums,
}

/// The times of one cell in one window.
#[derive(sqlx::FromRow)]
pub(super) struct Spread {
    pub(super) window_at: Timestamp,
    #[sqlx(flatten)]
    pub(super) cell: Cell,
    #[sqlx(flatten)]
    pub(super) sums: Sums,
    pub(super) to_accept: Json<Times>,
    pub(super) to_deliver: Json<Times>,
    pub(super) to_confirm: Json<Times>,
}

/// Sums over windows of one cell.
#[derive(sqlx::FromRow)]
pub(super) struct Total {
    #[sqlx(flatten)]
    pub(super) cell: Cell,
    #[sqlx(flatten)]
    pub(super) sums: Sums,
}

/// That a step of a cell is worse than it should be.
#[derive(Clone, sqlx::FromRow)]
pub(super) struct Alarm {
    #[sqlx(flatten)]
    pub(super) cell: Cell,
    pub(super) step: String,
    pub(super) since: Timestamp,
    pub(super) first_mail: Option<MailId>,
    pub(super) normal_permille: i64,
    pub(super) observed_permille: i64,
}

/// Returns messages since `since` of which nobody has asked yet where they go, the newest first.
pub(super) async fn unplaced(
    tx: &mut Tx,
    since: Timestamp,
    at_most: i64,
) -> Result<Vec<(MailId, String)>> {
    tx.query(
        "SELECT id, recipient FROM mail_messages
         WHERE mailbox_provider IS NULL AND created_at > $1
         ORDER BY created_at DESC
         LIMIT $2",
    )
    .bind(since)
    .bind(at_most)
    .all()
    .await
}

/// Writes down where a message goes.
pub(super) async fn place(tx: &mut Tx, mail: MailId, provider: &'static str) -> Result<()> {
    tx.query("UPDATE mail_messages SET mailbox_provider = $2 WHERE id = $1")
        .bind(mail)
        .bind(provider)
        .execute()
        .await?;
    Ok(())
}

/// Returns up to when outcomes were counted.
pub(super) async fn counted_to(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let found: Option<(Timestamp,)> =
        tx.query("SELECT counted_to FROM mail_rollup_state WHERE slot = 1").optional().await?;
    Ok(found.map(|(at,)| at))
}

/// Writes down up to when outcomes were counted.
pub(super) async fn set_counted_to(tx: &mut Tx, at: Timestamp) -> Result<()> {
    tx.query(
        "INSERT INTO mail_rollup_state (slot, counted_to) VALUES (1, $1)
         ON CONFLICT (slot) DO UPDATE SET counted_to = excluded.counted_to",
    )
    .bind(at)
    .execute()
    .await?;
    Ok(())
}

/// Returns when the first message was written, at `from` or later, of which something is new since
/// `since`: it was written, something happened to it, or silence began to mean that nobody knows.
pub(super) async fn next_changed(
    tx: &mut Tx,
    from: Timestamp,
    since: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let mut found = Vec::new();
    for sql in [
        "SELECT MIN(created_at) FROM mail_messages
         WHERE created_at >= $1 AND created_at >= $2 AND created_at <= $3",
        "SELECT MIN(created_at) FROM mail_messages
         WHERE state = 'accepted' AND created_at >= $1 AND unknown_from >= $2 AND unknown_from <= $3",
        "SELECT MIN(m.created_at)
         FROM mail_events e JOIN mail_messages m ON m.id = e.mail_id
         WHERE m.created_at >= $1 AND e.received_at >= $2 AND e.received_at <= $3",
    ] {
        let (first,): (Option<Timestamp>,) =
            tx.query(sql).bind(from).bind(since).bind(now).one().await?;
        found.extend(first);
    }
    Ok(found.into_iter().min())
}

/// Returns messages that were written from `from` on and before `to`, after a place; those to
/// ourselves, and those that nobody was to get, are not among them.
pub(super) async fn messages(
    tx: &mut Tx,
    (from, after): (Timestamp, MailId),
    to: Timestamp,
    at_most: i64,
) -> Result<Vec<Written>> {
    tx.query(
        "SELECT m.id, m.created_at, m.kind, m.provider, m.mailbox_provider, m.message_id, m.state,
                m.unknown_from,
                (SELECT MIN(at) FROM mail_events
                 WHERE mail_id = m.id AND kind = 'accepted') AS accepted_at,
                (SELECT MIN(at) FROM mail_events
                 WHERE mail_id = m.id AND kind = 'delivered') AS delivered_at,
                (SELECT MIN(at) FROM mail_events
                 WHERE mail_id = m.id AND kind = 'confirmed') AS confirmed_at,
                (SELECT MAX(smtp_code) FROM mail_events
                 WHERE mail_id = m.id AND kind = 'retried'
                   AND class NOT IN ('relay', 'configuration')) AS refused_with
         FROM mail_messages m
         WHERE (m.created_at, m.id) > ($1, $2) AND m.created_at < $3
           AND m.kind NOT IN ('canary', 'test') AND m.state NOT IN ('kept', 'suppressed')
         ORDER BY m.created_at, m.id
         LIMIT $4",
    )
    .bind(from)
    .bind(after)
    .bind(to)
    .bind(at_most)
    .all()
    .await
}

/// Forgets what was counted of a window.
pub(super) async fn clear(tx: &mut Tx, window: Timestamp) -> Result<()> {
    tx.query("DELETE FROM mail_rollup_5m WHERE window_at = $1").bind(window).execute().await?;
    Ok(())
}

/// Writes down what was counted of a cell in a window.
pub(super) async fn add(
    tx: &mut Tx,
    window: Timestamp,
    cell: &Cell,
    sums: &Sums,
    [to_accept, to_deliver, to_confirm]: &[Times; 3],
) -> Result<()> {
    tx.query(
        "INSERT INTO mail_rollup_5m
             (window_at, provider, mailbox_provider, kind, sender, messages, accepted, delivered,
              confirmed, bounced, deferred, complained, failed, expired, held, unknown, accept_logs,
              accept_squares, deliver_logs, deliver_squares, to_accept, to_deliver, to_confirm)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20, $21, $22, $23)",
    )
    .bind(window)
    .bind(cell.provider.clone())
    .bind(cell.mailbox_provider.clone())
    .bind(cell.kind.clone())
    .bind(cell.sender.clone())
    .bind(sums.messages)
    .bind(sums.accepted)
    .bind(sums.delivered)
    .bind(sums.confirmed)
    .bind(sums.bounced)
    .bind(sums.deferred)
    .bind(sums.complained)
    .bind(sums.failed)
    .bind(sums.expired)
    .bind(sums.held)
    .bind(sums.unknown)
    .bind(sums.accept_logs)
    .bind(sums.accept_squares)
    .bind(sums.deliver_logs)
    .bind(sums.deliver_squares)
    .bind(Json(*to_accept))
    .bind(Json(*to_deliver))
    .bind(Json(*to_confirm))
    .execute()
    .await?;
    Ok(())
}

/// Selects windows between `$1` and `$2`, with `$more` columns.
macro_rules! windows {
    ($more:literal) => {
        concat!(
            "SELECT window_at, provider, mailbox_provider, kind, sender, messages, accepted, delivered,
                    confirmed, bounced, deferred, complained, failed, expired, held, unknown,
                    accept_logs, accept_squares, deliver_logs, deliver_squares",
            $more,
            " FROM mail_rollup_5m WHERE window_at >= $1 AND window_at < $2 ORDER BY window_at"
        )
    };
}

/// Returns what was counted in windows from `from` on and before `to`, the oldest first.
pub(super) async fn windows(tx: &mut Tx, from: Timestamp, to: Timestamp) -> Result<Vec<Slice>> {
    tx.query(windows!("")).bind(from).bind(to).all().await
}

/// The same, with their times.
pub(super) async fn spreads(tx: &mut Tx, from: Timestamp, to: Timestamp) -> Result<Vec<Spread>> {
    tx.query(windows!(", to_accept, to_deliver, to_confirm")).bind(from).bind(to).all().await
}

/// Adds up what was counted in windows from `from` on and before `to`, by cell.
pub(super) async fn totals(tx: &mut Tx, from: Timestamp, to: Timestamp) -> Result<Vec<Total>> {
    tx.query(
        "SELECT provider, mailbox_provider, kind, sender,
                CAST(SUM(messages) AS BIGINT) AS messages,
                CAST(SUM(accepted) AS BIGINT) AS accepted,
                CAST(SUM(delivered) AS BIGINT) AS delivered,
                CAST(SUM(confirmed) AS BIGINT) AS confirmed,
                CAST(SUM(bounced) AS BIGINT) AS bounced,
                CAST(SUM(deferred) AS BIGINT) AS deferred,
                CAST(SUM(complained) AS BIGINT) AS complained,
                CAST(SUM(failed) AS BIGINT) AS failed,
                CAST(SUM(expired) AS BIGINT) AS expired,
                CAST(SUM(held) AS BIGINT) AS held,
                CAST(SUM(unknown) AS BIGINT) AS unknown,
                CAST(SUM(accept_logs) AS BIGINT) AS accept_logs,
                CAST(SUM(accept_squares) AS BIGINT) AS accept_squares,
                CAST(SUM(deliver_logs) AS BIGINT) AS deliver_logs,
                CAST(SUM(deliver_squares) AS BIGINT) AS deliver_squares
         FROM mail_rollup_5m
         WHERE window_at >= $1 AND window_at < $2
         GROUP BY provider, mailbox_provider, kind, sender",
    )
    .bind(from)
    .bind(to)
    .all()
    .await
}

/// Forgets windows from before `before`, and returns how many rows that were.
pub(super) async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM mail_rollup_5m WHERE window_at < $1").bind(before).execute().await
}

/// Returns every alarm that stands.
pub(super) async fn alarms(tx: &mut Tx) -> Result<Vec<Alarm>> {
    tx.query(
        "SELECT provider, mailbox_provider, kind, sender, step, since, first_mail, normal_permille,
                observed_permille
         FROM mail_cell_alarms
         ORDER BY since, provider, mailbox_provider, kind, sender, step",
    )
    .all()
    .await
}

/// Raises an alarm, unless it stands.
pub(super) async fn raise(tx: &mut Tx, alarm: &Alarm) -> Result<bool> {
    let raised: Option<(String,)> = tx
        .query(
            "INSERT INTO mail_cell_alarms
                 (provider, mailbox_provider, kind, sender, step, since, first_mail,
                  normal_permille, observed_permille)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT DO NOTHING RETURNING step",
        )
        .bind(alarm.cell.provider.clone())
        .bind(alarm.cell.mailbox_provider.clone())
        .bind(alarm.cell.kind.clone())
        .bind(alarm.cell.sender.clone())
        .bind(alarm.step.clone())
        .bind(alarm.since)
        .bind(alarm.first_mail)
        .bind(alarm.normal_permille)
        .bind(alarm.observed_permille)
        .optional()
        .await?;
    Ok(raised.is_some())
}

/// Ends an alarm, if it stands.
pub(super) async fn end(tx: &mut Tx, alarm: &Alarm) -> Result<bool> {
    let ended = tx
        .query(
            "DELETE FROM mail_cell_alarms
             WHERE provider = $1 AND mailbox_provider = $2 AND kind = $3 AND sender = $4 AND step = $5",
        )
        .bind(alarm.cell.provider.clone())
        .bind(alarm.cell.mailbox_provider.clone())
        .bind(alarm.cell.kind.clone())
        .bind(alarm.cell.sender.clone())
        .bind(alarm.step.clone())
        .execute()
        .await?;
    Ok(ended == 1)
}

/// How much of the last day's mail is in the dark, by where it goes.
#[derive(sqlx::FromRow)]
pub(super) struct Dark {
    pub(super) provider: Option<String>,
    pub(super) mailbox_provider: Option<String>,
    /// Accepted, and long enough ago for news.
    pub(super) due: i64,
    /// Of these, those without any.
    pub(super) unknown: i64,
}

/// Counts messages whose silence has lasted long enough to mean something, since `since`.
pub(super) async fn dark(tx: &mut Tx, since: Timestamp, now: Timestamp) -> Result<Vec<Dark>> {
    tx.query(
        "SELECT provider, mailbox_provider, COUNT(*) AS due,
                COUNT(CASE WHEN state = 'accepted' THEN 1 END) AS unknown
         FROM mail_messages
         WHERE state IN ('accepted', 'deferred', 'delivered', 'confirmed', 'bounced', 'complained')
           AND unknown_from > $1 AND unknown_from <= $2
           AND kind NOT IN ('canary', 'test')
         GROUP BY provider, mailbox_provider",
    )
    .bind(since)
    .bind(now)
    .all()
    .await
}

/// Returns answers that refused a message and arrived after a place and before `to`, the oldest first.
pub(super) async fn answers(
    tx: &mut Tx,
    (from, after): (Timestamp, MailId),
    to: Timestamp,
    at_most: i64,
) -> Result<Vec<Answer>> {
    tx.query(
        "SELECT received_at, mail_id, reply FROM mail_events
         WHERE (received_at, mail_id) > ($1, $2) AND received_at < $3
           AND kind IN ('retried', 'deferred', 'failed', 'bounced') AND reply IS NOT NULL
         ORDER BY received_at, mail_id
         LIMIT $4",
    )
    .bind(from)
    .bind(after)
    .bind(to)
    .bind(at_most)
    .all()
    .await
}

/// Counts messages written between two instants of which nobody knows what became, by where they went,
/// the most first.
pub(super) async fn in_the_dark(
    tx: &mut Tx,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<digest::Dark>> {
    tx.query(
        "SELECT COALESCE(provider, 'none') AS provider,
                COALESCE(mailbox_provider, 'unknown') AS mailbox_provider,
                COUNT(*) AS count, MIN(created_at) AS oldest
         FROM mail_messages
         WHERE state = 'accepted' AND unknown_from <= $2 AND created_at > $1 AND created_at <= $2
           AND kind NOT IN ('canary', 'test')
         GROUP BY 1, 2
         ORDER BY COUNT(*) DESC, 1, 2",
    )
    .bind(from)
    .bind(to)
    .all()
    .await
}

/// Returns the first message of a cell, written at `since` or later, that is in one of these states.
pub(super) async fn first(
    tx: &mut Tx,
    cell: &Cell,
    since: Timestamp,
    states: [&'static str; 4],
) -> Result<Option<(MailId, Timestamp)>> {
    tx.query(
        "SELECT id, created_at FROM mail_messages
         WHERE created_at >= $1 AND kind = $2 AND COALESCE(mailbox_provider, 'unknown') = $3
           AND state IN ($4, $5, $6, $7)
         ORDER BY created_at, id
         LIMIT 1",
    )
    .bind(since)
    .bind(cell.kind.clone())
    .bind(cell.mailbox_provider.clone())
    .bind(states[0])
    .bind(states[1])
    .bind(states[2])
    .bind(states[3])
    .optional()
    .await
}
