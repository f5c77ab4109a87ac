//! The silent failures of section 9 of the operations page, one test each: the fault is injected into
//! the running program, and the finding has to come, within the time that is stated.
//!
//! One file per family of checks; each test says its row.

mod configuration;
mod database;
mod dns;
mod keys;
mod mail;
mod relay;

use serde_json::Value;

use crate::support::Program;

/// What `authshield preflight` said.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) status: Option<i32>,
    pub(crate) report: Value,
    pub(crate) said: String,
}

impl Gate {
    /// Asks `program`, with these arguments besides `preflight --json`.
    pub(crate) async fn of(program: &Program, arguments: &[&str]) -> Self {
        let all = [&["preflight", "--json"], arguments].concat();
        let done = program.run(&all).await;
        let report = serde_json::from_str(&done.out).unwrap_or_else(|error| {
            panic!("{error}: {done:?}");
        });
        Self { status: done.status, report, said: format!("{}{}", done.out, done.err) }
    }

    /// Returns what became of the check `id`.
    #[track_caller]
    pub(crate) fn finding(&self, id: &str) -> &Value {
        let checks = self.report["checks"].as_array().unwrap();
        checks.iter().find(|it| it["id"] == id).unwrap_or_else(|| panic!("no {id} in {self:#?}"))
    }

    /// Fails unless the check `id` ended with `status` and everything it says contains `words`.
    #[track_caller]
    pub(crate) fn has(&self, id: &str, status: &str, words: &[&str]) -> &Self {
        let finding = self.finding(id);
        assert_eq!(finding["status"], status, "{finding:#}");
        let text = finding.to_string();
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {finding:#}");
        }
        self
    }

    /// Fails unless it ended with this status.
    #[track_caller]
    pub(crate) fn ends(&self, status: i32) -> &Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        assert_eq!(self.report["exit_status"], status);
        self
    }
}
