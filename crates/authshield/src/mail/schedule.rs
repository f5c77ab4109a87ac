//! When a message is tried again. Pure, but for chance.

use std::time::Duration;

use crate::world::World;

/// The longest wait before each further try; the last one goes on for as long as the letter lives.
const STEPS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(45),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

/// How soon a message is due again that waits for the relay and for nothing else.
pub(super) const SOON: Duration = STEPS[0];

/// The longest pause of a relay that cannot be used at all: when it is back, mail leaves soon.
pub(super) const PAUSE_AT_MOST: Duration = Duration::from_mins(1);

/// Returns the wait after `attempts` tries, with full jitter: anything up to the step, so that a
/// thousand messages that failed together do not come back together.
pub(super) fn wait(attempts: i64, world: &dyn World) -> Duration {
    jitter(step(attempts), world)
}

/// Returns how long the relay is left alone after it could not be used `failures` times in a row.
pub(super) fn pause(failures: u32) -> Duration {
    step(i64::from(failures)).min(PAUSE_AT_MOST)
}

fn step(attempts: i64) -> Duration {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    STEPS[index.min(STEPS.len() - 1)]
}

/// Returns a span between almost nothing and `at_most`.
pub(super) fn jitter(at_most: Duration, world: &dyn World) -> Duration {
    let mut bytes = [0; 8];
    world.fill(&mut bytes);
    let micros = u64::try_from(at_most.as_micros()).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(u64::from_le_bytes(bytes) % micros + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sandbox;

    #[test]
    fn waits_grow_to_an_hour_and_never_leave_their_step() {
        let world = Sandbox::default();
        for (attempts, seconds) in
            [(0, 5), (1, 5), (2, 15), (3, 45), (4, 120), (5, 300), (6, 900), (7, 3600), (99, 3600)]
        {
            let waits: Vec<_> = (0..200).map(|_| wait(attempts, &world)).collect();
            let at_most = Duration::from_secs(seconds);
            assert!(waits.iter().all(|wait| !wait.is_zero() && *wait <= at_most), "{attempts}");
            assert!(waits.iter().max() > Some(&(at_most / 2)), "{attempts}: full jitter");
            assert!(waits.iter().min() < Some(&(at_most / 2)), "{attempts}: full jitter");
        }
        assert_eq!(pause(1), Duration::from_secs(5));
        assert_eq!(pause(50), PAUSE_AT_MOST);
    }
}
