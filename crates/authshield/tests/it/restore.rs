//! A backup is one that was restored: whole or refused, on either database, and what was issued before
//! is worth nothing afterwards.

use std::path::{Path, PathBuf};

use onesql::{Json, Options, Store};
use serde_json::Value;

use crate::silent_failures::Gate;
use crate::support::app::fresh_postgres;
use crate::support::detection::Fault;
use crate::support::program::MASTER_KEY;
use crate::support::{PASSWORD, Program, Script, Server, SmtpServer, on_postgres, text};

/// The same program on an empty database of the same kind.
pub(crate) async fn elsewhere(program: &Program) -> Program {
    let url = if program.database_url.starts_with("sqlite://") {
        embedded(program, "elsewhere")
    } else {
        fresh_postgres().await
    };
    program.another().database(&url)
}

/// Returns a file in the program's folder that has no database yet.
fn embedded(program: &Program, name: &str) -> String {
    format!("sqlite://{}", program.data().join(format!("{name}.db")).display())
}

async fn sign_up(program: &Program, email: &str) {
    let create = ["user", "create", email, "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
}

/// Signs in and returns the access and the refresh token.
async fn sign_in(server: &Server, email: &str) -> (String, String) {
    let pair = server.client.log_in(email, PASSWORD).await.unwrap();
    pair.ok(200);
    (text(&pair, "access_token"), text(&pair, "refresh_token"))
}

fn path_of(program: &Program, name: &str) -> PathBuf {
    program.folder().join(name)
}

async fn backup(program: &Program, file: &Path) -> Value {
    program.run(&["backup", "create", file.to_str().unwrap(), "--json"]).await.json()
}

/// Returns what a manifest says of a table.
fn table<'m>(manifest: &'m Value, name: &str) -> &'m Value {
    let tables = manifest["tables"].as_array().unwrap();
    tables.iter().find(|table| table["name"] == name).unwrap_or_else(|| panic!("{manifest}"))
}

async fn events(program: &Program) -> Vec<(String, Value)> {
    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    let mut tx = store.glance().await.unwrap();
    let rows: Vec<(String, Json<Value>)> =
        tx.query("SELECT code, data FROM audit_events ORDER BY id").all().await.unwrap();
    rows.into_iter().map(|(code, data)| (code, data.0)).collect()
}

/// Row 19: an old backup is restored, and every session from before is refused.
///
/// Attack: L06
#[tokio::test]
async fn after_a_restore_everybody_signs_in_again() {
    let program = Program::new().await;
    let server = program.serve().await;
    sign_up(&program, "ann@example.net").await;
    let (access, refresh) = sign_in(&server, "ann@example.net").await;
    // Mail that is on its way when the backup is made was sent when it is restored.
    program.run(&["user", "create", "bob@example.net"]).await.ok();

    let file = path_of(&program, "monday.backup");
    let manifest = backup(&program, &file).await;
    let id = manifest["installation_id"].as_str().unwrap().to_owned();
    assert_eq!(table(&manifest, "users")["rows"], 2, "{manifest}");
    assert_eq!(table(&manifest, "sessions")["rows"], 1, "{manifest}");
    let name = file.to_str().unwrap();
    let again = program.run(&["backup", "create", name]).await;
    again.fails(1, &["monday.backup", "exists"]);

    // After the backup: another session, a new account, and ann signs out of the first.
    let (late_access, late_refresh) = sign_in(&server, "ann@example.net").await;
    server.client.log_out(&access).await.unwrap().ok(204);
    sign_up(&program, "eve@example.net").await;
    let kids = server.client.get("/.well-known/jwks.json").await.unwrap().text;
    server.stop().await;

    let target = elsewhere(&program).await;
    let restore = |id: &'static str| ["restore", name, "--installation-id", id];
    let id: &'static str = Box::leak(id.into_boxed_str());
    let full = program.run(&restore(id)).await;
    full.fails(1, &["not empty", id]);
    let other = "019a0c1e-7b52-7cc3-98c4-dc0c0c07398f";
    target.run(&restore(other)).await.fails(1, &[id, "type that id"]);
    let expecting = target.clone().set("installation_id", other);
    expecting.run(&restore(id)).await.fails(1, &[id, other, "expects"]);
    assert_eq!(target.run(&["restore", name]).await.status, Some(2), "the id must be typed");

    let done = target.run(&[restore(id).as_slice(), &["--json"]].concat()).await.json();
    assert_eq!(done["manifest"], manifest, "{done}");
    assert_eq!((&done["token_epoch"], &done["sessions_ended"]), (&2.into(), &1.into()), "{done}");
    target.run(&restore(id)).await.fails(1, &["not empty", id]);

    let target = target.set("installation_id", id);
    let server = target.serve().await;
    let fault = Fault::injected(19, "an old backup is restored");
    for access in [access, late_access] {
        let reply = server.client.me(&access).await.unwrap();
        assert_eq!(reply.status, 401, "{reply:?}");
    }
    for refresh in [refresh, late_refresh] {
        let reply = server.client.refresh(&refresh).await.unwrap();
        reply.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    fault.found_by("every session from before is refused");
    // Who verifies by themselves must refuse as well: no key from before is published.
    let now = server.client.get("/.well-known/jwks.json").await.unwrap().text;
    let kid = |text: &str| text.split("\"kid\":\"").nth(1).unwrap()[..20].to_owned();
    assert!(!now.contains(&kid(&kids)), "{now}");
    let (access, _) = sign_in(&server, "ann@example.net").await;
    server.client.me(&access).await.unwrap().ok(200);
    server.client.log_in("eve@example.net", PASSWORD).await.unwrap().ok(401);
    server.stop().await;
    let waiting = target.run(&["mail", "list", "--json", "--state", "queued"]).await.json();
    assert_eq!(waiting, serde_json::json!([]));
    let told = events(&target).await;
    let (_, data) = told.iter().find(|(code, _)| code == "BACKUP_RESTORED").unwrap();
    assert_eq!((&data["made_at"], &data["sessions"]), (&manifest["made_at"], &1.into()), "{data}");
}

#[tokio::test]
async fn a_backup_is_tried_out_and_the_database_remembers_when() {
    let program = Program::new().await;
    sign_up(&program, "ann@example.net").await;
    let file = path_of(&program, "monday.backup");
    let manifest = backup(&program, &file).await;
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!(status["backup_verified_at"], Value::Null, "nobody tried it");

    let verify = ["backup", "verify", file.to_str().unwrap(), "--json"];
    assert_eq!(program.run(&verify).await.json(), manifest);
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!(status["backup_made_at"], manifest["made_at"], "{status}");
    assert!(status["backup_verified_at"].is_string(), "{status}");
    let left: Vec<_> = std::fs::read_dir(program.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("trial"))
        .collect();
    assert_eq!(left, [] as [&str; 0], "the trial leaves nothing behind");

    // Whoever finds the file learns nothing from it.
    let bytes = std::fs::read(&file).unwrap();
    let has = |words: &str| bytes.windows(words.len()).any(|window| window == words.as_bytes());
    assert!(has("authshield-backup") && !has("ann@example.net") && !has("installation"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_backup_that_is_not_whole_is_refused_before_anything_is_written() {
    let program = Program::new().await;
    sign_up(&program, "ann@example.net").await;
    let file = path_of(&program, "monday.backup");
    let manifest = backup(&program, &file).await;
    let id = manifest["installation_id"].as_str().unwrap();
    let good = std::fs::read(&file).unwrap();
    let target = elsewhere(&program).await;
    let at = good.len() / 2;
    let mut changed = good.clone();
    changed[at] ^= 1;
    let noise = b"authshield-backup\nnonsense\n".to_vec();
    for (bytes, words) in [
        (good[..good.len() - 1].to_vec(), "cut off or changed"),
        (good[..at].to_vec(), "cut off or changed"),
        ([good.as_slice(), b"x"].concat(), "cut off or changed"),
        (changed, "cut off or changed"),
        (noise, "no backup of AuthShield"),
        (Vec::new(), "no backup of AuthShield"),
    ] {
        let broken = path_of(&program, "broken.backup");
        std::fs::write(&broken, bytes).unwrap();
        let broken = broken.to_str().unwrap();
        program.run(&["backup", "verify", broken]).await.fails(1, &[words, broken]);
        let restore = ["restore", broken, "--installation-id", id];
        target.run(&restore).await.fails(1, &[words, broken]);
    }
    let untouched = target.run(&["migrate", "status", "--json"]).await.json();
    assert!(untouched.as_array().unwrap().iter().all(|row| row["applied"] == false), "{untouched}");
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!(status["backup_verified_at"], Value::Null);

    // With another master key the accounts would be there and nobody could sign in.
    let stranger = target.clone().set("master_key", MASTER_KEY);
    let name = file.to_str().unwrap();
    let restore = ["restore", name, "--installation-id", id];
    stranger.run(&restore).await.fails(1, &["another master key", "AUTHSHIELD_MASTER_KEY"]);
}

#[tokio::test]
async fn a_passphrase_opens_what_it_closed() {
    let program = Program::new().await;
    sign_up(&program, "ann@example.net").await;
    let write = |name: &str, words: &str| {
        let path = path_of(&program, name);
        std::fs::write(&path, words).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = write("right", "correct horse battery staple\n");
    let wrong = write("wrong", "incorrect horse battery staple\n");
    let short = write("short", "horse\n");
    let file = path_of(&program, "monday.backup");
    let name = file.to_str().unwrap();
    let create = |phrase: &str| {
        let words = ["backup", "create", name, "--passphrase-file", phrase];
        words.map(str::to_owned)
    };
    let run = async |words: &[String]| {
        program.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    run(&create(&short)).await.fails(1, &["at least 16 characters"]);
    run(&create(&right)).await.ok();
    let verify = ["backup", "verify", name];
    program.run(&verify).await.fails(1, &["--passphrase-file"]);
    let with = |phrase: &str| {
        [verify.map(str::to_owned).as_slice(), &["--passphrase-file".to_owned(), phrase.to_owned()]]
            .concat()
    };
    run(&with(&wrong)).await.fails(1, &["the key is another"]);
    run(&with(&right)).await.ok();
}

/// The way from an embedded file to a server, and back.
#[tokio::test]
async fn one_file_goes_from_either_database_into_the_other() {
    if !on_postgres() {
        return;
    }
    let program = Program::embedded();
    sign_up(&program, "ann@example.net").await;
    program.run(&["user", "create", "bob@example.net", "--role", "admin"]).await.ok();
    program.run(&["role", "create", "billing:read"]).await.ok();
    let first = path_of(&program, "first.backup");
    let from_file = backup(&program, &first).await;
    let id = from_file["installation_id"].as_str().unwrap();

    let server = program.another().database(&fresh_postgres().await);
    let restore = ["restore", first.to_str().unwrap(), "--installation-id", id];
    server.run(&restore).await.ok();
    let second = path_of(&program, "second.backup");
    let from_server = backup(&server, &second).await;
    for name in ["users", "roles", "user_roles"] {
        assert_eq!(table(&from_file, name), table(&from_server, name), "{name}");
    }
    server.run(&["backup", "verify", second.to_str().unwrap()]).await.ok();

    let back = program.another().database(&embedded(&program, "back"));
    let restore = ["restore", second.to_str().unwrap(), "--installation-id", id];
    back.run(&restore).await.ok();
    let third = backup(&back, &path_of(&program, "third.backup")).await;
    for name in ["users", "roles", "user_roles"] {
        assert_eq!(table(&from_file, name), table(&third, name), "{name}");
    }
    let running = back.serve().await;
    let (access, _) = sign_in(&running, "ann@example.net").await;
    running.client.me(&access).await.unwrap().ok(200);
    running.stop().await;
}

/// BAK-1: a backup that nobody restored, or an old one, is none.
#[tokio::test]
async fn the_age_of_the_last_verified_backup_is_told() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await;
    program.run(&["init"]).await.ok();
    let asked = ["--only", "BAK-1"];
    Gate::of(&program, &asked).await.ends(0).has("BAK-1", "skip", &["new"]);
    age(&program, "created_at", 60).await;
    Gate::of(&program, &asked).await.ends(0).has("BAK-1", "warn", &["no backup", "backup verify"]);

    let file = path_of(&program, "monday.backup");
    backup(&program, &file).await;
    Gate::of(&program, &asked).await.has("BAK-1", "warn", &["no backup was ever verified"]);
    program.run(&["backup", "verify", file.to_str().unwrap()]).await.ok();
    Gate::of(&program, &asked).await.ends(0).has("BAK-1", "pass", &[]);
    age(&program, "backup_made_at", 60).await;
    Gate::of(&program, &asked).await.ends(0).has("BAK-1", "warn", &["the last verified backup"]);
    age(&program, "backup_made_at", 24 * 8).await;
    Gate::of(&program, &asked).await.has("BAK-1", "warn", &["the last verified backup"]);
}

/// Puts an instant of the installation some hours back.
async fn age(program: &Program, column: &str, hours: u64) {
    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let sql = format!("UPDATE installation SET {column} = $1");
    let sql: &'static str = Box::leak(sql.into_boxed_str());
    let world = authshield::world::Real;
    let now = authshield::world::World::now(&world);
    let at = now - std::time::Duration::from_hours(hours);
    tx.query(sql).bind(at).execute().await.unwrap();
    tx.commit().await.unwrap();
}

/// An access token says under which epoch it was issued, and one from before a restore is refused even
/// where its key and its session are still there.
#[tokio::test]
async fn a_token_of_an_earlier_epoch_is_worth_nothing() {
    let program = Program::new().await;
    sign_up(&program, "ann@example.net").await;
    let server = program.serve().await;
    let (early, _) = sign_in(&server, "ann@example.net").await;
    server.client.me(&early).await.unwrap().ok(200);
    server.stop().await;

    let store = Store::open(&Options::parse(&program.database_url).unwrap()).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.query("UPDATE installation SET token_epoch = token_epoch + 1").execute().await.unwrap();
    tx.commit().await.unwrap();
    let server = program.serve().await;
    server.client.me(&early).await.unwrap().is(401, "AUTH_TOKEN_REVOKED");
    let (late, _) = sign_in(&server, "ann@example.net").await;
    server.client.me(&late).await.unwrap().ok(200);
    server.stop().await;
}
