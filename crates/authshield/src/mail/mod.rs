//! Mail: every message is a row, written with what caused it and sent by somebody else.
//!
//! ```text
//! a story ─ Outbox::put(tx, …)     a row, as part of the story's own transaction, whose commit wakes the post
//! run ─ Post::deliver_due
//!     sql::expire                  what nobody wants any more
//!     sql::claim                   what is due, the urgent first, under a lease
//!     suppression::may_go          did mail to this address come back?
//!     Outbox::open, render         sealed variables ► words ► text and HTML
//!     Relay::send | Api::hand_over one recipient, one conversation, every reply kept
//!     reply::classify              whose fault is it, and what follows?  (pure)
//!     sql::settle                  accepted | failed | queued again
//!     events::append               what happened, into the timeline; the state follows from it
//! returns::take_in ─ events::append  what other servers report later
//! outcome                           what becomes of mail, cell by cell
//! take_webhook ─ events::append      what providers report later
//! canary                            messages to ourselves, which show that mail arrives
//! watch ─ incidents::report        faults of our own settings, one event each
//! ```
//!
//! A message is `queued`, then `sending`, then one of `accepted` (the relay took it), `failed` (it
//! never will), `expired` (too late to be of use) and `kept` (development: nobody is written to).
//! What is heard of an accepted message later leads on; [`State`] has the whole list, and `timeline`
//! says which news wins. The relay's yes is not a delivery: after a while it is shown as `unknown`.

mod breaker;
pub mod canary;
mod desk;
mod ending;
mod events;
mod incidents;
mod keep;
mod letter;
mod mailbox;
mod message;
mod mime;
mod name;
mod observer;
mod outbox;
pub mod outcome;
mod post;
mod presence;
mod progress;
mod providers;
mod render;
mod reply;
mod returns;
mod schedule;
mod setup;
mod smtp;
mod sql;
mod stream;
mod suppression;
mod talk;
mod timeline;
mod urgency;
mod walk;
mod way;

pub use breaker::BreakerState;
pub use desk::{
    Entry, MailRow, QueueState, Search, Shown, Story, Vitals, find, list, purge, queue_state, show,
    story, vitals,
};
pub use events::{confirm, hurry, resent};
pub use incidents::{report, watch};
pub use letter::{Letter, Lives};
pub use observer::{Counts, MailObserver, Outcome};
pub use outbox::{Outbox, Recipient, Sealer};
pub use post::{Post, run};
pub use presence::Presence;
pub use progress::{Progress, Stage};
#[cfg(any(test, fuzzing))]
pub use providers::webhook_is_bounded;
pub use providers::{
    Api, PAYLOAD_AT_MOST, Remark, WebhookError, WebhookRefused, Webhooks, last_feedback,
    take_webhook, with_provider,
};
pub(crate) use render::EMBEDDED as LAYOUTS;
pub use render::{RenderError, Rendered, Templates};
pub use reply::{Class, Failure, Step};
#[cfg(any(test, fuzzing))]
pub(crate) use returns::is_bounded;
pub use returns::{REPORT_AT_MOST, Refused, ReturnKey, Returns, poll, take_in};
pub use setup::{Letterhead, SetupError, Transport};
pub use smtp::{Relay, RelayCredentials};
pub use suppression::{
    New as NewSuppression, Reason as SuppressionReason, Scope as SuppressionScope, Suppression,
    forget_suppressions, is_suppressed, lift, suppress, suppressed_count, suppressions,
};
pub use timeline::{EventKind, State};
pub use walk::Walk;
pub use way::Way;
