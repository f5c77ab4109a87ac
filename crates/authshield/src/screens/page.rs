//! From a template and its words to an answer.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fluent_bundle::FluentArgs;
use minijinja::value::Kwargs;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value, context,
};

use super::assets::{ICON, PASSKEYS, STYLE};
use super::visit::Visit;
use crate::mail::Letterhead;
use crate::problem::Problem;
use crate::words::{LANGUAGES, Language, WORDS, Words};

/// How many steps one page may take; the longest takes a few thousand.
const FUEL: u64 = 100_000;

/// Nothing but our own style sheet and mark; forms go home.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// Templates and words of the pages.
pub struct Pages {
    templates: Environment<'static>,
    words: &'static Words,
    service: String,
    base: String,
    default_language: &'static str,
}

impl Pages {
    /// Reads the templates that are built in, for the service that `head` speaks for.
    ///
    /// `issuer` is its public address: what is in front of its paths stands in front of ours.
    #[must_use]
    pub fn load(head: &Letterhead, issuer: &str) -> Self {
        let path = url::Url::parse(issuer).map(|url| url.path().to_owned()).unwrap_or_default();
        let base = path.trim_end_matches('/').to_owned();

        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_fuel(Some(FUEL));
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.add_global("service", head.service.clone());
        templates.add_global("base", base.clone());
        templates.add_global("style", STYLE.address(&base));
        templates.add_global("icon", ICON.address(&base));
        templates.add_global("passkeys_script", PASSKEYS.address(&base));
        let (service, site) = (head.service.clone(), head.site.clone());
        templates.add_function("say", move |state: &State<'_, '_>, id: &str, named: Kwargs| {
            let language = state.lookup("language");
            let language = language.as_ref().and_then(Value::as_str).unwrap_or_default();
            let mut args = FluentArgs::new();
            args.set("service", service.as_str());
            args.set("site", site.as_str());
            for name in named.args() {
                let value: Value = named.get(name)?;
                match value.as_i64() {
                    Some(number) => args.set(name.to_owned(), number),
                    None => args.set(name.to_owned(), value.to_string()),
                }
            }
            WORDS
                .say(Words::pick(language, ""), id, &args)
                .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
        });
        for (name, source) in [
            ("layout.html", include_str!("../../templates/screens/layout.html")),
            ("fields.html", include_str!("../../templates/screens/fields.html")),
            ("message.html", include_str!("../../templates/screens/message.html")),
            ("verify.html", include_str!("../../templates/screens/verify.html")),
            ("not_me.html", include_str!("../../templates/screens/not_me.html")),
            ("reset.html", include_str!("../../templates/screens/reset.html")),
            ("setup.html", include_str!("../../templates/screens/setup.html")),
            ("home.html", include_str!("../../templates/screens/home.html")),
            ("form.html", include_str!("../../templates/screens/form.html")),
            ("sign-in.html", include_str!("../../templates/screens/sign-in.html")),
            ("mail-sign-in.html", include_str!("../../templates/screens/mail-sign-in.html")),
            ("mail-code.html", include_str!("../../templates/screens/mail-code.html")),
            ("mail-link.html", include_str!("../../templates/screens/mail-link.html")),
            ("second-factor.html", include_str!("../../templates/screens/second-factor.html")),
            ("enrol.html", include_str!("../../templates/screens/enrol.html")),
            ("recovery-codes.html", include_str!("../../templates/screens/recovery-codes.html")),
            ("register.html", include_str!("../../templates/screens/register.html")),
            ("captcha.html", include_str!("../../templates/screens/captcha.html")),
            ("forgot.html", include_str!("../../templates/screens/forgot.html")),
            ("place.html", include_str!("../../templates/screens/place.html")),
            ("account.html", include_str!("../../templates/screens/account.html")),
            ("onward.html", include_str!("../../templates/screens/onward.html")),
            ("passkey.html", include_str!("../../templates/screens/passkey.html")),
            ("passkeys.html", include_str!("../../templates/screens/passkeys.html")),
            ("add-passkey.html", include_str!("../../templates/screens/add-passkey.html")),
            ("prove.html", include_str!("../../templates/screens/prove.html")),
            ("password.html", include_str!("../../templates/screens/password.html")),
            ("email.html", include_str!("../../templates/screens/email.html")),
            ("lock.html", include_str!("../../templates/screens/lock.html")),
            ("factor.html", include_str!("../../templates/screens/factor.html")),
            ("activity.html", include_str!("../../templates/screens/activity.html")),
            ("data.html", include_str!("../../templates/screens/data.html")),
            ("code.html", include_str!("../../templates/screens/code.html")),
            ("codes.html", include_str!("../../templates/screens/codes.html")),
            ("docs.html", include_str!("../../templates/screens/docs.html")),
        ] {
            templates.add_template(name, source).expect("our own templates are well formed");
        }
        let default_language = Words::pick(&head.default_locale, "");
        Self { templates, words: &WORDS, service: head.service.clone(), base, default_language }
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
        let html = self.templates.get_template(template);
        match html.and_then(|template| template.render(context)) {
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
