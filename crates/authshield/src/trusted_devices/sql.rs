//! Trusted devices, as the database knows them.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::kernel::{TrustedDeviceId, UserId};

/// A device on which a sign-in does without the second factor.
#[derive(Debug, Clone, FromRow)]
pub struct TrustedDevice {
    /// Its name for programs.
    pub id: TrustedDeviceId,
    /// What it called itself, for people.
    pub device: String,
    /// From where it was last used.
    pub ip_address: String,
    /// Since when it is trusted.
    pub created_at: Timestamp,
    /// When it last spared a second factor.
    pub last_used_at: Option<Timestamp>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Writes a device.
pub(super) async fn insert(
    tx: &mut Tx,
    user: UserId,
    token_hash: Vec<u8>,
    device: &TrustedDevice,
) -> Result<u64> {
    tx.query(
        "INSERT INTO trusted_devices (id, user_id, token_hash, device, ip_address, created_at,
                                      expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(device.id)
    .bind(user)
    .bind(token_hash)
    .bind(device.device.clone())
    .bind(device.ip_address.clone())
    .bind(device.created_at)
    .bind(device.expires_at)
    .execute()
    .await
}

/// Removes all devices of an account but the newest.
pub(super) async fn keep_newest(tx: &mut Tx, user: UserId, at_most: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM trusted_devices
         WHERE user_id = $1
           AND id NOT IN (SELECT id FROM trusted_devices WHERE user_id = $1
                          ORDER BY created_at DESC, id DESC LIMIT $2)",
    )
    .bind(user)
    .bind(at_most)
    .execute()
    .await
}

/// What a device shows.
pub(super) struct Shown {
    pub(super) token_hash: Vec<u8>,
    /// Who signs in on it.
    pub(super) user: UserId,
    pub(super) ip_address: String,
    pub(super) now: Timestamp,
    /// Whatever is as old is trusted no more, whatever was said when it came.
    pub(super) oldest: Timestamp,
}

/// Uses a device, if it is one of that account and still trusted; the account is held.
pub(super) async fn use_again(tx: &mut Tx, shown: Shown) -> Result<Option<TrustedDeviceId>> {
    let row: Option<(TrustedDeviceId,)> = tx
        .query(
            "UPDATE trusted_devices SET last_used_at = $3, ip_address = $5
             WHERE token_hash = $1 AND user_id = $2 AND expires_at > $3 AND created_at > $4
             RETURNING id",
        )
        .bind(shown.token_hash)
        .bind(shown.user)
        .bind(shown.now)
        .bind(shown.oldest)
        .bind(shown.ip_address)
        .optional()
        .await?;
    Ok(row.map(|(id,)| id))
}

/// Lists the devices of an account that are trusted, newest first.
pub(super) async fn of(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    oldest: Timestamp,
) -> Result<Vec<TrustedDevice>> {
    tx.query(
        "SELECT id, device, ip_address, created_at, last_used_at, expires_at FROM trusted_devices
         WHERE user_id = $1 AND expires_at > $2 AND created_at > $3
         ORDER BY created_at DESC, id DESC",
    )
    .bind(user)
    .bind(now)
    .bind(oldest)
    .all()
    .await
}

/// Removes a device of somebody; `false` if there is none.
pub(super) async fn delete(tx: &mut Tx, user: UserId, device: TrustedDeviceId) -> Result<bool> {
    let deleted = tx
        .query("DELETE FROM trusted_devices WHERE id = $1 AND user_id = $2")
        .bind(device)
        .bind(user)
        .execute()
        .await?;
    Ok(deleted == 1)
}

/// Removes all devices of somebody.
pub(super) async fn delete_all(tx: &mut Tx, user: UserId) -> Result<u64> {
    tx.query("DELETE FROM trusted_devices WHERE user_id = $1").bind(user).execute().await
}
