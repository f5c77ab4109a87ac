//! Who is asking, as types: a handler that takes a [`Caller`] runs for nobody else.
//!
//! The signature of a token is checked once and remembered; its session and its account are read from the database on
//! every request, so that a logout, a disabled account or a lost role takes effect at once, on every node. A change of
//! roles raises the account's epoch: those of a token count while its epoch is that of the account.

mod permission;
mod tokens;

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

pub use permission::{
    ChangeRoles, ChangeStatus, EndSessions, ExportEvents, Permission, ResetFactors, SeeEvents,
    SeeHealth, SeeMail, SeeSessions, SeeUsers, SendMail, grants,
};
pub use tokens::VerifiedTokens;

use crate::accounts::{self, User};
use crate::app::{App, Ctx};
use crate::kernel::{SessionId, UserId};
use crate::problem::{Code, Problem};
use crate::sessions::Present;
use crate::telemetry::Notes;
use crate::vault::FIRST_EPOCH;
use crate::{second_factor, sessions};

/// Somebody who proved who they are, in a session that goes on.
pub struct Caller {
    /// The account, as it is now.
    pub user: User,
    /// The session that the access token belongs to.
    pub session: SessionId,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let ctx = Ctx::from_request_parts(parts, app).await?;
        let caller = authenticate(app, &ctx, bearer(&parts.headers)?).await?;
        if let Some(notes) = Notes::current() {
            notes.user(caller.user.id);
        }
        Ok(caller)
    }
}

/// A caller that may do what `P` names.
pub struct Can<P>(pub Caller, pub(crate) PhantomData<P>);

impl<P: Permission> FromRequestParts<App> for Can<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if grants(&caller.user.roles, P::NAME) {
            return Ok(Self(caller, PhantomData));
        }
        Err(lacks(P::NAME).because(format!("user {} lacks {}", caller.user.id, P::NAME)))
    }
}

/// A caller that proved not long ago who they are: for what opens the own account in another way.
pub struct Proved(pub Caller);

impl FromRequestParts<App> for Proved {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let ctx = Ctx::from_request_parts(parts, app).await?;
        second_factor::fresh(app, &ctx, &caller).await?;
        Ok(Self(caller))
    }
}

/// A caller that may do what `P` names, and proved not long ago who they are: for what cannot be taken
/// back.
pub struct Fresh<P>(pub Caller, pub(crate) PhantomData<P>);

impl<P: Permission> FromRequestParts<App> for Fresh<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Can(caller, permission) = Can::<P>::from_request_parts(parts, app).await?;
        let ctx = Ctx::from_request_parts(parts, app).await?;
        second_factor::fresh(app, &ctx, &caller).await?;
        Ok(Self(caller, permission))
    }
}

/// What somebody gets who may not do what `permission` names.
pub(crate) fn lacks(permission: &'static str) -> Problem {
    Problem::from(Code::InsufficientPermissions)
        .detail(format!("This needs the permission {permission}."))
        .with("required", permission)
}

/// Takes the token out of the one `Authorization` header (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Problem::from(Code::TokenMissing)
            .detail("Send the access token as `Authorization: Bearer …`."));
    };
    if values.next().is_some() {
        return Err(Problem::from(Code::TokenInvalid)
            .detail("Send one `Authorization` header, not several."));
    }
    let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return Err(Problem::from(Code::TokenInvalid).because("not a Bearer header"));
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::from(Code::TokenMissing)
            .detail("Send the access token as `Authorization: Bearer …`."));
    }
    Ok(token)
}

/// Finds out whose token it is, and whether the session behind it goes on.
async fn authenticate(app: &App, ctx: &Ctx, token: &str) -> Result<Caller, Problem> {
    let claims = app.verified.verify(app, token, ctx.now).await?;
    let refused = |reason: &str| Problem::from(Code::TokenRevoked).because(reason);
    let session = claims.sid.as_deref().and_then(|sid| sid.parse::<SessionId>().ok());
    let (Some(session), Ok(user)) = (session, claims.sub.parse::<UserId>()) else {
        return Err(Problem::from(Code::TokenInvalid).because("sid or sub is no id"));
    };
    let epoch = claims.extra.get("epoch").map_or(Some(FIRST_EPOCH), serde_json::Value::as_i64);
    if epoch != Some(app.installation.token_epoch) {
        return Err(refused("issued before a backup was restored"));
    }
    let Some(mut found) = app.callers.find(session).await? else {
        return Err(refused("no such session"));
    };
    if found.user.id != user {
        return Err(Problem::from(Code::TokenInvalid).because("sid and sub do not belong together"));
    }
    let user_epoch = claims.extra.get("user_epoch").map_or(Some(0), serde_json::Value::as_i64);
    found.user.roles = if user_epoch == Some(found.user.epoch) {
        claims.roles.clone()
    } else {
        let account = accounts::by_id(&mut app.store.glance().await?, user).await?;
        account.ok_or_else(|| refused("no such account"))?.user.roles
    };
    admit(app, ctx, found, &claims.amr).await
}

/// Lets in whose session was found, if it goes on and its owner may still use it; `amr` says how they
/// signed in.
pub async fn admit(
    app: &App,
    ctx: &Ctx,
    found: Present,
    amr: &[String],
) -> Result<Caller, Problem> {
    let refused = |reason: &str| Problem::from(Code::TokenRevoked).because(reason);
    if found.user.disabled_at.is_some() {
        return Err(Problem::from(Code::AccountDisabled)
            .detail("The account is disabled. Ask an administrator."));
    }
    if second_factor::is_missing(app, &found.user, amr) {
        return Err(refused("the policy asks for a second factor"));
    }
    sessions::live(&found.session, &app.config.session, ctx.now)
        .map_err(|ended| refused(&ended.to_string()))?;
    sessions::touch(app, ctx, &found.session).await;
    Ok(Caller { user: found.user, session: found.session.id })
}
