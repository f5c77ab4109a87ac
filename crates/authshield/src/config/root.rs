//! The settings at the top, and the sections below them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::accounts::{
    Deletion, MagicLink, Passkeys, Password, Recovery, Registration, SecondFactor, Verification,
};
use super::canary::Canary;
use super::captcha::Captcha;
use super::export::{ExportSyslog, ExportWebhook};
use super::federation::{
    Oauth, OauthApple, OauthGithub, OauthGitlab, OauthGoogle, OauthMicrosoft, OauthOidc, OauthOidc2,
};
use super::lints;
use super::mail::{Bounce, Mail, Smtp, SmtpFallback};
use super::operations::{Audit, Checks, Docs, Otel};
use super::pages::Pages;
use super::providers::{MailProvider, Mailgun, Postmark, Resend, Sendgrid, Ses};
use super::risk::Risk;
use super::setting::{Fallback, MINUTE, SECOND, choice, settings};
use super::storage::Database;
use super::tokens::{Refresh, Session, Token};
use super::web::{Cors, Dns, Geoip, RateLimit, Tls};
use crate::kernel::InstallationId;

choice! {
    /// Who the server is for.
    Environment {
        /// For a developer, on this machine only.
        Development = "development",
        /// For real.
        Production = "production",
    }
}

choice! {
    /// What log lines look like.
    LogFormat {
        /// Text on a terminal, else JSON.
        Auto = "auto",
        /// JSON lines.
        Json = "json",
        /// For people.
        Text = "text",
    }
}

choice! {
    /// How proxies say, before anything else, whom they heard from.
    ProxyProtocol {
        /// They do not, or in `Forwarded` and `X-Forwarded-For`.
        Off = "off",
        /// By the PROXY protocol, version 2.
        V2 = "v2",
    }
}

settings! {
    /// The server itself.
    Config at "" "" {
        /// Whether this is for real. Development needs no other setting, listens on this machine
        /// only and keeps mail instead of sending it; production demands what it needs and refuses to
        /// start without.
        environment: Environment {
            fallback: Fallback::Always("development"),
            example: "production",
            mistaken: &["ENV", "MODE", "PROFILE", "STAGE"],
            foreign: &["APP_ENV"],
        }
        /// The public listener. In development it must be on loopback.
        listen: SocketAddr {
            per_node: true,
            fallback: Fallback::Always("127.0.0.1:8080"),
            example: "0.0.0.0:8080",
            mistaken: &[
                "HOST", "PORT", "BIND", "ADDRESS", "ADDR", "HTTP_BIND", "HTTP_PORT", "HTTP_ADDR",
                "LISTEN_ADDR", "LISTEN_ADDRESS", "SERVER_PORT", "BIND_ADDRESS",
            ],
        }
        /// A second listener for `/metrics` and operator endpoints; off unless set. Keep it off the
        /// internet.
        admin_listen: Option<SocketAddr> {
            per_node: true,
            example: "127.0.0.1:9090",
            mistaken: &["METRICS_LISTEN", "METRICS_PORT", "ADMIN_PORT", "OPERATOR_LISTEN"],
        }
        /// By which names with a dot the second listener may be asked; addresses, and names without one,
        /// always do. Any other name may be one that a web page made to lead here (DNS rebinding).
        admin_hosts: Vec<String> {
            fallback: Fallback::Always(""),
            example: "metrics.internal.example.org",
            mistaken: &["ALLOWED_HOSTS", "ADMIN_HOST", "METRICS_HOSTS"],
        }
        /// The address that the world uses: the issuer of tokens and the base of links. Links in mails
        /// never come from a request's `Host`.
        public_url: Url {
            fallback: Fallback::Development("http://{listen}"),
            example: "https://id.example.org",
            mistaken: &["BASE_URL", "URL", "ISSUER", "EXTERNAL_URL", "ROOT_URL", "HOSTNAME", "DOMAIN"],
            lints: &[lints::PUBLIC_URL, lints::HTTPS, lints::PRIVATE_ADDRESS, lints::EXAMPLE_DOMAIN],
        }
        /// Where the SQLite file, generated development keys and kept mail live.
        data_dir: PathBuf {
            per_node: true,
            fallback: Fallback::Always("./data"),
            example: "/var/lib/authshield",
            mistaken: &["DATA", "DATA_PATH", "STATE_DIR", "HOME"],
        }
        /// Which installation the database must be: the id that `authshield init` printed. With it, the
        /// server does not start on a database that is empty or another one's.
        installation_id: Option<InstallationId> {
            example: "019a0c1e-7b52-7cc3-98c4-dc0c0c07398f",
            mistaken: &["INSTALLATION", "INSTALL_ID", "INSTANCE_ID"],
        }
        /// Redis or Valkey, for limits and revocations that several nodes share. One node needs none.
        redis_url: Option<SecretString> {
            example: "rediss://:password@redis.internal:6379/0",
            mistaken: &["REDIS", "VALKEY_URL", "CACHE_URL"],
            foreign: &["VALKEY_URL"],
            lints: &[lints::REDIS_URL],
        }
        /// 32 random bytes in base64 (`openssl rand -base64 32`) that wrap signing keys and factors at
        /// rest. Development makes its own and keeps it in the data folder; losing it loses what it
        /// wraps.
        master_key: Option<SecretString> {
            fallback: Fallback::Required,
            example: "<output of: openssl rand -base64 32>",
            mistaken: &["KEY", "SECRET", "ENCRYPTION_KEY", "KEK"],
            lints: &[lints::MASTER_KEY],
        }
        /// The master key before this one, while what it wrapped is wrapped anew.
        master_key_previous: Option<SecretString> {
            example: "<the former master key>",
            mistaken: &["PREVIOUS_MASTER_KEY", "OLD_MASTER_KEY", "MASTER_KEY_OLD"],
            lints: &[lints::MASTER_KEY],
        }
        /// Who presents it as bearer token sees details in `health`.
        operator_token: Option<SecretString> {
            reload: true,
            example: "<output of: openssl rand -hex 24>",
            mistaken: &["ADMIN_TOKEN", "HEALTH_TOKEN", "METRICS_TOKEN"],
            lints: &[lints::STRONG_SECRET],
        }
        /// The proxies whose `Forwarded` and `X-Forwarded-*` are believed. The client is the right-most
        /// address that is not one of them.
        trusted_proxies: Vec<IpNet> {
            reload: true,
            fallback: Fallback::Always(""),
            example: "10.0.0.0/8,fd00::/8",
            mistaken: &["PROXIES", "TRUST_PROXY", "TRUSTED_PROXY", "FORWARDED_ALLOW_IPS"],
            foreign: &["FORWARDED_ALLOW_IPS"],
        }
        /// Whether `trusted_proxies` hand on connections as they are and announce each client by the PROXY
        /// protocol, version 2, as balancers of TCP do. Then they must: a connection of theirs without
        /// that header is closed. Whoever else connects is a client and is believed nothing.
        proxy_protocol: ProxyProtocol {
            fallback: Fallback::Always("off"),
            example: "v2",
            mistaken: &["PROXYPROTOCOL", "USE_PROXY_PROTOCOL", "ACCEPT_PROXY"],
        }
        /// How long requests that are under way may take after the signal to stop.
        shutdown_grace: Duration {
            fallback: Fallback::Always("20s"),
            bounds: Some((0, 10 * MINUTE)),
            example: "20s",
            mistaken: &["SHUTDOWN_TIMEOUT", "GRACE_PERIOD", "GRACEFUL_TIMEOUT"],
        }
        /// How long one request may take before it is answered 503.
        request_timeout: Duration {
            fallback: Fallback::Always("30s"),
            bounds: Some((SECOND, 10 * MINUTE)),
            example: "30s",
            mistaken: &["TIMEOUT", "HTTP_TIMEOUT"],
        }
        /// How many connections the public listener holds at once; more wait in the kernel's queue.
        max_connections: usize {
            fallback: Fallback::Always("10000"),
            unit: "connections",
            bounds: Some((1, 1_000_000)),
            example: "10000",
            mistaken: &["CONNECTIONS", "MAX_CONNS"],
        }
        /// What is logged: `error`, `warn`, `info`, `debug` or `trace`, or directives such as
        /// `info,authshield::mail=debug`.
        log: String {
            reload: true,
            per_node: true,
            fallback: Fallback::Always("info"),
            example: "info,authshield::mail=debug",
            mistaken: &["LOG_LEVEL", "LOGLEVEL", "LOG_FILTER", "VERBOSITY"],
            lints: &[lints::LOG_FILTER],
        }
        /// What log lines look like; `auto` is text on a terminal and JSON elsewhere.
        log_format: LogFormat {
            per_node: true,
            fallback: Fallback::Always("auto"),
            example: "json",
            mistaken: &["LOG_STYLE", "LOG_JSON"],
        }
    }
    sections {
        /// `database.*`
        database: Database,
        /// `tls.*`
        tls: Tls,
        /// `smtp.*`
        smtp: Smtp,
        /// `smtp_fallback.*`
        smtp_fallback: SmtpFallback,
        /// `ses.*`
        ses: Ses,
        /// `postmark.*`
        postmark: Postmark,
        /// `sendgrid.*`
        sendgrid: Sendgrid,
        /// `mailgun.*`
        mailgun: Mailgun,
        /// `resend.*`
        resend: Resend,
        /// `mail.*`
        mail: Mail,
        /// `dns.*`
        dns: Dns,
        /// `bounce.*`
        bounce: Bounce,
        /// `canary.*`
        canary: Canary,
        /// `cors.*`
        cors: Cors,
        /// `rate_limit.*`
        rate_limit: RateLimit,
        /// `geoip.*`
        geoip: Geoip,
        /// `captcha.*`
        captcha: Captcha,
        /// `risk.*`
        risk: Risk,
        /// `registration.*`
        registration: Registration,
        /// `verification.*`
        verification: Verification,
        /// `recovery.*`
        recovery: Recovery,
        /// `magic_link.*`
        magic_link: MagicLink,
        /// `passkeys.*`
        passkeys: Passkeys,
        /// `oauth.*`
        oauth: Oauth,
        /// `oauth_google.*`
        oauth_google: OauthGoogle,
        /// `oauth_gitlab.*`
        oauth_gitlab: OauthGitlab,
        /// `oauth_microsoft.*`
        oauth_microsoft: OauthMicrosoft,
        /// `oauth_apple.*`
        oauth_apple: OauthApple,
        /// `oauth_github.*`
        oauth_github: OauthGithub,
        /// `oauth_oidc.*`
        oauth_oidc: OauthOidc,
        /// `oauth_oidc2.*`
        oauth_oidc2: OauthOidc2,
        /// `second_factor.*`
        second_factor: SecondFactor,
        /// `deletion.*`
        deletion: Deletion,
        /// `password.*`
        password: Password,
        /// `token.*`
        token: Token,
        /// `refresh.*`
        refresh: Refresh,
        /// `session.*`
        session: Session,
        /// `pages.*`
        pages: Pages,
        /// `docs.*`
        docs: Docs,
        /// `otel.*`
        otel: Otel,
        /// `checks.*`
        checks: Checks,
        /// `export_webhook.*`
        export_webhook: ExportWebhook,
        /// `export_syslog.*`
        export_syslog: ExportSyslog,
        /// `config.*`
        config: Audit,
    }
}

impl Config {
    /// Returns the public URL as text without a slash at the end: the issuer, and the base of links.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.public_url.as_str().trim_end_matches('/')
    }

    /// Calls `tell` with every secret that is set, so that it can be kept out of sight.
    pub fn each_secret(&self, tell: &mut dyn FnMut(&str)) {
        self.each(tell);
        for mailbox in self.canary.read_at() {
            tell(mailbox.password.expose_secret());
        }
    }

    /// Whether mail leaves; without anybody to give it to, development keeps it.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        self.mail.provider != MailProvider::Smtp || self.smtp.host.is_some()
    }

    /// Whether this is for real.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }
}
