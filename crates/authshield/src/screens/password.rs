//! `/account/password`: another password.

use axum::extract::State;
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::prove::{self, Then};
use super::signed_in::{self, Guarded, Own, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{account, sign_in};
use crate::accounts::{self, ChangeError};
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::passwords;
use crate::problem::Problem;
use crate::second_factor;

pub(super) const PATH: &str = "/account/password";

/// Shows the form, where the second factor was shown not long ago.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    SignedIn(browser): SignedIn,
) -> Result<Response, Problem> {
    if !passwords::are_on(&app) {
        return Ok(signed_in::to(&visit.action(&app, account::PATH)));
    }
    match second_factor::fresh_for_form(&app, &ctx, &browser.caller).await {
        Ok(_) => Ok(show(&app, &visit, &browser, &Wrong::nothing())),
        Err(why) => prove::ask(&app, &visit, &browser, Then::Password, why),
    }
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    guard: SecretString,
    current_password: SecretString,
    new_password: SecretString,
}

impl Guarded for Filled {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Sets the new password; the browser gets another cookie, and all others are signed out.
pub(super) async fn change(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, filled): Own<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Filled { current_password, new_password, .. } = filled;
    let caller = &browser.caller;
    let error =
        match accounts::change_password(&app, &ctx, caller, current_password, new_password).await {
            Ok(()) => {
                let response = account::done(&app, &visit, "password");
                return Ok(signed_in::renew(&app, &ctx, &browser, response).await);
            }
            Err(error) => error,
        };
    let wrong = match error {
        error @ ChangeError::SamePassword => {
            let words = app.pages.say(&visit, "page-password.same", &[]);
            Wrong::of(error).with_password(words)
        }
        ChangeError::PasswordsOff(off) => return Ok(sign_in::no_passwords(&app, &visit, off)),
        ChangeError::Weak(found) => Wrong::weak(&app.pages, &visit, &found),
        error => match account::why(&app, &visit, error)? {
            Ok(wrong) => wrong,
            Err(why) => return prove::ask(&app, &visit, &browser, Then::Password, why),
        },
    };
    Ok(show(&app, &visit, &browser, &wrong))
}

fn show(app: &App, visit: &Visit, browser: &Browser, wrong: &Wrong) -> Response {
    let context = context! {
        action => visit.action(app, PATH),
        min => app.config.password.min_length,
        errors => &wrong.password,
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, PATH)
    };
    wrong.mark(app, app.pages.show(wrong.status(), "password.html", visit, context))
}
