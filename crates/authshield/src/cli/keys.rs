//! `authshield keys`: the keys that sign access tokens.

use clap::Subcommand;

use super::{Failure, Global, context};
use crate::audit::{self, Event};
use crate::vault::Rotation;

/// What to do with the keys.
#[derive(Subcommand)]
pub(super) enum Keys {
    /// Lists every key that is published.
    List,
    /// Makes a new key. It is published now and signs when every verifier has had time to see it.
    Rotate {
        /// Signs with the new key at once; the old ones verify until their tokens have died.
        #[arg(long)]
        now: bool,
        /// For a key that somebody stole: the old keys are gone, and every access token with them.
        #[arg(long, conflicts_with = "now")]
        compromised: bool,
    },
}

pub(super) async fn run(global: &Global, command: Keys) -> Result<(), Failure> {
    let (app, ctx) = context::open(global).await?;
    if let Keys::Rotate { now, compromised } = command {
        let (how, reason) = match (now, compromised) {
            (_, true) => (Rotation::Compromised, "compromised"),
            (true, _) => (Rotation::Immediate, "operator_now"),
            _ => (Rotation::Announced, "operator"),
        };
        if let Some(kid) = app.keyring.rotate(how, ctx.now).await? {
            audit::record_alone(&app, &ctx, &Event::KeyRotated { kid, reason }).await?;
        }
    }
    let keys = app.keyring.list(ctx.now);
    if global.json {
        println!("{}", serde_json::to_string(&keys)?);
    } else {
        for key in keys {
            println!("{} {:<6} {:?} since {}", key.kid, key.algorithm, key.phase, key.active_from);
        }
    }
    Ok(())
}
