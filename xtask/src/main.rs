//! Every command that a contributor or the CI types: `cargo xtask --help`.
//!
//! A bare Debian with Rust, git and apt is enough: what else is needed is found or installed, and
//! servers run in throw-away folders on free ports.

mod book;
mod check;
mod command;
mod dependencies;
mod detections;
mod fuzz;
mod generate;
mod hook;
mod licences;
mod metadata;
mod packages;
mod release;
mod serve;
mod servers;
mod stages;
mod tally;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The developer commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs every test, on both databases; finds or installs and starts the servers it needs
    Test(test::Arguments),
    /// Checks what CI checks besides the tests: format, lints, docs, fuzz targets, dependencies
    Check,
    /// Runs what takes less than a minute: format, lints and the rules of the house
    Quick,
    /// Writes the generated files anew
    Generate,
    /// Serves from source, on this machine only
    Dev {
        /// What to pass to `authshield serve`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Plays `examples/tour.sh` against a fresh server
    Tour,
    /// Starts the services of the book's guides, in four languages, and shows which tokens they take
    Snippets,
    /// Measures, and prints the ratios to the bare limits
    Bench {
        /// What to pass to the bench
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Builds the book, or checks its links when `mdbook` is not installed
    Docs,
    /// Builds what is shipped, and packs it into `dist/`
    Release,
    /// Prints how long each silent failure went unnoticed when its test ran last
    Detections,
    /// Looks for input on which a parser fails, for a short time from the kept corpus
    Fuzz(fuzz::Arguments),
    /// Installs a git hook that runs `cargo xtask quick` before each commit
    Hook,
    /// Starts the servers that tests need, prints where they are, and stops them at the end of input
    Servers,
    /// Holds servers for the process that started it, until that is gone
    #[command(hide = true)]
    Keep {
        /// Which servers
        servers: Vec<servers::Kind>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Check => check::all(),
        Task::Quick => check::quick(),
        Task::Generate => generate::run(),
        Task::Dev { arguments } => serve::dev(&arguments),
        Task::Tour => serve::tour(),
        Task::Snippets => serve::snippets(),
        Task::Bench { arguments } => serve::bench(&arguments),
        Task::Docs => book::run(),
        Task::Release => release::run(),
        Task::Detections => detections::run(),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Hook => hook::install(),
        Task::Servers => servers::show(),
        Task::Keep { servers } => servers::keep(&servers),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        super::Arguments::command().debug_assert();
    }
}
