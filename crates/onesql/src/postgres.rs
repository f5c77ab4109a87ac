use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgPool, Postgres};

use crate::statement::{Integrity, within};
use crate::{Error, Result};

/// After how long without use a connection is asked whether it is still there.
const ASKED_AFTER: Duration = Duration::from_secs(1);

/// How long a connection may take to say that it is still there.
const ANSWERS_WITHIN: Duration = Duration::from_millis(700);

/// The server, and the connections to it.
pub(crate) struct Server {
    pub(crate) pool: PgPool,
    doubt: Arc<Doubt>,
}

impl Server {
    pub(crate) fn new(server: PgConnectOptions, connections: u32, at_most: Duration) -> Self {
        let doubt = Arc::new(Doubt::new());
        let asked = Arc::clone(&doubt);
        let pool = PgPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(at_most)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(manners(at_most)).await.map(drop) })
            })
            .before_acquire(move |connection, meta| {
                let doubt = Arc::clone(&asked);
                Box::pin(async move { Ok(doubt.clears(connection, &meta).await) })
            })
            .connect_lazy_with(server);
        Self { pool, doubt }
    }

    /// Connects once and anew, so that a failure has its true reason: the pool would try again until
    /// it has none.
    pub(crate) async fn reach(&self, at_most: Duration) -> Result<()> {
        let options = self.pool.connect_options();
        within(at_most, async { PgConnection::connect_with(&options).await?.close().await }).await
    }
}

/// Returns what is said to the server at the beginning of a connection.
///
/// - Whoever waits for a lock gives up before we do: a statement that we no longer wait for would be done later, when
///   its client was told that it failed.
/// - Plans are kept, and one that was made while a table was small would read all of it when it has grown; each of our
///   statements has an index to go by. What has none would seem so dear that it were compiled first.
fn manners(at_most: Duration) -> AssertSqlSafe<String> {
    let lock = (at_most * 9 / 10).as_millis().max(1);
    AssertSqlSafe(format!("SET lock_timeout = {lock}; SET enable_seqscan = off; SET jit = off"))
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
    async fn clears(&self, connection: &mut PgConnection, meta: &PoolConnectionMetadata) -> bool {
        let idle = u64::try_from(meta.idle_for.as_micros()).unwrap_or(u64::MAX);
        let idle_since = self.now().saturating_sub(idle);
        if idle_since < self.silent.load(Ordering::Relaxed) {
            return false;
        }
        if meta.idle_for < ASKED_AFTER && idle_since >= self.failed.load(Ordering::Relaxed) {
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
    /// Taken out when the transaction ends.
    connection: Option<PoolConnection<Postgres>>,
    /// Whether a `BEGIN` waits for its end.
    open: bool,
    integrity: Integrity,
    doubt: Arc<Doubt>,
}

impl PgTx {
    /// Takes a connection and begins a transaction on it, if it is to be one; all of it within `at_most`.
    pub(crate) async fn begin(server: &Server, kind: Kind, at_most: Duration) -> Result<Self> {
        let since = Instant::now();
        loop {
            // In a box: connecting is rare, and would make every future around this one large.
            let connection = Some(Box::pin(server.pool.acquire()).await?);
            let mut tx = Self {
                connection,
                open: false,
                integrity: Integrity::new(kind != Kind::Glance),
                doubt: Arc::clone(&server.doubt),
            };
            let Kind::Transaction(begin) = kind else { return Ok(tx) };
            // Said before it is done: a `BEGIN` that was cut off still wants its end.
            tx.open = true;
            let left = at_most.saturating_sub(since.elapsed());
            match within(left, tx.parts().0.execute(begin)).await {
                Ok(_) => return Ok(tx),
                Err(error) => {
                    server.doubt.raise();
                    // Nothing was done yet, so another connection can do all of it.
                    if !error.is_lost_connection() || since.elapsed() >= at_most {
                        return Err(error);
                    }
                    tx.throw_away();
                }
            }
        }
    }

    pub(crate) fn parts(&mut self) -> (&mut PgConnection, &mut Integrity) {
        let connection = self.connection.as_mut().expect("taken out only when dropped");
        (connection, &mut self.integrity)
    }

    /// Returns whether its one statement is all there is to do, and lasts already; fails if that did not end well.
    pub(crate) fn is_done(&self) -> Result<bool> {
        self.integrity.check().map(|()| !self.open)
    }

    pub(crate) async fn commit(mut self, at_most: Duration) -> Result<()> {
        self.integrity.check()?;
        if let Err(error) = within(at_most, self.parts().0.execute("COMMIT")).await {
            self.doubt.raise();
            return Err(error);
        }
        self.open = false;
        Ok(())
    }

    /// Closes the connection, which is known to be dead.
    fn throw_away(mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }
}

impl Drop for PgTx {
    /// Rolls back what was not committed. A connection that does not answer is thrown away: the pool
    /// would wait for it without limit, and a server that vanished would keep all of them.
    fn drop(&mut self) {
        let torn = self.integrity.is_torn();
        if torn {
            self.doubt.raise();
        }
        let Some(mut connection) = self.connection.take().filter(|_| self.open || torn) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let end = if self.open { "ROLLBACK" } else { "SELECT 1" };
        runtime.spawn(async move {
            let ended: Result<_, Error> =
                within(Duration::from_secs(2), connection.execute(end)).await;
            if ended.is_err() {
                connection.close_on_drop();
            }
        });
    }
}
