//! `/sign-in/mail`, `/sign-in/link`: signing in by a mail with a code and a link.
//!
//! What the mail opens something with stands in a cookie of the browser that asked. A link that is opened
//! elsewhere says so, and that the code of the same mail is typed where one asked.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::link::Pressed;
use super::mail_form::{Filled, MailForm};
use super::page::{Message, Next};
use super::signed_in::{self, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{cookie, onward, second_factor, sign_in};
use crate::app::{App, Ctx};
use crate::browser::Cookie;
use crate::captcha::CaptchaError;
use crate::form::Form;
use crate::kernel::EmailAddress;
use crate::magic_link::{self, AskError, Asked, RedeemError, Shown, Wish};
use crate::problem::{Code, Problem};
use crate::registration::NotOpen;
use crate::telemetry::to_the_end;

pub(super) const PATH: &str = "/sign-in/mail";
pub(super) const CODE: &str = "/sign-in/mail/code";
pub(super) const LINK: &str = "/sign-in/link";

const FORM: MailForm = MailForm { path: PATH, template: "mail-sign-in.html" };

/// Shows the form that asks for a mail.
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
    if !magic_link::is_on(&app) {
        return Ok(signed_in::to(&visit.action(&app, sign_in::PATH)));
    }
    Ok(FORM.ask(&app, &ctx, &visit))
}

/// Sends a mail, if there is somebody to get it; the answer tells nothing.
pub(super) async fn send(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let mut typed = filled.read(&app, &ctx);
    let Ok(email) = typed.email.parse::<EmailAddress>() else {
        return Ok(FORM.no_address(&app, &visit, &typed));
    };
    let wish = Wish {
        email,
        locale: visit.language.parse().ok(),
        former: cookie::read_asker(&app, &headers),
        captcha: typed.captcha.take(),
    };
    match magic_link::ask(&app, &ctx, wish).await {
        Ok(Asked { handle, lasts }) => {
            let mut response = signed_in::to(&visit.action(&app, CODE));
            cookie::give_asker(&app, &mut response, &handle, lasts);
            Ok(onward::remember(&app, &visit, response))
        }
        Err(AskError::Captcha(CaptchaError::Required(required))) => {
            Ok(FORM.captcha(&app, &visit, &typed, &required))
        }
        Err(AskError::Limited(exceeded)) => Ok(FORM.wait(&app, &visit, &typed, exceeded)),
        Err(error) => Err(error.into()),
    }
}

/// Shows where the code is typed, in the browser that asked.
pub(super) async fn type_code(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(match asked_for(&app, &ctx, &headers).await? {
        Some(email) => show_code(&app, &visit, &email, &Wrong::nothing()),
        None => signed_in::to(&visit.action(&app, PATH)),
    })
}

/// The code that somebody typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    code: SecretString,
}

/// Signs in with the code.
pub(super) async fn enter_code(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
    before: Option<SignedIn>,
    Form(Typed { code }): Form<Typed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let error = match redeem(&app, &ctx, &headers, Shown::Code(code)).await {
        Ok(cookie) => return enter(&app, &ctx, &visit, before, &cookie).await,
        Err(error) => error,
    };
    let say = |id: &str| app.pages.say(&visit, id, &[]);
    let wrong = match error {
        RedeemError::SecondFactorDue(ticket) => {
            return second_factor::begin(&app, &ctx, &visit, &ticket).await;
        }
        RedeemError::Limited(exceeded) => {
            Wrong::because(Problem::from(exceeded), say("page-mail-code.wait"))
        }
        error => match closed(&app, &visit, error)? {
            Ok(response) => return Ok(response),
            Err(error) => Wrong::because(error, say("page-mail-code.wrong")),
        },
    };
    Ok(match asked_for(&app, &ctx, &headers).await? {
        Some(email) => show_code(&app, &visit, &email, &wrong),
        None => over(&app, &visit, &wrong),
    })
}

/// Returns the address for which this browser asked for a mail, while a code of it would be taken.
async fn asked_for(
    app: &App,
    ctx: &Ctx,
    headers: &HeaderMap,
) -> Result<Option<EmailAddress>, Problem> {
    let Some(handle) = cookie::read_asker(app, headers) else { return Ok(None) };
    Ok(magic_link::address(app, ctx, &handle).await?)
}

fn show_code(app: &App, visit: &Visit, email: &EmailAddress, wrong: &Wrong) -> Response {
    let context = context! {
        action => visit.action(app, CODE),
        lead => app.pages.say(visit, "page-mail-code.lead", &[("email", email.as_str())]),
        anew => visit.action(app, PATH),
        alert => &wrong.alert,
    };
    wrong.mark(app, app.pages.show(wrong.status(), "mail-code.html", visit, context))
}

/// Shows the button; looking at a link uses nothing up.
pub(super) async fn open_link(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (Some(handle), Some(token)) = (cookie::read_asker(&app, &headers), &visit.token) else {
        return Ok(elsewhere(&app, &visit));
    };
    if !magic_link::fits(&app, &ctx, &handle, token).await? {
        return Ok(elsewhere(&app, &visit));
    }
    let context = context! {
        token => token.reveal(),
        action => visit.action(&app, LINK),
    };
    Ok(app.pages.show(StatusCode::OK, "mail-link.html", &visit, context))
}

/// Signs in with the link.
pub(super) async fn press_link(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    headers: HeaderMap,
    before: Option<SignedIn>,
    Form(pressed): Form<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    match redeem(&app, &ctx, &headers, Shown::Link(pressed.token())).await {
        Ok(cookie) => enter(&app, &ctx, &visit, before, &cookie).await,
        Err(RedeemError::SecondFactorDue(ticket)) => {
            second_factor::begin(&app, &ctx, &visit, &ticket).await
        }
        Err(error) => Ok(match closed(&app, &visit, error)? {
            Ok(response) => response,
            Err(error) => over(&app, &visit, &Wrong::of(error)),
        }),
    }
}

async fn redeem(
    app: &App,
    ctx: &Ctx,
    headers: &HeaderMap,
    shown: Shown,
) -> Result<Cookie, RedeemError> {
    let (app, ctx) = (app.clone(), ctx.clone());
    let (handle, trust) = (cookie::read_asker(&app, headers), cookie::read_trust(&app, headers));
    // As where programs sign in: what was counted is judged, even if the browser hangs up.
    let work = async move {
        magic_link::redeem(&app, &ctx, handle.as_ref(), &shown, trust.as_ref()).await
    };
    to_the_end(work).await
}

/// Lets a browser in; what it asked with is of no more use.
async fn enter(
    app: &App,
    ctx: &Ctx,
    visit: &Visit,
    before: Option<SignedIn>,
    cookie: &Cookie,
) -> Result<Response, Problem> {
    let response = signed_in::to(&visit.onward(app));
    signed_in::enter(app, ctx, before, cookie, response).await
}

/// Says that nobody gets in, if that is so whatever they show; the inner error is another one.
fn closed(
    app: &App,
    visit: &Visit,
    error: RedeemError,
) -> Result<Result<Response, RedeemError>, Problem> {
    let (title, lead) = match &error {
        RedeemError::AccountDisabled => ("page-sign-in", "page-sign-in.disabled"),
        RedeemError::NotOpen(NotOpen::Closed) => {
            ("page-register.closed", "page-register.closed-lead")
        }
        RedeemError::NotOpen(NotOpen::Domain) => ("page-sign-in", "page-register.domain"),
        RedeemError::Invalid(_) => return Ok(Err(error)),
        _ => return Err(error.into()),
    };
    let wrong = Wrong::of(error);
    Ok(Ok(say(app, visit, &wrong, title, lead, sign_in::next(app, visit))))
}

/// Leads to where one asks for another mail.
fn anew(app: &App, visit: &Visit) -> Next {
    let words = app.pages.say(visit, "page-mail-code.again", &[]);
    Next { link: visit.action(app, PATH), words }
}

/// Says that this sign-in is over.
fn over(app: &App, visit: &Visit, wrong: &Wrong) -> Response {
    say(app, visit, wrong, "page-mail-code.over", "page-mail-code.over-lead", anew(app, visit))
}

/// Says that a link opens nothing here.
fn elsewhere(app: &App, visit: &Visit) -> Response {
    let wrong = Wrong::of(Problem::from(Code::MagicLinkInvalid).because("other_browser"));
    let (title, lead) = ("page-mail-link.elsewhere", "page-mail-link.elsewhere-lead");
    say(app, visit, &wrong, title, lead, anew(app, visit))
}

fn say(app: &App, visit: &Visit, wrong: &Wrong, title: &str, lead: &str, next: Next) -> Response {
    let message = Message {
        mood: "bad",
        title: app.pages.say(visit, title, &[]),
        lead: app.pages.say(visit, lead, &[]),
        reference: None,
        next: Some(next),
    };
    wrong.mark(app, app.pages.tell(wrong.status(), visit, &message))
}
