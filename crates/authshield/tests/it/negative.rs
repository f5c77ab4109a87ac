//! Every route with everything it does not take, made from its own description: whatever comes,
//! the answer is a 4xx or what was promised, and never our fault.

use authshield::router;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::{PASSWORD, Person, Reply, TestApp};

/// Values of every kind, with the ones that hurt.
fn probes() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("\0"),
        json!("a\0b@example.org"),
        json!("\u{feff}\u{200b}\u{202e}"),
        json!("\u{10ffff}\u{1f600}"),
        json!("' OR '1'='1' --"),
        json!("\"; DROP TABLE users; --"),
        json!("%s%n%x{}{{7*7}}${jndi:ldap://x}"),
        json!("<script>alert(1)</script>"),
        json!("a\r\nBcc: eve@example.org"),
        json!("../../../../etc/passwd"),
        json!("x".repeat(300)),
        json!("x".repeat(60_000)),
        json!(format!("{}@example.org", "x".repeat(300))),
        json!("a@b@example.org, eve@example.org"),
        json!([]),
        json!(["x"]),
        json!([[[[[[[[[[]]]]]]]]]]),
        json!({}),
        json!({ "$ne": null }),
        json!({ "a": { "b": { "c": {} } } }),
    ]
}

/// Returns what `schema` refers to, where it refers to something.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let options = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let schema = options.iter().find(|option| option.get("$ref").is_some()).unwrap_or(schema);
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// Returns something that `schema` takes.
pub(crate) fn sample(document: &Value, name: &str, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    match (name, schema["type"].as_str()) {
        ("email" | "new_email", _) => json!("somebody@example.org"),
        ("locale", _) => json!("de"),
        ("current_password" | "password", _) => json!(PASSWORD),
        ("new_password", _) => json!("marble cactus 71 harbour"),
        ("roles", _) => json!(["user"]),
        (_, Some("boolean")) => json!(true),
        _ => json!("x"),
    }
}

/// Returns every body to try: each property with every probe, left out, doubled in another case,
/// and with company.
fn bodies(document: &Value, schema: &Value) -> Vec<Value> {
    let schema = resolved(document, schema);
    let properties = schema["properties"].as_object().unwrap();
    let whole: Map<_, _> = properties
        .iter()
        .map(|(name, schema)| (name.clone(), sample(document, name, schema)))
        .collect();
    let mut bodies = probes();
    for name in properties.keys() {
        for probe in probes() {
            let mut body = whole.clone();
            body.insert(name.clone(), probe);
            bodies.push(Value::Object(body));
        }
        let mut without = whole.clone();
        let value = without.remove(name).unwrap();
        bodies.push(Value::Object(without.clone()));
        without.insert(name.to_uppercase(), value);
        bodies.push(Value::Object(without));
    }
    for extra in ["", "id", "is_admin", "constructor", "\0", &"k".repeat(5000)] {
        let mut body = whole.clone();
        body.insert(extra.to_owned(), json!(1));
        bodies.push(Value::Object(body));
    }
    bodies
}

#[track_caller]
fn assert_held(reply: &Reply, what: &str) {
    let status = reply.status.as_u16();
    assert!((200..300).contains(&status) || (400..500).contains(&status), "{what}: {reply:?}");
    assert!(reply.text.len() < 20_000, "{what} is echoed: {} bytes", reply.text.len());
    for word in ["panicked", "sqlx", "SELECT", "constraint", "src/", ".rs:", "serde", "postgres"] {
        assert!(!reply.text.contains(word), "{what}: {word} in {reply:?}");
    }
}

/// Finds another administrator where a probe ended the session.
async fn caller(app: &TestApp, person: Person) -> Person {
    if app.me(&person).await.status == 200 {
        return person;
    }
    let number = app.count("SELECT COUNT(*) FROM users").await;
    app.sign_up_admin(&format!("root{number}@example.org")).await
}

/// ASVS: V1.2.4, V1.3.3, V1.5.2, V2.2.1, V2.2.2, V16.5.1
#[tokio::test]
async fn no_body_is_our_fault() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let mut root = app.sign_up_admin("root@example.org").await;
    // Somebody else, so that the probes of administration hit them.
    let ann = app.sign_up("ann@example.org").await;
    let document = serde_json::to_value(router::document()).unwrap();
    let mut tried = 0;
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if schema.is_null() {
                continue;
            }
            let path = route.replace("{id}", &ann.id);
            let method: Method = method.to_uppercase().parse().unwrap();
            for body in bodies(&document, schema) {
                let text = body.to_string();
                let what =
                    format!("{method} {route} {}", text.chars().take(150).collect::<String>());
                let mut request = app.request(method.clone(), &path).json(&body);
                if operation.get("security").is_some() {
                    request = request.bearer_auth(&root.access);
                }
                let reply = app.send(request).await;
                assert_held(&reply, &what);
                tried += 1;
                if reply.status.is_success() && route.contains("log") {
                    root = caller(&app, root).await;
                }
            }
            root = caller(&app, root).await;
        }
    }
    assert!(tried > 600, "only {tried} bodies");
    assert_eq!(app.count("SELECT COUNT(*) FROM users WHERE email LIKE '%eve%'").await, 0);
    for mail in app.mails().await {
        assert_eq!(mail.to.len(), 1, "{mail:?}");
        assert!(!mail.to[0].contains("eve"), "{mail:?}");
    }
}

/// ASVS: V1.1.1, V1.2.4, V1.4.2, V2.2.1
#[tokio::test]
async fn no_query_and_no_path_is_our_fault() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let mut root = app.sign_up_admin("root@example.org").await;
    let values = [
        "",
        "%00",
        "%ff%fe",
        "%",
        "%zz",
        "%25%30%30",
        "%2527",
        "'",
        "%27%20OR%201=1--",
        "-1",
        "0",
        "1e9",
        "18446744073709551616",
        "true",
        "null",
        "[]",
        "%F0%9F%A6%80",
        "..%2f..%2f",
        "a;b=c",
        "%0d%0aX:y",
        "\u{fffd}",
        &"x".repeat(3000),
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "________________________________",
    ];
    let document = serde_json::to_value(router::document()).unwrap();
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let mut paths = Vec::new();
            for value in values {
                if route.contains("{id}") {
                    paths.push(route.replace("{id}", value));
                }
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    if parameter["in"] == "query" {
                        let name = parameter["name"].as_str().unwrap();
                        let path = route.replace("{id}", &root.id);
                        paths.push(format!("{path}?{name}={value}"));
                        paths.push(format!("{path}?{name}={value}&{name}={value}"));
                        paths.push(format!("{path}?{name}[]={value}"));
                    }
                }
            }
            for path in paths {
                let mut request = app.request(method.clone(), &path);
                if operation.get("security").is_some() {
                    request = request.bearer_auth(&root.access);
                }
                if operation.get("requestBody").is_some() {
                    request = request.json(&json!({ "roles": ["user"] }));
                }
                let reply = crate::support::plain(&app, request).await;
                assert_held(&reply, &format!("{method} {path}"));
            }
            root = caller(&app, root).await;
        }
    }
}

/// Every header that the service reads, with what nobody should send.
#[tokio::test]
async fn no_header_is_our_fault() {
    let app = TestApp::with(&[
        ("rate_limit.enabled", "false"),
        ("trusted_proxies", "127.0.0.0/8"),
        ("cors.origins", "https://app.example.org"),
        ("operator_token", "0123456789abcdef0123456789abcdef"),
    ])
    .await;
    let long = "x".repeat(7000);
    let values: [&[u8]; 12] = [
        b"",
        b" ",
        b",",
        b";",
        b"\xff\xfe",
        b"=",
        b"\"",
        b"\"\\",
        b"for=\"[::",
        b"a,b;c=\"d",
        b"Bearer",
        long.as_bytes(),
    ];
    for name in [
        "authorization",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "x-request-id",
        "traceparent",
        "tracestate",
        "user-agent",
        "origin",
        "accept",
        "accept-language",
        "accept-encoding",
        "if-none-match",
        "content-type",
        "content-encoding",
        "cookie",
        "range",
        "te",
        "expect",
        "access-control-request-method",
    ] {
        for value in values {
            for (method, path) in [
                (Method::GET, "/api/v1/users/me"),
                (Method::GET, "/api/v1/health"),
                (Method::GET, "/.well-known/jwks.json"),
                (Method::POST, "/api/v1/auth/login"),
                (Method::OPTIONS, "/api/v1/auth/login"),
            ] {
                let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
                let request = app.request(method.clone(), path).header(name, value);
                let reply = crate::support::plain(&app, request).await;
                let what = format!("{method} {path} {name}");
                let status = reply.status.as_u16();
                assert!(status < 500, "{what}: {reply:?}");
            }
        }
    }
}
