//! The HTML faces of the same stories: where the links in mails lead.
//!
//! ```text
//! GET  /verify-email ─ verify::ask      a button; looking at a link uses nothing up
//! POST /verify-email ─ verify::confirm  ─ verification::verify
//! GET  /reset-password, POST            ─ recovery::reset
//! GET  /setup, POST                     ─ registration::set_up
//! GET  /problems/{code}                 what the `type` of a problem leads to
//! GET  /docs                            a page to try the API, if the configuration wants it
//! ```
//!
//! Mail scanners follow links, so a GET or HEAD changes nothing: the button POSTs. No page but
//! `/docs` has a script, none has an inline one, and all of them work without.
//!
//! Cross-site request forgery has nothing to ride on: there are no cookies and no other authority
//! that a browser would add by itself. All that a form can do, it can do because of the single-use
//! token that it carries, and whoever can forge a form with that token holds the link. So the forms
//! need no further token. Should pages ever know who is signed in, that changes.

mod assets;
mod docs;
mod form;
mod home;
mod link;
mod page;
mod problems;
mod reset;
mod setup;
mod verify;
mod visit;
mod wrong;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use page::Pages;
pub(crate) use problems::Reader;

use crate::app::App;
use crate::frame;
use crate::limits::rules::REDEEM_PER_CLIENT;

/// Returns every page.
pub fn routes(app: &App) -> Router<App> {
    let limited = from_fn_with_state((app.clone(), &REDEEM_PER_CLIENT), frame::limited);
    let routes = Router::new()
        .route("/", get(home::home))
        .route(verify::PATH, get(verify::ask).merge(post(verify::confirm).layer(limited.clone())))
        .route(reset::PATH, get(reset::ask).merge(post(reset::set).layer(limited.clone())))
        .route(setup::PATH, get(setup::ask).merge(post(setup::create).layer(limited)))
        .route("/problems", get(problems::codes))
        .route("/problems/{code}", get(problems::code))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/icon.svg", get(assets::icon))
        .route("/favicon.ico", get(assets::icon));
    if app.config.docs.enabled {
        routes.route("/docs", get(docs::docs)).route("/assets/docs.js", get(assets::script))
    } else {
        routes
    }
}
