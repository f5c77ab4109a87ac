//! Registrations that wait for proof, as the database knows them: one per address.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::kernel::EmailAddress;

/// The newest registration of an address.
#[derive(Clone, FromRow)]
pub(super) struct Waiting {
    pub(super) password_hash: String,
    /// Whether somebody registered the address with another password meanwhile.
    pub(super) contested: bool,
}

/// Finds the registration of `email` that waits for proof.
pub(super) async fn waiting(
    tx: &mut Tx,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<Option<Waiting>> {
    tx.query(
        "SELECT password_hash, contested FROM registrations WHERE email = $1 AND expires_at > $2",
    )
    .bind(email.clone())
    .bind(now)
    .optional()
    .await
}

/// Writes a registration down, in the place of the one before. Whoever does holds the row of the
/// account that has the address, so that two at once see each other.
pub(super) async fn remember(
    tx: &mut Tx,
    email: &EmailAddress,
    waiting: &Waiting,
    now: Timestamp,
    until: Timestamp,
) -> Result<u64> {
    tx.query(
        "INSERT INTO registrations (email, password_hash, contested, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (email) DO UPDATE
         SET password_hash = excluded.password_hash, contested = excluded.contested,
             created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(email.clone())
    .bind(waiting.password_hash.clone())
    .bind(waiting.contested)
    .bind(now)
    .bind(until)
    .execute()
    .await
}

/// Lets a registration wait as long as the link that is sent for it.
pub(super) async fn prolong(
    tx: &mut Tx,
    email: &EmailAddress,
    now: Timestamp,
    until: Timestamp,
) -> Result<u64> {
    tx.query("UPDATE registrations SET expires_at = $3 WHERE email = $1 AND expires_at > $2")
        .bind(email.clone())
        .bind(now)
        .bind(until)
        .execute()
        .await
}

/// Ends a registration, and returns it if it was waiting still.
pub(super) async fn take(
    tx: &mut Tx,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<Option<Waiting>> {
    let row: Option<(String, bool, Timestamp)> = tx
        .query(
            "DELETE FROM registrations WHERE email = $1
             RETURNING password_hash, contested, expires_at",
        )
        .bind(email.clone())
        .optional()
        .await?;
    Ok(row
        .filter(|(_, _, expires_at)| *expires_at > now)
        .map(|(password_hash, contested, _)| Waiting { password_hash, contested }))
}
