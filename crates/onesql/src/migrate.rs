use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, Executor, SqliteConnection};

use crate::postgres::Server;
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

/// How a migration on a server waits for those who use the tables.
///
/// PostgreSQL queues everything behind a lock that is waited for, so a harmless new column that waits
/// for a long query stops the table for everybody. A migration therefore gives up soon, lets the queue
/// go, and tries again.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How long a lock is waited for.
    pub lock: Duration,
    /// How long one statement may take.
    pub statement: Duration,
    /// How often it is tried.
    pub tries: u32,
    /// How long is waited between tries; up to half of it is added by chance.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            lock: Duration::from_secs(3),
            statement: Duration::from_mins(5),
            tries: 10,
            pause: Duration::from_secs(2),
        }
    }
}

impl Patience {
    /// The pause after a try, with chance in it: several that wait do not come back together.
    fn pause(&self) -> Duration {
        let chance = RandomState::new().build_hasher().finish();
        let most = u64::try_from(self.pause.as_millis() / 2).unwrap_or(u64::MAX);
        self.pause + Duration::from_millis(chance % most.saturating_add(1))
    }
}

/// How long to wait for somebody else who is migrating, and the usual patience afterwards, in the
/// words of SQLite.
const WAIT_SQLITE: [&str; 2] = ["PRAGMA busy_timeout = 10000", "PRAGMA busy_timeout = 1500"];

impl Store {
    /// Brings the schema up to date; of several that try at once, one works and the others wait.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<()> {
        self.migrate_to(migrations, None, &Patience::default()).await
    }

    /// Brings the schema up to `target`, or up to date.
    pub async fn migrate_to(
        &self,
        migrations: &Migrations,
        target: Option<i64>,
        patience: &Patience,
    ) -> Result<()> {
        match &*self.on {
            Database::Sqlite(file) => {
                let mut lane = file.writer.alone().await?;
                lane.connection.execute(WAIT_SQLITE[0]).await?;
                let outcome = migrate_file(&migrations.sqlite, target, &mut lane.connection).await;
                lane.connection.execute(WAIT_SQLITE[1]).await?;
                outcome
            }
            Database::Postgres(server) => {
                let mut tries = 1;
                loop {
                    let tried = migrate_server(server, migrations, target, patience).await;
                    match tried {
                        Err(error) if error.is_patience_exceeded() && tries < patience.tries => {
                            let pause = patience.pause();
                            tracing::warn!(
                                tries,
                                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                                "a migration gave up: a table is in use, or another one migrates; it \
                                 is tried again"
                            );
                            tokio::time::sleep(pause).await;
                            tries += 1;
                        }
                        Err(error) if error.is_patience_exceeded() => {
                            return Err(Error::Migration(format!(
                                "{tries} times, a migration did not get a lock within {:?} or took \
                                 longer than {:?}, and gave up so that the service goes on. Nothing \
                                 was changed. See in pg_stat_activity who uses the tables for so \
                                 long, and run it again",
                                patience.lock, patience.statement
                            )));
                        }
                        outcome => return outcome,
                    }
                }
            }
        }
    }

    /// Returns the numbers of the migrations that the database has, whoever made them. Writes nothing.
    pub async fn applied_migrations(&self) -> Result<Vec<i64>> {
        const APPLIED: &str = "SELECT version FROM _sqlx_migrations ORDER BY version";
        let mut tx = self.read().await?;
        let (there,): (i64,) = tx
            .query(Sql {
                sqlite: "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'",
                postgres: "SELECT COUNT(to_regclass('_sqlx_migrations'))",
            })
            .one()
            .await?;
        if there == 0 {
            return Ok(Vec::new());
        }
        let applied: Vec<(i64,)> = tx.query(APPLIED).all().await?;
        Ok(applied.into_iter().map(|(version,)| version).collect())
    }

    /// Returns every known migration and whether the database has it; a database that was made by
    /// another text of a migration is an error, and so is one that is newer than the program, unless
    /// the migrations say that they bear it. Writes nothing.
    pub async fn migration_status(&self, migrations: &Migrations) -> Result<Vec<MigrationStatus>> {
        const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
        let none = self.applied_migrations().await?.is_empty();
        let mut tx = self.read().await?;
        let applied: Vec<(i64, Vec<u8>)> =
            if none { Vec::new() } else { tx.query(APPLIED).all().await? };
        let known = match &*self.on {
            Database::Sqlite(_) => &migrations.sqlite,
            Database::Postgres(_) => &migrations.postgres,
        };
        let newer = applied.iter().find(|(version, _)| !known.version_exists(*version));
        if let Some((newer, _)) = newer.filter(|_| !known.ignore_missing) {
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
async fn migrate_file(
    migrator: &Migrator,
    target: Option<i64>,
    connection: &mut SqliteConnection,
) -> Result<()> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let connection = &mut *tx as &mut SqliteConnection;
    migrator.run_direct(target, connection, false).await.map_err(explain)?;
    tx.commit().await?;
    Ok(())
}

async fn migrate_server(
    server: &Server,
    migrations: &Migrations,
    target: Option<i64>,
    patience: &Patience,
) -> Result<()> {
    // For this alone: the lock and the settings end with the connection, whatever happens.
    let mut connection = server.alone().await?;
    sqlx::query(
        "SELECT set_config('lock_timeout', $1, FALSE), set_config('statement_timeout', $2, FALSE),
                set_config('enable_seqscan', 'on', FALSE)",
    )
    .bind(format!("{}ms", patience.lock.as_millis()))
    .bind(format!("{}ms", patience.statement.as_millis()))
    .execute(&mut connection)
    .await?;
    migrations.postgres.run_direct(target, &mut connection, false).await.map_err(explain)
}
