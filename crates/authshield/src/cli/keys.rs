//! `authshield keys`: the keys that sign access tokens.

use clap::Subcommand;

use super::{Failure, Global, context};
use crate::audit::{self, Event};

/// What to do with the keys.
#[derive(Subcommand)]
pub(super) enum Keys {
    /// Lists every key that is published.
    List,
    /// Makes a new key. It is published now and signs when every verifier has had time to see it.
    Rotate {
        /// Signs with the new key at once; services that cache the old set refuse until they look
        /// again. For a key that somebody stole.
        #[arg(long)]
        now: bool,
    },
}

pub(super) async fn run(global: &Global, command: Keys) -> Result<(), Failure> {
    let (app, ctx) = context::open(global).await?;
    if let Keys::Rotate { now } = command {
        let kid = app.keyring.rotate(&app.store, ctx.now, now).await?;
        let reason = if now { "operator_now" } else { "operator" };
        audit::record_alone(&app, &ctx, &Event::KeyRotated { kid, reason }).await?;
    }
    let keys = app.keyring.list(&app.store).await?;
    if global.json {
        println!("{}", serde_json::to_string(&keys)?);
    } else {
        for key in keys {
            println!("{key}");
        }
    }
    Ok(())
}
