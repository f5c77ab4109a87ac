//! What checks look at.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use onesql::Store;
use tokio::sync::{OnceCell, watch};

use super::finding::Verdict;
use super::letter::Order;
use super::redact::Redactor;
use super::web::{self, Standpoint, Trouble, Visit};
use crate::app::App;
use crate::assemble::{self, StartError};
use crate::config::{self, Config, Loaded, Refused, Smtp};
use crate::kernel::Timestamp;
use crate::limits::{self, Facts};
use crate::mail::{Letterhead, ReturnKey, Returns, Transport, Walk};
use crate::problem::chain;
use crate::seals::Position;
use crate::vault::Vault;
use crate::world::SharedWorld;

/// A configuration and what it leads to: the same for all rounds.
pub struct Subject {
    config: Option<Config>,
    said: Vec<config::Finding>,
    effective: Vec<config::Effective>,
    world: SharedWorld,
    store: OnceCell<Result<Store, String>>,
    app: Option<App>,
    redactor: Redactor,
    order: Option<Order>,
    /// How many keys Redis had evicted when somebody looked last; `MAX` before that.
    pub(super) evicted: AtomicU64,
    /// How far the chain of the audit trail was looked at by and by.
    pub(super) audited: Mutex<Position>,
    /// From where the public address is looked at.
    pub(super) web: Standpoint,
}

impl Subject {
    /// Returns what there is before anything runs.
    #[must_use]
    pub fn new(loaded: &Loaded, world: SharedWorld) -> Self {
        Self {
            redactor: Redactor::of(&loaded.config),
            config: Some(loaded.config.clone()),
            said: loaded.warnings.clone(),
            effective: loaded.effective.clone(),
            world,
            store: OnceCell::new(),
            app: None,
            order: None,
            evicted: AtomicU64::new(u64::MAX),
            audited: Mutex::default(),
            web: Standpoint::default(),
        }
    }

    /// Returns what there is when the configuration is refused: nothing but the reasons.
    #[must_use]
    pub fn refused(refused: &Refused, world: SharedWorld) -> Self {
        Self {
            config: None,
            said: refused.iter().cloned().collect(),
            effective: Vec::new(),
            world,
            store: OnceCell::new(),
            app: None,
            redactor: Redactor::of(&config::development()),
            order: None,
            evicted: AtomicU64::new(u64::MAX),
            audited: Mutex::default(),
            web: Standpoint::default(),
        }
    }

    /// Has a message sent.
    #[must_use]
    pub fn sending(self, order: Option<Order>) -> Self {
        Self { order, ..self }
    }

    /// Uses a database that is open.
    #[must_use]
    pub fn with_store(mut self, store: Store) -> Self {
        self.store = OnceCell::new_with(Some(Ok(store)));
        self
    }

    /// Looks at a service that runs.
    #[must_use]
    pub fn with_app(self, app: App) -> Self {
        let store = app.store.clone();
        Self { app: Some(app), ..self }.with_store(store)
    }

    /// Whether the configuration is one to start with.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.config.is_some()
    }

    /// Returns every setting.
    ///
    /// # Panics
    ///
    /// Panics if the configuration was refused; every check but those of the configuration is then
    /// skipped.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.config.as_ref().expect("nothing is looked at without a configuration")
    }

    /// Returns what reading the configuration found.
    #[must_use]
    pub fn said(&self) -> &[config::Finding] {
        &self.said
    }

    /// Returns every setting with where its value came from.
    #[must_use]
    pub fn effective(&self) -> &[config::Effective] {
        &self.effective
    }

    /// Returns the present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Returns time and chance.
    #[must_use]
    pub fn shared_world(&self) -> SharedWorld {
        Arc::clone(&self.world)
    }

    /// Returns the message that somebody asked for.
    #[must_use]
    pub fn order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Returns the service, if it runs in this process.
    #[must_use]
    pub fn app(&self) -> Option<&App> {
        self.app.as_ref()
    }

    /// Returns the settings of the relay, with the user name and the password that are used at present.
    pub(super) fn smtp(&self) -> Smtp {
        let mut smtp = self.config().smtp.clone();
        if let Some(app) = &self.app {
            let live = app.live.load();
            (smtp.username, smtp.password) =
                (live.smtp.username.clone(), live.smtp.password.clone());
        }
        smtp
    }

    /// Returns `text` without anything secret.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let text = self.redactor.redact(text);
        match &self.app {
            // What was reloaded since is as secret.
            Some(app) => Redactor::of(&app.live.load()).redact(&text),
            None => text,
        }
    }

    /// Returns the database; the verdict of whoever cannot go on without is the error.
    ///
    /// A file that does not exist is not made: looking changes nothing.
    pub async fn store(&self) -> Result<&Store, Verdict> {
        let opened = self.store.get_or_init(|| async {
            assemble::open_store(self.config()).await.map_err(|error| chain(&error))
        });
        if let Some(file) = self.missing_file() {
            return Err(Verdict::skip(format!("there is no database yet at {file}")));
        }
        opened.await.as_ref().map_err(|error| Verdict::fail(error.clone()))
    }

    /// Returns where the database will be, if it is a file that does not exist.
    #[must_use]
    pub fn missing_file(&self) -> Option<&str> {
        use secrecy::ExposeSecret;
        let url = self.config().database.url.expose_secret();
        url.strip_prefix("sqlite://").filter(|path| !Path::new(path).exists())
    }

    /// Opens the vault without making a key: development makes its own at the first start.
    pub fn vault(&self) -> Result<Vault, Verdict> {
        let config = self.config();
        let will_be_made = !config.is_production()
            && config.master_key.is_none()
            && !config.data_dir.join("master.key").exists();
        if will_be_made {
            return Err(Verdict::skip("the first start makes the master key"));
        }
        Vault::open(config, Arc::clone(&self.world)).map_err(|error| Verdict::fail(chain(&error)))
    }
}

/// One round of checks: what one of them found out, the next need not ask again.
pub struct Round {
    subject: Arc<Subject>,
    walk: OnceCell<Result<watch::Receiver<Walk>, Verdict>>,
    redis: OnceCell<Result<Facts, Verdict>>,
    visit: OnceCell<Result<Visit, Trouble>>,
}

impl std::ops::Deref for Round {
    type Target = Subject;

    fn deref(&self) -> &Subject {
        &self.subject
    }
}

impl Round {
    /// Begins a round.
    #[must_use]
    pub fn new(subject: Arc<Subject>) -> Self {
        let (walk, redis, visit) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { subject, walk, redis, visit }
    }

    /// Asks Redis about itself, once in a round.
    pub(super) async fn redis(&self) -> Result<Facts, Verdict> {
        let asked = self.redis.get_or_init(|| async {
            let Some(url) = &self.config().redis_url else {
                return Err(Verdict::skip("none is used (redis_url is not set)"));
            };
            limits::inspect(url).await.map_err(Verdict::fail)
        });
        asked.await.clone()
    }

    /// Goes to the public address, once in a round.
    pub(super) async fn visit(&self) -> Result<Visit, Trouble> {
        self.visit.get_or_init(|| web::visit(self)).await.clone()
    }

    /// Goes to the relay, once in a round, and returns what was found as soon as `far_enough` says
    /// that it will do.
    pub(super) async fn walk(
        &self,
        far_enough: impl Fn(&Walk) -> bool + Send,
    ) -> Result<Walk, Verdict> {
        let started = self.walk.get_or_init(|| async { self.set_out() });
        let mut news = started.await.clone()?;
        let seen = news.wait_for(|walk| walk.is_over() || far_enough(walk)).await;
        seen.map(|walk| walk.clone()).map_err(|_| Verdict::error("nobody goes to the relay"))
    }

    fn set_out(&self) -> Result<watch::Receiver<Walk>, Verdict> {
        let config = &Config { smtp: self.smtp(), ..self.config().clone() };
        let wrong = |error: &dyn std::error::Error| Verdict::fail(error.to_string());
        let head = Letterhead::from_config(config).map_err(|error| wrong(&error))?;
        // Its address alone is needed: nothing is sent that could come back.
        let returns = Returns::from_config(config, ReturnKey::new(&[0; 32]));
        let returns = returns.map_err(|error| wrong(&error))?;
        match Transport::from_config(config, returns.as_ref()).map_err(|error| wrong(&error))? {
            Transport::Keep { .. } => {
                Err(Verdict::skip("development keeps mail instead of sending it"))
            }
            ways @ Transport::Ways(_) => match ways.relay() {
                Some(relay) => Ok(Walk::begin(relay, head.from.email)),
                // Nothing is wrong, and a message can be sent all the same.
                None => Err(Verdict::pass("mail goes to a provider, and to no relay")),
            },
        }
    }
}

impl From<StartError> for Verdict {
    fn from(error: StartError) -> Self {
        Self::fail(chain(&error))
    }
}

impl From<onesql::Error> for Verdict {
    fn from(error: onesql::Error) -> Self {
        Self::fail(format!("the database failed: {}", chain(&error)))
    }
}
