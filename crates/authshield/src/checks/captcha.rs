//! CAP-1: whether the provider of captchas knows our keys.

use std::time::Duration;

use super::check::{About, Check, Effect};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::captcha::{self, Keys};
use crate::config::{CaptchaWhen, Config};

/// Keys of captchas.
pub(super) struct CaptchaKeys;

impl Check for CaptchaKeys {
    const ABOUT: About = About {
        id: "CAP-1",
        title: "Captchas",
        verifies: "Where captchas of a provider are asked for, its server answers, knows the secret key, and \
                   refuses an answer that nobody gave: a key for tests accepts everything. Our own proof of \
                   work needs nobody. While the provider does not answer, that takes its place.",
        expected: "a provider that knows the key, and says no",
        remedy: "Copy captcha.secret_key from the provider's page of this site; keys for tests are for tests. \
                 If the provider is down, wait: our own proof of work stands in.",
        settings: &[
            "captcha.provider",
            "captcha.site_key",
            "captcha.secret_key",
            "captcha.verify_url",
        ],
        parents: &["CFG-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_mins(5)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let config = at.config();
        if !is_asked_for(config) {
            return Verdict::skip(
                "no captcha is asked for: captcha.login and the others are `off`",
            );
        }
        let provider = config.captcha.provider.as_str();
        match captcha::prove(config).await {
            Ok(Keys::Own) => Verdict::pass("our own proof of work needs nobody"),
            Ok(Keys::Known) => Verdict::pass(format!("{provider} knows the key, and says no")),
            Ok(Keys::ForTests) if config.is_production() => Verdict::fail(for_tests(provider)),
            Ok(Keys::ForTests) => Verdict::warn(for_tests(provider)),
            Ok(Keys::Refused(why)) => Verdict::fail(format!("{provider}: {why}")),
            Err(error) => Verdict::fail(error.to_string()),
        }
    }
}

fn for_tests(provider: &str) -> String {
    format!("the keys of {provider} are for tests: it accepts answers that nobody gave")
}

fn is_asked_for(config: &Config) -> bool {
    let captcha = &config.captcha;
    [captcha.registration, captcha.login, captcha.reset]
        .iter()
        .any(|when| *when != CaptchaWhen::Never)
}
