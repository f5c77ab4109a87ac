//! The cookies of a browser: the one that carries its session, those that bind a sign-in by mail or at a provider to
//! where it began, the one that remembers for which application that was, and the one of a device that is trusted.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use secrecy::SecretString;

use crate::app::App;
use crate::browser::Cookie;
use crate::kernel::{AskerToken, BrowserToken, TrustToken, cookies};
use crate::trusted_devices::Trusted;

/// The name of a cookie: over https, where no other host of the domain and no page without encryption can set one
/// of it (RFC 6265bis, 4.1.3.2); and over http, where browsers refuse that name: only a developer's own machine is
/// served so.
struct Name(&'static str, &'static str);

const SESSION: Name = Name("__Host-authshield", "authshield");
const ASKER: Name = Name("__Host-authshield-mail", "authshield-mail");
/// What fits the code with which a browser comes back from a provider.
const VERIFIER: Name = Name("__Host-authshield-verifier", "authshield-verifier");
/// What spares the second factor on a device that is trusted.
const TRUST: Name = Name("__Host-authshield-trust", "authshield-trust");
/// The application that somebody signs in for, while they look into their mailbox.
const RETURN: Name = Name("__Host-authshield-return", "authshield-return");

fn is_https(app: &App) -> bool {
    app.config.public_url.scheme() == "https"
}

/// Returns the secret that a browser carries; nothing if it carries none of ours, or two, of which one
/// was put there by somebody else.
pub(super) fn read(app: &App, headers: &HeaderMap) -> Option<BrowserToken> {
    BrowserToken::parse(value(app, headers, &SESSION)?)
}

/// Returns what a browser got that asked for a sign-in by mail.
pub(super) fn read_asker(app: &App, headers: &HeaderMap) -> Option<AskerToken> {
    AskerToken::parse(value(app, headers, &ASKER)?)
}

/// Returns what fits the code with which a browser comes back from a provider; it left last for that one.
pub(super) fn verifier(app: &App, headers: &HeaderMap) -> Option<SecretString> {
    value(app, headers, &VERIFIER).map(SecretString::from)
}

/// Returns what a browser keeps whose device is trusted.
pub(super) fn read_trust(app: &App, headers: &HeaderMap) -> Option<TrustToken> {
    TrustToken::parse(value(app, headers, &TRUST)?)
}

/// Returns what a browser keeps of an application.
pub(super) fn read_return<'h>(app: &App, headers: &'h HeaderMap) -> Option<&'h str> {
    value(app, headers, &RETURN)
}

fn value<'h>(app: &App, headers: &'h HeaderMap, name: &Name) -> Option<&'h str> {
    let name = if is_https(app) { name.0 } else { name.1 };
    let mut ours = cookies(headers).filter(|(named, _)| *named == name);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// Gives a browser what fits the code with which it comes back.
pub(super) fn give_verifier(app: &App, response: &mut Response, verifier: &str) {
    set(app, response, &VERIFIER, verifier, "; Max-Age=600");
}

/// Takes that from a browser.
pub(super) fn take_verifier(app: &App, response: &mut Response) {
    set(app, response, &VERIFIER, "", "; Max-Age=0");
}

/// Gives a browser its cookie. It lasts as long as the browser is open, and no longer than its session.
pub(super) fn give(app: &App, response: &mut Response, cookie: &Cookie) {
    set(app, response, &SESSION, cookie.token().reveal(), "");
}

/// Gives a browser what it shows again together with what comes by mail.
pub(super) fn give_asker(app: &App, response: &mut Response, handle: &AskerToken, lasts: Duration) {
    let end = format!("; Max-Age={}", lasts.as_secs());
    set(app, response, &ASKER, handle.reveal(), &end);
}

/// Gives a browser what spares the second factor at its next sign-ins.
pub(super) fn give_trust(app: &App, response: &mut Response, trusted: &Trusted) {
    let end = format!("; Max-Age={}", trusted.lasts.as_secs());
    set(app, response, &TRUST, trusted.token.reveal(), &end);
}

/// Has a browser keep what an application wants.
pub(super) fn give_return(app: &App, response: &mut Response, wish: &str, lasts: Duration) {
    set(app, response, &RETURN, wish, &format!("; Max-Age={}", lasts.as_secs()));
}

/// Has it forget that.
pub(super) fn take_return(app: &App, response: &mut Response) {
    set(app, response, &RETURN, "", "; Max-Age=0");
}

/// Takes the cookie from a browser.
pub(super) fn take(app: &App, response: &mut Response) {
    set(app, response, &SESSION, "", "; Max-Age=0");
}

fn set(app: &App, response: &mut Response, name: &Name, value: &str, end: &str) {
    let (name, secure) = if is_https(app) { (name.0, "; Secure") } else { (name.1, "") };
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
