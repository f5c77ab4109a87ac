//! Captchas of others: what their servers say about an answer.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::config::{CaptchaProvider, Config};
use crate::guard::body_at_most;
use crate::kernel::Timestamp;
use crate::problem::chain;

/// How long a provider may think: somebody waits.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How much of what it says is read, in bytes.
const WORDS_AT_MOST: usize = 64 * 1024;
/// No answer to a captcha is longer.
const TOKEN_AT_MOST: usize = 8 * 1024;
/// How sure reCAPTCHA v3 must be that it was a person.
const SCORE: f64 = 0.5;
/// How long it is believed that a provider is down.
const DOWN: Duration = Duration::from_secs(10);
/// How long it is believed that one is up, where nothing speaks against it.
pub(super) const UP: Duration = Duration::from_mins(1);
/// The same, after it did not answer about one answer: an answer that somebody made up must not pass for an
/// outage, and many of them must not make us ask all the time.
pub(super) const JUST_NOW: Duration = Duration::from_secs(2);

/// Keys that the providers document for tests: of servers, which accept what they should not, and of pages.
const FOR_TESTS: [&str; 11] = [
    "1x0000000000000000000000000000000AA",
    "2x0000000000000000000000000000000AA",
    "3x0000000000000000000000000000000AA",
    "1x00000000000000000000AA",
    "2x00000000000000000000AB",
    "1x00000000000000000000BB",
    "3x00000000000000000000FF",
    "0x0000000000000000000000000000000000000000",
    "10000000-ffff-ffff-ffff-000000000001",
    "6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe",
    "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI",
];

/// A provider that is asked about answers.
pub struct Remote {
    client: Client,
    url: Url,
    secret: SecretString,
    hostnames: Vec<String>,
    /// Whether an answer must name its form: Turnstile's pages always can.
    names_forms: bool,
    /// What was found when it was last asked how it is.
    health: Mutex<Option<(Timestamp, bool)>>,
    /// One request at a time asks.
    asking: tokio::sync::Mutex<()>,
}

/// Why there is nobody to ask.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for captchas cannot be set up: {0}")]
pub struct SetupError(String);

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was a person.
    Good,
    /// It was not, or not here, or not now.
    Bad(&'static str),
    /// Nobody knows, since the provider did not say, or does not know us.
    Unknown(String),
}

/// What all three providers say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Words {
    success: bool,
    hostname: Option<String>,
    action: Option<String>,
    score: Option<f64>,
    #[serde(rename = "error-codes")]
    errors: Vec<String>,
}

fn address(provider: CaptchaProvider) -> Option<&'static str> {
    match provider {
        CaptchaProvider::Altcha => None,
        CaptchaProvider::Turnstile => {
            Some("https://challenges.cloudflare.com/turnstile/v0/siteverify")
        }
        CaptchaProvider::Hcaptcha => Some("https://api.hcaptcha.com/siteverify"),
        CaptchaProvider::Recaptcha => Some("https://www.google.com/recaptcha/api/siteverify"),
    }
}

impl Remote {
    /// Returns the one that is configured, if one is.
    pub fn from_config(config: &Config) -> Result<Option<Self>, SetupError> {
        let settings = &config.captcha;
        let (Some(own), Some(secret)) = (address(settings.provider), &settings.secret_key) else {
            return Ok(None);
        };
        let own = Url::parse(own).expect("it stands above");
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("authshield/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SetupError(chain(&error)))?;
        let mut hostnames = settings.hostnames.clone();
        if hostnames.is_empty() {
            hostnames.extend(config.public_url.host_str().map(str::to_owned));
        }
        let url = settings.verify_url.clone().unwrap_or(own);
        Ok(Some(Self {
            client,
            url,
            secret: secret.clone(),
            hostnames,
            names_forms: settings.provider == CaptchaProvider::Turnstile,
            health: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }))
    }

    /// Asks about an answer that was given at `door`.
    pub(super) async fn ask(&self, token: &str, door: &str, client: IpAddr) -> Answer {
        if token.len() > TOKEN_AT_MOST {
            return Answer::Bad("malformed");
        }
        match self.words(token, Some(client)).await {
            Ok(words) => judge(&words, door, &self.hostnames, self.names_forms),
            Err(why) => Answer::Unknown(why),
        }
    }

    /// Asks about an answer that nobody gave: whether it answers, and knows our key.
    pub(super) async fn probe(&self) -> Answer {
        match self.words("authshield-probe", None).await {
            Ok(words) => judge(&words, "", &self.hostnames, false),
            Err(why) => Answer::Unknown(why),
        }
    }

    /// Whether it is known to be down; nobody is asked.
    pub(super) fn is_known_down(&self, now: Timestamp) -> bool {
        self.known(now, Duration::ZERO) == Some(true)
    }

    /// Whether it is down, as far as it says nothing to a question that no stranger had a hand in. That it is up
    /// is believed for `up`.
    pub(super) async fn is_down(&self, now: Timestamp, up: Duration) -> bool {
        if let Some(known) = self.known(now, up) {
            return known;
        }
        let _one = self.asking.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(known) = self.known(now, up) {
            return known;
        }
        let down = match self.probe().await {
            Answer::Unknown(error) => {
                tracing::warn!(%error, "captchas cannot be judged; our own takes their place");
                true
            }
            Answer::Good | Answer::Bad(_) => false,
        };
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, down));
        down
    }

    fn known(&self, now: Timestamp, up: Duration) -> Option<bool> {
        let health = *self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, down) = health?;
        (at + if down { DOWN } else { up } > now).then_some(down)
    }

    fn form(&self, token: &str, client: Option<IpAddr>) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("secret", self.secret.expose_secret()).append_pair("response", token);
        if let Some(client) = client {
            form.append_pair("remoteip", &client.to_string());
        }
        form.finish()
    }

    async fn words(&self, token: &str, client: Option<IpAddr>) -> Result<Words, String> {
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(token, client));
        let sent = request.send().await;
        let answer = sent.map_err(|error| chain(&error.without_url()))?;
        // Some say what is wrong with a request by 400, in the same words.
        if !matches!(answer.status(), StatusCode::OK | StatusCode::BAD_REQUEST) {
            return Err(format!("it answered {}", answer.status().as_u16()));
        }
        let body = body_at_most(answer, WORDS_AT_MOST)
            .await
            .map_err(|error| chain(&error.without_url()))?
            .ok_or("it answered too much")?;
        serde_json::from_slice(&body).map_err(|_| "it answered something else".to_owned())
    }
}

/// Whether the keys are those that the provider documents for tests.
pub(super) fn are_for_tests(config: &Config) -> bool {
    let keys = &config.captcha;
    let secret = keys.secret_key.as_ref().map(ExposeSecret::expose_secret);
    let page = keys.site_key.as_deref();
    secret.into_iter().chain(page).any(|key| FOR_TESTS.contains(&key))
}

/// Decides what the words mean for who answered at `door`.
fn judge(words: &Words, door: &str, hostnames: &[String], names_forms: bool) -> Answer {
    if !words.success {
        let not_the_answer = |error: &&String| {
            error.contains("secret") || matches!(error.as_str(), "bad-request" | "internal-error")
        };
        return match words.errors.iter().find(not_the_answer) {
            Some(error) => Answer::Unknown(format!("it says {error:?}")),
            None => Answer::Bad("refused"),
        };
    }
    // A captcha of another site, or of another form, that somebody was made to solve.
    let here = |name: &String| hostnames.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    if !words.hostname.as_ref().is_some_and(here) {
        return Answer::Bad("hostname");
    }
    match words.action.as_deref().unwrap_or_default() {
        "" if names_forms => return Answer::Bad("action"),
        action if !action.is_empty() && action != door => return Answer::Bad("action"),
        _ => {}
    }
    if words.score.is_some_and(|score| !(SCORE..=1.0).contains(&score)) {
        return Answer::Bad("score");
    }
    Answer::Good
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_counts_for_its_site_and_its_form_only() {
        let hostnames = ["id.example.org".to_owned()];
        let good = json!({ "success": true, "hostname": "ID.example.org" });
        let with = |name: &str, value: serde_json::Value| {
            let mut words = good.clone();
            words[name] = value;
            words
        };
        for (words, expected) in [
            (good.clone(), Answer::Good),
            (with("action", "login".into()), Answer::Good),
            (with("action", "".into()), Answer::Good),
            (with("action", "registration".into()), Answer::Bad("action")),
            (with("hostname", "evil.example".into()), Answer::Bad("hostname")),
            (json!({ "success": true }), Answer::Bad("hostname")),
            (with("score", 0.9.into()), Answer::Good),
            (with("score", 0.4.into()), Answer::Bad("score")),
            (with("score", 9.into()), Answer::Bad("score")),
            (json!({}), Answer::Bad("refused")),
            (
                json!({ "success": false, "error-codes": ["timeout-or-duplicate"] }),
                Answer::Bad("refused"),
            ),
            (
                json!({ "success": false, "error-codes": ["invalid-input-secret"] }),
                Answer::Unknown("it says \"invalid-input-secret\"".to_owned()),
            ),
        ] {
            let words: Words = serde_json::from_value(words).unwrap();
            assert_eq!(judge(&words, "login", &hostnames, false), expected, "{words:?}");
        }
    }

    #[test]
    fn where_forms_are_named_an_answer_without_one_counts_nowhere() {
        let hostnames = ["id.example.org".to_owned()];
        for (action, expected) in [
            (json!("login"), Answer::Good),
            (json!("reset"), Answer::Bad("action")),
            (json!(""), Answer::Bad("action")),
            (json!(null), Answer::Bad("action")),
        ] {
            let words = json!({ "success": true, "hostname": "id.example.org", "action": action });
            let words: Words = serde_json::from_value(words).unwrap();
            assert_eq!(judge(&words, "login", &hostnames, true), expected, "{words:?}");
        }
    }
}
