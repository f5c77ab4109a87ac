//! The embedded file: many readers, one writer, and one flush for all who write at the same time.
//!
//! A flush to disk takes between 0.3 and 4 milliseconds, so one commit per transaction would cap the
//! service at its inverse. Writers queue for the one connection; each works in a savepoint; its
//! [`Member::commit`] hands the connection to the next in line and waits. The last in line commits
//! once for the whole group, and then everybody is answered. A member that rolls back takes only
//! itself away; if the group's commit fails, every member fails.
//!
//! The connection is driven by a thread of its own, and going there and back takes longer than most
//! statements. So the savepoint of the one before is released, and the own one opened, in the same
//! go as the first statement, and so is the transaction by the first of a group; the last in line
//! commits in the same go as what was put off, and who puts off all there is goes once. A member that
//! says nothing costs nothing.

mod reader;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

pub(crate) use self::reader::{Reader, Readers};
use crate::statement::{How, Integrity, PutOff, Statement, within};
use crate::{Error, Result};

/// How many transactions one flush may serve; more would make the first of them wait for long.
const GROUP_AT_MOST: usize = 128;

/// How long the first of a group waits for others at most: where one is always in line, a group would
/// go on until it is full.
const GROUP_FOR: Duration = Duration::from_millis(10);

/// How long a statement waits for another process that writes to the file.
const BUSY_TIMEOUT: Duration = Duration::from_millis(1500);

/// After how many groups the log is copied back into the file.
const GROUPS_PER_CHECKPOINT: usize = 64;

/// From how many pages on the log is written from its beginning again.
///
/// While it grows, each flush also writes down how long the file is now, through the file system's own
/// journal: that takes several times as long as writing over what is there, and more beside busy cores.
const LOG_PAGES: i64 = 4000;

/// How long the log waits for those who still read from it before it goes on growing instead.
const RESTART_WITHIN: Duration = Duration::from_millis(20);

/// How much of the file the writer keeps in memory at most, in KiB (negative, as SQLite wants it).
///
/// The usual 2 MiB are too few where hundreds of people are signed in: each sign-in would read the same
/// pages from the system again. A reader has those: it forgets what it keeps whenever somebody has written.
const CACHE: &str = "-8192";

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(256)
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
}

/// The embedded file, opened.
pub(crate) struct File {
    pub(crate) readers: Readers,
    pub(crate) writer: Arc<Writer>,
}

impl File {
    /// Opens or creates the file at `path`, with `readers` connections to read from.
    pub(crate) async fn open(path: &Path, readers: usize) -> Result<Self> {
        make_private(path)?;
        let writer = patiently(
            &options(path)
                .create_if_missing(true)
                .pragma("cache_size", CACHE)
                // Copying the log back is somebody else's work; this is the limit if that one is late.
                .pragma("wal_autocheckpoint", "20000"),
        )
        .await?;
        let reading = options(path).pragma("query_only", "ON");
        let readers = Readers::new(reading, readers);
        // One at once, to see that it works; the others when they are needed.
        drop(readers.take().await?);
        let checkpointer = options(path).busy_timeout(RESTART_WITHIN).connect().await?;
        let writer = Arc::new(Writer::new(writer));
        tokio::spawn(checkpoint(checkpointer, Arc::downgrade(&writer)));
        Ok(Self { readers, writer })
    }
}

/// Opens the connection that gives a new file its log. Where somebody else writes to the file at that
/// moment, SQLite says so at once, whatever the timeout: it waits only where nothing was read before.
async fn patiently(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match options.connect().await.map_err(Error::from) {
            Err(error) if error.is_busy() && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

/// Makes the file, for its owner alone; the files beside it get the same mode from SQLite. One that
/// exists keeps the mode that somebody gave it.
fn make_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| sqlx::Error::Io(error).into())
}

/// Copies the log back into the file by a connection of its own, since that is the 10 to 18
/// milliseconds that a writer would otherwise wait now and then.
async fn checkpoint(mut connection: SqliteConnection, writer: std::sync::Weak<Writer>) {
    let mut long = LOG_PAGES;
    loop {
        let Some(due) = writer.upgrade().map(|writer| Arc::clone(&writer.checkpoint_due)) else {
            return;
        };
        // The writer may be dropped while we wait; look again from time to time.
        if tokio::time::timeout(Duration::from_secs(5), due.notified()).await.is_err() {
            continue;
        }
        match copy_back(&mut connection, &writer, long).await {
            Ok(next) => long = next,
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied back");
            }
        }
    }
}

/// Copies the log back, and lets it start over if it has more than `long` pages. Returns what is long next
/// time: while somebody reads one state for long it cannot, and writers are not to wait for that again soon.
async fn copy_back(
    connection: &mut SqliteConnection,
    writer: &std::sync::Weak<Writer>,
    long: i64,
) -> Result<i64> {
    /// Whether somebody was in the way, how many pages the log has, and how many were copied.
    type Outcome = (i64, i64, i64);
    let (_, pages, _): Outcome =
        sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut *connection).await?;
    let Some(writer) = writer.upgrade().filter(|_| pages > long) else {
        return Ok(if pages > LOG_PAGES { long } else { LOG_PAGES });
    };
    // With nobody writing what is left to copy is little, and then the log starts over.
    let lane = writer.alone().await?;
    let (is_busy, pages, _): Outcome =
        sqlx::query_as("PRAGMA wal_checkpoint(RESTART)").fetch_one(connection).await?;
    drop(lane);
    Ok(if is_busy == 0 { LOG_PAGES } else { pages + LOG_PAGES })
}

/// The one connection that may write, and those who wait for the group's flush.
pub(crate) struct Writer {
    lane: Arc<Mutex<Lane>>,
    /// How many are in line for the lane: the one that sees none behind it commits for all.
    in_line: AtomicUsize,
    checkpoint_due: Arc<Notify>,
}

pub(crate) struct Lane {
    pub(crate) connection: SqliteConnection,
    progress: Progress,
    /// Members that are done and wait for the flush.
    waiting: Vec<oneshot::Sender<Result<()>>>,
    /// Since when the first of them does.
    since: Option<Instant>,
    groups: usize,
}

/// The name of a savepoint. There are two, so that nobody can mean the one before theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Savepoint {
    Odd,
    Even,
}

impl Savepoint {
    /// Returns what opens it after `before` was done.
    fn open(self, before: Option<Self>) -> &'static str {
        match (before, self) {
            (None, Self::Odd) => "SAVEPOINT odd; ",
            (None, Self::Even) => "SAVEPOINT even; ",
            (Some(_), Self::Odd) => "RELEASE even; SAVEPOINT odd; ",
            (Some(_), Self::Even) => "RELEASE odd; SAVEPOINT even; ",
        }
    }

    /// Returns what takes away all that was done since it was opened.
    fn undo(self) -> &'static str {
        match self {
            Self::Odd => "ROLLBACK TO odd; RELEASE odd",
            Self::Even => "ROLLBACK TO even; RELEASE even",
        }
    }
}

/// How far the group's transaction is.
#[derive(Debug, Default)]
struct Progress {
    /// Whether a transaction is open that holds the group's savepoints.
    open: bool,
    /// The savepoint that exists: of the member whose turn it is, or of the last that was done.
    savepoint: Option<Savepoint>,
    /// Whether the member that the savepoint belongs to has not ended it.
    unfinished: bool,
}

impl Progress {
    /// Returns what the member whose turn it is has to open first.
    fn opening(&mut self) -> Option<Opening<'_>> {
        (!self.unfinished).then_some(Opening(self))
    }
}

/// A savepoint that is opened together with the first statement of its member, in a transaction that is
/// opened together with the first of the group.
pub(crate) struct Opening<'t>(&'t mut Progress);

impl Opening<'_> {
    /// Returns what opens it.
    pub(crate) fn text(&self) -> [&'static str; 2] {
        let Progress { open, savepoint: before, .. } = *self.0;
        [if open { "" } else { "BEGIN IMMEDIATE; " }, self.savepoint().open(before)]
    }

    /// Says that it is on its way; from now on there is something to undo.
    pub(crate) fn begin(self) {
        let savepoint = Some(self.savepoint());
        *self.0 = Progress { open: true, savepoint, unfinished: true };
    }

    fn savepoint(&self) -> Savepoint {
        let is_odd = self.0.savepoint == Some(Savepoint::Odd);
        if is_odd { Savepoint::Even } else { Savepoint::Odd }
    }
}

/// What is said when the task that worked for us is gone.
fn gone() -> Error {
    sqlx::Error::WorkerCrashed.into()
}

impl Writer {
    fn new(connection: SqliteConnection) -> Self {
        let lane = Lane {
            connection,
            progress: Progress::default(),
            waiting: Vec::new(),
            since: None,
            groups: 0,
        };
        Self {
            lane: Arc::new(Mutex::new(lane)),
            in_line: AtomicUsize::new(0),
            checkpoint_due: Arc::new(Notify::new()),
        }
    }

    /// Waits for its turn, but not for ever.
    pub(crate) async fn join(self: &Arc<Self>, at_most: Duration) -> Result<Member> {
        let turn = async {
            let since = Instant::now();
            let place = Place::take(self);
            let lane = Arc::clone(&self.lane).lock_owned().await;
            let mut member = place.give_up_for(lane);
            if member.is_begun() {
                // In a task of its own, so that a caller who goes away leaves nothing half-undone. If
                // nobody takes the member, it is dropped, and hands on.
                member = tokio::spawn(member.clear_up()).await.map_err(|_| gone())?;
            }
            member.waited = since.elapsed();
            Ok(member)
        };
        tokio::time::timeout(at_most, turn).await.unwrap_or(Err(Error::Timeout(at_most)))
    }

    /// Waits for its turn and returns the lane with no transaction open.
    pub(crate) async fn alone(&self) -> Result<OwnedMutexGuard<Lane>> {
        let lane = Arc::clone(&self.lane);
        // In a task of its own: nobody may go away between the flush and those who wait for it.
        tokio::spawn(async move {
            let mut lane = lane.lock_owned().await;
            lane.undo(None).await;
            lane.flush().await;
            lane
        })
        .await
        .map_err(|_| gone())
    }

    /// Whether somebody in line will commit for all who wait.
    fn is_followed(&self, lane: &Lane) -> bool {
        self.in_line.load(Ordering::SeqCst) > 0
            && lane.waiting.len() < GROUP_AT_MOST
            && lane.since.is_none_or(|since| since.elapsed() < GROUP_FOR)
    }

    /// Undoes what was not finished, and commits for all who wait, unless somebody in line will.
    async fn hand_on(&self, mut lane: OwnedMutexGuard<Lane>) {
        lane.undo(None).await;
        if !self.is_followed(&lane) {
            lane.flush().await;
        }
        if !lane.progress.open && lane.groups.is_multiple_of(GROUPS_PER_CHECKPOINT) {
            self.checkpoint_due.notify_one();
        }
    }
}

/// A place in the line for the lane. Those before may leave their flush to whoever holds one.
struct Place(Option<Arc<Writer>>);

impl Place {
    fn take(writer: &Arc<Writer>) -> Self {
        writer.in_line.fetch_add(1, Ordering::SeqCst);
        Self(Some(Arc::clone(writer)))
    }

    /// Turns the place into a turn.
    fn give_up_for(mut self, lane: OwnedMutexGuard<Lane>) -> Member {
        let writer = self.0.take().expect("given up once");
        writer.in_line.fetch_sub(1, Ordering::SeqCst);
        let waited = Duration::ZERO;
        Member { lane: Some(lane), waited, writer, integrity: Integrity::new(true) }
    }
}

impl Drop for Place {
    /// Who leaves the line sees to it that the flush that was left to them is done.
    fn drop(&mut self) {
        let Some(writer) = self.0.take() else { return };
        let others = writer.in_line.fetch_sub(1, Ordering::SeqCst) - 1;
        if others == 0
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let lane = Arc::clone(&writer.lane).lock_owned().await;
                writer.hand_on(lane).await;
            });
        }
    }
}

impl Lane {
    /// For how long a member that `waited` for its turn waits now: the first of a group also for another process that
    /// writes to the file, and both waits together have one limit.
    fn patience(&self, at_most: Duration, waited: Duration) -> Duration {
        if self.progress.open { at_most } else { at_most.saturating_sub(waited) }
    }

    /// Runs what a member put off, after what opens its savepoint if it did nothing before; and if it is the `last` of
    /// its group, commits in the same go. Only the first step has a limit, `at_most`, where it waits for another process:
    /// what was committed must not be told as given up because the disk was slow.
    async fn conclude(
        &mut self,
        put_off: PutOff,
        last: bool,
        at_most: Option<Duration>,
    ) -> Result<()> {
        let PutOff { text, arguments, .. } = put_off;
        let [begin, savepoint] = self.progress.opening().map_or([""; 2], |opening| {
            let text = opening.text();
            opening.begin();
            text
        });
        let text = [begin, savepoint, &text, if last { "; COMMIT" } else { "" }].concat();
        let query = sqlx::query_with(AssertSqlSafe(text), arguments);
        let mut done = self.connection.execute_many(query);
        if let Some(at_most) = at_most {
            within(at_most, done.try_next()).await?;
        }
        while done.try_next().await?.is_some() {}
        Ok(())
    }

    /// Takes away what the last member began and did not finish, after `failure` if that is known.
    async fn undo(&mut self, failure: Option<&Error>) {
        if !std::mem::take(&mut self.progress.unfinished) {
            return;
        }
        let Some(savepoint) = self.progress.savepoint.take() else { return };
        if let Err(error) = self.connection.execute(savepoint.undo()).await {
            // They went away, or failed, before theirs was opened, and it opens before all else: nothing of
            // theirs is there to be undone, and what those before them did is whole.
            if is_no_savepoint(&error) && self.connection.execute("COMMIT").await.is_ok() {
                return self.settle(&Ok(()));
            }
            // Or there was nothing to commit. When the disk is full or broken, SQLite ends the whole
            // transaction by itself, and with it what those before us had done.
            let error = failure.cloned().unwrap_or_else(|| error.into());
            if !self.waiting.is_empty() {
                tracing::error!(%error, "a group of transactions was lost");
            }
            self.give_up(error).await;
        }
    }

    /// Ends the open transaction, with the savepoint in it, and tells everybody who waited for it.
    async fn flush(&mut self) {
        if !self.progress.open {
            return;
        }
        match self.connection.execute(sqlx::query("COMMIT")).await {
            Ok(_) => self.settle(&Ok(())),
            Err(error) => self.give_up(error.into()).await,
        }
    }

    /// Rolls the group back and tells everybody who waited for it.
    async fn give_up(&mut self, error: Error) {
        // Some errors end the transaction by themselves; then there is nothing to roll back.
        let _ = self.connection.execute("ROLLBACK").await;
        self.settle(&Err(error));
    }

    /// Says that the member whose turn it is has done its part, and who is told when it is on disk.
    fn finish(&mut self, done: oneshot::Sender<Result<()>>) {
        self.progress.unfinished = false;
        self.waiting.push(done);
        self.since.get_or_insert_with(Instant::now);
    }

    fn settle(&mut self, outcome: &Result<()>) {
        self.groups = self.groups.wrapping_add(1);
        self.progress = Progress::default();
        self.since = None;
        for member in self.waiting.drain(..) {
            // A member that went away does not want to know.
            let _ = member.send(outcome.clone());
        }
    }
}

/// Whether a savepoint was named that is not there.
fn is_no_savepoint(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    database.is_some_and(|error| error.message().starts_with("no such savepoint"))
}

/// One writer's part in a group.
pub(crate) struct Member {
    /// Taken out when the part ends.
    lane: Option<OwnedMutexGuard<Lane>>,
    /// For how long it waited for its turn.
    waited: Duration,
    writer: Arc<Writer>,
    integrity: Integrity,
}

impl Member {
    /// Starts a statement; the first one opens the savepoint.
    pub(crate) fn statement<'t, 'q>(
        &'t mut self,
        put_off: &'t mut Option<PutOff>,
        how: How<'t>,
    ) -> Statement<'t, 'q> {
        let lane = self.lane.as_mut().expect("taken out only by commit and drop");
        let how = How { at_most: lane.patience(how.at_most, self.waited), ..how };
        let Lane { connection, progress, .. } = &mut **lane;
        Statement::member(connection, &mut self.integrity, put_off, progress.opening(), how)
    }

    /// Returns the connection, for who has run a statement on it: the savepoint is there.
    pub(crate) fn parts(&mut self) -> (&mut SqliteConnection, &mut Integrity) {
        let lane = self.lane.as_mut().expect("taken out only by commit and drop");
        (&mut lane.connection, &mut self.integrity)
    }

    /// Whether a savepoint is open: the own one once a statement was run, and before that one which whoever had
    /// the turn before has left behind.
    pub(crate) fn is_begun(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.progress.unfinished)
    }

    async fn clear_up(mut self) -> Self {
        self.lane.as_mut().expect("taken out only by commit and drop").undo(None).await;
        self
    }

    /// Runs what was put off, and returns when the group this belongs to is on disk. If that is all it does, it waits for
    /// another process as long as a statement that opens the savepoint.
    pub(crate) async fn commit(mut self, put_off: Option<PutOff>, at_most: Duration) -> Result<()> {
        self.integrity.check()?;
        let opens = !self.is_begun();
        if opens && put_off.is_none() {
            // Whoever did nothing has nothing to wait for.
            return Ok(());
        }
        let mut lane = self.lane.take().expect("a part ends once");
        let (done, outcome) = oneshot::channel();
        if let Some(put_off) = put_off {
            let at_most = opens.then(|| lane.patience(at_most, self.waited));
            self.writer.conclude(lane, put_off, at_most, done);
        } else {
            lane.finish(done);
            self.writer.leave(lane);
        }
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            self.writer.leave(lane);
        }
    }
}

impl Writer {
    /// Hands on, without keeping whoever leaves: the group must not be left without its end when
    /// one of its callers goes away.
    fn leave(self: &Arc<Self>, lane: OwnedMutexGuard<Lane>) {
        if !lane.progress.unfinished && self.is_followed(&lane) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let writer = Arc::clone(self);
            runtime.spawn(async move { writer.hand_on(lane).await });
        }
    }

    /// The same for whoever has put something off.
    fn conclude(
        self: &Arc<Self>,
        mut lane: OwnedMutexGuard<Lane>,
        put_off: PutOff,
        at_most: Option<Duration>,
        done: oneshot::Sender<Result<()>>,
    ) {
        let (writer, demanding) = (Arc::clone(self), put_off.demanding);
        tokio::spawn(async move {
            let last = !writer.is_followed(&lane);
            match lane.conclude(put_off, last, at_most).await {
                Ok(()) => {
                    lane.finish(done);
                    if last {
                        lane.settle(&Ok(()));
                    }
                }
                Err(error) => {
                    let error = error.or_unmet(demanding);
                    lane.undo(Some(&error)).await;
                    let _ = done.send(Err(error));
                }
            }
            writer.hand_on(lane).await;
        });
    }
}
