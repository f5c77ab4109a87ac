//! Whether the service works, for load balancers and operators.
//!
//! `live` says only that the process runs. `ready` is 503 while the database cannot be read or written,
//! or migrations are missing, while the service looks whether it is reached as it should be, and while
//! it drains. `health` lists every dependency; details are for who shows the operator's token.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use secrecy::ExposeSecret;
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::app::{App, answer};
use crate::checks::{Finding, Row};
use crate::kernel::Timestamp;
use crate::{mail, schema, shutdown};

/// How well something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It works.
    Healthy,
    /// Something works less well than it should; requests are served.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// One dependency.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dependency {
    status: Status,
    /// How long the question took, in milliseconds; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    /// What was found; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How well everything works.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    status: Status,
    version: &'static str,
    checks: BTreeMap<&'static str, Dependency>,
}

/// A state in one word.
#[derive(Debug, Serialize, ToSchema)]
pub struct Word {
    status: &'static str,
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/api/v1/health/live", tag = "health",
    responses((status = OK, body = Word, description = "It runs.")),
)]
pub async fn live() -> Response {
    answer(StatusCode::OK, Word { status: "live" })
}

/// Whether requests can be served.
#[utoipa::path(
    get, path = "/api/v1/health/ready", tag = "health",
    responses(
        (status = OK, body = Word, description = "Send traffic."),
        (status = SERVICE_UNAVAILABLE, body = Word, description = "Send no traffic."),
    ),
)]
pub async fn ready(State(app): State<App>) -> Response {
    if shutdown::begun() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, Word { status: "draining" });
    }
    if app.opening.load(Ordering::Relaxed) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, Word { status: "starting" });
    }
    match database(&app).await.status {
        Status::Unhealthy => answer(StatusCode::SERVICE_UNAVAILABLE, Word { status: "not_ready" }),
        _ => answer(StatusCode::OK, Word { status: "ready" }),
    }
}

/// How well every dependency works.
#[utoipa::path(
    get, path = "/api/v1/health", tag = "health",
    responses(
        (status = OK, body = Health, description = "Healthy or degraded."),
        (status = SERVICE_UNAVAILABLE, body = Health, description = "Unhealthy."),
    ),
)]
pub async fn health(State(app): State<App>, headers: HeaderMap) -> Response {
    // At the same time: when the database is silent, each waits as long as it may.
    let (database, mail, limiter) = tokio::join!(database(&app), mail(&app), limiter(&app));
    let mut checks = BTreeMap::from([("database", database), ("mail", mail)]);
    checks.insert("password_hashing", hashing(&app));
    checks.insert("signing_key", signing_key(&app));
    if let Some(limiter) = limiter {
        checks.insert("redis", limiter);
    }
    for row in app.checks.bad(app.world.now()) {
        add(&mut checks, &row);
    }
    let worst = |name: &&str, check: &Dependency| match (*name, check.status) {
        // Without these nobody can be served; without the others most can.
        ("database" | "signing_key", status) => status,
        (_, status) => status.min(Status::Degraded),
    };
    let status = checks.iter().map(|(name, check)| worst(name, check)).max();
    let status = status.expect("there are checks");
    if !is_operator(&app, &headers) {
        for check in checks.values_mut() {
            check.latency_ms = None;
            check.detail = None;
        }
    }
    let code = match status {
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    answer(code, Health { status, version: env!("CARGO_PKG_VERSION"), checks })
}

/// Adds what the checks found wrong: to the dependency that it is about, or by itself.
fn add(checks: &mut BTreeMap<&'static str, Dependency>, row: &Row) {
    let about = row.entry.about;
    let name = match about.family() {
        "DB" => "database",
        "SMTP" => "mail",
        "RED" => "redis",
        "KEY" => "signing_key",
        _ => about.id,
    };
    let words = row.finding.as_ref().map(Finding::line).unwrap_or_default();
    let check = checks.entry(name).or_insert(Dependency {
        status: Status::Healthy,
        latency_ms: None,
        detail: None,
    });
    check.status = check.status.max(Status::Degraded);
    check.detail = Some(match check.detail.take() {
        Some(detail) => format!("{detail}; {words}"),
        None => words,
    });
}

fn is_operator(app: &App, headers: &HeaderMap) -> bool {
    let live = app.live.load();
    let Some(expected) = &live.operator_token else { return false };
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .is_some_and(|given| given.ct_eq(expected.expose_secret().as_bytes()).into())
}

fn measured(since: Instant, status: Status, detail: impl Into<String>) -> Dependency {
    let latency_ms = Some((since.elapsed().as_secs_f64() * 1e5).round() / 100.0);
    Dependency { status, latency_ms, detail: Some(detail.into()) }
}

/// How long it is believed that the database takes writes.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// How long it is believed that it does not.
const BAD_FOR: Duration = Duration::from_secs(1);

/// Whether the database takes writes: a full disk and a standby still answer questions.
#[derive(Default)]
pub struct Writes(Mutex<Option<(Timestamp, onesql::Result<()>)>>);

impl Writes {
    /// Returns what became of the last write, or tries another one if that was a while ago.
    async fn work(&self, app: &App) -> onesql::Result<()> {
        let mut last = self.0.lock().await;
        let now = app.world.now();
        if let Some((at, outcome)) = &*last
            && now.since(*at) < if outcome.is_ok() { GOOD_FOR } else { BAD_FOR }
        {
            return outcome.clone();
        }
        let write = async {
            let mut tx = app.store.write().await?;
            tx.query(
                "INSERT INTO leases (name, holder, until) VALUES ('ready', $1, $2)
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until",
            )
            .bind(app.checks.node)
            .bind(now)
            .execute()
            .await?;
            tx.commit().await
        };
        let outcome = write.await;
        *last = Some((now, outcome.clone()));
        outcome
    }
}

/// Asks the database, whether its schema is ours, and whether it takes writes.
pub async fn database(app: &App) -> Dependency {
    let since = Instant::now();
    let asked = async {
        let _: (i64,) = app.store.glance().await?.query("SELECT COUNT(*) FROM roles").one().await?;
        schema::pending(&app.store).await
    };
    match asked.await {
        Ok(0) => match app.writes.work(app).await {
            Ok(()) => measured(since, Status::Healthy, app.store.kind()),
            Err(error) => {
                let words = format!("nothing can be written: {}", crate::problem::chain(&error));
                measured(since, Status::Unhealthy, words)
            }
        },
        Ok(missing) => {
            let words = format!("{missing} migrations are missing: run `authshield migrate run`");
            measured(since, Status::Unhealthy, words)
        }
        Err(error) => measured(since, Status::Unhealthy, crate::problem::chain(&error)),
    }
}

/// Looks whether mail leaves.
async fn mail(app: &App) -> Dependency {
    let since = Instant::now();
    match mail::queue_state(&app.store).await {
        Ok(queue) => {
            let now = app.world.now();
            let waiting: i64 = queue.iter().map(|kind| kind.depth).sum();
            let oldest = queue.iter().map(|kind| now.since(kind.oldest)).max().unwrap_or_default();
            let words = format!("{waiting} waiting, the oldest for {} s", oldest.as_secs());
            match app.post.trouble() {
                Some(trouble) => measured(since, Status::Degraded, format!("{words}: {trouble}")),
                None if oldest.as_secs() > 60 => measured(since, Status::Degraded, words),
                None => measured(since, Status::Healthy, words),
            }
        }
        Err(error) => measured(since, Status::Unhealthy, crate::problem::chain(&error)),
    }
}

fn hashing(app: &App) -> Dependency {
    let now = app.passwords.stats();
    let busy = now.expected_wait >= app.config.password.hash_max_wait;
    let status = if busy { Status::Degraded } else { Status::Healthy };
    let words = format!("{} waiting, {} refused so far", now.queued, now.refused);
    measured(Instant::now(), status, words)
}

fn signing_key(app: &App) -> Dependency {
    let active = app.keyring.active(app.world.now());
    let words = format!("signing with {}", active.kid);
    measured(Instant::now(), Status::Healthy, words)
}

async fn limiter(app: &App) -> Option<Dependency> {
    let since = Instant::now();
    Some(match app.limits.ping().await? {
        Ok(_) => measured(since, Status::Healthy, "answers"),
        Err(words) => measured(since, Status::Degraded, words),
    })
}
