//! The schema of both databases, and which programs fit which schema.
//!
//! Every migration says, in the comments at its head, what it is for (`phase`), the oldest program
//! that works with it (`oldest`) and the strongest lock it takes (`lock`). The first two are kept in
//! the database as well. So when a newer version migrated it, an older program that is still needed,
//! in the middle of a roll-out or after a roll-back, knows whether it may go on.

mod notes;
mod sql;

use std::time::Duration;

use onesql::{Error, Migrations, Patience, Result, Store, Timestamp};

pub use notes::{Lock, Note, Phase, Version};

use crate::kernel::NodeId;

/// How often a program says that it lives is for the chores: once a minute. One that was silent for
/// this long is taken for dead.
const SILENCE: Duration = Duration::from_mins(3);
/// How long the dead are remembered.
const REMEMBERED: Duration = Duration::from_hours(24);
/// The migration that made the table of those who live.
const INSTANCES: i64 = 10;

/// A program that uses the database.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Instance {
    /// Which node.
    pub node_id: NodeId,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
}

/// Says that this program lives; those who did not say so for long are forgotten.
pub async fn beat(store: &Store, node: NodeId, now: Timestamp) -> Result<()> {
    let mut tx = store.write().await?;
    sql::beat(&mut tx, node, env!("CARGO_PKG_VERSION"), now).await?;
    sql::forget(&mut tx, now - REMEMBERED).await?;
    tx.commit().await
}

/// Says that this program ends.
pub async fn leave(store: &Store, node: NodeId) -> Result<()> {
    let mut tx = store.write().await?;
    sql::leave(&mut tx, node).await?;
    tx.commit().await
}

/// Returns the programs that use the database at present.
pub async fn instances(store: &Store, now: Timestamp) -> Result<Vec<Instance>> {
    if !store.applied_migrations().await?.contains(&INSTANCES) {
        return Ok(Vec::new());
    }
    sql::alive(&mut store.glance().await?, now - SILENCE).await
}

/// Every migration there is.
#[must_use]
pub fn migrations() -> Migrations {
    Migrations {
        sqlite: sqlx::migrate!("migrations/sqlite"),
        postgres: sqlx::migrate!("migrations/postgres"),
    }
}

/// Returns what every migration says of itself, by its number.
#[must_use]
pub fn notes() -> Vec<(i64, Note)> {
    notes_of(&migrations())
}

fn notes_of(migrations: &Migrations) -> Vec<(i64, Note)> {
    let texts = migrations.postgres.iter().map(|one| (one.version, one.sql.as_str()));
    texts.map(|(version, text)| (version, Note::read(text).unwrap_or(Note::FIRST))).collect()
}

/// Counts the migrations that the database lacks; a database that is too new is an error.
pub async fn pending(store: &Store) -> Result<usize> {
    let migrations = fitting(store).await?;
    let status = store.migration_status(&migrations).await?;
    Ok(status.iter().filter(|migration| !migration.applied).count())
}

/// Brings the database up to date; one that is too new is an error.
pub async fn migrate(store: &Store) -> Result<()> {
    let migrations = fitting(store).await?;
    store.migrate(&migrations).await?;
    note(store).await
}

/// Brings a database up to date that others may be using: what takes away what one of them still needs
/// waits until it is gone, and so does all that comes behind it.
pub async fn upgrade(store: &Store, now: Timestamp) -> Result<()> {
    let migrations = fitting(store).await?;
    let held_up = bring(store, &migrations, now).await;
    note(store).await?;
    held_up
}

/// The same with these migrations.
pub async fn bring(store: &Store, migrations: &Migrations, now: Timestamp) -> Result<()> {
    let alive = instances(store, now).await?;
    let applied = store.applied_migrations().await?;
    let mut pending: Vec<_> = notes_of(migrations)
        .into_iter()
        .filter(|(version, _)| !applied.contains(version))
        .collect();
    pending.sort_unstable_by_key(|(version, _)| *version);
    let needs = |note: &Note| {
        let old = |one: &&Instance| {
            // Who does not say which version it is may be any.
            one.version.parse::<Version>().map_or(true, |version| version < note.oldest)
        };
        (note.phase == Phase::Contract).then(|| alive.iter().find(old)).flatten()
    };
    let held_up = pending.iter().position(|(_, note)| needs(note).is_some());
    let Some(at) = held_up else {
        return store.migrate_to(migrations, None, &Patience::default()).await;
    };
    if let Some((before, _)) = at.checked_sub(1).map(|before| pending[before]) {
        store.migrate_to(migrations, Some(before), &Patience::default()).await?;
    }
    let (version, note) = pending[at];
    let one = needs(&note).expect("it holds the migration up");
    Err(Error::Migration(format!(
        "migration {version} takes away what version {} still needs, and node {} of it was seen at {}: \
         stop every node older than {}, wait {} minutes if it could not say good-bye, and run this again",
        one.version,
        one.node_id,
        one.seen_at.to_minute(),
        note.oldest,
        SILENCE.as_secs() / 60
    )))
}

/// Brings an empty database to the schema of a backup: what came after is for [`migrate`].
pub async fn migrate_to(store: &Store, version: i64) -> Result<()> {
    store.migrate_to(&migrations(), Some(version), &Patience::default()).await
}

/// Returns the migrations, and lets them bear newer ones in the database that bear this program.
///
/// Of a newer one that says nothing, nothing can be known: it is refused.
pub async fn fitting(store: &Store) -> Result<Migrations> {
    let mut migrations = migrations();
    let applied = store.applied_migrations().await?;
    let known = |version: &&i64| migrations.postgres.version_exists(**version);
    let newer: Vec<i64> = applied.iter().filter(|version| !known(version)).copied().collect();
    if newer.is_empty() {
        return Ok(migrations);
    }
    let told = sql::oldest(&mut store.glance().await?).await.unwrap_or_default();
    let own = Version::own();
    for version in &newer {
        let oldest = told.iter().find(|(known, _)| known == version);
        let Some(oldest) = oldest.and_then(|(_, oldest)| oldest.parse::<Version>().ok()) else {
            return Err(too_new(*version, "does not say which older versions work with it"));
        };
        if oldest > own {
            return Err(too_new(*version, &format!("works with version {oldest} and newer")));
        }
    }
    migrations.sqlite.set_ignore_missing(true);
    migrations.postgres.set_ignore_missing(true);
    Ok(migrations)
}

/// Returns whether a newer version migrated the database.
pub async fn is_newer(store: &Store) -> Result<bool> {
    let known = migrations().postgres;
    Ok(store.applied_migrations().await?.iter().any(|version| !known.version_exists(*version)))
}

fn too_new(version: i64, why: &str) -> Error {
    Error::Migration(format!(
        "the database has migration {version}, which this version ({}) does not know and which {why}: \
         it was upgraded by a newer AuthShield. Run that version, or restore a backup",
        Version::own()
    ))
}

/// Writes down what the migrations say that the database has.
async fn note(store: &Store) -> Result<()> {
    let applied = store.applied_migrations().await?;
    let told = sql::oldest(&mut store.glance().await?).await?;
    let new: Vec<_> = notes()
        .into_iter()
        .filter(|(version, note)| {
            let written = (*version, note.oldest.to_string());
            applied.contains(version) && !told.contains(&written)
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let mut tx = store.write().await?;
    for (version, note) in new {
        sql::write_note(&mut tx, version, note).await?;
    }
    tx.commit().await
}
