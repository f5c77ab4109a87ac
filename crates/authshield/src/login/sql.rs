//! Who signs in, as the database knows them.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::accounts::{Account, user_columns};
use crate::kernel::EmailAddress;

/// Whose address was given.
#[derive(FromRow)]
pub(super) struct Found {
    #[sqlx(flatten)]
    pub(super) account: Account,
    /// What a device of that kind in that network is kept under, if the account was used from there before.
    pub(super) device: Option<Vec<u8>>,
}

/// Finds the account of `email`, and in the same way whether it was used before by a device of that `label` in that
/// `network`.
pub(super) async fn find(
    tx: &mut Tx,
    email: &EmailAddress,
    (label, network): (String, String),
    now: Timestamp,
) -> Result<Option<Found>> {
    tx.query(concat!(
        "SELECT u.password_hash, ",
        user_columns!(),
        ", (SELECT d.device FROM known_devices AS d
            WHERE d.user_id = u.id AND d.label = $2 AND d.network = $3 AND d.expires_at > $4 LIMIT 1)
             AS device
           FROM users AS u WHERE u.email = $1"
    ))
    .bind(email.clone())
    .bind(label)
    .bind(network)
    .bind(now)
    .optional()
    .await
}
