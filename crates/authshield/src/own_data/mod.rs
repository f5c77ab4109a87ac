//! What somebody may do with all that is kept of them: take it along, or have it deleted.
//!
//! ```text
//! POST   /users/me/export    everything, as one JSON document
//! DELETE /users/me           the account is deleted after `deletion.grace`; sessions end at once
//! DELETE /users/me/deletion  that is taken back
//! chores ─ carry_out         deletes what is due
//! ```

mod deletion;
mod export;
pub mod http;
mod sql;

pub use deletion::{RequestError, carry_out, keep, request, withdraw};
pub use export::{Export, ExportError, ExportedSecondFactor, gather};
pub use sql::{ExportedMail, ExportedRole, ExportedSession};
