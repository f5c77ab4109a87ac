//! `cargo xtask test`: every test, on both databases.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, must, variable};
use crate::metadata::Metadata;
use crate::packages;
use crate::servers::{Kind, Servers, not_given};
use crate::stages::{Outcome, Stages};
use crate::tally::Tally;

/// The integration tests of the service: a whole server each, on the database that is named to them.
const SERVICE: &str = "it";
/// The variable that names it.
const DATABASE: &str = "AUTHSHIELD_TEST_DATABASE";
/// How many tests of the service run at once for each core. They wait more than they count: for mail,
/// for leases to end, for what happens every second.
const AT_ONCE: usize = 2;
/// Of how many tests of a part that failed beside all others it is asked whether they fail alone.
const TRIED_ALONE: usize = 2;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Run the tests of the service on one database only
    #[arg(long, value_enum)]
    only: Option<Database>,
    /// Write the results into this file as well
    #[arg(long, value_name = "FILE")]
    summary: Option<std::path::PathBuf>,
    /// What to pass to the test programs: names of tests, for instance
    #[arg(last = true)]
    filter: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// One call of `cargo test`.
struct Part {
    name: String,
    arguments: Vec<String>,
    database: Option<Database>,
}

/// Runs the tests.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let databases = match arguments.only.or_else(given) {
        Some(only) => vec![only],
        None => vec![Database::Sqlite, Database::Postgres],
    };
    let mut servers = Kind::ALL.to_vec();
    if databases == [Database::Sqlite] {
        servers.retain(|kind| *kind != Kind::Postgres);
    }
    // First, so that what is missing is said before the long build and not after it.
    packages::ensure(&not_given(&servers))?;

    let mut stages = Stages::default();
    stages.stage("build the tests", || {
        Outcome::from(must(cargo("test").args(["--workspace", "--no-run"])))
    });
    let mut total = Tally::default();
    if stages.is_good() {
        let parts = parts(&Metadata::ask()?.integration_tests(), &databases);
        let mut servers = Servers::start(&servers)?;
        for part in parts {
            stages.stage(&part.name, || match play(&mut servers, &part, &arguments.filter) {
                Ok((tally, succeeded)) => {
                    total += &tally;
                    let words = tally.to_string();
                    if succeeded { Outcome::Done(words) } else { Outcome::Failed(words) }
                }
                Err(error) => Outcome::Failed(format!("{error:#}")),
            });
        }
    }

    let failures = total.failures.iter().map(|name| format!("failed: {name}\n"));
    let unsteady = total.unsteady.iter().map(|name| {
        format!("unsteady: {name} failed beside the others and passed alone; find out why\n")
    });
    let named = failures.chain(unsteady).collect::<String>();
    let report = format!("{}{named}total: {total}\n", stages.summary());
    println!("\n{report}");
    if let Some(file) = &arguments.summary {
        std::fs::write(file, &report)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if !stages.is_good() {
        bail!("the tests failed");
    }
    if total.passed == 0 {
        bail!("no test has a name like {:?}", arguments.filter);
    }
    Ok(())
}

/// Returns the database that the environment asks for.
fn given() -> Option<Database> {
    let name = variable(DATABASE)?;
    [Database::Sqlite, Database::Postgres].into_iter().find(|database| database.name() == name)
}

/// Returns the calls of `cargo test` that together run each test once, and those of the service once
/// on each database. All name the same packages, or cargo would build them with other features.
fn parts(integration_tests: &[&str], databases: &[Database]) -> Vec<Part> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut small = owned(&["--lib", "--bins", "--examples"]);
    for test in integration_tests.iter().filter(|test| **test != SERVICE) {
        small.extend(owned(&["--test", test]));
    }
    let mut parts = vec![
        Part { name: "unit and crate tests".into(), arguments: small, database: None },
        Part { name: "examples in the docs".into(), arguments: owned(&["--doc"]), database: None },
    ];
    if integration_tests.contains(&SERVICE) {
        parts.extend(databases.iter().map(|database| Part {
            name: format!("the service on {}", database.name()),
            arguments: owned(&["--test", SERVICE]),
            database: Some(*database),
        }));
    }
    parts
}

/// Runs one part; returns what it counted, and whether it succeeded.
///
/// Hundreds of tests on a small machine keep each other waiting. One or two that failed are tried once
/// more, alone: whoever passes then is not passed over, but named in the results.
fn play(servers: &mut Servers, part: &Part, filter: &[String]) -> Result<(Tally, bool)> {
    let (mut tally, succeeded) = call(servers, part, filter)?;
    let failed = tally.failures.len();
    if succeeded || failed == 0 || failed > TRIED_ALONE {
        return Ok((tally, succeeded));
    }
    let mut alone = vec!["--exact".to_owned(), "--test-threads=1".to_owned()];
    alone.extend(tally.failures.iter().cloned());
    let (second, succeeded) = call(servers, part, &alone)?;
    // A name that finds nothing passes as well; one that two programs have is found twice.
    if succeeded && second.passed >= tally.failed {
        tally.passed_alone();
    }
    let succeeded = tally.failed == 0;
    Ok((tally, succeeded))
}

/// Calls `cargo test`.
fn call(servers: &mut Servers, part: &Part, filter: &[String]) -> Result<(Tally, bool)> {
    let mut command: Command = cargo("test");
    command.args(["--workspace", "--no-fail-fast"]).args(&part.arguments);
    command.arg("--").args(filter);
    command.envs(&servers.environment).stdin(Stdio::null()).stdout(Stdio::piped());
    if let Some(database) = part.database {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.env(DATABASE, database.name());
        command.env("RUST_TEST_THREADS", (AT_ONCE * cores).to_string());
    }
    servers.with_child(&mut command, |child| {
        let mut said = BufReader::new(child.stdout.take().expect("it was asked for"));
        let (mut tally, mut line) = (Tally::default(), Vec::new());
        // Bytes and not lines: a test may print anything.
        while said.read_until(b'\n', &mut line)? > 0 {
            std::io::stdout().write_all(&line)?;
            tally.read(&String::from_utf8_lossy(&line));
            line.clear();
        }
        Ok((tally, child.wait()?.success()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_tested_on_each_database_and_all_else_once() {
        let both = [Database::Sqlite, Database::Postgres];
        let parts = parts(&["it", "store"], &both);
        let calls: Vec<String> = parts
            .iter()
            .map(|part| format!("{} {:?}", part.arguments.join(" "), part.database))
            .collect();
        assert_eq!(
            calls,
            [
                "--lib --bins --examples --test store None",
                "--doc None",
                "--test it Some(Sqlite)",
                "--test it Some(Postgres)",
            ]
        );
    }

    #[test]
    fn without_tests_of_the_service_none_are_asked_for() {
        assert_eq!(parts(&["store"], &[Database::Sqlite]).len(), 2);
    }
}
