//! The worker that takes letters from the outbox to the relay.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lettre::Address;
use onesql::Store;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::breaker::{Breaker, BreakerState, Note, Turn};
use super::ending::{self, End, Happened, Ruling};
use super::events::{self, News};
use super::keep::keep;
use super::message::{self, Head};
use super::observer::{MailObserver, Outcome};
use super::outbox::Outbox;
use super::render::RenderError;
use super::reply::{Class, Failure, Step};
use super::schedule;
use super::setup::Transport;
use super::smtp::{Connection, Relay};
use super::sql::{self, Detail, Row, Settled};
use super::suppression;
use super::timeline::{EventKind, State};
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
    breaker: Mutex<Breaker>,
    /// What has to be written down as an incident.
    notes: Mutex<Vec<Note>>,
    noted: Notify,
    idle: Mutex<Vec<Connection>>,
    store_failed: AtomicBool,
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
            Some(ended) = hands.join_next() => drop(note(ended)),
            () = post.0.outbox.news() => {}
            () = tokio::time::sleep(look) => {}
        }
    }
    while let Some(ended) = hands.join_next().await {
        note(ended);
    }
    post.hang_up().await;
}

/// One message in hand never touches its neighbours, whatever happens to it. Returns how many
/// messages were tried: a probe is none.
fn note(ended: Result<usize, tokio::task::JoinError>) -> usize {
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "sending a mail panicked; it is tried again when its lease ends");
        1
    })
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
            breaker: Mutex::default(),
            notes: Mutex::default(),
            noted: Notify::new(),
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
            tried += note(ended);
        }
        self.hang_up().await;
        tried
    }

    /// Returns what keeps mail from leaving at present, if something does.
    #[must_use]
    pub fn trouble(&self) -> Option<Failure> {
        self.breaker(|breaker| breaker.trouble().cloned())
    }

    /// Returns whether messages are tried at present.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        let now = self.0.outbox.world().now();
        self.breaker(|breaker| breaker.state(now))
    }

    /// Returns what mail is handed to, as metrics and incidents name it.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match &self.0.transport {
            Transport::Keep { .. } => "file",
            Transport::Smtp(_) => "smtp",
        }
    }

    /// Goes as far with the relay as every message does, and sends none: reach it, encrypt,
    /// authenticate, ask whether we may write as `mail.from`, take that back. Whatever comes of it
    /// counts as it does for a message: it opens or closes the breaker, and opens or closes an
    /// incident. In development there is nothing to reach.
    pub async fn probe(&self) -> Result<(), Failure> {
        let Transport::Smtp(relay) = &self.0.transport else { return Ok(()) };
        let now = || self.0.outbox.world().now();
        match relay.probe(&self.0.outbox.head().from.email).await {
            Ok(connection) => {
                self.keep_open(connection, None).await;
                self.mended();
                Ok(())
            }
            Err(failure) => {
                self.troubled(&failure, now());
                Err(failure)
            }
        }
    }

    fn breaker<T>(&self, look: impl FnOnce(&mut Breaker) -> T) -> T {
        look(&mut self.0.breaker.lock().expect("nobody panics while looking at it"))
    }

    /// Takes what has to be written down as incidents.
    pub(super) fn notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.0.notes.lock().expect("nobody panics while taking them"))
    }

    /// Waits until something has to be written down; what came while nobody waited counts.
    pub(super) async fn noted(&self) {
        self.0.noted.notified().await;
    }

    /// What was to be written down could not be: it is said again when it is so again.
    pub(super) fn untold(&self) {
        self.breaker(Breaker::untold);
    }

    fn note(&self, note: Option<Note>) {
        if let Some(note) = note {
            self.0.notes.lock().expect("nobody panics while leaving one").push(note);
            self.0.noted.notify_one();
        }
    }

    /// Ends what is too late, and takes into free hands what is due.
    async fn fill(&self, hands: &mut JoinSet<usize>, stop: &CancellationToken) {
        let now = self.0.outbox.world().now();
        let longest = match &self.0.transport {
            Transport::Keep { .. } => Duration::ZERO,
            Transport::Smtp(relay) => relay.longest(),
        };
        let lease = now + longest + MARGIN;
        let turn = self.breaker(|breaker| breaker.turn(now, lease));
        if turn == Turn::Probe {
            let (post, stop) = (self.clone(), stop.clone());
            hands.spawn(async move {
                tokio::select! {
                    _ = Box::pin(post.probe()) => 0,
                    () = stop.cancelled() => 0,
                }
            });
        }
        let at_most = if turn == Turn::Go { HANDS.saturating_sub(hands.len()) } else { 0 };
        match self.take(now, lease, at_most).await {
            Ok(rows) => {
                self.0.store_failed.store(false, Ordering::Relaxed);
                for row in rows {
                    let (post, stop) = (self.clone(), stop.clone());
                    hands.spawn(async move {
                        Box::pin(post.handle(row, lease, &stop)).await;
                        1
                    });
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
        for (mail, ..) in &expired {
            let news = News {
                mail: *mail,
                at: now,
                source: "service",
                external_id: format!("{mail}/expired"),
                kind: EventKind::Expired,
                detail: Detail::default(),
            };
            events::append(&mut tx, &self.0.outbox, news).await?;
        }
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
        let world = self.0.outbox.world().as_ref();
        let Ruling { settled, outcome, event } = ending::judge(&row, lease, &end, now, world);
        self.settle(&row, lease, &settled, event.as_ref()).await;
        if let Some(outcome) = outcome {
            self.0.observer.outcome(&row.kind, outcome, now.since(row.created_at));
        }
        match end {
            End::Accepted { connection, .. } => {
                self.0.observer.attempt(self.provider(), None);
                tracing::info!(mail = %row.id, kind = row.kind, "mail accepted by the relay");
                self.keep_open(connection, None).await;
                self.mended();
            }
            End::Failed(failure) => self.failed(&row, &failure, settled.state, now),
            End::Suppressed(barred) => {
                self.0.observer.suppressed(barred.reason.as_str());
                tracing::info!(mail = %row.id, kind = row.kind, "mail suppressed");
            }
            End::Kept { .. } | End::GivenBack => {}
        }
    }

    async fn attempt(&self, row: &Row, stop: &CancellationToken) -> Result<End, Failure> {
        let outbox = &self.0.outbox;
        // Whether mail to ourselves arrives again after it came back is what it is to show.
        let asked = match row.kind.as_str() {
            "canary" => Ok(Ok(())),
            _ => suppression::may_go(&self.0.store, outbox, row, outbox.world().now()).await,
        };
        match asked {
            Ok(Ok(())) => {}
            Ok(Err(barred)) => return Ok(End::Suppressed(barred)),
            Err(error) => return Err(Failure::relay(Step::Write, error.to_string())),
        }
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
            // When it was written, not when it is sent: sent twice, it is the same in every byte.
            date: row.created_at,
        };
        let mime = message::write(&head, &letter).map_err(|error| unwritable(chain(&error)))?;
        match &self.0.transport {
            Transport::Keep { folder } => keep(folder, row, &mime, &contents.variables).await,
            Transport::Smtp(relay) => self.send(relay, row, &to, &mime, stop).await,
        }
    }

    /// Carries one message to the relay.
    async fn send(
        &self,
        relay: &Relay,
        row: &Row,
        to: &Address,
        mime: &[u8],
        stop: &CancellationToken,
    ) -> Result<End, Failure> {
        let abandoned = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let mut connection = tokio::select! {
            announced = self.announce(relay, row, to, mime) => announced?,
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
        row: &Row,
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
        let mut announced = connection.announce(relay, from, to, row.id, mime).await;
        if let Err(failure) = &announced
            && used
            && (failure.step, failure.class) == (Step::Mail, Class::Relay)
        {
            // It hung up while nobody spoke; that says nothing about the message.
            connection = relay.connect().await?;
            announced = connection.announce(relay, from, to, row.id, mime).await;
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
    async fn settle(
        &self,
        row: &Row,
        lease: Timestamp,
        settled: &Settled,
        event: Option<&Happened>,
    ) {
        let mut wait = Duration::from_millis(50);
        for _ in 0..8 {
            match self.write_down(row, lease, settled, event).await {
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
            state = settled.state.as_str(),
            "what became of a mail could not be written down; it is tried again when its lease ends"
        );
    }

    /// Returns whether the message was still ours. What happened is true and written down even if it
    /// was not.
    async fn write_down(
        &self,
        row: &Row,
        lease: Timestamp,
        settled: &Settled,
        event: Option<&Happened>,
    ) -> onesql::Result<bool> {
        let mut tx = self.0.store.write().await?;
        let ours = sql::settle(&mut tx, row.id, lease, settled).await?;
        if let Some(Happened { kind, source, mark, detail }) = event {
            let news = News {
                mail: row.id,
                at: self.0.outbox.world().now(),
                source,
                external_id: format!("{}/{mark}", row.id),
                kind: *kind,
                detail: detail.clone(),
            };
            events::append(&mut tx, &self.0.outbox, news).await?;
        }
        tx.commit().await?;
        Ok(ours)
    }

    /// Takes note of a failure: of the message, or of all mail. What an operator has to mend is
    /// said once, not once per message.
    fn failed(&self, row: &Row, failure: &Failure, state: State, now: Timestamp) {
        self.0.observer.attempt(self.provider(), Some(failure.class));
        let (step, class, code) = (failure.step, failure.class.as_str(), failure.code);
        if state == State::Failed {
            tracing::warn!(mail = %row.id, kind = row.kind, %step, class, code, "mail failed");
        } else {
            tracing::debug!(mail = %row.id, kind = row.kind, %step, class, code, "mail waits");
        }
        if failure.concerns_all() || failure.advice.is_some() {
            self.troubled(failure, now);
        } else if step > Step::Auth {
            let mended = self.breaker(Breaker::reached);
            self.tell_mended(mended);
        }
    }

    fn troubled(&self, failure: &Failure, now: Timestamp) {
        let (news, note) = self.breaker(|breaker| breaker.failed(failure, now));
        self.note(note);
        if !news {
            return;
        }
        // An answer to a recipient names them; the row has it, the log does not need it.
        let reply = if failure.concerns_all() { failure.reply.as_str() } else { "" };
        let transport = self.0.transport.to_string();
        let advice = failure.advice.unwrap_or("the relay cannot be used");
        let (step, class, code) = (failure.step, failure.class.as_str(), failure.code);
        tracing::error!(
            transport, %step, class, code, reply, "mail is held back, none is lost: {advice}"
        );
    }

    /// Takes note that the relay can be used.
    fn mended(&self) {
        let mended = self.breaker(Breaker::mended);
        self.tell_mended(mended);
    }

    fn tell_mended(&self, (was_trouble, note): (bool, Option<Note>)) {
        self.note(note);
        if was_trouble {
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
