//! The account behind the access token, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

pub use super::user::UserBody;
use super::{Change, ChangeError};
use crate::access::Caller;
use crate::app::{App, Body, Ctx};
use crate::kernel::{EmailAddress, FullName, Locale};
use crate::passwords::weaknesses;
use crate::problem::{Code, Problem, problems};

problems!(
    /// What reading the own account may answer.
    CallerProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
);
problems!(
    /// What changing the profile may answer.
    ProfileProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What changing the password or the address may answer.
    ChangeProblems = PasswordMismatch | SamePassword | SignInMethodOff | StepUpRequired | TokenMissing | TokenInvalid | TokenExpired
        | TokenRevoked | AccountDisabled | ValidationFailed | UnsupportedMediaType | BodyTooLarge
        | ServiceOverloaded
);

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::WrongPassword | ChangeError::Raced => {
                Self::from(Code::PasswordMismatch).because(error.to_string())
            }
            ChangeError::SamePassword => Code::SamePassword.into(),
            ChangeError::PasswordsOff(off) => off.into(),
            ChangeError::StepUp(due) => due.into(),
            ChangeError::Weak(found) => weaknesses("/new_password", &found),
            ChangeError::Limited(exceeded) => exceeded.into(),
            ChangeError::Overloaded(overloaded) => overloaded.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

/// See the own account.
#[utoipa::path(
    get, path = "/api/v1/users/me", tag = "account", security(("access_token" = [])),
    responses((status = OK, body = UserBody), CallerProblems),
)]
pub async fn me(caller: Caller) -> Json<UserBody> {
    Json(caller.user.into())
}

/// What to change in a profile; a field that is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProfile {
    /// A name, or `null` to have none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 200)]
    full_name: Change<FullName>,
    /// The language of mails and pages.
    locale: Option<Locale>,
}

/// Tells a field that is `null` from one that is left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Change<T>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Change::To)
}

/// Change name and language.
#[utoipa::path(
    patch, path = "/api/v1/users/me", tag = "account", security(("access_token" = [])),
    request_body = ChangeProfile, responses((status = OK, body = UserBody), ProfileProblems),
)]
pub async fn change_profile(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<ChangeProfile>,
) -> Result<Json<UserBody>, Problem> {
    let user = super::change_profile(&app, &ctx, &caller, body.full_name, body.locale).await?;
    user.map(|user| Json(user.into())).ok_or_else(|| Code::TokenRevoked.into())
}

/// The current password, and the one to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// Set a new password.
///
/// Every other session of the account ends; the owner gets a mail. It needs `password.enabled`.
#[utoipa::path(
    post, path = "/api/v1/auth/change-password", tag = "account", security(("access_token" = [])),
    request_body = ChangePassword, responses((status = NO_CONTENT), ChangeProblems),
)]
pub async fn change_password(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<ChangePassword>,
) -> Result<StatusCode, Problem> {
    super::change_password(&app, &ctx, &caller, body.current_password, body.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new address, and the password once more where the sign-in was too long ago.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    new_email: EmailAddress,
    /// Without it, the session must be fresh: `AUTH_STEP_UP_REQUIRED` says what makes it so.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// Ask for another address.
///
/// It takes effect when the link that is sent to the new address is used; the old address is told.
/// The answer is the same whether or not somebody else has the address.
#[utoipa::path(
    post, path = "/api/v1/users/me/email", tag = "account", security(("access_token" = [])),
    request_body = ChangeEmail, responses((status = ACCEPTED), ChangeProblems),
)]
pub async fn change_email(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<ChangeEmail>,
) -> Result<StatusCode, Problem> {
    super::change_email(&app, &ctx, &caller, body.new_email, body.password.as_ref()).await?;
    Ok(StatusCode::ACCEPTED)
}
