//! What scenes are made of.

pub(crate) mod app;
pub(crate) mod marked_secrets;
pub(crate) mod plain;
pub(crate) mod smtp_server;

pub(crate) use app::{PASSWORD, Person, Reply, TestApp};
pub(crate) use plain::plain;
