//! Identities, and sign-ins at providers, as the database knows them.

use onesql::{Json, Result, Timestamp, Tx};
use sqlx::FromRow;

use super::stake::Stake;
use crate::kernel::{IdentityId, UserId};

/// An account at a provider with which somebody signs in.
#[derive(Debug, Clone, FromRow)]
pub struct Identity {
    /// Its name.
    pub id: IdentityId,
    /// Whose.
    pub user_id: UserId,
    /// What the provider was called when it was linked.
    pub provider: String,
    /// Who says so.
    pub issuer: String,
    /// Of whom.
    pub subject: String,
    /// The address that the provider told last.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, user_id, provider, issuer, subject, email, created_at, last_used_at"
    };
}

/// Takes a state, at most once: of two browsers that come back with one, one gets `false`.
pub(super) async fn take_state(
    tx: &mut Tx,
    state_hash: Vec<u8>,
    expires_at: Timestamp,
) -> Result<bool> {
    let written = tx
        .query(
            "INSERT INTO federated_sign_ins (state_hash, expires_at) VALUES ($1, $2)
             ON CONFLICT (state_hash) DO NOTHING",
        )
        .bind(state_hash)
        .bind(expires_at)
        .execute()
        .await?;
    Ok(written == 1)
}

/// What an application gets for a sign-in at a provider, and what it has to show for it.
pub(super) struct Code {
    pub(super) hash: Vec<u8>,
    pub(super) challenge: String,
    pub(super) expires_at: Timestamp,
}

/// Notes for whom a code stands.
pub(super) async fn vouch(
    tx: &mut Tx,
    state_hash: Vec<u8>,
    code: Code,
    stake: Stake,
) -> Result<u64> {
    tx.query(
        "UPDATE federated_sign_ins
         SET code_hash = $2, code_challenge = $3, code_expires_at = $4, person = $5
         WHERE state_hash = $1 AND code_hash IS NULL",
    )
    .bind(state_hash)
    .bind(code.hash)
    .bind(code.challenge)
    .bind(code.expires_at)
    .bind(Json(stake))
    .execute()
    .await
}

/// Takes a code, at most once, and returns its challenge and for whom it stands.
pub(super) async fn redeem(
    tx: &mut Tx,
    code_hash: Vec<u8>,
    now: Timestamp,
) -> Result<Option<(String, Json<Stake>)>> {
    tx.query(
        "UPDATE federated_sign_ins SET redeemed_at = $2
         WHERE code_hash = $1 AND redeemed_at IS NULL AND code_expires_at > $2
         RETURNING code_challenge, person",
    )
    .bind(code_hash)
    .bind(now)
    .optional()
    .await
}

/// Why a code was not taken, for the audit trail.
pub(super) async fn why_not(tx: &mut Tx, code_hash: Vec<u8>) -> Result<&'static str> {
    let row: Option<(Option<Timestamp>,)> = tx
        .query("SELECT redeemed_at FROM federated_sign_ins WHERE code_hash = $1")
        .bind(code_hash)
        .optional()
        .await?;
    Ok(match row {
        None => "unknown_code",
        Some((Some(_),)) => "code_used",
        Some((None,)) => "code_expired",
    })
}

/// Finds an identity.
pub(super) async fn find(tx: &mut Tx, issuer: &str, subject: &str) -> Result<Option<Identity>> {
    tx.query(concat!("SELECT ", columns!(), " FROM identities WHERE issuer = $1 AND subject = $2"))
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .optional()
        .await
}

/// Writes an identity, unless somebody has it; then `false`.
pub(super) async fn insert(tx: &mut Tx, identity: &Identity) -> Result<bool> {
    let written = tx
        .query(
            "INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(identity.id)
        .bind(identity.user_id)
        .bind(identity.provider.clone())
        .bind(identity.issuer.clone())
        .bind(identity.subject.clone())
        .bind(identity.email.clone())
        .bind(identity.created_at)
        .execute()
        .await?;
    Ok(written == 1)
}

/// Notes a use.
pub(super) async fn used(
    tx: &mut Tx,
    identity: IdentityId,
    email: Option<String>,
    now: Timestamp,
) -> Result<u64> {
    tx.query("UPDATE identities SET last_used_at = $2, email = $3 WHERE id = $1")
        .bind(identity)
        .bind(now)
        .bind(email)
        .execute()
        .await
}

/// Lists somebody's identities, newest first.
pub async fn of(tx: &mut Tx, user: UserId) -> Result<Vec<Identity>> {
    tx.query(concat!(
        "SELECT ",
        columns!(),
        " FROM identities WHERE user_id = $1 ORDER BY created_at DESC, id DESC"
    ))
    .bind(user)
    .all()
    .await
}

/// Removes somebody's identities that were linked since `since`.
pub async fn delete_since(tx: &mut Tx, owner: UserId, since: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM identities WHERE user_id = $1 AND created_at >= $2")
        .bind(owner)
        .bind(since)
        .execute()
        .await
}

/// Removes all of somebody's identities, and returns which, and of which providers.
pub(super) async fn delete_all(tx: &mut Tx, owner: UserId) -> Result<Vec<(IdentityId, String)>> {
    tx.query("DELETE FROM identities WHERE user_id = $1 RETURNING id, provider")
        .bind(owner)
        .all()
        .await
}

/// Deletes an identity, if it is the owner's, and returns which provider's it was.
pub(super) async fn delete(
    tx: &mut Tx,
    owner: UserId,
    identity: IdentityId,
) -> Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query("DELETE FROM identities WHERE id = $1 AND user_id = $2 RETURNING provider")
        .bind(identity)
        .bind(owner)
        .optional()
        .await?;
    Ok(row.map(|(provider,)| provider))
}
