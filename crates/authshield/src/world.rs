//! Where the program gets what it cannot work out for itself: the time, and chance.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use crate::kernel::Timestamp;

/// The only door to time and chance.
pub trait World: Send + Sync + 'static {
    /// Returns the present instant, in whole microseconds.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` with randomness fit for keys.
    fn fill(&self, bytes: &mut [u8]);
}

/// A world that many share.
pub type SharedWorld = Arc<dyn World>;

/// The world as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real;

impl World for Real {
    #[expect(clippy::disallowed_methods, reason = "here, and only here, the clock is read")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("the clock is set to later than 1970");
        Timestamp::from_microsecond(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "here, and only here, randomness is drawn")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has randomness");
    }
}

/// A world for tests: time stands still until it is advanced; chance is real, so that tests which
/// run side by side on one database do not meet.
#[derive(Debug)]
pub struct Sandbox(Mutex<Timestamp>);

impl Default for Sandbox {
    /// Begins on 2026-11-22, in the morning.
    fn default() -> Self {
        Self(Mutex::new(Timestamp::from_microsecond(1_795_334_400_000_000)))
    }
}

impl Sandbox {
    /// Lets `span` pass.
    pub fn advance(&self, span: Duration) {
        let mut now = self.0.lock().expect("nobody panics while holding the clock");
        *now = *now + span;
    }
}

impl World for Sandbox {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("nobody panics while holding the clock")
    }

    fn fill(&self, bytes: &mut [u8]) {
        Real.fill(bytes);
    }
}
