//! What others wrote and tests use, from npm: an OpenID provider to sign in at, which tests start themselves, and
//! axe, which judges pages in a browser.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::must;

/// Where it is declared, with a lock file.
const DECLARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/authshield/tests/upstream");
/// Where it is installed.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/upstream");
const FILES: [&str; 3] = ["package.json", "package-lock.json", "server.mjs"];

/// Installs it, unless it is there as the lock file says, and returns its folder; without a network nothing,
/// and the tests that need it say that they were skipped.
pub(super) fn installed() -> Option<String> {
    match install() {
        Ok(folder) => Some(folder),
        Err(error) => {
            eprintln!("xtask: no OpenID provider and no axe to test with: {error:#}");
            None
        }
    }
}

fn install() -> Result<String> {
    let (declared, installed) = (Path::new(DECLARED), Path::new(INSTALLED));
    std::fs::create_dir_all(installed).context("the folder cannot be made")?;
    let lock = "package-lock.json";
    let done = installed.join("node_modules/.installed");
    let wanted = std::fs::read(declared.join(lock)).context("there is no lock file")?;
    for file in FILES {
        std::fs::copy(declared.join(file), installed.join(file)).context(file)?;
    }
    if std::fs::read(&done).ok().as_ref() != Some(&wanted) {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(installed);
        must(&mut npm)?;
        std::fs::write(&done, &wanted).context("what was installed cannot be noted")?;
    }
    let folder = installed.canonicalize().context("the folder is gone")?;
    Ok(folder.display().to_string())
}
