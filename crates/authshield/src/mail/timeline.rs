//! What became of a message, worked out from its timeline. Pure.
//!
//! News of a message comes late, twice and in any order: a delivery can be followed by a bounce of
//! the same message. So its state is a function of the set of its events, and which of them came
//! first does not matter.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::Timestamp;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $name:ident = $wire:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $type {
            $($(#[$about])* $name,)+
        }

        impl $type {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns its name in the database, in answers and in metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $wire,)+ }
            }

            /// Finds one by its name.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }
    };
}

pub(super) use names;

names! {
    /// What happened to a message.
    EventKind {
        /// A try did not succeed, and there will be another.
        Retried = "retried",
        /// The relay took it.
        Accepted = "accepted",
        /// It never will be sent.
        Failed = "failed",
        /// It was not sent in time.
        Expired = "expired",
        /// It was kept for development.
        Kept = "kept",
        /// It was not sent: mail to this address came back before.
        Suppressed = "suppressed",
        /// A server behind the relay passed it on to one that reports nothing.
        Relayed = "relayed",
        /// A server behind the relay could not deliver it yet.
        Deferred = "deferred",
        /// It is in the recipient's mailbox.
        Delivered = "delivered",
        /// It came back.
        Bounced = "bounced",
        /// The recipient called it unwanted.
        Complained = "complained",
        /// The recipient used its link.
        Confirmed = "confirmed",
        /// An operator had it sent again.
        Resent = "resent",
    }
}

names! {
    /// How far a message has come; what stands lower here wins over what stands higher.
    State {
        /// It waits.
        Queued = "queued",
        /// It is being sent.
        Sending = "sending",
        /// It was kept for development.
        Kept = "kept",
        /// It was not sent in time.
        Expired = "expired",
        /// It was not sent: mail to this address came back before.
        Suppressed = "suppressed",
        /// It never will be sent.
        Failed = "failed",
        /// The relay took it; what became of it is not known yet.
        Accepted = "accepted",
        /// The relay took it too long ago for silence to mean anything good.
        Unknown = "unknown",
        /// A server behind the relay could not deliver it yet.
        Deferred = "deferred",
        /// It is in the recipient's mailbox.
        Delivered = "delivered",
        /// The recipient used its link.
        Confirmed = "confirmed",
        /// It came back.
        Bounced = "bounced",
        /// The recipient called it unwanted.
        Complained = "complained",
    }
}

/// What follows from a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// How far it has come.
    pub(super) state: State,
    /// Whether it was reported as returned and yet its link was used afterwards.
    pub(super) false_bounce: bool,
}

impl EventKind {
    /// Returns the state that this leads to, if it leads to any.
    fn leads_to(self) -> Option<State> {
        Some(match self {
            Self::Retried | Self::Resent => return None,
            Self::Accepted | Self::Relayed => State::Accepted,
            Self::Failed => State::Failed,
            Self::Expired => State::Expired,
            Self::Kept => State::Kept,
            Self::Suppressed => State::Suppressed,
            Self::Deferred => State::Deferred,
            Self::Delivered => State::Delivered,
            Self::Bounced => State::Bounced,
            Self::Complained => State::Complained,
            Self::Confirmed => State::Confirmed,
        })
    }
}

impl State {
    /// Returns whether a message in this state is still in the outbox.
    #[must_use]
    pub fn waits(self) -> bool {
        matches!(self, Self::Queued | Self::Sending)
    }

    /// Returns the state as it is shown at `now`: the relay's yes grows stale.
    #[must_use]
    pub(super) fn aged(self, unknown_from: Option<Timestamp>, now: Timestamp) -> Self {
        match (self, unknown_from) {
            (Self::Accepted, Some(from)) if from <= now => Self::Unknown,
            (state, _) => state,
        }
    }
}

/// Works out the state from what happened, and when by the account of who reports it.
///
/// A complaint wins over a bounce, a bounce over the use of the link, that over a delivery, and so
/// on as [`State`] is ordered; but who uses a link after a bounce was reported shows that the bounce
/// was false.
pub(super) fn fold(events: impl IntoIterator<Item = (EventKind, Timestamp)>) -> Verdict {
    let mut state = State::Queued;
    let (mut bounced, mut confirmed) = (None, None);
    for (kind, at) in events {
        match kind {
            EventKind::Bounced => bounced = bounced.max(Some(at)),
            EventKind::Confirmed => confirmed = confirmed.max(Some(at)),
            _ => {}
        }
        if kind != EventKind::Bounced {
            state = state.max(kind.leads_to().unwrap_or(State::Queued));
        }
    }
    let false_bounce = bounced.is_some() && confirmed >= bounced;
    if bounced.is_some() && !false_bounce {
        state = state.max(State::Bounced);
    }
    Verdict { state, false_bounce }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select, subsequence};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_microsecond(1_795_334_400_000_000 + second * 1_000_000)
    }

    fn events(kinds: &[(EventKind, i64)]) -> Vec<(EventKind, Timestamp)> {
        kinds.iter().map(|(kind, second)| (*kind, at(*second))).collect()
    }

    #[test]
    fn what_is_worse_or_surer_wins() {
        use EventKind::{
            Accepted, Bounced, Complained, Confirmed, Deferred, Delivered, Expired, Failed,
            Relayed, Resent, Retried,
        };
        for (timeline, state, false_bounce) in [
            (vec![], State::Queued, false),
            (vec![(Retried, 1), (Resent, 2)], State::Queued, false),
            (vec![(Retried, 1), (Failed, 2)], State::Failed, false),
            (vec![(Retried, 1), (Accepted, 2)], State::Accepted, false),
            (vec![(Accepted, 1), (Expired, 2)], State::Accepted, false),
            (vec![(Accepted, 1), (Relayed, 2)], State::Accepted, false),
            (vec![(Accepted, 1), (Deferred, 2)], State::Deferred, false),
            (vec![(Accepted, 1), (Deferred, 2), (Delivered, 3)], State::Delivered, false),
            (vec![(Accepted, 1), (Delivered, 2), (Bounced, 3)], State::Bounced, false),
            (vec![(Accepted, 1), (Confirmed, 2), (Delivered, 3)], State::Confirmed, false),
            (vec![(Accepted, 1), (Confirmed, 2), (Bounced, 3)], State::Bounced, false),
            (vec![(Accepted, 1), (Bounced, 2), (Confirmed, 3)], State::Confirmed, true),
            (vec![(Bounced, 2), (Confirmed, 2)], State::Confirmed, true),
            (vec![(Bounced, 2), (Confirmed, 3), (Complained, 4)], State::Complained, true),
            (vec![(Bounced, 2), (Confirmed, 3), (Bounced, 4)], State::Bounced, false),
        ] {
            let expected = Verdict { state, false_bounce };
            assert_eq!(fold(events(&timeline)), expected, "{timeline:?}");
        }
    }

    #[test]
    fn a_yes_grows_stale_and_nothing_else_does() {
        for state in State::ALL.iter().copied() {
            assert_eq!(state.aged(None, at(9)), state);
            assert_eq!(state.aged(Some(at(10)), at(9)), state);
            let stale = state.aged(Some(at(9)), at(9));
            let expected = if state == State::Accepted { State::Unknown } else { state };
            assert_eq!(stale, expected);
        }
    }

    #[test]
    fn names_find_what_they_name() {
        for kind in EventKind::ALL.iter().copied() {
            assert_eq!(EventKind::by_name(kind.as_str()), Some(kind));
        }
        for state in State::ALL.iter().copied() {
            assert_eq!(State::by_name(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(State::by_name("lost"), None);
    }

    proptest! {
        /// Late, twice, in any order: the same events have one meaning.
        #[test]
        fn every_order_and_every_repetition_means_the_same(
            timeline in prop::collection::vec((select(EventKind::ALL), 0_i64..20), 0..12),
            places in prop::collection::vec(any::<Index>(), 24),
            twice in subsequence((0..12).collect::<Vec<usize>>(), 0..12),
        ) {
            let expected = fold(events(&timeline));
            let mut shuffled = timeline.clone();
            shuffled.extend(twice.iter().filter_map(|at| timeline.get(*at)).copied());
            for (from, place) in (0..shuffled.len()).zip(&places) {
                let to = place.index(shuffled.len());
                shuffled.swap(from, to);
            }
            prop_assert_eq!(fold(events(&shuffled)), expected, "{:?} {:?}", timeline, shuffled);
        }
    }
}
