//! `/sign-in`: a password, and then perhaps a second factor; or the other ways in, where nobody has one.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::page::{Message, Next, with_our_script};
use super::signed_in::{self, Own, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{
    captcha, cookie, forgot, mail_code, onward, passkey, provider, register, second_factor,
};
use crate::app::{App, Ctx};
use crate::browser::Cookie;
use crate::captcha::{CaptchaError, Door, Required};
use crate::form::Form;
use crate::kernel::EmailAddress;
use crate::login::{self, LoginError, Refusal};
use crate::magic_link;
use crate::passwords::{self, Off};
use crate::problem::Problem;
use crate::telemetry::to_the_end;
use crate::verification::{self, VerifyError};
use crate::{browser, sessions};

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
    if onward::is_in(&app, &ctx, &visit, who.as_ref()).await? {
        return Ok(signed_in::to(&visit.onward(&app)));
    }
    let due = captcha::shown(&app, &ctx, door(&app), false);
    Ok(show(&app, &visit, "", None, false, &Wrong::nothing(), due.as_ref()))
}

/// At which door the form stands: where nobody has a password, it asks for a mail.
fn door(app: &App) -> Door {
    if passwords::are_on(app) { Door::Login } else { Door::Reset }
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    email: String,
    password: SecretString,
    /// What a captcha was answered; providers have names of their own for it.
    #[serde(alias = "h-captcha-response", alias = "g-recaptcha-response")]
    captcha_token: Option<SecretString>,
}

/// Signs in.
pub(super) async fn sign_in(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
    before: Option<SignedIn>,
    Form(filled): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Filled { email: typed, password, captcha_token } = filled;
    let due = captcha::shown(&app, &ctx, Door::Login, captcha_token.is_some());
    let Ok(email) = typed.parse::<EmailAddress>() else {
        let words = app.pages.say(&visit, "page-setup.wrong-email", &[]);
        let wrong = Wrong::invalid();
        return Ok(show(&app, &visit, &typed, Some(words), false, &wrong, due.as_ref()));
    };
    // As where programs sign in: a password that was counted is judged, even if the browser hangs up.
    let (work, trust) = ((app.clone(), ctx.clone()), cookie::read_trust(&app, &headers));
    let outcome = to_the_end(async move {
        let (captcha, trust) = (captcha_token.as_ref(), trust.as_ref());
        login::log_in::<Cookie>(&work.0, &work.1, &email, &password, captcha, trust).await
    });
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
        LoginError::PasswordsOff(off) => return Ok(no_passwords(&app, &visit, off)),
        LoginError::Limited(exceeded) => Wrong::wait(&app.pages, &visit, exceeded),
        LoginError::Overloaded(busy) => Wrong::busy(&app.pages, &visit, busy),
        LoginError::Captcha(CaptchaError::Required(required)) => {
            let wrong = captcha::wrong(&app.pages, &visit, &required);
            return Ok(show(&app, &visit, &typed, None, false, &wrong, Some(&required)));
        }
        LoginError::Captcha(CaptchaError::Store(error)) | LoginError::Store(error) => {
            return Err(error.into());
        }
    };
    Ok(show(&app, &visit, &typed, None, unverified, &wrong, due.as_ref()))
}

/// Shows the form because of what was `wrong` in another way of signing in.
pub(super) fn show_wrong(app: &App, ctx: &Ctx, visit: &Visit, wrong: &Wrong) -> Response {
    let due = captcha::shown(app, ctx, door(app), false);
    show(app, visit, "", None, false, wrong, due.as_ref())
}

/// Says that nobody has a password here.
pub(super) fn no_passwords(app: &App, visit: &Visit, off: Off) -> Response {
    let wrong = Wrong::of(off);
    let message = Message {
        mood: "bad",
        title: app.pages.say(visit, "page-no-password", &[]),
        lead: app.pages.say(visit, "page-no-password.lead", &[]),
        reference: None,
        next: Some(next(app, visit)),
    };
    wrong.mark(app, app.pages.tell(wrong.status(), visit, &message))
}

fn show(
    app: &App,
    visit: &Visit,
    email: &str,
    wrong_email: Option<String>,
    unverified: bool,
    wrong: &Wrong,
    due: Option<&Required>,
) -> Response {
    let open = app.live.load().registration.enabled;
    let by_password = passwords::are_on(app);
    let button = passkey::Button {
        action: visit.action(app, passkey::PATH),
        challenge: visit.action(app, passkey::CHALLENGE),
        conditional: by_password || magic_link::is_on(app),
        ..passkey::Button::default()
    };
    let context = context! {
        action => visit.action(app, PATH),
        email => email,
        wrong_email => wrong_email,
        alert => &wrong.alert,
        by_mail => magic_link::is_on(app).then(|| visit.action(app, mail_code::PATH)),
        by_password => by_password,
        forgot => visit.action(app, forgot::PATH),
        register => open.then(|| visit.action(app, register::PATH)),
        resend => unverified.then(|| visit.action(app, RESEND)),
        passkey => button.shown(),
        captcha => due.map(|due| captcha::described(app, due)),
        providers => provider::links(app, visit),
    };
    let page = app.pages.show(wrong.status(), "sign-in.html", visit, context);
    wrong.mark(app, captcha::allowed(with_our_script(page), due))
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
            let due = captcha::shown(&app, &ctx, door(&app), false);
            return Ok(show(&app, &visit, email.as_str(), None, true, &wrong, due.as_ref()));
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
    // The session of an application is its own, and goes on.
    let none = app.config.oauth.return_to.is_empty();
    let lead = if none { "page-sign-out.lead" } else { "page-sign-out.applications" };
    let message = Message {
        mood: "good",
        title: app.pages.say(&visit, "page-sign-out", &[]),
        lead: app.pages.say(&visit, lead, &[]),
        reference: None,
        next: Some(next(&app, &visit)),
    };
    let mut response = app.pages.tell(StatusCode::OK, &visit, &message);
    cookie::take(&app, &mut response);
    Ok(response)
}
