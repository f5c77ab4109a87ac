//! Looking at a link without using it up, and saying why it does not work.

use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::page::Message;
use super::visit::Visit;
use crate::app::{App, Ctx};
use crate::kernel::{EmailAddress, LinkToken};
use crate::links::{self, Link, Purpose};
use crate::passwords;
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

/// A page where a link leads, with nothing on it but a button.
pub(super) struct Button {
    /// Where it is, and where the button sends the token.
    pub(super) path: &'static str,
    /// The links that lead there.
    pub(super) purposes: &'static [Purpose],
    pub(super) template: &'static str,
    /// What the API answers to a link that does not work.
    pub(super) invalid: Code,
}

impl Button {
    /// Shows it.
    pub(super) async fn ask(
        &self,
        app: &App,
        ctx: &Ctx,
        visit: &Visit,
    ) -> Result<Response, Problem> {
        let found = match look(app, ctx, visit.token.as_ref(), self.purposes).await? {
            Ok(found) => found,
            Err(reason) => return Ok(self.dead(app, visit, reason)),
        };
        let context = context! {
            token => visit.token.as_ref().map(LinkToken::reveal),
            action => visit.action(app, self.path),
            email => found.email.as_ref().map(EmailAddress::as_str),
            by_password => passwords::are_on(app),
        };
        Ok(app.pages.show(StatusCode::OK, self.template, visit, context))
    }

    /// Says why the link does not work.
    pub(super) fn dead(&self, app: &App, visit: &Visit, reason: &str) -> Response {
        dead(app, visit, self.invalid, reason)
    }
}

/// What the button sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pressed {
    token: SecretString,
}

impl Pressed {
    /// Returns the token, if it could be ours.
    pub(super) fn token(&self) -> Option<LinkToken> {
        LinkToken::parse(self.token.expose_secret())
    }
}
