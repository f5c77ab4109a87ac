//! The worker that takes letters from the outbox to the relay.

mod hands;
mod trouble;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::message::Mailbox;
use onesql::Store;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::breaker::{BreakerState, Note, Turn};
use super::ending::{self, End, Happened, Ruling};
use super::events::{self, News};
use super::keep::keep;
use super::message::{self, Head};
use super::name::presentable;
use super::observer::{MailObserver, Outcome};
use super::outbox::Outbox;
use super::presence::Presence;
use super::providers::{Outgoing, tag};
use super::render::RenderError;
use super::reply::{Class, Failure, Step};
use super::schedule;
use super::setup::Transport;
use super::smtp::{Connection, Relay};
use super::sql::{self, Detail, Row, Settled};
use super::suppression;
use super::timeline::EventKind;
use super::urgency;
use super::way::{Lane, Way};
use crate::kernel::{NodeId, Timestamp};

/// How many messages are in hand at once; one that hangs holds one place.
const HANDS: usize = 8;

/// How much longer than the longest conversation a message is ours: for clocks that differ.
const MARGIN: Duration = Duration::from_mins(1);

/// How often the database is looked at when nobody calls; half of it is chance.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked whether a neighbour is gone.
const NEIGHBOURS: Duration = Duration::from_secs(10);

/// How long, at shutdown, a message may still take that the relay does not have yet.
const GRACE: Duration = Duration::from_secs(2);

/// Takes letters to where they go; clones share it. Several on one database share the work.
#[derive(Clone)]
pub struct Post(Arc<Inner>);

struct Inner {
    store: Store,
    outbox: Outbox,
    route: Route,
    observer: Arc<dyn MailObserver>,
    /// What has to be written down as an incident, and of which way.
    notes: Mutex<Vec<(&'static str, Note)>>,
    noted: Notify,
    store_failed: AtomicBool,
    /// How often messages were taken in hand: lanes take turns.
    claims: AtomicUsize,
    /// Who takes messages in hand, once that is known.
    node: OnceLock<NodeId>,
}

/// Where mail goes.
enum Route {
    /// Into files.
    Keep(PathBuf),
    /// By the first of these that is open.
    Lanes(Vec<Arc<Lane>>),
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.lanes().iter().map(|lane| lane.name).collect();
        f.debug_struct("Post").field("lanes", &names).finish_non_exhaustive()
    }
}

/// Delivers until `shutdown`; then finishes what is in hand, gives back what the relay does not
/// have yet, and returns.
///
/// With `presence` others learn when this process is gone, and it takes over from those that are.
pub async fn run(post: Post, presence: Option<Arc<Presence>>, shutdown: CancellationToken) {
    let mut hands = JoinSet::new();
    let mut looked: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        if let Some(presence) = &presence
            && looked.is_none_or(|looked| looked.elapsed() >= NEIGHBOURS)
        {
            post.stand_in(presence).await;
            looked = Some(Instant::now());
        }
        post.fill(&mut hands, &shutdown).await;
        if hands.is_empty() {
            post.hang_up().await;
        }
        let look = LOOK / 2 + schedule::jitter(LOOK, post.0.outbox.world().as_ref());
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = hands.join_next() => drop(post.ended(ended)),
            () = post.0.outbox.news() => {}
            () = tokio::time::sleep(look) => {}
        }
    }
    while let Some(ended) = hands.join_next().await {
        post.ended(ended);
    }
    post.hang_up().await;
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
        let route = match transport {
            Transport::Keep { folder } => Route::Keep(folder),
            Transport::Ways(ways) => {
                Route::Lanes(Lane::all(ways).into_iter().map(Arc::new).collect())
            }
        };
        Self(Arc::new(Inner {
            store,
            outbox,
            route,
            observer,
            notes: Mutex::default(),
            noted: Notify::new(),
            store_failed: AtomicBool::new(false),
            claims: AtomicUsize::default(),
            node: OnceLock::new(),
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
            tried += self.ended(ended);
        }
        self.hang_up().await;
        tried
    }

    fn lanes(&self) -> &[Arc<Lane>] {
        match &self.0.route {
            Route::Keep(_) => &[],
            Route::Lanes(lanes) => lanes,
        }
    }

    /// Returns what keeps mail from leaving by the way it should take, if something does.
    #[must_use]
    pub fn trouble(&self) -> Option<Failure> {
        self.lanes().iter().find_map(|lane| lane.breaker(|breaker| breaker.trouble().cloned()))
    }

    /// Returns whether messages are tried at present, by whatever way.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        let states = self.states();
        let any = |state| states.iter().any(|(_, one)| *one == state);
        match () {
            () if states.is_empty() || any(BreakerState::Closed) => BreakerState::Closed,
            () if any(BreakerState::HalfOpen) => BreakerState::HalfOpen,
            () => BreakerState::Open,
        }
    }

    /// Returns whether messages are tried at present, for each way by the name that metrics and
    /// incidents have for it; none in development.
    #[must_use]
    pub fn states(&self) -> Vec<(&'static str, BreakerState)> {
        let now = self.0.outbox.world().now();
        self.lanes().iter().map(|lane| (lane.name, lane.state(now))).collect()
    }

    /// Goes as far on a way as every message does, and sends nobody anything: a relay is reached,
    /// asked whether we may write as `mail.from`, and that is taken back; a provider is given a message
    /// that goes nowhere. Whatever comes of it counts as it does for a message: it opens or closes the
    /// breaker, and opens or closes an incident.
    async fn probe(&self, lane: &Lane) {
        let (head, now) = (self.0.outbox.head(), || self.0.outbox.world().now());
        let probed = match &lane.way {
            Way::Smtp(relay) => match relay.probe(&head.from.email).await {
                Ok(connection) => {
                    self.keep_open(lane, connection, None).await;
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
            Way::Api(api) => api.drill(&head.from, now()).await,
        };
        match probed {
            Ok(()) => self.mended(lane),
            Err(failure) => self.troubled(lane, &failure, now()),
        }
    }

    /// Returns the way that mail takes now, if one is open. Where one is closed and it is time, somebody
    /// goes ahead without a message.
    fn open_lane(
        &self,
        hands: &mut JoinSet<usize>,
        stop: &CancellationToken,
        lease: Timestamp,
    ) -> Option<Arc<Lane>> {
        let now = self.0.outbox.world().now();
        let mut open = None;
        for lane in self.lanes() {
            match lane.turn(now, lease) {
                Turn::Go => {
                    open.get_or_insert(lane);
                }
                Turn::Probe => {
                    let (post, lane, stop) = (self.clone(), Arc::clone(lane), stop.clone());
                    hands.spawn(async move {
                        tokio::select! {
                            () = Box::pin(post.probe(&lane)) => 0,
                            () = stop.cancelled() => 0,
                        }
                    });
                }
                Turn::Wait => {}
            }
        }
        open.cloned()
    }

    /// Ends what is too late, and takes into free hands what is due.
    async fn fill(&self, hands: &mut JoinSet<usize>, stop: &CancellationToken) {
        let now = self.0.outbox.world().now();
        let longest = self.lanes().iter().map(|lane| lane.way.longest()).max().unwrap_or_default();
        let lease = now + longest + MARGIN;
        let lane = self.open_lane(hands, stop, lease);
        let goes = lane.is_some() || matches!(self.0.route, Route::Keep(_));
        let at_most = if goes { HANDS.saturating_sub(hands.len()) } else { 0 };
        match self.take(now, lease, at_most).await {
            Ok(rows) => {
                self.0.store_failed.store(false, Ordering::Relaxed);
                for row in rows {
                    let (post, lane, stop) = (self.clone(), lane.clone(), stop.clone());
                    hands.spawn(async move {
                        let span = hands::span_of(&row);
                        let handled = Box::pin(post.handle(row, lease, lane.as_deref(), &stop));
                        handled.instrument(span).await;
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
            Ok(at_most) if at_most > 0 => {
                let turn = urgency::turn(self.0.claims.fetch_add(1, Ordering::Relaxed));
                let owner = self.0.node.get().copied();
                sql::claim(&mut tx, now, lease, at_most, owner, turn).await?
            }
            _ => Vec::new(),
        };
        tx.commit().await?;
        if !expired.is_empty() {
            // There may be more: they are ended some at a time.
            self.0.outbox.wake();
        }
        for (id, kind, created_at) in expired {
            tracing::warn!(mail = %id, kind, "mail expired unsent");
            self.0.observer.outcome(&kind, Outcome::Expired, now.since(created_at));
        }
        Ok(rows)
    }

    /// Tries one message on a way, and writes down how that ended.
    async fn handle(
        &self,
        row: Row,
        lease: Timestamp,
        lane: Option<&Lane>,
        stop: &CancellationToken,
    ) {
        let end = match self.attempt(&row, lane, stop).await {
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
                let Some(lane) = lane else { return };
                self.0.observer.attempt(lane.name, None);
                let (id, provider) = (row.id, lane.name);
                tracing::info!(mail = %id, kind = row.kind, provider, "mail accepted by the relay");
                if let Some(connection) = connection {
                    self.keep_open(lane, connection, None).await;
                }
                self.mended(lane);
            }
            End::Failed(failure) => self.failed(&row, lane, &failure, settled.state, now),
            End::Suppressed(barred) => {
                self.0.observer.suppressed(barred.reason.as_str());
                tracing::info!(mail = %row.id, kind = row.kind, "mail suppressed");
            }
            End::Kept { .. } | End::GivenBack => {}
        }
    }

    async fn attempt(
        &self,
        row: &Row,
        lane: Option<&Lane>,
        stop: &CancellationToken,
    ) -> Result<End, Failure> {
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
        let Some(lane) = lane else {
            let Route::Keep(folder) = &self.0.route else { return Ok(End::GivenBack) };
            return keep(folder, row, &mime, &contents.variables).await;
        };
        match &lane.way {
            Way::Smtp(relay) => self.send(lane, relay, row, &to, &mime, stop).await,
            Way::Api(api) => {
                let name = contents.name.as_deref().and_then(presentable);
                let mail = Outgoing {
                    tag: tag(row.id),
                    from: head.from,
                    to: Mailbox::new(name, to.clone()),
                    letter: &letter,
                    mime: &mime,
                    message_id: &row.message_id,
                    language: &row.locale,
                    idempotency_key: row.id.to_string(),
                };
                let taken = api.hand_over(&mail, outbox.world().now()).await?;
                Ok(End::Accepted {
                    reply: taken.reply,
                    provider: lane.name,
                    provider_id: taken.id,
                    connection: None,
                })
            }
        }
    }

    /// Carries one message to the relay.
    async fn send(
        &self,
        lane: &Lane,
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
            announced = self.announce(lane, relay, row, to, mime) => announced?,
            () = abandoned => return Ok(End::GivenBack),
        };
        // From here on the relay may have it: only its answer tells.
        match connection.hand_over(relay, mime).await {
            Ok(reply) => Ok(End::Accepted {
                reply,
                provider: lane.name,
                provider_id: None,
                connection: Some(connection),
            }),
            Err(failure) => {
                self.keep_open(lane, connection, Some(&failure)).await;
                Err(failure)
            }
        }
    }

    /// Announces a message on a connection that is open, or on a new one.
    async fn announce(
        &self,
        lane: &Lane,
        relay: &Relay,
        row: &Row,
        to: &Address,
        mime: &[u8],
    ) -> Result<Connection, Failure> {
        let from = &self.0.outbox.head().from.email;
        let mut connection = match lane.connection() {
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
                self.keep_open(lane, connection, Some(&failure)).await;
                Err(failure)
            }
        }
    }

    /// Keeps a connection for the next message, if it is still good for one.
    async fn keep_open(&self, lane: &Lane, connection: Connection, after: Option<&Failure>) {
        let Way::Smtp(relay) = &lane.way else { return };
        if let Some(connection) = connection.again(relay, after).await {
            lane.leave(connection);
        }
    }

    /// Closes every connection that nobody uses.
    async fn hang_up(&self) {
        for lane in self.lanes() {
            let Way::Smtp(relay) = &lane.way else { continue };
            for connection in lane.connections() {
                connection.quit(relay).await;
            }
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
