//! Trusted devices, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::TrustedDevice;
use crate::access::{Caller, Can, EndSessions, SeeSessions};
use crate::accounts;
use crate::accounts::http::CallerProblems;
use crate::app::{App, Ctx, PathId};
use crate::kernel::{Timestamp, TrustedDeviceId, UserId};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What trusting a device no more may answer.
    RemoveProblems = TrustedDeviceNotFound | TokenMissing | TokenInvalid | TokenExpired
        | TokenRevoked | AccountDisabled
);
problems!(
    /// What looking at the devices of another account may answer.
    OthersProblems = UserNotFound | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled | InsufficientPermissions
);

/// A device on which a sign-in does without the second factor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrustedDevice)]
pub struct TrustedDeviceBody {
    id: TrustedDeviceId,
    /// What it called itself, for people.
    device: String,
    /// From where it was last used.
    ip_address: String,
    /// In which country that is, if known (ISO 3166-1, two letters).
    country: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last spared a second factor.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl TrustedDeviceBody {
    pub(crate) fn new(app: &App, device: TrustedDevice) -> Self {
        let TrustedDevice { id, device, ip_address, created_at, last_used_at, expires_at } = device;
        let country = ip_address.parse().ok().and_then(|ip| app.geoip.country(ip));
        let country = country.map(|country| country.to_string());
        Self { id, device, ip_address, country, created_at, last_used_at, expires_at }
    }
}

/// Devices that are trusted.
#[derive(Serialize, ToSchema)]
pub struct TrustedDevices {
    items: Vec<TrustedDeviceBody>,
    /// There are no more.
    next_cursor: Option<String>,
}

async fn devices(app: &App, ctx: &Ctx, owner: UserId) -> Result<TrustedDevices, Problem> {
    let devices = super::list(app, ctx, owner).await?;
    let items = devices.into_iter().map(|device| TrustedDeviceBody::new(app, device)).collect();
    Ok(TrustedDevices { items, next_cursor: None })
}

/// List the own trusted devices, newest first.
#[utoipa::path(
    get, path = "/api/v1/users/me/trusted-devices", tag = "second factor",
    security(("access_token" = [])),
    responses((status = OK, body = TrustedDevices), CallerProblems),
)]
pub async fn list_trusted_devices(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
) -> Result<Json<TrustedDevices>, Problem> {
    devices(&app, &ctx, caller.user.id).await.map(Json)
}

/// Trust one of the own devices no more: the next sign-in there asks for the second factor.
#[utoipa::path(
    delete, path = "/api/v1/users/me/trusted-devices/{id}", tag = "second factor",
    security(("access_token" = [])),
    params(("id" = TrustedDeviceId, Path, description = "The device.")),
    responses((status = NO_CONTENT), RemoveProblems),
)]
pub async fn remove_trusted_device(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    PathId(device): PathId<TrustedDeviceId>,
) -> Result<StatusCode, Problem> {
    if super::remove(&app, &ctx, caller.user.id, device).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Code::TrustedDeviceNotFound.into())
}

/// List the trusted devices of an account.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}/trusted-devices", tag = "administration",
    security(("access_token" = [])),
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = OK, body = TrustedDevices), OthersProblems),
)]
pub async fn list_devices_of(
    State(app): State<App>,
    ctx: Ctx,
    _: Can<SeeSessions>,
    PathId(user): PathId<UserId>,
) -> Result<Json<TrustedDevices>, Problem> {
    known(&app, user).await?;
    devices(&app, &ctx, user).await.map(Json)
}

/// Trust no device of an account any more.
#[utoipa::path(
    delete, path = "/api/v1/admin/users/{id}/trusted-devices", tag = "administration",
    security(("access_token" = [])),
    params(("id" = UserId, Path, description = "The account.")),
    responses((status = NO_CONTENT), OthersProblems),
)]
pub async fn remove_devices_of(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<EndSessions>,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode, Problem> {
    known(&app, user).await?;
    super::remove_all(&app, &ctx, caller.user.id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn known(app: &App, user: UserId) -> Result<(), Problem> {
    accounts::see(app, user).await?.map(drop).ok_or_else(|| Code::UserNotFound.into())
}
