//! Gives events their links and signs checkpoints, behind everybody's back: a request waits for nothing
//! of it.
//!
//! Exactly once, on however many nodes: a lease keeps them from doing it at the same time, and if two do
//! all the same, the number of a link and the event that it is of are unique, so one of them writes
//! nothing.

use std::time::Duration;

use onesql::Tx;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::chain::{Checkpoint, Cut, Hash, Link, Salt, written_at};
use super::rules::{Break, LATE_AT_MOST};
use super::{sql, trail};
use crate::app::App;
use crate::audit::first_id_of;
use crate::installation;
use crate::kernel::Timestamp;
use crate::leases;

/// How often it is looked for events.
const EVERY: Duration = Duration::from_secs(1);
/// How many events are sealed at once, at most.
const BATCH: i64 = 500;
/// After how many links a checkpoint is due, however little time has passed.
const LINKS: i64 = 1000;
/// After how long it is due if there are new links.
const SIGN_EVERY: Duration = Duration::from_secs(10);
/// After how long if there are none: that is how closely it is known when nothing happened.
const BEAT: Duration = Duration::from_mins(10);
/// How far back it is looked for events, which get their names before they are committed; and how often it is
/// looked further: as far as a transaction can last, and as far as the clock of another machine can be behind.
const NEAR: Duration = Duration::from_secs(15);
const FAR: Glance = Glance { back: Duration::from_mins(5), every: Duration::from_secs(30) };
const FARTHEST: Glance = Glance { back: LATE_AT_MOST, every: Duration::from_mins(10) };
/// How long one node does it for all.
const LEASE: Duration = Duration::from_secs(10);

/// Why nothing is sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store failed.
    #[error("the store failed while events were sealed")]
    Store(#[from] onesql::Error),
    /// What this process sealed is not there any more.
    #[error(
        "the chain of the audit trail was broken: this process sealed link {0}, which is gone or was \
         changed. Nothing is sealed until somebody has looked: run `authshield audit verify`"
    )]
    Torn(i64),
    /// What is there is not what this installation signed, or goes on from it.
    #[error(
        "the chain of the audit trail was broken: {0}. Nothing is sealed until somebody has looked: run \
         `authshield audit verify`"
    )]
    Foreign(Break),
}

impl SealError {
    fn is_broken_chain(&self) -> bool {
        matches!(self, Self::Torn(_) | Self::Foreign(_))
    }
}

/// A look back for events that came late.
struct Glance {
    back: Duration,
    every: Duration,
}

/// What a sealer remembers from one pass to the next.
#[derive(Debug, Default)]
pub struct Memory {
    /// The last link that was seen.
    last: Option<(i64, Hash)>,
    /// When it was looked far back, and when as far as can be.
    far: Option<Timestamp>,
    farthest: Option<Timestamp>,
}

impl Memory {
    /// Returns how far back it is looked at `now`.
    fn back(&self, now: Timestamp) -> Duration {
        let is_due = |last: Option<Timestamp>, glance: &Glance| {
            last.is_none_or(|last| now.since(last) >= glance.every || last > now)
        };
        if is_due(self.farthest, &FARTHEST) {
            FARTHEST.back
        } else if is_due(self.far, &FAR) {
            FAR.back
        } else {
            NEAR
        }
    }

    /// Notes that it was looked `back`, and all was seen.
    fn looked(&mut self, back: Duration, now: Timestamp) {
        if back >= FAR.back {
            self.far = Some(now);
        }
        if back >= FARTHEST.back {
            self.farthest = Some(now);
        }
    }
}

/// What a pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// There was nothing to do.
    Idle,
    /// Another node does it.
    Elsewhere,
    /// So many events were sealed; there may be more.
    Sealed {
        /// How many.
        links: u64,
        /// Whether there may be more.
        more: bool,
    },
}

/// Where the chain stands.
struct Head {
    /// The last link, or what the first one follows.
    last: (i64, Hash),
    checkpoint: Option<Checkpoint>,
    cut: Option<Cut>,
}

impl Head {
    async fn find(tx: &mut Tx, app: &App) -> onesql::Result<Self> {
        let installation = app.installation.id;
        let cut = sql::last_cut(tx, installation).await?;
        let last = match (sql::last_link(tx).await?, &cut) {
            (Some(last), _) => last,
            (None, Some(cut)) => (cut.seq, cut.hash),
            (None, None) => (0, Hash::first(installation)),
        };
        let checkpoint = sql::last_checkpoint(tx, installation).await?;
        Ok(Self { last, checkpoint, cut })
    }

    /// Returns from where on it is looked for events.
    fn from(&self, back: Duration) -> Uuid {
        let through = self.checkpoint.as_ref().map(|checkpoint| checkpoint.through);
        through.map_or(Uuid::nil(), |through| first_id_of(through - back))
    }

    /// Whether a checkpoint is due once `added` links are added.
    fn is_due(&self, added: i64, now: Timestamp) -> bool {
        let Some(checkpoint) = &self.checkpoint else { return true };
        let links = self.last.0 + added - checkpoint.seq;
        let age = now.since(checkpoint.at);
        links >= LINKS || links > 0 && age >= SIGN_EVERY || age >= BEAT || self.is_ahead(now)
    }

    /// Whether the clock was put back: what happens now would be older than all that is sealed.
    fn is_ahead(&self, now: Timestamp) -> bool {
        self.checkpoint.as_ref().is_some_and(|before| before.through > now + LATE_AT_MOST)
    }
}

/// Seals until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut memory, mut told) = (Memory::default(), false);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        loop {
            match seal(&app, &mut memory).await {
                Ok(Pass::Sealed { more: true, .. }) if !stop.is_cancelled() => continue,
                Ok(_) => told = false,
                Err(error) if told => {
                    tracing::debug!(error = %crate::problem::chain(&error), "nothing is sealed");
                }
                Err(error) => {
                    told = true;
                    tracing::error!(error = %crate::problem::chain(&error), "nothing is sealed");
                }
            }
            break;
        }
    }
}

/// Gives links to the events that have none, and signs a checkpoint if one is due.
pub async fn seal(app: &App, memory: &mut Memory) -> Result<Pass, SealError> {
    let pass = pass(app, memory).await;
    let is_broken = pass.as_ref().is_err_and(SealError::is_broken_chain);
    app.metrics.audit_torn.set(i64::from(is_broken));
    pass
}

async fn pass(app: &App, memory: &mut Memory) -> Result<Pass, SealError> {
    let now = app.world.now();
    let mut tx = app.store.glance().await?;
    let head = Head::find(&mut tx, app).await?;
    stands(&mut tx, &head, memory).await?;
    let back = memory.back(now);
    let from = if head.is_ahead(now) { first_id_of(now - back) } else { head.from(back) };
    let events = sql::unsealed(&mut tx, from, BATCH).await?;
    drop(tx);
    let more = events.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    if !more {
        memory.looked(back, now);
    }
    let added = i64::try_from(events.len()).unwrap_or(i64::MAX);
    if events.is_empty() && !head.is_due(0, now) {
        return Ok(Pass::Idle);
    }
    if !leases::take(app, "audit_seal", LEASE).await? {
        return Ok(Pass::Elsewhere);
    }
    if head.is_due(added, now) || memory.last != Some(head.last) {
        goes_on(app, &head).await?;
    }

    let mut links = Vec::with_capacity(events.len());
    let (mut seq, mut before) = head.last;
    for event in &events {
        // No chain has so many links: somebody wrote that number.
        seq = seq.checked_add(1).ok_or(SealError::Torn(seq))?;
        let mut salt = [0; 16];
        app.world.fill(&mut salt);
        let link = Link::new(seq, &before, event, Salt::from(salt));
        before = link.hash;
        links.push(link);
    }
    let mut tx = app.store.write().await?;
    // Another node may have thought that it is its turn.
    let again = Head::find(&mut tx, app).await?;
    if (again.last, &again.checkpoint) != (head.last, &head.checkpoint) {
        return Ok(Pass::Elsewhere);
    }
    if !links.is_empty() {
        sql::insert_links(&mut tx, &links).await?;
    }
    if head.is_due(added, now) {
        // Events come in the order of their names: when there may be more, all before the last are there.
        let seen = events.last().filter(|_| more).map_or(now, |event| written_at(event.id));
        let seen = seen.min(now);
        let through = match &head.checkpoint {
            Some(before) if !head.is_ahead(now) => before.through.max(seen),
            _ => seen,
        };
        if head.is_ahead(now) {
            tracing::warn!(
                "the clock went back by more than an hour since the last checkpoint of the audit trail"
            );
        }
        let epoch = installation::in_database(&mut tx).await?.map_or(1, |known| known.token_epoch);
        let checkpoint = Checkpoint {
            installation: app.installation.id,
            number: head.checkpoint.as_ref().map_or(1, |before| before.number + 1),
            seq,
            hash: before,
            at: now,
            through,
            epoch,
            kid: String::new(),
            signature: String::new(),
        };
        let checkpoint = checkpoint.signed(&app.secrets.seal);
        sql::insert_checkpoint(&mut tx, &checkpoint).await?;
        tx.then(move || tell(&checkpoint));
    }
    tx.commit().await?;
    memory.last = Some((seq, before));
    app.metrics.audit_sealed.inc_by(added.unsigned_abs());
    Ok(Pass::Sealed { links: added.unsigned_abs(), more })
}

/// A log is kept elsewhere than the database: with what stands there nobody can take away what came
/// before.
fn tell(checkpoint: &Checkpoint) {
    let words = serde_json::to_string(checkpoint).expect("a checkpoint is plain data");
    tracing::info!(target: "authshield::audit", checkpoint = words, "sealed");
}

/// Makes sure that what the next checkpoint covers goes on from the last that this installation signed:
/// whoever can write rows must not have us sign theirs.
async fn goes_on(app: &App, head: &Head) -> Result<(), SealError> {
    let begun = head.cut.as_ref().map_or(0, |cut| cut.seq);
    let Some(checkpoint) = &head.checkpoint else {
        return if head.last.0 == 0 && head.cut.is_none() {
            Ok(())
        } else {
            Err(SealError::Foreign(Break::Unsigned { behind: begun, links: head.last.0 - begun }))
        };
    };
    let mut tx = app.store.read().await?;
    let report = trail::behind(&mut tx, &app.secrets.seal.public(), checkpoint).await?;
    match report.breaks.into_iter().find(Break::is_of_the_chain) {
        None => Ok(()),
        Some(found) => Err(SealError::Foreign(found)),
    }
}

/// Makes sure that what was there at the last pass is there still.
async fn stands(tx: &mut Tx, head: &Head, memory: &Memory) -> Result<(), SealError> {
    let Some((seq, hash)) = memory.last else { return Ok(()) };
    let cut = head.cut.as_ref().map_or(0, |cut| cut.seq);
    if head.last == (seq, hash) || seq < cut {
        return Ok(());
    }
    match sql::hash_of(tx, seq).await? {
        Some(found) if found == hash => Ok(()),
        _ => Err(SealError::Torn(seq)),
    }
}
