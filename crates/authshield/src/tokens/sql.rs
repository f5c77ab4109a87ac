//! Refresh tokens, as the database knows them: by keyed hash.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::kernel::SessionId;

/// What is known of a token that could not be taken.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Known {
    pub(super) session_id: SessionId,
    pub(super) used_at: Option<Timestamp>,
    /// Whether its successor exists and waits to be used.
    pub(super) successor_unused: bool,
    pub(super) session_ended: bool,
}

/// Writes a token that nobody has used.
pub(super) async fn insert(
    tx: &mut Tx,
    hash: Vec<u8>,
    session: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<u64> {
    tx.query(
        "INSERT INTO refresh_tokens (token_hash, session_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
    )
    .bind(hash)
    .bind(session)
    .bind(now)
    .bind(expires_at)
    .execute()
    .await
}

/// Finds the session of a token that was not used before `since`, without taking it.
pub(super) async fn session_of(
    tx: &mut Tx,
    hash: Vec<u8>,
    since: Timestamp,
) -> Result<Option<SessionId>> {
    let session: Option<(SessionId,)> = tx
        .query(
            "SELECT session_id FROM refresh_tokens
             WHERE token_hash = $1 AND (used_at IS NULL OR used_at >= $2)",
        )
        .bind(hash)
        .bind(since)
        .optional()
        .await?;
    Ok(session.map(|(session,)| session))
}

/// Takes a token, at most once, and returns its session: check and change in one statement.
pub(super) async fn take(tx: &mut Tx, hash: Vec<u8>, now: Timestamp) -> Result<Option<SessionId>> {
    let session: Option<(SessionId,)> = tx
        .query(
            "UPDATE refresh_tokens SET used_at = $2
             WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
             RETURNING session_id",
        )
        .bind(hash)
        .bind(now)
        .optional()
        .await?;
    Ok(session.map(|(session,)| session))
}

/// Finds a token that could not be taken.
pub(super) async fn find(
    tx: &mut Tx,
    hash: Vec<u8>,
    successor_hash: Vec<u8>,
) -> Result<Option<Known>> {
    tx.query(
        "SELECT t.session_id, t.used_at,
                EXISTS (SELECT 1 FROM refresh_tokens AS n
                        WHERE n.token_hash = $2 AND n.used_at IS NULL) AS successor_unused,
                s.ended_at IS NOT NULL AS session_ended
         FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
         WHERE t.token_hash = $1",
    )
    .bind(hash)
    .bind(successor_hash)
    .optional()
    .await
}
