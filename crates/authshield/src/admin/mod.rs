//! What operators do to others, over HTTP; each act names its permission in its signature.

pub mod events;
pub mod mail;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::access::{
    Can, ChangeRoles, ChangeStatus, EndSessions, Fresh, SeeSessions, SeeUsers, lacks,
};
use crate::accounts::http::UserBody;
use crate::accounts::{self, User};
use crate::app::{App, Body, Ctx, Params, PathId};
use crate::kernel::{Page, Paging, Place, UserId};
use crate::problem::{Code, Problem, problems};
use crate::roles::{self, AdminError};
use crate::sessions;
use crate::sessions::http::SessionBody;

problems!(
    /// What listing may answer.
    ListProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed
);
problems!(
    /// What looking at one account may answer.
    OneProblems = UserNotFound | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled | InsufficientPermissions | ValidationFailed
);
problems!(
    /// What changing an account may answer.
    ChangeProblems = UserNotFound | CannotRemoveOwnRole | LastAdmin | TokenMissing | TokenInvalid
        | TokenExpired | TokenRevoked | AccountDisabled | InsufficientPermissions | StepUpRequired
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NoSuchUser => Code::UserNotFound.into(),
            AdminError::NoSuchRole(role) => {
                Self::invalid_field("/roles", "unknown_role", format!("There is no role {role:?}."))
            }
            AdminError::NotAllowed(permission) => lacks(permission).because(error.to_string()),
            AdminError::OwnRole => {
                Self::from(Code::CannotRemoveOwnRole).detail("Ask another administrator to do it.")
            }
            AdminError::OwnFactors => lacks("another administrator")
                .detail("Nobody resets the own second factor. Disable it with a code.")
                .because(error.to_string()),
            AdminError::LastAdmin => {
                Self::from(Code::LastAdmin).detail("Make somebody else an administrator first.")
            }
            AdminError::Store(error) => error.into(),
        }
    }
}

/// Which accounts to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// A part of the address.
    email: Option<String>,
    /// Only who holds this role.
    role: Option<String>,
    /// Only accounts that may be used, or only those that may not.
    is_active: Option<bool>,
    /// How many items, 1 to 200; 50 unless said.
    limit: Option<u16>,
    /// `next_cursor` of the piece before.
    cursor: Option<String>,
}

/// A `LIKE` pattern that finds `part` anywhere, taken literally.
pub(crate) fn pattern(part: &str) -> String {
    let mut pattern = String::from("%");
    for letter in part.trim().to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// List accounts, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/users", tag = "administration", security(("access_token" = [])),
    params(Filter), responses((status = OK, body = Page<UserBody>), ListProblems),
)]
pub async fn list_users(
    State(app): State<App>,
    _: Can<SeeUsers>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<UserBody>>, Problem> {
    let Filter { email, role, is_active, limit, cursor } = filter;
    for (pointer, text) in [("/email", &email), ("/role", &role)] {
        if text.as_ref().is_some_and(|text| text.len() > 254 || text.contains('\0')) {
            let words = "A filter is too long to match.";
            return Err(Problem::invalid_field(pointer, "invalid_filter", words));
        }
    }
    let (after, at_most) = Paging::new(limit, cursor).read()?;
    let mut tx = app.store.glance().await?;
    let pattern = email.as_deref().map(pattern);
    let users = accounts::members(&mut tx, pattern, role, is_active, after, at_most).await?;
    let place = |user: &User| Place { at: user.created_at, id: user.id.as_uuid() };
    Ok(Json(Page::cut(users, at_most, place).map(UserBody::from)))
}

/// See one account.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}", tag = "administration", security(("access_token" = [])),
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = OK, body = UserBody), OneProblems),
)]
pub async fn see_user(
    State(app): State<App>,
    _: Can<SeeUsers>,
    PathId(user): PathId<UserId>,
) -> Result<Json<UserBody>, Problem> {
    Ok(Json(find(&app, user).await?.into()))
}

async fn find(app: &App, user: UserId) -> Result<User, Problem> {
    accounts::see(app, user).await?.ok_or_else(|| Code::UserNotFound.into())
}

/// The roles an account is to have: these and no others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoles {
    #[schema(max_items = 50)]
    roles: Vec<String>,
}

/// Set the roles of an account; they count from the next request on.
#[utoipa::path(
    patch, path = "/api/v1/admin/users/{id}/roles", tag = "administration",
    security(("access_token" = [])), request_body = SetRoles,
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = OK, body = UserBody), ChangeProblems),
)]
pub async fn set_roles(
    State(app): State<App>,
    ctx: Ctx,
    Fresh(caller, _): Fresh<ChangeRoles>,
    PathId(user): PathId<UserId>,
    Body(body): Body<SetRoles>,
) -> Result<Json<UserBody>, Problem> {
    if body.roles.len() > 50 {
        return Err(Problem::invalid_field("/roles", "too_many", "At most 50 roles."));
    }
    let user = roles::set_roles(&app, &ctx, Some(caller.user.id), user, body.roles).await?;
    Ok(Json(user.into()))
}

/// Whether an account may be used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetStatus {
    is_active: bool,
}

/// Disable or enable an account; a disabled one is signed out everywhere at once.
#[utoipa::path(
    patch, path = "/api/v1/admin/users/{id}/status", tag = "administration",
    security(("access_token" = [])), request_body = SetStatus,
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = OK, body = UserBody), ChangeProblems),
)]
pub async fn set_status(
    State(app): State<App>,
    ctx: Ctx,
    Fresh(caller, _): Fresh<ChangeStatus>,
    PathId(user): PathId<UserId>,
    Body(body): Body<SetStatus>,
) -> Result<Json<UserBody>, Problem> {
    let user = roles::set_active(&app, &ctx, Some(caller.user.id), user, body.is_active).await?;
    Ok(Json(user.into()))
}

/// List the sessions of an account.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}/sessions", tag = "administration",
    security(("access_token" = [])),
    params(("id" = UserId, Path, description = "The account."), Paging),
    responses((status = OK, body = Page<SessionBody>), OneProblems),
)]
pub async fn list_sessions(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<SeeSessions>,
    PathId(user): PathId<UserId>,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<SessionBody>>, Problem> {
    let user = find(&app, user).await?.id;
    sessions::http::page(&app, &ctx, user, Some(caller.session), &paging).await.map(Json)
}

/// End all sessions of an account.
#[utoipa::path(
    delete, path = "/api/v1/admin/users/{id}/sessions", tag = "administration",
    security(("access_token" = [])),
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = NO_CONTENT), OneProblems),
)]
pub async fn end_sessions(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<EndSessions>,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode, Problem> {
    let user = find(&app, user).await?.id;
    sessions::revoke_all(&app, &ctx, Some(caller.user.id), user, "admin_revoked").await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn a_search_is_taken_literally() {
        assert_eq!(pattern(" Ann_%! "), "%ann!_!%!!%");
    }
}
