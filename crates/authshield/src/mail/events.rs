//! Writing down what happened to messages, each time with the state that follows.

use onesql::{Result, Tx};

use super::letter::Letter;
use super::outbox::Outbox;
use super::outcome::provider;
use super::sql::{self, Detail, Held, NewEvent};
use super::suppression;
use super::timeline::{self, EventKind, State};
use crate::app::App;
use crate::kernel::{MailEventId, MailId, Timestamp};
use crate::telemetry::metrics::{MailConfirm, MailPlace};

/// What happened to a message, by the account of `source`.
pub(super) struct News {
    pub(super) mail: MailId,
    pub(super) at: Timestamp,
    pub(super) source: &'static str,
    /// The name that the source has for it: what is told twice is written once.
    pub(super) external_id: String,
    pub(super) kind: EventKind,
    pub(super) detail: Detail,
}

/// Writes `news` down as part of `tx`, with what it means for the address; returns the message as it
/// was, or `None` if this was known or there is no such message.
pub(super) async fn append(tx: &mut Tx, outbox: &Outbox, news: News) -> Result<Option<Held>> {
    let world = outbox.world().as_ref();
    let (mail, received_at) = (news.mail, world.now());
    let Some(held) = sql::hold(tx, mail).await? else { return Ok(None) };
    let event = NewEvent {
        id: MailEventId::new(world),
        mail,
        at: news.at,
        received_at,
        source: news.source,
        external_id: news.external_id,
        kind: news.kind,
        detail: news.detail.clone(),
    };
    let id = event.id;
    if !sql::add_event(tx, event).await? {
        return Ok(None);
    }
    let what = (news.kind, &news.detail);
    suppression::heed(tx, outbox, &held, (mail, id), what, received_at).await?;
    let state = timeline::fold(sql::facts(tx, mail).await?).state;
    if state != State::Queued && state.as_str() != held.state {
        sql::set_state(tx, mail, state, received_at).await?;
    }
    Ok(Some(held))
}

/// Writes down, in the transaction that uses a link up, that the mail which carried it was read.
pub async fn confirm(tx: &mut Tx, app: &App, mail: Option<MailId>, now: Timestamp) -> Result<()> {
    let Some(mail) = mail else { return Ok(()) };
    let news = News {
        mail,
        at: now,
        source: "user",
        external_id: mail.to_string(),
        kind: EventKind::Confirmed,
        detail: Detail::default(),
    };
    if let Some(held) = append(tx, &app.outbox, news).await? {
        let (kind, mailbox_provider) = (Letter::known(&held.kind), held.mailbox_provider());
        let labels = MailConfirm { kind, mailbox_provider };
        let span = app.metrics.mail_time_to_confirm.get_or_create(&labels);
        span.observe(now.since(held.created_at).as_secs_f64());
    }
    Ok(())
}

/// Writes down what somebody else reports of a message, like [`append`]; what a delivery took is counted.
pub(super) async fn told(tx: &mut Tx, app: &App, news: News) -> Result<Option<Held>> {
    let (kind, at) = (news.kind, news.at);
    let held = append(tx, &app.outbox, news).await?;
    if let Some(held) = held.as_ref().filter(|_| kind == EventKind::Delivered) {
        let labels = MailPlace {
            provider: held.provider.clone().unwrap_or_else(|| provider::NOBODY.to_owned()),
            mailbox_provider: held.mailbox_provider(),
        };
        let span = app.metrics.mail_time_to_deliver.get_or_create(&labels);
        span.observe(at.since(held.created_at).as_secs_f64());
    }
    Ok(held)
}

impl Held {
    /// Returns who takes it for the recipient, as metrics name them.
    fn mailbox_provider(&self) -> &'static str {
        self.mailbox_provider.as_deref().map_or(provider::UNKNOWN, provider::known)
    }
}

/// Makes a message that waits due at once, and writes down that an operator wanted it; false if it
/// does not wait.
pub async fn hurry(tx: &mut Tx, app: &App, mail: MailId, now: Timestamp) -> Result<bool> {
    if !sql::hurry(tx, mail, now).await? {
        return Ok(false);
    }
    app.outbox.wake_after(tx);
    resent(tx, app, mail, None, now).await?;
    Ok(true)
}

/// Writes down that an operator had a message sent again, by another one if it was settled.
pub async fn resent(
    tx: &mut Tx,
    app: &App,
    mail: MailId,
    replaced_by: Option<MailId>,
    now: Timestamp,
) -> Result<()> {
    let news = News {
        mail,
        at: now,
        source: "operator",
        external_id: MailEventId::new(&*app.world).to_string(),
        kind: EventKind::Resent,
        detail: Detail {
            reply: replaced_by.map(|replaced_by| format!("as {replaced_by}")),
            ..Detail::default()
        },
    };
    append(tx, &app.outbox, news).await?;
    Ok(())
}
