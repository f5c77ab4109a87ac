//! `/setup`: the first administrator, with the link that `serve` prints.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::link;
use super::page::Message;
use super::sign_in;
use super::visit::Visit;
use super::wrong::Wrong;
use crate::app::{App, Ctx};
use crate::form::Form;
use crate::kernel::{EmailAddress, FullName, LinkToken};
use crate::links::Purpose;
use crate::passwords;
use crate::problem::{Code, Problem};
use crate::registration::{self, Newcomer, RegisterError};

pub(super) const PATH: &str = "/setup";

/// What the form sends, and shows again when something is wrong; never the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    token: SecretString,
    email: String,
    #[serde(default)]
    full_name: String,
    /// Where people have one.
    password: Option<SecretString>,
}

/// What is wrong with the fields besides the password.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) email: Option<String>,
    pub(super) full_name: Option<String>,
}

impl Fields {
    /// Says which of them cannot be read.
    pub(super) fn wrong(app: &App, visit: &Visit, email: bool, full_name: bool) -> Self {
        let say = |id: &str| app.pages.say(visit, id, &[]);
        Self {
            email: email.then(|| say("page-setup.wrong-email")),
            full_name: full_name.then(|| say("page-setup.wrong-name")),
        }
    }
}

/// Shows the form.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
) -> Result<Response, Problem> {
    if let Err(reason) = link::look(&app, &ctx, visit.token.as_ref(), &[Purpose::Setup]).await? {
        return Ok(link::dead(&app, &visit, Code::InvalidVerificationToken, reason));
    }
    let typed = ("", "");
    let (fields, wrong) = (Fields::default(), Wrong::nothing());
    Ok(show(&app, &visit, visit.token.as_ref(), typed, &fields, &wrong))
}

/// Makes the administrator; whatever is refused leaves the link as it was.
pub(super) async fn create(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Form(filled): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Filled { token, email, full_name, password } = filled;
    let token = LinkToken::parse(token.expose_secret());
    let looked = link::look(&app, &ctx, token.as_ref(), &[Purpose::Setup]).await?;
    let (Ok(_), Some(token)) = (&looked, token) else {
        let reason = looked.err().unwrap_or("malformed");
        return Ok(link::dead(&app, &visit, Code::InvalidVerificationToken, reason));
    };
    let again = |fields: &Fields, wrong: &Wrong| {
        show(&app, &visit, Some(&token), (&email, &full_name), fields, wrong)
    };
    let (address, name) = match parse(&email, &full_name) {
        (Ok(address), Ok(name)) => (address, name),
        (address, name) => {
            let fields = Fields::wrong(&app, &visit, address.is_err(), name.is_err());
            return Ok(again(&fields, &Wrong::invalid()));
        }
    };
    let newcomer =
        Newcomer { email: address, password, full_name: name, locale: visit.language.parse().ok() };
    Ok(match registration::set_up(&app, &ctx, &token, newcomer).await {
        Ok(user) => {
            let named = [("service", app.pages.service()), ("email", user.email.as_str())];
            let message = Message {
                mood: "good",
                title: app.pages.say(&visit, "page-setup.done", &named),
                lead: app.pages.say(&visit, "page-setup.done-lead", &named),
                reference: None,
                next: Some(sign_in::next(&app, &visit)),
            };
            app.pages.tell(StatusCode::OK, &visit, &message)
        }
        // The link was good a moment ago: there is an administrator now, by whatever way.
        Err(RegisterError::InvalidLink) => {
            link::dead(&app, &visit, Code::InvalidVerificationToken, "admin_exists")
        }
        Err(RegisterError::PasswordsOff(off)) => sign_in::no_passwords(&app, &visit, off),
        Err(RegisterError::Weak(found)) => {
            again(&Fields::default(), &Wrong::weak(&app.pages, &visit, &found))
        }
        Err(RegisterError::Overloaded(busy)) => {
            again(&Fields::default(), &Wrong::busy(&app.pages, &visit, busy))
        }
        Err(RegisterError::AlreadyRegistered) => {
            let words = app.pages.say(&visit, "page-setup.taken", &[]);
            again(&Fields { email: Some(words), full_name: None }, &Wrong::invalid())
        }
        Err(error) => return Err(error.into()),
    })
}

/// Reads what was typed.
pub(super) fn parse(
    email: &str,
    full_name: &str,
) -> (Result<EmailAddress, ()>, Result<Option<FullName>, ()>) {
    (email.parse().map_err(|_| ()), name(full_name))
}

/// Reads a name, which may be left out.
pub(super) fn name(text: &str) -> Result<Option<FullName>, ()> {
    match text.trim() {
        "" => Ok(None),
        name => name.parse().map(Some).map_err(|_| ()),
    }
}

fn show(
    app: &App,
    visit: &Visit,
    token: Option<&LinkToken>,
    (email, full_name): (&str, &str),
    fields: &Fields,
    wrong: &Wrong,
) -> Response {
    let context = context! {
        token => token.map(LinkToken::reveal),
        action => visit.action(app, PATH),
        email => email,
        full_name => full_name,
        wrong_email => &fields.email,
        wrong_name => &fields.full_name,
        by_password => passwords::are_on(app),
        min => app.config.password.min_length,
        errors => &wrong.password,
        alert => &wrong.alert,
    };
    wrong.mark(app, app.pages.show(wrong.status(), "setup.html", visit, context))
}
