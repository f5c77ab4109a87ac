//! SIGHUP: the configuration is read again, and what can change while the server runs does.
//!
//! A configuration that is refused changes nothing: the one before stays, and everybody hears of it.
//! Nothing that is read here ends the process.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::chores;
use crate::config::{self, Fingerprints, Loaded};
use crate::installation::history;
use crate::problem::chain;
use crate::telemetry::LogFilter;

/// Where the configuration is read from, and what hears of a new one.
pub(super) struct Reloader {
    pub(super) app: App,
    pub(super) file: Option<PathBuf>,
    pub(super) set: Vec<String>,
    pub(super) log: LogFilter,
    /// What is in force.
    pub(super) standing: Fingerprints,
}

/// Whether a new value is taken over while the server runs. Without any origin at the start there is
/// nothing that would look at later ones.
fn reloads(app: &App, name: &str) -> bool {
    config::setting(name).is_some_and(|setting| setting.reload)
        && (name != "cors.origins" || !app.config.cors.origins.is_empty())
        && (!name.starts_with("smtp.") || app.relay_credentials.is_some())
}

impl Reloader {
    /// Reads the configuration again whenever the process is told to, until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut told = match signal(SignalKind::hangup()) {
            Ok(told) => told,
            Err(error) => {
                tracing::error!(%error, "the configuration cannot be reloaded: no signal is heard");
                return;
            }
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                heard = told.recv() => {
                    if heard.is_none() {
                        return;
                    }
                    Box::pin(self.reload()).await;
                }
            }
        }
    }

    async fn reload(&mut self) {
        let metrics = Arc::clone(&self.app.metrics);
        match config::from_process(self.file.as_deref(), &self.set) {
            Ok(loaded) => {
                self.take_over(loaded).await;
                metrics.config_last_reload_successful.set(1);
            }
            Err(refused) => {
                metrics.config_last_reload_successful.set(0);
                tracing::error!("the new configuration is refused, the old one stays: {refused}");
                let names = refused.refusals.iter().flat_map(|finding| finding.settings.iter());
                let settings = names.copied().collect();
                let ctx = Ctx::command(Arc::clone(&self.app.world));
                let event = Event::ConfigReloadRefused { settings };
                if let Err(error) = audit::record_alone(&self.app, &ctx, &event).await {
                    tracing::warn!(error = %chain(&error), "the refusal is not in the audit trail");
                }
            }
        }
    }

    async fn take_over(&mut self, loaded: Loaded) {
        let new = Fingerprints::of(&loaded.effective, &self.app.secrets.fingerprint);
        let changes = new.since(&self.standing);
        let app = self.app.clone();
        let reloads = |name: &str| reloads(&app, name);
        let later = changes.clone().only(|name| !reloads(name));
        if !later.is_empty() {
            tracing::warn!("these take a restart: {later}");
        }
        if let Err(error) = self.log.set(&loaded.config.log) {
            // The same text was just found to be a filter.
            tracing::warn!(error = %chain(&error), "the log filter stays as it was");
        }
        if let Some(credentials) = &app.relay_credentials
            && let Err(error) = credentials.renew(&loaded.config.smtp)
        {
            // One without the other is no configuration.
            tracing::warn!(%error, "the relay's user name and password stay as they were");
        }
        app.live.store(Arc::new(loaded.config));
        if let Err(error) = chores::end_what_passwords_began(&app, app.world.now()).await {
            // It is tried again with the next chores.
            tracing::warn!(error = %chain(&error), "what passwords began could not be ended");
        }
        let now = changes.only(reloads);
        tracing::info!("the configuration was reloaded: {now}");
        self.standing.take_over(&new, reloads);
        if !now.is_empty() {
            let ctx = Ctx::command(Arc::clone(&app.world));
            let noted = history::note(&app, &ctx, "reload", self.standing.clone()).await;
            if let Err(error) = noted {
                tracing::warn!(error = %chain(&error), "the reload is not in the history");
            }
        }
    }
}
