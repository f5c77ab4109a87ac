//! `cargo xtask generate`: files that are made from the source, and the tests that keep them fresh.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::command::{cargo, output};
use crate::tally::Tally;

/// Part of the name of every test that makes or compares such a file.
const NAME: &str = "generated";

/// Writes the generated files anew, or tells whether they are up to date.
pub(crate) fn run(check: bool) -> Result<()> {
    let mut command = cargo("test");
    // All packages, as when testing: with other features, all would be built again.
    command.args(["--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--", NAME]);
    command.stderr(Stdio::inherit()).stdin(Stdio::null());
    if check {
        command.env_remove("UPDATE_GENERATED");
    } else {
        command.env("UPDATE_GENERATED", "1");
    }
    let said = command.stdout(Stdio::piped()).output()?;
    let text = String::from_utf8_lossy(&said.stdout);
    let mut tally = Tally::default();
    text.lines().for_each(|line| tally.read(line));
    if !said.status.success() {
        print!("{text}");
        if check && tally.failed > 0 {
            bail!("generated files are not up to date; run `cargo xtask generate`");
        }
        bail!("the tests that generate files failed");
    }
    if tally.passed == 0 {
        bail!("no test has `{NAME}` in its name, so nothing keeps generated files fresh");
    }
    if !check {
        let changed = output(crate::command::program("git").args(["status", "--short"]));
        println!("{} files are fresh\n{}", tally.passed, changed.unwrap_or_default());
    }
    Ok(())
}
