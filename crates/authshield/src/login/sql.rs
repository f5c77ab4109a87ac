//! Who signs in, as the database knows them.

use onesql::{Result, Timestamp, Tx};
use sqlx::FromRow;

use crate::accounts::{Account, user_columns};
use crate::devices::known_device;
use crate::kernel::EmailAddress;
use crate::second_factor::{Others, others_columns};

/// Whose address was given.
#[derive(FromRow)]
pub(super) struct Found {
    #[sqlx(flatten)]
    pub(super) account: Account,
    /// What a device of that kind in that network is kept under, if the account was used from there before.
    pub(super) device: Option<Vec<u8>>,
    /// What they can show besides a password and codes of an app.
    #[sqlx(flatten)]
    pub(super) others: Others,
}

/// Finds the account of `email`, and in the same way whether it was used before by a device of that `label` in that
/// `network`, and what its owner can show.
pub(super) async fn find(
    tx: &mut Tx,
    email: &EmailAddress,
    (label, network): (String, String),
    now: Timestamp,
) -> Result<Option<Found>> {
    tx.query(concat!(
        "SELECT u.password_hash, ",
        user_columns!(),
        ", ",
        known_device!("$2", "$3", "$4"),
        ", ",
        others_columns!("u.id"),
        " FROM users AS u WHERE u.email = $1"
    ))
    .bind(email.clone())
    .bind(label)
    .bind(network)
    .bind(now)
    .optional()
    .await
}
