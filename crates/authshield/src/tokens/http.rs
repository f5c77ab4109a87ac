//! Refreshing, over HTTP.

use axum::Json;
use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{RefreshError, TokenPair};
use crate::app::{App, Body, Ctx};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What refreshing may answer.
    RefreshProblems = RefreshTokenInvalid | RefreshTokenReused | ValidationFailed
        | UnsupportedMediaType | BodyTooLarge
);

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid(reason) => {
                Self::from(Code::RefreshTokenInvalid).detail("Sign in again.").because(reason)
            }
            RefreshError::Reused => Self::from(Code::RefreshTokenReused).detail(
                "This refresh token was already used, so the session was ended. Sign in again.",
            ),
            RefreshError::Limited(exceeded) => exceeded.into(),
            RefreshError::Store(error) => error.into(),
        }
    }
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Exchange a refresh token for a new pair.
///
/// A refresh token works once. Within the retry leeway the same token yields the same successor
/// again, as long as that one was not used; after that, using it again ends the session.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "sign-in", request_body = Refresh,
    responses((status = OK, body = TokenPair), RefreshProblems),
)]
pub async fn refresh(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Refresh>,
) -> Result<Json<TokenPair>, Problem> {
    let pair = super::refresh(&app, &ctx, body.refresh_token.expose_secret()).await?;
    Ok(Json(pair))
}
