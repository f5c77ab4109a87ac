//! Roles, as the database knows them.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::kernel::UserId;

/// A role.
#[derive(Debug, Clone, FromRow)]
pub struct Role {
    /// Its name, as it stands in tokens.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it came with the service.
    pub built_in: bool,
}

/// Takes the row of a role until the end of `tx`.
pub(super) async fn lock(tx: &mut Tx, role: &str) -> Result<()> {
    tx.query("UPDATE roles SET revision = revision + 1 WHERE name = $1")
        .bind(role.to_owned())
        .execute()
        .await
        .map(drop)
}

/// Counts who holds `role` besides `user` and can sign in.
pub(super) async fn other_holders(tx: &mut Tx, role: &str, user: UserId) -> Result<i64> {
    let (count,): (i64,) = tx
        .query(
            "SELECT COUNT(*) FROM user_roles AS r JOIN users AS u ON u.id = r.user_id
             WHERE r.role = $1 AND r.user_id <> $2
               AND u.disabled_at IS NULL AND u.email_verified_at IS NOT NULL",
        )
        .bind(role.to_owned())
        .bind(user)
        .one()
        .await?;
    Ok(count)
}

/// Lists every role.
pub async fn all(tx: &mut Tx) -> Result<Vec<Role>> {
    tx.query("SELECT name, description, built_in FROM roles ORDER BY name").all().await
}

/// Adds a role; `false` if there is one of that name.
pub async fn create(tx: &mut Tx, name: &str, description: &str, now: Timestamp) -> Result<bool> {
    let touched = tx
        .query(
            "INSERT INTO roles (name, description, built_in, revision, created_at)
             VALUES ($1, $2, $3, 0, $4)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(name.to_owned())
        .bind(description.to_owned())
        .bind(false)
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Removes a role that nobody holds and that is not built in; `false` if there is no such one.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool> {
    let touched = tx
        .query(
            "DELETE FROM roles WHERE name = $1 AND built_in = $2
               AND NOT EXISTS (SELECT 1 FROM user_roles WHERE role = $1)",
        )
        .bind(name.to_owned())
        .bind(false)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Takes a role away.
pub(super) async fn take(tx: &mut Tx, user: UserId, role: &str) -> Result<u64> {
    tx.query("DELETE FROM user_roles WHERE user_id = $1 AND role = $2")
        .bind(user)
        .bind(role.to_owned())
        .execute()
        .await
}
