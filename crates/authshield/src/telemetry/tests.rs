//! The whole stack, from an event or a request to what comes out at the other end.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tower::ServiceExt;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::config::Otel;
use crate::kernel::UserId;
use crate::world::Sandbox;

#[path = "../../tests/it/support/marked_secrets.rs"]
mod marked_secrets;

/// What was logged.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(super) fn lines(&self) -> Vec<BTreeMap<String, Value>> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A subscriber as in the program, but written to at once.
    fn dispatch(&self, filter: &str, format: Format) -> Dispatch {
        let world = Arc::new(Sandbox::default());
        let layer = logs::layer_for(self.clone(), format, world);
        let layer = layer.with_filter(logs::filter(filter).unwrap());
        Dispatch::new(tracing_subscriber::registry().with(layer))
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

pub(super) fn logged(format: Format, act: impl FnOnce()) -> Log {
    let log = Log::default();
    tracing::dispatcher::with_default(&log.dispatch("info", format), act);
    log
}

const AGENT: &str =
    "Mozilla\r\n{\"level\":\"ERROR\"}\u{1b}[2J\u{9b}2J\"\u{202e}gnp.exe\u{2028}\u{7}\u{7f}\0\\";

/// RUSTSEC-2025-0055, attack class J09.
/// ASVS: V16.4.1
#[test]
fn asvs_v16_4_1_a_hostile_user_agent_is_one_line_and_no_control() {
    for format in [Format::Json, Format::Text { color: false }] {
        let log = logged(format, || {
            let error = io::Error::other(AGENT);
            let error: &dyn std::error::Error = &error;
            tracing::info!(user_agent = AGENT, shown = %AGENT, debugged = ?AGENT, error, "{AGENT}");
        });
        let text = log.text();
        let body = text.strip_suffix('\n').unwrap();
        assert!(
            !body.chars().any(|c| c.is_control() || "\u{202e}\u{2028}".contains(c)),
            "{body:?}"
        );
        if format == Format::Json {
            let [line] = &log.lines()[..] else { panic!("{text}") };
            for field in ["user_agent", "shown", "error", "message"] {
                assert_eq!(line[field], AGENT, "{field}");
            }
            assert_eq!(line["level"], "INFO");
        }
    }
}

/// ASVS: V16.2.2, V16.2.4
#[test]
fn a_line_has_the_fields_of_its_spans_and_the_nearest_wins() {
    let log = logged(Format::Json, || {
        let outer = tracing::info_span!("outer", request_id = "r1", step = 1, http.route = "/x");
        let _outer = outer.enter();
        let inner = tracing::info_span!("inner", step = 2, later = tracing::field::Empty);
        let _inner = inner.enter();
        inner.record("later", true);
        tracing::warn!(target: "authshield::x", count = 3_u64, ratio = 0.5, "something");
        tracing::debug!("not this");
    });
    let [line] = &log.lines()[..] else { panic!("{}", log.text()) };
    let expected = serde_json::json!({
        "timestamp": "2026-11-22T08:00:00.000000Z", "level": "WARN", "target": "authshield::x",
        "message": "something", "request_id": "r1", "step": 2, "later": true, "count": 3,
        "ratio": 0.5,
    });
    assert_eq!(serde_json::to_value(line).unwrap(), expected);
}

#[test]
fn an_error_is_told_with_its_causes_and_a_long_text_has_an_end() {
    #[derive(Debug, thiserror::Error)]
    #[error("the store failed")]
    struct Outer(#[source] io::Error);

    let log = logged(Format::Json, || {
        let error = Outer(io::Error::other("disk full"));
        let long = "ä".repeat(100_000);
        tracing::error!(error = &error as &dyn std::error::Error, long, shown = %long, "failed");
    });
    let [line] = &log.lines()[..] else { panic!("{}", log.text()) };
    assert_eq!(line["error"], "the store failed: disk full");
    for field in ["long", "shown"] {
        let text = line[field].as_str().unwrap();
        assert!(text.len() <= 4100 && text.ends_with('…'), "{}", text.len());
    }
}

#[test]
fn a_bad_filter_is_refused_with_a_remedy() {
    for (filter, words) in [
        ("inof", "`log` has `inof`, which is not a level: write off, error"),
        ("info,authshield", "`log` has `authshield`"),
        ("authshield=loud", "`log` is `authshield=loud`, which is not a filter such as `info`"),
    ] {
        let complaint = logs::filter(filter).unwrap_err().to_string();
        assert!(complaint.contains(words), "{complaint}");
    }
    for filter in ["info", "WARN,authshield::mail=debug", "off", "info,[request]=debug", ""] {
        assert!(logs::filter(filter).is_ok(), "{filter}");
    }
}

#[test]
fn marks_are_found_in_whatever_form_they_leak() {
    let mut secrets = marked_secrets::MarkedSecrets::default();
    let password = secrets.mark("password");
    secrets.add("refresh token", "as_rt_0123456789abcdefghij");
    secrets.assert_absent("a log that says nothing");

    let hex = password.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let basic = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("ann@example.org:{password}"),
    );
    for output in [format!("x {password} y"), format!("Basic {basic}"), hex] {
        assert_eq!(secrets.leaks_in(&output), ["password"], "{output}");
    }
    assert_eq!(secrets.leaks_in("t=as_rt_0123456789abcdefghij;"), ["refresh token"]);
}

/// A few routes that behave like ours, behind the request line.
fn app(metrics: &Arc<Metrics>) -> Router {
    async fn session() -> Response {
        let notes = Notes::current().unwrap();
        notes.user(UserId::new(&Sandbox::default()));
        notes.spent(Part::Database, Duration::from_micros(1500));
        notes.spent(Part::Database, Duration::from_micros(500));
        notes.spent(Part::Hash, Duration::from_millis(20));
        tracing::info!(target: "authshield::inside", "looking");
        let mut response = StatusCode::NOT_FOUND.into_response();
        response.extensions_mut().insert(ProblemCode("SESSION_NOT_FOUND"));
        response.extensions_mut().insert(InnerReason("belongs_to_another".to_owned()));
        response
    }

    Router::new()
        .route("/api/v1/sessions/{id}", get(session))
        .route("/api/v1/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/api/v1/never", get(std::future::pending::<()>))
        .route("/api/v1/health/live", get(async || "ok"))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(metrics), request_line))
}

fn asked(by_proxy: bool) -> Asked {
    Asked { tag: "r-1".into(), client_ip: [192, 0, 2, 7].into(), by_proxy }
}

fn request(uri: &str) -> Request<Body> {
    Request::get(uri)
        .header(header::AUTHORIZATION, "Bearer hush")
        .header(header::USER_AGENT, AGENT.replace(|c: char| !c.is_ascii_graphic(), "_"))
        .extension(asked(false))
        .body(Body::from("a body"))
        .unwrap()
}

fn metrics() -> Arc<Metrics> {
    Metrics::new(&Sandbox::default())
}

#[tokio::test]
async fn a_request_is_one_line_with_all_that_is_known_and_no_more() {
    let (log, metrics) = (Log::default(), metrics());
    let id = "019abc00-raw-id";
    let call = app(&metrics).oneshot(request(&format!("/api/v1/sessions/{id}?token=hush")));
    call.with_subscriber(log.dispatch("info", Format::Json)).await.unwrap();

    let [inside, line] = &log.lines()[..] else { panic!("{}", log.text()) };
    assert_eq!((&inside["message"], &inside["request_id"]), (&"looking".into(), &"r-1".into()));
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["target"], "authshield::request");
    for (field, value) in [
        ("method", "GET"),
        ("route", "/api/v1/sessions/{id}"),
        ("code", "SESSION_NOT_FOUND"),
        ("reason", "belongs_to_another"),
        ("client_ip", "192.0.2.7"),
        ("request_id", "r-1"),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert_eq!(line["status"], 404);
    assert_eq!((&line["db_ms"], &line["hash_ms"]), (&2.0.into(), &20.0.into()));
    assert!(line["user_id"].as_str().unwrap().parse::<UserId>().is_ok());
    assert!(line["total_ms"].as_f64().is_some());

    let text = log.text() + &metrics.encode();
    for private in ["hush", "a body", "Mozilla", id] {
        assert!(!text.contains(private), "{private} is in\n{text}");
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/logs.md");
    let page = std::fs::read_to_string(page).unwrap();
    for field in line.keys().map(String::as_str).chain(["queue_ms", "outbound_ms", "trace_id"]) {
        assert!(page.contains(&format!("| `{field}` |")), "logs.md does not explain {field}");
    }
}

/// ASVS: V16.3.4
#[tokio::test]
async fn failures_are_warnings_and_probes_are_quiet() {
    let (log, metrics) = (Log::default(), metrics());
    let dispatch = log.dispatch("debug", Format::Json);
    for uri in ["/api/v1/broken", "/api/v1/health/live", "/wp-login.php"] {
        let call = app(&metrics).oneshot(request(uri));
        call.with_subscriber(dispatch.clone()).await.unwrap();
    }
    let seen: Vec<_> = log
        .lines()
        .iter()
        .map(|line| format!("{} {} {}", line["level"], line["route"], line["status"]))
        .collect();
    assert_eq!(
        seen,
        [
            r#""WARN" "/api/v1/broken" 500"#,
            r#""DEBUG" "/api/v1/health/live" 200"#,
            r#""INFO" "unmatched" 404"#,
        ]
    );
    let exposition = metrics.encode();
    for (route, class) in [("/api/v1/broken", "5xx"), ("unmatched", "4xx")] {
        let labels = format!(r#"{{method="GET",route="{route}",status_class="{class}"}}"#);
        for metric in ["http_requests_total", "http_request_duration_seconds_count"] {
            let sample = format!("authshield_{metric}{labels} 1\n");
            assert!(exposition.contains(&sample), "{sample} is missing in\n{exposition}");
        }
    }
    assert!(!exposition.contains("wp-login"));
}

#[tokio::test]
async fn a_request_whose_client_went_away_has_its_line() {
    let (log, metrics) = (Log::default(), metrics());
    let dispatch = log.dispatch("warn,authshield=info", Format::Json);
    let mut call =
        Box::pin(app(&metrics).oneshot(request("/api/v1/never")).with_subscriber(dispatch.clone()));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    assert!(metrics.encode().contains("authshield_http_requests_in_flight 1\n"));

    tracing::dispatcher::with_default(&dispatch, || drop(call));
    assert!(metrics.encode().contains("authshield_http_requests_in_flight 0\n"));
    let [line] = &log.lines()[..] else { panic!("{}", log.text()) };
    assert_eq!((&line["status"], &line["route"]), (&499.into(), &"/api/v1/never".into()));
}

type Posts = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A collector that keeps what it gets.
async fn collector() -> (url::Url, Posts) {
    let posts = Posts::default();
    let kept = Arc::clone(&posts);
    let take =
        async move |headers: HeaderMap, body: Bytes| kept.lock().unwrap().push((headers, body));
    let app = Router::new().route("/v1/traces", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    (url, posts)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The stack of the program, with this collector.
fn traced(endpoint: url::Url, log: &Log, metrics: &Metrics) -> (Dispatch, Telemetry) {
    let otel = Otel { endpoint: Some(endpoint), sample_ratio: 1.0 };
    let world = Arc::new(Sandbox::default());
    stack("info", Format::Json, &otel, log.clone(), world, metrics).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_reach_the_collector_in_the_trace_of_a_trusted_caller() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (url, posts) = collector().await;
    let (log, metrics) = (Log::default(), metrics());
    let (dispatch, telemetry) = traced(url, &log, &metrics);

    for trusted in [true, false] {
        let mut request = request("/api/v1/sessions/raw-id?token=hush");
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        request.headers_mut().insert("traceparent", parent.parse().unwrap());
        request.extensions_mut().insert(asked(trusted));
        app(&metrics).oneshot(request).with_subscriber(dispatch.clone()).await.unwrap();
    }
    drop(telemetry); // the end of the program: all that waits is sent and written

    let ids: Vec<_> = log.lines().iter().filter_map(|line| line.get("trace_id").cloned()).collect();
    assert_eq!(ids.len(), 2, "{}", log.text());
    assert_eq!(ids[0], TRACE);
    assert_ne!(ids[1], TRACE);

    let posts = posts.lock().unwrap();
    let [(headers, body)] = &posts[..] else { panic!("{} posts", posts.len()) };
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    for text in ["authshield", "GET /api/v1/sessions/{id}", env!("CARGO_PKG_VERSION")] {
        assert!(contains(body, text), "{text} is missing");
    }
    for private in ["raw-id", "hush", "192.0.2.7", "belongs_to_another"] {
        assert!(!contains(body, private), "{private} was sent to the collector");
    }
}

#[tokio::test]
async fn a_collector_that_is_gone_costs_spans_and_no_request() {
    let (log, metrics) = (Log::default(), metrics());
    // Port 9 of this machine: nobody listens there.
    let (dispatch, telemetry) = traced("http://127.0.0.1:9".parse().unwrap(), &log, &metrics);
    for _ in 0..3 {
        let call = app(&metrics).oneshot(request("/api/v1/health/live"));
        let response = call.with_subscriber(dispatch.clone()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        telemetry.flush();
    }
    assert_eq!(metrics.trace_exports_failed.get(), 3);
}

#[test]
fn without_a_collector_nothing_is_set_up_for_one() {
    let otel = Otel { endpoint: None, sample_ratio: 1.0 };
    assert!(traces::provider(&otel, &metrics()).unwrap().is_none());
    let otel = Otel { endpoint: Some("ftp://x".parse().unwrap()), sample_ratio: 1.0 };
    assert!(traces::provider(&otel, &metrics()).is_err());
}
