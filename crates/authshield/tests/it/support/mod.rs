//! What scenes are made of.

pub(crate) mod app;
pub(crate) mod authenticator;
pub(crate) mod certificate;
pub(crate) mod detection;
pub(crate) mod dns_server;
pub(crate) mod front;
pub(crate) mod leaks;
pub(crate) mod mail_system;
pub(crate) mod marked_secrets;
pub(crate) mod passkey;
pub(crate) mod plain;
pub(crate) mod program;
pub(crate) mod provider;
pub(crate) mod proxy;
pub(crate) mod redis_server;
pub(crate) mod smtp_server;
pub(crate) mod webhook;

pub(crate) use app::{PASSWORD, Person, Reply, TestApp, on_postgres};
pub(crate) use authenticator::{Authenticator, claims};
pub(crate) use plain::plain;
pub(crate) use program::{Client, Program, Server, text, token_from, wait_until};
pub(crate) use proxy::{Proxy, Wire};
pub(crate) use smtp_server::{Script, SmtpServer};
