//! Closing an account at once, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Also, NotMeError};
use crate::access::{Caller, ChangeStatus, Fresh};
use crate::accounts::http::UserBody;
use crate::admin::ChangeProblems;
use crate::app::{App, Body, Ctx, PathId};
use crate::kernel::{LinkToken, UserId};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What saying that it was somebody else may answer.
    NotMeProblems = InvalidNoticeToken | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What closing the own account may answer.
    LockProblems = StepUpRequired | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);

impl From<NotMeError> for Problem {
    fn from(error: NotMeError) -> Self {
        match error {
            NotMeError::InvalidLink(reason) => Self::from(Code::InvalidNoticeToken)
                .detail(
                    "The link was used, has expired, or is not complete. If somebody else is in your \
                     account, ask for a new password.",
                )
                .because(reason),
            NotMeError::Store(error) => error.into(),
        }
    }
}

/// The token of a notice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotMe {
    #[schema(value_type = String)]
    token: SecretString,
}

/// Say with the token of a notice that it was somebody else; it works once.
///
/// Every session ends, the password counts no more, passkeys and an authenticator app that were added since are
/// removed, an address that was changed since is put back. A link to choose a new password goes to the mailbox
/// that the notice went to; until then nothing opens the account.
#[utoipa::path(
    post, path = "/api/v1/auth/not-me", tag = "recovery", request_body = NotMe,
    responses((status = NO_CONTENT), NotMeProblems),
)]
pub async fn not_me(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<NotMe>,
) -> Result<StatusCode, Problem> {
    let token = LinkToken::parse(body.token.expose_secret());
    super::not_me(&app, &ctx, token.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is closed besides.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockOwn {
    /// Whether second factor and passkeys are removed, too; that needs a fresh proof of who asks.
    #[serde(default)]
    remove_factors: bool,
}

/// Close the own account at once: the panic button.
///
/// Every session ends, this one, too; the password counts no more, and a mail leads to a new one. Until then
/// nothing opens the account, not even a passkey.
#[utoipa::path(
    post, path = "/api/v1/users/me/lock", tag = "account", security(("access_token" = [])),
    request_body = LockOwn, responses((status = NO_CONTENT), LockProblems),
)]
pub async fn lock_own(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<LockOwn>,
) -> Result<StatusCode, Problem> {
    super::lock_own(&app, &ctx, &caller, body.remove_factors).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is reset besides.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockUser {
    /// Whether the password counts no more: once the account is enabled, its owner chooses one by mail, or proves
    /// the address where nobody has a password.
    #[serde(default)]
    reset_password: bool,
    /// Whether second factor and passkeys are removed; not the own ones.
    #[serde(default)]
    reset_factors: bool,
}

/// Close an account at once.
///
/// It is disabled; sessions, tokens, sign-ins that wait and links that are open end. It comes back when
/// `PATCH /api/v1/admin/users/{id}/status` enables it.
#[utoipa::path(
    post, path = "/api/v1/admin/users/{id}/lock", tag = "administration",
    security(("access_token" = [])), request_body = LockUser,
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = OK, body = UserBody), ChangeProblems),
)]
pub async fn lock_user(
    State(app): State<App>,
    ctx: Ctx,
    Fresh(caller, _): Fresh<ChangeStatus>,
    PathId(user): PathId<UserId>,
    Body(body): Body<LockUser>,
) -> Result<Json<UserBody>, Problem> {
    let LockUser { reset_password, reset_factors } = body;
    let also = Also { reset_password, reset_factors };
    let user = super::lock(&app, &ctx, Some(caller.user.id), user, also).await?;
    Ok(Json(user.into()))
}
