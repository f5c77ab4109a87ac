//! What happened: written in the transaction of what it reports, and read by those who may.

mod codes;
mod event;
mod fields;
#[cfg(test)]
mod page;
mod sql;

pub use codes::CODES;
pub use event::Event;
use onesql::{Json, Result, Tx};
pub use sql::{By, Entry, Search, find, first_id_of, following, last_of, of_owner};

use crate::app::{App, Ctx};
use crate::kernel::AuditId;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Event as EventLabels, Login, Outcome, Risk};

/// Writes `event` as part of `tx`: if the change does not last, neither does its line.
///
/// It is logged and counted once it lasts, so that handlers count nothing.
pub async fn record(tx: &mut Tx, app: &App, ctx: &Ctx, event: &Event) -> Result<()> {
    let subject = event.subject();
    let mut data = event.data();
    if let Some(country) = app.geoip.country(ctx.client.ip) {
        data["country"] = country.as_str().into();
    }
    tx.query(
        "INSERT INTO audit_events (id, at, code, reason, actor_id, user_id, session_id, ip_address,
                                   user_agent, request_id, email_hash, data)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(AuditId::new(ctx.world()))
    .bind(ctx.now)
    .bind(event.code())
    .bind(event.reason())
    .bind(subject.actor)
    .bind(subject.user)
    .bind(subject.session)
    .bind(ctx.client.ip.to_string())
    .bind(ctx.device.user_agent.clone())
    .bind(ctx.request_id.to_string())
    .bind(subject.email.map(|email| app.secrets.email_hash.hash(email).to_vec()))
    .bind(Json(data))
    .later()
    .await?;
    let (app, ctx, event) = (app.clone(), ctx.clone(), event.clone());
    tx.then(move || tell(&app, &ctx, &event));
    Ok(())
}

/// Logs and counts `event`.
fn tell(app: &App, ctx: &Ctx, event: &Event) {
    let subject = event.subject();
    count(&app.metrics, event);
    tracing::info!(
        target: "authshield::audit",
        event = event.code(),
        reason = event.reason(),
        request_id = %ctx.request_id,
        user_id = subject.user.map(tracing::field::display),
        session_id = subject.session.map(tracing::field::display),
        "event"
    );
}

/// Writes `event` by itself: nothing else changed.
pub async fn record_alone(app: &App, ctx: &Ctx, event: &Event) -> Result<()> {
    let mut tx = app.store.write().await?;
    record(&mut tx, app, ctx, event).await?;
    tx.commit().await
}

/// Counts what happened; tokens are counted where they are signed.
fn count(metrics: &Metrics, event: &Event) {
    let labels = EventLabels { code: event.code(), reason: event.reason().unwrap_or_default() };
    metrics.events.get_or_create(&labels).inc();
    let login = |method, outcome| {
        metrics.logins.get_or_create(&Login { method, outcome }).inc();
    };
    let refresh = |outcome| {
        metrics.refresh_rotations.get_or_create(&Outcome { outcome }).inc();
    };
    let second_factor = |outcome| {
        metrics.second_factor.get_or_create(&Outcome { outcome }).inc();
    };
    match event {
        Event::LoginSucceeded { amr, .. } => {
            let has = |method: &str| amr.iter().any(|one| one == method);
            let first = [("pwd", "password"), ("fed", "federated"), ("email", "mail")];
            let first = first.into_iter().find(|(method, _)| has(method));
            login(first.map_or("passkey", |(_, name)| name), "succeeded");
            if first.is_some() && amr.len() > 1 {
                second_factor("accepted");
            }
        }
        Event::RiskSignal { reason: rule, action, outcome, .. } => {
            metrics.risk_decisions.get_or_create(&Risk { rule, action, outcome }).inc();
        }
        Event::PasskeyRefused { .. } => login("passkey", "refused"),
        Event::FederationRefused { .. } => login("federated", "refused"),
        Event::MagicLinkRefused { .. } => login("mail", "refused"),
        Event::SecondFactorAsked { .. } => second_factor("asked"),
        Event::SecondFactorRefused { .. } => second_factor("refused"),
        Event::TrustedDeviceUsed { .. } => second_factor("spared"),
        Event::LoginFailed { .. } => login("password", "refused"),
        Event::RefreshRotated { reason: None, .. } => refresh("rotated"),
        Event::RefreshRotated { .. } => refresh("retried"),
        Event::RefreshRejected { .. } => refresh("rejected"),
        Event::RefreshReused { .. } => {
            metrics.refresh_reuse.inc();
        }
        _ => {}
    }
}
