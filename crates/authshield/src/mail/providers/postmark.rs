//! Postmark: the API for one e-mail, the server's record, and its webhooks, which show a password.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::api::{Answer, Ask, Outgoing, Remark};
use super::report::{Cause, Proof, Refused, Report, instant, name, some, tagged, text, variable};
use super::signature::same;
use super::{Key, Reporter, Sender, TAG, named, report};
use crate::config::{self, MailProvider};
use crate::kernel::Timestamp;
use crate::mail::reply::{Class, Failure, Step};
use crate::mail::timeline::EventKind;

/// Gives mail to Postmark.
#[derive(Debug)]
pub(super) struct Postmark {
    token: Key,
    stream: String,
}

impl Postmark {
    pub(super) fn new(settings: &config::Postmark) -> Option<Self> {
        let token = Key(settings.server_token.clone()?);
        Some(Self { token, stream: settings.message_stream.clone() })
    }
}

impl Sender for Postmark {
    fn provider(&self) -> MailProvider {
        MailProvider::Postmark
    }

    fn authorize(&self, ask: &mut Ask, _: &Url, _: Timestamp) {
        let token = self.token.0.expose_secret().to_owned();
        ask.headers.push(("x-postmark-server-token", token));
        ask.headers.push(("accept", "application/json".to_owned()));
    }

    fn send(&self, mail: &Outgoing<'_>) -> Ask {
        let mut headers: Vec<_> = mail
            .fields()
            .iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        headers.push(json!({ "Name": "X-PM-KeepID", "Value": "true" }));
        let body = json!({
            "From": named(mail.from),
            "To": named(&mail.to),
            "Subject": mail.letter.subject,
            "TextBody": mail.letter.text.as_str(),
            "HtmlBody": mail.letter.html.as_str(),
            "MessageStream": self.stream,
            // Tracking rewrites links, and these are secrets.
            "TrackOpens": false,
            "TrackLinks": "None",
            "Metadata": { TAG: mail.tag },
            "Headers": headers,
        });
        Ask::json("/email", &body)
    }

    fn taken(&self, answer: &Answer) -> Option<String> {
        some(text(&answer.json(), "/MessageID"))
    }

    fn refused(&self, answer: &Answer, _: &Address) -> Failure {
        let body = answer.json();
        let code = body["ErrorCode"].as_i64().unwrap_or_default();
        let words = format!("{code} {}", text(&body, "/Message"));
        let sender = "Postmark does not let us send as mail.from: confirm its sender signature or its \
                      domain there";
        match code {
            10 => answer.our_fault(Step::Auth, &words, KEY),
            100 => answer.failure(Step::Connect, Class::Relay, &words),
            400 | 401 => answer.our_fault(Step::Mail, &words, sender),
            405 => answer.our_fault(
                Step::Mail,
                &words,
                "the Postmark account may not send: see its plan and its standing there",
            ),
            412 => answer.our_fault(
                Step::Message,
                &words,
                "the Postmark account is not approved yet, so it sends to our own domain only",
            ),
            406 => answer.failure(Step::Rcpt, Class::Recipient, &words),
            300 if words.contains("'From'") => answer.our_fault(Step::Mail, &words, sender),
            300 if words.contains("'To'") => answer.failure(Step::Rcpt, Class::Recipient, &words),
            1224..=1238 => answer.our_fault(
                Step::Mail,
                &words,
                "Postmark does not know the message stream: correct postmark.message_stream",
            ),
            _ => answer.by_status(&words, KEY),
        }
    }

    fn sink(&self) -> &'static str {
        "test@blackhole.postmarkapp.com"
    }

    fn account(&self, _: &Address) -> Vec<Ask> {
        vec![Ask::get("/server")]
    }

    fn judge_account(&self, answers: &[Answer], _: &Address) -> Vec<Remark> {
        let Some(answer) = answers.first() else { return Vec::new() };
        if !answer.is_yes() {
            return vec![refusal(answer)];
        }
        let server = answer.json();
        let title = text(&server, "/Name").to_owned();
        if text(&server, "/DeliveryType") == "Sandbox" {
            return vec![Remark::bad(format!(
                "the server {title:?} is a sandbox: it takes mail and delivers none"
            ))];
        }
        vec![Remark::good(format!("the server {title:?} delivers"))]
    }

    fn webhooks(&self) -> Option<Ask> {
        Some(Ask::get(format!("/webhooks?MessageStream={}", self.stream)))
    }

    fn judge_webhooks(&self, answer: &Answer, url: &str) -> Remark {
        if !answer.is_yes() {
            return refusal(answer);
        }
        let body = answer.json();
        let all = body["Webhooks"].as_array().cloned().unwrap_or_default();
        // The address may hold user and password before the host.
        let bare = |text: &str| {
            let mut url: Url = text.parse().ok()?;
            let _ = url.set_username("");
            let _ = url.set_password(None);
            Some(url.as_str().trim_end_matches('/').to_owned())
        };
        let Some(ours) = all.iter().find(|hook| bare(text(hook, "/Url")).as_deref() == Some(url))
        else {
            return Remark::bad(format!("no webhook of the stream {} leads to {url}", self.stream));
        };
        let lacks: Vec<_> = ["Delivery", "Bounce", "SpamComplaint"]
            .into_iter()
            .filter(|one| ours["Triggers"][one]["Enabled"] != Value::Bool(true))
            .collect();
        if lacks.is_empty() {
            Remark::good("Postmark reports deliveries, bounces and complaints")
        } else {
            Remark::bad(format!("the webhook does not report {}", lacks.join(", ")))
        }
    }
}

const KEY: &str = "Postmark refused the token: check postmark.server_token";

fn refusal(answer: &Answer) -> Remark {
    let body = answer.json();
    Remark::bad(format!("HTTP {}: {}", answer.status, report::name(&[text(&body, "/Message")])))
}

/// Believes who shows the password that stands in the webhook's address.
#[derive(Debug)]
pub(super) struct Reports(Key);

impl Reports {
    pub(super) fn new(settings: &config::Postmark) -> Option<Self> {
        settings.webhook_secret.clone().map(|secret| Self(Key(secret)))
    }
}

impl Reporter for Reports {
    fn proof(&self, headers: &HeaderMap, _: &[u8], _: Timestamp) -> Result<Proof, Refused> {
        let shown = headers.get(header::AUTHORIZATION).ok_or(Refused::Unauthenticated)?;
        let shown = shown.to_str().map_err(|_| Refused::Forged)?;
        let (scheme, pair) = shown.split_once(' ').ok_or(Refused::Forged)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Refused::Unauthenticated);
        }
        let pair = STANDARD.decode(pair.trim()).map_err(|_| Refused::Forged)?;
        let at = pair.iter().position(|byte| *byte == b':').ok_or(Refused::Forged)?;
        let secret: &SecretString = &self.0.0;
        if same(&pair[at + 1..], secret.expose_secret().as_bytes()) {
            // The provider gives a delivery no name.
            Ok(Proof::Shown { once: None })
        } else {
            Err(Refused::Forged)
        }
    }

    fn read(&self, _: &HeaderMap, body: &[u8]) -> Result<Vec<Report>, Refused> {
        read(body)
    }
}

/// Reads one event.
pub(super) fn read(body: &[u8]) -> Result<Vec<Report>, Refused> {
    let event = report::json(body)?;
    let record = text(&event, "/RecordType");
    if record.is_empty() {
        return Err(Refused::Malformed);
    }
    let id = text(&event, "/MessageID");
    let number = event["ID"].as_i64().map(|id| id.to_string()).unwrap_or_default();
    let (kind, at, cause, mark) = match record {
        "Delivery" => {
            let at = text(&event, "/DeliveredAt");
            (EventKind::Delivered, at, Cause::answer(text(&event, "/Details"), None), at.to_owned())
        }
        "SpamComplaint" => {
            let cause = Cause::answer(text(&event, "/Details"), None);
            (EventKind::Complained, text(&event, "/BouncedAt"), cause, number)
        }
        "Bounce" => {
            let Some((kind, cause)) = bounce(&event) else { return Ok(Vec::new()) };
            (kind, text(&event, "/BouncedAt"), cause, number)
        }
        // What was opened or clicked is nobody's affair, and the rest says nothing of one mail.
        _ => return Ok(Vec::new()),
    };
    let Ok(mail) = tagged(variable(&event, "/Metadata")) else { return Ok(Vec::new()) };
    Ok(vec![Report {
        event_id: name(&[id, record, &mark]),
        mail,
        provider_id: some(id),
        at: instant(at),
        kind,
        cause,
    }])
}

/// Reads the type of a bounce; `None` for what is none.
fn bounce(event: &Value) -> Option<(EventKind, Cause)> {
    let details = text(event, "/Details");
    let words = if details.is_empty() { text(event, "/Description") } else { details };
    let answer = |class| Cause::answer(words, Some(class));
    Some(match text(event, "/Type") {
        "HardBounce" | "BadEmailAddress" | "ManuallyDeactivated" => {
            (EventKind::Bounced, answer(Class::Recipient))
        }
        "Transient" | "DnsError" => (EventKind::Deferred, answer(Class::Relay)),
        "SpamComplaint" => (EventKind::Complained, answer(Class::Reputation)),
        "SpamNotification" | "Blocked" => {
            (EventKind::Bounced, answer(Class::Reputation).not_for_good())
        }
        "DMARCPolicy" => (EventKind::Bounced, answer(Class::Configuration).not_for_good()),
        "SoftBounce" | "VirusNotification" | "Undeliverable" | "SMTPApiError" | "Unknown" => {
            (EventKind::Bounced, answer(Class::Unknown).not_for_good())
        }
        // Replies of people and machines, changes of subscriptions.
        _ => return None,
    })
}
