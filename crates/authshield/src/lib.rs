//! AuthShield: a standalone authentication service.
//!
//! ```text
//! pages     what the outside can see, one kind per file
//!           router  problem  config  audit::event  access::permission  limits::rules
//!           mail::letter  telemetry::metrics
//! features  registration verification login tokens sessions browser recovery accounts activity
//!           roles passkeys second_factor federation own_data admin health checks screens backup
//!           compose cli
//!                                     each a folder: mod (story) http rules (pure) sql
//! services  audit seals exports revocations captcha guessing limits evenly leases links mail vault
//!           passwords telemetry chores installation theme words
//! frame     app access frame server assemble schema shutdown supervise world kernel
//! ```
//!
//! A request walks `frame` → `router` → a feature's `http` → its story → `rules` and `sql`.

pub mod access;
pub mod accounts;
pub mod activity;
pub mod admin;
pub mod app;
pub mod assemble;
pub mod audit;
pub mod backup;
pub mod browser;
pub mod captcha;
pub mod checks;
pub mod chores;
pub mod cli;
pub mod compose;
pub mod config;
pub mod devices;
pub mod dns;
pub mod domains;
mod evenly;
pub mod exports;
pub mod federation;
mod form;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod geoip;
mod guard;
pub mod guessing;
pub mod health;
pub mod installation;
pub mod kernel;
pub mod leases;
pub mod limits;
pub mod links;
pub mod lockdown;
pub mod login;
pub mod magic_link;
pub mod mail;
pub mod own_data;
pub mod passkeys;
pub mod passwords;
pub mod problem;
pub mod recovery;
pub mod registration;
pub mod revocations;
pub mod risk;
pub mod roles;
pub mod router;
pub mod schema;
pub mod screens;
pub mod seals;
pub mod second_factor;
pub mod server;
pub mod sessions;
pub mod shutdown;
pub mod supervise;
pub mod telemetry;
pub mod theme;
pub mod tokens;
pub mod trusted_devices;
pub mod vault;
pub mod verification;
pub mod watched;
pub mod webhooks;
mod words;
pub mod world;
