//! The audit trail, as administrators, owners of accounts and operators read it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Program, Reply, TestApp, wait_until};

async fn unlimited() -> TestApp {
    TestApp::with(&[("rate_limit.enabled", "false")]).await
}

fn codes(reply: &Reply) -> Vec<String> {
    let items = reply.ok(200).body["items"].as_array().expect("a list");
    items.iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect()
}

async fn listed(app: &TestApp, root: &Person, query: &str) -> Vec<String> {
    codes(&app.get_as(root, &format!("/api/v1/admin/events?{query}")).await)
}

/// ASVS: V16.2.1, V16.3.1
#[tokio::test]
async fn what_happened_is_found_by_whom_from_where_and_what() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    app.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.log_in("nobody@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.refresh(&ann.refresh).await.ok(200);

    let of_ann = format!("user_id={}", ann.id);
    assert_eq!(
        listed(&app, &root, &of_ann).await,
        ["LOGIN_FAILED", "LOGIN_SUCCEEDED", "EMAIL_VERIFIED", "REGISTER_SUCCEEDED"]
    );
    assert_eq!(listed(&app, &root, &format!("{of_ann}&code=LOGIN_FAILED")).await.len(), 1);
    assert_eq!(
        listed(&app, &root, &format!("{of_ann}&code=REFRESH_ROTATED")).await,
        ["REFRESH_ROTATED"]
    );
    assert_eq!(listed(&app, &root, "code=LOGIN_FAILED").await.len(), 2);
    assert_eq!(listed(&app, &root, "code=LOGIN_FAILED&reason=wrong_password").await.len(), 1);
    assert_eq!(listed(&app, &root, "email=Nobody@Example.org").await, ["LOGIN_FAILED"]);
    assert_eq!(
        listed(&app, &root, "email=ann@example.org&code=LOGIN_FAILED").await,
        ["LOGIN_FAILED"]
    );
    assert!(listed(&app, &root, "ip_address=127.0.0.1").await.len() > 5);
    assert!(listed(&app, &root, "ip_address=192.0.2.1").await.is_empty());

    // What somebody did to others is found by who did it, and what belongs together by its request.
    let roles = json!({ "roles": ["user", "moderator"] });
    let path = format!("/api/v1/admin/users/{}/roles", ann.id);
    let changed = app.patch_as(&root, &path, roles).await;
    changed.ok(200);
    let by_root = format!("actor_id={}", root.id);
    assert_eq!(listed(&app, &root, &by_root).await, ["ROLES_CHANGED"]);
    assert!(listed(&app, &root, &format!("actor_id={}", ann.id)).await.is_empty());
    let request = format!("request_id={}", changed.header("x-request-id"));
    assert!(listed(&app, &root, &request).await.contains(&"ROLES_CHANGED".to_owned()));
    assert!(listed(&app, &root, &format!("{request}x")).await.is_empty());

    let found = app.get_as(&root, "/api/v1/admin/events?reason=email_not_found").await;
    let event = &found.ok(200).body["items"][0];
    assert_eq!((&event["code"], &event["user_id"]), (&json!("LOGIN_FAILED"), &Value::Null));
    assert!(!event.to_string().contains("nobody@"), "what was typed is kept as a hash: {event}");
}

#[tokio::test]
async fn a_time_is_asked_for_and_pieces_do_not_overlap() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    app.advance(Duration::from_mins(1));
    let noon = app.ctx().now;
    for _ in 0..5 {
        app.advance(Duration::from_secs(1));
        app.log_in("x@example.org", "battery staple").await;
    }
    let after = listed(&app, &root, &format!("since={noon}")).await;
    assert_eq!(after, ["LOGIN_FAILED"; 5]);
    let until = noon + Duration::from_secs(3);
    assert_eq!(listed(&app, &root, &format!("since={noon}&until={until}")).await.len(), 2);

    let whole = app.get_as(&root, "/api/v1/admin/events").await.ok(200).body["items"].clone();
    let (mut pieces, mut cursor) = (Vec::new(), String::new());
    loop {
        // Events that come meanwhile change nothing of what follows.
        app.log_in("y@example.org", "battery staple").await;
        let path = format!("/api/v1/admin/events?limit=3{cursor}");
        let piece = app.get_as(&root, &path).await;
        pieces.extend(piece.ok(200).body["items"].as_array().unwrap().clone());
        match piece.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let first = pieces.iter().position(|event| *event == whole[0]).expect("it is there");
    assert_eq!(pieces[first..], whole.as_array().unwrap()[..]);
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_refused() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    for (query, pointer) in [
        ("code=LOGIN_FALED", "/code"),
        ("code=REFRESH_ROTATED", "/code"),
        ("user_id=1", "/user_id"),
        ("email=nobody", "/email"),
        ("ip_address=999.1.1.1", "/ip_address"),
        ("ip_address=127.0.0.1&email=a@example.org", ""),
        ("since=yesterday", "/since"),
        ("limit=0", "/limit"),
        ("cursor=x", "/cursor"),
        ("who=me", "/who"),
    ] {
        let reply = app.get_as(&root, &format!("/api/v1/admin/events?{query}")).await;
        reply.is(422, "VALIDATION_FAILED");
        assert_eq!(reply.body["errors"][0]["pointer"], pointer, "{query}: {}", reply.body);
    }
}

#[tokio::test]
async fn owners_are_told_what_concerns_them_in_their_language_and_nothing_else() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    app.sign_up("bob@example.org").await;
    app.log_in("ann@example.org", "battery staple").await;
    app.refresh(&ann.refresh).await.ok(200);
    let path = format!("/api/v1/admin/users/{}/roles", ann.id);
    app.patch_as(&root, &path, json!({ "roles": ["user", "moderator"] })).await.ok(200);
    app.patch_as(&ann, "/api/v1/users/me", json!({ "locale": "de" })).await.ok(200);

    let told = app.get_as(&ann, "/api/v1/users/me/events").await;
    assert_eq!(
        codes(&told),
        [
            "PROFILE_CHANGED",
            "ROLES_CHANGED",
            "LOGIN_FAILED",
            "LOGIN_SUCCEEDED",
            "EMAIL_VERIFIED",
            "REGISTER_SUCCEEDED"
        ]
    );
    let items = told.body["items"].as_array().unwrap();
    let words: Vec<_> = items.iter().map(|item| item["description"].as_str().unwrap()).collect();
    assert_eq!(words[1..4], ["Rollen geändert", "Anmeldung mit falschem Passwort", "Angemeldet"]);
    assert_eq!(items[1]["by_administrator"], true);
    assert_eq!(items[0]["by_administrator"], false);
    assert_eq!(items[3]["is_current_session"], true);
    assert_eq!(items[2]["ip_address"], "127.0.0.1");
    for private in ["wrong_password", "reason", &root.id, "request_id"] {
        assert!(!told.body.to_string().contains(private), "{private} is in {}", told.body);
    }
}

/// Every code that is shown to owners has words, in every language.
#[tokio::test]
async fn whatever_owners_are_told_has_words() {
    let app = unlimited().await;
    let ann = app.sign_up("ann@example.org").await;
    for code in authshield::audit::CODES {
        let mut tx = app.app.store.write().await.unwrap();
        tx.query(
            "INSERT INTO audit_events (id, at, code, user_id, data) VALUES ($1, $2, $3, $4, '{}')",
        )
        .bind(authshield::kernel::AuditId::new(app.ctx().world()))
        .bind(app.ctx().now)
        .bind(*code)
        .bind(ann.id.parse::<authshield::kernel::UserId>().unwrap())
        .execute()
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
    for locale in ["en", "de", "es", "fr"] {
        app.patch_as(&ann, "/api/v1/users/me", json!({ "locale": locale })).await.ok(200);
        let told = app.get_as(&ann, "/api/v1/users/me/events?limit=200").await;
        assert!(codes(&told).len() > 18);
        assert!(!told.body.to_string().contains("activity-"), "{}", told.body);
    }
    app.send(app.request(Method::GET, "/api/v1/users/me/events"))
        .await
        .is(401, "AUTH_TOKEN_MISSING");
}

/// Nothing is said to have happened that did not last.
#[tokio::test]
async fn what_does_not_last_is_neither_logged_nor_counted() {
    let app = unlimited().await;
    let ann = app.sign_up("ann@example.org").await;
    let counted = || {
        let line = "authshield_events_total{code=\"LOGOUT\",reason=\"\"} ";
        let metrics = app.app.metrics.encode();
        let value = metrics.lines().find_map(|text| text.strip_prefix(line));
        value.map_or(0, |value| value.parse().unwrap())
    };
    let event = authshield::audit::Event::Logout {
        user: ann.id.parse().unwrap(),
        session: authshield::kernel::SessionId::new(app.ctx().world()),
    };
    for (lasts, count) in [(false, 0), (true, 1)] {
        let mut tx = app.app.store.write().await.unwrap();
        authshield::audit::record(&mut tx, &app.app, &app.ctx(), &event).await.unwrap();
        assert_eq!(counted(), 0);
        if lasts {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
        }
        assert_eq!(counted(), count);
    }
}

#[tokio::test]
async fn operators_list_follow_and_export() {
    let program = Program::new().await;
    for name in ["ann", "bob"] {
        program.run(&["user", "create", &format!("{name}@example.net")]).await.ok();
    }
    let listed = program.run(&["events", "list", "--json", "--code", "USER_CREATED"]).await.json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    let person = program.run(&["events", "list", "--code", "USER_CREATED"]).await.ok().out;
    assert!(person.lines().all(|line| line.contains("USER_CREATED") && line.contains("user=")));
    let unknown = program.run(&["events", "list", "--code", "USER_MADE"]).await;
    assert!(unknown.status == Some(2) && unknown.err.contains("USER_CREATED"), "{unknown:?}");
    program.run(&["events", "list", "--code", "REFRESH_ROTATED"]).await.fails(1, &["one account"]);

    // What is younger than ten seconds may still be joined by what was begun earlier.
    let exported = program.run(&["events", "export"]).await.ok().out;
    assert!(!exported.contains("bob"), "{exported}");
    let listed = program.run(&["events", "list", "--json", "--code", "EVENTS_EXPORTED"]).await;
    assert_eq!(listed.json().as_array().map(Vec::len), Some(1));

    let tail = program.start(&["events", "tail", "--json"]);
    let mut number = 0;
    wait_until("an event is seen as it happens", Duration::from_secs(30), async || {
        number += 1;
        program.run(&["user", "create", &format!("cid{number}@example.net")]).await.ok();
        tail.stdout().contains("USER_CREATED").then_some(())
    })
    .await;
}
