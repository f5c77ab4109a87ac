//! Events on their way to those who collect the events of many programs.
//!
//! A sink gets every sealed event, in the order of the chain, at least once: where it stands is a row, so a
//! restart goes on where it was, and one node at a time sends. What a sink refuses, or does not take for a
//! day, becomes a dead letter that can be sent again; what comes behind it goes on.
//!
//! ```text
//! formats.rs    an event in OCSF, ECS and CEF (pure); catalogue.rs says what is what
//! guard.rs      which addresses a webhook may lead to (pure)
//! webhook.rs    signed by Standard Webhooks, over HTTPS
//! syslog.rs     RFC 5424 over TLS (RFC 5425)
//! rules.rs      when it is tried again (pure)
//! sender.rs     sends what is due, and remembers where it stands
//! ```

mod catalogue;
mod formats;
mod guard;
mod rules;
mod sender;
mod sql;
mod syslog;
mod webhook;

pub use formats::{Format, write};
pub use guard::Guard;
pub use sender::{Sinks, Step, measure, run, step};
pub use sql::{Standing, replay_dead, rewind, standings};
pub use webhook::SetupError;
