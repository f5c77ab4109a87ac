//! `/forgot-password`: a link to choose a new one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::form::Form;
use super::page::Message;
use super::visit::Visit;
use super::wrong::Wrong;
use super::{captcha, sign_in};
use crate::app::{App, Ctx};
use crate::captcha::{CaptchaError, Door, Required};
use crate::kernel::EmailAddress;
use crate::problem::Problem;
use crate::recovery::{self, ResetError};

pub(super) const PATH: &str = "/forgot-password";

/// Shows the form.
pub(super) async fn ask(State(app): State<App>, ctx: Ctx, visit: Visit) -> Response {
    let due = captcha::shown(&app, &ctx, Door::Reset, false);
    show(&app, &visit, "", None, &Wrong::nothing(), due.as_ref())
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    email: String,
    /// What a captcha was answered; providers have names of their own for it.
    #[serde(alias = "h-captcha-response", alias = "g-recaptcha-response")]
    captcha_token: Option<SecretString>,
}

/// Sends a link, if there is an account; the answer tells nothing.
pub(super) async fn send(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(Filled { email, captcha_token }): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let due = captcha::shown(&app, &ctx, Door::Reset, captcha_token.is_some());
    let Ok(address) = email.parse::<EmailAddress>() else {
        let words = app.pages.say(&visit, "page-setup.wrong-email", &[]);
        return Ok(show(&app, &visit, &email, Some(words), &Wrong::invalid(), due.as_ref()));
    };
    match recovery::forgot(&app, &ctx, &address, captcha_token.as_ref()).await {
        Ok(()) => {}
        Err(ResetError::Captcha(CaptchaError::Required(required))) => {
            let wrong = captcha::wrong(&app.pages, &visit, &required);
            return Ok(show(&app, &visit, &email, None, &wrong, Some(&required)));
        }
        Err(ResetError::Limited(exceeded)) => {
            let wrong = Wrong::wait(&app.pages, &visit, exceeded);
            return Ok(show(&app, &visit, &email, None, &wrong, due.as_ref()));
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
    Ok(app.pages.tell(StatusCode::ACCEPTED, &visit, &message))
}

fn show(
    app: &App,
    visit: &Visit,
    email: &str,
    wrong_email: Option<String>,
    wrong: &Wrong,
    due: Option<&Required>,
) -> Response {
    let context = context! {
        action => visit.action(app, PATH),
        sign_in => visit.action(app, sign_in::PATH),
        email => email,
        wrong_email => wrong_email,
        alert => &wrong.alert,
        captcha => due.map(|due| captcha::described(app, due)),
    };
    let page = app.pages.show(wrong.status(), "forgot.html", visit, context);
    wrong.mark(app, captcha::allowed(page, due))
}
