//! `/account/prove`: what cannot be taken back wants a proof that is not old.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::page::with_our_script;
use super::passkey::{Button, Scripted};
use super::sign_in::Pressed;
use super::signed_in::{self, Guarded, Own};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{account, data, email, factor, lock, passkeys, password};
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::passkeys::http::{RequestOptions, UsedCredential};
use crate::problem::Problem;
use crate::second_factor::{self, Again, FactorError, Proof, StepUp};

pub(super) const PATH: &str = "/account/prove";
pub(super) const CHALLENGE: &str = "/account/prove/challenge";
pub(super) const SEND: &str = "/account/prove/mail";

/// Where to go on afterwards.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Then {
    Account,
    Password,
    Data,
    Email,
    Factor,
    Lock,
    Passkeys,
    AddPasskey,
}

impl Then {
    fn path(self) -> &'static str {
        match self {
            Self::Account => account::PATH,
            Self::Password => password::PATH,
            Self::Data => data::PATH,
            Self::Email => email::PATH,
            Self::Factor => factor::PATH,
            Self::Lock => lock::PATH,
            Self::Passkeys => passkeys::PATH,
            Self::AddPasskey => passkeys::ADD,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Password => "password",
            Self::Data => "data",
            Self::Email => "email",
            Self::Factor => "factor",
            Self::Lock => "lock",
            Self::Passkeys => "passkeys",
            Self::AddPasskey => "add-passkey",
        }
    }

    /// Returns the page of the account that it belongs to.
    fn place(self) -> &'static str {
        match self {
            Self::AddPasskey => passkeys::PATH,
            other => other.path(),
        }
    }
}

/// Asks for a proof, if that is why something was not done.
pub(super) fn ask(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    then: Then,
    why: StepUp,
) -> Result<Response, Problem> {
    match why {
        StepUp::Due { max_age, factors } => {
            let wrong = Wrong::of(StepUp::Due { max_age, factors: factors.clone() });
            Ok(show(app, visit, browser, then, &factors, None, &wrong))
        }
        other @ StepUp::Store(_) => Err(other.into()),
    }
}

/// Gives a challenge for the own passkeys.
pub(super) async fn challenge(
    State(app): State<App>,
    ctx: Ctx,
    Own(browser, _): Own<Pressed>,
) -> Result<Json<RequestOptions>, Problem> {
    Ok(Json(second_factor::challenge_again(&app, &ctx, &browser.caller).await?.into()))
}

/// What the form sends: a code, or where there is no second factor the password; or what a passkey signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    guard: SecretString,
    then: Then,
    code: Option<SecretString>,
    email_code: Option<SecretString>,
    password: Option<SecretString>,
    credential: Option<Scripted<UsedCredential>>,
}

impl Guarded for Filled {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Takes the proof; the browser gets another cookie.
pub(super) async fn prove(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, filled): Own<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Filled { then, code, email_code, password, credential, .. } = filled;
    let (by_passkey, by_mail) = (credential.is_some(), email_code.is_some());
    let proof = match (credential, email_code) {
        (Some(Scripted(credential)), _) => Some(Proof::Passkey(credential.into())),
        (None, Some(code)) => Some(Proof::MailCode(code)),
        (None, None) => code.map(Proof::Code),
    };
    let again = Again { proof, password };
    let say = |id: &str| app.pages.say(&visit, id, &[]);
    let wrong = match second_factor::step_up(&app, &ctx, &browser.caller, &again).await {
        Ok(()) => {
            let response = signed_in::to(&visit.action(&app, then.path()));
            return Ok(signed_in::renew(&app, &ctx, &browser, response).await);
        }
        Err(FactorError::Password(error)) => account::why(&app, &visit, error)??,
        Err(error @ FactorError::Refused(reason)) => {
            let words = match reason {
                "wrong_mail_code" => "page-mail-code.wrong",
                _ if by_mail => "page-prove.mail-over",
                _ if by_passkey => "page-passkey.refused",
                _ => "page-second-factor.wrong",
            };
            Wrong::because(error, say(words))
        }
        Err(error @ FactorError::Paused(_)) => Wrong::wait(&app.pages, &visit, error),
        Err(error) => return Err(error.into()),
    };
    match second_factor::fresh(&app, &ctx, &browser.caller).await {
        // It was shown in another window meanwhile.
        Ok(()) => Ok(signed_in::to(&visit.action(&app, then.path()))),
        Err(StepUp::Due { factors, .. }) => {
            let to = by_mail.then(|| mailed(&app, &visit, &browser));
            Ok(show(&app, &visit, &browser, then, &factors, to, &wrong))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the button sends that asks for a code by mail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    guard: SecretString,
    then: Then,
}

impl Guarded for Asked {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Sends a code by mail, where there is nothing else to show.
pub(super) async fn send(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, Asked { then, .. }): Own<Asked>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    match second_factor::send_code_again(&app, &ctx, &browser.caller).await {
        Ok(_) => {
            let to = Some(mailed(&app, &visit, &browser));
            Ok(show(&app, &visit, &browser, then, &["email"], to, &Wrong::nothing()))
        }
        Err(error @ FactorError::Limited(_)) => {
            let wrong = Wrong::wait(&app.pages, &visit, error);
            Ok(show(&app, &visit, &browser, then, &["email"], None, &wrong))
        }
        Err(error) => Err(error.into()),
    }
}

/// Says where a code went.
fn mailed(app: &App, visit: &Visit, browser: &Browser) -> String {
    let email = browser.caller.user.email.as_str();
    app.pages.say(visit, "page-prove.mail-lead", &[("email", email)])
}

fn show(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    then: Then,
    factors: &[&str],
    mailed: Option<String>,
    wrong: &Wrong,
) -> Response {
    let passkey = factors.contains(&"passkey").then(|| Button {
        action: visit.action(app, PATH),
        challenge: visit.action(app, CHALLENGE),
        guard: Some(browser.guard()),
        then: Some(then.name()),
        alone: factors.len() == 1,
        ..Button::default()
    });
    let has_passkey = passkey.is_some();
    let context = context! {
        action => visit.action(app, PATH),
        then => then.name(),
        by_code => factors.contains(&"totp"),
        by_password => factors.contains(&"password"),
        by_mail => factors.contains(&"email"),
        mailed => mailed,
        send => visit.action(app, SEND),
        passkey => passkey.map(Button::shown),
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, then.place())
    };
    let page = app.pages.show(wrong.status(), "prove.html", visit, context);
    wrong.mark(app, if has_passkey { with_our_script(page) } else { page })
}
