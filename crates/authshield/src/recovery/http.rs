//! A forgotten password, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::ResetError;
use crate::app::{App, Body, Ctx};
use crate::kernel::{EmailAddress, LinkToken};
use crate::passwords::weaknesses;
use crate::problem::{Code, Problem, problems};
use crate::verification::http::Message;

problems!(
    /// What setting a new password may answer.
    ResetProblems = InvalidResetToken | SignInMethodOff | ValidationFailed | UnsupportedMediaType | BodyTooLarge
        | ServiceOverloaded
);

problems!(
    /// What asking for a link may answer.
    ForgotProblems = SignInMethodOff | CaptchaRequired | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);

impl From<ResetError> for Problem {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::InvalidLink(reason) => Self::from(Code::InvalidResetToken)
                .detail("The link was used, has expired, or is not complete. Ask for a new mail.")
                .because(reason),
            ResetError::Weak(found) => weaknesses("/new_password", &found),
            ResetError::PasswordsOff(off) => off.into(),
            ResetError::Captcha(error) => error.into(),
            ResetError::Limited(exceeded) => exceeded.into(),
            ResetError::Overloaded(overloaded) => overloaded.into(),
            ResetError::Store(error) => error.into(),
        }
    }
}

/// Whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgot {
    email: EmailAddress,
    /// The answer to a captcha, where `AUTH_CAPTCHA_REQUIRED` asked for one.
    #[schema(value_type = Option<String>)]
    captcha_token: Option<SecretString>,
}

/// Ask for a link to set a new password; the answer is always the same. It needs `password.enabled`.
#[utoipa::path(
    post, path = "/api/v1/auth/forgot-password", tag = "recovery", request_body = Forgot,
    responses((status = ACCEPTED, body = Message), ForgotProblems),
)]
pub async fn forgot(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Forgot>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    super::forgot(&app, &ctx, &body.email, body.captcha_token.as_ref()).await?;
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
/// Every session of the account ends, and nobody is signed in by this. It needs `password.enabled`.
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
