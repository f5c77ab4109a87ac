//! What the checks ask of the database, and what is remembered of them.

use onesql::{Json, Result, Sql, Store, Tx};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::board::{Change, Row};
use super::check::Scope;
use super::finding::Finding;
use super::standing::Standing;
use crate::kernel::{AuditId, ChangeId, NodeId, Timestamp};

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

/// Writes down what one node found out for all.
pub(super) async fn note_result(
    tx: &mut Tx,
    row: &Row,
    finding: &Finding,
    node: NodeId,
    now: Timestamp,
) -> Result<()> {
    const NOTE: &str =
        "INSERT INTO check_results (check_id, standing, since, checked_at, node_id, finding)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (check_id) DO UPDATE
         SET standing = excluded.standing, since = excluded.since,
             checked_at = excluded.checked_at, node_id = excluded.node_id,
             finding = excluded.finding
         WHERE check_results.checked_at <= excluded.checked_at";
    tx.query(NOTE)
        .bind(finding.id.to_owned())
        .bind(row.track.standing)
        .bind(row.since.unwrap_or(now))
        .bind(now)
        .bind(node)
        .bind(Json(serde_json::to_value(finding).expect("a finding is plain data")))
        .execute()
        .await?;
    Ok(())
}

/// What a node found out for all.
#[derive(sqlx::FromRow)]
pub(super) struct StoredResult {
    pub(super) check_id: String,
    pub(super) standing: Standing,
    pub(super) since: Timestamp,
    pub(super) checked_at: Timestamp,
    pub(super) finding: Json<Value>,
}

/// Reads what was found out for all.
pub(super) async fn results(store: &Store) -> Result<Vec<StoredResult>> {
    let mut tx = store.glance().await?;
    tx.query("SELECT check_id, standing, since, checked_at, finding FROM check_results").all().await
}

/// Writes down a change; returns false if it was written down before, by another node that believed
/// that it looks for all.
pub(super) async fn insert_change(
    tx: &mut Tx,
    id: ChangeId,
    change: &Change,
    node: NodeId,
) -> Result<bool> {
    const INSERT: &str =
        "INSERT INTO check_changes (id, check_id, node_id, at, was, became, finding, since)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8
         WHERE NOT EXISTS (SELECT 1 FROM check_changes WHERE check_id = $2 AND $9 = 1
                           AND became = $6 AND at = (SELECT MAX(at) FROM check_changes
                                                     WHERE check_id = $2))";
    let about = change.entry.about;
    let rows = tx
        .query(INSERT)
        .bind(id)
        .bind(about.id.to_owned())
        .bind(node)
        .bind(change.at)
        .bind(change.was)
        .bind(change.became)
        .bind(Json(serde_json::to_value(&change.finding).expect("a finding is plain data")))
        .bind(change.since)
        .bind(i64::from(about.scope == Scope::Service))
        .execute()
        .await?;
    Ok(rows == 1)
}

/// What was believed of a check, and what came to be.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastChange {
    /// Which check.
    check: String,
    /// Which node saw it.
    node: NodeId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What was believed.
    was: Standing,
    /// What came to be.
    became: Standing,
    /// What was seen.
    #[schema(value_type = Object)]
    finding: Value,
}

/// Lists what changed, newest first.
pub(super) async fn changes(store: &Store, at_most: i64) -> Result<Vec<PastChange>> {
    const CHANGES: &str = "SELECT check_id, node_id, at, was, became, finding FROM check_changes
                           ORDER BY id DESC LIMIT $1";
    type Stored = (String, NodeId, Timestamp, Standing, Standing, Json<Value>);
    let rows: Vec<Stored> = store.glance().await?.query(CHANGES).bind(at_most).all().await?;
    let past = |(check, node, at, was, became, finding): Stored| PastChange {
        check,
        node,
        at,
        was,
        became,
        finding: finding.0,
    };
    Ok(rows.into_iter().map(past).collect())
}

/// Forgets what changed before `before`, up to `at_most` rows, and returns how many.
pub(super) async fn purge(tx: &mut Tx, before: Timestamp, at_most: i64) -> Result<u64> {
    const PURGE: &str = "DELETE FROM check_changes WHERE id IN
        (SELECT id FROM check_changes WHERE at < $1 LIMIT $2)";
    tx.query(PURGE).bind(before).bind(at_most).execute().await
}

/// Changes an audit event, if that can be done.
pub(super) const CHANGE_EVENT: &str = "UPDATE audit_events SET code = 'CHANGED' WHERE id = $1";
/// Deletes an audit event, if that can be done.
pub(super) const DELETE_EVENT: &str = "DELETE FROM audit_events WHERE id = $1";

/// Writes an audit event that is never committed.
pub(super) async fn insert_probe(tx: &mut Tx, id: AuditId, now: Timestamp) -> Result<()> {
    tx.query("INSERT INTO audit_events (id, at, code, data) VALUES ($1, $2, 'PROBE', '{}')")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// The role that a PostgreSQL server sees.
#[derive(sqlx::FromRow)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) superuser: bool,
    pub(super) may_create: bool,
    /// Whether only triggers keep it from changing what happened.
    pub(super) may_rewrite: bool,
}

/// Asks a PostgreSQL server who we are.
pub(super) async fn role(store: &Store) -> Result<Role> {
    const ROLE: Sql = postgres(
        "SELECT CAST(rolname AS TEXT) AS name, rolsuper AS superuser,
                has_schema_privilege(current_schema(), 'CREATE') AS may_create,
                has_table_privilege('audit_events', 'UPDATE')
                    OR has_table_privilege('audit_events', 'DELETE')
                    OR has_table_privilege('audit_links', 'UPDATE')
                    OR has_table_privilege('audit_links', 'DELETE') AS may_rewrite
         FROM pg_roles WHERE rolname = current_user",
    );
    store.glance().await?.query(ROLE).one().await
}

/// Asks five times which server process answers, without a transaction.
pub(super) async fn backends(store: &Store) -> Result<Vec<i64>> {
    const BACKEND: Sql = postgres("SELECT CAST(pg_backend_pid() AS BIGINT)");
    let mut tx = store.glance().await?;
    let mut backends = Vec::new();
    for _ in 0..5 {
        backends.push(tx.query(BACKEND).one::<(i64,)>().await?.0);
    }
    Ok(backends)
}

/// How many connections a PostgreSQL server takes, and how many others hold.
#[derive(sqlx::FromRow)]
pub(super) struct Room {
    pub(super) at_most: i64,
    pub(super) others: i64,
}

/// Asks a PostgreSQL server how much room it has.
pub(super) async fn room(store: &Store) -> Result<Room> {
    const ROOM: Sql = postgres(
        "SELECT CAST(current_setting('max_connections') AS BIGINT)
                - CAST(current_setting('superuser_reserved_connections') AS BIGINT) AS at_most,
                (SELECT COUNT(*) FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND application_name <> 'authshield') AS others",
    );
    store.glance().await?.query(ROOM).one().await
}

/// Returns the version of the collation that the database was made with, and that of today.
pub(super) async fn collation(store: &Store) -> Result<(Option<String>, Option<String>)> {
    const COLLATION: Sql = postgres(
        "SELECT datcollversion, pg_database_collation_actual_version(oid)
         FROM pg_database WHERE datname = current_database()",
    );
    store.glance().await?.query(COLLATION).one().await
}

/// Who there is.
#[derive(sqlx::FromRow)]
pub(super) struct People {
    pub(super) users: i64,
    pub(super) admins: i64,
    pub(super) links: i64,
}

/// Counts accounts, administrators that can sign in, and links to become the first one.
pub(super) async fn administrators(store: &Store, now: Timestamp) -> Result<People> {
    const PEOPLE: &str = "SELECT
        (SELECT COUNT(*) FROM users) AS users,
        (SELECT COUNT(*) FROM users AS u JOIN user_roles AS r ON r.user_id = u.id
         WHERE r.role = 'admin' AND u.disabled_at IS NULL AND u.email_verified_at IS NOT NULL) AS admins,
        (SELECT COUNT(*) FROM link_tokens
         WHERE purpose = 'setup' AND used_at IS NULL AND expires_at > $1) AS links";
    store.glance().await?.query(PEOPLE).bind(now).one().await
}

/// Who has a passkey.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct Holders {
    pub(super) people: i64,
    pub(super) admins: i64,
}

/// Counts accounts that a passkey opens, and administrators among them.
pub(super) async fn passkey_holders(store: &Store) -> Result<Holders> {
    const HOLDERS: &str = "SELECT
        (SELECT COUNT(*) FROM users AS u
         WHERE u.disabled_at IS NULL AND u.recovery_since IS NULL
           AND EXISTS (SELECT 1 FROM passkeys AS p WHERE p.user_id = u.id)) AS people,
        (SELECT COUNT(*) FROM users AS u JOIN user_roles AS r ON r.user_id = u.id
         WHERE r.role = 'admin' AND u.disabled_at IS NULL AND u.recovery_since IS NULL
           AND EXISTS (SELECT 1 FROM passkeys AS p WHERE p.user_id = u.id)) AS admins";
    store.glance().await?.query(HOLDERS).one().await
}
