//! What keeps a server from starting: what would make it wrong or unsafe to serve. An outage of the
//! relay or of Redis does not; it is found by the runner, a moment later.

use std::sync::Arc;
use std::time::Duration;

use super::check::Entry;
use super::finding::{Finding, Status};
use super::policy::Overrides;
use super::round::Subject;
use super::run::{Occasion, Plan, run};

/// How long looking may hold up the start.
const DEADLINE: Duration = Duration::from_secs(20);

/// The server must not start. One line: every reason, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(Finding::line).collect::<Vec<_>>().join("; "))]
pub struct Refusal(pub Vec<Finding>);

/// How long the public address may hold up a server that listens.
const ONCE_LISTENING: Duration = Duration::from_secs(12);

/// Runs what can keep a server from starting, and says so if something does.
pub async fn at_start(
    checks: &[Entry],
    subject: &Arc<Subject>,
    overrides: &Overrides,
) -> Result<(), Refusal> {
    let chosen = overrides.words();
    if !chosen.is_empty() {
        tracing::info!(policy = chosen, "the policy of some checks is not their own");
    }
    let mut checks = checks.to_vec();
    checks.retain(|entry| !entry.about.listening);
    look(&checks, subject, overrides, DEADLINE).await
}

/// The same for what could not be looked at before somebody listened. It is not ready until this is
/// over; what could not be tried, because the way to the public address does not lead here yet, keeps
/// nobody.
pub async fn once_listening(
    checks: &[Entry],
    subject: &Arc<Subject>,
    overrides: &Overrides,
) -> Result<(), Refusal> {
    let mut checks = checks.to_vec();
    checks.retain(|entry| entry.about.listening);
    look(&checks, subject, overrides, ONCE_LISTENING).await
}

async fn look(
    checks: &[Entry],
    subject: &Arc<Subject>,
    overrides: &Overrides,
    deadline: Duration,
) -> Result<(), Refusal> {
    let plan = Plan::new(Occasion::Start, overrides.clone(), deadline);
    let findings = run(checks, subject, &plan).await;
    let (bad, fine): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| matches!(finding.status, Status::Fail | Status::Error));
    if !bad.is_empty() {
        return Err(Refusal(bad));
    }
    for finding in fine.iter().filter(|finding| finding.status == Status::Warn) {
        // What reading the configuration found was said when it was read.
        if !finding.id.starts_with("CFG-") {
            tracing::warn!(check = finding.id, "{}", finding.line());
        }
    }
    tracing::debug!(checks = fine.len(), "looked at what could keep the server from starting");
    Ok(())
}
