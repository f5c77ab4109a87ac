//! Many sign-ins at once, beside a few requests of people who are signed in.

use anyhow::{Result, anyhow};

use super::{Bench, say};
use crate::base::Kind;
use crate::clients::{self, SignIn};
use crate::limits::argon::Cost;
use crate::limits::flush;
use crate::load::{Lane, Outcome, Pace, Window, drive};
use crate::service::Service;
use crate::stats::percentile;
use crate::table::{Row, Target, Unit};

const USERS: u32 = 100;
/// How many of each kind are asked per second beside the flood: little, so that idle is idle.
const ME_PER_SECOND: f64 = 200.0;
const REFRESH_PER_SECOND: f64 = 100.0;

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let stage = bench.start(kind, USERS, Cost::DEFAULT)?;
    let service = &stage.service;
    let sessions = clients::open_sessions(service.address, 0..16)?;
    // A percentile needs more requests than a rate does.
    let window = Window { span: bench.window.span * 2, ..bench.window };
    let bare = Service::bare(stage.folder.path())?;
    let me = || Lane::new(clients::me(4, &sessions), Pace::PerSecond(ME_PER_SECOND));
    // The bare route and the bare flushes are beside all of it, since they cost a little themselves.
    let mut lanes = [
        Lane::new(SignIn::many(64, 0..USERS), Pace::AtOnce),
        me().at(bare.address),
        me(),
        Lane::new(clients::refresh(4, &sessions), Pace::PerSecond(REFRESH_PER_SECOND)),
    ];
    let [mut me, mut refresh, mut routes, mut flushes, mut sign_ins] = [const { Vec::new() }; 5];
    for _ in 0..bench.runs {
        let (idle, calm) =
            flush::beside(&bench.folder, || drive_and_settle(service, &mut lanes[1..], window))?;
        let [route_idle, me_idle, refresh_idle] = idle.map(|lane| p99(&lane.served));
        let ([alone, _], _) =
            flush::beside(&bench.folder, || drive_and_settle(service, &mut lanes[..2], window))?;
        let (all, busy): ([Outcome; 4], _) =
            flush::beside(&bench.folder, || drive_and_settle(service, &mut lanes, window))?;
        let [flood, others @ ..] = all;
        let [route_busy, me_busy, refresh_busy] = others.map(|lane| p99(&lane.served));
        say(&format!(
            "p99 idle: me {me_idle:.2} ms, refresh {refresh_idle:.2} ms, a bare route {route_idle:.2} ms; in the \
             flood: {me_busy:.2} ms, {refresh_busy:.2} ms, {route_busy:.2} ms; {:.1} sign-ins alone, {:.1} beside \
             the others, {} refused",
            alone.rate(),
            flood.rate(),
            flood.refused.len(),
        ));
        me.push((me_busy, me_idle));
        refresh.push((refresh_busy, refresh_idle));
        routes.push((route_busy, route_idle));
        flushes.push((p99(&busy), p99(&calm)));
        sign_ins.push((flood.rate(), alone.rate()));
    }
    let rows = [
        (
            "p99 of `me` in a flood of sign-ins on 64 connections",
            Unit::Milliseconds,
            me,
            "idle",
            Target::Below(3.0),
        ),
        (
            "p99 of refresh in the same flood",
            Unit::Milliseconds,
            refresh,
            "idle",
            Target::Below(3.0),
        ),
        (
            "p99 of a bare JSON route in the same flood",
            Unit::Milliseconds,
            routes,
            "idle",
            Target::None,
        ),
        (
            "p99 of bare flushes in the same flood",
            Unit::Milliseconds,
            flushes,
            "idle",
            Target::None,
        ),
        (
            "sign-ins in the same flood",
            Unit::PerSecond,
            sign_ins,
            "without `me` and refreshes",
            Target::AtLeast(0.80),
        ),
    ];
    Ok(rows
        .into_iter()
        .map(|(what, unit, pairs, against, target)| {
            Row::ratio(what, kind.name(), unit, &pairs, against, target)
        })
        .collect())
}

fn drive_and_settle<const N: usize>(
    service: &Service,
    lanes: &mut [Lane],
    window: Window,
) -> Result<[Outcome; N]> {
    let outcomes = drive(service.address, lanes, window)?;
    service.settle()?;
    outcomes.try_into().map_err(|_| anyhow!("there are not as many outcomes as lanes"))
}

/// In milliseconds.
fn p99(microseconds: &[u32]) -> f64 {
    f64::from(percentile(microseconds, 0.99)) / 1000.0
}
