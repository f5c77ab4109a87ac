//! The audit trail, as the database gives it back.

use onesql::{Json, Result, Timestamp, Tx};
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::kernel::{AuditId, SessionId, UserId};

/// A line of the audit trail.
#[derive(Debug, Clone, FromRow, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct Entry {
    /// Its name; those that follow have greater ones.
    pub id: AuditId,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened.
    pub code: String,
    /// The true reason, which no client is told.
    pub reason: Option<String>,
    /// Who did it, if an account did.
    pub actor_id: Option<UserId>,
    /// The account that it is about.
    pub user_id: Option<UserId>,
    /// The session that it is about.
    pub session_id: Option<SessionId>,
    /// From where.
    pub ip_address: Option<String>,
    /// By what.
    pub user_agent: Option<String>,
    /// The request, as in answers and in the log.
    pub request_id: Option<String>,
    /// What else is known, by code.
    #[schema(value_type = Object)]
    pub data: Json<Value>,
}

impl Entry {
    /// Returns the country of the address, if it was known when it happened (ISO 3166-1, two letters).
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        self.data.0["country"].as_str()
    }
}

/// The code of what is left out.
const ROTATED: &str = "REFRESH_ROTATED";

macro_rules! columns {
    () => {
        "id, at, code, reason, actor_id, user_id, session_id, ip_address, user_agent, request_id, data"
    };
}

/// By what events are looked for first; each has an index.
#[derive(Debug, Clone, Default)]
pub enum By {
    /// The newest.
    #[default]
    Time,
    /// Those about an account.
    User(UserId),
    /// Those in which somebody typed an address that has this keyed hash.
    Email(Vec<u8>),
    /// Those from a network address.
    Address(String),
    /// What an account did to others, or to the service.
    Actor(UserId),
}

/// Which events. Rotations of refresh tokens are left out unless an account and their code are asked for:
/// they are most of what happens, and say the least.
#[derive(Debug, Clone)]
pub struct Search {
    /// By what they are looked for.
    pub by: By,
    /// Only these.
    pub code: Option<&'static str>,
    /// Only with this reason.
    pub reason: Option<String>,
    /// Only of this request.
    pub request: Option<String>,
    /// Only from then on.
    pub since: Timestamp,
    /// Only before then.
    pub until: Timestamp,
}

impl Search {
    /// Says what is wrong with it, if something is.
    pub fn check(&self) -> std::result::Result<(), &'static str> {
        match (&self.by, self.code) {
            (By::User(_), _) => Ok(()),
            (_, Some(ROTATED)) => Err("REFRESH_ROTATED is listed for one account only; say which."),
            _ => Ok(()),
        }
    }
}

macro_rules! events {
    ($which:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM audit_events
              WHERE id < $1 AND id >= $2 AND at < $3 AND at >= $4
                AND (CAST($5 AS TEXT) IS NULL OR reason = $5)
                AND (CAST($6 AS TEXT) IS NULL OR code = $6)
                AND (CAST($7 AS TEXT) IS NULL OR request_id = $7) AND ",
            $which,
            " ORDER BY id DESC LIMIT $8"
        )
    };
}

/// Returns when an event of a kind was written last; not for rotations, which have no such index.
pub async fn last_of(tx: &mut Tx, code: &'static str) -> Result<Option<Timestamp>> {
    let found: Option<(Timestamp,)> = tx
        .query(
            "SELECT at FROM audit_events WHERE code = $1 AND code <> 'REFRESH_ROTATED'
             ORDER BY id DESC LIMIT 1",
        )
        .bind(code)
        .optional()
        .await?;
    Ok(found.map(|(at,)| at))
}

/// Finds events that are older than `before`, newest first.
pub async fn find(tx: &mut Tx, search: &Search, before: Uuid, at_most: i64) -> Result<Vec<Entry>> {
    let which = match (&search.by, search.code) {
        (By::User(_), Some(ROTATED)) => events!("code = 'REFRESH_ROTATED' AND user_id = $9"),
        (By::User(_), _) => events!("code <> 'REFRESH_ROTATED' AND user_id = $9"),
        (By::Email(_), _) => events!("email_hash = $9"),
        (By::Address(_), _) => events!("code <> 'REFRESH_ROTATED' AND ip_address = $9"),
        (By::Actor(_), _) => events!(
            "actor_id IS NOT NULL AND (user_id IS NULL OR user_id <> actor_id) AND actor_id = $9"
        ),
        (By::Time, Some(_)) => events!("code <> 'REFRESH_ROTATED' AND code = $9"),
        (By::Time, None) => events!("code <> 'REFRESH_ROTATED'"),
    };
    let events = tx
        .query(which)
        .bind(before)
        .bind(first_id_of(search.since))
        .bind(search.until)
        .bind(search.since)
        .bind(search.reason.clone())
        .bind(search.code)
        .bind(search.request.clone())
        .bind(at_most);
    match (&search.by, search.code) {
        (By::User(user) | By::Actor(user), _) => events.bind(*user).all().await,
        (By::Email(hash), _) => events.bind(hash.clone()).all().await,
        (By::Address(address), _) => events.bind(address.clone()).all().await,
        (By::Time, Some(code)) => events.bind(code).all().await,
        (By::Time, None) => events.all().await,
    }
}

/// Lists every event after `after` that is older than `until`, oldest first.
pub async fn following(tx: &mut Tx, after: Uuid, until: Uuid, at_most: i64) -> Result<Vec<Entry>> {
    tx.query(concat!(
        "SELECT ",
        columns!(),
        " FROM audit_events WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3"
    ))
    .bind(after)
    .bind(until)
    .bind(at_most)
    .all()
    .await
}

/// Lists what the owner of an account is shown of it, newest first: what they did, or should know of.
pub async fn of_owner(
    tx: &mut Tx,
    owner: UserId,
    before: Uuid,
    at_most: i64,
) -> Result<Vec<Entry>> {
    tx.query(concat!(
        "SELECT ",
        columns!(),
        " FROM audit_events
          WHERE user_id = $1 AND id < $2 AND code <> 'REFRESH_ROTATED'
            AND code IN ('REGISTER_SUCCEEDED', 'USER_CREATED', 'SETUP_COMPLETED', 'EMAIL_VERIFIED',
                         'LOGIN_SUCCEEDED', 'LOGIN_FAILED', 'ACCOUNT_LOCKED', 'REFRESH_REUSED', 'LOGOUT',
                         'PASSWORD_REFUSED', 'BREACHED_PASSWORD_USED',
                         'SESSION_REVOKED', 'PASSWORD_RESET_REQUESTED', 'PASSWORD_RESET_COMPLETED',
                         'PASSWORD_CHANGED', 'PASSWORD_MISMATCH', 'EMAIL_CHANGE_REQUESTED',
                         'EMAIL_CHANGED', 'PROFILE_CHANGED', 'ROLES_CHANGED', 'STATUS_CHANGED',
                         'SECOND_FACTOR_ASKED', 'SECOND_FACTOR_REFUSED', 'SECOND_FACTOR_ENABLED',
                         'SECOND_FACTOR_DISABLED', 'SECOND_FACTOR_RESET', 'RECOVERY_CODE_USED',
                         'RECOVERY_CODES_RENEWED', 'PASSKEY_ADDED', 'PASSKEY_REMOVED',
                          'PASSKEY_REFUSED', 'IDENTITY_LINKED', 'IDENTITY_REMOVED',
                          'FEDERATION_REFUSED', 'USER_DELETION_REQUESTED',
                          'USER_DELETION_WITHDRAWN', 'DATA_EXPORTED', 'ACCOUNT_SECURED',
                         'SIGN_IN_HANDED_OVER', 'TRUSTED_DEVICE_ADDED', 'TRUSTED_DEVICE_USED',
                         'TRUSTED_DEVICE_REMOVED')
          ORDER BY id DESC LIMIT $3"
    ))
    .bind(owner)
    .bind(before)
    .bind(at_most)
    .all()
    .await
}

/// The least id that an event of `at` or later can have: a UUIDv7 begins with its millisecond.
#[must_use]
pub fn first_id_of(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_microsecond() / 1000).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}
