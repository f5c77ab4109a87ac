//! What the database knows of messages.

use onesql::{Result, Sql, Tx};

use crate::kernel::{MailId, Timestamp, UserId};

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
}

/// The end of a try.
pub(super) struct Settled {
    pub(super) state: &'static str,
    /// Whether the variables are still needed.
    pub(super) keep_variables: bool,
    pub(super) attempts: i64,
    pub(super) next_attempt_at: Timestamp,
    pub(super) reply: Option<String>,
    pub(super) final_at: Option<Timestamp>,
}

/// Writes a message down as queued.
pub(super) async fn insert(tx: &mut Tx, new: New<'_>) -> Result<()> {
    tx.query(
        "INSERT INTO mail_messages
             (id, kind, locale, recipient, user_id, variables, message_id, state, attempts,
              next_attempt_at, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', 0, $8, $9, $8)",
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
    .execute()
    .await?;
    Ok(())
}

/// Returns whether there is anything to claim or to expire: a look that takes no lock.
pub(super) async fn is_due(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let found: Option<(i64,)> = tx
        .query(
            "SELECT CAST(1 AS BIGINT) FROM mail_messages
             WHERE (state = 'queued' AND (next_attempt_at <= $1 OR expires_at <= $1))
                OR (state = 'sending' AND lease_until <= $1)
             LIMIT 1",
        )
        .bind(now)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// PostgreSQL needs `SKIP LOCKED`, or two nodes that do this at once can deadlock; SQLite has one
/// writer and no such words.
const EXPIRE: Sql = Sql {
    sqlite: "UPDATE mail_messages
             SET state = 'expired', variables = NULL, lease_until = NULL, final_at = $1
             WHERE expires_at <= $1
               AND (state = 'queued' OR (state = 'sending' AND lease_until <= $1))
             RETURNING id, kind, created_at",
    postgres: "UPDATE mail_messages
               SET state = 'expired', variables = NULL, lease_until = NULL, final_at = $1
               WHERE id IN (SELECT id FROM mail_messages
                            WHERE expires_at <= $1
                              AND (state = 'queued'
                                   OR (state = 'sending' AND lease_until <= $1))
                            FOR UPDATE SKIP LOCKED)
               RETURNING id, kind, created_at",
};

/// Ends what is too late to be of use, and returns it.
pub(super) async fn expire(
    tx: &mut Tx,
    now: Timestamp,
) -> Result<Vec<(MailId, String, Timestamp)>> {
    tx.query(EXPIRE).bind(now).all().await
}

/// PostgreSQL needs `SKIP LOCKED`, so that nodes do not wait for each other's batch; SQLite has one
/// writer and no such words.
const CLAIM: Sql = Sql {
    sqlite: "UPDATE mail_messages SET state = 'sending', lease_until = $2, attempts = attempts + 1
             WHERE id IN (SELECT id FROM mail_messages
                          WHERE (state = 'queued' AND next_attempt_at <= $1)
                             OR (state = 'sending' AND lease_until <= $1)
                          ORDER BY next_attempt_at LIMIT $3)
             RETURNING id, kind, locale, recipient, variables, message_id, attempts, created_at",
    postgres:
        "UPDATE mail_messages SET state = 'sending', lease_until = $2, attempts = attempts + 1
               WHERE id IN (SELECT id FROM mail_messages
                            WHERE (state = 'queued' AND next_attempt_at <= $1)
                               OR (state = 'sending' AND lease_until <= $1)
                            ORDER BY next_attempt_at LIMIT $3
                            FOR UPDATE SKIP LOCKED)
               RETURNING id, kind, locale, recipient, variables, message_id, attempts, created_at",
};

/// Takes up to `at_most` messages that are due; until `lease` nobody else does.
pub(super) async fn claim(
    tx: &mut Tx,
    now: Timestamp,
    lease: Timestamp,
    at_most: i64,
) -> Result<Vec<Row>> {
    tx.query(CLAIM).bind(now).bind(lease).bind(at_most).all().await
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
                 variables = CASE WHEN $8 THEN variables ELSE NULL END
             WHERE id = $1 AND state = 'sending' AND lease_until = $2",
        )
        .bind(id)
        .bind(lease)
        .bind(settled.state)
        .bind(settled.attempts)
        .bind(settled.next_attempt_at)
        .bind(settled.reply.clone())
        .bind(settled.final_at)
        .bind(settled.keep_variables)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Finds what it takes to render one message.
pub(super) async fn find(tx: &mut Tx, id: MailId) -> Result<Option<Row>> {
    tx.query(
        "SELECT id, kind, locale, recipient, variables, message_id, attempts, created_at
         FROM mail_messages
         WHERE id = $1",
    )
    .bind(id)
    .optional()
    .await
}
