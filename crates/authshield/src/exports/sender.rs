//! Sends what is due to each sink, and remembers where it stands.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::rules::{self, Failure, Next};
use super::sql::{self, Cursor, Sealed};
use super::syslog::Syslog;
use super::webhook::{SetupError, Webhook};
use crate::app::App;
use crate::config::Config;
use crate::kernel::Timestamp;
use crate::leases;
use crate::seals::written_at;
use crate::telemetry::metrics::{ExportOutcome, Sink as SinkLabel};

/// How often it is looked for events.
const EVERY: Duration = Duration::from_secs(1);
/// How many are read at once.
const BATCH: i64 = 50;
/// For how long one node sends without a look at the lease.
const TURN: Duration = Duration::from_secs(10);
/// How long a lease is: a turn, the event that was begun in it, and some more.
const LEASE: Duration = Duration::from_secs(45);

/// One that takes events.
enum Sink {
    Webhook(Box<Webhook>),
    Syslog(Box<Syslog>),
}

/// The names of all, as metrics and rows have them.
pub(super) const WEBHOOK: &str = "webhook";
pub(super) const SYSLOG: &str = "syslog";

impl Sink {
    fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => WEBHOOK,
            Self::Syslog(_) => SYSLOG,
        }
    }

    fn lease(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "export_webhook",
            Self::Syslog(_) => "export_syslog",
        }
    }

    async fn send(&mut self, sealed: &Sealed, now: Timestamp) -> Result<(), Failure> {
        match self {
            Self::Webhook(webhook) => webhook.send(&sealed.entry, now).await,
            Self::Syslog(syslog) => syslog.send(&sealed.entry, sealed.seq, now).await,
        }
    }
}

/// All that take events.
#[derive(Default)]
pub struct Sinks(Vec<Sink>);

impl Sinks {
    /// Returns those that are configured.
    pub fn from_config(config: &Config) -> Result<Self, SetupError> {
        let webhook = Webhook::from_config(config)?.map(|it| Sink::Webhook(Box::new(it)));
        let syslog = Syslog::from_config(config)?.map(|it| Sink::Syslog(Box::new(it)));
        Ok(Self(webhook.into_iter().chain(syslog).collect()))
    }
}

/// Which sinks are configured.
fn configured(config: &Config) -> Vec<&'static str> {
    let webhook = config.export_webhook.url.is_some().then_some(WEBHOOK);
    let syslog = config.export_syslog.address.is_some().then_some(SYSLOG);
    webhook.into_iter().chain(syslog).collect()
}

/// What one step of a sink came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due, or another node does it.
    Rest,
    /// There may be more.
    More,
}

/// Sends until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    // What cannot be set up was refused at the start.
    let Ok(sinks) = Sinks::from_config(&app.config) else { return };
    let going = sinks.0.into_iter().map(|sink| keep_sending(&app, sink, &stop));
    futures_util::future::join_all(going).await;
}

async fn keep_sending(app: &App, mut sink: Sink, stop: &CancellationToken) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        loop {
            match send(app, &mut sink).await {
                Ok(Step::More) if !stop.is_cancelled() => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    sink = sink.name(),
                    error = %crate::problem::chain(&error),
                    "events could not be exported"
                ),
            }
            break;
        }
    }
}

/// Takes one step with every sink.
pub async fn step(app: &App, sinks: &mut Sinks) -> onesql::Result<Step> {
    let mut all = Step::Rest;
    for sink in &mut sinks.0 {
        if send(app, sink).await? == Step::More {
            all = Step::More;
        }
    }
    Ok(all)
}

async fn send(app: &App, sink: &mut Sink) -> onesql::Result<Step> {
    let (name, now) = (sink.name(), app.world.now());
    let cursor = sql::cursor(&app.store, name, now).await?;
    if cursor.next_attempt_at.is_some_and(|at| at > now) {
        return Ok(Step::Rest);
    }
    let risen = sql::risen(&app.store, name, BATCH).await?;
    let due = sql::behind(&app.store, cursor.seq, BATCH).await?;
    if risen.is_empty() && due.is_empty() || !leases::take(app, sink.lease(), LEASE).await? {
        return Ok(Step::Rest);
    }
    let began = Instant::now();
    for sealed in &risen {
        if began.elapsed() > TURN {
            return Ok(Step::More);
        }
        raise(app, sink, sealed).await?;
    }
    // Another node may have gone on since.
    let mut cursor = sql::cursor(&app.store, name, now).await?;
    let mut went = 0;
    for sealed in due.iter().filter(|sealed| sealed.seq > cursor.seq) {
        if began.elapsed() > TURN {
            break;
        }
        let taken = sink.send(sealed, app.world.now()).await;
        count(app, name, taken.is_ok());
        if let Err(failure) = taken {
            fail(app, name, sealed, &failure, &cursor, went).await?;
            return Ok(Step::Rest);
        }
        went = sealed.seq;
    }
    if went > 0 {
        cursor = Cursor {
            seq: went,
            attempts: 0,
            failing_since: None,
            next_attempt_at: None,
            last_error: None,
        };
        let mut tx = app.store.write().await?;
        sql::stand(&mut tx, name, &cursor, now).await?;
        tx.commit().await?;
    }
    Ok(if due.is_empty() { Step::Rest } else { Step::More })
}

/// Sends a dead letter again; if it is not taken now, it is dead again.
async fn raise(app: &App, sink: &mut Sink, sealed: &Sealed) -> onesql::Result<()> {
    let now = app.world.now();
    let taken = sink.send(sealed, now).await;
    count(app, sink.name(), taken.is_ok());
    let mut tx = app.store.write().await?;
    match taken {
        Ok(()) => sql::forget(&mut tx, sink.name(), sealed.seq).await?,
        Err(Failure::Refused(why) | Failure::Later(why) | Failure::Lost(why, _)) => {
            sql::bury(&mut tx, sink.name(), sealed.seq, &why, now).await?;
        }
    }
    tx.commit().await
}

/// Writes down what follows from a failure; `went` is the last link that was taken before it, or 0.
async fn fail(
    app: &App,
    sink: &'static str,
    sealed: &Sealed,
    failure: &Failure,
    before: &Cursor,
    went: i64,
) -> onesql::Result<()> {
    let now = app.world.now();
    let first = went > 0;
    let attempts = if first { 1 } else { before.attempts + 1 };
    let since = if first { now } else { before.failing_since.unwrap_or(now) };
    let mut tx = app.store.write().await?;
    let (Failure::Refused(why) | Failure::Later(why) | Failure::Lost(why, _)) = failure;
    tracing::warn!(sink, attempts, why, event = %sealed.entry.id, "an event was not taken");
    let cursor = match rules::judge(failure, attempts, since, now) {
        Next::Bury(why) => {
            sql::bury(&mut tx, sink, sealed.seq, &why, now).await?;
            Cursor {
                seq: sealed.seq,
                attempts: 0,
                failing_since: None,
                next_attempt_at: None,
                last_error: None,
            }
        }
        Next::Again(at) => {
            let reached = if first { went } else { before.seq };
            let seq = match failure {
                Failure::Lost(_, from) => reached.min(from - 1),
                _ => reached,
            };
            Cursor {
                seq,
                attempts,
                failing_since: Some(since),
                next_attempt_at: Some(at),
                last_error: Some(why.clone()),
            }
        }
    };
    sql::stand(&mut tx, sink, &cursor, now).await?;
    tx.commit().await
}

fn count(app: &App, sink: &'static str, taken: bool) {
    let outcome = if taken { "taken" } else { "failed" };
    app.metrics.exports.get_or_create(&ExportOutcome { sink, outcome }).inc();
}

/// Says how far each sink is behind, and how much it did not take.
pub async fn measure(app: &App, tx: &mut onesql::Tx) -> onesql::Result<()> {
    let now = app.world.now();
    for sink in configured(&app.config) {
        let Some((first, dead)) = sql::waits(tx, sink).await? else { continue };
        let lag = first.map_or(0.0, |id| now.since(written_at(id)).as_secs_f64());
        app.metrics.export_lag.get_or_create(&SinkLabel { sink }).set(lag);
        app.metrics.export_dead_letters.get_or_create(&SinkLabel { sink }).set(dead);
    }
    Ok(())
}
