//! What cargo knows of the workspace and of all that it depends on.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{cargo, output};

/// What cargo knows.
pub(crate) struct Metadata(Value);

impl Metadata {
    /// Asks cargo.
    pub(crate) fn ask() -> Result<Self> {
        let said = output(cargo("metadata").args(["--format-version", "1"]))?;
        Ok(Self(serde_json::from_str(&said).context("cargo metadata printed no JSON")?))
    }

    #[cfg(test)]
    pub(crate) fn of(value: Value) -> Self {
        Self(value)
    }

    /// Returns every package: ours, and all that we depend on.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Value> {
        list(&self.0, "packages")
    }

    /// Returns our own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Value> {
        let members = &self.0["workspace_members"];
        self.packages().filter(|package| {
            members.as_array().is_some_and(|members| members.contains(&package["id"]))
        })
    }

    /// Returns where cargo puts what it builds.
    pub(crate) fn target_folder(&self) -> PathBuf {
        PathBuf::from(text(&self.0, "target_directory"))
    }

    /// Returns the names of our integration tests, as `--test` takes them.
    pub(crate) fn integration_tests(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .members()
            .flat_map(|package| list(package, "targets"))
            .filter(|target| list(target, "kind").any(|kind| kind == "test"))
            .map(|target| text(target, "name"))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Returns the text at `key`, or none of it.
pub(crate) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Returns the items of the list at `key`.
pub(crate) fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_known() {
        let metadata = Metadata::ask().unwrap();
        let members: Vec<&str> = metadata.members().map(|package| text(package, "name")).collect();
        assert!(members.contains(&"xtask") && members.contains(&"onesql"), "{members:?}");
        assert!(metadata.integration_tests().contains(&"store"));
        assert!(metadata.packages().count() > members.len());
    }
}
