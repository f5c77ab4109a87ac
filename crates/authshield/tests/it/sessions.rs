//! Sessions: seeing them, ending them, and how they end by themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::registration::UNLIMITED;
use crate::support::{Person, TestApp};

const SESSIONS: &str = "/api/v1/sessions";
const LOGOUT: &str = "/api/v1/auth/logout";
const DAY: Duration = Duration::from_hours(24);

async fn list(app: &TestApp, who: &Person) -> Vec<Value> {
    let reply = app.get_as(who, SESSIONS).await;
    reply.ok(200).body["items"].as_array().unwrap().clone()
}

fn id(session: &Value) -> String {
    session["id"].as_str().unwrap().to_owned()
}

async fn current(app: &TestApp, who: &Person) -> String {
    let sessions = list(app, who).await;
    let mut own = sessions.iter().filter(|session| session["is_current"] == true);
    let found = id(own.next().expect("one is current"));
    assert!(own.next().is_none(), "only one is current");
    found
}

async fn is_over(app: &TestApp, who: &Person) {
    app.me(who).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&who.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
}

/// ASVS: V7.5.2, V7.2.2
/// Attack: D06, D08, D10, D11
#[tokio::test]
async fn people_see_and_end_their_own_sessions_and_nobody_elses() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let phone = app.sign_up("ann@example.org").await;
    let laptop = app.sign_in("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let (phones, laptops, bobs) =
        (current(&app, &phone).await, current(&app, &laptop).await, current(&app, &bob).await);
    let seen: Vec<_> = list(&app, &phone).await.iter().map(id).collect();
    assert_eq!(seen, [laptops.clone(), phones.clone()], "newest first, all of them, none of Bob's");

    // The phone is refreshed, so that it is the one used last; the laptop is what is ended.
    let phone = Person::from_pair(&app.refresh(&phone.refresh).await.ok(200).body);
    for other in [bobs.as_str(), "019ab000-0000-7000-8000-000000000000", "not-an-id", "%00"] {
        let reply = app.delete_as(&phone, &format!("{SESSIONS}/{other}")).await;
        reply.is(404, "SESSION_NOT_FOUND");
    }
    let path = format!("{SESSIONS}/{laptops}");
    app.delete_as(&phone, &path).await.ok(204);
    app.delete_as(&phone, &path).await.is(404, "SESSION_NOT_FOUND");
    is_over(&app, &laptop).await;
    app.me(&bob).await.ok(200);
    let phone = Person::from_pair(&app.refresh(&phone.refresh).await.ok(200).body);
    assert_eq!(list(&app, &phone).await.len(), 1);

    app.delete_as(&phone, &format!("{SESSIONS}/{phones}")).await.ok(204);
    is_over(&app, &phone).await;
    let again = app.sign_in("ann@example.org").await;
    let new = current(&app, &again).await;
    assert!(![&phones, &laptops].contains(&&new), "an id comes back");
}

#[tokio::test]
async fn a_list_read_in_pieces_loses_and_repeats_nothing_while_it_grows() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    for _ in 0..119 {
        app.sign_in("ann@example.org").await;
    }
    let before: BTreeSet<String> = {
        let reply = app.get_as(&ann, &format!("{SESSIONS}?limit=200")).await;
        assert_eq!(reply.ok(200).body["next_cursor"], Value::Null);
        reply.body["items"].as_array().unwrap().iter().map(id).collect()
    };
    assert_eq!(before.len(), 120);

    let (mut seen, mut path) = (Vec::new(), format!("{SESSIONS}?limit=35"));
    loop {
        let reply = app.get_as(&ann, &path).await;
        seen.extend(reply.ok(200).body["items"].as_array().unwrap().iter().map(id));
        app.sign_in("ann@example.org").await;
        let Some(cursor) = reply.body["next_cursor"].as_str() else { break };
        path = format!("{SESSIONS}?limit=35&cursor={cursor}");
    }
    assert_eq!(seen.len(), 120, "each once");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), before);
    assert_eq!(list(&app, &ann).await.len(), 50, "the default");

    for wrong in ["limit=0", "limit=201", "limit=x", "limit=-1", "cursor=x", "cursor=", "page=2"] {
        let reply = app.get_as(&ann, &format!("{SESSIONS}?{wrong}")).await;
        reply.is(422, "VALIDATION_FAILED");
    }
}

/// ASVS: V7.4.1
/// Attack: D05
#[tokio::test]
async fn signing_out_ends_the_session_at_once_with_a_body_and_without() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    let other = app.sign_in("ann@example.org").await;

    let ann = app.sign_in("ann@example.org").await;
    app.send(app.request(Method::POST, LOGOUT).bearer_auth(&ann.access)).await.ok(204);
    is_over(&app, &ann).await;
    for body in [json!({}), json!({ "refresh_token": null })] {
        let ann = app.sign_in("ann@example.org").await;
        app.post_as(&ann, LOGOUT, body).await.ok(204);
        is_over(&app, &ann).await;
    }
    let ann = app.sign_in("ann@example.org").await;
    app.post_as(&ann, LOGOUT, json!({ "refresh_token": ann.refresh })).await.ok(204);
    is_over(&app, &ann).await;
    app.post_as(&ann, LOGOUT, json!({})).await.is(401, "AUTH_TOKEN_REVOKED");

    // Somebody else's token in the body ends nothing of theirs.
    let ann = app.sign_in("ann@example.org").await;
    for wrong in [json!({ "refresh_token": "rubbish" }), json!({ "refresh": "x" }), json!([])] {
        app.post_as(&ann, LOGOUT, wrong).await.is(422, "VALIDATION_FAILED");
    }
    app.post_as(&ann, LOGOUT, json!({ "refresh_token": other.refresh })).await.ok(204);
    is_over(&app, &ann).await;
    app.me(&other).await.ok(200);
    app.refresh(&other.refresh).await.ok(200);
    app.post(LOGOUT, json!({ "refresh_token": other.refresh })).await.is(401, "AUTH_TOKEN_MISSING");
}

/// ASVS: V7.4.1, V7.4.2
/// Attack: D05, D07
#[tokio::test]
async fn what_was_ended_on_one_node_is_over_on_the_other_at_its_next_request() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let node = app.second_node(&[UNLIMITED, ("public_url", &app.base)]).await;
    let ann = app.sign_up("ann@example.org").await;
    let phone = app.sign_in("ann@example.org").await;
    for person in [&ann, &phone] {
        node.me(person).await.ok(200);
    }
    app.post_as(&ann, LOGOUT, json!({})).await.ok(204);
    is_over(&node, &ann).await;
    node.me(&phone).await.ok(200);

    let ann = app.sign_in("ann@example.org").await;
    node.me(&ann).await.ok(200);
    node.post_as(&phone, "/api/v1/auth/logout-all", json!({})).await.ok(204);
    for person in [&ann, &phone] {
        is_over(&app, person).await;
        is_over(&node, person).await;
    }

    let ann = app.sign_in("ann@example.org").await;
    node.me(&ann).await.ok(200);
    crate::registration::disable(&app, &ann).await;
    node.me(&ann).await.is(403, "AUTH_ACCOUNT_DISABLED");
    node.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
}

/// Attack: D12
/// ASVS: V7.3.2, V10.4.8
#[tokio::test]
async fn no_session_outlives_its_absolute_end_however_much_it_is_used() {
    let app = TestApp::with(&[UNLIMITED, ("session.lifetime", "30d")]).await;
    let mut ann = app.sign_up("ann@example.org").await;
    for day in 0..29 {
        app.advance(DAY);
        let reply = app.refresh(&ann.refresh).await;
        ann = Person::from_pair(&reply.ok(200).body);
        let left = 86_400 * (29 - day) + 60;
        assert!(reply.body["refresh_expires_in"].as_u64().unwrap() <= left.min(604_800));
    }
    app.advance(Duration::from_mins(24 * 60 - 1));
    let reply = app.refresh(&ann.refresh).await;
    assert!(reply.ok(200).body["expires_in"].as_u64().unwrap() <= 60, "no token outlives it");
    let ann = Person::from_pair(&reply.body);
    app.advance(Duration::from_secs(61));
    app.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    assert_eq!(app.me(&ann).await.status, 401);
}

/// Attack: D13
/// ASVS: V7.3.1
#[tokio::test]
async fn a_session_that_is_not_used_ends_and_trying_again_is_no_theft() {
    let app =
        TestApp::with(&[UNLIMITED, ("session.idle_timeout", "1d"), ("token.access_ttl", "20h")])
            .await;
    let ann = app.sign_up("ann@example.org").await;
    app.advance(DAY / 2);
    app.me(&ann).await.ok(200);
    app.advance(DAY / 2);
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    assert_eq!(list(&app, &ann).await.len(), 1);
    app.advance(DAY + Duration::from_secs(1));
    for _ in 0..2 {
        app.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    assert_eq!(app.me(&ann).await.status, 401);
    let again = app.sign_in("ann@example.org").await;
    assert_eq!(list(&app, &again).await.len(), 1, "what is over is not listed");
    assert!(!app.events().await.contains(&"REFRESH_REUSED".to_owned()));
}

#[tokio::test]
async fn the_last_use_is_known_to_the_minute() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    let last = async || list(&app, &ann).await[0]["last_active_at"].clone();
    let opened = last().await;
    app.advance(Duration::from_secs(50));
    assert_eq!(last().await, opened, "no write for every request");
    app.advance(Duration::from_secs(20));
    app.me(&ann).await.ok(200);
    let used = last().await;
    assert_ne!(used, opened);
    app.advance(Duration::from_secs(30));
    assert_eq!(last().await, used);
}

/// Attack: D04
#[tokio::test]
async fn what_was_ended_stays_ended_on_a_node_that_starts_later() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    let stays = app.sign_in("ann@example.org").await;
    let old = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.post_as(&old, LOGOUT, json!({})).await.ok(204);
    let later = app.second_node(&[("public_url", &app.base)]).await;
    for person in [&ann, &old] {
        is_over(&later, person).await;
    }
    later.me(&stays).await.ok(200);
}

/// Attack: D17
/// ASVS: V14.2.2, V14.3.2
#[tokio::test]
async fn no_answer_with_a_secret_may_be_kept() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let pair = app.log_in("ann@example.org", crate::support::PASSWORD).await;
    let ann = Person::from_pair(&pair.ok(200).body);
    for reply in [
        pair,
        app.refresh(&ann.refresh).await,
        app.me(&ann).await,
        app.get_as(&ann, SESSIONS).await,
        app.log_in("ann@example.org", "battery staple").await,
    ] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(!reply.headers.contains_key("set-cookie") && !reply.headers.contains_key("server"));
    }
}
