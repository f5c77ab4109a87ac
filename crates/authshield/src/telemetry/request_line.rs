//! One line per request. Its fields are an interface: `docs/src/reference/logs.md` describes them.
//!
//! The same layer counts the request and opens its span. It belongs inside of what sets
//! [`Asked`], and outside of everything that answers.
//!
//! What only the inside knows comes to the line in two ways. An answer carries [`ProblemCode`] and
//! [`InnerReason`] as extensions. What is no part of an answer is put on [`Notes`], from anywhere in
//! the request's task.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Level, Span};

use super::metrics::{Http, Metrics};
use super::traces;
use crate::kernel::UserId;

/// What the frame found out about a request: one of its extensions.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The id of the request, as answered in `x-request-id`.
    pub tag: Arc<str>,
    /// Who sent it, once trusted proxies were looked through.
    pub client_ip: IpAddr,
    /// Whether the connection came from a trusted proxy, whose `traceparent` counts.
    pub by_proxy: bool,
}

/// The public code of a problem: an extension of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemCode(pub &'static str);

/// Why really, for the log only: an extension of the answer. Never put a secret into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerReason(pub String);

/// What a request's time goes to, where it is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Waiting for a hashing worker.
    Queue,
    /// Hashing.
    Hash,
    /// The database.
    Database,
    /// Other services, such as Redis.
    Outbound,
}

/// What is learned about a request on its way and belongs on its line; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Clone, Copy, Default)]
struct Noted {
    user: Option<UserId>,
    /// By [`Part`].
    spent: [Option<Duration>; 4],
}

tokio::task_local! {
    static NOTES: Notes;
}

impl Notes {
    /// Returns those of the request whose task this is; none in a task that was spawned from it.
    #[must_use]
    pub fn current() -> Option<Self> {
        NOTES.try_with(Self::clone).ok()
    }

    /// Notes who is asking, once that is proven.
    pub fn user(&self, user: UserId) {
        self.noted().user = Some(user);
    }

    /// Adds to the time spent on `part`.
    pub fn spent(&self, part: Part, span: Duration) {
        *self.noted().spent[part as usize].get_or_insert_default() += span;
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.0.lock().expect("nobody panics while holding a note")
    }
}

/// Does what has been begun to its end, even if the client goes away meanwhile: whoever hangs up must not
/// leave half of it behind.
pub async fn to_the_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let work = work.instrument(tracing::Span::current());
    let task = match Notes::current() {
        Some(notes) => tokio::spawn(NOTES.scope(notes, work)),
        None => tokio::spawn(work),
    };
    match task.await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody ends it but the end of the program.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Logs, counts and traces a request; for `axum::middleware::from_fn_with_state`.
pub async fn request_line(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let notes = Notes::default();
    let mut line = Line::open(metrics, &request, notes.clone());
    let inside = next.run(request).instrument(line.span.clone());
    let response = NOTES.scope(notes, inside).await;
    line.answer(&response);
    response
}

/// What the line will say. It is written when this is dropped, so that a request whose client went
/// away has one too.
struct Line {
    metrics: Arc<Metrics>,
    notes: Notes,
    span: Span,
    started: Instant,
    method: &'static str,
    route: String,
    client_ip: Option<IpAddr>,
    request_id: Option<Arc<str>>,
    status: Option<StatusCode>,
    code: Option<&'static str>,
    reason: Option<String>,
}

/// What nginx calls a request whose client did not wait for the answer.
const ABANDONED: u16 = 499;

impl Line {
    fn open(metrics: Arc<Metrics>, request: &Request, notes: Notes) -> Self {
        let method = method(request.method());
        let extensions = request.extensions();
        let route = extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
        let asked = extensions.get::<Asked>();
        let request_id = asked.map(|asked| Arc::clone(&asked.tag));
        // At level error, so that whatever is logged under it has the request's id, however little
        // `log` lets through.
        let span = tracing::error_span!(
            target: "authshield::request",
            "request",
            request_id = request_id.as_deref(),
            otel.name = format_args!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            error.r#type = Empty,
        );
        if asked.is_some_and(|asked| asked.by_proxy) {
            traces::follow(&span, request.headers());
        }
        metrics.http_requests_in_flight.inc();
        Self {
            metrics,
            notes,
            span,
            started: Instant::now(),
            method,
            route: route.to_owned(),
            client_ip: asked.map(|asked| asked.client_ip),
            request_id,
            status: None,
            code: None,
            reason: None,
        }
    }

    fn answer(&mut self, response: &Response) {
        let extensions = response.extensions();
        self.status = Some(response.status());
        self.code = extensions.get::<ProblemCode>().map(|code| code.0);
        self.reason = extensions.get::<InnerReason>().map(|reason| reason.0.clone());
    }

    fn level(&self, status: u16) -> Level {
        match status {
            500.. => Level::WARN,
            _ if is_probe(&self.route) => Level::DEBUG,
            _ => Level::INFO,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let status = match self.status {
            Some(status) => status.as_u16(),
            None if std::thread::panicking() => 500,
            None => ABANDONED,
        };
        let took = self.started.elapsed();
        self.metrics.http_requests_in_flight.dec();
        let labels = Http {
            method: self.method,
            route: std::mem::take(&mut self.route),
            status_class: class(status),
        };
        self.metrics.http_requests.get_or_create(&labels).inc();
        self.metrics.http_request_duration.get_or_create(&labels).observe(took.as_secs_f64());
        self.route = labels.route;

        self.span.record("http.response.status_code", status);
        if status >= 500 {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("error.type", self.code.unwrap_or("INTERNAL_ERROR"));
        }

        let noted = *self.notes.noted();
        let part = |part: Part| noted.spent[part as usize].map(millis);
        // Without a parent: the line is complete by itself, and who asked is nobody's business in
        // the trace collector.
        macro_rules! write {
            ($level:expr) => {
                tracing::event!(
                    target: "authshield::request",
                    parent: None,
                    $level,
                    method = self.method,
                    route = self.route,
                    status,
                    code = self.code,
                    reason = self.reason,
                    user_id = noted.user.map(tracing::field::display),
                    client_ip = self.client_ip.map(tracing::field::display),
                    request_id = self.request_id.as_deref(),
                    trace_id = traces::trace_id(&self.span),
                    total_ms = millis(took),
                    queue_ms = part(Part::Queue),
                    hash_ms = part(Part::Hash),
                    db_ms = part(Part::Database),
                    outbound_ms = part(Part::Outbound),
                    "request"
                )
            };
        }
        match self.level(status) {
            Level::WARN => write!(Level::WARN),
            Level::DEBUG => write!(Level::DEBUG),
            _ => write!(Level::INFO),
        }
    }
}

/// Milliseconds, to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "no request takes centuries")]
fn millis(span: Duration) -> f64 {
    span.as_micros() as f64 / 1000.0
}

/// A method is whatever a stranger calls it; a label is not.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => "other",
    }
}

fn class(status: u16) -> &'static str {
    match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

/// Whether machines ask this every few seconds.
fn is_probe(route: &str) -> bool {
    let route = route.strip_prefix("/api/v1").unwrap_or(route);
    matches!(
        route,
        "/health" | "/health/live" | "/health/ready" | "/livez" | "/readyz" | "/metrics"
    )
}
