//! Who is signed in in the browser that asks, and whether what it sends is a form of ours.
//!
//! A browser adds its cookie to whatever any page makes it ask for. So a form counts only if the browser
//! says that a page of ours sent it; and where somebody is signed in, only if it carries what only a page
//! that was shown to them can know. `SameSite=Lax` is a third reason that a stranger's form does nothing.

use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::visit::Visit;
use super::{cookie, rules, sign_in};
use crate::app::{App, Ctx};
use crate::browser::{self, Browser, Cookie};
use crate::form::Form;
use crate::problem::{Code, Problem};
use crate::sessions;
use crate::telemetry::Notes;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Takes forms from our own pages only.
pub(super) async fn own_forms(State(app): State<App>, request: Request, next: Next) -> Response {
    if !request.method().is_safe() {
        let site = cookie::only(request.headers(), &FETCH_SITE);
        let several = site.is_none() && request.headers().contains_key(FETCH_SITE);
        let origin = cookie::only(request.headers(), &header::ORIGIN);
        let ours = app.config.public_url.origin().ascii_serialization();
        if several || !rules::is_own(site, origin, &ours) {
            return Problem::from(Code::FormRefused).because("cross_site").into_response();
        }
    }
    let mut response = next.run(request).await;
    // Else a browser does not even tell us that a form is our own. No address here has a secret in it.
    let ours = HeaderValue::from_static("same-origin");
    response.headers_mut().insert(header::REFERRER_POLICY, ours);
    response
}

/// Somebody who is signed in; everybody else is sent to where one signs in.
pub(super) struct SignedIn(pub(super) Browser);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match present(parts, app).await {
            Ok(Some(browser)) => Ok(Self(browser)),
            Ok(None) => {
                let Ok(visit) = Visit::from_request_parts(parts, app).await;
                let mut response = to(&visit.action(app, sign_in::PATH));
                if cookie::read(app, &parts.headers).is_some() {
                    cookie::take(app, &mut response);
                }
                Err(response)
            }
            Err(problem) => Err(problem.into_response()),
        }
    }
}

impl OptionalFromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Response> {
        let found = present(parts, app).await.map_err(IntoResponse::into_response)?;
        Ok(found.map(Self))
    }
}

async fn present(parts: &mut Parts, app: &App) -> Result<Option<Browser>, Problem> {
    let Some(token) = cookie::read(app, &parts.headers) else { return Ok(None) };
    let ctx = Ctx::from_request_parts(parts, app).await?;
    let found = browser::find(app, &ctx, &token).await?;
    if let (Some(browser), Some(notes)) = (&found, Notes::current()) {
        notes.user(browser.caller.user.id);
    }
    Ok(found)
}

/// A form that somebody sends who is signed in.
pub(super) trait Guarded: DeserializeOwned + Send {
    /// Returns what it carries that only our page can know.
    fn guard(&self) -> &SecretString;
}

/// A form of who is signed in, sent by a page that was shown to them.
pub(super) struct Own<T>(pub(super) Browser, pub(super) T);

impl<T: Guarded> FromRequest<App> for Own<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let SignedIn(browser) =
            <SignedIn as FromRequestParts<App>>::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let form = Form::<T>::from_request(request, app).await;
        let Form(form) = form.map_err(IntoResponse::into_response)?;
        if browser.sent_by_us(form.guard()) {
            return Ok(Self(browser, form));
        }
        Err(Problem::from(Code::FormRefused).because("wrong_guard").into_response())
    }
}

/// Lets a browser in that just signed in: `response` gives it its cookie. Who was signed in there before is
/// signed out.
pub(super) async fn enter(
    app: &App,
    ctx: &Ctx,
    before: Option<SignedIn>,
    cookie: &Cookie,
    mut response: Response,
) -> Result<Response, Problem> {
    if let Some(SignedIn(browser)) = before {
        let (user, session) = (browser.caller.user.id, browser.caller.session);
        sessions::log_out(app, ctx, user, session).await?;
    }
    cookie::give(app, &mut response, cookie);
    Ok(response)
}

/// Gives a browser another cookie, whose owner proved more than before. What was done stays done, and is
/// shown, even if there is none: then they sign in again.
pub(super) async fn renew(
    app: &App,
    ctx: &Ctx,
    browser: &Browser,
    mut response: Response,
) -> Response {
    match browser::renew(app, ctx, browser.caller.session).await {
        Ok(cookie) => cookie::give(app, &mut response, &cookie),
        Err(error) => {
            tracing::warn!(%error, "a browser gets no other cookie: its owner has to sign in again");
            cookie::take(app, &mut response);
        }
    }
    response
}

/// Sends a browser elsewhere, with a GET (RFC 9110, 15.4.4).
pub(super) fn to(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let address = HeaderValue::try_from(address).expect("our own addresses are ASCII");
    response.headers_mut().insert(header::LOCATION, address);
    response
}
