//! A database of its own for each test, and a line to the server that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use onesql::{Options, Store};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A database that nobody else uses; it is gone when this is dropped.
pub(crate) struct Place {
    pub(crate) options: Options,
    pub(crate) folder: TempDir,
    server: Option<OnServer>,
}

/// A database on the server.
struct OnServer {
    admin: String,
    name: String,
    url: String,
}

/// The server that tests may use, if there is one.
fn server() -> Option<String> {
    std::env::var_os("AUTHSHIELD_TEST_POSTGRES")?.into_string().ok().filter(|url| !url.is_empty())
}

impl Place {
    /// A file in a folder of its own.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { options: Options::sqlite(folder.path().join("t.db")), folder, server: None }
    }

    /// A database of its own on the server; `None` when no server was given.
    pub(crate) async fn postgres() -> Option<Self> {
        let admin = server()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let unique = folder.path().file_name().expect("it has a name").to_string_lossy();
        let name = format!("onesql{unique}");
        let mut connection = PgConnection::connect(&admin).await.expect("the server answers");
        let create = format!("CREATE DATABASE \"{name}\"");
        connection.execute(AssertSqlSafe(create)).await.expect("a superuser may create one");
        connection.close().await.expect("the server says good-bye");

        let (before, query) = admin.split_once('?').unwrap_or((&admin, ""));
        let (authority, _) = before.rsplit_once('/').expect("the address names a database");
        let url = format!("{authority}/{name}?{query}");
        let options = Options::parse(&url).expect("an address");
        Some(Self { options, folder, server: Some(OnServer { admin, name, url }) })
    }

    /// One on each database that can be had.
    pub(crate) async fn each() -> Vec<Self> {
        let mut places = vec![Self::sqlite()];
        places.extend(Self::postgres().await);
        places
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.options).await.expect("the database opens")
    }

    /// The same database, reached through `line`.
    pub(crate) fn through(&self, line: &Line) -> Options {
        let server = self.server.as_ref().expect("a database on the server");
        let (scheme, rest) = server.url.split_once("://").expect("an address");
        let (user, rest) = rest.rsplit_once('@').expect("the address names a user");
        let (_, database) = rest.split_once('/').expect("the address names a database");
        Options::parse(&format!("{scheme}://{user}@{}/{database}", line.address)).expect("address")
    }

    /// Where the server listens.
    pub(crate) fn server_address(&self) -> String {
        let url = &self.server.as_ref().expect("a database on the server").url;
        let options: PgConnectOptions = url.parse().expect("an address");
        format!("{}:{}", options.get_host(), options.get_port())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(OnServer { admin, name, .. }) = self.server.take() else { return };
        // On a thread of its own, for this one may be inside a runtime.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async {
                    let mut connection = PgConnection::connect(&admin).await?;
                    let drop = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
                    connection.execute(AssertSqlSafe(drop)).await.map(|_| ())
                })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("a test database was left behind");
        }
    }
}

/// How the line to the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It carries.
    Up,
    /// Connections are taken and nothing is ever answered.
    Silent,
    /// Connections end at once.
    Cut,
}

/// A line to the server that can be cut.
pub(crate) struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
    work: JoinHandle<()>,
}

impl Line {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (state, watched) = watch::channel(State::Up);
        let work = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), watched.clone()));
            }
        });
        Self { address, state, work }
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// Carries bytes while the line is up; a connection that was once silent stays so until it is cut.
async fn carry(mut client: TcpStream, server: String, mut state: watch::Receiver<State>) {
    let mut upstream = TcpStream::connect(server).await.expect("the server answers");
    if *state.borrow_and_update() == State::Up {
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut upstream) => return,
            _ = state.changed() => {}
        }
    }
    let _ = state.wait_for(|state| *state == State::Cut).await;
}

/// Looks at `work` once and then drops it, as a request whose client went away; returns whether it
/// was done already, as can happen when the server is quick.
pub(crate) async fn begin_and_abandon(work: impl Future) -> bool {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await
}

/// Makes the table that most scenes play on.
pub(crate) async fn with_notes(store: &Store) {
    let mut tx = store.write().await.unwrap();
    tx.query(onesql::Sql {
        sqlite: "CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT NOT NULL) STRICT",
        postgres: "CREATE TABLE notes (id BIGINT PRIMARY KEY, words TEXT NOT NULL)",
    })
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// Writes a note in a transaction of its own.
pub(crate) async fn note(store: &Store, id: i64) -> onesql::Result<()> {
    let mut tx = store.write().await?;
    insert(&mut tx, id).await?;
    tx.commit().await
}

pub(crate) const INSERT: &str = "INSERT INTO notes (id, words) VALUES ($1, 'remember the milk')";

/// Writes a note in `tx`.
pub(crate) async fn insert(tx: &mut onesql::Tx, id: i64) -> onesql::Result<u64> {
    tx.query(INSERT).bind(id).execute().await
}

/// Lists the notes that are there.
pub(crate) async fn notes(store: &Store) -> Vec<i64> {
    let mut tx = store.read().await.unwrap();
    let rows: Vec<(i64,)> = tx.query("SELECT id FROM notes ORDER BY id").all().await.unwrap();
    rows.into_iter().map(|(id,)| id).collect()
}

/// By when an answer must be there when the database is gone: each wait is limited to less than two
/// seconds, and the machine that runs the tests may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(3);
