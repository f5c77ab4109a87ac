//! The feed, as the database keeps it.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use super::rules::Lifetime;
use crate::kernel::{EmailAddress, SessionId, UserId};

/// What is above every epoch: all tokens of the session are dead.
pub(super) const ENDED: i64 = i64::MAX;

/// Writes down that a session has ended; once is enough.
pub(super) async fn insert(tx: &mut Tx, session: SessionId) -> Result<u64> {
    tx.query("INSERT INTO revocations (session_id, below) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(session)
        .bind(ENDED)
        .execute()
        .await
}

/// Writes down that the sessions of somebody end that go on, but for one.
pub(super) async fn insert_all(tx: &mut Tx, owner: UserId, keep: Option<SessionId>) -> Result<u64> {
    tx.query(
        "INSERT INTO revocations (session_id, below)
         SELECT id, $2 FROM sessions
         WHERE user_id = $1 AND ended_at IS NULL AND ($3 IS NULL OR id <> $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(owner)
    .bind(ENDED)
    .bind(keep)
    .execute()
    .await
}

/// The same for accounts that are deleted because somebody else proved their address.
pub(super) async fn insert_unverified(
    tx: &mut Tx,
    email: &EmailAddress,
    except: UserId,
) -> Result<u64> {
    tx.query(
        "INSERT INTO revocations (session_id, below)
         SELECT s.id, $3 FROM sessions AS s JOIN users AS u ON u.id = s.user_id
         WHERE u.email = $1 AND u.id <> $2 AND u.email_verified_at IS NULL
           AND u.disabled_at IS NULL AND s.ended_at IS NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(email.clone())
    .bind(except)
    .bind(ENDED)
    .execute()
    .await
}

/// Writes down that the tokens of somebody are dead that are of an epoch before this one.
pub(super) async fn insert_below(tx: &mut Tx, user: UserId, epoch: i64) -> Result<u64> {
    tx.query(
        "INSERT INTO revocations (session_id, below)
         SELECT id, $2 FROM sessions WHERE user_id = $1 AND ended_at IS NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(user)
    .bind(epoch)
    .execute()
    .await
}

/// Raises the epoch of somebody's tokens, and returns it. A session that is opened at the same time is
/// opened before, and then it is found, or not at all.
pub(super) async fn raise_epoch(tx: &mut Tx, user: UserId) -> Result<i64> {
    let raised: Option<(i64,)> = tx
        .query("UPDATE users SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch")
        .bind(user)
        .optional()
        .await?;
    Ok(raised.map_or(0, |(epoch,)| epoch))
}

/// Forgets everything.
pub(super) async fn delete_all(tx: &mut Tx) -> Result<u64> {
    tx.query("DELETE FROM revocations").execute().await
}

/// Where the feed stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The last place that was given.
    pub(super) seq: i64,
    pub(super) lifetime: Lifetime,
    /// The epoch of the installation.
    pub(super) epoch: i64,
    /// Whether something has no place yet.
    pub(super) waits: bool,
}

/// Returns where the feed stands.
pub(super) async fn standing(tx: &mut Tx) -> Result<Standing> {
    let (seq, seconds, confirmed_at, epoch, waits): (i64, i64, Option<Timestamp>, i64, bool) = tx
        .query(
            "SELECT f.seq, f.lifetime_seconds, f.confirmed_at, i.token_epoch,
                    EXISTS (SELECT 1 FROM revocations WHERE seq IS NULL)
             FROM revocation_feed AS f CROSS JOIN installation AS i",
        )
        .one()
        .await?;
    Ok(Standing { seq, lifetime: Lifetime { seconds, confirmed_at }, epoch, waits })
}

/// A feed that is held: nobody else gives places until the transaction ends.
pub(super) struct Held {
    pub(super) seq: i64,
    pub(super) lifetime: Lifetime,
}

/// Holds the feed. What the transaction reads afterwards is at least as new as what the one before wrote.
pub(super) async fn hold(tx: &mut Tx) -> Result<Held> {
    let (seq, seconds, confirmed_at): (i64, i64, Option<Timestamp>) = tx
        .query(
            "UPDATE revocation_feed SET seq = seq
             RETURNING seq, lifetime_seconds, confirmed_at",
        )
        .one()
        .await?;
    Ok(Held { seq, lifetime: Lifetime { seconds, confirmed_at } })
}

/// Gives places behind `seq` to what has none, and returns how many; who calls holds the feed.
pub(super) async fn give_places(
    tx: &mut Tx,
    seq: i64,
    end: Timestamp,
    at_most: i64,
) -> Result<u64> {
    tx.query(
        "UPDATE revocations SET seq = $1 + w.place, expires_at = $2
         FROM (SELECT session_id, below, ROW_NUMBER() OVER (ORDER BY session_id, below) AS place
               FROM revocations WHERE seq IS NULL
               ORDER BY session_id, below LIMIT $3) AS w
         WHERE revocations.session_id = w.session_id AND revocations.below = w.below",
    )
    .bind(seq)
    .bind(end)
    .bind(at_most)
    .execute()
    .await
}

/// Notes how far places are given, and how long they are kept.
pub(super) async fn advance(tx: &mut Tx, seq: i64, lifetime: &Lifetime) -> Result<u64> {
    tx.query("UPDATE revocation_feed SET seq = $1, lifetime_seconds = $2, confirmed_at = $3")
        .bind(seq)
        .bind(lifetime.seconds)
        .bind(lifetime.confirmed_at)
        .execute()
        .await
}

/// Something that was revoked, and its place.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) session_id: SessionId,
    pub(super) below: i64,
    pub(super) expires_at: Timestamp,
}

/// Lists what has places behind `seq`, up to `last`, in their order.
pub(super) async fn behind(tx: &mut Tx, seq: i64, last: i64, at_most: i64) -> Result<Vec<Row>> {
    tx.query(
        "SELECT seq, session_id, below, expires_at FROM revocations
         WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
    )
    .bind(seq)
    .bind(last)
    .bind(at_most)
    .all()
    .await
}
