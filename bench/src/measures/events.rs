//! What writing security events costs a sign-in.
//!
//! Events cannot be switched off, so there is nothing to compare with. What one costs is measured at a request
//! that does nothing else: somebody brings a link that nobody was sent. Off that comes what
//! a request costs that writes one row of another kind: the request itself and the transaction, which a sign-in
//! has anyway. What is left is more than the event, by two statements that look for the link, less that
//! row.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Bench, Stage, say};
use crate::base::{Kind, runtime};
use crate::clients::{Challenge, SignIn, StrangeLink};
use crate::cpu::Server;
use crate::limits::argon::Cost;
use crate::load::Client;
use crate::table::{Row, Target, Unit};

const USERS: u32 = 100;
const CONNECTIONS: u32 = 8;
/// How long the service may take to seal what was written.
const SEALED_WITHIN: Duration = Duration::from_mins(2);

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let stage = bench.start(kind, USERS, Cost::DEFAULT)?;
    let server = Server::find(kind)?;
    let mut sign_in = SignIn::many(CONNECTIONS as usize, 0..USERS);
    let mut event = StrangeLink::many(CONNECTIONS);
    let mut row = Challenge::many(CONNECTIONS);
    let (mut costs, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let whole = weigh(bench, &stage, &server, &mut sign_in)?;
        let with = weigh(bench, &stage, &server, &mut event)?;
        let without = weigh(bench, &stage, &server, &mut row)?;
        say(&format!(
            "a sign-in, a request with an event and one without: {whole:.2?} {with:.2?} {without:.2?}"
        ));
        if with.events < 0.99 || without.events > 0.01 {
            bail!("those requests write other events than they should");
        }
        let each = (with.cost - without.cost) / (with.events - without.events);
        costs.push((whole.events * each, whole.cost));
        rates.push((whole.events * whole.rate, with.events * with.rate));
    }
    Ok(vec![
        Row::ratio(
            "CPU of the security events of a sign-in",
            kind.name(),
            Unit::Microseconds,
            &costs,
            "of all of it",
            Target::Below(0.03),
        ),
        Row::ratio(
            "events that sign-ins write",
            kind.name(),
            Unit::PerSecond,
            &rates,
            "that can be written",
            Target::None,
        ),
    ])
}

/// What a request costs.
#[derive(Debug)]
struct Weight {
    rate: f64,
    /// Microseconds of a core, in the service and in the database server.
    cost: f64,
    /// How many events it writes.
    events: f64,
}

/// Drives until the events that come of it are sealed: that is part of their cost.
fn weigh(
    bench: &Bench,
    stage: &Stage,
    server: &Server,
    clients: &mut Vec<Box<dyn Client>>,
) -> Result<Weight> {
    let spent = || Ok::<_, anyhow::Error>(stage.service.cpu()? + server.cpu()?);
    let (events, before) = (sealed(stage)?, spent()?);
    let outcome = bench.drive(&stage.service, clients)?;
    let events = sealed(stage)? - events;
    let cost = outcome.share_of(spent()?.saturating_sub(before));
    Ok(Weight { rate: outcome.rate(), cost, events: events / f64::from(outcome.answered.max(1)) })
}

/// Waits until every event is sealed, and returns how many there are.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 events")]
fn sealed(stage: &Stage) -> Result<f64> {
    runtime()?.block_on(async {
        let store = stage.base.open(1).await?;
        let since = Instant::now();
        loop {
            let (events, links): (i64, i64) = store
                .glance()
                .await?
                .query(
                    "SELECT (SELECT COUNT(*) FROM audit_events), (SELECT COUNT(*) FROM audit_links)",
                )
                .one()
                .await?;
            if events == links {
                return Ok(events as f64);
            }
            if since.elapsed() > SEALED_WITHIN {
                bail!("only {links} of {events} events are sealed");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
}
