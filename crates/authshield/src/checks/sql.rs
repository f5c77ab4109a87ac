//! What the checks ask of the database.

use onesql::{Result, Sql, Store};

use crate::kernel::Timestamp;

/// A text for PostgreSQL alone.
const fn postgres(sql: &'static str) -> Sql {
    Sql { sqlite: "", postgres: sql }
}

/// A text for SQLite alone.
const fn sqlite(sql: &'static str) -> Sql {
    Sql { sqlite: sql, postgres: "" }
}

/// What a PostgreSQL server says of itself and of a connection to it.
#[derive(sqlx::FromRow)]
pub(super) struct Server {
    pub(super) version: i64,
    pub(super) version_text: String,
    pub(super) encrypted: bool,
}

/// Asks a PostgreSQL server which it is, and whether it sees an encrypted connection.
pub(super) async fn server(store: &Store) -> Result<Server> {
    const SERVER: Sql = postgres(
        "SELECT CAST(current_setting('server_version_num') AS BIGINT) AS version,
                current_setting('server_version') AS version_text,
                COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), FALSE)
                    AS encrypted",
    );
    store.glance().await?.query(SERVER).one().await
}

/// Asks a PostgreSQL server for its time, in microseconds since 1970.
pub(super) async fn server_clock(store: &Store) -> Result<i64> {
    const CLOCK: Sql =
        postgres("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)");
    Ok(store.glance().await?.query(CLOCK).one::<(i64,)>().await?.0)
}

/// Returns when the newest audit event happened, by the clock of whoever wrote it.
pub(super) async fn newest_event(store: &Store) -> Result<Option<Timestamp>> {
    const NEWEST: &str = "SELECT at FROM audit_events ORDER BY id DESC LIMIT 1";
    let newest: Option<(Timestamp,)> = store.glance().await?.query(NEWEST).optional().await?;
    Ok(newest.map(|(at,)| at))
}

/// Returns what a PostgreSQL server promises about commits: setting and value.
pub(super) async fn durability(store: &Store) -> Result<Vec<(String, String)>> {
    const SETTINGS: Sql = postgres(
        "SELECT CAST(name AS TEXT), CAST(setting AS TEXT) FROM pg_settings
         WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')
         ORDER BY name",
    );
    store.glance().await?.query(SETTINGS).all().await
}

/// What an embedded file says of itself.
pub(super) struct File {
    pub(super) journal_mode: String,
}

/// Asks the file how it is written.
pub(super) async fn file(store: &Store) -> Result<File> {
    let mut tx = store.glance().await?;
    let (journal_mode,): (String,) = tx.query(sqlite("PRAGMA journal_mode")).one().await?;
    Ok(File { journal_mode })
}

/// Looks through the file for damage: `ok`, or the first that was found.
pub(super) async fn quick_check(store: &Store) -> Result<String> {
    let mut tx = store.glance().await?;
    Ok(tx.query(sqlite("PRAGMA quick_check(1)")).one::<(String,)>().await?.0)
}
