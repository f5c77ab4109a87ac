//! The silent failures of section 9 of the operations page, one test each: the fault is injected into
//! the running program, and the finding has to come, within the time that is stated.
//!
//! One file per family of checks; each test says its row.

mod canary;
mod configuration;
mod database;
mod dns;
mod keys;
mod mail;
mod providers;
mod redis;
mod relay;
mod runner;
mod web;

use std::time::Duration;

use onesql::{Options, Store};
use serde_json::Value;

use crate::support::program::free_port;
use crate::support::{Client, Program, Server, wait_until};

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

/// A server that looks all the time, and what it tells about it.
pub(crate) struct Watched {
    pub(crate) program: Program,
    pub(crate) server: Server,
    operators: Client,
}

impl Watched {
    /// Starts `program`, which looks five times a second.
    pub(crate) async fn serve(program: Program) -> Self {
        let port = free_port();
        let program = program
            .set("checks.interval", "200ms")
            .set("admin_listen", &format!("127.0.0.1:{port}"));
        let server = program.serve().await;
        Self { program, server, operators: Client::new(port) }
    }

    /// Returns the value of a metric; `name` with its labels.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.operators.get("/metrics").await?.text;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok())
    }

    /// Returns what is believed of the check `id`, as alerts see it.
    pub(crate) async fn status(&self, id: &str) -> Option<i64> {
        let value = self.metric(&format!("authshield_check_status{{check=\"{id}\"}}")).await?;
        #[expect(clippy::cast_possible_truncation, reason = "it is 0 to 3")]
        Some(value as i64)
    }

    /// Waits until `status` is believed of the check `id`: 0 good, 1 warned, 2 bad, 3 unknown.
    pub(crate) async fn until(&self, id: &str, status: i64) {
        let what = format!("{id} is {status}; {}", self.server.stdout());
        wait_until(&what, Duration::from_secs(40), async || {
            (self.status(id).await == Some(status)).then_some(())
        })
        .await;
    }

    /// Waits until the events of checks are these, oldest first.
    pub(crate) async fn until_events(&self, expected: &[&str]) {
        let what = format!("{expected:?} stand in the audit trail");
        wait_until(&what, Duration::from_secs(20), async || {
            (self.events().await == expected).then_some(())
        })
        .await;
    }

    /// Returns the events of checks, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let store =
            Store::open(&Options::parse(&self.program.database_url).unwrap()).await.unwrap();
        let rows: Vec<(String, String)> = store
            .glance()
            .await
            .unwrap()
            .query(
                "SELECT code, reason FROM audit_events
                 WHERE code IN ('CHECK_FAILED', 'CHECK_RECOVERED') ORDER BY id",
            )
            .all()
            .await
            .unwrap();
        rows.into_iter().map(|(code, check)| format!("{code}/{check}")).collect()
    }
}
