//! The cookie that carries a session.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use secrecy::SecretString;

use crate::app::App;
use crate::browser::Cookie;
use crate::kernel::{BrowserToken, cookies};

/// Over https no other host of the domain and no page without encryption can set a cookie of this name
/// (RFC 6265bis, 4.1.3.2).
const NAME: &str = "__Host-authshield";
/// Over http, where browsers refuse that name: only a developer's own machine is served so.
const PLAIN: &str = "authshield";

/// What fits the code with which a browser comes back from a provider.
const VERIFIER: &str = "__Host-authshield-verifier";
/// The same over http.
const PLAIN_VERIFIER: &str = "authshield-verifier";

fn is_https(app: &App) -> bool {
    app.config.public_url.scheme() == "https"
}

/// Returns the secret that a browser carries; nothing if it carries none of ours, or two, of which one
/// was put there by somebody else.
pub(super) fn read(app: &App, headers: &HeaderMap) -> Option<BrowserToken> {
    only_of(headers, if is_https(app) { NAME } else { PLAIN }).and_then(BrowserToken::parse)
}

fn only_of<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    let mut ours = cookies(headers).filter(move |(named, _)| *named == name);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// Returns what fits the code with which a browser comes back from a provider; it left last for that one.
pub(super) fn verifier(app: &App, headers: &HeaderMap) -> Option<SecretString> {
    only_of(headers, if is_https(app) { VERIFIER } else { PLAIN_VERIFIER }).map(SecretString::from)
}

/// Gives a browser what fits the code with which it comes back.
pub(super) fn give_verifier(app: &App, response: &mut Response, verifier: &str) {
    set(app, response, [VERIFIER, PLAIN_VERIFIER], verifier, "; Max-Age=600");
}

/// Takes that from a browser.
pub(super) fn take_verifier(app: &App, response: &mut Response) {
    set(app, response, [VERIFIER, PLAIN_VERIFIER], "", "; Max-Age=0");
}

/// Gives a browser its cookie. It lasts as long as the browser is open, and no longer than its session.
pub(super) fn give(app: &App, response: &mut Response, cookie: &Cookie) {
    set(app, response, [NAME, PLAIN], cookie.token().reveal(), "");
}

/// Takes the cookie from a browser.
pub(super) fn take(app: &App, response: &mut Response) {
    set(app, response, [NAME, PLAIN], "", "; Max-Age=0");
}

fn set(app: &App, response: &mut Response, names: [&str; 2], value: &str, end: &str) {
    let (name, secure) = if is_https(app) { (names[0], "; Secure") } else { (names[1], "") };
    let cookie = format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{end}");
    let mut cookie = HeaderValue::try_from(cookie).expect("names and tokens are ASCII");
    cookie.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, cookie);
}

/// Returns the one value of a header; nothing if there are several.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
