//! The threads that hash, and the queue in front of them.
//!
//! Hashing takes tens of milliseconds of a whole core. On the threads that serve requests, every
//! other request would wait behind it; on tokio's blocking threads, hundreds would run at once and
//! take gigabytes. So it has threads of its own, one per core, at the lowest priority, and a queue
//! that turns away early whoever would wait too long.
//!
//! ```text
//! submit ─ would it wait too long?          refused, before anything is taken
//!        └ queue ─ worker ─ has the caller gone?   skipped
//!                         └ run, in the worker's kept memory
//!                         └ answer, then wipe the memory unless the next hash does it
//! ```

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::memory::{self, Memory};
use super::threads;
use crate::telemetry::{Notes, Part};

/// How long an idle thread keeps its memory. The page faults of fresh memory cost a few
/// milliseconds, which one hash in so many seconds may take longer.
const KEEP_IDLE: Duration = Duration::from_secs(5);

/// How long the allocator keeps freed memory at hand; it is a second, and some more.
const SETTLE: Duration = Duration::from_secs(2);

/// The least time after which to come back: `Retry-After` knows whole seconds only.
const LEAST_RETRY: Duration = Duration::from_secs(1);

/// Every hashing thread is busy, and the queue is as long as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked; try again in {} seconds", .retry_after.as_secs())]
pub struct Overloaded {
    /// When to try again, in whole seconds.
    pub retry_after: Duration,
}

impl Overloaded {
    /// To come back when what waits now is done.
    pub(super) fn after(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after: Duration::from_secs(seconds).max(LEAST_RETRY) }
    }
}

/// Which hash of a request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The first one, which is turned away if it would wait too long.
    First,
    /// One more, which is not: what the first has shown would be lost. There are no more of them than first ones
    /// that ended, so they fill the queue no faster than it empties.
    Further,
}

/// How the hashing threads are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Threads.
    pub workers: usize,
    /// How many of them are at work.
    pub busy: usize,
    /// How many jobs wait.
    pub queued: usize,
    /// The most memory that hashing can take, in bytes.
    pub memory_ceiling: u64,
    /// Jobs done.
    pub hashed: u64,
    /// Jobs turned away because they would have waited too long.
    pub refused: u64,
    /// Jobs skipped because nobody waited for them any more.
    pub abandoned: u64,
    /// How long the next job would wait.
    pub expected_wait: Duration,
    /// How long the jobs that were done waited, altogether.
    pub waited: Duration,
    /// How long the jobs that were done took, altogether.
    pub worked: Duration,
}

/// One job that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// How long it waited for a thread.
    pub waited: Duration,
    /// How long it took.
    pub worked: Duration,
}

/// How many threads, how patient, how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Threads; at least one.
    pub(super) workers: usize,
    /// The longest expected wait.
    pub(super) max_wait: Duration,
    /// What each thread keeps, in Argon2 blocks of 1 KiB.
    pub(super) blocks: usize,
    /// How long a job takes, as far as is known before the first.
    pub(super) first_guess: Duration,
}

/// The hashing threads. They end when it is closed or dropped.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    settings: Settings,
    state: Mutex<State>,
    wake: Condvar,
    observer: OnceLock<Box<dyn Fn(Observation) + Send + Sync>>,
}

struct State {
    queue: VecDeque<Queued>,
    busy: usize,
    /// How long a job takes: a moving average.
    average: Duration,
    closed: bool,
    hashed: u64,
    refused: u64,
    abandoned: u64,
    waited: Duration,
    worked: Duration,
}

impl State {
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.closed
    }
}

struct Queued {
    since: Instant,
    job: Box<dyn Job>,
}

/// Something to do on a hashing thread.
trait Job: Send {
    fn is_abandoned(&self) -> bool;
    fn run(&mut self, memory: &mut Memory);
    fn answer(self: Box<Self>);
}

struct Task<F, T> {
    work: Option<F>,
    outcome: Option<T>,
    reply: oneshot::Sender<T>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnOnce(&mut Memory) -> T + Send,
    T: Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, memory: &mut Memory) {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(memory));
        }
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may have gone in the meantime.
            let _ = self.reply.send(outcome);
        }
    }
}

impl Pool {
    /// Starts the threads. They take no memory before their first job.
    pub(super) fn start(settings: Settings) -> Self {
        let shared = Arc::new(Shared {
            settings,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                busy: 0,
                average: settings.first_guess,
                closed: false,
                hashed: 0,
                refused: 0,
                abandoned: 0,
                waited: Duration::ZERO,
                worked: Duration::ZERO,
            }),
            wake: Condvar::new(),
            observer: OnceLock::new(),
        });
        let annex = Arc::new(Mutex::new(()));
        for number in 0..settings.workers {
            let shared = Arc::clone(&shared);
            let memory = Memory::new(settings.blocks, Arc::clone(&annex));
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || {
                    threads::take_the_back_seat();
                    shared.work(memory);
                })
                .expect("the operating system grants a thread per core at start");
        }
        Self(shared)
    }

    /// Fails if a job that came now would be turned away. It counts as one that was.
    pub(super) fn admit(&self) -> Result<(), Overloaded> {
        self.0.admit(&mut self.0.lock(), Turn::First)
    }

    /// Puts `work` in the queue, unless it would wait too long there.
    ///
    /// Dropping what is returned takes the job back, if no thread has begun it.
    fn submit<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Overloaded> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.0.lock();
        self.0.admit(&mut state, turn)?;
        let job = Box::new(Task { work: Some(work), outcome: None, reply });
        state.queue.push_back(Queued { since: Instant::now(), job });
        drop(state);
        self.0.wake.notify_one();
        Ok(answer)
    }

    /// Runs `work` on a hashing thread. The caller's thread is free meanwhile.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let asked = Instant::now();
        let timed = move |memory: &mut Memory| {
            let begun = Instant::now();
            let done = work(memory);
            (done, begun - asked, begun.elapsed())
        };
        let notes = Notes::current();
        // What a check hashes is nobody's trace.
        let span = if notes.is_some() {
            tracing::debug_span!(
                "hash",
                otel.name = "hash a password",
                authshield.queue_ms = Empty,
                authshield.hash_ms = Empty,
            )
        } else {
            Span::none()
        };
        // A job without an answer has panicked, and the log has the reason.
        let answer = self.submit(turn, timed)?.instrument(span.clone()).await;
        let (done, waited, worked) = answer.map_err(|_| Overloaded::after(LEAST_RETRY))?;
        span.record("authshield.queue_ms", waited.as_secs_f64() * 1e3);
        span.record("authshield.hash_ms", worked.as_secs_f64() * 1e3);
        if let Some(notes) = notes {
            notes.spent(Part::Queue, waited);
            notes.spent(Part::Hash, worked);
        }
        Ok(done)
    }

    /// Calls `observer` after each job, on the thread that did it. Only the first one is kept.
    pub(super) fn observe(&self, observer: Box<dyn Fn(Observation) + Send + Sync>) {
        // A second observer would count everything twice.
        let _ = self.0.observer.set(observer);
    }

    pub(super) fn stats(&self) -> Stats {
        let Settings { workers, blocks, .. } = self.0.settings;
        let state = self.0.lock();
        Stats {
            workers,
            busy: state.busy,
            queued: state.queue.len(),
            memory_ceiling: memory::ceiling(workers, blocks),
            hashed: state.hashed,
            refused: state.refused,
            abandoned: state.abandoned,
            expected_wait: state.expected_wait(workers),
            waited: state.waited,
            worked: state.worked,
        }
    }

    /// Takes no more jobs, and lets the threads end after those they have.
    pub(super) fn close(&self) {
        self.0.lock().closed = true;
        self.0.wake.notify_all();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl State {
    fn expected_wait(&self, workers: usize) -> Duration {
        expected_wait(self.queue.len() + self.busy, workers, self.average)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the queue")
    }

    fn admit(&self, state: &mut State, turn: Turn) -> Result<(), Overloaded> {
        let Settings { workers, max_wait, .. } = self.settings;
        if state.closed {
            return Err(Overloaded::after(LEAST_RETRY));
        }
        if turn == Turn::Further {
            return Ok(());
        }
        if state.expected_wait(workers) > max_wait {
            // Those who have gone must not keep out those who are here.
            let before = state.queue.len();
            state.queue.retain(|queued| !queued.job.is_abandoned());
            state.abandoned += (before - state.queue.len()) as u64;
        }
        let wait = state.expected_wait(workers);
        if wait > max_wait {
            state.refused += 1;
            return Err(Overloaded::after(wait));
        }
        Ok(())
    }

    fn work(&self, mut memory: Memory) {
        let mut state = self.lock();
        loop {
            if let Some(queued) = state.queue.pop_front() {
                if queued.job.is_abandoned() {
                    state.abandoned += 1;
                    continue;
                }
                state.busy += 1;
                drop(state);
                self.run(queued, &mut memory);
                state = self.lock();
            } else if state.closed {
                return;
            } else if memory.is_soiled() {
                // Only now: while jobs wait, the next one overwrites what the last one left.
                drop(state);
                memory.wipe();
                state = self.lock();
            } else if memory.is_held() {
                let (after, waited) = self
                    .wake
                    .wait_timeout(state, KEEP_IDLE)
                    .expect("nobody panics while holding the queue");
                state = after;
                if waited.timed_out() && state.queue.is_empty() {
                    drop(state);
                    memory.release();
                    state = self.lock();
                    (state, _) = self
                        .wake
                        .wait_timeout_while(state, SETTLE, |state| state.is_idle())
                        .expect("nobody panics while holding the queue");
                    drop(state);
                    threads::return_freed_memory();
                    state = self.lock();
                }
            } else {
                state = self.wake.wait(state).expect("nobody panics while holding the queue");
            }
        }
    }

    fn run(&self, Queued { since, mut job }: Queued, memory: &mut Memory) {
        let begun = Instant::now();
        let ran = catch_unwind(AssertUnwindSafe(|| job.run(memory)));
        let seen = Observation { waited: begun - since, worked: begun.elapsed() };
        if ran.is_err() {
            tracing::error!("a hashing job panicked; its request was answered with an overload");
        }

        let mut state = self.lock();
        state.busy -= 1;
        state.hashed += 1;
        state.waited += seen.waited;
        state.worked += seen.worked;
        state.average = (state.average * 7 + seen.worked) / 8;
        drop(state);

        if let Some(observer) = self.observer.get() {
            observer(seen);
        }
        // Last, so that whoever has the answer also finds it counted.
        job.answer();
    }
}

/// How long a job waits that finds `ahead` others before it, waiting or at work.
fn expected_wait(ahead: usize, workers: usize, average: Duration) -> Duration {
    let turns = (ahead + 1).saturating_sub(workers);
    let turns = u32::try_from(turns).unwrap_or(u32::MAX);
    let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
    average.saturating_mul(turns) / workers
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn pool(workers: usize, max_wait: Duration) -> Pool {
        Pool::start(Settings { workers, max_wait, blocks: 64, first_guess: 40 * MILLISECOND })
    }

    /// Keeps one thread busy until what is returned is dropped.
    fn hold(pool: &Pool) -> (mpsc::Sender<()>, oneshot::Receiver<()>) {
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let done = pool
            .submit(Turn::First, move |_| {
                begun.send(()).unwrap();
                let _ = released.recv();
            })
            .unwrap();
        has_begun.recv().unwrap();
        (release, done)
    }

    #[test]
    fn a_job_waits_for_the_turns_before_it() {
        let average = 20 * MILLISECOND;
        for (ahead, workers, wait) in
            [(0, 1, 0), (1, 1, 20), (4, 1, 80), (0, 2, 0), (1, 2, 0), (2, 2, 10), (5, 2, 40)]
        {
            assert_eq!(
                expected_wait(ahead, workers, average),
                wait * MILLISECOND,
                "{ahead} ahead of {workers}"
            );
        }
        assert_eq!(expected_wait(usize::MAX - 1, 1, Duration::MAX), Duration::MAX);
    }

    #[test]
    fn retry_after_is_in_whole_seconds_and_never_none() {
        for (wait, seconds) in [(0, 1), (999, 1), (1000, 1), (1001, 2), (2500, 3)] {
            let retry = Overloaded::after(wait * MILLISECOND).retry_after;
            assert_eq!(retry, Duration::from_secs(seconds), "{wait} ms");
        }
    }

    /// Attack class K02.
    /// ASVS: V15.2.2
    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_recovers() {
        let pool = pool(1, 50 * MILLISECOND);
        let (release, held) = hold(&pool);

        let waiting = pool.submit(Turn::First, |_| "done").unwrap();
        let refused = pool.submit(Turn::First, |_| "never").unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        let stats = pool.stats();
        assert_eq!((stats.busy, stats.queued, stats.refused), (1, 1, 1));
        assert_eq!(stats.expected_wait, 80 * MILLISECOND);

        drop(release);
        held.await.unwrap();
        assert_eq!(waiting.await.unwrap(), "done");
        assert_eq!(pool.run(Turn::First, |_| "again").await, Ok("again"));
        let stats = pool.stats();
        assert_eq!((stats.busy, stats.queued, stats.hashed), (0, 0, 3));
    }

    #[tokio::test]
    async fn who_has_hashed_once_is_not_turned_away_before_a_closed_pool() {
        let pool = pool(1, 50 * MILLISECOND);
        let (release, _held) = hold(&pool);
        let _waiting = pool.submit(Turn::First, |_| ()).unwrap();
        assert!(pool.admit().is_err());
        let further = pool.submit(Turn::Further, |_| "further").unwrap();
        drop(release);
        assert_eq!(further.await.unwrap(), "further");
        pool.admit().unwrap();
        pool.close();
        assert!(pool.submit(Turn::Further, |_| ()).is_err());
    }

    #[tokio::test]
    async fn a_job_is_skipped_when_its_caller_has_gone() {
        let pool = pool(1, Duration::from_mins(1));
        let (release, held) = hold(&pool);
        let ran = Arc::new(AtomicUsize::new(0));
        let count = |ran: &Arc<AtomicUsize>| {
            let ran = Arc::clone(ran);
            move |_: &mut Memory| ran.fetch_add(1, Ordering::SeqCst)
        };

        drop(pool.submit(Turn::First, count(&ran)).unwrap());
        let kept = pool.submit(Turn::First, count(&ran)).unwrap();
        drop(pool.submit(Turn::First, count(&ran)).unwrap());
        drop(release);
        held.await.unwrap();
        assert_eq!(kept.await.unwrap(), 0);
        pool.run(Turn::First, |_| ()).await.unwrap();

        assert_eq!(ran.load(Ordering::SeqCst), 1);
        assert_eq!(pool.stats().abandoned, 2);
        assert_eq!(pool.stats().hashed, 3);
    }

    #[tokio::test]
    async fn those_who_have_gone_do_not_keep_others_out() {
        let pool = pool(1, 50 * MILLISECOND);
        let (release, held) = hold(&pool);
        drop(pool.submit(Turn::First, |_| ()).unwrap());
        let here = pool.submit(Turn::First, |_| "here").unwrap();
        assert!(pool.submit(Turn::First, |_| ()).is_err());
        assert_eq!(pool.stats().abandoned, 1);
        drop(release);
        held.await.unwrap();
        assert_eq!(here.await.unwrap(), "here");
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer_and_no_thread() {
        let pool = pool(1, Duration::from_mins(1));
        assert!(pool.run(Turn::First, |_| panic!("on purpose")).await.is_err());
        assert_eq!(pool.run(Turn::First, |_| 1).await, Ok(1));
        assert_eq!(pool.stats().busy, 0);
    }

    #[tokio::test]
    async fn a_closed_pool_finishes_what_it_has_and_takes_no_more() {
        let pool = pool(1, Duration::from_mins(1));
        let (release, held) = hold(&pool);
        let waiting = pool.submit(Turn::First, |_| "done").unwrap();
        pool.close();
        assert!(pool.submit(Turn::First, |_| ()).is_err());
        drop(release);
        held.await.unwrap();
        assert_eq!(waiting.await.unwrap(), "done");
    }

    #[tokio::test]
    async fn dropping_the_pool_ends_its_threads() {
        let pool = pool(2, Duration::from_mins(1));
        let shared = Arc::downgrade(&pool.0);
        drop(pool);
        // Each thread lets go of its share as it ends.
        tokio::time::timeout(Duration::from_secs(10), async {
            while shared.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn every_job_is_observed() {
        let pool = pool(1, Duration::from_mins(1));
        let (saw, seen) = mpsc::channel();
        pool.observe(Box::new(move |observation| saw.send(observation).unwrap()));
        pool.run(Turn::First, |_| ()).await.unwrap();
        let observation = seen.try_recv().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.waited, stats.worked), (observation.waited, observation.worked));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_threads_and_only_they_have_the_lowest_priority() {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy,
        };
        let policy = || thread_schedule_policy().unwrap();
        let here = policy();
        let pool = pool(1, Duration::from_mins(1));
        let there = pool.run(Turn::First, move |_| policy()).await;
        assert_eq!(there, Ok(ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle)));
        assert_eq!(policy(), here);
    }
}
