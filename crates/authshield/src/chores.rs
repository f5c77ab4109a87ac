//! What is done by the clock: purge what ended, rotate keys, measure.

use std::sync::Arc;
use std::time::Duration;

use onesql::{Result, Sql, Timestamp, Tx};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::checks;
use crate::config;
use crate::exports;
use crate::installation;
use crate::links;
use crate::mail::{self, BreakerState, Letter};
use crate::own_data;
use crate::passwords;
use crate::registration;
use crate::schema;
use crate::seals;
use crate::second_factor;
use crate::telemetry::metrics::{MailKind, MailProvider, MailState};
use crate::vault::KeyringError;
use crate::watched::Look;

/// How often.
const EVERY: Duration = Duration::from_mins(1);
/// How often the keys are looked at: that is how long a node may go on with one that leaked.
const KEYS_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether a file was replaced that others make.
const FILES_EVERY: Duration = Duration::from_secs(5);
/// How long what ended is kept, to tell "used" from "unknown".
const KEEP: Duration = Duration::from_hours(30 * 24);
/// How many rows one transaction removes: others wait for it.
const BATCH: i64 = 500;

/// Does the chores until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    let (mut all, mut keys) = (interval(EVERY), interval(KEYS_EVERY));
    let mut files = interval(FILES_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = all.tick() => sweep(&app).await,
            _ = keys.tick() => look_at_keys(&app).await,
            // A large file takes seconds, for which nothing else waits.
            _ = files.tick() => {
                drop(tokio::spawn(look_at_breached(app.clone())));
                drop(tokio::spawn(look_at_geoip(app.clone())));
                drop(tokio::spawn(look_at_domains(app.clone())));
            }
        }
    }
    // Who cannot say good-bye is taken for dead a little later.
    let _ = schema::leave(&app.store, app.checks.node).await;
}

fn interval(every: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

/// Removes what ended long ago, and measures.
async fn sweep(app: &App) {
    if let Err(error) = purge(app, app.world.now()).await {
        tracing::warn!(error = %crate::problem::chain(&error), "old rows could not be removed");
    }
    if let Err(error) = end_what_passwords_began(app, app.world.now()).await {
        tracing::warn!(error = %crate::problem::chain(&error), "what passwords began could not be ended");
    }
    let ctx = Ctx::command(Arc::clone(&app.world));
    if let Err(error) = own_data::carry_out(app, &ctx).await {
        tracing::warn!(error = %crate::problem::chain(&error), "accounts that are due could not be deleted");
    }
    if let Err(error) = registration::forget_unproved(app, &ctx).await {
        tracing::warn!(error = %crate::problem::chain(&error), "accounts that nobody proved could not be deleted");
    }
    if let Err(error) = schema::beat(&app.store, app.checks.node, app.world.now()).await {
        tracing::debug!(error = %crate::problem::chain(&error), "nobody hears that this node lives");
    }
    measure(app).await;
}

/// Rotates the signing keys when it is time, and notes it.
pub async fn look_at_keys(app: &App) {
    let ctx = Ctx::command(Arc::clone(&app.world));
    let outcome = async {
        if let Some(kid) = app.keyring.rotate_if_due(ctx.now).await? {
            let rotated = Event::KeyRotated { kid, reason: "schedule" };
            audit::record_alone(app, &ctx, &rotated).await?;
        }
        Ok::<_, KeyringError>(())
    };
    if let Err(error) = outcome.await {
        tracing::error!(error = %crate::problem::chain(&error), "the signing keys could not be looked at");
    }
}

/// Reads every file that is looked at for replacement, once, before somebody is served.
pub async fn look_at_files(app: &App) {
    look_at_breached(app.clone()).await;
    look_at_domains(app.clone()).await;
    look_at_geoip(app.clone()).await;
}

/// Reads the file of stolen passwords if it was replaced, and says what came of it.
pub async fn look_at_breached(app: App) {
    let passwords = app.passwords.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let look = passwords.breached().look();
        (look, passwords.breached().about())
    });
    let Ok((look, about)) = looked.await else { return };
    let entries = about.map_or(0, |about| about.entries);
    app.metrics.breached_passwords.set(i64::try_from(entries).unwrap_or(i64::MAX));
    match look {
        None => {}
        Some(Look::Read(about)) => {
            tracing::info!(entries = about.entries, made_at = %about.made_at, "stolen passwords were read");
        }
        Some(Look::Broken(why)) => tracing::error!(
            error = why,
            entries,
            "password.breached_file cannot be used; what was read before still counts"
        ),
    }
}

/// Reads the file that says where addresses are if it was replaced, and says what came of it.
pub async fn look_at_geoip(app: App) {
    let geoip = app.geoip.clone();
    let looked = tokio::task::spawn_blocking(move || (geoip.look(), geoip.about()));
    let Ok((look, about)) = looked.await else { return };
    let age = about.map_or(Duration::ZERO, |about| app.world.now().since(about.built_at));
    app.metrics.geoip_age.set(age.as_secs_f64());
    match look {
        None => {}
        Some(Look::Read(about)) => {
            tracing::info!(kind = about.kind, built_at = %about.built_at, "the file of countries was read");
        }
        Some(Look::Broken(why)) => {
            tracing::error!(
                error = why,
                "geoip.file cannot be used; what was read before still counts"
            );
        }
    }
}

/// Reads the file of disposable domains if it was replaced, and says what came of it.
pub async fn look_at_domains(app: App) {
    let known = app.clone();
    let looked = tokio::task::spawn_blocking(move || (known.domains.look(), known.domains.about()));
    let Ok((look, about)) = looked.await else { return };
    let domains = about.map_or(0, |about| about.domains);
    app.metrics.disposable_domains.set(i64::try_from(domains).unwrap_or(i64::MAX));
    match look {
        None => {}
        Some(Look::Read(about)) => tracing::info!(
            domains = about.domains,
            skipped = about.skipped,
            "the file of disposable domains was read"
        ),
        Some(Look::Broken(why)) => tracing::error!(
            error = why,
            domains,
            "registration.disposable_domains_file cannot be used; what was read before still counts"
        ),
    }
}

/// Removes rows of a table that ended before `$1`, at most `$2` at once. PostgreSQL needs `SKIP
/// LOCKED`, or two nodes that do this at once, or somebody who ends links, can deadlock; SQLite has
/// one writer and no such words.
macro_rules! remove {
    ($table:literal, $key:literal) => {{
        const REMOVE: Sql = Sql {
            sqlite: concat!(
                "DELETE FROM ",
                $table,
                " WHERE ",
                $key,
                " IN
                 (SELECT ",
                $key,
                " FROM ",
                $table,
                " WHERE expires_at < $1 LIMIT $2)"
            ),
            postgres: concat!(
                "DELETE FROM ",
                $table,
                " WHERE ",
                $key,
                " IN
                 (SELECT ",
                $key,
                " FROM ",
                $table,
                " WHERE expires_at < $1 LIMIT $2
                  FOR UPDATE SKIP LOCKED)"
            ),
        };
        REMOVE
    }};
}

/// Ends what passwords began, where they are switched off: whoever switches them on again opens nothing that waited.
/// It is done again and again, as another node may still have them.
pub async fn end_what_passwords_began(app: &App, now: Timestamp) -> Result<()> {
    if passwords::are_on(app) {
        return Ok(());
    }
    let mut tx = app.store.write().await?;
    second_factor::end_begun_by_password(&mut tx, now).await?;
    links::end_resets(&mut tx, now).await?;
    tx.commit().await
}

/// Removes what ended long ago, and returns how many rows that were.
pub async fn purge(app: &App, now: Timestamp) -> Result<u64> {
    let before = now - KEEP;
    let mut removed = mail::purge(&app.store, before).await?;
    removed += mail::forget_suppressions(&app.store, before).await?;
    removed += checks::forget(&app.store, before).await?;
    removed += mail::outcome::purge(app, now).await?;
    for (statement, before) in [
        (remove!("sessions", "id"), before),
        (remove!("refresh_tokens", "token_hash"), before),
        // Only what has a place in the feed has an end.
        (remove!("revocations", "seq"), now),
        (remove!("link_tokens", "token_hash"), before),
        (remove!("registrations", "email"), now),
        (remove!("limit_counters", "key"), now),
        (remove!("password_failures", "account"), now),
        (remove!("password_places", "place"), now),
        (remove!("known_devices", "device"), now),
        (remove!("mail_webhooks", "id"), now),
        (remove!("passkey_challenges", "challenge"), now),
        (remove!("federated_sign_ins", "state_hash"), now),
        (remove!("pending_sign_ins", "token_hash"), now),
        (remove!("captcha_solutions", "nonce"), now),
        (remove!("mail_sign_ins", "handle_hash"), now),
        (remove!("proof_codes", "asked_by"), now),
        (remove!("trusted_devices", "id"), now),
        // Only those that never counted have an end.
        (remove!("totp_secrets", "user_id"), now),
    ] {
        loop {
            let mut tx: Tx = app.store.write().await?;
            let rows = tx.query(statement).bind(before).bind(BATCH).execute().await?;
            tx.commit().await?;
            removed += rows;
            if rows < BATCH.unsigned_abs() {
                break;
            }
        }
    }
    Ok(removed)
}

/// Says when each provider reported last that is expected to; 0 if it never did, so that its silence
/// can be told from nothing.
fn tell_feedback(app: &App, last: &[(String, Timestamp)]) {
    for provider in config::MailProvider::ALL {
        if !app.webhooks.expects(provider) {
            continue;
        }
        let provider = provider.as_str();
        let at = last.iter().find(|(name, _)| name == provider).map(|(_, at)| *at);
        #[expect(clippy::cast_precision_loss, reason = "microseconds fit until the year 2255")]
        let seconds = at.map_or(0.0, |at| at.as_microsecond() as f64 / 1e6);
        let label = MailProvider { provider };
        app.metrics.mail_feedback_last_event_timestamp.get_or_create(&label).set(seconds);
    }
}

/// Brings the gauges up to date that are read from somewhere.
pub async fn measure(app: &App) {
    let metrics = &app.metrics;
    app.checks.export(metrics, app.world.now());
    let stats = app.passwords.stats();
    metrics.hash_refused.inc_by(stats.refused.saturating_sub(metrics.hash_refused.get()));
    metrics.hash_queue_depth.set(i64::try_from(stats.queued).unwrap_or(i64::MAX));
    metrics.limiter_degraded.set(i64::from(app.limits.degraded()));
    let now = app.world.now();
    let active = app.keyring.active(now);
    metrics.signing_key_age.set(now.since(active.active_from).as_secs_f64());
    for (provider, state) in app.post.states() {
        let state = match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        metrics.mail_breaker_state.get_or_create(&MailProvider { provider }).set(state);
    }
    let asked = async {
        let mut tx = app.store.glance().await?;
        let (users, proved, with_second_factor): (i64, i64, i64) = tx
            .query("SELECT COUNT(*), COUNT(email_verified_at), COUNT(second_factor_at) FROM users")
            .one()
            .await?;
        let (sessions,): (i64,) = tx
            .query("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL AND expires_at > $1")
            .bind(app.world.now())
            .one()
            .await?;
        let (admins,): (i64,) = tx
            .query("SELECT COUNT(*) FROM user_roles WHERE role = $1")
            .bind(crate::roles::ADMIN)
            .one()
            .await?;
        if let Some(known) = installation::in_database(&mut tx).await? {
            let made_at = known.backup_made_at.unwrap_or(known.created_at);
            metrics.backup_age.set(now.since(made_at).as_secs_f64());
        }
        let waits = seals::oldest_unsealed(&mut tx, app.installation.id).await?;
        metrics.audit_unsealed_age.set(waits.map_or(0.0, |at| now.since(at).as_secs_f64()));
        exports::measure(app, &mut tx).await?;
        metrics.users.set(users);
        metrics.users_proved.set(proved);
        metrics.users_with_second_factor.set(with_second_factor);
        metrics.admins.set(admins);
        metrics.sessions.set(sessions);
        metrics.mail_suppressions.set(mail::suppressed_count(&mut tx, now).await?);
        tell_feedback(app, &mail::last_feedback(&mut tx).await?);
        drop(tx);
        mail::canary::export(app, now).await?;
        mail::outcome::export(app, now).await?;
        Ok::<_, onesql::Error>((
            mail::queue_state(&app.store).await?,
            mail::vitals(&app.store, now).await?,
        ))
    };
    match asked.await {
        Ok((queue, vitals)) => {
            metrics.database_up.set(1);
            metrics.mail_dead_letters.set(vitals.dead);
            metrics.mail_config_fault.set(i64::from(vitals.faults > 0));
            for state in ["queued", "sending"] {
                let waits = queue.iter().filter(|waits| waits.state == state);
                let depth = waits.map(|waits| waits.depth).sum();
                metrics.mail_queue_depth.get_or_create(&MailState { state }).set(depth);
            }
            for kind in Letter::KINDS {
                let of_kind = queue.iter().filter(|waits| waits.kind == kind);
                let oldest = of_kind.map(|waits| now.since(waits.oldest)).max().unwrap_or_default();
                let age = metrics.mail_queue_oldest_age.get_or_create(&MailKind { kind });
                age.set(oldest.as_secs_f64());
            }
        }
        Err(_) => {
            metrics.database_up.set(0);
        }
    }
}
