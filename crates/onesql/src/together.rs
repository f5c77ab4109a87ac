use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::watch::{Mode, Part};
use crate::{Result, Store, Tx};

/// How many are found at once.
pub const TOGETHER_AT_MOST: usize = 16;

/// Finds up to [`TOGETHER_AT_MOST`] at once; those that do not exist are left out.
pub type Find<K, F> = for<'t> fn(&'t mut Tx, &'t [K]) -> BoxFuture<'t, Result<Vec<F>>>;

/// Reads for many who each want one thing, taken together.
///
/// Going to the database and back costs more than what is read there, and is no dearer for many than
/// for one. So one read is under way; who comes meanwhile goes with the next, together with all the
/// others who wait. A read always begins after whoever it is for has come, so nobody gets an
/// answer that is older than their question.
pub struct Together<K, F>(Arc<Shared<K, F>>);

struct Shared<K, F> {
    store: Store,
    find: Find<K, F>,
    key: fn(&F) -> &K,
    desk: Mutex<Desk<K, F>>,
}

struct Desk<K, F> {
    waiting: Vec<Waiting<K, F>>,
    under_way: usize,
}

struct Waiting<K, F> {
    key: K,
    answer: oneshot::Sender<Result<Option<F>>>,
}

impl<K, F> Together<K, F>
where
    K: Clone + PartialEq + Send + Sync + 'static,
    F: Clone + Send + Sync + 'static,
{
    /// Returns what finds by `find`; `key` tells which one was found.
    #[must_use]
    pub fn new(store: Store, find: Find<K, F>, key: fn(&F) -> &K) -> Self {
        let desk = Mutex::new(Desk { waiting: Vec::new(), under_way: 0 });
        Self(Arc::new(Shared { store, find, key, desk }))
    }

    /// Finds what has this key, as it is now.
    pub async fn find(&self, key: K) -> Result<Option<F>> {
        // The statement itself belongs to everybody; this is what it costs the one who asks.
        let watch = self.0.store.watch(Mode::Read);
        let found = self
            .wait(key)
            .map(|found| found.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into())));
        watch.over(Part::Wait, watch.span(&[], "SELECT"), found).await
    }

    fn wait(&self, key: K) -> oneshot::Receiver<Result<Option<F>>> {
        let (answer, found) = oneshot::channel();
        let mut desk = self.0.desk();
        desk.waiting.push(Waiting { key, answer });
        // Another one only if more are waiting than the next could take along.
        if desk.under_way == 0 || desk.waiting.len() > TOGETHER_AT_MOST {
            desk.under_way += 1;
            // In a task of its own: others must not go without an answer because one left.
            tokio::spawn(Reader { shared: Arc::clone(&self.0), done: false }.run());
        }
        found
    }
}

impl<K, F> Shared<K, F> {
    fn desk(&self) -> MutexGuard<'_, Desk<K, F>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads for all who wait.
struct Reader<K, F> {
    shared: Arc<Shared<K, F>>,
    done: bool,
}

impl<K: Clone + PartialEq + Sync, F: Clone + Sync> Reader<K, F> {
    async fn run(mut self) {
        loop {
            // Whoever else is about to ask, of all those whose requests have come, goes along.
            tokio::task::yield_now().await;
            let Some(together) = self.next() else { return };
            let keys: Vec<K> = together.iter().map(|waiting| waiting.key.clone()).collect();
            let found =
                async { (self.shared.find)(&mut self.shared.store.glance().await?, &keys).await };
            let found = found.await;
            for Waiting { key, answer } in together {
                let theirs = found.as_ref().map_err(Clone::clone).map(|found| {
                    found.iter().find(|found| *(self.shared.key)(found) == key).cloned()
                });
                // Whoever left does not want to know.
                let _ = answer.send(theirs);
            }
        }
    }
}

impl<K, F> Reader<K, F> {
    /// Takes those who go together; when there is nobody, the reader is done.
    fn next(&mut self) -> Option<Vec<Waiting<K, F>>> {
        let mut desk = self.shared.desk();
        desk.waiting.retain(|waiting| !waiting.answer.is_closed());
        if desk.waiting.is_empty() {
            // Under the same lock: who comes next must see that nobody reads.
            desk.under_way -= 1;
            self.done = true;
            return None;
        }
        let together = desk.waiting.len().min(TOGETHER_AT_MOST);
        Some(desk.waiting.drain(..together).collect())
    }
}

impl<K, F> Drop for Reader<K, F> {
    /// Makes room for another one if this one panicked, or was ended with its runtime.
    fn drop(&mut self) {
        if !self.done {
            self.shared.desk().under_way -= 1;
        }
    }
}
