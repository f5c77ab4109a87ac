//! AuthShield: a standalone authentication service.

pub mod config;
pub mod kernel;
pub mod limits;
pub mod mail;
pub mod passwords;
pub mod telemetry;
pub mod vault;
pub mod world;
