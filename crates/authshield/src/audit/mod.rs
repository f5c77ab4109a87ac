//! What happened: written in the transaction of what it reports, and read by those who may.

mod codes;
mod event;
mod fields;
#[cfg(test)]
mod page;
mod sql;

pub use codes::CODES;
pub use event::Event;
use onesql::{Json, Result, Statement, Timestamp, Tx};
use serde_json::Value;
pub use sql::{By, Entry, Search, find, first_id_of, following, last_of, of_owner};

use crate::app::{App, Ctx};
use crate::kernel::{AuditId, SessionId, UserId};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Event as EventLabels, Login, Outcome, Risk};

/// Writes `event` as part of `tx`: if the change does not last, neither does its line.
///
/// It is logged and counted once it lasts, so that handlers count nothing.
pub async fn record(tx: &mut Tx, app: &App, ctx: &Ctx, event: &Event) -> Result<()> {
    let written = tx.beside(concat!(
        "INSERT INTO audit_events (",
        event_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    ));
    Line::of(app, ctx, event).bind(written).later().await?;
    announce(tx, app, ctx, event);
    Ok(())
}

/// Logs and counts `event`, which a statement of `tx` writes, once it lasts.
pub fn announce(tx: &mut Tx, app: &App, ctx: &Ctx, event: &Event) {
    let (app, ctx, event) = (app.clone(), ctx.clone(), event.clone());
    tx.then(move || tell(&app, &ctx, &event));
}

/// The columns of an event, in the order in which [`Line::bind`] gives them.
macro_rules! event_columns {
    () => {
        "id, at, code, reason, actor_id, user_id, session_id, ip_address, user_agent, request_id,
         email_hash, data"
    };
}
pub(crate) use event_columns;

/// An event as the database keeps it, for a statement that writes it together with its change.
pub struct Line {
    id: AuditId,
    at: Timestamp,
    code: &'static str,
    reason: Option<&'static str>,
    actor: Option<UserId>,
    user: Option<UserId>,
    session: Option<SessionId>,
    ip_address: String,
    user_agent: Option<String>,
    request_id: String,
    email_hash: Option<Vec<u8>>,
    data: Json<Value>,
}

impl Line {
    /// Returns it for what `ctx` does.
    #[must_use]
    pub fn of(app: &App, ctx: &Ctx, event: &Event) -> Self {
        let subject = event.subject();
        let mut data = event.data();
        if let Some(country) = app.geoip.country(ctx.client.ip) {
            data["country"] = country.as_str().into();
        }
        Self {
            id: AuditId::new(ctx.world()),
            at: ctx.now,
            code: event.code(),
            reason: event.reason(),
            actor: subject.actor,
            user: subject.user,
            session: subject.session,
            ip_address: ctx.client.ip.to_string(),
            user_agent: ctx.device.user_agent.clone(),
            request_id: ctx.request_id.to_string(),
            email_hash: subject.email.map(|email| app.secrets.email_hash.hash(email).to_vec()),
            data: Json(data),
        }
    }

    /// Gives it as the next twelve parameters of `statement`.
    pub fn bind<'t, 'q>(self, statement: Statement<'t, 'q>) -> Statement<'t, 'q> {
        statement
            .bind(self.id)
            .bind(self.at)
            .bind(self.code)
            .bind(self.reason)
            .bind(self.actor)
            .bind(self.user)
            .bind(self.session)
            .bind(self.ip_address)
            .bind(self.user_agent)
            .bind(self.request_id)
            .bind(self.email_hash)
            .bind(self.data)
    }
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

/// Writes `event` by itself: nothing else changed. After an error it may stand there all the same.
pub async fn record_alone(app: &App, ctx: &Ctx, event: &Event) -> Result<()> {
    let mut tx = app.store.write_once().await?;
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
