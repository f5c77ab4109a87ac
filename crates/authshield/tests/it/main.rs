//! The whole service, over its real edges: HTTP, SMTP, SQL. One binary, so that it links once; the
//! test command runs it once on each database.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

mod cli;
mod crash;
mod faults;
mod mail_story;
mod program;
mod story;
mod two_nodes;
