//! `authshield status`: which installation the database is, and how it stands.

use serde_json::{Map, Value, json};

use super::{Failure, Global, context};
use crate::assemble::{StartError, open_store};
use crate::installation;
use crate::schema;

pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    let config = context::configuration(global)?.config;
    let store = open_store(&config).await?;
    let pending = schema::pending(&store).await.map_err(StartError::Schema)?;
    let mut status = Map::new();
    let mut tell = |name: &str, value: Value| status.insert(name.to_owned(), value);
    tell("version", json!(env!("CARGO_PKG_VERSION")));
    tell("environment", json!(config.environment.as_str()));
    tell("database", json!(store.kind()));
    tell("migrations_missing", json!(pending));
    tell("installation_expected", json!(config.installation_id));
    // Without the schema there is nothing to ask.
    if pending == 0 {
        let seen = installation::look(&store).await?;
        let found = seen.installation;
        tell("installation_id", json!(found.map(|found| found.id)));
        tell("created_at", json!(found.map(|found| found.created_at)));
        tell("restored_at", json!(found.and_then(|found| found.restored_at)));
        tell("has_accounts", json!(seen.accounts));
        tell("backup_made_at", json!(found.and_then(|found| found.backup_made_at)));
        tell("backup_verified_at", json!(found.and_then(|found| found.backup_verified_at)));
    }
    if global.json {
        println!("{}", Value::Object(status));
    } else {
        for (name, value) in &status {
            let value = match value {
                Value::Null => "–".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            println!("{name:<22} {value}");
        }
    }
    Ok(())
}
