//! The one row that says which installation this is.

use onesql::{Json, Result, Timestamp, Tx};

use super::history::{Row, Start};
use crate::kernel::{InstallationId, StartId};

/// An installation, as its database knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Installation {
    /// Its name, for as long as it lives.
    pub id: InstallationId,
    /// What sessions and tokens are issued under; raised by a restore.
    pub token_epoch: i64,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When it was last restored from a backup.
    pub restored_at: Option<Timestamp>,
    /// When the newest backup that was verified was made.
    pub backup_made_at: Option<Timestamp>,
    /// When it was verified.
    pub backup_verified_at: Option<Timestamp>,
}

/// Finds it.
pub(super) async fn find(tx: &mut Tx) -> Result<Option<Installation>> {
    tx.query(
        "SELECT id, token_epoch, created_at, restored_at, backup_made_at, backup_verified_at
         FROM installation",
    )
    .optional()
    .await
}

/// Writes it, unless there is one.
pub(super) async fn insert(tx: &mut Tx, id: InstallationId, now: Timestamp) -> Result<u64> {
    tx.query(
        "INSERT INTO installation (slot, id, token_epoch, created_at) VALUES (1, $1, 1, $2)
         ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(now)
    .execute()
    .await
}

/// Returns whether anybody has an account.
pub(super) async fn has_users(tx: &mut Tx) -> Result<bool> {
    let found: Option<(i64,)> =
        tx.query("SELECT CAST(1 AS BIGINT) FROM users LIMIT 1").optional().await?;
    Ok(found.is_some())
}

/// Notes that a backup of `made_at` was restored for trial at `now`; an older one changes nothing.
pub async fn note_verified_backup(tx: &mut Tx, made_at: Timestamp, now: Timestamp) -> Result<u64> {
    tx.query(
        "UPDATE installation SET backup_made_at = $1, backup_verified_at = $2
         WHERE backup_made_at IS NULL OR backup_made_at <= $1",
    )
    .bind(made_at)
    .bind(now)
    .execute()
    .await
}

/// Returns the last good starts, the newest first.
pub(super) async fn starts(tx: &mut Tx, at_most: i64) -> Result<Vec<Start>> {
    let rows: Vec<Row> = tx
        .query(
            "SELECT at, version, digest, settings, changes FROM config_history
             ORDER BY at DESC, id DESC LIMIT $1",
        )
        .bind(at_most)
        .all()
        .await?;
    Ok(rows.into_iter().map(Start::from).collect())
}

/// Writes a start down.
pub(super) async fn insert_start(tx: &mut Tx, id: StartId, start: &Start) -> Result<u64> {
    tx.query(
        "INSERT INTO config_history (id, at, version, digest, settings, changes)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(start.at)
    .bind(start.version.clone())
    .bind(start.digest.clone())
    .bind(Json(start.settings.clone()))
    .bind(Json(start.changes.clone()))
    .execute()
    .await
}

/// Forgets all starts but the newest.
pub(super) async fn forget_starts(tx: &mut Tx, keep: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM config_history WHERE id NOT IN
             (SELECT id FROM config_history ORDER BY at DESC, id DESC LIMIT $1)",
    )
    .bind(keep)
    .execute()
    .await
}
