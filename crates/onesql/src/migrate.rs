use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::store::{Database, Store};
use crate::{Error, Result, Sql};

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

/// How long to wait for somebody else who is migrating.
const WAIT: &str = "10s";
/// [`WAIT`], and the usual patience afterwards, in the words of SQLite.
const WAIT_SQLITE: [&str; 2] = ["PRAGMA busy_timeout = 10000", "PRAGMA busy_timeout = 1500"];

impl Store {
    /// Brings the schema up to date; of several that try at once, one works and the others wait.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<()> {
        match &*self.on {
            Database::Sqlite(file) => {
                let mut lane = file.writer.alone().await?;
                lane.connection.execute(WAIT_SQLITE[0]).await?;
                let outcome = migrate_file(&migrations.sqlite, &mut lane.connection).await;
                lane.connection.execute(WAIT_SQLITE[1]).await?;
                outcome
            }
            Database::Postgres(server) => {
                let mut connection = server.pool.acquire().await?;
                // Whatever happens: the lock and the setting end with the connection.
                connection.close_on_drop();
                sqlx::query("SELECT set_config('lock_timeout', $1, FALSE)")
                    .bind(WAIT)
                    .execute(&mut *connection)
                    .await?;
                migrations
                    .postgres
                    .run_direct(None, &mut *connection as &mut PgConnection, false)
                    .await
                    .map_err(explain)
            }
        }
    }

    /// Returns every known migration and whether the database has it; a database that is newer than
    /// the program, or was made by another text of a migration, is an error. Writes nothing.
    pub async fn migration_status(&self, migrations: &Migrations) -> Result<Vec<MigrationStatus>> {
        const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
        let mut tx = self.read().await?;
        let (there,): (i64,) = tx
            .query(Sql {
                sqlite: "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'",
                postgres: "SELECT COUNT(to_regclass('_sqlx_migrations'))",
            })
            .one()
            .await?;
        let applied: Vec<(i64, Vec<u8>)> =
            if there == 0 { Vec::new() } else { tx.query(APPLIED).all().await? };
        let known = match &*self.on {
            Database::Sqlite(_) => &migrations.sqlite,
            Database::Postgres(_) => &migrations.postgres,
        };
        if let Some((newer, _)) =
            applied.iter().find(|(version, _)| !known.version_exists(*version))
        {
            return Err(explain(MigrateError::VersionMissing(*newer)));
        }
        let differs = |migration: &&sqlx::migrate::Migration| {
            let same = |(version, checksum): &(i64, Vec<u8>)| {
                *version != migration.version || checksum[..] == migration.checksum[..]
            };
            !applied.iter().all(same)
        };
        if let Some(changed) = known.iter().find(differs) {
            return Err(explain(MigrateError::VersionMismatch(changed.version)));
        }
        Ok(known
            .iter()
            .map(|migration| MigrationStatus {
                version: migration.version,
                name: migration.description.to_string(),
                applied: applied.iter().any(|(version, _)| *version == migration.version),
            })
            .collect())
    }
}

/// Migrates the file in one transaction: all of it or nothing.
async fn migrate_file(migrator: &Migrator, connection: &mut SqliteConnection) -> Result<()> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    migrator.run_direct(None, &mut *tx as &mut SqliteConnection, false).await.map_err(explain)?;
    tx.commit().await?;
    Ok(())
}
