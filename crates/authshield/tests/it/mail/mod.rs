//! Mail, from the outbox to a relay.

use crate::support::app::fresh_postgres;
use crate::support::on_postgres;
use crate::support::smtp_server::valid_certificate;
use arc_swap::ArcSwap;
use authshield::config::{self, Smtp, SmtpTls};
use authshield::kernel::{MailId, Place};
use authshield::mail::{
    self, Counts, Letter, Letterhead, Lives, MailRow, Outbox, Post, Recipient, Relay, Sealer,
    Search, Shown, State, Transport,
};
use authshield::theme::Theme;
use authshield::world::{Sandbox, World};
use lettre::transport::smtp::extension::ClientId;
use onesql::{Migrations, Options, Store};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

mod queue;
mod relay;

const LINK: &str = "https://id.example.org/verify-email?token=T0ken-with_64=chars&x=y";

/// Not a cipher: enough to see that nothing is stored as it is, and that purposes are kept apart.
struct Mask;

impl Sealer for Mask {
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        [purpose.as_bytes(), b"\0", plain].concat().iter().map(|byte| byte ^ 0xa5).collect()
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let plain: Vec<u8> = sealed.iter().map(|byte| byte ^ 0xa5).collect();
        let plain = plain.strip_prefix(purpose.as_bytes())?.strip_prefix(b"\0")?;
        Some(Zeroizing::new(plain.to_vec()))
    }

    fn hash(&self, address: &str) -> [u8; 32] {
        hash(address)
    }
}

/// Without a key.
fn hash(address: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(address).into()
}

/// Another master key.
struct OtherKey;

impl Sealer for OtherKey {
    fn seal(&self, _: &str, plain: &[u8]) -> Vec<u8> {
        plain.to_vec()
    }

    fn open(&self, _: &str, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    fn hash(&self, address: &str) -> [u8; 32] {
        hash(address)
    }
}

/// A database with the schema, of its own for each test.
struct Database {
    options: Options,
    store: Store,
    folder: tempfile::TempDir,
}

impl Database {
    /// Returns one of the kind of this run.
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = if on_postgres() {
            Options::parse(&fresh_postgres().await).unwrap()
        } else {
            Options::sqlite(folder.path().join("mail.db"))
        };
        let store = Store::open(&options).await.unwrap();
        let migrations = Migrations {
            sqlite: sqlx::migrate!("./migrations/sqlite"),
            postgres: sqlx::migrate!("./migrations/postgres"),
        };
        store.migrate(&migrations).await.unwrap();
        Self { options, store, folder }
    }

    /// Another node on the same database.
    async fn again(&self) -> Store {
        Store::open(&self.options).await.unwrap()
    }
}

/// Lists messages in a state, or in any, the newest first.
async fn list(store: &Store, state: Option<&str>, at_most: i64) -> Vec<MailRow> {
    let state = state.map(|name| State::by_name(name).unwrap());
    let search = Search { state, ..Search::default() };
    let now = Sandbox::default().now();
    mail::list(store, &search, Place::start(), at_most, now).await.unwrap()
}

/// A post office in a world of its own.
struct Office {
    world: Arc<Sandbox>,
    store: Store,
    outbox: Outbox,
    post: Post,
    counts: Arc<Counts>,
}

fn outbox(world: &Arc<Sandbox>, sealer: impl Sealer) -> Outbox {
    let lives = Lives {
        verification: Duration::from_hours(24),
        recovery: Duration::from_mins(30),
        sign_in: Duration::from_mins(10),
        not_me: Duration::from_hours(72),
        notice: Lives::NOTICE,
    };
    let url = "https://id.example.org".parse().unwrap();
    let from = "\"Example, Inc.\" <accounts@example.org>";
    let head = Letterhead::new(from, &url, "en", lives).unwrap();
    let templates = mail::Templates::load(&Theme::default()).unwrap();
    let config =
        config::load(&config::Sources::new()).unwrap_or_else(|refused| panic!("{refused}"));
    let live = Arc::new(ArcSwap::from_pointee(config.config));
    Outbox::new(live, head, templates, sealer, world.clone())
}

fn smtp(port: u16) -> Smtp {
    Smtp {
        host: Some("127.0.0.1".to_owned()),
        port,
        username: None,
        password: None,
        tls: SmtpTls::None,
        ca_file: Some(valid_certificate().authority),
        timeout: Duration::from_secs(5),
    }
}

fn to_relay(settings: &Smtp) -> Transport {
    let hello = ClientId::Domain("id.example.org".to_owned());
    Relay::new(settings, hello).unwrap().into()
}

impl Office {
    fn new(store: Store, transport: Transport) -> Self {
        Self::on(Arc::default(), store, transport)
    }

    fn on(world: Arc<Sandbox>, store: Store, transport: Transport) -> Self {
        let outbox = outbox(&world, Mask);
        let counts = Arc::new(Counts::default());
        let post = Post::new(store.clone(), outbox.clone(), transport, counts.clone());
        Self { world, store, outbox, post, counts }
    }

    async fn put_to(&self, email: &str, letter: Letter) -> MailId {
        let to = Recipient {
            user: None,
            email: email.to_owned(),
            name: Some("Lee, Ann".to_owned()),
            locale: "de-AT".to_owned(),
        };
        let mut tx = self.store.write().await.unwrap();
        let id = self.outbox.put(&mut tx, &to, &letter, self.world.now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn put(&self) -> MailId {
        self.put_to("ann@example.net", Letter::VerifyEmail { link: LINK.into() }).await
    }

    async fn show(&self, id: MailId) -> Shown {
        mail::show(&self.store, &self.outbox, id, self.world.now()).await.unwrap().unwrap()
    }

    /// Returns what happened to a message: kinds, with the class of what failed.
    async fn timeline(&self, id: MailId) -> Vec<String> {
        let entries = self.show(id).await.story.timeline.into_iter();
        let words = |entry: mail::Entry| match entry.class {
            Some(class) => format!("{}/{class}", entry.kind),
            None => entry.kind,
        };
        entries.map(words).collect()
    }

    async fn row(&self, id: MailId) -> MailRow {
        self.show(id).await.story.row
    }

    /// Returns whether the database still has the variables of a message.
    async fn has_variables(&self, id: MailId) -> bool {
        let mut tx = self.store.read().await.unwrap();
        let (variables,): (Option<Vec<u8>>,) = tx
            .query("SELECT variables FROM mail_messages WHERE id = $1")
            .bind(id)
            .one()
            .await
            .unwrap();
        variables.is_some()
    }
}
