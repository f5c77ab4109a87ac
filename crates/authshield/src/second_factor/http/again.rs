//! Proving again who one is, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{Again, challenge_again, send_code_again, step_up as prove_again};
use super::{MailCodeSent, one_of};
use crate::access::Caller;
use crate::app::{App, Body, Ctx};
use crate::passkeys::http::{RequestOptions, UsedCredential};
use crate::problem::{Problem, problems};

problems!(
    /// What proving again who one is may answer.
    StepUpProblems = PasswordMismatch | SignInMethodOff | SecondFactorInvalid | SecondFactorNotEnabled | TokenMissing | TokenInvalid
        | TokenExpired | TokenRevoked | AccountDisabled | ValidationFailed | UnsupportedMediaType
        | BodyTooLarge | ServiceOverloaded
);
problems!(
    /// What asking for a challenge to prove it again may answer.
    AgainProblems = SecondFactorNotEnabled | UserNotFound | TokenMissing | TokenInvalid | TokenExpired
        | TokenRevoked | AccountDisabled
);

/// The second factor, once more; or the password, where there is none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveAgain {
    /// Six digits of the app, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// What a passkey signed, in the place of both.
    #[serde(default)]
    credential: Option<UsedCredential>,
    /// The six digits of a mail, where there is none of them.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email_code: Option<SecretString>,
}

/// Prove again who you are.
///
/// An account with a second factor shows a code, others the password; whoever has a passkey may show that, and who has
/// none of them a code by mail. The session counts as fresh from then on; the next access token says so in `auth_time` and `amr`.
#[utoipa::path(
    post, path = "/api/v1/auth/step-up", tag = "second factor",
    security(("access_token" = [])), request_body = ProveAgain,
    responses((status = NO_CONTENT), StepUpProblems),
)]
pub async fn step_up(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<ProveAgain>,
) -> Result<StatusCode, Problem> {
    let again = Again {
        proof: one_of(body.code, body.credential, body.email_code)?,
        password: body.password,
    };
    prove_again(&app, &ctx, &caller, &again).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask for what a passkey signs to prove again who you are.
///
/// What comes of it goes to `/auth/step-up` as `credential`, in the same session.
#[utoipa::path(
    post, path = "/api/v1/auth/step-up/passkey", tag = "second factor",
    security(("access_token" = [])),
    responses((status = OK, body = RequestOptions), AgainProblems),
)]
pub async fn ask_for_passkey_again(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
) -> Result<Json<RequestOptions>, Problem> {
    Ok(Json(challenge_again(&app, &ctx, &caller).await?.into()))
}

/// Ask for a code by mail to prove again who you are, where `factors` says `email`.
///
/// It works once, in this session alone, and goes to `/auth/step-up` as `email_code`.
#[utoipa::path(
    post, path = "/api/v1/auth/step-up/email", tag = "second factor",
    security(("access_token" = [])),
    responses((status = ACCEPTED, body = MailCodeSent), AgainProblems),
)]
pub async fn ask_for_mail_code_again(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
) -> Result<(StatusCode, Json<MailCodeSent>), Problem> {
    let lasts = send_code_again(&app, &ctx, &caller).await?;
    Ok((StatusCode::ACCEPTED, Json(MailCodeSent { expires_in: lasts.as_secs() })))
}
