//! `/sign-in/at/{provider}`: signing in at a provider.
//!
//! Our pages are one more application to which a browser comes back with a code. What fits the code stays in a
//! cookie of the browser that left, so another's code is worth nothing in it. It goes there by a link and not by
//! a form: what a form may lead to is ourselves alone (CSP `form-action`).

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use minijinja::{Value, context};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::signed_in::{self, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{cookie, second_factor, sign_in};
use crate::app::{App, Ctx, Params};
use crate::browser::Cookie;
use crate::federation::{self, BeginError, RedeemError, Redemption, Refusal, Wish};
use crate::kernel::FederationToken;
use crate::problem::{Code, Problem};
use crate::registration::NotOpen;

pub(super) const LEAVE: &str = "/sign-in/at/{provider}";
pub(super) const RETURN: &str = federation::OWN_RETURN;

/// Returns the links to the providers, in words.
pub(super) fn links(app: &App, visit: &Visit) -> Vec<Value> {
    let dated = visit.wish.as_ref().is_some_and(|wish| wish.max_age.is_some());
    let providers = app.providers.all().iter().filter(|provider| !dated || provider.tells_when());
    let link = |provider: &federation::Provider| {
        let link = visit.action(app, &LEAVE.replace("{provider}", provider.name()));
        let words = app.pages.say(visit, "page-federation", &[("provider", provider.title())]);
        context! { link, words }
    };
    providers.map(link).collect()
}

/// Sends a browser to a provider.
pub(super) async fn leave(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
    Path(provider): Path<String>,
) -> Result<Response, Problem> {
    let (verifier, challenge) = federation::new_challenge(&ctx);
    let wish = Wish {
        return_to: federation::own_return(&app),
        challenge,
        // The language comes back, and the application that somebody signs in for.
        state: Some(visit.query()),
        max_age: visit.wish.as_ref().and_then(|wish| wish.max_age),
    };
    match federation::begin(&app, &ctx, &headers, &provider, wish).await {
        Ok(journey) => {
            let mut response = journey.into_response();
            cookie::give_verifier(&app, &mut response, &verifier);
            Ok(response)
        }
        Err(error @ BeginError::Unavailable(_)) => {
            let words = app.pages.say(&visit, "page-federation.unavailable", &[]);
            Ok(sign_in::show_wrong(&app, &ctx, &visit.answered(), &Wrong::because(error, words)))
        }
        Err(error) => Err(error.into()),
    }
}

/// What comes back.
#[derive(Deserialize)]
pub(super) struct Told {
    code: Option<String>,
    error: Option<String>,
    state: Option<String>,
}

/// Takes a browser back, and lets it in.
pub(super) async fn come_back(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
    before: Option<SignedIn>,
    Params(Told { code, error, state }): Params<Told>,
) -> Result<Response, Problem> {
    let visit = visit.answered().told(&app, state.as_deref().unwrap_or_default());
    let mut response = if let Some(code) = code {
        let verifier = cookie::verifier(&app, &headers);
        let verifier = verifier.map(|verifier| verifier.expose_secret().to_owned());
        let redemption = Redemption {
            code: FederationToken::parse(&code),
            verifier: verifier.unwrap_or_default(),
            trust: cookie::read_trust(&app, &headers),
        };
        match federation::redeem::<Cookie>(&app, &ctx, &redemption).await {
            Ok(cookie) => {
                let response = signed_in::to(&visit.onward(&app));
                signed_in::enter(&app, &ctx, before, &cookie, response).await?
            }
            Err(RedeemError::SecondFactorDue(ticket)) => {
                second_factor::begin(&app, &ctx, &visit, &ticket).await?
            }
            Err(RedeemError::Store(error)) => return Err(error.into()),
            Err(refused) => {
                let words = match &refused {
                    RedeemError::Refused(Refusal::EmailUnverified) => "page-federation.unverified",
                    RedeemError::Refused(Refusal::OtherIdentity) => "page-federation.other",
                    RedeemError::Refused(Refusal::NotOpen(NotOpen::Closed)) => {
                        "page-federation.closed"
                    }
                    RedeemError::Refused(Refusal::NotOpen(NotOpen::Domain)) => {
                        "page-register.domain"
                    }
                    RedeemError::Refused(Refusal::AccountDisabled) => "page-sign-in.disabled",
                    _ => "page-federation.over",
                };
                let words = app.pages.say(&visit, words, &[]);
                sign_in::show_wrong(&app, &ctx, &visit, &Wrong::because(refused, words))
            }
        }
    } else {
        let words = match error.as_deref() {
            Some("access_denied") => "page-federation.denied",
            Some("temporarily_unavailable") => "page-federation.unavailable",
            _ => "page-federation.over",
        };
        let words = app.pages.say(&visit, words, &[]);
        sign_in::show_wrong(&app, &ctx, &visit, &Wrong::because(Code::FederationCodeInvalid, words))
    };
    cookie::take_verifier(&app, &mut response);
    Ok(response)
}
