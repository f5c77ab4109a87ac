//! Second factors, as the database knows them.

use onesql::{Result, Sql, Timestamp, Tx};
use sqlx::FromRow;

use super::rules::TRIES_PER_MAIL;
use crate::accounts::{Account, user_columns};
use crate::devices::known_device;
use crate::kernel::{EmailAddress, MailId, UserId};

/// The secret of an authenticator app that counts.
#[derive(FromRow)]
pub(super) struct Totp {
    /// Sealed for its account.
    pub(super) secret: Vec<u8>,
    /// Of which step a code was taken last.
    pub(super) last_step: i64,
    pub(super) blocked_until: Option<Timestamp>,
}

/// Writes a secret that counts once a code of it was shown by who asked for it; it takes the place of
/// one that never counted. `false` if there is one that does.
pub(super) async fn begin(
    tx: &mut Tx,
    user: UserId,
    by: Vec<u8>,
    sealed: Vec<u8>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool> {
    let written = tx
        .query(
            "INSERT INTO totp_secrets (user_id, secret, begun_by, expires_at, created_at,
                                       last_step, misses)
             VALUES ($1, $2, $3, $4, $5, 0, 0)
             ON CONFLICT (user_id) DO UPDATE
             SET secret = excluded.secret, begun_by = excluded.begun_by,
                 expires_at = excluded.expires_at, created_at = excluded.created_at
             WHERE totp_secrets.confirmed_at IS NULL",
        )
        .bind(user)
        .bind(sealed)
        .bind(by)
        .bind(expires_at)
        .bind(now)
        .execute()
        .await?;
    Ok(written == 1)
}

/// Finds the secret that waits for its first code by who asked for it.
pub(super) async fn begun(
    tx: &mut Tx,
    user: UserId,
    by: Vec<u8>,
    now: Timestamp,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = tx
        .query(
            "SELECT secret FROM totp_secrets
             WHERE user_id = $1 AND begun_by = $2 AND confirmed_at IS NULL AND expires_at > $3",
        )
        .bind(user)
        .bind(by)
        .bind(now)
        .optional()
        .await?;
    Ok(row.map(|(secret,)| secret))
}

/// Lets a secret count, whose code for `step` was shown; `false` if it is no longer the one that waits.
pub(super) async fn confirm(
    tx: &mut Tx,
    user: UserId,
    sealed: Vec<u8>,
    step: i64,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE totp_secrets
             SET confirmed_at = $4, last_step = $3, begun_by = NULL, expires_at = NULL
             WHERE user_id = $1 AND secret = $2 AND confirmed_at IS NULL AND expires_at > $4",
        )
        .bind(user)
        .bind(sealed)
        .bind(step)
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Finds the secret that counts.
pub(super) async fn find(tx: &mut Tx, user: UserId) -> Result<Option<Totp>> {
    tx.query(
        "SELECT secret, last_step, blocked_until FROM totp_secrets
         WHERE user_id = $1 AND confirmed_at IS NOT NULL",
    )
    .bind(user)
    .optional()
    .await
}

/// Takes the code of a step, once: of two requests with one code, on whichever nodes and for whichever
/// purposes, nothing lasts that rests on the second (RFC 6238, 5.2); who holds the account has seen that it was not taken.
/// A right code makes the wrong ones before it forgotten.
pub(super) async fn take_step(tx: &mut Tx, user: UserId, step: i64) -> Result<()> {
    tx.beside(
        "UPDATE totp_secrets SET last_step = $2, misses = 0, blocked_until = NULL
         WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2",
    )
    .bind(user)
    .bind(step)
    .later_or_undo()
    .await
}

/// Counts a wrong code and returns how many there were since the last right one.
pub(super) async fn miss(tx: &mut Tx, user: UserId) -> Result<i64> {
    let row: Option<(i64,)> = tx
        .query(
            "UPDATE totp_secrets SET misses = misses + 1
             WHERE user_id = $1 AND confirmed_at IS NOT NULL RETURNING misses",
        )
        .bind(user)
        .optional()
        .await?;
    Ok(row.map_or(0, |(misses,)| misses))
}

/// Looks at no code until `until`.
pub(super) async fn block(tx: &mut Tx, user: UserId, until: Timestamp) -> Result<u64> {
    tx.query("UPDATE totp_secrets SET blocked_until = $2 WHERE user_id = $1")
        .bind(user)
        .bind(until)
        .execute()
        .await
}

/// Notes on the account whether it has a second factor.
pub(super) async fn mark(
    tx: &mut Tx,
    user: UserId,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<u64> {
    tx.query("UPDATE users SET second_factor_at = $2, updated_at = $3 WHERE id = $1")
        .bind(user)
        .bind(since)
        .bind(now)
        .execute()
        .await
}

/// Removes every second factor; `false` if there was none that counted.
pub(super) async fn remove(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<bool> {
    let there: Option<(UserId,)> = tx
        .query(
            "UPDATE users SET second_factor_at = NULL, updated_at = $2
             WHERE id = $1 AND second_factor_at IS NOT NULL RETURNING id",
        )
        .bind(user)
        .bind(now)
        .optional()
        .await?;
    for remove in [
        "DELETE FROM totp_secrets WHERE user_id = $1",
        "DELETE FROM recovery_codes WHERE user_id = $1",
    ] {
        tx.query(remove).bind(user).execute().await?;
    }
    withdraw(tx, user).await?;
    Ok(there.is_some())
}

/// Puts new recovery codes in the place of all there are.
pub(super) async fn replace_codes(
    tx: &mut Tx,
    user: UserId,
    hashes: Vec<Vec<u8>>,
    now: Timestamp,
) -> Result<()> {
    tx.query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user).execute().await?;
    for hash in hashes {
        tx.query("INSERT INTO recovery_codes (code_hash, user_id, created_at) VALUES ($1, $2, $3)")
            .bind(hash)
            .bind(user)
            .bind(now)
            .execute()
            .await?;
    }
    Ok(())
}

/// Removes the recovery codes of an account if they were made since then.
pub(super) async fn delete_codes_since(tx: &mut Tx, user: UserId, since: Timestamp) -> Result<u64> {
    tx.query("DELETE FROM recovery_codes WHERE user_id = $1 AND created_at >= $2")
        .bind(user)
        .bind(since)
        .execute()
        .await
}

/// Uses a recovery code up, at most once.
pub(super) async fn use_code(
    tx: &mut Tx,
    user: UserId,
    hash: Vec<u8>,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE recovery_codes SET used_at = $3
             WHERE code_hash = $1 AND user_id = $2 AND used_at IS NULL",
        )
        .bind(hash)
        .bind(user)
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Counts the recovery codes that were not used.
pub(super) async fn codes_left(tx: &mut Tx, user: UserId) -> Result<i64> {
    let (left,): (i64,) = tx
        .query("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL")
        .bind(user)
        .one()
        .await?;
    Ok(left)
}

/// What somebody can show besides codes of an app.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Others {
    /// Whether there is a passkey.
    pub has_passkey: bool,
    /// Whether there is a recovery code that was not used.
    pub has_codes: bool,
}

/// The columns of [`Others`], of `$user`.
macro_rules! others_columns {
    ($user:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM passkeys AS o WHERE o.user_id = ",
            $user,
            ") AS has_passkey,
             EXISTS (SELECT 1 FROM recovery_codes AS o WHERE o.user_id = ",
            $user,
            " AND o.used_at IS NULL) AS has_codes"
        )
    };
}
pub(crate) use others_columns;

/// Finds out what somebody can show besides codes of an app.
pub(super) async fn others(tx: &mut Tx, user: UserId) -> Result<Others> {
    tx.query(concat!("SELECT ", others_columns!("$1"))).bind(user).one().await
}

/// Writes a sign-in that waits for a second factor after the `first` (RFC 8176), if the password is still the one that was
/// compared, the account is not disabled, and it still has a second factor or none; where that changed, nothing of `tx` lasts
/// ([`Unmet`](onesql::Error::Unmet)).
///
/// PostgreSQL needs the row's lock, as where a session is opened; SQLite has one writer.
pub(super) async fn wait(
    tx: &mut Tx,
    token_hash: Vec<u8>,
    user: UserId,
    (password_hash, first): (Option<&str>, &str),
    (is_there, mailbox_first): (bool, bool),
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    macro_rules! wait {
        ($is:literal, $lock:literal) => {
            concat!(
                "INSERT INTO pending_sign_ins (token_hash, user_id, tries, created_at, expires_at,
                                               first_factor, mailbox_first)
                 SELECT $1, id, 0, $4, $5, $7, $8 FROM users
                 WHERE id = $2 AND disabled_at IS NULL AND password_hash ",
                $is,
                " $3 AND (second_factor_at IS NOT NULL) = $6 ",
                $lock
            )
        };
    }
    const WAIT: Sql =
        Sql { sqlite: wait!("IS", ""), postgres: wait!("IS NOT DISTINCT FROM", "FOR SHARE") };
    tx.beside(WAIT)
        .bind(token_hash)
        .bind(user)
        .bind(password_hash.map(str::to_owned))
        .bind(now)
        .bind(expires_at)
        .bind(is_there)
        .bind(first.to_owned())
        .bind(mailbox_first)
        .later_or_undo()
        .await
}

/// A waiting sign-in of which a try was taken.
#[derive(FromRow)]
pub(super) struct Tried {
    /// Whose.
    #[sqlx(flatten)]
    pub(super) account: Account,
    /// What was shown before (RFC 8176).
    pub(super) first_factor: String,
    /// Whether the mailbox comes next.
    pub(super) mailbox_first: bool,
    /// What the device is kept under from which they come, if the account was used from there before.
    pub(super) device: Option<Vec<u8>>,
    secret: Option<Vec<u8>>,
    last_step: Option<i64>,
    blocked_until: Option<Timestamp>,
}

impl Tried {
    /// Returns the secret of the account that counts, if there is one.
    pub(super) fn totp(&mut self) -> Option<Totp> {
        let (secret, last_step) = self.secret.take().zip(self.last_step)?;
        Some(Totp { secret, last_step, blocked_until: self.blocked_until })
    }
}

/// Takes one of a waiting sign-in's tries, before its code is looked at, and returns what is known of it. The
/// account is held from then on, as by everything that ends such sign-ins, and what is returned of it is read after
/// that: whoever guesses at the same time with another ticket has been counted.
pub(super) async fn try_once(
    tx: &mut Tx,
    token_hash: Vec<u8>,
    at_most: i64,
    (label, network): (String, String),
    now: Timestamp,
) -> Result<Option<Tried>> {
    const LOCK: Sql = Sql {
        sqlite: "",
        postgres: "SELECT id FROM users
                   WHERE id = (SELECT user_id FROM pending_sign_ins WHERE token_hash = $1)
                   FOR NO KEY UPDATE",
    };
    macro_rules! known {
        () => {
            concat!(
                "p.first_factor, p.mailbox_first, t.secret, t.last_step, t.blocked_until, u.password_hash, ",
                user_columns!(),
                ", ",
                known_device!("$4", "$5", "$3")
            )
        };
    }
    macro_rules! account {
        () => {
            "users AS u LEFT JOIN totp_secrets AS t
             ON t.user_id = u.id AND t.confirmed_at IS NOT NULL"
        };
    }
    // On SQLite no row of another table is returned by an update.
    const TRY: Sql = Sql {
        sqlite: concat!(
            "UPDATE pending_sign_ins SET tries = tries + 1
             WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $3 AND tries < $2;
             SELECT ",
            known!(),
            " FROM pending_sign_ins AS p CROSS JOIN ",
            account!(),
            " WHERE changes() = 1 AND p.token_hash = $1 AND u.id = p.user_id"
        ),
        postgres: concat!(
            "UPDATE pending_sign_ins AS p SET tries = tries + 1 FROM ",
            account!(),
            " WHERE p.token_hash = $1 AND p.used_at IS NULL AND p.expires_at > $3 AND p.tries < $2
                AND u.id = p.user_id
              RETURNING ",
            known!()
        ),
    };
    tx.query(LOCK).bind(token_hash.clone()).later().await?;
    tx.query(TRY)
        .bind(token_hash)
        .bind(at_most)
        .bind(now)
        .bind(label)
        .bind(network)
        .optional()
        .await
}

/// Returns whose a sign-in is that waits and has tries left, and whether the mailbox comes next.
pub(super) async fn waits(
    tx: &mut Tx,
    token_hash: Vec<u8>,
    at_most: i64,
    now: Timestamp,
) -> Result<Option<(UserId, bool)>> {
    tx.query(
        "SELECT user_id, mailbox_first FROM pending_sign_ins
         WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $3 AND tries < $2",
    )
    .bind(token_hash)
    .bind(at_most)
    .bind(now)
    .optional()
    .await
}

/// Notes that the mailbox was shown for a waiting sign-in, which waits on for more, with all its tries.
pub(super) async fn mailbox_shown(tx: &mut Tx, token_hash: Vec<u8>) -> Result<u64> {
    tx.query("UPDATE pending_sign_ins SET mailbox_first = FALSE, tries = 0 WHERE token_hash = $1")
        .bind(token_hash)
        .execute()
        .await
}

/// Why a ticket was not taken, for the audit trail, and whose it is.
pub(super) async fn why_not(
    tx: &mut Tx,
    token_hash: Vec<u8>,
    now: Timestamp,
) -> Result<(Option<UserId>, &'static str)> {
    let row: Option<(UserId, Option<Timestamp>, Timestamp, bool)> = tx
        .query(
            "SELECT user_id, used_at, expires_at, password_off FROM pending_sign_ins
             WHERE token_hash = $1",
        )
        .bind(token_hash)
        .optional()
        .await?;
    Ok(match row {
        None => (None, "unknown_ticket"),
        Some((user, _, _, true)) => (Some(user), "password_off"),
        Some((user, Some(_), _, _)) => (Some(user), "ticket_used"),
        Some((user, None, end, _)) if end <= now => (Some(user), "ticket_expired"),
        Some((user, None, _, _)) => (Some(user), "too_many_tries"),
    })
}

/// Notes that a waiting sign-in became a session.
pub(super) async fn used(tx: &mut Tx, token_hash: Vec<u8>, now: Timestamp) -> Result<()> {
    tx.beside("UPDATE pending_sign_ins SET used_at = $2 WHERE token_hash = $1")
        .bind(token_hash)
        .bind(now)
        .later()
        .await
}

/// Ends all of somebody's sign-ins that wait, and codes that went by mail.
pub async fn withdraw(tx: &mut Tx, user: UserId) -> Result<u64> {
    tx.query("DELETE FROM proof_codes WHERE user_id = $1").bind(user).execute().await?;
    tx.query("DELETE FROM pending_sign_ins WHERE user_id = $1 AND used_at IS NULL")
        .bind(user)
        .execute()
        .await
}

/// Ends everybody's sign-ins that a password began and that wait, now that nobody has one; switched on again, they stay
/// dead. One that is used or withdrawn at this instant is left to who does that: PostgreSQL would end one of the two.
pub async fn end_begun_by_password(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    const END: Sql = Sql {
        sqlite: "UPDATE pending_sign_ins SET used_at = $1, password_off = TRUE
                 WHERE first_factor = 'pwd' AND used_at IS NULL AND expires_at > $1",
        postgres: "UPDATE pending_sign_ins SET used_at = $1, password_off = TRUE
                   WHERE token_hash IN
                   (SELECT token_hash FROM pending_sign_ins
                    WHERE first_factor = 'pwd' AND used_at IS NULL AND expires_at > $1
                    FOR UPDATE SKIP LOCKED)",
    };
    tx.query(END).bind(now).execute().await
}

/// A code that went by mail.
#[derive(FromRow)]
pub(super) struct SentCode {
    pub(super) email: EmailAddress,
    pub(super) code_hash: Vec<u8>,
    pub(super) mail_id: MailId,
}

/// One that goes.
pub(super) struct NewCode<'a> {
    pub(super) asked_by: Vec<u8>,
    pub(super) user: UserId,
    pub(super) email: &'a EmailAddress,
    pub(super) code_hash: Vec<u8>,
    pub(super) mail: MailId,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Writes one down, in the place of the one before.
pub(super) async fn put_code(tx: &mut Tx, new: NewCode<'_>) -> Result<u64> {
    tx.query(
        "INSERT INTO proof_codes (asked_by, user_id, email, code_hash, mail_id, tries, created_at,
                                  expires_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7)
         ON CONFLICT (asked_by) DO UPDATE
         SET email = excluded.email, code_hash = excluded.code_hash, mail_id = excluded.mail_id,
             tries = 0, created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(new.asked_by)
    .bind(new.user)
    .bind(new.email.clone())
    .bind(new.code_hash)
    .bind(new.mail)
    .bind(new.now)
    .bind(new.expires_at)
    .execute()
    .await
}

/// Finds one that would be looked at.
pub(super) async fn code(
    tx: &mut Tx,
    asked_by: &[u8],
    user: UserId,
    now: Timestamp,
) -> Result<Option<SentCode>> {
    tx.query(
        "SELECT email, code_hash, mail_id FROM proof_codes
         WHERE asked_by = $1 AND user_id = $2 AND expires_at > $3 AND tries < $4",
    )
    .bind(asked_by.to_vec())
    .bind(user)
    .bind(now)
    .bind(TRIES_PER_MAIL)
    .optional()
    .await
}

/// Spends one of its tries, before it is looked at.
pub(super) async fn try_code(tx: &mut Tx, asked_by: &[u8], now: Timestamp) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE proof_codes SET tries = tries + 1
             WHERE asked_by = $1 AND expires_at > $2 AND tries < $3",
        )
        .bind(asked_by.to_vec())
        .bind(now)
        .bind(TRIES_PER_MAIL)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Ends it, at most once.
pub(super) async fn use_up_code(tx: &mut Tx, asked_by: &[u8]) -> Result<bool> {
    let ended = tx
        .query("DELETE FROM proof_codes WHERE asked_by = $1")
        .bind(asked_by.to_vec())
        .execute()
        .await?;
    Ok(ended == 1)
}
