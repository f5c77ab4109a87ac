//! `cargo xtask generate`: files that are made from the source. The tests that make them hold them against
//! it in every other run.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::command::{cargo, output};
use crate::tally::Tally;

/// Part of the name of every test that makes or compares such a file.
const NAME: &str = "generated";

/// Writes the generated files anew.
pub(crate) fn run() -> Result<()> {
    let mut command = cargo("test");
    // All packages, as when testing: with other features, all would be built again.
    command.args(["--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--", NAME]);
    command.env("UPDATE_GENERATED", "1").stderr(Stdio::inherit()).stdin(Stdio::null());
    let said = command.stdout(Stdio::piped()).output()?;
    let text = String::from_utf8_lossy(&said.stdout);
    let mut tally = Tally::default();
    text.lines().for_each(|line| tally.read(line));
    if !said.status.success() {
        print!("{text}");
        bail!("the tests that generate files failed");
    }
    if tally.passed == 0 {
        bail!("no test has `{NAME}` in its name, so nothing keeps generated files fresh");
    }
    let changed = output(crate::command::program("git").args(["status", "--short"]));
    println!("{} files are fresh\n{}", tally.passed, changed.unwrap_or_default());
    Ok(())
}
