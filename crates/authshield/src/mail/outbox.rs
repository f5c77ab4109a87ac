//! Where letters are put: a row in the transaction of what they tell about.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use onesql::Tx;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use zeroize::{Zeroize, Zeroizing};

use super::letter::Letter;
use super::outcome::Places;
use super::render::{Draft, RenderError, Rendered, Templates};
use super::setup::Letterhead;
use super::sql::{self, New, Row};
use crate::config::Config;
use crate::kernel::{MailId, Timestamp, UserId};
use crate::telemetry::traces;
use crate::world::SharedWorld;

/// What the variables of a message are sealed for.
const PURPOSE: &str = "mail_variables";

/// Keeps secrets at rest; the vault is one.
pub trait Sealer: Send + Sync + 'static {
    /// Encrypts `plain`; only [`Sealer::open`] with the same purpose gets it back.
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8>;

    /// Decrypts, or returns `None` if this was sealed otherwise or is not whole.
    fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>>;

    /// Returns a keyed hash of an address.
    fn hash(&self, address: &str) -> [u8; 32];
}

/// Who a letter goes to.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The account, if it is about one.
    pub user: Option<UserId>,
    /// The stored address, in its canonical form: never one that was only typed.
    pub email: String,
    /// What they call themselves.
    pub name: Option<String>,
    /// The language they read.
    pub locale: String,
}

/// Puts letters where they cannot be lost; clones share it.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    templates: Templates,
    sealer: Box<dyn Sealer>,
    head: Letterhead,
    /// What is in force now: letters tell nobody to choose a password where nobody has one.
    live: Arc<ArcSwap<Config>>,
    world: SharedWorld,
    news: Notify,
    places: Places,
}

/// What is sealed: everything about a letter that its row does not say.
#[derive(Serialize, Deserialize)]
pub(super) struct Contents {
    /// The row it belongs to, so that it opens in no other.
    id: MailId,
    at: Timestamp,
    life_s: u64,
    pub(super) name: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
}

impl Drop for Contents {
    fn drop(&mut self) {
        for value in self.variables.values_mut() {
            value.zeroize();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outbox").field(&self.0.head).finish()
    }
}

impl Outbox {
    /// Returns an outbox whose letters bear `head`, look as `templates` have it, and say what `live` has at that time.
    #[must_use]
    pub fn new(
        live: Arc<ArcSwap<Config>>,
        head: Letterhead,
        templates: Templates,
        sealer: impl Sealer,
        world: SharedWorld,
    ) -> Self {
        Self(Arc::new(Inner {
            templates,
            sealer: Box::new(sealer),
            live,
            head,
            world,
            news: Notify::new(),
            places: Places::default(),
        }))
    }

    /// Returns the name of a letter that is going to be put: a link in it is issued before.
    #[must_use]
    pub fn next(&self) -> MailId {
        MailId::new(self.0.world.as_ref())
    }

    /// Puts a letter into the outbox as part of `tx`: no commit, no mail; commit, mail for certain, and the post looks
    /// for it at once.
    pub async fn put(
        &self,
        tx: &mut Tx,
        to: &Recipient,
        letter: &Letter,
        now: Timestamp,
    ) -> onesql::Result<MailId> {
        let id = self.next();
        self.put_as(id, tx, to, letter, now).await?;
        Ok(id)
    }

    /// Puts a letter whose name is known already; otherwise like [`Outbox::put`].
    pub async fn put_as(
        &self,
        id: MailId,
        tx: &mut Tx,
        to: &Recipient,
        letter: &Letter,
        now: Timestamp,
    ) -> onesql::Result<()> {
        let Inner { sealer, head, places, .. } = &*self.0;
        let life = letter.life(&head.lives);
        let contents = Contents {
            id,
            at: now,
            life_s: life.as_secs(),
            name: to.name.clone(),
            variables: letter.variables(),
        };
        let plain = serde_json::to_vec(&contents).expect("text and numbers can be written");
        let sealed = sealer.seal(PURPOSE, &Zeroizing::new(plain));
        let message_id = format!("<{}@{}>", id.as_uuid().simple(), head.from.email.domain());
        let new = New {
            id,
            kind: letter.kind(),
            locale: Templates::language(&to.locale, &head.default_locale),
            recipient: &to.email,
            user: to.user,
            sealed,
            message_id,
            now,
            expires_at: now + life,
            urgency: letter.urgency(),
            mailbox_provider: places.of(&to.email, now),
            trace_context: traces::carried(&tracing::Span::current()),
        };
        sql::insert(tx, new).await?;
        self.wake_after(tx);
        Ok(())
    }

    /// Tells the post that there is something to do, once what was done in `tx` lasts.
    pub(super) fn wake_after(&self, tx: &mut Tx) {
        let outbox = self.clone();
        tx.then(move || outbox.wake());
    }

    /// Tells the post that there is something to do.
    pub(super) fn wake(&self) {
        self.0.news.notify_one();
    }

    /// Waits until there is something to do; what was told while nobody waited counts.
    pub(super) async fn news(&self) {
        self.0.news.notified().await;
    }

    /// What is known of where mail goes.
    pub(super) fn places(&self) -> &Places {
        &self.0.places
    }

    pub(super) fn head(&self) -> &Letterhead {
        &self.0.head
    }

    pub(super) fn world(&self) -> &SharedWorld {
        &self.0.world
    }

    /// Returns the hash by which an address is found that is not kept in clear.
    pub(super) fn address_hash(&self, address: &str) -> Vec<u8> {
        self.0.sealer.hash(address).to_vec()
    }

    /// Seals something else than the variables of a message.
    pub(super) fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        self.0.sealer.seal(purpose, plain)
    }

    /// Opens what [`Outbox::seal`] sealed.
    pub(super) fn unseal(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.sealer.open(purpose, sealed)
    }

    /// Opens what was sealed with a message.
    pub(super) fn open(&self, row: &Row) -> Result<Contents, RenderError> {
        row.variables
            .as_deref()
            .and_then(|sealed| self.0.sealer.open(PURPOSE, sealed))
            .and_then(|plain| serde_json::from_slice::<Contents>(&plain).ok())
            .filter(|contents| contents.id == row.id)
            .ok_or(RenderError::Sealed)
    }

    /// Puts a message into words.
    pub(super) fn render(&self, row: &Row, contents: &Contents) -> Result<Rendered, RenderError> {
        let Inner { templates, head, live, .. } = &*self.0;
        templates.render(&Draft {
            kind: &row.kind,
            language: Templates::language(&row.locale, &head.default_locale),
            service: &head.service,
            site: &head.site,
            name: contents.name.as_deref(),
            at: contents.at,
            life: Duration::from_secs(contents.life_s),
            has_passwords: live.load().password.enabled,
            variables: &contents.variables,
        })
    }
}
