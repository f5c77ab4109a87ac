//! What an operator sees of mail.

use onesql::{Result, Store};
use serde::Serialize;

use super::outbox::Outbox;
use super::render::Rendered;
use super::sql;
use crate::kernel::{MailId, Timestamp, UserId};

/// A message in a list.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct MailRow {
    /// Its name.
    pub id: MailId,
    /// The kind of letter.
    pub kind: String,
    /// The language.
    pub locale: String,
    /// The address.
    pub recipient: String,
    /// The account it is about.
    pub user_id: Option<UserId>,
    /// Its `Message-ID`, by which the relay's log knows it.
    pub message_id: String,
    /// `queued`, `sending`, `accepted`, `failed`, `expired` or `kept`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, if it is queued.
    pub next_attempt_at: Timestamp,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
    /// The relay's last answer, or what happened instead.
    pub last_reply: Option<String>,
    /// When it was put into the outbox.
    pub created_at: Timestamp,
    /// When it was settled for good.
    pub final_at: Option<Timestamp>,
}

/// A message, with its words while they are known.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The row.
    pub row: MailRow,
    /// The letter, if it was kept for development: nobody reads what is on its way to somebody else.
    pub rendered: Option<Rendered>,
}

/// How many messages of one kind wait in one state, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct QueueState {
    /// The kind of letter.
    pub kind: String,
    /// `queued` or `sending`.
    pub state: String,
    /// How many.
    pub depth: i64,
    /// When the oldest was put into the outbox.
    pub oldest: Timestamp,
}

/// Lists up to `at_most` messages, the newest first; of one `state`, or of any.
pub async fn list(store: &Store, state: Option<&str>, at_most: u32) -> Result<Vec<MailRow>> {
    let mut tx = store.glance().await?;
    tx.query(
        "SELECT id, kind, locale, recipient, user_id, message_id, state, attempts,
                next_attempt_at, expires_at, last_reply, created_at, final_at
         FROM mail_messages
         WHERE CAST($1 AS TEXT) IS NULL OR state = $1
         ORDER BY created_at DESC, id DESC
         LIMIT $2",
    )
    .bind(state.map(ToOwned::to_owned))
    .bind(i64::from(at_most))
    .all()
    .await
}

/// Shows one message.
pub async fn show(store: &Store, outbox: &Outbox, id: MailId) -> Result<Option<Shown>> {
    let mut tx = store.read().await?;
    let row: Option<MailRow> = tx
        .query(
            "SELECT id, kind, locale, recipient, user_id, message_id, state, attempts,
                    next_attempt_at, expires_at, last_reply, created_at, final_at
             FROM mail_messages
             WHERE id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    let message = sql::find(&mut tx, id).await?;
    Ok(row.zip(message).map(|(row, message)| {
        let contents = outbox.open(&message).ok().filter(|_| row.state == "kept");
        let rendered = contents.and_then(|contents| outbox.render(&message, &contents).ok());
        Shown { row, rendered }
    }))
}

/// Returns how much waits, by kind and state.
pub async fn queue_state(store: &Store) -> Result<Vec<QueueState>> {
    let mut tx = store.glance().await?;
    tx.query(
        "SELECT kind, state, COUNT(*) AS depth, MIN(created_at) AS oldest
         FROM mail_messages
         WHERE state IN ('queued', 'sending')
         GROUP BY kind, state
         ORDER BY kind, state",
    )
    .all()
    .await
}

/// Forgets messages that were settled before `before`, and returns how many.
pub async fn purge(store: &Store, before: Timestamp) -> Result<u64> {
    let mut tx = store.write().await?;
    let gone =
        tx.query("DELETE FROM mail_messages WHERE final_at < $1").bind(before).execute().await?;
    tx.commit().await?;
    Ok(gone)
}
