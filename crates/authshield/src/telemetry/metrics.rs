//! Every metric: the page that dashboards and alerts are written against.
//!
//! A metric is declared once. Its field is its name; the exposition adds the prefix `authshield_`,
//! the unit and, to counters, `_total`. `docs/src/reference/metrics.md` is generated from here.
//!
//! Labels have few values by construction: matched routes, codes, kinds. No address, id or text that
//! somebody sent is ever a label.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use super::labels::*;
use super::process;
use crate::config::{Config, Environment, SigningAlgorithm};
use crate::world::World;

/// What an answer of [`Metrics::encode`] is: text by the `OpenMetrics` specification.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every name begins with.
pub const PREFIX: &str = "authshield";

/// A gauge that is not a whole number.
pub type Level = Gauge<f64, AtomicU64>;

/// A histogram of seconds.
pub type Timings<L> = Family<L, Histogram, fn() -> Histogram>;

/// One metric on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Without the prefix.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// How a metric of this type is made and called.
trait Declared {
    const KIND: &'static str;
    const LABELS: &'static [&'static str] = &[];

    fn make() -> Self;

    /// Makes sure that it shows, which a family without members does not.
    #[cfg(test)]
    fn touch(&self) {}
}

impl Declared for Counter {
    const KIND: &'static str = "counter";

    fn make() -> Self {
        Self::default()
    }
}

impl Declared for Gauge {
    const KIND: &'static str = "gauge";

    fn make() -> Self {
        Self::default()
    }
}

impl Declared for Level {
    const KIND: &'static str = "gauge";

    fn make() -> Self {
        Self::default()
    }
}

impl Declared for Histogram {
    const KIND: &'static str = "histogram";

    /// From a statement on a warm file to the time after which a client has given up.
    fn make() -> Self {
        Self::new([
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
            2.5, 5.0, 10.0,
        ])
    }
}

/// Histograms of how long mail is under way: from a second to a day.
pub type Delays<L> = Family<L, Histogram, UnderWay>;

/// Makes histograms of how long mail is under way.
#[derive(Debug, Clone)]
pub struct UnderWay;

impl MetricConstructor<Histogram> for UnderWay {
    fn new_metric(&self) -> Histogram {
        Histogram::new([
            0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0,
            86_400.0,
        ])
    }
}

impl<L: Labels> Declared for Delays<L> {
    const KIND: &'static str = "histogram";
    const LABELS: &'static [&'static str] = L::NAMES;

    fn make() -> Self {
        Self::new_with_constructor(UnderWay)
    }

    #[cfg(test)]
    fn touch(&self) {
        drop(self.get_or_create(&L::default()));
    }
}

macro_rules! families {
    ($($metric:ty => $family:ident),+) => {$(
        impl<L: Labels> Declared for $family<L> {
            const KIND: &'static str = <$metric>::KIND;
            const LABELS: &'static [&'static str] = L::NAMES;

            fn make() -> Self {
                Self::new_with_constructor(<$metric>::make)
            }

            #[cfg(test)]
            fn touch(&self) {
                drop(self.get_or_create(&L::default()));
            }
        }
    )+};
}

/// Counters by label.
pub type Counters<L> = Family<L, Counter, fn() -> Counter>;
/// Gauges by label.
pub type Gauges<L> = Family<L, Gauge, fn() -> Gauge>;
/// Gauges that are not whole numbers, by label.
pub type Levels<L> = Family<L, Level, fn() -> Level>;

families!(Counter => Counters, Gauge => Gauges, Level => Levels, Histogram => Timings);

macro_rules! suffix {
    ($field:ident $($unit:literal)?) => {
        concat!(stringify!($field) $(, "_", $unit)?)
    };
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ty $([$unit:ident $suffix:literal])?;)+) => {
        /// All metrics; what counts holds a shared one of these and adds to its field.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        impl Metrics {
            fn declare() -> Self {
                let mut registry = Registry::with_prefix(PREFIX);
                $(
                    let $field = <$type as Declared>::make();
                    let words = help(concat!($($help),+));
                    metrics!(@register registry $field words $($unit)?);
                )+
                registry.register_collector(Box::new(process::Process));
                Self { registry, $($field),+ }
            }

            /// Returns the page: every metric there is, by name.
            #[must_use]
            pub fn page() -> Vec<Row> {
                let mut rows: Vec<Row> = process::ROWS.into();
                $(rows.push(Row {
                    name: match <$type as Declared>::KIND.as_bytes() {
                        b"counter" => concat!(suffix!($field $($suffix)?), "_total"),
                        _ => suffix!($field $($suffix)?),
                    },
                    kind: <$type as Declared>::KIND,
                    labels: <$type as Declared>::LABELS,
                    help: help(concat!($($help),+)),
                });)+
                rows.sort_unstable_by_key(|row| row.name);
                rows
            }

            #[cfg(test)]
            fn touch(&self) {
                $(self.$field.touch();)+
            }
        }
    };
    (@register $registry:ident $field:ident $help:ident) => {
        $registry.register(stringify!($field), $help, $field.clone());
    };
    (@register $registry:ident $field:ident $help:ident $unit:ident) => {
        $registry.register_with_unit(stringify!($field), $help, Unit::$unit, $field.clone());
    };
}

/// A doc comment as help text: the exposition adds the full stop.
fn help(doc: &'static str) -> &'static str {
    doc.trim().trim_end_matches('.')
}

metrics! {
    /// Requests that were answered or abandoned.
    http_requests: Counters<Http>;
    /// From the first byte of a request until its answer was ready.
    http_request_duration: Timings<Http> [Seconds "seconds"];
    /// Requests that are being worked on.
    http_requests_in_flight: Gauge;
    /// Connections that a trusted proxy did not begin with a header of the PROXY protocol, and that were closed.
    clients_unannounced: Counter;

    /// Security events, by code and inner reason.
    events: Counters<Event>;
    /// Sign-ins, by method and outcome.
    logins: Counters<Login>;
    /// Sign-ins against which something spoke, by the rule of risk that decided, what it asks for, and what followed.
    risk_decisions: Counters<Risk>;
    /// Second factors at sign-in: `asked`, `accepted`, `spared` on a trusted device, or `refused` there and elsewhere.
    second_factor: Counters<Outcome>;
    /// Tokens issued.
    tokens_issued: Counters<Token>;
    /// Refresh tokens presented: `rotated`, `retried` within the leeway, or `rejected`.
    refresh_rotations: Counters<Outcome>;
    /// Refresh tokens used again after their rotation; each ended a session.
    refresh_reuse: Counter;

    /// Passwords that were stolen elsewhere, which new ones are held against; 0 without a file that can be read.
    breached_passwords: Gauge;
    /// How long ago the file was made that says in which country an address is; 0 without one that can be read.
    geoip_age: Level [Seconds "seconds"];
    /// Password hashes that wait for a worker.
    hash_queue_depth: Gauge;
    /// How long a password hash waited for a worker.
    hash_queue_wait: Histogram [Seconds "seconds"];
    /// How long a worker needed for a password hash.
    hash_duration: Histogram [Seconds "seconds"];
    /// Password hashes refused at once because the wait would have been too long.
    hash_refused: Counter;

    /// Mails that reached the end of an attempt, by kind and outcome.
    mail_messages: Counters<Mail>;
    /// Tries to send a mail: accepted by the relay, or whose affair it was that not.
    mail_attempts: Counters<MailAttempt>;
    /// From the outbox to the relay's yes.
    mail_time_to_accept: Delays<MailKind> [Seconds "seconds"];
    /// From the outbox to the mailbox, where that is reported.
    mail_time_to_deliver: Delays<MailPlace> [Seconds "seconds"];
    /// From the outbox until the recipient used the link.
    mail_time_to_confirm: Delays<MailConfirm> [Seconds "seconds"];
    /// Whether mail is handed on: 0 it is, 1 a session without a mail sees whether it can be, 2 it is held back.
    mail_breaker_state: Gauges<MailProvider>;
    /// Whether a fault of our own settings keeps mail from leaving (1); on every node, also after a start.
    mail_config_fault: Gauge;
    /// Mails of the last day that the relay took too long ago for silence to mean anything good.
    mail_outcome_unknown: Gauges<MailPlace>;
    /// Mails of the last day that the relay took long enough ago for news; some of them had none.
    mail_outcome_due: Gauges<MailPlace>;
    /// Whether a step of the way of some mail is worse than it should be (1).
    mail_cell_degraded: Gauges<MailCell>;
    /// Reports about mail that were not believed; they changed nothing.
    mail_webhook_rejected: Counters<MailRejected>;
    /// When the last report about mail came that was believed, in seconds since 1970.
    mail_feedback_last_event_timestamp: Levels<MailProvider> [Seconds "seconds"];
    /// Whether the mailbox of reports could be read when it was last visited (1).
    mail_reports_up: Gauge;
    /// Mails that were not sent, since mail to their address came back before, was unwanted, or an operator said so.
    mail_suppressed: Counters<MailSuppressed>;
    /// Addresses that mail is not sent to at present.
    mail_suppressions: Gauge;
    /// Mails of the last day that were given up, and not because of their recipient.
    mail_dead_letters: Gauge;
    /// Mails in the outbox, by state.
    mail_queue_depth: Gauges<MailState>;
    /// How long the oldest mail of a kind has been waiting.
    mail_queue_oldest_age: Levels<MailKind> [Seconds "seconds"];

    /// When the newest mail to ourselves that arrived was sent, in seconds since 1970; 0 before the first.
    mail_canary_last_success_timestamp: Levels<CanaryMailbox> [Seconds "seconds"];
    /// When the first mail to ourselves was sent, in seconds since 1970; the start of the process before that.
    mail_canary_started_timestamp: Levels<CanaryMailbox> [Seconds "seconds"];
    /// How often mail is sent to ourselves.
    mail_canary_interval: Level [Seconds "seconds"];
    /// How long mail to ourselves was under way, by part of the way.
    mail_canary_leg: Delays<CanaryLeg> [Seconds "seconds"];
    /// Mails to ourselves that arrived, by folder.
    mail_canary_arrivals: Counters<CanaryArrival>;
    /// Whether the newest mail to ourselves passes (1), by our own reckoning.
    mail_canary_authenticated: Gauges<CanaryMethod>;

    /// How long database work took.
    database_duration: Timings<Database> [Seconds "seconds"];
    /// Whether the database answered when it was last asked (1) or not (0).
    database_up: Gauge;

    /// How far the database is ahead of our clock when it was last asked; below zero, behind.
    clock_skew: Level [Seconds "seconds"];
    /// Age of the newest backup that was restored for trial; of the installation, if none was.
    backup_age: Level [Seconds "seconds"];

    /// Events of the audit trail that this node sealed.
    audit_sealed: Counter;
    /// Whether what this node sealed is gone from the database or was changed (1): it seals no more.
    audit_torn: Gauge;
    /// How long the oldest event waits to be sealed; 0 if none waits.
    audit_unsealed_age: Level [Seconds "seconds"];

    /// Sessions and changes of rights that this node gave a place in the revocation feed.
    revocations_published: Counter;
    /// What the revocation feed of this node holds.
    revocations_known: Gauge;
    /// When this node knew last all that was revoked, in seconds since 1970; 0 if it never did.
    revocation_feed_timestamp: Level [Seconds "seconds"];

    /// Attempts to give somebody an event.
    exports: Counters<ExportOutcome>;
    /// How long ago the first event was written that a sink was not given; 0 if it has all.
    export_lag: Levels<Sink> [Seconds "seconds"];
    /// Events that a sink did not take.
    export_dead_letters: Gauges<Sink>;

    /// Keys that Redis threw away for want of memory while this node looked.
    redis_evictions: Counter;
    /// Captchas that were due: asked for, passed, refused, or not judged since the provider is down.
    captchas: Counters<Captcha>;
    /// Addresses whose domain is in the file of disposable ones, where somebody came with one.
    disposable_addresses: Counters<Disposable>;
    /// Domains in the file of disposable ones; 0 without a file that can be read.
    disposable_domains: Gauge;
    /// Passwords of which the range API was to say whether they were stolen elsewhere.
    breach_lookups: Counters<BreachLookup>;
    /// Requests refused by a limit.
    limiter_refused: Counters<Rule>;
    /// Whether the shared limiter is out of reach and stricter local limits apply (1).
    limiter_degraded: Gauge;

    /// Age of the key that signs tokens.
    signing_key_age: Level [Seconds "seconds"];
    /// How old the key that signs tokens may become before its successor takes over.
    signing_key_max_age: Level [Seconds "seconds"];
    /// Accounts there are.
    users: Gauge;
    /// Accounts whose address was proved; a sudden fall means a lost or wrong database.
    users_proved: Gauge;
    /// Accounts with a second factor.
    users_with_second_factor: Gauge;
    /// Accounts that hold the role `admin`.
    admins: Gauge;
    /// Sessions that have neither ended nor expired.
    sessions: Gauge;

    /// What is believed of a check: 0 good, 1 warned, 2 bad, 3 unknown; absent if there is nothing to
    /// look at.
    check_status: Gauges<Check>;
    /// When a check last ran, in seconds since 1970.
    check_last_run_timestamp: Levels<Check> [Seconds "seconds"];
    /// How long a check took when it last ran.
    check_duration: Levels<Check> [Seconds "seconds"];
    /// Always 1; the labels say what a bad result of a check means.
    check_policy: Gauges<CheckPolicy>;

    /// Parts of the program that panicked and were begun again.
    task_restarts: Counters<Task>;
    /// From when on a certificate holds, in seconds since 1970.
    certificate_not_before_timestamp: Levels<Certificate> [Seconds "seconds"];
    /// When a certificate ends, in seconds since 1970.
    certificate_not_after_timestamp: Levels<Certificate> [Seconds "seconds"];

    /// Log lines lost because they were read too slowly, or not at all.
    log_lines_dropped: Counter;
    /// Batches of spans that the trace collector did not take.
    trace_exports_failed: Counter;

    /// Always 1; the label says which version runs.
    build_info: Gauges<Build>;
    /// Always 1; the labels say how it is configured.
    config_info: Gauges<Settings>;
    /// Whether the last reload took the configuration over (1), or refused it and kept the old one (0).
    config_last_reload_successful: Gauge;
    /// When the process started, in seconds since 1970.
    process_start_time: Level [Seconds "seconds"];
}

impl Metrics {
    /// Returns metrics of a process that started just now.
    #[must_use]
    pub fn new(world: &dyn World) -> std::sync::Arc<Self> {
        let metrics = Self::declare();
        metrics.config_last_reload_successful.set(1);
        // Where there is none to be read, none is unread.
        metrics.mail_reports_up.set(1);
        metrics.build_info.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        // What alerts compare with zero must be there before the first of it happened.
        for outcome in ["succeeded", "refused"] {
            for method in ["password", "passkey", "federated"] {
                drop(metrics.logins.get_or_create(&Login { method, outcome }));
            }
        }
        for task in crate::supervise::TASKS {
            drop(metrics.task_restarts.get_or_create(&Task { task }));
        }
        for outcome in ["asked", "accepted", "spared", "refused"] {
            drop(metrics.second_factor.get_or_create(&Outcome { outcome }));
        }
        for outcome in ["rotated", "retried", "rejected"] {
            drop(metrics.refresh_rotations.get_or_create(&Outcome { outcome }));
        }
        #[expect(clippy::cast_precision_loss, reason = "microseconds fit until the year 2255")]
        metrics.process_start_time.set(world.now().as_microsecond() as f64 / 1e6);
        std::sync::Arc::new(metrics)
    }

    /// Says in `config_info` how the service is configured; nothing secret, nothing private.
    ///
    /// `digest` is the fingerprint of all that nodes share; empty before the start is done.
    pub fn describe(&self, config: &Config, digest: &str) {
        use secrecy::ExposeSecret;

        let yes = |truth| if truth { "true" } else { "false" };
        let settings = Settings {
            environment: match config.environment {
                Environment::Development => "development",
                Environment::Production => "production",
            },
            database: match config.database.url.expose_secret() {
                url if url.starts_with("postgres") => "postgres",
                _ => "sqlite",
            },
            redis: yes(config.redis_url.is_some()),
            smtp: yes(config.sends_mail()),
            algorithm: match config.token.algorithm {
                SigningAlgorithm::Es256 => "ES256",
                SigningAlgorithm::EdDsa => "EdDSA",
                SigningAlgorithm::Rs256 => "RS256",
            },
            digest: digest.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
        };
        self.config_info.clear();
        self.config_info.get_or_create(&settings).set(1);
        self.signing_key_max_age.set(config.token.key_rotation.as_secs_f64());
    }

    /// Returns all metrics as text; [`CONTENT_TYPE`] says in which form.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut exposition = String::with_capacity(16 << 10);
        text::encode(&mut exposition, &self.registry).expect("text can always be added to");
        exposition
    }
}

/// Returns `docs/src/reference/metrics.md`.
#[must_use]
pub fn document() -> String {
    use std::fmt::Write;

    let mut page = String::from(
        "<!-- Generated from crates/authshield/src/telemetry/metrics.rs. -->\n\
         # Metrics\n\n\
         The operator listener serves these at `/metrics` as OpenMetrics text, which Prometheus\n\
         reads as it is. Names and labels are an interface: they are added to, never changed.\n\n\
         No label holds an address, an id or anything that somebody typed: `route` is the matched\n\
         template, such as `/api/v1/sessions/{id}`.\n\n\
         | Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n",
    );
    for Row { name, kind, labels, help } in Metrics::page() {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let labels = if labels.is_empty() { "–" } else { &labels };
        let _ = writeln!(page, "| `{PREFIX}_{name}` | {kind} | {labels} | {help}. |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sandbox;

    #[test]
    fn every_metric_on_the_page_is_in_the_exposition_with_its_help() {
        let metrics = Metrics::new(&Sandbox::default());
        metrics.touch();
        let exposition = metrics.encode();
        for Row { name, kind, help, .. } in Metrics::page() {
            let family = if kind == "counter" { name.trim_end_matches("_total") } else { name };
            for line in [
                format!("# TYPE {PREFIX}_{family} {kind}\n"),
                format!("# HELP {PREFIX}_{family} {help}"),
                format!("\n{PREFIX}_{name}"),
            ] {
                assert!(exposition.contains(&line), "{line:?} is missing in\n{exposition}");
            }
        }
        let families = exposition.matches("# TYPE ").count();
        assert_eq!(families, Metrics::page().len(), "something is encoded that the page lacks");
        assert!(exposition.ends_with("# EOF\n"));
        assert!(exposition.contains(concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")));
        assert!(exposition.contains("authshield_process_start_time_seconds 1795334400.0\n"));
    }

    #[test]
    fn generated_metrics_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/metrics.md");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(written, document(), "set UPDATE_GENERATED=1 and run this test to rewrite it");
    }
}
