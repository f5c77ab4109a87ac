//! The second factor, over HTTP.

pub mod again;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FactorError, Proof, Standing, StepUp, Ticket, rules};
use crate::access::{Caller, Fresh, ResetFactors, lacks};
use crate::accounts::http::CallerProblems;
use crate::app::{App, Body, Ctx, PathId};
use crate::kernel::{PendingToken, RecoveryCode, Timestamp, UserId};
use crate::passkeys::http::{RequestOptions, UsedCredential};
use crate::problem::{Code, Problem, problems, seconds_up};
use crate::tokens::TokenPair;

problems!(
    /// What beginning to add a second factor may answer.
    EnableProblems = PasswordMismatch | StepUpRequired | SignInMethodOff | SecondFactorAlreadyEnabled | TokenMissing | TokenInvalid
        | TokenExpired | TokenRevoked | AccountDisabled | ValidationFailed | UnsupportedMediaType
        | BodyTooLarge | ServiceOverloaded
);
problems!(
    /// What adding a second factor may answer.
    ConfirmProblems = SecondFactorInvalid | SecondFactorNotEnabled | SecondFactorAlreadyEnabled
        | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What a sign-in with a code may answer.
    VerifyProblems = SecondFactorInvalid | SecondFactorNotEnabled
        | SecondFactorEnrolmentRequired | AccountDisabled
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What adding a second factor at sign-in may answer.
    EnrolProblems = SecondFactorInvalid | SecondFactorNotEnabled | SecondFactorAlreadyEnabled
        | AccountDisabled | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What asking for a challenge at sign-in may answer.
    SecondPasskeyProblems = SecondFactorInvalid | SecondFactorNotEnabled | ValidationFailed
        | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What asking for a code by mail at sign-in may answer.
    MailCodeProblems = SecondFactorInvalid | SecondFactorNotEnabled | AccountDisabled | UserNotFound
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What changing a second factor may answer.
    FactorProblems = PasswordMismatch | StepUpRequired | SignInMethodOff | SecondFactorInvalid | SecondFactorNotEnabled
        | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge | ServiceOverloaded
);
problems!(
    /// What taking a second factor away may answer.
    ResetProblems = UserNotFound | SecondFactorNotEnabled | TokenMissing | TokenInvalid
        | TokenExpired | TokenRevoked | AccountDisabled | InsufficientPermissions | StepUpRequired
);

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Refused(reason) => Self::from(Code::SecondFactorInvalid)
                .detail("It is wrong or was used, or it took too long. Try the next code, or once more.")
                .because(reason),
            // Years of it are left, whenever somebody asks.
            FactorError::Paused(pause) if pause > rules::FOR_EVER / 2 => {
                Self::from(Code::SecondFactorInvalid)
                    .detail(
                        "There were a hundred wrong codes: codes of the app are taken no more. Use a recovery \
                         code, or ask an administrator.",
                    )
                    .because("second_factor_locked")
            }
            FactorError::Paused(pause) => {
                let seconds = seconds_up(pause);
                Self::from(Code::RateLimitExceeded)
                    .detail(format!(
                        "Too many wrong codes. Try again in {seconds} seconds, or use a recovery code."
                    ))
                    .with("limit", rules::TRIES_PER_TICKET)
                    .with("window_seconds", seconds)
                    .with("retry_after", seconds)
                    .retry_after(pause)
                    .because("second_factor_paused")
            }
            FactorError::AccountDisabled => Self::from(Code::AccountDisabled)
                .detail("The account is disabled. Ask an administrator."),
            FactorError::Limited(exceeded) => exceeded.into(),
            FactorError::NotEnabled => Code::SecondFactorNotEnabled.into(),
            FactorError::AlreadyEnabled => Code::SecondFactorAlreadyEnabled.into(),
            FactorError::OwnFactor => lacks("another administrator")
                .detail("Nobody resets the own second factor. Disable it with a code.")
                .because(error.to_string()),
            FactorError::EnrolmentDue(ticket) => ticket.into(),
            FactorError::NoSuchUser => Code::UserNotFound.into(),
            FactorError::Password(error) => error.into(),
            FactorError::Vault(error) => Self::internal(&error),
            FactorError::Store(error) => error.into(),
        }
    }
}

impl From<Ticket> for Problem {
    fn from(ticket: Ticket) -> Self {
        let problem = if ticket.is_enrolment {
            Self::from(Code::SecondFactorEnrolmentRequired)
                .detail("You must add a second factor before you can go on.")
        } else if ticket.factors == ["email"] {
            Self::from(Code::SecondFactorRequired)
                .detail("Ask for a code by mail with `POST /auth/2fa/email`, and send it.")
        } else {
            Self::from(Code::SecondFactorRequired)
                .detail("Send a code of your authenticator app, a recovery code, or a passkey.")
        };
        let problem = match ticket.trust {
            Some(lasts) => problem.with("trust_expires_in", lasts.as_secs()),
            None => problem,
        };
        problem
            .with("factors", ticket.factors)
            .with_secret("mfa_token", SecretString::from(ticket.token.reveal()))
    }
}

impl From<StepUp> for Problem {
    fn from(step_up: StepUp) -> Self {
        match step_up {
            StepUp::Due { max_age, factors } => Self::from(Code::StepUpRequired)
                .detail("Prove again who you are, then repeat the request.")
                .with("max_age", max_age.as_secs())
                .with("factors", factors),
            StepUp::Store(error) => error.into(),
        }
    }
}

/// How the caller stands with a second factor.
#[derive(Serialize, ToSchema)]
pub struct SecondFactor {
    /// Whether a second factor is asked for.
    is_enabled: bool,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    enabled_at: Option<Timestamp>,
    /// How many recovery codes were not used.
    recovery_codes_left: i64,
    /// Whether it is time to make new ones.
    recovery_codes_low: bool,
}

impl From<Standing> for SecondFactor {
    fn from(standing: Standing) -> Self {
        Self {
            is_enabled: standing.since.is_some(),
            enabled_at: standing.since,
            recovery_codes_left: standing.codes_left,
            recovery_codes_low: standing.codes_low,
        }
    }
}

/// See how the own account stands with a second factor.
#[utoipa::path(
    get, path = "/api/v1/auth/2fa", tag = "second factor", security(("access_token" = [])),
    responses((status = OK, body = SecondFactor), CallerProblems),
)]
pub async fn see_second_factor(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<SecondFactor>, Problem> {
    Ok(Json(super::standing(&app, &caller).await?.into()))
}

/// The password once more, where the sign-in was too long ago.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableSecondFactor {
    /// Without it, the session must be fresh: `AUTH_STEP_UP_REQUIRED` says what makes it so.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// What an authenticator app is set up with.
#[derive(Serialize, ToSchema)]
pub struct Enrolment {
    /// The secret in base 32, to be typed in.
    secret: String,
    /// The same as an `otpauth:` address.
    otpauth_uri: String,
    /// The same as a picture for the camera (SVG).
    qr_svg: String,
    /// How long the first code may take, in seconds.
    expires_in: u64,
}

impl From<super::Enrolment> for Enrolment {
    fn from(enrolment: super::Enrolment) -> Self {
        Self {
            secret: enrolment.secret.to_string(),
            otpauth_uri: enrolment.uri.to_string(),
            qr_svg: enrolment.qr_svg,
            expires_in: enrolment.lasts.as_secs(),
        }
    }
}

/// Begin to add an authenticator app.
///
/// The secret is shown once, and counts when a code of it was sent to `/auth/2fa/confirm` in the same
/// session.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/enable", tag = "second factor",
    security(("access_token" = [])), request_body = EnableSecondFactor,
    responses((status = OK, body = Enrolment), EnableProblems),
)]
pub async fn enable_second_factor(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<EnableSecondFactor>,
) -> Result<Json<Enrolment>, Problem> {
    let enrolment = super::enable(&app, &ctx, &caller, body.password.as_ref()).await?;
    Ok(Json(enrolment.into()))
}

/// A code of the app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSecondFactor {
    /// Six digits.
    #[schema(value_type = String)]
    code: SecretString,
}

/// Codes that work once each in the place of the second factor.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Shown once; to be kept on paper or in a password manager.
    recovery_codes: Vec<String>,
}

impl From<Vec<RecoveryCode>> for RecoveryCodes {
    fn from(codes: Vec<RecoveryCode>) -> Self {
        Self { recovery_codes: codes.iter().map(|code| code.reveal().to_string()).collect() }
    }
}

/// Add the authenticator app that the code is of.
///
/// From now on a sign-in needs a code, and every other session of the account ends. The owner gets a
/// mail.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/confirm", tag = "second factor",
    security(("access_token" = [])), request_body = ConfirmSecondFactor,
    responses((status = OK, body = RecoveryCodes), ConfirmProblems),
)]
pub async fn confirm_second_factor(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<ConfirmSecondFactor>,
) -> Result<Json<RecoveryCodes>, Problem> {
    Ok(Json(super::confirm(&app, &ctx, &caller, &body.code).await?.into()))
}

/// What the sign-in was answered with, and a code or a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifySecondFactor {
    /// The member of `AUTH_2FA_REQUIRED`.
    #[schema(value_type = String)]
    mfa_token: SecretString,
    /// Six digits of the app, or a recovery code.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
    /// What a passkey signed, in the place of a code.
    #[serde(default)]
    credential: Option<UsedCredential>,
    /// The six digits of a mail, where `factors` says `email`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email_code: Option<SecretString>,
    /// Whether the next sign-ins on this device are to do without the second factor; it is done where
    /// `AUTH_2FA_REQUIRED` had `trust_expires_in`.
    #[serde(default)]
    trust_device: bool,
}

/// A session, and what the device keeps if it is trusted.
#[derive(Serialize, ToSchema)]
pub struct Verified {
    #[serde(flatten)]
    tokens: TokenPair,
    /// To be sent as `trust_token` with the next sign-ins of this account on this device, if it is trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_token: Option<String>,
    /// How long it works, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_expires_in: Option<u64>,
}

/// Returns the one thing that is shown.
fn one_of(
    code: Option<SecretString>,
    credential: Option<UsedCredential>,
    email_code: Option<SecretString>,
) -> Result<Option<Proof>, Problem> {
    match (code, credential, email_code) {
        (Some(code), None, None) => Ok(Some(Proof::Code(code))),
        (None, Some(credential), None) => Ok(Some(Proof::Passkey(credential.into()))),
        (None, None, Some(code)) => Ok(Some(Proof::MailCode(code))),
        (None, None, None) => Ok(None),
        _ => {
            let words = "Send `code`, `credential` or `email_code`, and only one of them.";
            Err(Problem::invalid_field("/credential", "too_many", words))
        }
    }
}

/// Sign in with the second factor.
///
/// A code works once, and so does what a passkey signed. An `mfa_token` works once, for five minutes and five
/// tries; after wrong codes in a row the account takes none for a while, longer each time. Recovery codes and
/// passkeys are taken all the same. With `trust_device` the answer has a `trust_token`, which spares the second
/// factor at the next sign-ins on this device, and nothing else.
///
/// Who showed a code by mail and must have a second factor gets no tokens but `AUTH_2FA_ENROLMENT_REQUIRED`: add one with
/// `POST /auth/2fa/enrol` and the same `mfa_token`.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/verify", tag = "second factor",
    request_body = VerifySecondFactor, responses((status = OK, body = Verified), VerifyProblems),
)]
pub async fn verify_second_factor(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<VerifySecondFactor>,
) -> Result<Json<Verified>, Problem> {
    let Some(proof) = one_of(body.code, body.credential, body.email_code)? else {
        return Err(Problem::invalid_field("/code", "missing", "Send `code` or `credential`."));
    };
    let token = PendingToken::parse(body.mfa_token.expose_secret());
    let verified = super::verify(&app, &ctx, token.as_ref(), &proof, body.trust_device).await?;
    let (tokens, trusted) = verified;
    let trust_expires_in = trusted.as_ref().map(|trusted| trusted.lasts.as_secs());
    let trust_token = trusted.map(|trusted| trusted.token.reveal().to_owned());
    Ok(Json(Verified { tokens, trust_token, trust_expires_in }))
}

/// What the sign-in was answered with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskForSecondPasskey {
    /// The member of `AUTH_2FA_REQUIRED`.
    #[schema(value_type = String)]
    mfa_token: SecretString,
}

/// A mail that is on its way.
#[derive(Serialize, ToSchema)]
pub struct MailCodeSent {
    /// How long the code works, in seconds.
    expires_in: u64,
}

/// Ask for a code by mail, where `factors` says `email`.
///
/// A rule of risk asked for more than the first factor, and the account has nothing else to show. The code works
/// once, for this `mfa_token` alone; five are looked at. It goes to `/auth/2fa/verify` as `email_code`.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/email", tag = "second factor",
    request_body = AskForSecondPasskey,
    responses((status = ACCEPTED, body = MailCodeSent), MailCodeProblems),
)]
pub async fn ask_for_mail_code(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<AskForSecondPasskey>,
) -> Result<(StatusCode, Json<MailCodeSent>), Problem> {
    let token = PendingToken::parse(body.mfa_token.expose_secret());
    let (_, lasts) = super::send_code(&app, &ctx, token.as_ref()).await?;
    Ok((StatusCode::ACCEPTED, Json(MailCodeSent { expires_in: lasts.as_secs() })))
}

/// Ask for what a passkey signs in the place of a code.
///
/// The answer goes into `PublicKeyCredential.parseRequestOptionsFromJSON` in the browser, and what comes of it to
/// `/auth/2fa/verify` as `credential`, with the same `mfa_token`.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/passkey", tag = "second factor",
    request_body = AskForSecondPasskey,
    responses((status = OK, body = RequestOptions), SecondPasskeyProblems),
)]
pub async fn ask_for_second_passkey(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<AskForSecondPasskey>,
) -> Result<Json<RequestOptions>, Problem> {
    let token = PendingToken::parse(body.mfa_token.expose_secret());
    Ok(Json(super::challenge(&app, &ctx, token.as_ref()).await?.into()))
}

/// A code once more, and the password where the sign-in was too long ago.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowAgain {
    /// Without it, the session must be fresh: `AUTH_STEP_UP_REQUIRED` says what makes it so.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// Six digits of the app, or a recovery code.
    #[schema(value_type = String)]
    code: SecretString,
}

/// Remove the second factor; the owner gets a mail.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/disable", tag = "second factor",
    security(("access_token" = [])), request_body = ShowAgain,
    responses((status = NO_CONTENT), FactorProblems),
)]
pub async fn disable_second_factor(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<ShowAgain>,
) -> Result<StatusCode, Problem> {
    super::disable(&app, &ctx, &caller, body.password.as_ref(), &body.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make new recovery codes; the ones before are worth nothing then. The owner gets a mail.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/recovery-codes", tag = "second factor",
    security(("access_token" = [])), request_body = ShowAgain,
    responses((status = OK, body = RecoveryCodes), FactorProblems),
)]
pub async fn renew_recovery_codes(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Body(body): Body<ShowAgain>,
) -> Result<Json<RecoveryCodes>, Problem> {
    Ok(Json(
        super::renew_codes(&app, &ctx, &caller, body.password.as_ref(), &body.code).await?.into(),
    ))
}

/// Take the second factor from somebody who lost it.
///
/// They are signed out everywhere and get a mail; the password alone lets them in again. Nobody does
/// this to the own account.
#[utoipa::path(
    delete, path = "/api/v1/admin/users/{id}/2fa", tag = "administration",
    security(("access_token" = [])),
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = NO_CONTENT), ResetProblems),
)]
pub async fn reset_second_factor(
    State(app): State<App>,
    ctx: Ctx,
    Fresh(caller, _): Fresh<ResetFactors>,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode, Problem> {
    super::reset(&app, &ctx, Some(caller.user.id), user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the sign-in was answered with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The member of `AUTH_2FA_ENROLMENT_REQUIRED`.
    #[schema(value_type = String)]
    mfa_token: SecretString,
}

/// Begin to add a second factor at sign-in, where the policy asks for one.
///
/// The same as `/auth/2fa/enable` for an account that can do nothing else yet.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/enrol", tag = "second factor", request_body = Enrol,
    responses((status = OK, body = Enrolment), EnrolProblems),
)]
pub async fn enrol_second_factor(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<Enrol>,
) -> Result<Json<Enrolment>, Problem> {
    let token = PendingToken::parse(body.mfa_token.expose_secret());
    Ok(Json(super::enrol(&app, &ctx, token.as_ref()).await?.into()))
}

/// A second factor that was added at sign-in.
#[derive(Serialize, ToSchema)]
pub struct Enrolled {
    /// Shown once; to be kept on paper or in a password manager.
    recovery_codes: Vec<String>,
    /// The session.
    tokens: TokenPair,
}

/// What the sign-in was answered with, and the first code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmEnrolment {
    /// The member of `AUTH_2FA_ENROLMENT_REQUIRED`.
    #[schema(value_type = String)]
    mfa_token: SecretString,
    /// Six digits of the app.
    #[schema(value_type = String)]
    code: SecretString,
}

/// Add the second factor that the code is of, and sign in.
#[utoipa::path(
    post, path = "/api/v1/auth/2fa/enrol/confirm", tag = "second factor",
    request_body = ConfirmEnrolment, responses((status = OK, body = Enrolled), EnrolProblems),
)]
pub async fn confirm_enrolment(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<ConfirmEnrolment>,
) -> Result<Json<Enrolled>, Problem> {
    let token = PendingToken::parse(body.mfa_token.expose_secret());
    let (codes, tokens) = super::confirm_enrolment(&app, &ctx, token.as_ref(), &body.code).await?;
    Ok(Json(Enrolled { recovery_codes: RecoveryCodes::from(codes).recovery_codes, tokens }))
}
