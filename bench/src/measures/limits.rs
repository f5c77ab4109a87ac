//! What a rate limit costs, by where it is counted: the same cheap route with limits and without.

use std::thread::sleep;

use anyhow::Result;

use super::{Bench, Stage, say};
use crate::base::Kind;
use crate::clients::Progress;
use crate::limits::argon::Cost;
use crate::limits::counter::Counter;
use crate::limits::ping;
use crate::load::{Client, Lane, Pace, Window, drive};
use crate::stats::percentile;
use crate::table::{Row, Target, Unit};
use crate::wire::Wire;

const OFF: [&str; 1] = ["rate_limit.enabled=false"];
/// Nobody is refused.
const MEMORY: [&str; 2] = ["rate_limit.enabled=true", "rate_limit.progress_per_client=1000000/1s"];
const DATABASE: [&str; 3] = [MEMORY[0], MEMORY[1], "rate_limit.store=database"];

/// Of round trips that a limit may cost: one, and what the service did by itself more than before.
const ONE: Target = Target::Below(1.1);

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let mut rows = added(bench, kind)?;
    if let Kind::Postgres(server) = kind {
        let (wire, url) = Wire::before(server)?;
        let kind = Kind::Postgres(url);
        let more = trips(bench, &kind, &DATABASE, &wire)? - trips(bench, &kind, &OFF, &wire)?;
        let what = "round trips to the database that it adds";
        rows.push(Row::value(what, kind.name(), Unit::Times, &[more], ONE));
    }
    if let Some(url) = redis(bench, kind) {
        let (wire, url) = Wire::before(url)?;
        let setting = format!("redis_url={url}");
        let more = trips(bench, kind, &[MEMORY[0], MEMORY[1], &setting], &wire)?;
        let what = "round trips to Redis that it adds";
        rows.push(Row::value(what, "Redis", Unit::Times, &[more], ONE));
    }
    Ok(rows)
}

/// Returns where Redis is, once: it is the same whatever the database.
fn redis<'b>(bench: &'b Bench, kind: &Kind) -> Option<&'b str> {
    bench.redis.as_deref().filter(|_| *kind == Kind::Sqlite)
}

/// Measures what a limit adds to the time of a request.
fn added(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let redis = redis(bench, kind);
    let setting = redis.map(|url| format!("redis_url={url}"));
    let third = setting.as_deref().map(|setting| [MEMORY[0], MEMORY[1], setting]);
    let mut all: Vec<&[&str]> = vec![&OFF, &MEMORY, &DATABASE];
    all.extend(third.as_ref().map(<[_; 3]>::as_slice));
    let sides = all.into_iter().map(|settings| Side::start(bench, kind, settings));
    let mut sides: Vec<Side> = sides.collect::<Result<_>>()?;
    let counter = Counter::prepare(kind, bench.folder())?;
    let (mut cpu, mut memory) = (Vec::new(), Vec::new());
    let (mut in_database, mut in_redis) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let span = bench.window.span / 2;
        let (seen, (write, pong)) = there_and_back(bench, &mut sides, || {
            Ok((counter.takes(span)?, redis.map(|url| ping::takes(url, span)).transpose()?))
        })?;
        say(&format!("without, in memory, in the database, in Redis: {seen:.1?} µs"));
        let more = |side: usize| seen[side].waited - seen[0].waited;
        cpu.push(seen[1].spent - seen[0].spent);
        memory.push(more(1));
        in_database.push((more(2), write));
        if let Some(pong) = pong {
            in_redis.push((more(3), pong));
        }
    }
    let (name, us) = (kind.name(), Unit::Microseconds);
    let mut rows = vec![
        Row::value("CPU of a rate limit in memory", name, us, &cpu, Target::Below(50.0)),
        Row::value("p50 that it adds, 1 connection", name, us, &memory, Target::Below(50.0)),
        Row::ratio(
            "p50 that a rate limit in the database adds, 1 connection",
            name,
            us,
            &in_database,
            "a bare write of a row",
            // Twice as much would be two of them.
            Target::Below(2.0),
        ),
    ];
    if redis.is_some() {
        let what = "p50 that a rate limit in Redis adds, 1 connection";
        rows.push(Row::ratio(what, "Redis", us, &in_redis, "a bare `PING`", Target::None));
    }
    Ok(rows)
}

/// A service, and somebody who asks it.
struct Side {
    stage: Stage,
    client: Vec<Box<dyn Client>>,
}

impl Side {
    fn start(bench: &Bench, kind: &Kind, settings: &[&str]) -> Result<Self> {
        let stage = bench.start_with(kind, 1, Cost::NONE, settings)?;
        let client = Progress::of_registration(stage.service.address)?;
        stage.service.settle()?;
        Ok(Self { stage, client: vec![Box::new(client)] })
    }
}

/// What a request took, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Of a core.
    spent: f64,
    /// In the middle, for who waited.
    waited: f64,
}

/// Drives one side after the other, does what is to be done `between`, and drives them back again: so what
/// drifts takes no sides.
fn there_and_back<T>(
    bench: &Bench,
    sides: &mut [Side],
    between: impl FnOnce() -> Result<T>,
) -> Result<(Vec<Seen>, T)> {
    let mut seen = vec![Seen::default(); sides.len()];
    pass(bench, sides.iter_mut().zip(&mut seen))?;
    let done = between()?;
    pass(bench, sides.iter_mut().zip(&mut seen).rev())?;
    Ok((seen, done))
}

/// Drives one side after the other; adds half of what it sees, since there are two passes.
fn pass<'s>(
    bench: &Bench,
    sides: impl Iterator<Item = (&'s mut Side, &'s mut Seen)>,
) -> Result<()> {
    let window = Window { span: bench.window.span / 2, ..bench.window };
    for (Side { stage, client }, seen) in sides {
        let before = stage.service.cpu()?;
        let mut lanes = [Lane::new(std::mem::take(client), Pace::AtOnce)];
        let outcome = drive(stage.service.address, &mut lanes, window)?.remove(0);
        *client = std::mem::take(&mut lanes[0].clients);
        stage.service.settle()?;
        seen.spent += outcome.share_of(stage.service.cpu()?.saturating_sub(before)) / 2.0;
        seen.waited += f64::from(percentile(&outcome.served, 0.5)) / 2.0;
    }
    Ok(())
}

/// Returns how many round trips over `wire` a request makes: more than there are in as long a time without.
fn trips(bench: &Bench, kind: &Kind, settings: &[&str], wire: &Wire) -> Result<f64> {
    let mut side = Side::start(bench, kind, settings)?;
    let before = wire.trips();
    sleep(bench.window.warm_up + bench.window.span);
    let idle = wire.trips();
    let mut lanes = [Lane::new(std::mem::take(&mut side.client), Pace::AtOnce)];
    let outcome = drive(side.stage.service.address, &mut lanes, bench.window)?.remove(0);
    let more = f64::from(wire.trips() - idle) - f64::from(idle - before);
    let trips = more / f64::from(outcome.answered.max(1));
    say(&format!("{trips:.3} round trips for each request"));
    Ok(trips)
}
