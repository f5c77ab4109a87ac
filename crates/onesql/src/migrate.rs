use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::store::{Database, Store};
use crate::{Error, Result};

/// The schema of both databases, as embedded by `sqlx::migrate!`: same versions, same names.
pub struct Migrations {
    /// For the embedded file.
    pub sqlite: Migrator,
    /// For the server.
    pub postgres: Migrator,
}

/// One migration, and whether the database has it.
#[derive(Debug, Clone)]
pub struct MigrationStatus {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Says who to blame: the words are for an operator.
fn explain(error: MigrateError) -> Error {
    Error::Migration(match error {
        MigrateError::VersionMissing(version) => format!(
            "the database has migration {version}, which this version does not know: it was \
             upgraded by a newer AuthShield. Run that version, or restore a backup"
        ),
        MigrateError::VersionMismatch(version) => format!(
            "migration {version} in the database differs from the one in this program. Run the \
             version that created it"
        ),
        MigrateError::Dirty(version) => {
            format!("migration {version} was begun and not finished. Restore a backup")
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            return error.into();
        }
        other => other.to_string(),
    })
}

impl Store {
    /// Brings the schema up to date; of several that try at once, one works and the others wait.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<()> {
        match &*self.on {
            Database::Sqlite(file) => {
                let mut lane = file.writer.alone().await?;
                let mut tx = lane.connection.begin_with("BEGIN IMMEDIATE").await?;
                migrations
                    .sqlite
                    .run_direct(None, &mut *tx as &mut SqliteConnection, false)
                    .await
                    .map_err(explain)?;
                tx.commit().await?;
            }
            Database::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                connection.execute("SET lock_timeout = '10s'").await?;
                let outcome = migrations
                    .postgres
                    .run_direct(None, &mut *connection as &mut PgConnection, false)
                    .await
                    .map_err(explain);
                connection.close_on_drop();
                outcome?;
            }
        }
        Ok(())
    }

    /// Returns every known migration and whether the database has it; a database that is newer than
    /// the program is an error.
    pub async fn migration_status(&self, migrations: &Migrations) -> Result<Vec<MigrationStatus>> {
        let (applied, known) = match &*self.on {
            Database::Sqlite(file) => {
                let mut lane = file.writer.alone().await?;
                (applied(&mut lane.connection).await?, &migrations.sqlite)
            }
            Database::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                (applied(&mut *connection).await?, &migrations.postgres)
            }
        };
        if let Some(newer) = applied.iter().find(|version| !known.version_exists(**version)) {
            return Err(explain(MigrateError::VersionMissing(*newer)));
        }
        Ok(known
            .iter()
            .map(|migration| MigrationStatus {
                version: migration.version,
                name: migration.description.to_string(),
                applied: applied.contains(&migration.version),
            })
            .collect())
    }
}

/// Lists the versions that the database has.
async fn applied<C: Migrate>(connection: &mut C) -> Result<Vec<i64>> {
    const TABLE: &str = "_sqlx_migrations";
    connection.ensure_migrations_table(TABLE).await.map_err(explain)?;
    let applied = connection.list_applied_migrations(TABLE).await.map_err(explain)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}
