//! What is kept of somebody, as the database knows it.

use onesql::{Json, Result, Timestamp, Tx};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::kernel::{MailId, SessionId, UserId};

/// Sets or clears when an account will be deleted; `false` if it was so already.
pub(super) async fn set_due(
    tx: &mut Tx,
    user: UserId,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE users SET deletion_due_at = $2, updated_at = $3
             WHERE id = $1 AND (deletion_due_at IS NULL) = ($4 = 1)",
        )
        .bind(user)
        .bind(due)
        .bind(now)
        .bind(i64::from(due.is_some()))
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Lists accounts that are to be deleted by now, the longest due first.
pub(super) async fn due(tx: &mut Tx, now: Timestamp, at_most: i64) -> Result<Vec<UserId>> {
    let due: Vec<(UserId,)> = tx
        .query("SELECT id FROM users WHERE deletion_due_at <= $1 ORDER BY deletion_due_at LIMIT $2")
        .bind(now)
        .bind(at_most)
        .all()
        .await?;
    Ok(due.into_iter().map(|(user,)| user).collect())
}

/// When the password of an account was chosen; nothing if it has none.
pub(super) async fn password_changed_at(tx: &mut Tx, user: UserId) -> Result<Option<Timestamp>> {
    let found: Option<(Option<Timestamp>,)> = tx
        .query("SELECT password_changed_at FROM users WHERE id = $1 AND password_hash IS NOT NULL")
        .bind(user)
        .optional()
        .await?;
    Ok(found.and_then(|(at,)| at))
}

/// A role that somebody was given.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub struct ExportedRole {
    role: String,
    #[schema(value_type = String, format = DateTime)]
    granted_at: Timestamp,
}

/// Lists the roles of an account.
pub(super) async fn roles(tx: &mut Tx, user: UserId) -> Result<Vec<ExportedRole>> {
    tx.query("SELECT role, granted_at FROM user_roles WHERE user_id = $1 ORDER BY role")
        .bind(user)
        .all()
        .await
}

/// A session, whether or not it goes on.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub struct ExportedSession {
    id: SessionId,
    ip_address: String,
    user_agent: String,
    device: String,
    /// How its owner signed in (RFC 8176).
    #[schema(value_type = Vec<String>)]
    amr: Json<Vec<String>>,
    #[schema(value_type = String, format = DateTime)]
    auth_time: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_active_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

/// Lists the sessions of an account, newest first.
pub(super) async fn sessions(
    tx: &mut Tx,
    user: UserId,
    at_most: i64,
) -> Result<Vec<ExportedSession>> {
    tx.query(
        "SELECT id, ip_address, user_agent, device, amr, auth_time, created_at, last_active_at,
                expires_at, ended_at
         FROM sessions WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
    )
    .bind(user)
    .bind(at_most)
    .all()
    .await
}

/// A mail that was written to somebody; its text is not kept.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub struct ExportedMail {
    id: MailId,
    kind: String,
    recipient: String,
    state: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    final_at: Option<Timestamp>,
}

/// Lists the mails to the address of an account, newest first.
pub(super) async fn mails(
    tx: &mut Tx,
    user: UserId,
    recipient: &str,
    at_most: i64,
) -> Result<Vec<ExportedMail>> {
    tx.query(
        "SELECT id, kind, recipient, state, created_at, final_at
         FROM mail_messages WHERE recipient = $1 AND user_id = $2
         ORDER BY created_at DESC, id DESC LIMIT $3",
    )
    .bind(recipient.to_owned())
    .bind(user)
    .bind(at_most)
    .all()
    .await
}
