//! What a second factor costs beside the password, and what a passkey costs in its place.

use anyhow::Result;

use super::{Bench, say};
use crate::authenticators::{add_apps, with_code, with_passkeys};
use crate::base::Kind;
use crate::clients::{SignIn, open_sessions};
use crate::limits::argon::Cost;
use crate::table::{Row, Target, Unit};

const CONNECTIONS: u32 = 8;
/// Who have nothing but a password.
const USERS: u32 = 100;
/// Where the service is, as it says; passkeys are for that domain.
const ORIGIN: &str = "http://127.0.0.1:8080";

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let mut rows = code(bench, kind)?;
    rows.push(passkey(bench, kind)?);
    Ok(rows)
}

/// All rates are of the same cores, which hash all the time: of one that the service has for itself, and of both with
/// what clients and a database server spend on them.
fn code(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let bench = &bench.in_short_turns();
    // A code works once, so there is somebody for each sign-in that could be hashed in all runs, and in one
    // more: the cores may be faster later.
    let span = bench.window.warm_up + bench.window.span;
    let possible = Cost::DEFAULT.rate(bench.window.span)? * span.as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some thousands of people"
    )]
    let each_run = possible.ceil() as u32 + CONNECTIONS;
    let people = each_run * (u32::try_from(bench.runs)? + 1);
    let stage = bench.start(kind, USERS + people, Cost::DEFAULT)?;
    let address = stage.service.address;
    let people = add_apps(address, open_sessions(address, USERS..USERS + people)?)?;
    stage.service.settle()?;
    let mut sides =
        [SignIn::many(CONNECTIONS as usize, 0..USERS), with_code(CONNECTIONS as usize, people)];
    let (mut pairs, mut per_core) = (Vec::new(), Vec::new());
    for run in 0..bench.runs {
        let mut seen = [(0.0, 0.0); 2];
        // Who comes first changes, so that what drifts takes no sides.
        for side in if run % 2 == 0 { [0, 1] } else { [1, 0] } {
            seen[side] = bench.drive_and_weigh(&stage.service, &mut sides[side])?;
        }
        let [(plain, little), (coded, more)] = seen;
        say(&format!(
            "{plain:.1} sign-ins at {little:.0} µs of a core, with a code {coded:.1} at {more:.0} µs"
        ));
        pairs.push((coded, plain));
        per_core.push((1e6 / more, 1e6 / little));
    }
    let (name, alone) = (kind.name(), "with a password alone");
    let row = |what, pairs: &[(f64, f64)], target| {
        Row::ratio(what, name, Unit::PerSecond, pairs, alone, target)
    };
    Ok(vec![
        row("sign-in with a password and a code, of a core", &per_core, Target::AtLeast(0.95)),
        row("the same on 8 connections", &pairs, Target::None),
    ])
}

fn passkey(bench: &Bench, kind: &Kind) -> Result<Row> {
    let url = format!("public_url={ORIGIN}");
    let stage = bench.start_with(kind, CONNECTIONS, Cost::NONE, &[&url])?;
    let sessions = open_sessions(stage.service.address, 0..CONNECTIONS)?;
    let mut clients = with_passkeys(stage.service.address, sessions, ORIGIN)?;
    let mut costs = Vec::new();
    for _ in 0..bench.runs {
        let (rate, cost) = bench.drive_and_weigh(&stage.service, &mut clients)?;
        say(&format!("{rate:.0} sign-ins with a passkey at {cost:.0} µs of a core"));
        costs.push(cost / 1000.0);
    }
    Ok(Row::value(
        "CPU of a sign-in with a passkey, with its challenge",
        kind.name(),
        Unit::Milliseconds,
        &costs,
        Target::Below(3.0),
    ))
}
