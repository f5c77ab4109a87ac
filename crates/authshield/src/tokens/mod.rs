//! Tokens: what a session gives out, and how a refresh token turns into its successor.
//!
//! ```text
//! POST /auth/refresh ─ http::refresh ─ refresh
//!     spend               by session, before the one writer of SQLite is asked for
//!     take the token      one UPDATE: of two requests with one token, one takes it
//!     use the session     only if it goes on
//!     write the successor derived from the old token with a server key, so that a retry within the
//!                         leeway gets the same one and nothing secret is stored
//!     otherwise judge     rules::judge: retry, theft, or nothing we know
//! ```

pub mod http;
mod rules;
mod sql;

use std::time::Duration;

use onesql::Tx;
use serde::Serialize;
use utoipa::ToSchema;

pub use rules::Verdict;

use crate::accounts::User;
use crate::accounts::http::UserBody;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{RefreshToken, SessionId, Timestamp};
use crate::limits::rules::REFRESH_PER_SESSION;
use crate::sessions::{self, Session};
use crate::telemetry::metrics::Token;
use crate::vault::{AccessClaims, FIRST_PARTY, TOKEN_TYPE};

/// Why no tokens were given.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The token is not one we gave, or is past its end, or its session ended.
    #[error("the refresh token is not valid: {0}")]
    Invalid(&'static str),

    /// The token was used before; its session was ended.
    #[error("the refresh token was used before")]
    Reused,

    /// There were too many tries.
    #[error("too many refreshes")]
    Limited(crate::limits::Exceeded),

    /// We could not find out.
    #[error("the store failed during refresh")]
    Store(#[from] onesql::Error),
}

/// What a client gets when it signs in or refreshes.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// A JWT (RFC 9068) for services, to be sent as `Authorization: Bearer …`.
    access_token: String,
    /// For `POST /auth/refresh`, once.
    refresh_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How long the access token works, in seconds.
    expires_in: u64,
    /// How long the refresh token works, in seconds.
    refresh_expires_in: u64,
    /// Whom they belong to.
    user: UserBody,
}

/// Makes the first refresh token of a session that was just opened in `tx`.
pub async fn first(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    session: SessionId,
    session_end: Timestamp,
) -> onesql::Result<RefreshToken> {
    let token = RefreshToken::new(ctx.world());
    let expires_at = (ctx.now + app.config.refresh.ttl).min(session_end);
    sql::insert(tx, token.hash(&app.secrets.token_hash).to_vec(), session, ctx.now, expires_at)
        .await?;
    Ok(token)
}

/// Signs an access token and puts the pair together.
#[must_use]
pub fn pair(
    app: &App,
    ctx: &Ctx,
    user: User,
    session: &Session,
    refresh: &RefreshToken,
) -> TokenPair {
    let ttl = app.config.token.access_ttl.min(session.expires_at.since(ctx.now));
    let claims = AccessClaims {
        iss: app.issuer(),
        sub: user.id,
        aud: &app.config.token.audience,
        client_id: FIRST_PARTY,
        exp: AccessClaims::end(ctx.now, ttl),
        iat: ctx.now.as_second(),
        jti: AccessClaims::new_id(ctx.world()),
        sid: session.id,
        roles: &user.roles,
        amr: &session.amr.0,
        auth_time: session.auth_time.as_second(),
    };
    let refresh_ends = (ctx.now + app.config.refresh.ttl).min(session.expires_at);
    for kind in ["access", "refresh"] {
        app.metrics.tokens_issued.get_or_create(&Token { kind }).inc();
    }
    TokenPair {
        access_token: app.keyring.sign(TOKEN_TYPE, &claims, ctx.now),
        refresh_token: refresh.reveal().to_owned(),
        token_type: "Bearer",
        expires_in: ttl.as_secs(),
        refresh_expires_in: refresh_ends.since(ctx.now).as_secs(),
        user: user.into(),
    }
}

/// Exchanges a refresh token for a new pair, once.
pub async fn refresh(app: &App, ctx: &Ctx, text: &str) -> Result<TokenPair, RefreshError> {
    let Some(token) = RefreshToken::parse(text) else {
        let rejected = Event::RefreshRejected { session: None, reason: "malformed" };
        audit::record_alone(app, ctx, &rejected).await?;
        return Err(RefreshError::Invalid("malformed"));
    };
    let hash = token.hash(&app.secrets.token_hash).to_vec();
    let successor = token.successor(&app.secrets.refresh_successor);
    let successor_hash = successor.hash(&app.secrets.token_hash).to_vec();

    spend(app, ctx, hash.clone()).await?;
    let mut tx = app.store.write().await?;
    let won = sql::take(&mut tx, hash.clone(), ctx.now).await?;
    let (session, reason) = if let Some(session) = won {
        (session, None)
    } else {
        let known = sql::find(&mut tx, hash, successor_hash.clone()).await?;
        match rules::judge(known, app.config.refresh.retry_leeway, ctx.now) {
            Verdict::Retry(session) => (session, Some("grace_replay")),
            Verdict::Reused { session, age } => {
                return Err(end_for_reuse(tx, app, ctx, session, age).await?);
            }
            Verdict::Invalid(session, reason) => {
                return Err(reject(tx, app, ctx, session, reason).await?);
            }
        }
    };
    let cutoff = ctx.now - app.config.session.idle_timeout;
    if !sessions::use_again(&mut tx, session, ctx.ip.to_string(), ctx.now, cutoff).await? {
        return Err(reject(tx, app, ctx, Some(session), "session_ended").await?);
    }
    let Some(found) = sessions::find(&mut tx, session).await? else {
        return Err(reject(tx, app, ctx, Some(session), "session_ended").await?);
    };
    if found.user.disabled_at.is_some() {
        return Err(reject(tx, app, ctx, Some(session), "user_disabled").await?);
    }
    if reason.is_none() {
        let expires_at = (ctx.now + app.config.refresh.ttl).min(found.session.expires_at);
        sql::insert(&mut tx, successor_hash, session, ctx.now, expires_at).await?;
    }
    let rotated = Event::RefreshRotated { user: found.user.id, session, reason };
    audit::record(&mut tx, app, ctx, &rotated).await?;
    tx.commit().await?;
    Ok(pair(app, ctx, found.user, &found.session, &successor))
}

/// Spends one of the session's budget before anything is written: a Redis that hangs must not keep
/// the one writer of SQLite. A token that was used longer ago than a retry may come spends nothing,
/// so that no budget keeps a theft from being found.
async fn spend(app: &App, ctx: &Ctx, hash: Vec<u8>) -> Result<(), RefreshError> {
    if !app.limits.enabled() {
        return Ok(());
    }
    let leeway_began = ctx.now - app.config.refresh.retry_leeway;
    let mut tx = app.store.glance().await?;
    let Some(session) = sql::session_of(&mut tx, hash, leeway_began).await? else { return Ok(()) };
    drop(tx);
    match app.limits.spend(&REFRESH_PER_SESSION, &session.to_string(), ctx.now).await {
        Ok(_) => Ok(()),
        Err(exceeded) => Err(RefreshError::Limited(exceeded)),
    }
}

/// Ends the session of a token that was used twice: one of the two is a thief.
async fn end_for_reuse(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    session: SessionId,
    age: Duration,
) -> onesql::Result<RefreshError> {
    let Some(found) = sessions::find(&mut tx, session).await? else {
        return reject(tx, app, ctx, None, "unknown").await;
    };
    if !sessions::end(&mut tx, session, "refresh_token_reused", ctx.now).await? {
        return reject(tx, app, ctx, Some(session), "family_revoked").await;
    }
    let user = found.user.id;
    let reused = Event::RefreshReused { user, session, age_seconds: age.as_secs() };
    audit::record(&mut tx, app, ctx, &reused).await?;
    tx.commit().await?;
    tracing::warn!(user_id = %user, session_id = %session, "a refresh token was used twice; its session was ended");
    Ok(RefreshError::Reused)
}

/// Undoes what was begun, and writes down why: a token that bought nothing was not used, so a second
/// try is no theft.
async fn reject(
    tx: Tx,
    app: &App,
    ctx: &Ctx,
    session: Option<SessionId>,
    reason: &'static str,
) -> onesql::Result<RefreshError> {
    drop(tx);
    audit::record_alone(app, ctx, &Event::RefreshRejected { session, reason }).await?;
    Ok(RefreshError::Invalid(reason))
}
