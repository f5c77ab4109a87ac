//! Signing in at a provider, over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    BeginError, Callback, CallbackError, Identity, IdentityError, Journey, RedeemError, Redemption,
    Refusal, Wish,
};
use crate::access::{Caller, Proved};
use crate::accounts::http::CallerProblems;
use crate::app::{App, Body, Ctx, Params, PathId};
use crate::form::Form;
use crate::kernel::{FederationToken, IdentityId, Timestamp, TrustToken};
use crate::problem::{Code, Problem, problems};
use crate::tokens::TokenPair;

problems!(
    /// What being sent to a provider may answer.
    BeginFederationProblems = ProviderNotFound | ReturnToRefused | ProviderUnavailable | ValidationFailed
);
problems!(
    /// What coming back may answer.
    ReturnProblems = ProviderNotFound | CallbackInvalid | ValidationFailed
);
problems!(
    /// What coming back with a form may answer.
    PostedReturnProblems = ProviderNotFound | CallbackInvalid | ValidationFailed | UnsupportedMediaType
        | BodyTooLarge
);
problems!(
    /// What exchanging a code may answer.
    RedeemFederationProblems = FederationCodeInvalid | FederatedEmailUnverified | IdentityNotLinked
        | RegistrationClosed | EmailDomainRefused | AccountDisabled | SecondFactorRequired
        | SecondFactorEnrolmentRequired | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What linking an identity may answer.
    LinkProblems = FederationCodeInvalid | IdentityTaken | StepUpRequired | TokenMissing
        | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled | ValidationFailed
        | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What removing an identity may answer.
    UnlinkProblems = IdentityNotFound | LastWayIn | StepUpRequired | TokenMissing | TokenInvalid
        | TokenExpired | TokenRevoked | AccountDisabled
);

impl From<BeginError> for Problem {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::NoSuchProvider => Code::ProviderNotFound.into(),
            BeginError::ReturnTo => Code::ReturnToRefused.into(),
            BeginError::Challenge => Self::invalid_field(
                "/code_challenge",
                "invalid",
                "Send the SHA-256 of the verifier in base64url, without padding.",
            ),
            BeginError::Unavailable(failure) => Self::from(Code::ProviderUnavailable)
                .retry_after(std::time::Duration::from_secs(5))
                .because(format!("{}: {}", failure.stage, failure.reason)),
            BeginError::Store(error) => error.into(),
        }
    }
}

impl From<CallbackError> for Problem {
    fn from(error: CallbackError) -> Self {
        match error {
            CallbackError::NoSuchProvider => Code::ProviderNotFound.into(),
            CallbackError::Unsolicited(reason) => Self::from(Code::CallbackInvalid).because(reason),
            CallbackError::Store(error) => error.into(),
        }
    }
}

impl From<RedeemError> for Problem {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Invalid(reason) => Self::from(Code::FederationCodeInvalid).because(reason),
            RedeemError::Refused(refusal) => Self::from(match refusal {
                Refusal::EmailUnverified => Code::FederatedEmailUnverified,
                Refusal::OtherIdentity => Code::IdentityNotLinked,
                Refusal::NotOpen(why) => why.code(),
                Refusal::AccountDisabled => Code::AccountDisabled,
            })
            .because(refusal.reason()),
            RedeemError::SecondFactorDue(ticket) => ticket.into(),
            RedeemError::Store(error) => error.into(),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Invalid(reason) => {
                Self::from(Code::FederationCodeInvalid).because(reason)
            }
            IdentityError::Taken => Code::IdentityTaken.into(),
            IdentityError::NotFound => Code::IdentityNotFound.into(),
            IdentityError::LastWayIn => Code::LastWayIn.into(),
            IdentityError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Journey {
    /// 303: the next request is a GET, whatever this one was.
    fn into_response(self) -> Response {
        let cookies = self.cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie));
        let headers = std::iter::once((header::LOCATION, self.to)).chain(cookies);
        (StatusCode::SEE_OTHER, AppendHeaders(headers)).into_response()
    }
}

/// How a challenge is made of a verifier (RFC 7636, 4.2): `plain` hides nothing.
#[derive(Deserialize, ToSchema)]
pub enum ChallengeMethod {
    /// SHA-256.
    S256,
}

/// What an application wants.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BeginParams {
    /// Where the browser goes back to: one of `oauth.return_to`, byte by byte.
    return_to: String,
    /// The SHA-256 of the application's verifier, in base64url without padding.
    code_challenge: String,
    /// Always `S256`.
    #[serde(rename = "code_challenge_method")]
    #[param(rename = "code_challenge_method", inline)]
    _method: ChallengeMethod,
    /// Comes back as it is; at most 512 characters, none of them a control character.
    #[param(value_type = Option<String>, max_length = 512)]
    state: Option<State512>,
    /// How many seconds ago whoever it is may have signed in at the provider; it asks again then.
    max_age: Option<u32>,
}

/// What an application wants to know again: it fits into a cookie and an address.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct State512(String);

impl TryFrom<String> for State512 {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        // A control character takes six in the cookie, and several cookies fit into the head of a request.
        if text.len() <= 512 && !text.contains(char::is_control) {
            Ok(Self(text))
        } else {
            Err("at most 512 characters, none of them a control character")
        }
    }
}

/// Send a browser to a provider, to sign in there.
///
/// It is for browsers to navigate to. They come back to `return_to` with a `code`, which the application
/// exchanges with `POST /auth/oauth/redeem`, or with an `error`: `access_denied`, `temporarily_unavailable`
/// or `server_error`; and with `state`.
#[utoipa::path(
    get, path = "/api/v1/auth/oauth/{provider}", tag = "federation",
    params(("provider" = String, Path, description = "The provider's name."), BeginParams),
    responses((status = SEE_OTHER, description = "To the provider."), BeginFederationProblems),
)]
pub async fn begin_federation(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(provider): Path<String>,
    Params(params): Params<BeginParams>,
) -> Result<Journey, Problem> {
    let wish = Wish {
        return_to: params.return_to,
        challenge: params.code_challenge,
        state: params.state.map(|state| state.0),
        max_age: params.max_age,
    };
    Ok(super::begin(&app, &ctx, &headers, &provider, wish).await?)
}

/// What a provider sends along; other parameters are borne.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReturnParams {
    /// The state that the browser was sent with.
    state: Option<String>,
    /// What is exchanged for tokens.
    code: Option<String>,
    /// Who says so (RFC 9207).
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Take a browser back from a provider.
///
/// This is the redirect URI that is registered there. The browser goes on to the application.
#[utoipa::path(
    get, path = "/api/v1/auth/oauth/{provider}/callback", tag = "federation",
    params(("provider" = String, Path, description = "The provider's name."), ReturnParams),
    responses((status = SEE_OTHER, description = "To the application."), ReturnProblems),
)]
pub async fn return_from_provider(
    State(app): State<App>,
    ctx: Ctx,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Params(params): Params<ReturnParams>,
) -> Result<Journey, Problem> {
    let ReturnParams { state, code, iss, error } = params;
    let callback = Callback { state, code, iss, error, user: None, posted: false };
    Ok(super::come_back(&app, &ctx, &provider, callback, &headers).await?)
}

/// What Apple's page sends in a form; other fields are borne.
#[derive(Deserialize, ToSchema)]
pub struct ReturnForm {
    /// The state that the browser was sent with.
    state: Option<String>,
    /// What is exchanged for tokens.
    code: Option<String>,
    /// Who says so (RFC 9207).
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// Somebody's name, the first time, as JSON.
    user: Option<String>,
}

/// Take a browser back from a provider whose page sends it with a form: Apple.
///
/// The browser goes on to the application.
#[utoipa::path(
    post, path = "/api/v1/auth/oauth/{provider}/callback", tag = "federation",
    params(("provider" = String, Path, description = "The provider's name.")),
    request_body(content = ReturnForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = SEE_OTHER, description = "To the application."), PostedReturnProblems),
)]
pub async fn return_by_form(
    State(app): State<App>,
    ctx: Ctx,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Form(form): Form<ReturnForm>,
) -> Result<Journey, Problem> {
    let ReturnForm { state, code, iss, error, user } = form;
    let callback = Callback { state, code, iss, error, user, posted: true };
    Ok(super::come_back(&app, &ctx, &provider, callback, &headers).await?)
}

/// What an application got by its browser, and what it kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemCode {
    /// The code; it works once, for a minute.
    code: String,
    /// What the `code_challenge` was made of.
    code_verifier: String,
    /// What `POST /auth/2fa/verify` answered on this device when it was to be trusted.
    #[schema(value_type = Option<String>)]
    trust_token: Option<SecretString>,
}

impl From<RedeemCode> for Redemption {
    fn from(body: RedeemCode) -> Self {
        let trust = body.trust_token.as_ref();
        Self {
            code: FederationToken::parse(&body.code),
            verifier: body.code_verifier,
            trust: trust.and_then(|token| TrustToken::parse(token.expose_secret())),
        }
    }
}

/// What an application got by its browser for an account that somebody is signed in to, and what it kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkCode {
    /// The code; it works once, for a minute.
    code: String,
    /// What the `code_challenge` was made of.
    code_verifier: String,
}

impl From<LinkCode> for Redemption {
    fn from(body: LinkCode) -> Self {
        let code = FederationToken::parse(&body.code);
        Self { code, verifier: body.code_verifier, trust: None }
    }
}

/// Exchange the code of a sign-in at a provider, or on our pages, for tokens.
///
/// Where the account has a second factor, the answer is `AUTH_2FA_REQUIRED`, as after a password; go on with
/// `POST /auth/2fa/verify`. On a trusted device, `trust_token` spares that.
#[utoipa::path(
    post, path = "/api/v1/auth/oauth/redeem", tag = "federation", request_body = RedeemCode,
    responses((status = OK, body = TokenPair), RedeemFederationProblems),
)]
pub async fn redeem_federation(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<RedeemCode>,
) -> Result<Json<TokenPair>, Problem> {
    Ok(Json(super::redeem(&app, &ctx, &body.into()).await?))
}

/// An account at a provider, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Identity)]
pub struct IdentityBody {
    id: IdentityId,
    /// What the provider was called when it was linked.
    provider: String,
    issuer: String,
    /// What the provider calls its owner.
    subject: String,
    /// The address that the provider told last.
    email: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<Identity> for IdentityBody {
    fn from(identity: Identity) -> Self {
        let Identity { id, provider, issuer, subject, email, created_at, last_used_at, .. } =
            identity;
        Self { id, provider, issuer, subject, email, created_at, last_used_at }
    }
}

/// The own identities.
#[derive(Serialize, ToSchema)]
pub struct Identities {
    items: Vec<IdentityBody>,
    /// There are no more.
    next_cursor: Option<String>,
}

/// List the own identities at providers, newest first.
#[utoipa::path(
    get, path = "/api/v1/users/me/identities", tag = "federation", security(("access_token" = [])),
    responses((status = OK, body = Identities), CallerProblems),
)]
pub async fn list_identities(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Identities>, Problem> {
    let identities = super::list(&app, &caller).await?;
    let items = identities.into_iter().map(IdentityBody::from).collect();
    Ok(Json(Identities { items, next_cursor: None }))
}

/// Link an identity to the own account; the owner gets a mail.
///
/// The code is that of a sign-in at the provider, as for `POST /auth/oauth/redeem`. It needs a fresh proof of
/// who asks.
#[utoipa::path(
    post, path = "/api/v1/users/me/identities", tag = "federation",
    security(("access_token" = [])), request_body = LinkCode,
    responses((status = CREATED, body = IdentityBody), LinkProblems),
)]
pub async fn link_identity(
    State(app): State<App>,
    ctx: Ctx,
    Proved(caller): Proved,
    Body(body): Body<LinkCode>,
) -> Result<(StatusCode, Json<IdentityBody>), Problem> {
    let identity = super::link(&app, &ctx, &caller, &body.into()).await?;
    Ok((StatusCode::CREATED, Json(identity.into())))
}

/// Remove an identity from the own account; the owner gets a mail.
///
/// Not the last way of signing in. Every other session ends: whoever came in by it is out. It needs a fresh proof
/// of who asks.
#[utoipa::path(
    delete, path = "/api/v1/users/me/identities/{id}", tag = "federation",
    security(("access_token" = [])),
    params(("id" = IdentityId, Path, description = "The identity.")),
    responses((status = NO_CONTENT), UnlinkProblems),
)]
pub async fn remove_identity(
    State(app): State<App>,
    ctx: Ctx,
    Proved(caller): Proved,
    PathId(identity): PathId<IdentityId>,
) -> Result<StatusCode, Problem> {
    super::remove(&app, &ctx, &caller, identity).await?;
    Ok(StatusCode::NO_CONTENT)
}
