//! An empty database is no success: production starts on the installation that it expects, or not.

use onesql::{Options, Store};
use serde_json::json;

use crate::silent_failures::Gate;
use crate::support::detection::Fault;
use crate::support::{PASSWORD, Program, Script, SmtpServer, text};

/// Takes everything out of the program's database, as a lost volume does.
async fn wipe(program: &Program) {
    if let Some(path) = program.database_url.strip_prefix("sqlite://") {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{path}{end}"));
        }
        return;
    }
    let (_, schema) = program.database_url.split_once("search_path]=").unwrap();
    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    for sql in [format!("DROP SCHEMA {schema} CASCADE"), format!("CREATE SCHEMA {schema}")] {
        let sql: &'static str = Box::leak(sql.into_boxed_str());
        store.glance().await.unwrap().query(sql).execute().await.unwrap();
    }
}

#[tokio::test]
async fn production_is_set_up_by_hand_and_once() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await;
    program.run(&["migrate", "run"]).await.ok();
    let words = ["nobody set this database up", "authshield init", "authshield restore"];
    program.run(&["serve"]).await.fails(78, &words);
    program.run(&["user", "create", "ann@example.net"]).await.fails(78, &words);
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!(status["installation_id"], json!(null), "{status}");

    let made = program.run(&["init", "--json"]).await.ok();
    assert!(made.err.contains("/setup?token="), "{made:?}");
    let id = made.json()["installation_id"].as_str().unwrap().to_owned();
    let again = program.run(&["init"]).await;
    again.fails(1, &[&id, "already", "nothing was changed"]);
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!(status["installation_id"], id.as_str(), "{status}");
    assert_eq!(status["has_accounts"], false);

    // Whoever can read the server's output must not become its administrator.
    let server = program.serve().await;
    assert!(!server.stderr().contains("/setup?token="), "{}", server.stderr());
    let said = server.stdout();
    assert!(said.contains(&format!("AUTHSHIELD_INSTALLATION_ID={id}")), "{said}");
    assert!(said.contains("nobody has an account here"), "{said}");
    server.stop().await;
}

/// Row 18: the database's volume is wiped.
#[tokio::test]
async fn a_wiped_database_is_not_started_on() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await;
    let made = program.run(&["init", "--json"]).await.json();
    let id = made["installation_id"].as_str().unwrap();
    let program = program.set("installation_id", id);
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
    let server = program.serve().await;
    let pair = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    text(pair.ok(200), "access_token");
    server.stop().await;

    Gate::of(&program, &["--only", "DB-8"]).await.ends(0).has("DB-8", "pass", &[id]);
    wipe(&program).await;
    let fault = Fault::injected(18, "the database is wiped");
    let gate = Gate::of(&program, &["--only", "DB-8"]).await;
    gate.ends(1).has("DB-8", "fail", &["the database is empty", id, "installation_id"]);
    fault.found_by("DB-8");
    program.run(&["serve"]).await.fails(1, &["the database lacks"]);
    // The gate of a deployment brings the schema back, and with it a database that looks fine.
    program.run(&["migrate", "run"]).await.ok();
    let words = ["the database is empty", id, "authshield restore FILE", "--new-installation"];
    program.run(&["serve"]).await.fails(78, &words);
    Gate::of(&program, &["--only", "DB-8"]).await.ends(1).has("DB-8", "fail", &[id]);
    program.run(&["keys", "rotate"]).await.fails(78, &words);
    program.run(&["init"]).await.fails(78, &words);
    program.clone().unset("installation_id").run(&["serve"]).await.fails(78, &["nobody set"]);

    let other = "019a0c1e-7b52-7cc3-98c4-dc0c0c07398f";
    let mistyped = program.run(&["init", "--new-installation", other]).await;
    mistyped.fails(1, &[other, "is not it", "nothing was changed"]);
    let anew = program.run(&["init", "--new-installation", id, "--json"]).await.json();
    let anew = anew["installation_id"].as_str().unwrap();
    assert_ne!(anew, id);
    program.run(&["serve"]).await.fails(78, &["belongs to installation", anew, id]);
    program.clone().set("installation_id", anew).serve().await.stop().await;
    let trail = program.set("installation_id", anew).run(&["status"]).await.ok().out;
    assert!(trail.contains(anew) && !trail.contains(id), "{trail}");
}

#[tokio::test]
async fn development_needs_no_installation_and_minds_one_that_is_named() {
    let program = Program::new().await;
    program.serve().await.stop().await;
    let status = program.run(&["status", "--json"]).await.json();
    let id = status["installation_id"].as_str().unwrap();
    program.clone().set("installation_id", id).serve().await.stop().await;
    let other = "019a0c1e-7b52-7cc3-98c4-dc0c0c07398f";
    let wrong = program.clone().set("installation_id", other).run(&["serve"]).await;
    wrong.fails(78, &["belongs to installation", id, other]);
    let refused = program.set("installation_id", "ours").run(&["serve"]).await;
    assert_eq!(refused.status, Some(78), "{refused:?}");
    assert!(refused.err.contains("authshield init"), "{refused:?}");
}

/// Whoever makes an administrator by command has no use for the link that makes the first, and somebody
/// else might.
#[tokio::test]
async fn the_link_for_the_first_administrator_ends_when_there_is_one() {
    for by_grant in [false, true] {
        let relay = SmtpServer::start(Script::default()).await;
        let program = Program::production(&relay).await;
        program.run(&["init"]).await.ok();
        let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
        if by_grant {
            program.run_with(&create, PASSWORD).await.ok();
            let only = ["--only", "ADM-1"];
            Gate::of(&program, &only).await.has("ADM-1", "warn", &["nobody can administer"]);
            program.run(&["user", "grant", "ann@example.net", "admin"]).await.ok();
        } else {
            program.run_with(&[&create[..], &["--role", "admin"]].concat(), PASSWORD).await.ok();
        }
        Gate::of(&program, &["--only", "ADM-1"]).await.has("ADM-1", "pass", &["1 can administer"]);
    }
}
