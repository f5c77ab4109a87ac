//! The cookie that carries a session.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use crate::app::App;
use crate::browser::Cookie;
use crate::kernel::{BrowserToken, cookies};

/// Over https no other host of the domain and no page without encryption can set a cookie of this name
/// (RFC 6265bis, 4.1.3.2).
const NAME: &str = "__Host-authshield";
/// Over http, where browsers refuse that name: only a developer's own machine is served so.
const PLAIN: &str = "authshield";

fn is_https(app: &App) -> bool {
    app.config.public_url.scheme() == "https"
}

/// Returns the name of another cookie of ours, and what it says of encryption.
pub(super) fn named(app: &App, what: &str) -> (String, &'static str) {
    let (name, secure) = if is_https(app) { (NAME, "; Secure") } else { (PLAIN, "") };
    (format!("{name}-{what}"), secure)
}

/// Returns the secret that a browser carries; nothing if it carries none of ours, or two, of which one
/// was put there by somebody else.
pub(super) fn read(app: &App, headers: &HeaderMap) -> Option<BrowserToken> {
    let name = if is_https(app) { NAME } else { PLAIN };
    let mut ours = cookies(headers).filter(|(named, _)| *named == name);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) => BrowserToken::parse(value),
        _ => None,
    }
}

/// Gives a browser its cookie. It lasts as long as the browser is open, and no longer than its session.
pub(super) fn give(app: &App, response: &mut Response, cookie: &Cookie) {
    set(app, response, cookie.token().reveal(), "");
}

/// Takes the cookie from a browser.
pub(super) fn take(app: &App, response: &mut Response) {
    set(app, response, "", "; Max-Age=0");
}

fn set(app: &App, response: &mut Response, value: &str, end: &str) {
    let (name, secure) = if is_https(app) { (NAME, "; Secure") } else { (PLAIN, "") };
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
