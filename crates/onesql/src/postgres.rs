use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::parking::{Kept, Lot, Parked};
use crate::statement::{Integrity, within};
use crate::{Error, Result};

/// After how long without use a connection is asked whether it is still there.
const ASKED_AFTER: Duration = Duration::from_secs(1);

/// How long a connection may take to say that it is still there.
const ANSWERS_WITHIN: Duration = Duration::from_millis(700);

/// For how long nobody needed a connection that is closed.
const UNNEEDED: Duration = Duration::from_mins(1);

/// How old a connection may be: behind a name, or a balancer, there may be another server by then.
const AGE: Duration = Duration::from_mins(30);

/// How long we wait at first, and at most, for a server that is about to start.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(300)];

/// The server, and the connections to it.
pub(crate) struct Server {
    options: PgConnectOptions,
    lot: Arc<Lot<PgConnection>>,
    at_most: Duration,
    doubt: Doubt,
}

impl Server {
    pub(crate) fn new(options: PgConnectOptions, connections: u32, at_most: Duration) -> Self {
        let connections = usize::try_from(connections.max(2)).unwrap_or(usize::MAX);
        let lot = Lot::new(Kept { at_most: connections, unneeded: UNNEEDED, age: AGE });
        Self { options, lot, at_most, doubt: Doubt::new() }
    }

    /// Waits for a connection of which there is no doubt.
    pub(crate) async fn connection(&self) -> Result<Parked<PgConnection>> {
        let until = Instant::now() + self.at_most;
        within(self.at_most, async {
            let room = self.lot.room().await;
            // One that is doubted, or whose answer nobody waits for any more, is cut off.
            while let Some(mut idle) = room.idle() {
                let span = idle.since.elapsed();
                if self.doubt.clears(&mut idle.connection, span).await {
                    return Ok(room.reuse(idle));
                }
            }
            // In a box: that is rare, and would make every future around this one large.
            Ok(room.take(Box::pin(self.connect(until)).await?))
        })
        .await
    }

    /// Connects, with a server that is about to start as soon as it lets us in; fails shortly before `until`.
    async fn connect(&self, until: Instant) -> sqlx::Result<PgConnection> {
        let [mut pause, longest] = PAUSES;
        loop {
            let connected = async {
                let mut connection = self.options.connect().await?;
                connection.execute(manners(self.at_most)).await?;
                Ok(connection)
            };
            let error = match connected.await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            if !is_starting(&error) || Instant::now() + pause >= until {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Connects for one purpose alone, which may take as long as it takes: it is not one of those that are kept.
    pub(crate) async fn alone(&self) -> Result<PgConnection> {
        within(self.at_most, async {
            let mut connection = self.connect(Instant::now() + self.at_most).await?;
            connection.execute("SET statement_timeout = 0").await?;
            Ok(connection)
        })
        .await
    }
}

/// Whether a server may let us in soon: nobody listens yet, or it says that it starts or stops, or has too many guests.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P") || code == "53300")
        }
        _ => false,
    }
}

/// Returns what is said to the server at the beginning of a connection.
///
/// - A statement gives up before we do, whatever it waits for: one that we no longer wait for would be done later, when
///   its client was told that it failed.
/// - Plans are kept, and one that was made while a table was small would read all of it when it has grown; each of our
///   statements has an index to go by. What has none would seem so dear that it were compiled first.
fn manners(at_most: Duration) -> AssertSqlSafe<String> {
    let patience = (at_most * 9 / 10).as_millis().max(1);
    AssertSqlSafe(format!(
        "SET statement_timeout = {patience}; SET enable_seqscan = off; SET jit = off"
    ))
}

/// Which idle connections may be dead.
///
/// When a server goes down, all connections to it die at once. Without this, each would fail one
/// request after the server is back.
struct Doubt {
    epoch: Instant,
    /// When something failed last, in microseconds after the epoch.
    failed: AtomicU64,
    /// When a connection last gave no answer at all.
    silent: AtomicU64,
}

impl Doubt {
    fn new() -> Self {
        Self { epoch: Instant::now(), failed: AtomicU64::new(0), silent: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn raise(&self) {
        self.failed.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Returns whether a connection can be used, asking it where there is doubt.
    async fn clears(&self, connection: &mut PgConnection, idle: Duration) -> bool {
        let micros = u64::try_from(idle.as_micros()).unwrap_or(u64::MAX);
        let idle_since = self.now().saturating_sub(micros);
        if idle_since < self.silent.load(Ordering::Relaxed) {
            return false;
        }
        if idle < ASKED_AFTER && idle_since >= self.failed.load(Ordering::Relaxed) {
            return true;
        }
        if let Ok(answer) = tokio::time::timeout(ANSWERS_WITHIN, connection.ping()).await {
            return answer.is_ok();
        }
        // One such wait is enough: its neighbours went the same way.
        self.silent.fetch_max(idle_since + 1, Ordering::Relaxed);
        self.raise();
        false
    }
}

/// What is done on a connection to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads, each for itself.
    Glance,
    /// One statement, which is a transaction by itself.
    Once,
    /// A transaction that begins so.
    Transaction(&'static str),
}

/// A transaction on the server, or statements without one.
pub(crate) struct PgTx {
    link: Link,
    integrity: Integrity,
}

/// Its connection.
pub(crate) struct Link {
    server: Arc<Server>,
    /// Taken out when the transaction ends, or while another one is looked for.
    connection: Option<Parked<PgConnection>>,
    /// What begins the transaction, until it is said: before the first statement that is not all there is.
    begin: Option<&'static str>,
    /// Whether a `BEGIN` waits for its end.
    open: bool,
}

impl Link {
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection> {
        // There is none after a lost one for which there was no other.
        self.connection.as_deref_mut().ok_or(Error::Spoiled)
    }

    /// Returns whether there is a `BEGIN` to be said.
    pub(crate) fn is_to_begin(&self) -> bool {
        self.begin.is_some()
    }

    /// Says it, within `at_most`. Nothing was done yet, so another connection can take the place of one that is lost.
    pub(crate) async fn begin(&mut self, at_most: Duration) -> Result<()> {
        let Some(begin) = self.begin.take() else { return Ok(()) };
        let since = Instant::now();
        loop {
            // Said before it is done: a `BEGIN` that was cut off still wants its end.
            self.open = true;
            let left = at_most.saturating_sub(since.elapsed());
            let Err(error) = within(left, self.connection()?.execute(begin)).await else {
                return Ok(());
            };
            self.server.doubt.raise();
            if !error.is_lost_connection() || since.elapsed() >= at_most {
                return Err(error);
            }
            self.open = false;
            drop(self.connection.take().and_then(|mut connection| connection.part()));
            // In a box, as above.
            self.connection = Some(Box::pin(self.server.connection()).await?);
        }
    }

    /// Says that what comes now is all there is: as one statement it is a transaction by itself.
    pub(crate) fn need_not_begin(&mut self) {
        self.begin = None;
    }
}

impl PgTx {
    /// Takes a connection for what is to come.
    pub(crate) async fn begin(server: &Arc<Server>, kind: Kind) -> Result<Self> {
        let connection = Some(server.connection().await?);
        let begin = match kind {
            Kind::Transaction(begin) => Some(begin),
            Kind::Glance | Kind::Once => None,
        };
        Ok(Self {
            link: Link { server: Arc::clone(server), connection, begin, open: false },
            integrity: Integrity::new(kind != Kind::Glance),
        })
    }

    pub(crate) fn parts(&mut self) -> (&mut Link, &mut Integrity) {
        (&mut self.link, &mut self.integrity)
    }

    /// Returns whether everything that was done lasts already, if anything was; fails if that did not end well.
    pub(crate) fn is_done(&self) -> Result<bool> {
        self.integrity.check().map(|()| !self.link.open)
    }

    pub(crate) async fn commit(mut self, at_most: Duration) -> Result<()> {
        self.integrity.check()?;
        if let Err(error) = within(at_most, self.link.connection()?.execute("COMMIT")).await {
            self.link.server.doubt.raise();
            return Err(error);
        }
        self.link.open = false;
        Ok(())
    }
}

impl Drop for PgTx {
    /// Rolls back what was not committed. A connection that does not answer is thrown away: a server that
    /// vanished would keep all of them.
    fn drop(&mut self) {
        let Self { link: Link { server, connection, open, .. }, integrity } = self;
        let torn = integrity.is_torn();
        if torn {
            server.doubt.raise();
        }
        if !*open && !torn {
            return;
        }
        // Taken apart, so that it is cut off wherever its end is not seen.
        let parted = connection.as_mut().and_then(Parked::part);
        let Some((room, mut idle)) = parted else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let end = if *open { "ROLLBACK" } else { "SELECT 1" };
        runtime.spawn(async move {
            let ended = within(Duration::from_secs(2), idle.connection.execute(end)).await;
            if ended.is_ok() {
                drop(room.reuse(idle));
            }
        });
    }
}
