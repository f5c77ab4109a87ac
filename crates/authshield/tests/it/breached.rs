//! Passwords that were stolen elsewhere: nobody can choose them, and a file that breaks stops nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use authshield::chores;
use authshield::passwords::breached::{Lists, build};
use authshield::world::World;
use serde_json::json;

use crate::support::{PASSWORD, Program, Reply, TestApp, wait_until};

const STOLEN: &str = "four teapots in a kayak";
const STOLEN_LATER: &str = "nine lanterns in a canal";
const OTHER: &str = "seven herons under glass";

/// Makes the file from a list of passwords.
fn make(app: &TestApp, file: &Path, passwords: &[&str]) {
    let list = file.with_extension("txt");
    fs::write(&list, passwords.join("\n")).unwrap();
    let lists = Lists { files: &[list], are_plain: true, at_least: 0 };
    build(lists, file, app.world.now()).unwrap();
}

async fn register(app: &TestApp, email: &str, password: &str) -> Reply {
    let body = json!({ "email": email, "password": password });
    app.post("/api/v1/auth/register", body).await
}

#[track_caller]
fn is_refused(reply: &Reply, pointer: &str) {
    reply.is(422, "VALIDATION_FAILED");
    let errors: Vec<_> = reply.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(errors, [(pointer, "breached")], "{reply:?}");
}

/// A folder for the file, which is there before the service is.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("breached.filter");
    (folder, file)
}

/// The whole story: without the file everything goes on; with it no stolen password can be chosen anywhere, and who
/// has one gets in and is seen; when it breaks, what was read before still counts.
///
/// ASVS: V6.2.12
/// Attack: L04
#[tokio::test]
async fn l04_no_stolen_password_can_be_chosen_and_a_broken_file_stops_nobody() {
    let (_folder, file) = place();
    let app = TestApp::with(&[("password.breached_file", file.to_str().unwrap())]).await;
    chores::look_at_breached(app.app.clone()).await;
    app.open_account("ann@example.org").await;
    register(&app, "bob@example.org", STOLEN).await.ok(202);
    let bob = app.token_for("bob@example.org").await;
    app.post("/api/v1/auth/verify-email", json!({ "token": bob })).await.ok(200);

    make(&app, &file, &[STOLEN]);
    chores::look_at_breached(app.app.clone()).await;
    is_refused(&register(&app, "eve@example.org", STOLEN).await, "/password");
    register(&app, "eve@example.org", OTHER).await.ok(202);
    let ann = app.sign_in("ann@example.org").await;
    let change = |new: &str| json!({ "current_password": PASSWORD, "new_password": new });
    let path = "/api/v1/auth/change-password";
    is_refused(&app.post_as(&ann, path, change(STOLEN)).await, "/new_password");
    app.mails().await; // so that the next one is the last one
    app.post("/api/v1/auth/forgot-password", json!({ "email": "ann@example.org" })).await.ok(202);
    let token = app.token_for("ann@example.org").await;
    let path = "/api/v1/auth/reset-password";
    let reset = |new: &str| json!({ "token": token, "new_password": new });
    is_refused(&app.post(path, reset(STOLEN)).await, "/new_password");
    app.post(path, reset(OTHER)).await.ok(204);
    let body = json!({ "email": "bob@example.org", "password": STOLEN });
    app.post("/api/v1/auth/login", body).await.ok(200);
    let about_stolen = async || {
        let events = app.events().await;
        let is_told =
            |event: &&String| event.contains("PASSWORD_REFUSED") || event.contains("BREACHED");
        events.iter().filter(is_told).cloned().collect::<Vec<_>>()
    };
    let refused = "PASSWORD_REFUSED/breached";
    assert_eq!(about_stolen().await, [refused, refused, refused, "BREACHED_PASSWORD_USED"]);

    make(&app, &file, &[STOLEN, STOLEN_LATER]);
    chores::look_at_breached(app.app.clone()).await;
    is_refused(&register(&app, "dan@example.org", STOLEN_LATER).await, "/password");
    fs::write(&file, "ASBREACH, or so it says, and nothing that would be one").unwrap();
    for _ in 0..2 {
        chores::look_at_breached(app.app.clone()).await;
        is_refused(&register(&app, "dan@example.org", STOLEN).await, "/password");
    }
    fs::remove_file(&file).unwrap();
    chores::look_at_breached(app.app.clone()).await;
    register(&app, "dan@example.org", OTHER).await.ok(202);
    let (about, trouble) = app.app.passwords.breached().standing();
    assert_eq!(about.unwrap().entries, 2);
    assert!(trouble.unwrap().contains("cannot be read"));
    assert_eq!(app.app.metrics.breached_passwords.get(), 2);
}

/// The file as the operator has it: made and shown by the command line, proved by preflight, and read anew by the
/// service that runs.
#[tokio::test]
async fn the_file_is_made_proved_and_replaced_while_the_service_runs() {
    let (folder, file) = place();
    let list = folder.path().join("list");
    let [made, list] = [&file, &list].map(|path| path.to_str().unwrap().to_owned());
    // SHA-1 of "password" and of "123456", as they are published.
    let published = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\n\
                     7C4A8D09CA3762AF61E59520943DC26494F8941B:37359195\r\n";
    fs::write(&list, published).unwrap();
    let program = Program::new().await.unlimited().set("password.breached_file", &made);

    let preflight = ["preflight", "--only", "BRE-1", "--json"];
    let before = program.run(&preflight).await;
    assert!(before.out.contains("cannot be read") && before.status != Some(0), "{before:?}");
    let wrong = ["breach", "build", "--plain", "--out", &made, "/nonexistent/list"];
    program.run(&wrong).await.fails(1, &["/nonexistent/list"]);
    let built = program.run(&["breach", "build", "--json", "--out", &made, &list]).await.json();
    assert_eq!((built["entries"].as_u64(), built["left_out"].as_u64()), (Some(2), Some(0)));
    let ask = ["breach", "show", &made, "--password-stdin", "--json"];
    for (password, expected) in [("password\n", true), ("passwords", false)] {
        let shown = program.run_with(&ask, password).await.json();
        assert_eq!(shown["known"].as_bool(), Some(expected), "{shown}");
    }
    let proved = program.run(&preflight).await;
    assert!(proved.out.contains("2 passwords"), "{proved:?}");

    let server = program.serve().await;
    let told = async |words: &str, times: usize| {
        wait_until(words, Duration::from_mins(1), async || {
            (server.stdout().matches(words).count() == times).then_some(())
        })
        .await;
    };
    told("stolen passwords were read", 1).await;
    fs::write(&list, STOLEN).unwrap();
    program.run(&["breach", "build", "--plain", "--out", &made, &list]).await.ok();
    let register = async |password: &str| {
        let body = json!({ "email": "ann@example.org", "password": password });
        server.client.post("/api/v1/auth/register", body).await.unwrap()
    };
    told("stolen passwords were read", 2).await;
    is_refused(&register(STOLEN).await, "/password");
    fs::write(&file, "nothing of ours").unwrap();
    told("password.breached_file cannot be used", 1).await;
    is_refused(&register(STOLEN).await, "/password");
    server.stop().await;
}
