//! `cargo xtask hook`: a look before each commit.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, bail};

use crate::command::{output, program, root};

const HOOK: &str = "#!/bin/sh\n# Installed by `cargo xtask hook`; remove this file to be rid of it.\nexec cargo xtask quick\n";

/// Installs the hook, unless there is one that is not ours.
pub(crate) fn install() -> Result<()> {
    let said = output(program("git").args(["rev-parse", "--git-path", "hooks/pre-commit"]))?;
    let path = root().join(said.trim_end());
    if fs::read_to_string(&path).is_ok_and(|there| there != HOOK) {
        bail!("{} exists; add `cargo xtask quick` to it yourself", path.display());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, HOOK).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    println!("each commit runs `cargo xtask quick`; `git commit --no-verify` does without");
    Ok(())
}
