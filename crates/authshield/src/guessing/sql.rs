//! Wrong passwords in a row, as the database counts them.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use super::rules::Place;

/// What is known of a place.
#[derive(Debug, FromRow)]
pub(super) struct Row {
    pub(super) place: Vec<u8>,
    failures: i64,
    streak: i64,
    open_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl Row {
    pub(super) fn counted(&self) -> Place {
        Place { failures: self.failures, streak: self.streak, open_at: self.open_at }
    }
}

/// Finds what is known of three places and has not ended.
pub(super) async fn places(tx: &mut Tx, keys: [&[u8]; 3], now: Timestamp) -> Result<Vec<Row>> {
    let [one, two, three] = keys;
    tx.query(
        "SELECT place, failures, streak, open_at, expires_at FROM password_places
         WHERE place IN ($1, $2, $3) AND expires_at > $4",
    )
    .bind(one.to_vec())
    .bind(two.to_vec())
    .bind(three.to_vec())
    .bind(now)
    .all()
    .await
}

/// Wrong passwords in a row.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct Run {
    /// How many.
    pub(super) failures: i64,
    /// Which row of them: each right password ends one.
    pub(super) run: i64,
}

/// Counts a wrong password of an account and returns how many there were in a row. Whoever else counts one
/// waits until `tx` ends.
pub(super) async fn count(tx: &mut Tx, account: &[u8], until: Timestamp) -> Result<Run> {
    tx.query(
        "INSERT INTO password_failures (account, failures, run, expires_at) VALUES ($1, 1, 0, $2)
         ON CONFLICT (account) DO UPDATE
         SET failures = password_failures.failures + 1, expires_at = excluded.expires_at
         RETURNING failures, run",
    )
    .bind(account.to_vec())
    .bind(until)
    .one()
    .await
}

/// Writes down how a place stands. Whoever does has counted in the same transaction.
pub(super) async fn set_place(
    tx: &mut Tx,
    key: &[u8],
    place: &Place,
    until: Timestamp,
) -> Result<()> {
    tx.beside(
        "INSERT INTO password_places (place, failures, streak, open_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (place) DO UPDATE
         SET failures = excluded.failures, streak = excluded.streak, open_at = excluded.open_at,
             expires_at = excluded.expires_at",
    )
    .bind(key.to_vec())
    .bind(place.failures)
    .bind(place.streak)
    .bind(place.open_at)
    .bind(until)
    .later()
    .await
}

/// Takes one from the count of an account and of a place again, with the wait that followed from it, unless that
/// row of wrong passwords ended since.
pub(super) async fn uncount(
    tx: &mut Tx,
    account: &[u8],
    counted: Run,
    place: Option<(&[u8], &Place)>,
    now: Timestamp,
) -> Result<()> {
    tx.beside(
        "UPDATE password_failures SET failures = failures - 1
         WHERE account = $1 AND run = $2 AND failures > 0",
    )
    .bind(account.to_vec())
    .bind(counted.run)
    .later()
    .await?;
    let Some((key, after)) = place else { return Ok(()) };
    // By itself: whether the row of wrong ones ended is seen once the one above has waited for whoever ends it.
    tx.query(
        "UPDATE password_places
         SET failures = failures - 1, streak = streak - 1,
             open_at = CASE WHEN open_at = $2 THEN $3 ELSE open_at END
         WHERE place = $1 AND failures > 0 AND streak > 0
           AND EXISTS (SELECT 1 FROM password_failures WHERE account = $4 AND run = $5)",
    )
    .bind(key.to_vec())
    .bind(after.open_at)
    .bind(now)
    .bind(account.to_vec())
    .bind(counted.run)
    .later()
    .await
}

/// Ends the row of wrong passwords of an account: the next one is the first.
pub(super) async fn forget(tx: &mut Tx, account: &[u8]) -> Result<()> {
    // Before its places, in the order in which whoever counts for the account holds the rows.
    tx.beside(
        "UPDATE password_failures SET failures = 0, run = run + 1, told_at = NULL
         WHERE account = $1",
    )
    .bind(account.to_vec())
    .later()
    .await
}

/// Ends the row of wrong passwords of two places, and the waits of the first; not of `anew`, which is [`set_place`]'s.
pub(super) async fn forget_places(
    tx: &mut Tx,
    [freed, other]: [&[u8]; 2],
    anew: &[u8],
    now: Timestamp,
) -> Result<()> {
    tx.beside(
        "UPDATE password_places
         SET failures = 0, streak = CASE WHEN place = $1 THEN 0 ELSE streak END,
             open_at = CASE WHEN place = $1 THEN $3 ELSE open_at END
         WHERE place IN ($1, $2) AND place <> $4",
    )
    .bind(freed.to_vec())
    .bind(other.to_vec())
    .bind(now)
    .bind(anew.to_vec())
    .later()
    .await
}

/// Remembers that the owner was told of a lock; `false` if they were before.
pub(super) async fn tell(tx: &mut Tx, account: &[u8], now: Timestamp) -> Result<bool> {
    let touched = tx
        .query("UPDATE password_failures SET told_at = $2 WHERE account = $1 AND told_at IS NULL")
        .bind(account.to_vec())
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}
