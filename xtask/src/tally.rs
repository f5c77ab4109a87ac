//! Counts what test programs say.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// The names of those that failed.
    pub(crate) failures: Vec<String>,
    /// The names of those that failed once and passed when they were tried alone.
    pub(crate) unsteady: Vec<String>,
}

impl Tally {
    /// Takes note that all that failed have passed since.
    pub(crate) fn passed_alone(&mut self) {
        self.passed += self.failed;
        self.failed = 0;
        self.unsteady.append(&mut self.failures);
    }

    /// Takes note of a line that a test program printed.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(counts) = line.strip_prefix("test result: ") {
            for part in counts.split([';', '.']) {
                if let Some((count, what)) = part.trim().split_once(' ')
                    && let Ok(count) = count.parse::<u64>()
                {
                    match what {
                        "passed" => self.passed += count,
                        "failed" => self.failed += count,
                        "ignored" => self.ignored += count,
                        _ => {}
                    }
                }
            }
        } else if let Some(name) = line.strip_suffix(" ... FAILED") {
            self.failures.push(name.strip_prefix("test ").unwrap_or(name).to_owned());
        }
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.failures.extend_from_slice(&other.failures);
        self.unsteady.extend_from_slice(&other.unsteady);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, ignored, .. } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} ignored")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test a::one ... ok",
            "test a::two ... FAILED",
            "test a::three - should panic ... ok",
            "test result: FAILED. 26 passed; 1 failed; 3 ignored; 0 measured; 7 filtered out; \
             finished in 8.22s",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            tally.read(line);
        }
        let mut sum = tally.clone();
        sum += &tally;
        assert_eq!(tally.to_string(), "30 passed, 1 failed, 3 ignored");
        assert_eq!(tally.failures, ["a::two"]);
        assert_eq!((sum.passed, sum.failures.len()), (60, 2));

        sum.passed_alone();
        assert_eq!(sum.to_string(), "62 passed, 0 failed, 6 ignored");
        assert_eq!((sum.failures.len(), sum.unsteady.len()), (0, 2));
    }
}
