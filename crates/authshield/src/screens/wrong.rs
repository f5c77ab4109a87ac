//! Why a form is shown again.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::page::Pages;
use super::visit::Visit;
use crate::app::App;
use crate::frame;
use crate::passwords::{Overloaded, Weakness};
use crate::problem::{Code, Problem, seconds_up};
use crate::telemetry::{InnerReason, ProblemCode};

/// What was wrong with a form, if anything was.
#[derive(Default)]
pub(super) struct Wrong {
    /// The same for programs, and for the log.
    problem: Option<Problem>,
    /// What is wrong with the new password.
    pub(super) password: Vec<String>,
    /// What is wrong with none of the fields.
    pub(super) alert: Option<String>,
}

impl Wrong {
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    pub(super) fn invalid() -> Self {
        Self { problem: Some(Code::ValidationFailed.into()), ..Self::nothing() }
    }

    pub(super) fn weak(pages: &Pages, visit: &Visit, found: &[Weakness]) -> Self {
        let password = found.iter().map(|weakness| words(pages, visit, weakness)).collect();
        Self { password, ..Self::invalid() }
    }

    pub(super) fn busy(pages: &Pages, visit: &Visit, busy: Overloaded) -> Self {
        Self::because(busy, pages.say(visit, "page-busy", &[]))
    }

    /// What the API answers with `problem`, and a page with `words`.
    pub(super) fn because(problem: impl Into<Problem>, words: String) -> Self {
        Self { problem: Some(problem.into()), alert: Some(words), ..Self::nothing() }
    }

    /// The same, where the words stand elsewhere on the page.
    pub(super) fn of(problem: impl Into<Problem>) -> Self {
        Self { problem: Some(problem.into()), ..Self::nothing() }
    }

    /// The same, where somebody has to wait.
    pub(super) fn wait(pages: &Pages, visit: &Visit, problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        let minutes = problem.when().unwrap_or_default().as_secs().div_ceil(60).max(1);
        let words = pages.say(visit, "page-wait", &[("minutes", &minutes.to_string())]);
        Self::because(problem, words)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.problem.as_ref().map_or(StatusCode::OK, |problem| problem.code.status())
    }

    /// Adds what a program, and the log, want to know.
    pub(super) fn mark(&self, app: &App, mut response: Response) -> Response {
        let Some(problem) = &self.problem else { return response };
        response.extensions_mut().insert(ProblemCode(problem.code.wire()));
        if let Some(reason) = problem.reason() {
            response.extensions_mut().insert(InnerReason(reason.to_owned()));
        }
        if let Some(after) = problem.when() {
            let seconds = HeaderValue::from(seconds_up(after));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        frame::count(app, problem, response.headers_mut());
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
