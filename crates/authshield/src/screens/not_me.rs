//! `/not-me`: a sign-in that was somebody else's.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::link::{Button, Pressed};
use super::page::Message;
use super::visit::Visit;
use crate::app::{App, Ctx};
use crate::form::Form;
use crate::links::Purpose;
use crate::lockdown::{self, NotMeError};
use crate::passwords;
use crate::problem::{Code, Problem};

pub(super) const PATH: &str = "/not-me";

const BUTTON: Button = Button {
    path: PATH,
    purposes: &[Purpose::NotMe],
    template: "not_me.html",
    invalid: Code::InvalidNoticeToken,
};

/// Shows the button.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
) -> Result<Response, Problem> {
    BUTTON.ask(&app, &ctx, &visit).await
}

/// Closes the account to everybody but who reads its mail.
pub(super) async fn press(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(pressed): Form<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let token = pressed.token();
    let email = match lockdown::not_me(&app, &ctx, token.as_ref()).await {
        Ok(email) => email,
        Err(NotMeError::InvalidLink(reason)) => {
            return Ok(BUTTON.dead(&app, &visit, reason));
        }
        Err(error) => return Err(error.into()),
    };
    let message = Message {
        mood: "good",
        title: app.pages.say(&visit, "page-not-me.done", &[]),
        lead: app.pages.say(&visit, done_lead(&app), &[("email", email.as_str())]),
        reference: None,
        next: None,
    };
    Ok(app.pages.tell(StatusCode::OK, &visit, &message))
}

/// What is said of the way back in.
pub(super) fn done_lead(app: &App) -> &'static str {
    if passwords::are_on(app) { "page-not-me.done-lead" } else { "page-not-me.done-lead-plain" }
}
