//! Refresh tokens, as the database knows them: by keyed hash.

use std::time::Duration;

use onesql::{Result, Sql, Store, Timestamp, Together, Tx};
use sqlx::FromRow;

use crate::accounts::user_columns;
use crate::audit::{Line, event_columns};
use crate::kernel::SessionId;
use crate::sessions::Found;

/// A token that turns into its successor.
pub(super) struct Rotation {
    pub(super) hash: Vec<u8>,
    pub(super) successor_hash: Vec<u8>,
    pub(super) now: Timestamp,
    /// A session that was not used since then goes on no longer.
    pub(super) idle_cutoff: Timestamp,
    /// How long the successor works, unless its session ends before.
    pub(super) ttl: Duration,
    pub(super) ip_address: String,
}

/// A token with the session and the account that it belongs to.
#[derive(Debug, FromRow)]
pub(super) struct Held {
    #[sqlx(flatten)]
    pub(super) known: Known,
    #[sqlx(flatten)]
    pub(super) found: Found,
}

/// Who holds a token, before anything is done with it.
#[derive(Debug, Clone, FromRow)]
pub struct Holder {
    token_hash: Vec<u8>,
    /// When it was exchanged.
    pub(super) used_at: Option<Timestamp>,
    #[sqlx(flatten)]
    pub(super) found: Found,
}

/// What tells whether a token can be taken, and what to make of it if not.
#[derive(Debug, FromRow)]
pub(super) struct Known {
    #[sqlx(rename = "token_expires_at")]
    pub(super) expires_at: Timestamp,
    pub(super) used_at: Option<Timestamp>,
    /// Whether its successor exists and waits to be used.
    pub(super) successor_unused: bool,
    /// Whether somebody ended its session.
    pub(super) session_ended: bool,
    pub(super) user_disabled: bool,
}

/// Writes a token that nobody has used.
pub(super) async fn insert(
    tx: &mut Tx,
    hash: Vec<u8>,
    session: SessionId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.beside(
        "INSERT INTO refresh_tokens (token_hash, session_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
    )
    .bind(hash)
    .bind(session)
    .bind(now)
    .bind(expires_at)
    .later()
    .await
}

/// SQLite runs several statements on one way to its thread and back, each going by whether the one
/// before changed a row; PostgreSQL does the same in one statement. It asks for one row after the other: a join
/// that is planned without statistics begins with all sessions. Of two who rotate at once the second waits there for
/// the session's row, and then finds the token used: it leaves nothing but the session's last use, which it is.
const ROTATE: Sql = Sql {
    sqlite: concat!(
        "UPDATE refresh_tokens SET used_at = $2
         WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
           AND EXISTS (SELECT 1 FROM sessions AS s JOIN users AS u ON u.id = s.user_id
                       WHERE s.id = session_id AND s.ended_at IS NULL AND s.expires_at > $2
                         AND s.last_active_at > $3 AND u.disabled_at IS NULL);
         UPDATE sessions SET last_active_at = $2, ip_address = $4
         WHERE changes() = 1
           AND id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1);
         INSERT INTO refresh_tokens (token_hash, session_id, created_at, expires_at)
         SELECT $5, s.id, $2, MIN($6, s.expires_at) FROM sessions AS s
         WHERE changes() = 1
           AND s.id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1);
         INSERT INTO audit_events (",
        event_columns!(),
        ") SELECT $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 WHERE changes() = 1"
    ),
    postgres: concat!(
        "WITH used AS
             (UPDATE sessions AS s SET last_active_at = $2, ip_address = $4
              WHERE s.id = (SELECT t.session_id FROM refresh_tokens AS t
                            WHERE t.token_hash = $1 AND t.used_at IS NULL AND t.expires_at > $2)
                AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_active_at > $3
                AND (SELECT u.disabled_at IS NULL FROM users AS u WHERE u.id = s.user_id)
              RETURNING s.id, s.expires_at),
         taken AS
             (UPDATE refresh_tokens AS t SET used_at = $2 FROM used AS s
              WHERE t.token_hash = $1 AND t.used_at IS NULL AND t.session_id = s.id
              RETURNING s.id, s.expires_at),
         followed AS
             (INSERT INTO refresh_tokens (token_hash, session_id, created_at, expires_at)
              SELECT $5, id, $2, LEAST($6, expires_at) FROM taken RETURNING session_id)
         INSERT INTO audit_events (",
        event_columns!(),
        ") SELECT $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 FROM followed"
    ),
};

/// Takes a token, at most once and only if its session goes on, notes the use, writes the successor and the line of
/// the audit trail: check and change in one. `false` if there was nothing to take.
pub(super) async fn rotate(tx: &mut Tx, rotation: &Rotation, line: Line) -> Result<bool> {
    let statement = tx
        .query(ROTATE)
        .bind(rotation.hash.clone())
        .bind(rotation.now)
        .bind(rotation.idle_cutoff)
        .bind(rotation.ip_address.clone())
        .bind(rotation.successor_hash.clone())
        .bind(rotation.now + rotation.ttl);
    Ok(line.bind(statement).execute().await? == 1)
}

/// Returns what finds who holds a token.
#[must_use]
pub fn holders(store: &Store) -> Together<Vec<u8>, Holder> {
    Together::new(
        store.clone(),
        |tx, hashes| Box::pin(held_by(tx, hashes)),
        |holder| &holder.token_hash,
    )
}

/// The columns of a [`Found`], and where they are.
macro_rules! found {
    () => {
        concat!(
            "s.id, s.amr, s.auth_time, s.ip_address, s.user_agent, s.device, s.created_at,
             s.last_active_at, s.expires_at, s.ended_at, ",
            user_columns!(),
            " FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
                   JOIN users AS u ON u.id = s.user_id WHERE t.token_hash "
        )
    };
}

async fn held_by(tx: &mut Tx, hashes: &[Vec<u8>]) -> Result<Vec<Holder>> {
    macro_rules! holder {
        ($which:literal) => {
            concat!("SELECT t.token_hash, t.used_at, ", found!(), $which)
        };
    }
    if let [hash] = hashes {
        return tx.query(holder!("= $1")).bind(hash.clone()).all().await;
    }
    tx.query(holder!("IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"))
        .bind_together(hashes)
        .all()
        .await
}

/// Finds a token, whatever has become of it.
pub(super) async fn find(tx: &mut Tx, rotation: &Rotation) -> Result<Option<Held>> {
    tx.query(concat!(
        "SELECT t.expires_at AS token_expires_at, t.used_at,
                EXISTS (SELECT 1 FROM refresh_tokens AS n
                        WHERE n.token_hash = $2 AND n.used_at IS NULL) AS successor_unused,
                s.ended_at IS NOT NULL AS session_ended,
                u.disabled_at IS NOT NULL AS user_disabled,
                ",
        found!(),
        "= $1"
    ))
    .bind(rotation.hash.clone())
    .bind(rotation.successor_hash.clone())
    .optional()
    .await
}
