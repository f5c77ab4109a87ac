//! More sign-ins than there can be.

use anyhow::Result;

use super::{Bench, say};
use crate::base::Kind;
use crate::clients::SignIn;
use crate::limits::argon::Cost;
use crate::load::{Lane, Pace, Window, drive};
use crate::stats::percentile;
use crate::table::{Row, Target, Unit};

const USERS: u32 = 100;
const TIMES: f64 = 4.0;

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let stage = bench.start(kind, USERS, Cost::DEFAULT)?;
    let (mut served, mut refused, mut share) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let capacity = bench.drive(&stage.service, &mut SignIn::many(8, 0..USERS))?.rate();
        let offered = TIMES * capacity;
        // Enough of them that each has its answer, which may take two seconds, before it asks again.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some hundreds of connections"
        )]
        let connections = (2.0 * offered).ceil().max(1.0) as usize;
        let clients = SignIn::many(connections, 0..USERS);
        let mut lanes = [Lane::new(clients, Pace::PerSecond(offered))];
        let window = Window { span: bench.window.span * 2, ..bench.window };
        let outcome = drive(stage.service.address, &mut lanes, window)?.remove(0);
        stage.service.settle()?;
        let [accepted, refusals] = [&outcome.served, &outcome.refused]
            .map(|them| f64::from(percentile(them, 0.99)) / 1000.0);
        say(&format!(
            "{offered:.0} offered, {capacity:.0} possible, {:.0} served; p99 {accepted:.0} ms; {} \
             refused, p99 {refusals:.1} ms",
            outcome.rate(),
            outcome.refused.len(),
        ));
        served.push(accepted);
        refused.push(refusals);
        share.push((outcome.rate(), capacity));
    }
    let (name, ms) = (kind.name(), Unit::Milliseconds);
    Ok(vec![
        Row::value(
            "p99 of accepted sign-ins, four times too many offered",
            name,
            ms,
            &served,
            Target::Below(1000.0),
        ),
        Row::value("p99 of refusals, the same", name, ms, &refused, Target::Below(50.0)),
        Row::ratio(
            "sign-ins, the same",
            name,
            Unit::PerSecond,
            &share,
            "as many as possible",
            Target::None,
        ),
    ])
}
