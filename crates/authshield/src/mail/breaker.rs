//! Whether the relay can be used, and who has to be told that it cannot.
//!
//! While it cannot, no message is tried: after a pause a session without a message goes ahead. A
//! fault of our own settings is one incident, whatever number of messages meet it.

use serde::Serialize;

use super::reply::{Class, Failure};
use super::schedule;
use crate::kernel::Timestamp;

/// How many answers in a row that blame our settings, each about one message, are a fault of our
/// settings: one alone could be the doing of one recipient's server.
const IN_A_ROW: u32 = 3;

/// Whether messages are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// They are.
    Closed,
    /// A session without a message is under way, to see how it fares.
    HalfOpen,
    /// They are not.
    Open,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Try messages.
    Go,
    /// See whether the relay can be used.
    Probe,
    /// Leave it alone.
    Wait,
}

/// Something that has to be written down as an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Our settings keep mail from leaving.
    Fault(Failure),
    /// Mail leaves.
    Mended,
}

/// Whether the relay can be used.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
    /// Until when a probe may still be under way.
    probing_until: Option<Timestamp>,
    trouble: Option<Failure>,
    /// Answers in a row that blame our settings, each about one message.
    blamed: u32,
    /// What was last said about incidents: whether there is one. Nothing yet after a start, since one
    /// may be open from before.
    told: Option<bool>,
}

impl Breaker {
    /// Returns what to do at `now`; who is told to probe has until `probed_by`.
    pub(super) fn turn(&mut self, now: Timestamp, probed_by: Timestamp) -> Turn {
        match self.state(now) {
            BreakerState::Closed => Turn::Go,
            BreakerState::HalfOpen => Turn::Wait,
            BreakerState::Open if self.open_until > Some(now) => Turn::Wait,
            BreakerState::Open => {
                self.probing_until = Some(probed_by);
                Turn::Probe
            }
        }
    }

    pub(super) fn state(&self, now: Timestamp) -> BreakerState {
        match (self.open_until, self.probing_until) {
            (None, _) => BreakerState::Closed,
            (_, Some(until)) if until > now => BreakerState::HalfOpen,
            _ => BreakerState::Open,
        }
    }

    /// Returns what keeps mail from leaving.
    pub(super) fn trouble(&self) -> Option<&Failure> {
        self.trouble.as_ref()
    }

    /// Takes note of a failure at `now`. Returns whether it is another trouble than before, and
    /// what has to be written down.
    pub(super) fn failed(&mut self, failure: &Failure, now: Timestamp) -> (bool, Option<Note>) {
        self.probing_until = None;
        let ours = failure.class == Class::Configuration;
        if failure.concerns_all() {
            if self.open_until.is_none_or(|until| until <= now) {
                self.failures += 1;
                self.open_until = Some(now + schedule::pause(self.failures));
            }
        } else if ours {
            self.blamed += 1;
        }
        let same = |known: &Failure| {
            (known.step, known.class, known.advice) == (failure.step, failure.class, failure.advice)
        };
        let news = !self.trouble.as_ref().is_some_and(same);
        self.trouble = Some(failure.clone());
        let fault = ours && (failure.concerns_all() || self.blamed >= IN_A_ROW);
        let note = (fault && self.told != Some(true)).then(|| {
            self.told = Some(true);
            Note::Fault(failure.clone())
        });
        (news, note)
    }

    /// Takes note that the relay speaks with us: what is wrong is with a message. A complaint about
    /// our settings stands until a message is taken.
    pub(super) fn reached(&mut self) -> (bool, Option<Note>) {
        match &self.trouble {
            Some(trouble) if !trouble.concerns_all() => (false, None),
            _ => self.mended(),
        }
    }

    /// Takes note that mail leaves, or would. Returns whether there was trouble, and what has to be
    /// written down.
    pub(super) fn mended(&mut self) -> (bool, Option<Note>) {
        let note = (self.told != Some(false)).then_some(Note::Mended);
        let before = std::mem::replace(self, Self { told: Some(false), ..Self::default() });
        (before.trouble.is_some(), note)
    }

    /// Takes note that what was to be written down could not be: it is said again next time.
    pub(super) fn untold(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::reply::Step;
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_microsecond(1_795_334_400_000_000) + Duration::from_secs(second)
    }

    fn password() -> Failure {
        Failure::answer(Step::Auth, 535, "5.7.8 no")
    }

    fn sender() -> Failure {
        Failure::answer(Step::Rcpt, 553, "5.7.1 Sender address rejected")
    }

    #[test]
    fn it_opens_at_once_probes_after_a_pause_and_is_one_incident() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.turn(at(0), at(60)), Turn::Go);
        let (news, note) = breaker.failed(&password(), at(0));
        assert_eq!((news, note), (true, Some(Note::Fault(password()))));
        assert_eq!(breaker.failed(&password(), at(1)), (false, None), "one incident");
        assert_eq!(
            (breaker.turn(at(4), at(60)), breaker.state(at(4))),
            (Turn::Wait, BreakerState::Open)
        );
        assert_eq!(breaker.turn(at(5), at(65)), Turn::Probe);
        assert_eq!(
            (breaker.turn(at(6), at(66)), breaker.state(at(6))),
            (Turn::Wait, BreakerState::HalfOpen)
        );
        assert_eq!(breaker.failed(&password(), at(7)), (false, None));
        assert_eq!(breaker.turn(at(8), at(68)), Turn::Wait, "a longer pause");
        assert_eq!(breaker.turn(at(22), at(82)), Turn::Probe);
        // A probe that never came back holds nothing up for ever.
        assert_eq!(breaker.turn(at(82), at(142)), Turn::Probe);
        assert_eq!(breaker.mended(), (true, Some(Note::Mended)));
        assert_eq!((breaker.turn(at(83), at(99)), breaker.trouble()), (Turn::Go, None));
        assert_eq!(breaker.mended(), (false, None));
    }

    #[test]
    fn a_relay_that_is_away_is_nobodys_fault() {
        let mut breaker = Breaker::default();
        let away = Failure::relay(Step::Connect, "connection refused");
        assert_eq!(breaker.failed(&away, at(0)), (true, None));
        assert_eq!(breaker.state(at(1)), BreakerState::Open);
    }

    #[test]
    fn after_a_start_an_incident_from_before_is_closed_once() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.mended(), (false, Some(Note::Mended)));
        assert_eq!(breaker.mended(), (false, None));
        breaker.untold();
        assert_eq!(breaker.mended(), (false, Some(Note::Mended)));
    }

    #[test]
    fn one_recipient_raises_no_incident_and_three_refusals_do() {
        let mut breaker = Breaker::default();
        for expected in [None, None, Some(Note::Fault(sender())), None] {
            assert_eq!(breaker.failed(&sender(), at(0)).1, expected);
            assert_eq!(breaker.turn(at(0), at(9)), Turn::Go, "others may fare better");
            // That somebody does not exist says nothing about the sender.
            assert_eq!(breaker.reached(), (false, None));
        }
        assert_eq!(breaker.mended(), (true, Some(Note::Mended)));
        assert_eq!(breaker.failed(&sender(), at(0)).1, None);
    }
}
