//! Reading from the embedded file, by connections of which each has a thread.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

use crate::Result;
use crate::parking::{Kept, Lot, Parked};
use crate::statement::{Integrity, within};

/// The connections that read.
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    lot: Arc<Lot<SqliteConnection>>,
}

impl Readers {
    pub(super) fn new(options: SqliteConnectOptions, at_most: usize) -> Self {
        // They never break, and do not age.
        let (unneeded, age) = (Duration::from_secs(10), Duration::MAX);
        Self { options, lot: Lot::new(Kept { at_most, unneeded, age }) }
    }

    /// Waits for a free connection.
    pub(super) async fn take(&self) -> sqlx::Result<Parked<SqliteConnection>> {
        let room = self.lot.room().await;
        Ok(match room.idle() {
            Some(idle) => room.reuse(idle),
            // In a box: that is rare, and would make every future around this one large.
            None => room.take(Box::pin(self.options.connect()).await?),
        })
    }
}

/// A connection to read from, with or without an open transaction.
pub(crate) struct Reader {
    connection: Parked<SqliteConnection>,
    open: bool,
    integrity: Integrity,
}

impl Reader {
    /// Takes a connection; `snapshot` opens a transaction, so that all statements see one state.
    pub(crate) async fn begin(
        readers: &Readers,
        snapshot: bool,
        at_most: Duration,
    ) -> Result<Self> {
        let connection = within(at_most, readers.take()).await?;
        // Said before it is done: a `BEGIN` that was cut off still wants its end.
        let mut reader = Self { connection, open: snapshot, integrity: Integrity::new(snapshot) };
        if snapshot {
            within(at_most, reader.connection.execute("BEGIN")).await?;
        }
        Ok(reader)
    }

    pub(crate) fn parts(&mut self) -> (&mut SqliteConnection, &mut Integrity) {
        (&mut self.connection, &mut self.integrity)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Taken apart, so that it is closed where nobody ends what was begun.
        let Some((room, mut idle)) = self.connection.part() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = idle.connection.execute("ROLLBACK").await {
                // A `BEGIN` that failed leaves nothing to end.
                tracing::debug!(%error, "a read transaction could not be ended");
            }
            drop(room.reuse(idle));
        });
    }
}
