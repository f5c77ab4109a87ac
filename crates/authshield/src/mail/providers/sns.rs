//! What Amazon SES reports, through SNS: signed envelopes from topics that are ours.
//!
//! A signature proves that Amazon wrote it, and not that it is about us: anybody may let a topic of
//! theirs lead here. So what counts is the list of our topics, and a subscription is confirmed for
//! those alone.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::time::Duration;
use url::Url;

use super::report::{Cause, Proof, Refused, Report, instant, name, some, tagged, text, variable};
use super::{Reporter, report};
use crate::config;
use crate::kernel::Timestamp;
use crate::mail::reply::Class;
use crate::mail::timeline::EventKind;

/// SNS goes on trying for an hour.
const LATE: Duration = Duration::from_mins(75);
/// How far Amazon's clock may be ahead of ours.
const EARLY: Duration = Duration::from_mins(5);

/// Believes what is signed, and comes from one of these topics.
#[derive(Debug)]
pub(super) struct Topics {
    allowed: Vec<String>,
    /// Where certificates and confirmations are; nothing else is ever fetched.
    origin: Url,
}

impl Topics {
    pub(super) fn new(settings: &config::Ses) -> Option<Self> {
        let origin = settings.sns_origin()?;
        let allowed = settings.topics.clone();
        (!allowed.is_empty()).then_some(Self { allowed, origin })
    }

    /// Returns an address only if it is one of SNS.
    fn own(&self, address: &str) -> Option<Url> {
        let url: Url = address.parse().ok()?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        (is_plain && url.origin() == self.origin.origin()).then_some(url)
    }
}

impl Reporter for Topics {
    fn proof(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Proof, Refused> {
        let envelope = report::json(body)?;
        let member = |key: &str| envelope.get(key).and_then(Value::as_str);
        let kind = member("Type").ok_or(Refused::Malformed)?;
        // What the header says is not signed, so it may only say the same.
        if headers
            .get("x-amz-sns-message-type")
            .is_some_and(|said| said.as_bytes() != kind.as_bytes())
        {
            return Err(Refused::Forged);
        }
        let keys: &[&str] = match kind {
            "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
                &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
            }
            _ => return Err(Refused::Malformed),
        };
        let (Some(signature), Some(certificate)) = (member("Signature"), member("SigningCertURL"))
        else {
            return Err(Refused::Unauthenticated);
        };
        // Version 1 is SHA-1.
        if member("SignatureVersion") != Some("2") {
            return Err(Refused::Forged);
        }
        let topic = member("TopicArn").ok_or(Refused::Malformed)?;
        if !self.allowed.iter().any(|allowed| allowed == topic) {
            return Err(Refused::Foreign);
        }
        let url = self.own(certificate).filter(|url| {
            let is_certificate = std::path::Path::new(url.path()).extension();
            is_certificate.is_some_and(|end| end == "pem")
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let url = url.ok_or(Refused::Forged)?.to_string();
        let at = member("Timestamp").and_then(instant).ok_or(Refused::Malformed)?;
        if at + LATE < now || at > now + EARLY {
            return Err(Refused::Stale);
        }
        let mut signed = Vec::new();
        for key in keys {
            // Without a subject there is no line for it.
            let Some(value) = member(key) else {
                if *key == "Subject" {
                    continue;
                }
                return Err(Refused::Malformed);
            };
            for part in [key.as_bytes(), b"\n", value.as_bytes(), b"\n"] {
                signed.extend_from_slice(part);
            }
        }
        let signature = STANDARD.decode(signature).map_err(|_| Refused::Forged)?;
        let confirm = match kind {
            "SubscriptionConfirmation" => {
                let address = member("SubscribeURL").and_then(|address| self.own(address));
                Some(address.ok_or(Refused::Forged)?.to_string())
            }
            _ => None,
        };
        let once = name(&[member("MessageId").unwrap_or_default()]);
        Ok(Proof::Certificate { url, signed, signature, once, confirm })
    }

    fn read(&self, _: &HeaderMap, body: &[u8]) -> Result<Vec<Report>, Refused> {
        read(body)
    }
}

/// Reads an envelope and what is in it.
pub(super) fn read(body: &[u8]) -> Result<Vec<Report>, Refused> {
    let envelope = report::json(body)?;
    let kind = text(&envelope, "/Type");
    if kind.is_empty() {
        return Err(Refused::Malformed);
    }
    if kind != "Notification" {
        return Ok(Vec::new());
    }
    // At first SNS tells in plain words that the topic works.
    let Ok(event) = serde_json::from_str::<Value>(text(&envelope, "/Message")) else {
        return Ok(Vec::new());
    };
    let of_event = text(&event, "/eventType");
    let kind = if of_event.is_empty() { text(&event, "/notificationType") } else { of_event };
    let (kind, at, cause) = match kind {
        "Delivery" => {
            let cause = Cause::answer(text(&event, "/delivery/smtpResponse"), None);
            let server = text(&event, "/delivery/reportingMTA");
            (EventKind::Delivered, "/delivery/timestamp", cause.answered_by(server))
        }
        "DeliveryDelay" => {
            let first = &event["deliveryDelay"]["delayedRecipients"][0];
            (EventKind::Deferred, "/deliveryDelay/timestamp", answer(first, Class::Relay))
        }
        "Bounce" => {
            let is_final = text(&event, "/bounce/bounceType") == "Permanent";
            let fallback = if is_final { Class::Recipient } else { Class::Relay };
            let mut cause = answer(&event["bounce"]["bouncedRecipients"][0], fallback);
            if cause.reply.is_none() {
                cause.reply = some(text(&event, "/bounce/bounceSubType"));
            }
            let cause = if is_final { cause } else { cause.not_for_good() };
            let server = text(&event, "/bounce/reportingMTA");
            (EventKind::Bounced, "/bounce/timestamp", cause.answered_by(server))
        }
        "Complaint" => {
            let reply = some(text(&event, "/complaint/complaintFeedbackType"));
            let cause = Cause { reply, ..Cause::default() };
            (EventKind::Complained, "/complaint/timestamp", cause)
        }
        "Reject" => {
            let reply = some(text(&event, "/reject/reason"));
            let cause = Cause { class: Some(Class::Content), reply, ..Cause::default() };
            (EventKind::Bounced, "/mail/timestamp", cause)
        }
        "Rendering Failure" => {
            let reply = some(text(&event, "/failure/errorMessage"));
            let cause = Cause { class: Some(Class::Content), reply, ..Cause::default() };
            (EventKind::Bounced, "/mail/timestamp", cause)
        }
        // It was taken, which is known; what was opened or clicked is nobody's affair.
        _ => return Ok(Vec::new()),
    };
    let Ok(mail) = tagged(variable(&event, "/mail/tags")) else { return Ok(Vec::new()) };
    Ok(vec![Report {
        event_id: name(&[text(&envelope, "/MessageId")]),
        mail,
        provider_id: some(text(&event, "/mail/messageId")),
        at: instant(text(&event, at)),
        kind,
        cause,
    }])
}

/// Reads what is said of one recipient: our mails have one.
fn answer(recipient: &Value, fallback: Class) -> Cause {
    let (diagnostic, status) = (text(recipient, "/diagnosticCode"), text(recipient, "/status"));
    let words = if diagnostic.is_empty() { status } else { diagnostic };
    Cause::answer(words, Some(fallback)).status(status)
}
