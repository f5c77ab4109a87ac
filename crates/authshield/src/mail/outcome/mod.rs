//! What becomes of mail, cell by cell: a global 98 % can hide one mailbox provider at 60 %.
//!
//! ```text
//! run ─ one node for all, under a lease
//!     places::attribute    where does it go?  (from the domain's MX, off the way of mail)
//!     rollup::count        windows of five minutes of which something is new are counted again
//!     change::judge        is a step of a cell worse than it should be?  (CUSUM)
//!     sql, audit           MAIL_CELL_DEGRADED and its end, with the first mail that it met
//! digest                   once a day: what is furthest from usual, new answers, mail in the dark
//! report                   what operators see: shares with intervals, times, the funnel, and where
//!                          the differences lie
//! ```
//!
//! A cell is what mail is handed to, the mailbox provider, the kind of letter and the sender's domain.
//! Mail to ourselves and tests are in none.

mod arithmetic;
mod change;
mod digest;
mod places;
pub mod provider;
mod report;
mod rollup;
mod sql;

use std::time::Duration;

use onesql::Result;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use self::arithmetic::Moments;
pub use self::digest::{Dark, Deviation, Digest, NewReply, digest, write_daily};
pub use self::places::{Places, attribute};
pub use self::report::{CellReport, Degraded, Factor, Report, Share, Span, report};
pub use self::rollup::{WINDOW, count};
use crate::app::App;
use crate::kernel::Timestamp;
use crate::leases;
use crate::mail::letter::Letter;
use crate::mail::schedule;
use crate::problem::chain;
use crate::telemetry::metrics::{MailCell, MailPlace};

/// How often it is asked where mail goes, and how often outcomes are counted.
const ASK: Duration = Duration::from_secs(5);
const COUNT: Duration = Duration::from_secs(30);

/// How long a node does this for all.
const LEASE: Duration = Duration::from_mins(1);

/// How long what was counted is kept: the same hours of the four weeks before are what is normal.
const KEEP: Duration = Duration::from_hours(24 * 63);

/// How far back it is looked for what nobody knows.
const LATELY: Duration = Duration::from_hours(24);

/// Mail that has the same fate if any has.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema, sqlx::FromRow,
)]
#[schema(as = MailCell)]
pub struct Cell {
    /// What it was handed to, or was to be handed to first.
    pub provider: String,
    /// Who takes it for the recipient: `google`, `microsoft`, `yahoo`, `apple`, … or `other`; `none` if
    /// nobody does, and `unknown` while no name server has answered.
    pub mailbox_provider: String,
    /// The kind of letter.
    pub kind: String,
    /// The sender's domain.
    pub sender: String,
}

/// What became of the messages of a cell. Logarithms are natural, of seconds, in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Sums {
    messages: i64,
    accepted: i64,
    delivered: i64,
    confirmed: i64,
    bounced: i64,
    deferred: i64,
    complained: i64,
    failed: i64,
    expired: i64,
    held: i64,
    unknown: i64,
    accept_logs: i64,
    accept_squares: i64,
    deliver_logs: i64,
    deliver_squares: i64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.confirmed += other.confirmed;
        self.bounced += other.bounced;
        self.deferred += other.deferred;
        self.complained += other.complained;
        self.failed += other.failed;
        self.expired += other.expired;
        self.held += other.held;
        self.unknown += other.unknown;
        self.accept_logs += other.accept_logs;
        self.accept_squares += other.accept_squares;
        self.deliver_logs += other.deliver_logs;
        self.deliver_squares += other.deliver_squares;
    }

    fn accept_times(&self) -> Moments {
        moments(self.accepted, self.accept_logs, self.accept_squares)
    }

    fn deliver_times(&self) -> Moments {
        moments(self.delivered, self.deliver_logs, self.deliver_squares)
    }
}

/// The unit of sums of logarithms.
const MILLIONTH: f64 = 1e6;

#[expect(clippy::cast_precision_loss, reason = "millionths of logarithms of a century's mail fit")]
fn moments(count: i64, logs: i64, squares: i64) -> Moments {
    Moments {
        count: count as f64,
        sum: logs as f64 / MILLIONTH,
        squares: squares as f64 / MILLIONTH,
    }
}

/// Returns a count as what it is: never below nothing.
fn natural(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// Asks where mail goes and counts what became of it, until `stop`, where this node does it for all.
pub async fn run(app: App, stop: CancellationToken) {
    let mut trouble = false;
    let mut counted = app.world.now() - COUNT;
    loop {
        let pause = ASK / 2 + schedule::jitter(ASK, &*app.world);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let turn = async {
            if !leases::take(&app, "mail_outcome", LEASE).await? {
                return Ok(());
            }
            attribute(&app).await?;
            let now = app.world.now();
            if now.since(counted) >= COUNT {
                count(&app).await?;
                watch(&app).await?;
                write_daily(&app).await?;
                counted = now;
            }
            Ok::<_, onesql::Error>(())
        };
        match turn.await {
            Ok(()) => trouble = false,
            // Said once, not every five seconds.
            Err(error) if !std::mem::replace(&mut trouble, true) => {
                tracing::error!(error = %chain(&error), "outcomes of mail cannot be counted");
            }
            Err(_) => {}
        }
    }
}

/// Looks whether a step of a cell is worse than it should be, and writes down what changed.
pub async fn watch(app: &App) -> Result<()> {
    change::watch(app).await
}

/// Forgets what was counted long ago, and returns how many rows that were.
pub async fn purge(app: &App, now: Timestamp) -> Result<u64> {
    let mut tx = app.store.write().await?;
    let gone = sql::forget(&mut tx, now - KEEP).await?;
    tx.commit().await?;
    Ok(gone)
}

/// Brings the gauges up to date.
pub async fn export(app: &App, now: Timestamp) -> Result<()> {
    let mut tx = app.store.glance().await?;
    let (alarms, dark) =
        (sql::alarms(&mut tx).await?, sql::dark(&mut tx, now - LATELY, now).await?);
    let metrics = &app.metrics;
    metrics.mail_cell_degraded.clear();
    for alarm in alarms {
        let labels = MailCell {
            provider: alarm.cell.provider,
            mailbox_provider: provider::known(&alarm.cell.mailbox_provider),
            kind: Letter::known(&alarm.cell.kind),
            step: change::Step::known(&alarm.step),
        };
        metrics.mail_cell_degraded.get_or_create(&labels).set(1);
    }
    metrics.mail_outcome_unknown.clear();
    metrics.mail_outcome_due.clear();
    for sql::Dark { provider, mailbox_provider, due, unknown } in dark {
        let labels = MailPlace {
            provider: provider.unwrap_or_else(|| provider::NOBODY.to_owned()),
            mailbox_provider: mailbox_provider
                .as_deref()
                .map_or(provider::UNKNOWN, provider::known),
        };
        metrics.mail_outcome_unknown.get_or_create(&labels).set(unknown);
        metrics.mail_outcome_due.get_or_create(&labels).set(due);
    }
    Ok(())
}
