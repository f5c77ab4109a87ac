//! Signing in by mail, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AskError, Asked, RedeemError, Shown, Wish};
use crate::app::{App, Body, Ctx};
use crate::kernel::{AskerToken, EmailAddress, LinkToken, Locale, TrustToken};
use crate::problem::{Code, Problem, problems};
use crate::telemetry::to_the_end;
use crate::tokens::TokenPair;

problems!(
    /// What asking for a sign-in by mail may answer.
    AskProblems = SignInMethodOff | CaptchaRequired | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What showing what came by mail may answer.
    RedeemProblems = MagicLinkInvalid | SignInMethodOff | RegistrationClosed | EmailDomainRefused | AccountDisabled
        | SecondFactorRequired | SecondFactorEnrolmentRequired | ValidationFailed
        | UnsupportedMediaType | BodyTooLarge
);

/// Says that nobody signs in by mail here.
fn off() -> Problem {
    Problem::from(Code::SignInMethodOff)
        .detail("Nobody signs in by mail here.")
        .because("magic_link")
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Off => off(),
            AskError::Captcha(error) => error.into(),
            AskError::Limited(exceeded) => exceeded.into(),
            AskError::Store(error) => error.into(),
        }
    }
}

impl From<RedeemError> for Problem {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Off => off(),
            RedeemError::Invalid(reason) => Self::from(Code::MagicLinkInvalid)
                .detail(
                    "It is wrong, was used or has expired, or was asked for by another client. Ask for \
                     another mail.",
                )
                .because(reason),
            RedeemError::Limited(exceeded) => exceeded.into(),
            RedeemError::AccountDisabled => Self::from(Code::AccountDisabled)
                .detail("The account is disabled. Ask an administrator.")
                .because("account_disabled"),
            RedeemError::NotOpen(why) => Self::from(why.code()).because(why.reason()),
            RedeemError::SecondFactorDue(ticket) => ticket.into(),
            RedeemError::Store(error) => error.into(),
        }
    }
}

/// Who wants to sign in by mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskForMagicLink {
    email: EmailAddress,
    /// The language to write in to somebody new (BCP 47).
    locale: Option<Locale>,
    /// What this client got when it asked before: that is worth nothing from then on.
    #[schema(value_type = Option<String>)]
    handle: Option<SecretString>,
    /// The answer to a captcha, where `AUTH_CAPTCHA_REQUIRED` asked for one.
    #[schema(value_type = Option<String>)]
    captcha_token: Option<SecretString>,
}

/// A mail is on its way, if there is somebody to get it.
#[derive(Serialize, ToSchema)]
pub struct MagicLinkAsked {
    /// What the client keeps to itself: code and link open nothing without it.
    handle: String,
    /// How long they work, in seconds.
    expires_in: u64,
    message: &'static str,
}

/// Ask for a mail with a code and a link to sign in; the answer is always the same.
///
/// Where registration is open, an address without an account gets the mail, too, and signing in opens one. Keep
/// `handle` where nobody but this client finds it: the code or the link is worth nothing without it, and it is
/// worth nothing without one of them. It needs `magic_link.enabled`.
#[utoipa::path(
    post, path = "/api/v1/auth/magic-link", tag = "sign-in", request_body = AskForMagicLink,
    responses((status = ACCEPTED, body = MagicLinkAsked), AskProblems),
)]
pub async fn ask_for_magic_link(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<AskForMagicLink>,
) -> Result<(StatusCode, Json<MagicLinkAsked>), Problem> {
    let AskForMagicLink { email, locale, handle, captcha_token } = body;
    let former = handle.and_then(|handle| AskerToken::parse(handle.expose_secret()));
    let wish = Wish { email, locale, former, captcha: captcha_token };
    let Asked { handle, lasts } = super::ask(&app, &ctx, wish).await?;
    let asked = MagicLinkAsked {
        handle: handle.reveal().to_owned(),
        expires_in: lasts.as_secs(),
        message: "If the address can be used here, a mail is on its way.",
    };
    Ok((StatusCode::ACCEPTED, Json(asked)))
}

/// What came by mail, and what the client kept: `code` or `token`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemMagicLink {
    #[schema(value_type = String)]
    handle: SecretString,
    /// The six digits; five are looked at for one mail.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
    /// What stands in the link behind `token=`.
    #[schema(value_type = Option<String>)]
    token: Option<SecretString>,
    /// What `POST /auth/2fa/verify` answered on this device when it was to be trusted.
    #[schema(value_type = Option<String>)]
    trust_token: Option<SecretString>,
}

impl RedeemMagicLink {
    fn trust(&self) -> Option<TrustToken> {
        TrustToken::parse(self.trust_token.as_ref()?.expose_secret())
    }

    fn shown(self) -> Result<(Option<AskerToken>, Shown), Problem> {
        let handle = AskerToken::parse(self.handle.expose_secret());
        match (self.code, self.token) {
            (Some(code), None) => Ok((handle, Shown::Code(code))),
            (None, Some(token)) => {
                Ok((handle, Shown::Link(LinkToken::parse(token.expose_secret()))))
            }
            _ => Err(Problem::invalid_field("/code", "invalid", "Send either `code` or `token`.")),
        }
    }
}

/// Sign in with the code or the link of a mail; they work once, together with the handle.
///
/// Where the account has a second factor, the answer is `AUTH_2FA_REQUIRED`; go on with `POST /auth/2fa/verify`.
/// On a trusted device, `trust_token` spares that.
#[utoipa::path(
    post, path = "/api/v1/auth/magic-link/redeem", tag = "sign-in", request_body = RedeemMagicLink,
    responses((status = OK, body = TokenPair), RedeemProblems),
)]
pub async fn redeem_magic_link(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<RedeemMagicLink>,
) -> Result<Json<TokenPair>, Problem> {
    let trust = body.trust();
    let (handle, shown) = body.shown()?;
    // What was counted is judged, even if its client hangs up.
    let pair = to_the_end(async move {
        super::redeem(&app, &ctx, handle.as_ref(), &shown, trust.as_ref()).await
    });
    Ok(Json(pair.await?))
}
