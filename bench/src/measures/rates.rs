//! How much gets done, beside how much could get done.

use anyhow::Result;

use super::{Bench, say};
use crate::base::Kind;
use crate::clients::{self, SignIn};
use crate::limits::argon::Cost;
use crate::limits::rotation::Rotation;
use crate::service::Service;
use crate::table::{Row, Target, Unit};

const USERS: u32 = 100;

pub(super) fn sign_in(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let bench = &bench.in_short_turns();
    let stage = bench.start(kind, USERS, Cost::DEFAULT)?;
    let mut clients = SignIn::many(8, 0..USERS);
    let mut pairs = Vec::new();
    for _ in 0..bench.runs {
        let bare = Cost::DEFAULT.rate(bench.window.span)?;
        let served = bench.drive(&stage.service, &mut clients)?.rate();
        say(&format!("{served:.1} sign-ins, {bare:.1} hashes"));
        pairs.push((served, bare));
    }
    let target = Target::AtLeast(0.85);
    let row = Row::ratio(
        "sign-in, 8 connections",
        kind.name(),
        Unit::PerSecond,
        &pairs,
        "bare Argon2id",
        target,
    );
    Ok(vec![row])
}

pub(super) fn me(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    const CONNECTIONS: usize = 32;
    let stage = bench.start(kind, USERS, Cost::NONE)?;
    let sessions = clients::open_sessions(stage.service.address, 0..USERS)?;
    let mut clients = clients::me(CONNECTIONS, &sessions);
    let mut same = clients::me(CONNECTIONS, &sessions);
    let mut pairs = Vec::new();
    for _ in 0..bench.runs {
        let bare = Service::bare(stage.folder.path())?;
        let limit = bench.drive(&bare, &mut same)?.rate();
        drop(bare);
        let (served, cost) = bench.drive_and_weigh(&stage.service, &mut clients)?;
        say(&format!("{served:.0} me at {cost:.0} µs of a core, {limit:.0} bare"));
        pairs.push((served, limit));
    }
    let target = Target::AtLeast(0.40);
    let row = Row::ratio(
        "`GET /users/me`, 32 connections",
        kind.name(),
        Unit::PerSecond,
        &pairs,
        "bare JSON route",
        target,
    );
    Ok(vec![row])
}

pub(super) fn refresh(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    const MOST: u32 = 32;
    let stage = bench.start(kind, USERS, Cost::NONE)?;
    let mut rotation = Rotation::prepare(kind, bench.folder(), MOST)?;
    let mut rows = Vec::new();
    for (connections, least, words) in
        [(32, 0.50, "refresh, 32 connections"), (1, 0.40, "refresh, 1 connection")]
    {
        let sessions = clients::open_sessions(stage.service.address, 0..MOST)?;
        let mut clients = clients::refresh(connections, &sessions);
        let mut pairs = Vec::new();
        for _ in 0..bench.runs {
            let bare = rotation.rate(connections, bench.window)?;
            let (served, cost) = bench.drive_and_weigh(&stage.service, &mut clients)?;
            say(&format!("{served:.0} refreshes at {cost:.0} µs of a core, {bare:.0} rotations"));
            pairs.push((served, bare));
        }
        let target = Target::AtLeast(least);
        rows.push(Row::ratio(
            words,
            kind.name(),
            Unit::PerSecond,
            &pairs,
            "bare durable rotations",
            target,
        ));
    }
    Ok(rows)
}
