//! Sending mail.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::lints;
use super::providers::MailProvider;
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
            reload: true,
            example: "authshield",
            mistaken: &["SMTP_LOGIN", "MAIL_USER", "MAIL_USERNAME", "EMAIL_USER", "SMTP_AUTH_USER"],
            foreign: &["SMTP_USER", "SMTP_LOGIN", "MAIL_USERNAME", "EMAIL_HOST_USER", "EMAIL_USER"],
        }
        /// How we prove it.
        password: Option<SecretString> {
            reload: true,
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
        /// How long one step of the conversation may take, or half a request to a provider.
        timeout: Duration {
            fallback: Fallback::Always("20s"),
            bounds: Some((SECOND, 5 * MINUTE)),
            example: "20s",
        }
    }
}

settings! {
    /// Another relay, which takes mail while no way before it can be used.
    SmtpFallback at "smtp_fallback" "." {
        /// Its name; unset, there is none.
        host: Option<String> {
            example: "smtp2.example.org",
            mistaken: &["SMTP_SECOND_HOST", "SMTP2_HOST", "SMTP_BACKUP_HOST"],
            lints: &[lints::BARE_HOST, lints::SANDBOX_RELAY, lints::EXAMPLE_DOMAIN],
        }
        /// Its port: 587 for `starttls`, 465 for `implicit`.
        port: u16 {
            fallback: Fallback::Always("587"),
            bounds: Some((1, 65535)),
            example: "587",
        }
        /// Who we are to it.
        username: Option<String> {
            example: "authshield",
        }
        /// How we prove it.
        password: Option<SecretString> {
            example: "<the other relay's password>",
            lints: &[lints::SHORT_SECRET],
        }
        /// How the conversation is encrypted.
        tls: SmtpTls {
            fallback: Fallback::Always("starttls"),
            example: "implicit",
        }
    }
}

impl SmtpFallback {
    /// Returns it as a relay, with what `first` says for both.
    #[must_use]
    pub fn relay(&self, first: &Smtp) -> Smtp {
        Smtp {
            host: self.host.clone(),
            port: self.port,
            username: self.username.clone(),
            password: self.password.clone(),
            tls: self.tls,
            ca_file: first.ca_file.clone().filter(|_| self.tls != SmtpTls::None),
            timeout: first.timeout,
        }
    }
}

choice! {
    /// How the conversation with the mailbox is encrypted.
    ImapTls {
        /// TLS from the first byte.
        Implicit = "implicit",
        /// Clear text.
        None = "none",
    }
}

settings! {
    /// Where mail comes back to that could not be delivered, and how we hear of it.
    Bounce at "bounce" "." {
        /// The address that mails come back to: each leaves with one of its own, `bounce+TOKEN@…`, so mail to
        /// every such address must arrive in one mailbox. Unset, mails come back to `mail.from`, and
        /// nobody looks.
        address: Option<String> {
            example: "bounce@bounce.example.org",
            mistaken: &["BOUNCE", "RETURN_PATH", "MAIL_BOUNCE_ADDRESS", "ENVELOPE_FROM", "MAIL_RETURN_PATH"],
            lints: &[lints::BARE_ADDRESS, lints::EXAMPLE_DOMAIN],
        }
        /// What whoever posts mails to `/api/v1/webhooks/mail/inbound` shows; unset, that address does not
        /// exist.
        webhook_secret: Option<SecretString> {
            example: "<openssl rand -hex 24>",
            mistaken: &["WEBHOOK_SECRET", "MAIL_WEBHOOK_SECRET", "BOUNCE_SECRET"],
            lints: &[lints::STRONG_SECRET],
        }
        /// The server of the mailbox that mails come back to; unset, none is read.
        imap_host: Option<String> {
            example: "imap.example.org",
            mistaken: &["IMAP_HOST", "IMAP_SERVER", "BOUNCE_HOST"],
            lints: &[lints::BARE_HOST, lints::EXAMPLE_DOMAIN],
        }
        /// Its port.
        imap_port: u16 {
            fallback: Fallback::Always("993"),
            bounds: Some((1, 65535)),
            example: "993",
            mistaken: &["IMAP_PORT"],
        }
        /// How the conversation with it is encrypted; `none` is for this machine only.
        imap_tls: ImapTls {
            fallback: Fallback::Always("implicit"),
            example: "implicit",
            mistaken: &["IMAP_TLS", "IMAP_SSL"],
        }
        /// The certificate, PEM, of a private authority that signed the mailbox's.
        imap_ca_file: Option<PathBuf> {
            example: "/etc/authshield/imap-ca.pem",
            mistaken: &["IMAP_CA", "IMAP_CA_FILE"],
        }
        /// Who we are to it.
        imap_username: Option<String> {
            example: "bounce",
            mistaken: &["IMAP_USER", "IMAP_USERNAME", "BOUNCE_IMAP_USER"],
        }
        /// How we prove it.
        imap_password: Option<SecretString> {
            example: "<the mailbox's password>",
            mistaken: &["IMAP_PASSWORD", "IMAP_PASS", "BOUNCE_IMAP_PASS"],
            lints: &[lints::SHORT_SECRET],
        }
        /// The folder in it.
        imap_mailbox: String {
            fallback: Fallback::Always("INBOX"),
            example: "INBOX",
            mistaken: &["IMAP_MAILBOX", "IMAP_FOLDER"],
        }
        /// How often it is looked at.
        imap_every: Duration {
            fallback: Fallback::Always("1m"),
            bounds: Some((SECOND, 60 * MINUTE)),
            example: "1m",
            mistaken: &["IMAP_INTERVAL", "BOUNCE_INTERVAL"],
        }
    }
}

settings! {
    /// What mails say.
    Mail at "mail" "." {
        /// Who takes our mail: a relay, or a provider with an API of its own, which has its settings under
        /// its name.
        provider: MailProvider {
            fallback: Fallback::Always("smtp"),
            example: "postmark",
            mistaken: &["MAIL_DRIVER", "MAIL_TRANSPORT", "MAILER", "EMAIL_PROVIDER", "MAIL_BACKEND"],
            foreign: &["EMAIL_PROVIDER", "MAIL_DRIVER"],
        }
        /// Who takes it while that one cannot be used; a second relay is `smtp_fallback.host`.
        fallback: Option<MailProvider> {
            example: "ses",
            mistaken: &["MAIL_FAILOVER", "MAIL_SECONDARY", "MAIL_BACKUP", "MAIL_FALLBACK_PROVIDER"],
        }
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
        /// From where the relay sends our mail on. Only checks use it.
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
        /// Where the link to sign in leads.
        link_sign_in: String {
            fallback: Fallback::Always("{public_url}/sign-in/link?token={token}"),
            template: true,
            example: "https://app.example.org/sign-in?token={token}",
            mistaken: &["MAGIC_LINK_URL", "SIGN_IN_LINK", "MAIL_MAGIC_LINK", "LOGIN_LINK"],
            lints: &[lints::LINK, lints::HTTPS, lints::PRIVATE_ADDRESS, lints::EXAMPLE_DOMAIN],
        }
        /// Where the link leads by which somebody says that a sign-in was not theirs.
        link_not_me: String {
            fallback: Fallback::Always("{public_url}/not-me?token={token}"),
            template: true,
            example: "https://app.example.org/not-me?token={token}",
            lints: &[lints::LINK, lints::HTTPS, lints::PRIVATE_ADDRESS, lints::EXAMPLE_DOMAIN],
        }
        /// The language of mails and pages when nobody said otherwise: `de`, `en`, `es` or `fr`.
        default_locale: String {
            fallback: Fallback::Always("en"),
            example: "de",
            mistaken: &["LOCALE", "LANGUAGE", "DEFAULT_LANGUAGE", "MAIL_LANGUAGE"],
            lints: &[lints::LOCALE],
        }
    }
}
