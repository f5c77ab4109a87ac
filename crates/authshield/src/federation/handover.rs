//! Going back to an application from our own pages, with a code like that of a sign-in at a provider.
//!
//! ```text
//! GET  /sign-in?return_to=…       the application sends a browser ─ accept
//! GET  /sign-in/continue          somebody is signed in there ─ hand_over: a code
//! POST /auth/oauth/redeem         the application exchanges it ─ redeem: a session of its own
//! ```
//!
//! The code is worth nothing without the application's verifier (RFC 7636), and nothing once the session of
//! the browser has ended.

use std::time::Duration;

use onesql::Tx;
use serde::{Deserialize, Serialize};

use super::rules::{self, Vouched};
use super::stake::Stake;
use super::{CODE, Failure, RedeemError, Refusal, Wish, back, flow, note, sql};
use crate::access::Caller;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{FederationToken, SessionId, UserId};
use crate::login::{self, Proven};
use crate::sessions::{self, Carrier};
use crate::{accounts, guessing};

/// What stands for the provider in the audit trail.
pub(super) const PAGES: &str = "pages";
/// A sign-in is never older than that for who just signed in: else they would be asked again and again.
const YOUNG: Duration = Duration::from_mins(1);

/// Somebody who is signed in on our pages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entered {
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
}

/// Why a browser is not sent to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WishRefused {
    /// The application's address is not on the list.
    #[error("the address to go back to is not allowed")]
    ReturnTo,
    /// The challenge is none, or not made with SHA-256.
    #[error("the code challenge is not 32 bytes in base64url")]
    Challenge,
    /// The state is too long, or something is there twice.
    #[error("the parameters cannot be read")]
    Malformed,
}

/// Returns a wish that may be fulfilled: its address is one of the list, byte by byte.
pub fn accept(app: &App, wish: Wish) -> Result<Wish, WishRefused> {
    if !app.config.oauth.return_to.contains(&wish.return_to) {
        return Err(WishRefused::ReturnTo);
    }
    if !rules::is_challenge(&wish.challenge) {
        return Err(WishRefused::Challenge);
    }
    Ok(wish)
}

/// Whether the caller signed in not longer ago than the application wants.
pub async fn is_young(app: &App, ctx: &Ctx, caller: &Caller, wish: &Wish) -> onesql::Result<bool> {
    let Some(max_age) = wish.max_age else { return Ok(true) };
    let found = sessions::find(&mut app.store.glance().await?, caller.session).await?;
    let max_age = Duration::from_secs(u64::from(max_age)).max(YOUNG);
    Ok(found.is_some_and(|found| found.session.auth_time + max_age > ctx.now))
}

/// Makes a code for the application, and returns its address with it.
pub async fn hand_over(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    wish: &Wish,
) -> onesql::Result<String> {
    let token = FederationToken::new(ctx.world());
    let code = sql::Code {
        hash: token.hash(&app.secrets.token_hash).to_vec(),
        challenge: wish.challenge.clone(),
        expires_at: ctx.now + CODE,
    };
    let (user, session) = (caller.user.id, caller.session);
    let entered = Vouched::Entered(Entered { user_id: user, session_id: session });
    // Nobody comes back with this state: it names the row.
    let state = flow::hash(&flow::random(ctx.world()));
    let mut tx = app.store.write().await?;
    sql::take_state(&mut tx, state.clone(), ctx.now + CODE).await?;
    sql::vouch(&mut tx, state, code, Stake::of(entered, ctx)).await?;
    let application = wish.return_to.clone();
    let handed_over = Event::SignInHandedOver { user, session, application };
    audit::record(&mut tx, app, ctx, &handed_over).await?;
    tx.commit().await?;
    Ok(back(&wish.return_to, wish.state.as_deref(), "code", token.reveal()))
}

/// Opens a session for the application, which is as good as that of the browser.
pub(super) async fn enter<C: Carrier>(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    entered: &Entered,
) -> Result<C, RedeemError> {
    let user = entered.user_id;
    accounts::lock(&mut tx, user).await?;
    let account = accounts::by_id(&mut tx, user).await?;
    let session = sessions::find(&mut tx, entered.session_id).await?.map(|found| found.session);
    let goes_on = session.filter(|it| it.ended_at.is_none() && it.expires_at > ctx.now);
    let (Some(account), Some(session)) = (account, goes_on) else {
        return Err(refuse(tx, app, ctx, None, "session_ended").await?);
    };
    if account.user.disabled_at.is_some() {
        let failure = Failure { stage: "account", reason: Refusal::AccountDisabled.reason() };
        note(&mut tx, app, ctx, PAGES, Some(user), failure).await?;
        tx.commit().await?;
        return Err(Refusal::AccountDisabled.into());
    }
    let email = account.user.email.clone();
    let amr: Vec<&str> = session.amr.0.iter().map(String::as_str).collect();
    let password = account.password_hash.as_deref();
    // The browser's session goes on, so what was shown for it was enough.
    let proven = Proven { amr: &amr, at: session.auth_time, is_enough: true, from_known: false };
    let begun = login::begin(&mut tx, app, ctx, account.user, password, proven).await?;
    let Some(carrier) = begun else {
        return Err(refuse(tx, app, ctx, Some(user), "account_changed").await?);
    };
    guessing::completed(&mut tx, app, ctx, &email).await?;
    tx.commit().await?;
    Ok(carrier)
}

async fn refuse(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    user: Option<UserId>,
    reason: &'static str,
) -> onesql::Result<RedeemError> {
    note(&mut tx, app, ctx, PAGES, user, Failure { stage: "code", reason }).await?;
    tx.commit().await?;
    Ok(RedeemError::Invalid(reason))
}
