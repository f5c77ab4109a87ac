//! Runs the fuzz targets for a short, bounded time each, from the kept corpus.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, must, root};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Which targets; all unless named
    targets: Vec<String>,
}

/// Builds and runs the targets.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = targets()?;
    let chosen: Vec<_> = match arguments.targets.as_slice() {
        [] => all.clone(),
        named => named.to_vec(),
    };
    if let Some(unknown) = chosen.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    build(&chosen)?;
    for target in &chosen {
        play(target, Duration::from_secs(arguments.seconds))?;
    }
    Ok(())
}

/// What CI runs: half a minute in all, whatever the number of targets.
pub(crate) fn all_for_a_while() -> Result<()> {
    let targets = targets()?;
    build(&targets)?;
    let each = Duration::from_secs(30) / u32::try_from(targets.len()).unwrap_or(1).max(1);
    targets.iter().try_for_each(|target| play(target, each))
}

fn folder() -> PathBuf {
    root().join("fuzz")
}

fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder().join("targets"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).context("a target's name")?;
        names.push(name.to_owned());
    }
    names.sort();
    Ok(names)
}

/// Returns the command that builds a target as the tests are built, our own crates with what libFuzzer
/// needs, and runs it. Nothing of the dependencies is built again.
fn target(names: &[String]) -> Command {
    let mut command = cargo("test");
    command.args(["--workspace", "--features", "authshield-fuzz/libfuzzer"]);
    for name in names {
        command.args(["--example", &format!("fuzz-{name}")]);
    }
    command.env("RUSTC_WORKSPACE_WRAPPER", folder().join("instrument.sh"));
    command
}

fn build(names: &[String]) -> Result<()> {
    must(target(names).arg("--no-run"))
}

/// Runs one target. What it finds that goes further is kept below `target/`; what it fails on is an
/// error, and belongs into the corpus once it is mended.
fn play(name: &str, at_most: Duration) -> Result<()> {
    let work = root().join("target/fuzz").join(name);
    let (found, corpus) = (work.join("failures"), work.join("corpus"));
    for folder in [&found, &corpus] {
        std::fs::create_dir_all(folder)?;
    }
    let mut command = target(&[name.to_owned()]);
    command
        .args(["--quiet", "--"])
        .arg(&corpus)
        .arg(folder().join("corpus").join(name))
        .arg(format!("-max_total_time={}", at_most.as_secs().max(1)))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536", "-verbosity=0"])
        .arg("-print_final_stats=1");
    must(&mut command).with_context(|| {
        format!("the target {name} failed; what it read is in {}", found.display())
    })
}
