//! Sessions, over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sql::Session;
use crate::access::Caller;
use crate::accounts::http::CallerProblems;
use crate::app::{App, Body, Ctx, Params, PathId};
use crate::kernel::{Page, Paging, Place, RefreshToken, SessionId, Timestamp, UserId};
use crate::problem::{Code, Problem, problems};

problems!(
    /// What listing sessions may answer.
    ListProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | ValidationFailed
);
problems!(
    /// What ending a session may answer.
    EndProblems = SessionNotFound | TokenMissing | TokenInvalid | TokenExpired | TokenRevoked
        | AccountDisabled
);
problems!(
    /// What signing out may answer.
    LogoutProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);

/// A sign-in that goes on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionBody {
    id: SessionId,
    /// From where it was last used.
    ip_address: String,
    /// In which country that is, if known (ISO 3166-1, two letters).
    country: Option<String>,
    /// What the client calls itself.
    user_agent: String,
    /// The same, for people.
    device: String,
    /// Whether it is the session that asks.
    is_current: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_active_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// How its owner signed in (RFC 8176).
    amr: Vec<String>,
}

impl SessionBody {
    fn new(app: &App, session: Session, current: Option<SessionId>) -> Self {
        let country = session.ip_address.parse().ok().and_then(|ip| app.geoip.country(ip));
        Self {
            id: session.id,
            ip_address: session.ip_address,
            country: country.map(|country| country.to_string()),
            user_agent: session.user_agent,
            device: session.device,
            is_current: current == Some(session.id),
            created_at: session.created_at,
            last_active_at: session.last_active_at,
            expires_at: session.expires_at,
            amr: session.amr.0,
        }
    }
}

/// Reads a piece of somebody's sessions.
pub(crate) async fn page(
    app: &App,
    ctx: &Ctx,
    owner: UserId,
    current: Option<SessionId>,
    paging: &Paging,
) -> Result<Page<SessionBody>, Problem> {
    let (after, at_most) = paging.read()?;
    let cutoff = ctx.now - app.config.session.idle_timeout;
    let mut tx = app.store.glance().await?;
    let sessions = super::list(&mut tx, owner, ctx.now, cutoff, after, at_most).await?;
    let place = |session: &Session| Place { at: session.created_at, id: session.id.as_uuid() };
    Ok(Page::cut(sessions, at_most, place).map(|session| SessionBody::new(app, session, current)))
}

/// List the own sessions.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "sessions", security(("access_token" = [])),
    params(Paging), responses((status = OK, body = Page<SessionBody>), ListProblems),
)]
pub async fn list(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<SessionBody>>, Problem> {
    page(&app, &ctx, caller.user.id, Some(caller.session), &paging).await.map(Json)
}

/// End one of the own sessions.
///
/// It is dead at once, on every node: its refresh token, and its access tokens here.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", tag = "sessions", security(("access_token" = [])),
    params(("id" = SessionId, Path, description = "The session.")),
    responses((status = NO_CONTENT), EndProblems),
)]
pub async fn end(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    PathId(session): PathId<SessionId>,
) -> Result<StatusCode, Problem> {
    let owner = caller.user.id;
    if super::revoke(&app, &ctx, Some(owner), owner, session, "user_revoked").await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Code::SessionNotFound.into())
}

/// What to sign out of, besides the session that asks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogOut {
    /// The refresh token of the session; it ends with the session whether it is sent or not.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    #[expect(dead_code, reason = "its form is checked, and that is all")]
    refresh_token: Option<RefreshTokenText>,
}

/// A text that must have the form of a refresh token.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct RefreshTokenText;

impl TryFrom<String> for RefreshTokenText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        RefreshToken::parse(&text).map(|_| Self).ok_or("this is not a refresh token")
    }
}

/// Sign out.
///
/// The access token that asks is dead at once, on every node, and so is the refresh token.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "sign-in", security(("access_token" = [])),
    request_body(content = Option<LogOut>, description = "May be absent."),
    responses((status = NO_CONTENT), LogoutProblems),
)]
pub async fn log_out(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
    // Read for its form only: the token ends with the session whether it is sent or not.
    _: Option<Body<LogOut>>,
) -> Result<StatusCode, Problem> {
    super::log_out(&app, &ctx, caller.user.id, caller.session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out everywhere.
#[utoipa::path(
    post, path = "/api/v1/auth/logout-all", tag = "sign-in", security(("access_token" = [])),
    responses((status = NO_CONTENT), CallerProblems),
)]
pub async fn log_out_all(
    State(app): State<App>,
    ctx: Ctx,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let owner = caller.user.id;
    super::revoke_all(&app, &ctx, Some(owner), owner, "logout_all").await?;
    Ok(StatusCode::NO_CONTENT)
}
