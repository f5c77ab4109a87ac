//! `authshield config`: what is set, where it comes from, what could be set.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Global, context};
use crate::config;

/// What to do with the configuration.
#[derive(Subcommand)]
pub(super) enum Config {
    /// Prints every setting with its value and where that comes from; secrets are not shown.
    Show,
    /// Says whether the configuration would be accepted.
    Check,
    /// Prints the reference of all settings, as Markdown.
    Reference,
    /// Prints the JSON Schema of the configuration file.
    Schema,
    /// Says all about one setting.
    Explain {
        /// Its name, dotted or as a variable.
        name: String,
    },
    /// Writes a sample configuration file; an existing one is kept.
    Init {
        /// Where to.
        #[arg(default_value = "authshield.toml")]
        file: PathBuf,
    },
}

pub(super) fn run(global: &Global, command: Config) -> Result<(), Failure> {
    match command {
        Config::Show => {
            let loaded = context::configuration(global)?;
            if global.json {
                println!("{}", config::show_json(&loaded));
            } else {
                print!("{}", config::show(&loaded));
            }
        }
        Config::Check => {
            if global.json {
                return check_json(global);
            }
            let loaded = context::configuration(global)?;
            for finding in &loaded.warnings {
                eprintln!("{finding}");
            }
            println!("The configuration is accepted, with {} warnings.", loaded.warnings.len());
        }
        Config::Reference => print!("{}", config::reference()),
        Config::Schema => println!("{}", config::schema()),
        Config::Explain { name } => match config::explain(&name) {
            Ok(words) => print!("{words}"),
            Err(words) => return Err(Failure::Failed(words)),
        },
        Config::Init { file } => {
            use std::io::Write;
            let mut new = std::fs::File::create_new(&file).map_err(|error| {
                Failure::Failed(format!("cannot write {}: {error}", file.display()))
            })?;
            new.write_all(config::sample().as_bytes())?;
            if global.json {
                println!("{}", json!({ "file": file }));
            } else {
                println!("Wrote {}; every line of it is a comment.", file.display());
            }
        }
    }
    Ok(())
}

/// The verdict for programs; they get it on standard output whatever it is.
fn check_json(global: &Global) -> Result<(), Failure> {
    let (verdict, outcome) = match context::configuration(global) {
        Ok(loaded) => {
            (json!({ "accepted": true, "refusals": [], "warnings": loaded.warnings }), Ok(()))
        }
        Err(Failure::Configuration(refused)) => (
            json!({
                "accepted": false, "refusals": refused.refusals, "warnings": refused.warnings,
            }),
            Err(Failure::Configuration(refused)),
        ),
        Err(other) => return Err(other),
    };
    println!("{verdict}");
    outcome
}
