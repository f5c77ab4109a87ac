//! The chain in the database, along which [`super::rules::Walk`] goes.

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

/// Returns since when the oldest event waits to be sealed, if one waits.
pub async fn oldest_unsealed(
    tx: &mut Tx,
    installation: InstallationId,
) -> Result<Option<Timestamp>> {
    let from = bound(sql::last_checkpoint(tx, installation).await?.as_ref());
    let first = sql::without_link(tx, from, Uuid::max(), 1).await?;
    Ok(first.first().map(|id| written_at(*id)))
}

/// Lists who was erased a moment ago, which is not sealed yet.
pub(super) async fn erased_lately(
    tx: &mut Tx,
    installation: InstallationId,
) -> Result<Vec<UserId>> {
    let from = bound(sql::last_checkpoint(tx, installation).await?.as_ref());
    sql::erased_unsealed(tx, from).await
}

/// What comes before can no longer be sealed: whoever wrote it came too late.
fn bound(head: Option<&Checkpoint>) -> Uuid {
    head.map_or(Uuid::nil(), |head| first_id_of(head.through - LATE_AT_MOST))
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
    let bound = bound(sql::last_checkpoint(&mut tx, installation).await?.as_ref());
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
        let until = reader.newest.map_or(from, AuditId::as_uuid).min(bound);
        from = odd(&mut tx, &mut walk, from, until).await?;
    }
    odd(&mut tx, &mut walk, from, bound).await?;
    let waiting = sql::without_link(&mut tx, bound, Uuid::max(), WAITING).await?;
    walk.waiting(waiting.len() as u64);
    walk.erased(erased_lately(&mut tx, installation).await?);
    Ok(walk.end())
}

/// Looks for events between two names that were never sealed, and returns from where on to look next.
async fn odd(tx: &mut Tx, walk: &mut Walk<'_>, from: Uuid, until: Uuid) -> Result<Uuid> {
    if until <= from {
        return Ok(from);
    }
    let found = sql::without_link(tx, from, until, ODD).await?;
    for id in found {
        walk.inserted(id);
    }
    Ok(until)
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
    let bound = bound(sql::last_checkpoint(&mut tx, installation).await?.as_ref());
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
        let until = reader.newest.map_or(event, AuditId::as_uuid).min(bound);
        event = odd(&mut tx, &mut walk, event, until).await?;
    }
    let next = if ended { Position::default() } else { Position { seq: reader.seq, event } };
    Ok((walk.end(), next))
}
