//! Fresh databases, and the people in them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use authshield::schema;
use authshield::world::{Real, World};
use onesql::{Options, Sql, Store};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    /// With the address of a server and who may make databases there.
    Postgres(String),
}

impl Kind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// A database that nobody else uses; it is gone when this is dropped.
pub(crate) struct Base {
    pub(crate) url: String,
    kind: Kind,
    name: String,
}

impl Base {
    /// Makes an empty one, in `folder` if it is a file.
    pub(crate) fn create(kind: &Kind, folder: &Path) -> Result<Self> {
        let name = format!("authshield_bench_{}", random_id().simple());
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}", folder.join(&name).display()),
            Kind::Postgres(server) => {
                on_server(server, format!("CREATE DATABASE {name}"))?;
                let (before, query) = server.split_once('?').unwrap_or((server, ""));
                let (authority, _) =
                    before.rsplit_once('/').context("the server's address names no database")?;
                let mark = if query.is_empty() { "" } else { "?" };
                format!("{authority}/{name}{mark}{query}")
            }
        };
        Ok(Self { url, kind: kind.clone(), name })
    }

    /// Makes one in which `users` have accounts, all with the same hash of their password.
    pub(crate) fn with_users(kind: &Kind, folder: &Path, users: u32, hash: &str) -> Result<Self> {
        let base = Self::create(kind, folder)?;
        runtime()?
            .block_on(async {
                let store = base.open(1).await?;
                store.migrate(&schema::migrations()).await?;
                let now = Real.now();
                let mut tx = store.write().await?;
                tx.query(USERS)
                    .bind(i64::from(users))
                    .bind(hash.to_owned())
                    .bind(now)
                    .execute()
                    .await?;
                tx.query(
                    "INSERT INTO user_roles (user_id, role, granted_by, granted_at)
                 SELECT id, 'user', NULL, $1 FROM users",
                )
                .bind(now)
                .execute()
                .await?;
                if let Kind::Postgres(_) = kind {
                    // The server would do so by itself, a minute later.
                    tx.query("ANALYZE").execute().await?;
                }
                tx.commit().await?;
                Ok(())
            })
            .map(|()| base)
    }

    /// Opens it as the service would, but patient.
    pub(crate) async fn open(&self, connections: u32) -> Result<Store> {
        let mut options = Options::parse(&self.url)?;
        options.connections = connections;
        options.at_most = Duration::from_mins(2);
        Ok(Store::open(&options).await?)
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let Kind::Postgres(server) = &self.kind else { return };
        let name = &self.name;
        if on_server(server, format!("DROP DATABASE {name} WITH (FORCE)")).is_err() {
            eprintln!("bench: the database {name} was left behind");
        }
    }
}

/// Makes accounts out of nothing but numbers. Their ids are random, which is the worst case for an
/// index; the service makes them in the order of time.
const USERS: Sql = Sql {
    sqlite: "WITH RECURSIVE numbers (n) AS
                 (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < $1)
             INSERT INTO users (id, email, full_name, locale, password_hash, email_verified_at,
                                password_changed_at, created_at, updated_at)
             SELECT randomblob(16), 'user' || n || '@example.org', 'Some Body', 'en', $2, $3, $3, $3,
                    $3
             FROM numbers",
    postgres: "INSERT INTO users (id, email, full_name, locale, password_hash, email_verified_at,
                                  password_changed_at, created_at, updated_at)
               SELECT gen_random_uuid(), 'user' || n || '@example.org', 'Some Body', 'en', $2, $3, $3,
                      $3, $3
               FROM generate_series(0, $1 - 1) AS n",
};

/// Lets `look` see the process of the server at `url` that serves us.
pub(crate) fn served_by<T>(url: &str, look: impl FnOnce(u32) -> Result<T>) -> Result<T> {
    runtime()?.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let id: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
        let seen = look(u32::try_from(id)?);
        connection.close().await?;
        seen
    })
}

/// Runs one statement on the server.
fn on_server(server: &str, statement: String) -> Result<()> {
    runtime()?.block_on(async {
        let mut connection = PgConnection::connect(server).await?;
        connection.execute(AssertSqlSafe(statement)).await?;
        connection.close().await?;
        Ok(())
    })
}

/// A runtime with a thread per core.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Makes an id that nothing else has.
pub(crate) fn random_id() -> Uuid {
    let mut bytes = [0; 16];
    Real.fill(&mut bytes);
    Uuid::from_bytes(bytes)
}
