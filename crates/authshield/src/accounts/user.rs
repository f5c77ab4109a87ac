//! An account, as it is stored and as it is shown.

use serde::Serialize;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;

use crate::kernel::{EmailAddress, FullName, Locale, Timestamp, UserId};

/// An account without its secrets.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name, for ever.
    pub id: UserId,
    /// The one address that mail goes to.
    pub email: EmailAddress,
    /// What its owner is called.
    pub full_name: Option<FullName>,
    /// Which language its owner reads.
    pub locale: Locale,
    /// When the address was proved.
    pub email_verified_at: Option<Timestamp>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Since when it has a second factor: from then on a password alone opens no session.
    pub second_factor_at: Option<Timestamp>,
    /// When it will be deleted, as its owner asked.
    pub deletion_due_at: Option<Timestamp>,
    /// Raised by each change of what it may do: tokens of an epoch before say something else.
    pub epoch: i64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its roles, in order.
    pub roles: Vec<String>,
}

impl User {
    /// Returns what is known of somebody new: their address is not proved, and they are a `user`.
    #[must_use]
    pub fn new(
        id: UserId,
        email: EmailAddress,
        full_name: Option<FullName>,
        locale: Locale,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            email,
            full_name,
            locale,
            email_verified_at: None,
            disabled_at: None,
            second_factor_at: None,
            deletion_due_at: None,
            epoch: 0,
            created_at: now,
            updated_at: now,
            roles: vec!["user".to_owned()],
        }
    }
}

/// An account with the hash of its password.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account.
    pub user: User,
    /// A PHC string; none for somebody who has no password.
    pub password_hash: Option<String>,
}

impl<'r, R> FromRow<'r, R> for User
where
    R: Row,
    &'static str: sqlx::ColumnIndex<R>,
    UserId: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    EmailAddress: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    FullName: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Locale: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Timestamp: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    /// Roles come as one text, since only that is alike on both databases.
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let roles: String = row.try_get("roles")?;
        let mut roles: Vec<String> = roles.split_whitespace().map(str::to_owned).collect();
        roles.sort();
        Ok(Self {
            id: row.try_get("user_id")?,
            email: row.try_get("email")?,
            full_name: row.try_get("full_name")?,
            locale: row.try_get("locale")?,
            email_verified_at: row.try_get("email_verified_at")?,
            disabled_at: row.try_get("disabled_at")?,
            second_factor_at: row.try_get("second_factor_at")?,
            deletion_due_at: row.try_get("deletion_due_at")?,
            epoch: row.try_get("user_epoch")?,
            created_at: row.try_get("user_created_at")?,
            updated_at: row.try_get("user_updated_at")?,
            roles,
        })
    }
}

impl<'r, R> FromRow<'r, R> for Account
where
    R: Row,
    User: FromRow<'r, R>,
    &'static str: sqlx::ColumnIndex<R>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self { user: User::from_row(row)?, password_hash: row.try_get("password_hash")? })
    }
}

/// The columns of a [`User`], from `users AS u`.
macro_rules! user_columns {
    () => {
        concat!(
            $crate::accounts::user_columns_without_roles!(),
            ", COALESCE((SELECT string_agg(r.role, ' ') FROM user_roles AS r
                         WHERE r.user_id = u.id), '') AS roles"
        )
    };
}
pub(crate) use user_columns;

/// All of them but the roles, for who knows those.
macro_rules! user_columns_without_roles {
    () => {
        "u.id AS user_id, u.email, u.full_name, u.locale, u.email_verified_at, u.disabled_at,
         u.second_factor_at, u.deletion_due_at, u.epoch AS user_epoch,
         u.created_at AS user_created_at, u.updated_at AS user_updated_at"
    };
}
pub(crate) use user_columns_without_roles;

/// An account, as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    id: UserId,
    email: EmailAddress,
    full_name: Option<FullName>,
    /// Whether the address was proved.
    is_verified: bool,
    /// Whether the account may be used.
    is_active: bool,
    /// Whether a second factor is asked for.
    is_2fa_enabled: bool,
    /// Its roles, in order.
    roles: Vec<String>,
    locale: Locale,
    /// When it will be deleted, as its owner asked; nothing if nobody did.
    #[schema(value_type = Option<String>, format = DateTime)]
    deletion_due_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            full_name: user.full_name,
            is_verified: user.email_verified_at.is_some(),
            is_active: user.disabled_at.is_none(),
            is_2fa_enabled: user.second_factor_at.is_some(),
            roles: user.roles,
            locale: user.locale,
            deletion_due_at: user.deletion_due_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
