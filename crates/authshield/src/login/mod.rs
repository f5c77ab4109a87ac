//! Signing in with a password.
//!
//! ```text
//! POST /auth/login ─ http::log_in ─ log_in
//!     Limits::spend        too many tries at this account?
//!     accounts::by_email   what do we know of it?
//!     Passwords::verify    is the password right?  (slow, known or not)
//!     rules::judge         may they come in?  (pure)
//!     one transaction      re-hash if the cost changed, open the session, its first refresh token,
//!                          and what the audit trail is told
//! ```

pub mod http;
mod rules;

use secrecy::SecretString;

pub use rules::Refusal;

use crate::accounts::{self, Account};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, SessionId};
use crate::limits::rules::PASSWORD_PER_ACCOUNT;
use crate::passwords::{Overloaded, Verdict};
use crate::sessions::{self, Session};
use crate::tokens::{self, TokenPair};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// They may not come in.
    #[error("sign-in refused")]
    Refused(#[from] Refusal),

    /// There were too many tries.
    #[error("too many tries")]
    Limited(crate::limits::Exceeded),

    /// There is too much to do.
    #[error("too many sign-ins at once")]
    Overloaded(#[from] Overloaded),

    /// We could not find out.
    #[error("the store failed during sign-in")]
    Store(#[from] onesql::Error),
}

/// Signs somebody in, or says why not; either way the audit trail knows.
pub async fn log_in(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    password: &SecretString,
) -> Result<TokenPair, LoginError> {
    app.limits
        .spend(&PASSWORD_PER_ACCOUNT, email.as_str(), ctx.now)
        .await
        .map_err(LoginError::Limited)?;
    let mut account = accounts::by_email(&mut app.store.glance().await?, email).await?;
    for _ in 0..ROUNDS {
        let known = account.as_ref().map(|account| account.user.id);
        let hash = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let verdict = app.passwords.verify(password, hash).await?;
        let judged = match rules::judge(account, verdict) {
            Ok(judged) => judged,
            Err(refusal) => return Err(refuse(app, ctx, email, known, refusal).await?),
        };
        // Hashed before the transaction begins: on SQLite there is one writer.
        let upgraded = match verdict {
            Verdict::Right { rehash: true } => app.passwords.hash(password).await.ok(),
            _ => None,
        };
        match open(app, ctx, judged, upgraded).await? {
            Opened::Session(pair) => return Ok(*pair),
            Opened::Changed(now) => account = now.map(|now| *now),
        }
    }
    let known = account.map(|account| account.user.id);
    Err(refuse(app, ctx, email, known, Refusal::Changed).await?)
}

/// How often the password is compared when the account changes meanwhile. Once more is enough when
/// another sign-in has hashed the same password anew, or when it was reset.
const ROUNDS: usize = 3;

/// What came of a session that was to be opened.
enum Opened {
    Session(Box<TokenPair>),
    /// The account is no longer what was judged, but this.
    Changed(Option<Box<Account>>),
}

/// Opens a session for `account`, if it is still what was judged.
async fn open(
    app: &App,
    ctx: &Ctx,
    account: Account,
    upgraded: Option<String>,
) -> onesql::Result<Opened> {
    let Account { user, password_hash } = account;
    let mut current = password_hash;
    let mut tx = app.store.write().await?;
    if let Some(upgraded) = upgraded
        && accounts::upgrade_hash(&mut tx, user.id, current.as_deref(), &upgraded).await?
    {
        current = Some(upgraded);
    }
    let session = Session {
        id: SessionId::new(ctx.world()),
        user_id: user.id,
        amr: onesql::Json(vec!["pwd".to_owned()]),
        auth_time: ctx.now,
        ip_address: ctx.client.ip.to_string(),
        user_agent: ctx.device.user_agent.clone().unwrap_or_default(),
        device: ctx.device.label(),
        created_at: ctx.now,
        last_active_at: ctx.now,
        expires_at: ctx.now + app.config.session.lifetime,
        ended_at: None,
    };
    if !sessions::open(&mut tx, &session, current.as_deref()).await? {
        // Read here, where the change shows even if it is not yet committed.
        let now = accounts::by_id(&mut tx, user.id).await?;
        return Ok(Opened::Changed(now.map(Box::new)));
    }
    let refresh = tokens::first(&mut tx, app, ctx, session.id, session.expires_at).await?;
    let succeeded =
        Event::LoginSucceeded { user: user.id, session: session.id, amr: session.amr.0.clone() };
    audit::record(&mut tx, app, ctx, &succeeded).await?;
    tx.commit().await?;
    Ok(Opened::Session(Box::new(tokens::pair(app, ctx, user, &session, &refresh))))
}

async fn refuse(
    app: &App,
    ctx: &Ctx,
    email: &EmailAddress,
    user: Option<crate::kernel::UserId>,
    refusal: Refusal,
) -> onesql::Result<LoginError> {
    let failed =
        Event::LoginFailed { user, email: email.as_str().to_owned(), reason: refusal.reason() };
    audit::record_alone(app, ctx, &failed).await?;
    Ok(refusal.into())
}
