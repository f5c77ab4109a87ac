//! What a relay's answer means: whose fault it is, and what follows. Pure.

use std::fmt;

/// Where in the conversation something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Our own work before any conversation.
    Write,
    /// Reaching the relay, its greeting and `EHLO`.
    Connect,
    /// `STARTTLS` or the handshake.
    Tls,
    /// `AUTH`.
    Auth,
    /// `MAIL FROM`: the sender.
    Mail,
    /// `RCPT TO`: the recipient.
    Rcpt,
    /// `DATA`, until the relay wants the message.
    Data,
    /// The message itself, until the relay takes it.
    Message,
}

impl Step {
    /// Returns its name, which stands in incidents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "writing",
            Self::Connect => "connecting",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "the message",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose affair a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The recipient's mailbox.
    Recipient,
    /// Our own settings: no message is lost or blamed, somebody has to mend them.
    Configuration,
    /// The relay, or a server behind it, does not want mail from us at this rate or at all.
    Reputation,
    /// The relay or the way to it.
    Relay,
    /// The message itself: a bug.
    Content,
    /// Nothing known.
    Unknown,
}

impl Class {
    /// Returns its name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Configuration => "configuration",
            Self::Reputation => "reputation",
            Self::Relay => "relay",
            Self::Content => "content",
            Self::Unknown => "unknown",
        }
    }
}

/// How often a final answer is doubted that may not be meant as one: about a quarter of an hour.
const PATIENCE: i64 = 6;

/// What is done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It never will be accepted.
    Stop,
    /// Later.
    Retry,
    /// Later, and this try does not count: it is not the message's fault.
    Hold,
}

/// A message, or a conversation, that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub step: Step,
    /// Whose affair it is.
    pub class: Class,
    /// Whether there is no point in trying again, as far as the answer goes (5xx).
    pub permanent: bool,
    /// The code of the relay's answer, if it gave one.
    pub code: Option<u16>,
    /// The relay's answer, or what happened instead; one line.
    pub reply: String,
    /// What an operator can do about it, if it is theirs to mend.
    pub advice: Option<&'static str>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.reply)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Returns a failure that is not an answer: nothing came, or something that is not SMTP.
    pub(super) fn relay(step: Step, reply: impl Into<String>) -> Self {
        let reply = one_line(&reply.into());
        Self { step, class: Class::Relay, permanent: false, code: None, reply, advice: None }
    }

    /// Returns a failure of our own settings.
    pub(super) fn configuration(
        step: Step,
        reply: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        let reply = one_line(&reply.into());
        Self {
            step,
            class: Class::Configuration,
            permanent: false,
            code: None,
            reply,
            advice: Some(advice),
        }
    }

    /// Returns a failure that no relay can mend.
    pub(super) fn hopeless(step: Step, class: Class, reply: impl Into<String>) -> Self {
        let reply = one_line(&reply.into());
        Self { step, class, permanent: true, code: None, reply, advice: None }
    }

    /// Returns what a negative answer means.
    pub(super) fn answer(step: Step, code: u16, text: &str) -> Self {
        let reply = one_line(&format!("{code} {text}"));
        let class = classify(step, code, text);
        let advice = (class == Class::Configuration).then(|| advice(step, code, text));
        Self { step, class, permanent: code >= 500, code: Some(code), reply, advice }
    }

    /// Returns what is done about it after so many `attempts`.
    pub(super) fn fate(&self, attempts: i64) -> Fate {
        match self.class {
            Class::Configuration => Fate::Hold,
            // A blocked address of ours is unblocked.
            Class::Reputation if self.step < Step::Message => Fate::Retry,
            // A full mailbox is emptied, and what nobody knows may pass: but not for ever.
            Class::Recipient if self.mailbox_is_full() && attempts < PATIENCE => Fate::Retry,
            Class::Unknown if attempts < PATIENCE => Fate::Retry,
            _ if self.permanent => Fate::Stop,
            _ => Fate::Retry,
        }
    }

    fn mailbox_is_full(&self) -> bool {
        let text = self.reply.split_once(' ').map_or("", |(_, text)| text);
        self.code == Some(552) || matches!(enhanced(text), Some((_, 2, 2)))
    }

    /// Returns whether no message would fare better at present: then none is tried.
    #[must_use]
    pub fn concerns_all(&self) -> bool {
        matches!(self.step, Step::Connect | Step::Tls | Step::Auth)
            || (self.step == Step::Mail && self.class == Class::Configuration)
    }
}

/// How providers say that they do not let us write as `mail.from`.
const SENDER_REFUSED: [&str; 8] = [
    "email address is not verified",
    "sender is not verified",
    "from address is not verified",
    "domain is not verified",
    "does not match a verified sender",
    "not authorized to send",
    "not allowed to send as",
    "sender address rejected",
];

/// Returns whose affair a negative answer is (RFC 5321, 4.2; RFC 3463; wordings seen in the wild).
pub(super) fn classify(step: Step, code: u16, text: &str) -> Class {
    let enhanced = enhanced(text);
    let words = text.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|some| words.contains(some));

    match (code, enhanced) {
        (530 | 534 | 535 | 538, _)
        | (_, Some((_, 7, 8 | 9 | 11 | 20..=27 | 30 | 32) | (_, 1, 7 | 8))) => {
            return Class::Configuration;
        }
        (421, Some((4, 7, _))) => return Class::Reputation,
        (421, _) => return Class::Relay,
        _ => {}
    }
    if step == Step::Auth && code >= 500 {
        return Class::Configuration;
    }
    if code >= 500 && step <= Step::Rcpt {
        let unauthorised = says(&["authentication required", "relay access denied"])
            || says(&["relaying denied", "not permitted to relay", "unable to relay"]);
        if unauthorised || says(&["sender address rejected", "sender rejected", "not verified"]) {
            return Class::Configuration;
        }
    }
    // Providers that look at the sender last say so after the message.
    if code >= 500 && step >= Step::Data && says(&SENDER_REFUSED) {
        return Class::Configuration;
    }
    match step {
        Step::Mail if code == 552 => Class::Content,
        Step::Mail if code >= 500 => Class::Configuration,
        _ if matches!(enhanced, Some((_, 1 | 2, _))) => Class::Recipient,
        _ if says(&["blocklist", "blacklist", "block list", "blocked", "spamhaus"])
            || says(&["reputation", "greylist", "graylist", "listed by", "listed at"]) =>
        {
            Class::Reputation
        }
        _ if matches!(enhanced, Some((4, 7, _))) => Class::Reputation,
        _ if matches!(enhanced, Some((_, 6, _))) => Class::Content,
        Step::Data | Step::Message if code == 552 => Class::Content,
        _ if matches!(enhanced, Some((_, 3 | 4, _))) => Class::Relay,
        Step::Rcpt if matches!(code, 450 | 452 | 550..=553) => Class::Recipient,
        _ if matches!(code, 451 | 452 | 454) => Class::Relay,
        _ => Class::Unknown,
    }
}

/// Returns the enhanced status code that an answer begins with, as it is written.
pub(super) fn enhanced_code(text: &str) -> Option<String> {
    enhanced(text).map(|(class, subject, detail)| format!("{class}.{subject}.{detail}"))
}

/// Returns the enhanced status code that an answer begins with (RFC 2034).
fn enhanced(text: &str) -> Option<(u16, u16, u16)> {
    let mut numbers = text.split_whitespace().next()?.splitn(3, '.').map(str::parse);
    let code = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    matches!(code.0, 2 | 4 | 5).then_some(code)
}

/// Returns what to mend.
fn advice(step: Step, code: u16, text: &str) -> &'static str {
    let words = text.to_lowercase();
    match (step, code) {
        (_, 530 | 538) if words.contains("starttls") || words.contains("encryption") => {
            "the relay wants encryption: set smtp.tls to starttls or implicit"
        }
        (Step::Auth, _) | (_, 534 | 535) => {
            "the relay refused the credentials: check smtp.username and smtp.password"
        }
        (_, 530) => "the relay wants credentials: set smtp.username and smtp.password",
        _ if words.contains("relay") && step == Step::Rcpt => {
            "the relay does not send mail for us: set smtp.username and smtp.password, or allow \
             this machine there"
        }
        _ if words.contains("dkim") || words.contains("spf") || words.contains("dmarc") => {
            "the receiver cannot authenticate the domain of mail.from: check its SPF, DKIM and \
             DMARC records"
        }
        _ => {
            "the relay does not let us send as mail.from: use an address it allows, or verify \
              that one with the provider"
        }
    }
}

/// Returns text from elsewhere as one printable line of bounded length.
pub(super) fn one_line(text: &str) -> String {
    const AT_MOST: usize = 300;
    let printable: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(4 * AT_MOST).collect();
    let line = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= AT_MOST {
        return line;
    }
    line.chars().take(AT_MOST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_one_meaning() {
        use Class::{Configuration, Content, Recipient, Relay, Reputation, Unknown};
        use Fate::{Hold, Retry, Stop};
        for (step, code, text, class, fate) in [
            (Step::Rcpt, 550, "5.1.1 no such user", Recipient, Stop),
            (Step::Rcpt, 550, "5.1.10 null MX", Recipient, Stop),
            (Step::Rcpt, 550, "unknown user", Recipient, Stop),
            (Step::Rcpt, 550, "User not listed in the directory", Recipient, Stop),
            (Step::Rcpt, 550, "5.2.1 mailbox blocked by its owner", Recipient, Stop),
            (Step::Rcpt, 450, "greylisted", Reputation, Retry),
            (Step::Rcpt, 550, "5.2.1 mailbox disabled", Recipient, Stop),
            (Step::Rcpt, 552, "5.2.2 mailbox full", Recipient, Retry),
            (Step::Rcpt, 550, "5.2.2 over quota", Recipient, Retry),
            (Step::Message, 552, "5.2.2 mailbox full", Recipient, Retry),
            (Step::Rcpt, 452, "4.2.2 mailbox full", Recipient, Retry),
            (Step::Rcpt, 450, "4.2.0 greylisted, come back", Recipient, Retry),
            (Step::Rcpt, 451, "4.7.1 greylisting in action", Reputation, Retry),
            (Step::Rcpt, 450, "4.7.28 rate limited", Reputation, Retry),
            (Step::Rcpt, 554, "5.7.1 Client host blocked using zen.example", Reputation, Retry),
            (Step::Message, 550, "5.7.1 message blocked as spam", Reputation, Stop),
            (Step::Rcpt, 554, "5.7.1 <a@b.example>: Relay access denied", Configuration, Hold),
            (Step::Rcpt, 553, "5.7.1 Sender address rejected: not owned", Configuration, Hold),
            (Step::Mail, 553, "5.1.8 sender domain does not exist", Configuration, Hold),
            (Step::Mail, 550, "not your address", Configuration, Hold),
            (Step::Mail, 530, "5.7.0 Must issue a STARTTLS command first", Configuration, Hold),
            (Step::Mail, 530, "Authentication required", Configuration, Hold),
            (Step::Mail, 451, "4.3.0 try later", Relay, Retry),
            (Step::Mail, 552, "5.3.4 too big", Content, Stop),
            (Step::Auth, 535, "5.7.8 bad credentials", Configuration, Hold),
            (Step::Auth, 534, "5.7.9 mechanism too weak", Configuration, Hold),
            (Step::Auth, 454, "4.7.0 temporary failure", Reputation, Retry),
            (Step::Message, 550, "5.7.26 unauthenticated sender", Configuration, Hold),
            (Step::Message, 421, "4.7.32 From is not aligned", Configuration, Hold),
            (Step::Connect, 421, "4.3.2 shutting down", Relay, Retry),
            (Step::Connect, 421, "4.7.0 too many connections", Reputation, Retry),
            (Step::Connect, 554, "5.7.1 your address is on our blocklist", Reputation, Retry),
            (Step::Rcpt, 421, "4.7.28 unusual rate of mail", Reputation, Retry),
            (Step::Message, 421, "try again", Relay, Retry),
            (Step::Rcpt, 551, "user not local", Recipient, Stop),
            (Step::Mail, 501, "5.1.7 bad sender syntax", Configuration, Hold),
            (Step::Message, 550, "5.7.1 This message is blocked", Reputation, Stop),
            (
                Step::Message,
                554,
                "Message rejected: Email address is not verified. The following identities failed",
                Configuration,
                Hold,
            ),
            (
                Step::Message,
                550,
                "The from address does not match a verified Sender Identity",
                Configuration,
                Hold,
            ),
            (Step::Auth, 538, "5.7.11 encryption required", Configuration, Hold),
            (Step::Auth, 504, "5.5.4 unrecognized authentication type", Configuration, Hold),
            (Step::Message, 550, "5.7.23 SPF validation failed", Configuration, Hold),
            (Step::Message, 451, "4.4.2 timeout", Relay, Retry),
            (Step::Message, 452, "4.3.1 disk full", Relay, Retry),
            (Step::Message, 552, "too big", Content, Stop),
            (Step::Message, 554, "5.6.0 bad MIME", Content, Stop),
            (Step::Message, 554, "no", Unknown, Retry),
            (Step::Data, 471, "hm", Unknown, Retry),
        ] {
            let failure = Failure::answer(step, code, text);
            assert_eq!((failure.class, failure.fate(1)), (class, fate), "{step} {code} {text}");
            assert_eq!(failure.advice.is_some(), class == Configuration, "{step} {code} {text}");
        }
    }

    #[test]
    fn doubt_ends() {
        for (step, code, text, last) in [
            (Step::Rcpt, 552, "5.2.2 mailbox full", Fate::Stop),
            (Step::Rcpt, 452, "4.2.2 mailbox full", Fate::Retry),
            (Step::Message, 554, "no", Fate::Stop),
            (Step::Data, 471, "hm", Fate::Retry),
        ] {
            let failure = Failure::answer(step, code, text);
            assert_eq!(failure.fate(PATIENCE - 1), Fate::Retry, "{text}");
            assert_eq!(failure.fate(PATIENCE), last, "{text}");
        }
    }

    #[test]
    fn one_recipient_cannot_stop_the_mail_of_all() {
        for step in [Step::Rcpt, Step::Data, Step::Message] {
            assert!(!Failure::answer(step, 553, "5.7.1 Sender address rejected").concerns_all());
        }
        assert!(Failure::answer(Step::Auth, 535, "no").concerns_all());
        assert!(Failure::answer(Step::Mail, 553, "no").concerns_all());
        assert!(!Failure::answer(Step::Mail, 451, "later").concerns_all());
    }

    #[test]
    fn answers_are_kept_on_one_line() {
        assert_eq!(one_line("550 no\r\nsuch\tuser\u{1b}[31m"), "550 no such user [31m");
        assert_eq!(one_line(&"x".repeat(5000)).chars().count(), 300);
    }
}
