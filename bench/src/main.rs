//! Measures the program that is shipped against the bare limits of the machine, in one run.
//!
//! ```text
//! main      arguments, what to measure on which database, the table
//! measures  one kind of question per file
//! limits    the bare limits: Argon2id, an axum route, rotations of a row
//! service   the program, started and watched from outside
//! base      fresh databases with people in them
//! load      the generator: clients, paces, latencies    (http: its wire)
//! relay     where mail goes: fast, slow or silent      (wire: counts round trips)
//! cpu       what processes have had of the cores
//! ```
//!
//! Absolute numbers belong to the machine and the hour; ratios of runs that follow each other belong
//! to the program.

mod authenticators;
mod base;
mod clients;
mod cpu;
mod http;
mod limits;
mod load;
mod measures;
mod relay;
mod report;
mod service;
mod stats;
mod table;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};

use crate::base::Kind;
use crate::load::Window;
use crate::measures::{Bench, Measure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the service against the bare limits of this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// One short run of each, to see whether it works
    #[arg(long)]
    quick: bool,
    /// Only this; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<Measure>,
    /// Only on this database
    #[arg(long, value_name = "NAME")]
    on: Option<OnlyOn>,
    /// Write the table into the book
    #[arg(long)]
    write: bool,
    /// Measure this program, instead of one built from source
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnlyOn {
    Sqlite,
    Postgres,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// Serves the route that `me` is compared with
    #[command(hide = true)]
    ServeBare {
        /// Where
        address: SocketAddr,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nbench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Inner::ServeBare { address }) = arguments.inner {
        return limits::http::serve(address);
    }
    let folder = tempfile::tempdir()?;
    let (runs, span) = if arguments.quick { (1, 1) } else { (3, 4) };
    let bench = Bench {
        binary: match &arguments.binary {
            Some(binary) => binary.canonicalize().context("there is no such program")?,
            None => build()?,
        },
        folder: folder.path().to_owned(),
        runs,
        window: Window { warm_up: Duration::from_millis(500), span: Duration::from_secs(span) },
        redis: given("AUTHSHIELD_TEST_REDIS"),
    };
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for kind in databases(arguments.on)? {
        for measure in Measure::value_variants() {
            if arguments.only.is_empty() || arguments.only.contains(measure) {
                let name = measure.to_possible_value().context("no measure is hidden")?;
                let what = format!("{} on {}", name.get_name(), kind.name());
                eprintln!("\nbench: {what}");
                match bench.measure(*measure, &kind) {
                    Ok(more) => rows.extend(more),
                    // Half an hour of others is not thrown away.
                    Err(error) => {
                        eprintln!("bench: {what} cannot be measured: {error:#}");
                        failed.push(what);
                    }
                }
            }
        }
    }
    let table = table::render(&rows);
    println!("\n{table}");
    if arguments.write {
        report::write(&root(), &table, runs)?;
    }
    if !failed.is_empty() {
        bail!("not measured: {}", failed.join(", "));
    }
    Ok(())
}

/// Returns where the environment says that a server is.
fn given(variable: &str) -> Option<String> {
    let url = std::env::var_os(variable)?.into_string().ok()?;
    (!url.is_empty()).then_some(url)
}

/// Returns the databases that can be had.
fn databases(only: Option<OnlyOn>) -> Result<Vec<Kind>> {
    let server = given("AUTHSHIELD_TEST_POSTGRES").map(Kind::Postgres);
    match (only, server) {
        (Some(OnlyOn::Sqlite), _) => Ok(vec![Kind::Sqlite]),
        (Some(OnlyOn::Postgres), Some(server)) => Ok(vec![server]),
        (Some(OnlyOn::Postgres), None) => bail!("AUTHSHIELD_TEST_POSTGRES names no server"),
        (None, Some(server)) => Ok(vec![Kind::Sqlite, server]),
        (None, None) => {
            eprintln!(
                "bench: AUTHSHIELD_TEST_POSTGRES names no server, so only SQLite is measured"
            );
            Ok(vec![Kind::Sqlite])
        }
    }
}

/// Builds what is measured, and returns where it is.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--profile", "dist", "--package", "authshield", "--bin", "authshield"])
        .current_dir(root())
        .status()
        .context("cargo does not start")?;
    if !status.success() {
        bail!("the service cannot be built");
    }
    let here = std::env::current_exe()?;
    let binary = here.parent().map(|folder| folder.join("authshield"));
    binary
        .filter(|binary| binary.is_file())
        .context("the service was built to another folder than this program; name it with --binary")
}

/// Returns the folder of the workspace.
fn root() -> PathBuf {
    // `cargo run` says where we are now; the path known when this was built may be another's.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        super::Arguments::command().debug_assert();
    }
}
