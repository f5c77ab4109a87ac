//! The command line: one file per command, output for people, `--json` for programs.
//!
//! Exit status: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration; `preflight` has its own.

// First, so that its macros are those of all that follow.
#[macro_use]
mod out;

mod account;
mod audit;
mod backup;
mod breach;
mod canaries;
mod cells;
mod compose;
mod configuration;
mod context;
mod events;
mod init;
mod keys;
mod mail;
mod migrate;
mod preflight;
mod reload;
mod risk;
mod role;
mod serve;
mod status;
mod suppressions;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config;

/// The status of a configuration that is refused (`EX_CONFIG` of sysexits).
const WRONG_CONFIGURATION: u8 = 78;

/// A standalone authentication service.
#[derive(Parser)]
#[command(name = "authshield", version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(clap::Args)]
struct Global {
    /// The configuration file; `authshield.toml` unless said.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one setting, over everything else; may be repeated.
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Prints JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until it is told to stop.
    Serve,
    /// Sets a new installation up: its schema, its id, the link for its first administrator.
    Init(init::Init),
    /// Backups: everything in one encrypted file that both databases read.
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Restores a backup into an empty database; everybody has to sign in again.
    Restore(backup::Restore),
    /// Passwords that were stolen elsewhere: the file that says which.
    #[command(subcommand)]
    Breach(breach::Breach),
    /// Compose files.
    #[command(subcommand)]
    Compose(compose::Compose),
    /// Tells which installation the database is, and how it stands.
    Status,
    /// Looks whether everything around the program is as it should be, before it takes traffic.
    Preflight(preflight::Preflight),
    /// Shows, checks and describes the configuration.
    #[command(subcommand)]
    Config(configuration::Config),
    /// Brings the schema of the database up to date.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Accounts.
    #[command(subcommand)]
    User(account::User),
    /// Roles.
    #[command(subcommand)]
    Role(role::Role),
    /// Rules of risk: what follows when a sign-in does not look like those before it.
    #[command(subcommand)]
    Risk(risk::Command),
    /// The keys that sign access tokens.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Mail that was sent, waits or was kept.
    #[command(subcommand)]
    Mail(mail::Mail),
    /// The audit trail: what happened, when, by whom, and the true reason.
    #[command(subcommand)]
    Events(events::Events),
    /// Proof that the audit trail is whole.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Asks the service on this machine whether it is ready; for container health checks.
    Healthcheck,
    /// Prints the description of the HTTP API (OpenAPI 3.1).
    Openapi,
    /// Prints the version.
    Version,
}

/// Why a command ended without doing its work.
#[derive(Debug)]
enum Failure {
    /// Something failed; the words say what, and what to do.
    Failed(String),
    /// The configuration is refused; all complaints at once.
    Configuration(config::Refused),
    /// The database is not the one that the configuration means.
    Misplaced(String),
    /// The exit status says it all; what there was to say has been said.
    Status(u8),
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(crate::problem::chain(&error))
    }
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { global, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && preflight::is_meant() => {
            let _ = error.print();
            return ExitCode::from(preflight::WRONG_USAGE);
        }
        Err(error) => error.exit(),
    };
    // Both TLS and the clients inside ask for the process's one provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = run(&global, command).and_then(|()| match out::lost() {
        Some(why) => Err(Failure::Failed(why.to_owned())),
        None => Ok(()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(words)) => {
            eprintln!("authshield: {words}");
            ExitCode::FAILURE
        }
        Err(Failure::Configuration(refused)) => {
            eprintln!("{refused}");
            ExitCode::from(WRONG_CONFIGURATION)
        }
        Err(Failure::Misplaced(words)) => {
            eprintln!("authshield: {words}");
            ExitCode::from(WRONG_CONFIGURATION)
        }
        Err(Failure::Status(status)) => ExitCode::from(status),
    }
}

fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::Config(command) => configuration::run(global, command),
        Command::Openapi => {
            println!("{}", crate::router::document().to_pretty_json()?);
            Ok(())
        }
        Command::Version => {
            if global.json {
                println!("{}", serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }));
            } else {
                println!("authshield {}", env!("CARGO_PKG_VERSION"));
            }
            Ok(())
        }
        Command::Serve => context::runtime()?.block_on(serve::run(global)),
        Command::Init(command) => context::runtime()?.block_on(init::run(global, command)),
        Command::Backup(command) => context::runtime()?.block_on(backup::run(global, command)),
        Command::Restore(command) => context::runtime()?.block_on(backup::restore(global, command)),
        Command::Breach(command) => breach::run(global, command),
        Command::Compose(command) => compose::run(global, command),
        Command::Status => context::runtime()?.block_on(status::run(global)),
        Command::Preflight(command) => preflight::run(global, &command),
        Command::Healthcheck => context::runtime()?.block_on(serve::healthcheck(global)),
        Command::Migrate(command) => context::runtime()?.block_on(migrate::run(global, command)),
        Command::User(command) => context::runtime()?.block_on(account::run(global, command)),
        Command::Role(command) => context::runtime()?.block_on(role::run(global, command)),
        Command::Risk(command) => context::runtime()?.block_on(risk::run(global, command)),
        Command::Keys(command) => context::runtime()?.block_on(keys::run(global, command)),
        Command::Mail(command) => context::runtime()?.block_on(mail::run(global, command)),
        Command::Events(command) => context::runtime()?.block_on(events::run(global, command)),
        Command::Audit(command) => context::runtime()?.block_on(audit::run(global, command)),
    }
}
