//! The schema of both databases, and which programs fit which schema.
//!
//! Every migration says, in the comments at its head, what it is for (`phase`), the oldest program
//! that works with it (`oldest`) and the strongest lock it takes (`lock`). The first two are kept in
//! the database as well. So when a newer version migrated it, an older program that is still needed,
//! in the middle of a roll-out or after a roll-back, knows whether it may go on.

mod notes;
mod sql;

use onesql::{Error, Migrations, Patience, Result, Store};

pub use notes::{Lock, Note, Phase, Version};

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
    let migrations = migrations();
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
