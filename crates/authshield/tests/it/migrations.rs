//! Migrations: each says what it does to who is running; none stops a service that is in use.

use std::time::Duration;

use authshield::schema::{Lock, Note, Phase};
use authshield::world::{Real, World};
use onesql::{Options, Store};

use crate::house::migrations;
use crate::support::detection::Fault;
use crate::support::{PASSWORD, Program, on_postgres, wait_until};

/// Landed before there were heads.
const WITHOUT_HEAD: [&str; 1] = ["0001_core.sql"];

/// The statements of a migration, in capitals and on one line each.
fn statements(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("--").next().unwrap_or("")).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line);
            code.push(' ');
            code
        },
    );
    let plain = |one: &str| one.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    code.split(';').map(plain).filter(|one| !one.is_empty()).collect()
}

/// Says what a migration does that its head does not allow.
fn complaints(name: &str, text: &str, on_server: bool) -> Vec<String> {
    let Some(note) = Note::read(text) else {
        return vec![format!("{name} begins with no `-- phase:`, `-- oldest:` and `-- lock:`")];
    };
    let mut found = Vec::new();
    let mut made: Vec<String> = Vec::new();
    for one in statements(text) {
        let words: Vec<_> = one.split_whitespace().collect();
        if let ["CREATE", "TABLE", table, ..] = words[..] {
            made.push(table.to_owned());
        }
        let after = |word: &str| {
            let at = words.iter().position(|one| *one == word)?;
            words.get(at + 1).map(|table| table.trim_end_matches('(').to_owned())
        };
        let in_use = |table: Option<String>| table.is_some_and(|table| !made.contains(&table));
        let takes_away = one.starts_with("DROP TABLE")
            || one.contains(" DROP COLUMN")
            || one.contains(" RENAME ")
            || one.contains(" TYPE ") && one.starts_with("ALTER");
        if takes_away && note.phase != Phase::Contract {
            found.push(format!("{name} takes away, and is no contract: {one}"));
        }
        let alters = one.starts_with("ALTER TABLE") && in_use(after("TABLE"));
        if alters && note.lock != Lock::Brief {
            found
                .push(format!("{name} alters a table that is in use without `lock: brief`: {one}"));
        }
        if alters && one.contains(" NOT NULL") && !one.contains(" DEFAULT ") {
            found.push(format!("{name} adds what older programs do not write: {one}"));
        }
        if on_server && alters && one.contains("ADD CONSTRAINT") && !one.contains("NOT VALID") {
            found.push(format!("{name} adds a constraint that is checked at once: {one}"));
        }
        let indexes = one.starts_with("CREATE INDEX") || one.starts_with("CREATE UNIQUE INDEX");
        if on_server && indexes && in_use(after("ON")) && !one.contains("CONCURRENTLY") {
            let waits = note.lock == Lock::Writes || note.lock == Lock::Brief;
            if !waits {
                found.push(format!("{name} stops writers without `lock: writes`: {one}"));
            }
        }
        let rewrites = one.starts_with("UPDATE ") || one.starts_with("DELETE ");
        if rewrites && note.phase == Phase::Expand {
            found.push(format!("{name} changes rows in an expand: {one}"));
        }
    }
    found
}

#[test]
fn every_migration_keeps_what_its_head_says() {
    for database in ["sqlite", "postgres"] {
        for (name, text) in migrations(database) {
            if !WITHOUT_HEAD.contains(&name.as_str()) {
                let found = complaints(&name, &text, database == "postgres");
                assert!(found.is_empty(), "{database}: {found:#?}");
            }
        }
    }
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    for (name, text) in &sqlite {
        assert_eq!(Note::read(text), Note::read(&postgres[name]), "{name} says two things");
    }
}

#[test]
fn the_lint_of_migrations_finds_what_stops_a_service() {
    let head =
        |phase: &str, lock: &str| format!("-- phase: {phase}\n-- oldest: 0.1.0\n-- lock: {lock}\n");
    for (phase, lock, text, words) in [
        ("expand", "brief", "ALTER TABLE users DROP COLUMN locale;", "takes away"),
        ("expand", "brief", "ALTER TABLE users RENAME COLUMN a TO b;", "takes away"),
        ("backfill", "brief", "DROP TABLE users;", "takes away"),
        ("expand", "none", "ALTER TABLE users ADD COLUMN a TEXT;", "lock: brief"),
        ("expand", "brief", "ALTER TABLE users ADD COLUMN a TEXT NOT NULL;", "older programs"),
        ("expand", "brief", "ALTER TABLE users ADD CONSTRAINT c CHECK (a > 1);", "at once"),
        ("expand", "none", "CREATE INDEX a ON users (b);", "stops writers"),
        ("expand", "none", "UPDATE users\nSET a = 1;", "changes rows"),
    ] {
        let found = complaints("x", &(head(phase, lock) + text), true);
        assert!(found.len() == 1 && found[0].contains(words), "{text}: {found:?}");
    }
    for (phase, lock, text) in [
        ("contract", "brief", "ALTER TABLE users DROP COLUMN locale;"),
        ("expand", "brief", "ALTER TABLE users ADD COLUMN a BIGINT NOT NULL DEFAULT 0;"),
        ("expand", "none", "CREATE TABLE t (a TEXT);\nCREATE INDEX i ON t (a);"),
        ("expand", "shared", "CREATE INDEX CONCURRENTLY i ON users (a);"),
        ("backfill", "none", "UPDATE users SET a = 1; -- DROP TABLE users"),
    ] {
        let found = complaints("x", &(head(phase, lock) + text), true);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

/// Pretends that a newer version migrated the database.
async fn migrate_further(program: &Program, oldest: Option<&'static str>) {
    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.query(
        "INSERT INTO _sqlx_migrations
             (version, description, installed_on, success, checksum, execution_time)
         SELECT 9000, 'from the future', installed_on, success, checksum, 0
         FROM _sqlx_migrations WHERE version = 1",
    )
    .execute()
    .await
    .unwrap();
    if let Some(oldest) = oldest {
        tx.query("INSERT INTO schema_notes (version, phase, oldest) VALUES (9000, 'expand', $1)")
            .bind(oldest)
            .execute()
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// Row 34: an older program under a newer database, inside and outside of its range.
#[tokio::test]
async fn an_older_program_goes_on_as_long_as_the_newer_schema_bears_it() {
    for (oldest, words) in
        [(None, "does not say"), (Some("99.0.0"), "works with version 99.0.0 and newer")]
    {
        let program = Program::new().await;
        program.run(&["migrate", "run"]).await.ok();
        migrate_further(&program, oldest).await;
        for command in [&["serve"] as &[&str], &["migrate", "run"], &["status"]] {
            program.run(command).await.fails(1, &["9000", words, "newer AuthShield"]);
        }
    }
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    migrate_further(&program, Some("0.0.1")).await;
    program.run(&["migrate", "run"]).await.ok();
    let server = program.serve().await;
    assert!(server.stdout().contains("this version works with them"), "{}", server.stdout());
    server.stop().await;
}

/// Row 33: a migration behind a long query gives up soon; who uses the table does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_blocked_lets_the_service_go_on() {
    if !on_postgres() {
        return;
    }
    let program = Program::new().await.unlimited();
    let server = program.serve().await;
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();

    // Somebody reads `users` in a transaction that does not end.
    let mut options = Options::parse(&program.database_url).unwrap();
    options.at_most = Duration::from_mins(2);
    let reader = Store::open(&options).await.unwrap();
    let mut long = reader.read().await.unwrap();
    let _: (i64,) = long.query("SELECT COUNT(*) FROM users").one().await.unwrap();

    // The next version wants a column there.
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in migrations("postgres") {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let text = "ALTER TABLE users ADD COLUMN nickname TEXT;";
    std::fs::write(folder.path().join("9000_nickname.sql"), text).unwrap();
    let migrator = async || onesql::Migrator::new(folder.path()).await.unwrap();
    let next = onesql::Migrations { sqlite: migrator().await, postgres: migrator().await };
    let patience = onesql::Patience {
        lock: Duration::from_millis(300),
        pause: Duration::from_millis(300),
        tries: 200,
        ..onesql::Patience::default()
    };
    let once = onesql::Patience { tries: 1, ..patience.clone() };
    let fault = Fault::injected(33, "a migration behind a long query");
    let gave_up = reader.migrate_to(&next, None, &once).await.unwrap_err();
    assert!(gave_up.to_string().contains("gave up so that the service goes on"), "{gave_up}");
    fault.found_by("it gives up, and the service goes on");
    let migration = {
        let store = reader.clone();
        tokio::spawn(async move { store.migrate_to(&next, None, &patience).await })
    };

    // While it tries, people sign in; none waits for longer than one try.
    for _ in 0..10 {
        let began = std::time::Instant::now();
        server.client.log_in("ann@example.net", PASSWORD).await.unwrap().ok(200);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert!(!migration.is_finished());
    drop(long);
    migration.await.unwrap().unwrap();
    wait_until("the column is there", Duration::from_secs(5), async || {
        let mut tx = reader.glance().await.ok()?;
        tx.query("SELECT nickname FROM users").all::<(Option<String>,)>().await.ok()
    })
    .await;
    server.client.log_in("ann@example.net", PASSWORD).await.unwrap().ok(200);
    server.stop().await;
}

/// What takes something away waits for those who still need it; what only adds does not.
#[tokio::test]
async fn a_contract_waits_until_nobody_lives_who_needs_what_it_takes_away() {
    let program = Program::new().await;
    let server = program.serve().await;
    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    let now = Real.now();
    wait_until("it says that it lives", Duration::from_secs(20), async || {
        let alive = authshield::schema::instances(&store, now).await.unwrap();
        (alive.len() == 1 && alive[0].version == env!("CARGO_PKG_VERSION")).then_some(())
    })
    .await;

    let folder = tempfile::tempdir().unwrap();
    let database = if on_postgres() { "postgres" } else { "sqlite" };
    for (name, text) in migrations(database) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (name, phase, statement) in [
        ("9001_nickname.sql", "expand", "ALTER TABLE users ADD COLUMN nickname TEXT;"),
        ("9002_no_name.sql", "contract", "ALTER TABLE users DROP COLUMN full_name;"),
        ("9003_more.sql", "expand", "ALTER TABLE users ADD COLUMN motto TEXT;"),
    ] {
        let head = format!("-- phase: {phase}\n-- oldest: 99.0.0\n-- lock: brief\n");
        std::fs::write(folder.path().join(name), head + statement).unwrap();
    }
    let migrator = async || onesql::Migrator::new(folder.path()).await.unwrap();
    let next = onesql::Migrations { sqlite: migrator().await, postgres: migrator().await };
    let applied = async || {
        let mut applied = store.applied_migrations().await.unwrap();
        applied.retain(|version| *version > 9000);
        applied
    };
    let refused = authshield::schema::bring(&store, &next, now).await.unwrap_err().to_string();
    for words in ["migration 9002", env!("CARGO_PKG_VERSION"), "older than 99.0.0"] {
        assert!(refused.contains(words), "{words:?} is not in {refused}");
    }
    assert_eq!(applied().await, [9001], "what comes before was done");
    server.client.register("ann@example.net").await.unwrap().ok(202);

    // One that was killed cannot say good-bye: it is taken for dead after three minutes.
    server.kill().await;
    let refused = authshield::schema::bring(&store, &next, Real.now()).await.unwrap_err();
    assert!(refused.to_string().contains("migration 9002"), "{refused}");
    let later = Real.now() + Duration::from_mins(4);
    authshield::schema::bring(&store, &next, later).await.unwrap();
    assert_eq!(applied().await, [9001, 9002, 9003]);
}

#[tokio::test]
async fn who_ends_well_is_not_waited_for() {
    let program = Program::new().await;
    let server = program.serve().await;
    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    let alive = async || authshield::schema::instances(&store, Real.now()).await.unwrap().len();
    wait_until("it says that it lives", Duration::from_secs(20), async || {
        (alive().await == 1).then_some(())
    })
    .await;
    server.stop().await;
    assert_eq!(alive().await, 0);
}
