//! Every route as everybody: what the description lists is opened by nothing but the right token.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use authshield::router;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp, plain};

/// Who may use the routes of administrators; a new one must be entered here.
const ADMINISTRATION: [(&str, &str, &[&str]); 27] = [
    ("GET", "/api/v1/admin/users", &["moderator", "admin"]),
    ("GET", "/api/v1/admin/users/{id}", &["moderator", "admin"]),
    ("PATCH", "/api/v1/admin/users/{id}/roles", &["admin"]),
    ("PATCH", "/api/v1/admin/users/{id}/status", &["admin"]),
    ("POST", "/api/v1/admin/users/{id}/lock", &["admin"]),
    ("GET", "/api/v1/admin/users/{id}/sessions", &["moderator", "admin"]),
    ("DELETE", "/api/v1/admin/users/{id}/sessions", &["admin"]),
    ("DELETE", "/api/v1/admin/users/{id}/2fa", &["admin"]),
    ("GET", "/api/v1/admin/users/{id}/trusted-devices", &["moderator", "admin"]),
    ("DELETE", "/api/v1/admin/users/{id}/trusted-devices", &["admin"]),
    ("GET", "/api/v1/admin/events", &["admin"]),
    ("GET", "/api/v1/admin/exports", &["admin"]),
    ("GET", "/api/v1/admin/exports/dead-letters", &["admin"]),
    ("DELETE", "/api/v1/admin/exports/dead-letters", &["admin"]),
    ("POST", "/api/v1/admin/exports/replay", &["admin"]),
    ("GET", "/api/v1/admin/health", &["admin"]),
    ("GET", "/api/v1/admin/mail", &["moderator", "admin"]),
    ("GET", "/api/v1/admin/mail/canary", &["moderator", "admin"]),
    ("GET", "/api/v1/admin/mail/cells", &["moderator", "admin"]),
    ("GET", "/api/v1/admin/mail/digest", &["moderator", "admin"]),
    ("GET", "/api/v1/admin/mail/{id}", &["moderator", "admin"]),
    ("POST", "/api/v1/admin/mail/{id}/resend", &["admin"]),
    ("GET", "/api/v1/admin/mail/suppressions", &["moderator", "admin"]),
    ("POST", "/api/v1/admin/mail/suppressions", &["admin"]),
    ("DELETE", "/api/v1/admin/mail/suppressions/{id}", &["admin"]),
    ("POST", "/api/v1/admin/mail/suppressions/import", &["admin"]),
    ("POST", "/api/v1/admin/mail/suppressions/export", &["admin"]),
];

/// An id that nothing has.
const NOBODY: &str = "018f0000-0000-7000-8000-000000000000";

/// Returns every described operation as method and path.
fn operations() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(router::document()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let of_path = |(path, methods): (String, Value)| {
        let methods: Vec<_> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| (method.to_uppercase(), path.clone()))
    };
    paths.into_iter().flat_map(of_path).collect()
}

/// Returns the operations that need no access token, as reviewed.
fn public() -> BTreeSet<(String, String)> {
    let lines = include_str!("public_routes.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').expect("METHOD path"))
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect()
}

fn at(path: &str) -> String {
    path.replace("{id}", NOBODY)
}

fn method(name: &str) -> Method {
    name.parse().unwrap()
}

async fn unlimited() -> TestApp {
    TestApp::with(&[("rate_limit.enabled", "false")]).await
}

/// Signs up somebody with these roles besides `user`.
async fn with_role(app: &TestApp, role: &str) -> Person {
    let person = app.sign_up(&format!("{role}@example.org")).await;
    let wanted = BTreeSet::from(["user", role]).into_iter().map(ToOwned::to_owned).collect();
    let id = person.id.parse().unwrap();
    authshield::roles::set_roles(&app.app, &app.ctx(), None, id, wanted).await.unwrap();
    person
}

/// ASVS: V8.2.1, V8.3.1
#[tokio::test]
async fn the_list_of_public_routes_is_right() {
    let app = unlimited().await;
    let mut open = BTreeSet::new();
    for (name, path) in operations() {
        let reply = app.send(app.request(method(&name), &at(&path))).await;
        if reply.code() == "AUTH_TOKEN_MISSING" {
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
            assert_eq!(reply.header("www-authenticate"), "Bearer", "{name} {path}");
        } else {
            open.insert((name, path));
        }
    }
    assert_eq!(open, public(), "what answers without a token, and public_routes.txt, differ");
}

/// ASVS: V7.2.1, V8.2.1, V8.3.1, V9.2.1
#[tokio::test]
async fn garbage_and_expired_tokens_open_nothing() {
    let app = unlimited().await;
    let ann = app.sign_up("ann@example.org").await;
    let other = app.sign_in("ann@example.org").await;
    app.me(&ann).await.ok(200);
    app.advance(Duration::from_mins(17));
    let mut middle = ann.access.clone();
    middle.replace_range(60..61, if &middle[60..61] == "A" { "B" } else { "A" });
    let garbage = ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", &middle, &ann.refresh, ""];
    for (name, path) in operations().difference(&public()) {
        for token in garbage {
            let request = app.request(method(name), &at(path)).bearer_auth(token);
            let reply = app.send(request).await;
            reply.is(401, "AUTH_TOKEN_INVALID");
            assert!(reply.header("www-authenticate").contains("invalid_token"), "{reply:?}");
        }
        // One was seen while it was fresh, the other never.
        for person in [&ann, &other] {
            let request = app.request(method(name), &at(path)).bearer_auth(&person.access);
            app.send(request).await.is(401, "AUTH_TOKEN_EXPIRED");
        }
    }
}

/// ASVS: V8.2.1, V8.3.1, V10.3.2
#[tokio::test]
async fn every_route_as_every_role() {
    let app = unlimited().await;
    let administration: BTreeMap<_, _> = ADMINISTRATION
        .iter()
        .map(|(name, path, roles)| (((*name).to_owned(), (*path).to_owned()), *roles))
        .collect();
    let described: BTreeSet<_> =
        operations().into_iter().filter(|(_, path)| path.contains("/admin/")).collect();
    let known: BTreeSet<_> = administration.keys().cloned().collect();
    assert_eq!(described, known, "enter who may use the new route");

    for role in ["user", "moderator", "admin"] {
        let email = with_role(&app, role).await.email;
        for operation in operations().difference(&public()) {
            let (name, path) = operation;
            // Some of the routes end the session.
            let person = app.sign_in(&email).await;
            let request = app.request(method(name), &at(path)).bearer_auth(&person.access);
            let reply = app.send(request).await;
            let allowed = administration.get(operation).is_none_or(|roles| roles.contains(&role));
            if allowed {
                let status = reply.status.as_u16();
                assert!(![401, 403, 405].contains(&status), "{role} {name} {path}: {reply:?}");
            } else {
                reply.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
                assert!(reply.body["required"].is_string(), "{reply:?}");
            }
        }
    }
}

/// Attack class I02.
/// ASVS: V1.1.1, V1.5.3, V8.2.1
#[tokio::test]
async fn another_spelling_of_a_route_opens_nothing() {
    let app = unlimited().await;
    let ann = app.sign_up("ann@example.org").await;
    for (name, path) in operations().difference(&public()) {
        let path = at(path);
        let spellings = [
            format!("{path}/"),
            format!("/{path}"),
            path.replace("/v1", "//v1"),
            path.to_uppercase(),
            path.replace("api", "Api"),
            path.replacen("/v1/", "/v1%2f", 1),
            path.replacen("/v1/", "/v1%252f", 1),
            path.replace("/v1", "/v1;x=y"),
            format!("{path}.json"),
            format!("{path}%00"),
            format!("{path}?access_token={}", ann.access),
            path.replace("/v1", ""),
            path.replace("/v1", "/v2"),
        ];
        for spelling in &spellings {
            let reply = plain(&app, app.request(method(name), spelling)).await;
            let status = reply.status.as_u16();
            assert!([401, 404, 405].contains(&status), "nobody: {name} {spelling}: {reply:?}");
            if path.contains("/admin/") {
                let request = app.request(method(name), spelling).bearer_auth(&ann.access);
                let reply = plain(&app, request).await;
                let status = reply.status.as_u16();
                assert!([403, 404, 405].contains(&status), "user: {name} {spelling}: {reply:?}");
            }
        }
        for (header, value) in [
            ("x-http-method-override", name.as_str()),
            ("x-http-method", name),
            ("x-method-override", name),
            ("x-original-url", &path),
            ("x-rewrite-url", &path),
            ("x-forwarded-user", &ann.id),
            ("x-user-id", &ann.id),
        ] {
            let live = app.request(Method::GET, "/api/v1/health/live").header(header, value);
            assert_eq!(plain(&app, live).await.body["status"], "live", "{header}");
            let put = app.request(Method::PUT, &path).header(header, value);
            let reply = plain(&app, put).await;
            assert_eq!(reply.code(), "METHOD_NOT_ALLOWED", "{header} {path}: {reply:?}");
            let request = app.request(method(name), &path).header(header, value);
            assert_eq!(plain(&app, request).await.code(), "AUTH_TOKEN_MISSING", "{header} {path}");
        }
    }
}

/// RFC 6750, 2.
/// ASVS: V7.2.1
#[tokio::test]
async fn a_token_counts_in_one_place_only() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    let me = "/api/v1/users/me";
    let get = |value: String| app.request(Method::GET, me).header("authorization", value);
    app.send(get(format!("Bearer {}", ann.access))).await.ok(200);
    app.send(get(format!("bEARER {}", ann.access))).await.ok(200);
    for value in [
        format!("Bearer  {}", ann.access),
        format!("Bearer {} x", ann.access),
        format!("Bearer {}, Bearer {}", ann.access, ann.access),
        format!("Bearer\t{}", ann.access),
        format!("Bearer {}.", ann.access),
        format!("Bearer {}=", ann.access),
        "Bearer".to_owned(),
        format!("Bearer {}", "A".repeat(9000)),
    ] {
        app.send(get(value)).await.is(401, "AUTH_TOKEN_INVALID");
    }
    for value in [format!("Basic {}", ann.access), format!("DPoP {}", ann.access)] {
        app.send(get(value)).await.is(401, "AUTH_TOKEN_MISSING");
    }
    let two = get(format!("Bearer {}", ann.access)).header("authorization", "Bearer x");
    app.send(two).await.is(401, "AUTH_TOKEN_INVALID");
    let cookie =
        app.request(Method::GET, me).header("cookie", format!("access_token={}", ann.access));
    app.send(cookie).await.is(401, "AUTH_TOKEN_MISSING");
}

/// ASVS: V9.2.1
#[tokio::test]
async fn an_access_token_ends_to_the_second_whether_it_was_seen_before_or_not() {
    let app = TestApp::start().await;
    let seen = app.sign_up("ann@example.org").await;
    let unseen = app.sign_in("ann@example.org").await;
    app.advance(Duration::from_secs(895));
    app.me(&seen).await.ok(200);
    app.advance(Duration::from_secs(6));
    for person in [&seen, &unseen, &seen, &unseen] {
        app.me(person).await.is(401, "AUTH_TOKEN_EXPIRED");
    }
}

/// ASVS: V7.2.2, V7.2.4
#[tokio::test]
async fn a_sign_in_makes_everything_anew() {
    let app = TestApp::start().await;
    let first = app.sign_up("ann@example.org").await;
    // Whoever brings the token of another session along gets none of it.
    let body = json!({ "email": "ann@example.org", "password": PASSWORD });
    let request = app.request(Method::POST, "/api/v1/auth/login").json(&body);
    let request = request
        .bearer_auth(&first.access)
        .header("cookie", format!("session={}; refresh_token={}", first.id, first.refresh));
    let second = Person::from_pair(&app.send(request).await.ok(200).body);
    assert_ne!(first.access, second.access);
    assert_ne!(first.refresh, second.refresh);
    let current = async |person: &Person| {
        let list = app.get_as(person, "/api/v1/sessions").await;
        let items = list.ok(200).body["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["is_current"] == true).unwrap()["id"].clone()
    };
    assert_ne!(current(&first).await, current(&second).await);
    // A rotation keeps the session and replaces both tokens; the old one is no way in any more.
    let third = Person::from_pair(&app.refresh(&second.refresh).await.ok(200).body);
    assert_ne!(third.access, second.access);
    assert_eq!(current(&third).await, current(&second).await);
    app.advance(Duration::from_mins(1));
    app.refresh(&second.refresh).await.is(401, "AUTH_REFRESH_TOKEN_REUSED");
}

/// Attack class I03.
/// ASVS: V8.2.2
#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_found() {
    let app = unlimited().await;
    let ann = app.sign_up("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let sessions = app.get_as(&bob, "/api/v1/sessions").await;
    let hers = sessions.ok(200).body["items"][0]["id"].as_str().unwrap().to_owned();

    for id in [hers.as_str(), &bob.id, NOBODY, "x", "..", "%00", &"9".repeat(3000)] {
        let request = app.request(Method::DELETE, &format!("/api/v1/sessions/{id}"));
        let reply = plain(&app, request.bearer_auth(&ann.access)).await;
        assert_eq!(reply.status, 404, "{id}: {reply:?}");
    }
    let foreign = app.delete_as(&ann, &format!("/api/v1/sessions/{hers}")).await;
    let missing = app.delete_as(&ann, &format!("/api/v1/sessions/{NOBODY}")).await;
    foreign.is(404, "SESSION_NOT_FOUND");
    assert_eq!(foreign.body["detail"], missing.body["detail"]);
    app.me(&bob).await.ok(200);

    // Whether an account exists is nothing that a user learns from the routes of administrators.
    for id in [bob.id.as_str(), NOBODY, "x"] {
        let path = format!("/api/v1/admin/users/{id}");
        app.get_as(&ann, &path).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
        app.delete_as(&ann, &format!("{path}/sessions"))
            .await
            .is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
    }
    for body in [json!({ "user_id": bob.id }), json!({ "id": bob.id }), json!({ "sub": bob.id })] {
        app.patch_as(&ann, "/api/v1/users/me", body.clone()).await.is(422, "VALIDATION_FAILED");
        app.post_as(&ann, "/api/v1/auth/logout", body).await.is(422, "VALIDATION_FAILED");
    }
    let list = app.get_as(&ann, &format!("/api/v1/sessions?user_id={}", bob.id)).await;
    list.is(422, "VALIDATION_FAILED");
}

/// Attack class I01.
/// ASVS: V8.2.3, V15.3.3
#[tokio::test]
async fn nobody_sets_what_is_not_theirs_to_set() {
    let app = unlimited().await;
    let ann = app.sign_up("ann@example.org").await;
    let before = app.me(&ann).await.body;
    for (name, value) in [
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("is_admin", json!(true)),
        ("is_verified", json!(true)),
        ("is_active", json!(true)),
        ("id", json!(NOBODY)),
        ("user_id", json!(NOBODY)),
        ("email", json!("eve@example.org")),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("password_hash", json!("x")),
        ("tenant_id", json!(NOBODY)),
    ] {
        let reply = app.patch_as(&ann, "/api/v1/users/me", json!({ name: value })).await;
        reply.is(422, "VALIDATION_FAILED");
        assert_eq!(reply.body["errors"][0]["pointer"], format!("/{name}"));
        if name != "email" {
            let mut body =
                json!({ "email": "new@example.org", "password": "tidal lantern 4 omelettes" });
            body[name] = value;
            app.post("/api/v1/auth/register", body).await.is(422, "VALIDATION_FAILED");
        }
    }
    assert_eq!(app.me(&ann).await.body, before);
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
}

/// ASVS: V15.3.1
#[tokio::test]
async fn answers_hold_the_fields_of_the_contract_and_no_others() {
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |names: &str| names.split(' ').map(ToOwned::to_owned).collect::<BTreeSet<String>>();
    let user = set("id email full_name is_verified is_active is_2fa_enabled roles locale \
                    deletion_due_at created_at updated_at");
    let session = set("id ip_address country user_agent device is_current created_at \
                       last_active_at expires_at amr");
    let pair = set("access_token refresh_token token_type expires_in refresh_expires_in user");
    let app = unlimited().await;
    let root = app.sign_up_admin("root@example.org").await;
    let reply = app.log_in("root@example.org", crate::support::PASSWORD).await;
    assert_eq!(keys(&reply.ok(200).body), pair);
    assert_eq!(keys(&reply.body["user"]), user);
    assert_eq!(keys(&app.me(&root).await.body), user);
    let one = app.get_as(&root, &format!("/api/v1/admin/users/{}", root.id)).await;
    assert_eq!(keys(&one.body), user);
    for (path, expected) in [
        ("/api/v1/admin/users".to_owned(), &user),
        ("/api/v1/sessions".to_owned(), &session),
        (format!("/api/v1/admin/users/{}/sessions", root.id), &session),
    ] {
        let list = app.get_as(&root, &path).await;
        assert_eq!(keys(&list.ok(200).body), set("items next_cursor"));
        for item in list.body["items"].as_array().unwrap() {
            assert_eq!(&keys(item), expected, "{path}");
        }
    }
}
