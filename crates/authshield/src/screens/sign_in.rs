//! `/sign-in`: a password, and then perhaps a second factor.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::{Value, context};
use secrecy::SecretString;
use serde::Deserialize;

use super::form::Form;
use super::page::{Message, Next, with_passkeys};
use super::signed_in::{self, Own, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{cookie, forgot, onward, passkey, register, second_factor};
use crate::app::{App, Ctx};
use crate::browser::Cookie;
use crate::kernel::EmailAddress;
use crate::login::{self, LoginError, Refusal};
use crate::problem::Problem;
use crate::telemetry::to_the_end;
use crate::verification::{self, VerifyError};
use crate::{browser, federation, sessions};

pub(super) const PATH: &str = "/sign-in";
/// Where the form is sent to that asks for another verification mail.
pub(super) const RESEND: &str = "/sign-in/resend-verification";
pub(super) const SIGN_OUT: &str = "/sign-out";

/// Where somebody goes on who has just done what a link in a mail was for.
pub(super) fn next(app: &App, visit: &Visit) -> Next {
    let (link, words) = (visit.action(app, PATH), app.pages.say(visit, "page-sign-in", &[]));
    Next { link, words }
}

/// Shows the form; who is signed in goes on to the account, or back to the application that sent them, unless
/// that was too long ago for it.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    who: Option<SignedIn>,
) -> Result<Response, Problem> {
    if let Some(why) = visit.refused {
        return Ok(onward::refuse(&app, &visit, why));
    }
    let goes_on = match (&who, &visit.wish) {
        (Some(SignedIn(browser)), Some(wish)) => {
            federation::is_young(&app, &ctx, &browser.caller, wish).await?
        }
        (who, _) => who.is_some(),
    };
    if goes_on {
        return Ok(signed_in::to(&visit.onward(&app)));
    }
    Ok(show(&app, &visit, "", None, false, &Wrong::nothing()))
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    email: String,
    password: SecretString,
}

/// Signs in.
pub(super) async fn sign_in(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    before: Option<SignedIn>,
    Form(filled): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Filled { email: typed, password } = filled;
    let Ok(email) = typed.parse::<EmailAddress>() else {
        let words = app.pages.say(&visit, "page-setup.wrong-email", &[]);
        return Ok(show(&app, &visit, &typed, Some(words), false, &Wrong::invalid()));
    };
    // As where programs sign in: a password that was counted is judged, even if the browser hangs up.
    let work = (app.clone(), ctx.clone());
    let outcome =
        to_the_end(
            async move { login::log_in::<Cookie>(&work.0, &work.1, &email, &password).await },
        );
    let error = match outcome.await {
        Ok(cookie) => {
            let response = signed_in::to(&visit.onward(&app));
            return signed_in::enter(&app, &ctx, before, &cookie, response).await;
        }
        Err(error) => error,
    };
    let say = |id: &str| app.pages.say(&visit, id, &[]);
    let mut unverified = false;
    let wrong = match error {
        LoginError::SecondFactorDue(ticket) => {
            return second_factor::begin(&app, &ctx, &visit, &ticket).await;
        }
        LoginError::Refused(refusal) => {
            unverified = matches!(refusal, Refusal::EmailUnverified);
            let words = match refusal {
                Refusal::EmailUnverified => "page-sign-in.unverified",
                Refusal::AccountDisabled => "page-sign-in.disabled",
                _ => "page-sign-in.wrong",
            };
            Wrong::because(LoginError::Refused(refusal), say(words))
        }
        LoginError::Limited(exceeded) => Wrong::wait(&app.pages, &visit, exceeded),
        LoginError::Overloaded(busy) => Wrong::busy(&app.pages, &visit, busy),
        LoginError::Store(error) => return Err(error.into()),
    };
    Ok(show(&app, &visit, &typed, None, unverified, &wrong))
}

/// Shows the form because of what was `wrong` in another way of signing in.
pub(super) fn show_wrong(app: &App, visit: &Visit, wrong: &Wrong) -> Response {
    show(app, visit, "", None, false, wrong)
}

fn show(
    app: &App,
    visit: &Visit,
    email: &str,
    wrong_email: Option<String>,
    unverified: bool,
    wrong: &Wrong,
) -> Response {
    let open = app.live.load().registration.enabled;
    let button = passkey::Button {
        action: visit.action(app, passkey::PATH),
        challenge: visit.action(app, passkey::CHALLENGE),
        conditional: true,
        ..passkey::Button::default()
    };
    let context = context! {
        action => visit.action(app, PATH),
        email => email,
        wrong_email => wrong_email,
        alert => &wrong.alert,
        forgot => visit.action(app, forgot::PATH),
        register => open.then(|| visit.action(app, register::PATH)),
        resend => unverified.then(|| visit.action(app, RESEND)),
        passkey => button.shown(),
        providers => providers(app, visit),
    };
    let page = app.pages.show(wrong.status(), "sign-in.html", visit, context);
    wrong.mark(app, with_passkeys(page))
}

/// Returns the doors to the providers, from where one comes back to the application that sent the browser.
fn providers(app: &App, visit: &Visit) -> Vec<Value> {
    let Some(wish) = &visit.wish else { return Vec::new() };
    let base = app.pages.base();
    app.providers
        .all()
        .iter()
        .map(|provider| {
            let name = provider.name();
            let link = format!("{base}/api/v1/auth/oauth/{name}?{}", onward::write(wish));
            context! { link, name }
        })
        .collect()
}

/// The address that another mail is sent to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    email: EmailAddress,
}

/// Sends another verification mail; the answer tells nothing.
pub(super) async fn resend(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(Address { email }): Form<Address>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    match verification::resend(&app, &ctx, &email, None).await {
        Ok(_) => {}
        Err(VerifyError::Limited(exceeded)) => {
            let wrong = Wrong::wait(&app.pages, &visit, exceeded);
            return Ok(show(&app, &visit, email.as_str(), None, true, &wrong));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(register::mailed(&app, &visit, &email))
}

/// The button that signs out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pressed {
    pub(super) guard: SecretString,
}

impl signed_in::Guarded for Pressed {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Signs out.
pub(super) async fn sign_out(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, _): Own<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let browser::Browser { caller, .. } = browser;
    sessions::log_out(&app, &ctx, caller.user.id, caller.session).await?;
    let message = Message {
        mood: "good",
        title: app.pages.say(&visit, "page-sign-out", &[]),
        lead: app.pages.say(&visit, "page-sign-out.lead", &[]),
        reference: None,
        next: Some(next(&app, &visit)),
    };
    let mut response = app.pages.tell(StatusCode::OK, &visit, &message);
    cookie::take(&app, &mut response);
    Ok(response)
}
