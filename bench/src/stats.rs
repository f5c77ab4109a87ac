//! Numbers from many numbers.

/// Least, middle and greatest of a few runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Looks at `runs`, of which there is at least one.
    pub(crate) fn of(runs: impl IntoIterator<Item = f64>) -> Self {
        let mut runs: Vec<f64> = runs.into_iter().collect();
        runs.sort_by(f64::total_cmp);
        let (low, high) = (runs[(runs.len() - 1) / 2], runs[runs.len() / 2]);
        Self { min: runs[0], median: f64::midpoint(low, high), max: runs[runs.len() - 1] }
    }
}

/// Returns the value that `share` of `values` do not exceed (nearest rank); 0 when there are none.
pub(crate) fn percentile(values: &[u32], share: f64) -> u32 {
    let mut values = values.to_vec();
    values.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among far fewer than 2^52 values"
    )]
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.clamp(1, values.len().max(1)) - 1).copied().unwrap_or(0)
}

/// Returns how probable it is that two samples of one distribution differ as much as `a` and `b` do, or more:
/// the two-sided test of Mann and Whitney, by the normal approximation with its correction for ties, which
/// holds from some twenty values each (Mann, Whitney: Annals of Mathematical Statistics 18, 1947).
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
pub(crate) fn by_chance(a: &[u32], b: &[u32]) -> f64 {
    let mut all: Vec<(u32, bool)> =
        a.iter().map(|value| (*value, true)).chain(b.iter().map(|value| (*value, false))).collect();
    all.sort_unstable();
    let (first, second) = (a.len() as f64, b.len() as f64);
    let count = first + second;
    let (mut before, mut ranks, mut ties) = (0.0, 0.0, 0.0);
    for same in all.chunk_by(|left, right| left.0 == right.0) {
        let size = same.len() as f64;
        let of_a = same.iter().filter(|(_, is_of_a)| *is_of_a).count() as f64;
        ranks += of_a * (before + f64::midpoint(1.0, size));
        ties += size * (size * size - 1.0);
        before += size;
    }
    let u = ranks - first * (first + 1.0) / 2.0;
    let variance = first * second / 12.0 * (count + 1.0 - ties / (count * (count - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (u - first * second / 2.0) / variance.sqrt();
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against what another program computes from the definition, pair by pair.
    #[test]
    fn chance_is_what_the_definition_says() {
        let a: Vec<u32> = (0..40).map(|n| n * n % 97).collect();
        let b: Vec<u32> = (0..40).map(|n| n * n % 89 + 7).collect();
        let c: Vec<u32> = a.iter().map(|value| value + 9).collect();
        for (one, other, expected) in
            [(&a, &b, 0.851_145_121_890), (&c, &a, 0.173_296_329_721), (&a, &a, 1.0)]
        {
            let p = by_chance(one, other);
            assert!((p - expected).abs() < 1e-9, "{p}");
        }
        let later: Vec<u32> = a.iter().map(|value| value + 100).collect();
        assert!(by_chance(&a, &later) < 1e-12);
        assert!((by_chance(&[5; 20], &[5; 20]) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_spread_names_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0]), Spread { min: 1.0, median: 2.5, max: 4.0 });
        assert_eq!(Spread::of([7.0]), Spread { min: 7.0, median: 7.0, max: 7.0 });
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u32> = (1..=200).rev().collect();
        for (share, expected) in [(0.0, 1), (0.5, 100), (0.99, 198), (0.999, 200), (1.0, 200)] {
            assert_eq!(percentile(&values, share), expected, "{share}");
        }
        assert_eq!(percentile(&[], 0.99), 0);
        assert_eq!(percentile(&[5], 0.5), 5);
    }
}
