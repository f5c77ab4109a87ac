//! `/account/data`: taking everything along, and leaving.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use minijinja::context;

use super::account;
use super::prove::{self, Then};
use super::sign_in::Pressed;
use super::signed_in::{Own, SignedIn};
use super::visit::Visit;
use super::wrong::Wrong;
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::own_data::{self, ExportError, RequestError};
use crate::problem::{Code, Problem};
use crate::second_factor;

pub(super) const PATH: &str = "/account/data";
pub(super) const EXPORT: &str = "/account/data/export";
pub(super) const DELETE: &str = "/account/data/delete";
pub(super) const KEEP: &str = "/account/data/keep";

/// Shows the buttons, where the owner proved not long ago who they are.
pub(super) async fn ask(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    SignedIn(browser): SignedIn,
) -> Result<Response, Problem> {
    match second_factor::fresh(&app, &ctx, &browser.caller).await {
        Ok(()) => Ok(show(&app, &visit, &browser, &Wrong::nothing())),
        Err(why) => prove::ask(&app, &visit, &browser, Then::Data, why),
    }
}

/// Gives everything that is kept, as a file.
pub(super) async fn export(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, _): Own<Pressed>,
) -> Result<Response, Problem> {
    if let Err(why) = second_factor::fresh(&app, &ctx, &browser.caller).await {
        return prove::ask(&app, &visit.answered(), &browser, Then::Data, why);
    }
    let export = match own_data::gather(&app, &ctx, &browser.caller).await {
        Ok(export) => export,
        Err(ExportError::Limited(exceeded)) => {
            let visit = visit.answered();
            return Ok(show(&app, &visit, &browser, &Wrong::wait(&app.pages, &visit, exceeded)));
        }
        Err(error) => return Err(error.into()),
    };
    let mut response = Json(export).into_response();
    let as_file = HeaderValue::from_static("attachment; filename=\"account.json\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, as_file);
    Ok(response)
}

/// Has the account deleted after a time.
pub(super) async fn delete(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, _): Own<Pressed>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    if let Err(why) = second_factor::fresh(&app, &ctx, &browser.caller).await {
        return prove::ask(&app, &visit, &browser, Then::Data, why);
    }
    match own_data::request(&app, &ctx, &browser.caller).await {
        Ok(_) => Ok(account::done(&app, &visit, "deletion")),
        Err(RequestError::Limited(exceeded)) => {
            Ok(show(&app, &visit, &browser, &Wrong::wait(&app.pages, &visit, exceeded)))
        }
        Err(error) => {
            let problem = Problem::from(error);
            if problem.code != Code::LastAdmin {
                return Err(problem);
            }
            let words = app.pages.say(&visit, "page-data.last-admin", &[]);
            Ok(show(&app, &visit, &browser, &Wrong::because(problem, words)))
        }
    }
}

/// Keeps the account after all.
pub(super) async fn keep(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, _): Own<Pressed>,
) -> Result<Response, Problem> {
    own_data::withdraw(&app, &ctx, &browser.caller).await?;
    Ok(account::done(&app, &visit, "kept"))
}

fn show(app: &App, visit: &Visit, browser: &Browser, wrong: &Wrong) -> Response {
    let grace = app.live.load().deletion.grace;
    let context = context! {
        export => visit.action(app, EXPORT),
        delete => visit.action(app, DELETE),
        days => grace.as_secs().div_ceil(24 * 60 * 60),
        alert => &wrong.alert,
        ..account::frame(app, visit, browser, PATH)
    };
    wrong.mark(app, app.pages.show(wrong.status(), "data.html", visit, context))
}
