//! What a form shows where a captcha is due, and what its page may load for that.

use axum::response::Response;
use minijinja::{Value, context};

use super::assets::CAPTCHA;
use super::page::{Pages, allow, with_our_script};
use super::visit::Visit;
use super::wrong::Wrong;
use crate::app::App;
pub(super) use crate::captcha::shown;
use crate::captcha::{self, Required};
use crate::config::CaptchaProvider;
use crate::problem::Problem;

/// The box of a provider: its script, the class that the script looks for, and what the page may load. hCaptcha
/// is told not to send its answer by the name of reCAPTCHA, too.
struct Guest {
    script: &'static str,
    class: &'static str,
    policy: &'static [(&'static str, &'static str)],
}

fn box_of(provider: CaptchaProvider) -> Option<Guest> {
    Some(match provider {
        CaptchaProvider::Altcha => return None,
        CaptchaProvider::Turnstile => Guest {
            script: "https://challenges.cloudflare.com/turnstile/v0/api.js",
            class: "cf-turnstile",
            policy: &[
                ("script-src", "https://challenges.cloudflare.com"),
                ("frame-src", "https://challenges.cloudflare.com"),
            ],
        },
        CaptchaProvider::Hcaptcha => Guest {
            script: "https://js.hcaptcha.com/1/api.js?recaptchacompat=off",
            class: "h-captcha",
            policy: &[
                ("script-src", "https://hcaptcha.com https://*.hcaptcha.com"),
                ("frame-src", "https://hcaptcha.com https://*.hcaptcha.com"),
                ("style-src", "https://hcaptcha.com https://*.hcaptcha.com"),
                ("connect-src", "https://hcaptcha.com https://*.hcaptcha.com"),
            ],
        },
        CaptchaProvider::Recaptcha => Guest {
            script: "https://www.google.com/recaptcha/api.js",
            class: "g-recaptcha",
            policy: &[
                (
                    "script-src",
                    "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/",
                ),
                (
                    "frame-src",
                    "https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
                ),
            ],
        },
    })
}

/// Returns what the template needs to know of a captcha.
pub(super) fn described(app: &App, due: &Required) -> Value {
    let provider = box_of(due.provider);
    let script = provider
        .as_ref()
        .map_or_else(|| CAPTCHA.address(app.pages.base()), |theirs| theirs.script.to_owned());
    let at = due.door.as_str();
    // By its path: the page may be seen by another name than the world's.
    let challenge = format!("{}{}?at={at}", app.pages.base(), captcha::CHALLENGE);
    context! {
        script => script,
        challenge => provider.is_none().then_some(challenge),
        site_key => &due.site_key,
        box => provider.as_ref().map(|theirs| theirs.class),
        at => at,
        always => due.always,
    }
}

/// Lets the page load what its captcha needs, and no page anything that it does not.
pub(super) fn allowed(mut page: Response, due: Option<&Required>) -> Response {
    let Some(due) = due else { return page };
    let Some(theirs) = box_of(due.provider) else { return with_our_script(page) };
    for (directive, source) in theirs.policy {
        allow(&mut page, directive, source);
    }
    page
}

/// What is wrong with a form whose captcha is missing or does not count.
pub(super) fn wrong(pages: &Pages, visit: &Visit, required: &Required) -> Wrong {
    let words = if required.reason == "none" { "page-captcha.due" } else { "page-captcha.again" };
    Wrong::because(Problem::from(required.clone()), pages.say(visit, words, &[]))
}
