//! `authshield audit`: proof that the audit trail is whole.
//!
//! Exit status of `verify`: 0 it holds, 1 it is broken, 2 it holds but a checkpoint that was noted went
//! with the restore of a backup, 64 wrong usage, 70 nobody could look.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;

use super::{Failure, Global, context};
use crate::app::{App, Ctx};
use crate::assemble::{assemble, open_store_for, ready_store};
use crate::config::Environment;
use crate::exports;
use crate::kernel::{Timestamp, UserId};
use crate::seals::{self, Checkpoint, KeepError, Report};
use crate::telemetry::Metrics;
use crate::vault::SealKeys;
use crate::world::{Real, SharedWorld};

/// How long one statement may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// The status of a chain that is broken.
const BROKEN: u8 = 1;
/// The status of one that holds, where something that was noted went with a restore.
const RESTORED: u8 = 2;
/// The status when nobody could look (`EX_SOFTWARE` of sysexits).
const NOT_LOOKED: u8 = 70;

/// What to do with the chain of the audit trail.
#[derive(Subcommand)]
pub(super) enum Audit {
    /// Goes along the whole chain, and says where an event was changed, deleted, inserted or moved, or the
    /// end was taken away.
    Verify {
        /// An export, instead of the database; it needs neither database nor master key.
        #[arg(long, value_name = "FILE", requires = "jwks")]
        export: Option<PathBuf>,
        /// The public key, as `audit keys` prints it; that of this installation unless said.
        #[arg(long, value_name = "FILE")]
        jwks: Option<PathBuf>,
        /// Checkpoints that were noted outside, one to a line: as `audit checkpoint` prints them, or lines
        /// of the log. Each must be in the chain.
        #[arg(long, value_name = "FILE")]
        anchors: Option<PathBuf>,
    },
    /// Prints the newest checkpoint, to be noted outside: what came before it cannot be taken away unseen.
    Checkpoint,
    /// Prints the public key as a JWK set, for auditors.
    Keys,
    /// Writes the whole chain out, with its events, for who verifies it without the database.
    Export,
    /// Erases what is personal of somebody from the audit trail: addresses, user agents, typed addresses. The
    /// chain still holds. It takes the role that owns the tables.
    Erase {
        /// Whose.
        user: UserId,
    },
    /// Removes what was sealed before a time; what is left still holds. It takes the role that owns the
    /// tables.
    Prune {
        /// What is older goes, as in 2026-01-01T00:00:00Z.
        #[arg(long)]
        before: Timestamp,
    },
}

pub(super) async fn run(global: &Global, command: Audit) -> Result<(), Failure> {
    match command {
        Audit::Verify { export, jwks, anchors } => {
            let looked = verify(global, export, jwks, anchors).await;
            let report = looked.map_err(|failure| match failure {
                Failure::Failed(words) => {
                    eprintln!("authshield: {words}");
                    Failure::Status(NOT_LOOKED)
                }
                other => other,
            })?;
            tell(global, &report)
        }
        Audit::Checkpoint => {
            let (app, _) = open(global).await?;
            let head = seals::head(&mut app.store.glance().await?, app.installation.id).await?;
            let Some(head) = head else {
                let words = "nothing is sealed yet: the service does it while it runs";
                return Err(Failure::Failed(words.into()));
            };
            println!("{}", serde_json::to_string(&head)?);
            Ok(())
        }
        Audit::Keys => {
            let (app, _) = open(global).await?;
            println!("{:#}", app.secrets.seal.jwks());
            Ok(())
        }
        Audit::Export => {
            let (app, _) = open(global).await?;
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            let report = seals::export(&app, &mut out).await?;
            out.flush()?;
            eprintln!("{} links, {} checkpoints", report.links, report.checkpoints);
            if report.holds() { Ok(()) } else { broken(&report) }
        }
        Audit::Erase { user } => {
            let (app, ctx) = open(global).await?;
            let count = seals::erase(&app, &ctx, user).await.map_err(kept)?;
            if global.json {
                println!("{}", serde_json::json!({ "events": count }));
            } else {
                println!("Erased what was personal of {count} events.");
            }
            Ok(())
        }
        Audit::Prune { before } => {
            let (app, ctx) = open(global).await?;
            let standings = exports::standings(&app.config, &mut app.store.glance().await?).await?;
            let waits = |it: &&exports::Standing| it.behind_since.is_some_and(|at| at < before);
            if let Some(waiting) = standings.iter().find(waits) {
                return Err(Failure::Failed(format!(
                    "the {} was not given everything from before then: see `authshield events sinks`",
                    waiting.sink.as_str()
                )));
            }
            let pruned = seals::prune(&app, &ctx, before).await.map_err(kept)?;
            let (seq, events) = pruned.map_or((None, 0), |gone| (Some(gone.seq), gone.events));
            if global.json {
                println!("{}", serde_json::json!({ "events": events, "seq": seq }));
            } else {
                println!("Removed {events} events.");
            }
            Ok(())
        }
    }
}

/// Says why nothing was removed.
fn kept(error: KeepError) -> Failure {
    if let KeepError::Broken(report) = &error {
        for found in &report.breaks {
            eprintln!("{found}");
        }
    }
    error.into()
}

/// Opens everything, for work in which one statement may take long.
async fn open(global: &Global) -> Result<(App, Ctx), Failure> {
    let config = context::configuration(global)?.config;
    let world: SharedWorld = Arc::new(Real);
    drop(ready_store(&config, config.environment == Environment::Development).await?);
    let store = open_store_for(&config, Some(PATIENCE)).await?;
    let metrics = Metrics::new(&*world);
    let assembled = assemble(config, Arc::clone(&world), store, metrics).await;
    let (app, _) = assembled.map_err(context::not_started)?;
    Ok((app, Ctx::command(world)))
}

async fn verify(
    global: &Global,
    export: Option<PathBuf>,
    jwks: Option<PathBuf>,
    anchors: Option<PathBuf>,
) -> Result<Report, Failure> {
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path)
            .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", path.display())))
    };
    let keys = jwks.map(read).transpose()?;
    let keys = keys.map(|text| SealKeys::from_jwks(&text)).transpose()?;
    let anchors: Vec<Checkpoint> = match anchors {
        Some(path) => seals::anchors(&read(path)?)?,
        None => Vec::new(),
    };
    if let (Some(path), Some(keys)) = (&export, &keys) {
        let file = File::open(path)
            .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", path.display())))?;
        return Ok(seals::read(BufReader::new(file), keys, anchors)?);
    }
    let (app, _) = open(global).await?;
    let keys = keys.unwrap_or_else(|| app.secrets.seal.public());
    Ok(seals::verify(&app.store, &keys, app.installation.id, anchors).await?)
}

fn tell(global: &Global, report: &Report) -> Result<(), Failure> {
    if global.json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        let Report { links, checkpoints, erased, unsealed, cut, .. } = report;
        println!(
            "{links} events in the chain, {checkpoints} checkpoints, {erased} events of people who were \
             erased, {unsealed} not sealed yet."
        );
        if let Some(cut) = cut {
            println!("What came before link {} is kept no longer.", cut + 1);
        }
        if let Some(begun) = report.begun {
            println!("The chain was begun on {begun}; what happened before was sealed then.");
        }
        match &report.head {
            Some(head) => println!("The last checkpoint is number {} of {}.", head.number, head.at),
            None => println!("There is no checkpoint yet."),
        }
        for number in &report.lost_by_restore {
            println!("Checkpoint {number}, which was noted, went when a backup was restored.");
        }
    }
    if !report.holds() {
        return broken(report);
    }
    if !report.lost_by_restore.is_empty() {
        return Err(Failure::Status(RESTORED));
    }
    if !global.json {
        println!("The chain holds.");
    }
    Ok(())
}

/// Says where it is broken.
fn broken(report: &Report) -> Result<(), Failure> {
    for found in &report.breaks {
        eprintln!("{found}");
    }
    eprintln!("authshield: the chain is broken in {} places", report.broken);
    Err(Failure::Status(BROKEN))
}
