use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{Executor, PgPool, Postgres};

use crate::Result;
use crate::statement::{Integrity, within};

/// A transaction on the server, or a single statement without one.
pub(crate) struct PgTx {
    /// Taken out when the transaction ends.
    connection: Option<PoolConnection<Postgres>>,
    /// Whether a `BEGIN` waits for its end.
    open: bool,
    integrity: Integrity,
}

impl PgTx {
    /// Takes a connection from `pool` and runs `begin` on it, if there is one.
    pub(crate) async fn begin(
        pool: &PgPool,
        begin: Option<&'static str>,
        at_most: Duration,
    ) -> Result<Self> {
        let connection = Some(pool.acquire().await?);
        let mut tx = Self { connection, open: false, integrity: Integrity::new(begin.is_some()) };
        if let Some(begin) = begin {
            // Said before it is done: a `BEGIN` that was cut off still wants its end.
            tx.open = true;
            within(at_most, tx.parts().0.execute(begin)).await?;
        }
        Ok(tx)
    }

    pub(crate) fn parts(&mut self) -> (&mut PgConnection, &mut Integrity) {
        let connection = self.connection.as_mut().expect("taken out only when dropped");
        (connection, &mut self.integrity)
    }

    pub(crate) async fn commit(mut self, at_most: Duration) -> Result<()> {
        self.integrity.check()?;
        within(at_most, self.parts().0.execute("COMMIT")).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for PgTx {
    /// Rolls back what was not committed. A connection that does not answer is thrown away: the pool
    /// would wait for it without limit, and a server that vanished would keep all of them.
    fn drop(&mut self) {
        let torn = self.integrity.is_torn();
        let Some(mut connection) = self.connection.take().filter(|_| self.open || torn) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let end = if self.open { "ROLLBACK" } else { "SELECT 1" };
        runtime.spawn(async move {
            if within(Duration::from_secs(2), connection.execute(end)).await.is_err() {
                connection.close_on_drop();
            }
        });
    }
}
