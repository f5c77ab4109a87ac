//! `authshield migrate`: the schema of the database.

use clap::Subcommand;

use super::{Failure, Global, context};
use crate::assemble::{StartError, open_store};
use crate::schema;
use crate::world::{Real, World};

/// What to do with the schema.
#[derive(Subcommand)]
pub(super) enum Migrate {
    /// Lists every migration and whether the database has it.
    Status,
    /// Brings the database up to date; of several at once, one works and the others wait.
    Run,
}

pub(super) async fn run(global: &Global, command: Migrate) -> Result<(), Failure> {
    let config = context::configuration(global)?.config;
    let store = open_store(&config).await?;
    if matches!(command, Migrate::Run) {
        schema::upgrade(&store, Real.now()).await.map_err(StartError::Schema)?;
    }
    let migrations = schema::fitting(&store).await.map_err(StartError::Schema)?;
    let status = store.migration_status(&migrations).await.map_err(StartError::Schema)?;
    if global.json {
        let rows: Vec<_> = status
            .iter()
            .map(|one| {
                serde_json::json!({
                    "version": one.version, "name": one.name, "applied": one.applied,
                })
            })
            .collect();
        println!("{}", serde_json::Value::from(rows));
    } else {
        for one in &status {
            let state = if one.applied { "applied" } else { "missing" };
            println!("{:04} {:<40} {state}", one.version, one.name);
        }
    }
    Ok(())
}
