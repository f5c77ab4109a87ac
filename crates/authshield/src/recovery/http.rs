//! A forgotten password, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::ResetError;
use crate::app::{App, Body, Ctx};
use crate::kernel::LinkToken;
use crate::passwords::weaknesses;
use crate::problem::{Code, Problem, problems};
use crate::verification::http::{Address, MailProblems, Message};

problems!(
    /// What setting a new password may answer.
    ResetProblems = InvalidResetToken | ValidationFailed | UnsupportedMediaType | BodyTooLarge
        | ServiceOverloaded
);

impl From<ResetError> for Problem {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::InvalidLink(reason) => Self::from(Code::InvalidResetToken)
                .detail("The link was used, has expired, or is not complete. Ask for a new mail.")
                .because(reason),
            ResetError::Weak(found) => weaknesses("/new_password", &found),
            ResetError::Limited(exceeded) => exceeded.into(),
            ResetError::Overloaded(overloaded) => overloaded.into(),
            ResetError::Store(error) => error.into(),
        }
    }
}

/// Ask for a link to set a new password; the answer is always the same.
#[utoipa::path(
    post, path = "/api/v1/auth/forgot-password", tag = "recovery", request_body = Address,
    responses((status = ACCEPTED, body = Message), MailProblems),
)]
pub async fn forgot(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Address>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    super::forgot(&app, &ctx, &body.email).await?;
    let message = "If the address has an account, a mail is on its way.";
    Ok((StatusCode::ACCEPTED, Json(Message { message })))
}

/// The token of a link, and the password to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[schema(value_type = String)]
    token: SecretString,
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// Set a new password with the token of a mail; it works once.
///
/// Every session of the account ends, and nobody is signed in by this.
#[utoipa::path(
    post, path = "/api/v1/auth/reset-password", tag = "recovery", request_body = Reset,
    responses((status = NO_CONTENT), ResetProblems),
)]
pub async fn reset(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Reset>,
) -> Result<StatusCode, Problem> {
    let token = LinkToken::parse(body.token.expose_secret());
    super::reset(&app, &ctx, token.as_ref(), body.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}
