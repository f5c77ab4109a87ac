//! What the database knows of messages.

use std::time::Duration;

use onesql::{Result, Sql, Tx};

use super::timeline::{EventKind, State};
use super::urgency::{MORE_OF_THE_SAME, OF_A_KIND, Urgency};
use crate::kernel::{MailEventId, MailId, NodeId, Timestamp, UserId};

/// A message to be written down.
pub(super) struct New<'a> {
    pub(super) id: MailId,
    pub(super) kind: &'static str,
    pub(super) locale: &'static str,
    pub(super) recipient: &'a str,
    pub(super) user: Option<UserId>,
    pub(super) sealed: Vec<u8>,
    pub(super) message_id: String,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) urgency: Urgency,
    /// Who takes it for the recipient, if that is known already.
    pub(super) mailbox_provider: Option<&'static str>,
    /// What caused it, for traces (W3C Trace Context).
    pub(super) trace_context: Option<String>,
}

/// A message, as much of it as it takes to send it.
#[derive(Clone, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: MailId,
    pub(super) kind: String,
    pub(super) locale: String,
    pub(super) recipient: String,
    pub(super) variables: Option<Vec<u8>>,
    pub(super) message_id: String,
    pub(super) attempts: i64,
    pub(super) created_at: Timestamp,
    pub(super) trace_context: Option<String>,
}

/// The end of a try.
pub(super) struct Settled {
    pub(super) state: State,
    /// Whether the variables are still needed.
    pub(super) keep_variables: bool,
    pub(super) attempts: i64,
    pub(super) next_attempt_at: Timestamp,
    pub(super) reply: Option<String>,
    pub(super) final_at: Option<Timestamp>,
    pub(super) final_class: Option<&'static str>,
    /// When silence after a yes begins to mean that nobody knows.
    pub(super) unknown_from: Option<Timestamp>,
    /// Who took it.
    pub(super) provider: Option<&'static str>,
    /// Their name for it.
    pub(super) provider_message_id: Option<String>,
}

/// Something that happened to a message, to be written down.
pub(super) struct NewEvent {
    pub(super) id: MailEventId,
    pub(super) mail: MailId,
    pub(super) at: Timestamp,
    pub(super) received_at: Timestamp,
    /// Who reports it: `relay`, `service`, `user`, `operator`, …
    pub(super) source: &'static str,
    /// The name that the source has for it.
    pub(super) external_id: String,
    pub(super) kind: EventKind,
    pub(super) detail: Detail,
}

/// What is known besides of something that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) class: Option<&'static str>,
    pub(super) smtp_code: Option<u16>,
    pub(super) enhanced_code: Option<String>,
    /// One line, of bounded length.
    pub(super) reply: Option<String>,
    pub(super) remote_mta: Option<String>,
}

/// A message whose row is held until the end of the transaction.
#[derive(sqlx::FromRow)]
pub(super) struct Held {
    pub(super) kind: String,
    pub(super) recipient: String,
    pub(super) state: String,
    pub(super) created_at: Timestamp,
    pub(super) provider: Option<String>,
    pub(super) mailbox_provider: Option<String>,
}

/// Writes a message down as queued: in its lane, or behind all if several of its kind wait for the recipient. Two
/// that are written at once may both find room; that delays nobody.
pub(super) async fn insert(tx: &mut Tx, new: New<'_>) -> Result<()> {
    tx.query(
        "INSERT INTO mail_messages
             (id, kind, locale, recipient, user_id, variables, message_id, state, attempts,
              next_attempt_at, expires_at, created_at, mailbox_provider, trace_context, urgency)
         SELECT $1, $2, $3, $4, $5, $6, $7, 'queued', 0, $8, $9, $8, $10, $11,
                CASE WHEN COUNT(CASE WHEN state = 'queued' AND kind = $2 THEN 1 END) < $14
                     THEN $12 ELSE $15 END
         FROM mail_messages WHERE recipient = $4 AND created_at > $13",
    )
    .bind(new.id)
    .bind(new.kind)
    .bind(new.locale)
    .bind(new.recipient.to_owned())
    .bind(new.user)
    .bind(new.sealed)
    .bind(new.message_id)
    .bind(new.now)
    .bind(new.expires_at)
    .bind(new.mailbox_provider)
    .bind(new.trace_context)
    .bind(new.urgency as i64)
    .bind(new.now - ALIKE_WITHIN)
    .bind(OF_A_KIND)
    .bind(MORE_OF_THE_SAME)
    .execute()
    .await?;
    Ok(())
}

/// How far back messages of a kind are counted.
const ALIKE_WITHIN: Duration = Duration::from_hours(1);

/// What is due is found by three indexes, one question each: with `OR` between them, either database
/// reads and sorts the whole queue.
const IS_DUE: Sql = Sql {
    sqlite: "SELECT CAST(1 AS BIGINT)
             WHERE EXISTS (SELECT 1 FROM mail_messages
                           WHERE state = 'queued' AND next_attempt_at <= $1)
                OR EXISTS (SELECT 1 FROM mail_messages INDEXED BY mail_messages_by_end
                           WHERE state = 'queued' AND expires_at <= $1)
                OR EXISTS (SELECT 1 FROM mail_messages
                           WHERE state = 'sending' AND lease_until <= $1)",
    postgres: "SELECT CAST(1 AS BIGINT)
               WHERE EXISTS (SELECT 1 FROM mail_messages
                             WHERE state = 'queued' AND next_attempt_at <= $1)
                  OR EXISTS (SELECT 1 FROM mail_messages
                             WHERE state = 'queued' AND expires_at <= $1)
                  OR EXISTS (SELECT 1 FROM mail_messages
                             WHERE state = 'sending' AND lease_until <= $1)",
};

/// Returns whether there is anything to claim or to expire: a look that takes no lock.
pub(super) async fn is_due(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let found: Option<(i64,)> = tx.query(IS_DUE).bind(now).optional().await?;
    Ok(found.is_some())
}

/// PostgreSQL needs `SKIP LOCKED`, or two nodes that do this at once can deadlock; SQLite has one
/// writer and no such words.
const EXPIRE: Sql = Sql {
    sqlite: "UPDATE mail_messages
             SET state = 'expired', variables = NULL, lease_until = NULL, final_at = $1
             WHERE id IN (
                 SELECT id FROM (SELECT id FROM mail_messages INDEXED BY mail_messages_by_end
                                 WHERE state = 'queued' AND expires_at <= $1
                                 ORDER BY expires_at LIMIT $2)
                 UNION ALL
                 SELECT id FROM (SELECT id FROM mail_messages
                                 WHERE state = 'sending' AND lease_until <= $1 AND expires_at <= $1
                                 LIMIT $2))
             RETURNING id, kind, created_at",
    postgres: "UPDATE mail_messages
               SET state = 'expired', variables = NULL, lease_until = NULL, final_at = $1
               WHERE id IN (
                   SELECT id FROM (SELECT id FROM mail_messages
                                   WHERE state = 'queued' AND expires_at <= $1
                                   ORDER BY expires_at LIMIT $2
                                   FOR UPDATE SKIP LOCKED) AS waiting
                   UNION ALL
                   SELECT id FROM (SELECT id FROM mail_messages
                                   WHERE state = 'sending' AND lease_until <= $1 AND expires_at <= $1
                                   LIMIT $2
                                   FOR UPDATE SKIP LOCKED) AS in_hand)
               RETURNING id, kind, created_at",
};

/// Ends what is too late to be of use, some at a time, and returns it.
pub(super) async fn expire(
    tx: &mut Tx,
    now: Timestamp,
) -> Result<Vec<(MailId, String, Timestamp)>> {
    tx.query(EXPIRE).bind(now).bind(EXPIRE_AT_ONCE).all().await
}

/// How many messages are ended in one transaction, of each of the two kinds.
const EXPIRE_AT_ONCE: i64 = 100;

/// What a node that is gone had in hand, then one of the lane whose turn it is, then lane by lane: of each no more
/// than is taken, by an index, so that it costs the same however many wait. PostgreSQL needs `SKIP LOCKED`, so that
/// nodes do not wait for each other's batch; SQLite has one writer and no such words.
macro_rules! claim {
    ($by_urgency:literal, $locked:literal) => {
        concat!(
            "UPDATE mail_messages SET state = 'sending', lease_until = $2, lease_owner = $4,
                                      attempts = attempts + 1
             WHERE id IN (
                 SELECT id FROM (
                     SELECT id, 0 AS turn, next_attempt_at
                     FROM (SELECT id, next_attempt_at FROM mail_messages
                           WHERE state = 'sending' AND lease_until <= $1 LIMIT $3",
            $locked,
            ") AS in_hand",
            lane!("1", "$5", "1", $by_urgency, $locked),
            lane!("2", "0", "$3", $by_urgency, $locked),
            lane!("3", "1", "$3", $by_urgency, $locked),
            lane!("4", "2", "$3", $by_urgency, $locked),
            lane!("5", "3", "$3", $by_urgency, $locked),
            ") AS due
                 GROUP BY id ORDER BY MIN(turn), MIN(next_attempt_at) LIMIT $3)
             RETURNING id, kind, locale, recipient, variables, message_id, attempts, created_at,
                       trace_context"
        )
    };
}

/// The first messages of one lane, and when it is their turn.
macro_rules! lane {
    ($turn:literal, $urgency:literal, $at_most:literal, $by_urgency:literal, $locked:literal) => {
        concat!(
            "
                     UNION ALL
                     SELECT id, ",
            $turn,
            " AS turn, next_attempt_at
                     FROM (SELECT id, next_attempt_at FROM mail_messages",
            $by_urgency,
            "
                           WHERE state = 'queued' AND urgency = ",
            $urgency,
            " AND next_attempt_at <= $1
                           ORDER BY next_attempt_at LIMIT ",
            $at_most,
            $locked,
            ") AS lane"
        )
    };
}

const CLAIM: Sql = Sql {
    sqlite: claim!(" INDEXED BY mail_messages_by_urgency", ""),
    postgres: claim!("", " FOR UPDATE SKIP LOCKED"),
};

/// Takes up to `at_most` messages that are due, for `owner`; until `lease` nobody else does, unless
/// the owner is known to be gone. `turn` is the lane of which one goes before all others.
pub(super) async fn claim(
    tx: &mut Tx,
    now: Timestamp,
    lease: Timestamp,
    at_most: i64,
    owner: Option<NodeId>,
    turn: i64,
) -> Result<Vec<Row>> {
    tx.query(CLAIM).bind(now).bind(lease).bind(at_most).bind(owner).bind(turn).all().await
}

/// Writes down how a try ended, and returns whether the message was still ours to write about.
pub(super) async fn settle(
    tx: &mut Tx,
    id: MailId,
    lease: Timestamp,
    settled: &Settled,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE mail_messages
             SET state = $3, attempts = $4, next_attempt_at = $5,
                 last_reply = COALESCE($6, last_reply), final_at = $7, lease_until = NULL,
                 variables = CASE WHEN $8 THEN variables ELSE NULL END,
                 final_class = $9, unknown_from = $10,
                 provider = COALESCE($11, provider),
                 provider_message_id = COALESCE($12, provider_message_id)
             WHERE id = $1 AND state = 'sending' AND lease_until = $2",
        )
        .bind(id)
        .bind(lease)
        .bind(settled.state.as_str())
        .bind(settled.attempts)
        .bind(settled.next_attempt_at)
        .bind(settled.reply.clone())
        .bind(settled.final_at)
        .bind(settled.keep_variables)
        .bind(settled.final_class)
        .bind(settled.unknown_from)
        .bind(settled.provider)
        .bind(settled.provider_message_id.clone())
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Finds what it takes to render one message.
pub(super) async fn find(tx: &mut Tx, id: MailId) -> Result<Option<Row>> {
    tx.query(
        "SELECT id, kind, locale, recipient, variables, message_id, attempts, created_at,
                trace_context
         FROM mail_messages
         WHERE id = $1",
    )
    .bind(id)
    .optional()
    .await
}

/// SQLite has one writer, so that whoever writes holds everything.
const HOLD: Sql = Sql {
    sqlite: "SELECT kind, recipient, state, created_at, provider, mailbox_provider FROM mail_messages WHERE id = $1",
    postgres: "SELECT kind, recipient, state, created_at, provider, mailbox_provider FROM mail_messages WHERE id = $1 FOR UPDATE",
};

/// Holds a message until the end of the transaction, so that its state is worked out from all of
/// its events.
pub(super) async fn hold(tx: &mut Tx, id: MailId) -> Result<Option<Held>> {
    tx.query(HOLD).bind(id).optional().await
}

/// Writes down what happened, unless that was done before.
pub(super) async fn add_event(tx: &mut Tx, event: NewEvent) -> Result<bool> {
    let added: Option<(MailEventId,)> = tx
        .query(
            "INSERT INTO mail_events (id, mail_id, at, received_at, source, external_id, kind, class,
                                      smtp_code, enhanced_code, reply, remote_mta)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT DO NOTHING
             RETURNING id",
        )
        .bind(event.id)
        .bind(event.mail)
        .bind(event.at)
        .bind(event.received_at)
        .bind(event.source)
        .bind(event.external_id)
        .bind(event.kind.as_str())
        .bind(event.detail.class)
        .bind(event.detail.smtp_code.map(i64::from))
        .bind(event.detail.enhanced_code)
        .bind(event.detail.reply)
        .bind(event.detail.remote_mta)
        .optional()
        .await?;
    Ok(added.is_some())
}

/// Returns what happened to a message, as far as its state depends on it.
pub(super) async fn facts(tx: &mut Tx, id: MailId) -> Result<Vec<(EventKind, Timestamp)>> {
    let rows: Vec<(String, Timestamp)> = tx
        .query("SELECT kind, at FROM mail_events WHERE mail_id = $1 ORDER BY at, id")
        .bind(id)
        .all()
        .await?;
    // What a newer version wrote down is not for this one to judge.
    Ok(rows.into_iter().filter_map(|(kind, at)| Some((EventKind::by_name(&kind)?, at))).collect())
}

/// Puts a message into the state that its timeline gives it; it leaves the outbox, if it was there.
pub(super) async fn set_state(tx: &mut Tx, id: MailId, state: State, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE mail_messages
         SET state = $2, final_at = COALESCE(final_at, $3), lease_until = NULL, variables = NULL
         WHERE id = $1",
    )
    .bind(id)
    .bind(state.as_str())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Makes a message that waits due at once; false if it does not wait.
pub(super) async fn hurry(tx: &mut Tx, id: MailId, now: Timestamp) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE mail_messages SET next_attempt_at = $2
             WHERE id = $1 AND state = 'queued' AND expires_at > $2",
        )
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Opens the incident of a provider, unless it is open.
pub(super) async fn open_fault(tx: &mut Tx, provider: &str, now: Timestamp) -> Result<bool> {
    let opened: Option<(String,)> = tx
        .query(
            "INSERT INTO mail_faults (provider, since) VALUES ($1, $2)
             ON CONFLICT DO NOTHING RETURNING provider",
        )
        .bind(provider.to_owned())
        .bind(now)
        .optional()
        .await?;
    Ok(opened.is_some())
}

/// Closes the incident of a provider, if one is open, and returns since when it was.
pub(super) async fn close_fault(tx: &mut Tx, provider: &str) -> Result<Option<Timestamp>> {
    let since: Option<(Timestamp,)> = tx
        .query("DELETE FROM mail_faults WHERE provider = $1 RETURNING since")
        .bind(provider.to_owned())
        .optional()
        .await?;
    Ok(since.map(|(since,)| since))
}

/// Counts what other servers reported of a message.
pub(super) async fn reports(tx: &mut Tx, id: MailId) -> Result<i64> {
    let (count,): (i64,) = tx
        .query("SELECT COUNT(*) FROM mail_events WHERE mail_id = $1 AND source IN ('dsn', 'arf')")
        .bind(id)
        .one()
        .await?;
    Ok(count)
}

/// Gives back what a node had in hand that is gone, and returns how many messages those were.
pub(super) async fn release(tx: &mut Tx, owner: NodeId, now: Timestamp) -> Result<u64> {
    tx.query(
        "UPDATE mail_messages SET lease_until = $2
         WHERE state = 'sending' AND lease_owner = $1 AND lease_until > $2",
    )
    .bind(owner)
    .bind(now)
    .execute()
    .await
}
