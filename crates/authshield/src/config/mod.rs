//! Every setting: declared once, read once, audited always.
//!
//! ```text
//! root, storage, web, mail, accounts, risk, tokens, pages, operations    the declarations, one per setting
//!     sources::gather    file, environment, command line: who said what, and which names nobody knows
//!     Config::read       every value against its lints, type and bounds; else its default
//!     rules::judge       the values against each other
//!     load               all findings in one go, or a configuration and where each value came from
//! faces                  what the declarations look like to people and editors
//! fingerprint            whether two configurations are the same, without keeping either
//! process                the only place that looks at the real environment
//! ```

mod accounts;
mod canary;
mod captcha;
mod export;
mod faces;
mod federation;
mod finding;
mod fingerprint;
mod lints;
mod mail;
mod names;
mod operations;
mod pages;
mod process;
mod providers;
mod reader;
mod risk;
mod root;
mod rules;
mod setting;
mod sources;
mod storage;
#[cfg(test)]
mod tests;
mod tokens;
mod value;
mod web;

pub use accounts::{
    BreachedAtSignIn, BreachedRanges, DisposableDomains, DuplicateEmail, Password, Recovery,
    Registration, Verification,
};
pub use canary::{Canary, CanaryMailbox};
pub use captcha::{Captcha, CaptchaProvider, CaptchaWhen};
pub use export::{EventFormat, ExportSyslog, ExportWebhook};
pub use faces::{argument_help, explain, reference, sample, schema, show, show_json};
pub use federation::{OauthKind, OauthProvider, PERSONAL_ACCOUNTS, apple_key};
pub use finding::{Finding, Refused, Severity};
pub use fingerprint::{Changes, FingerprintKey, Fingerprints};
pub use lints::{Lint, is_sandbox_relay};
pub use mail::{Bounce, ImapTls, Mail, Smtp, SmtpFallback, SmtpTls};
pub use operations::{Audit, Checks, Docs, Otel, Unknown};
pub use pages::{Colour, Font, Pages};
pub use process::{DEFAULT_FILE, from_outside, from_process};
pub use providers::{MailProvider, Mailgun, Postmark, Resend, Sendgrid, Ses};
pub use reader::Effective;
pub use risk::{Risk, RiskAction, RiskMode, RiskNotice};
pub use root::{Config, Environment, LogFormat, ProxyProtocol};
pub use setting::{Fallback, Kind, PREFIX, Section, Setting};
pub use sources::{Source, Sources};
pub use storage::Database;
pub use tokens::{Refresh, Session, SigningAlgorithm, Token};
pub use value::Rate;
pub use web::{Cors, Dns, Geoip, LimitStore, RateLimit, Tls};

use reader::Reader;
use rules::GivenNames;

/// Every section, in the order of the reference page.
pub const SECTIONS: &[Section] = Config::TREE;

/// Returns every setting, in the order of the reference page.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// Finds a setting by its dotted name.
#[must_use]
pub fn setting(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name == name)
}

/// A configuration to start with, and what is to be said about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// What somebody should know, although nothing stops the start.
    pub warnings: Vec<Finding>,
    /// Every setting with its value and where that came from, in the order of the reference page.
    pub effective: Vec<Effective>,
}

/// Reads the sources, or returns everything that is wrong with them.
///
/// Pure: it looks at nothing but `sources`.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Refused> {
    let gathered = sources::gather(sources);
    let mut reader = Reader::new(&gathered);
    let config = Config::read(&mut reader);

    let given: GivenNames = gathered.given.keys().copied().collect();
    let mut judged = rules::judge(&config, &given);
    judged.retain(|finding| !finding.settings.iter().any(|name| reader.failed.contains(name)));
    for finding in &mut judged {
        reader.waive(finding);
    }

    let (effective, read) = (reader.effective, reader.findings);
    let mut findings = gathered.findings;
    findings.extend(read);
    findings.extend(judged);
    if config.config.unknown == Unknown::Warn {
        for finding in findings.iter_mut().filter(|finding| finding.id == "unknown-name") {
            finding.severity = Severity::Warning;
        }
    }
    let (refusals, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(Finding::is_refusal);
    if refusals.is_empty() {
        Ok(Loaded { config, warnings, effective })
    } else {
        Err(Refused { refusals, warnings })
    }
}

/// Reads a file's text and variables: what most tests need.
pub fn load_text<'a>(
    text: &str,
    env: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Loaded, Refused> {
    load(&Sources::new().file(DEFAULT_FILE, text).env(env))
}

/// Returns what holds on a developer's machine when nothing is set.
#[must_use]
pub fn development() -> Config {
    load(&Sources::new()).expect("the defaults are a configuration").config
}
