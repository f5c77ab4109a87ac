//! Whether a step of a cell has become worse, and since which mail.
//!
//! What is normal is what the same hours of the last four weeks were like; where too little is known of
//! those, what the other cells are like.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onesql::Result;

use super::arithmetic::{Cusum, Moments, real};
use super::rollup::{WINDOW, window_of};
use super::sql::{self, Alarm, Slice};
use super::{Cell, Sums, natural};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::Timestamp;

/// How far back a change is looked for.
const LOOK_BACK: Duration = Duration::from_hours(6);

/// How long a recipient is left to use a link before it counts as unused.
const TO_CONFIRM: Duration = Duration::from_hours(1);

/// How many weeks are normal, and how many messages make one able to say what is.
const WEEKS: u32 = 4;
const ENOUGH_KNOWN: u64 = 50;

/// What the other cells weigh in what is normal, in messages; and what nothing at all says: two of a
/// hundred fail.
const OTHERS: f64 = 20.0;
const FAIL: f64 = 0.02;

/// A step of the way of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The relay, or the server behind it, takes it.
    Accept,
    /// It does not come back.
    Deliver,
    /// Its link is used.
    Confirm,
    /// It is under way no longer than it should.
    Latency,
}

impl Step {
    const ALL: [Self; 4] = [Self::Accept, Self::Deliver, Self::Confirm, Self::Latency];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Deliver => "deliver",
            Self::Confirm => "confirm",
            Self::Latency => "latency",
        }
    }

    /// Returns the name of a step that the database has.
    pub(super) fn known(name: &str) -> &'static str {
        Self::ALL.map(Self::as_str).into_iter().find(|known| *known == name).unwrap_or("other")
    }

    /// Returns how many messages failed at this step, and of how many that is known.
    fn failures(self, sums: &Sums) -> (u64, u64) {
        let (failed, of) = match self {
            Self::Accept => {
                let failed = sums.failed + sums.expired + sums.held;
                (failed, failed + sums.accepted)
            }
            Self::Deliver => (sums.bounced, sums.bounced + sums.delivered),
            Self::Confirm => (sums.accepted - sums.confirmed, sums.accepted),
            Self::Latency => (0, 0),
        };
        (natural(failed), natural(of.max(failed)))
    }
}

/// What is normal for a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Normal {
    Share(f64),
    Time(Moments),
}

/// What a step of a cell has become.
#[derive(Debug, Clone, PartialEq)]
struct Finding {
    step: Step,
    /// Since which window.
    since: Timestamp,
    normal: f64,
    observed: f64,
}

/// Looks at every cell, and writes down what changed.
pub(super) async fn watch(app: &App) -> Result<()> {
    let ctx = Ctx::command(Arc::clone(&app.world));
    let (from, to) = (window_of(ctx.now - LOOK_BACK), window_of(ctx.now) + WINDOW);
    let mut tx = app.store.glance().await?;
    let recent = sql::windows(&mut tx, from, to).await?;
    let mut usual: BTreeMap<Cell, Sums> = BTreeMap::new();
    for week in 1..=WEEKS {
        let ago = Duration::from_hours(24 * 7) * week;
        for total in sql::totals(&mut tx, from - ago, to - ago).await? {
            usual.entry(total.cell).or_default().add(&total.sums);
        }
    }
    let standing = sql::alarms(&mut tx).await?;
    drop(tx);

    let mut cells: BTreeMap<Cell, Vec<Slice>> = BTreeMap::new();
    for window in recent {
        cells.entry(window.cell.clone()).or_default().push(window);
    }
    let mut found = Vec::new();
    for (cell, windows) in &cells {
        let others = others(&cells, cell);
        let known = usual.get(cell).copied().unwrap_or_default();
        for finding in judge(windows, &known, &others, ctx.now) {
            found.push((cell.clone(), finding));
        }
    }
    for (cell, finding) in &found {
        let stands =
            standing.iter().any(|alarm| alarm.cell == *cell && alarm.step == finding.step.as_str());
        if !stands {
            raise(app, &ctx, cell, finding).await?;
        }
    }
    for alarm in standing {
        let stands = found
            .iter()
            .any(|(cell, finding)| *cell == alarm.cell && finding.step.as_str() == alarm.step);
        if !stands {
            end(app, &ctx, &alarm).await?;
        }
    }
    Ok(())
}

/// Adds up what the cells of the same kind that are not `cell` were like lately.
fn others(cells: &BTreeMap<Cell, Vec<Slice>>, cell: &Cell) -> Sums {
    let mut sums = Sums::default();
    let alike = cells.iter().filter(|(other, _)| *other != cell && other.kind == cell.kind);
    alike.flat_map(|(_, windows)| windows).for_each(|window| sums.add(&window.sums));
    sums
}

/// Judges one cell, of whose usual weeks and of whose like so much is known. Pure.
fn judge(windows: &[Slice], usual: &Sums, others: &Sums, now: Timestamp) -> Vec<Finding> {
    let judged = Step::ALL.into_iter().filter_map(|step| {
        let normal = normal(step, usual, others)?;
        let ripe = windows.iter().filter(|window| {
            step != Step::Confirm || window.window_at + WINDOW + TO_CONFIRM <= now
        });
        let windows: Vec<_> = ripe.collect();
        let mut evidence = Cusum::START;
        for (number, window) in windows.iter().enumerate() {
            evidence = match normal {
                Normal::Share(share) => {
                    let seen = step.failures(&window.sums);
                    evidence.share(number, seen, share, too_many(step, share))
                }
                Normal::Time(times) => {
                    let seen = time(&window.sums);
                    if seen.count > 0.0 {
                        evidence.mean(number, seen, times.mean(), deviation(times))
                    } else {
                        evidence
                    }
                }
            };
        }
        let begun = evidence.changed()?;
        let mut since = Sums::default();
        windows[begun..].iter().for_each(|window| since.add(&window.sums));
        let (normal, observed) = match normal {
            Normal::Share(share) => {
                let (failed, of) = step.failures(&since);
                (share, real(failed) / real(of.max(1)))
            }
            Normal::Time(times) => (times.mean().exp(), time(&since).mean().exp()),
        };
        Some(Finding { step, since: windows[begun].window_at, normal, observed })
    });
    judged.collect()
}

/// Returns what is normal for a step, or `None` where too little is known to say.
fn normal(step: Step, usual: &Sums, others: &Sums) -> Option<Normal> {
    if step == Step::Latency {
        let known = [time(usual), time(others)];
        let known = known.into_iter().find(|times| times.count >= real(ENOUGH_KNOWN));
        return known.map(Normal::Time);
    }
    let (failed, of) = step.failures(usual);
    let (other_failed, other_of) = step.failures(others);
    // How many links are used depends on people: only the past says how many it should be.
    if step == Step::Confirm && of < ENOUGH_KNOWN {
        return None;
    }
    let elsewhere =
        (real(other_failed) + FAIL * real(ENOUGH_KNOWN)) / (real(other_of) + real(ENOUGH_KNOWN));
    // If it is as bad elsewhere, something else than this cell is wrong; but bad is not normal.
    let elsewhere = if step == Step::Confirm { elsewhere } else { elsewhere.min(0.2) };
    let share = (real(failed) + elsewhere * OTHERS) / (real(of) + OTHERS);
    Some(Normal::Share(share.clamp(0.01, 0.9)))
}

/// Returns the share of failures that must not be, where `normal` is as it should be.
fn too_many(step: Step, normal: f64) -> f64 {
    match step {
        // Half of those who use their link as a rule do not.
        Step::Confirm => f64::midpoint(normal, 1.0),
        _ => (3.0 * normal).max(normal + 0.15).min(0.95),
    }
}

/// Returns how long mail was under way: to the mailbox where that is reported, else to the relay.
fn time(sums: &Sums) -> Moments {
    if sums.delivered > 0 { sums.deliver_times() } else { sums.accept_times() }
}

/// A tenth of a second more or less is no change, whatever the usual spread: half as long again is.
fn deviation(times: Moments) -> f64 {
    times.deviation().max(0.7)
}

async fn raise(app: &App, ctx: &Ctx, cell: &Cell, finding: &Finding) -> Result<()> {
    let mut tx = app.store.write().await?;
    let failed = match finding.step {
        Step::Accept => ["failed", "expired", "queued", "sending"],
        Step::Deliver => ["bounced"; 4],
        Step::Confirm | Step::Latency => ["accepted", "delivered", "deferred", "confirmed"],
    };
    let first = sql::first(&mut tx, cell, finding.since, failed).await?;
    let alarm = Alarm {
        cell: cell.clone(),
        step: finding.step.as_str().to_owned(),
        since: first.map_or(finding.since, |(_, at)| at),
        first_mail: first.map(|(mail, _)| mail),
        normal_permille: permille(finding.normal),
        observed_permille: permille(finding.observed),
    };
    if !sql::raise(&mut tx, &alarm).await? {
        return Ok(());
    }
    let event = Event::MailCellDegraded {
        provider: cell.provider.clone(),
        mailbox_provider: cell.mailbox_provider.clone(),
        kind: cell.kind.clone(),
        sender: cell.sender.clone(),
        step: finding.step.as_str(),
        normal_permille: alarm.normal_permille,
        observed_permille: alarm.observed_permille,
        since: alarm.since,
        first_mail: alarm.first_mail,
    };
    audit::record(&mut tx, app, ctx, &event).await?;
    tx.commit().await?;
    let Cell { provider, mailbox_provider, kind, sender } = cell;
    let step = finding.step.as_str();
    tracing::error!(
        provider, mailbox_provider, kind, sender, step, normal = finding.normal,
        observed = finding.observed, since = %alarm.since, "mail of one cell fares worse than it should"
    );
    Ok(())
}

async fn end(app: &App, ctx: &Ctx, alarm: &Alarm) -> Result<()> {
    let mut tx = app.store.write().await?;
    if !sql::end(&mut tx, alarm).await? {
        return Ok(());
    }
    let Cell { provider, mailbox_provider, kind, sender } = alarm.cell.clone();
    let (step, seconds) = (Step::known(&alarm.step), ctx.now.since(alarm.since).as_secs());
    tracing::info!(
        provider,
        mailbox_provider,
        kind,
        sender,
        step,
        "mail of one cell fares as it should again"
    );
    let event =
        Event::MailCellRecovered { provider, mailbox_provider, kind, sender, step, seconds };
    audit::record(&mut tx, app, ctx, &event).await?;
    tx.commit().await
}

/// A share in thousandths; of times, thousandths of a second.
#[expect(clippy::cast_possible_truncation, reason = "shares and seconds are small numbers")]
fn permille(value: f64) -> i64 {
    (value * 1000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(window: u64) -> Timestamp {
        Timestamp::from_microsecond(1_795_334_400_000_000) + WINDOW * u32::try_from(window).unwrap()
    }

    fn cell() -> Cell {
        let text = str::to_owned;
        Cell {
            provider: text("smtp"),
            mailbox_provider: text("microsoft"),
            kind: text("verify_email"),
            sender: text("example.org"),
        }
    }

    /// Returns windows of a cell, each with so many that were taken and so many that failed.
    fn windows(taken_and_failed: &[(i64, i64)]) -> Vec<Slice> {
        let window = |(number, (accepted, failed)): (u64, &(i64, i64))| Slice {
            window_at: at(number),
            cell: cell(),
            sums: Sums {
                messages: accepted + failed,
                accepted: *accepted,
                failed: *failed,
                ..Sums::default()
            },
        };
        (0..).zip(taken_and_failed).map(window).collect()
    }

    fn seen(
        taken_and_failed: &[(i64, i64)],
        usual: (i64, i64),
        others: (i64, i64),
    ) -> Vec<(Step, u64)> {
        let sums = |(accepted, failed)| Sums { accepted, failed, ..Sums::default() };
        let windows = windows(taken_and_failed);
        let found = judge(&windows, &sums(usual), &sums(others), at(72));
        let since =
            |finding: &Finding| (0..72).find(|window| at(*window) == finding.since).unwrap();
        found.iter().filter(|it| it.step == Step::Accept).map(|it| (it.step, since(it))).collect()
    }

    #[test]
    fn a_cell_that_begins_to_fail_is_found_with_the_window_in_which_it_began() {
        let found = Some((Step::Accept, 2));
        for (name, windows, usual, others, expected) in [
            ("all is well", vec![(20, 0), (20, 1), (20, 0)], (0, 0), (400, 8), None),
            ("it begins to refuse", vec![(20, 0), (20, 0), (0, 6)], (0, 0), (400, 8), found),
            ("two of three are no news", vec![(20, 0), (20, 0), (1, 2)], (0, 0), (400, 8), None),
            ("as bad as ever", vec![(16, 4), (16, 4), (16, 4)], (1600, 400), (400, 8), None),
            ("far worse than ever", vec![(16, 4), (16, 4), (2, 18)], (1600, 400), (400, 8), found),
            ("nothing", vec![], (0, 0), (0, 0), None),
        ] {
            let seen = seen(&windows, usual, others);
            assert_eq!(seen.first().copied(), expected, "{name}: {seen:?}");
        }
    }

    #[test]
    fn it_ends_when_mail_is_taken_again() {
        let mut course = vec![(20, 0), (0, 20)];
        assert_eq!(seen(&course, (0, 0), (400, 8)).len(), 1);
        course.extend([(20, 0); 8]);
        assert_eq!(seen(&course, (0, 0), (400, 8)), []);
    }

    #[test]
    fn mail_that_takes_longer_is_found_and_a_link_that_nobody_uses_once_they_had_time() {
        let sums = |count: i64, log: f64, confirmed: i64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "small numbers"
            )]
            let millionths = |value: f64| (value * count as f64 * 1e6) as i64;
            Sums {
                messages: count,
                accepted: count,
                confirmed,
                accept_logs: millionths(log),
                accept_squares: millionths(log * log + 0.25),
                ..Sums::default()
            }
        };
        let window = |number, sums| Slice { window_at: at(number), cell: cell(), sums };
        let usual = sums(500, 0.5, 400);
        let steps = |late: Sums, now| {
            let windows = [window(0, sums(20, 0.5, 16)), window(1, late), window(2, late)];
            let found = judge(&windows, &usual, &Sums::default(), now);
            found.into_iter().map(|finding| (finding.step, finding.since)).collect::<Vec<_>>()
        };
        assert_eq!(steps(sums(20, 0.5, 16), at(72)), []);
        assert_eq!(steps(sums(20, 3.0, 16), at(72)), [(Step::Latency, at(1))]);
        assert_eq!(steps(sums(20, 0.5, 2), at(72)), [(Step::Confirm, at(1))]);
        assert_eq!(steps(sums(20, 0.5, 2), at(4)), [], "they still have time");
    }
}
