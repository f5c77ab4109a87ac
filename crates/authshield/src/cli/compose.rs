//! `authshield compose`: what is dangerous in a compose file.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Global};
use crate::compose::{self, Severity};

/// What to do with compose files.
#[derive(Subcommand)]
pub(super) enum Compose {
    /// Says what loses or opens accounts in a compose file; fails if anything does.
    Check {
        /// Which.
        #[arg(default_value = "compose.yaml")]
        file: PathBuf,
    },
}

pub(super) fn run(global: &Global, command: Compose) -> Result<(), Failure> {
    let Compose::Check { file } = command;
    let place = file.display();
    let text = std::fs::read_to_string(&file)
        .map_err(|error| Failure::Failed(format!("cannot read {place}: {error}")))?;
    let findings = compose::check(&text)
        .map_err(|error| Failure::Failed(format!("{place} is no compose file: {error}")))?;
    let failures = findings.iter().filter(|finding| finding.severity == Severity::Failure).count();
    if global.json {
        println!("{}", json!({ "findings": findings, "failures": failures }));
    } else {
        for finding in &findings {
            let severity = match finding.severity {
                Severity::Failure => "FAIL",
                Severity::Warning => "warn",
            };
            println!("{severity} {} [{}] {}", finding.service, finding.id, finding.message);
        }
        let warnings = findings.len() - failures;
        println!("{place}: {failures} failures, {warnings} warnings.");
    }
    if failures > 0 {
        return Err(Failure::Failed(format!("{place} loses or opens accounts")));
    }
    Ok(())
}
