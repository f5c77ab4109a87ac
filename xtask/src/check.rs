//! `cargo xtask check` and `quick`: what need not run to be judged.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, found, must, program, root, variable};
use crate::metadata::Metadata;
use crate::stages::{Outcome, Stages};
use crate::{book, dependencies, fuzz};

/// What CI checks besides the tests.
pub(crate) fn all() -> Result<()> {
    let mut stages = Stages::default();
    stages.stage("format", || Outcome::from(format()));
    stages.stage("lints", || Outcome::from(lints()));
    stages.stage("docs of the source", || Outcome::from(source_docs()));
    stages.stage("fuzz targets", || Outcome::from(fuzz::all_for_a_while()));
    stages.stage("dependencies", || Outcome::from(dependencies::check()));
    stages.stage("the book's links", || Outcome::from(book::check_links()));
    stages.stage("cargo-deny", cargo_deny);
    stages.stage("spelling", || optional("typos", &[]));
    stages.end()
}

/// What takes less than a minute.
pub(crate) fn quick() -> Result<()> {
    let mut stages = Stages::default();
    stages.stage("format", || Outcome::from(format()));
    stages.stage("lints", || Outcome::from(lints()));
    stages.stage("the rules of the house", house);
    stages.end()
}

fn format() -> Result<()> {
    must(cargo("fmt").args(["--all", "--check"]))
}

fn lints() -> Result<()> {
    must(cargo("clippy").args(["--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn source_docs() -> Result<()> {
    must(
        cargo("doc")
            .args(["--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// The tests that read the source and not what it does.
fn house() -> Outcome {
    let known = match Metadata::ask() {
        Ok(known) => known,
        Err(error) => return Outcome::Failed(format!("{error:#}")),
    };
    if !known.integration_tests().contains(&"it") {
        return Outcome::Skipped("there is no test `it`".into());
    }
    let mut command = cargo("test");
    command.args(["--workspace", "--test", "it", "--", "house"]);
    Outcome::from(must(command.env("AUTHSHIELD_TEST_DATABASE", "sqlite")))
}

/// Licences, bans and sources; advisories too, where their database is on this machine.
fn cargo_deny() -> Outcome {
    let mut arguments = vec!["--offline", "check", "--hide-inclusion-graph"];
    // Of what is only shown, show the number: see `dependencies`.
    arguments.extend(["-A", "duplicate", "-A", "license-exception-not-encountered"]);
    arguments.extend(["bans", "licenses", "sources"]);
    let home = variable("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = variable("HOME")?;
        Some(PathBuf::from(home).join(".cargo"))
    });
    let has_advisories = home.is_some_and(|home| {
        ["advisory-dbs", "advisory-db"].iter().any(|name| home.join(name).is_dir())
    });
    if has_advisories {
        arguments.push("advisories");
    }
    match optional("cargo-deny", &arguments) {
        Outcome::Done(_) if !has_advisories => {
            Outcome::Done("without advisories: their database is not on this machine".into())
        }
        outcome => outcome,
    }
}

/// Runs a program, if it is installed.
fn optional(name: &str, arguments: &[&str]) -> Outcome {
    let cargo_home = variable("HOME").map(|home| PathBuf::from(home).join(".cargo/bin").join(name));
    let Some(path) = found(name).or_else(|| cargo_home.filter(|path| path.is_file())) else {
        return Outcome::Skipped("not installed".into());
    };
    let mut command: Command = program(path);
    Outcome::from(must(command.args(arguments).current_dir(root())))
}
