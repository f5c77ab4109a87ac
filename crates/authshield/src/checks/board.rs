//! What is believed at present, for whoever asks: health, metrics, operators.

use std::sync::Mutex;
use std::time::Duration;

use super::check::{Entry, Scope};
use super::finding::Finding;
use super::policy::{Act, Overrides, Policy};
use super::rules::Track;
use super::standing::Standing;
use crate::config::Config;
use crate::kernel::{NodeId, Timestamp};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Check as CheckLabel, CheckPolicy};
use crate::world::World;

/// After how many intervals without a result nobody knows any more.
const MISSED: u32 = 3;

/// What is believed of every check that is repeated.
#[derive(Debug)]
pub struct Board {
    /// The name of this node.
    pub node: NodeId,
    rows: Mutex<Vec<Row>>,
    /// When looking began; nothing is stale before.
    began: Mutex<Option<Timestamp>>,
}

/// What is believed of one check.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub entry: Entry,
    /// What a bad result means.
    pub policy: Policy,
    /// How often it is looked at.
    pub every: Duration,
    /// What is believed.
    pub track: Track,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When it was looked at last.
    pub checked_at: Option<Timestamp>,
    /// What was seen then, redacted.
    pub finding: Option<Finding>,
    /// Whether a failure was reported and no recovery since.
    pub reported: bool,
}

/// A belief that changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// Of which check.
    pub entry: Entry,
    /// What was believed.
    pub was: Standing,
    /// What is believed.
    pub became: Standing,
    /// When.
    pub at: Timestamp,
    /// Since when the former was believed.
    pub since: Option<Timestamp>,
    /// What was seen.
    pub finding: Finding,
    /// Whether it is the end of a failure that was reported.
    pub recovered: bool,
}

impl Board {
    /// Returns the board of a node that has not looked at anything yet.
    #[must_use]
    pub fn new(
        entries: &[Entry],
        config: &Config,
        overrides: &Overrides,
        world: &dyn World,
    ) -> Self {
        let row = |entry: &Entry| {
            let policy = overrides.apply(entry.about.id, entry.about.policy);
            let every = entry.about.every.filter(|_| policy.running != Act::Nothing)?;
            Some(Row {
                entry: *entry,
                policy,
                every: config.checks.interval.unwrap_or(every),
                track: Track::at(Standing::Unknown),
                since: None,
                checked_at: None,
                finding: None,
                reported: false,
            })
        };
        let rows = Mutex::new(entries.iter().filter_map(row).collect());
        Self { node: NodeId::new(world), rows, began: Mutex::default() }
    }

    /// Says that from now on somebody looks.
    pub fn begin(&self, now: Timestamp) {
        *self.began.lock().expect("nobody panics while noting the time") = Some(now);
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Row>) -> T) -> T {
        work(&mut self.rows.lock().expect("nobody panics while holding the board"))
    }

    /// Returns what is believed of every check now: what was not looked at for too long is unknown,
    /// also if whoever looks is gone.
    #[must_use]
    pub fn rows(&self, now: Timestamp) -> Vec<Row> {
        let began = *self.began.lock().expect("nobody panics while noting the time");
        let mut rows = self.with(|rows| rows.clone());
        for row in &mut rows {
            let last = row.checked_at.max(began);
            if last.is_some_and(|last| now.since(last) > row.every * MISSED) {
                row.track = Track::at(Standing::Unknown);
            }
        }
        rows
    }

    /// Returns what is wrong at present.
    #[must_use]
    pub fn bad(&self, now: Timestamp) -> Vec<Row> {
        let mut rows = self.rows(now);
        rows.retain(|row| row.track.standing == Standing::Bad);
        rows
    }

    /// Takes down a result, and returns the change if it made one.
    pub fn note(&self, finding: Finding, now: Timestamp) -> Option<Change> {
        self.with(|rows| {
            let row = rows.iter_mut().find(|row| row.entry.about.id == finding.id)?;
            let was = row.track.standing;
            row.track = row.track.after(Standing::of(finding.status, row.policy.running));
            let (became, since) = (row.track.standing, row.since);
            row.checked_at = Some(now);
            row.finding = Some(finding.clone());
            if was == became {
                row.since = row.since.or(Some(now));
                return None;
            }
            row.since = Some(now);
            let better = matches!(became, Standing::Good | Standing::Warned);
            let recovered = row.reported && better;
            row.reported = became == Standing::Bad || (row.reported && !recovered);
            let entry = row.entry;
            Some(Change { entry, was, became, at: now, since, finding, recovered })
        })
    }

    /// Takes over what another node found out for all.
    pub fn adopt(
        &self,
        id: &str,
        standing: Standing,
        since: Timestamp,
        at: Timestamp,
        finding: Finding,
    ) {
        self.with(|rows| {
            let Some(row) = rows.iter_mut().find(|row| row.entry.about.id == id) else { return };
            if row.entry.about.scope != Scope::Service || row.checked_at >= Some(at) {
                return;
            }
            if row.track.standing != standing {
                row.track = Track::at(standing);
            }
            row.since = Some(since);
            row.checked_at = Some(at);
            row.reported = standing == Standing::Bad;
            row.finding = Some(finding);
        });
    }

    /// Brings the metrics up to date.
    pub fn export(&self, metrics: &Metrics, now: Timestamp) {
        let begun = self.began.lock().expect("nobody panics while noting the time").is_some();
        for row in self.rows(now) {
            let check = row.entry.about.id;
            let label = CheckLabel { check };
            let policy = CheckPolicy {
                check,
                gate: row.policy.gate.as_str(),
                start: row.policy.start.as_str(),
                running: row.policy.running.as_str(),
            };
            metrics.check_policy.get_or_create(&policy).set(1);
            // A check that nobody has looked at yet is not unknown before its time is over.
            let fresh = row.checked_at.is_none() && row.track == Track::at(Standing::Unknown);
            let waits = fresh && !self.is_overdue(&row, now);
            match row.track.standing.metric().filter(|_| begun && !waits) {
                Some(value) => drop(metrics.check_status.get_or_create(&label).set(value)),
                None => drop(metrics.check_status.remove(&label)),
            }
            if let Some(at) = row.checked_at {
                #[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
                let seconds = at.as_microsecond() as f64 / 1e6;
                metrics.check_last_run_timestamp.get_or_create(&label).set(seconds);
            }
            if let Some(finding) = &row.finding {
                metrics.check_duration.get_or_create(&label).set(finding.duration_ms / 1000.0);
            }
        }
    }

    fn is_overdue(&self, row: &Row, now: Timestamp) -> bool {
        let began = *self.began.lock().expect("nobody panics while noting the time");
        began.is_some_and(|began| now.since(began) > row.every * MISSED)
    }
}
