//! A page to try the API.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use minijinja::context;

use super::assets::SCRIPT;
use super::visit::Visit;
use crate::app::App;

/// The one page with a script, which is ours and may talk to this server only.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
     img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

pub(super) async fn docs(State(app): State<App>) -> Response {
    let script = SCRIPT.address(app.pages.base());
    let visit = Visit::in_english();
    let context = context! { script => script };
    let mut page = app.pages.show(StatusCode::OK, "docs.html", &visit, context);
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    page
}
