//! The worker that takes letters from the outbox to the relay.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lettre::Address;
use onesql::Store;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::message::{self, Head};
use super::observer::{MailObserver, Outcome};
use super::outbox::Outbox;
use super::render::RenderError;
use super::reply::{Class, Failure, Fate, Step};
use super::schedule;
use super::setup::Transport;
use super::smtp::{Connection, Relay};
use super::sql::{self, Row, Settled};
use crate::kernel::Timestamp;

/// How many messages are in hand at once; one that hangs holds one place.
const HANDS: usize = 8;

/// How much longer than the longest conversation a message is ours: for clocks that differ.
const MARGIN: Duration = Duration::from_mins(1);

/// How often the database is looked at when nobody calls; half of it is chance.
const LOOK: Duration = Duration::from_secs(1);

/// How long, at shutdown, a message may still take that the relay does not have yet.
const GRACE: Duration = Duration::from_secs(2);

/// Takes letters to where they go; clones share it. Several on one database share the work.
#[derive(Clone)]
pub struct Post(Arc<Inner>);

struct Inner {
    store: Store,
    outbox: Outbox,
    transport: Transport,
    observer: Arc<dyn MailObserver>,
    health: Mutex<Health>,
    idle: Mutex<Vec<Connection>>,
    store_failed: AtomicBool,
}

/// Whether the relay can be used.
#[derive(Default)]
struct Health {
    failures: u32,
    closed_until: Option<Timestamp>,
    trouble: Option<Failure>,
}

/// How one try ended.
enum End {
    Accepted {
        reply: String,
        connection: Connection,
    },
    Kept {
        file: String,
    },
    Failed(Failure),
    /// Shutdown came first; the relay does not have it.
    GivenBack,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("transport", &self.0.transport).finish_non_exhaustive()
    }
}

/// Delivers until `shutdown`; then finishes what is in hand, gives back what the relay does not
/// have yet, and returns.
pub async fn run(post: Post, shutdown: CancellationToken) {
    let mut hands = JoinSet::new();
    while !shutdown.is_cancelled() {
        post.fill(&mut hands, &shutdown).await;
        if hands.is_empty() {
            post.hang_up().await;
        }
        let look = LOOK / 2 + schedule::jitter(LOOK, post.0.outbox.world().as_ref());
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = hands.join_next() => note(ended),
            () = post.0.outbox.news() => {}
            () = tokio::time::sleep(look) => {}
        }
    }
    while let Some(ended) = hands.join_next().await {
        note(ended);
    }
    post.hang_up().await;
}

/// One message in hand never touches its neighbours, whatever happens to it.
fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "sending a mail panicked; it is tried again when its lease ends");
    }
}

impl Post {
    /// Returns a post that empties `outbox` into `transport`.
    #[must_use]
    pub fn new(
        store: Store,
        outbox: Outbox,
        transport: Transport,
        observer: Arc<dyn MailObserver>,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            outbox,
            transport,
            observer,
            health: Mutex::default(),
            idle: Mutex::default(),
            store_failed: AtomicBool::new(false),
        }))
    }

    /// Tries everything that is due, once, and returns how many messages that was.
    ///
    /// # Cancellation
    ///
    /// Dropped midway, messages in hand stay `sending` until their lease ends.
    pub async fn deliver_due(&self) -> usize {
        let never = CancellationToken::new();
        let mut hands = JoinSet::new();
        let mut tried = 0;
        loop {
            self.fill(&mut hands, &never).await;
            let Some(ended) = hands.join_next().await else { break };
            note(ended);
            tried += 1;
        }
        self.hang_up().await;
        tried
    }

    /// Returns what keeps all mail from leaving at present, if something does.
    #[must_use]
    pub fn trouble(&self) -> Option<Failure> {
        self.health(|health| health.trouble.clone())
    }

    fn health<T>(&self, look: impl FnOnce(&mut Health) -> T) -> T {
        look(&mut self.0.health.lock().expect("nobody panics while looking at it"))
    }

    /// Ends what is too late, and takes into free hands what is due.
    async fn fill(&self, hands: &mut JoinSet<()>, stop: &CancellationToken) {
        let now = self.0.outbox.world().now();
        let longest = match &self.0.transport {
            Transport::Keep { .. } => Duration::ZERO,
            Transport::Smtp(relay) => relay.longest(),
        };
        let lease = now + longest + MARGIN;
        let at_most = self.health(|health| match (health.closed_until, health.failures) {
            (Some(until), _) if until > now => 0,
            (_, 0) => HANDS.saturating_sub(hands.len()),
            // After trouble one message goes ahead, the others see how it fares.
            (..) => usize::from(hands.is_empty()),
        });
        match self.take(now, lease, at_most).await {
            Ok(rows) => {
                self.0.store_failed.store(false, Ordering::Relaxed);
                for row in rows {
                    let (post, stop) = (self.clone(), stop.clone());
                    hands.spawn(async move { Box::pin(post.handle(row, lease, &stop)).await });
                }
            }
            Err(error) => {
                if !self.0.store_failed.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the mail queue cannot be read; trying again");
                }
            }
        }
    }

    async fn take(
        &self,
        now: Timestamp,
        lease: Timestamp,
        at_most: usize,
    ) -> onesql::Result<Vec<Row>> {
        if !sql::is_due(&mut self.0.store.glance().await?, now).await? {
            return Ok(Vec::new());
        }
        let mut tx = self.0.store.write().await?;
        let expired = sql::expire(&mut tx, now).await?;
        let rows = match i64::try_from(at_most) {
            Ok(at_most) if at_most > 0 => sql::claim(&mut tx, now, lease, at_most).await?,
            _ => Vec::new(),
        };
        tx.commit().await?;
        for (id, kind, created_at) in expired {
            tracing::warn!(mail = %id, kind, "mail expired unsent");
            self.0.observer.outcome(&kind, Outcome::Expired, now.since(created_at));
        }
        Ok(rows)
    }

    /// Tries one message and writes down how that ended.
    async fn handle(&self, row: Row, lease: Timestamp, stop: &CancellationToken) {
        let end = match self.attempt(&row, stop).await {
            Ok(end) => end,
            Err(failure) => End::Failed(failure),
        };
        let now = self.0.outbox.world().now();
        let (settled, outcome) = self.judge(&row, &end, now);
        self.settle(&row, lease, &settled).await;
        if let Some(outcome) = outcome {
            self.0.observer.outcome(&row.kind, outcome, now.since(row.created_at));
        }
        match end {
            End::Accepted { connection, .. } => {
                tracing::info!(mail = %row.id, kind = row.kind, "mail accepted by the relay");
                self.keep_open(connection, None).await;
                self.mended();
            }
            End::Failed(failure) => self.failed(&row, &failure, settled.state, now),
            End::Kept { .. } | End::GivenBack => {}
        }
    }

    /// Decides what follows from the end of a try.
    fn judge(&self, row: &Row, end: &End, now: Timestamp) -> (Settled, Option<Outcome>) {
        let settled = |state, reply: Option<&str>| Settled {
            state,
            keep_variables: false,
            attempts: row.attempts,
            next_attempt_at: now,
            reply: reply.map(ToOwned::to_owned),
            final_at: Some(now),
        };
        let again = |reply, attempts, wait| Settled {
            keep_variables: true,
            attempts,
            next_attempt_at: now + wait,
            final_at: None,
            ..settled("queued", reply)
        };
        let world = self.0.outbox.world().as_ref();
        match end {
            End::Accepted { reply, .. } => {
                (settled("accepted", Some(reply)), Some(Outcome::Accepted))
            }
            End::Kept { file } => {
                let kept = Settled { keep_variables: true, ..settled("kept", Some(file)) };
                (kept, Some(Outcome::Kept))
            }
            End::GivenBack => (again(None, row.attempts - 1, Duration::ZERO), None),
            End::Failed(failure) => {
                let reply = failure.to_string();
                match failure.fate() {
                    Fate::Stop => (settled("failed", Some(&reply)), Some(Outcome::Failed)),
                    Fate::Hold => {
                        let wait = schedule::jitter(schedule::PAUSE_AT_MOST, world);
                        (again(Some(&reply), row.attempts - 1, wait), Some(Outcome::Retried))
                    }
                    Fate::Retry => {
                        let wait = schedule::wait(row.attempts, world);
                        // While nobody gets through, the pause of the relay decides; when it is
                        // back, nothing must sleep on for an hour.
                        let wait = if failure.concerns_all() {
                            wait.min(schedule::PAUSE_AT_MOST)
                        } else {
                            wait
                        };
                        (again(Some(&reply), row.attempts, wait), Some(Outcome::Retried))
                    }
                }
            }
        }
    }

    async fn attempt(&self, row: &Row, stop: &CancellationToken) -> Result<End, Failure> {
        let outbox = &self.0.outbox;
        let unwritable = |error: String| Failure::hopeless(Step::Write, Class::Content, error);
        let contents = outbox.open(row).map_err(|error| sealed(&error))?;
        let letter = outbox.render(row, &contents).map_err(|error| unwritable(chain(&error)))?;
        let to: Address = row.recipient.parse().map_err(|_| {
            let why = "the stored address is not one that mail can be sent to";
            Failure::hopeless(Step::Write, Class::Recipient, why)
        })?;
        let head = Head {
            from: &outbox.head().from,
            to: &to,
            name: contents.name.as_deref(),
            message_id: &row.message_id,
            language: &row.locale,
            date: outbox.world().now(),
        };
        let mime = message::write(&head, &letter).map_err(|error| unwritable(chain(&error)))?;
        match &self.0.transport {
            Transport::Keep { folder } => keep(folder, row, &mime, &contents.variables).await,
            Transport::Smtp(relay) => self.send(relay, &to, &mime, stop).await,
        }
    }

    /// Carries one message to the relay.
    async fn send(
        &self,
        relay: &Relay,
        to: &Address,
        mime: &[u8],
        stop: &CancellationToken,
    ) -> Result<End, Failure> {
        let abandoned = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let mut connection = tokio::select! {
            announced = self.announce(relay, to, mime) => announced?,
            () = abandoned => return Ok(End::GivenBack),
        };
        // From here on the relay may have it: only its answer tells.
        match connection.hand_over(relay, mime).await {
            Ok(reply) => Ok(End::Accepted { reply, connection }),
            Err(failure) => {
                self.keep_open(connection, Some(&failure)).await;
                Err(failure)
            }
        }
    }

    /// Announces a message on a connection that is open, or on a new one.
    async fn announce(
        &self,
        relay: &Relay,
        to: &Address,
        mime: &[u8],
    ) -> Result<Connection, Failure> {
        let from = &self.0.outbox.head().from.email;
        let idle = self.0.idle.lock().expect("nobody panics while taking one").pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => relay.connect().await?,
        };
        let used = connection.is_used();
        let mut announced = connection.announce(relay, from, to, mime).await;
        if let Err(failure) = &announced
            && used
            && (failure.step, failure.class) == (Step::Mail, Class::Relay)
        {
            // It hung up while nobody spoke; that says nothing about the message.
            connection = relay.connect().await?;
            announced = connection.announce(relay, from, to, mime).await;
        }
        match announced {
            Ok(()) => Ok(connection),
            Err(failure) => {
                self.keep_open(connection, Some(&failure)).await;
                Err(failure)
            }
        }
    }

    /// Keeps a connection for the next message, if it is still good for one.
    async fn keep_open(&self, connection: Connection, after: Option<&Failure>) {
        let Transport::Smtp(relay) = &self.0.transport else { return };
        if let Some(connection) = connection.again(relay, after).await {
            self.0.idle.lock().expect("nobody panics while leaving one").push(connection);
        }
    }

    /// Closes every connection that nobody uses.
    async fn hang_up(&self) {
        let Transport::Smtp(relay) = &self.0.transport else { return };
        let idle =
            std::mem::take(&mut *self.0.idle.lock().expect("nobody panics while taking them"));
        for connection in idle {
            connection.quit(relay).await;
        }
    }

    /// Writes the end of a try down, and does not give up at once: until it is written, the message
    /// would be sent again when its lease ends.
    async fn settle(&self, row: &Row, lease: Timestamp, settled: &Settled) {
        let mut wait = Duration::from_millis(50);
        for _ in 0..8 {
            match self.write_down(row, lease, settled).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(mail = %row.id, "mail was taken over: its lease had ended");
                    return;
                }
                Err(error) => tracing::debug!(mail = %row.id, %error, "not written down yet"),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        tracing::error!(
            mail = %row.id,
            state = settled.state,
            "what became of a mail could not be written down; it is tried again when its lease ends"
        );
    }

    async fn write_down(
        &self,
        row: &Row,
        lease: Timestamp,
        settled: &Settled,
    ) -> onesql::Result<bool> {
        let mut tx = self.0.store.write().await?;
        let ours = sql::settle(&mut tx, row.id, lease, settled).await?;
        tx.commit().await?;
        Ok(ours)
    }

    /// Takes note of a failure: of the message, or of all mail. What an operator has to mend is
    /// said once, not once per message.
    fn failed(&self, row: &Row, failure: &Failure, state: &str, now: Timestamp) {
        self.0.observer.failure(failure.class);
        let (step, class, code) = (failure.step, failure.class.as_str(), failure.code);
        if state == "failed" {
            tracing::warn!(mail = %row.id, kind = row.kind, %step, class, code, "mail failed");
        } else {
            tracing::debug!(mail = %row.id, kind = row.kind, %step, class, code, "mail waits");
        }
        let concerns_all = failure.concerns_all();
        if !concerns_all && failure.advice.is_none() {
            if step > Step::Auth {
                self.mended();
            }
            return;
        }
        let news = self.health(|health| {
            if concerns_all && health.closed_until.is_none_or(|until| until <= now) {
                health.failures += 1;
                health.closed_until = Some(now + schedule::pause(health.failures));
            }
            let same = |known: &Failure| {
                (known.step, known.class, known.advice) == (step, failure.class, failure.advice)
            };
            let news = !health.trouble.as_ref().is_some_and(same);
            health.trouble = Some(failure.clone());
            news
        });
        if !news {
            return;
        }
        // An answer to a recipient names them; the row has it, the log does not need it.
        let reply = if concerns_all { failure.reply.as_str() } else { "" };
        let transport = self.0.transport.to_string();
        let advice = failure.advice.unwrap_or("the relay cannot be used");
        tracing::error!(
            transport, %step, class, code, reply, "mail is held back, none is lost: {advice}"
        );
    }

    /// Takes note that the relay can be used.
    fn mended(&self) {
        let before = self.health(std::mem::take);
        if before.trouble.is_some() {
            tracing::info!("mail leaves again");
        }
    }
}

/// A message that does not open may open tomorrow, with the right key.
fn sealed(error: &RenderError) -> Failure {
    Failure::configuration(
        Step::Write,
        error.to_string(),
        "mail cannot be opened: set master_key, or master_key_previous, to the key it was sealed \
         under",
    )
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words += ": ";
        words += &error.to_string();
        cause = error.source();
    }
    words
}

/// Keeps a message for a developer, who finds its link in the log.
async fn keep(
    folder: &Path,
    row: &Row,
    mime: &[u8],
    variables: &BTreeMap<String, String>,
) -> Result<End, Failure> {
    let file = folder.join(format!("{}.eml", row.id));
    let written = async {
        tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await?;
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut writer = options.open(&file).await?;
        writer.write_all(mime).await?;
        writer.flush().await
    };
    let failure =
        |error: std::io::Error| Failure::relay(Step::Write, format!("{}: {error}", file.display()));
    written.await.map_err(failure)?;
    tracing::info!(
        mail = %row.id,
        kind = row.kind,
        to = row.recipient,
        link = variables.get("link"),
        file = %file.display(),
        "mail kept"
    );
    Ok(End::Kept { file: file.display().to_string() })
}
