//! Looking at a link without using it up, and saying why it does not work.

use axum::http::StatusCode;
use axum::response::Response;

use super::page::Message;
use super::visit::Visit;
use crate::app::{App, Ctx};
use crate::kernel::LinkToken;
use crate::links::{self, Link, Purpose};
use crate::problem::{Code, Problem};
use crate::telemetry::{InnerReason, ProblemCode};

/// What a link is good for, or why it does not work.
pub(super) async fn look(
    app: &App,
    ctx: &Ctx,
    token: Option<&LinkToken>,
    purposes: &[Purpose],
) -> Result<Result<Link, &'static str>, Problem> {
    let mut tx = app.store.glance().await?;
    if let Some(token) = token {
        for purpose in purposes {
            if let Some(link) = links::peek(&mut tx, app, token, *purpose, ctx.now).await? {
                return Ok(Ok(link));
            }
        }
    }
    Ok(Err(links::why_not(&mut tx, app, token).await?))
}

/// Says why a link does not work, in words that its owner understands.
pub(super) fn dead(app: &App, visit: &Visit, code: Code, reason: &str) -> Response {
    let (title, lead) = match reason {
        "token_used" => ("page-link.used", "page-link.used-lead"),
        "token_expired" => ("page-link.expired", "page-link.expired-lead"),
        "address_changed" | "address_taken" => ("page-link", "page-link.moved"),
        "admin_exists" => ("page-link.setup", "page-link.setup-lead"),
        _ => ("page-link", "page-link.incomplete"),
    };
    let message = Message {
        mood: "bad",
        title: app.pages.say(visit, title, &[]),
        lead: app.pages.say(visit, lead, &[]),
        reference: None,
        next: None,
    };
    let mut response = app.pages.tell(StatusCode::BAD_REQUEST, visit, &message);
    response.extensions_mut().insert(ProblemCode(code.wire()));
    response.extensions_mut().insert(InnerReason(reason.to_owned()));
    response
}
