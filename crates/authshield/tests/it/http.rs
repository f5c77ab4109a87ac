//! What every answer keeps, whatever was asked: problems, headers, origins, proxies.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use authshield::telemetry::request_line;
use authshield::{frame, router, server};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{PASSWORD, Reply, TestApp, plain};

const LOGIN: &str = "/api/v1/auth/login";
const LIVE: &str = "/api/v1/health/live";

/// Fails unless `reply` is a whole problem.
#[track_caller]
fn assert_problem(app: &TestApp, reply: &Reply, status: u16, code: &str) {
    reply.is(status, code);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.body["type"], format!("{}/problems/{code}", app.app.issuer()));
    assert_eq!(reply.body["status"], status);
    assert_eq!(reply.body["request_id"], reply.header("x-request-id"));
    assert!(!reply.body["title"].as_str().unwrap().is_empty());
    assert_headers(reply, app.app.issuer().starts_with("https"));
}

/// The OWASP secure headers project.
#[track_caller]
fn assert_headers(reply: &Reply, https: bool) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-permitted-cross-domain-policies", "none"),
    ] {
        assert_eq!(reply.header(name), value, "{name}: {reply:?}");
    }
    let policy = reply.header("content-security-policy");
    for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(reply.headers.contains_key("permissions-policy"));
    assert!(reply.headers.contains_key("cross-origin-resource-policy"));
    assert!(reply.headers.contains_key("cache-control"));
    let transport =
        reply.headers.get("strict-transport-security").map(header::HeaderValue::as_bytes);
    let year = "max-age=31536000; includeSubDomains";
    assert_eq!(transport, https.then_some(year.as_bytes()), "{reply:?}");
    assert_eq!(reply.headers.get_all("x-request-id").iter().count(), 1);
    for name in ["server", "x-powered-by", "via", "set-cookie"] {
        assert!(!reply.headers.contains_key(name), "{name}");
    }
}

async fn login_with(app: &TestApp, kind: Option<&str>, body: impl Into<reqwest::Body>) -> Reply {
    let mut request = app.request(Method::POST, LOGIN).body(body);
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    app.send(request).await
}

/// ASVS: V4.1.1, V13.4.2, V13.4.5, V16.5.1
#[tokio::test]
async fn nothing_here_is_404_and_another_method_is_405_with_allow() {
    let app = TestApp::start().await;
    for path in ["/api", "/api/v1", "/api/v1/auth", "/metrics", "/.env", "/api/v1/auth/login/x"] {
        assert_problem(
            &app,
            &plain(&app, app.request(Method::GET, path)).await,
            404,
            "ROUTE_NOT_FOUND",
        );
    }
    let long = format!("/{}", "a".repeat(5000));
    let reply = plain(&app, app.request(Method::GET, &long)).await;
    assert!(reply.text.len() < 700, "{reply:?}");

    let document = serde_json::to_value(router::document()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let works: BTreeSet<_> =
            methods.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if works.contains(method) {
                continue;
            }
            let method: Method = method.parse().unwrap();
            let reply = plain(&app, app.request(method, &path.replace("{id}", "x"))).await;
            assert_problem(&app, &reply, 405, "METHOD_NOT_ALLOWED");
            let allowed: BTreeSet<_> =
                reply.header("allow").split(',').map(|name| name.trim().to_owned()).collect();
            assert!(allowed.is_superset(&works), "{path}: {allowed:?}");
            assert!(allowed.iter().all(|name| name == "HEAD" || works.contains(name)), "{path}");
        }
    }
}

/// ASVS: V3.5.2, V3.5.1
#[tokio::test]
async fn a_body_says_that_it_is_json_or_is_not_read() {
    let app = TestApp::start().await;
    let body = json!({ "email": "ann@example.org", "password": PASSWORD }).to_string();
    for kind in [
        None,
        Some(""),
        Some("text/plain"),
        Some("text/plain; application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/json; charset=utf-16"),
        Some("application/problem+json"),
        Some("application/jsonx"),
        Some("text/json"),
    ] {
        let reply = login_with(&app, kind, body.clone()).await;
        assert_problem(&app, &reply, 415, "REQUEST_UNSUPPORTED_MEDIA_TYPE");
    }
    let two = app
        .request(Method::POST, LOGIN)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(body.clone());
    app.send(two).await.is(415, "REQUEST_UNSUPPORTED_MEDIA_TYPE");
    let encoded = app
        .request(Method::POST, LOGIN)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip")
        .body("\u{1f}\u{8b}");
    app.send(encoded).await.is(422, "VALIDATION_FAILED");
    for kind in ["application/json", "application/json;charset=utf-8", "Application/JSON; q=1"] {
        login_with(&app, Some(kind), body.clone()).await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_body_that_may_be_absent_may_be_empty() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    for (kind, body) in
        [(None, ""), (Some("application/json"), ""), (Some("application/json"), "{}")]
    {
        let ann = app.sign_in("ann@example.org").await;
        let mut request = app.request(Method::POST, "/api/v1/auth/logout").bearer_auth(&ann.access);
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        app.send(request.body(body)).await.ok(204);
        app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    }
    let ann = app.sign_in("ann@example.org").await;
    let logout = || app.request(Method::POST, "/api/v1/auth/logout").bearer_auth(&ann.access);
    app.send(logout().body("{}")).await.is(415, "REQUEST_UNSUPPORTED_MEDIA_TYPE");
    app.send(logout().json(&json!({ "refresh_token": "x" }))).await.is(422, "VALIDATION_FAILED");
    app.me(&ann).await.ok(200);
}

/// Attack class K01.
#[tokio::test]
async fn a_body_of_more_than_64_kib_is_refused() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let of = |size: usize| {
        let empty = json!({ "email": "ann@example.org", "password": "" }).to_string();
        json!({ "email": "ann@example.org", "password": "x".repeat(size - empty.len()) })
            .to_string()
    };
    assert_eq!(of(65_536).len(), 65_536);
    let reply = login_with(&app, Some("application/json"), of(65_536)).await;
    assert_ne!(reply.status, 413, "{reply:?}");
    for size in [65_537, 70_000, 1_000_000] {
        let reply = login_with(&app, Some("application/json"), of(size)).await;
        assert_problem(&app, &reply, 413, "REQUEST_BODY_TOO_LARGE");
    }
}

/// Attack classes K03, K09.
/// ASVS: V1.3.3, V1.4.2, V1.5.2, V1.5.3, V2.2.1, V16.5.1
#[tokio::test]
async fn what_is_no_json_is_422_and_says_why() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let good = json!({ "email": "ann@example.org", "password": PASSWORD }).to_string();
    let deep = |open: &str, close: &str| {
        format!(r#"{{"email":{}1{}}}"#, open.repeat(30_000), close.repeat(30_000))
    };
    let many: Vec<String> = (0..5000).map(|n| format!("\"k{n}\":1,")).collect();
    let many = many.concat();
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"".into(), "malformed_json"),
        (b" \n".into(), "malformed_json"),
        (good[..good.len() - 1].into(), "malformed_json"),
        (good[..20].into(), "malformed_json"),
        (format!("{good}x").into(), "malformed_json"),
        (format!("{good}{good}").into(), "malformed_json"),
        (format!("{good}\0").into(), "malformed_json"),
        (format!("\u{feff}{good}").into(), "malformed_json"),
        (good.encode_utf16().flat_map(u16::to_le_bytes).collect(), "malformed_json"),
        (good.replace('"', "'").into(), "malformed_json"),
        (good.replace('}', ",}").into(), "malformed_json"),
        (good.replace("ann", "a\nnn").into(), "malformed_json"),
        (good.replace("ann", "a\\x41nn").into(), "malformed_json"),
        (good.replace("ann", "a\\ud800nn").into(), "malformed_json"),
        (b"{\"email\":\"\xff\xfe\",\"password\":\"x\"}".into(), "malformed_json"),
        (b"{\"email\":NaN}".into(), "malformed_json"),
        (b"{\"email\":01}".into(), "malformed_json"),
        (b"null".into(), "invalid"),
        (b"[]".into(), "invalid"),
        (json!(["ann@example.org", PASSWORD]).to_string().into(), "invalid"),
        (b"\"x\"".into(), "invalid"),
        (b"1e999".into(), "invalid"),
        (b"{\"email\":1e400}".into(), "malformed_json"),
        (format!("{{\"email\":{}}}", "9".repeat(50_000)).into(), "malformed_json"),
        (format!("{{\"email\":-{}}}", "9".repeat(30)).into(), "invalid"),
        (deep("[", "]").into(), "invalid"),
        (deep("{\"a\":", "}").into_bytes()[..60_000].into(), "invalid"),
        ("[".repeat(60_000).into(), "malformed_json"),
        (format!("{{{many}\"x\":1}}").into(), "unknown_field"),
        (good.replace('}', ",\"email\":\"b@example.org\"}").into(), "duplicate_field"),
        (b"{}".into(), "missing"),
        (good.replace('}', ",\"__proto__\":{}}").into(), "unknown_field"),
    ];
    for (body, code) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let reply = login_with(&app, Some("application/json"), body).await;
        assert_problem(&app, &reply, 422, "VALIDATION_FAILED");
        assert_eq!(reply.body["errors"][0]["code"], code, "{shown}: {reply:?}");
        assert!(reply.text.len() < 2000, "{shown}: {reply:?}");
        assert!(!reply.text.contains(PASSWORD), "{shown}: {reply:?}");
    }
    // NUL is a character of JSON, but of no address.
    let reply = login_with(&app, Some("application/json"), good.replace("ann", "a\\u0000nn")).await;
    assert_problem(&app, &reply, 422, "VALIDATION_FAILED");
    assert_eq!(reply.body["errors"][0]["pointer"], "/email");
}

/// RFC 6901.
/// ASVS: V1.5.2, V15.3.5
#[tokio::test]
async fn a_complaint_points_at_what_is_wrong() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let root = app.sign_up_admin("root@example.org").await;
    for (body, pointer, code) in [
        (json!({ "email": 5, "password": "x" }), "/email", "invalid"),
        (json!({ "email": null, "password": "x" }), "/email", "invalid"),
        (json!({ "email": "no address", "password": "x" }), "/email", "invalid"),
        (json!({ "email": "a@example.org", "password": ["x"] }), "/password", "invalid"),
        (json!({ "email": "a@example.org" }), "/password", "missing"),
        (json!({ "a/b~c": 1 }), "/a~1b~0c", "unknown_field"),
        (json!([1]), "", "invalid"),
    ] {
        let reply = app.post(LOGIN, body.clone()).await;
        assert_problem(&app, &reply, 422, "VALIDATION_FAILED");
        let error = &reply.body["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)), "{body}");
        assert!(error["detail"].as_str().unwrap().ends_with('.'), "{error}");
    }
    let path = format!("/api/v1/admin/users/{}/roles", root.id);
    let reply = app.patch_as(&root, &path, json!({ "roles": ["user", 7] })).await;
    reply.is(422, "VALIDATION_FAILED");
    assert_eq!(reply.body["errors"][0]["pointer"], "/roles/1");
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let app = TestApp::start().await;
    let mut seen = BTreeSet::new();
    for given in ["mine", "018f0000-0000-7000-8000-000000000000", "a b", ""] {
        let reply = plain(&app, app.request(Method::GET, LIVE).header("x-request-id", given)).await;
        let id = reply.header("x-request-id").to_owned();
        assert_ne!(id, given);
        assert!(seen.insert(id), "an id came twice");
    }
    let proxied = TestApp::with(&[("trusted_proxies", "127.0.0.0/8")]).await;
    for (given, kept) in [("trace-4711", true), ("a b", false), ("", false), ("x\u{7f}y", false)] {
        let request = proxied.request(Method::GET, LIVE);
        let value = header::HeaderValue::from_bytes(given.as_bytes());
        let Ok(value) = value else { continue };
        let reply = plain(&proxied, request.header("x-request-id", value)).await;
        assert_eq!(reply.header("x-request-id") == given, kept, "{given:?}");
    }
    let long = "x".repeat(129);
    let reply =
        plain(&proxied, proxied.request(Method::GET, LIVE).header("x-request-id", &long)).await;
    assert_ne!(reply.header("x-request-id"), long);
}

/// Attack: J04
/// ASVS: V1.3.2, V3.2.1, V3.4.1, V3.4.3, V3.4.4, V3.4.5, V3.4.6, V14.2.2, V14.3.2
#[tokio::test]
async fn security_headers_are_on_every_answer() {
    for (url, https) in [("https://id.example.org", true), ("http://127.0.0.1:8080", false)] {
        let settings = [
            ("public_url", url),
            ("cors.origins", "https://app.example.org"),
            ("rate_limit.enabled", "false"),
        ];
        let app = TestApp::with(&settings).await;
        let ann = app.sign_up("ann@example.org").await;
        for (method, path, status) in [
            (Method::GET, "/api/v1/users/me", 200),
            (Method::GET, "/openapi.json", 200),
            (Method::HEAD, LIVE, 200),
            (Method::GET, "/nothing", 404),
            (Method::PUT, LIVE, 405),
            (Method::POST, LOGIN, 415),
            (Method::OPTIONS, LOGIN, 200),
        ] {
            let request = app.request(method, path).bearer_auth(&ann.access);
            let reply = plain(&app, request).await;
            assert_headers(reply.ok(status), https);
            assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        }
        let large = login_with(&app, Some("application/json"), "x".repeat(70_000)).await;
        assert_headers(large.ok(413), https);
        let keys = app.get("/.well-known/jwks.json").await;
        assert_headers(keys.ok(200), https);
        assert!(keys.header("cache-control").starts_with("public, max-age="));
        let known = app.request(Method::GET, "/.well-known/jwks.json");
        let same = app.send(known.header("if-none-match", keys.header("etag"))).await;
        assert_headers(same.ok(304), https);
        for reply in [app.log_in("ann@example.org", PASSWORD).await, app.me(&ann).await] {
            assert_eq!(reply.ok(200).header("cache-control"), "no-store");
        }
    }
}

/// Attack class J08.
/// ASVS: V3.4.2
#[tokio::test]
async fn browsers_of_exactly_the_named_origins_may_ask() {
    let app =
        TestApp::with(&[("cors.origins", "https://app.example.org,http://127.0.0.1:5173")]).await;
    let preflight = |origin: &str| {
        app.request(Method::OPTIONS, LOGIN)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,authorization")
    };
    let simple = |origin: &str| app.request(Method::GET, LIVE).header("origin", origin);
    for origin in ["https://app.example.org", "http://127.0.0.1:5173"] {
        let reply = plain(&app, preflight(origin)).await;
        assert_headers(reply.ok(200), false);
        assert_eq!(reply.header("access-control-allow-origin"), origin);
        assert!(reply.header("access-control-allow-methods").contains("POST"));
        assert!(reply.header("access-control-allow-headers").contains("authorization"));
        let reply = plain(&app, simple(origin)).await;
        assert_eq!(reply.header("access-control-allow-origin"), origin);
        assert!(reply.header("access-control-expose-headers").contains("x-request-id"));
        assert!(reply.header("vary").to_lowercase().contains("origin"), "{reply:?}");
        // Also what fails can be read.
        let reply =
            plain(&app, app.request(Method::GET, "/nothing").header("origin", origin)).await;
        assert_eq!(reply.header("access-control-allow-origin"), origin);
    }
    for origin in [
        "null",
        "https://app.example.org.evil.example",
        "https://evil-app.example.org",
        "https://evilapp.example.org",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://app.example.org/",
        "https://APP.example.org",
        "https://app.example.org, https://evil.example",
        "*",
        "",
        "https://evil.example",
        "http://127.0.0.1:5174",
    ] {
        for request in [preflight(origin), simple(origin)] {
            let reply = plain(&app, request).await;
            assert!(
                !reply.headers.contains_key("access-control-allow-origin"),
                "{origin}: {reply:?}"
            );
            assert!(!reply.headers.contains_key("access-control-allow-credentials"), "{origin}");
        }
    }
    let closed = TestApp::start().await;
    let reply =
        plain(&closed, closed.request(Method::GET, LIVE).header("origin", "https://a.example"))
            .await;
    assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control")));
}

/// Attack classes A02, J11.
/// ASVS: V4.1.3, V15.3.4
#[tokio::test]
async fn strangers_say_nothing_about_where_they_come_from() {
    let app = TestApp::start().await;
    let forged = |request: reqwest::RequestBuilder| {
        request
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-real-ip", "203.0.113.9")
            .header("forwarded", "for=203.0.113.9;host=evil.example;proto=https")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-port", "443")
            .header("x-forwarded-prefix", "/evil")
            .header("host", "evil.example")
    };
    let body = json!({ "email": "ann@example.org", "password": PASSWORD });
    let register = app.request(Method::POST, "/api/v1/auth/register").json(&body);
    app.send(forged(register)).await.ok(202);
    let mail = app.last_mail("ann@example.org").await;
    assert!(!mail.data.contains("evil"), "{}", mail.data);
    assert!(mail.link("token=").unwrap().starts_with(app.app.issuer()));
    let token = app.token_for("ann@example.org").await;
    app.verify(&token).await.ok(200);

    let reply = app.send(forged(app.request(Method::POST, LOGIN).json(&body))).await;
    let ann = crate::support::Person::from_pair(&reply.ok(200).body);
    let claims = claims(&ann.access);
    assert_eq!(claims["iss"], app.app.issuer());
    let list = app.get_as(&ann, "/api/v1/sessions").await;
    assert_eq!(list.body["items"][0]["ip_address"], "127.0.0.1");
    let wrong = forged(app.request(Method::GET, "/nothing"));
    let reply = plain(&app, wrong).await;
    assert!(!reply.text.contains("evil"), "{reply:?}");
    let seen =
        app.count("SELECT COUNT(*) FROM audit_events WHERE ip_address = '203.0.113.9'").await;
    assert_eq!(seen, 0);
}

/// ASVS: V4.1.3, V15.3.4
#[tokio::test]
async fn a_trusted_proxy_is_read_from_the_right() {
    let app = TestApp::with(&[("trusted_proxies", "127.0.0.0/8,10.0.0.0/8")]).await;
    app.open_account("ann@example.org").await;
    let body = json!({ "email": "ann@example.org", "password": PASSWORD });
    for (chain, expected) in [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
    ] {
        let request = app.request(Method::POST, LOGIN).json(&body).header("x-forwarded-for", chain);
        let ann = crate::support::Person::from_pair(&app.send(request).await.ok(200).body);
        let list = app.get_as(&ann, "/api/v1/sessions").await;
        let items = list.body["items"].as_array().unwrap();
        let own = items.iter().find(|item| item["is_current"] == true).unwrap();
        assert_eq!(own["ip_address"], expected, "{chain}");
    }
}

fn claims(token: &str) -> Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Serves `routes` behind the frame of the public service.
fn serve_framed(app: &TestApp, routes: Router<authshield::app::App>) -> String {
    let state = app.app.clone();
    let framed = routes
        .layer(from_fn_with_state(state.clone(), frame::finish))
        .layer(from_fn_with_state(state.metrics.clone(), request_line))
        .layer(from_fn_with_state(state.clone(), frame::identify))
        .with_state(state);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server::serve(
        listener,
        framed,
        None,
        None,
        CancellationToken::new(),
        Duration::ZERO,
    ));
    base
}

async fn explode() -> StatusCode {
    panic!("hunter2 of {}", "somebody")
}

/// ASVS: V13.4.2, V16.5.1, V16.5.3, V16.5.4
#[tokio::test]
async fn a_panic_is_a_problem_and_not_the_end() {
    let app = TestApp::start().await;
    let routes = Router::new()
        .route("/explode", get(explode))
        .route("/fine", get(|| std::future::ready(StatusCode::NO_CONTENT)));
    let base = serve_framed(&app, routes);
    for _ in 0..3 {
        let reply = plain(&app, app.client.get(format!("{base}/explode"))).await;
        assert_problem(&app, &reply, 500, "INTERNAL_ERROR");
        assert!(!reply.text.contains("hunter2"), "{reply:?}");
        let reply = plain(&app, app.client.get(format!("{base}/fine"))).await;
        reply.ok(204);
    }
}

#[tokio::test]
async fn what_takes_too_long_is_408() {
    let app = TestApp::with(&[("request_timeout", "1s")]).await;
    let base = serve_framed(&app, Router::new().route("/never", get(std::future::pending::<()>)));
    let reply = plain(&app, app.client.get(format!("{base}/never"))).await;
    assert_problem(&app, &reply, 408, "REQUEST_TIMEOUT");
}

/// Attack class K09.
/// ASVS: V16.4.1
#[tokio::test]
async fn odd_user_agents_neither_break_a_sign_in_nor_hide_it() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let body = json!({ "email": "ann@example.org", "password": PASSWORD });
    for agent in
        [&b"x".repeat(6000)[..], b"\xff\xfe\x80", "🦀\u{202e}\u{2028}".as_bytes(), b"", b"a\tb"]
    {
        let value = header::HeaderValue::from_bytes(agent).unwrap();
        let request = app.request(Method::POST, LOGIN).json(&body).header("user-agent", value);
        app.send(request).await.ok(200);
    }
    let signed_in = app.events().await.iter().filter(|event| *event == "LOGIN_SUCCEEDED").count();
    assert_eq!(signed_in, 5);
    let longest = app.count("SELECT CAST(MAX(LENGTH(user_agent)) AS BIGINT) FROM sessions").await;
    assert!(longest <= 512, "{longest}");
}
