//! Traces, for those who configure a collector (`otel.endpoint`); for everybody else there is no
//! layer, no thread and no client.
//!
//! Spans wait in a bounded queue; a thread of their own sends them (OTLP over HTTP). A collector
//! that is gone costs spans and one log line a minute, never a request.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use prometheus_client::metrics::counter::Counter;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::Metrics;
use crate::config::Otel;

/// How long the collector may take for a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a collector that does not answer is mentioned.
const COMPLAINT_INTERVAL: Duration = Duration::from_mins(1);

/// `otel.endpoint` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotACollector {
    /// Only HTTP is spoken.
    #[error("`otel.endpoint` must begin with http:// or https://, such as http://127.0.0.1:4318")]
    Scheme,
    /// The client could not be made.
    #[error("spans cannot be sent to `otel.endpoint`")]
    Client(#[source] reqwest::Error),
    /// The exporter could not be made.
    #[error("spans cannot be sent to `otel.endpoint`")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// There is no thread or no memory left.
    #[error("spans cannot be sent: there is no runtime for it")]
    Runtime(#[source] std::io::Error),
}

/// Returns what sends spans, or `None` without `otel.endpoint`.
pub fn provider(
    otel: &Otel,
    metrics: &Metrics,
) -> Result<Option<SdkTracerProvider>, NotACollector> {
    let Some(endpoint) = &otel.endpoint else { return Ok(None) };
    let exporter = Patient::new(endpoint, metrics.trace_exports_failed.clone())?;
    let sampler = Sampler::parent_based(Sampler::TraceIdRatioBased(otel.sample_ratio));
    let resource = Resource::builder_empty()
        .with_service_name("authshield")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .with_sampler(sampler)
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}

/// Returns the layer that hands our spans, and those of nobody else, to `provider`.
#[must_use]
pub fn layer_for<S>(provider: &SdkTracerProvider) -> impl Layer<S>
where
    S: Subscriber + for<'l> LookupSpan<'l> + Send + Sync,
{
    // Spans, however small, and no events: those have their place in the log, with who it was and
    // why, which is nobody's business where traces are kept.
    let ours = Targets::new()
        .with_target("authshield", LevelFilter::TRACE)
        .with_target("onesql", LevelFilter::TRACE)
        .and(filter_fn(is_span));
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("authshield"))
        .with_location(false)
        .with_threads(false)
        .with_filter(ours)
}

fn is_span(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span()
}

/// Makes `span` part of the trace that a caller is in (W3C Trace Context).
///
/// For trusted callers only: a stranger could otherwise decide what is sampled.
pub(super) fn follow(span: &Span, headers: &HeaderMap) {
    struct Headers<'a>(&'a HeaderMap);

    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(axum::http::HeaderName::as_str).collect()
        }
    }

    if headers.contains_key("traceparent") {
        let parent =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        // Without a collector there is no trace to be part of.
        let _ = span.set_parent(parent);
    }
}

/// Returns what names `span` to who goes on with what it began, later and elsewhere (`traceparent`, W3C
/// Trace Context); `None` if nobody traces it.
#[must_use]
pub fn carried(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    (context.is_valid() && context.is_sampled())
        .then(|| format!("00-{}-{}-01", context.trace_id(), context.span_id()))
}

/// Makes `span` part of the trace in which it was caused, and links it to what caused it.
pub fn go_on(span: &Span, carried: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), carried.to_owned())]);
    let cause = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let named = cause.span().span_context().clone();
    if named.is_valid() {
        span.add_link(named);
        // Without a collector there is no trace to be part of.
        let _ = span.set_parent(cause);
    }
}

/// Returns the id of the trace that `span` belongs to, if anybody traces.
pub(super) fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// An exporter that brings its own runtime and complains at most once a minute.
///
/// The SDK exports on a thread of its own, where there is no runtime to send with. It is not the
/// program's: a busy program still sends its spans, and one that ends can flush them.
struct Patient {
    exporter: opentelemetry_otlp::SpanExporter,
    runtime: tokio::runtime::Runtime,
    complaints: Mutex<Complaints>,
    failed: Counter,
}

#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
    since: u64,
}

impl Complaints {
    /// Counts a failure, and returns how many there were if it is time to say so.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        let quiet = |last| now.saturating_duration_since(last) < COMPLAINT_INTERVAL;
        if self.last.is_some_and(quiet) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

impl Patient {
    fn new(endpoint: &Url, failed: Counter) -> Result<Self, NotACollector> {
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(NotACollector::Scheme);
        }
        let (endpoint, headers) = address(endpoint);
        let client = reqwest::Client::builder()
            .timeout(EXPORT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Between two batches the runtime stands still, and so would a kept connection.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(NotACollector::Client)?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT_TIMEOUT)
            .with_headers(headers)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(NotACollector::Exporter)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(NotACollector::Runtime)?;
        Ok(Self { exporter, runtime, complaints: Mutex::default(), failed })
    }
}

/// Returns where traces are posted, and a user and password of the address as the header that they
/// are meant to be: an address can end up in an error, a header does not.
fn address(endpoint: &Url) -> (String, HashMap<String, String>) {
    let mut endpoint = endpoint.clone();
    let mut headers = HashMap::new();
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        let pair = format!("{}:{}", endpoint.username(), endpoint.password().unwrap_or_default());
        headers.insert("authorization".to_owned(), format!("Basic {}", BASE64.encode(pair)));
        endpoint.set_username("").expect("an http address may have a user");
        endpoint.set_password(None).expect("an http address may have a password");
    }
    if !endpoint.path().ends_with("/v1/traces") {
        let path = format!("{}/v1/traces", endpoint.path().trim_end_matches('/'));
        endpoint.set_path(&path);
    }
    (endpoint.into(), headers)
}

impl fmt::Debug for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patient")
    }
}

impl SpanExporter for Patient {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.runtime.block_on(self.exporter.export(batch));
        if let Err(error) = &outcome {
            self.failed.inc();
            let now = Instant::now();
            let mut complaints = self.complaints.lock().expect("nobody panics while complaining");
            if let Some(failures) = complaints.due(now) {
                tracing::warn!(
                    failures,
                    error = error as &dyn std::error::Error,
                    "the trace collector did not take our spans; they are lost, nothing else is"
                );
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::telemetry::Format;
    use crate::telemetry::tests::logged;

    #[test]
    fn a_collector_that_is_gone_is_mentioned_once_a_minute() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(complaints.due(after(0)), Some(1));
        assert_eq!(complaints.due(after(5)), None);
        assert_eq!(complaints.due(after(59)), None);
        assert_eq!(complaints.due(after(60)), Some(3));
        assert_eq!(complaints.due(after(61)), None);
    }

    #[test]
    fn the_complaint_is_in_the_log_and_names_no_secret() {
        let endpoint = "http://ann:secret@127.0.0.1:9".parse().unwrap();
        let exporter = Patient::new(&endpoint, Counter::default()).unwrap();
        let log = logged(Format::Json, || {
            for _ in 0..3 {
                let outcome = exporter.export(Vec::new()).now_or_never();
                assert!(outcome.expect("it blocks instead of waiting").is_err());
            }
        });
        let [line] = &log.lines()[..] else { panic!("{log:?}") };
        assert_eq!(line["level"], "WARN");
        assert!(line["error"].as_str().unwrap().contains("network error"), "{line:?}");
        assert!(!format!("{line:?}{exporter:?}").contains("secret"));
    }

    #[test]
    fn the_address_gets_its_path_and_loses_its_password() {
        for (given, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/otlp/", "http://127.0.0.1:4318/otlp/v1/traces"),
            ("https://t.example.org/v1/traces", "https://t.example.org/v1/traces"),
        ] {
            assert_eq!(address(&given.parse().unwrap()), (expected.to_owned(), HashMap::new()));
        }
        let (address, headers) = address(&"https://ann:secret@t.example.org".parse().unwrap());
        assert_eq!(address, "https://t.example.org/v1/traces");
        assert_eq!(headers["authorization"], "Basic YW5uOnNlY3JldA==");
    }
}
