//! `/verify-email`: proving an address, that of a new account or the next one of an old account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::form::Form;
use super::link;
use super::page::Message;
use super::sign_in;
use super::visit::Visit;
use crate::app::{App, Ctx};
use crate::kernel::{EmailAddress, LinkToken};
use crate::links::Purpose;
use crate::problem::{Code, Problem};
use crate::verification::{self, VerifyError};

pub(super) const PATH: &str = "/verify-email";

/// Shows the button.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
) -> Result<Response, Problem> {
    let either = [Purpose::VerifyEmail, Purpose::ChangeEmail];
    let found = match link::look(&app, &ctx, visit.token.as_ref(), &either).await? {
        Ok(found) => found,
        Err(reason) => return Ok(link::dead(&app, &visit, Code::InvalidVerificationToken, reason)),
    };
    let context = context! {
        token => visit.token.as_ref().map(LinkToken::reveal),
        action => visit.action(&app, PATH),
        email => found.email.as_ref().map(EmailAddress::as_str),
    };
    Ok(app.pages.show(StatusCode::OK, "verify.html", &visit, context))
}

/// What the button sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pressed {
    token: SecretString,
}

/// Proves the address.
pub(super) async fn confirm(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(pressed): Form<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let token = LinkToken::parse(pressed.token.expose_secret());
    let verified = match verification::verify(&app, &ctx, token.as_ref()).await {
        Ok(verified) => verified,
        Err(VerifyError::InvalidLink(reason)) => {
            return Ok(link::dead(&app, &visit, Code::InvalidVerificationToken, reason));
        }
        Err(error) => return Err(error.into()),
    };
    let email = verified.email.as_str();
    let message = Message {
        mood: "good",
        title: app.pages.say(&visit, "page-verify.done", &[]),
        lead: app.pages.say(&visit, "page-verify.done-lead", &[("email", email)]),
        reference: None,
        next: Some(sign_in::next(&app, &visit)),
    };
    Ok(app.pages.tell(StatusCode::OK, &visit, &message))
}
