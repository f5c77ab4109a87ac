//! Mailgun: MIME over HTTP, the domain's record, and webhooks whose signature leaves the body out.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use super::api::{Answer, Ask, Outgoing, Remark};
use super::report::{Cause, Proof, Refused, Report, name, seconds, some, tagged, text, variable};
use super::signature::{hex, hmac_sha256, is_fresh, same};
use super::{Key, Reporter, Sender, TAG, report};
use crate::config::{self, MailProvider};
use crate::kernel::Timestamp;
use crate::mail::reply::{Class, Failure, Step};
use crate::mail::timeline::EventKind;

/// Gives mail to Mailgun.
#[derive(Debug)]
pub(super) struct Mailgun {
    key: Key,
    domain: String,
}

impl Mailgun {
    pub(super) fn new(settings: &config::Mailgun) -> Option<Self> {
        Some(Self { key: Key(settings.api_key.clone()?), domain: settings.domain.clone()? })
    }
}

const KEY: &str = "Mailgun refused the key: check mailgun.api_key, and mailgun.url if the account is in \
                   the EU";

impl Sender for Mailgun {
    fn provider(&self) -> MailProvider {
        MailProvider::Mailgun
    }

    fn authorize(&self, ask: &mut Ask, _: &Url, _: Timestamp) {
        let pair = STANDARD.encode(format!("api:{}", self.key.0.expose_secret()));
        ask.headers.push(("authorization", format!("Basic {pair}")));
    }

    fn send(&self, mail: &Outgoing<'_>) -> Ask {
        // No part can hold the boundary: the message is ASCII, and its own boundary is another.
        let boundary = format!("authshield-{}", hex(&hmac_sha256(b"boundary", &[mail.mime])));
        let mut body = Vec::with_capacity(mail.mime.len() + 1024);
        let mut part = |head: &str, value: &[u8]| {
            body.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        };
        let mut field = |field: &str, value: &str| {
            part(&format!("Content-Disposition: form-data; name=\"{field}\""), value.as_bytes());
        };
        field("to", mail.to.email.as_ref());
        // Tracking rewrites links, and these are secrets.
        field("o:tracking", "no");
        field(&format!("v:{TAG}"), &mail.tag);
        if mail.is_drill() {
            field("o:testmode", "yes");
        }
        part(
            "Content-Disposition: form-data; name=\"message\"; filename=\"message.eml\"\r\n\
             Content-Type: message/rfc822",
            mail.mime,
        );
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        Ask::post(format!("/v3/{}/messages.mime", self.domain), &kind, body)
    }

    fn taken(&self, answer: &Answer) -> Option<String> {
        some(text(&answer.json(), "/id").trim_matches(['<', '>']))
    }

    fn refused(&self, answer: &Answer, _: &Address) -> Failure {
        let body = answer.json();
        let words = name(&[text(&body, "/message")]);
        let says = |some: &str| words.to_lowercase().contains(some);
        if says("authorized recipients") || says("free accounts are for test purposes") {
            return answer.our_fault(
                Step::Message,
                &words,
                "the Mailgun domain is a sandbox: it sends to authorised recipients only; set \
                 mailgun.domain to a domain of yours",
            );
        }
        if answer.status == 404 {
            return answer.our_fault(
                Step::Mail,
                &words,
                "Mailgun does not know the domain: check mailgun.domain, and mailgun.url if the account \
                 is in the EU",
            );
        }
        if says("not allowed to send") || says("is disabled") || answer.status == 402 {
            return answer.our_fault(
                Step::Mail,
                &words,
                "the Mailgun domain may not send: see its state and the plan there",
            );
        }
        if answer.status == 400 && says("to parameter is not a valid address") {
            return answer.failure(Step::Rcpt, Class::Recipient, &words);
        }
        answer.by_status(&words, KEY)
    }

    fn sink(&self) -> &'static str {
        "nobody@mailgun.org"
    }

    fn account(&self, _: &Address) -> Vec<Ask> {
        vec![Ask::get(format!("/v3/domains/{}", self.domain))]
    }

    fn judge_account(&self, answers: &[Answer], _: &Address) -> Vec<Remark> {
        let Some(answer) = answers.first() else { return Vec::new() };
        let domain = &self.domain;
        if answer.status == 404 {
            return vec![Remark::bad(format!(
                "Mailgun does not know {domain}; in the EU the address is https://api.eu.mailgun.net"
            ))];
        }
        if !answer.is_yes() {
            return vec![refusal(answer)];
        }
        let body = answer.json();
        let state = text(&body, "/domain/state");
        vec![match state {
            _ if text(&body, "/domain/type") == "sandbox" => Remark::bad(format!(
                "{domain} is a sandbox: it sends to authorised recipients only"
            )),
            _ if body["domain"]["is_disabled"] == Value::Bool(true) => {
                Remark::bad(format!("{domain} is disabled"))
            }
            "active" => Remark::good(format!("{domain} is verified and active")),
            state => Remark::bad(format!("{domain} is {}", report::name(&[state]))),
        }]
    }

    fn webhooks(&self) -> Option<Ask> {
        Some(Ask::get(format!("/v3/domains/{}/webhooks", self.domain)))
    }

    fn judge_webhooks(&self, answer: &Answer, url: &str) -> Remark {
        if !answer.is_yes() {
            return refusal(answer);
        }
        let body = answer.json();
        let leads = |kind: &str| {
            let urls = body["webhooks"][kind]["urls"].as_array().cloned().unwrap_or_default();
            let one = text(&body, &format!("/webhooks/{kind}/url"));
            urls.iter()
                .filter_map(Value::as_str)
                .chain([one])
                .any(|one| one.trim_end_matches('/') == url)
        };
        let lacks: Vec<_> = ["delivered", "permanent_fail", "temporary_fail", "complained"]
            .into_iter()
            .filter(|kind| !leads(kind))
            .collect();
        if lacks.is_empty() {
            Remark::good("Mailgun reports deliveries, failures and complaints")
        } else {
            Remark::bad(format!("no webhook for {} leads to {url}", lacks.join(", ")))
        }
    }
}

fn refusal(answer: &Answer) -> Remark {
    let body = answer.json();
    Remark::bad(format!("HTTP {}: {}", answer.status, name(&[text(&body, "/message")])))
}

/// Believes who knows the signing key, once for each token: the body is not signed.
#[derive(Debug)]
pub(super) struct Reports(Key);

impl Reports {
    pub(super) fn new(settings: &config::Mailgun) -> Option<Self> {
        settings.webhook_signing_key.clone().map(|key| Self(Key(key)))
    }
}

impl Reporter for Reports {
    fn proof(&self, _: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Proof, Refused> {
        let event = report::json(body)?;
        let [timestamp, token, signature] =
            ["/signature/timestamp", "/signature/token", "/signature/signature"]
                .map(|pointer| text(&event, pointer));
        if [timestamp, token, signature].contains(&"") {
            return Err(Refused::Unauthenticated);
        }
        let key = self.0.0.expose_secret().as_bytes();
        let expected = hex(&hmac_sha256(key, &[timestamp.as_bytes(), token.as_bytes()]));
        if !same(signature.as_bytes(), expected.as_bytes()) {
            return Err(Refused::Forged);
        }
        is_fresh(timestamp, now)?;
        // The instant belongs to the name: what is signed is the two of them, one behind the other.
        Ok(Proof::Shown { once: Some(format!("{timestamp}/{token}")) })
    }

    fn read(&self, _: &HeaderMap, body: &[u8]) -> Result<Vec<Report>, Refused> {
        read(body)
    }
}

/// Reads one event.
pub(super) fn read(body: &[u8]) -> Result<Vec<Report>, Refused> {
    let body = report::json(body)?;
    let event = &body["event-data"];
    let kind = text(event, "/event");
    let id = text(event, "/id");
    if kind.is_empty() || id.is_empty() {
        return Err(Refused::Malformed);
    }
    let status = &event["delivery-status"];
    let answer = |fallback| {
        let code = status["code"].as_i64().unwrap_or_default();
        let enhanced = text(status, "/enhanced-code");
        let (message, description) = (text(status, "/message"), text(status, "/description"));
        let words = if message.is_empty() { description } else { message };
        let has_code = words.get(..3).is_some_and(|code| code.parse::<u16>().is_ok());
        let whole = match () {
            () if has_code || !(200..600).contains(&code) => words.to_owned(),
            () if words.starts_with(enhanced) => format!("{code} {words}"),
            () => format!("{code} {enhanced} {words}"),
        };
        Cause::answer(&whole, fallback).status(enhanced).answered_by(text(status, "/mx-host"))
    };
    let (kind, cause) = match (kind, text(event, "/severity")) {
        ("delivered", _) => (EventKind::Delivered, answer(None)),
        ("failed", "temporary") => (EventKind::Deferred, answer(Some(Class::Relay))),
        ("failed", _) => match text(event, "/reason") {
            "suppress-bounce" => {
                let reply = Some("on the provider's own list of addresses that bounced".to_owned());
                let class = Some(Class::Recipient);
                (EventKind::Bounced, Cause { class, reply, ..Cause::default() })
            }
            "suppress-complaint" | "suppress-unsubscribe" => {
                let reply = Some("on the provider's own list of who wants no mail".to_owned());
                let class = Some(Class::Reputation);
                (EventKind::Bounced, Cause { class, reply, ..Cause::default() })
            }
            "bounce" => (EventKind::Bounced, answer(Some(Class::Recipient))),
            _ => (EventKind::Bounced, answer(Some(Class::Unknown))),
        },
        ("rejected", _) => {
            let reply = some(text(event, "/reject/reason"));
            (EventKind::Bounced, Cause { class: Some(Class::Content), reply, ..Cause::default() })
        }
        ("complained", _) => (EventKind::Complained, Cause::default()),
        _ => return Ok(Vec::new()),
    };
    let Ok(mail) = tagged(variable(event, "/user-variables")) else { return Ok(Vec::new()) };
    Ok(vec![Report {
        event_id: name(&[id]),
        mail,
        provider_id: some(text(event, "/message/headers/message-id")),
        at: seconds(event.get("timestamp")),
        kind,
        cause,
    }])
}
