//! Whether a request costs more when there is more in the database.

use anyhow::Result;

use super::{Bench, Stage, say};
use crate::base::Kind;
use crate::clients::{self, SignIn};
use crate::limits::argon::Cost;
use crate::load::Client;
use crate::table::{Row, Target, Unit};

/// Few enough that what is measured is the cost of a request and not of a queue.
const CONNECTIONS: u32 = 8;
const FEW: u32 = 100;
const MANY: u32 = 100_000;
const SESSIONS: u32 = 2000;

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    // Hashing costs the same whoever signs in, and would hide the rest.
    let few = bench.start(kind, FEW, Cost::NONE)?;
    let mut rows = {
        let many = bench.start(kind, MANY, Cost::NONE)?;
        let spread = |users: u32| (0..400).map(move |number| number * users / 400);
        let mut small = Side::prepare(&few, spread(FEW))?;
        let mut large = Side::prepare(&many, spread(MANY))?;
        compare(bench, kind, &mut small, &mut large, "with 100,000 users", "with 100")?
    };

    // The same user, with one session and with many of them.
    let one = bench.start(kind, FEW, Cost::NONE)?;
    let mut lone = Side::prepare(&one, 0..CONNECTIONS)?;
    let mut busy = Side::prepare(&few, (0..SESSIONS).map(|_| 0))?;
    lone.clients.pop();
    busy.clients.pop();
    let (with, without) = ("of a user with 2,000 sessions", "with one");
    rows.extend(compare(bench, kind, &mut lone, &mut busy, with, without)?);
    Ok(rows)
}

/// One of two services that are compared.
struct Side<'a> {
    stage: &'a Stage,
    /// One group for each of [`WHAT`].
    clients: Vec<Vec<Box<dyn Client>>>,
}

const WHAT: [&str; 3] = ["`me`", "refresh", "sign-in without hashing"];

impl<'a> Side<'a> {
    /// Opens a session for each of `users`, and lets clients use them; the same sign in, and so nobody for the first time.
    fn prepare(stage: &'a Stage, users: impl Iterator<Item = u32> + Clone) -> Result<Self> {
        let sessions = clients::open_sessions(stage.service.address, users.clone())?;
        let count = CONNECTIONS as usize;
        let clients = vec![
            clients::me(count, &sessions),
            clients::refresh(count, &sessions),
            SignIn::many(count, users),
        ];
        Ok(Self { stage, clients })
    }
}

/// Drives both sides in turn; the ratio is of the time that one request takes.
fn compare(
    bench: &Bench,
    kind: &Kind,
    small: &mut Side<'_>,
    large: &mut Side<'_>,
    with: &str,
    without: &'static str,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let groups = small.clients.iter_mut().zip(&mut large.clients);
    for (what, (few, many)) in WHAT.into_iter().zip(groups) {
        let mut pairs = Vec::new();
        for _ in 0..bench.runs {
            let few = 1000.0 / bench.drive(&small.stage.service, few)?.rate();
            let many = 1000.0 / bench.drive(&large.stage.service, many)?.rate();
            say(&format!("{what} {with}: {many:.3} ms; {without}: {few:.3} ms"));
            pairs.push((many, few));
        }
        let words = format!("time of {what} {with}");
        rows.push(Row::ratio(
            words,
            kind.name(),
            Unit::Milliseconds,
            &pairs,
            without,
            Target::Below(1.2),
        ));
    }
    Ok(rows)
}
