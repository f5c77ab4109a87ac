//! Sign-ins by mail, as the database knows them: by keyed hash.

use onesql::{Result, Sql, Timestamp, Tx};
use sqlx::FromRow;

use super::rules::TRIES;
use crate::kernel::{EmailAddress, Locale, MailId, UserId};

/// A sign-in that waits for what went by mail.
#[derive(FromRow)]
pub(super) struct Waiting {
    pub(super) email: EmailAddress,
    pub(super) user_id: Option<UserId>,
    pub(super) locale: Locale,
    pub(super) mail_id: MailId,
    pub(super) code_hash: Vec<u8>,
}

/// One that begins.
pub(super) struct New<'a> {
    pub(super) handle_hash: Vec<u8>,
    pub(super) code_hash: Vec<u8>,
    pub(super) link_hash: Vec<u8>,
    pub(super) email: &'a EmailAddress,
    pub(super) user: Option<UserId>,
    pub(super) locale: &'a Locale,
    pub(super) mail: MailId,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Writes one down.
pub(super) async fn wait(tx: &mut Tx, new: New<'_>) -> Result<u64> {
    tx.query(
        "INSERT INTO mail_sign_ins (handle_hash, code_hash, link_hash, email, user_id, locale,
                                    mail_id, tries, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)",
    )
    .bind(new.handle_hash)
    .bind(new.code_hash)
    .bind(new.link_hash)
    .bind(new.email.clone())
    .bind(new.user)
    .bind(new.locale.clone())
    .bind(new.mail)
    .bind(new.now)
    .bind(new.expires_at)
    .execute()
    .await
}

/// Holds the account of the address, if it has one: as everything that ends such sign-ins does first.
pub(super) async fn hold(tx: &mut Tx, handle: Vec<u8>) -> Result<()> {
    const HOLD: Sql = Sql {
        sqlite: "",
        postgres: "SELECT id FROM users
                   WHERE email = (SELECT email FROM mail_sign_ins WHERE handle_hash = $1)
                   FOR NO KEY UPDATE",
    };
    tx.query(HOLD).bind(handle).later().await
}

/// Finds one that a code would be looked at for.
pub(super) async fn find(tx: &mut Tx, handle: Vec<u8>, now: Timestamp) -> Result<Option<Waiting>> {
    tx.query(
        "SELECT email, user_id, locale, mail_id, code_hash FROM mail_sign_ins
         WHERE handle_hash = $1 AND used_at IS NULL AND expires_at > $2 AND tries < $3",
    )
    .bind(handle)
    .bind(now)
    .bind(TRIES)
    .optional()
    .await
}

/// Returns whether a link is that of a sign-in which waits.
pub(super) async fn fits(
    tx: &mut Tx,
    handle: Vec<u8>,
    link: Vec<u8>,
    now: Timestamp,
) -> Result<bool> {
    let (found,): (i64,) = tx
        .query(
            "SELECT COUNT(*) FROM mail_sign_ins
             WHERE handle_hash = $1 AND link_hash = $2 AND used_at IS NULL AND expires_at > $3",
        )
        .bind(handle)
        .bind(link)
        .bind(now)
        .one()
        .await?;
    Ok(found == 1)
}

/// Spends one of its tries, before the code is looked at.
pub(super) async fn try_once(tx: &mut Tx, handle: Vec<u8>, now: Timestamp) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE mail_sign_ins SET tries = tries + 1
             WHERE handle_hash = $1 AND used_at IS NULL AND expires_at > $2 AND tries < $3",
        )
        .bind(handle)
        .bind(now)
        .bind(TRIES)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Uses one up, at most once.
pub(super) async fn take(tx: &mut Tx, handle: Vec<u8>, now: Timestamp) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE mail_sign_ins SET used_at = $2
             WHERE handle_hash = $1 AND used_at IS NULL AND expires_at > $2",
        )
        .bind(handle)
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Uses one up whose link is shown, at most once. Nobody guesses that, so wrong codes before do not matter.
pub(super) async fn take_by_link(
    tx: &mut Tx,
    handle: Vec<u8>,
    link: Vec<u8>,
    now: Timestamp,
) -> Result<Option<Waiting>> {
    tx.query(
        "UPDATE mail_sign_ins SET used_at = $3
         WHERE handle_hash = $1 AND link_hash = $2 AND used_at IS NULL AND expires_at > $3
         RETURNING email, user_id, locale, mail_id, code_hash",
    )
    .bind(handle)
    .bind(link)
    .bind(now)
    .optional()
    .await
}

/// Why nothing was taken, for the audit trail; `otherwise` where it still waits.
pub(super) async fn why_not(
    tx: &mut Tx,
    handle: Vec<u8>,
    otherwise: &'static str,
    now: Timestamp,
) -> Result<&'static str> {
    let row: Option<(Option<Timestamp>, Timestamp)> = tx
        .query("SELECT used_at, expires_at FROM mail_sign_ins WHERE handle_hash = $1")
        .bind(handle)
        .optional()
        .await?;
    Ok(match row {
        None => "unknown_handle",
        Some((Some(_), _)) => "used",
        Some((None, end)) if end <= now => "expired",
        Some(_) => otherwise,
    })
}

/// Forgets one: its client asks for another.
pub(super) async fn forget(tx: &mut Tx, handle: Vec<u8>) -> Result<u64> {
    tx.query("DELETE FROM mail_sign_ins WHERE handle_hash = $1 AND used_at IS NULL")
        .bind(handle)
        .execute()
        .await
}

/// Ends all of somebody's that wait.
pub async fn withdraw(tx: &mut Tx, user: UserId) -> Result<u64> {
    tx.query("DELETE FROM mail_sign_ins WHERE user_id = $1 AND used_at IS NULL")
        .bind(user)
        .execute()
        .await
}
