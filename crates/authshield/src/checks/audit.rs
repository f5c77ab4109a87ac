//! AUD-1, AUD-2: whether the audit trail is whole, and whether it is sealed.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::database::has_tables;
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::installation;
use crate::problem::chain;
use crate::seals;
use crate::vault::{SealKey, seal_key};

/// How many links are looked at, at once.
const LINKS: i64 = 5_000;
/// How long an event may wait to be sealed.
const LAG_WARNS: Duration = Duration::from_mins(1);
/// After how long it is said that it is not sealed any more.
const LAG_FAILS: Duration = Duration::from_mins(5);

/// The chain.
pub(super) struct Chain;

impl Check for Chain {
    const ABOUT: About = About {
        id: "AUD-1",
        title: "Chain of the audit trail",
        verifies: "The newest events are what was sealed, in that order, with none missing and none put \
                   between them, and checkpoints are signed by the key of this installation. While the service \
                   runs, one part of the whole chain after the other is looked at as well.",
        expected: "a chain that holds",
        remedy: "Somebody changed the audit trail in the database. Keep a copy of the database as it is, run \
                 `authshield audit verify`, and find out who has its owner's password.",
        parents: &["DB-2", "KEY-1"],
        effect: Effect::Network,
        timeout: Duration::from_secs(30),
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Page },
        every: Some(Duration::from_mins(1)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match whole(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

/// Returns whose chain it is, and the key of its checkpoints.
async fn known(at: &Round) -> Result<(installation::Installation, SealKey), Verdict> {
    has_tables(at).await?;
    let store = at.store().await?;
    let nothing = || Verdict::skip("nothing is sealed yet");
    let installation = installation::look(store).await?.installation.ok_or_else(nothing)?;
    let key = seal_key(store, &at.vault()?).await;
    let key = key.map_err(|error| Verdict::fail(chain(&error)))?.ok_or_else(nothing)?;
    Ok((installation, key))
}

async fn whole(at: &Round) -> Result<Verdict, Verdict> {
    let (installation, key) = known(at).await?;
    if at.app().is_some_and(|app| app.metrics.audit_torn.get() != 0) {
        return Ok(Verdict::fail("what this node sealed is gone from the database"));
    }
    let (store, keys) = (at.store().await?, key.public());
    let (mut report, _) = seals::look(store, &keys, installation.id, None, LINKS).await?;
    let newest = report.links;
    let mut older = None;
    if at.app().is_some() && report.holds() {
        let from = at.audited.lock().map_or_else(|_| seals::Position::default(), |place| *place);
        let (found, next) = seals::look(store, &keys, installation.id, Some(from), LINKS).await?;
        if found.holds()
            && let Ok(mut place) = at.audited.lock()
        {
            *place = next;
        }
        older = Some(found.links);
        report = found;
    }
    if !report.holds() {
        let words = format!("the chain is broken in {} places", report.broken);
        let fact = |verdict: Verdict, found: &seals::Break| verdict.evidence(found.to_string());
        return Ok(report.breaks.iter().take(10).fold(Verdict::fail(words), fact));
    }
    Ok(Verdict::pass(match older {
        Some(older) => {
            format!("{newest} events at the end and {older} before them are what was sealed")
        }
        None => format!("{newest} events at the end are what was sealed"),
    }))
}

/// The sealer.
pub(super) struct Sealing;

impl Check for Sealing {
    const ABOUT: About = About {
        id: "AUD-2",
        title: "Sealing of the audit trail",
        verifies: "No event waits for more than a minute to be sealed: until then it can be changed unseen. \
                   More than five minutes are too many.",
        expected: "events that are sealed within a minute",
        remedy: "Look at the log for why nothing is sealed: the database role needs SELECT and INSERT on \
                 audit_links and audit_checkpoints, and a chain that was broken is not gone on with.",
        parents: &["DB-2", "KEY-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Nothing, start: Act::Nothing, running: Act::Page },
        every: Some(Duration::from_mins(1)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match sealing(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn sealing(at: &Round) -> Result<Verdict, Verdict> {
    let (installation, _) = known(at).await?;
    let mut tx = at.store().await?.glance().await?;
    let oldest = seals::oldest_unsealed(&mut tx, installation.id).await?;
    let Some(oldest) = oldest else { return Ok(Verdict::pass("every event is sealed")) };
    let waits = at.now().since(oldest);
    let words = format!("an event waits to be sealed since {oldest}");
    Ok(if waits > LAG_FAILS {
        Verdict::fail(words)
    } else if waits > LAG_WARNS {
        Verdict::warn(words)
    } else {
        Verdict::pass("events are sealed as they come")
    })
}
