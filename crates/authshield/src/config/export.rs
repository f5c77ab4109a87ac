//! Where events of the audit trail go besides the database.

use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::lints;
use super::setting::{Fallback, choice, settings};
use super::value::Value;

choice! {
    /// What an event looks like.
    EventFormat {
        /// As it is, in JSON.
        Json = "json",
        /// Open Cybersecurity Schema Framework 1.3, in JSON.
        Ocsf = "ocsf",
        /// Elastic Common Schema 8, in JSON.
        Ecs = "ecs",
        /// Common Event Format, a line of text.
        Cef = "cef",
    }
}

impl std::str::FromStr for EventFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Value::parse(text)
    }
}

settings! {
    /// Events of the audit trail, posted to a webhook (Standard Webhooks).
    ExportWebhook at "export_webhook" "." {
        /// Where each event is posted; unset, none is.
        url: Option<Url> {
            example: "https://siem.example.org/hooks/authshield",
            mistaken: &["WEBHOOK_URL", "EVENTS_WEBHOOK", "EXPORT_URL", "AUDIT_WEBHOOK_URL"],
            lints: &[lints::HTTPS],
        }
        /// What signs each request: `whsec_` and base64 of 24 to 64 bytes.
        secret: Option<SecretString> {
            example: "<output of: echo whsec_$(openssl rand -base64 32)>",
            mistaken: &["EXPORT_SECRET", "AUDIT_WEBHOOK_SECRET"],
            lints: &[lints::SHORT_SECRET],
        }
        /// The secret before this one: each request is signed by both, until the receiver knows the new one.
        secret_previous: Option<SecretString> {
            example: "<the former export_webhook.secret>",
            mistaken: &["EXPORT_SECRET_PREVIOUS"],
            lints: &[lints::SHORT_SECRET],
        }
        /// What events look like.
        format: EventFormat {
            fallback: Fallback::Always("json"),
            example: "ocsf",
            mistaken: &["WEBHOOK_FORMAT", "EXPORT_FORMAT"],
        }
        /// Networks inside to which the webhook may lead; else it must lead to a public address.
        private_networks: Vec<IpNet> {
            fallback: Fallback::Always(""),
            example: "10.20.0.0/16",
            mistaken: &["WEBHOOK_ALLOW_PRIVATE", "EXPORT_ALLOWED_NETWORKS"],
        }
    }
}

settings! {
    /// Events of the audit trail, written to a syslog server over TLS (RFC 5424, RFC 5425).
    ExportSyslog at "export_syslog" "." {
        /// Where the server is; its certificate must bear that name. Unset, nothing is written.
        address: Option<String> {
            example: "siem.example.org:6514",
            mistaken: &["SYSLOG", "SYSLOG_HOST", "SYSLOG_SERVER", "SYSLOG_ADDRESS", "SYSLOG_URL"],
        }
        /// The certificates of the authorities that may have signed the server's, in PEM; those of the
        /// system unless set.
        ca_file: Option<PathBuf> {
            example: "/etc/authshield/siem-ca.pem",
            mistaken: &["SYSLOG_CA", "SYSLOG_CA_FILE", "SYSLOG_TLS_CA"],
        }
        /// What events look like.
        format: EventFormat {
            fallback: Fallback::Always("cef"),
            example: "json",
            mistaken: &["SYSLOG_FORMAT"],
        }
    }
}
