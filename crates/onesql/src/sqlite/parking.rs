//! Where idle connections wait. They never break, so there is nothing to test, and a request
//! takes one for the price of a lock. Each has a thread and memory of its own, so those go that
//! were not needed for a while.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For how long nobody needed a connection that goes.
const UNNEEDED: Duration = Duration::from_secs(10);

pub(crate) struct Lot {
    options: SqliteConnectOptions,
    /// The one that came back last is taken first, so that in front are those that nobody needs; and
    /// since when.
    idle: Mutex<VecDeque<(SqliteConnection, Instant)>>,
    free: Arc<Semaphore>,
}

impl Lot {
    pub(super) fn new(
        options: SqliteConnectOptions,
        first: SqliteConnection,
        at_most: usize,
    ) -> Self {
        let free = Arc::new(Semaphore::new(at_most));
        Self { options, idle: Mutex::new(VecDeque::from([(first, Instant::now())])), free }
    }

    /// Waits for a free connection.
    pub(super) async fn take(lot: &Arc<Self>) -> sqlx::Result<Parked> {
        let permit = Arc::clone(&lot.free).acquire_owned().await.expect("never closed");
        let idle = lot.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_back();
        let connection = match idle {
            Some((connection, _)) => connection,
            // In a box: that is rare, and would make every future around this one large.
            None => Box::pin(lot.options.connect()).await?,
        };
        Ok(Parked { connection: Some(connection), lot: Arc::clone(lot), permit: Some(permit) })
    }

    /// Takes a connection back, and closes one that nobody needed for a while.
    fn park(&self, connection: SqliteConnection, now: Instant) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back((connection, now));
        let is_over = idle.front().is_some_and(|(_, since)| now.duration_since(*since) > UNNEEDED);
        let unneeded = if is_over { idle.pop_front() } else { None };
        drop(idle);
        // Its thread closes it.
        drop(unneeded);
    }
}

/// A connection that goes back to its place when dropped.
pub(crate) struct Parked {
    connection: Option<SqliteConnection>,
    lot: Arc<Lot>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Parked {
    /// Moves the connection out, so that it goes back later than its first holder.
    pub(super) fn keep(&mut self) -> Option<Self> {
        let connection = self.connection.take()?;
        Some(Self {
            connection: Some(connection),
            lot: Arc::clone(&self.lot),
            permit: self.permit.take(),
        })
    }
}

impl Deref for Parked {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("as many connections as permits")
    }
}

impl DerefMut for Parked {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("as many connections as permits")
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.lot.park(connection, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_that_nobody_needs_are_closed_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("test.db"))
            .create_if_missing(true);
        let first = options.connect().await.unwrap();
        let lot = Arc::new(Lot::new(options, first, 3));
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(Lot::take(&lot).await.unwrap());
        }
        drop(taken);
        let idle = || lot.idle.lock().unwrap().len();
        let used_at = async |at: Instant| {
            let mut one = Lot::take(&lot).await.unwrap();
            lot.park(one.connection.take().unwrap(), at);
            idle()
        };
        let now = Instant::now();
        assert_eq!(used_at(now + UNNEEDED / 2).await, 3);
        assert_eq!(used_at(now + UNNEEDED * 2).await, 2);
        assert_eq!(used_at(now + UNNEEDED * 2).await, 1);
        // The one that is needed stays.
        assert_eq!(used_at(now + UNNEEDED * 4).await, 1);
    }
}
