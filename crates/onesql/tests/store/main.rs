//! What `onesql` promises, on real files and a real server.
//!
//! PostgreSQL is where `AUTHSHIELD_TEST_POSTGRES` says, as `cargo xtask test` does; without it these
//! scenes play on SQLite alone.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod copy;
mod group_commit;
mod migrations;
mod promises;
mod support;
mod together;
mod unavailable;
