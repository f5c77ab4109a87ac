//! What can be seen from outside while it works: logs, metrics, health. And what never can.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use authshield::telemetry::{Format, logs};
use authshield::world::Sandbox;
use authshield::{router, server};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use crate::support::app::on_postgres;
use crate::support::marked_secrets::MarkedSecrets;
use crate::support::{PASSWORD, Person, Reply, TestApp, plain};

/// Everything that this thread logs, and with it the server of a test: both run on one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures with the layer of the program until the guard is dropped.
    fn capture(&self, filter: &str) -> tracing::dispatcher::DefaultGuard {
        // While there is but one subscriber, `tracing` asks only the thread that comes by first
        // whether a line is wanted, and believes it for ever. These two are never alone.
        static COMPANY: OnceLock<[tracing::Dispatch; 2]> = OnceLock::new();
        COMPANY.get_or_init(|| {
            let silent = || tracing::Dispatch::new(tracing_subscriber::registry());
            [silent(), silent()]
        });
        let layer = logs::layer_for(self.clone(), Format::Json, Arc::new(Sandbox::default()));
        let layer = layer.with_filter(logs::filter(filter).unwrap());
        let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
        tracing::dispatcher::set_default(&dispatch)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("logs are text")
    }

    /// Returns the lines of `target`.
    fn of(&self, target: &str) -> Vec<BTreeMap<String, Value>> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<BTreeMap<_, _>>(line).unwrap());
        lines.filter(|line| line.get("target").is_some_and(|found| found == target)).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Adds both tokens of a pair, and the half of the access token that makes it one.
fn know(secrets: &mut MarkedSecrets, person: &Person) {
    secrets.add("access token", &person.access);
    secrets.add("signature", person.access.rsplit('.').next().unwrap());
    secrets.add("refresh token", &person.refresh);
    secrets.add("refresh secret", &person.refresh[4..47]);
}

/// Returns all that the database has stored, as text.
async fn dump(app: &TestApp) -> String {
    if !on_postgres() {
        // The file itself, with what is deleted but not yet overwritten.
        let files = ["authshield.db", "authshield.db-wal"];
        let read = |file| std::fs::read(app.folder().join(file)).unwrap_or_default();
        let bytes: Vec<u8> = files.into_iter().flat_map(read).collect();
        assert!(bytes.len() > 50_000);
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let mut tx = app.app.store.read().await.unwrap();
    let tables: Vec<(String,)> = tx
        .query(
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables
             WHERE table_schema = current_schema()",
        )
        .all()
        .await
        .unwrap();
    assert!(tables.len() > 8, "{tables:?}");
    let mut all = String::new();
    for (table,) in tables {
        let sql: &'static str =
            Box::leak(format!("SELECT CAST(t AS TEXT) FROM {table} AS t").into_boxed_str());
        let rows: Vec<(String,)> = tx.query(sql).all().await.unwrap();
        all.extend(rows.into_iter().map(|(row,)| row));
    }
    all
}

/// Returns the contents of every file below `folder` but the database and the master key.
fn files(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            all.push_str(&files(&path));
        } else if !name.starts_with("authshield.db") && !name.contains("key") {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
    all
}

/// Everything that can be done with a secret: used, used wrongly, sent to the wrong place.
struct Scene {
    app: TestApp,
    secrets: MarkedSecrets,
    /// Answers that are meant to give no secret away.
    replies: Vec<Reply>,
    requests: usize,
}

impl Scene {
    async fn ask(&mut self, request: reqwest::RequestBuilder) -> Reply {
        self.app.advance(Duration::from_millis(1));
        self.requests += 1;
        plain(&self.app, request).await
    }

    /// Asks for something that must not give a secret away.
    async fn seen(&mut self, request: reqwest::RequestBuilder) {
        let reply = self.ask(request).await;
        assert!(reply.status.as_u16() < 500, "{reply:?}");
        self.replies.push(reply);
    }

    async fn post(&mut self, path: &str, body: Value) {
        let request = self.app.request(Method::POST, &format!("/api/v1{path}")).json(&body);
        self.seen(request).await;
    }

    async fn post_as(&mut self, who: &Person, path: &str, body: Value) {
        let request = self.app.request(Method::POST, &format!("/api/v1{path}"));
        self.seen(request.bearer_auth(&who.access).json(&body)).await;
    }

    /// Asks for a pair, and knows its secrets.
    async fn pair(&mut self, path: &str, body: Value) -> Person {
        let request = self.app.request(Method::POST, &format!("/api/v1{path}")).json(&body);
        let person = Person::from_pair(&self.ask(request).await.ok(200).body);
        know(&mut self.secrets, &person);
        person
    }

    async fn mailed(&mut self, name: &'static str, email: &str) -> String {
        let token = self.app.token_for(email).await;
        self.secrets.add(name, &token);
        self.secrets.add(name, &token[4..47]);
        token
    }
}

async fn play() -> Scene {
    let mut secrets = MarkedSecrets::default();
    let operator = secrets.mark("operator token");
    let app =
        TestApp::with(&[("rate_limit.enabled", "false"), ("operator_token", &operator)]).await;
    let (first, second, third) = (
        secrets.mark("first password"),
        secrets.mark("second password"),
        secrets.mark("third password"),
    );
    let wrong = secrets.mark("wrong password");
    if let Some(password) = url::Url::parse(app.app.config.database.url.expose_secret())
        .ok()
        .and_then(|url| url.password().map(ToOwned::to_owned))
    {
        secrets.add("database password", &password);
    }
    let master = std::fs::read_dir(app.folder()).unwrap().map(|entry| entry.unwrap().path());
    let master: Vec<_> = master.filter(|path| path.to_string_lossy().contains("key")).collect();
    assert_eq!(master.len(), 1, "{master:?}");
    secrets.add("master key", std::fs::read_to_string(&master[0]).unwrap().trim());

    let mut scene = Scene { app, secrets, replies: Vec::new(), requests: 0 };
    let (ann, new) = ("ann@example.org", "ann@example.net");
    scene.post("/auth/register", json!({ "email": ann, "password": first })).await;
    scene.post("/auth/login", json!({ "email": ann, "password": first })).await;
    let token = scene.mailed("verification token", ann).await;
    scene.post("/auth/reset-password", json!({ "token": token, "new_password": second })).await;
    scene.post("/auth/verify-email", json!({ "token": token })).await;
    scene.post("/auth/verify-email", json!({ "token": token })).await;
    scene.post("/auth/register", json!({ "email": ann, "password": second })).await;
    scene.post("/auth/login", json!({ "email": ann, "password": wrong })).await;
    scene.post("/auth/login", json!({ "email": "nobody@example.org", "password": wrong })).await;
    // In the wrong field, of the wrong kind, in something that is no JSON.
    scene.post("/auth/login", json!({ "email": wrong, "password": first })).await;
    scene.post("/auth/login", json!({ "email": ann, "password": [first] })).await;
    scene.post("/auth/login", json!({ "email": ann, "password": { "is": first } })).await;
    scene.post("/auth/login", json!({ "email": ann, "password": 1, "also": first })).await;
    for (kind, body) in [
        ("application/json", format!("{{\"email\":\"{ann}\",\"password\":\"{first}")),
        ("application/json", format!("{{\"email\":\"{ann}\",\"password\":\"{first}\"}}x")),
        ("application/json", format!("\"{first}\"")),
        ("text/plain", format!("password={first}")),
        ("application/x-www-form-urlencoded", format!("email={ann}&password={first}")),
    ] {
        let request = scene.app.request(Method::POST, "/api/v1/auth/login");
        scene.seen(request.header("content-type", kind).body(body)).await;
    }

    let person = scene.pair("/auth/login", json!({ "email": ann, "password": first })).await;
    let me = |scene: &Scene| scene.app.request(Method::GET, "/api/v1/users/me");
    for request in [
        me(&scene).bearer_auth(&person.access),
        me(&scene).bearer_auth(&person.refresh),
        me(&scene).bearer_auth(format!("{}x", person.access)),
        me(&scene).header("authorization", format!("Basic {}", person.access)),
        me(&scene).header("authorization", &person.access),
        me(&scene).header("cookie", format!("token={}", person.refresh)),
        scene.app.request(Method::GET, "/api/v1/health").bearer_auth(&operator),
        scene.app.request(Method::GET, "/api/v1/sessions").bearer_auth(&person.access),
        scene.app.request(Method::GET, "/api/v1/admin/users").bearer_auth(&person.access),
        // V14.2.1: a token in a query opens nothing, and is not logged for all that.
        scene.app.request(Method::GET, &format!("/api/v1/users/me?access_token={}", person.access)),
        scene
            .app
            .request(Method::GET, &format!("/api/v1/sessions?cursor={}", person.refresh))
            .bearer_auth(&person.access),
        scene
            .app
            .request(Method::DELETE, &format!("/api/v1/sessions/{}", person.refresh))
            .bearer_auth(&person.access),
    ] {
        scene.seen(request).await;
    }
    let body = json!({ "current_password": wrong, "new_password": second });
    scene.post_as(&person, "/auth/change-password", body).await;
    let body = json!({ "current_password": first, "new_password": "short" });
    scene.post_as(&person, "/auth/change-password", body).await;
    let body = json!({ "current_password": first, "new_password": second });
    scene.post_as(&person, "/auth/change-password", body).await;
    let fresh = scene.pair("/auth/refresh", json!({ "refresh_token": person.refresh })).await;
    let again = scene.pair("/auth/refresh", json!({ "refresh_token": person.refresh })).await;
    assert_eq!(again.refresh, fresh.refresh, "within the leeway");
    scene.app.advance(Duration::from_mins(1));
    scene.post("/auth/refresh", json!({ "refresh_token": person.refresh })).await;
    scene.post("/auth/refresh", json!({ "refresh_token": fresh.refresh })).await;
    scene.post("/auth/refresh", json!({ "refresh_token": fresh.access })).await;

    // So that the next mail is the last.
    scene.app.mails().await;
    scene.post("/auth/forgot-password", json!({ "email": ann })).await;
    let token = scene.mailed("reset token", ann).await;
    scene.post("/auth/reset-password", json!({ "token": token, "new_password": "short" })).await;
    scene.post("/auth/reset-password", json!({ "token": token, "new_password": third })).await;
    scene.post("/auth/reset-password", json!({ "token": token, "new_password": third })).await;
    let person = scene.pair("/auth/login", json!({ "email": ann, "password": third })).await;
    scene.app.mails().await;
    scene.post_as(&person, "/users/me/email", json!({ "new_email": new, "password": wrong })).await;
    scene.post_as(&person, "/users/me/email", json!({ "new_email": new, "password": third })).await;
    let token = scene.mailed("change token", new).await;
    scene.post("/auth/verify-email", json!({ "token": token })).await;
    let person = scene.pair("/auth/login", json!({ "email": new, "password": third })).await;
    scene.post_as(&person, "/auth/logout", json!({ "refresh_token": person.refresh })).await;
    scene.app.mails().await;
    scene
}

/// Attack classes D14, J09, L07.
/// ASVS: V16.2.5, V14.2.1, V16.5.1, V11.4.2
#[tokio::test]
async fn no_secret_is_in_logs_answers_or_tables() {
    let log = Log::default();
    // As talkative as it gets; SQL and HTTP libraries included.
    let guard = log.capture("trace");
    let scene = play().await;
    let stored = dump(&scene.app).await;
    drop(guard);

    let logged = log.text();
    assert!(logged.lines().count() > 200, "{} lines", logged.lines().count());
    // The client of this test runs on the same thread and logs what it sends; the server is meant.
    let ours: Vec<_> = logged.lines().filter(|line| !is_of_the_client(line)).collect();
    for line in &ours {
        let leaks = scene.secrets.leaks_in(line);
        assert!(leaks.is_empty(), "{leaks:?} in {}", line.chars().take(300).collect::<String>());
    }
    for reply in &scene.replies {
        let leaks = scene.secrets.leaks_in(&format!("{reply:?}"));
        assert!(leaks.is_empty(), "{leaks:?} in an answer {} {}", reply.status, reply.code());
    }
    scene.secrets.assert_absent(&stored);
    scene.secrets.assert_absent(&files(scene.app.folder()));
    assert!(stored.contains("$argon2id$v=19$m="), "passwords are PHC strings of Argon2id");
}

/// The relay here takes no password, so that the mail fails and is complained about.
/// ASVS: V16.2.5
#[tokio::test]
async fn the_password_of_the_relay_is_not_logged() {
    let log = Log::default();
    let guard = log.capture("trace");
    let mut secrets = MarkedSecrets::default();
    let smtp = secrets.mark("smtp password");
    let app = TestApp::with(&[("smtp.username", "relay-user"), ("smtp.password", &smtp)]).await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    app.mails().await;
    let stored = dump(&app).await;
    drop(guard);
    assert!(log.text().contains("authshield::mail"), "nobody complained");
    secrets.assert_absent(&log.text());
    secrets.assert_absent(&stored);
    secrets.assert_absent(&app.get("/api/v1/health").await.text);
}

/// Whether a line comes from a library that the test's own client uses.
fn is_of_the_client(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap();
    let target = line["target"].as_str().unwrap_or_default();
    ["reqwest", "hyper_util::client"].iter().any(|client| target.starts_with(client))
}

/// ASVS: V16.2.4, V16.3.1, V16.3.2
#[tokio::test]
async fn every_request_has_one_line_that_says_why() {
    let log = Log::default();
    // Probes are logged at the level debug.
    let guard = log.capture("info,authshield::request=debug");
    let scene = play().await;
    drop(guard);
    let lines: Vec<_> = log.of("authshield::request");
    assert_eq!(lines.len(), scene.requests, "one line per request");
    let mut ids: Vec<_> = lines.iter().map(|line| line["request_id"].as_str().unwrap()).collect();
    for reply in &scene.replies {
        let id = reply.header("x-request-id");
        let line = lines.iter().find(|line| line["request_id"] == id).expect("its line");
        assert_eq!(line["status"], reply.status.as_u16());
        assert_eq!(line.get("code").and_then(Value::as_str).unwrap_or_default(), reply.code());
        assert_eq!(line["client_ip"], "127.0.0.1");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), lines.len(), "every request has an id of its own");
    for (code, reason) in [
        ("AUTH_INVALID_CREDENTIALS", "wrong_password"),
        ("AUTH_INVALID_CREDENTIALS", "email_not_found"),
        ("AUTH_EMAIL_NOT_VERIFIED", "email_unverified"),
        ("AUTH_INVALID_VERIFICATION_TOKEN", "token_used"),
        ("AUTH_INVALID_RESET_TOKEN", "token_used"),
    ] {
        let found = lines.iter().filter(|line| line.get("code").is_some_and(|found| found == code));
        let reasons: Vec<_> =
            found.map(|line| line.get("reason").cloned().unwrap_or_default()).collect();
        assert!(
            reasons.contains(&json!(reason)),
            "{code} is not explained by {reason}: {reasons:?}"
        );
    }
    let lacks = |line: &&BTreeMap<String, Value>| {
        line.get("code").is_some_and(|code| code == "AUTH_INSUFFICIENT_PERMISSIONS")
    };
    let refused = lines.iter().find(lacks).expect("somebody tried what is not theirs");
    assert_eq!(refused["route"], "/api/v1/admin/users");
    assert!(refused["user_id"].is_string(), "{refused:?}");
    let hashed = lines.iter().filter(|line| line["route"] == "/api/v1/auth/login");
    assert!(
        hashed
            .into_iter()
            .any(|line| line.contains_key("hash_ms") && line.contains_key("queue_ms"))
    );

    // What auditors read has the same request ids.
    let events = log.of("authshield::audit");
    assert_eq!(events.len(), scene.app.events().await.len());
    for event in &events {
        assert!(lines.iter().any(|line| line["request_id"] == event["request_id"]), "{event:?}");
    }
    for event in [
        "REGISTER_SUCCEEDED",
        "EMAIL_VERIFIED",
        "LOGIN_SUCCEEDED",
        "LOGIN_FAILED",
        "PASSWORD_CHANGED",
        "PASSWORD_MISMATCH",
        "REFRESH_ROTATED",
        "REFRESH_REUSED",
        "PASSWORD_RESET_REQUESTED",
        "PASSWORD_RESET_COMPLETED",
        "EMAIL_CHANGE_REQUESTED",
        "EMAIL_CHANGED",
        "LINK_REJECTED",
        "LOGOUT",
    ] {
        assert!(events.iter().any(|line| line["event"] == event), "{event} is missing");
    }
}

/// Serves what operators see, and returns its address.
fn operators(app: &TestApp) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let routes = router::operator(&app.app);
    tokio::spawn(server::serve(
        listener,
        routes,
        None,
        None,
        CancellationToken::new(),
        Duration::ZERO,
    ));
    base
}

/// Attack: J12
#[tokio::test]
async fn j12_a_name_that_a_web_page_made_lead_here_is_told_nothing() {
    let app = TestApp::with(&[("admin_hosts", "metrics.example.org")]).await;
    let base = operators(&app);
    let ask = async |host: &str| {
        plain(&app, app.client.get(format!("{base}/metrics")).header("host", host)).await
    };
    for host in ["evil.example.com", "evil.example.com:9090", "127.0.0.1.evil.example", "a.b", ""] {
        let reply = ask(host).await;
        assert_eq!(reply.status, 400, "{host}: {reply:?}");
        assert!(!reply.text.contains("authshield_"), "{host}");
    }
    for host in
        ["127.0.0.1:9090", "[::1]:9090", "localhost", "authshield:9090", "Metrics.Example.ORG"]
    {
        ask(host).await.ok(200);
    }
}

/// ASVS: V16.3.1
#[tokio::test]
async fn operators_can_count_what_happened() {
    let scene = play().await;
    let base = operators(&scene.app);
    let reply = plain(&scene.app, scene.app.client.get(format!("{base}/metrics"))).await;
    let text = &reply.ok(200).text;
    assert!(reply.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "authshield_logins_total{method=\"password\",outcome=\"succeeded\"} 3",
        "authshield_refresh_rotations_total{outcome=\"rotated\"} 1",
        "authshield_refresh_rotations_total{outcome=\"retried\"} 1",
        "authshield_refresh_reuse_total 1",
        "authshield_events_total{code=\"LOGIN_FAILED\",reason=\"wrong_password\"} 1",
        "authshield_events_total{code=\"LOGOUT\",reason=\"\"} 1",
        "authshield_users 1",
        "authshield_users_proved 1",
        "authshield_sessions 1",
        "authshield_database_up 1",
        "authshield_mail_queue_depth{state=\"queued\"} 0",
        "authshield_mail_queue_oldest_age_seconds{kind=\"verify_email\"} 0",
    ] {
        let name = line.split('{').next().unwrap();
        let alike: Vec<_> = text.lines().filter(|found| found.starts_with(name)).collect();
        assert!(alike.iter().any(|found| found.starts_with(line)), "{line} is not in {alike:#?}");
    }
    for name in
        ["http_requests_total", "hash_duration_seconds_count", "tokens_issued_total", "build_info"]
    {
        assert!(text.contains(&format!("authshield_{name}")), "{name}");
    }
    scene.secrets.assert_absent(text);
    assert!(!text.contains("example.org"), "no address is a label");
    let labels =
        text.lines().filter(|line| line.starts_with("authshield_http_requests_total")).count();
    assert!(labels < 60, "{labels} series of requests");
    // Nobody else sees any of it.
    plain(&scene.app, scene.app.request(Method::GET, "/metrics")).await.is(404, "ROUTE_NOT_FOUND");
}

#[tokio::test]
async fn paths_and_methods_of_strangers_are_no_labels() {
    let app = TestApp::start().await;
    for number in 0..50 {
        let method: Method = format!("M{number}").parse().unwrap();
        plain(&app, app.request(method, &format!("/made/up/{number}"))).await;
        plain(&app, app.request(Method::GET, &format!("/api/v1/sessions/{number}"))).await;
    }
    let text = app.app.metrics.encode();
    assert!(!text.contains("made/up"), "{text}");
    assert!(!text.contains("M49"));
    assert!(text.contains("route=\"unmatched\""));
}

/// Attack classes L02, L03.
/// ASVS: V13.4.5
#[tokio::test]
async fn health_asks_really_and_tells_details_to_operators_only() {
    let token = "0123456789abcdef0123456789abcdef";
    // One connection is enough: whoever held one and waited for another would wait for ever.
    let app = TestApp::with(&[("operator_token", token), ("database.connections", "1")]).await;
    let health = |token: &str| app.request(Method::GET, "/api/v1/health").bearer_auth(token);
    let known = plain(&app, health(token)).await;
    assert_eq!(known.ok(200).body["status"], "healthy", "{known:?}");
    for check in ["database", "mail", "password_hashing", "signing_key"] {
        assert_eq!(known.body["checks"][check]["status"], "healthy", "{check}");
        assert!(known.body["checks"][check]["latency_ms"].is_number(), "{check}");
        assert!(known.body["checks"][check]["detail"].is_string(), "{check}");
    }
    let refused = [token.to_uppercase(), format!("{token}0"), token[1..].to_owned(), String::new()];
    for wrong in refused {
        let reply = plain(&app, health(&wrong)).await;
        assert_eq!(reply.ok(200).body["checks"]["database"], json!({ "status": "healthy" }));
    }
    let nobody = app.get("/api/v1/health").await;
    assert!(!nobody.ok(200).text.contains("detail") && !nobody.text.contains("latency"));
    assert_eq!(app.get("/api/v1/health/live").await.ok(200).body, json!({ "status": "live" }));
    assert_eq!(app.get("/api/v1/health/ready").await.ok(200).body, json!({ "status": "ready" }));

    // A database that lacks a migration cannot be used.
    let mut tx = app.app.store.write().await.unwrap();
    tx.query("DELETE FROM _sqlx_migrations").execute().await.unwrap();
    tx.commit().await.unwrap();
    let get = |path| plain(&app, app.request(Method::GET, path));
    let ready = get("/api/v1/health/ready").await;
    assert_eq!(ready.ok(503).body, json!({ "status": "not_ready" }));
    let known = plain(&app, health(token)).await;
    assert_eq!(known.ok(503).body["status"], "unhealthy");
    let detail = known.body["checks"]["database"]["detail"].as_str().unwrap();
    assert!(detail.contains("authshield migrate run"), "{detail}");
    let nobody = get("/api/v1/health").await;
    assert_eq!(nobody.ok(503).body["checks"]["database"], json!({ "status": "unhealthy" }));
    app.get("/api/v1/health/live").await.ok(200);
}

#[tokio::test]
async fn mail_that_waits_makes_health_degraded_and_nothing_else() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    app.advance(Duration::from_mins(5));
    let reply = app.get("/api/v1/health").await;
    assert_eq!(reply.ok(200).body["status"], "degraded");
    assert_eq!(reply.body["checks"]["mail"]["status"], "degraded");
    app.get("/api/v1/health/ready").await.ok(200);
    app.mails().await;
    assert_eq!(app.get("/api/v1/health").await.ok(200).body["status"], "healthy");
}
