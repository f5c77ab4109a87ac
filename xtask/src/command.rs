//! Other programs: where they are, and how they are run.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Returns the folder of the workspace.
pub(crate) fn root() -> PathBuf {
    // `cargo run` says where we are now; the path known when this was built may be another's.
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().expect("xtask is a folder of the workspace").to_owned()
}

/// Returns the value of an environment variable, unless it is missing, empty or not text.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty())
}

/// Returns a cargo to be run in the workspace, without the variables of the cargo that runs us: they
/// would make it build things anew.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut cargo = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(subcommand);
    if variable("CI").is_some() && subcommand != "fmt" {
        cargo.arg("--locked");
    }
    cargo
}

/// Returns a program to be run in the workspace.
pub(crate) fn program(name: impl Into<OsString>) -> Command {
    let mut command = Command::new(name.into());
    command.current_dir(root());
    #[expect(clippy::disallowed_methods, reason = "to forget it, not to read it")]
    for (variable, _) in env::vars_os() {
        let name = variable.to_string_lossy();
        let ours = ["CARGO_MANIFEST", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];
        if ours.iter().any(|prefix| name.starts_with(prefix))
            || ["CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH"].contains(&&*name)
        {
            command.env_remove(&variable);
        }
    }
    command
}

/// Runs `command` to its end; that it failed is an error.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let words = words(command);
    let status = command.status().with_context(|| format!("cannot start `{words}`"))?;
    if !status.success() {
        bail!("`{words}` failed ({status})");
    }
    Ok(())
}

/// Runs `command` to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let words = words(command);
    let output = command.output().with_context(|| format!("cannot start `{words}`"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("`{words}` failed ({}): {}", output.status, why.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{words}` printed no text"))
}

/// Returns whether `command` can be run and succeeds; what it prints is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Returns the command as one would type it.
fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Finds a program on the `PATH`, or where administrators' programs are.
pub(crate) fn found(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

/// Returns whether `file` can be run.
pub(crate) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_found() {
        assert!(root().join("Cargo.lock").is_file());
        assert!(found("sh").is_some());
        assert_eq!(found("no-such-program"), None);
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = must(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().starts_with("`sh -c exit 3` failed"), "{error}");
        let error = output(Command::new("sh").args(["-c", "echo why >&2; false"])).unwrap_err();
        assert!(error.to_string().ends_with("why"), "{error}");
    }
}
