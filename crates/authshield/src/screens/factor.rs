//! `/account/second-factor`: adding an authenticator app, new recovery codes, taking both away.

use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::account;
use super::prove::{self, Then};
use super::second_factor::{in_groups, show_codes};
use super::signed_in::{self, Guarded, Own, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use crate::accounts;
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::kernel::Timestamp;
use crate::problem::Problem;
use crate::second_factor::{self, Enrolment, FactorError, StepUp};

pub(super) const PATH: &str = "/account/second-factor";
pub(super) const ADD: &str = "/account/second-factor/add";
pub(super) const CONFIRM: &str = "/account/second-factor/confirm";
pub(super) const CODES: &str = "/account/second-factor/recovery-codes";
pub(super) const REMOVE: &str = "/account/second-factor/remove";

/// Shows how one stands.
pub(super) async fn see(
    State(app): State<App>,
    visit: Visit,
    SignedIn(browser): SignedIn,
) -> Result<Response, Problem> {
    show(&app, &visit, &browser, &Wrong::nothing()).await
}

/// Nothing is shown here but after a form; who comes back begins anew.
pub(super) async fn anew(State(app): State<App>, visit: Visit) -> Response {
    signed_in::to(&visit.action(&app, PATH))
}

async fn show(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    wrong: &Wrong,
) -> Result<Response, Problem> {
    let standing = second_factor::standing(app, &browser.caller).await?;
    let context = context! {
        since => standing.since.map(Timestamp::to_minute),
        left => standing.codes_left,
        low => standing.codes_low,
        by_password => accounts::has_password(app, browser.caller.user.id).await?,
        add => visit.action(app, ADD),
        renew => visit.action(app, CODES),
        remove => visit.action(app, REMOVE),
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, PATH)
    };
    Ok(wrong.mark(app, app.pages.show(wrong.status(), "factor.html", visit, context)))
}

/// The password once more, where the account has one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    guard: SecretString,
    password: Option<SecretString>,
}

/// A code of the app that is to be added.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct First {
    guard: SecretString,
    code: SecretString,
}

/// Both, once more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Both {
    guard: SecretString,
    password: Option<SecretString>,
    code: SecretString,
}

impl Guarded for Password {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

impl Guarded for First {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

impl Guarded for Both {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Shows what an app is set up with.
pub(super) async fn add(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, Password { password, .. }): Own<Password>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    match second_factor::enable(&app, &ctx, &browser.caller, password.as_ref()).await {
        Ok(enrolment) => Ok(show_app(&app, &visit, &browser, Some(&enrolment), &Wrong::nothing())),
        Err(error) => again(&app, &visit, &browser, error).await,
    }
}

/// Lets the app count of which a code is shown, and shows the recovery codes.
pub(super) async fn confirm(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, First { code, .. }): Own<First>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    match second_factor::confirm(&app, &ctx, &browser.caller, &code).await {
        Ok(codes) => {
            let response = show_codes(&app, &visit, &codes, &visit.action(&app, PATH));
            Ok(signed_in::renew(&app, &ctx, &browser, response).await)
        }
        Err(error) => {
            let wrong = match why(&app, &visit, error)? {
                Ok(wrong) => wrong,
                Err(why) => return prove::ask(&app, &visit, &browser, Then::Factor, why),
            };
            Ok(show_app(&app, &visit, &browser, None, &wrong))
        }
    }
}

/// Makes new recovery codes.
pub(super) async fn renew_codes(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, Both { password, code, .. }): Own<Both>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let caller = &browser.caller;
    match second_factor::renew_codes(&app, &ctx, caller, password.as_ref(), &code).await {
        Ok(codes) => Ok(show_codes(&app, &visit, &codes, &visit.action(&app, PATH))),
        Err(error) => again(&app, &visit, &browser, error).await,
    }
}

/// Takes the second factor away.
pub(super) async fn remove(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, Both { password, code, .. }): Own<Both>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let caller = &browser.caller;
    match second_factor::disable(&app, &ctx, caller, password.as_ref(), &code).await {
        Ok(()) => Ok(account::done(&app, &visit, "factor-removed")),
        Err(error) => again(&app, &visit, &browser, error).await,
    }
}

/// Shows the page again, or asks for another proof first.
async fn again(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    error: FactorError,
) -> Result<Response, Problem> {
    match why(app, visit, error)? {
        Ok(wrong) => show(app, visit, browser, &wrong).await,
        Err(why) => prove::ask(app, visit, browser, Then::Factor, why),
    }
}

/// Puts into words what was refused; or says that another proof is due first.
fn why(app: &App, visit: &Visit, error: FactorError) -> Result<Result<Wrong, StepUp>, Problem> {
    let say = |id: &str| app.pages.say(visit, id, &[]);
    Ok(Ok(match error {
        FactorError::Password(error) => return account::why(app, visit, error),
        FactorError::Refused("code_used") => Wrong::because(error, say("page-second-factor.used")),
        FactorError::Refused(_) => Wrong::because(error, say("page-second-factor.wrong")),
        FactorError::Paused(_) => Wrong::wait(&app.pages, visit, error),
        FactorError::NotEnabled | FactorError::AlreadyEnabled => {
            Wrong::because(error, say("page-factor.changed"))
        }
        error => return Err(error.into()),
    }))
}

fn show_app(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    enrolment: Option<&Enrolment>,
    wrong: &Wrong,
) -> Response {
    let context = context! {
        action => visit.action(app, CONFIRM),
        anew => visit.action(app, PATH),
        ticket => (),
        secret => enrolment.map(|enrolment| in_groups(&enrolment.secret)),
        uri => enrolment.map(|enrolment| enrolment.uri.as_str()),
        picture => enrolment.map(|enrolment| BASE64_STANDARD.encode(&enrolment.qr_svg)),
        alert => &wrong.alert,
        guard => browser.guard(),
    };
    wrong.mark(app, app.pages.show(wrong.status(), "enrol.html", visit, context))
}
