//! Tokens: what a session gives out, and how a refresh token turns into its successor.
//!
//! ```text
//! POST /auth/refresh ─ http::refresh ─ refresh
//!     find, spend         whose is it, and do they ask too often?  (before the one writer of SQLite
//!                         is asked for)
//!     rotate              check and change in one: of two requests with one token, one takes it,
//!                         and only if its session goes on. The successor is derived from the old
//!                         token with a server key, so that a retry within the leeway gets the same
//!                         one and nothing secret is stored
//!     otherwise judge     rules::judge: retry, theft, or nothing that works
//! ```

pub mod http;
mod rules;
mod sql;

use std::time::Duration;

use onesql::Tx;
use serde::Serialize;
use sql::{Held, Rotation};
use utoipa::ToSchema;

pub use rules::Verdict;
pub use sql::{Holder, holders};

use crate::accounts::User;
use crate::accounts::http::UserBody;
use crate::app::{App, Ctx};
use crate::audit::{self, Event, Line};
use crate::kernel::{RefreshToken, SessionId, Timestamp};
use crate::limits::rules::REFRESH_PER_SESSION;
use crate::second_factor;
use crate::sessions::{self, Carrier, Found, Session};
use crate::telemetry::metrics::Token;
use crate::vault::{AccessClaims, FIRST_PARTY, TOKEN_TYPE};

/// The session was opened without the second factor that the policy asks for.
const MISSING: &str = "second_factor_missing";

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

impl Carrier for TokenPair {
    async fn carry(
        tx: &mut Tx,
        app: &App,
        ctx: &Ctx,
        user: User,
        session: &Session,
    ) -> onesql::Result<Self> {
        let refresh = first(tx, app, ctx, session.id, session.expires_at).await?;
        Ok(pair(app, ctx, user, session, &refresh))
    }
}

/// Makes the first refresh token of a session that was just opened in `tx`.
async fn first(
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
fn pair(app: &App, ctx: &Ctx, user: User, session: &Session, refresh: &RefreshToken) -> TokenPair {
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
        acr: rules::acr(&session.amr.0),
        auth_time: session.auth_time.as_second(),
        epoch: app.installation.token_epoch,
        user_epoch: user.epoch,
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
    let successor = token.successor(&app.secrets.refresh_successor);
    let rotation = Rotation {
        hash: token.hash(&app.secrets.token_hash).to_vec(),
        successor_hash: successor.hash(&app.secrets.token_hash).to_vec(),
        now: ctx.now,
        idle_cutoff: ctx.now - app.config.session.idle_timeout,
        ttl: app.config.refresh.ttl,
        ip_address: ctx.client.ip.to_string(),
    };
    // Before the one writer of SQLite is asked for: whose it is, and whether they ask too often.
    let holder = app.holders.find(rotation.hash.clone()).await?;
    if let Some(holder) = &holder {
        spend(app, ctx, holder).await?;
        if second_factor::is_missing(app, &holder.found.user, &holder.found.session.amr.0) {
            let session = Some(holder.found.session.id);
            let rejected = Event::RefreshRejected { session, reason: MISSING };
            audit::record_alone(app, ctx, &rejected).await?;
            return Err(RefreshError::Invalid(MISSING));
        }
    }
    let fresh = holder.filter(|holder| holder.used_at.is_none());
    if let Some(Holder { found: Found { session, user }, .. }) = fresh {
        let rotated = Event::RefreshRotated { user: user.id, session: session.id, reason: None };
        let mut tx = app.store.write_once().await?;
        if sql::rotate(&mut tx, &rotation, Line::of(app, ctx, &rotated)).await? {
            audit::announce(&mut tx, app, ctx, &rotated);
            tx.commit().await?;
            return Ok(pair(app, ctx, user, &session, &successor));
        }
    }
    let (user, session) = retry(app, ctx, rotation).await?;
    Ok(pair(app, ctx, user, &session, &successor))
}

/// Spends one of the session's budget. A token that was used longer ago than a retry may come spends
/// nothing, so that no budget keeps a theft from being found.
async fn spend(app: &App, ctx: &Ctx, holder: &Holder) -> Result<(), RefreshError> {
    let leeway_began = ctx.now - app.config.refresh.retry_leeway;
    if holder.used_at.is_some_and(|used_at| used_at < leeway_began) {
        return Ok(());
    }
    let key = holder.found.session.id.to_string();
    match app.limits.spend(&REFRESH_PER_SESSION, &key, ctx.now).await {
        Ok(_) => Ok(()),
        Err(exceeded) => Err(RefreshError::Limited(exceeded)),
    }
}

/// Looks closer at a token that was not there to take, where nobody can come between: a retry gets
/// the same successor again.
async fn retry(app: &App, ctx: &Ctx, rotation: Rotation) -> Result<(User, Session), RefreshError> {
    let mut tx = app.store.write().await?;
    let Some(Held { known, found }) = sql::find(&mut tx, &rotation).await? else {
        return Err(reject(tx, app, ctx, None, "unknown").await?);
    };
    let session = found.session.id;
    match rules::judge(&known, app.config.refresh.retry_leeway, ctx.now) {
        Verdict::Retry if known.user_disabled => {
            Err(reject(tx, app, ctx, Some(session), "user_disabled").await?)
        }
        Verdict::Retry if second_factor::is_missing(app, &found.user, &found.session.amr.0) => {
            Err(reject(tx, app, ctx, Some(session), MISSING).await?)
        }
        Verdict::Retry => {
            let Rotation { ip_address, idle_cutoff, .. } = rotation;
            if !sessions::use_again(&mut tx, session, ip_address, ctx.now, idle_cutoff).await? {
                return Err(reject(tx, app, ctx, Some(session), "session_ended").await?);
            }
            let Found { session, user } = found;
            let reason = Some("grace_replay");
            let rotated = Event::RefreshRotated { user: user.id, session: session.id, reason };
            audit::record(&mut tx, app, ctx, &rotated).await?;
            tx.commit().await?;
            Ok((user, session))
        }
        Verdict::Reused { age } => Err(end_for_reuse(tx, app, ctx, found, age).await?),
        Verdict::Invalid(reason) => Err(reject(tx, app, ctx, Some(session), reason).await?),
    }
}

/// Ends the session of a token that was used twice: one of the two is a thief.
async fn end_for_reuse(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    found: Found,
    age: Duration,
) -> onesql::Result<RefreshError> {
    let (user, session) = (found.user.id, found.session.id);
    if !sessions::end(&mut tx, session, "refresh_token_reused", ctx.now).await? {
        return reject(tx, app, ctx, Some(session), "family_revoked").await;
    }
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
