//! `/account/prove`: what cannot be taken back wants a proof that is not old.

use axum::extract::State;
use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::signed_in::{self, Guarded, Own};
use super::visit::Visit;
use super::wrong::Wrong;
use super::{account, data, email, lock, password};
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::problem::Problem;
use crate::second_factor::{self, Again, FactorError, Proof, StepUp};

pub(super) const PATH: &str = "/account/prove";

/// Where to go on afterwards.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Then {
    Password,
    Data,
    Email,
    Lock,
}

impl Then {
    fn path(self) -> &'static str {
        match self {
            Self::Password => password::PATH,
            Self::Data => data::PATH,
            Self::Email => email::PATH,
            Self::Lock => lock::PATH,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Data => "data",
            Self::Email => "email",
            Self::Lock => "lock",
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
        due @ StepUp::Due { .. } => Ok(show(app, visit, browser, then, &Wrong::of(due))),
        other @ StepUp::Store(_) => Err(other.into()),
    }
}

/// What the form sends: a code, or where there is no second factor the password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    guard: SecretString,
    then: Then,
    code: Option<SecretString>,
    password: Option<SecretString>,
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
    let Filled { then, code, password, .. } = filled;
    let again = Again { proof: code.map(Proof::Code), password };
    let say = |id: &str| app.pages.say(&visit, id, &[]);
    let wrong = match second_factor::step_up(&app, &ctx, &browser.caller, &again).await {
        Ok(()) => {
            let response = signed_in::to(&visit.action(&app, then.path()));
            return Ok(signed_in::renew(&app, &ctx, &browser, response).await);
        }
        Err(FactorError::Password(error)) => account::why(&app, &visit, error)??,
        Err(error @ FactorError::Refused(_)) => {
            Wrong::because(error, say("page-second-factor.wrong"))
        }
        Err(error @ FactorError::Paused(_)) => Wrong::wait(&app.pages, &visit, error),
        Err(error) => return Err(error.into()),
    };
    Ok(show(&app, &visit, &browser, then, &wrong))
}

fn show(app: &App, visit: &Visit, browser: &Browser, then: Then, wrong: &Wrong) -> Response {
    let context = context! {
        action => visit.action(app, PATH),
        then => then.name(),
        by_code => second_factor::is_asked(app, &browser.caller.user),
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, then.path())
    };
    wrong.mark(app, app.pages.show(wrong.status(), "prove.html", visit, context))
}
