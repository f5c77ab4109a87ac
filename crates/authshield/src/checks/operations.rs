//! ADM-1, ADM-2, OBS-1: who can administer the service, who must have a second factor, and who is told.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use super::sql;
use crate::second_factor;

/// Administrators.
pub(super) struct Administrators;

impl Check for Administrators {
    const ABOUT: About = About {
        id: "ADM-1",
        title: "Administrators",
        verifies: "Somebody who can sign in holds the role admin, and no link to make the first \
                   administrator still works where there are accounts.",
        expected: "an administrator, and no open link to become one",
        remedy: "Make one: `authshield user grant EMAIL admin`.",
        parents: &["DB-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_mins(10)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match administrators(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn administrators(at: &Round) -> Result<Verdict, Verdict> {
    super::database::has_tables(at).await?;
    let found = sql::administrators(at.store().await?, at.now()).await?;
    Ok(match (found.users, found.admins, found.links) {
        (0, ..) => Verdict::pass("nobody has an account yet"),
        (_, 0, _) => Verdict::warn("nobody can administer the service"),
        (_, _, 1..) => Verdict::warn("a link to make the first administrator still works")
            .remedy("Open it and see who gets in, or wait until it ends: it works for 24 hours."),
        (_, admins, _) => Verdict::pass(format!("{admins} can administer the service")),
    })
}

/// Who must have a second factor.
pub(super) struct SecondFactorPolicy;

impl Check for SecondFactorPolicy {
    const ABOUT: About = About {
        id: "ADM-2",
        title: "Second-factor policy",
        verifies: "Every role that `second_factor.required_for` names exists: otherwise nobody must have a \
                   second factor who should.",
        expected: "roles that exist",
        remedy: "Correct second_factor.required_for, or add the role: `authshield role create NAME`.",
        settings: &["second_factor.required_for"],
        parents: &["DB-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Page },
        every: Some(Duration::from_mins(10)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match second_factor_policy(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn second_factor_policy(at: &Round) -> Result<Verdict, Verdict> {
    super::database::has_tables(at).await?;
    let required = &at.config().second_factor.required_for;
    let except = &at.config().second_factor.trusted_device_except;
    let named = [required.as_slice(), except.as_slice()].concat();
    let unknown = second_factor::unknown_role(at.store().await?, &named).await?;
    Ok(match unknown {
        Some(role) => Verdict::fail(format!("there is no role {role:?}")),
        None if required.is_empty() => Verdict::pass("nobody must have a second factor"),
        None => Verdict::pass(format!("asked for from {}", required.join(", "))),
    })
}

/// The collector of traces.
pub(super) struct Collector;

impl Check for Collector {
    const ABOUT: About = About {
        id: "OBS-1",
        title: "Trace collector",
        verifies: "The collector of traces takes a connection, if one is configured.",
        expected: "a collector that takes a connection",
        remedy: "Check otel.endpoint, and that the collector runs.",
        settings: &["otel.endpoint"],
        parents: &["CFG-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_mins(5)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let Some(endpoint) = &at.config().otel.endpoint else {
            return Verdict::skip("traces go nowhere (otel.endpoint is not set)");
        };
        let (Some(host), Some(port)) = (endpoint.host_str(), endpoint.port_or_known_default())
        else {
            return Verdict::fail("otel.endpoint names no host");
        };
        match tokio::net::TcpStream::connect((host, port)).await {
            Ok(_) => Verdict::pass(format!("{host}:{port} takes connections")),
            Err(error) => Verdict::fail(format!("{host}:{port}: {error}")),
        }
    }
}
