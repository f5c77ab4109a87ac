//! What the time of an answer tells of whether an address has an account (attack A09).

use std::time::Instant;

use anyhow::{Result, bail};

use super::{Bench, say};
use crate::base::{self, Kind};
use crate::clients::{PASSWORD, email};
use crate::http::{self, Connection};
use crate::limits::argon::Cost;
use crate::stats::{Spread, by_chance};
use crate::table::{Row, Target, Unit};

/// Of how many answers of each kind the times are compared.
const SAMPLES: u32 = 1_000;
/// How many come before, while caches fill.
const WARM_UP: u32 = 20;

/// A question that a stranger may ask about an address.
struct Question {
    what: &'static str,
    path: &'static str,
    password: Option<&'static str>,
    status: u16,
}

const QUESTIONS: [Question; 4] = [
    Question {
        what: "sign-in with a wrong password",
        path: "/api/v1/auth/login",
        password: Some("battery staple of somebody"),
        status: 401,
    },
    Question {
        what: "registration",
        path: "/api/v1/auth/register",
        password: Some(PASSWORD),
        status: 202,
    },
    Question {
        what: "forgotten password",
        path: "/api/v1/auth/forgot-password",
        password: None,
        status: 202,
    },
    Question {
        what: "another verification mail",
        path: "/api/v1/auth/resend-verification",
        password: None,
        status: 202,
    },
];

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let samples = if bench.runs == 1 { SAMPLES / 10 } else { SAMPLES };
    let users = samples + WARM_UP;
    let mut rows = Vec::new();
    for question in QUESTIONS {
        // Each has a service of its own: what mails the one before caused is not in the way.
        let stage = bench.start(kind, users, Cost::DEFAULT)?;
        let [known, unknown] =
            base::runtime()?.block_on(interleaved(stage.service.address, &question, samples))?;
        let p = by_chance(&known, &unknown);
        let (known, unknown) = (median(&known), median(&unknown));
        say(&format!(
            "{}: {known:.3} ms with an account, {unknown:.3} ms without; p = {p:.3}",
            question.what
        ));
        rows.push(Row::ratio(
            format!("{} at an address that has an account", question.what),
            kind.name(),
            Unit::Milliseconds,
            &[(known, unknown)],
            "at one that has none",
            Target::None,
        ));
        rows.push(Row::value(
            "how probable such a difference is by chance",
            kind.name(),
            Unit::Times,
            &[p],
            Target::AtLeast(0.01),
        ));
    }
    Ok(rows)
}

/// Asks about an address with an account and one without in turn, and returns how long each took, in
/// microseconds.
async fn interleaved(
    address: std::net::SocketAddr,
    question: &Question,
    samples: u32,
) -> Result<[Vec<u32>; 2]> {
    let mut connection = Connection::open(address).await?;
    let mut times = [Vec::new(), Vec::new()];
    let mut request = Vec::new();
    for number in 0..samples + WARM_UP {
        // Who comes first changes, so that no rhythm of the machine takes sides.
        for side in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let email = if side == 0 { email(number) } else { format!("nobd{number}@example.org") };
            let body = question.password.map_or_else(
                || format!(r#"{{"email":"{email}"}}"#),
                |password| format!(r#"{{"email":"{email}","password":"{password}"}}"#),
            );
            request.clear();
            http::post(&mut request, question.path, &body);
            let asked = Instant::now();
            let status = connection.exchange(&request).await?.status;
            let took = asked.elapsed();
            if status != question.status {
                bail!("{} answered {status}", question.path);
            }
            if number >= WARM_UP {
                times[side].push(u32::try_from(took.as_micros())?);
            }
        }
    }
    Ok(times)
}

/// In milliseconds.
fn median(microseconds: &[u32]) -> f64 {
    Spread::of(microseconds.iter().map(|time| f64::from(*time) / 1000.0)).median
}
