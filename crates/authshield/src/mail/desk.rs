//! What an operator sees of mail.

use std::time::Duration;

use onesql::{Result, Store, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::outbox::Outbox;
use super::render::Rendered;
use super::sql;
use super::timeline::{self, EventKind, State};
use crate::kernel::{MailId, Place, Timestamp, UserId};

/// How far back it is looked for what was given up.
const LATELY: Duration = Duration::from_hours(24);

/// A message, without its contents.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Mail)]
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
    /// How far it has come.
    #[schema(value_type = State)]
    pub state: String,
    /// How often it was tried; tries that our own settings spoilt do not count.
    pub attempts: i64,
    /// When it is tried next, if it is queued.
    #[schema(value_type = String, format = DateTime)]
    pub next_attempt_at: Timestamp,
    /// When it is no longer worth sending.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The relay's last answer, or what happened instead.
    pub last_reply: Option<String>,
    /// When it was put into the outbox.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was settled for good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub final_at: Option<Timestamp>,
    /// Whose affair it was that it was not sent.
    pub final_class: Option<String>,
    /// Who took it: `smtp`, `smtp_fallback`, `ses`, `postmark`, `sendgrid`, `mailgun` or `resend`.
    pub provider: Option<String>,
    /// The name that a provider gave it.
    pub provider_message_id: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    unknown_from: Option<Timestamp>,
}

impl MailRow {
    /// Shows it as it is at `now`.
    fn aged(mut self, now: Timestamp) -> Self {
        if let Some(state) = State::by_name(&self.state) {
            state.aged(self.unknown_from, now).as_str().clone_into(&mut self.state);
        }
        self
    }
}

/// A line in the timeline of a message.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = MailEvent)]
pub struct Entry {
    /// When it happened, by the account of who reports it.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When we heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// Who reports it: `service`, `relay`, `webhook`, `dsn`, `arf`, `user` or `operator`.
    pub source: String,
    /// What happened: `queued`, `retried`, `accepted`, `failed`, `expired`, `kept`, `suppressed`,
    /// `relayed`, `deferred`, `delivered`, `bounced`, `complained`, `confirmed` or `resent`.
    pub kind: String,
    /// Whose affair it was, if something failed.
    pub class: Option<String>,
    /// The code of the answer (RFC 5321).
    pub smtp_code: Option<i64>,
    /// The enhanced code of the answer (RFC 3463).
    pub enhanced_code: Option<String>,
    /// The answer, on one line: evidence for whoever runs the other server.
    pub reply: Option<String>,
    /// The server that answered, if it was not our relay.
    pub remote_mta: Option<String>,
}

/// A message with its timeline.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MailDetails)]
pub struct Story {
    /// The message.
    #[serde(flatten)]
    pub row: MailRow,
    /// Whether it was reported as returned and yet its link was used afterwards.
    pub false_bounce: bool,
    /// What happened to it, the oldest first.
    pub timeline: Vec<Entry>,
}

impl Story {
    /// Returns what happened, as far as the state depends on it; what a newer version wrote down is not
    /// for this one to judge.
    pub(super) fn facts(&self) -> impl Iterator<Item = (EventKind, Timestamp)> + '_ {
        let known = |entry: &Entry| Some((EventKind::by_name(&entry.kind)?, entry.at));
        self.timeline.iter().filter_map(known)
    }
}

/// A message, with its words while they are known.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The message and its timeline.
    pub story: Story,
    /// The letter, if it was kept for development: nobody reads what is on its way to somebody else.
    pub rendered: Option<Rendered>,
}

/// Which messages to list.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Those to this address.
    pub recipient: Option<String>,
    /// Those in this state.
    pub state: Option<State>,
    /// Those of this kind.
    pub kind: Option<String>,
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

/// What is wrong with mail lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Vitals {
    /// Messages that were given up, and not because of their recipient.
    pub dead: i64,
    /// Incidents that are open.
    pub faults: i64,
}

/// Lists up to `at_most` messages after a place, the newest first, as they are at `now`.
pub async fn list(
    store: &Store,
    search: &Search,
    after: Place,
    at_most: i64,
    now: Timestamp,
) -> Result<Vec<MailRow>> {
    let mut tx = store.glance().await?;
    let rows: Vec<MailRow> = tx
        .query(
            "SELECT id, kind, locale, recipient, user_id, message_id, state, attempts,
                    next_attempt_at, expires_at, last_reply, created_at, final_at, final_class,
                    provider, provider_message_id, unknown_from
             FROM mail_messages
             WHERE (created_at, id) < ($1, $2)
               AND (CAST($3 AS TEXT) IS NULL OR recipient = $3)
               AND (CAST($4 AS TEXT) IS NULL OR kind = $4)
               AND (CAST($5 AS TEXT) IS NULL
                    OR ($5 = 'unknown' AND state = 'accepted' AND unknown_from <= $6)
                    OR (state = $5 AND (state <> 'accepted' OR unknown_from IS NULL
                                        OR unknown_from > $6)))
             ORDER BY created_at DESC, id DESC
             LIMIT $7",
        )
        .bind(after.at)
        .bind(after.id)
        .bind(search.recipient.clone())
        .bind(search.kind.clone())
        .bind(search.state.map(State::as_str))
        .bind(now)
        .bind(at_most)
        .all()
        .await?;
    Ok(rows.into_iter().map(|row| row.aged(now)).collect())
}

/// Finds one message, as it is at `now`.
pub async fn find(tx: &mut Tx, id: MailId, now: Timestamp) -> Result<Option<MailRow>> {
    let row: Option<MailRow> = tx
        .query(
            "SELECT id, kind, locale, recipient, user_id, message_id, state, attempts,
                    next_attempt_at, expires_at, last_reply, created_at, final_at, final_class,
                    provider, provider_message_id, unknown_from
             FROM mail_messages
             WHERE id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    Ok(row.map(|row| row.aged(now)))
}

/// Tells what became of one message.
pub async fn story(tx: &mut Tx, id: MailId, now: Timestamp) -> Result<Option<Story>> {
    let Some(row) = find(tx, id, now).await? else { return Ok(None) };
    let written: Vec<Entry> = tx
        .query(
            "SELECT at, received_at, source, kind, class, smtp_code, enhanced_code, reply, remote_mta
             FROM mail_events
             WHERE mail_id = $1
             ORDER BY at, id",
        )
        .bind(id)
        .all()
        .await?;
    let queued = Entry {
        at: row.created_at,
        received_at: row.created_at,
        source: "service".to_owned(),
        kind: "queued".to_owned(),
        class: None,
        smtp_code: None,
        enhanced_code: None,
        reply: None,
        remote_mta: None,
    };
    let timeline = [queued].into_iter().chain(written).collect();
    let mut story = Story { row, false_bounce: false, timeline };
    story.false_bounce = timeline::fold(story.facts()).false_bounce;
    Ok(Some(story))
}

/// Shows one message.
pub async fn show(
    store: &Store,
    outbox: &Outbox,
    id: MailId,
    now: Timestamp,
) -> Result<Option<Shown>> {
    let mut tx = store.read().await?;
    let Some(story) = story(&mut tx, id, now).await? else { return Ok(None) };
    let message = sql::find(&mut tx, id).await?.filter(|_| story.row.state == "kept");
    let rendered = message.and_then(|message| {
        let contents = outbox.open(&message).ok()?;
        outbox.render(&message, &contents).ok()
    });
    Ok(Some(Shown { story, rendered }))
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

/// Returns what is wrong with mail lately.
pub async fn vitals(store: &Store, now: Timestamp) -> Result<Vitals> {
    let mut tx = store.glance().await?;
    tx.query(
        "SELECT
             (SELECT COUNT(*) FROM mail_messages
              WHERE state = 'failed' AND final_at > $1
                AND final_class IN ('content', 'unknown')) AS dead,
             (SELECT COUNT(*) FROM mail_faults) AS faults",
    )
    .bind(now - LATELY)
    .one()
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
