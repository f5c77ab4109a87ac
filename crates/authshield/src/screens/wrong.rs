//! Why a form is shown again.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::page::Pages;
use super::visit::Visit;
use crate::passwords::{Overloaded, Weakness};
use crate::problem::{Code, seconds_up};
use crate::telemetry::ProblemCode;

/// What was wrong with a form that has a new password in it, if anything was.
pub(super) struct Wrong {
    pub(super) status: StatusCode,
    pub(super) code: Option<Code>,
    pub(super) retry_after: Option<Duration>,
    /// What is wrong with the password.
    pub(super) password: Vec<String>,
    /// What is wrong with none of the fields.
    pub(super) alert: Option<String>,
}

impl Wrong {
    pub(super) fn nothing() -> Self {
        Self {
            status: StatusCode::OK,
            code: None,
            retry_after: None,
            password: Vec::new(),
            alert: None,
        }
    }

    pub(super) fn invalid() -> Self {
        let code = Code::ValidationFailed;
        Self { status: code.status(), code: Some(code), ..Self::nothing() }
    }

    pub(super) fn weak(pages: &Pages, visit: &Visit, found: &[Weakness]) -> Self {
        let password = found.iter().map(|weakness| words(pages, visit, weakness)).collect();
        Self { password, ..Self::invalid() }
    }

    pub(super) fn busy(pages: &Pages, visit: &Visit, busy: Overloaded) -> Self {
        let code = Code::ServiceOverloaded;
        Self {
            status: code.status(),
            code: Some(code),
            retry_after: Some(busy.retry_after),
            alert: Some(pages.say(visit, "page-busy", &[])),
            ..Self::nothing()
        }
    }

    /// Adds what a program, and the log, want to know.
    pub(super) fn mark(&self, mut response: Response) -> Response {
        if let Some(code) = self.code {
            response.extensions_mut().insert(ProblemCode(code.wire()));
        }
        if let Some(after) = self.retry_after {
            let seconds = HeaderValue::from(seconds_up(after));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// Says what is wrong with a password, in the language of the page.
fn words(pages: &Pages, visit: &Visit, weakness: &Weakness) -> String {
    let id = format!("weakness-{}", weakness.code());
    match weakness {
        Weakness::TooShort { min } => pages.say(visit, &id, &[("min", &min.to_string())]),
        Weakness::TooLong { max } => pages.say(visit, &id, &[("max", &max.to_string())]),
        Weakness::TooWeak { advice, .. } => {
            let advice: Vec<_> =
                advice.iter().map(|one| pages.say(visit, one.words(), &[])).collect();
            pages.say(visit, &id, &[("advice", &advice.join(" "))])
        }
        Weakness::Common | Weakness::Breached | Weakness::ContainsContext => {
            pages.say(visit, &id, &[])
        }
    }
}
