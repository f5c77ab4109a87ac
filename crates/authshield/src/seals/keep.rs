//! What may leave the audit trail: what is personal of a person who is erased, and whole old parts. Both
//! are for who owns the tables; the service has no right to either.

use onesql::Tx;

use super::chain::{Cut, Hash};
use super::rules::{Report, Walk};
use super::sql;
use super::trail::Reader;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{Timestamp, UserId};

/// How many links are removed in one transaction.
const BATCH: i64 = 500;

/// Why nothing left.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The chain does not hold, so what is removed would be evidence.
    #[error("the chain does not hold: run `authshield audit verify` before anything is removed")]
    Broken(Box<Report>),
    /// The store failed.
    #[error("the store failed; it takes the role that owns the tables")]
    Store(#[from] onesql::Error),
}

/// Erases what is personal of a person, of all that is sealed, and writes down that it was. Returns of
/// how many events.
pub async fn erase(app: &App, ctx: &Ctx, person: UserId) -> Result<u64, KeepError> {
    let mut tx = app.store.write().await?;
    let count = sql::erase(&mut tx, person).await?;
    if count > 0 {
        audit::record(&mut tx, app, ctx, &Event::PersonErased { user: person, count }).await?;
    }
    tx.commit().await?;
    Ok(count)
}

/// What was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Up to which link.
    pub seq: i64,
    /// How many events.
    pub events: u64,
}

/// Cuts off all that was sealed up to the last checkpoint before `before`. What is left holds by itself:
/// where it was cut is signed.
pub async fn prune(app: &App, ctx: &Ctx, before: Timestamp) -> Result<Option<Pruned>, KeepError> {
    let installation = app.installation.id;
    let mut tx = app.store.read().await?;
    let last = sql::last_cut(&mut tx, installation).await?;
    let at = sql::checkpoint_before(&mut tx, installation, before).await?;
    let begun = last.as_ref().map_or(0, |cut| cut.seq);
    let at = at.filter(|at| at.seq > begun);
    judge(app, &mut tx, at.as_ref().map_or(begun, |at| at.seq)).await?;
    drop(tx);
    let cut = match at {
        Some(at) => {
            let (seq, number, hash): (i64, i64, Hash) = (at.seq, at.number, at.hash);
            let (kid, signature) = (String::new(), String::new());
            let cut = Cut { installation, number, seq, hash, at: ctx.now, kid, signature };
            let cut = cut.signed(&app.secrets.seal);
            // From here on the rest is removed, by this run or the next.
            let mut tx = app.store.write().await?;
            sql::insert_cut(&mut tx, &cut).await?;
            let event = Event::EventsPruned { before, seq };
            audit::record(&mut tx, app, ctx, &event).await?;
            tx.commit().await?;
            cut
        }
        None => match last {
            Some(cut) => cut,
            None => return Ok(None),
        },
    };
    let mut events = 0;
    loop {
        let first = sql::first_link(&mut app.store.glance().await?).await?;
        let Some(first) = first.filter(|first| *first <= cut.seq) else { break };
        let mut tx = app.store.write().await?;
        events += sql::remove_up_to(&mut tx, cut.seq.min(first + BATCH - 1)).await?;
        tx.commit().await?;
    }
    let mut tx = app.store.write().await?;
    let checkpoints = sql::remove_checkpoints(&mut tx, cut.number).await?;
    tx.commit().await?;
    Ok((events > 0 || checkpoints > 0).then_some(Pruned { seq: cut.seq, events }))
}

/// Refuses to remove what does not hold: a cut that nobody here signed, or what is behind it.
async fn judge(app: &App, tx: &mut Tx, until: i64) -> Result<(), KeepError> {
    let keys = app.secrets.seal.public();
    let (mut reader, cut) = Reader::whole(tx, app.installation.id).await?;
    let mut walk = Walk::whole(&keys, app.installation.id, cut.as_ref()).in_part();
    while walk.last() < until {
        let items = reader.next(tx).await?;
        if items.is_empty() {
            break;
        }
        for item in items {
            walk.take(item);
        }
    }
    let report = walk.end();
    if report.holds() { Ok(()) } else { Err(KeepError::Broken(Box::new(report))) }
}
