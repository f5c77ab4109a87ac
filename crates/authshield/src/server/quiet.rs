//! Whether anything is asked on a connection.
//!
//! HTTP/1 has a time limit for the head of the next request. HTTP/2 has none, and a client that answers
//! pings could keep its place for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Knows since when nothing is asked; clones share it.
#[derive(Clone)]
pub(super) struct Quiet(Arc<Mutex<State>>);

struct State {
    running: usize,
    since: Instant,
}

impl Quiet {
    /// Begins with a connection on which nothing was asked yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { running: 0, since: Instant::now() })))
    }

    /// Says that something is asked, until what is returned is dropped.
    pub(super) fn disturb(&self) -> Asking {
        self.state().running += 1;
        Asking(self.clone())
    }

    /// Waits until nothing was asked for `at_most`.
    pub(super) async fn lasts(&self, at_most: Duration) {
        loop {
            let end = {
                let state = self.state();
                let since = if state.running > 0 { Instant::now() } else { state.since };
                since + at_most
            };
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is asked.
pub(super) struct Asking(Quiet);

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running -= 1;
        state.since = Instant::now();
    }
}
