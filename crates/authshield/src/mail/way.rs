//! The ways that mail can take: to a relay or to a provider, one after the other.
//!
//! Each has a breaker of its own. Mail takes the first way that is open; while one is not, messages
//! that go nowhere find out when it is again, and nobody's mail does.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use super::breaker::{Breaker, BreakerState, Turn};
use super::providers::Api;
use super::smtp::{Connection, Relay};
use crate::kernel::Timestamp;

/// Somebody who takes mail.
#[derive(Debug)]
pub enum Way {
    /// By SMTP.
    Smtp(Relay),
    /// By an API of their own.
    Api(Api),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(relay) => relay.fmt(f),
            Self::Api(api) => api.fmt(f),
        }
    }
}

impl Way {
    /// Returns the longest that one message can take.
    pub(super) fn longest(&self) -> Duration {
        match self {
            Self::Smtp(relay) => relay.longest(),
            Self::Api(api) => api.longest(),
        }
    }
}

/// A way, and what is known of it.
pub(super) struct Lane {
    /// What metrics and incidents call it.
    pub(super) name: &'static str,
    pub(super) way: Way,
    breaker: Mutex<Breaker>,
    idle: Mutex<Vec<Connection>>,
}

impl Lane {
    /// Opens a lane for each of `ways`, the first choice first.
    pub(super) fn all(ways: Vec<Way>) -> Vec<Self> {
        let mut relays = ["smtp", "smtp_fallback"].into_iter().cycle();
        let mut name = |way: &Way| match way {
            Way::Smtp(_) => relays.next().unwrap_or_default(),
            Way::Api(api) => api.provider(),
        };
        let lane =
            |way| Self { name: name(&way), way, breaker: Mutex::default(), idle: Mutex::default() };
        ways.into_iter().map(lane).collect()
    }

    pub(super) fn breaker<T>(&self, look: impl FnOnce(&mut Breaker) -> T) -> T {
        look(&mut self.breaker.lock().expect("nobody panics while looking at it"))
    }

    pub(super) fn turn(&self, now: Timestamp, probed_by: Timestamp) -> Turn {
        self.breaker(|breaker| breaker.turn(now, probed_by))
    }

    pub(super) fn state(&self, now: Timestamp) -> BreakerState {
        self.breaker(|breaker| breaker.state(now))
    }

    /// Takes a connection that nobody uses.
    pub(super) fn connection(&self) -> Option<Connection> {
        self.idle.lock().expect("nobody panics while taking one").pop()
    }

    /// Leaves a connection for the next message.
    pub(super) fn leave(&self, connection: Connection) {
        self.idle.lock().expect("nobody panics while leaving one").push(connection);
    }

    /// Takes every connection that nobody uses.
    pub(super) fn connections(&self) -> Vec<Connection> {
        std::mem::take(&mut *self.idle.lock().expect("nobody panics while taking them"))
    }
}
