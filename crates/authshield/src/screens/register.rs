//! `/register`: a new account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::page::Message;
use super::setup::{Fields, parse};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{captcha, onward, sign_in};
use crate::app::{App, Ctx};
use crate::captcha::{CaptchaError, Door, Required};
use crate::form::Form;
use crate::kernel::EmailAddress;
use crate::passwords;
use crate::problem::{Code, Problem};
use crate::registration::{self, Newcomer, RegisterError};

pub(super) const PATH: &str = "/register";

/// What the form sends, and shows again when something is wrong; never the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    email: String,
    #[serde(default)]
    full_name: String,
    /// Where people have one.
    password: Option<SecretString>,
    /// What a captcha was answered; providers have names of their own for it.
    #[serde(alias = "h-captcha-response", alias = "g-recaptcha-response")]
    captcha_token: Option<SecretString>,
}

/// Shows the form.
pub(super) async fn ask(State(app): State<App>, ctx: Ctx, visit: Visit) -> Response {
    if app.live.load().registration.enabled {
        let due = captcha::shown(&app, &ctx, Door::Registration, false);
        let (fields, wrong) = (Fields::default(), Wrong::nothing());
        return show(&app, &visit, ("", ""), &fields, &wrong, due.as_ref());
    }
    closed(&app, &visit)
}

/// Takes a registration in; the answer is the same whether or not the address has an account.
pub(super) async fn register(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(filled): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Filled { email, full_name, password, captcha_token } = filled;
    let due = captcha::shown(&app, &ctx, Door::Registration, captcha_token.is_some());
    let again = |fields: &Fields, wrong: &Wrong| {
        show(&app, &visit, (&email, &full_name), fields, wrong, due.as_ref())
    };
    let (address, name) = match parse(&email, &full_name) {
        (Ok(address), Ok(name)) => (address, name),
        (address, name) => {
            let fields = Fields::wrong(&app, &visit, address.is_err(), name.is_err());
            return Ok(again(&fields, &Wrong::invalid()));
        }
    };
    let newcomer = Newcomer {
        email: address.clone(),
        password,
        full_name: name,
        locale: visit.language.parse().ok(),
    };
    Ok(match registration::register(&app, &ctx, newcomer, captcha_token.as_ref()).await {
        Ok(_) => mailed(&app, &visit, &address),
        Err(RegisterError::Closed) => closed(&app, &visit),
        Err(RegisterError::Captcha(CaptchaError::Required(required))) => {
            let wrong = captcha::wrong(&app.pages, &visit, &required);
            let typed = (email.as_str(), full_name.as_str());
            show(&app, &visit, typed, &Fields::default(), &wrong, Some(&required))
        }
        Err(RegisterError::PasswordsOff(off)) => sign_in::no_passwords(&app, &visit, off),
        Err(RegisterError::Weak(found)) => {
            again(&Fields::default(), &Wrong::weak(&app.pages, &visit, &found))
        }
        Err(RegisterError::Overloaded(busy)) => {
            again(&Fields::default(), &Wrong::busy(&app.pages, &visit, busy))
        }
        Err(RegisterError::Limited(exceeded)) => {
            again(&Fields::default(), &Wrong::wait(&app.pages, &visit, exceeded))
        }
        Err(error @ RegisterError::AlreadyRegistered) => {
            let words = app.pages.say(&visit, "page-setup.taken", &[]);
            let fields = Fields { email: Some(words), full_name: None };
            again(&fields, &Wrong::of(error))
        }
        Err(error) => return Err(error.into()),
    })
}

fn show(
    app: &App,
    visit: &Visit,
    (email, full_name): (&str, &str),
    fields: &Fields,
    wrong: &Wrong,
    due: Option<&Required>,
) -> Response {
    let context = context! {
        action => visit.action(app, PATH),
        sign_in => visit.action(app, sign_in::PATH),
        email => email,
        full_name => full_name,
        wrong_email => &fields.email,
        wrong_name => &fields.full_name,
        by_password => passwords::are_on(app),
        min => app.config.password.min_length,
        errors => &wrong.password,
        alert => &wrong.alert,
        captcha => due.map(|due| captcha::described(app, due)),
    };
    let page = app.pages.show(wrong.status(), "register.html", visit, context);
    wrong.mark(app, captcha::allowed(page, due))
}

fn closed(app: &App, visit: &Visit) -> Response {
    let wrong = Wrong::of(Code::RegistrationClosed);
    let message = Message {
        mood: "bad",
        title: app.pages.say(visit, "page-register.closed", &[]),
        lead: app.pages.say(visit, "page-register.closed-lead", &[]),
        reference: None,
        next: Some(sign_in::next(app, visit)),
    };
    wrong.mark(app, app.pages.tell(wrong.status(), visit, &message))
}

/// Says that a mail is on its way, whatever it says.
pub(super) fn mailed(app: &App, visit: &Visit, email: &EmailAddress) -> Response {
    let message = Message {
        mood: "good",
        title: app.pages.say(visit, "page-mailed", &[]),
        lead: app.pages.say(visit, "page-mailed.lead", &[("email", email.as_str())]),
        reference: None,
        next: Some(sign_in::next(app, visit)),
    };
    onward::remember(app, visit, app.pages.tell(StatusCode::ACCEPTED, visit, &message))
}
