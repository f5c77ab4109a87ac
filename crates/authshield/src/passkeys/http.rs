//! Passkeys, over HTTP: the JSON of the standard (5.1.8 to 5.1.10), as browsers make and read it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{CHALLENGE, Challenge, Made, Passkey, PasskeyError, Shown, cose};
use crate::access::{Caller, Proved};
use crate::accounts::User;
use crate::accounts::http::CallerProblems;
use crate::app::{App, Body, Ctx, PathId};
use crate::kernel::{FullName, PasskeyId, Timestamp};
use crate::problem::{Code, Problem, problems};
use crate::tokens::TokenPair;

problems!(
    /// What asking for a registration may answer.
    BeginProblems = TooManyPasskeys | StepUpRequired | TokenMissing | TokenInvalid | TokenExpired
        | TokenRevoked | AccountDisabled
);
problems!(
    /// What adding a passkey may answer.
    AddProblems = PasskeyInvalid | TooManyPasskeys | StepUpRequired | TokenMissing | TokenInvalid
        | TokenExpired | TokenRevoked | AccountDisabled | ValidationFailed | UnsupportedMediaType
        | BodyTooLarge
);
problems!(
    /// What asking for a sign-in may answer.
    AskProblems =
);
problems!(
    /// What signing in may answer.
    SignInProblems = PasskeyInvalid | AccountDisabled | ValidationFailed | UnsupportedMediaType
        | BodyTooLarge
);
problems!(
    /// What renaming a passkey may answer.
    RenameProblems = PasskeyNotFound | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);
problems!(
    /// What removing a passkey may answer.
    RemoveProblems = PasskeyNotFound | LastWayIn | StepUpRequired | TokenMissing | TokenInvalid | TokenExpired
        | TokenRevoked | AccountDisabled
);

impl From<PasskeyError> for Problem {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::Refused(reason) => Self::from(Code::PasskeyInvalid)
                .detail("The passkey was not accepted. Ask for a new challenge and try again.")
                .because(reason),
            PasskeyError::AccountDisabled => Self::from(Code::AccountDisabled)
                .detail("The account is disabled. Ask an administrator."),
            PasskeyError::NotFound => Code::PasskeyNotFound.into(),
            PasskeyError::TooMany => {
                Self::from(Code::TooManyPasskeys).detail("Remove one that is not used any more.")
            }
            PasskeyError::LastWayIn => Code::LastWayIn.into(),
            PasskeyError::Limited(exceeded) => exceeded.into(),
            PasskeyError::Store(error) => error.into(),
        }
    }
}

/// How long a browser waits for its user, in milliseconds.
const TIMEOUT: u64 = CHALLENGE.as_secs() * 1000;

/// Bytes, in base64url without padding.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Self).map_err(|_| serde::de::Error::custom("this is not base64url"))
    }
}

/// What `navigator.credentials.create` is given.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    challenge: String,
    rp: RelyingParty,
    user: PasskeyUser,
    pub_key_cred_params: Vec<KeyParameters>,
    /// In milliseconds.
    timeout: u64,
    exclude_credentials: Vec<Descriptor>,
    authenticator_selection: Selection,
    /// Always `none`: who made the authenticator is nothing that is asked for.
    attestation: &'static str,
}

impl CreationOptions {
    /// Returns what a new passkey of `user` is made with.
    #[must_use]
    pub fn new(app: &App, user: &User, challenge: Challenge) -> Self {
        let Challenge { bytes, rp_id, known } = challenge;
        let email = user.email.as_str().to_owned();
        let called =
            user.full_name.as_ref().map_or_else(|| email.clone(), |name| name.as_str().into());
        Self {
            challenge: BASE64.encode(bytes),
            rp: RelyingParty { id: rp_id, name: app.pages.service().to_owned() },
            user: PasskeyUser {
                id: BASE64.encode(user.id.as_uuid().as_bytes()),
                name: email,
                display_name: called,
            },
            pub_key_cred_params: cose::OFFERED
                .iter()
                .map(|&alg| KeyParameters { r#type: "public-key", alg })
                .collect(),
            timeout: TIMEOUT,
            exclude_credentials: known.into_iter().map(Descriptor::from).collect(),
            authenticator_selection: Selection {
                resident_key: "required",
                require_resident_key: true,
                user_verification: "required",
            },
            attestation: "none",
        }
    }
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub struct RelyingParty {
    id: String,
    name: String,
}

/// For whom.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyUser {
    /// What the authenticator gives back at the sign-in: no name, no address.
    id: String,
    name: String,
    display_name: String,
}

/// A kind of key that is taken.
#[derive(Serialize, ToSchema)]
pub struct KeyParameters {
    r#type: &'static str,
    alg: i64,
}

/// A credential that is there.
#[derive(Serialize, ToSchema)]
pub struct Descriptor {
    r#type: &'static str,
    id: String,
    transports: Vec<String>,
}

impl From<Passkey> for Descriptor {
    fn from(passkey: Passkey) -> Self {
        Self {
            r#type: "public-key",
            id: BASE64.encode(passkey.credential_id),
            transports: passkey.transports.0,
        }
    }
}

/// What an authenticator must be able to do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    resident_key: &'static str,
    require_resident_key: bool,
    user_verification: &'static str,
}

/// What `navigator.credentials.get` is given.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    challenge: String,
    rp_id: String,
    /// In milliseconds.
    timeout: u64,
    /// Not there where anybody may sign in: the authenticator finds out who it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow_credentials: Vec<Descriptor>,
    user_verification: &'static str,
}

impl From<Challenge> for RequestOptions {
    fn from(Challenge { bytes, rp_id, known }: Challenge) -> Self {
        Self {
            challenge: BASE64.encode(bytes),
            rp_id,
            timeout: TIMEOUT,
            allow_credentials: known.into_iter().map(Descriptor::from).collect(),
            user_verification: "required",
        }
    }
}

/// Ask for what a new passkey is made with.
///
/// The answer goes into `PublicKeyCredential.parseCreationOptionsFromJSON` in the browser, within five
/// minutes.
#[utoipa::path(
    post, path = "/api/v1/auth/passkeys/registration", tag = "passkeys",
    security(("access_token" = [])),
    responses((status = OK, body = CreationOptions), BeginProblems),
)]
pub async fn begin_passkey(
    State(app): State<App>,
    ctx: Ctx,
    Proved(caller): Proved,
) -> Result<Json<CreationOptions>, Problem> {
    let challenge = super::begin(&app, &ctx, &caller).await?;
    Ok(Json(CreationOptions::new(&app, &caller.user, challenge)))
}

/// A passkey, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Passkey)]
pub struct PasskeyBody {
    id: PasskeyId,
    name: FullName,
    /// Whether it is kept on several devices.
    is_synced: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<Passkey> for PasskeyBody {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name,
            is_synced: passkey.backed_up,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
        }
    }
}

/// What `credential.toJSON()` gives of a new passkey; other members are borne.
#[derive(Deserialize, ToSchema)]
pub struct NewCredential {
    response: Attestation,
}

/// What the authenticator made.
#[derive(Deserialize, ToSchema)]
pub struct Attestation {
    #[serde(rename = "clientDataJSON")]
    #[schema(value_type = String)]
    client_data: Bytes,
    #[serde(rename = "attestationObject")]
    #[schema(value_type = String)]
    object: Bytes,
    #[serde(default)]
    #[schema(max_items = 10)]
    transports: Vec<String>,
}

impl From<NewCredential> for Made {
    fn from(NewCredential { response }: NewCredential) -> Self {
        let Attestation { client_data, object, mut transports } = response;
        // They are hints, and go back to browsers: words, and not many.
        transports.retain(|word| {
            word.len() <= 20 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        });
        transports.truncate(10);
        Self { client_data: client_data.0, attestation: object.0, transports }
    }
}

/// A new passkey, and what it is called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    name: FullName,
    credential: NewCredential,
}

/// Add a passkey; the owner gets a mail.
#[utoipa::path(
    post, path = "/api/v1/auth/passkeys", tag = "passkeys", security(("access_token" = [])),
    request_body = AddPasskey, responses((status = CREATED, body = PasskeyBody), AddProblems),
)]
pub async fn add_passkey(
    State(app): State<App>,
    ctx: Ctx,
    Proved(caller): Proved,
    Body(body): Body<AddPasskey>,
) -> Result<(StatusCode, Json<PasskeyBody>), Problem> {
    let passkey = super::add(&app, &ctx, &caller, body.credential.into(), body.name).await?;
    Ok((StatusCode::CREATED, Json(passkey.into())))
}

/// The own passkeys.
#[derive(Serialize, ToSchema)]
pub struct Passkeys {
    items: Vec<PasskeyBody>,
    /// There are no more: an account has at most twenty.
    next_cursor: Option<String>,
}

/// List the own passkeys, newest first.
#[utoipa::path(
    get, path = "/api/v1/auth/passkeys", tag = "passkeys", security(("access_token" = [])),
    responses((status = OK, body = Passkeys), CallerProblems),
)]
pub async fn list_passkeys(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Passkeys>, Problem> {
    let passkeys = super::list(&app, &caller).await?;
    let items = passkeys.into_iter().map(PasskeyBody::from).collect();
    Ok(Json(Passkeys { items, next_cursor: None }))
}

/// What a passkey is to be called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskey {
    name: FullName,
}

/// Give a passkey another name.
#[utoipa::path(
    patch, path = "/api/v1/auth/passkeys/{id}", tag = "passkeys", security(("access_token" = [])),
    params(("id" = PasskeyId, Path, description = "The passkey.")),
    request_body = RenamePasskey, responses((status = OK, body = PasskeyBody), RenameProblems),
)]
pub async fn rename_passkey(
    State(app): State<App>,
    caller: Caller,
    PathId(passkey): PathId<PasskeyId>,
    Body(body): Body<RenamePasskey>,
) -> Result<Json<PasskeyBody>, Problem> {
    Ok(Json(super::rename(&app, &caller, passkey, body.name).await?.into()))
}

/// Remove a passkey; the owner gets a mail.
#[utoipa::path(
    delete, path = "/api/v1/auth/passkeys/{id}", tag = "passkeys", security(("access_token" = [])),
    params(("id" = PasskeyId, Path, description = "The passkey.")),
    responses((status = NO_CONTENT), RemoveProblems),
)]
pub async fn remove_passkey(
    State(app): State<App>,
    ctx: Ctx,
    Proved(caller): Proved,
    PathId(passkey): PathId<PasskeyId>,
) -> Result<StatusCode, Problem> {
    super::remove(&app, &ctx, &caller, passkey).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask for what a sign-in with a passkey is made with.
///
/// The answer is the same for everybody and goes into `PublicKeyCredential.parseRequestOptionsFromJSON` in the
/// browser, within five minutes.
#[utoipa::path(
    post, path = "/api/v1/auth/passkeys/challenge", tag = "passkeys",
    responses((status = OK, body = RequestOptions), AskProblems),
)]
pub async fn ask_for_passkey(
    State(app): State<App>,
    ctx: Ctx,
) -> Result<Json<RequestOptions>, Problem> {
    Ok(Json(super::ask(&app, &ctx).await?.into()))
}

/// What `credential.toJSON()` gives of a passkey that was used; other members are borne.
#[derive(Deserialize, ToSchema)]
pub struct UsedCredential {
    #[serde(rename = "rawId")]
    #[schema(value_type = String)]
    raw_id: Bytes,
    response: Assertion,
}

/// What the authenticator signed.
#[derive(Deserialize, ToSchema)]
pub struct Assertion {
    #[serde(rename = "clientDataJSON")]
    #[schema(value_type = String)]
    client_data: Bytes,
    #[serde(rename = "authenticatorData")]
    #[schema(value_type = String)]
    authenticator_data: Bytes,
    #[schema(value_type = String)]
    signature: Bytes,
    #[serde(default, rename = "userHandle")]
    #[schema(value_type = Option<String>)]
    user_handle: Option<Bytes>,
}

impl From<UsedCredential> for Shown {
    fn from(UsedCredential { raw_id, response }: UsedCredential) -> Self {
        Self {
            credential_id: raw_id.0,
            client_data: response.client_data.0,
            authenticator_data: response.authenticator_data.0,
            signature: response.signature.0,
            user_handle: response.user_handle.map(|handle| handle.0),
        }
    }
}

/// A passkey that was used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowPasskey {
    credential: UsedCredential,
}

/// Sign in with a passkey, without a user name.
///
/// A passkey asks its owner for a finger or a PIN, so it counts as two factors, and no code is asked for.
#[utoipa::path(
    post, path = "/api/v1/auth/passkeys/sign-in", tag = "passkeys", request_body = ShowPasskey,
    responses((status = OK, body = TokenPair), SignInProblems),
)]
pub async fn sign_in_with_passkey(
    State(app): State<App>,
    ctx: Ctx,
    Body(body): Body<ShowPasskey>,
) -> Result<Json<TokenPair>, Problem> {
    Ok(Json(super::sign_in(&app, &ctx, &body.credential.into()).await?))
}

/// The pages that may use the passkeys of this service's domain.
#[derive(Serialize, ToSchema)]
pub struct RelatedOrigins {
    /// Exact origins, that of this service first.
    origins: Vec<String>,
}

/// Tell browsers which pages may use passkeys.
///
/// For pages under other domains than the passkeys' own (Web Authentication Level 3, 5.11.1): browsers ask for
/// this under the passkeys' domain.
#[utoipa::path(
    get, path = "/.well-known/webauthn", tag = "passkeys",
    responses((status = OK, body = RelatedOrigins)),
)]
pub async fn related_origins(State(app): State<App>) -> Json<RelatedOrigins> {
    Json(RelatedOrigins { origins: super::origins(&app) })
}
