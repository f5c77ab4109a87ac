//! Sends what is due to each sink, and remembers where it stands.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio_util::sync::CancellationToken;

use super::rules::{self, Cursor, Failure, Next};
use super::sql::{self, Sealed};
use super::syslog::Syslog;
use super::webhook::Webhook;
use super::{SetupError, Sink};
use crate::app::App;
use crate::config::Config;
use crate::leases;
use crate::telemetry::metrics::ExportOutcome;

/// How often it is looked for events.
const EVERY: Duration = Duration::from_secs(1);
/// How many are read at once: no more of them are ever in memory.
const BATCH: i64 = 50;
/// How many a webhook is sent at once, while it takes them.
const AT_ONCE: usize = 8;
/// For how long events are begun to be sent, and dead letters behind them, before it is looked again where
/// the sink stands.
const TURN: Duration = Duration::from_secs(5);
/// How long one node does it for all. Where it takes longer than that, events may be given twice; where the
/// sink stands is changed by one of two nodes only.
const LEASE: Duration = Duration::from_secs(20);

/// One that gives a sink its events.
enum Sender {
    Webhook(Box<Webhook>),
    Syslog(Box<Syslog>),
}

impl Sender {
    fn sink(&self) -> Sink {
        match self {
            Self::Webhook(_) => Sink::Webhook,
            Self::Syslog(_) => Sink::Syslog,
        }
    }

    fn lease(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "export_webhook",
            Self::Syslog(_) => "export_syslog",
        }
    }

    /// Gives `events` for a turn, and says of each whether it was taken, in their order.
    fn give<'s>(
        &'s mut self,
        events: &'s [Sealed],
        at_once: usize,
        app: &'s App,
        stop: &'s CancellationToken,
    ) -> BoxStream<'s, (&'s Sealed, Result<(), Failure>)> {
        let began = Instant::now();
        let events = events.iter().take_while(move |_| began.elapsed() <= TURN);
        let given = match self {
            Self::Webhook(webhook) => {
                let webhook: &Webhook = webhook;
                let give = move |sealed: &'s Sealed| async move {
                    (sealed, webhook.send(&sealed.entry, app.world.now()).await)
                };
                stream::iter(events).map(give).buffered(at_once).boxed()
            }
            Self::Syslog(syslog) => {
                let give = move |(syslog, mut events): (&'s mut Syslog, _)| async move {
                    let sealed = Iterator::next(&mut events)?;
                    let taken = syslog.send(sealed, app.world.now()).await;
                    Some(((sealed, taken), (syslog, events)))
                };
                stream::unfold((&mut **syslog, events), give).boxed()
            }
        };
        // Whoever does not answer keeps nobody from ending.
        given.take_until(stop.cancelled()).boxed()
    }
}

/// All that give events.
pub struct Senders(Vec<Sender>);

impl Senders {
    /// Returns one for each sink that is configured.
    pub fn from_config(config: &Config) -> Result<Self, SetupError> {
        let webhook = Webhook::from_config(config)?.map(|it| Sender::Webhook(Box::new(it)));
        let syslog = Syslog::from_config(config)?.map(|it| Sender::Syslog(Box::new(it)));
        Ok(Self(webhook.into_iter().chain(syslog).collect()))
    }

    /// Reaches every sink without giving it anything, and says what came of it.
    pub async fn probe(&self) -> Vec<(Sink, Result<(), String>)> {
        let mut found = Vec::new();
        for sender in &self.0 {
            let reached = match sender {
                Sender::Webhook(webhook) => webhook.probe().await,
                Sender::Syslog(syslog) => syslog.probe().await,
            };
            found.push((sender.sink(), reached));
        }
        found
    }
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due, or another node does it.
    Rest,
    /// There may be more.
    More,
}

/// Sends until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    match Senders::from_config(&app.config) {
        Ok(senders) => {
            let going = senders.0.into_iter().map(|sender| keep_sending(&app, sender, &stop));
            futures_util::future::join_all(going).await;
        }
        // It was refused at the start; a file may be gone since.
        Err(error) => tracing::error!(
            error = %crate::problem::chain(&error),
            "events are not exported until the next start"
        ),
    }
}

async fn keep_sending(app: &App, mut sender: Sender, stop: &CancellationToken) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        loop {
            match send(app, &mut sender, stop).await {
                Ok(Step::More) if !stop.is_cancelled() => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    sink = sender.sink().as_str(),
                    error = %crate::problem::chain(&error),
                    "events could not be exported"
                ),
            }
            break;
        }
    }
}

/// Takes one step with every sink.
pub async fn step(app: &App, senders: &mut Senders) -> onesql::Result<Step> {
    let (mut all, stop) = (Step::Rest, CancellationToken::new());
    for sender in &mut senders.0 {
        if send(app, sender, &stop).await? == Step::More {
            all = Step::More;
        }
    }
    Ok(all)
}

async fn send(app: &App, sender: &mut Sender, stop: &CancellationToken) -> onesql::Result<Step> {
    let (sink, now) = (sender.sink(), app.world.now());
    if let Sender::Syslog(syslog) = sender
        && let Some(from) = syslog.lost_from(now)
    {
        sql::back(&app.store, sink, from).await?;
        syslog.found();
    }
    let cursor = sql::cursor(&app.store, sink).await?;
    if cursor.next_attempt_at.is_some_and(|at| at > now) {
        return Ok(Step::Rest);
    }
    let due = sql::behind(&app.store, cursor.seq, BATCH).await?;
    let risen = sql::risen(&app.store, sink, BATCH).await?;
    if due.is_empty() && risen.is_empty() || !leases::take(app, sender.lease(), LEASE).await? {
        return Ok(Step::Rest);
    }
    // The node that had the lease may have gone on.
    if sql::cursor(&app.store, sink).await? != cursor {
        return Ok(Step::More);
    }
    let stands = give(app, sender, &due, cursor, stop).await?;
    if stands.attempts > 0 {
        return Ok(Step::Rest);
    }
    raise(app, sender, &risen, stop).await?;
    Ok(Step::More)
}

/// Gives the events that are due, and returns where the sink stands then.
async fn give(
    app: &App,
    sender: &mut Sender,
    due: &[Sealed],
    cursor: Cursor,
    stop: &CancellationToken,
) -> onesql::Result<Cursor> {
    let sink = sender.sink();
    let (mut stands, mut dead) = (cursor.clone(), Vec::new());
    // Whoever has trouble is asked once.
    let at_once = if cursor.attempts > 0 { 1 } else { AT_ONCE };
    let mut given = sender.give(due, at_once, app, stop);
    while let Some((sealed, taken)) = given.next().await {
        count(app, sink, taken.is_ok());
        if let Err(failure) = &taken {
            let (event, why) = (sealed.entry.id, failure.why());
            tracing::warn!(sink = sink.as_str(), %event, why, "an event was not taken");
            match rules::judge(failure, &stands, app.world.now()) {
                Next::Bury => dead.push((sealed.seq, why.to_owned())),
                Next::Again(again) => {
                    stands = again;
                    break;
                }
            }
        }
        stands = Cursor::at(sealed.seq);
    }
    drop(given);
    if stands == cursor {
        return Ok(stands);
    }
    let mut tx = app.store.write().await?;
    // Else somebody had events given again, and all of this is.
    if sql::stand(&mut tx, sink, cursor.seq, &stands).await? {
        for (seq, why) in dead {
            sql::bury(&mut tx, sink, seq, &why, app.world.now()).await?;
        }
        tx.commit().await?;
    }
    Ok(stands)
}

/// Sends dead letters again; one that is not taken now is dead again.
async fn raise(
    app: &App,
    sender: &mut Sender,
    risen: &[Sealed],
    stop: &CancellationToken,
) -> onesql::Result<()> {
    let sink = sender.sink();
    let mut given = sender.give(risen, 1, app, stop);
    while let Some((sealed, taken)) = given.next().await {
        count(app, sink, taken.is_ok());
        let mut tx = app.store.write().await?;
        match taken {
            Ok(()) => sql::forget(&mut tx, sink, sealed.seq).await?,
            Err(failure) => {
                sql::bury(&mut tx, sink, sealed.seq, failure.why(), app.world.now()).await?;
            }
        }
        tx.commit().await?;
    }
    Ok(())
}

fn count(app: &App, sink: Sink, taken: bool) {
    let outcome = if taken { "taken" } else { "failed" };
    app.metrics.exports.get_or_create(&ExportOutcome { sink: sink.as_str(), outcome }).inc();
}
