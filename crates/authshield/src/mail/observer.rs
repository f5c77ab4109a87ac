//! Who counts what becomes of messages.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::reply::Class;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The relay took it.
    Accepted,
    /// It never will be sent.
    Failed,
    /// It will be tried again.
    Retried,
    /// It was not sent in time.
    Expired,
    /// It was kept for development.
    Kept,
    /// It was not sent: mail to its address is suppressed.
    Suppressed,
}

impl Outcome {
    /// Returns its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Expired => "expired",
            Self::Kept => "kept",
            Self::Suppressed => "suppressed",
        }
    }
}

/// Is told what becomes of messages; telemetry is one.
pub trait MailObserver: Send + Sync + 'static {
    /// A message of `kind` came to `outcome`; `since` it was put into the outbox.
    fn outcome(&self, kind: &str, outcome: Outcome, since: Duration);

    /// A try with `provider` ended: the relay took the message, or whose affair it was that not.
    fn attempt(&self, provider: &'static str, failed: Option<Class>) {
        let _ = (provider, failed);
    }

    /// A message was not sent, since mail to its address is suppressed for this reason.
    fn suppressed(&self, reason: &'static str) {
        let _ = reason;
    }
}

/// Counts in memory, for tests and for whoever has no metrics.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<(String, Outcome), u64>>);

impl Counts {
    /// Returns how many messages of `kind` came to `outcome`.
    #[must_use]
    pub fn of(&self, kind: &str, outcome: Outcome) -> u64 {
        let counts = self.0.lock().expect("nobody panics while counting");
        counts.get(&(kind.to_owned(), outcome)).copied().unwrap_or(0)
    }
}

impl MailObserver for Counts {
    fn outcome(&self, kind: &str, outcome: Outcome, _since: Duration) {
        let mut counts = self.0.lock().expect("nobody panics while counting");
        *counts.entry((kind.to_owned(), outcome)).or_default() += 1;
    }
}
