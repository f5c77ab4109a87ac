//! What commands begin with: a configuration, a database, an app.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::{Failure, Global};
use crate::app::{App, Ctx};
use crate::assemble::{StartError, assemble, ready_store};
use crate::config::{self, Environment, Loaded, Refused};
use crate::installation::AdmitError;
use crate::telemetry::Metrics;
use crate::theme::Unfit;
use crate::world::{Real, SharedWorld};

/// Threads for requests: one per core.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Reads the configuration; all complaints at once.
pub(super) fn configuration(global: &Global) -> Result<Loaded, Failure> {
    config::from_process(global.config.as_deref(), &global.set).map_err(Failure::Configuration)
}

/// Opens everything, for a command that works on the database while the service may run.
pub(super) async fn open(global: &Global) -> Result<(App, Ctx), Failure> {
    let config = configuration(global)?.config;
    let world: SharedWorld = Arc::new(Real);
    let migrate = config.environment == Environment::Development;
    let store = ready_store(&config, migrate).await?;
    let metrics = Metrics::new(&*world);
    let (app, _) =
        assemble(config, Arc::clone(&world), store, metrics).await.map_err(not_started)?;
    Ok((app, Ctx::command(world)))
}

/// A database that is not the one that the configuration means is a wrong configuration, and so is what pages and
/// mails cannot be made of.
pub(super) fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Theme(Unfit(reasons)) => {
            Failure::Configuration(Refused::unusable(reasons, Vec::new()))
        }
        StartError::Installation(AdmitError::Misplaced(why)) => Failure::Misplaced(why.to_string()),
        other => other.into(),
    }
}
