//! Passkeys, as the database knows them.

use onesql::{Json, Result, Sql, Timestamp, Tx};
use sqlx::FromRow;

use super::Purpose;
use crate::kernel::{FullName, PasskeyId, UserId};

/// A passkey.
#[derive(Debug, Clone, FromRow)]
pub struct Passkey {
    /// Its name for programs.
    pub id: PasskeyId,
    /// Whose.
    pub user_id: UserId,
    /// How its authenticator calls it.
    pub credential_id: Vec<u8>,
    pub(super) public_key: Vec<u8>,
    pub(super) sign_count: i64,
    pub(super) backup_eligible: bool,
    /// Whether it is kept on several devices.
    pub backed_up: bool,
    /// How its authenticator is reached, as it says itself.
    pub transports: Json<Vec<String>>,
    /// Its name for people.
    pub name: FullName,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, transports,
         name, created_at, last_used_at"
    };
}

/// Writes a challenge.
pub(super) async fn challenge(
    tx: &mut Tx,
    challenge: Vec<u8>,
    purpose: &Purpose,
    expires_at: Timestamp,
) -> Result<u64> {
    tx.query(
        "INSERT INTO passkey_challenges (challenge, purpose, bound_to, expires_at)
         VALUES ($1, $2, $3, $4)",
    )
    .bind(challenge)
    .bind(purpose.name())
    .bind(purpose.bound_to())
    .bind(expires_at)
    .execute()
    .await
}

/// Takes a challenge, at most once, and only for what it was made; `false` if there is none.
pub(super) async fn take(
    tx: &mut Tx,
    challenge: Vec<u8>,
    purpose: &Purpose,
    now: Timestamp,
) -> Result<bool> {
    let taken = tx
        .query(
            "DELETE FROM passkey_challenges
             WHERE challenge = $1 AND purpose = $2 AND bound_to = $3 AND expires_at > $4",
        )
        .bind(challenge)
        .bind(purpose.name())
        .bind(purpose.bound_to())
        .bind(now)
        .execute()
        .await?;
    Ok(taken == 1)
}

/// Writes a passkey, unless somebody has one with this credential; then `false`.
pub(super) async fn insert(tx: &mut Tx, passkey: &Passkey) -> Result<bool> {
    let written = tx
        .query(
            "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count,
                                   backup_eligible, backed_up, transports, name, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (credential_id) DO NOTHING",
        )
        .bind(passkey.id)
        .bind(passkey.user_id)
        .bind(passkey.credential_id.clone())
        .bind(passkey.public_key.clone())
        .bind(passkey.sign_count)
        .bind(passkey.backup_eligible)
        .bind(passkey.backed_up)
        .bind(passkey.transports.clone())
        .bind(passkey.name.clone())
        .bind(passkey.created_at)
        .execute()
        .await?;
    Ok(written == 1)
}

/// Lists somebody's passkeys, newest first.
pub async fn of(tx: &mut Tx, user: UserId) -> Result<Vec<Passkey>> {
    tx.query(concat!(
        "SELECT ",
        columns!(),
        " FROM passkeys WHERE user_id = $1 ORDER BY created_at DESC, id DESC"
    ))
    .bind(user)
    .all()
    .await
}

/// Returns whether somebody has a passkey.
pub async fn has_any(tx: &mut Tx, user: UserId) -> Result<bool> {
    let (count,): (i64,) =
        tx.query("SELECT COUNT(*) FROM passkeys WHERE user_id = $1").bind(user).one().await?;
    Ok(count > 0)
}

/// Keeps the account as it is, until `tx` ends, whose passkey a credential is.
pub(super) async fn hold(tx: &mut Tx, credential_id: Vec<u8>) -> Result<()> {
    const HOLD: Sql = Sql {
        sqlite: "",
        postgres: "SELECT id FROM users
                   WHERE id = (SELECT user_id FROM passkeys WHERE credential_id = $1)
                   FOR NO KEY UPDATE",
    };
    tx.query(HOLD).bind(credential_id).later().await
}

/// Finds the passkey of a credential.
pub(super) async fn find(tx: &mut Tx, credential_id: Vec<u8>) -> Result<Option<Passkey>> {
    tx.query(concat!("SELECT ", columns!(), " FROM passkeys WHERE credential_id = $1"))
        .bind(credential_id)
        .optional()
        .await
}

/// Notes a use, if the counter goes on: of two copies of a passkey, one is found out.
pub(super) async fn used(
    tx: &mut Tx,
    passkey: PasskeyId,
    sign_count: i64,
    backed_up: bool,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE passkeys SET sign_count = $2, backed_up = $3, last_used_at = $4
             WHERE id = $1 AND (sign_count < $2 OR ($2 = 0 AND sign_count = 0))",
        )
        .bind(passkey)
        .bind(sign_count)
        .bind(backed_up)
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Gives a passkey another name, if it is the owner's.
pub(super) async fn rename(
    tx: &mut Tx,
    owner: UserId,
    passkey: PasskeyId,
    name: FullName,
) -> Result<Option<Passkey>> {
    tx.query(concat!(
        "UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2 RETURNING ",
        columns!()
    ))
    .bind(passkey)
    .bind(owner)
    .bind(name)
    .optional()
    .await
}

/// Deletes a passkey, if it is the owner's.
pub(super) async fn delete(tx: &mut Tx, owner: UserId, passkey: PasskeyId) -> Result<bool> {
    let touched = tx
        .query("DELETE FROM passkeys WHERE id = $1 AND user_id = $2")
        .bind(passkey)
        .bind(owner)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Deletes all of somebody's passkeys, and returns how many those were.
pub async fn delete_all(tx: &mut Tx, owner: UserId) -> Result<u64> {
    tx.query("DELETE FROM passkeys WHERE user_id = $1").bind(owner).execute().await
}

/// Removes somebody's passkeys that were added since `since`.
pub async fn delete_since(tx: &mut Tx, owner: UserId, since: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM passkeys WHERE user_id = $1 AND created_at >= $2")
        .bind(owner)
        .bind(since)
        .execute()
        .await
}
