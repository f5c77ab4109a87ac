//! What is dangerous in a compose file: `authshield compose check FILE`.
//!
//! Compose does what it is told, and `down -v` takes every named volume with it. What is looked for
//! here are the ways in which an installation was lost or opened before.

mod rules;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub use rules::judge;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It could be better.
    Warning,
    /// It loses accounts, or opens them.
    Failure,
}

/// One thing that is dangerous in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule found it.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// In which service; none when it is about the file.
    pub service: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// The text is no compose file.
#[derive(Debug, thiserror::Error)]
pub enum NotCompose {
    /// It is no YAML.
    #[error("it is not YAML: {0}")]
    Yaml(String),
    /// It has no services.
    #[error("it has no `services`")]
    NoServices,
}

/// Reads a compose file and says what is dangerous in it, the worst first.
pub fn check(text: &str) -> Result<Vec<Finding>, NotCompose> {
    let file: Value =
        serde_saphyr::from_str(text).map_err(|error| NotCompose::Yaml(error.to_string()))?;
    if !file["services"].is_object() {
        return Err(NotCompose::NoServices);
    }
    let mut findings = judge(&file);
    findings.sort_by(|one, other| {
        other.severity.cmp(&one.severity).then_with(|| one.service.cmp(&other.service))
    });
    Ok(findings)
}
