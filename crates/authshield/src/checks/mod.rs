//! What could be wrong around the program, looked at before traffic is taken, at the start, and for
//! as long as it runs: one check, one implementation, three occasions.
//!
//! ```text
//! check.rs      what a check is, and how one is added
//! policy.rs     what a bad result means at the gate, at the start, and while running
//! finding.rs    what a check came to: expected, observed, evidence, remedy
//! redact.rs     nothing secret leaves, whatever a library says
//! round.rs      what checks look at
//! run.rs        parents first, several at once, none for ever
//! report.rs     the result of a run: for people, as JSON
//! start.rs      what keeps a server from starting
//! runner.rs     looks again and again; rules.rs decides what to believe, board.rs knows it
//! http.rs       what operators see; sql.rs remembers
//! configuration, database, keys, relay, dns, web …     the checks, one file or folder per family
//! ```

mod audit;
mod board;
mod breached;
mod canary;
mod capacity;
mod captcha;
mod check;
mod configuration;
mod database;
mod dns;
mod domains;
mod exports;
mod federation;
mod finding;
mod geoip;
mod host;
pub mod http;
mod installation;
mod keys;
mod letter;
mod operations;
#[cfg(test)]
mod page;
mod policy;
mod privileges;
mod providers;
mod redact;
mod redis;
mod relay;
mod report;
mod round;
mod rules;
mod run;
mod runner;
mod sql;
mod standing;
mod start;
mod theme;
mod ways_in;
mod web;
mod x509;

pub use board::{Board, Row};
pub use check::{About, Check, Effect, Entry, Scope};
pub use finding::{Finding, Status, Verdict};
pub use letter::Order;
pub use policy::{Act, Overrides, Policy, UnknownCheck};
pub use redact::Redactor;
pub use report::{Report, SCHEMA_VERSION, schema};
pub use round::{Round, Subject};
pub use run::{Occasion, Plan, run};
pub use runner::run as watch;
pub use sql::PastChange;
pub use standing::Standing;
pub use start::{at_start, once_listening};
pub(crate) use web::PATH as PROBE;
pub use web::StandIn;
pub(crate) use web::http::probe;
pub use x509::not_after;

/// Every check there is, parents before their children. A new one belongs here.
#[must_use]
pub fn all() -> Vec<Entry> {
    vec![
        Entry::of::<configuration::Names>(),
        Entry::of::<configuration::Values>(),
        Entry::of::<host::SecretFiles>(),
        Entry::of::<host::Process>(),
        Entry::of::<database::Connection>(),
        Entry::of::<database::Schema>(),
        Entry::of::<privileges::Privileges>(),
        Entry::of::<installation::Identity>(),
        Entry::of::<installation::Drift>(),
        Entry::of::<database::Clock>(),
        Entry::of::<database::Durability>(),
        Entry::of::<capacity::Capacity>(),
        Entry::of::<capacity::Collation>(),
        Entry::of::<installation::Backup>(),
        Entry::of::<redis::Connection>(),
        Entry::of::<redis::Eviction>(),
        Entry::of::<keys::Signing>(),
        Entry::of::<keys::Rotation>(),
        Entry::of::<keys::Sealed>(),
        Entry::of::<relay::Sandbox>(),
        Entry::of::<relay::Greeting>(),
        Entry::of::<relay::Capabilities>(),
        Entry::of::<relay::Encryption>(),
        Entry::of::<relay::Credentials>(),
        Entry::of::<relay::Sender>(),
        Entry::of::<providers::Ses>(),
        Entry::of::<providers::Postmark>(),
        Entry::of::<providers::Sendgrid>(),
        Entry::of::<providers::Mailgun>(),
        Entry::of::<providers::Resend>(),
        Entry::of::<providers::Feedback>(),
        Entry::of::<dns::Spf>(),
        Entry::of::<dns::Dkim>(),
        Entry::of::<dns::Dmarc>(),
        Entry::of::<dns::Bounces>(),
        Entry::of::<dns::Agreement>(),
        Entry::of::<letter::Arrival>(),
        Entry::of::<canary::Mailboxes>(),
        Entry::of::<canary::Arrives>(),
        Entry::of::<canary::Authentic>(),
        Entry::of::<web::Certificate>(),
        Entry::of::<web::Loop>(),
        Entry::of::<web::Proxies>(),
        Entry::of::<web::Issuer>(),
        Entry::of::<host::Hashing>(),
        Entry::of::<breached::File>(),
        Entry::of::<breached::Api>(),
        Entry::of::<domains::File>(),
        Entry::of::<geoip::File>(),
        Entry::of::<theme::Files>(),
        Entry::of::<captcha::CaptchaKeys>(),
        Entry::of::<audit::Chain>(),
        Entry::of::<audit::Sealing>(),
        Entry::of::<operations::Administrators>(),
        Entry::of::<operations::SecondFactorPolicy>(),
        Entry::of::<ways_in::WaysIn>(),
        Entry::of::<operations::Collector>(),
        Entry::of::<federation::Reachable>(),
        Entry::of::<exports::Receivers>(),
        Entry::of::<exports::Progress>(),
    ]
}

/// Forgets changes of beliefs from before `before`, and returns how many.
pub async fn forget(
    store: &onesql::Store,
    before: crate::kernel::Timestamp,
) -> onesql::Result<u64> {
    const BATCH: i64 = 500;
    let mut gone = 0;
    loop {
        let mut tx = store.write().await?;
        let rows = sql::purge(&mut tx, before, BATCH).await?;
        tx.commit().await?;
        gone += rows;
        if rows < BATCH.unsigned_abs() {
            return Ok(gone);
        }
    }
}

/// Reads `checks.policy`.
pub fn overrides(config: &crate::config::Config) -> Result<Overrides, UnknownCheck> {
    let ids: Vec<_> = all().iter().map(|entry| entry.about.id).collect();
    Overrides::read(&config.checks.policy, &ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_declared_whole_and_after_its_parents() {
        let mut seen = Vec::new();
        for Entry { about, .. } in all() {
            assert!(!seen.contains(&about.id), "{} is there twice", about.id);
            for parent in about.parents {
                assert!(seen.contains(parent), "{} stands before its parent {parent}", about.id);
            }
            for text in [about.title, about.verifies, about.expected, about.remedy] {
                assert!(!text.is_empty(), "{} says too little", about.id);
            }
            assert!(about.remedy.ends_with('.') && about.verifies.ends_with('.'), "{}", about.id);
            for name in about.settings {
                assert!(crate::config::setting(name).is_some(), "{}: {name}", about.id);
            }
            let repeated = about.policy.running != Act::Nothing;
            assert_eq!(about.every.is_some(), repeated, "{}: how often?", about.id);
            seen.push(about.id);
        }
    }
}
