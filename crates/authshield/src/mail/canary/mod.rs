//! Messages to ourselves: the only proof that mail arrives.
//!
//! ```text
//! run ─ one node for all, under a lease
//!     send              to each address, by the way of all mail; what it bears is signed
//!     look              into each mailbox (IMAP), the inbox and the junk
//! arrived ◄ look | a mail that is posted to us
//!     nonce             did we write it?
//!     verdict::judge    SPF, DKIM and DMARC, as we see them and as the receiver did
//!     sql::arrive       once
//!     events::append    it is delivered, as any mail could be
//! standing, history     what operators see; the checks CAN-1 to CAN-3 and metrics say the same
//! ```

mod arrival;
mod sql;
mod verdict;
mod watch;

use std::time::Duration;

use onesql::{Result, Tx};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use arrival::take_in;
pub use watch::{look, open_all, run};

use super::letter::Letter;
use super::outbox::Recipient;
use super::returns::ReturnKey;
use crate::app::App;
use crate::kernel::{MailId, Timestamp};
use crate::telemetry::metrics::{CanaryMailbox, CanaryMethod};

/// A mailbox that nothing came to for so many intervals is one that mail does not arrive at.
const STALE_AFTER: u32 = 3;

/// What became of one canary.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Canary)]
pub struct Canary {
    /// The mail.
    pub mail_id: MailId,
    /// Which of the addresses, counted from 1.
    pub mailbox: i64,
    /// The address.
    pub address: String,
    /// How far the mail has come.
    #[schema(value_type = super::State)]
    pub state: String,
    /// When it was put into the outbox.
    #[schema(value_type = String, format = DateTime)]
    pub sent_at: Timestamp,
    /// When the relay took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub accepted_at: Option<Timestamp>,
    /// When it arrived, by the account of the mailbox.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub arrived_at: Option<Timestamp>,
    /// When we saw it there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    /// How we saw it: `imap` or `webhook`.
    pub via: Option<String>,
    /// Where it lay: `inbox`, `junk`, or `unknown` where nobody says.
    pub folder: Option<String>,
    /// What SPF says of it (RFC 7208), by our own reckoning; `unknown` if it does not say where it came from.
    pub spf: Option<String>,
    /// What DKIM says of it (RFC 6376).
    pub dkim: Option<String>,
    /// What DMARC says of it (RFC 9989).
    pub dmarc: Option<String>,
    /// What the receiver wrote about that (RFC 8601).
    pub receiver: Option<String>,
}

/// How one canary mailbox does.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CanaryStanding)]
pub struct Standing {
    /// Which of the addresses, counted from 1.
    pub mailbox: i64,
    /// The address.
    pub address: String,
    /// When the first one was sent to it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// When the newest of those that arrived was sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success_at: Option<Timestamp>,
    /// How many were sent since.
    pub missing: i64,
    /// Whether mail does not arrive there: none of three intervals has.
    pub stale: bool,
    /// The newest that arrived.
    pub last: Option<Canary>,
}

/// Puts a canary for the address `mailbox`, counted from 1, into the outbox.
pub async fn put(
    tx: &mut Tx,
    app: &App,
    mailbox: i64,
    address: &str,
    now: Timestamp,
) -> Result<MailId> {
    let id = app.outbox.next();
    let letter = Letter::Canary { nonce: key(app).nonce(id).into() };
    let to = Recipient {
        user: None,
        email: address.to_owned(),
        name: None,
        locale: app.config.mail.default_locale.clone(),
    };
    app.outbox.put_as(id, tx, &to, &letter, now).await?;
    sql::insert(tx, id, mailbox, address, now).await?;
    Ok(id)
}

/// Returns how each mailbox does.
pub async fn standing(app: &App, now: Timestamp) -> Result<Vec<Standing>> {
    let mut tx = app.store.glance().await?;
    let mut all = Vec::new();
    for (mailbox, address) in (1..).zip(&app.config.canary.addresses) {
        let since = sql::first_sent(&mut tx, address).await?;
        let last = sql::last_arrived(&mut tx, address).await?;
        let last_success_at = last.as_ref().map(|last| last.sent_at);
        let begun = last_success_at.or(since);
        let patience = app.config.canary.every * STALE_AFTER;
        all.push(Standing {
            mailbox,
            address: address.clone(),
            since,
            last_success_at,
            missing: sql::missing(&mut tx, address, last_success_at).await?,
            stale: begun.is_some_and(|begun| now.since(begun) > patience),
            last,
        });
    }
    Ok(all)
}

/// Returns the newest canaries, the newest first.
pub async fn history(app: &App, at_most: i64) -> Result<Vec<Canary>> {
    sql::history(&mut app.store.glance().await?, at_most).await
}

/// Returns what became of one canary.
pub async fn find(app: &App, mail: MailId) -> Result<Option<Canary>> {
    sql::find(&mut app.store.glance().await?, mail).await
}

impl Canary {
    /// Returns how long it was under way: to the relay's yes, from there to the mailbox, and in all.
    #[must_use]
    pub fn legs(&self) -> (Option<Duration>, Option<Duration>, Option<Duration>) {
        (
            self.accepted_at.map(|at| at.since(self.sent_at)),
            self.accepted_at.zip(self.arrived_at).map(|(from, to)| to.since(from)),
            self.arrived_at.map(|at| at.since(self.sent_at)),
        )
    }

    /// Returns what SPF, DKIM and DMARC say of it.
    #[must_use]
    pub fn verdicts(&self) -> [(&'static str, &str); 3] {
        [("spf", &self.spf), ("dkim", &self.dkim), ("dmarc", &self.dmarc)]
            .map(|(method, verdict)| (method, verdict.as_deref().unwrap_or("unknown")))
    }
}

/// Brings the gauges up to date.
pub async fn export(app: &App, now: Timestamp) -> Result<()> {
    if !app.config.canary.is_on() {
        return Ok(());
    }
    #[expect(clippy::cast_precision_loss, reason = "microseconds fit until the year 2255")]
    let seconds = |at: Timestamp| at.as_microsecond() as f64 / 1e6;
    let metrics = &app.metrics;
    metrics.mail_canary_interval.set(app.config.canary.every.as_secs_f64());
    for Standing { mailbox, since, last_success_at, last, .. } in standing(app, now).await? {
        let mailbox = name(mailbox);
        let labels = CanaryMailbox { mailbox };
        // Before the first was sent, time runs from the start of the process.
        let begun = since.map_or_else(|| metrics.process_start_time.get(), seconds);
        metrics.mail_canary_started_timestamp.get_or_create(&labels).set(begun);
        let success = metrics.mail_canary_last_success_timestamp.get_or_create(&labels);
        success.set(last_success_at.map_or(0.0, seconds));
        for (method, verdict) in last.iter().flat_map(Canary::verdicts) {
            let labels = CanaryMethod { mailbox, method };
            let passed = metrics.mail_canary_authenticated.get_or_create(&labels);
            passed.set(i64::from(verdict == "pass"));
        }
    }
    Ok(())
}

/// Returns a mailbox as metrics name it: there are three at most, and no address is a label.
fn name(mailbox: i64) -> &'static str {
    match mailbox {
        1 => "1",
        2 => "2",
        _ => "3",
    }
}

fn key(app: &App) -> ReturnKey {
    ReturnKey::new(&app.secrets.mail_return)
}
