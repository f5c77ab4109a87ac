//! What administrators do to others, and what they cannot.

use std::collections::BTreeSet;

use onesql::Json;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Reply, TestApp};

async fn unlimited() -> TestApp {
    TestApp::with(&[("rate_limit.enabled", "false")]).await
}

async fn set_roles(app: &TestApp, by: &Person, whom: &Person, roles: &[&str]) -> Reply {
    let path = format!("/api/v1/admin/users/{}/roles", whom.id);
    app.patch_as(by, &path, json!({ "roles": roles })).await
}

async fn set_active(app: &TestApp, by: &Person, whom: &Person, is_active: bool) -> Reply {
    let path = format!("/api/v1/admin/users/{}/status", whom.id);
    app.patch_as(by, &path, json!({ "is_active": is_active })).await
}

/// Gives roles, and a working account, as the command line does.
async fn restore(app: &TestApp, person: &Person, roles: &[&str]) {
    let id = person.id.parse().unwrap();
    let wanted = roles.iter().map(|role| (*role).to_owned()).collect();
    authshield::roles::set_roles(&app.app, &app.ctx(), None, id, wanted).await.unwrap();
    authshield::roles::set_active(&app.app, &app.ctx(), None, id, true).await.unwrap();
}

async fn admins(app: &TestApp) -> i64 {
    app.count(
        "SELECT COUNT(*) FROM user_roles AS r JOIN users AS u ON u.id = r.user_id
         WHERE r.role = 'admin' AND u.disabled_at IS NULL",
    )
    .await
}

/// Returns the details of the events with `code`, oldest first.
async fn details(app: &TestApp, code: &str) -> Vec<Value> {
    let mut tx = app.app.store.read().await.unwrap();
    let rows: Vec<(Json<Value>,)> = tx
        .query("SELECT data FROM audit_events WHERE code = $1 ORDER BY at, id")
        .bind(code.to_owned())
        .all()
        .await
        .unwrap();
    rows.into_iter().map(|(Json(data),)| data).collect()
}

fn emails(reply: &Reply) -> Vec<&str> {
    let items = reply.ok(200).body["items"].as_array().expect("a list");
    items.iter().map(|item| item["email"].as_str().unwrap()).collect()
}

/// Attack class I10.
/// ASVS: V6.3.2
#[tokio::test]
async fn a_fresh_installation_has_nobody_who_could_come_in() {
    let app = unlimited().await;
    for table in ["SELECT COUNT(*) FROM users", "SELECT COUNT(*) FROM sessions"] {
        assert_eq!(app.count(table).await, 0);
    }
    for name in ["admin", "root", "authshield", "administrator", "test"] {
        for host in ["localhost.localdomain", "example.org", "auth.example.net"] {
            for password in [name, "admin", "password", "changeme", "authshield", ""] {
                let reply = app.log_in(&format!("{name}@{host}"), password).await;
                assert!([401, 422].contains(&reply.status.as_u16()), "{reply:?}");
            }
        }
    }
    // Whoever registers first is nobody special.
    let first = app.sign_up("first@example.org").await;
    assert_eq!(app.me(&first).await.body["roles"], json!(["user"]));
    assert_eq!(admins(&app).await, 0);
}

#[tokio::test]
async fn accounts_are_listed_in_pieces_newest_first() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    for number in 0..7 {
        app.register(&format!("user{number}@example.org"), PASSWORD).await.ok(202);
    }
    let whole = app.get_as(&root, "/api/v1/admin/users").await;
    let expected: Vec<_> = emails(&whole).into_iter().map(ToOwned::to_owned).collect();
    assert_eq!(expected.len(), 8);
    assert_eq!(
        (expected[0].as_str(), expected[7].as_str()),
        ("user6@example.org", "root@example.org")
    );
    assert!(whole.body["next_cursor"].is_null());

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/admin/users?limit=3{cursor}");
        let piece = app.get_as(&root, &path).await;
        seen.extend(emails(&piece).into_iter().map(ToOwned::to_owned));
        // Who comes meanwhile is newer than all that was seen, and moves nothing.
        app.register(&format!("late{}@example.org", seen.len()), PASSWORD).await.ok(202);
        let Some(next) = piece.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, expected);

    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1&limit=2",
        "limit=99999999999",
        "cursor=",
        "cursor=x",
        "cursor=%00",
        "cursor=%FF%FE",
        "page=2",
        "is_active=maybe",
        "sort=email",
        "limit=1%3B",
        "email=a&email=b",
    ] {
        let reply = app.get_as(&root, &format!("/api/v1/admin/users?{query}")).await;
        reply.is(422, "VALIDATION_FAILED");
    }
    // A cursor is a place; one that was made up is a place too, if it has the form of one.
    for byte in ["_", "A", "gI", "f4"] {
        let made_up = byte.repeat(32 / byte.len());
        let reply = app.get_as(&root, &format!("/api/v1/admin/users?cursor={made_up}")).await;
        reply.ok(200);
    }
}

/// Attack: J01
/// ASVS: V1.2.4
#[tokio::test]
async fn a_search_finds_parts_of_addresses_and_nothing_is_a_wildcard() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    for email in
        ["a_b@example.org", "axb@example.org", "per!cent@example.net", "o'neil@example.org"]
    {
        app.register(email, PASSWORD).await.ok(202);
    }
    for (query, expected) in [
        ("email=a_b", vec!["a_b@example.org"]),
        ("email=%25", vec![]),
        ("email=A_B%40EXAMPLE", vec!["a_b@example.org"]),
        ("email=!", vec!["per!cent@example.net"]),
        ("email=example.net", vec!["per!cent@example.net"]),
        ("email=o%27neil", vec!["o'neil@example.org"]),
        ("email=%27%20OR%201%3D1%20--", vec![]),
        ("email=%5C", vec![]),
        ("role=admin", vec!["root@example.org"]),
        ("role=nothing", vec![]),
        ("role=admin%27--", vec![]),
        ("is_active=false", vec![]),
        ("role=user&email=axb&is_active=true", vec!["axb@example.org"]),
    ] {
        let reply = app.get_as(&root, &format!("/api/v1/admin/users?{query}")).await;
        assert_eq!(emails(&reply), expected, "{query}");
    }
    for query in ["email=%00", "role=%00", &format!("email={}", "x".repeat(300))] {
        let reply = app.get_as(&root, &format!("/api/v1/admin/users?{query}")).await;
        reply.is(422, "VALIDATION_FAILED");
    }
}

/// ASVS: V8.3.2, V10.3.2, V16.3.1
#[tokio::test]
async fn roles_count_from_the_next_request_and_the_trail_has_both_sides() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    let list = "/api/v1/admin/users";
    app.get_as(&ann, list).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");

    let reply = set_roles(&app, &root, &ann, &["user", "moderator", "moderator"]).await;
    assert_eq!(reply.ok(200).body["roles"], json!(["moderator", "user"]));
    // The token in her hand was signed before, and says `user` only.
    app.get_as(&ann, list).await.ok(200);
    app.get_as(&ann, &format!("{list}/{}", root.id)).await.ok(200);
    app.get_as(&ann, &format!("{list}/{}/sessions", root.id)).await.ok(200);
    set_roles(&app, &ann, &ann, &["admin"]).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
    set_active(&app, &ann, &root, false).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
    let sessions = format!("{list}/{}/sessions", root.id);
    app.delete_as(&ann, &sessions).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");

    set_roles(&app, &root, &ann, &["admin"]).await.ok(200);
    app.get_as(&ann, list).await.ok(200);
    set_roles(&app, &root, &ann, &[]).await.ok(200);
    app.get_as(&ann, list).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
    app.me(&ann).await.ok(200);

    let changes = details(&app, "ROLES_CHANGED").await;
    let sides: Vec<_> = changes.iter().map(|data| (&data["before"], &data["after"])).collect();
    assert_eq!(
        sides[1..],
        [
            (&json!(["user"]), &json!(["moderator", "user"])),
            (&json!(["moderator", "user"]), &json!(["admin"])),
            (&json!(["admin"]), &json!([])),
        ]
    );
    let actors = app
        .count(
            "SELECT COUNT(*) FROM audit_events
             WHERE code = 'ROLES_CHANGED' AND actor_id IS NOT NULL AND actor_id <> user_id",
        )
        .await;
    assert_eq!(actors, 3);
}

#[tokio::test]
async fn roles_that_do_not_exist_are_refused() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    for role in ["boss", "Admin", "admin ", "", "\0", "admin\u{200b}", "' OR 1=1 --"] {
        let reply = set_roles(&app, &root, &ann, &["user", role]).await;
        reply.is(422, "VALIDATION_FAILED");
        assert_eq!(reply.body["errors"][0]["pointer"], "/roles");
        assert_eq!(reply.body["errors"][0]["code"], "unknown_role");
    }
    let many: Vec<_> = (0..51).map(|number| format!("role{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    set_roles(&app, &root, &ann, &many).await.is(422, "VALIDATION_FAILED");
    assert_eq!(app.me(&ann).await.body["roles"], json!(["user"]));

    let nobody = Person { id: "018f0000-0000-7000-8000-000000000000".into(), ..ann.clone() };
    set_roles(&app, &root, &nobody, &["user"]).await.is(404, "USER_NOT_FOUND");
    set_active(&app, &root, &nobody, false).await.is(404, "USER_NOT_FOUND");
    for id in ["x", "%00", "018f0000", "%2F%2F"] {
        let path = format!("/api/v1/admin/users/{id}/sessions");
        app.get_as(&root, &path).await.is(404, "USER_NOT_FOUND");
        app.delete_as(&root, &path).await.is(404, "USER_NOT_FOUND");
    }
}

/// ASVS: V7.4.2, V8.3.2, V16.3.1
#[tokio::test]
async fn a_disabled_account_is_out_at_once_on_every_node() {
    let app = unlimited().await;
    let other = app.second_node(&[("rate_limit.enabled", "false")]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    app.me(&ann).await.ok(200);
    other.me(&ann).await.ok(200);

    let reply = set_active(&app, &root, &ann, false).await;
    assert_eq!(reply.ok(200).body["is_active"], false);
    for node in [&app, &other] {
        node.me(&ann).await.is(403, "AUTH_ACCOUNT_DISABLED");
        node.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
        node.log_in("ann@example.org", PASSWORD).await.is(403, "AUTH_ACCOUNT_DISABLED");
        node.log_in("ann@example.org", "not the password")
            .await
            .is(401, "AUTH_INVALID_CREDENTIALS");
    }
    // Again is no change, and no event.
    set_active(&app, &root, &ann, false).await.ok(200);
    assert_eq!(set_active(&app, &root, &ann, true).await.ok(200).body["is_active"], true);
    // What ended stays ended.
    other.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    other.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.sign_in("ann@example.org").await;
    let changes = details(&app, "STATUS_CHANGED").await;
    assert_eq!(changes.len(), 2, "{changes:?}");
}

/// ASVS: V7.4.5
#[tokio::test]
async fn administrators_see_and_end_sessions_of_others() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    let phone = app.sign_in("ann@example.org").await;
    let path = format!("/api/v1/admin/users/{}/sessions", ann.id);
    let list = app.get_as(&root, &path).await;
    assert_eq!(list.ok(200).body["items"].as_array().unwrap().len(), 2);
    assert!(list.body["items"].as_array().unwrap().iter().all(|item| item["is_current"] == false));
    let piece = app.get_as(&root, &format!("{path}?limit=1")).await;
    let next = piece.ok(200).body["next_cursor"].as_str().unwrap().to_owned();
    let rest = app.get_as(&root, &format!("{path}?limit=1&cursor={next}")).await;
    assert_eq!(rest.ok(200).body["items"].as_array().unwrap().len(), 1);
    assert_ne!(piece.body["items"][0]["id"], rest.body["items"][0]["id"]);

    app.delete_as(&root, &path).await.ok(204);
    for person in [&ann, &phone] {
        app.me(person).await.is(401, "AUTH_TOKEN_REVOKED");
        app.refresh(&person.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    app.me(&root).await.ok(200);
    assert_eq!(app.get_as(&root, &path).await.ok(200).body["items"], json!([]));
    assert!(app.events().await.contains(&"SESSION_REVOKED/admin_revoked".to_owned()));
    app.delete_as(&root, &path).await.ok(204);
}

#[tokio::test]
async fn an_administrator_cannot_take_the_own_role_nor_the_last_one() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    set_roles(&app, &root, &root, &["user"]).await.is(400, "ADMIN_CANNOT_REMOVE_OWN_ROLE");
    set_active(&app, &root, &root, false).await.is(400, "ADMIN_LAST_ADMIN");
    // Own other roles are theirs to change.
    set_roles(&app, &root, &root, &["admin", "moderator"]).await.ok(200);

    let second = app.sign_up_admin("second@example.org").await;
    set_roles(&app, &root, &root, &["user"]).await.is(400, "ADMIN_CANNOT_REMOVE_OWN_ROLE");
    set_active(&app, &root, &second, false).await.ok(200);
    // A disabled administrator is nobody who could help.
    set_active(&app, &root, &root, false).await.is(400, "ADMIN_LAST_ADMIN");
    app.delete_as(&root, "/api/v1/sessions/x").await.is(404, "SESSION_NOT_FOUND");
    let refused: Vec<_> =
        app.events().await.into_iter().filter(|event| event.starts_with("ADMIN_")).collect();
    assert_eq!(refused.len(), 4, "{refused:?}");
}

/// Somebody who cannot sign in administers nothing.
#[tokio::test]
async fn an_administrator_who_was_never_verified_does_not_count() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    app.register("new@example.org", PASSWORD).await.ok(202);
    let list = app.get_as(&root, "/api/v1/admin/users?email=new@").await;
    let id = list.body["items"][0]["id"].as_str().unwrap().to_owned();
    let new = Person { id, ..root.clone() };
    set_roles(&app, &root, &new, &["admin"]).await.ok(200);
    set_active(&app, &root, &root, false).await.is(400, "ADMIN_LAST_ADMIN");
}

/// Attack class I04: two nodes, twenty rounds each.
/// ASVS: V15.4.2
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_administrators_cannot_remove_each_other_at_once() {
    let one = unlimited().await;
    let two = one.second_node(&[("rate_limit.enabled", "false")]).await;
    let ann = one.sign_up_admin("ann@example.org").await;
    let bob = one.sign_up_admin("bob@example.org").await;
    for round in 0..20 {
        let replies = tokio::join!(
            set_roles(&one, &ann, &bob, &["user"]),
            set_roles(&two, &bob, &ann, &["user"])
        );
        one_of_two(&one, &replies.into(), round).await;
        restore(&one, &ann, &["admin", "user"]).await;
        restore(&one, &bob, &["admin", "user"]).await;
    }
    for round in 0..20 {
        let ann = one.sign_in("ann@example.org").await;
        let bob = one.sign_in("bob@example.org").await;
        let replies =
            tokio::join!(set_active(&one, &ann, &bob, false), set_active(&two, &bob, &ann, false));
        one_of_two(&one, &replies.into(), round).await;
        restore(&one, &ann, &["admin", "user"]).await;
        restore(&one, &bob, &["admin", "user"]).await;
    }
}

async fn one_of_two(app: &TestApp, replies: &[Reply; 2], round: usize) {
    let won = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    assert_eq!((won, admins(app).await), (1, 1), "round {round}: {replies:?}");
    let lost: BTreeSet<_> =
        replies.iter().filter(|reply| reply.status != StatusCode::OK).map(Reply::code).collect();
    let known = [
        "ADMIN_LAST_ADMIN",
        "AUTH_INSUFFICIENT_PERMISSIONS",
        "AUTH_ACCOUNT_DISABLED",
        "AUTH_TOKEN_REVOKED",
    ];
    assert!(lost.iter().all(|code| known.contains(code)), "round {round}: {lost:?}");
}

/// Whoever lost the role while the request was on its way does nothing with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_role_that_was_lost_meanwhile_does_not_act() {
    let app = unlimited().await;
    let _third = app.sign_up_admin("third@example.org").await;
    let ann = app.sign_up_admin("ann@example.org").await;
    let bob = app.sign_up_admin("bob@example.org").await;
    for round in 0..20 {
        let replies: [Reply; 2] = tokio::join!(
            set_roles(&app, &ann, &bob, &["user"]),
            set_roles(&app, &bob, &ann, &["user"])
        )
        .into();
        let won = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
        assert_eq!((won, admins(&app).await), (1, 2), "round {round}: {replies:?}");
        restore(&app, &ann, &["admin", "user"]).await;
        restore(&app, &bob, &["admin", "user"]).await;
    }
}

/// ASVS: V3.5.3
#[tokio::test]
async fn reading_changes_nothing() {
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    app.get_as(&root, "/api/v1/users/me").await.ok(200);
    let tables = async || {
        (
            app.events().await.len(),
            app.count("SELECT COUNT(*) FROM users").await,
            app.count("SELECT COUNT(*) FROM sessions").await,
            app.count("SELECT COUNT(*) FROM refresh_tokens").await,
            app.count("SELECT COUNT(*) FROM link_tokens").await,
            app.count("SELECT COUNT(*) FROM mail_messages").await,
        )
    };
    authshield::revocations::look(&app.app).await.unwrap();
    let before = tables().await;
    let mails = app.get_as(&root, "/api/v1/admin/mail").await;
    let mail = mails.ok(200).body["items"][0]["id"].as_str().unwrap().to_owned();
    let document = serde_json::to_value(authshield::router::document()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods.get("get").is_none() {
            continue;
        }
        // Where browsers are on the way to a provider and back; `federation` shows what that leaves.
        if path.starts_with("/api/v1/auth/oauth/") {
            continue;
        }
        let is_of_mail = path.contains("/mail/") || path.contains("/mails/");
        let id = if is_of_mail { &mail } else { &root.id };
        let path = path.replace("{id}", id);
        // What has to be said is one of a few words.
        let parameters = methods["get"]["parameters"].as_array().into_iter().flatten();
        let asked = parameters.filter(|one| one["in"] == "query" && one["required"] == true);
        let said =
            asked.map(|one| (one["name"].as_str().unwrap(), one["schema"]["enum"][0].as_str()));
        let said: Vec<_> = said.collect();
        for method in [Method::GET, Method::HEAD, Method::GET, Method::HEAD] {
            let request = app.request(method.clone(), &path).query(&said);
            let reply = app.send(request.bearer_auth(&root.access)).await;
            assert!(reply.status.is_success(), "{method} {path}: {reply:?}");
            assert!(method == Method::GET || reply.text.is_empty(), "{method} {path}");
        }
    }
    assert_eq!(tables().await, before);
}
