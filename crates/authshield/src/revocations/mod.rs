//! What was revoked, for services that verify access tokens by themselves: without it, a token is good to
//! them until it ends.
//!
//! Whoever ends a session or changes what somebody may do writes a row, in the same transaction. Nothing
//! of the feed happens in a request: each node looks ten times a second. What was committed since gets its
//! place in the feed then, by one node at a time, so a transaction that commits late is not behind anybody's
//! cursor: its rows come after all that had been read before.
//!
//! ```text
//! mod.rs      writes down what is revoked; gives it a place; learns what others gave
//! feed.rs     what this node knows, and the pages of it
//! rules.rs    how long it has to be known, and cursors (pure)
//! sql.rs      remembers
//! http.rs     the signed pages
//! ```

mod feed;
pub mod http;
mod rules;
mod sql;

use std::time::Duration;

use onesql::{Result, Tx};
use tokio_util::sync::CancellationToken;

pub use feed::{Feed, MAX_STALENESS, Page, TYPE};
pub use rules::Cursor;

use crate::app::App;
use crate::kernel::{EmailAddress, SessionId, Timestamp, UserId};

/// How often it is looked. A service that asks twice a second hears of a revocation within this, half a
/// second, and the way there.
const EVERY: Duration = Duration::from_millis(100);
/// How many get their place at once, and how many are read.
const BATCH: i64 = 5000;

/// Writes down that a session has ended.
pub async fn session_ended(tx: &mut Tx, session: SessionId) -> Result<()> {
    sql::insert(tx, session).await.map(drop)
}

/// Writes down that the sessions of somebody are about to end, all but one.
pub async fn sessions_end(tx: &mut Tx, owner: UserId, keep: Option<SessionId>) -> Result<()> {
    sql::insert_all(tx, owner, keep).await.map(drop)
}

/// Writes down that the sessions of an account are about to end that nobody proved to own, and whose
/// address somebody else proved.
pub async fn sessions_of_unverified_end(
    tx: &mut Tx,
    email: &EmailAddress,
    except: UserId,
) -> Result<()> {
    sql::insert_unverified(tx, email, except).await.map(drop)
}

/// Writes down that what somebody may do has changed, and returns the epoch of their tokens from now on:
/// those that were issued before say something else. The account is held until `tx` ends.
pub async fn rights_changed(tx: &mut Tx, user: UserId) -> Result<i64> {
    let epoch = sql::raise_epoch(tx, user).await?;
    sql::insert_below(tx, user, epoch).await?;
    Ok(epoch)
}

/// Forgets all: what was issued before a restore is dead by its epoch.
pub async fn forget_all(tx: &mut Tx) -> Result<u64> {
    sql::delete_all(tx).await
}

/// Looks until `stop`.
pub async fn run(app: App, stop: CancellationToken) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        match look(&app).await {
            Ok(()) => told = false,
            Err(error) if told => {
                tracing::debug!(error = %crate::problem::chain(&error), "the revocation feed stands still");
            }
            Err(error) => {
                told = true;
                tracing::error!(
                    error = %crate::problem::chain(&error),
                    "the revocation feed stands still: services that follow it accept no token soon"
                );
            }
        }
    }
}

/// Gives what waits its place, and learns all that has one. When it has returned, the feed holds
/// everything that was committed before it was called.
pub async fn look(app: &App) -> Result<()> {
    let now = app.world.now();
    let configured = rules::longest_life(app.config.token.access_ttl);
    let mut standing = sql::standing(&mut app.store.glance().await?).await?;
    while standing.waits || rules::is_due(&standing.lifetime, configured, now) {
        let given = publish(app, now, configured).await?;
        standing.seq = given.seq;
        standing.lifetime = given.lifetime;
        standing.waits = given.more;
    }
    learn(app, &standing).await?;
    app.revocations.seen(&standing, now);
    let metrics = &app.metrics;
    #[expect(clippy::cast_precision_loss, reason = "microseconds fit until the year 2255")]
    metrics.revocation_feed_timestamp.set(now.as_microsecond() as f64 / 1e6);
    metrics.revocations_known.set(i64::try_from(app.revocations.len()).unwrap_or(i64::MAX));
    Ok(())
}

/// What a pass came to.
struct Given {
    seq: i64,
    lifetime: rules::Lifetime,
    more: bool,
}

/// Gives places, while no other node does.
async fn publish(app: &App, now: Timestamp, configured: i64) -> Result<Given> {
    let mut tx = app.store.write().await?;
    let held = sql::hold(&mut tx).await?;
    let lifetime = rules::lifetime(&held.lifetime, configured, now);
    let end = now + Duration::from_secs(lifetime.seconds.unsigned_abs());
    let given = sql::give_places(&mut tx, held.seq, end, BATCH).await?;
    let count = i64::try_from(given).unwrap_or(BATCH);
    sql::advance(&mut tx, held.seq + count, &lifetime).await?;
    tx.commit().await?;
    app.metrics.revocations_published.inc_by(given);
    Ok(Given { seq: held.seq + count, lifetime, more: count == BATCH })
}

/// Reads what was given places that this node has not seen.
async fn learn(app: &App, standing: &sql::Standing) -> Result<()> {
    let mut known = app.revocations.begin(standing.epoch, standing.seq);
    while known < standing.seq {
        let mut tx = app.store.glance().await?;
        let rows = sql::behind(&mut tx, known, standing.seq, BATCH).await?;
        // What is missing at the end was forgotten since.
        known = rows.last().map_or(standing.seq, |row| row.seq);
        app.revocations.add(rows);
    }
    Ok(())
}
