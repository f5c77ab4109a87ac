//! Signing in, over HTTP.

use axum::Json;
use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{LoginError, Refusal};
use crate::app::{App, Body, Ctx};
use crate::kernel::{EmailAddress, TrustToken};
use crate::problem::{Code, Problem, problems};
use crate::telemetry::to_the_end;
use crate::tokens::TokenPair;

problems!(
    /// What signing in may answer.
    LoginProblems = InvalidCredentials | SignInMethodOff | EmailNotVerified | AccountDisabled | SecondFactorRequired
        | SecondFactorEnrolmentRequired | CaptchaRequired | ValidationFailed | UnsupportedMediaType | BodyTooLarge | ServiceOverloaded
);

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused(Refusal::EmailUnverified) => Self::from(Code::EmailNotVerified)
                .detail("Open the link in the verification mail, or ask for a new one.")
                .because(Refusal::EmailUnverified.reason()),
            LoginError::Refused(Refusal::AccountDisabled) => Self::from(Code::AccountDisabled)
                .detail("The account is disabled. Ask an administrator.")
                .because(Refusal::AccountDisabled.reason()),
            LoginError::Refused(refusal) => {
                Self::from(Code::InvalidCredentials).because(refusal.reason())
            }
            LoginError::SecondFactorDue(ticket) => ticket.into(),
            LoginError::PasswordsOff(off) => off.into(),
            LoginError::Captcha(error) => error.into(),
            LoginError::Limited(exceeded) => exceeded.into(),
            LoginError::Overloaded(overloaded) => overloaded.into(),
            LoginError::Store(error) => error.into(),
        }
    }
}

/// An address and its password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    email: EmailAddress,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The answer to a captcha, where `AUTH_CAPTCHA_REQUIRED` asked for one.
    #[schema(value_type = Option<String>)]
    captcha_token: Option<SecretString>,
    /// What `POST /auth/2fa/verify` answered on this device when it was to be trusted.
    #[schema(value_type = Option<String>)]
    trust_token: Option<SecretString>,
}

/// Sign in with a password.
///
/// An unknown address and a wrong password get the same answer, in the same time. Where the account has
/// a second factor, the right password is answered with `AUTH_2FA_REQUIRED`; go on with
/// `POST /auth/2fa/verify`. On a trusted device, `trust_token` spares that. It needs `password.enabled`.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "sign-in", request_body = LogIn,
    responses((status = OK, body = TokenPair), LoginProblems),
)]
pub async fn log_in(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<LogIn>,
) -> Result<Json<TokenPair>, Problem> {
    // A password that was counted is judged, and what that leads to is told, even if its client hangs up.
    let LogIn { email, password, captcha_token, trust_token } = body;
    let trust = trust_token.and_then(|token| TrustToken::parse(token.expose_secret()));
    let pair = to_the_end(async move {
        let (captcha, trust) = (captcha_token.as_ref(), trust.as_ref());
        super::log_in(&app, &ctx, &email, &password, captcha, trust).await
    });
    Ok(Json(pair.await?))
}
