//! Events on their way to those who collect the events of many programs.
//!
//! A sink gets every sealed event at least once. Where it stands is a row, and the order is that of the
//! chain, so that an event whose transaction ended late is behind those that were sealed before it and none is
//! passed over. One node at a time sends; a restart goes on where it was. What a sink refuses becomes a
//! dead letter that can be sent again; what comes behind it goes on.
//!
//! ```text
//! formats.rs    an event in OCSF, ECS and CEF (pure); catalogue.rs says what is what
//! rules.rs      when it is tried again (pure)
//! sender.rs     sends what is due, and remembers where it stands
//! webhook.rs    signed by Standard Webhooks, over HTTPS; crate::guard says where to (pure)
//! syslog.rs     RFC 5424 over TLS (RFC 5425)
//! desk.rs       what operators ask and have sent again; http.rs the same over HTTP
//! ```

mod catalogue;
mod desk;
mod formats;
pub mod http;
mod rules;
mod sender;
mod sql;
mod syslog;
mod webhook;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Config;

pub use desk::{Standing, drop_dead_letters, measure, replay, standings};
pub use formats::write;
pub use sender::{Senders, Step, run, step};
pub use sql::{DeadLetter, dead_letters};

/// Who is given events.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[schema(as = ExportSink)]
pub enum Sink {
    /// `export_webhook.url`
    Webhook,
    /// `export_syslog.address`
    Syslog,
}

impl Sink {
    /// Returns its name, as metrics have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Syslog => "syslog",
        }
    }

    /// Returns those that are configured.
    #[must_use]
    pub fn configured(config: &Config) -> Vec<Self> {
        let webhook = config.export_webhook.url.is_some().then_some(Self::Webhook);
        let syslog = config.export_syslog.address.is_some().then_some(Self::Syslog);
        webhook.into_iter().chain(syslog).collect()
    }
}

/// Why a sink cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The secret is none.
    #[error(
        "export_webhook.secret (or secret_previous) is not `whsec_` and base64 of 24 to 64 bytes; `echo whsec_$(openssl rand \
         -base64 32)` makes one"
    )]
    Secret,
    /// The URL leads inside, is not encrypted, or has a password in it.
    #[error(
        "export_webhook.url is not allowed: it must be https without a password, and an address inside \
         must be in export_webhook.private_networks"
    )]
    Url,
    /// The address of the syslog server is none.
    #[error("export_syslog.address is not `host:port`")]
    Server,
    /// The certificates cannot be read.
    #[error("export_syslog.ca_file cannot be used: {0}")]
    Certificates(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
