//! What operators see of cells.

use std::collections::BTreeMap;
use std::time::Duration;

use onesql::Result;
use serde::Serialize;
use utoipa::ToSchema;

use super::arithmetic::{Curve, Moments, Prior, Times, eta_squared, real, wilson};
use super::rollup::{WINDOW, window_of};
use super::{Cell, Sums, natural, sql};
use crate::app::App;
use crate::kernel::{MailId, Timestamp};

/// How many weeks are what is usual.
const WEEKS: u32 = 4;

/// How soon most who wait for a link use it.
const SOON: Duration = Duration::from_mins(10);

/// A share with what can be said about it for sure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = MailShare)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The share; `null` of nothing.
    pub share: Option<f64>,
    /// The true share is at least this, 19 times of 20 (Wilson).
    pub low: f64,
    /// And at most this.
    pub high: f64,
    /// The share, pulled towards that of all cells: few messages say little.
    pub pulled: f64,
    /// The share in the same hours of the last four weeks, if there was mail.
    pub usual: Option<f64>,
    /// Whether the usual share is outside of the interval.
    pub unusual: bool,
}

/// After how many seconds so many have ended; `null` where they have not. Messages of which nothing is
/// known yet count for as long as they have been under way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = MailSpan)]
pub struct Span {
    /// Half of them.
    pub p50: Option<f64>,
    /// Nine of ten.
    pub p90: Option<f64>,
    /// 99 of 100.
    pub p99: Option<f64>,
}

/// A step that is worse than it should be.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MailCellDegraded)]
pub struct Degraded {
    /// `accept`, `deliver`, `confirm` or `latency`.
    pub step: String,
    /// When the first message was written that it met.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// That message.
    pub first_mail: Option<MailId>,
    /// The share of failures that is normal; of `latency` the seconds.
    pub normal: f64,
    /// What it was when this was noticed.
    pub observed: f64,
}

/// What became of the mail of a cell. How many messages were lost on the way is the difference between
/// one step and the next: `messages`, `accepted`, `delivered`, `confirmed`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MailCellReport)]
pub struct CellReport {
    /// Which.
    #[serde(flatten)]
    pub cell: Cell,
    /// How many messages were written.
    pub messages: u64,
    /// Of the messages, those that the relay took.
    pub accepted: Share,
    /// Of those that the relay took, those that are known to have arrived.
    pub delivered: Share,
    /// Of those, those whose link was used.
    pub confirmed: Share,
    /// Of those, those that came back.
    pub bounced: Share,
    /// Of those, those that a server behind the relay could not deliver yet.
    pub deferred: Share,
    /// Of those, those that their recipients called unwanted.
    pub complained: Share,
    /// Of those, those of which nobody knows what became.
    pub unknown: Share,
    /// Of the messages, those that never will be sent.
    pub failed: Share,
    /// Of the messages, those that were not sent in time.
    pub expired: Share,
    /// Of the messages, those that were refused so far, and are tried again.
    pub held: Share,
    /// From the outbox to the relay's yes.
    pub to_accept: Span,
    /// From the outbox to the mailbox.
    pub to_deliver: Span,
    /// From the outbox to the use of the link.
    pub to_confirm: Span,
    /// The share whose link was used within ten minutes.
    pub confirmed_soon: f64,
    /// The steps that are worse than they should be.
    pub degraded: Vec<Degraded>,
}

/// How much of the differences in time lies between the values of one factor.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MailFactor)]
pub struct Factor {
    /// `provider`, `mailbox_provider`, `kind`, `sender` or `hour`.
    pub factor: &'static str,
    /// The share of the variance of the logarithm of the time (eta squared), from 0 to 1.
    pub share: f64,
}

/// What becomes of mail, cell by cell.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MailCells)]
pub struct Report {
    /// Of mail written from then on,
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// and before then.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// All cells in which there was mail, the largest first.
    pub cells: Vec<CellReport>,
    /// Which time the factors are about: `to_deliver`, or `to_accept` where nobody reports deliveries.
    pub time: &'static str,
    /// Where the differences in time lie, the largest share first.
    pub factors: Vec<Factor>,
}

/// What was counted of a cell.
#[derive(Default)]
struct Counted {
    sums: Sums,
    times: [Times; 3],
    /// Those without an outcome, for as long as they have been under way: on the way to the relay's yes,
    /// to the mailbox, to the use of the link.
    open: [Times; 3],
}

/// Tells what became of the mail that was written within `span` before now.
pub async fn report(app: &App, now: Timestamp, span: Duration) -> Result<Report> {
    let (from, to) = (window_of(now - span), window_of(now) + WINDOW);
    let mut tx = app.store.glance().await?;
    let mut cells: BTreeMap<Cell, Counted> = BTreeMap::new();
    let mut groups = Groups::default();
    for row in sql::spreads(&mut tx, from, to).await? {
        groups.add(&row);
        let counted = cells.entry(row.cell).or_default();
        counted.sums.add(&row.sums);
        let times = [row.to_accept.0, row.to_deliver.0, row.to_confirm.0];
        for (known, more) in counted.times.iter_mut().zip(&times) {
            known.merge(more);
        }
        // As if each had been written when the window began: none is taken for younger than it is.
        let age = now.since(row.window_at).as_secs_f64();
        for (open, (seconds, count)) in counted.open.iter_mut().zip(open(&row.sums, age)) {
            for (seconds, count) in [(seconds, count.0), (f64::MAX, count.1)] {
                open.add_many(seconds, count);
            }
        }
    }
    let mut usual: BTreeMap<Cell, Sums> = BTreeMap::new();
    for week in 1..=WEEKS {
        let ago = Duration::from_hours(24 * 7) * week;
        for total in sql::totals(&mut tx, from - ago, to - ago).await? {
            usual.entry(total.cell).or_default().add(&total.sums);
        }
    }
    let mut degraded: BTreeMap<Cell, Vec<Degraded>> = BTreeMap::new();
    for alarm in sql::alarms(&mut tx).await? {
        degraded.entry(alarm.cell).or_default().push(Degraded {
            step: alarm.step,
            since: alarm.since,
            first_mail: alarm.first_mail,
            normal: thousandths(alarm.normal_permille),
            observed: thousandths(alarm.observed_permille),
        });
    }
    drop(tx);

    let all: Vec<_> = cells.values().map(|counted| counted.sums).collect();
    let priors = Priors::of(&all);
    let mut reports: Vec<_> = cells
        .into_iter()
        .map(|(cell, counted)| {
            let known = usual.get(&cell);
            let degraded = degraded.remove(&cell).unwrap_or_default();
            tell(cell, &counted, known, &priors, degraded)
        })
        .collect();
    reports.sort_by_key(|report| std::cmp::Reverse(report.messages));
    let (time, factors) = groups.factors();
    Ok(Report { from, to, cells: reports, time, factors })
}

/// Returns, for each of the three times, how long the messages without an outcome have been under way,
/// how many of them are still, and how many will never be at the end.
fn open(sums: &Sums, age: f64) -> [(f64, (u64, u64)); 3] {
    let given_up = sums.failed + sums.expired;
    let waiting = sums.messages - sums.accepted - given_up;
    let lost = given_up + sums.bounced;
    let silent = sums.messages - sums.delivered - lost;
    let unused = sums.messages - sums.confirmed - lost;
    [
        (age, (natural(waiting), natural(given_up))),
        (age, (natural(silent), natural(lost))),
        (age, (natural(unused), natural(lost))),
    ]
}

/// A kind of share, and how it is read.
type Reading = fn(&Sums) -> (i64, i64);

/// Every share that is told.
const SHARES: [Reading; 10] = [
    |sums| (sums.accepted, sums.messages),
    |sums| (sums.delivered, sums.accepted),
    |sums| (sums.confirmed, sums.accepted),
    |sums| (sums.bounced, sums.accepted),
    |sums| (sums.deferred, sums.accepted),
    |sums| (sums.complained, sums.accepted),
    |sums| (sums.unknown, sums.accepted),
    |sums| (sums.failed, sums.messages),
    |sums| (sums.expired, sums.messages),
    |sums| (sums.held, sums.messages),
];

/// What all cells together say about each share.
struct Priors([Prior; 10]);

impl Priors {
    fn of(cells: &[Sums]) -> Self {
        Self(SHARES.map(|reading| {
            let shares: Vec<_> = cells.iter().map(|sums| sane(reading(sums))).collect();
            Prior::of(&shares)
        }))
    }
}

/// A link can be used of a mail whose acceptance nobody wrote down: of so many it was at least.
fn sane((count, of): (i64, i64)) -> (u64, u64) {
    (natural(count), natural(of.max(count)))
}

fn tell(
    cell: Cell,
    Counted { sums, times, open }: &Counted,
    usual: Option<&Sums>,
    Priors(priors): &Priors,
    degraded: Vec<Degraded>,
) -> CellReport {
    let mut shares = SHARES.iter().zip(priors).map(|(reading, prior)| {
        let (count, of) = sane(reading(sums));
        let (low, high) = wilson(count, of);
        let usual = usual.map(|usual| sane(reading(usual))).filter(|(_, of)| *of > 0);
        let usual = usual.map(|(count, of)| real(count) / real(of));
        Share {
            count,
            of,
            share: (of > 0).then(|| real(count) / real(of)),
            low,
            high,
            pulled: prior.pull(count, of),
            usual,
            unusual: of > 0 && usual.is_some_and(|usual| !(low..=high).contains(&usual)),
        }
    });
    let mut next = || shares.next().expect("there is one for each");
    let curves = [0, 1, 2].map(|which| Curve::of(&times[which], &open[which]));
    let span = |curve: &Curve| Span {
        p50: curve.quantile(0.5),
        p90: curve.quantile(0.9),
        p99: curve.quantile(0.99),
    };
    CellReport {
        cell,
        messages: natural(sums.messages),
        accepted: next(),
        delivered: next(),
        confirmed: next(),
        bounced: next(),
        deferred: next(),
        complained: next(),
        unknown: next(),
        failed: next(),
        expired: next(),
        held: next(),
        to_accept: span(&curves[0]),
        to_deliver: span(&curves[1]),
        to_confirm: span(&curves[2]),
        confirmed_soon: curves[2].ended_by(SOON.as_secs_f64()),
        degraded,
    }
}

/// Times by the values of each factor.
#[derive(Default)]
struct Groups {
    accept: BTreeMap<(&'static str, String), Moments>,
    deliver: BTreeMap<(&'static str, String), Moments>,
}

impl Groups {
    const FACTORS: [&'static str; 5] = ["provider", "mailbox_provider", "kind", "sender", "hour"];

    fn add(&mut self, row: &sql::Spread) {
        let Cell { provider, mailbox_provider, kind, sender } = &row.cell;
        let hour = row.window_at.to_string().chars().skip(11).take(2).collect();
        let values =
            [provider.clone(), mailbox_provider.clone(), kind.clone(), sender.clone(), hour];
        for (factor, value) in Self::FACTORS.into_iter().zip(values) {
            let of = |groups: &mut BTreeMap<_, Moments>, seen: Moments, value: String| {
                let group = groups.entry((factor, value)).or_default();
                *group = group.plus(seen);
            };
            of(&mut self.accept, row.sums.accept_times(), value.clone());
            of(&mut self.deliver, row.sums.deliver_times(), value);
        }
    }

    fn factors(&self) -> (&'static str, Vec<Factor>) {
        let known: f64 = self.deliver.values().map(|group| group.count).sum();
        let (time, groups) =
            if known > 0.0 { ("to_deliver", &self.deliver) } else { ("to_accept", &self.accept) };
        let share = |factor| {
            let of: Vec<_> =
                groups.iter().filter(|((it, _), _)| *it == factor).map(|(_, it)| *it).collect();
            Factor { factor, share: eta_squared(&of) }
        };
        let mut factors: Vec<_> = Self::FACTORS.into_iter().map(share).collect();
        factors.sort_by(|one, other| other.share.total_cmp(&one.share));
        (time, factors)
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares and seconds are small numbers")]
fn thousandths(value: i64) -> f64 {
    value as f64 / 1000.0
}
