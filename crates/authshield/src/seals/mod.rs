//! Proof that the audit trail is whole: every event is chained to the one before, and checkpoints of the
//! chain are signed.
//!
//! Nothing of it happens in a request. A sealer follows: one node at a time takes the events that were
//! committed since, gives each a link, and now and then signs where the chain stands. The order of the
//! chain is that of sealing, so an event whose transaction ended late finds its place at the end of it.
//!
//! ```text
//! chain.rs      what is chained, and how (pure)
//! sealer.rs     gives events their links, signs checkpoints
//! rules.rs      goes along a chain and says where it is broken (pure)
//! trail.rs      the chain in the database, along which that goes
//! evidence.rs   the same in a file, for who has no database
//! keep.rs       erases a person, cuts off what is kept no longer
//! http.rs       the public key
//! ```

mod chain;
mod evidence;
pub mod http;
mod keep;
mod rules;
mod sealer;
mod sql;
#[cfg(test)]
mod tests;
mod trail;

pub use chain::{Checkpoint, Cut, End, Event, Hash, Link, Personal, Salt, written_at};
pub use evidence::{EvidenceError, anchors, export, read};
pub use keep::{KeepError, Pruned, erase, prune};
pub use rules::{Break, LATE_AT_MOST, Report, Walk};
pub use sealer::{Memory, Pass, SealError, run, seal};
pub use trail::{Position, head, look, oldest_unsealed, verify};
