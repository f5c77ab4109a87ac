//! What the database knows of canaries.

use onesql::{Result, Tx};

use super::Canary;
use super::verdict::Verdict;
use crate::kernel::{MailId, Timestamp};

/// That one arrived.
pub(super) struct Arrival<'a> {
    pub(super) arrived_at: Timestamp,
    pub(super) seen_at: Timestamp,
    pub(super) via: &'static str,
    pub(super) folder: &'static str,
    pub(super) verdict: &'a Verdict,
}

/// Writes down that one was sent.
pub(super) async fn insert(
    tx: &mut Tx,
    mail: MailId,
    mailbox: i64,
    address: &str,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "INSERT INTO mail_canaries (mail_id, mailbox, address, sent_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(mail)
    .bind(mailbox)
    .bind(address.to_owned())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Returns when the newest was sent, to whichever address.
pub(super) async fn last_sent(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let last: Option<(Timestamp,)> = tx
        .query("SELECT sent_at FROM mail_canaries ORDER BY sent_at DESC LIMIT 1")
        .optional()
        .await?;
    Ok(last.map(|(at,)| at))
}

/// Returns when one was sent and when the relay took it, as far as it has.
pub(super) async fn sent(
    tx: &mut Tx,
    mail: MailId,
) -> Result<Option<(Timestamp, Option<Timestamp>)>> {
    tx.query(
        "SELECT sent_at, (SELECT MIN(at) FROM mail_events
                          WHERE mail_id = mail_canaries.mail_id AND kind = 'accepted')
         FROM mail_canaries
         WHERE mail_id = $1",
    )
    .bind(mail)
    .optional()
    .await
}

/// Writes down that one arrived, once; returns to which mailbox it was sent.
pub(super) async fn arrive(
    tx: &mut Tx,
    mail: MailId,
    arrival: &Arrival<'_>,
) -> Result<Option<i64>> {
    let Verdict { spf, dkim, dmarc, receiver } = arrival.verdict;
    let arrived: Option<(i64,)> = tx
        .query(
            "UPDATE mail_canaries
             SET arrived_at = $2, seen_at = $3, via = $4, folder = $5, spf = $6, dkim = $7,
                 dmarc = $8, receiver = $9
             WHERE mail_id = $1 AND arrived_at IS NULL
             RETURNING mailbox",
        )
        .bind(mail)
        .bind(arrival.arrived_at)
        .bind(arrival.seen_at)
        .bind(arrival.via)
        .bind(arrival.folder)
        .bind(*spf)
        .bind(*dkim)
        .bind(*dmarc)
        .bind(receiver.clone())
        .optional()
        .await?;
    Ok(arrived.map(|(mailbox,)| mailbox))
}

/// Returns when the first was sent to one address.
pub(super) async fn first_sent(tx: &mut Tx, address: &str) -> Result<Option<Timestamp>> {
    let first: Option<(Timestamp,)> = tx
        .query("SELECT sent_at FROM mail_canaries WHERE address = $1 ORDER BY sent_at LIMIT 1")
        .bind(address.to_owned())
        .optional()
        .await?;
    Ok(first.map(|(at,)| at))
}

/// Counts those to one address that were sent after `since`, or ever, and did not arrive.
pub(super) async fn missing(tx: &mut Tx, address: &str, since: Option<Timestamp>) -> Result<i64> {
    let since = since.unwrap_or_else(|| Timestamp::from_microsecond(0));
    let (count,): (i64,) = tx
        .query(
            "SELECT COUNT(*) FROM mail_canaries
             WHERE address = $1 AND sent_at > $2 AND arrived_at IS NULL",
        )
        .bind(address.to_owned())
        .bind(since)
        .one()
        .await?;
    Ok(count)
}

/// Selects canaries with what became of each, `$which` of them.
macro_rules! canary {
    ($which:literal) => {
        concat!(
            "SELECT c.mail_id, c.mailbox, c.address, m.state, c.sent_at,
                    (SELECT MIN(at) FROM mail_events
                     WHERE mail_id = c.mail_id AND kind = 'accepted') AS accepted_at,
                    c.arrived_at, c.seen_at, c.via, c.folder, c.spf, c.dkim, c.dmarc, c.receiver
             FROM mail_canaries c JOIN mail_messages m ON m.id = c.mail_id ",
            $which
        )
    };
}

/// Returns the newest to one address that arrived.
pub(super) async fn last_arrived(tx: &mut Tx, address: &str) -> Result<Option<Canary>> {
    tx.query(canary!(
        "WHERE c.address = $1 AND c.arrived_at IS NOT NULL
         ORDER BY c.sent_at DESC, c.mail_id DESC
         LIMIT 1"
    ))
    .bind(address.to_owned())
    .optional()
    .await
}

/// Returns what became of one.
pub(super) async fn find(tx: &mut Tx, mail: MailId) -> Result<Option<Canary>> {
    tx.query(canary!("WHERE c.mail_id = $1")).bind(mail).optional().await
}

/// Returns the newest, the newest first.
pub(super) async fn history(tx: &mut Tx, at_most: i64) -> Result<Vec<Canary>> {
    tx.query(canary!(
        "ORDER BY c.sent_at DESC, c.mail_id DESC
         LIMIT $1"
    ))
    .bind(at_most)
    .all()
    .await
}
