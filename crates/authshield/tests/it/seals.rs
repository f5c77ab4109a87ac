//! The chain of the audit trail: everything is sealed once, and whatever somebody does to the database is
//! found.

use std::time::Duration;

use authshield::audit::{self, Event};
use authshield::seals::{self, Break, Checkpoint, Memory, Pass, Report, SealError};
use futures_util::future::join_all;
use onesql::{Options, Sql, Store};
use serde_json::Value;

use crate::silent_failures::Gate;
use crate::support::detection::Fault;
use crate::support::{
    PASSWORD, Program, Script, Server, SmtpServer, TestApp, on_postgres, wait_until,
};

/// How long something may take that the program does by itself.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const fn both(sql: &'static str) -> Sql {
    Sql { sqlite: sql, postgres: sql }
}

pub(crate) async fn execute(store: &Store, sql: Sql) -> u64 {
    let mut tx = store.write().await.unwrap();
    let rows = tx.query(sql).execute().await.unwrap();
    tx.commit().await.unwrap();
    rows
}

/// Seals all there is, with a checkpoint at the end.
pub(crate) async fn seal(app: &TestApp, memory: &mut Memory) {
    app.advance(Duration::from_secs(11));
    while let Pass::Sealed { more: true, .. } = seals::seal(&app.app, memory).await.unwrap() {}
}

/// Everything that was said about why a statement was refused.
async fn refusal(store: &Store, sql: &'static str) -> String {
    let mut tx = store.write().await.unwrap();
    let refused = tx.query(both(sql)).execute().await.expect_err(sql);
    let mut words = refused.to_string();
    let mut source = std::error::Error::source(&refused);
    while let Some(error) = source {
        words += &error.to_string();
        source = error.source();
    }
    words
}

pub(crate) async fn verify(app: &TestApp, anchors: Vec<Checkpoint>) -> Report {
    let keys = app.app.secrets.seal.public();
    seals::verify(&app.app.store, &keys, app.app.installation.id, anchors).await.unwrap()
}

async fn head(app: &TestApp) -> Checkpoint {
    let mut tx = app.app.store.glance().await.unwrap();
    seals::head(&mut tx, app.app.installation.id).await.unwrap().expect("something is sealed")
}

/// What somebody does who owns the tables.
pub(crate) const UNGUARDED: [Sql; 4] = [
    Sql {
        sqlite: "DROP TRIGGER audit_events_are_not_changed",
        postgres: "ALTER TABLE audit_events DISABLE TRIGGER USER",
    },
    Sql {
        sqlite: "DROP TRIGGER audit_events_are_not_deleted",
        postgres: "ALTER TABLE audit_links DISABLE TRIGGER USER",
    },
    Sql {
        sqlite: "DROP TRIGGER audit_links_are_not_deleted",
        postgres: "ALTER TABLE audit_checkpoints DISABLE TRIGGER USER",
    },
    Sql { sqlite: "DROP TRIGGER audit_checkpoints_are_not_deleted", postgres: "SELECT 1" },
];

/// L05: an audit trail that somebody edits, thins out, fills up, reorders or cuts off.
///
/// ASVS: V16.4.2
#[tokio::test]
async fn l05_whatever_is_done_to_the_audit_trail_in_the_database_is_found() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let mut memory = Memory::default();
    let ann = app.sign_up("ann@example.org").await;
    seal(&app, &mut memory).await;
    for _ in 0..6 {
        app.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS");
        app.advance(Duration::from_mins(15));
    }
    seal(&app, &mut memory).await;
    app.refresh(&ann.refresh).await.ok(200);
    let report = verify(&app, Vec::new()).await;
    assert!(report.holds() && report.unsealed == 1, "{report:?}");
    seal(&app, &mut memory).await;
    let noted = head(&app).await;
    let count = app.count("SELECT COUNT(*) FROM audit_events").await;
    let report = verify(&app, vec![noted.clone()]).await;
    assert!(report.holds() && report.unsealed == 0, "{report:?}");
    assert_eq!(i64::try_from(report.links).unwrap(), count);

    let store = &app.app.store;
    for sql in UNGUARDED {
        execute(store, sql).await;
    }
    execute(store, both("CREATE TABLE kept AS SELECT * FROM audit_events")).await;
    let back = both(
        "INSERT INTO audit_events SELECT * FROM kept WHERE id NOT IN (SELECT id FROM audit_events)",
    );
    let remove = both(
        "DELETE FROM audit_events WHERE id = (SELECT event_id FROM audit_links WHERE seq = 5)",
    );
    for (what, harm) in [
        (
            "a success out of a failure",
            both(
                "UPDATE audit_events SET code = 'LOGIN_SUCCEEDED', reason = NULL
             WHERE id = (SELECT event_id FROM audit_links WHERE seq = 5)",
            ),
        ),
        (
            "another address",
            both(
                "UPDATE audit_events SET ip_address = '192.0.2.99'
             WHERE id = (SELECT event_id FROM audit_links WHERE seq = 5)",
            ),
        ),
        (
            "no address",
            both(
                "UPDATE audit_events SET ip_address = NULL, user_agent = NULL, email_hash = NULL
             WHERE id = (SELECT event_id FROM audit_links WHERE seq = 5)",
            ),
        ),
        (
            "other data",
            both(
                "UPDATE audit_events SET data = '{\"amr\":[\"otp\"]}'
             WHERE id = (SELECT event_id FROM audit_links WHERE seq = 5)",
            ),
        ),
        ("one less", remove),
    ] {
        let fault = Fault::injected(22, what);
        assert_eq!(execute(store, harm).await, 1, "{what}");
        let report = verify(&app, Vec::new()).await;
        assert_eq!(report.broken, 1, "{what}: {report:?}");
        fault.found_by("audit verify");
        let seq = match report.breaks[0] {
            Break::Changed { seq, .. }
            | Break::PersonalChanged { seq, .. }
            | Break::Deleted { seq, .. } => seq,
            ref other => panic!("{what}: {other:?}"),
        };
        assert_eq!(seq, 5, "{what}");
        execute(store, remove).await;
        execute(store, back).await;
    }
    assert!(verify(&app, Vec::new()).await.holds(), "all is as it was");

    put_in(&app, &mut memory).await;
    swap(&app).await;
    cut_off(&app, &mut memory, noted).await;
}

/// One that never was, as if it had happened long ago.
async fn put_in(app: &TestApp, memory: &mut Memory) {
    let store = &app.app.store;
    let put = |id: &'static str| {
        let text = format!(
            "INSERT INTO audit_events (id, at, code, data)
             SELECT {id}, at, 'LOGIN_SUCCEEDED', data FROM audit_events
             WHERE id = (SELECT event_id FROM audit_links WHERE seq = 2)"
        );
        &*Box::leak(text.into_boxed_str())
    };
    let sql = Sql {
        sqlite: put("CAST(SUBSTR(id, 1, 6) || X'7FFF80000000000000FF' AS BLOB)"),
        postgres: put("CAST(SUBSTR(CAST(id AS TEXT), 1, 14) || '7fff-8000-0000000000ff' AS UUID)"),
    };
    assert_eq!(execute(store, sql).await, 1);
    seal(app, memory).await;
    let report = verify(app, Vec::new()).await;
    assert!(matches!(report.breaks[..], [Break::Inserted { .. }]), "{report:?}");
    execute(store, both("DELETE FROM audit_events WHERE id NOT IN (SELECT id FROM kept)")).await;
}

/// Two in each other's place: what was sealed as the fourth stands as the fifth.
async fn swap(app: &TestApp) {
    let store = &app.app.store;
    execute(store, both("CREATE TABLE links AS SELECT * FROM audit_links")).await;
    execute(store, both("DELETE FROM audit_links WHERE seq IN (4, 5)")).await;
    execute(
        store,
        both(
            "INSERT INTO audit_links (seq, event_id, commitment, salt, hash)
             SELECT 9 - seq, event_id, commitment, salt, hash FROM links WHERE seq IN (4, 5)",
        ),
    )
    .await;
    let report = verify(app, Vec::new()).await;
    assert!(report.breaks.iter().all(|found| matches!(found, Break::Changed { seq: 4..=6, .. })));
    assert!(report.broken >= 2, "{report:?}");
    execute(store, both("DELETE FROM audit_links WHERE seq IN (4, 5)")).await;
    execute(store, both("INSERT INTO audit_links SELECT * FROM links WHERE seq IN (4, 5)")).await;
    assert!(verify(app, Vec::new()).await.holds(), "all is as it was");
}

/// The end, as if it never was: by itself what is left is a whole chain.
async fn cut_off(app: &TestApp, memory: &mut Memory, noted: Checkpoint) {
    let store = &app.app.store;
    let fault = Fault::injected(22, "the end is cut off");
    execute(
        store,
        both(
            "DELETE FROM audit_events WHERE id IN
                 (SELECT event_id FROM audit_links
                  WHERE seq > (SELECT MIN(seq) FROM audit_checkpoints))",
        ),
    )
    .await;
    for sql in [
        "DELETE FROM audit_links WHERE seq > (SELECT MIN(seq) FROM audit_checkpoints)",
        "DELETE FROM audit_checkpoints WHERE number > 1",
    ] {
        execute(store, both(sql)).await;
    }
    assert!(verify(app, Vec::new()).await.holds());
    let report = verify(app, vec![noted]).await;
    assert!(matches!(report.breaks[..], [Break::AnchorGone { .. }]), "{report:?}");
    fault.found_by("audit verify --anchors");
    // Who sealed it knows as well, and does not go on as if nothing had been.
    let refused = seals::seal(&app.app, memory).await;
    assert!(matches!(refused, Err(SealError::Torn(_))), "{refused:?}");
    assert_eq!(app.app.metrics.audit_torn.get(), 1);
}

/// Without harm to triggers nothing can be changed at all.
#[tokio::test]
async fn l05_what_is_sealed_cannot_be_changed_or_deleted_in_passing() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.org").await;
    seal(&app, &mut Memory::default()).await;
    for sql in [
        "UPDATE audit_events SET code = 'X'",
        "UPDATE audit_events SET ip_address = NULL, user_agent = NULL, email_hash = NULL",
        "DELETE FROM audit_events",
        "UPDATE audit_links SET seq = seq + 100",
        "UPDATE audit_links SET salt = NULL, hash = commitment",
        "DELETE FROM audit_links",
        "UPDATE audit_checkpoints SET seq = 1",
        "DELETE FROM audit_checkpoints",
    ] {
        let words = refusal(&app.app.store, sql).await;
        assert!(words.contains("are kept as they were written"), "{sql}: {words}");
    }
    assert!(verify(&app, Vec::new()).await.holds());
}

/// Two nodes that both think it is their turn, and transactions that end in another order than they began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_sealed_once_whoever_seals_and_whenever_it_was_committed() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let other = app.second_node(&[]).await;
    let (mut one, mut two) = (Memory::default(), Memory::default());
    app.open_account("ann@example.org").await;
    let event = Event::EmailVerified { user: uuid::Uuid::from_u128(1).into() };
    for round in 0..12_u32 {
        // One that gets its name now and is committed after others were sealed; SQLite has one writer.
        let late = if on_postgres() {
            let mut tx = app.app.store.write().await.unwrap();
            audit::record(&mut tx, &app.app, &app.ctx(), &event).await.unwrap();
            Some(tx)
        } else {
            None
        };
        let tries = (0..4).map(|_| app.log_in("ann@example.org", "battery staple"));
        join_all(tries).await;
        // The lease has ended, so that both try.
        app.advance(Duration::from_secs(if round % 2 == 0 { 31 } else { 2 }));
        for _ in 0..3 {
            let both =
                tokio::join!(seals::seal(&app.app, &mut one), seals::seal(&other.app, &mut two));
            // Who was the slower of two wrote nothing.
            assert!(both.0.is_ok() || both.1.is_ok(), "{both:?}");
        }
        if let Some(late) = late {
            late.commit().await.unwrap();
        }
    }
    for _ in 0..3 {
        app.advance(Duration::from_secs(31));
        let _ = seals::seal(&app.app, &mut one).await.unwrap();
    }
    let events = app.count("SELECT COUNT(*) FROM audit_events").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM audit_links").await, events);
    let report = verify(&app, Vec::new()).await;
    assert!(report.holds(), "{report:?}");
    assert_eq!((i64::try_from(report.links).unwrap(), report.unsealed), (events, 0));
}

/// A person is erased, and what is old is removed; what is left still holds.
/// ASVS: V14.2.7
#[tokio::test]
async fn what_leaves_the_audit_trail_leaves_no_break() {
    // One connection is enough: whoever held one and waited for another would wait for ever.
    let one = [("rate_limit.enabled", "false"), ("database.connections", "1")];
    let app = TestApp::with(&one).await;
    let mut memory = Memory::default();
    let ann = app.sign_up("ann@example.org").await;
    let root = app.sign_up_admin("root@example.org").await;
    app.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS");
    seal(&app, &mut memory).await;
    let personal = "SELECT COUNT(*) FROM audit_events
                    WHERE ip_address IS NOT NULL OR user_agent IS NOT NULL OR email_hash IS NOT NULL";
    let before = app.count(personal).await;

    let erased = seals::erase(&app.app, &app.ctx(), ann.id.parse().unwrap()).await.unwrap();
    assert!(erased >= 4, "{erased}");
    assert_eq!(seals::erase(&app.app, &app.ctx(), ann.id.parse().unwrap()).await.unwrap(), 0);
    // What tells of it is new, and not sealed yet.
    let report = verify(&app, Vec::new()).await;
    assert!(report.holds() && report.unsealed == 1, "{report:?}");
    assert_eq!(app.count(personal).await, before - i64::try_from(erased).unwrap() + 1);
    seal(&app, &mut memory).await;
    let report = verify(&app, Vec::new()).await;
    assert!(report.holds() && report.erased == erased, "{report:?}");
    let shown = app.get_as(&root, &format!("/api/v1/admin/events?user_id={}", ann.id)).await;
    let told = &shown.ok(200).body["items"];
    assert_eq!(told[0]["code"], "PERSON_ERASED", "{told}");
    assert!(told.as_array().unwrap()[1..].iter().all(|event| event["ip_address"].is_null()));

    // A year later.
    let noted = head(&app).await;
    app.advance(Duration::from_hours(24));
    let until = app.ctx().now;
    app.advance(Duration::from_hours(24 * 365));
    app.log_in("root@example.org", PASSWORD).await.ok(200);
    seal(&app, &mut memory).await;
    let pruned = seals::prune(&app.app, &app.ctx(), until).await.unwrap().unwrap();
    assert_eq!((pruned.seq, i64::try_from(pruned.events).unwrap()), (noted.seq, noted.seq));
    assert_eq!(seals::prune(&app.app, &app.ctx(), until).await.unwrap(), None);
    seal(&app, &mut memory).await;
    let report = verify(&app, vec![noted]).await;
    assert!(report.holds() && report.cut == Some(pruned.seq), "{report:?}");
    let left: Vec<_> = app.events().await;
    assert_eq!(left, ["LOGIN_SUCCEEDED", "EVENTS_PRUNED"]);
    // And all of what is left.
    app.advance(Duration::from_hours(1));
    let until = app.ctx().now;
    app.advance(Duration::from_hours(1));
    seals::prune(&app.app, &app.ctx(), until).await.unwrap().unwrap();
    app.log_in("root@example.org", PASSWORD).await.ok(200);
    seal(&app, &mut memory).await;
    assert!(verify(&app, Vec::new()).await.holds());

    // What does not hold is evidence: it stays.
    for sql in &UNGUARDED[..2] {
        execute(&app.app.store, *sql).await;
    }
    execute(&app.app.store, both("UPDATE audit_events SET code = 'LOGOUT'")).await;
    app.advance(Duration::from_hours(1));
    let refused = seals::prune(&app.app, &app.ctx(), app.ctx().now).await;
    assert!(refused.unwrap_err().to_string().contains("audit verify"));
}

async fn sealed(program: &Program, at_least: u64) -> Value {
    wait_until("all is sealed", PATIENCE, async || {
        let report: Value =
            serde_json::from_str(&program.run(&["audit", "verify", "--json"]).await.out)
                .expect("a report");
        let enough = report["links"].as_u64() >= Some(at_least) && report["unsealed"] == 0;
        let signed = report["head"]["seq"].as_u64() == report["links"].as_u64();
        (enough && signed).then_some(report)
    })
    .await
}

async fn try_to_log_in(server: &Server, times: usize) {
    let tries = (0..times).map(|_| server.client.log_in("ann@example.net", "battery staple"));
    join_all(tries).await;
}

/// The program as operators and auditors use it: killed in the middle, exported, verified without a
/// database, restored from a backup, tampered with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l05_the_chain_goes_on_through_crashes_and_restores_and_an_auditor_needs_only_a_file() {
    let program = Program::new().await.unlimited();
    for _ in 0..2 {
        let server = program.serve().await;
        let client = server.client.clone();
        let load = tokio::spawn(async move {
            loop {
                if client.log_in("ann@example.net", "battery staple").await.is_none() {
                    break;
                }
            }
        });
        // Somewhere in the middle of sealing, which happens every second.
        let seen = wait_until("events are sealed", PATIENCE, async || {
            let sealed = server.stdout().matches("\"checkpoint\"").count();
            (sealed > 0).then_some(sealed)
        })
        .await;
        assert!(seen > 0);
        server.kill().await;
        load.await.unwrap();
    }
    let server = program.serve().await;
    try_to_log_in(&server, 5).await;
    let report = sealed(&program, 8).await;
    assert_eq!(report["broken"], 0, "{report}");

    // The log is an anchor: it is somewhere else.
    let log = program.folder().join("log.jsonl");
    std::fs::write(&log, server.stdout()).unwrap();
    let keys = program.folder().join("keys.json");
    std::fs::write(&keys, program.run(&["audit", "keys"]).await.ok().out).unwrap();
    let published = server.client.get("/.well-known/audit-jwks.json").await.unwrap();
    let own: Value = serde_json::from_str(&std::fs::read_to_string(&keys).unwrap()).unwrap();
    assert_eq!(published.ok(200).body, own);
    let export = program.run(&["audit", "export"]).await.ok();
    let file = program.folder().join("audit.jsonl");
    std::fs::write(&file, &export.out).unwrap();
    let offline = |file: &std::path::Path| {
        let words = ["audit", "verify", "--export", file.to_str().unwrap(), "--jwks"];
        let mut words: Vec<_> = words.map(ToOwned::to_owned).to_vec();
        words.push(keys.display().to_string());
        words.extend(["--anchors".to_owned(), log.display().to_string()]);
        words
    };
    // No database, no master key.
    let auditor = Program::embedded();
    let look = async |file: &std::path::Path| {
        let words = offline(file);
        auditor.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let done = look(&file).await.ok();
    assert!(done.out.contains("The chain holds."), "{done:?}");
    assert!(!auditor.data().exists(), "nothing was opened");
    std::fs::write(&file, export.out.replacen("LOGIN_FAILED", "LOGIN_SUCCEEDED", 1)).unwrap();
    let done = look(&file).await;
    assert_eq!(done.status, Some(1), "{done:?}");
    assert!(done.err.contains("is not what was sealed"), "{done:?}");
    std::fs::write(&file, &export.out[..export.out.len() / 2]).unwrap();
    assert_ne!(look(&file).await.status, Some(0));
    assert_eq!(look(std::path::Path::new("/nowhere")).await.status, Some(70));

    // A backup, more events, and back.
    let backup = program.folder().join("monday.backup");
    let name = backup.to_str().unwrap();
    let manifest = program.run(&["backup", "create", name, "--json"]).await.json();
    assert!(manifest["audit_checkpoint"]["number"].as_u64() > Some(0), "{manifest}");
    try_to_log_in(&server, 3).await;
    sealed(&program, report["links"].as_u64().unwrap() + 3).await;
    let noted = program.run(&["audit", "checkpoint"]).await.ok().out;
    let anchor = program.folder().join("noted.json");
    std::fs::write(&anchor, &noted).unwrap();
    let with = ["audit", "verify", "--anchors", anchor.to_str().unwrap()];
    program.run(&with).await.ok();
    server.stop().await;
    let url = if on_postgres() {
        crate::support::app::fresh_postgres().await
    } else {
        format!("sqlite://{}", program.data().join("elsewhere.db").display())
    };
    let target = program.another().database(&url);
    let id = manifest["installation_id"].as_str().unwrap();
    target.run(&["restore", name, "--installation-id", id]).await.ok();
    let server = target.serve().await;
    try_to_log_in(&server, 2).await;
    sealed(&target, report["links"].as_u64().unwrap()).await;
    target.run(&["audit", "verify"]).await.ok();
    let done = target.run(&with).await;
    assert_eq!(done.status, Some(2), "{done:?}");
    assert!(done.out.contains("went when a backup was restored"), "{done:?}");

    // Somebody with the owner's password.
    let store = Store::open(&Options::parse(&target.database_url).unwrap()).await.unwrap();
    Gate::of(&target, &["--only", "AUD-1"]).await.has("AUD-1", "pass", &[]);
    execute(&store, UNGUARDED[0]).await;
    let fault = Fault::injected(22, "events are edited by the owner of the database");
    execute(&store, both("UPDATE audit_events SET reason = 'x' WHERE code = 'LOGIN_FAILED'")).await;
    let done = target.run(&["audit", "verify"]).await;
    assert_eq!(done.status, Some(1), "{done:?}");
    assert!(done.err.contains("the chain is broken in"), "{done:?}");
    let gate = Gate::of(&target, &["--only", "AUD-1"]).await;
    gate.has("AUD-1", "warn", &["is not what was sealed"]);
    fault.found_by("AUD-1");
}

/// The service under a role that may add to the audit trail and read it, and no more.
/// ASVS: V13.2.2, V16.4.2
#[tokio::test]
async fn l05_the_role_of_the_service_has_no_right_to_change_what_happened() {
    if !on_postgres() {
        return;
    }
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await;
    let url = url::Url::parse(&program.database_url).unwrap();
    let schema = program.database_url.split("search_path]=").nth(1).unwrap().to_owned();
    let (owner, service) = (format!("{schema}_owner"), format!("{schema}_service"));
    // As the book says, in a schema of its own.
    let file = |name: &str| {
        let path = format!("{}/../../deploy/postgres/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        text.replace("REPLACE_ME", "of-its-own")
            .replace("authshield_owner", &owner)
            .replace("authshield_service", &service)
            .replace("SCHEMA public", &format!("SCHEMA {schema}"))
    };
    let run = async |url: &str, text: String| {
        let store = Store::open(&Options::parse(url).unwrap()).await.unwrap();
        let code: String =
            text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        for one in code.split(';').map(str::trim).filter(|one| !one.is_empty()) {
            let one: &'static str = Box::leak(one.to_owned().into_boxed_str());
            execute(&store, both(one)).await;
        }
    };
    let of = |role: &str, password: &str| {
        let mut url = url.clone();
        url.set_username(role).unwrap();
        url.set_password(Some(password)).unwrap();
        url.to_string()
    };
    run(&program.database_url, file("roles.sql")).await;
    let (as_owner, as_service) = (of(&owner, "of-its-own_1"), of(&service, "of-its-own_2"));
    let made = program.clone().database(&as_owner).run(&["init", "--json"]).await.json();
    run(&as_owner, file("grants.sql")).await;

    let id = made["installation_id"].as_str().unwrap();
    let program = program.database(&as_service).set("installation_id", id);
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
    let server = program.serve().await;
    server.client.log_in("ann@example.net", "battery staple").await.unwrap().ok(401);
    server.client.log_in("ann@example.net", PASSWORD).await.unwrap().ok(200);
    let report = sealed(&program, 3).await;
    assert_eq!(report["broken"], 0, "{report}");
    Gate::of(&program, &["--only", "DB-3"]).await.has("DB-3", "pass", &["may no more than that"]);

    let store = Store::open(&Options::parse(&as_service).unwrap()).await.unwrap();
    for sql in [
        "UPDATE audit_events SET code = code",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_links SET salt = NULL",
        "DELETE FROM audit_links",
        "UPDATE audit_checkpoints SET number = number",
        "DELETE FROM audit_checkpoints",
        "INSERT INTO audit_cuts SELECT seq, hash, number, at, kid, signature FROM audit_checkpoints",
        "ALTER TABLE audit_events DISABLE TRIGGER USER",
        "DROP TRIGGER audit_events_are_not_changed ON audit_events",
        "CREATE TABLE audit_more (id UUID)",
        "DELETE FROM _sqlx_migrations",
    ] {
        let words = refusal(&store, sql).await;
        let right = words.contains("permission denied") || words.contains("must be owner");
        assert!(right, "{sql}: {words}");
    }
    // The owner erases and removes.
    let id: Value = program.run(&["user", "list", "--json"]).await.json();
    let id = id[0]["id"].as_str().unwrap().to_owned();
    program.run(&["audit", "erase", &id]).await.fails(1, &["role that owns the tables"]);
    program.clone().database(&as_owner).run(&["audit", "erase", &id]).await.ok();
    program.run(&["audit", "verify"]).await.ok();
}
