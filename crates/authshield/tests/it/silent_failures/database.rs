//! DB: the database.

use onesql::{Options, Sql, Store};

use super::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::{Program, Script, SmtpServer, on_postgres};

async fn store(program: &Program) -> Store {
    Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap()
}

pub(crate) async fn execute(program: &Program, sql: impl Into<Sql>) {
    let mut tx = store(program).await.write().await.unwrap();
    tx.query(sql).execute().await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told_and_holds_up_nothing() {
    let program = Program::embedded().database("postgres://ann@127.0.0.1:1/shield");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("DB-1", "fail", &["onnection refused", "AUTHSHIELD_DATABASE_URL"]);
    gate.has("DB-2", "skip", &["DB-1"]).has("KEY-3", "skip", &[]);
}

/// A server that takes connections and never answers.
#[tokio::test]
async fn a_silent_database_does_not_hold_up_the_gate() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let program = Program::embedded().database(&format!("postgres://ann@127.0.0.1:{port}/shield"));
    let began = std::time::Instant::now();
    let gate = Gate::of(&program, &["--deadline", "1"]).await;
    gate.ends(1).has("DB-1", "fail", &["no answer before the deadline"]);
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Operations 9, row 20
#[tokio::test]
async fn clocks_that_differ_are_told() {
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    Gate::of(&program, &[]).await.has("DB-4", "pass", &[]);
    let program = ahead(program).await;
    let fault = Fault::injected(20, "the database clock +60 s: the gate");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("DB-4", "fail", &["ahead of our", "clock"]);
    fault.found_by("preflight");
}

/// Puts the clock of the database a minute ahead: on PostgreSQL by a function that is found before the
/// server's own; the embedded file has no clock but that of its last writer.
pub(crate) async fn ahead(program: Program) -> Program {
    if on_postgres() {
        execute(
            &program,
            "CREATE FUNCTION clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE SQL AS
             $$ SELECT pg_catalog.clock_timestamp() + INTERVAL '60 seconds' $$",
        )
        .await;
        let url = format!("{},pg_catalog", program.database_url);
        return program.database(&url);
    }
    execute(
        &program,
        "INSERT INTO audit_events (id, at, code, data)
         VALUES (x'ffffffffffff7fffbfffffffffffffff', '9000-01-01T00:00:00.000000Z', 'LOGOUT', '{}')",
    )
    .await;
    program
}

/// Operations 9, row 34; attack L09
#[tokio::test]
async fn a_newer_database_under_an_older_program_is_told() {
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    execute(
        &program,
        "INSERT INTO _sqlx_migrations
             (version, description, installed_on, success, checksum, execution_time)
         SELECT 9000, 'from the future', installed_on, success, checksum, 0
         FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let fault = Fault::injected(34, "a newer database under an older program");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("DB-2", "fail", &["9000", "newer AuthShield"]);
    fault.found_by("preflight");
    program.run(&["serve"]).await.fails(1, &["9000", "newer AuthShield"]);
}

#[tokio::test]
async fn a_migration_that_was_another_one_is_told() {
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    execute(
        &program,
        "UPDATE _sqlx_migrations SET checksum = SUBSTR(checksum, 2) WHERE version = 1",
    )
    .await;
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("DB-2", "fail", &["migration 1", "differs"]);
    program.run(&["serve"]).await.fails(1, &["migration 1", "differs"]);
}

#[tokio::test]
async fn a_database_to_be_migrated_passes_the_gate_with_a_warning() {
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    execute(&program, "DELETE FROM _sqlx_migrations").await;
    let gate = Gate::of(&program, &[]).await;
    gate.ends(0).has("DB-2", "warn", &["lacks", "migrate run"]).has("KEY-1", "skip", &["schema"]);
}

#[tokio::test]
async fn a_database_that_forgets_is_told() {
    let program = Program::new().await.unset("checks.policy");
    program.run(&["migrate", "run"]).await.ok();
    let gate = Gate::of(&program, &[]).await;
    if on_postgres() {
        // So is the server of the tests, which nothing has to outlive.
        gate.ends(1).has("DB-5", "fail", &["fsync", "full_page_writes"]);
    } else {
        gate.ends(0).has("DB-5", "pass", &[]);
    }
}

/// Operations 9, row 20 (while it runs)
#[tokio::test]
async fn a_clock_that_goes_wrong_while_it_runs_is_told() {
    let mut program = Program::new().await;
    if on_postgres() {
        let url = format!("{},pg_catalog", program.database_url);
        program = program.database(&url);
    }
    let watched = Watched::serve(program).await;
    watched.until("DB-4", 0).await;
    let fault = Fault::injected(20, "the database clock +60 s: while running");
    ahead(watched.program.clone()).await;
    watched.until("DB-4", 2).await;
    fault.found_by("DB-4");
    watched.until_events(&["CHECK_FAILED/DB-4"]).await;
    let skew = watched.metric("authshield_clock_skew_seconds").await.unwrap();
    assert!(skew > 55.0, "{skew}");
}

/// Operations 9, row 21
#[tokio::test]
async fn audit_events_that_can_be_deleted_are_told_and_refused() {
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    Gate::of(&program, &[]).await.ends(0).has("DB-3", "pass", &[]);
    execute(
        &program,
        Sql {
            sqlite: "DROP TRIGGER audit_events_are_not_deleted",
            postgres: "DROP TRIGGER audit_events_are_not_deleted ON audit_events",
        },
    )
    .await;
    let fault = Fault::injected(21, "the trigger that keeps audit events is dropped");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("DB-3", "fail", &["can be deleted"]);
    fault.found_by("preflight");
    program.run(&["serve"]).await.fails(1, &["can be deleted", "[DB-3]"]);
    let left = store(&program).await;
    let probes: (i64,) = left
        .glance()
        .await
        .unwrap()
        .query("SELECT COUNT(*) FROM audit_events WHERE code = 'PROBE'")
        .one()
        .await
        .unwrap();
    assert_eq!(probes.0, 0, "what was tried never happened");
}

/// The role of the service in production is one that may do no more than it has to.
/// ASVS: V13.2.2
#[tokio::test]
async fn a_role_that_may_do_everything_is_told_in_production() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await.checked();
    program.run(&["init"]).await.ok();
    let gate = Gate::of(&program, &[]).await;
    let status = if on_postgres() { "warn" } else { "pass" };
    gate.ends(0).has("DB-3", status, &[]);
}
