//! `/account/passkeys`: the own ones, adding one, another name, taking one away.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use minijinja::{Value, context};
use secrecy::SecretString;
use serde::Deserialize;

use super::account;
use super::page::with_our_script;
use super::passkey::Scripted;
use super::prove::{self, Then};
use super::sign_in::Pressed;
use super::signed_in::{self, Guarded, Own, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::kernel::{FullName, PasskeyId, Timestamp};
use crate::passkeys::http::{CreationOptions, NewCredential};
use crate::passkeys::{self, PasskeyError};
use crate::problem::{Code, Problem};
use crate::second_factor;

pub(super) const PATH: &str = "/account/passkeys";
pub(super) const ADD: &str = "/account/passkeys/add";
pub(super) const CHALLENGE: &str = "/account/passkeys/challenge";
pub(super) const RENAME: &str = "/account/passkeys/rename";
pub(super) const REMOVE: &str = "/account/passkeys/remove";

/// What was done just before.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Done {
    Added,
    Renamed,
    Removed,
}

/// What the address may say.
#[derive(Deserialize)]
pub(super) struct Asked {
    done: Option<Done>,
}

/// Shows the own passkeys.
pub(super) async fn see(
    State(app): State<App>,
    visit: Visit,
    SignedIn(browser): SignedIn,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let done = asked.ok().and_then(|Query(asked)| asked.done);
    show(&app, &visit, &browser, done, &Wrong::nothing()).await
}

async fn show(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    done: Option<Done>,
    wrong: &Wrong,
) -> Result<Response, Problem> {
    let own = passkeys::list(app, &browser.caller).await?;
    let own: Vec<Value> = own
        .iter()
        .map(|passkey| {
            context! {
                id => passkey.id.to_string(),
                name => passkey.name.as_str(),
                synced => passkey.backed_up,
                since => passkey.created_at.to_minute(),
                last => passkey.last_used_at.map(Timestamp::to_minute),
            }
        })
        .collect();
    let done = done.map(|done| match done {
        Done::Added => "page-passkeys.added",
        Done::Renamed => "page-passkeys.renamed",
        Done::Removed => "page-passkeys.removed",
    });
    let context = context! {
        passkeys => own,
        add => visit.action(app, ADD),
        rename => visit.action(app, RENAME),
        remove => visit.action(app, REMOVE),
        done => done.map(|id| app.pages.say(visit, id, &[])),
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, PATH)
    };
    Ok(wrong.mark(app, app.pages.show(wrong.status(), "passkeys.html", visit, context)))
}

/// Shows the form to add one, where the owner proved not long ago who they are.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    SignedIn(browser): SignedIn,
) -> Result<Response, Problem> {
    match second_factor::fresh(&app, &ctx, &browser.caller).await {
        Ok(()) => Ok(show_form(&app, &visit, &browser, "", None, &Wrong::nothing())),
        Err(why) => prove::ask(&app, &visit, &browser, Then::AddPasskey, why),
    }
}

fn show_form(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    name: &str,
    wrong_name: Option<String>,
    wrong: &Wrong,
) -> Response {
    let context = context! {
        action => visit.action(app, ADD),
        challenge => visit.action(app, CHALLENGE),
        back => visit.action(app, PATH),
        name => name,
        wrong_name => wrong_name,
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, PATH)
    };
    let page = app.pages.show(wrong.status(), "add-passkey.html", visit, context);
    wrong.mark(app, with_our_script(page))
}

/// Gives a challenge for a new passkey.
pub(super) async fn challenge(
    State(app): State<App>,
    ctx: Ctx,
    Own(browser, _): Own<Pressed>,
) -> Result<Json<CreationOptions>, Problem> {
    let caller = &browser.caller;
    second_factor::fresh(&app, &ctx, caller).await?;
    let challenge = passkeys::begin(&app, &ctx, caller).await?;
    Ok(Json(CreationOptions::new(&app, &caller.user, challenge)))
}

/// A new passkey, and what it is called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    guard: SecretString,
    name: String,
    credential: Scripted<NewCredential>,
}

impl Guarded for New {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Adds a passkey.
pub(super) async fn add(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, New { name: typed, credential, .. }): Own<New>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    if let Err(why) = second_factor::fresh(&app, &ctx, &browser.caller).await {
        return prove::ask(&app, &visit, &browser, Then::AddPasskey, why);
    }
    let Ok(name) = typed.trim().parse::<FullName>() else {
        let words = app.pages.say(&visit, "page-setup.wrong-name", &[]);
        return Ok(show_form(&app, &visit, &browser, &typed, Some(words), &Wrong::invalid()));
    };
    match passkeys::add(&app, &ctx, &browser.caller, credential.0.into(), name).await {
        Ok(_) => Ok(done(&app, &visit, "added")),
        Err(error) => {
            let wrong = why(&app, &visit, error)?;
            Ok(show_form(&app, &visit, &browser, &typed, None, &wrong))
        }
    }
}

/// Another name for a passkey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Renamed {
    guard: SecretString,
    passkey: PasskeyId,
    name: String,
}

impl Guarded for Renamed {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Gives a passkey another name.
pub(super) async fn rename(
    State(app): State<App>,
    visit: Visit,
    Own(browser, Renamed { passkey, name, .. }): Own<Renamed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    let Ok(name) = name.trim().parse::<FullName>() else {
        let words = app.pages.say(&visit, "page-setup.wrong-name", &[]);
        let wrong = Wrong::because(Code::ValidationFailed, words);
        return show(&app, &visit, &browser, None, &wrong).await;
    };
    match passkeys::rename(&app, &browser.caller, passkey, name).await {
        Ok(_) => Ok(done(&app, &visit, "renamed")),
        Err(error) => show(&app, &visit, &browser, None, &why(&app, &visit, error)?).await,
    }
}

/// A passkey to remove.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct One {
    guard: SecretString,
    passkey: PasskeyId,
}

impl Guarded for One {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Removes a passkey, where the owner proved not long ago who they are.
pub(super) async fn remove(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, One { passkey, .. }): Own<One>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    if let Err(why) = second_factor::fresh(&app, &ctx, &browser.caller).await {
        return prove::ask(&app, &visit, &browser, Then::Passkeys, why);
    }
    match passkeys::remove(&app, &ctx, &browser.caller, passkey).await {
        Ok(()) => Ok(done(&app, &visit, "removed")),
        Err(error) => {
            let wrong = why(&app, &visit, error)?;
            show(&app, &visit, &browser, None, &wrong).await
        }
    }
}

/// Puts into words what was refused.
fn why(app: &App, visit: &Visit, error: PasskeyError) -> Result<Wrong, Problem> {
    let words = match error {
        PasskeyError::Limited(exceeded) => return Ok(Wrong::wait(&app.pages, visit, exceeded)),
        PasskeyError::Refused("credential_known") => "page-passkeys.known",
        PasskeyError::Refused(_) => "page-passkey.refused",
        PasskeyError::TooMany => "page-passkeys.too-many",
        PasskeyError::LastWayIn => "page-passkeys.last",
        PasskeyError::NotFound => "page-factor.changed",
        error => return Err(error.into()),
    };
    Ok(Wrong::because(error, app.pages.say(visit, words, &[])))
}

/// Goes back to the list, where it is said `what` was done.
fn done(app: &App, visit: &Visit, what: &str) -> Response {
    signed_in::to(&format!("{}&done={what}", visit.action(app, PATH)))
}
