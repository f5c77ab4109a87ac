//! Addresses that get no mail: it came back, was unwanted, or an operator says so.

use std::time::Duration;

use authshield::kernel::MailId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::smtp_server::Reaction;
use crate::support::{PASSWORD, Person, Program, Reply, TestApp};

const MAIL: &str = "/api/v1/admin/mail";
const LIST: &str = "/api/v1/admin/mail/suppressions";
const HOUR: Duration = Duration::from_hours(1);

async fn unlimited() -> TestApp {
    TestApp::with(&[("rate_limit.enabled", "false")]).await
}

fn items(reply: &Reply) -> Vec<Value> {
    reply.ok(200).body["items"].as_array().unwrap().clone()
}

/// Lets nobody have a mailbox at this address.
fn nobody_at(app: &TestApp, line: &'static str) {
    app.relay
        .on(move |heard| (heard.line == line).then(|| Reaction::say("550 5.1.1 no such user")));
}

/// Asks for the link once more, and returns the state of the mail that follows.
async fn ask_again(app: &TestApp, root: &str, email: &str) -> Value {
    let body = json!({ "email": email });
    app.post("/api/v1/auth/resend-verification", body).await.ok(202);
    app.mails().await;
    let root = app.sign_in(root).await;
    let newest = app.get_as(&root, &format!("{MAIL}?email={email}")).await;
    items(&newest)[0].clone()
}

async fn listed(app: &TestApp, root: &Person, email: &str) -> Vec<Value> {
    items(&app.get_as(root, &format!("{LIST}?email={email}")).await)
}

fn counted(app: &TestApp, reason: &str) -> bool {
    let line = format!("authshield_mail_suppressed_total{{reason=\"{reason}\"}} ");
    app.app.metrics.encode().contains(&line)
}

#[tokio::test]
async fn mail_that_comes_back_stops_for_three_days_then_one_is_tried_then_for_thirty() {
    let app = unlimited().await;
    app.sign_up_admin("root@example.org").await;
    nobody_at(&app, "RCPT TO:<ann@example.net>");
    app.register("ann@example.net", PASSWORD).await.ok(202);
    app.mails().await;

    // Nothing is tried, and that is said.
    let mail = ask_again(&app, "root@example.org", "ann@example.net").await;
    assert_eq!(mail["state"], "suppressed");
    assert!(mail["last_reply"].as_str().unwrap().contains("came back for good"), "{mail}");
    let heard = || app.relay.heard().iter().filter(|it| it.line.contains("ann@")).count();
    assert_eq!(heard(), 1, "the relay is not asked again");
    assert!(counted(&app, "hard_bounce"));
    let root = app.sign_in("root@example.org").await;
    let one = listed(&app, &root, "ann@example.net").await.remove(0);
    assert_eq!((&one["scope"], &one["strikes"]), (&json!("all"), &json!(1)));
    assert_eq!(one["address"], "ann@example.net");
    let evidence = one["mail_id"].as_str().unwrap();
    let story = app.get_as(&root, &format!("{MAIL}/{evidence}")).await.ok(200).body.clone();
    assert_eq!(story["timeline"][1]["enhanced_code"], "5.1.1");
    // An operator who has it sent again is told what is in the way.
    let id = mail["id"].as_str().unwrap();
    let again = app.request(Method::POST, &format!("{MAIL}/{id}/resend"));
    let refused = app.send(again.bearer_auth(&root.access)).await;
    refused.is(409, "MAIL_NOT_RESENDABLE");
    assert!(refused.text.contains("lift that first"), "{refused:?}");

    // After three days one is tried; it comes back as well.
    app.advance(71 * HOUR);
    let mail = ask_again(&app, "root@example.org", "ann@example.net").await;
    assert_eq!(mail["state"], "suppressed");
    app.advance(2 * HOUR);
    let mail = ask_again(&app, "root@example.org", "ann@example.net").await;
    assert_eq!((&mail["state"], heard()), (&json!("failed"), 2));
    let root = app.sign_in("root@example.org").await;
    let one = listed(&app, &root, "ann@example.net").await.remove(0);
    assert_eq!(one["strikes"], 2);
    app.advance(29 * 24 * HOUR);
    let mail = ask_again(&app, "root@example.org", "ann@example.net").await;
    assert_eq!(mail["state"], "suppressed");

    // The mailbox is there now: the one that is tried arrives, and its link is used.
    app.advance(25 * HOUR);
    app.relay.behave();
    let mail = ask_again(&app, "root@example.org", "ann@example.net").await;
    assert_eq!(mail["state"], "accepted");
    // Until it is known how that goes, no other.
    let mail = ask_again(&app, "root@example.org", "ann@example.net").await;
    assert_eq!(mail["state"], "suppressed");
    let token = app.token_for("ann@example.net").await;
    let choose = json!({ "token": token, "new_password": PASSWORD });
    app.post("/api/v1/auth/reset-password", choose).await.ok(204);
    let root = app.sign_in("root@example.org").await;
    assert_eq!(listed(&app, &root, "ann@example.net").await, Vec::<Value>::new());
    let forgot = json!({ "email": "ann@example.net" });
    app.post("/api/v1/auth/forgot-password", forgot).await.ok(202);
    assert_eq!(app.mails_to("ann@example.net").await, 2);
}

/// What is asked, and how it is answered, tells nothing about it.
#[tokio::test]
async fn who_asks_for_mail_to_a_suppressed_address_gets_the_answer_that_everybody_gets() {
    let app = unlimited().await;
    nobody_at(&app, "RCPT TO:<ann@example.net>");
    app.register("ann@example.net", PASSWORD).await.ok(202);
    app.mails().await;
    for path in ["/api/v1/auth/resend-verification", "/api/v1/auth/forgot-password"] {
        let suppressed = app.post(path, json!({ "email": "ann@example.net" })).await;
        let unknown = app.post(path, json!({ "email": "bob@example.net" })).await;
        assert_eq!((suppressed.status, &suppressed.text), (unknown.status, &unknown.text));
        assert_eq!(suppressed.status, 202);
    }
    let known = app.register("ann@example.net", PASSWORD).await;
    let unknown = app.register("bob@example.net", PASSWORD).await;
    let without_id = |reply: &Reply| {
        let mut body = reply.ok(202).body.clone();
        body.as_object_mut().unwrap().remove("mail_id");
        body.to_string()
    };
    assert_eq!(without_id(&known).replace("ann", "bob"), without_id(&unknown));
}

#[tokio::test]
async fn operators_add_import_export_and_lift_and_each_is_an_event() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.net").await;
    let add = |body: Value| app.post_as(&root, LIST, body);
    let until = "2099-01-01T00:00:00Z";
    let body = json!({ "email": "Ann@Example.NET", "scope": "non_security", "until": until });
    let added = add(body).await.ok(201).body.clone();
    assert_eq!((&added["reason"], &added["address"]), (&json!("operator"), &json!(ann.email)));
    assert_eq!(added["by"], root.id.as_str());
    for body in [
        json!({ "email": "ann" }),
        json!({ "email": "ann@example.net", "scope": "some" }),
        json!({ "email": "ann@example.net", "until": "tomorrow" }),
        json!({ "email": "ann@example.net", "x": 1 }),
        json!({}),
    ] {
        add(body).await.is(422, "VALIDATION_FAILED");
    }

    // What protects the account goes out, the rest does not.
    let change =
        json!({ "current_password": PASSWORD, "new_password": "another lantern in the tide 7" });
    app.post_as(&ann, "/api/v1/auth/change-password", change).await.ok(204);
    let before = app.mails_to("ann@example.net").await;
    app.register("ann@example.net", PASSWORD).await.ok(202);
    assert_eq!(app.mails_to("ann@example.net").await, before, "already registered: not sent");
    let last = app.last_mail("ann@example.net").await;
    assert_eq!(last.header("Subject").as_deref(), Some("Your password for AuthShield was changed"));

    let import = format!("{LIST}/import");
    let list = json!({ "addresses": ["eve@example.net", "bob@example.net", "eve@example.net"] });
    let reply = app.post_as(&root, &import, list.clone()).await;
    assert_eq!(reply.ok(200).body["added"], 2);
    assert_eq!(app.post_as(&root, &import, list).await.ok(200).body["added"], 0);
    let wrong = app.post_as(&root, &import, json!({ "addresses": ["eve@example.net", "x"] })).await;
    wrong.is(422, "VALIDATION_FAILED");
    assert!(wrong.text.contains("/addresses/1"), "{wrong:?}");
    app.register("eve@example.net", PASSWORD).await.ok(202);
    assert_eq!(app.mails_to("eve@example.net").await, 0);

    let exported = app.post_as(&root, &format!("{LIST}/export"), json!({})).await;
    assert_eq!(exported.ok(200).header("content-type"), "text/csv; charset=utf-8");
    let rows: Vec<_> = exported.text.lines().collect();
    assert_eq!(rows[0], "address,scope,reason,since,until");
    assert!(
        rows.iter().any(|row| row.starts_with("\"eve@example.net\",all,imported,")),
        "{rows:?}"
    );
    assert_eq!(rows.len(), 4);

    let pieces = items(&app.get_as(&root, &format!("{LIST}?limit=2")).await);
    assert_eq!(pieces.len(), 2);
    let id = added["id"].as_str().unwrap();
    let lift = async |id: &str| {
        let request = app.request(Method::DELETE, &format!("{LIST}/{id}"));
        app.send(request.bearer_auth(&root.access)).await
    };
    lift(id).await.ok(204);
    lift(id).await.is(404, "MAIL_SUPPRESSION_NOT_FOUND");
    lift("x").await.is(404, "MAIL_SUPPRESSION_NOT_FOUND");
    lift(&MailId::new(&*app.world).to_string()).await.is(404, "MAIL_SUPPRESSION_NOT_FOUND");
    app.register("ann@example.net", PASSWORD).await.ok(202);
    assert_eq!(app.mails_to("ann@example.net").await, before + 1);
    let events: Vec<_> =
        app.events().await.into_iter().filter(|code| code.contains("SUPPRESSION")).collect();
    assert_eq!(
        events,
        [
            "MAIL_SUPPRESSION_ADDED",
            "MAIL_SUPPRESSIONS_IMPORTED",
            "MAIL_SUPPRESSIONS_IMPORTED",
            "MAIL_SUPPRESSIONS_EXPORTED",
            "MAIL_SUPPRESSION_LIFTED",
        ]
    );
    let clear =
        "SELECT COUNT(*) FROM audit_events WHERE code LIKE 'MAIL_SUPP%' AND email_hash IS NULL";
    assert_eq!(app.count(clear).await, 3, "addresses are kept as hashes");
}

/// Whoever reads the database learns no address from it that has no other row.
#[tokio::test]
async fn the_table_holds_no_address_in_clear() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let body = json!({ "email": "eve@example.net" });
    app.post_as(&root, LIST, body).await.ok(201);
    let mut tx = app.app.store.read().await.unwrap();
    let (hash, sealed): (Vec<u8>, Vec<u8>) =
        tx.query("SELECT to_hash, address FROM mail_suppressions").one().await.unwrap();
    drop(tx);
    assert_eq!(hash.len(), 32);
    for bytes in [hash, sealed] {
        assert!(!bytes.windows(3).any(|window| window == b"eve"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_do_the_same() {
    let program = Program::new().await;
    program.run(&["migrate", "run"]).await.ok();
    let suppressions = async |arguments: &[&str]| {
        program.run(&[&["mail", "suppressions"], arguments].concat()).await
    };
    let list = program.folder().join("list.csv");
    std::fs::write(&list, "email,why\nbob@example.net,550\neve@example.net,550\n").unwrap();
    let file = list.to_str().unwrap();
    let imported = suppressions(&["import", file, "--json"]).await.json();
    assert_eq!(imported, json!({ "read": 2, "added": 2 }));
    suppressions(&["add", "ann@example.net", "--scope", "non_security"]).await.ok();
    let all = suppressions(&["list", "--json"]).await.json();
    assert_eq!(all.as_array().unwrap().len(), 3);
    let exported = suppressions(&["export"]).await.ok().out;
    suppressions(&["lift", "bob@example.net"]).await.ok();
    suppressions(&["lift", "bob@example.net"])
        .await
        .fails(1, &["bob@example.net", "not suppressed"]);
    assert_eq!(suppressions(&["list", "--to", "bob@example.net"]).await.ok().out, "");
    // What was exported can be brought back.
    let restored =
        program.run_with(&["mail", "suppressions", "import", "-", "--json"], &exported).await;
    assert_eq!(restored.json(), json!({ "read": 3, "added": 2 }));
    std::fs::write(&list, "bob@example.net\nnobody\n").unwrap();
    suppressions(&["import", file]).await.fails(1, &["line 2"]);
}
