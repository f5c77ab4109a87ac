//! Proving an address, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::VerifyError;
use crate::app::{App, Body, Ctx};
use crate::kernel::{EmailAddress, LinkToken, MailId, UserId};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What proving an address may answer.
    VerifyProblems = InvalidVerificationToken | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What asking for a mail may answer.
    MailProblems = ValidationFailed | UnsupportedMediaType | BodyTooLarge
);

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::InvalidLink(reason) => Self::from(Code::InvalidVerificationToken)
                .detail("The link was used, has expired, or is not complete. Ask for a new mail.")
                .because(reason),
            VerifyError::Limited(exceeded) => exceeded.into(),
            VerifyError::Store(error) => error.into(),
        }
    }
}

/// The token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    #[schema(value_type = String)]
    token: SecretString,
}

/// An address that was proved.
#[derive(Serialize, ToSchema)]
pub struct VerifiedBody {
    user_id: UserId,
    email: EmailAddress,
    /// Always `true`.
    is_verified: bool,
}

/// Prove an address with the token of a mail; it works once.
#[utoipa::path(
    post, path = "/api/v1/auth/verify-email", tag = "registration", request_body = Verify,
    responses((status = OK, body = VerifiedBody), VerifyProblems),
)]
pub async fn verify(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Verify>,
) -> Result<Json<VerifiedBody>, Problem> {
    let token = LinkToken::parse(body.token.expose_secret());
    let verified = super::verify(&app, &ctx, token.as_ref()).await?;
    Ok(Json(VerifiedBody { user_id: verified.user, email: verified.email, is_verified: true }))
}

/// A sentence for people.
#[derive(Serialize, ToSchema)]
pub struct Message {
    pub(crate) message: &'static str,
}

/// Whose proof is still to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resend {
    email: EmailAddress,
    /// The mail of the registration, or of the last time that another was asked for.
    mail_id: Option<MailId>,
}

/// Another mail was asked for.
#[derive(Serialize, ToSchema)]
pub struct Resent {
    message: &'static str,
    /// The new mail, for who named that of a registration of the last day: ask `GET /auth/mails/{id}`
    /// what becomes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_id: Option<MailId>,
}

/// Ask for a new verification mail; the answer tells nothing of the account.
#[utoipa::path(
    post, path = "/api/v1/auth/resend-verification", tag = "registration", request_body = Resend,
    responses((status = ACCEPTED, body = Resent), MailProblems),
)]
pub async fn resend(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Resend>,
) -> Result<(StatusCode, Json<Resent>), Problem> {
    let mail_id = super::resend(&app, &ctx, &body.email, body.mail_id).await?;
    let message = "If the address has an account that is not verified, a mail is on its way.";
    Ok((StatusCode::ACCEPTED, Json(Resent { message, mail_id })))
}
