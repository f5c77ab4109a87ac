//! DIS-1: domains whose addresses nobody keeps.

use std::time::Duration;

use super::check::{About, Check};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::config::DisposableDomains;
use crate::domains::{self, Domains};
use crate::problem::chain;

/// The file of disposable domains.
pub(super) struct File;

impl Check for File {
    const ABOUT: About = About {
        id: "DIS-1",
        title: "Disposable domains",
        verifies: "The file of disposable domains, if one is configured, can be read, is text with a domain on each \
                   line, and there is one if they are to be refused. The service goes on without it: then no \
                   domain is disposable, or what it read before still counts.",
        expected: "a file with domains, one to a line, or none",
        remedy: "Put a file in the place of the old one by renaming it; it is read within seconds. `#` begins a comment.",
        settings: &["registration.disposable_domains_file", "registration.disposable_domains"],
        parents: &["CFG-2"],
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_mins(1)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let registration = &at.config().registration;
        let Some(file) = registration.disposable_domains_file.clone() else {
            return if registration.disposable_domains == DisposableDomains::Refuse {
                Verdict::fail(
                    "they are to be refused (registration.disposable_domains), and no file says which they are",
                )
            } else {
                Verdict::skip("none is used (registration.disposable_domains_file is not set)")
            };
        };
        let shown = file.display().to_string();
        let app = at.app().cloned();
        let looked = tokio::task::spawn_blocking(move || match app {
            Some(app) => app.domains.standing(),
            None => Domains::new(Some(file)).standing(),
        });
        match looked.await {
            Ok((about, trouble)) => judge(&shown, about, trouble),
            Err(error) => Verdict::error(chain(&error)),
        }
    }
}

fn judge(file: &str, about: Option<domains::About>, trouble: Option<String>) -> Verdict {
    match (about, trouble) {
        (None, why) => {
            let why = why.unwrap_or_else(|| "it was not read yet".to_owned());
            Verdict::fail(format!("{file}: {why}; no domain is disposable"))
        }
        (Some(about), Some(why)) => {
            Verdict::fail(format!("{file}: {why}; {} domains still count", about.domains))
        }
        (Some(domains::About { domains, skipped, first_skipped: Some(line) }), None) => {
            Verdict::warn(format!(
                "{domains} domains; {skipped} lines are none, the first of them line {line}"
            ))
        }
        (Some(about), None) => Verdict::pass(format!("{} domains", about.domains)),
    }
}
