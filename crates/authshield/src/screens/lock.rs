//! `/account/lock`: the panic button, for who thinks that somebody else is in their account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::page::Message;
use super::prove::{self, Then};
use super::signed_in::{Guarded, Own, SignedIn};
use super::visit::Visit;
use super::{account, cookie, not_me};
use crate::app::{App, Ctx};
use crate::problem::Problem;
use crate::{lockdown, passkeys, passwords};

pub(super) const PATH: &str = "/account/lock";

/// Shows the button.
pub(super) async fn ask(
    State(app): State<App>,
    visit: Visit,
    SignedIn(browser): SignedIn,
) -> Result<Response, Problem> {
    let user = &browser.caller.user;
    let has_factors = user.second_factor_at.is_some()
        || passkeys::has_any(&mut app.store.glance().await?, user.id).await?;
    let context = context! {
        action => visit.action(&app, PATH),
        has_factors => has_factors,
        by_password => passwords::are_on(&app),
        ..account::frame(&app, &visit, &browser, PATH)
    };
    Ok(app.pages.show(StatusCode::OK, "lock.html", &visit, context))
}

/// What is closed besides.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Also {
    Factors,
}

/// What the button sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pressed {
    guard: SecretString,
    also: Option<Also>,
}

impl Guarded for Pressed {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Closes the account, here too; whoever has factors removed proved not long ago who they are.
pub(super) async fn press(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, Pressed { also, .. }): Own<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let factors = matches!(also, Some(Also::Factors));
    if let Err(why) = lockdown::lock_own(&app, &ctx, &browser.caller, factors).await {
        return prove::ask(&app, &visit, &browser, Then::Lock, why);
    }
    let email = browser.caller.user.email.as_str();
    let message = Message {
        mood: "good",
        title: app.pages.say(&visit, "page-not-me.done", &[]),
        lead: app.pages.say(&visit, not_me::done_lead(&app), &[("email", email)]),
        reference: None,
        next: None,
    };
    let mut response = app.pages.tell(StatusCode::OK, &visit, &message);
    cookie::take(&app, &mut response);
    Ok(response)
}
