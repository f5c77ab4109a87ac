//! Providers that take mail over HTTP and tell what became of it: one file each.
//!
//! ```text
//! Post ─ Api::hand_over     a message becomes a request (pure), goes, and its answer is judged (pure)
//!      └ Api::drill         the same with a message that goes nowhere: could mail leave?
//! checks ─ Api::account, Api::webhooks     what the provider says of our account
//! POST /webhooks/mail/{provider} ─ take_webhook
//!     Reporter::proof       is it from the provider, and meant for us?  (pure, on the raw bytes)
//!     Reporter::read        what does it say?  (pure)
//!     intake                the payload, sealed, for thirty days; its events, once, into timelines
//! ```
//!
//! To add one: a file with a [`Sender`] and a [`Reporter`], its settings in `config/providers.rs`, and a
//! line in each of the two functions below.

mod api;
mod intake;
mod mailgun;
mod postmark;
mod report;
mod resend;
mod sendgrid;
mod ses;
mod signature;
mod sigv4;
mod sns;
mod sql;
#[cfg(test)]
mod tests;

use std::fmt;

use axum::http::HeaderMap;
use lettre::Address;
use lettre::message::Mailbox;
use secrecy::SecretString;

pub use api::{Api, Remark};
pub(super) use api::{Outgoing, tag};
pub use intake::{
    PAYLOAD_AT_MOST, WebhookError, Webhooks, last_feedback, take_webhook, with_provider,
};
use report::Proof;
pub use report::Refused as WebhookRefused;
use report::Report;

use super::reply::Failure;
use crate::config::{Config, MailProvider};
use crate::kernel::Timestamp;
use api::{Answer, Ask};

/// The name under which our id of a message travels with it, and comes back in reports.
const TAG: &str = "authshield_mail";

/// What is put there for a message that goes nowhere.
const DRILL: &str = "drill";

/// A provider, as far as mail is given to it. Pure: what goes over the wire is made and judged here,
/// and sent elsewhere.
trait Sender: Send + Sync {
    /// Which one it is.
    fn provider(&self) -> MailProvider;

    /// Adds what proves who we are to a request for `url`.
    fn authorize(&self, ask: &mut Ask, url: &url::Url, now: Timestamp);

    /// Returns the request that hands a message over.
    fn send(&self, mail: &Outgoing<'_>) -> Ask;

    /// Returns the provider's name for a message that it took, by which its log knows it.
    fn taken(&self, answer: &Answer) -> Option<String>;

    /// Returns what it means that it did not take a message.
    fn refused(&self, answer: &Answer, from: &Address) -> Failure;

    /// Returns an address whose mail the provider takes and drops.
    fn sink(&self) -> &'static str;

    /// Returns what to ask to know the state of the account.
    fn account(&self, from: &Address) -> Vec<Ask>;

    /// Judges the answers to that.
    fn judge_account(&self, answers: &[Answer], from: &Address) -> Vec<Remark>;

    /// Returns what to ask to know to whom the provider reports; `None` if there is nobody to ask.
    fn webhooks(&self) -> Option<Ask>;

    /// Judges the answer to that: reports should go to `url`.
    fn judge_webhooks(&self, answer: &Answer, url: &str) -> Remark;
}

/// A provider, as far as it reports. Pure, and for what anyone may have written.
trait Reporter: Send + Sync {
    /// Decides whether the provider wrote this, and to us.
    fn proof(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Proof, Refused>;

    /// Reads what it says.
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Report>, Refused>;
}

use report::Refused;

/// Returns who takes mail by the name of `provider`; `None` for a relay, and where settings lack.
fn sender(config: &Config, provider: MailProvider) -> Option<(Box<dyn Sender>, url::Url)> {
    Some(match provider {
        MailProvider::Smtp => return None,
        MailProvider::Ses => (Box::new(ses::Ses::new(&config.ses)?), config.ses.base()?),
        MailProvider::Postmark => {
            (Box::new(postmark::Postmark::new(&config.postmark)?), config.postmark.url.clone())
        }
        MailProvider::Sendgrid => {
            (Box::new(sendgrid::Sendgrid::new(&config.sendgrid)?), config.sendgrid.url.clone())
        }
        MailProvider::Mailgun => {
            (Box::new(mailgun::Mailgun::new(&config.mailgun)?), config.mailgun.url.clone())
        }
        MailProvider::Resend => {
            (Box::new(resend::Resend::new(&config.resend)?), config.resend.url.clone())
        }
    })
}

/// Returns who reports by the name of `provider`; `None` if nothing is configured by which its reports
/// could be believed.
fn reporter(config: &Config, provider: MailProvider) -> Option<Box<dyn Reporter>> {
    Some(match provider {
        MailProvider::Smtp => return None,
        MailProvider::Ses => Box::new(sns::Topics::new(&config.ses)?),
        MailProvider::Postmark => Box::new(postmark::Reports::new(&config.postmark)?),
        MailProvider::Sendgrid => Box::new(sendgrid::Reports::new(&config.sendgrid)?),
        MailProvider::Mailgun => Box::new(mailgun::Reports::new(&config.mailgun)?),
        MailProvider::Resend => Box::new(resend::Reports::new(&config.resend)?),
    })
}

/// Reads a report of `provider` as if it had proved who wrote it.
#[cfg(any(test, fuzzing))]
fn read_webhook(
    provider: MailProvider,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<Report>, Refused> {
    match provider {
        MailProvider::Smtp => Err(Refused::Malformed),
        MailProvider::Ses => sns::read(body),
        MailProvider::Postmark => postmark::read(body),
        MailProvider::Sendgrid => sendgrid::read(body),
        MailProvider::Mailgun => mailgun::read(body),
        MailProvider::Resend => resend::read(headers, body),
    }
}

/// Reads what may be a report of `provider`, and panics if something about it has no bound.
#[cfg(any(test, fuzzing))]
pub fn webhook_is_bounded(provider: MailProvider, headers: &HeaderMap, body: &[u8]) {
    let Ok(reports) = read_webhook(provider, headers, body) else { return };
    assert!(reports.len() <= body.len());
    for report in reports {
        let cause = report.cause;
        let texts = [
            Some(report.event_id),
            report.provider_id,
            cause.reply,
            cause.remote_mta,
            cause.enhanced_code,
        ];
        for text in texts.into_iter().flatten() {
            assert!(text.chars().count() <= 300, "{text}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

/// A key, and the setting that has it.
struct Key(SecretString);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Returns a mailbox the way JSON bodies name one: `Name <address>`.
fn named(mailbox: &Mailbox) -> String {
    mailbox.to_string()
}
