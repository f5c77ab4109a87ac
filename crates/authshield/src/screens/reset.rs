//! `/reset-password`: a new password for who forgot theirs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::link;
use super::page::Message;
use super::sign_in;
use super::visit::Visit;
use super::wrong::Wrong;
use crate::app::{App, Ctx};
use crate::form::Form;
use crate::kernel::{EmailAddress, LinkToken};
use crate::links::{Link, Purpose};
use crate::passwords;
use crate::problem::{Code, Problem};
use crate::recovery::{self, ResetError};

pub(super) const PATH: &str = "/reset-password";

/// Shows the form.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
) -> Result<Response, Problem> {
    if let Err(off) = passwords::must_be_on(&app) {
        return Ok(sign_in::no_passwords(&app, &visit, off));
    }
    match link::look(&app, &ctx, visit.token.as_ref(), &[Purpose::ResetPassword]).await? {
        Ok(found) => Ok(show(&app, &visit, visit.token.as_ref(), &found, &Wrong::nothing())),
        Err(reason) => Ok(link::dead(&app, &visit, Code::InvalidResetToken, reason)),
    }
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    token: SecretString,
    new_password: SecretString,
}

/// Sets the password; one that is refused leaves the link as it was.
pub(super) async fn set(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(filled): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let token = LinkToken::parse(filled.token.expose_secret());
    let wrong = match recovery::reset(&app, &ctx, token.as_ref(), filled.new_password).await {
        Ok(_) => {
            let message = Message {
                mood: "good",
                title: app.pages.say(&visit, "page-reset.done", &[]),
                lead: app.pages.say(&visit, "page-reset.done-lead", &[]),
                reference: None,
                next: Some(sign_in::next(&app, &visit)),
            };
            return Ok(app.pages.tell(StatusCode::OK, &visit, &message));
        }
        Err(ResetError::InvalidLink(reason)) => {
            return Ok(link::dead(&app, &visit, Code::InvalidResetToken, reason));
        }
        Err(ResetError::PasswordsOff(off)) => {
            return Ok(sign_in::no_passwords(&app, &visit, off));
        }
        Err(ResetError::Weak(found)) => Wrong::weak(&app.pages, &visit, &found),
        Err(ResetError::Overloaded(busy)) => Wrong::busy(&app.pages, &visit, busy),
        Err(error) => return Err(error.into()),
    };
    match link::look(&app, &ctx, token.as_ref(), &[Purpose::ResetPassword]).await? {
        Ok(found) => Ok(show(&app, &visit, token.as_ref(), &found, &wrong)),
        Err(reason) => Ok(link::dead(&app, &visit, Code::InvalidResetToken, reason)),
    }
}

fn show(
    app: &App,
    visit: &Visit,
    token: Option<&LinkToken>,
    found: &Link,
    wrong: &Wrong,
) -> Response {
    let context = context! {
        token => token.map(LinkToken::reveal),
        action => visit.action(app, PATH),
        email => found.email.as_ref().map(EmailAddress::as_str),
        min => app.config.password.min_length,
        errors => &wrong.password,
        alert => &wrong.alert,
    };
    wrong.mark(app, app.pages.show(wrong.status(), "reset.html", visit, context))
}
