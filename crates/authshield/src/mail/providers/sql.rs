//! What the database knows of reports of providers.

use onesql::{Result, Tx};

use crate::kernel::{MailId, Timestamp, WebhookId};

/// A delivery of reports, to be written down.
pub(super) struct New {
    pub(super) id: WebhookId,
    pub(super) provider: &'static str,
    /// The name that the delivery has.
    pub(super) external_id: String,
    pub(super) body_hash: Vec<u8>,
    /// The body, sealed.
    pub(super) payload: Vec<u8>,
    pub(super) received_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Writes a delivery down; false if there was one by this name.
pub(super) async fn insert(tx: &mut Tx, new: New) -> Result<bool> {
    let added: Option<(WebhookId,)> = tx
        .query(
            "INSERT INTO mail_webhooks (id, provider, external_id, body_hash, payload, received_at,
                                        expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT DO NOTHING
             RETURNING id",
        )
        .bind(new.id)
        .bind(new.provider)
        .bind(new.external_id)
        .bind(new.body_hash)
        .bind(new.payload)
        .bind(new.received_at)
        .bind(new.expires_at)
        .optional()
        .await?;
    Ok(added.is_some())
}

/// Returns the hash of the delivery by this name.
pub(super) async fn known(
    tx: &mut Tx,
    provider: &'static str,
    external_id: &str,
) -> Result<Option<Vec<u8>>> {
    let found: Option<(Vec<u8>,)> = tx
        .query("SELECT body_hash FROM mail_webhooks WHERE provider = $1 AND external_id = $2")
        .bind(provider)
        .bind(external_id.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(hash,)| hash))
}

/// Finds a message by the name that its provider gave it.
pub(super) async fn by_provider_id(
    tx: &mut Tx,
    provider: &'static str,
    id: &str,
) -> Result<Option<MailId>> {
    let found: Option<(MailId,)> = tx
        .query(
            "SELECT id FROM mail_messages WHERE provider_message_id = $2 AND provider = $1 LIMIT 1",
        )
        .bind(provider)
        .bind(id.to_owned())
        .optional()
        .await?;
    Ok(found.map(|(id,)| id))
}

/// Returns when each provider reported last.
pub(super) async fn last_by_provider(tx: &mut Tx) -> Result<Vec<(String, Timestamp)>> {
    tx.query("SELECT provider, MAX(received_at) FROM mail_webhooks GROUP BY provider").all().await
}

/// Counts what a provider took since `since`.
pub(super) async fn taken_since(
    tx: &mut Tx,
    provider: &'static str,
    since: Timestamp,
) -> Result<i64> {
    let (count,): (i64,) = tx
        .query(
            "SELECT COUNT(*) FROM mail_messages
             WHERE provider = $1 AND created_at > $2 AND provider_message_id IS NOT NULL",
        )
        .bind(provider)
        .bind(since)
        .one()
        .await?;
    Ok(count)
}
