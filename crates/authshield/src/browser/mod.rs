//! Browsers that are signed in: a session like any other, carried by a cookie instead of tokens.
//!
//! ```text
//! signing in    Cookie::carry  256 random bits for the browser, their keyed hash for the database, in the
//!                              transaction that opens the session
//! every page    find           whose cookie is it, and does its session go on?  (access::admit)
//! every form    Browser::sent_by_us    does it carry what only our page could know?
//! proving more  renew          another secret for the same session
//! ```
//!
//! The secret is made at every sign-in and never taken from a browser, so nobody can lay one under that
//! they know. It names the session and says nothing else: idle and absolute end, sign-out from afar, a
//! new password, a disabled account all act on the session's row, on every node. No route of the API looks
//! at the cookie, and no page looks at tokens.

mod sql;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesql::Tx;
use secrecy::{ExposeSecret, SecretString};

use self::sql::Held;
use crate::access::{self, Caller};
use crate::accounts::User;
use crate::app::{App, Ctx};
use crate::kernel::{BrowserToken, SessionId};
use crate::problem::Problem;
use crate::sessions::{Carrier, Session};

/// What a browser is given that signed in.
pub struct Cookie(BrowserToken);

impl Cookie {
    /// Returns the secret, to be sent to its browser and to nobody else.
    #[must_use]
    pub fn token(&self) -> &BrowserToken {
        &self.0
    }
}

impl Carrier for Cookie {
    async fn carry(
        tx: &mut Tx,
        app: &App,
        ctx: &Ctx,
        _: User,
        session: &Session,
    ) -> onesql::Result<Self> {
        let token = BrowserToken::new(ctx.world());
        sql::insert(tx, hash(app, &token), session.id, ctx.now).await?;
        Ok(Self(token))
    }
}

/// A browser that is signed in.
pub struct Browser {
    /// Who, and in which session.
    pub caller: Caller,
    guard: [u8; 32],
}

impl Browser {
    /// Returns what the forms of its pages carry.
    #[must_use]
    pub fn guard(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.guard)
    }

    /// Returns whether a form carries what only a page of this browser can know.
    #[must_use]
    pub fn sent_by_us(&self, guard: &SecretString) -> bool {
        let carried = URL_SAFE_NO_PAD.decode(guard.expose_secret()).unwrap_or_default();
        verify_slices_are_equal(&carried, &self.guard).is_ok()
    }
}

/// Makes the cookie of a session good for nothing, in the transaction in which its owner proves more than
/// before: what was good for less must not be good for that. [`renew`] makes another; without it, the owner
/// signs in again.
pub async fn withdraw(tx: &mut Tx, session: SessionId) -> onesql::Result<()> {
    sql::delete(tx, session).await.map(drop)
}

/// Makes another cookie for a session whose own was withdrawn.
pub async fn renew(app: &App, ctx: &Ctx, session: SessionId) -> onesql::Result<Cookie> {
    let token = BrowserToken::new(ctx.world());
    let mut tx = app.store.write().await?;
    sql::insert(&mut tx, hash(app, &token), session, ctx.now).await?;
    tx.commit().await?;
    Ok(Cookie(token))
}

/// Finds who is signed in with a cookie; nobody, if its session has ended, its account is disabled, or must
/// have a second factor and has none.
pub async fn find(app: &App, ctx: &Ctx, token: &BrowserToken) -> Result<Option<Browser>, Problem> {
    let found = sql::find(&mut app.store.glance().await?, hash(app, token)).await?;
    let Some(Held { present, amr }) = found else { return Ok(None) };
    match access::admit(app, ctx, present, &amr.0).await {
        Ok(caller) => {
            let guard = token.form_guard(&app.secrets.token_hash);
            Ok(Some(Browser { caller, guard }))
        }
        Err(problem) if problem.code.status().is_client_error() => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn hash(app: &App, token: &BrowserToken) -> Vec<u8> {
    token.hash(&app.secrets.token_hash).to_vec()
}
