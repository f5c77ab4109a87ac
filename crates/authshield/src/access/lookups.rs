//! The sessions of callers, read together.
//!
//! Going to the database and back costs more than what is read there, and is no dearer for many
//! sessions than for one. So one read is under way; who comes meanwhile goes with the next, together
//! with all the others who wait. A read always begins after whoever it is for has come, so
//! nobody gets an answer that is older than their question.

use std::sync::{Mutex, MutexGuard, PoisonError};

use onesql::Result;
use tokio::sync::oneshot;

use crate::app::App;
use crate::kernel::SessionId;
use crate::sessions::{self, PRESENT_AT_MOST, Present};

/// Who waits for the next read.
#[derive(Default)]
pub struct Lookups(Mutex<Desk>);

#[derive(Default)]
struct Desk {
    waiting: Vec<Waiting>,
    under_way: usize,
}

struct Waiting {
    session: SessionId,
    answer: oneshot::Sender<Result<Option<Present>>>,
}

impl Lookups {
    /// Finds a session and its account, as they are now.
    pub(super) async fn find(&self, app: &App, session: SessionId) -> Result<Option<Present>> {
        let found = self.wait(app, session);
        found.await.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into()))
    }

    fn wait(&self, app: &App, session: SessionId) -> oneshot::Receiver<Result<Option<Present>>> {
        let (answer, found) = oneshot::channel();
        let mut desk = self.desk();
        desk.waiting.push(Waiting { session, answer });
        // Another one only if more are waiting than the next could take along.
        if desk.under_way == 0 || desk.waiting.len() > PRESENT_AT_MOST {
            desk.under_way += 1;
            // In a task of its own: others must not go without an answer because one left.
            tokio::spawn(Reader { app: app.clone(), done: false }.run());
        }
        found
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads for all who wait.
struct Reader {
    app: App,
    done: bool,
}

impl Reader {
    async fn run(mut self) {
        while let Some(together) = self.next() {
            let sessions: Vec<SessionId> = together.iter().map(|waiting| waiting.session).collect();
            let found =
                async { sessions::present(&mut self.app.store.glance().await?, &sessions).await };
            let found = found.await;
            for Waiting { session, answer } in together {
                let theirs = found.as_ref().map_err(Clone::clone).map(|found| {
                    found.iter().find(|present| present.session.id == session).cloned()
                });
                // Whoever left does not want to know.
                let _ = answer.send(theirs);
            }
        }
    }

    /// Takes those who go together; when there is nobody, the reader is done.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut desk = self.app.lookups.desk();
        desk.waiting.retain(|waiting| !waiting.answer.is_closed());
        if desk.waiting.is_empty() {
            // Under the same lock: who comes next must see that nobody reads.
            desk.under_way -= 1;
            self.done = true;
            return None;
        }
        let together = desk.waiting.len().min(PRESENT_AT_MOST);
        Some(desk.waiting.drain(..together).collect())
    }
}

impl Drop for Reader {
    /// Makes room for another one if this one panicked, or was ended with its runtime.
    fn drop(&mut self) {
        if !self.done {
            self.app.lookups.desk().under_way -= 1;
        }
    }
}
