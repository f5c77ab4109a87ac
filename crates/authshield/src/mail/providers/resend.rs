//! Resend: the API for one e-mail, the list of domains, and webhooks after Standard Webhooks.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::api::{Answer, Ask, Outgoing, Remark};
use super::report::{Cause, Proof, Refused, Report, instant, name, some, tagged, text, variable};
use super::sendgrid::is_within;
use super::signature::{hmac_sha256, is_fresh, same};
use super::{Key, Reporter, Sender, TAG, named, report};
use crate::config::{self, MailProvider};
use crate::kernel::Timestamp;
use crate::mail::reply::{Class, Failure, Step};
use crate::mail::timeline::EventKind;

/// How many signatures of one delivery are looked at: while a secret is changed there are two.
const SIGNATURES: usize = 8;

/// Gives mail to Resend.
#[derive(Debug)]
pub(super) struct Resend(Key);

impl Resend {
    pub(super) fn new(settings: &config::Resend) -> Option<Self> {
        settings.api_key.clone().map(|key| Self(Key(key)))
    }
}

const KEY: &str = "Resend refused the key: check resend.api_key";

impl Sender for Resend {
    fn provider(&self) -> MailProvider {
        MailProvider::Resend
    }

    fn authorize(&self, ask: &mut Ask, _: &Url, _: Timestamp) {
        ask.headers.push(("authorization", format!("Bearer {}", self.0.0.expose_secret())));
    }

    fn send(&self, mail: &Outgoing<'_>) -> Ask {
        let headers: Map<_, _> =
            mail.fields().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let body = json!({
            "from": named(mail.from),
            "to": [named(&mail.to)],
            "subject": mail.letter.subject,
            "text": mail.letter.text.as_str(),
            "html": mail.letter.html.as_str(),
            "headers": headers,
            "tags": [{ "name": TAG, "value": mail.tag }],
        });
        Ask::json("/emails", &body).with("idempotency-key", mail.idempotency_key.as_str())
    }

    fn taken(&self, answer: &Answer) -> Option<String> {
        some(text(&answer.json(), "/id"))
    }

    fn refused(&self, answer: &Answer, _: &Address) -> Failure {
        let body = answer.json();
        let kind = text(&body, "/name");
        let words = name(&[kind, text(&body, "/message")]);
        let says = |some: &str| words.to_lowercase().contains(some);
        let sender = "Resend does not let us send as mail.from: verify its domain there";
        match kind {
            _ if says("testing emails") => answer.our_fault(
                Step::Message,
                &words,
                "Resend sends to our own address only until a domain is verified: verify the domain of \
                 mail.from there",
            ),
            "invalid_from_address" => answer.our_fault(Step::Mail, &words, sender),
            _ if says("domain is not verified") => answer.our_fault(Step::Mail, &words, sender),
            "missing_api_key" | "invalid_api_key" | "restricted_api_key" => {
                answer.our_fault(Step::Auth, &words, KEY)
            }
            "daily_quota_exceeded" | "monthly_quota_exceeded" => {
                answer.our_fault(Step::Mail, &words, "the Resend quota is used up: raise the plan there")
            }
            "concurrent_idempotent_requests" => {
                answer.failure(Step::Message, Class::Relay, &words)
            }
            "validation_error" | "invalid_parameter" if says("`to`") => {
                answer.failure(Step::Rcpt, Class::Recipient, &words)
            }
            _ => answer.by_status(&words, KEY),
        }
    }

    fn sink(&self) -> &'static str {
        "delivered@resend.dev"
    }

    fn account(&self, _: &Address) -> Vec<Ask> {
        vec![Ask::get("/domains")]
    }

    fn judge_account(&self, answers: &[Answer], from: &Address) -> Vec<Remark> {
        let Some(answer) = answers.first() else { return Vec::new() };
        let body = answer.json();
        if text(&body, "/name") == "restricted_api_key" {
            return vec![Remark::good(
                "the key may send and nothing else: domains were not looked at",
            )];
        }
        if !answer.is_yes() {
            return vec![refusal(answer)];
        }
        if is_within(from.domain(), "resend.dev") {
            return vec![Remark::bad(
                "mail.from is the address for first steps: it sends to our own address only",
            )];
        }
        let all = body["data"].as_array().cloned().unwrap_or_default();
        let of = |one: &&Value| is_within(from.domain(), text(one, "/name"));
        vec![match all.iter().find(of) {
            None => Remark::bad(format!("Resend does not know the domain of {from}")),
            Some(one) if text(one, "/status") == "verified" => {
                Remark::good(format!("the domain of {from} is verified"))
            }
            Some(one) => Remark::bad(format!(
                "the domain of {from} is {}",
                report::name(&[text(one, "/status")])
            )),
        }]
    }

    fn webhooks(&self) -> Option<Ask> {
        Some(Ask::get("/webhooks"))
    }

    fn judge_webhooks(&self, answer: &Answer, url: &str) -> Remark {
        let body = answer.json();
        if text(&body, "/name") == "restricted_api_key" {
            return Remark::warning(
                "the key may send and nothing else: webhooks were not looked at",
            );
        }
        if !answer.is_yes() {
            return refusal(answer);
        }
        let all = body["data"].as_array().cloned().unwrap_or_default();
        let leads = |hook: &&Value| text(hook, "/endpoint").trim_end_matches('/') == url;
        let Some(ours) = all.iter().find(leads) else {
            return Remark::bad(format!("no webhook leads to {url}"));
        };
        if text(ours, "/status") == "disabled" {
            return Remark::bad("the webhook is switched off");
        }
        let events = ours["events"].as_array().cloned().unwrap_or_default();
        let lacks: Vec<_> =
            ["email.delivered", "email.delivery_delayed", "email.bounced", "email.complained"]
                .into_iter()
                .filter(|one| !events.iter().any(|event| event == one))
                .collect();
        if lacks.is_empty() {
            Remark::good("Resend reports deliveries, bounces and complaints")
        } else {
            Remark::bad(format!("the webhook does not report {}", lacks.join(", ")))
        }
    }
}

fn refusal(answer: &Answer) -> Remark {
    let body = answer.json();
    Remark::bad(format!("HTTP {}: {}", answer.status, name(&[text(&body, "/message")])))
}

/// Believes what is signed under the secret of the webhook (Standard Webhooks).
pub(super) struct Reports(Zeroizing<Vec<u8>>);

impl Reports {
    pub(super) fn new(settings: &config::Resend) -> Option<Self> {
        let secret = settings.webhook_secret.as_ref()?.expose_secret();
        let key = secret.strip_prefix("whsec_").unwrap_or(secret);
        STANDARD.decode(key).ok().map(|key| Self(Zeroizing::new(key)))
    }
}

/// Returns a header by either of its names.
fn either<'h>(headers: &'h HeaderMap, what: &str) -> Result<&'h str, Refused> {
    let value =
        headers.get(format!("svix-{what}")).or_else(|| headers.get(format!("webhook-{what}")));
    let value = value.ok_or(Refused::Unauthenticated)?;
    value.to_str().map_err(|_| Refused::Forged)
}

impl Reporter for Reports {
    fn proof(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Proof, Refused> {
        let id = either(headers, "id")?;
        let timestamp = either(headers, "timestamp")?;
        let signatures = either(headers, "signature")?;
        let parts: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let expected = hmac_sha256(&self.0, &parts);
        let is_right = |signature: &str| {
            let given = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            given.is_some_and(|given| same(&given, &expected))
        };
        if !signatures.split(' ').take(SIGNATURES).any(is_right) {
            return Err(Refused::Forged);
        }
        is_fresh(timestamp, now)?;
        Ok(Proof::Shown { once: Some(name(&[id])) })
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Report>, Refused> {
        read(headers, body)
    }
}

/// Reads one event; its name is in the header.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Report>, Refused> {
    let event = report::json(body)?;
    let kind = text(&event, "/type");
    if kind.is_empty() {
        return Err(Refused::Malformed);
    }
    let data = &event["data"];
    let (kind, cause) = match kind {
        "email.delivered" => (EventKind::Delivered, Cause::default()),
        "email.delivery_delayed" => {
            let class = Some(Class::Relay);
            (EventKind::Deferred, Cause { class, ..Cause::default() })
        }
        "email.bounced" => {
            let cause = Cause::answer(text(data, "/bounce/message"), Some(Class::Recipient));
            let is_final = text(data, "/bounce/type") == "Permanent";
            (EventKind::Bounced, if is_final { cause } else { cause.not_for_good() })
        }
        "email.failed" => {
            let reply = some(text(data, "/failed/reason"));
            (EventKind::Bounced, Cause { class: Some(Class::Unknown), reply, ..Cause::default() })
        }
        "email.suppressed" => {
            let reply = some(text(data, "/suppressed/message"));
            (EventKind::Bounced, Cause { class: Some(Class::Recipient), reply, ..Cause::default() })
        }
        "email.complained" => (EventKind::Complained, Cause::default()),
        _ => return Ok(Vec::new()),
    };
    let Ok(mail) = tagged(tag(data)) else { return Ok(Vec::new()) };
    let id = either(headers, "id").unwrap_or_default();
    Ok(vec![Report {
        event_id: name(&[id]),
        mail,
        provider_id: some(text(data, "/email_id")),
        at: instant(text(&event, "/created_at")),
        kind,
        cause,
    }])
}

/// Finds our tag: they come as an object, or as they were sent.
fn tag(data: &Value) -> &str {
    let as_object = variable(data, "/tags");
    if !as_object.is_empty() {
        return as_object;
    }
    let tags = data["tags"].as_array();
    let ours = tags.and_then(|tags| tags.iter().find(|tag| text(tag, "/name") == TAG));
    ours.map(|tag| text(tag, "/value")).unwrap_or_default()
}
