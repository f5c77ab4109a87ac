//! Sending mail.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::lints;
use super::setting::{Fallback, MINUTE, SECOND, choice, settings};

choice! {
    /// How the conversation with the relay is encrypted.
    SmtpTls {
        /// Must upgrade.
        Starttls = "starttls",
        /// TLS from the first byte.
        Implicit = "implicit",
        /// Clear text.
        None = "none",
    }
}

settings! {
    /// The relay that takes our mail. Without one, development keeps mail and shows it instead of
    /// sending it.
    Smtp at "smtp" "." {
        /// Its name.
        host: Option<String> {
            fallback: Fallback::Required,
            example: "smtp.example.org",
            mistaken: &["SMTP", "SMTP_SERVER", "SMTP_HOSTNAME", "MAIL_HOST", "EMAIL_HOST", "SMTP_URL"],
            foreign: &["SMTP_SERVER", "MAIL_HOST", "EMAIL_HOST", "MAIL_SERVER"],
            lints: &[lints::BARE_HOST, lints::SANDBOX_RELAY, lints::EXAMPLE_DOMAIN],
        }
        /// Its port: 587 for `starttls`, 465 for `implicit`.
        port: u16 {
            fallback: Fallback::Always("587"),
            bounds: Some((1, 65535)),
            example: "587",
            mistaken: &["MAIL_PORT", "EMAIL_PORT"],
            foreign: &["MAIL_PORT", "EMAIL_PORT"],
        }
        /// Who we are to it.
        username: Option<String> {
            example: "authshield",
            mistaken: &["SMTP_LOGIN", "MAIL_USER", "MAIL_USERNAME", "EMAIL_USER", "SMTP_AUTH_USER"],
            foreign: &["SMTP_USER", "SMTP_LOGIN", "MAIL_USERNAME", "EMAIL_HOST_USER", "EMAIL_USER"],
        }
        /// How we prove it.
        password: Option<SecretString> {
            example: "<the relay's password>",
            mistaken: &["SMTP_PASS", "SMTP_SECRET", "MAIL_PASS", "MAIL_PASSWORD", "SMTP_PASSWD"],
            foreign: &["SMTP_PASS", "MAIL_PASSWORD", "EMAIL_HOST_PASSWORD", "EMAIL_PASSWORD"],
            lints: &[lints::SHORT_SECRET],
        }
        /// How the conversation is encrypted.
        tls: SmtpTls {
            fallback: Fallback::Always("starttls"),
            example: "implicit",
            mistaken: &["SMTP_SSL", "SMTP_SECURE", "SMTP_STARTTLS", "SMTP_ENCRYPTION", "SMTP_SECURITY"],
            foreign: &["SMTP_USE_TLS", "SMTP_USE_SSL", "SMTP_SECURE"],
        }
        /// The certificate, PEM, of a private authority that signed the relay's.
        ca_file: Option<PathBuf> {
            example: "/etc/authshield/relay-ca.pem",
            mistaken: &["SMTP_CA", "SMTP_CA_CERT", "SMTP_ROOT_CA"],
        }
        /// How long one step of the conversation may take.
        timeout: Duration {
            fallback: Fallback::Always("20s"),
            bounds: Some((SECOND, 5 * MINUTE)),
            example: "20s",
        }
    }
}

settings! {
    /// What mails say.
    Mail at "mail" "." {
        /// The sender, as `Name <address>`.
        from: Option<String> {
            fallback: Fallback::Required,
            example: "Example <no-reply@example.org>",
            mistaken: &["FROM", "SENDER", "MAIL_SENDER", "MAIL_FROM_ADDRESS", "FROM_EMAIL", "SMTP_SENDER"],
            foreign: &[
                "EMAIL_FROM", "EMAIL_FROM_NAME", "SMTP_FROM", "SMTP_FROM_EMAIL", "SMTP_FROM_NAME",
                "DEFAULT_FROM_EMAIL",
            ],
            lints: &[lints::SENDER, lints::EXAMPLE_DOMAIN],
        }
        /// Under which names the relay publishes the keys that it signs our mail with (DKIM selectors); with
        /// `@domain` where it signs for another domain than the sender's. Only checks use it.
        dkim_selectors: Vec<String> {
            fallback: Fallback::Always(""),
            example: "s1,s2@mail.example.org",
            mistaken: &["DKIM_SELECTOR", "DKIM_SELECTORS", "MAIL_DKIM_SELECTOR"],
        }
        /// From where the relay sends our mail on, if that is not where it listens. Only checks use it.
        sending_networks: Vec<IpNet> {
            fallback: Fallback::Always(""),
            example: "192.0.2.0/28,2001:db8:25::/64",
            mistaken: &["SENDING_IPS", "MAIL_SENDING_IPS", "OUTBOUND_IPS"],
        }
        /// Where the link to verify an address leads: our own page, or the application's.
        link_verify_email: String {
            fallback: Fallback::Always("{public_url}/verify-email?token={token}"),
            template: true,
            example: "https://app.example.org/verify?token={token}",
            mistaken: &["VERIFY_EMAIL_URL", "MAIL_VERIFY_LINK", "MAIL_LINK_VERIFY"],
            foreign: &["VERIFY_EMAIL_PATH"],
            lints: &[lints::LINK, lints::HTTPS, lints::PRIVATE_ADDRESS, lints::EXAMPLE_DOMAIN],
        }
        /// Where the link to reset a password leads.
        link_reset_password: String {
            fallback: Fallback::Always("{public_url}/reset-password?token={token}"),
            template: true,
            example: "https://app.example.org/reset?token={token}",
            mistaken: &["RESET_PASSWORD_URL", "MAIL_RESET_LINK", "MAIL_LINK_RESET"],
            foreign: &["RESET_PASSWORD_PATH"],
            lints: &[lints::LINK, lints::HTTPS, lints::PRIVATE_ADDRESS, lints::EXAMPLE_DOMAIN],
        }
        /// The language of mails and pages when nobody said otherwise: `en` or `de`.
        default_locale: String {
            fallback: Fallback::Always("en"),
            example: "de",
            mistaken: &["LOCALE", "LANGUAGE", "DEFAULT_LANGUAGE", "MAIL_LANGUAGE"],
            lints: &[lints::LOCALE],
        }
    }
}
