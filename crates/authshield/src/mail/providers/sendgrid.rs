//! SendGrid: the v3 mail API, and the signed event webhook.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use lettre::message::Mailbox;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use url::Url;

use super::api::{Answer, Ask, Outgoing, Remark};
use super::report::{Cause, Proof, Refused, Report, name, seconds, some, tagged, text};
use super::signature::is_fresh;
use super::{Key, Reporter, Sender, TAG, report};
use crate::config::{self, MailProvider};
use crate::kernel::Timestamp;
use crate::mail::reply::{Class, Failure, Step};
use crate::mail::timeline::EventKind;

/// Gives mail to SendGrid.
#[derive(Debug)]
pub(super) struct Sendgrid(Key);

impl Sendgrid {
    pub(super) fn new(settings: &config::Sendgrid) -> Option<Self> {
        settings.api_key.clone().map(|key| Self(Key(key)))
    }
}

fn person(mailbox: &Mailbox) -> Value {
    let mut person = json!({ "email": mailbox.email.to_string() });
    if let Some(name) = &mailbox.name {
        person["name"] = name.as_str().into();
    }
    person
}

const KEY: &str = "SendGrid refused the key: check sendgrid.api_key, and that it may send mail";

impl Sender for Sendgrid {
    fn provider(&self) -> MailProvider {
        MailProvider::Sendgrid
    }

    fn authorize(&self, ask: &mut Ask, _: &Url, _: Timestamp) {
        ask.headers.push(("authorization", format!("Bearer {}", self.0.0.expose_secret())));
    }

    fn send(&self, mail: &Outgoing<'_>) -> Ask {
        let headers: Map<_, _> =
            mail.fields().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let off = json!({ "enable": false });
        let body = json!({
            "personalizations": [{ "to": [person(&mail.to)], "custom_args": { TAG: mail.tag } }],
            "from": person(mail.from),
            "subject": mail.letter.subject,
            "content": [
                { "type": "text/plain", "value": mail.letter.text.as_str() },
                { "type": "text/html", "value": mail.letter.html.as_str() },
            ],
            "headers": headers,
            // Tracking rewrites links, and these are secrets.
            "tracking_settings": {
                "click_tracking": { "enable": false, "enable_text": false },
                "open_tracking": off,
                "subscription_tracking": off,
                "ganalytics": off,
            },
            // Looked at, and not sent.
            "mail_settings": { "sandbox_mode": { "enable": mail.is_drill() } },
        });
        Ask::json("/v3/mail/send", &body)
    }

    fn taken(&self, answer: &Answer) -> Option<String> {
        some(answer.header("x-message-id"))
    }

    fn refused(&self, answer: &Answer, _: &Address) -> Failure {
        let body = answer.json();
        let (words, field) = (text(&body, "/errors/0/message"), text(&body, "/errors/0/field"));
        let words = name(&[words]);
        let sender = "SendGrid does not let us send as mail.from: authenticate its domain or verify the \
                      sender there";
        if words.contains("verified Sender Identity") || field.starts_with("from") {
            return answer.our_fault(Step::Mail, &words, sender);
        }
        if words.contains("credits exceeded") {
            let plan = "the SendGrid plan is used up: raise it there";
            return answer.our_fault(Step::Mail, &words, plan);
        }
        if answer.status == 400 && field.contains(".to") {
            return answer.failure(Step::Rcpt, Class::Recipient, &words);
        }
        answer.by_status(&words, KEY)
    }

    fn sink(&self) -> &'static str {
        "nobody@sink.sendgrid.net"
    }

    fn account(&self, _: &Address) -> Vec<Ask> {
        vec![Ask::get("/v3/scopes"), Ask::get("/v3/whitelabel/domains?limit=200")]
    }

    fn judge_account(&self, answers: &[Answer], from: &Address) -> Vec<Remark> {
        let [scopes, domains] = answers else { return Vec::new() };
        if !scopes.is_yes() {
            return vec![refusal(scopes)];
        }
        let body = scopes.json();
        let has = |scope: &str| {
            body["scopes"].as_array().is_some_and(|all| all.iter().any(|one| one == scope))
        };
        if !has("mail.send") {
            return vec![Remark::bad("the key may not send mail (it lacks the scope mail.send)")];
        }
        let mut remarks = vec![Remark::good("the key may send mail")];
        if !domains.is_yes() {
            remarks.push(Remark::good("the key may not see domains, so they were not looked at"));
            return remarks;
        }
        let domains = domains.json();
        let of = |one: &&Value| is_within(from.domain(), text(one, "/domain"));
        let ours = domains.as_array().and_then(|all| all.iter().find(of));
        remarks.push(match ours {
            Some(one) if one["valid"] == Value::Bool(true) => {
                Remark::good(format!("the domain of {from} is authenticated"))
            }
            Some(_) => {
                Remark::bad(format!("the domain of {from} is not authenticated: its DNS lacks"))
            }
            None => Remark::warning(format!("the domain of {from} is not authenticated")),
        });
        remarks
    }

    fn webhooks(&self) -> Option<Ask> {
        Some(Ask::get("/v3/user/webhooks/event/settings/all"))
    }

    fn judge_webhooks(&self, answer: &Answer, url: &str) -> Remark {
        if answer.status == 401 || answer.status == 403 {
            return Remark::warning(
                "the key may not see webhooks (it lacks user.webhooks.event.settings.read)",
            );
        }
        if !answer.is_yes() {
            return refusal(answer);
        }
        let body = answer.json();
        let all = body["webhooks"].as_array().cloned().unwrap_or_default();
        let leads = |hook: &&Value| text(hook, "/url").trim_end_matches('/') == url;
        let Some(ours) = all.iter().find(leads) else {
            return Remark::bad(format!("no event webhook leads to {url}"));
        };
        let is_on = |member: &str| ours[member] == Value::Bool(true);
        if !is_on("enabled") {
            return Remark::bad("the event webhook is switched off");
        }
        if text(ours, "/public_key").is_empty() {
            return Remark::bad("the event webhook is not signed: switch its signature on");
        }
        let lacks: Vec<_> = ["delivered", "bounce", "deferred", "dropped", "spam_report"]
            .into_iter()
            .filter(|one| !is_on(one))
            .collect();
        if lacks.is_empty() {
            Remark::good("SendGrid reports deliveries, bounces and complaints, signed")
        } else {
            Remark::bad(format!("the event webhook does not report {}", lacks.join(", ")))
        }
    }
}

/// Returns whether a domain is `parent` or below it.
pub(super) fn is_within(domain: &str, parent: &str) -> bool {
    let (domain, parent) = (domain.to_ascii_lowercase(), parent.to_ascii_lowercase());
    !parent.is_empty()
        && domain.strip_suffix(&parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn refusal(answer: &Answer) -> Remark {
    let body = answer.json();
    let words = name(&[text(&body, "/errors/0/message")]);
    Remark::bad(format!("HTTP {}: {words}", answer.status))
}

/// Believes what is signed under the public key of the webhook.
#[derive(Debug)]
pub(super) struct Reports(Vec<u8>);

impl Reports {
    pub(super) fn new(settings: &config::Sendgrid) -> Option<Self> {
        let key = settings.webhook_public_key.as_deref()?;
        STANDARD.decode(key.trim()).ok().map(Self)
    }
}

impl Reporter for Reports {
    fn proof(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Proof, Refused> {
        let header = |name| {
            let value = headers.get(name).ok_or(Refused::Unauthenticated)?;
            value.to_str().map_err(|_| Refused::Forged)
        };
        let signature = header("x-twilio-email-event-webhook-signature")?;
        let timestamp = header("x-twilio-email-event-webhook-timestamp")?;
        let decoded = STANDARD.decode(signature).map_err(|_| Refused::Forged)?;
        let signed = [timestamp.as_bytes(), body].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0);
        key.verify(&signed, &decoded).map_err(|_| Refused::Forged)?;
        is_fresh(timestamp, now)?;
        // Sent again it is signed again; its events have names of their own.
        Ok(Proof::Shown { once: None })
    }

    fn read(&self, _: &HeaderMap, body: &[u8]) -> Result<Vec<Report>, Refused> {
        read(body)
    }
}

/// Reads a batch of events.
pub(super) fn read(body: &[u8]) -> Result<Vec<Report>, Refused> {
    let Value::Array(events) = report::json(body)? else { return Err(Refused::Malformed) };
    let mut reports = Vec::new();
    for event in &events {
        if text(event, "/event").is_empty() {
            return Err(Refused::Malformed);
        }
        reports.extend(one(event));
    }
    Ok(reports)
}

fn one(event: &Value) -> Option<Report> {
    let id = text(event, "/sg_event_id");
    let reason = text(event, "/reason");
    let (kind, cause) = match text(event, "/event") {
        "delivered" => (EventKind::Delivered, Cause::answer(text(event, "/response"), None)),
        "deferred" => {
            (EventKind::Deferred, Cause::answer(text(event, "/response"), Some(Class::Relay)))
        }
        "bounce" => {
            let fallback = match text(event, "/type") {
                "blocked" => Class::Reputation,
                _ => Class::Recipient,
            };
            let cause = Cause::answer(reason, Some(fallback)).status(text(event, "/status"));
            let is_block = fallback == Class::Reputation;
            (EventKind::Bounced, if is_block { cause.not_for_good() } else { cause })
        }
        "dropped" => {
            let class = match reason {
                "Bounced Address" | "Invalid" | "Invalid SMTPAPI header" => Class::Recipient,
                _ => Class::Reputation,
            };
            let reply = Some(format!("dropped by the provider: {}", report::name(&[reason])));
            (EventKind::Bounced, Cause { class: Some(class), reply, ..Cause::default() })
        }
        "spamreport" => (EventKind::Complained, Cause::default()),
        _ => return None,
    };
    let mail = tagged(text(event, &format!("/{TAG}"))).ok()?;
    // What the send answered is the beginning of this.
    let sent = text(event, "/sg_message_id").split('.').next().unwrap_or_default();
    Some(Report {
        event_id: name(&[id]),
        mail,
        provider_id: some(sent),
        at: seconds(event.get("timestamp")),
        kind,
        cause,
    })
    .filter(|report| !report.event_id.is_empty())
}
