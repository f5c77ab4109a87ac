//! `/verify-email`: proving an address, that of a new account or the next one of an old account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::link::{Button, Pressed};
use super::page::Message;
use super::sign_in;
use super::visit::Visit;
use crate::app::{App, Ctx};
use crate::form::Form;
use crate::links::Purpose;
use crate::problem::{Code, Problem};
use crate::verification::{self, VerifyError};

pub(super) const PATH: &str = "/verify-email";

const BUTTON: Button = Button {
    path: PATH,
    purposes: &[Purpose::VerifyEmail, Purpose::ChangeEmail],
    template: "verify.html",
    invalid: Code::InvalidVerificationToken,
};

/// Shows the button.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
) -> Result<Response, Problem> {
    BUTTON.ask(&app, &ctx, &visit).await
}

/// Proves the address.
pub(super) async fn confirm(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(pressed): Form<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let token = pressed.token();
    let verified = match verification::verify(&app, &ctx, token.as_ref()).await {
        Ok(verified) => verified,
        Err(VerifyError::InvalidLink(reason)) => {
            return Ok(BUTTON.dead(&app, &visit, reason));
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
