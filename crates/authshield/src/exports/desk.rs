//! What operators ask about those who are given events, and have them given again.

use onesql::{Result, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Sink, sql};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::config::Config;
use crate::kernel::{Timestamp, UserId};
use crate::seals::written_at;
use crate::telemetry::metrics::Sink as SinkLabel;

/// How a sink does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExportStanding)]
pub struct Standing {
    /// Which.
    pub sink: Sink,
    /// How many sealed events it was not given yet.
    pub behind: i64,
    /// When the first of these happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub behind_since: Option<Timestamp>,
    /// Since when it fails, if it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// When it is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// What it said last.
    pub last_error: Option<String>,
    /// How many events it did not take.
    pub dead_letters: i64,
}

/// Lists how every sink does that is configured and was begun.
pub async fn standings(config: &Config, tx: &mut Tx) -> Result<Vec<Standing>> {
    let mut all = Vec::new();
    for sink in Sink::configured(config) {
        let Some(place) = sql::place(tx, sink).await? else { continue };
        all.push(Standing {
            sink,
            behind: place.behind,
            behind_since: place.first.map(written_at),
            failing_since: place.failing_since,
            next_attempt_at: place.next_attempt_at,
            last_error: place.last_error,
            dead_letters: place.dead_letters,
        });
    }
    Ok(all)
}

/// Says in the metrics how far each sink is behind, and how much it did not take.
pub async fn measure(app: &App, tx: &mut Tx) -> Result<()> {
    let now = app.world.now();
    for standing in standings(&app.config, tx).await? {
        let label = SinkLabel { sink: standing.sink.as_str() };
        let lag = standing.behind_since.map_or(0.0, |at| now.since(at).as_secs_f64());
        app.metrics.export_lag.get_or_create(&label).set(lag);
        app.metrics.export_dead_letters.get_or_create(&label).set(standing.dead_letters);
    }
    Ok(())
}

/// Has a sink given everything again that happened since `since`, or else its dead letters; returns how
/// many events that is, or nothing if it was never given one.
pub async fn replay(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    sink: Sink,
    since: Option<Timestamp>,
) -> Result<Option<u64>> {
    let mut tx = app.store.write().await?;
    let count = match since {
        Some(since) => sql::rewind(&mut tx, sink, since).await?,
        None => Some(sql::raise(&mut tx, sink, ctx.now).await?),
    };
    let Some(count) = count else { return Ok(None) };
    let event = Event::ExportReplayed { actor, sink: sink.as_str(), since, count };
    audit::record(&mut tx, app, ctx, &event).await?;
    tx.commit().await?;
    Ok(Some(count))
}

/// Forgets the dead letters of a sink, and returns how many there were.
pub async fn drop_dead_letters(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    sink: Sink,
) -> Result<u64> {
    let mut tx = app.store.write().await?;
    let count = sql::drop_all(&mut tx, sink).await?;
    let event = Event::ExportDeadLettersDropped { actor, sink: sink.as_str(), count };
    audit::record(&mut tx, app, ctx, &event).await?;
    tx.commit().await?;
    Ok(count)
}
