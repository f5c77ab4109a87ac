//! Looks again and again, for as long as the service runs.
//!
//! ```text
//! run ─ what is due, family by family; between two looks it sleeps
//!     lease          of what one node looks at for all: is it this one?
//!     run::run       the checks
//!     Board::note    two bad results to go bad, two good ones to recover  (rules, pure)
//!     store          results for the other nodes, changes, and their audit events: one transaction
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Change, Row};
use super::check::{Entry, Scope};
use super::finding::{Finding, Status};
use super::policy::Overrides;
use super::round::Subject;
use super::run::{Occasion, Plan};
use super::sql;
use super::standing::Standing;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::ChangeId;
use crate::leases;
use crate::problem::chain;
use crate::world::World;

/// How long a round of one family may take.
const DEADLINE: Duration = Duration::from_mins(2);
/// How soon somebody looks again where a result spoke against what is believed.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a node looks on behalf of all before it has to ask again, at most.
const LEASE: Duration = Duration::from_mins(1);
/// How often a node asks what another found out for all.
const ASK: Duration = Duration::from_secs(20);
/// How many changes wait for a database that does not answer; more are in the log alone.
const WAIT_AT_MOST: usize = 200;

/// Looks until `stop`. `subject` is the service `app`.
pub async fn run(app: App, subject: Arc<Subject>, overrides: Overrides, stop: CancellationToken) {
    let mut runner = Runner::new(app, subject, overrides);
    runner.app.checks.begin(runner.app.world.now());
    loop {
        runner.begin_what_is_due();
        let next = runner.next_look();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(next.into()) => {}
            Some(ended) = runner.rounds.join_next_with_id() => runner.end(ended).await,
        }
    }
}

/// What a round of one family came to.
struct Round {
    /// Findings of this node.
    findings: Vec<Finding>,
    /// Whether this node looks on behalf of all.
    leads: bool,
}

struct Runner {
    app: App,
    subject: Arc<Subject>,
    overrides: Overrides,
    /// When each check is looked at next.
    due: BTreeMap<&'static str, Instant>,
    rounds: JoinSet<Round>,
    /// The checks of the rounds that are under way.
    under_way: BTreeMap<tokio::task::Id, Vec<Row>>,
    waiting: Vec<Change>,
}

impl Runner {
    fn new(app: App, subject: Arc<Subject>, overrides: Overrides) -> Self {
        let now = Instant::now();
        let rows = app.checks.rows(app.world.now());
        let due = rows.iter().map(|row| (row.entry.about.id, now)).collect();
        let (rounds, under_way) = (JoinSet::new(), BTreeMap::new());
        Self { app, subject, overrides, due, rounds, under_way, waiting: Vec::new() }
    }

    fn board(&self) -> &Board {
        &self.app.checks
    }

    /// Returns when something is due of what is not being looked at.
    fn next_look(&self) -> Instant {
        let busy: Vec<_> =
            self.under_way.values().flatten().map(|row| row.entry.about.family()).collect();
        let free = self.due.iter().filter(|(id, _)| {
            let family = id.split('-').next().unwrap_or(id);
            !busy.contains(&family)
        });
        let next = free.map(|(_, at)| *at).min();
        next.unwrap_or_else(|| Instant::now() + Duration::from_secs(1))
    }

    /// Begins a round for each family of which something is due.
    fn begin_what_is_due(&mut self) {
        let now = Instant::now();
        let rows = self.board().rows(self.app.world.now());
        let busy: Vec<_> =
            self.under_way.values().flatten().map(|row| row.entry.about.family()).collect();
        let mut families: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for row in &rows {
            let about = row.entry.about;
            if self.due.get(about.id).is_some_and(|at| *at <= now)
                && !busy.contains(&about.family())
            {
                families.entry(about.family()).or_default().push(row.clone());
            }
        }
        for due in families.into_values() {
            let (app, subject) = (self.app.clone(), Arc::clone(&self.subject));
            let plan = Plan::new(Occasion::Running, self.overrides.clone(), DEADLINE);
            let (entries, known) = (due.iter().map(|row| row.entry).collect(), rows.clone());
            let task = self.rounds.spawn(look(app, subject, plan, entries, known));
            self.under_way.insert(task.id(), due);
        }
    }

    /// Takes in what a round found, and decides when to look again.
    async fn end(&mut self, ended: Result<(tokio::task::Id, Round), tokio::task::JoinError>) {
        let (task, round) = match ended {
            Ok((task, round)) => (task, round),
            Err(error) => {
                tracing::error!(%error, "a round of checks ended before its time");
                (error.id(), Round { findings: Vec::new(), leads: false })
            }
        };
        let looked_at = self.under_way.remove(&task).unwrap_or_default();
        let now = self.app.world.now();
        let changes: Vec<_> = round
            .findings
            .iter()
            .filter_map(|finding| self.board().note(finding.clone(), now))
            .collect();
        changes.iter().for_each(tell);
        self.waiting.extend(changes);
        self.waiting.truncate(WAIT_AT_MOST);
        let service = |finding: &&Finding| {
            let of = |row: &&Row| row.entry.about.id == finding.id;
            looked_at.iter().find(of).is_some_and(|row| row.entry.about.scope == Scope::Service)
        };
        let shared: Vec<_> = round.findings.iter().filter(service).cloned().collect();
        if (round.leads && !shared.is_empty()) || !self.waiting.is_empty() {
            let kept = keep(&self.app, &self.waiting, if round.leads { &shared } else { &[] });
            match kept.await {
                Ok(()) => self.waiting.clear(),
                // What it is about is most likely the database itself, and stands in the log.
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "results of checks wait for the database");
                }
            }
        }
        self.board().export(&self.app.metrics, now);
        self.plan_next(&looked_at, &round);
    }

    fn plan_next(&mut self, looked_at: &[Row], round: &Round) {
        let now = Instant::now();
        let share = chance(&*self.app.world);
        let rows = self.board().rows(self.app.world.now());
        for row in looked_at {
            let id = row.entry.about.id;
            let doubt = rows.iter().any(|row| row.entry.about.id == id && row.track.in_doubt());
            let every = if row.entry.about.scope == Scope::Service && !round.leads {
                row.every.min(ASK)
            } else if doubt {
                row.every.min(AGAIN)
            } else {
                row.every
            };
            // A tenth earlier or later, so that nodes and checks do not march in step.
            self.due.insert(id, now + every.mul_f64(0.9 + 0.2 * share));
        }
    }
}

/// Looks at `entries`, of one family: those of the service only if this node leads.
async fn look(
    app: App,
    subject: Arc<Subject>,
    plan: Plan,
    entries: Vec<Entry>,
    known: Vec<Row>,
) -> Round {
    let shared = entries.iter().any(|entry| entry.about.scope == Scope::Service);
    let leads = !shared || leads(&app).await;
    let mine: Vec<_> =
        entries.iter().filter(|entry| leads || entry.about.scope == Scope::Node).copied().collect();
    if !leads {
        adopt(&app).await;
    }
    // A parent of another family, or one that is not due, is as it was last seen.
    let (sensible, senseless): (Vec<Entry>, Vec<Entry>) = mine.iter().partition(|entry| {
        let missing = |parent: &&&str| !mine.iter().any(|other| other.about.id == **parent);
        let bad = |parent: &&str| {
            let row = known.iter().find(|row| row.entry.about.id == *parent);
            let last = row.and_then(|row| row.finding.as_ref());
            last.is_some_and(|seen| matches!(seen.status, Status::Fail | Status::Error))
        };
        !entry.about.parents.iter().filter(missing).any(bad)
    });
    let mut findings = super::run::run(&sensible, &subject, &plan).await;
    findings.extend(senseless.iter().map(|entry| {
        let policy = plan.overrides.apply(entry.about.id, entry.about.policy);
        let verdict = super::finding::Verdict::skip("something that it rests on is bad");
        Finding::new(entry.about, policy, verdict, Duration::ZERO, str::to_owned)
    }));
    Round { findings, leads }
}

/// Whether this node looks on behalf of all. Without the database each looks for itself.
async fn leads(app: &App) -> bool {
    let often = app.config.checks.interval.unwrap_or(LEASE);
    let length = (often * 10).clamp(Duration::from_secs(2), LEASE);
    leases::take(app, "checks", length).await.unwrap_or(true)
}

/// Takes over what the leading node found out.
async fn adopt(app: &App) {
    match sql::results(&app.store).await {
        Ok(results) => {
            for result in results {
                let rows = app.checks.rows(app.world.now());
                let row = rows.iter().find(|row| row.entry.about.id == result.check_id);
                let finding = row.and_then(|row| {
                    Finding::from_stored(row.entry.about, row.policy, &result.finding.0)
                });
                if let Some(finding) = finding {
                    let (standing, at) = (result.standing, result.checked_at);
                    app.checks.adopt(&result.check_id, standing, result.since, at, finding);
                }
            }
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "results of another node could not be read");
        }
    }
}

/// Writes down results for the other nodes, and what changed with its audit event.
async fn keep(app: &App, changes: &[Change], shared: &[Finding]) -> onesql::Result<()> {
    let mut tx = app.store.write().await?;
    let (now, node) = (app.world.now(), app.checks.node);
    let rows = app.checks.rows(now);
    for finding in shared {
        let Some(row) = rows.iter().find(|row| row.entry.about.id == finding.id) else { continue };
        sql::note_result(&mut tx, row, finding, node, now).await?;
    }
    for change in changes {
        let about = change.entry.about;
        let ctx = Ctx::command_at(Arc::clone(&app.world), change.at);
        if !sql::insert_change(&mut tx, ChangeId::new(ctx.world()), change, node).await? {
            continue;
        }
        let seconds = change.since.map_or(0, |since| change.at.since(since).as_secs());
        let event = match change.became {
            Standing::Bad => Event::CheckFailed {
                check: about.id,
                expected: change.finding.expected,
                observed: change.finding.observed.clone(),
                evidence: change.finding.evidence.clone(),
                node,
            },
            _ if change.recovered => Event::CheckRecovered {
                check: about.id,
                observed: change.finding.observed.clone(),
                seconds,
                node,
            },
            _ => continue,
        };
        audit::record(&mut tx, app, &ctx, &event).await?;
    }
    tx.commit().await
}

/// Says what changed.
fn tell(change: &Change) {
    let Change { entry, was, became, finding, .. } = change;
    let (check, was, now) = (entry.about.id, was.as_str(), became.as_str());
    let page = finding.policy.running == super::policy::Act::Page;
    let line = finding.line();
    match became {
        Standing::Bad => tracing::error!(check, was, now, page, "{line}"),
        Standing::Unknown => tracing::error!(check, was, now, "{line}"),
        Standing::Warned => tracing::warn!(check, was, now, "{line}"),
        Standing::Good if was != "unknown" => tracing::info!(check, was, now, "{line}"),
        Standing::Good | Standing::Idle => tracing::debug!(check, was, now, "{line}"),
    }
}

/// Returns a number from 0 to 1.
fn chance(world: &dyn World) -> f64 {
    let mut byte = [0];
    world.fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
