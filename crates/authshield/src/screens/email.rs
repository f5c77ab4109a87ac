//! `/account/email`: another address. It takes effect when the link that is sent there is used; the old one is
//! told.

use axum::extract::State;
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::account;
use super::prove::{self, Then};
use super::signed_in::{Guarded, Own, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use crate::accounts;
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::kernel::EmailAddress;
use crate::problem::Problem;
use crate::second_factor;

pub(super) const PATH: &str = "/account/email";

/// Shows the form, where the second factor was shown not long ago.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    SignedIn(browser): SignedIn,
) -> Result<Response, Problem> {
    match second_factor::fresh_for_form(&app, &ctx, &browser.caller).await {
        Ok(_) => show(&app, &visit, &browser, "", None, &Wrong::nothing()).await,
        Err(why) => prove::ask(&app, &visit, &browser, Then::Email, why),
    }
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    guard: SecretString,
    new_email: String,
    /// Where the account has one.
    password: Option<SecretString>,
}

impl Guarded for Filled {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Sends the link; the answer is the same whether or not somebody else has the address.
pub(super) async fn change(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, filled): Own<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Filled { new_email: typed, password, .. } = filled;
    let Ok(new) = typed.parse::<EmailAddress>() else {
        let words = app.pages.say(&visit, "page-setup.wrong-email", &[]);
        return show(&app, &visit, &browser, &typed, Some(words), &Wrong::invalid()).await;
    };
    let (caller, password) = (&browser.caller, password.as_ref());
    let wrong = match accounts::change_email(&app, &ctx, caller, new, password).await {
        Ok(()) => return Ok(account::done(&app, &visit, "email")),
        Err(error) => match account::why(&app, &visit, error)? {
            Ok(wrong) => wrong,
            Err(why) => return prove::ask(&app, &visit, &browser, Then::Email, why),
        },
    };
    show(&app, &visit, &browser, &typed, None, &wrong).await
}

async fn show(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    typed: &str,
    wrong_email: Option<String>,
    wrong: &Wrong,
) -> Result<Response, Problem> {
    let context = context! {
        action => visit.action(app, PATH),
        typed => typed,
        wrong_email => wrong_email,
        by_password => accounts::has_password(app, browser.caller.user.id).await?,
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, PATH)
    };
    Ok(wrong.mark(app, app.pages.show(wrong.status(), "email.html", visit, context)))
}
