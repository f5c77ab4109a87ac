//! The arithmetic of outcomes: what few numbers can and cannot say. Pure.
//!
//! Each function is held against values that were published or worked out by hand or by another
//! program; the tests say where they come from.

use serde::{Deserialize, Serialize};

/// The standard normal deviate of a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// How many buckets a histogram of times has, the upper end of the first in seconds, and by how much
/// each is wider than the one before: from a tenth of a second to five days, and one for what is
/// longer.
pub(super) const BUCKETS: usize = 40;
const FIRST: f64 = 0.1;
const GROWTH: f64 = 1.5;

/// Returns the interval of a share (Wilson 1927), in which the true one lies 19 times of 20. Of nothing,
/// everything is possible.
pub(super) fn wilson(count: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (real(of), real(count) / real(of));
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// What all cells together say about one of which little is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prior {
    /// The share in all of them.
    pub(super) mean: f64,
    /// How many messages of a cell that is worth: the less cells differ, the more.
    pub(super) weight: f64,
}

impl Prior {
    /// How little and how much the others may weigh.
    const WEIGHT: (f64, f64) = (1.0, 1000.0);

    /// Works it out from cells, each as count and of how many (method of moments for the beta-binomial).
    pub(super) fn of(cells: &[(u64, u64)]) -> Self {
        let cells: Vec<_> = cells.iter().filter(|(_, of)| *of > 0).collect();
        let total: f64 = cells.iter().map(|(_, of)| real(*of)).sum();
        if cells.is_empty() {
            return Self { mean: 0.5, weight: Self::WEIGHT.0 };
        }
        let mean = cells.iter().map(|(count, _)| real(*count)).sum::<f64>() / total;
        let squares: f64 = cells.iter().map(|(_, of)| real(*of) * real(*of)).sum();
        let spread: f64 = cells
            .iter()
            .map(|(count, of)| real(*of) * (real(*count) / real(*of) - mean).powi(2))
            .sum();
        let chance = mean * (1.0 - mean);
        let between = (spread - chance * (real(cells.len() as u64) - 1.0))
            / (total - squares / total).max(f64::MIN_POSITIVE);
        let weight =
            if cells.len() > 1 && between > 0.0 { chance / between - 1.0 } else { Self::WEIGHT.1 };
        Self { mean, weight: weight.clamp(Self::WEIGHT.0, Self::WEIGHT.1) }
    }

    /// Returns the share of a cell, pulled towards that of all: three of four does not shout.
    pub(super) fn pull(self, count: u64, of: u64) -> f64 {
        (real(count) + self.mean * self.weight) / (real(of) + self.weight)
    }
}

/// Times in buckets that grow; two of them can be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub(super) struct Times([u64; BUCKETS]);

impl Default for Times {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl From<Vec<u64>> for Times {
    fn from(counts: Vec<u64>) -> Self {
        let mut times = Self::default();
        for (bucket, count) in times.0.iter_mut().zip(counts) {
            *bucket = count;
        }
        times
    }
}

impl From<Times> for Vec<u64> {
    /// Without the zeros at the end: most cells are small.
    fn from(Times(counts): Times) -> Self {
        let last = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        counts[..last].to_vec()
    }
}

impl Times {
    /// Adds one time, in seconds.
    pub(super) fn add(&mut self, seconds: f64) {
        self.add_many(seconds, 1);
    }

    /// Adds several of the same time, in seconds.
    pub(super) fn add_many(&mut self, seconds: f64, count: u64) {
        self.0[bucket(seconds)] += count;
    }

    /// Adds those of another.
    pub(super) fn merge(&mut self, other: &Self) {
        for (one, more) in self.0.iter_mut().zip(other.0) {
            *one += more;
        }
    }
}

fn bucket(seconds: f64) -> usize {
    (0..BUCKETS - 1).find(|number| seconds <= upper(*number)).unwrap_or(BUCKETS - 1)
}

/// Returns the upper end of a bucket, in seconds; the last has none, and counts as wide as it would be.
fn upper(number: usize) -> f64 {
    FIRST * GROWTH.powi(i32::try_from(number).expect("there are 40"))
}

/// What is left after each time, where some were not followed to their end (Kaplan and Meier 1958).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve(Vec<f64>);

/// Works out what is left after each step: at each, so many ended and so many were followed no further.
/// Those are part of what was left until then: leaving them out would hide delay.
pub(super) fn kaplan_meier(steps: &[(u64, u64)]) -> Curve {
    let mut at_risk: u64 = steps.iter().map(|(ended, lost)| ended + lost).sum();
    let mut left = 1.0;
    let curve = steps.iter().map(|(ended, lost)| {
        if at_risk > 0 {
            left *= 1.0 - real(*ended) / real(at_risk);
        }
        at_risk -= ended + lost;
        left
    });
    Curve(curve.collect())
}

impl Curve {
    /// Returns the curve of times that ended and of times that were followed no further.
    pub(super) fn of(ended: &Times, lost: &Times) -> Self {
        let steps: Vec<_> = ended.0.iter().copied().zip(lost.0).collect();
        kaplan_meier(&steps)
    }

    /// Returns after how many seconds at the latest a share of all has ended; `None` if it has not.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let found = self.0.iter().position(|left| 1.0 - left >= share - 1e-12)?;
        Some(upper(found))
    }

    /// Returns the share that has ended within a time, in seconds, to the end of its bucket.
    pub(super) fn ended_by(&self, seconds: f64) -> f64 {
        self.0.get(bucket(seconds)).map_or(0.0, |left| 1.0 - left)
    }
}

/// Count, sum and sum of squares: what spread and mean are made of, and they can be added.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments {
    /// How many.
    pub(super) count: f64,
    /// Their sum.
    pub(super) sum: f64,
    /// The sum of their squares.
    pub(super) squares: f64,
}

impl Moments {
    /// Adds those of another.
    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    /// Returns the mean; zero of nothing.
    pub(super) fn mean(self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }

    /// Returns the standard deviation of the sample; zero of one.
    pub(super) fn deviation(self) -> f64 {
        if self.count < 2.0 {
            return 0.0;
        }
        ((self.squares - self.sum * self.mean()).max(0.0) / (self.count - 1.0)).sqrt()
    }
}

/// Returns which share of the variance lies between groups (one-way eta squared), from 0 to 1.
pub(super) fn eta_squared(groups: &[Moments]) -> f64 {
    let all = groups.iter().copied().fold(Moments::default(), Moments::plus);
    let total = all.squares - all.sum * all.mean();
    if total <= 1e-9 {
        return 0.0;
    }
    let between = groups.iter().map(|group| group.count * (group.mean() - all.mean()).powi(2));
    (between.sum::<f64>() / total).clamp(0.0, 1.0)
}

/// Evidence for a change to the worse that adds up and does not go below nothing (Page 1954).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cusum {
    score: f64,
    /// Since which step the evidence has stood above nothing.
    since: Option<usize>,
}

/// How much evidence is a change: a likelihood of a thousand to one, and then some.
pub(super) const ENOUGH: f64 = 8.0;

/// How far evidence adds up: what has mended must not stand for ever.
const AT_MOST: f64 = 12.0;

impl Cusum {
    /// Begins with no evidence.
    pub(super) const START: Self = Self { score: 0.0, since: None };

    /// Adds what a step says about a share: so many failures of so many, where `normal` is the share of
    /// failures as it should be, and `bad` as it must not be.
    #[must_use]
    pub(super) fn share(
        self,
        step: usize,
        (failures, of): (u64, u64),
        normal: f64,
        bad: f64,
    ) -> Self {
        let gain = real(failures) * (bad / normal).ln()
            + real(of - failures) * ((1.0 - bad) / (1.0 - normal)).ln();
        self.add(step, gain)
    }

    /// Adds what a step says about a mean that should be `normal` with this deviation, and must not be
    /// a whole deviation more.
    #[must_use]
    pub(super) fn mean(self, step: usize, seen: Moments, normal: f64, deviation: f64) -> Self {
        self.add(step, seen.count * ((seen.mean() - normal) / deviation - 0.5))
    }

    fn add(self, step: usize, gain: f64) -> Self {
        let score = (self.score + gain).clamp(0.0, AT_MOST);
        let since = if score > 0.0 { self.since.or(Some(step)) } else { None };
        Self { score, since }
    }

    /// Returns since which step there has been a change, if the evidence is enough.
    pub(super) fn changed(self) -> Option<usize> {
        if self.score > ENOUGH { self.since } else { None }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody sends as many mails as that takes")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 5e-5
    }

    /// Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
    /// (1998), table I, method 3; the last two by hand.
    #[test]
    fn intervals_are_those_of_the_literature() {
        for (count, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
            (3, 4, 0.3006, 0.9544),
            (29, 29, 0.8830, 1.0),
        ] {
            let (from, to) = wilson(count, of);
            assert!(close(from, low) && close(to, high), "{count} of {of}: {from} to {to}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    /// By a program of ten lines in another language, from the same formula.
    #[test]
    fn small_cells_are_pulled_towards_all() {
        let cells = [(3, 4), (95, 100), (180, 200), (8, 10), (300, 310)];
        let prior = Prior::of(&cells);
        assert!(close(prior.mean, 586.0 / 624.0), "{prior:?}");
        assert!((prior.weight - 31.785_970).abs() < 1e-5, "{prior:?}");
        for ((count, of), pulled) in
            cells.into_iter().zip([0.917_97, 0.947_37, 0.905_36, 0.905_81, 0.965_08])
        {
            assert!(close(prior.pull(count, of), pulled), "{count} of {of}");
        }
        // Cells that differ by no more than chance does say the same as all.
        let alike = Prior::of(&[(50, 100), (51, 100), (49, 100)]);
        assert!(close(alike.pull(3, 4), 0.500_996), "{}", alike.pull(3, 4));
        assert!(close(Prior::of(&[]).pull(0, 0), 0.5));
    }

    /// Freireich and others, "The effect of 6-mercaptopurine …", Blood 21 (1963): 21 patients, nine of
    /// whom relapsed while they were followed; the curve stands in every textbook.
    #[test]
    fn who_is_not_followed_to_the_end_counts_until_then() {
        let steps = [
            (6, 3, 1),
            (7, 1, 0),
            (9, 0, 1),
            (10, 1, 1),
            (11, 0, 1),
            (13, 1, 0),
            (16, 1, 0),
            (17, 0, 1),
            (19, 0, 1),
            (20, 0, 1),
            (22, 1, 0),
            (23, 1, 0),
            (25, 0, 1),
            (32, 0, 2),
            (34, 0, 1),
            (35, 0, 1),
        ];
        let Curve(curve) = kaplan_meier(&steps.map(|(_, relapsed, lost)| (relapsed, lost)));
        let known = [
            (6, 0.8571),
            (7, 0.8067),
            (10, 0.7529),
            (13, 0.6902),
            (16, 0.6275),
            (22, 0.5378),
            (23, 0.4482),
            (35, 0.4482),
        ];
        for (week, left) in known {
            let at = steps.iter().position(|(at, ..)| *at == week).unwrap();
            assert!(close(curve[at], left), "week {week}: {}", curve[at]);
        }
    }

    #[test]
    fn a_curve_says_what_has_ended_by_when() {
        let (mut ended, mut open) = (Times::default(), Times::default());
        ended.add_many(2.0, 50);
        ended.add_many(40.0, 25);
        open.add_many(600.0, 25);
        let curve = Curve::of(&ended, &open);
        assert!(curve.quantile(0.5).unwrap() < 3.0);
        assert!((40.0..60.0).contains(&curve.quantile(0.75).unwrap()));
        assert_eq!(curve.quantile(0.9), None, "a quarter has not arrived, and may never");
        assert!(close(curve.ended_by(10.0), 0.5) && close(curve.ended_by(600.0), 0.75));
        assert_eq!(Curve::of(&Times::default(), &Times::default()).quantile(0.5), None);
    }

    /// By hand: groups 1 2 3, 2 3 4 and 5 6 7 have 26 of their 32 between them.
    #[test]
    fn variance_between_groups_is_a_share_of_all() {
        let group = |values: [f64; 3]| Moments {
            count: 3.0,
            sum: values.iter().sum(),
            squares: values.iter().map(|value| value * value).sum(),
        };
        let groups = [group([1.0, 2.0, 3.0]), group([2.0, 3.0, 4.0]), group([5.0, 6.0, 7.0])];
        assert!(close(eta_squared(&groups), 0.8125));
        assert!(close(groups[0].deviation(), 1.0) && close(groups[0].mean(), 2.0));
        assert_eq!((eta_squared(&[]), eta_squared(&groups[..1])), (0.0, 0.0));
    }

    /// By hand: ln(0.2/0.02) = 2.302585 for a failure, ln(0.8/0.98) = -0.202941 for none.
    #[test]
    fn evidence_adds_up_from_where_it_last_was_nothing() {
        let failures = [0, 0, 1, 0, 1, 1, 1, 0, 1];
        let ten = std::f64::consts::LN_10;
        let scores = [0.0, 0.0, ten, 2.0996, 4.4022, 6.7048, 9.0074, 8.8045, 11.1070];
        let mut evidence = Cusum::START;
        for (step, (failed, score)) in failures.into_iter().zip(scores).enumerate() {
            evidence = evidence.share(step, (failed, 1), 0.02, 0.2);
            assert!(close(evidence.score, score), "step {step}: {evidence:?}");
            assert_eq!(evidence.changed(), (score > ENOUGH).then_some(2), "step {step}");
        }
        let mended =
            (9..60).fold(evidence, |evidence, step| evidence.share(step, (0, 1), 0.02, 0.2));
        assert_eq!(mended.changed(), None);
        // Ten that take two deviations longer: each adds one and a half.
        let slow = Moments { count: 1.0, sum: 5.0, squares: 25.0 };
        let late = (0..6).fold(Cusum::START, |sum, step| sum.mean(step, slow, 1.0, 2.0));
        assert!(close(late.score, 9.0) && late.changed() == Some(0), "{late:?}");
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share(of in 1_u64..100_000, part in 0.0..=1.0_f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to `of`")]
            let count = (real(of) * part) as u64;
            let (low, high) = wilson(count, of);
            let share = real(count) / real(of);
            prop_assert!(0.0 <= low && low <= share + 1e-9 && share <= high + 1e-9 && high <= 1.0);
        }

        #[test]
        fn adding_buckets_is_adding_times(
            one in prop::collection::vec(0.0..1e6_f64, 0..50),
            other in prop::collection::vec(0.0..1e6_f64, 0..50),
        ) {
            let of = |times: &[f64]| {
                let mut buckets = Times::default();
                for time in times {
                    buckets.add(*time);
                }
                buckets
            };
            let mut merged = of(&one);
            merged.merge(&of(&other));
            prop_assert_eq!(merged, of(&[one.clone(), other.clone()].concat()));
            prop_assert_eq!(merged.0.iter().sum::<u64>(), (one.len() + other.len()) as u64);
            let text = serde_json::to_string(&merged).unwrap();
            prop_assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), merged);
            for time in one.iter().filter(|time| **time < upper(BUCKETS - 2)) {
                let number = bucket(*time);
                prop_assert!(*time <= upper(number) * (1.0 + 1e-12));
                prop_assert!(number == 0 || *time > upper(number - 1));
            }
        }

        #[test]
        fn a_curve_only_falls_and_without_losses_it_is_what_is_left(
            steps in prop::collection::vec((0_u64..50, 0_u64..50), 1..40),
        ) {
            let Curve(curve) = kaplan_meier(&steps);
            let falls = curve.windows(2).all(|two| two[0] >= two[1] - 1e-12);
            prop_assert!(falls && curve.iter().all(|left| (0.0..=1.0).contains(left)));
            let whole: Vec<_> = steps.iter().map(|(ended, _)| (*ended, 0)).collect();
            let total: u64 = whole.iter().map(|(ended, _)| ended).sum();
            let (Curve(curve), mut left) = (kaplan_meier(&whole), total);
            for ((ended, _), share) in whole.iter().zip(curve) {
                left -= ended;
                prop_assert!(total == 0 || (share - real(left) / real(total)).abs() < 1e-9);
            }
        }

        #[test]
        fn pulled_shares_lie_between_their_own_and_that_of_all(
            cells in prop::collection::vec((0_u64..100, 0_u64..100), 1..20),
        ) {
            let cells: Vec<_> = cells.into_iter().map(|(count, more)| (count, count + more)).collect();
            let prior = Prior::of(&cells);
            for (count, of) in cells.into_iter().filter(|(_, of)| *of > 0) {
                let (own, pulled) = (real(count) / real(of), prior.pull(count, of));
                let (low, high) = (own.min(prior.mean), own.max(prior.mean));
                prop_assert!((low - 1e-9..=high + 1e-9).contains(&pulled));
            }
        }

        #[test]
        fn a_part_of_the_variance_is_a_part(
            groups in prop::collection::vec(prop::collection::vec(-50.0..50.0_f64, 0..20), 0..8),
        ) {
            let moments: Vec<_> = groups.iter().map(|group| Moments {
                count: real(group.len() as u64),
                sum: group.iter().sum(),
                squares: group.iter().map(|value| value * value).sum(),
            }).collect();
            prop_assert!((0.0..=1.0).contains(&eta_squared(&moments)));
        }
    }
}
