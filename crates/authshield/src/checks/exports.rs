//! OBS-2, OBS-3: whether those can be reached who are given events, and whether they take them.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::database::has_tables;
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::exports::{self, Senders, Sink};

/// For how long a sink may fail before somebody should know.
const FAILS: Duration = Duration::from_mins(10);

/// The settings that name a sink.
const SETTINGS: &[&str] = &["export_webhook.url", "export_syslog.address"];

/// Nobody is to be given events.
const NOBODY: &str =
    "events go nowhere else (export_webhook.url and export_syslog.address are not set)";

/// Being reached.
pub(super) struct Receivers;

impl Check for Receivers {
    const ABOUT: About = About {
        id: "OBS-2",
        title: "Receivers of events",
        verifies: "Each receiver of events is reached, and is who it should be: a webhook answers a HEAD \
                   request with whatever it likes, a syslog server takes a TLS connection. No event is sent.",
        expected: "receivers that are there",
        remedy: "Check the address, and that a firewall lets this node through.",
        settings: SETTINGS,
        parents: &["CFG-2"],
        effect: Effect::Network,
        timeout: Duration::from_secs(25),
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_mins(5)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let senders = match Senders::from_config(at.config()) {
            Ok(senders) => senders,
            Err(error) => return Verdict::fail(error.to_string()),
        };
        let probed = senders.probe().await;
        if probed.is_empty() {
            return Verdict::skip(NOBODY);
        }
        let names: Vec<_> = probed.iter().map(|(sink, _)| sink.as_str()).collect();
        match probed.iter().find_map(|(sink, found)| Some((sink, found.as_ref().err()?))) {
            Some((sink, why)) => Verdict::fail(format!("{}: {why}", sink.as_str())),
            None => Verdict::pass(format!("{} can be reached", names.join(" and "))),
        }
    }
}

/// Getting on.
pub(super) struct Progress;

impl Check for Progress {
    const ABOUT: About = About {
        id: "OBS-3",
        title: "Export of events",
        verifies: "Each receiver of events takes them: none fails for more than ten minutes, and there is no \
                   event that one did not take.",
        expected: "events that are taken as they come",
        remedy: "`authshield events sinks` tells what the receiver says; what it did not take is sent again by \
                 `authshield events replay`.",
        settings: SETTINGS,
        parents: &["DB-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Warn, start: Act::Nothing, running: Act::Degrade },
        every: Some(Duration::from_mins(1)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match progress(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn progress(at: &Round) -> Result<Verdict, Verdict> {
    if Sink::configured(at.config()).is_empty() {
        return Ok(Verdict::skip(NOBODY));
    }
    has_tables(at).await?;
    let mut tx = at.store().await?.glance().await?;
    let standings = exports::standings(at.config(), &mut tx).await?;
    for it in &standings {
        let sink = it.sink.as_str();
        if let Some(since) = it.failing_since.filter(|since| at.now().since(*since) > FAILS) {
            let why = it.last_error.as_deref().unwrap_or("nobody knows why");
            return Ok(Verdict::fail(format!("{sink} takes nothing since {since}: {why}")));
        }
        if it.dead_letters > 0 {
            return Ok(Verdict::warn(format!("{sink} did not take {} events", it.dead_letters)));
        }
    }
    Ok(Verdict::pass("events are taken as they come"))
}
