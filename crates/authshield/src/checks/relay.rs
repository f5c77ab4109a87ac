//! SMTP: the relay, by the way that every message goes; nothing is sent.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use super::x509::not_after;
use crate::config::{SmtpTls, is_sandbox_relay};
use crate::mail::{Class, Failure, Step, Walk};

const POLICY: Policy = Policy { gate: Act::Fail, start: Act::Degrade, running: Act::Degrade };

/// Its user name and password are ours to mend: no outage, and it will not pass by itself.
const PAGE: Policy = Policy { running: Act::Page, ..POLICY };

/// How often a running service goes to its relay.
const EVERY: Option<Duration> = Some(Duration::from_mins(2));

/// Longer than a step of the conversation may be told to take by default.
const PATIENCE: Duration = Duration::from_secs(50);

const BASE: About = About {
    parents: &["SMTP-1"],
    effect: Effect::Network,
    timeout: PATIENCE,
    policy: POLICY,
    every: EVERY,
    scope: Scope::Service,
    ..About::BASE
};

/// Goes to the relay until `far_enough`; a failure at one of `steps` is the verdict.
async fn walk(
    at: &Round,
    steps: &[Step],
    far_enough: impl Fn(&Walk) -> bool + Send,
) -> Result<Walk, Verdict> {
    let walk = at.walk(far_enough).await?;
    match &walk.failed {
        Some(failure) if steps.contains(&failure.step) => Err(verdict(failure)),
        Some(failure) if failure.step < steps[0] => {
            Err(Verdict::skip(format!("the relay was not reached so far: {failure}")))
        }
        _ => Ok(walk),
    }
}

pub(super) fn verdict(failure: &Failure) -> Verdict {
    let verdict = Verdict::fail(failure.to_string())
        .evidence(format!("classified as: {}", failure.class.as_str()));
    match failure.advice {
        Some(advice) => verdict.remedy(sentence(advice)),
        None => verdict,
    }
}

/// Makes a sentence of an advice.
fn sentence(advice: &str) -> String {
    let mut letters = advice.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// A relay that delivers nothing.
pub(super) struct Sandbox;

impl Check for Sandbox {
    const ABOUT: About = About {
        id: "SMTP-6",
        title: "Relay is real",
        verifies: "In production the relay is none of those that take mail and show it to nobody: \
                   sandboxes of providers, and mail catchers for development.",
        expected: "a relay that delivers",
        remedy: "Put the real relay into smtp.host.",
        settings: &["smtp.host"],
        parents: &["CFG-1", "CFG-2"],
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Nothing },
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let config = at.config();
        match &config.smtp.host {
            None if config.sends_mail() => {
                Verdict::pass("mail goes to a provider, and to no relay")
            }
            None => Verdict::skip("development keeps mail instead of sending it"),
            Some(host) if !is_sandbox_relay(host) => Verdict::pass(format!("{host} is none")),
            Some(host) if config.is_production() => {
                Verdict::fail(format!("{host} takes mail and delivers none"))
            }
            Some(host) => Verdict::pass(format!("{host} delivers nothing, which is as wanted")),
        }
    }
}

/// Reaching it.
pub(super) struct Greeting;

impl Check for Greeting {
    const ABOUT: About = About {
        id: "SMTP-1",
        title: "Relay answers",
        verifies: "The name of the relay resolves, its port takes a connection, and it greets. A relay \
                   that takes more than a quarter of smtp.timeout for one answer is a warning: mail \
                   will be late, or not leave at all.",
        expected: "a greeting, well within smtp.timeout",
        remedy: "Check smtp.host and smtp.port. Many clouds close ports 25, 465 and 587 until they are \
                 asked, and some for good: then use the relay's other port.",
        settings: &["smtp.host", "smtp.port", "smtp.timeout"],
        parents: &["SMTP-6"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        let walk = match walk(at, &[Step::Write, Step::Connect], Walk::greeted).await {
            Ok(walk) => walk,
            Err(verdict) => return verdict,
        };
        let took = walk.slowest;
        let words = format!("{} answers; its slowest answer took {took:.0?}", walk.relay);
        if took > at.config().smtp.timeout / 4 {
            return Verdict::warn(words).remedy("Ask the relay's operator why it is slow.");
        }
        Verdict::pass(words)
    }
}

/// What it can do.
pub(super) struct Capabilities;

impl Check for Capabilities {
    const ABOUT: About = About {
        id: "SMTP-2",
        title: "Relay's capabilities",
        verifies: "What the relay answers to EHLO is recorded, and has what our settings need: STARTTLS \
                   unless encryption is implicit or off, and AUTH with PLAIN or LOGIN when there is a \
                   user name.",
        expected: "STARTTLS and AUTH as far as the settings need them",
        remedy: "Use the relay's port for submission (587, or 465 with smtp.tls = implicit).",
        settings: &["smtp.tls", "smtp.port", "smtp.username"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        let walk = match at.walk(Walk::encrypted).await {
            Ok(walk) => walk,
            Err(verdict) => return verdict,
        };
        let lacks =
            |failure: &&Failure| failure.step == Step::Tls && failure.reply.contains("STARTTLS");
        if let Some(failure) = walk.failed.as_ref().filter(lacks) {
            return verdict(failure);
        }
        // Whatever is wrong with its certificate, SMTP-3 says.
        if walk.failed.as_ref().is_some_and(|failure| failure.step == Step::Tls) {
            return Verdict::pass("it offers STARTTLS");
        }
        let offers = walk.capabilities.iter().any(|line| line.starts_with("AUTH"));
        if at.smtp().username.is_some() && !offers {
            return Verdict::fail("the relay offers no AUTH, and smtp.username is set");
        }
        Verdict::pass(walk.capabilities.join(", "))
    }
}

/// How it is encrypted.
pub(super) struct Encryption;

impl Check for Encryption {
    const ABOUT: About = About {
        id: "SMTP-3",
        title: "Relay's certificate",
        verifies: "The conversation is encrypted with TLS 1.2 or newer, the certificate is signed by an \
                   authority that is trusted, is for the relay's name, and does not end within 7 days.",
        expected: "a valid certificate for smtp.host that lasts",
        remedy: "Tell the relay's operator, or set smtp.ca_file if a private authority signed it.",
        settings: &["smtp.tls", "smtp.host", "smtp.ca_file"],
        parents: &["SMTP-2"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        if at.config().smtp.tls == SmtpTls::None {
            let words = "the conversation is not encrypted (smtp.tls is none)";
            let local = at.config().smtp.host.as_deref().is_some_and(is_this_machine);
            return if local { Verdict::pass(words) } else { Verdict::warn(words) };
        }
        let walk = match walk(at, &[Step::Tls], Walk::encrypted).await {
            Ok(walk) => walk,
            Err(verdict) => return verdict,
        };
        let Some(ends) = walk.certificate.as_deref().and_then(not_after) else {
            return Verdict::pass("encrypted; when the certificate ends is not known");
        };
        let words = format!("encrypted; the certificate ends at {}", ends.to_minute());
        let week = Duration::from_hours(7 * 24);
        if at.now() + week > ends { Verdict::warn(words) } else { Verdict::pass(words) }
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether it knows us.
pub(super) struct Credentials;

impl Check for Credentials {
    const ABOUT: About = About {
        id: "SMTP-4",
        title: "Relay's credentials",
        verifies: "The relay accepts the user name and the password. A refusal is a fault of the \
                   configuration, not an outage: queued mail waits and uses up none of its attempts.",
        expected: "the relay accepts smtp.username and smtp.password",
        remedy: "Correct smtp.username and smtp.password.",
        settings: &["smtp.username", "smtp.password"],
        parents: &["SMTP-3"],
        policy: PAGE,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        let Some(username) = at.smtp().username else {
            return Verdict::pass("none are used");
        };
        match walk(at, &[Step::Auth], Walk::known).await {
            Ok(_) => Verdict::pass(format!("the relay knows {username}")),
            Err(verdict) => verdict,
        }
    }
}

/// Whether we may send.
pub(super) struct Sender;

impl Check for Sender {
    const ABOUT: About = About {
        id: "SMTP-5",
        title: "Relay takes our sender",
        verifies: "The relay takes mail with the envelope address that mails leave with (bounce.address, \
                   or the sender's), and for a recipient (the sender itself); then the message is called \
                   off, so nothing is sent.",
        expected: "the relay lets us send as mail.from, or as bounce.address where that is set",
        remedy: "Use a sender that the relay allows, or verify that one with the provider.",
        settings: &["mail.from", "bounce.address", "smtp.username"],
        parents: &["SMTP-4"],
        policy: PAGE,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        let walk = match walk(at, &[Step::Mail, Step::Rcpt], Walk::is_over).await {
            Ok(walk) => walk,
            Err(verdict) => return verdict,
        };
        let words = format!("{} takes mail from {}", walk.relay, walk.sender);
        match &walk.recipient_refused {
            // Nobody need have a mailbox at the address that we write from.
            Some(failure) if failure.class == Class::Recipient => {
                Verdict::pass(words).evidence(format!("not to itself: {failure}"))
            }
            Some(failure) if failure.class == Class::Configuration => verdict(failure),
            Some(failure) => Verdict::warn(failure.to_string()),
            None => Verdict::pass(words),
        }
    }
}
