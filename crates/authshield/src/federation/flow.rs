//! A sign-in that is on its way through a provider: sealed into a cookie, so that nothing is stored before a
//! browser comes back, and only the browser that left can.

use std::cmp::Reverse;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::app::{App, Ctx};
use crate::kernel::cookies;
use crate::world::World;

/// How long somebody may take at the provider, in seconds.
pub(super) const LASTS: i64 = 600;
/// How many of them a browser carries at once. All go along with each of its requests, and there is no end to
/// what a page can make it begin.
const AT_ONCE: usize = 4;
/// The purpose under which it is sealed.
const SEALED_FOR: &str = "federation.flow";

/// What we have to know again when the browser comes back. Everything is of the one provider that it was
/// sent to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Which provider.
    pub(super) provider: String,
    /// What comes back by the provider.
    pub(super) state: String,
    /// What comes back in the ID token.
    pub(super) nonce: String,
    /// What the provider's challenge was made of (RFC 7636).
    pub(super) verifier: String,
    /// The address of the application.
    pub(super) return_to: String,
    /// What the application wants to know again.
    pub(super) app_state: Option<String>,
    /// What the application's verifier has to fit.
    pub(super) challenge: String,
    /// How long ago whoever it is may have signed in at the provider, in seconds.
    pub(super) max_age: Option<u32>,
    /// When it is too late, in seconds since 1970.
    pub(super) ends: i64,
}

/// Returns 256 random bits as text.
pub(super) fn random(world: &dyn World) -> String {
    let mut bytes = [0; 32];
    world.fill(&mut bytes);
    BASE64.encode(bytes)
}

/// Returns what is stored of a state.
pub(super) fn hash(state: &str) -> Vec<u8> {
    Sha256::digest(state.as_bytes()).to_vec()
}

/// Returns the name of the cookie of a state; each tab has its own. Where there is TLS no other host and no
/// page in clear text can set it (RFC 6265bis, 4.1.3.2).
fn cookie_name(app: &App, state: &str) -> String {
    format!("{}{}", prefix(app), &BASE64.encode(hash(state))[..16])
}

fn prefix(app: &App) -> &'static str {
    if is_encrypted(app) { "__Host-oauth-" } else { "oauth-" }
}

/// Returns the cookies that take the oldest sign-ins away which a browser brings along, so that it carries no more than
/// it may together with that of `state`.
pub(super) fn abandoned(app: &App, headers: &HeaderMap, state: &str) -> Vec<String> {
    let at_hand = cookie_name(app, state);
    let mut others: Vec<_> = cookies(headers)
        .filter(|(name, _)| name.starts_with(prefix(app)) && *name != at_hand)
        .map(|(name, sealed)| (open(app, sealed).map_or(0, |flow| flow.ends), name))
        .collect();
    others.sort_by_key(|(ends, _)| Reverse(*ends));
    others.into_iter().skip(AT_ONCE - 1).map(|(_, name)| cookie(app, name, "", 0, false)).collect()
}

/// Whether a browser asks for a page of a tab, and not for a picture or a frame in somebody else's page: with as many
/// of those as that likes it would carry more than servers take. Old browsers do not say.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_none_or(|there| there == "document")
}

fn open(app: &App, sealed: &str) -> Option<Flow> {
    let sealed = BASE64.decode(sealed).ok()?;
    serde_json::from_slice(&app.vault.open_sealed(SEALED_FOR, &sealed).ok()?).ok()
}

fn is_encrypted(app: &App) -> bool {
    app.config.public_url.scheme() == "https"
}

impl Flow {
    /// Seals it into a cookie. It is sent along when the provider sends the browser back, which is why it
    /// cannot be `Strict`; and not even `Lax` where the browser `posts` a form from the provider's page. That
    /// opens nothing: a form of another page does not know the state, which is what finds the cookie.
    pub(super) fn to_cookie(&self, app: &App, posts: bool) -> String {
        let text = serde_json::to_vec(self).expect("a flow is plain data");
        let sealed = BASE64.encode(app.vault.seal(SEALED_FOR, &text));
        cookie(app, &cookie_name(app, &self.state), &sealed, LASTS, posts)
    }

    /// Finds the one of a state among the cookies of a browser; the error says why there is none.
    pub(super) fn find(
        app: &App,
        ctx: &Ctx,
        headers: &HeaderMap,
        state: &str,
    ) -> Result<Self, &'static str> {
        let name = cookie_name(app, state);
        let mut values = cookies(headers).filter(|(it, _)| *it == name);
        let (_, sealed) = values.next().ok_or("foreign_browser")?;
        let flow = open(app, sealed).ok_or("damaged_cookie")?;
        // The name is short: this is what counts.
        if flow.state != state {
            return Err("wrong_state");
        }
        if flow.ends <= ctx.now.as_second() {
            return Err("state_expired");
        }
        Ok(flow)
    }

    /// Returns the cookie that takes its cookie away.
    pub(super) fn no_cookie(&self, app: &App) -> String {
        cookie(app, &cookie_name(app, &self.state), "", 0, false)
    }
}

fn cookie(app: &App, name: &str, value: &str, lasts: i64, is_cross_site: bool) -> String {
    let secure = if is_encrypted(app) { "; Secure" } else { "" };
    // Without TLS browsers take no such cookie, and Apple sends nobody back.
    let site = if is_cross_site && is_encrypted(app) { "None" } else { "Lax" };
    format!("{name}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite={site}{secure}")
}
