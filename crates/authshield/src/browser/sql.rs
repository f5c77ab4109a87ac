//! Cookies of browsers, as the database knows them: by keyed hash.

use onesql::{Json, Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::accounts::user_columns;
use crate::kernel::SessionId;
use crate::sessions::Present;

/// The session of a cookie.
#[derive(FromRow)]
pub(super) struct Held {
    /// The session, and the account as it is now.
    #[sqlx(flatten)]
    pub(super) present: Present,
    /// How its owner signed in.
    pub(super) amr: Json<Vec<String>>,
}

/// Writes which session a cookie carries; one that carried it before carries nothing.
pub(super) async fn insert(
    tx: &mut Tx,
    hash: Vec<u8>,
    session: SessionId,
    now: Timestamp,
) -> Result<()> {
    tx.beside(
        "INSERT INTO browser_sessions (token_hash, session_id, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (session_id) DO UPDATE SET token_hash = EXCLUDED.token_hash",
    )
    .bind(hash)
    .bind(session)
    .bind(now)
    .later()
    .await
}

/// Forgets the cookie of a session.
pub(super) async fn delete(tx: &mut Tx, session: SessionId) -> Result<u64> {
    tx.query("DELETE FROM browser_sessions WHERE session_id = $1").bind(session).execute().await
}

/// Finds the session of a cookie.
pub(super) async fn find(tx: &mut Tx, hash: Vec<u8>) -> Result<Option<Held>> {
    tx.query(concat!(
        "SELECT s.id, s.last_active_at, s.expires_at, s.ended_at, s.amr, ",
        user_columns!(),
        " FROM browser_sessions AS b
          JOIN sessions AS s ON s.id = b.session_id
          JOIN users AS u ON u.id = s.user_id
          WHERE b.token_hash = $1"
    ))
    .bind(hash)
    .optional()
    .await
}
