//! `/forgot-password`: a link to choose a new one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use serde::Deserialize;

use super::form::Form;
use super::page::Message;
use super::visit::Visit;
use super::wrong::Wrong;
use super::{onward, sign_in};
use crate::app::{App, Ctx};
use crate::kernel::EmailAddress;
use crate::problem::Problem;
use crate::recovery::{self, ResetError};

pub(super) const PATH: &str = "/forgot-password";

/// Shows the form.
pub(super) async fn ask(State(app): State<App>, visit: Visit) -> Response {
    show(&app, &visit, "", None, &Wrong::nothing())
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    email: String,
}

/// Sends a link, if there is an account; the answer tells nothing.
pub(super) async fn send(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(Filled { email }): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Ok(address) = email.parse::<EmailAddress>() else {
        let words = app.pages.say(&visit, "page-setup.wrong-email", &[]);
        return Ok(show(&app, &visit, &email, Some(words), &Wrong::invalid()));
    };
    match recovery::forgot(&app, &ctx, &address).await {
        Ok(()) => {}
        Err(ResetError::Limited(exceeded)) => {
            let wrong = Wrong::wait(&app.pages, &visit, exceeded);
            return Ok(show(&app, &visit, &email, None, &wrong));
        }
        Err(error) => return Err(error.into()),
    }
    let message = Message {
        mood: "good",
        title: app.pages.say(&visit, "page-forgot.done", &[]),
        lead: app.pages.say(&visit, "page-forgot.done-lead", &[("email", address.as_str())]),
        reference: None,
        next: Some(sign_in::next(&app, &visit)),
    };
    let page = app.pages.tell(StatusCode::ACCEPTED, &visit, &message);
    Ok(onward::remember(&app, &visit, page))
}

fn show(
    app: &App,
    visit: &Visit,
    email: &str,
    wrong_email: Option<String>,
    wrong: &Wrong,
) -> Response {
    let context = context! {
        action => visit.action(app, PATH),
        sign_in => visit.action(app, sign_in::PATH),
        email => email,
        wrong_email => wrong_email,
        alert => &wrong.alert,
    };
    wrong.mark(app, app.pages.show(wrong.status(), "forgot.html", visit, context))
}
