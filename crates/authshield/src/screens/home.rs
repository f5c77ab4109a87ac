//! What somebody sees who types the address of the service.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;

use super::account;
use super::visit::Visit;
use crate::app::App;

pub(super) async fn home(State(app): State<App>, visit: Visit) -> Response {
    let context = context! {
        docs => app.config.docs.enabled,
        account => visit.action(&app, account::PATH),
    };
    app.pages.show(StatusCode::OK, "home.html", &visit, context)
}
