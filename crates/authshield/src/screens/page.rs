//! From a template and its words to an answer.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fluent_bundle::FluentArgs;
use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Error, ErrorKind, State, Value, context};

use super::assets::{Asset, ICON, LOGO, PASSKEYS};
use super::samples::{self, SAMPLES};
use super::templates::{EMBEDDED, STYLE, known};
use super::visit::Visit;
use crate::mail::Letterhead;
use crate::problem::Problem;
use crate::theme::{Engine, Theme, Unfit, html};
use crate::words::{LANGUAGES, Language, WORDS, Words};

/// The templates of pages in the folder of an operator.
const PART: &str = "pages";

/// How long a page of an operator's templates may be, in bytes: with its style sheet, script and logo it stays below
/// 60 kB.
const AT_MOST: usize = 24 * 1024;

/// How many pages are named of which something is wrong.
const NAMED: usize = 5;

/// Nothing but our own style sheet and mark; forms go home.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// Templates and words of the pages.
pub struct Pages {
    templates: Engine,
    words: &'static Words,
    service: String,
    base: String,
    default_language: &'static str,
    /// The style sheet, with what the theme adds to it.
    pub(super) style: Asset,
    /// The mark.
    pub(super) icon: Asset,
    /// What stands at the head in the place of mark and name.
    pub(super) logo: Option<Asset>,
}

impl Pages {
    /// Reads the templates, for the service that `head` speaks for, and tries those of an operator's.
    ///
    /// `issuer` is its public address: what is in front of its paths stands in front of ours.
    pub fn load(head: &Letterhead, issuer: &str, theme: &Theme) -> Result<Self, Unfit> {
        let path = url::Url::parse(issuer).map(|url| url.path().to_owned()).unwrap_or_default();
        let base = path.trim_end_matches('/').to_owned();

        let mut files = theme.own.part(PART, &known())?;
        let own_style = files.remove(STYLE.0).unwrap_or_default();
        let style = Asset::style([STYLE.1, &theme.style, &own_style].concat());
        let icon = theme.icon.as_ref().map_or_else(Asset::icon, |it| Asset::picture(ICON, it));
        let logo = theme.logo.as_ref().map(|it| Asset::picture(LOGO, it));
        let templates = Engine::new(PART, EMBEDDED, files, |templates| {
            templates.set_auto_escape_callback(|_| AutoEscape::Html);
            templates.add_global("service", head.service.clone());
            templates.add_global("base", base.clone());
            templates.add_global("style", style.address(&base));
            templates.add_global("icon", icon.address(&base));
            templates.add_global("logo", logo.as_ref().map(|logo| logo.address(&base)));
            templates.add_global("passkeys_script", PASSKEYS.address(&base));
            let (service, site) = (head.service.clone(), head.site.clone());
            templates.add_function("say", move |state: &State<'_, '_>, id: &str, named: Kwargs| {
                say(state, id, &named, &service, &site)
            });
        })?;
        let default_language = Words::pick(&head.default_locale, "");
        let service = head.service.clone();
        let words = &WORDS;
        let pages = Self { templates, words, service, base, default_language, style, icon, logo };
        Unfit::unless_fine(pages.wrong())?;
        Ok(pages)
    }

    /// Tries an operator's templates with every sample in every language, and says what ours do and they do not.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        // Where there are none, samples and words would be made at each start, and kept.
        if !self.templates.has_own() {
            return wrong;
        }
        for page in SAMPLES.iter() {
            let tried = LANGUAGES.iter().flat_map(|language| {
                page.shapes.iter().filter_map(|shape| {
                    let context = context! { language => language.tag, ..shape.clone() };
                    self.wrong_with(page.name, &context)
                })
            });
            wrong.extend(tried.take(1).filter(|why| !wrong.contains(why)).collect::<Vec<_>>());
        }
        let more = wrong.len().saturating_sub(NAMED);
        wrong.truncate(NAMED);
        if more > 0 {
            wrong.push(format!("and {more} pages more"));
        }
        wrong
    }

    /// Says what is wrong with the page `name` of an operator's templates, given `context`.
    fn wrong_with(&self, name: &str, context: &Value) -> Option<String> {
        let (ours, own) = match self.templates.compare(name, context)? {
            Ok(both) => both,
            Err(why) => return Some(why),
        };
        let blame = self.templates.blame(name);
        if let Some(lacking) = html::lacks(&ours, &own).first() {
            return Some(format!(
                "{blame} lacks {lacking}, which ours has; `authshield config templates {PART}/{name}` shows it"
            ));
        }
        let forbidden = html::forbidden(&own);
        if let Some(part) = forbidden.difference(&html::forbidden(&ours)).next() {
            return Some(format!("{blame} has {part}, which no page may have here; take it out"));
        }
        (own.len() > AT_MOST).then(|| {
            format!("{blame} has {} bytes, and {AT_MOST} are the most; make it shorter", own.len())
        })
    }

    /// Returns what stands in front of every path: nothing, or the path of the public address.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Returns the name of the service.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn default_language(&self) -> &'static str {
        self.default_language
    }

    /// Says `id` with nothing filled in, or with what is `named`, in the language that serves `locale`.
    pub(crate) fn words_for(&self, locale: &str, id: &str, named: &[(&str, &str)]) -> String {
        self.say_in(Words::pick(locale, self.default_language), id, named)
    }

    /// The same, in the language of a visit.
    pub(super) fn say(&self, visit: &Visit, id: &str, named: &[(&str, &str)]) -> String {
        self.say_in(visit.language, id, named)
    }

    fn say_in(&self, language: &'static str, id: &str, named: &[(&str, &str)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in named {
            match value.parse::<i64>() {
                Ok(number) => args.set(*name, number),
                Err(_) => args.set(*name, *value),
            }
        }
        self.words.say(language, id, &args).unwrap_or_else(|error| {
            tracing::error!(%error, "a page lacks words");
            id.to_owned()
        })
    }

    /// Answers with a page; one that cannot be written is a [`Problem`].
    pub(super) fn show(
        &self,
        status: StatusCode,
        template: &str,
        visit: &Visit,
        context: Value,
    ) -> Response {
        let others: Vec<Value> = match &visit.again {
            None => Vec::new(),
            Some(again) => LANGUAGES
                .into_iter()
                .filter(|other| other.tag != visit.language)
                .map(|Language { tag, name, .. }| {
                    context! { language => tag, name, link => format!("{again}lang={tag}") }
                })
                .collect(),
        };
        let context = context! { language => visit.language, others => others, ..context };
        debug_assert_eq!(samples::odd(template, &context), Vec::<String>::new(), "{template}");
        match self.templates.render(template, &context) {
            Ok(html) => {
                let headers = [
                    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                    (header::CONTENT_SECURITY_POLICY, POLICY),
                    (header::CONTENT_LANGUAGE, HeaderValue::from_static(visit.language)),
                ];
                (status, headers, html).into_response()
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }

    /// Answers with a sentence.
    pub(super) fn tell(
        &self,
        status: StatusCode,
        visit: &Visit,
        message: &Message<'_>,
    ) -> Response {
        let Message { mood, title, lead, reference, next } = message;
        let context = context! {
            mood => *mood,
            title => title,
            lead => lead,
            reference => *reference,
            next => next.as_ref().map(|Next { link, words }| context! { link => link, words => words }),
        };
        self.show(status, "message.html", visit, context)
    }
}

/// Says the words `id` in the language of the page.
fn say(
    state: &State<'_, '_>,
    id: &str,
    named: &Kwargs,
    service: &str,
    site: &str,
) -> Result<String, Error> {
    let language = state.lookup("language");
    let language = language.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut args = FluentArgs::new();
    args.set("service", service);
    args.set("site", site);
    for name in named.args() {
        let value: Value = named.get(name)?;
        match (value.as_i64(), value.as_str()) {
            (Some(number), _) => args.set(name.to_owned(), number),
            (None, Some(words)) => args.set(name.to_owned(), words.to_owned()),
            (None, None) => {
                let told = format!("`{name}` of `{id}` is neither words nor a whole number");
                return Err(Error::new(ErrorKind::InvalidOperation, told));
            }
        }
    }
    WORDS
        .say(Words::pick(language, ""), id, &args)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// Lets a page load what `directive` speaks of from `source`, too; a problem is no page and stays as it is.
pub(super) fn allow(response: &mut Response, directive: &str, source: &str) {
    let policy = response.headers().get(header::CONTENT_SECURITY_POLICY);
    let Some(policy) = policy.and_then(|policy| policy.to_str().ok()) else { return };
    let mut parts: Vec<String> = policy.split("; ").map(str::to_owned).collect();
    match parts.iter_mut().find(|part| part.split(' ').next() == Some(directive)) {
        Some(part) if part.split(' ').any(|known| known == source) => return,
        Some(part) => *part = format!("{part} {source}"),
        None => parts.insert(1, format!("{directive} {source}")),
    }
    let policy = HeaderValue::try_from(parts.join("; ")).expect("directives and sources are ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
}

/// Lets a page run a script of ours, which asks us for challenges.
pub(super) fn with_our_script(mut response: Response) -> Response {
    for directive in ["connect-src", "script-src"] {
        allow(&mut response, directive, "'self'");
    }
    response
}

/// Something that was done, or was not.
pub(super) struct Message<'a> {
    /// `good` or `bad`.
    pub(super) mood: &'static str,
    pub(super) title: String,
    pub(super) lead: String,
    /// The name of the request in our log, if somebody may have to look for it.
    pub(super) reference: Option<&'a str>,
    /// Where to go on.
    pub(super) next: Option<Next>,
}

/// Where to go on, and what that is called.
pub(super) struct Next {
    pub(super) link: String,
    pub(super) words: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::theme::Own;

    fn load(own: &[(&str, &str)]) -> Result<Pages, Unfit> {
        let config = config::development();
        let head = Letterhead::from_config(&config).unwrap();
        let theme = Theme { own: Own::of(own), ..Theme::default() };
        Pages::load(&head, "https://id.example.org/id", &theme)
    }

    /// Returns one of ours, changed.
    fn changed(place: &str, from: &str, to: &str) -> String {
        let (_, name) = place.split_once('/').unwrap();
        let (_, source) = known().into_iter().find(|(known, _)| *known == name).unwrap();
        assert!(source.contains(from), "no {from} in {place}");
        source.replace(from, to)
    }

    #[test]
    fn every_template_takes_every_sample_in_every_language() {
        let pages = load(&[]).unwrap();
        for page in SAMPLES.iter() {
            for language in LANGUAGES {
                for shape in &page.shapes {
                    let context = context! { language => language.tag, ..shape.clone() };
                    let html = pages.templates.render(page.name, &context).unwrap();
                    assert!(html.len() < AT_MOST / 2, "{} has {} bytes", page.name, html.len());
                    assert!(!html.contains(">none<"), "{}: {html}", page.name);
                }
            }
        }
    }

    #[test]
    fn copies_of_ours_can_take_their_place() {
        let places: Vec<_> =
            known().into_iter().map(|(name, source)| (format!("pages/{name}"), source)).collect();
        let own: Vec<_> = places.iter().map(|(place, source)| (place.as_str(), *source)).collect();
        assert_eq!(load(&own).err(), None);
    }

    /// One place, what is changed there, and what is said of it.
    type Case = (&'static str, &'static str, &'static str, &'static str);

    /// Fails unless all that is wrong is told at once.
    #[track_caller]
    fn told(cases: &[Case]) {
        let files: Vec<_> =
            cases.iter().map(|(place, from, to, _)| (*place, changed(place, from, to))).collect();
        let own: Vec<_> = files.iter().map(|(place, source)| (*place, source.as_str())).collect();
        let Unfit(wrong) = load(&own).err().expect("something is wrong");
        for (place, _, _, told) in cases {
            assert!(wrong.iter().any(|why| why.contains(told)), "{place}, {told}: {wrong:?}");
        }
    }

    #[test]
    fn a_page_that_does_not_do_what_ours_does_is_refused_with_its_place() {
        const GUARD: &str = "<input type=\"hidden\" name=\"guard\" value=\"{{ guard }}\">";
        const SCRIPT: &str = "<script src=\"{{ passkeys_script }}\"></script>";
        told(&[
            ("pages/sign-in.html", SCRIPT, "", "lacks the script `/id/assets/passkeys.js"),
            ("pages/account.html", GUARD, "", "`guard` with `guard-of-the-session` in the form"),
            (
                "pages/reset.html",
                "{{ token }}",
                "{{ tokn }}",
                "pages/reset.html, line 8: undefined value, in",
            ),
            (
                "pages/home.html",
                "page-home.lead",
                "page-home.led",
                "pages/home.html, line 5: invalid operation: the words",
            ),
            ("pages/verify.html", "{{ action }}", "/other", "lacks the button of the form"),
        ]);
        told(&[
            (
                "pages/place.html",
                "{{ guard }}",
                "",
                "pages/account.html as it comes out of pages/lock.html, pages/place.html",
            ),
            ("pages/lock.html", "{% block place %}", "{% block plaec %}", "pages/lock.html lacks"),
        ]);
    }

    #[test]
    fn what_is_around_all_pages_is_held_against_ours_too() {
        for case in [
            (
                "pages/layout.html",
                "lang=\"{{ language }}\"",
                "lang=\"en\"",
                "lacks `<html lang=\"de\">`",
            ),
            (
                "pages/layout.html",
                "<body>",
                "<body onload=\"x()\">",
                "has `onload=`, which no page may have here",
            ),
            (
                "pages/brand.html",
                "{{ icon }}",
                "https://cdn.example/l.png",
                "`src=\"https://cdn.example/l.png\"`",
            ),
            (
                "pages/footer.html",
                "</p>",
                "{% endif %}</p>",
                "pages/footer.html, line 1: syntax error",
            ),
            ("pages/fields.html", "macro text", "macro txt", "pages/fields.html"),
        ] {
            told(&[case]);
        }
        let long = format!("<p>{}</p>", "x".repeat(AT_MOST));
        let wrong = load(&[("pages/footer.html", &long)]).err().unwrap().to_string();
        assert!(wrong.contains("make it shorter") && wrong.contains("pages more"), "{wrong}");
        let wrong = load(&[("pages/signin.html", "")]).err().unwrap().to_string();
        assert!(wrong.contains("did you mean `pages/sign-in.html`?"), "{wrong}");
    }
}
