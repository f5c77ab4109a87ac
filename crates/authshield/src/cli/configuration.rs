//! `authshield config`: what is set, where it comes from, what could be set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Global, context};
use crate::assemble::{StartError, unusable};
use crate::config::{self, Loaded, Refused};
use crate::installation::history::{self as starts, Start};
use crate::mail;
use crate::problem::chain;
use crate::screens;
use crate::theme::{Unfit, nearest};

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
    /// Lists the last good starts and what changed in the configuration: names, never values.
    History {
        /// How many starts.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
    /// Prints a template of pages or mails that can be replaced (`pages.templates`), or lists them all.
    Templates {
        /// Which: `pages/sign-in.html`, say.
        name: Option<String>,
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
            let loaded = accepted(global)?;
            for finding in &loaded.warnings {
                eprintln!("{finding}");
            }
            let count = match loaded.warnings.len() {
                1 => "one warning".to_owned(),
                count => format!("{count} warnings"),
            };
            println!("The configuration is accepted, with {count}.");
        }
        Config::Reference => print!("{}", config::reference()),
        Config::Schema => println!("{}", config::schema()),
        Config::Explain { name } => match config::explain(&name) {
            Ok(words) => print!("{words}"),
            Err(words) => return Err(Failure::Failed(words)),
        },
        Config::Templates { name } => templates(global, name.as_deref())?,
        Config::History { limit } => return context::runtime()?.block_on(history(global, limit)),
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

/// Prints the template `name` as it is built in, or the names of all.
fn templates(global: &Global, name: Option<&str>) -> Result<(), Failure> {
    let pages =
        screens::templates().into_iter().map(|(name, text)| (format!("pages/{name}"), text));
    let mails = mail::LAYOUTS.iter().map(|(name, text)| (format!("mail/{name}"), *text));
    let all: BTreeMap<String, &str> = pages.chain(mails).collect();
    let Some(name) = name else {
        let names: Vec<_> = all.keys().collect();
        if global.json {
            println!("{}", json!(names));
        } else {
            for name in names {
                println!("{name}");
            }
        }
        return Ok(());
    };
    let Some(text) = all.get(name) else {
        let near = nearest(name, all.keys().map(String::as_str));
        let words = format!("there is no template `{name}`; did you mean `{near}`?");
        return Err(Failure::Failed(words));
    };
    print!("{text}");
    Ok(())
}

/// Reads the configuration and makes of it what needs nothing else: `serve` would refuse it there, too.
fn accepted(global: &Global) -> Result<Loaded, Failure> {
    let loaded = context::configuration(global)?;
    let reasons = |error: &StartError| match error {
        StartError::Theme(Unfit(reasons)) => reasons.clone(),
        other => vec![chain(other)],
    };
    let reasons: Vec<_> = unusable(&loaded.config).iter().flat_map(reasons).collect();
    if reasons.is_empty() {
        return Ok(loaded);
    }
    Err(Failure::Configuration(Refused::unusable(reasons, loaded.warnings)))
}

/// The verdict for programs; they get it on standard output whatever it is.
fn check_json(global: &Global) -> Result<(), Failure> {
    let (verdict, outcome) = match accepted(global) {
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

/// What the program was started with, and what is different now.
async fn history(global: &Global, limit: u16) -> Result<(), Failure> {
    let effective = context::configuration(global)?.effective;
    let (app, _) = context::open(global).await?;
    let starts = starts::starts(&app.store, limit.into()).await?;
    let now = starts::drift(&app.store, &app.secrets.fingerprint, &effective)
        .await?
        .map(|(_, changes)| changes);
    if global.json {
        let rows: Vec<_> = starts
            .iter()
            .map(|start| {
                json!({
                    "at": start.at, "version": start.version, "digest": start.digest,
                    "changes": start.changes,
                })
            })
            .collect();
        println!("{}", json!({ "since_last_start": now, "starts": rows }));
        return Ok(());
    }
    match now {
        Some(changes) => println!("since the last good start: {changes}"),
        None => println!("There was no good start yet."),
    }
    for start in &starts {
        let Start { at, version, digest, changes, .. } = start;
        println!("{}  {version}  {digest}  {changes}", at.to_minute());
    }
    Ok(())
}
