//! Sessions, as the database knows them.

use onesql::{Json, Result, Statement, Store, Timestamp, Together, Tx};
use sqlx::FromRow;

use crate::accounts::{User, user_columns, user_columns_without_roles};
use crate::kernel::{Place, SessionId, UserId};

/// A sign-in that goes on, or went on.
#[derive(Debug, Clone, FromRow)]
pub struct Session {
    /// Its name: `sid` in access tokens.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// How they signed in (RFC 8176).
    pub amr: Json<Vec<String>>,
    /// When they signed in.
    pub auth_time: Timestamp,
    /// From where it was last used to refresh.
    pub ip_address: String,
    /// By what.
    pub user_agent: String,
    /// The same, for people.
    pub device: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// When it was ended before that.
    pub ended_at: Option<Timestamp>,
}

/// A session with the account that it belongs to.
#[derive(Debug, Clone, FromRow)]
pub struct Found {
    /// The session.
    #[sqlx(flatten)]
    pub session: Session,
    /// The account, as it is now.
    #[sqlx(flatten)]
    pub user: User,
}

/// What tells whether a session goes on.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Life {
    /// Its name.
    pub id: SessionId,
    /// When it was last used, to the minute.
    pub last_active_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// When it was ended before that.
    pub ended_at: Option<Timestamp>,
}

/// The session of a caller, with the account that it belongs to.
#[derive(Debug, Clone, FromRow)]
pub struct Present {
    /// The session.
    #[sqlx(flatten)]
    pub session: Life,
    /// The account, as it is now; its roles, where [`callers`] found it, are still to be told.
    #[sqlx(flatten)]
    pub user: User,
}

/// A session that opens for somebody whose password is still the one that was compared, who is not
/// disabled and waits for no new password, who may still do what their tokens of `epoch` will say, and who
/// has no second factor unless it is `proven`. It does not open if that changed while the hash was computed.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'s> {
    /// What opens.
    pub session: &'s Session,
    /// What the password was compared with.
    pub password_hash: Option<&'s str>,
    /// That of the account when it was read.
    pub epoch: i64,
    /// Whether a second factor was shown, or is spared.
    pub proven: bool,
}

impl Opening<'_> {
    /// Gives it as the first twelve parameters of `statement`, which has `open_session!` in it: `$1` is the session,
    /// `$2` whose, `$7` the device's name, `$12` now.
    pub fn bind<'t, 'q>(self, statement: Statement<'t, 'q>) -> Statement<'t, 'q> {
        let Self { session, password_hash, epoch, proven } = self;
        statement
            .bind(session.id)
            .bind(session.user_id)
            .bind(session.amr.clone())
            .bind(session.auth_time)
            .bind(session.ip_address.clone())
            .bind(session.user_agent.clone())
            .bind(session.device.clone())
            .bind(session.expires_at)
            .bind(password_hash.map(str::to_owned))
            .bind(proven)
            .bind(epoch)
            .bind(session.created_at)
    }
}

/// What opens a session, if it may: `$is` compares with a hash that may be NULL, `$lock` holds the account.
///
/// PostgreSQL needs the row's lock: without it, a session could be opened between a reset's new
/// password and its end of all sessions, or between a change of roles and the list of sessions that it
/// concerns. SQLite has one writer.
macro_rules! open_session {
    ($is:literal, $lock:literal) => {
        concat!(
            "INSERT INTO sessions (id, user_id, amr, auth_time, ip_address, user_agent, device,
                                   created_at, last_active_at, expires_at)
             SELECT $1, id, $3, $4, $5, $6, $7, $12, $12, $8 FROM users
             WHERE id = $2 AND disabled_at IS NULL AND recovery_since IS NULL
               AND password_hash ",
            $is,
            " $9 AND ($10 OR second_factor_at IS NULL) AND epoch = $11 ",
            $lock
        )
    };
}
pub(crate) use open_session;

/// Notes that the owner of a session proved anew who they are, and how.
pub async fn prove_again(
    tx: &mut Tx,
    session: SessionId,
    amr: Vec<String>,
    now: Timestamp,
) -> Result<u64> {
    tx.query("UPDATE sessions SET amr = $2, auth_time = $3 WHERE id = $1 AND ended_at IS NULL")
        .bind(session)
        .bind(Json(amr))
        .bind(now)
        .execute()
        .await
}

/// Finds a session and its account.
pub async fn find(tx: &mut Tx, session: SessionId) -> Result<Option<Found>> {
    tx.query(concat!(
        "SELECT s.id, s.amr, s.auth_time, s.ip_address, s.user_agent, s.device, s.created_at,
                s.last_active_at, s.expires_at, s.ended_at, ",
        user_columns!(),
        " FROM sessions AS s JOIN users AS u ON u.id = s.user_id WHERE s.id = $1"
    ))
    .bind(session)
    .optional()
    .await
}

/// Returns what finds the sessions of callers, and their accounts without their roles: an access token says those, as
/// long as its epoch is that of the account.
#[must_use]
pub fn callers(store: &Store) -> Together<SessionId, Present> {
    Together::new(
        store.clone(),
        |tx, sessions| Box::pin(present(tx, sessions)),
        |present| &present.session.id,
    )
}

async fn present(tx: &mut Tx, sessions: &[SessionId]) -> Result<Vec<Present>> {
    macro_rules! present {
        ($which:literal) => {
            concat!(
                "SELECT s.id, s.last_active_at, s.expires_at, s.ended_at, '' AS roles, ",
                user_columns_without_roles!(),
                " FROM sessions AS s JOIN users AS u ON u.id = s.user_id WHERE s.id ",
                $which
            )
        };
    }
    if let [session] = *sessions {
        return tx.query(present!("= $1")).bind(session).all().await;
    }
    tx.query(present!("IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"))
        .bind_together(sessions)
        .all()
        .await
}

/// Lists somebody's sessions that go on, newest first.
pub async fn list(
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
    idle_cutoff: Timestamp,
    after: Place,
    at_most: i64,
) -> Result<Vec<Session>> {
    tx.query(
        "SELECT id, user_id, amr, auth_time, ip_address, user_agent, device, created_at,
                last_active_at, expires_at, ended_at
         FROM sessions
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_active_at > $3
           AND (created_at, id) < ($4, $5)
         ORDER BY created_at DESC, id DESC
         LIMIT $6",
    )
    .bind(user)
    .bind(now)
    .bind(idle_cutoff)
    .bind(after.at)
    .bind(after.id)
    .bind(at_most)
    .all()
    .await
}

/// Notes that a session was used; never backwards.
pub(super) async fn touch(tx: &mut Tx, session: SessionId, now: Timestamp) -> Result<u64> {
    tx.query("UPDATE sessions SET last_active_at = $2 WHERE id = $1 AND last_active_at < $2")
        .bind(session)
        .bind(now)
        .execute()
        .await
}

/// Notes that a session was refreshed, if it goes on: check and change in one.
pub async fn use_again(
    tx: &mut Tx,
    session: SessionId,
    ip_address: String,
    now: Timestamp,
    idle_cutoff: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE sessions SET last_active_at = $2, ip_address = $4
             WHERE id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_active_at > $3",
        )
        .bind(session)
        .bind(now)
        .bind(idle_cutoff)
        .bind(ip_address)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Ends a session; `false` if it had ended.
pub(super) async fn end(
    tx: &mut Tx,
    session: SessionId,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        )
        .bind(session)
        .bind(now)
        .bind(reason.to_owned())
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Ends a session of somebody, if it is theirs and goes on.
pub(super) async fn end_of(
    tx: &mut Tx,
    owner: UserId,
    session: SessionId,
    reason: &str,
    now: Timestamp,
    idle_cutoff: Timestamp,
) -> Result<bool> {
    let touched = tx
        .query(
            "UPDATE sessions SET ended_at = $3, end_reason = $4
             WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3
               AND last_active_at > $5",
        )
        .bind(session)
        .bind(owner)
        .bind(now)
        .bind(reason.to_owned())
        .bind(idle_cutoff)
        .execute()
        .await?;
    Ok(touched == 1)
}

/// Lists the sessions of somebody that nobody ended, with how they were opened.
pub(super) async fn open_of(
    tx: &mut Tx,
    owner: UserId,
) -> Result<Vec<(SessionId, Json<Vec<String>>)>> {
    tx.query("SELECT id, amr FROM sessions WHERE user_id = $1 AND ended_at IS NULL")
        .bind(owner)
        .all()
        .await
}

/// Ends all sessions of somebody but one, and returns how many that were; who calls holds the account.
pub(super) async fn end_all(
    tx: &mut Tx,
    owner: UserId,
    keep: Option<SessionId>,
    reason: &str,
    now: Timestamp,
) -> Result<u64> {
    tx.query(
        "UPDATE sessions SET ended_at = $2, end_reason = $3
         WHERE user_id = $1 AND ended_at IS NULL AND ($4 IS NULL OR id <> $4)",
    )
    .bind(owner)
    .bind(now)
    .bind(reason.to_owned())
    .bind(keep)
    .execute()
    .await
}
