//! What whoever caused a mail may know of it: how far it has come, and never what its reader did. Pure.

use serde::Serialize;
use utoipa::ToSchema;

use super::desk::Story;
use super::reply::Class;
use super::timeline::{self, EventKind, State};
use crate::kernel::Timestamp;

/// How far a mail has come, in the words of who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is about to be sent.
    Queued,
    /// A server on the way asks us to wait, and there will be another try.
    Waiting,
    /// It was handed to the recipient's mail server, or to one on the way there.
    HandedOver,
    /// It is in the mailbox: look among the unwanted mail, too.
    Delivered,
    /// It cannot be delivered to this address: is it spelt rightly?
    Undeliverable,
    /// It was not sent, for a reason that is ours.
    NotSent,
}

/// How far a mail has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// How far.
    pub state: Stage,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

impl Progress {
    /// Tells how far the mail of `story` has come.
    ///
    /// That its link was used, or that somebody called it unwanted, is its reader's affair: such news
    /// is as if it had never come.
    #[must_use]
    pub fn of(story: &Story) -> Self {
        let seen: Vec<(EventKind, Timestamp)> = story
            .facts()
            .filter(|(kind, _)| {
                use EventKind::{Complained, Confirmed, Resent};
                !matches!(kind, Complained | Confirmed | Resent)
            })
            .collect();
        let state = match timeline::fold(seen.iter().copied()).state {
            State::Queued if seen.iter().any(|(kind, _)| *kind == EventKind::Retried) => {
                Stage::Waiting
            }
            State::Queued | State::Sending => Stage::Queued,
            State::Deferred => Stage::Waiting,
            State::Accepted | State::Unknown | State::Kept => Stage::HandedOver,
            State::Delivered | State::Confirmed | State::Complained => Stage::Delivered,
            State::Bounced | State::Suppressed => Stage::Undeliverable,
            State::Failed
                if story.row.final_class.as_deref() == Some(Class::Recipient.as_str()) =>
            {
                Stage::Undeliverable
            }
            State::Failed | State::Expired => Stage::NotSent,
        };
        let since = seen.iter().map(|(_, at)| *at).max().unwrap_or(story.row.created_at);
        Self { state, since }
    }
}
