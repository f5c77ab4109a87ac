//! A trace shows where the time of a request went, and nothing about whom it was for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::support::{
    PASSWORD, Program, Script, SmtpServer, on_postgres, text, token_from, wait_until,
};

/// A collector that understands what it is sent.
struct Collector {
    url: String,
    batches: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> Self {
        let batches = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&batches);
        let take = async move |body: Bytes| kept.lock().unwrap().push(body);
        let routes = Router::new().route("/v1/traces", post(take));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, routes).await });
        Self { url, batches }
    }

    fn bytes(&self) -> Vec<u8> {
        self.batches.lock().unwrap().concat()
    }

    fn spans(&self) -> Vec<Span> {
        let batches = self.batches.lock().unwrap();
        let sent =
            batches.iter().map(|batch| ExportTraceServiceRequest::decode(&batch[..]).unwrap());
        let resources = sent.flat_map(|sent| sent.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

/// Returns the names of the spans that `root` is above of, at any distance.
fn below<'s>(spans: &'s [Span], root: &Span) -> BTreeSet<&'s str> {
    let children = spans.iter().filter(|span| span.parent_span_id == root.span_id);
    children
        .flat_map(|child| {
            assert_eq!(child.trace_id, root.trace_id);
            let mut names = below(spans, child);
            names.insert(&child.name);
            names
        })
        .collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::DoubleValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test]
async fn a_trace_goes_from_the_request_to_the_hash_and_to_every_statement() {
    let (collector, relay) = (Collector::start().await, SmtpServer::start(Script::default()).await);
    let program = Program::new().await.mailing(&relay).unlimited();
    let program = program.set("otel.endpoint", &collector.url);
    let server = program.serve().await;
    let email = "ann@example.org";
    server.client.register(email).await.unwrap().ok(202);
    let token = token_from(&relay, email, "verify-email").await;
    server.client.verify(&token).await.unwrap().ok(200);
    let pair = server.client.log_in(email, PASSWORD).await.unwrap();
    pair.ok(200);
    let access = text(&pair, "access_token");
    let id = pair.body["user"]["id"].as_str().unwrap().to_owned();
    server.client.me(&access).await.unwrap().ok(200);
    server.client.log_in(email, PASSWORD).await.unwrap().ok(200);
    // What waits is sent at the end.
    server.stop().await;

    let spans = collector.spans();
    let login =
        spans.iter().find(|span| span.name == "POST /api/v1/auth/login").expect("a sign-in");
    let parts = below(&spans, login);
    // There it is one statement with what notes the device.
    let opened = if on_postgres() { "WITH known_devices" } else { "INSERT sessions" };
    for name in ["hash a password", "SELECT users", opened, "INSERT audit_events", "COMMIT"] {
        assert!(parts.iter().any(|part| part.contains(name)), "{name} is not in {parts:?}");
    }
    // From a device that is known, the account and the session are all that the server is asked for.
    let again =
        spans.iter().rfind(|span| span.name == "POST /api/v1/auth/login").expect("a sign-in");
    let parts = below(&spans, again);
    assert!(parts.iter().any(|part| part.contains("INSERT sessions")), "{parts:?}");
    for name in ["BEGIN", "COMMIT"] {
        let is_there = parts.iter().any(|part| part.contains(name));
        assert_eq!(is_there, !on_postgres(), "{name} of {parts:?}");
    }
    let system = if on_postgres() { "postgresql" } else { "sqlite" };
    let hash = spans.iter().find(|span| span.name == "hash a password").unwrap();
    assert!(attribute(hash, "authshield.hash_ms").is_some(), "{hash:?}");
    for span in spans.iter().filter(|span| span.name.contains(opened)) {
        assert_eq!(attribute(span, "db.system.name").as_deref(), Some(system));
        let statement = attribute(span, "db.query.text").unwrap();
        assert!(statement.contains("INSERT INTO sessions (") && statement.contains("$1"));
    }
    // The mail that a registration caused is part of its trace, however much later it is sent.
    let register = spans
        .iter()
        .find(|span| span.name == "POST /api/v1/auth/register")
        .expect("a registration");
    let sending = spans
        .iter()
        .find(|span| span.name == "send a mail" && span.trace_id == register.trace_id)
        .expect("a mail of the registration");
    assert!(below(&spans, register).contains("send a mail"));
    let cause = &sending.links[0];
    assert_eq!(cause.trace_id, register.trace_id);
    assert_eq!(cause.span_id, sending.parent_span_id, "it is linked to what caused it, too");
    assert_eq!(attribute(sending, "authshield.mail_kind").as_deref(), Some("verify_email"));
    let parts = below(&spans, sending);
    assert!(parts.iter().any(|part| part.contains("UPDATE mail_messages")), "{parts:?}");

    // What the program asks by itself, once a second, is nobody's trace.
    for span in spans.iter().filter(|span| span.parent_span_id.is_empty()) {
        assert!(span.name.contains(" /"), "{} begins a trace", span.name);
    }

    // Neither whom it was for nor what they have; and what the log says stays in the log.
    let bytes = collector.bytes();
    let signature = access.rsplit('.').next().unwrap();
    for private in [email, PASSWORD, id.as_str(), token.as_str(), signature, "127.0.0.1"] {
        let found = bytes.windows(private.len()).any(|window| window == private.as_bytes());
        assert!(!found, "{private} was sent to the collector");
    }
    for span in &spans {
        assert!(span.events.is_empty(), "{}: {:?}", span.name, span.events);
    }
}

#[tokio::test]
async fn the_line_of_a_request_says_how_long_the_database_took() {
    let server = Program::new().await.unlimited().serve().await;
    server.client.log_in("nobody@example.org", PASSWORD).await.unwrap().ok(401);
    let line = wait_until("its line", Duration::from_secs(20), async || {
        let log = server.stdout();
        let line = log.lines().find(|line| line.contains("/api/v1/auth/login"))?;
        serde_json::from_str::<serde_json::Value>(line).ok()
    });
    let line = line.await;
    let spent = |part: &str| line[part].as_f64().unwrap_or_else(|| panic!("{part}: {line}"));
    assert!(spent("db_ms") > 0.0 && spent("hash_ms") > 0.0, "{line}");
    assert!(
        spent("db_ms") + spent("hash_ms") + spent("queue_ms") <= spent("total_ms") * 1.05,
        "{line}"
    );
}
