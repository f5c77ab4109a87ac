//! Where idle connections wait. A request takes one for the price of a lock, and nothing is asked when it comes
//! back: whoever takes it sees to it that it is fit. Each costs memory, and a thread or a process, so those go that
//! were not needed for a while.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a server may take to hear that a connection ends.
const GOODBYE: Duration = Duration::from_secs(2);

/// How many connections there are, and how long they stay.
pub(crate) struct Kept {
    pub(crate) at_most: usize,
    /// For how long nobody needed a connection that goes when another comes back.
    pub(crate) unneeded: Duration,
    /// How old one may be that comes back.
    pub(crate) age: Duration,
}

pub(crate) struct Lot<C: Connection> {
    kept: Kept,
    /// The one that came back last is taken first: what it works with is still in the caches, and in front are
    /// those that nobody needs.
    idle: Mutex<VecDeque<Idle<C>>>,
    free: Arc<Semaphore>,
}

/// A connection that nobody uses; dropped, it is cut off.
pub(crate) struct Idle<C> {
    pub(crate) connection: C,
    born: Instant,
    /// Since when.
    pub(crate) since: Instant,
}

impl<C: Connection> Lot<C> {
    pub(crate) fn new(kept: Kept) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(kept.at_most));
        Arc::new(Self { kept, idle: Mutex::new(VecDeque::new()), free })
    }

    /// Waits until one more may be in use.
    pub(crate) async fn room(self: &Arc<Self>) -> Room<C> {
        let permit = Arc::clone(&self.free).acquire_owned().await.expect("never closed");
        Room { lot: Arc::clone(self), _permit: permit }
    }

    /// Takes a connection back, and closes one that nobody needed for a while, or that is old.
    fn park(&self, connection: C, born: Instant, now: Instant) {
        let back = Idle { connection, born, since: now };
        let over = if now.duration_since(born) > self.kept.age {
            Some(back)
        } else {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push_back(back);
            let unneeded = self.kept.unneeded;
            idle.pop_front_if(|front| now.duration_since(front.since) > unneeded)
        };
        if let Some(Idle { connection, .. }) = over
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(GOODBYE, connection.close()));
        }
    }
}

/// Room for a connection in use.
pub(crate) struct Room<C: Connection> {
    lot: Arc<Lot<C>>,
    /// Given back with it.
    _permit: OwnedSemaphorePermit,
}

impl<C: Connection> Room<C> {
    /// Returns the idle connection that was used last.
    pub(crate) fn idle(&self) -> Option<Idle<C>> {
        self.lot.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_back()
    }

    /// Gives it to a connection that was idle.
    pub(crate) fn reuse(self, Idle { connection, born, .. }: Idle<C>) -> Parked<C> {
        self.hold(connection, born)
    }

    /// Gives it to a new connection.
    pub(crate) fn take(self, connection: C) -> Parked<C> {
        self.hold(connection, Instant::now())
    }

    fn hold(self, connection: C, born: Instant) -> Parked<C> {
        Parked { connection: Some(connection), born, room: Some(self) }
    }
}

/// A connection that goes back to its place when dropped.
pub(crate) struct Parked<C: Connection> {
    connection: Option<C>,
    born: Instant,
    room: Option<Room<C>>,
}

impl<C: Connection> Parked<C> {
    /// Takes it apart, so that it goes back only if its room is given to it again.
    pub(crate) fn part(&mut self) -> Option<(Room<C>, Idle<C>)> {
        let (connection, born) = (self.connection.take()?, self.born);
        Some((self.room.take()?, Idle { connection, born, since: Instant::now() }))
    }
}

impl<C: Connection> Deref for Parked<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("moved out only when dropped")
    }
}

impl<C: Connection> DerefMut for Parked<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("moved out only when dropped")
    }
}

impl<C: Connection> Drop for Parked<C> {
    fn drop(&mut self) {
        if let (Some(connection), Some(room)) = (self.connection.take(), &self.room) {
            room.lot.park(connection, self.born, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    const UNNEEDED: Duration = Duration::from_secs(10);
    const AGE: Duration = Duration::from_hours(1);

    async fn take(lot: &Arc<Lot<sqlx::SqliteConnection>>) -> Parked<sqlx::SqliteConnection> {
        let room = lot.room().await;
        if let Some(idle) = room.idle() {
            return room.reuse(idle);
        }
        let options = SqliteConnectOptions::new().in_memory(true);
        room.take(options.connect().await.unwrap())
    }

    #[tokio::test]
    async fn connections_that_nobody_needs_are_closed_one_after_the_other_and_old_ones_at_once() {
        let lot = Lot::new(Kept { at_most: 3, unneeded: UNNEEDED, age: AGE });
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(take(&lot).await);
        }
        drop(taken);
        let idle = || lot.idle.lock().unwrap().len();
        let used_at = async |at: Instant| {
            let mut one = take(&lot).await;
            lot.park(one.connection.take().unwrap(), one.born, at);
            idle()
        };
        let now = Instant::now();
        assert_eq!(used_at(now + UNNEEDED / 2).await, 3);
        assert_eq!(used_at(now + UNNEEDED * 2).await, 2);
        assert_eq!(used_at(now + UNNEEDED * 2).await, 1);
        // The one that is needed stays, until it is old.
        assert_eq!(used_at(now + UNNEEDED * 4).await, 1);
        assert_eq!(used_at(now + AGE * 2).await, 0);
    }

    #[tokio::test]
    async fn what_is_taken_apart_makes_room_and_what_came_back_last_is_taken_first() {
        let lot = Lot::new(Kept { at_most: 2, unneeded: UNNEEDED, age: AGE });
        let (first, second) = (take(&lot).await, take(&lot).await);
        let (one, other) = (first.born, second.born);
        drop(second);
        drop(first);
        assert_eq!(take(&lot).await.born, one);
        let mut first = take(&lot).await;
        assert_eq!(take(&lot).await.born, other);
        drop(first.part());
        let (_second, third) = (take(&lot).await, take(&lot).await);
        assert!(![one, other].contains(&third.born));
    }
}
