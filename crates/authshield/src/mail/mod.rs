//! Mail: every message is a row, written with what caused it and sent by somebody else.
//!
//! ```text
//! a story ─ Outbox::put(tx, …)     a row, as part of the story's own transaction
//!         └ Outbox::wake           after its commit
//! run ─ Post::deliver_due
//!     sql::expire                  what nobody wants any more
//!     sql::claim                   what is due, under a lease
//!     Outbox::open, render         sealed variables ► words ► text and HTML
//!     Relay::send                  one recipient, one conversation, every reply kept
//!     reply::classify              whose fault is it, and what follows?  (pure)
//!     sql::settle                  accepted | failed | queued again
//! ```
//!
//! A message is `queued`, then `sending`, then one of `accepted` (the relay took it), `failed` (it
//! never will), `expired` (too late to be of use) and `kept` (development: nobody is written to).

mod desk;
mod letter;
mod line;
mod message;
mod name;
mod observer;
mod outbox;
mod post;
mod render;
mod reply;
mod schedule;
mod setup;
mod smtp;
mod sql;
mod walk;

pub use desk::{MailRow, QueueState, Shown, list, purge, queue_state, show};
pub use letter::{Letter, Lives};
pub use observer::{Counts, MailObserver, Outcome};
pub use outbox::{Outbox, Recipient, Sealer};
pub use post::{Post, run};
pub use render::{RenderError, Rendered};
pub use reply::{Class, Failure, Step};
pub use setup::{Letterhead, SetupError, Transport};
pub use smtp::Relay;
pub use walk::Walk;
