//! What codes mean, and problems as pages for who reads pages.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use minijinja::{Value, context};

use super::page::{Message, Pages};
use super::visit::{self, Visit};
use crate::app::App;
use crate::problem::{Code, Problem};

/// Lists every code.
pub(super) async fn codes(State(app): State<App>, visit: Visit) -> Response {
    let codes: Vec<Value> =
        Code::ALL.iter().map(|code| describe(&app.pages, &visit, *code)).collect();
    app.pages.show(StatusCode::OK, "codes.html", &visit, context! { codes => codes })
}

/// Says what one code means: this is where the `type` of a problem leads.
pub(super) async fn code(
    State(app): State<App>,
    visit: Visit,
    uri: Uri,
    name: Path<String>,
) -> Result<Response, Problem> {
    let Some(code) = Code::ALL.iter().find(|code| code.wire() == name.as_str()) else {
        return Err(crate::frame::no_route(uri).await);
    };
    let context = context! { code => describe(&app.pages, &visit, *code) };
    Ok(app.pages.show(StatusCode::OK, "code.html", &visit, context))
}

/// What a page says of a code: in the reader's language, or in English, marked as such.
fn describe(pages: &Pages, visit: &Visit, code: Code) -> Value {
    let explained = pages.words().explain(visit.language, code.wire());
    let language = if explained.is_some() { visit.language } else { "en" };
    let (title, words) =
        explained.unwrap_or_else(|| (code.title().to_owned(), code.words().to_owned()));
    let words: Vec<Value> = words
        .trim()
        .split('`')
        .enumerate()
        .map(|(at, text)| context! { code => at % 2 == 1, text => text })
        .collect();
    context! {
        wire => code.wire(),
        title => title,
        language => language,
        status => code.status().as_u16(),
        words => words,
    }
}

/// Somebody who reads pages and not JSON, as far as the request tells.
pub(crate) struct Reader(Visit);

impl Reader {
    /// Who comes to one of our forms reads pages; elsewhere, who asks for one, unless it is a place
    /// for programs.
    pub(crate) fn of(app: &App, request: &Request) -> Option<Self> {
        let path = request.uri().path();
        let for_programs = ["/api/", "/.well-known/", "/oauth2/", "/metrics", "/openapi.json"];
        if for_programs.iter().any(|start| path.starts_with(start)) {
            return None;
        }
        (super::is_form(path) || asks_for_a_page(request.headers())).then(|| {
            let language = visit::language(&app.pages, request.uri(), request.headers());
            Self(Visit::reading(language))
        })
    }

    /// Puts the page in the place of the body; if that fails, the problem stays as it is.
    pub(crate) fn dress(
        &self,
        app: &App,
        code: Code,
        request_id: &str,
        mut response: Response,
    ) -> Response {
        let after = response.headers().get(header::RETRY_AFTER);
        let seconds = after.and_then(|value| value.to_str().ok()).unwrap_or("1").to_owned();
        let words = words(code);
        let message = Message {
            mood: "bad",
            title: app.pages.say(&self.0, words.0, &[]),
            lead: app.pages.say(&self.0, words.1, &[("seconds", &seconds)]),
            reference: code.status().is_server_error().then_some(request_id),
            next: None,
        };
        let page = app.pages.tell(code.status(), &self.0, &message);
        if page.extensions().get::<Problem>().is_some() {
            return response;
        }
        let (parts, body) = page.into_parts();
        *response.body_mut() = Body::new(body);
        for (name, value) in &parts.headers {
            if name != header::CONTENT_LENGTH {
                response.headers_mut().insert(name.clone(), value.clone());
            }
        }
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response
    }
}

fn asks_for_a_page(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("text/html"))
}

/// Returns which words a code has for people: a heading and a sentence.
fn words(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::RouteNotFound => ("page-problem.missing", "page-problem.missing-lead"),
        Code::MethodNotAllowed => ("page-problem.method", "page-problem.method-lead"),
        Code::RateLimitExceeded => ("page-problem.limited", "page-problem.limited-lead"),
        Code::ServiceOverloaded | Code::ServiceUnavailable => {
            ("page-problem.busy", "page-problem.busy-lead")
        }
        Code::FormRefused => ("page-problem.form", "page-problem.form-lead"),
        Code::InternalError => ("page-problem", "page-problem.lead"),
        _ => ("page-problem.invalid", "page-problem.invalid-lead"),
    }
}

#[cfg(test)]
mod tests {
    use fluent_bundle::FluentArgs;

    use super::*;
    use crate::words::Words;

    #[test]
    fn every_problem_has_words_for_people() {
        let known = Words::load();
        let mut args = FluentArgs::new();
        args.set("seconds", 1);
        for code in Code::ALL {
            let (title, lead) = words(*code);
            for id in [title, lead] {
                known.say("en", id, &args).unwrap();
            }
        }
    }
}
