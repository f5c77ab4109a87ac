//! The whole service, over its real edges: HTTP, SMTP, SQL. One binary, so that it links once; the
//! test command runs it once on each database.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

mod access;
mod accounts;
mod admin;
mod asvs;
mod breached;
mod browser;
mod cli;
mod crash;
mod drift;
mod events;
mod faults;
mod fuzz;
mod guessing;
mod house;
mod http;
mod installation;
mod limits;
mod login;
mod mail;
mod mail_desk;
mod mail_story;
mod migrations;
mod negative;
mod openapi;
mod outcome;
mod own_data;
mod ownership;
mod program;
mod providers;
mod races;
mod recovery;
mod registration;
mod restore;
mod returns;
mod rotation_model;
mod screens;
mod seals;
mod second_factor;
mod sessions;
mod silent_failures;
mod step_up;
mod story;
mod supervise;
mod suppression;
mod telemetry;
mod tokens;
mod traces;
mod two_nodes;
mod vault;
mod verification;
mod wire;
