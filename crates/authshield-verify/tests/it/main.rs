//! The crate from outside.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod attacks;
mod common;
#[cfg(feature = "axum")]
mod remote;
#[cfg(feature = "axum")]
mod revocations;
