//! What a backup asks of the database besides all of its rows.

use onesql::{Result, Timestamp, Tx};

use crate::kernel::AuditId;
use crate::revocations;

/// Returns the last line of the audit trail.
pub(super) async fn audit_head(tx: &mut Tx) -> Result<Option<AuditId>> {
    let row: Option<(AuditId,)> =
        tx.query("SELECT id FROM audit_events ORDER BY id DESC LIMIT 1").optional().await?;
    Ok(row.map(|(id,)| id))
}

/// What was issued before a backup was made, and is worth nothing after it was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undone {
    /// What is issued from now on.
    pub token_epoch: i64,
    /// Sessions that were ended.
    pub sessions: u64,
    /// Links that were withdrawn: they may have been used since.
    pub links: u64,
    /// Mails that will not be sent: they may have been sent since.
    pub mails: u64,
}

/// Raises the token epoch and ends all that a backup brought back and that may have ended since.
pub(super) async fn undo_what_was_issued(tx: &mut Tx, now: Timestamp) -> Result<Undone> {
    let (token_epoch,): (i64,) = tx
        .query(
            "UPDATE installation SET token_epoch = token_epoch + 1, restored_at = $1
             RETURNING token_epoch",
        )
        .bind(now)
        .one()
        .await?;
    let sessions = tx
        .query(
            "UPDATE sessions SET ended_at = $1, end_reason = 'backup_restored'
             WHERE ended_at IS NULL",
        )
        .bind(now)
        .execute()
        .await?;
    revocations::forget_all(tx).await?;
    let links = tx.query("DELETE FROM link_tokens WHERE used_at IS NULL").execute().await?;
    tx.query("DELETE FROM pending_sign_ins").execute().await?;
    tx.query("DELETE FROM mail_sign_ins").execute().await?;
    tx.query("DELETE FROM proof_codes").execute().await?;
    tx.query("DELETE FROM trusted_devices").execute().await?;
    tx.query("DELETE FROM passkey_challenges").execute().await?;
    let mails = tx
        .query(
            // The post ends it like all that is too late to be of use.
            "UPDATE mail_messages SET expires_at = $1, lease_until = $1
             WHERE state IN ('queued', 'sending')",
        )
        .bind(now)
        .execute()
        .await?;
    Ok(Undone { token_epoch, sessions, links, mails })
}
