//! Opening an account, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Newcomer, RegisterError};
use crate::app::{App, Body, Ctx, PathId};
use crate::kernel::{EmailAddress, FullName, Locale, MailId};
use crate::mail::Progress;
use crate::passwords::weaknesses;
use crate::problem::{Code, Problem, problems};

problems!(
    /// What registering may answer.
    RegisterProblems = EmailAlreadyRegistered | SignInMethodOff | RegistrationClosed | CaptchaRequired
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge | ServiceOverloaded
);

problems!(
    /// What asking for the mail of a registration may answer.
    ProgressProblems = MailNotFound
);

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Closed => Code::RegistrationClosed.into(),
            RegisterError::Weak(found) => weaknesses("/password", &found),
            RegisterError::NoPassword => {
                Self::invalid_field("/password", "missing", "Send a password.")
            }
            RegisterError::PasswordsOff(off) => off.into(),
            RegisterError::AlreadyRegistered => Code::EmailAlreadyRegistered.into(),
            RegisterError::InvalidLink => Code::InvalidVerificationToken.into(),
            RegisterError::Captcha(error) => error.into(),
            RegisterError::Limited(exceeded) => exceeded.into(),
            RegisterError::Overloaded(overloaded) => overloaded.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    email: EmailAddress,
    /// Needed; and refused where `password.enabled` is `false`.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    full_name: Option<FullName>,
    /// The language of mails and pages.
    locale: Option<Locale>,
    /// The answer to a captcha, where `AUTH_CAPTCHA_REQUIRED` asked for one.
    #[schema(value_type = Option<String>)]
    captcha_token: Option<SecretString>,
}

/// A registration that was taken in.
#[derive(Serialize, ToSchema)]
pub struct Registered {
    email: EmailAddress,
    /// Always `false`: the mail has a link.
    is_verified: bool,
    /// The mail: ask `GET /auth/mails/{id}` what becomes of it.
    mail_id: MailId,
}

/// Register.
///
/// The answer is the same whether or not the address has an account; the mail tells. Where passwords are switched
/// off, the link in it proves the address, and one signs in by mail, with a passkey or at a provider.
#[utoipa::path(
    post, path = "/api/v1/auth/register", tag = "registration", request_body = Register,
    responses((status = ACCEPTED, body = Registered), RegisterProblems),
)]
pub async fn register(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Register>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    let Register { email, password, full_name, locale, captcha_token } = body;
    let newcomer = Newcomer { email: email.clone(), password, full_name, locale };
    let mail_id = super::register(&app, &ctx, newcomer, captcha_token.as_ref()).await?;
    Ok((StatusCode::ACCEPTED, Json(Registered { email, is_verified: false, mail_id })))
}

/// See what became of the mail of a registration, for a day.
///
/// Show it to whoever waits for the mail: a mistyped address is noticed at once. Only who registered
/// knows the id, and the answer tells nothing of the account.
#[utoipa::path(
    get, path = "/api/v1/auth/mails/{id}", tag = "registration",
    params(("id" = MailId, Path, description = "The mail, as the registration named it.")),
    responses((status = OK, body = Progress), ProgressProblems),
)]
pub async fn progress(
    State(app): State<App>,
    ctx: Ctx,
    PathId(id): PathId<MailId>,
) -> Result<Json<Progress>, Problem> {
    let progress = super::progress(&app, &ctx, id).await?;
    progress.map(Json).ok_or_else(|| Code::MailNotFound.into())
}
