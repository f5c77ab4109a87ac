//! `/not-me`: a sign-in that was somebody else's.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::form::Form;
use super::link;
use super::page::Message;
use super::visit::Visit;
use crate::app::{App, Ctx};
use crate::kernel::{EmailAddress, LinkToken};
use crate::links::Purpose;
use crate::lockdown::{self, NotMeError};
use crate::problem::{Code, Problem};

pub(super) const PATH: &str = "/not-me";

/// Shows the button.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
) -> Result<Response, Problem> {
    let found = match link::look(&app, &ctx, visit.token.as_ref(), &[Purpose::NotMe]).await? {
        Ok(found) => found,
        Err(reason) => return Ok(link::dead(&app, &visit, Code::InvalidNoticeToken, reason)),
    };
    let context = context! {
        token => visit.token.as_ref().map(LinkToken::reveal),
        action => visit.action(&app, PATH),
        email => found.email.as_ref().map(EmailAddress::as_str),
    };
    Ok(app.pages.show(StatusCode::OK, "not_me.html", &visit, context))
}

/// What the button sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pressed {
    token: SecretString,
}

/// Closes the account to everybody but who reads its mail.
pub(super) async fn press(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(pressed): Form<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let token = LinkToken::parse(pressed.token.expose_secret());
    let email = match lockdown::not_me(&app, &ctx, token.as_ref()).await {
        Ok(email) => email,
        Err(NotMeError::InvalidLink(reason)) => {
            return Ok(link::dead(&app, &visit, Code::InvalidNoticeToken, reason));
        }
        Err(error) => return Err(error.into()),
    };
    let message = Message {
        mood: "good",
        title: app.pages.say(&visit, "page-not-me.done", &[]),
        lead: app.pages.say(&visit, "page-not-me.done-lead", &[("email", email.as_str())]),
        reference: None,
        next: None,
    };
    Ok(app.pages.tell(StatusCode::OK, &visit, &message))
}
