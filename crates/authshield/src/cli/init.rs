//! `authshield init`: a new installation, once.

use std::sync::Arc;

use super::{Failure, Global, context, serve};
use crate::app::Ctx;
use crate::assemble::{StartError, assemble, open_store};
use crate::audit::{self, Event};
use crate::installation::{self, NotSetUp};
use crate::kernel::InstallationId;
use crate::schema;
use crate::telemetry::Metrics;
use crate::world::{Real, SharedWorld};

/// What to do about an installation that was there before.
#[derive(clap::Args)]
pub(super) struct Init {
    /// Gives up the installation that `AUTHSHIELD_INSTALLATION_ID` expects, whose id is to be typed
    /// here, and begins anew.
    #[arg(long, value_name = "OLD_ID")]
    new_installation: Option<InstallationId>,
}

pub(super) async fn run(global: &Global, command: Init) -> Result<(), Failure> {
    let mut config = context::configuration(global)?.config;
    let world: SharedWorld = Arc::new(Real);
    let store = open_store(&config).await?;
    if schema::pending(&store).await.map_err(StartError::Schema)? > 0 {
        schema::migrate(&store).await.map_err(StartError::Schema)?;
    }
    let seen = installation::look(&store).await?;
    let given_up = command.new_installation;
    installation::set_up(config.installation_id, given_up, &seen).map_err(|why| match why {
        NotSetUp::Misplaced(why) => Failure::Misplaced(why.to_string()),
        other => Failure::Failed(other.to_string()),
    })?;
    let installation = installation::found(&store, &*world).await?;
    config.installation_id = Some(installation.id);

    let metrics = Metrics::new(&*world);
    let (app, _) =
        assemble(config, Arc::clone(&world), store, metrics).await.map_err(context::not_started)?;
    let ctx = Ctx::command(world);
    let created = Event::InstallationCreated { installation: installation.id, given_up };
    audit::record_alone(&app, &ctx, &created).await?;
    if global.json {
        println!("{}", serde_json::json!({ "installation_id": installation.id }));
    } else {
        println!(
            "This is installation {0} now. Keep its id with the configuration, so that a database \
             that was wiped or swapped is noticed:\n\n    AUTHSHIELD_INSTALLATION_ID={0}",
            installation.id
        );
    }
    serve::offer_setup(&app, &ctx).await
}
