//! What the database knows of addresses that mail is not sent to.

use onesql::{Result, Tx};

use super::rules::{Reason, Scope};
use crate::kernel::{MailEventId, MailId, Place, SuppressionId, Timestamp, UserId};

/// A suppression to be written down.
pub(super) struct New {
    pub(super) id: SuppressionId,
    pub(super) to_hash: Vec<u8>,
    pub(super) scope: Scope,
    pub(super) reason: Reason,
    pub(super) address: Vec<u8>,
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) evidence: Option<(MailId, MailEventId)>,
    pub(super) by: Option<UserId>,
}

/// A suppression as it is stored.
#[derive(Clone, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: SuppressionId,
    pub(super) to_hash: Vec<u8>,
    pub(super) scope: String,
    pub(super) reason: String,
    pub(super) strikes: i64,
    pub(super) address: Vec<u8>,
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) mail_id: Option<MailId>,
    pub(super) by_user: Option<UserId>,
    pub(super) trial_mail: Option<MailId>,
    pub(super) trial_at: Option<Timestamp>,
}

/// Writes down that mail came back for good: for the first time `until` then, and once more, after the
/// end of what was known, `again`. What comes back in between was on its way already.
pub(super) async fn strike(tx: &mut Tx, new: New, again: Timestamp) -> Result<()> {
    let (mail, event) = new.evidence.unzip();
    tx.query(
        "INSERT INTO mail_suppressions
             (id, to_hash, scope, reason, strikes, address, since, until, mail_id, event_id)
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9)
         ON CONFLICT (to_hash, scope) DO UPDATE
         SET strikes = CASE WHEN mail_suppressions.reason = $4
                            THEN mail_suppressions.strikes + 1 ELSE 1 END,
             until = CASE WHEN mail_suppressions.reason = $4 THEN $10 ELSE $7 END,
             reason = $4, since = $6, mail_id = $8, event_id = $9, by_user = NULL,
             trial_mail = NULL, trial_at = NULL
         WHERE mail_suppressions.until <= $6",
    )
    .bind(new.id)
    .bind(new.to_hash)
    .bind(new.scope.as_str())
    .bind(new.reason.as_str())
    .bind(new.address)
    .bind(new.since)
    .bind(new.until)
    .bind(mail)
    .bind(event)
    .bind(again)
    .execute()
    .await?;
    Ok(())
}

/// Writes a suppression down in the place of what is known, or only where nothing is; returns whether
/// that changed anything.
pub(super) async fn put(tx: &mut Tx, new: New, replace: bool) -> Result<bool> {
    let (mail, event) = new.evidence.unzip();
    let touched = tx
        .query(
            "INSERT INTO mail_suppressions
                 (id, to_hash, scope, reason, strikes, address, since, until, mail_id, event_id,
                  by_user)
             VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (to_hash, scope) DO UPDATE
             SET reason = $4, strikes = 0, since = $6, until = $7, mail_id = $8, event_id = $9,
                 by_user = $10, trial_mail = NULL, trial_at = NULL
             WHERE $11 OR mail_suppressions.until <= $6",
        )
        .bind(new.id)
        .bind(new.to_hash)
        .bind(new.scope.as_str())
        .bind(new.reason.as_str())
        .bind(new.address)
        .bind(new.since)
        .bind(new.until)
        .bind(mail)
        .bind(event)
        .bind(new.by)
        .bind(replace)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Forgets that mail came back, since later mail arrives, or since `mail` itself did.
pub(super) async fn works(
    tx: &mut Tx,
    to_hash: Vec<u8>,
    written: Timestamp,
    mail: MailId,
    was_read: bool,
) -> Result<()> {
    tx.query(
        "DELETE FROM mail_suppressions
         WHERE to_hash = $1 AND reason = 'hard_bounce'
           AND (since < $2 OR ($4 AND mail_id = $3))",
    )
    .bind(to_hash)
    .bind(written)
    .bind(mail)
    .bind(was_read)
    .execute()
    .await?;
    Ok(())
}

/// Returns what is known of an address.
pub(super) async fn of(tx: &mut Tx, to_hash: Vec<u8>) -> Result<Vec<Row>> {
    tx.query(
        "SELECT id, to_hash, scope, reason, strikes, address, since, until, mail_id, by_user,
                trial_mail, trial_at
         FROM mail_suppressions
         WHERE to_hash = $1",
    )
    .bind(to_hash)
    .all()
    .await
}

/// Takes the one trial for `mail`; of two that try at once, one gets it.
pub(super) async fn take_trial(
    tx: &mut Tx,
    id: SuppressionId,
    mail: MailId,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE mail_suppressions SET trial_mail = $2, trial_at = $3
             WHERE id = $1 AND trial_mail IS NULL AND until <= $3",
        )
        .bind(id)
        .bind(mail)
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Lists up to `at_most` suppressions after a place, the newest first.
pub(super) async fn list(
    tx: &mut Tx,
    to_hash: Option<Vec<u8>>,
    after: Place,
    at_most: i64,
) -> Result<Vec<Row>> {
    tx.query(
        "SELECT id, to_hash, scope, reason, strikes, address, since, until, mail_id, by_user,
                trial_mail, trial_at
         FROM mail_suppressions
         WHERE (since, id) < ($1, $2) AND ($3 IS NULL OR to_hash = $3)
         ORDER BY since DESC, id DESC
         LIMIT $4",
    )
    .bind(after.at)
    .bind(after.id)
    .bind(to_hash)
    .bind(at_most)
    .all()
    .await
}

/// Takes one away, and returns it.
pub(super) async fn remove(tx: &mut Tx, id: SuppressionId) -> Result<Option<Row>> {
    tx.query(
        "DELETE FROM mail_suppressions WHERE id = $1
         RETURNING id, to_hash, scope, reason, strikes, address, since, until, mail_id, by_user,
                   trial_mail, trial_at",
    )
    .bind(id)
    .optional()
    .await
}

/// Counts those that hold at `now`.
pub(super) async fn count(tx: &mut Tx, now: Timestamp) -> Result<i64> {
    let (count,): (i64,) = tx
        .query("SELECT COUNT(*) FROM mail_suppressions WHERE until IS NULL OR until > $1")
        .bind(now)
        .one()
        .await?;
    Ok(count)
}

/// Forgets those that ended before `before`.
pub(super) async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM mail_suppressions WHERE until < $1").bind(before).execute().await
}
