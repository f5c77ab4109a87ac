//! What operators see of mail, and what they can do about it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::smtp_server::Reaction;
use crate::support::{PASSWORD, Person, Reply, TestApp};

const LIST: &str = "/api/v1/admin/mail";

async fn unlimited() -> TestApp {
    TestApp::with(&[("rate_limit.enabled", "false")]).await
}

fn items(reply: &Reply) -> Vec<Value> {
    reply.ok(200).body["items"].as_array().unwrap().clone()
}

/// Returns the id of the newest mail of a kind to `email`.
async fn newest(app: &TestApp, root: &Person, email: &str, kind: &str) -> String {
    let list = app.get_as(root, &format!("{LIST}?email={email}&kind={kind}")).await;
    items(&list)[0]["id"].as_str().unwrap().to_owned()
}

async fn see(app: &TestApp, root: &Person, id: &str) -> Value {
    app.get_as(root, &format!("{LIST}/{id}")).await.ok(200).body.clone()
}

async fn resend(app: &TestApp, root: &Person, id: &str) -> Reply {
    app.send(
        app.request(reqwest::Method::POST, &format!("{LIST}/{id}/resend"))
            .bearer_auth(&root.access),
    )
    .await
}

/// Returns the kinds of what happened to a mail.
fn timeline(story: &Value) -> Vec<&str> {
    let entries = story["timeline"].as_array().unwrap();
    entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_story_of_a_mail_goes_from_the_outbox_to_the_click() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let id = newest(&app, &root, "Ann@Example.ORG", "verify_email").await;
    let story = see(&app, &root, &id).await;
    assert_eq!((&story["state"], timeline(&story)), (&json!("queued"), vec!["queued"]));

    let token = app.token_for("ann@example.org").await;
    let story = see(&app, &root, &id).await;
    assert_eq!(
        (&story["state"], timeline(&story)),
        (&json!("accepted"), vec!["queued", "accepted"])
    );
    let taken = &story["timeline"][1];
    assert_eq!((&taken["source"], &taken["smtp_code"]), (&json!("relay"), &json!(250)));
    assert_eq!(taken["reply"], "250 2.0.0 taken as Q1");
    assert!(!story.to_string().contains(&token), "the link is nobody else's");

    // The relay's yes is no delivery: after an hour of silence nobody knows.
    app.advance(Duration::from_mins(61));
    let root = app.sign_in("root@example.org").await;
    assert_eq!(see(&app, &root, &id).await["state"], "unknown");
    let found = async |state: &str| {
        let list = app.get_as(&root, &format!("{LIST}?email=ann@example.org&state={state}")).await;
        items(&list).len()
    };
    assert_eq!((found("unknown").await, found("accepted").await), (1, 0));
    authshield::chores::measure(&app.app).await;
    let page = app.app.metrics.encode();
    let unknown =
        "authshield_mail_outcome_unknown{provider=\"smtp\",mailbox_provider=\"unknown\"} 1\n";
    assert!(page.contains(unknown), "{page}");

    app.verify(&token).await.ok(200);
    app.verify(&token).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    let story = see(&app, &root, &id).await;
    assert_eq!(story["state"], "confirmed");
    assert_eq!(timeline(&story), ["queued", "accepted", "confirmed"]);
    assert_eq!((found("unknown").await, found("confirmed").await), (0, 1));
    let exposition = app.app.metrics.encode();
    let confirmed = "authshield_mail_time_to_confirm_seconds_count{kind=\"verify_email\",mailbox_provider=\"unknown\"} 2\n";
    assert!(exposition.contains(confirmed), "root's and hers: {exposition}");
}

#[tokio::test]
async fn a_link_confirms_the_mail_that_carried_it_and_no_other() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    for _ in 0..2 {
        let forgot = json!({ "email": ann.email });
        app.post("/api/v1/auth/forgot-password", forgot).await.ok(202);
        app.mails().await;
    }
    let second = app.token_for(&ann.email).await;
    let reset = json!({ "token": second, "new_password": "another lantern in the tide 7" });
    app.post("/api/v1/auth/reset-password", reset).await.ok(204);
    let list =
        app.get_as(&root, &format!("{LIST}?email=ann@example.org&kind=reset_password")).await;
    let states: Vec<_> = items(&list).iter().map(|mail| mail["state"].clone()).collect();
    assert_eq!(states, ["confirmed", "accepted"]);

    // The change of an address, too.
    let ann =
        Person::from_pair(&app.log_in(&ann.email, "another lantern in the tide 7").await.body);
    let change =
        json!({ "new_email": "new@example.org", "password": "another lantern in the tide 7" });
    app.post_as(&ann, "/api/v1/users/me/email", change).await.ok(202);
    let token = app.token_for("new@example.org").await;
    app.verify(&token).await.ok(200);
    let id = newest(&app, &root, "new@example.org", "confirm_new_email").await;
    assert_eq!(see(&app, &root, &id).await["state"], "confirmed");
}

#[tokio::test]
async fn mail_is_found_by_address_state_and_kind_in_pieces() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    for number in 0..5 {
        app.register(&format!("user{number}@example.org"), PASSWORD).await.ok(202);
    }
    app.relay.on(|heard| {
        (heard.line == "RCPT TO:<user3@example.org>").then(|| Reaction::say("550 5.1.1 nobody"))
    });
    app.mails().await;
    for (query, expected) in [
        ("", 6),
        ("kind=verify_email", 6),
        ("kind=test", 0),
        ("kind=%00", 0),
        ("email=user3%40example.org", 1),
        ("email=user", 0),
        ("state=failed", 1),
        ("state=failed&email=user1%40example.org", 0),
        ("state=accepted", 4),
        ("state=bounced", 0),
    ] {
        if query == "email=user" {
            app.get_as(&root, &format!("{LIST}?{query}")).await.is(422, "VALIDATION_FAILED");
            continue;
        }
        let reply = app.get_as(&root, &format!("{LIST}?{query}")).await;
        assert_eq!(items(&reply).len(), expected, "{query}");
    }
    let failed = items(&app.get_as(&root, &format!("{LIST}?state=failed")).await);
    assert_eq!(
        (&failed[0]["final_class"], &failed[0]["attempts"]),
        (&json!("recipient"), &json!(1))
    );

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let piece = app.get_as(&root, &format!("{LIST}?limit=2{cursor}")).await;
        seen.extend(items(&piece).into_iter().map(|mail| mail["recipient"].clone()));
        app.register(&format!("late{}@example.org", seen.len()), PASSWORD).await.ok(202);
        let Some(next) = piece.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected = (0..5).rev().map(|number| json!(format!("user{number}@example.org")));
    assert_eq!(seen, expected.chain([json!("root@example.org")]).collect::<Vec<_>>());
    for query in ["state=lost", "limit=0", "cursor=x", "page=2", "email=%00"] {
        let reply = app.get_as(&root, &format!("{LIST}?{query}")).await;
        reply.is(422, "VALIDATION_FAILED");
    }
    for id in ["x", "%00", "018f0000-0000-7000-8000-000000000000"] {
        app.get_as(&root, &format!("{LIST}/{id}")).await.is(404, "MAIL_NOT_FOUND");
        resend(&app, &root, id).await.is(404, "MAIL_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_mail_that_waits_is_hurried_and_one_that_is_settled_is_made_anew() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    app.relay.on(|heard| heard.is("RCPT").then(|| Reaction::say("450 4.2.0 greylisted")));
    app.register("ann@example.org", PASSWORD).await.ok(202);
    app.mails().await;
    let first = newest(&app, &root, "ann@example.org", "verify_email").await;
    app.relay.behave();
    assert_eq!(app.mails_to("ann@example.org").await, 0, "it waits for its next try");
    let reply = resend(&app, &root, &first).await;
    assert_eq!(reply.ok(202).body["id"], first.as_str());
    app.advance(Duration::from_millis(1));
    let old_link = app.token_for("ann@example.org").await;
    let story = see(&app, &root, &first).await;
    assert_eq!(timeline(&story), ["queued", "retried", "resent", "accepted"]);

    let reply = resend(&app, &root, &first).await;
    let second = reply.ok(202).body["id"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    let new_link = app.token_for("ann@example.org").await;
    assert_ne!(new_link, old_link, "links are not kept, so another one is made");
    let story = see(&app, &root, &first).await;
    assert_eq!((&story["state"], timeline(&story).len()), (&json!("accepted"), 5));
    assert_eq!(story["timeline"][4]["reply"], format!("as {second}"));
    app.verify(&new_link).await.ok(200);
    assert_eq!(see(&app, &root, &second).await["state"], "confirmed");
    assert_eq!(see(&app, &root, &first).await["state"], "accepted");

    let refused = resend(&app, &root, &first).await;
    refused.is(409, "MAIL_NOT_RESENDABLE");
    assert_eq!(refused.body["detail"], "The address is verified already.");
    let resent = app
        .count(
            "SELECT COUNT(*) FROM audit_events
             WHERE code = 'MAIL_RESENT' AND actor_id IS NOT NULL AND user_id IS NOT NULL",
        )
        .await;
    assert_eq!(resent, 2, "who did it is known, and what was refused is no event");
}

#[tokio::test]
async fn the_timeline_is_only_ever_added_to() {
    let app = unlimited().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    app.mails().await;
    let mut tx = app.app.store.write().await.unwrap();
    let changed = tx.query("UPDATE mail_events SET kind = 'delivered'").execute().await;
    let words = format!("{:?}", changed.unwrap_err());
    assert!(words.contains("only ever added to"), "{words}");
}

/// Registered twice with different passwords: whoever reads the mail chooses one, and a mail that was
/// lost can be sent again like any other.
#[tokio::test]
async fn a_mail_to_choose_a_password_is_sent_again_with_a_link_that_works() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    app.register("ann@example.org", "another lantern omelette 43").await.ok(202);
    app.mails().await;
    let first = newest(&app, &root, "ann@example.org", "choose_password").await;
    app.advance(Duration::from_mins(1));
    let reply = resend(&app, &root, &first).await;
    let second = reply.ok(202).body["id"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    let story = see(&app, &root, &second).await;
    assert_eq!(story["kind"], "choose_password");
    let token = app.token_for("ann@example.org").await;
    let chosen = "a third lantern omelette 44";
    let body = json!({ "token": token, "new_password": chosen });
    app.post("/api/v1/auth/reset-password", body).await.ok(204);
    app.log_in("ann@example.org", chosen).await.ok(200);
    let refused = resend(&app, &root, &first).await;
    refused.is(409, "MAIL_NOT_RESENDABLE");
    assert_eq!(refused.body["detail"], "The address is verified already.");
}
