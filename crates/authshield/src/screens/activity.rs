//! `/account/activity`: what happened to the account.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::{Value, context};
use serde::Deserialize;

use super::signed_in::SignedIn;
use super::visit::Visit;
use super::{account, lock};
use crate::activity;
use crate::app::App;
use crate::kernel::Paging;
use crate::problem::Problem;
use crate::words::Words;

pub(super) const PATH: &str = "/account/activity";

/// How many of them one page shows.
const AT_ONCE: u16 = 30;

/// Where to go on.
#[derive(Deserialize)]
pub(super) struct Asked {
    cursor: Option<String>,
}

/// Shows it, newest first.
pub(super) async fn see(
    State(app): State<App>,
    visit: Visit,
    SignedIn(browser): SignedIn,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let cursor = asked.ok().and_then(|Query(asked)| asked.cursor);
    let paging = Paging::new(Some(AT_ONCE), cursor);
    let page = activity::http::page(&app, &browser.caller, &paging).await?;
    let entries: Vec<Value> = page
        .items
        .iter()
        .map(|entry| {
            context! {
                at => entry.at.to_minute(),
                words => &entry.description,
                address => &entry.ip_address,
                device => &entry.device,
                here => entry.is_current_session,
                by_operator => entry.by_administrator,
            }
        })
        .collect();
    let next =
        page.next_cursor.map(|cursor| format!("{}&cursor={cursor}", visit.action(&app, PATH)));
    let context = context! {
        spoken => Words::pick(browser.caller.user.locale.as_str(), app.pages.default_language()),
        entries => entries,
        next => next,
        lock => visit.action(&app, lock::PATH),
        ..account::frame(&app, &visit, &browser, PATH)
    };
    Ok(app.pages.show(StatusCode::OK, "activity.html", &visit, context))
}
