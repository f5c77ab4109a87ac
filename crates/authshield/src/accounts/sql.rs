//! Accounts, as the database knows them.

use std::time::Duration;

use onesql::{Result, Sql, Timestamp, Tx};

use super::Change;
use super::user::{Account, User, user_columns};
use crate::kernel::{EmailAddress, FullName, Locale, Place, UserId};
use crate::revocations;

/// Finds the account of `email`.
pub async fn by_email(tx: &mut Tx, email: &EmailAddress) -> Result<Option<Account>> {
    tx.query(concat!(
        "SELECT u.password_hash, ",
        user_columns!(),
        " FROM users AS u WHERE u.email = $1"
    ))
    .bind(email.clone())
    .optional()
    .await
}

/// Finds the account of `email` and keeps it as it is until `tx` ends.
///
/// PostgreSQL needs the row's lock, since others write at the same time; SQLite has one writer. It reads after that: a
/// statement that waits for the row finds it as it is then, but its roles as they were when it began.
pub async fn hold_by_email(tx: &mut Tx, email: &EmailAddress) -> Result<Option<Account>> {
    const HOLD: Sql = Sql {
        sqlite: "SELECT id FROM users WHERE email = $1",
        postgres: "SELECT id FROM users WHERE email = $1 FOR NO KEY UPDATE",
    };
    // By its id, or it could be one that has the address only since then.
    match tx.query(HOLD).bind(email.clone()).optional::<(UserId,)>().await? {
        Some((id,)) => by_id(tx, id).await,
        None => Ok(None),
    }
}

/// The same for whoever asks for a mail to `email`, as the first thing that they do. All who ask at the same time wait
/// for each other: where only an account made them wait, the clock would tell that there is one.
pub async fn ask_by_email(tx: &mut Tx, email: &EmailAddress) -> Result<Option<Account>> {
    const TURN: Sql =
        Sql { sqlite: "", postgres: "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))" };
    tx.query(TURN).bind(email.clone()).later().await?;
    hold_by_email(tx, email).await
}

/// Finds the account of `id`.
pub async fn by_id(tx: &mut Tx, id: UserId) -> Result<Option<Account>> {
    tx.query(concat!(
        "SELECT u.password_hash, ",
        user_columns!(),
        " FROM users AS u WHERE u.id = $1"
    ))
    .bind(id)
    .optional()
    .await
}

/// Lists accounts, newest first; `None` in a filter lets everything through.
pub async fn members(
    tx: &mut Tx,
    pattern: Option<String>,
    role: Option<String>,
    active: Option<bool>,
    after: Place,
    at_most: i64,
) -> Result<Vec<User>> {
    tx.query(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users AS u
          WHERE (u.created_at, u.id) < ($1, $2)
            AND (CAST($3 AS TEXT) IS NULL OR u.email LIKE $3 ESCAPE '!')
            AND (CAST($4 AS TEXT) IS NULL
                 OR EXISTS (SELECT 1 FROM user_roles AS m WHERE m.user_id = u.id AND m.role = $4))
            AND ($5 = 0 OR ($5 = 1 AND u.disabled_at IS NULL) OR ($5 = 2 AND u.disabled_at IS NOT NULL))
          ORDER BY u.created_at DESC, u.id DESC
          LIMIT $6"
    ))
    .bind(after.at)
    .bind(after.id)
    .bind(pattern)
    .bind(role)
    .bind(active.map_or(0_i64, |active| if active { 1 } else { 2 }))
    .bind(at_most)
    .all()
    .await
}

/// Opens an account, unless the address is taken; then `false`.
pub async fn create(tx: &mut Tx, user: &User, password_hash: Option<&str>) -> Result<bool> {
    let created: Option<(UserId,)> = tx
        .query(
            "INSERT INTO users (id, email, full_name, locale, password_hash, email_verified_at,
                                password_changed_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7)
             ON CONFLICT (email) DO NOTHING
             RETURNING id",
        )
        .bind(user.id)
        .bind(user.email.clone())
        .bind(user.full_name.clone())
        .bind(user.locale.clone())
        .bind(password_hash.map(str::to_owned))
        .bind(user.email_verified_at)
        .bind(user.created_at)
        .optional()
        .await?;
    Ok(created.is_some())
}

/// Deletes the account that has `email` if nobody proved that it is theirs, and returns which that
/// was: the address is free for who does. An account that was disabled stays.
pub async fn delete_unverified(
    tx: &mut Tx,
    email: &EmailAddress,
    except: UserId,
) -> Result<Option<UserId>> {
    revocations::sessions_of_unverified_end(tx, email, except).await?;
    let deleted: Option<(UserId,)> = tx
        .query(
            "DELETE FROM users
             WHERE email = $1 AND id <> $2 AND email_verified_at IS NULL AND disabled_at IS NULL
             RETURNING id",
        )
        .bind(email.clone())
        .bind(except)
        .optional()
        .await?;
    Ok(deleted.map(|(user,)| user))
}

/// Deletes accounts that were opened before `opened` and that nobody proved, some at a time, and returns which: only
/// those that nothing opens, and whose mails open nothing any more. One that somebody registered again within the last
/// hour stays: their mail may be on its way, and on PostgreSQL not yet to be seen.
pub async fn delete_unproved(
    tx: &mut Tx,
    opened: Timestamp,
    now: Timestamp,
    at_most: i64,
) -> Result<Vec<UserId>> {
    // PostgreSQL needs `SKIP LOCKED`: whoever holds one is registering it; SQLite has one writer.
    macro_rules! delete {
        ($locked:literal) => {
            concat!(
                "DELETE FROM users WHERE id IN (
                 SELECT u.id FROM users AS u
                 WHERE u.email_verified_at IS NULL AND u.created_at < $1 AND u.updated_at < $3
                   AND u.password_hash IS NULL AND u.disabled_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM registrations AS r
                                   WHERE r.email = u.email AND r.expires_at > $2)
                   AND NOT EXISTS (SELECT 1 FROM link_tokens AS l
                                   WHERE l.user_id = u.id AND l.used_at IS NULL AND l.expires_at > $2)
                   AND NOT EXISTS (SELECT 1 FROM mail_sign_ins AS w
                                   WHERE w.user_id = u.id AND w.expires_at > $2)
                   AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.user_id = u.id)
                   AND NOT EXISTS (SELECT 1 FROM identities AS i WHERE i.user_id = u.id)
                   AND NOT EXISTS (SELECT 1 FROM passkeys AS p WHERE p.user_id = u.id)
                   AND NOT EXISTS (SELECT 1 FROM user_roles AS m
                                   WHERE m.user_id = u.id AND m.role <> 'user')
                 ORDER BY u.created_at LIMIT $4",
                $locked,
                ") RETURNING id"
            )
        };
    }
    const DELETE: Sql =
        Sql { sqlite: delete!(""), postgres: delete!(" FOR UPDATE OF u SKIP LOCKED") };
    let touched = now - Duration::from_hours(1);
    let gone: Vec<(UserId,)> =
        tx.query(DELETE).bind(opened).bind(now).bind(touched).bind(at_most).all().await?;
    Ok(gone.into_iter().map(|(user,)| user).collect())
}

/// Gives a role; giving it twice changes nothing.
pub async fn give_role(
    tx: &mut Tx,
    user: UserId,
    role: &str,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<u64> {
    tx.query(
        "INSERT INTO user_roles (user_id, role, granted_by, granted_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, role) DO NOTHING",
    )
    .bind(user)
    .bind(role.to_owned())
    .bind(by)
    .bind(now)
    .execute()
    .await
}

/// Marks the address of an account as proved, if it is still the one that was proved.
pub async fn mark_verified(
    tx: &mut Tx,
    user: UserId,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE users SET email_verified_at = COALESCE(email_verified_at, $3), updated_at = $3
             WHERE id = $1 AND email = $2",
        )
        .bind(user)
        .bind(email.clone())
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Gives an account another address, proved; `false` if there is no such account. That somebody else
/// has the address is a unique violation.
pub async fn set_email(
    tx: &mut Tx,
    user: UserId,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE users SET email = $2, email_verified_at = $3, updated_at = $3
             WHERE id = $1",
        )
        .bind(user)
        .bind(email.clone())
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Sets name and language; what is kept or `None` stays as it is, even if another request changes
/// it at the same time.
pub async fn set_profile(
    tx: &mut Tx,
    user: UserId,
    full_name: Change<FullName>,
    locale: Option<Locale>,
    now: Timestamp,
) -> Result<u64> {
    let (renames, full_name) = match full_name {
        Change::Keep => (false, None),
        Change::To(name) => (true, name),
    };
    tx.query(
        "UPDATE users
         SET full_name = CASE WHEN $2 THEN $3 ELSE full_name END, locale = COALESCE($4, locale),
             updated_at = $5
         WHERE id = $1",
    )
    .bind(user)
    .bind(renames)
    .bind(full_name)
    .bind(locale)
    .bind(now)
    .execute()
    .await
}

/// Keeps the account of `id` as it is until `tx` ends. Whoever ends or deletes more than one row of
/// an account does this first: of two that take them in different orders, PostgreSQL ends one.
pub async fn lock(tx: &mut Tx, id: UserId) -> Result<()> {
    const LOCK: Sql =
        Sql { sqlite: "", postgres: "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE" };
    tx.query(LOCK).bind(id).later().await
}

/// Takes the password from an account: nothing opens a session of it, not even a passkey, until its owner
/// chooses a new one by mail, or signs in by mail.
pub async fn await_recovery(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<u64> {
    tx.query(
        "UPDATE users SET password_hash = NULL, recovery_since = $2, updated_at = $2 WHERE id = $1",
    )
    .bind(user)
    .bind(now)
    .execute()
    .await
}

/// Whether an account waits for its owner, who has to show by mail that it is them.
pub async fn awaits_recovery(tx: &mut Tx, user: UserId) -> Result<bool> {
    let waits: Option<(UserId,)> = tx
        .query("SELECT id FROM users WHERE id = $1 AND recovery_since IS NOT NULL")
        .bind(user)
        .optional()
        .await?;
    Ok(waits.is_some())
}

/// Lets an account be opened again that waits for its owner, who showed by mail that it is them.
pub async fn end_recovery(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<u64> {
    tx.query(
        "UPDATE users SET recovery_since = NULL, updated_at = $2
         WHERE id = $1 AND recovery_since IS NOT NULL",
    )
    .bind(user)
    .bind(now)
    .execute()
    .await
}

/// Sets a password whatever it was before; whoever waited for one waits no more.
pub async fn set_password(tx: &mut Tx, user: UserId, hash: &str, now: Timestamp) -> Result<u64> {
    tx.query(
        "UPDATE users
         SET password_hash = $2, password_changed_at = $3, recovery_since = NULL, updated_at = $3
         WHERE id = $1",
    )
    .bind(user)
    .bind(hash.to_owned())
    .bind(now)
    .execute()
    .await
}

/// Keeps an account as it is until `tx` ends; `false` if its password is no longer what was
/// compared, or it was disabled.
///
/// PostgreSQL needs the row's lock, since others write at the same time; SQLite has one writer.
pub(super) async fn hold(tx: &mut Tx, user: UserId, before: Option<&str>) -> Result<bool> {
    const HOLD: Sql = Sql {
        sqlite: "SELECT id FROM users
                 WHERE id = $1 AND password_hash IS $2 AND disabled_at IS NULL",
        postgres: "SELECT id FROM users
                   WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $2 AND disabled_at IS NULL
                   FOR NO KEY UPDATE",
    };
    let held: Option<(UserId,)> =
        tx.query(HOLD).bind(user).bind(before.map(str::to_owned)).optional().await?;
    Ok(held.is_some())
}

/// Sets a password if it still is what was compared; of two at once, one gets `false`.
pub(super) async fn replace_password(
    tx: &mut Tx,
    user: UserId,
    before: Option<&str>,
    hash: &str,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE users SET password_hash = $3, password_changed_at = $4, updated_at = $4
             WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL",
        )
        .bind(user)
        .bind(before.map(str::to_owned))
        .bind(hash.to_owned())
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Disables or enables an account; `false` if it was so already.
pub async fn set_disabled(
    tx: &mut Tx,
    user: UserId,
    disabled: bool,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE users SET disabled_at = $2, updated_at = $3
             WHERE id = $1 AND (disabled_at IS NULL) = (CAST($2 AS TEXT) IS NOT NULL)",
        )
        .bind(user)
        .bind(disabled.then_some(now))
        .bind(now)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Deletes an account and all that belongs to it; the audit trail stays.
///
/// Sessions go before their refresh tokens, in the order in which whoever refreshes takes them.
pub async fn delete(tx: &mut Tx, user: UserId) -> Result<bool> {
    lock(tx, user).await?;
    revocations::sessions_end(tx, user, None).await?;
    let touched = tx.query("DELETE FROM users WHERE id = $1").bind(user).execute().await?;
    Ok(touched == 1)
}

/// Returns whether nobody was ever registered here.
pub async fn no_users(tx: &mut Tx) -> Result<bool> {
    let any: Option<(UserId,)> = tx.query("SELECT id FROM users LIMIT 1").optional().await?;
    Ok(any.is_none())
}

/// Stores the same password under another scheme or cost, unless it was changed meanwhile.
pub async fn upgrade_hash(
    tx: &mut Tx,
    user: UserId,
    before: Option<&str>,
    hash: &str,
) -> Result<bool> {
    let touched = tx
        .query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
        .bind(user)
        .bind(before.map(str::to_owned))
        .bind(hash.to_owned())
        .execute()
        .await?;
    Ok(touched == 1)
}
