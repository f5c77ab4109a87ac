//! Answers whose time tells nothing.
//!
//! Whoever asks for a mail to an address is answered in the same words whether or not it has an account. Writing
//! that mail takes longer than writing none, though, by less than a millisecond, and sending it is in the way of the
//! question that comes next. So the answer leaves at a full step after it was begun to look for the account: by then
//! either is done, and the step that it leaves at is the same (attack class A09). What comes before, a captcha or a hash,
//! is the same for everybody, and would only move the answer to another step.

use std::time::Duration;

use tokio::time::Instant;

/// Far more than is done for such an answer, where nothing is hashed, and less than anybody notices.
const STEP: Duration = Duration::from_millis(25);

/// When it was begun to look for what an answer shall not tell by its time.
#[must_use = "an answer that does not wait for its step tells by its time what was found"]
pub(crate) struct Question(Instant);

impl Question {
    /// One for which it is begun now.
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// Waits until the next full step after that.
    pub(crate) async fn until_step(self) {
        tokio::time::sleep_until(self.0 + step_after(self.0.elapsed())).await;
    }
}

/// The first full step that is not before `passed`.
fn step_after(passed: Duration) -> Duration {
    let steps = passed.as_nanos().div_ceil(STEP.as_nanos()).max(1);
    STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_at_the_first_full_step_that_is_not_before_it() {
        for (passed, step) in [(0, 25_000), (1, 25_000), (25_000, 25_000), (25_001, 50_000)] {
            let passed = Duration::from_micros(passed);
            assert_eq!(step_after(passed), Duration::from_micros(step), "{passed:?}");
        }
    }
}
