//! Passkeys where one signs in: challenges for the script, and what it puts into a form.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use minijinja::{Value, context};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::sign_in;
use super::signed_in::{self, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use crate::app::{App, Ctx};
use crate::browser::Cookie;
use crate::form::Form;
use crate::kernel::PendingToken;
use crate::passkeys::http::{RequestOptions, UsedCredential};
use crate::passkeys::{self, PasskeyError};
use crate::problem::Problem;
use crate::second_factor;

pub(super) const PATH: &str = "/sign-in/passkey";
pub(super) const CHALLENGE: &str = "/sign-in/passkey/challenge";
pub(super) const SECOND: &str = "/sign-in/second-factor/challenge";

/// The button that a page shows for passkeys, and what its form carries.
#[derive(Default)]
pub(super) struct Button {
    pub(super) action: String,
    /// Where the script asks for a challenge.
    pub(super) challenge: String,
    pub(super) guard: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) then: Option<&'static str>,
    /// Whether the browser may offer a passkey where it fills a form in.
    pub(super) conditional: bool,
    /// Whether there is no other way to go on.
    pub(super) alone: bool,
}

impl Button {
    /// Returns it as templates read it.
    pub(super) fn shown(self) -> Value {
        let Self { action, challenge, guard, ticket, then, conditional, alone } = self;
        context! { action, challenge, guard, ticket, then, conditional, alone }
    }
}

/// JSON in the field of a form: what browsers say of a passkey.
pub(super) struct Scripted<T>(pub(super) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Scripted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = serde_json::from_str(&text).map(Self);
        read.map_err(|_| D::Error::custom("this is not what a browser says of a passkey"))
    }
}

/// Gives a challenge to anybody.
pub(super) async fn ask(State(app): State<App>, ctx: Ctx) -> Result<Json<RequestOptions>, Problem> {
    Ok(Json(passkeys::ask(&app, &ctx).await?.into()))
}

/// What the form sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    credential: Scripted<UsedCredential>,
}

/// Signs in whoever's passkey it is.
pub(super) async fn sign_in(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    before: Option<SignedIn>,
    Form(Filled { credential }): Form<Filled>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let error = match passkeys::sign_in::<Cookie>(&app, &ctx, &credential.0.into()).await {
        Ok(cookie) => {
            let response = signed_in::to(&visit.onward(&app));
            return signed_in::enter(&app, &ctx, before, &cookie, response).await;
        }
        Err(error) => error,
    };
    let words = match &error {
        PasskeyError::Refused(_) => "page-passkey.refused",
        PasskeyError::AccountDisabled => "page-sign-in.disabled",
        _ => return Err(error.into()),
    };
    let wrong = Wrong::because(error, app.pages.say(&visit, words, &[]));
    Ok(sign_in::show_wrong(&app, &ctx, &visit, &wrong))
}

/// The ticket whose passkey is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    ticket: SecretString,
}

/// Gives a challenge for the passkeys of who showed the right password.
pub(super) async fn ask_second(
    State(app): State<App>,
    ctx: Ctx,
    Form(Waiting { ticket }): Form<Waiting>,
) -> Result<Json<RequestOptions>, Problem> {
    let token = PendingToken::parse(ticket.expose_secret());
    Ok(Json(second_factor::challenge(&app, &ctx, token.as_ref()).await?.into()))
}
