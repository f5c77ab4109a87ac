//! What a provider reports, in the same words for all of them. Pure.

use serde_json::Value;

use super::{DRILL, TAG};
use crate::kernel::{MailId, Timestamp};
use crate::mail::reply::{self, Class, Step, one_line};
use crate::mail::timeline::EventKind;

/// Why a report was not believed, or not understood; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It shows nothing that would prove who wrote it.
    Unauthenticated,
    /// What it shows is not right.
    Forged,
    /// It is too old, or from the future.
    Stale,
    /// What it shows was used before, for something else.
    Replayed,
    /// It is genuine, and about somebody else's affairs.
    Foreign,
    /// It is larger than any report.
    TooLarge,
    /// It is something else than a report.
    Malformed,
}

impl Refused {
    /// Returns its name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::Replayed => "replayed",
            Self::Foreign => "foreign",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
        }
    }
}

/// What proves a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was proved here.
    Shown {
        /// The name that this delivery has: a second one by the same name must be the same in every
        /// byte. `None` if it has none.
        once: Option<String>,
    },
    /// It is proved by a signature under a certificate that has to be fetched first.
    Certificate {
        /// Where it is; an address of the provider.
        url: String,
        /// What was signed.
        signed: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
        /// The name that this delivery has.
        once: String,
        /// What to fetch to agree to be told more, if that is what it asks.
        confirm: Option<String>,
    },
}

/// What became of a mail, by the account of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    /// The name that the provider has for this piece of news.
    pub(super) event_id: String,
    /// The mail, by our name.
    pub(super) mail: Option<MailId>,
    /// The mail, by the provider's name.
    pub(super) provider_id: Option<String>,
    /// When it happened.
    pub(super) at: Option<Timestamp>,
    /// What happened.
    pub(super) kind: EventKind,
    /// What is known besides.
    pub(super) cause: Cause,
}

/// Why something happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cause {
    /// Whose affair it is, if something is wrong.
    pub(super) class: Option<Class>,
    /// The code of the other server's answer (RFC 5321).
    pub(super) smtp_code: Option<u16>,
    /// The enhanced code (RFC 3463).
    pub(super) enhanced_code: Option<String>,
    /// The answer, on one line.
    pub(super) reply: Option<String>,
    /// The server that answered.
    pub(super) remote_mta: Option<String>,
}

impl Cause {
    /// Reads what a server answered; `fallback` is whose affair it is when the words do not say.
    pub(super) fn answer(text: &str, fallback: Option<Class>) -> Self {
        let text = one_line(text);
        let text = text.strip_prefix("smtp;").unwrap_or(&text).trim();
        let (code, rest) = text.split_once([' ', '-']).unwrap_or((text, ""));
        let smtp_code: Option<u16> = code.parse().ok().filter(|code| (200..600).contains(code));
        let rest = if smtp_code.is_some() { rest.trim() } else { text };
        let enhanced_code = reply::enhanced_code(rest).or_else(|| {
            // Some repeat the code: `550-5.1.1 The account …`, or begin with the enhanced one.
            reply::enhanced_code(text)
        });
        let class = fallback.map(|fallback| match smtp_code {
            Some(code) if code >= 400 => known(reply::classify(Step::Rcpt, code, rest), fallback),
            _ => match &enhanced_code {
                Some(status) if !status.starts_with('2') => {
                    let code = if status.starts_with('4') { 450 } else { 550 };
                    known(reply::classify(Step::Rcpt, code, rest), fallback)
                }
                _ => fallback,
            },
        });
        let reply = Some(text.to_owned()).filter(|text| !text.is_empty());
        Self { class, smtp_code, enhanced_code, reply, remote_mta: None }
    }

    /// Adds a status that was given apart from the words.
    pub(super) fn status(mut self, status: &str) -> Self {
        if self.enhanced_code.is_none() {
            self.enhanced_code = reply::enhanced_code(status.trim());
        }
        self
    }

    /// Adds who answered.
    pub(super) fn answered_by(mut self, server: &str) -> Self {
        let server = server.strip_prefix("dns;").unwrap_or(server);
        let server: String = one_line(server).chars().take(120).collect();
        self.remote_mta = Some(server).filter(|server| !server.is_empty());
        self
    }

    /// Says that the mailbox is not at fault for good: the provider will not say so either.
    pub(super) fn not_for_good(mut self) -> Self {
        if self.class == Some(Class::Recipient) {
            self.class = Some(Class::Unknown);
        }
        self
    }
}

fn known(class: Class, fallback: Class) -> Class {
    if class == Class::Unknown { fallback } else { class }
}

/// Reads a body as JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused::Malformed)
}

/// Returns a member that is text; empty if it is not.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a name of bounded length for what is to be told apart, made of `parts`.
pub(super) fn name(parts: &[&str]) -> String {
    parts.join("/").chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Returns text that is not empty.
pub(super) fn some(text: &str) -> Option<String> {
    Some(name(&[text])).filter(|text| !text.is_empty())
}

/// Reads our name of a mail; `Err` for a message that went nowhere, of which there is no news.
pub(super) fn tagged(tag: &str) -> Result<Option<MailId>, Drill> {
    if tag == DRILL { Err(Drill) } else { Ok(tag.parse().ok()) }
}

/// It is about a message that went nowhere.
pub(super) struct Drill;

/// Finds our name of a mail among the variables that travelled with it.
pub(super) fn variable<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(|variables| variables.get(TAG));
    match found {
        Some(Value::String(text)) => text,
        Some(Value::Array(items)) => items.first().and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    }
}

/// Reads an instant (RFC 3339).
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Reads seconds since 1970, whole or not.
pub(super) fn seconds(value: Option<&Value>) -> Option<Timestamp> {
    let seconds = value?.as_f64().filter(|at| (0.0..=32_503_680_000.0).contains(at))?;
    #[expect(clippy::cast_possible_truncation, reason = "it is below the year 3000")]
    let micros = (seconds * 1e6) as i64;
    Some(Timestamp::from_microsecond(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_other_servers_are_read_as_they_come() {
        let fallback = Some(Class::Recipient);
        for (text, code, enhanced, class) in [
            ("smtp; 550 5.1.1 user unknown", Some(550), Some("5.1.1"), Class::Recipient),
            ("550-5.1.1 The account does not exist", Some(550), Some("5.1.1"), Class::Recipient),
            ("550 5.7.1 blocked using zen", Some(550), Some("5.7.1"), Class::Reputation),
            ("421 4.7.0 slow down", Some(421), Some("4.7.0"), Class::Reputation),
            ("5.4.4 no such domain", None, Some("5.4.4"), Class::Relay),
            ("unable to look up the host", None, None, Class::Recipient),
            ("", None, None, Class::Recipient),
        ] {
            let cause = Cause::answer(text, fallback);
            let found = (cause.smtp_code, cause.enhanced_code.as_deref(), cause.class);
            assert_eq!(found, (code, enhanced, Some(class)), "{text}");
        }
        assert_eq!(Cause::answer("250 2.0.0 OK", None).class, None);
    }
}
