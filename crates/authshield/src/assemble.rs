//! Puts the parts together: from a configuration to an [`App`].

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use authshield_verify::{Rules, Verifier};
use onesql::{Options, Store, Work};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::access::VerifiedTokens;
use crate::app::{App, Reach};
use crate::captcha::{self, Remote};
use crate::checks::{self, Board};
use crate::config::Config;
use crate::domains::Domains;
use crate::exports::{self, Senders};
use crate::federation::{self, Providers};
use crate::geoip::GeoIp;
use crate::guessing::Patterns;
use crate::health::Writes;
use crate::installation::{self, AdmitError};
use crate::limits::{self, Limits};
use crate::mail::{
    self, Class, Letter, Letterhead, MailObserver, Outbox, Outcome, Post, ReturnKey, Returns,
    Sealer, Templates, Transport, Webhooks,
};
use crate::passwords::Passwords;
use crate::passwords::breached::{self, Ranges};
use crate::revocations::Feed;
use crate::schema;
use crate::screens::Pages;
use crate::sessions;
use crate::telemetry::metrics::{
    Database, Mail as MailLabels, MailAttempt, MailKind, MailSuppressed, Task,
};
use crate::telemetry::{Metrics, Notes, Part};
use crate::theme::{Theme, Unfit};
use crate::tokens;
use crate::vault::{
    EmailHashKey, Keyring, KeyringError, MAIL_VARIABLES, RewrapError, SUPPRESSED_ADDRESS, Secrets,
    Vault, VaultError, WEBHOOK_PAYLOAD,
};
use crate::world::SharedWorld;

/// Why the program cannot start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be written to.
    #[error(
        "cannot write to the data folder {path}: make it writable, or set AUTHSHIELD_DATA_DIR to another"
    )]
    DataDir {
        /// Which.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot use the database at {place} (AUTHSHIELD_DATABASE_URL): {advice}")]
    Database {
        /// Where, without the password.
        place: String,
        /// What to do.
        advice: &'static str,
        /// What it said.
        #[source]
        source: onesql::Error,
    },
    /// Captchas cannot be judged.
    #[error(transparent)]
    Captcha(#[from] captcha::SetupError),
    /// Pages and mails cannot look as they should.
    #[error("pages and mails cannot look as they are meant to: {0}")]
    Theme(#[from] Unfit),
    /// Nobody can be asked which passwords were stolen.
    #[error(transparent)]
    Ranges(#[from] breached::SetupError),
    /// The schema is older than this program.
    #[error("the database lacks {0} migrations. Run `authshield migrate run` first")]
    Behind(usize),
    /// The schema cannot be brought up to date, or is newer.
    #[error("the schema of the database does not fit")]
    Schema(#[source] onesql::Error),
    /// The database is not the one that should be there.
    #[error(transparent)]
    Installation(#[from] AdmitError),
    /// The master key is missing, or another one.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What was sealed under the previous master key cannot be moved to the new one.
    #[error(transparent)]
    Rewrap(#[from] RewrapError),
    /// The keys cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Mail cannot be set up.
    #[error("mail cannot be set up")]
    Mail(#[from] mail::SetupError),
    /// Limits cannot be set up.
    #[error("limits cannot be set up")]
    Limits(#[from] limits::OpenError),
    /// Events cannot be exported.
    #[error("events cannot be exported")]
    Export(#[from] exports::SetupError),
    /// Nobody can be sent to a provider.
    #[error("signing in at providers cannot be set up")]
    Federation(#[from] federation::SetupError),
    /// The database failed while the keys were read.
    #[error("the database failed")]
    Store(#[from] onesql::Error),
}

/// Opens the database; it need not have a schema yet.
pub async fn open_store(config: &Config) -> Result<Store, StartError> {
    open_store_for(config, None).await
}

/// Opens the database for work in which one statement may take `at_most`.
pub async fn open_store_for(
    config: &Config,
    at_most: Option<Duration>,
) -> Result<Store, StartError> {
    let url = config.database.url.expose_secret();
    let failed = unreachable(config);
    if let Some(path) = url.strip_prefix("sqlite://")
        && let Some(folder) =
            std::path::Path::new(path).parent().filter(|path| !path.as_os_str().is_empty())
    {
        make_folder(folder)?;
    }
    let mut options = Options::parse(url).map_err(&failed)?;
    options.connections = config.database.connections;
    options.at_most = at_most.unwrap_or(options.at_most);
    let store = Store::open(&options).await.map_err(&failed)?;
    store.reach().await.map_err(&failed)?;
    Ok(store)
}

/// Returns how a failure to reach the database is told: where it is, and what to do.
pub fn unreachable(config: &Config) -> impl Fn(onesql::Error) -> StartError {
    let place = place(config.database.url.expose_secret());
    move |source| {
        let (place, advice) = (place.clone(), advice(&source));
        StartError::Database { place, advice, source }
    }
}

/// A database's address without what may be secret in it.
fn place(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if !url.starts_with("sqlite://") => {
            parsed.set_query(None);
            // Only an address without a host has no place for a password.
            let _ = parsed.set_password(None);
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

/// What to do when the database cannot be used.
fn advice(error: &onesql::Error) -> &'static str {
    let onesql::Error::Sql(error) = error else {
        return "no answer came; is this the right address, and does the server run?";
    };
    let database = match error.as_ref() {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return "make the file writable for the user that runs this";
        }
        sqlx::Error::Io(_) => return "is this the right address, and does the server run?",
        sqlx::Error::Tls(_) => return "the server's TLS cannot be used as `sslmode` asks",
        sqlx::Error::Database(database) => database,
        _ => return "is it the right one?",
    };
    match database.code().as_deref() {
        // PostgreSQL.
        Some("28P01" | "28000") => "give the right user and password",
        Some("3D000") => "create that database, or name another",
        Some(code) if code.starts_with("53") => "the server has no room for more connections",
        Some(code) if code.starts_with("57P") => "the server starts or stops; try again soon",
        // SQLite.
        Some("26") => "that file is something else; move it away, or name another",
        Some("11") => "the file is damaged; restore a backup",
        Some("8" | "14" | "1032" | "1544" | "3850") => {
            "make the file and its folder writable for the user that runs this"
        }
        _ => "is it the right one?",
    }
}

fn make_folder(path: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StartError::DataDir { path: path.to_owned(), source })
}

/// Opens the database and makes sure that it has our schema: `migrate` brings it up to date, else a
/// schema that is behind is an error.
pub async fn ready_store(config: &Config, migrate: bool) -> Result<Store, StartError> {
    let store = open_store(config).await?;
    if migrate {
        schema::migrate(&store).await.map_err(StartError::Schema)?;
    }
    match schema::pending(&store).await.map_err(StartError::Schema)? {
        0 => {}
        missing => return Err(StartError::Behind(missing)),
    }
    if schema::is_newer(&store).await.map_err(StartError::Schema)? {
        tracing::warn!(
            "a newer AuthShield migrated the database; its migrations say that this version works \
             with them"
        );
    }
    Ok(store)
}

/// Puts everything together that a request may reach, and the worker that sends its mail.
pub async fn assemble(
    config: Config,
    world: SharedWorld,
    store: Store,
    metrics: Arc<Metrics>,
) -> Result<(App, Post), StartError> {
    // On the heap: a configuration is large, and here it is moved often.
    Box::pin(put_together(config, world, store, metrics)).await
}

/// Returns why something cannot be made of the configuration, as far as that shows without a database.
#[must_use]
pub fn unusable(config: &Config) -> Vec<StartError> {
    fn why<T>(made: Result<T, impl Into<StartError>>) -> Option<StartError> {
        made.err().map(Into::into)
    }
    let all = [
        why(Letterhead::from_config(config)),
        why(try_theme(config)),
        why(Transport::from_config(config, None)),
        why(Webhooks::from_config(config)),
        why(Remote::from_config(config)),
        why(Ranges::from_config(&config.password)),
        why(Senders::from_config(config)),
        why(Providers::from_config(config)),
    ];
    all.into_iter().flatten().collect()
}

/// Makes pages and mails as an operator wants them, or says all that stands in the way.
fn dress(config: &Config, head: &Letterhead) -> Result<(Pages, Templates), Unfit> {
    let theme = Theme::from_config(config)?;
    match (Pages::load(head, config.issuer(), &theme), Templates::load(&theme)) {
        (Ok(pages), Ok(templates)) => Ok((pages, templates)),
        (pages, templates) => {
            let wrong = [pages.err(), templates.err()].into_iter().flatten();
            Err(Unfit(wrong.flat_map(|Unfit(reasons)| reasons).collect()))
        }
    }
}

/// Tries what an operator made of pages and mails.
pub fn try_theme(config: &Config) -> Result<(), Unfit> {
    match Letterhead::from_config(config) {
        Ok(head) => dress(config, &head).map(|_| ()),
        // Without a sender nothing starts; that is said by itself.
        Err(_) => Theme::from_config(config).map(|_| ()),
    }
}

async fn put_together(
    config: Config,
    world: SharedWorld,
    store: Store,
    metrics: Arc<Metrics>,
) -> Result<(App, Post), StartError> {
    let now = world.now();
    let installation = installation::accept(&store, &config, &*world).await?;
    make_folder(&config.data_dir)?;
    let vault = Vault::open(&config, Arc::clone(&world))?;
    if config.master_key_previous.is_some() {
        vault.rewrap(&store).await?;
    }
    let secrets = Secrets::load_or_create(&store, &vault, now).await?;
    let keyring = Keyring::load_or_create(&store, &vault, &config.token, now).await?;
    let passwords = Passwords::start(&config.password, Arc::clone(&world));
    let watched = Arc::clone(&metrics);
    passwords.observe(move |job| {
        watched.hash_queue_wait.observe(job.waited.as_secs_f64());
        watched.hash_duration.observe(job.worked.as_secs_f64());
    });
    watch(&store, &metrics);
    let geoip = GeoIp::new(config.geoip.file.clone());
    let limits =
        Limits::open(&config, &store, secrets.email_hash.hash("\0limits"), &*world).await?;
    let head = Letterhead::from_config(&config)?;
    let (pages, templates) = dress(&config, &head)?;
    let envelope = Envelope(vault.clone(), secrets.email_hash.clone());
    let live = Arc::new(ArcSwap::from_pointee(config.clone()));
    let outbox = Outbox::new(Arc::clone(&live), head, templates, envelope, Arc::clone(&world));
    let returns = Returns::from_config(&config, ReturnKey::new(&secrets.mail_return))?;
    let transport = Transport::from_config(&config, returns.as_ref())?;
    let relay_credentials = transport.relay_credentials(&config);
    let counted = Arc::new(Counted(Arc::clone(&metrics)));
    let post = Post::new(store.clone(), outbox.clone(), transport, counted);
    let rules = Rules::new(config.issuer(), config.token.audience.clone());
    let webhooks = Webhooks::from_config(&config)?;
    let captcha = Remote::from_config(&config)?;
    let ranges = Ranges::from_config(&config.password)?;
    let domains = Domains::new(config.registration.disposable_domains_file.clone());
    // Refused now, and made again by who sends.
    Senders::from_config(&config)?;
    let providers = Providers::from_config(&config)?;
    metrics.describe(&config, "");
    // Policies for checks that do not exist were refused before.
    let overrides = checks::overrides(&config).unwrap_or_default();
    let checks = Board::new(&checks::all(), &config, &overrides, &*world);
    let (callers, holders) = (sessions::callers(&store), tokens::holders(&store));
    let app = App::new(Reach {
        pages,
        providers,
        live,
        config,
        installation,
        world,
        store,
        passwords,
        geoip,
        vault,
        keyring,
        secrets,
        limits,
        patterns: Patterns::default(),
        outbox,
        post: post.clone(),
        relay_credentials,
        returns,
        webhooks,
        metrics,
        verifier: Verifier::new(rules),
        verified: VerifiedTokens::default(),
        captcha,
        domains,
        ranges,
        revocations: Feed::default(),
        writes: Writes::default(),
        callers,
        holders,
        checks,
        opening: AtomicBool::new(false),
    });
    Ok((app, post))
}

/// Counts what the database takes, and notes it on the line of the request that waits for it.
fn watch(store: &Store, metrics: &Metrics) {
    let of = |mode| {
        let part = |part| metrics.database_duration.get_or_create_owned(&Database { mode, part });
        [part("wait"), part("statement"), part("commit")]
    };
    let timings = [of("read"), of("write")];
    store.observe(move |work: Work| {
        timings[work.mode as usize][work.part as usize].observe(work.took.as_secs_f64());
        if let Some(notes) = Notes::current() {
            notes.spent(Part::Database, work.took);
        }
    });
}

/// The vault, as mail uses it.
struct Envelope(Vault, EmailHashKey);

impl Envelope {
    /// Returns what the vault calls what mail seals for `purpose`.
    fn purpose(purpose: &str) -> &'static str {
        match purpose {
            SUPPRESSED_ADDRESS => SUPPRESSED_ADDRESS,
            WEBHOOK_PAYLOAD => WEBHOOK_PAYLOAD,
            _ => MAIL_VARIABLES,
        }
    }
}

impl Sealer for Envelope {
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        self.0.seal(Self::purpose(purpose), plain)
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.open_sealed(Self::purpose(purpose), sealed).ok()
    }

    fn hash(&self, address: &str) -> [u8; 32] {
        self.1.hash(address)
    }
}

/// The metrics, as mail knows them.
struct Counted(Arc<Metrics>);

impl MailObserver for Counted {
    fn outcome(&self, kind: &str, outcome: Outcome, since: std::time::Duration) {
        let kind = Letter::known(kind);
        let labels = MailLabels { kind, outcome: outcome.as_str() };
        self.0.mail_messages.get_or_create(&labels).inc();
        if outcome == Outcome::Accepted {
            let span = self.0.mail_time_to_accept.get_or_create(&MailKind { kind });
            span.observe(since.as_secs_f64());
        }
    }

    fn panicked(&self) {
        self.0.task_restarts.get_or_create(&Task { task: "mail_in_hand" }).inc();
    }

    fn attempt(&self, provider: &'static str, failed: Option<Class>) {
        let class = failed.map_or("accepted", Class::as_str);
        self.0.mail_attempts.get_or_create(&MailAttempt { provider, class }).inc();
    }

    fn suppressed(&self, reason: &'static str) {
        self.0.mail_suppressed.get_or_create(&MailSuppressed { reason }).inc();
    }
}
