//! What the program was started with: each good start leaves a keyed fingerprint of every setting, and
//! the next one says what changed since.

use onesql::{Json, Result, Store};

use super::sql;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::config::{Changes, Effective, FingerprintKey, Fingerprints};
use crate::kernel::{StartId, Timestamp};

/// A good start, or a reload.
#[derive(Debug, Clone)]
pub struct Start {
    /// When.
    pub at: Timestamp,
    /// Of which version.
    pub version: String,
    /// One fingerprint for the whole configuration.
    pub digest: String,
    /// What it was.
    pub settings: Fingerprints,
    /// What changed since the one before.
    pub changes: Changes,
}

/// How many starts are remembered.
pub(super) const REMEMBERED: i64 = 200;

/// Compares a configuration with that of the last good start.
pub async fn drift(
    store: &Store,
    key: &FingerprintKey,
    effective: &[Effective],
) -> Result<Option<(Start, Changes)>> {
    let now = Fingerprints::of(effective, key);
    let last = last(store).await?;
    Ok(last.map(|last| {
        let changes = now.since(&last.settings);
        (last, changes)
    }))
}

/// Returns the last good starts, the newest first.
pub async fn starts(store: &Store, at_most: i64) -> Result<Vec<Start>> {
    sql::starts(&mut store.glance().await?, at_most).await
}

async fn last(store: &Store) -> Result<Option<Start>> {
    Ok(starts(store, 1).await?.into_iter().next())
}

/// Writes down that the program started well, or took a new configuration over, with `settings`; tells
/// what changed.
pub async fn note(app: &App, ctx: &Ctx, how: &'static str, settings: Fingerprints) -> Result<()> {
    let last = last(&app.store).await?;
    let changes = last.as_ref().map(|last| settings.since(&last.settings)).unwrap_or_default();
    let mut tx = app.store.write().await?;
    let digest = settings.digest();
    let start = Start {
        at: ctx.now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        digest: digest.clone(),
        settings,
        changes,
    };
    sql::insert_start(&mut tx, StartId::new(ctx.world()), &start).await?;
    sql::forget_starts(&mut tx, REMEMBERED).await?;
    if let Some(last) = last.filter(|_| !start.changes.is_empty()) {
        tracing::warn!(since = %last.at, "the configuration changed: {}", start.changes);
        let changed = Event::ConfigChanged { reason: how, changes: start.changes };
        audit::record(&mut tx, app, ctx, &changed).await?;
    }
    tx.commit().await?;
    app.metrics.describe(&app.config, &digest);
    Ok(())
}

/// A row as it is kept.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    pub(super) version: String,
    pub(super) digest: String,
    pub(super) settings: Json<Fingerprints>,
    pub(super) changes: Json<Changes>,
}

impl From<Row> for Start {
    fn from(row: Row) -> Self {
        Self {
            at: row.at,
            version: row.version,
            digest: row.digest,
            settings: row.settings.0,
            changes: row.changes.0,
        }
    }
}
