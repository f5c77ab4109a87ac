use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{Executor, PgPool, Postgres};

use crate::Result;
use crate::statement::within;

/// A transaction on the server, or a single statement without one.
pub(crate) struct PgTx {
    /// Taken out when the transaction ends.
    connection: Option<PoolConnection<Postgres>>,
    /// Whether a `BEGIN` waits for its end.
    open: bool,
}

impl PgTx {
    /// Takes a connection from `pool` and runs `begin` on it, if there is one.
    pub(crate) async fn begin(
        pool: &PgPool,
        begin: Option<&'static str>,
        at_most: Duration,
    ) -> Result<Self> {
        let mut tx = Self { connection: Some(pool.acquire().await?), open: false };
        if let Some(begin) = begin {
            // Said before it is done: a `BEGIN` that was cut off still wants its end.
            tx.open = true;
            within(at_most, tx.connection().execute(begin)).await?;
        }
        Ok(tx)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("taken out only by commit and drop")
    }

    pub(crate) async fn commit(mut self, at_most: Duration) -> Result<()> {
        within(at_most, self.connection().execute("COMMIT")).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for PgTx {
    /// Rolls back what was not committed; a connection that does not answer is thrown away.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take().filter(|_| self.open) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let ended = within(Duration::from_secs(2), connection.execute("ROLLBACK")).await;
            if ended.is_err() {
                connection.close_on_drop();
            }
        });
    }
}
