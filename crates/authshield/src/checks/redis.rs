//! RED: Redis or Valkey, which several nodes share their limits through.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;

/// Being reached.
pub(super) struct Connection;

impl Check for Connection {
    const ABOUT: About = About {
        id: "RED-1",
        title: "Redis connection",
        verifies: "Redis or Valkey is reached by a new connection with the configured address, password \
                   and encryption, is the primary, and runs scripts. Without it, each node counts for \
                   itself with half of every budget; nobody is kept from signing in.",
        expected: "a primary that answers and runs scripts",
        remedy: "Check that the server runs, and that the address and the password are right.",
        settings: &["redis_url"],
        parents: &["CFG-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_secs(15)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let facts = match at.redis().await {
            Ok(facts) => facts,
            Err(verdict) => return verdict,
        };
        let words = format!("version {} answers after {:.1?}", facts.version, facts.latency);
        if facts.role != "master" {
            return Verdict::fail(format!("{words}, but it is a replica"))
                .remedy("Name the primary.");
        }
        Verdict::pass(words)
    }
}

/// Keeping what it is told.
pub(super) struct Eviction;

impl Check for Eviction {
    const ABOUT: About = About {
        id: "RED-2",
        title: "Redis keeps its keys",
        verifies: "Redis throws nothing away when its memory is full (maxmemory-policy is noeviction), \
                   and has not since the last look: a limit whose counter is thrown away is none.",
        expected: "maxmemory-policy noeviction, and no key evicted",
        remedy: "Set maxmemory-policy to noeviction, and give it enough memory.",
        settings: &["redis_url"],
        parents: &["RED-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_mins(1)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let facts = match at.redis().await {
            Ok(facts) => facts,
            Err(verdict) => return verdict,
        };
        let before = at.evicted.swap(facts.evicted, Ordering::Relaxed);
        if let Some(app) = at.app()
            && before != u64::MAX
        {
            // Less than before is a server that was restarted.
            app.metrics.redis_evictions.inc_by(facts.evicted.saturating_sub(before));
        }
        let words = format!("maxmemory-policy is {}", facts.policy);
        let verdict = if facts.policy != "noeviction" && facts.memory > 0 {
            Verdict::fail(format!("{words}, with {} bytes of memory", facts.memory))
        } else if facts.policy != "noeviction" {
            Verdict::warn(format!("{words}, which does no harm while memory has no limit"))
        } else if before != u64::MAX && facts.evicted > before {
            Verdict::fail(format!(
                "{} keys were evicted since the last look",
                facts.evicted - before
            ))
        } else {
            Verdict::pass(words)
        };
        verdict.evidence(format!("{} keys evicted since it started", facts.evicted))
    }
}
