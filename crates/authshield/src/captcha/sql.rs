//! Proofs of work that were shown, as the database remembers them.

use onesql::{Result, Timestamp, Tx};

/// Takes a challenge, at most once; `false` if it was taken.
pub(super) async fn take(tx: &mut Tx, nonce: Vec<u8>, expires_at: Timestamp) -> Result<bool> {
    let taken = tx
        .query(
            "INSERT INTO captcha_solutions (nonce, expires_at) VALUES ($1, $2)
             ON CONFLICT DO NOTHING",
        )
        .bind(nonce)
        .bind(expires_at)
        .execute()
        .await?;
    Ok(taken == 1)
}
