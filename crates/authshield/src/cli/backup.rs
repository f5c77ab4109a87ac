//! `authshield backup` and `authshield restore`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use onesql::{Options, Store};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Failure, Global, context};
use crate::app::Ctx;
use crate::assemble::{assemble, open_store_for, ready_store};
use crate::audit::{self, Event};
use crate::backup::{self, BackupError, Manifest, Opener};
use crate::config::{Config, Environment};
use crate::installation;
use crate::kernel::InstallationId;
use crate::telemetry::Metrics;
use crate::vault::{Rotation, Vault};
use crate::world::{Real, SharedWorld, World};

/// How long one statement may take while a whole database is copied.
const PATIENCE: Duration = Duration::from_hours(1);

/// What to do with backups.
#[derive(Subcommand)]
pub(super) enum Backup {
    /// Saves everything into a new encrypted file, while the service runs.
    Create {
        /// Where to; an existing file is left alone.
        file: PathBuf,
        #[command(flatten)]
        key: Key,
    },
    /// Really restores a file, for trial, and compares it with what was saved.
    Verify {
        /// Which.
        file: PathBuf,
        #[command(flatten)]
        key: Key,
    },
}

/// Restores a file into an empty database. Everybody has to sign in again.
#[derive(clap::Args)]
pub(super) struct Restore {
    /// Which file.
    file: PathBuf,
    /// The id of the installation that it is a backup of, typed out.
    #[arg(long, value_name = "ID")]
    installation_id: InstallationId,
    #[command(flatten)]
    key: Key,
}

/// What opens the file.
#[derive(clap::Args)]
pub(super) struct Key {
    /// A file with a passphrase, to be used instead of the master key.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Key {
    fn opener(&self, vault: &Vault) -> Result<Opener, Failure> {
        let Some(path) = &self.passphrase_file else { return Ok(Opener::MasterKey(vault.clone())) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::Failed(format!("cannot read the passphrase in {}: {error}", path.display()))
        })?;
        Ok(Opener::passphrase(&text)?)
    }
}

pub(super) async fn run(global: &Global, command: Backup) -> Result<(), Failure> {
    let config = context::configuration(global)?.config;
    let world: SharedWorld = Arc::new(Real);
    let vault = Vault::open(&config, Arc::clone(&world))?;
    match command {
        Backup::Create { file, key } => {
            // A look at the database as every command has it: behind, newer, another one's.
            drop(ready_store(&config, config.environment == Environment::Development).await?);
            let store = open_store_for(&config, Some(PATIENCE)).await?;
            let opener = key.opener(&vault)?;
            let manifest = backup::create(&store, &vault, &opener, &file, &*world)
                .await
                .map_err(|error| about(&file, &error))?;
            tell(global, &manifest, &format!("Saved into {}", file.display()));
        }
        Backup::Verify { file, key } => {
            let opener = key.opener(&vault)?;
            let manifest = try_out(&config, &file, &opener, &vault, &*world)
                .await
                .map_err(|error| about(&file, &error))?;
            let noted = note(&config, &manifest, &*world).await;
            tell(global, &manifest, &format!("Restored {} for trial", file.display()));
            if let Err(why) = noted {
                eprintln!("authshield: not noted in the database: {why}");
            }
        }
    }
    Ok(())
}

fn about(file: &Path, error: &BackupError) -> Failure {
    Failure::Failed(format!("{}: {}", file.display(), crate::problem::chain(error)))
}

fn tell(global: &Global, manifest: &Manifest, words: &str) {
    if global.json {
        println!("{}", json!(manifest));
        return;
    }
    let rows: u64 = manifest.tables.iter().map(|table| table.rows).sum();
    println!(
        "{words}: installation {}, {} tables, {rows} rows, as of {}.",
        manifest.begin.installation_id,
        manifest.tables.len(),
        manifest.begin.made_at,
    );
}

/// Restores into a database of the configured kind that is gone afterwards.
async fn try_out(
    config: &Config,
    file: &Path,
    opener: &Opener,
    vault: &Vault,
    world: &dyn World,
) -> Result<Manifest, BackupError> {
    let url = config.database.url.expose_secret();
    let mut chance = [0; 8];
    world.fill(&mut chance);
    let name = format!("authshield_trial_{:016x}", u64::from_be_bytes(chance));
    if let Some(path) = url.strip_prefix("sqlite://") {
        let folder = Path::new(path).parent().unwrap_or(Path::new("."));
        let scratch = folder.join(format!("{name}.db"));
        let outcome = async {
            std::fs::create_dir_all(folder)?;
            let mut options = Options::sqlite(&scratch);
            options.at_most = PATIENCE;
            let store = Store::open(&options).await?;
            backup::verify(file, opener, &store, vault).await
        };
        let outcome = outcome.await;
        for end in ["", "-wal", "-shm"] {
            // What is not there need not go.
            let _ = std::fs::remove_file(folder.join(format!("{name}.db{end}")));
        }
        return outcome;
    }
    let mut options = Options::parse(url)?;
    options.at_most = PATIENCE;
    let server = Store::open(&options).await?;
    server.create_schema(&name).await?;
    let outcome = async {
        let store = Store::open(&options.in_schema(&name)).await?;
        backup::verify(file, opener, &store, vault).await
    };
    let outcome = outcome.await;
    server.drop_schema(&name).await?;
    outcome
}

/// Notes in the database that there is a backup that can be restored.
async fn note(config: &Config, manifest: &Manifest, world: &dyn World) -> Result<(), String> {
    let store = ready_store(config, false).await.map_err(|error| crate::problem::chain(&error))?;
    let failed = |error: onesql::Error| crate::problem::chain(&error);
    let found = installation::look(&store).await.map_err(failed)?.installation;
    let own = found.is_some_and(|found| found.id == manifest.begin.installation_id);
    if !own {
        return Err("it is a backup of another installation".into());
    }
    let mut tx = store.write().await.map_err(failed)?;
    installation::note_verified_backup(&mut tx, manifest.begin.made_at, world.now())
        .await
        .map_err(failed)?;
    tx.commit().await.map_err(failed)
}

pub(super) async fn restore(global: &Global, command: Restore) -> Result<(), Failure> {
    let mut config = context::configuration(global)?.config;
    let world: SharedWorld = Arc::new(Real);
    let vault = Vault::open(&config, Arc::clone(&world))?;
    let store = open_store_for(&config, Some(PATIENCE)).await?;
    let opener = command.key.opener(&vault)?;
    let (typed, expected) = (command.installation_id, config.installation_id);
    let restored =
        backup::restore(&command.file, &opener, &vault, &store, typed, expected, &*world)
            .await
            .map_err(|error| about(&command.file, &error))?;
    let begin = &restored.manifest.begin;

    // The keys that sign are gone as well: others verify access tokens without asking us.
    config.installation_id = Some(begin.installation_id);
    let metrics = Metrics::new(&*world);
    let (app, _) =
        assemble(config, Arc::clone(&world), store, metrics).await.map_err(context::not_started)?;
    let ctx = Ctx::command(world);
    let undone = restored.undone;
    let gap = ctx.now.since(begin.made_at);
    let event = Event::BackupRestored {
        made_at: begin.made_at,
        gap_seconds: gap.as_secs(),
        token_epoch: undone.token_epoch,
        sessions: undone.sessions,
        links: undone.links,
        mails: undone.mails,
    };
    audit::record_alone(&app, &ctx, &event).await?;
    if let Some(kid) = app.keyring.rotate(Rotation::Compromised, ctx.now).await? {
        let rotated = Event::KeyRotated { kid, reason: "backup_restored" };
        audit::record_alone(&app, &ctx, &rotated).await?;
    }
    if global.json {
        println!(
            "{}",
            json!({
                "manifest": restored.manifest,
                "gap_seconds": gap.as_secs(),
                "token_epoch": undone.token_epoch,
                "sessions_ended": undone.sessions,
                "links_withdrawn": undone.links,
                "mails_expired": undone.mails,
            })
        );
        return Ok(());
    }
    tell(global, &restored.manifest, &format!("Restored {}", command.file.display()));
    println!(
        "Everybody has to sign in again: {} sessions were ended, {} links withdrawn, {} mails dropped, \
         and the signing keys made anew.\nWhat happened from {} to {} is lost: accounts opened, \
         passwords changed and accounts disabled since then are as they were.",
        undone.sessions, undone.links, undone.mails, begin.made_at, ctx.now
    );
    Ok(())
}
