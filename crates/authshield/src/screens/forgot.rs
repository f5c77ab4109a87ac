//! `/forgot-password`: a link to choose a new one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::mail_form::{Filled, MailForm};
use super::page::Message;
use super::visit::Visit;
use super::{onward, sign_in};
use crate::app::{App, Ctx};
use crate::captcha::CaptchaError;
use crate::form::Form;
use crate::kernel::EmailAddress;
use crate::passwords;
use crate::problem::Problem;
use crate::recovery::{self, ResetError};

pub(super) const PATH: &str = "/forgot-password";

const FORM: MailForm = MailForm { path: PATH, template: "forgot.html" };

/// Shows the form.
pub(super) async fn ask(State(app): State<App>, ctx: Ctx, visit: Visit) -> Response {
    if let Err(off) = passwords::must_be_on(&app) {
        return sign_in::no_passwords(&app, &visit, off);
    }
    FORM.ask(&app, &ctx, &visit)
}

/// Sends a link, if there is an account; the answer tells nothing.
pub(super) async fn send(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(filled): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let typed = filled.read(&app, &ctx);
    let Ok(address) = typed.email.parse::<EmailAddress>() else {
        return Ok(FORM.no_address(&app, &visit, &typed));
    };
    match recovery::forgot(&app, &ctx, &address, typed.captcha.as_ref()).await {
        Ok(()) => {}
        Err(ResetError::PasswordsOff(off)) => {
            return Ok(sign_in::no_passwords(&app, &visit, off));
        }
        Err(ResetError::Captcha(CaptchaError::Required(required))) => {
            return Ok(FORM.captcha(&app, &visit, &typed, &required));
        }
        Err(ResetError::Limited(exceeded)) => {
            return Ok(FORM.wait(&app, &visit, &typed, exceeded));
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
