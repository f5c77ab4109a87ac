//! The chain in the database, along which [`super::rules::Walk`] goes.

use std::time::Duration;

use onesql::{Result, Store, Tx};
use uuid::Uuid;

use super::chain::{Checkpoint, Cut, Event, Link, written_at};
use super::rules::{Item, LATE_AT_MOST, Report, Walk};
use super::sql;
use crate::audit::first_id_of;
use crate::kernel::{AuditId, InstallationId, Timestamp, UserId};
use crate::vault::SealKeys;

/// How many links are read at once.
const PIECE: i64 = 500;
/// How many events without a link are told of each piece.
const ODD: i64 = 100;
/// How long it takes at most until what was cut off is gone.
const PRUNE_AT_MOST: Duration = Duration::from_hours(1);
/// How many events that wait are counted.
const WAITING: i64 = 10_000;

/// Reads a chain, piece by piece.
pub(super) struct Reader {
    installation: InstallationId,
    /// The last link and the last checkpoint that were read.
    seq: i64,
    number: i64,
    /// The newest event that was read.
    newest: Option<AuditId>,
}

impl Reader {
    /// Begins behind the link `seq` and the checkpoint `number`.
    pub(super) fn behind(installation: InstallationId, seq: i64, number: i64) -> Self {
        Self { installation, seq, number, newest: None }
    }

    /// Begins where the chain begins, and returns where it was cut off.
    pub(super) async fn whole(
        tx: &mut Tx,
        installation: InstallationId,
    ) -> Result<(Self, Option<Cut>)> {
        let cut = sql::last_cut(tx, installation).await?;
        let (seq, number) = cut.as_ref().map_or((0, 0), |cut| (cut.seq, cut.number - 1));
        Ok((Self::behind(installation, seq, number), cut))
    }

    /// Reads the next piece; nothing is left when it is empty.
    pub(super) async fn next(&mut self, tx: &mut Tx) -> Result<Vec<Item>> {
        let links = sql::links(tx, self.seq, PIECE).await?;
        // Behind the last link, all that is left: there should be none.
        let until = links.last().map_or(i64::MAX, |(link, _)| link.seq);
        let mut found = Vec::new();
        loop {
            let more = sql::checkpoints(tx, self.installation, self.number, until, PIECE).await?;
            let Some(last) = more.last() else { break };
            self.number = last.number;
            found.extend(more);
        }
        if let Some((link, _)) = links.last() {
            self.seq = link.seq;
            self.newest = links.iter().map(|(link, _)| link.event_id).max().max(self.newest);
        }
        Ok(merge(links, found))
    }
}

/// Puts each checkpoint behind the last link that it covers.
fn merge(links: Vec<(Link, Option<Box<Event>>)>, checkpoints: Vec<Checkpoint>) -> Vec<Item> {
    let mut items = Vec::with_capacity(links.len() + checkpoints.len());
    let mut checkpoints = checkpoints.into_iter().peekable();
    for (link, event) in links {
        while let Some(next) = checkpoints.next_if(|next| next.seq < link.seq) {
            items.push(Item::Checkpoint(next));
        }
        items.push(Item::Link(link, event));
    }
    items.extend(checkpoints.map(Item::Checkpoint));
    items
}

/// Finds the last checkpoint.
pub async fn head(tx: &mut Tx, installation: InstallationId) -> Result<Option<Checkpoint>> {
    sql::last_checkpoint(tx, installation).await
}

/// Where it is looked for events that were never sealed.
struct Ground {
    /// What comes before can no longer be sealed: whoever wrote it came too late.
    bound: Uuid,
    /// Only links behind this one count.
    seq: i64,
}

impl Ground {
    async fn find(tx: &mut Tx, installation: InstallationId) -> Result<Self> {
        let head = sql::last_checkpoint(tx, installation).await?;
        let cut = sql::last_cut(tx, installation).await?;
        let bound =
            head.as_ref().map_or(Uuid::nil(), |head| first_id_of(head.through - LATE_AT_MOST));
        // What was cut off goes in pieces, and counts until it is gone.
        let gone = |cut: &Cut| head.is_some_and(|head| head.at.since(cut.at) > PRUNE_AT_MOST);
        Ok(Self { bound, seq: cut.filter(gone).map_or(0, |cut| cut.seq) })
    }

    /// Looks for events between two names that were never sealed, and returns from where on to look next.
    async fn odd(&self, tx: &mut Tx, walk: &mut Walk<'_>, from: Uuid, until: Uuid) -> Result<Uuid> {
        let until = until.min(self.bound);
        if until <= from {
            return Ok(from);
        }
        for id in sql::without_link(tx, self.seq, from, until, ODD).await? {
            walk.inserted(id);
        }
        Ok(until)
    }
}

/// Returns since when the oldest event waits to be sealed, if one waits.
pub async fn oldest_unsealed(
    tx: &mut Tx,
    installation: InstallationId,
) -> Result<Option<Timestamp>> {
    let ground = Ground::find(tx, installation).await?;
    let first = sql::without_link(tx, ground.seq, ground.bound, Uuid::max(), 1).await?;
    Ok(first.first().map(|id| written_at(*id)))
}

/// Lists who was erased a moment ago, which is not sealed yet.
pub(super) async fn erased_lately(
    tx: &mut Tx,
    installation: InstallationId,
) -> Result<Vec<UserId>> {
    let ground = Ground::find(tx, installation).await?;
    sql::erased_unsealed(tx, ground.bound).await
}

/// Goes along all of it.
pub async fn verify(
    store: &Store,
    keys: &SealKeys,
    installation: InstallationId,
    anchors: Vec<Checkpoint>,
) -> Result<Report> {
    // One state throughout: what is sealed or cut off meanwhile is not seen.
    let mut tx = store.read().await?;
    let (mut reader, cut) = Reader::whole(&mut tx, installation).await?;
    let ground = Ground::find(&mut tx, installation).await?;
    let mut walk = Walk::whole(keys, installation, cut.as_ref());
    walk.look_for(anchors);
    let mut from = Uuid::nil();
    loop {
        let items = reader.next(&mut tx).await?;
        if items.is_empty() {
            break;
        }
        for item in items {
            walk.take(item);
        }
        let until = reader.newest.map_or(from, AuditId::as_uuid);
        from = ground.odd(&mut tx, &mut walk, from, until).await?;
    }
    walk.ended();
    ground.odd(&mut tx, &mut walk, from, ground.bound).await?;
    let waiting =
        sql::without_link(&mut tx, ground.seq, ground.bound, Uuid::max(), WAITING).await?;
    walk.waiting(waiting.len() as u64);
    walk.erased(erased_lately(&mut tx, installation).await?);
    Ok(walk.end())
}

/// Goes along what is behind `checkpoint`, and returns what it found: whoever signs the next must know what
/// it covers.
pub(super) async fn behind(
    tx: &mut Tx,
    keys: &SealKeys,
    checkpoint: &Checkpoint,
) -> Result<Report> {
    let Checkpoint { installation, seq, number, .. } = *checkpoint;
    let mut walk = Walk::behind(keys, checkpoint);
    let mut reader = Reader::behind(installation, seq, number);
    // The link that it names is there, if there were any since the last cut.
    if sql::hash_of(tx, seq).await? != Some(checkpoint.hash) {
        let cut = sql::last_cut(tx, installation).await?;
        if cut.is_none_or(|cut| (cut.seq, cut.hash) != (seq, checkpoint.hash)) && seq > 0 {
            walk.differs(checkpoint);
        }
    }
    loop {
        let items = reader.next(tx).await?;
        if items.is_empty() {
            return Ok(walk.end());
        }
        for item in items {
            walk.take(item);
        }
    }
}

/// How far it was looked along a chain by and by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    seq: i64,
    event: Uuid,
}

/// Goes along a part of it, from `from` or else not far from its end, and returns what it found, and from
/// where on to look next; from the beginning when it came to the end.
pub async fn look(
    store: &Store,
    keys: &SealKeys,
    installation: InstallationId,
    from: Option<Position>,
    links: i64,
) -> Result<(Report, Position)> {
    let mut tx = store.read().await?;
    let last = sql::last_link(&mut tx).await?.map_or(0, |(seq, _)| seq);
    let ground = Ground::find(&mut tx, installation).await?;
    let wanted = from.map_or(last - links, |from| from.seq);
    let start = sql::checkpoint_up_to(&mut tx, installation, wanted).await?;
    let (mut reader, mut walk) = if let Some(start) = &start {
        let reader = Reader::behind(installation, start.seq, start.number);
        (reader, Walk::behind(keys, start))
    } else {
        let (reader, cut) = Reader::whole(&mut tx, installation).await?;
        (reader, Walk::whole(keys, installation, cut.as_ref()).in_part())
    };
    let mut event = from.map_or_else(
        || start.as_ref().map_or(Uuid::nil(), |start| first_id_of(start.through)),
        |from| from.event,
    );
    let (begun, mut ended) = (reader.seq, false);
    while !ended && reader.seq - begun < links {
        let items = reader.next(&mut tx).await?;
        ended = items.is_empty();
        for item in items {
            walk.take(item);
        }
        let until = reader.newest.map_or(event, AuditId::as_uuid);
        event = ground.odd(&mut tx, &mut walk, event, until).await?;
    }
    if ended {
        walk.ended();
    }
    let next = if ended { Position::default() } else { Position { seq: reader.seq, event } };
    Ok((walk.end(), next))
}
