//! `/sign-in/continue`: back to the application that somebody signs in for.
//!
//! What it wants stands in the address of every page on the way, and is judged anew on each of them; links
//! in mails do without, so the browser keeps it for those in a cookie. No part of it is secret.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use minijinja::context;
use url::{Url, form_urlencoded};

use super::page::Message;
use super::signed_in::{self, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{account, cookie, mail_code, reset, sign_in, verify};
use crate::app::{App, Ctx};
use crate::federation::{self, Wish, WishRefused};
use crate::problem::{Code, Problem};

pub(super) const PATH: &str = "/sign-in/continue";

/// The longest state.
const STATE: usize = 512;
/// How long a browser keeps what an application wants, in seconds: links in mails work for a day.
const KEPT: Duration = Duration::from_hours(24);

/// Reads what an application wants; nothing, if the address speaks of none.
pub(super) fn read(app: &App, query: &[u8]) -> Result<Option<Wish>, WishRefused> {
    let (mut return_to, mut challenge, mut method) = (None, None, None);
    let (mut state, mut max_age) = (None, None);
    for (name, value) in form_urlencoded::parse(query) {
        let place = match name.as_ref() {
            "return_to" => &mut return_to,
            "code_challenge" => &mut challenge,
            "code_challenge_method" => &mut method,
            "state" => &mut state,
            "max_age" => &mut max_age,
            _ => continue,
        };
        // Of two, nobody knows which is meant.
        if place.replace(value.into_owned()).is_some() {
            return Err(WishRefused::Malformed);
        }
    }
    let Some(return_to) = return_to else { return Ok(None) };
    if method.as_deref() != Some("S256") {
        return Err(WishRefused::Challenge);
    }
    if state.as_ref().is_some_and(|state| state.len() > STATE) {
        return Err(WishRefused::Malformed);
    }
    let max_age = max_age.map(|age| age.parse()).transpose().map_err(|_| WishRefused::Malformed)?;
    let challenge = challenge.unwrap_or_default();
    federation::accept(app, Wish { return_to, challenge, state, max_age }).map(Some)
}

/// Writes what [`read`] reads.
pub(super) fn write(wish: &Wish) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("return_to", &wish.return_to)
        .append_pair("code_challenge", &wish.challenge)
        .append_pair("code_challenge_method", "S256");
    if let Some(state) = &wish.state {
        query.append_pair("state", state);
    }
    if let Some(max_age) = wish.max_age {
        query.append_pair("max_age", &max_age.to_string());
    }
    query.finish()
}

/// Has the browser keep what the application wants, while somebody looks into their mailbox.
pub(super) fn remember(app: &App, visit: &Visit, mut response: Response) -> Response {
    match &visit.wish {
        Some(wish) => cookie::give_return(app, &mut response, &BASE64.encode(write(wish)), KEPT),
        // What it kept was for something else.
        None if visit.keeps => cookie::take_return(app, &mut response),
        None => {}
    }
    response
}

/// Returns what a browser kept, for the pages where links in mails lead.
pub(super) fn remembered(app: &App, parts: &Parts) -> Option<Wish> {
    if ![verify::PATH, reset::PATH, mail_code::LINK].contains(&parts.uri.path()) {
        return None;
    }
    let kept = cookie::read_return(app, &parts.headers)?;
    read(app, &BASE64.decode(kept).ok()?).ok()?
}

/// Whether somebody need not sign in again: they are in, and not for longer than the application wants.
pub(super) async fn is_in(
    app: &App,
    ctx: &Ctx,
    visit: &Visit,
    who: Option<&SignedIn>,
) -> Result<bool, Problem> {
    Ok(match (who, &visit.wish) {
        (Some(SignedIn(browser)), Some(wish)) => {
            federation::is_young(app, ctx, &browser.caller, wish).await?
        }
        (who, _) => who.is_some(),
    })
}

/// Says that the application is none that we know: nobody is sent there.
pub(super) fn refuse(app: &App, visit: &Visit, why: WishRefused) -> Response {
    let problem = Problem::from(Code::ReturnToRefused).because(match why {
        WishRefused::ReturnTo => "return_to",
        WishRefused::Challenge => "code_challenge",
        WishRefused::Malformed => "malformed",
    });
    let wrong = Wrong::of(problem);
    let message = Message {
        mood: "bad",
        title: app.pages.say(visit, "page-onward.refused", &[]),
        lead: app.pages.say(visit, "page-onward.refused-lead", &[]),
        reference: None,
        next: None,
    };
    wrong.mark(app, app.pages.tell(StatusCode::BAD_REQUEST, visit, &message))
}

/// Takes somebody who is signed in back to the application, with a code for it.
///
/// The page does so by itself, since a policy that keeps forms at home (`form-action`) holds for where
/// the answers to forms lead, and where that leads on.
pub(super) async fn go(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    SignedIn(browser): SignedIn,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    if let Some(why) = visit.refused {
        return Ok(refuse(&app, &visit, why));
    }
    let Some(wish) = &visit.wish else {
        return Ok(signed_in::to(&visit.action(&app, account::PATH)));
    };
    if !federation::is_young(&app, &ctx, &browser.caller, wish).await? {
        return Ok(signed_in::to(&visit.action(&app, sign_in::PATH)));
    }
    let host = Url::parse(&wish.return_to).ok();
    let host = host.as_ref().and_then(Url::host_str).unwrap_or(&wish.return_to).to_owned();
    let to = federation::hand_over(&app, &ctx, &browser.caller, wish).await?;
    let context = context! { to => to, host => host };
    let mut response = app.pages.show(StatusCode::OK, "onward.html", &visit, context);
    if visit.keeps {
        cookie::take_return(&app, &mut response);
    }
    Ok(response)
}
