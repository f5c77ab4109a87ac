//! The form in which one types an address that a mail is sent to: with a link to choose a new password, or with
//! what signs in.

use axum::response::Response;
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;

use super::visit::Visit;
use super::wrong::Wrong;
use super::{captcha, sign_in};
use crate::app::{App, Ctx};
use crate::captcha::{Door, Required};
use crate::limits::Exceeded;

/// One of them.
pub(super) struct MailForm {
    /// Where it is, and where it is sent.
    pub(super) path: &'static str,
    pub(super) template: &'static str,
}

/// What it sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filled {
    email: String,
    /// What a captcha was answered; providers have names of their own for it.
    #[serde(alias = "h-captcha-response", alias = "g-recaptcha-response")]
    captcha_token: Option<SecretString>,
}

/// What somebody typed, and what the form shows if it comes back.
pub(super) struct Typed {
    pub(super) email: String,
    pub(super) captcha: Option<SecretString>,
    due: Option<Required>,
}

impl Filled {
    /// Reads it.
    pub(super) fn read(self, app: &App, ctx: &Ctx) -> Typed {
        let Self { email, captcha_token } = self;
        let due = captcha::shown(app, ctx, Door::Reset, captcha_token.is_some());
        Typed { email, captcha: captcha_token, due }
    }
}

impl MailForm {
    /// Shows it.
    pub(super) fn ask(&self, app: &App, ctx: &Ctx, visit: &Visit) -> Response {
        let due = captcha::shown(app, ctx, Door::Reset, false);
        self.show(app, visit, "", None, &Wrong::nothing(), due.as_ref())
    }

    /// Shows it again: what was typed is no address.
    pub(super) fn no_address(&self, app: &App, visit: &Visit, typed: &Typed) -> Response {
        let words = app.pages.say(visit, "page-setup.wrong-email", &[]);
        let wrong = Wrong::invalid();
        self.show(app, visit, &typed.email, Some(words), &wrong, typed.due.as_ref())
    }

    /// Shows it again with a captcha.
    pub(super) fn captcha(
        &self,
        app: &App,
        visit: &Visit,
        typed: &Typed,
        required: &Required,
    ) -> Response {
        let wrong = captcha::wrong(&app.pages, visit, required);
        self.show(app, visit, &typed.email, None, &wrong, Some(required))
    }

    /// Shows it again: there were too many mails.
    pub(super) fn wait(
        &self,
        app: &App,
        visit: &Visit,
        typed: &Typed,
        exceeded: Exceeded,
    ) -> Response {
        let wrong = Wrong::wait(&app.pages, visit, exceeded);
        self.show(app, visit, &typed.email, None, &wrong, typed.due.as_ref())
    }

    fn show(
        &self,
        app: &App,
        visit: &Visit,
        email: &str,
        wrong_email: Option<String>,
        wrong: &Wrong,
        due: Option<&Required>,
    ) -> Response {
        let context = context! {
            action => visit.action(app, self.path),
            sign_in => visit.action(app, sign_in::PATH),
            email => email,
            wrong_email => wrong_email,
            alert => &wrong.alert,
            captcha => due.map(|due| captcha::described(app, due)),
        };
        let page = app.pages.show(wrong.status(), self.template, visit, context);
        wrong.mark(app, captcha::allowed(page, due))
    }
}
