//! Every setting.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `environment`
    pub environment: Environment,
    /// `listen`
    pub listen: SocketAddr,
    /// `admin_listen`
    pub admin_listen: Option<SocketAddr>,
    /// `public_url`, without a trailing slash.
    pub public_url: Url,
    /// `data_dir`
    pub data_dir: PathBuf,
    /// `database.*`
    pub database: Database,
    /// `redis_url`
    pub redis_url: Option<SecretString>,
    /// `master_key` (base64 of 32 bytes)
    pub master_key: Option<SecretString>,
    /// `master_key_previous`
    pub master_key_previous: Option<SecretString>,
    /// `operator_token`: shows details in `health`.
    pub operator_token: Option<SecretString>,
    /// `trusted_proxies`
    pub trusted_proxies: Vec<IpNet>,
    /// `shutdown_grace`
    pub shutdown_grace: Duration,
    /// `tls.*`
    pub tls: Tls,
    /// `smtp.*`
    pub smtp: Smtp,
    /// `mail.*`
    pub mail: Mail,
    /// `cors.*`
    pub cors: Cors,
    /// `rate_limit.*`
    pub rate_limit: RateLimit,
    /// `registration.*`
    pub registration: Registration,
    /// `verification.*`
    pub verification: Verification,
    /// `recovery.*`
    pub recovery: Recovery,
    /// `password.*`
    pub password: Password,
    /// `token.*`
    pub token: Token,
    /// `refresh.*`
    pub refresh: Refresh,
    /// `session.*`
    pub session: Session,
    /// `docs.*`
    pub docs: Docs,
    /// `otel.*`
    pub otel: Otel,
    /// `log`
    pub log: String,
    /// `log_format`
    pub log_format: LogFormat,
}
/// `environment`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On this machine only.
    Development,
    /// For real.
    Production,
}
/// `log_format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// JSON lines.
    Json,
    /// For people.
    Text,
}
/// `database.*`
#[derive(Debug, Clone)]
pub struct Database {
    /// `database.url`: `sqlite://PATH` or `postgres://…`
    pub url: SecretString,
    /// `database.connections`
    pub connections: u32,
}
/// `tls.*`
#[derive(Debug, Clone)]
pub struct Tls {
    /// PEM chain
    pub certificate_file: Option<PathBuf>,
    /// PEM key
    pub private_key_file: Option<PathBuf>,
}
/// `smtp.tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Must upgrade.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Clear text.
    None,
}
/// `smtp.*`
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Without it, mail is kept (development) or refused at start (production).
    pub host: Option<String>,
    /// Port
    pub port: u16,
    /// User name
    pub username: Option<String>,
    /// Password
    pub password: Option<SecretString>,
    /// Encryption
    pub tls: SmtpTls,
    /// A private CA, PEM
    pub ca_file: Option<PathBuf>,
    /// How long one step of the conversation may take.
    pub timeout: Duration,
}
/// `mail.*`
#[derive(Debug, Clone)]
pub struct Mail {
    /// `Name <address>`
    pub from: Option<String>,
    /// With `{public_url}` already filled in and `{token}` left.
    pub link_verify_email: String,
    /// With `{public_url}` already filled in and `{token}` left.
    pub link_reset_password: String,
    /// The language of mails and pages when nobody said otherwise.
    pub default_locale: String,
}
/// `cors.*`
#[derive(Debug, Clone)]
pub struct Cors {
    /// Exact origins.
    pub origins: Vec<String>,
}
/// `rate_limit.*`
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// On or off.
    pub enabled: bool,
}
/// `registration.*`
#[derive(Debug, Clone)]
pub struct Registration {
    /// Whether strangers may open accounts.
    pub enabled: bool,
    /// What a known address is answered.
    pub duplicate_email: DuplicateEmail,
}
/// `registration.duplicate_email`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateEmail {
    /// The same as for a new one.
    Conceal,
    /// 409.
    Reveal,
}
/// `verification.*`
#[derive(Debug, Clone)]
pub struct Verification {
    /// How long a link to verify an address works.
    pub ttl: Duration,
}
/// `recovery.*`
#[derive(Debug, Clone)]
pub struct Recovery {
    /// How long a link to reset a password works.
    pub ttl: Duration,
}
/// `password.*`
#[derive(Debug, Clone)]
pub struct Password {
    /// Characters.
    pub min_length: usize,
    /// zxcvbn score.
    pub min_strength: u8,
    /// Argon2id memory.
    pub hash_memory_kib: u32,
    /// Argon2id passes.
    pub hash_iterations: u32,
    /// Argon2id lanes.
    pub hash_parallelism: u32,
    /// Threads; 0 is one per core.
    pub hash_workers: usize,
    /// The longest expected wait for a hash; beyond it 503.
    pub hash_max_wait: Duration,
}
/// `token.algorithm`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// ECDSA P-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA 2048 PKCS#1 v1.5.
    Rs256,
}
/// `token.*`
#[derive(Debug, Clone)]
pub struct Token {
    /// Algorithm of access tokens.
    pub algorithm: SigningAlgorithm,
    /// Life of access tokens.
    pub access_ttl: Duration,
    /// `aud`; the public URL unless set.
    pub audience: String,
    /// How long a key signs.
    pub key_rotation: Duration,
    /// How long before its use a key is published.
    pub key_publish_ahead: Duration,
}
/// `refresh.*`
#[derive(Debug, Clone)]
pub struct Refresh {
    /// Life of a refresh token.
    pub ttl: Duration,
    /// How long a retry gets the same successor.
    pub retry_leeway: Duration,
}
/// `session.*`
#[derive(Debug, Clone)]
pub struct Session {
    /// The absolute end.
    pub lifetime: Duration,
    /// The end without use.
    pub idle_timeout: Duration,
}
/// `docs.*`
#[derive(Debug, Clone)]
pub struct Docs {
    /// Whether `/docs` is served; in development unless set.
    pub enabled: bool,
}
/// `otel.*`
#[derive(Debug, Clone)]
pub struct Otel {
    /// OTLP over HTTP; off without it.
    pub endpoint: Option<Url>,
    /// Share of requests that are traced.
    pub sample_ratio: f64,
}
