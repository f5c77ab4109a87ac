//! How long a session that ended is still good to a service that checks tokens by itself.
//!
//! People with ten sessions each sign out everywhere. The clock begins when one is told so, and ends when the verifier of a service that follows the
//! feed as it comes refuses the token. Tokens are looked at in the order in which their sessions ended, so one
//! that is still accepted makes all behind it look as late.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use authshield_verify::{CheckError, Follow, Guard, RemoteKeys, Rules, VerifyError};

use super::{Bench, say};
use crate::base::{Kind, runtime};
use crate::clients::{self, SignOut};
use crate::limits::argon::Cost;
use crate::load::{Lane, Pace, drive};
use crate::stats::percentile;
use crate::table::{Row, Target, Unit};

const ISSUER: &str = "http://127.0.0.1:8080";
/// So many sign out every second, each of so many sessions: 1,000 sessions end.
const PER_SECOND: u32 = 100;
const SESSIONS: u32 = 10;
const CONNECTIONS: usize = 16;
const USERS: u32 = 600;
/// Nobody waits longer for a refusal.
const AT_MOST: Duration = Duration::from_secs(30);

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let url = format!("public_url={ISSUER}");
    let stage = bench.start_with(kind, USERS, Cost::NONE, &[&url])?;
    let address = stage.service.address;
    let runtime = runtime()?;
    let guard = {
        let _inside = runtime.enter();
        let keys = RemoteKeys::of_issuer(&format!("http://{address}"))?;
        let follow = Follow::default().at(format!("http://{address}/api/v1/revocations"));
        Guard::with_keys(Rules::new(ISSUER, ISSUER), keys).following(follow)?
    };
    runtime.block_on(guard.revocations().context("it is followed")?.refresh())?;
    let (mut middle, mut late, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let sessions = clients::open_sessions(address, (0..USERS * SESSIONS).map(|n| n % USERS))?;
        stage.service.settle()?;
        let (told, ended) = channel();
        let clients = SignOut::many(CONNECTIONS, &sessions, &told);
        drop(told);
        let (handle, guard) = (runtime.handle().clone(), guard.clone());
        let watch = thread::spawn(move || handle.block_on(watch(&guard, &ended)));
        let mut lanes = [Lane::new(clients, Pace::PerSecond(f64::from(PER_SECOND)))];
        let outcome = drive(address, &mut lanes, bench.window)?.remove(0);
        drop(lanes);
        let waits = watch.join().map_err(|_| anyhow!("the watcher panicked"))??;
        let millis = |share| f64::from(percentile(&waits, share)) / 1000.0;
        say(&format!(
            "{:.0} sessions ended per second, {} refused at last; p50 {:.0} ms, p99 {:.0} ms",
            outcome.rate() * f64::from(SESSIONS),
            waits.len(),
            millis(0.5),
            millis(0.99),
        ));
        middle.push(millis(0.5));
        late.push(millis(0.99));
        rates.push(outcome.rate() * f64::from(SESSIONS));
    }
    let name = kind.name();
    Ok(vec![
        Row::value(
            "sessions that end, ten by each sign-out everywhere",
            name,
            Unit::PerSecond,
            &rates,
            Target::AtLeast(0.95 * f64::from(PER_SECOND * SESSIONS)),
        ),
        Row::value("p50 until a verifier refuses", name, Unit::Milliseconds, &middle, Target::None),
        Row::value(
            "p99 until a verifier refuses",
            name,
            Unit::Milliseconds,
            &late,
            Target::Below(2000.0),
        ),
    ])
}

/// Returns how many microseconds each token was accepted after its session had ended.
async fn watch(guard: &Guard, ended: &Receiver<(String, Instant)>) -> Result<Vec<u32>> {
    let mut waits = Vec::new();
    // The end of the channel is the end of the run.
    while let Ok((token, since)) = ended.recv() {
        loop {
            match guard.check(&token).await {
                Err(CheckError::Refused(VerifyError::Revoked)) => break,
                Ok(_) if since.elapsed() < AT_MOST => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok(_) => bail!("a session that ended is accepted after {AT_MOST:?}"),
                Err(error) => return Err(error).context("a token cannot be judged"),
            }
        }
        waits.push(u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(waits)
}
