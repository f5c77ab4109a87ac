//! Who looks at a page: which language they read, which link brought them.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use url::form_urlencoded;

use super::page::Pages;
use super::{account, cookie, onward};
use crate::app::App;
use crate::federation::{Wish, WishRefused};
use crate::kernel::LinkToken;
use crate::words::Words;

/// What a request for a page says about its reader.
pub(super) struct Visit {
    pub(super) language: &'static str,
    /// The token of the link; `None` if there is none, or none that could be ours.
    pub(super) token: Option<LinkToken>,
    /// Where the same page is, if it can be asked for again in another language.
    pub(super) again: Option<String>,
    /// The application that somebody signs in for.
    pub(super) wish: Option<Wish>,
    /// Why it is none that we know.
    pub(super) refused: Option<WishRefused>,
    /// Whether the browser keeps one for when a mail has come.
    pub(super) keeps: bool,
}

impl Visit {
    /// Somebody who reads a page that is in English only.
    pub(super) fn in_english() -> Self {
        Self::reading("en")
    }

    /// Somebody of whom nothing is known but what they read.
    pub(super) fn reading(language: &'static str) -> Self {
        Self { language, token: None, again: None, wish: None, refused: None, keeps: false }
    }

    /// Keeps the language for the answer to a form, which cannot be asked for again.
    pub(super) fn answered(self) -> Self {
        Self { again: None, ..self }
    }

    /// Returns where a form on `path` is sent, in the language that it is read in; the application comes along.
    pub(super) fn action(&self, app: &App, path: &str) -> String {
        format!("{}{path}?{}", app.pages.base(), self.query())
    }

    /// Returns what [`Self::told`] reads: the language, and the application.
    pub(super) fn query(&self) -> String {
        let mut query = format!("lang={}", self.language);
        if let Some(wish) = &self.wish {
            query.push('&');
            query.push_str(&onward::write(wish));
        }
        query
    }

    /// Goes on with what went along elsewhere. It may be anybody's, so it is judged anew.
    pub(super) fn told(self, app: &App, query: &str) -> Self {
        let language = asked_language(query.as_bytes()).unwrap_or(self.language);
        let (wish, refused) = wish_of(onward::read(app, query.as_bytes()));
        Self { language, wish, refused, ..self }
    }

    /// Returns where somebody goes who is signed in now: back to the application, or to the account.
    pub(super) fn onward(&self, app: &App) -> String {
        self.action(app, if self.wish.is_some() { onward::PATH } else { account::PATH })
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let mut tokens = form_urlencoded::parse(query).filter(|(name, _)| name == "token");
        // Of two, nobody knows which is meant.
        let token = match (tokens.next(), tokens.next()) {
            (Some((_, token)), None) => LinkToken::parse(&token),
            _ => None,
        };
        let mut again = format!("{}{}?", app.pages.base(), parts.uri.path());
        if let Some(token) = &token {
            again.push_str("token=");
            again.push_str(token.reveal());
            again.push('&');
        }
        let language = language(&app.pages, &parts.uri, &parts.headers);
        let (wish, refused) = wish_of(onward::read(app, query));
        let kept = || refused.is_none().then(|| onward::remembered(app, parts)).flatten();
        let wish = wish.or_else(kept);
        if let Some(wish) = wish.as_ref().filter(|_| token.is_none()) {
            again.push_str(&onward::write(wish));
            again.push('&');
        }
        let keeps = cookie::read_return(app, &parts.headers).is_some();
        Ok(Self { language, token, again: Some(again), wish, refused, keeps })
    }
}

fn wish_of(read: Result<Option<Wish>, WishRefused>) -> (Option<Wish>, Option<WishRefused>) {
    match read {
        Ok(wish) => (wish, None),
        Err(refused) => (None, Some(refused)),
    }
}

/// Picks a language: the one asked for by `?lang=`, else the one the browser prefers, else the
/// default of the service.
pub(super) fn language(pages: &Pages, uri: &Uri, headers: &HeaderMap) -> &'static str {
    let query = uri.query().unwrap_or_default().as_bytes();
    if let Some(language) = asked_language(query) {
        return language;
    }
    headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|wanted| preferred(wanted).find_map(Words::known))
        .unwrap_or_else(|| pages.default_language())
}

fn asked_language(query: &[u8]) -> Option<&'static str> {
    let mut asked = form_urlencoded::parse(query);
    let (_, wanted) = asked.find(|(name, _)| name == "lang")?;
    Words::known(&wanted)
}

/// Returns the tags of an `Accept-Language` field, the most wanted first.
fn preferred(field: &str) -> impl Iterator<Item = &str> {
    let mut tags: Vec<(&str, f32)> = field
        .split(',')
        .filter_map(|part| {
            let (tag, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight = weight.trim().strip_prefix("q=")?.trim().parse().ok()?;
            (weight > 0.0).then_some((tag.trim(), weight))
        })
        .collect();
    tags.sort_by(|one, other| other.1.total_cmp(&one.1));
    tags.into_iter().map(|(tag, _)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_language_comes_first() {
        for (field, tags) in [
            ("de", vec!["de"]),
            ("fr, de;q=0.5, en;q=0.9", vec!["fr", "en", "de"]),
            ("de-AT,de;q=0.8,*;q=0.1", vec!["de-AT", "de", "*"]),
            ("de;q=0, en", vec!["en"]),
            ("de;q=much, ;;;,", vec![""]),
        ] {
            assert_eq!(preferred(field).collect::<Vec<_>>(), tags, "{field}");
        }
    }
}
