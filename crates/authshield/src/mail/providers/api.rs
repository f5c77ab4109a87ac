//! Talking to a provider: one request, one answer, in time.

use std::fmt;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;
use url::Url;

use super::{DRILL, Sender};
use crate::config::{Config, MailProvider};
use crate::kernel::{MailId, Timestamp};
use crate::mail::message::{self, Head};
use crate::mail::render::Rendered;
use crate::mail::reply::{Class, Failure, Step, one_line};
use crate::mail::setup::SetupError;

/// How much of an answer is read, in bytes.
const ANSWER_AT_MOST: usize = 256 * 1024;

/// How many times the timeout of a step a provider may think about a message.
const THINKING: u32 = 2;

/// A message as it is given to a provider.
pub(in crate::mail) struct Outgoing<'a> {
    /// Our name for it, or `drill`.
    pub(in crate::mail) tag: String,
    pub(in crate::mail) from: &'a Mailbox,
    pub(in crate::mail) to: Mailbox,
    pub(in crate::mail) letter: &'a Rendered,
    /// The same as MIME, for providers that take that.
    pub(in crate::mail) mime: &'a [u8],
    pub(in crate::mail) message_id: &'a str,
    pub(in crate::mail) language: &'a str,
    /// The same for every try, so that a provider that knows it takes it once.
    pub(in crate::mail) idempotency_key: String,
}

impl Outgoing<'_> {
    /// Whether it shall go nowhere.
    pub(super) fn is_drill(&self) -> bool {
        self.tag == DRILL
    }

    /// Returns the header fields that providers do not write by themselves.
    pub(super) fn fields(&self) -> [(&'static str, &str); 4] {
        [
            ("Message-ID", self.message_id),
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
            ("Content-Language", self.language),
        ]
    }
}

/// A message that a provider took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mail) struct Taken {
    /// The answer, on one line.
    pub(in crate::mail) reply: String,
    /// The provider's name for it.
    pub(in crate::mail) id: Option<String>,
}

/// A request to a provider.
pub(super) struct Ask {
    pub(super) method: Method,
    /// With the query.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn post(path: impl Into<String>, kind: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", kind.to_owned())];
        Self { method: Method::POST, path: path.into(), headers, body }
    }

    pub(super) fn json(path: impl Into<String>, body: &Value) -> Self {
        Self::post(path, "application/json", body.to_string().into_bytes())
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer of a provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn is_yes(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the body as JSON; nothing if it is something else.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns a failure of `class` in the words of the answer.
    pub(super) fn failure(&self, step: Step, class: Class, words: &str) -> Failure {
        let reply = format!("HTTP {}: {words}", self.status);
        match class {
            Class::Recipient | Class::Content => Failure::hopeless(step, class, reply),
            _ => Failure { class, ..Failure::relay(step, reply) },
        }
    }

    /// Returns a failure of our own settings in the words of the answer.
    pub(super) fn our_fault(&self, step: Step, words: &str, advice: &'static str) -> Failure {
        Failure::configuration(step, format!("HTTP {}: {words}", self.status), advice)
    }

    /// Returns what an answer means that its status alone explains (RFC 9110, RFC 6585); the rest is
    /// the message's own affair.
    pub(super) fn by_status(&self, words: &str, key: &'static str) -> Failure {
        match self.status {
            401 | 403 => self.our_fault(Step::Auth, words, key),
            408 | 425 | 429 => self.failure(Step::Connect, Class::Reputation, words),
            502..=504 => self.failure(Step::Connect, Class::Relay, words),
            500.. => self.failure(Step::Message, Class::Relay, words),
            200..=399 => self.failure(Step::Connect, Class::Unknown, words),
            _ => self.failure(Step::Message, Class::Content, words),
        }
    }
}

/// What a provider's answer says of our account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// 0 good, 1 a warning, 2 bad.
    pub severity: u8,
    /// What it says.
    pub words: String,
}

impl Remark {
    pub(super) fn good(words: impl Into<String>) -> Self {
        Self { severity: 0, words: words.into() }
    }

    pub(super) fn warning(words: impl Into<String>) -> Self {
        Self { severity: 1, words: words.into() }
    }

    pub(super) fn bad(words: impl Into<String>) -> Self {
        Self { severity: 2, words: words.into() }
    }
}

/// A provider that takes mail over HTTP.
pub struct Api {
    sender: Box<dyn Sender>,
    base: Url,
    client: Client,
    timeout: Duration,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({self})")
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.provider(), self.base.host_str().unwrap_or_default())
    }
}

/// Returns a client that goes to the address it was given and to no other.
pub(super) fn client(timeout: Duration) -> Result<Client, SetupError> {
    Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("authshield/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| SetupError::Tls(one_line(&error.to_string())))
}

impl Api {
    /// Returns the provider that `config` calls `provider`; `None` for a relay.
    pub fn from_config(
        config: &Config,
        provider: MailProvider,
    ) -> Result<Option<Self>, SetupError> {
        if provider == MailProvider::Smtp {
            return Ok(None);
        }
        let lacks = || SetupError::Provider(provider.as_str());
        let (sender, base) = super::sender(config, provider).ok_or_else(lacks)?;
        let timeout = config.smtp.timeout;
        Ok(Some(Self { sender, base, client: client(timeout * THINKING)?, timeout }))
    }

    /// Returns its name, as metrics and incidents have it.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        self.sender.provider().as_str()
    }

    /// Returns the longest that one message can take.
    pub(in crate::mail) fn longest(&self) -> Duration {
        self.timeout * THINKING
    }

    /// Hands a message over.
    pub(in crate::mail) async fn hand_over(
        &self,
        mail: &Outgoing<'_>,
        now: Timestamp,
    ) -> Result<Taken, Failure> {
        let answer = self.ask(self.sender.send(mail), now).await?;
        if !answer.is_yes() {
            let mut failure = self.sender.refused(&answer, &mail.from.email);
            // An answer about all mail stands in the log, where nobody's address belongs.
            if failure.concerns_all() {
                let to: &str = mail.to.email.as_ref();
                failure.reply = failure.reply.replace(to, "(the recipient)");
            }
            return Err(failure);
        }
        let id = self.sender.taken(&answer).map(|id| one_line(&id));
        let name = id.as_deref().unwrap_or("something without a name");
        let reply = one_line(&format!("HTTP {}: taken as {name}", answer.status));
        Ok(Taken { reply, id })
    }

    /// Hands a message over that goes nowhere, and so learns whether others could leave.
    pub(in crate::mail) async fn drill(
        &self,
        from: &Mailbox,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let words = "This message goes nowhere. It tells whether mail can leave.\n";
        let letter = Rendered {
            subject: "Whether mail can leave".to_owned(),
            text: words.to_owned().into(),
            html: format!("<p>{words}</p>").into(),
        };
        let at = now.as_microsecond();
        let message_id = format!("<drill-{at}@{}>", from.email.domain());
        let to: Address = self.sender.sink().parse().expect("every provider has a real one");
        let head =
            Head { from, to: &to, name: None, message_id: &message_id, language: "en", date: now };
        let mime = message::write(&head, &letter)
            .map_err(|error| Failure::hopeless(Step::Write, Class::Content, error.to_string()))?;
        let mail = Outgoing {
            tag: DRILL.to_owned(),
            from,
            to: Mailbox::new(None, to.clone()),
            letter: &letter,
            mime: &mime,
            message_id: &message_id,
            language: "en",
            idempotency_key: format!("drill-{at}"),
        };
        self.hand_over(&mail, now).await.map(drop)
    }

    /// Asks the provider about our account: may it send, to everybody, as `from`?
    pub async fn account(&self, from: &Address, now: Timestamp) -> Result<Vec<Remark>, Failure> {
        let mut answers = Vec::new();
        for ask in self.sender.account(from) {
            answers.push(self.ask(ask, now).await?);
        }
        Ok(self.sender.judge_account(&answers, from))
    }

    /// Asks the provider whether it reports to `url`; `None` if there is nobody to ask.
    pub async fn webhooks(&self, url: &str, now: Timestamp) -> Result<Option<Remark>, Failure> {
        let Some(ask) = self.sender.webhooks() else { return Ok(None) };
        let answer = self.ask(ask, now).await?;
        Ok(Some(self.sender.judge_webhooks(&answer, url)))
    }

    async fn ask(&self, mut ask: Ask, now: Timestamp) -> Result<Answer, Failure> {
        let url = format!("{}{}", self.base.as_str().trim_end_matches('/'), ask.path);
        let url: Url = url.parse().map_err(|_| {
            Failure::hopeless(Step::Write, Class::Content, "the address of the provider is none")
        })?;
        self.sender.authorize(&mut ask, &url, now);
        let mut request = self.client.request(ask.method, url).body(ask.body);
        for (name, value) in ask.headers {
            let name = HeaderName::from_static(name);
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                Failure::configuration(
                    Step::Auth,
                    "the key has characters that no header can hold",
                    "correct the provider's key",
                )
            })?;
            value.set_sensitive(name == "authorization" || name == "x-postmark-server-token");
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(|error| unanswered(&error))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = bounded(answer).await.map_err(|error| unanswered(&error))?;
        Ok(Answer { status, headers, body })
    }
}

/// Reads an answer, and no more of it than is of use.
pub(super) async fn bounded(mut answer: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER_AT_MOST {
            body.truncate(ANSWER_AT_MOST);
            break;
        }
    }
    Ok(body)
}

/// Returns what it means that no answer came. Before a connection nothing can have been taken.
fn unanswered(error: &reqwest::Error) -> Failure {
    let step = if error.is_connect() { Step::Connect } else { Step::Message };
    // The address may hold what is secret.
    let words = if error.is_timeout() { "no answer in time".to_owned() } else { cause(error) };
    Failure::relay(step, words)
}

/// Returns the innermost reason, which names no address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, error) {
        "the request failed".to_owned()
    } else {
        cause.to_string()
    }
}

/// Returns the tag of a message.
pub(in crate::mail) fn tag(mail: MailId) -> String {
    mail.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whose_affair_it_is() {
        for (status, step, class, for_all) in [
            (401, Step::Auth, Class::Configuration, true),
            (403, Step::Auth, Class::Configuration, true),
            (429, Step::Connect, Class::Reputation, true),
            (503, Step::Connect, Class::Relay, true),
            (500, Step::Message, Class::Relay, false),
            (400, Step::Message, Class::Content, false),
            (413, Step::Message, Class::Content, false),
            (302, Step::Connect, Class::Unknown, true),
        ] {
            let failure = Answer { status, ..Answer::default() }.by_status("no", "check the key");
            assert_eq!((failure.step, failure.class), (step, class), "{status}");
            assert_eq!(failure.concerns_all(), for_all, "{status}");
            assert_eq!(failure.advice.is_some(), class == Class::Configuration, "{status}");
            assert_eq!(failure.reply, format!("HTTP {status}: no"));
        }
    }
}
