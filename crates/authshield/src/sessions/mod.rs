//! Sessions: what a sign-in opens, what its owner can see and end.
//!
//! A session ends at its absolute end, after a time without use, or when somebody ends it; from then
//! on no access token and no refresh token of it works, on any node.

pub mod http;
mod rules;
mod sql;

use onesql::Tx;

pub use rules::{Ended, live};
pub(crate) use sql::open_session;
pub use sql::{
    Found, Life, Opening, Present, Session, callers, find, list, prove_again, use_again,
};

use crate::accounts::User;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{SessionId, Timestamp, UserId};
use crate::links::{self, Purpose};
use crate::{accounts, login, revocations, trusted_devices};

/// How exact "last used" is: a write per request would be too much for the answer's worth.
const TOUCH_EVERY: std::time::Duration = std::time::Duration::from_mins(1);

/// What carries a session to its owner: a pair of tokens, or the cookie of a browser.
pub trait Carrier: Sized + Send {
    /// Makes it, in the transaction that opens the session.
    fn carry(
        tx: &mut Tx,
        app: &App,
        ctx: &Ctx,
        user: User,
        session: &Session,
    ) -> impl Future<Output = onesql::Result<Self>> + Send;
}

/// Remembers that a session is in use. A failure costs some exactness, not the request.
pub async fn touch(app: &App, ctx: &Ctx, session: &Life) {
    if ctx.now.since(session.last_active_at) < TOUCH_EVERY {
        return;
    }
    // In a box: it is seldom due, and would make the future of every request larger.
    let touched = Box::pin(async {
        let mut tx = app.store.write().await?;
        sql::touch(&mut tx, session.id, ctx.now).await?;
        tx.commit().await
    });
    if let Err(error) = touched.await {
        tracing::debug!(error = %crate::problem::chain(&error), "a session's last use was not noted");
    }
}

/// Ends a session; `false` if it had ended. Services that verify tokens by themselves are told.
pub async fn end(
    tx: &mut Tx,
    session: SessionId,
    reason: &str,
    now: Timestamp,
) -> onesql::Result<bool> {
    let ended = sql::end(tx, session, reason, now).await?;
    if ended {
        revocations::session_ended(tx, session).await?;
    }
    Ok(ended)
}

/// Ends all sessions of somebody but one, and returns how many that were; no device of theirs is trusted any
/// more. The account is held from then on, so that two at once end them one after the other.
pub async fn end_all(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    owner: UserId,
    keep: Option<SessionId>,
    reason: &'static str,
) -> onesql::Result<u64> {
    accounts::lock(tx, owner).await?;
    revocations::sessions_end(tx, owner, keep).await?;
    trusted_devices::end_all(tx, app, ctx, None, owner, reason).await?;
    // Whoever is signed out may have begun it.
    links::withdraw(tx, owner, Purpose::ChangeEmail).await?;
    sql::end_all(tx, owner, keep, reason, ctx.now).await
}

/// Ends the sessions of somebody of which `is_over` says so by how they were opened (RFC 8176), and returns how many
/// that were; who calls holds the account.
pub async fn end_where(
    tx: &mut Tx,
    owner: UserId,
    reason: &'static str,
    now: Timestamp,
    is_over: impl Fn(&[String]) -> bool,
) -> onesql::Result<u64> {
    let mut count = 0;
    for (session, amr) in sql::open_of(tx, owner).await? {
        if is_over(&amr.0) && end(tx, session, reason, now).await? {
            count += 1;
        }
    }
    Ok(count)
}

/// Ends one session of somebody; `false` if it is not theirs, or has ended.
pub async fn revoke(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    owner: UserId,
    session: SessionId,
    reason: &'static str,
) -> onesql::Result<bool> {
    let mut tx = app.store.write().await?;
    let cutoff = ctx.now - app.config.session.idle_timeout;
    if !sql::end_of(&mut tx, owner, session, reason, ctx.now, cutoff).await? {
        return Ok(false);
    }
    revocations::session_ended(&mut tx, session).await?;
    let revoked =
        Event::SessionsRevoked { actor, user: owner, session: Some(session), count: 1, reason };
    audit::record(&mut tx, app, ctx, &revoked).await?;
    tx.commit().await?;
    Ok(true)
}

/// Signs out of the session that asks.
pub async fn log_out(app: &App, ctx: &Ctx, user: UserId, session: SessionId) -> onesql::Result<()> {
    let mut tx = app.store.write().await?;
    if end(&mut tx, session, "logout", ctx.now).await? {
        audit::record(&mut tx, app, ctx, &Event::Logout { user, session }).await?;
    }
    tx.commit().await
}

/// Ends every session of somebody, sign-ins that wait for a second factor, and trust in their devices.
pub async fn revoke_all(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    owner: UserId,
    reason: &'static str,
) -> onesql::Result<u64> {
    revoke_all_but(app, ctx, actor, owner, None, reason).await
}

/// The same, but for the session `kept`.
pub async fn revoke_all_but(
    app: &App,
    ctx: &Ctx,
    actor: Option<UserId>,
    owner: UserId,
    kept: Option<SessionId>,
    reason: &'static str,
) -> onesql::Result<u64> {
    let mut tx: Tx = app.store.write().await?;
    let count = end_all(&mut tx, app, ctx, owner, kept, reason).await?;
    login::withdraw(&mut tx, owner).await?;
    let revoked = Event::SessionsRevoked { actor, user: owner, session: None, count, reason };
    audit::record(&mut tx, app, ctx, &revoked).await?;
    tx.commit().await?;
    Ok(count)
}
