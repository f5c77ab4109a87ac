//! The generator: clients, each on a connection of its own, and how long they wait.

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::task::JoinSet;

use crate::http::{Answer, Connection};

/// One who sends requests, one after the other.
pub(crate) trait Client: Send + 'static {
    /// Writes the next request.
    fn ask(&mut self, request: &mut Vec<u8>);

    /// Learns what came back, and says whether it goes on with another request before all of it
    /// counts as one, which took as long as all of them.
    fn goes_on(&mut self, _status: u16, _body: &[u8]) -> Result<bool> {
        Ok(false)
    }

    /// Whether an answer is the one that it asked for.
    fn is_served(&self, status: u16) -> bool {
        matches!(status, 200 | 202 | 204)
    }

    /// Learns what came back at last, if it is what it asked for.
    fn told(&mut self, body: &[u8]) -> Result<()>;
}

/// When a client sends its next request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as it has an answer.
    AtOnce,
    /// All clients together this many per second, answered or not.
    PerSecond(f64),
}

/// Clients of one kind.
pub(crate) struct Lane {
    pub(crate) clients: Vec<Box<dyn Client>>,
    pub(crate) pace: Pace,
    /// Whom they ask, if not the one that all others ask.
    elsewhere: Option<SocketAddr>,
}

impl Lane {
    pub(crate) fn new(clients: Vec<Box<dyn Client>>, pace: Pace) -> Self {
        Self { clients, pace, elsewhere: None }
    }

    /// Lets them ask another server.
    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self { elsewhere: Some(address), ..self }
    }
}

/// What became of the requests of one lane. Latencies are in microseconds and belong to requests
/// that were due within the span.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Of those that were answered with 200.
    pub(crate) served: Vec<u32>,
    /// Of those that were answered with 503.
    pub(crate) refused: Vec<u32>,
    /// Those that were answered with 200 within the span.
    finished: u32,
    /// All that were answered with 200, before, within and after the span.
    pub(crate) answered: u32,
    span: Duration,
}

impl Outcome {
    /// Returns how many were served per second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.finished) / self.span.as_secs_f64()
    }

    /// Returns how many microseconds of `spent` each that was answered took.
    pub(crate) fn share_of(&self, spent: Duration) -> f64 {
        spent.as_secs_f64() * 1e6 / f64::from(self.answered.max(1))
    }

    fn add(&mut self, other: Self) {
        self.served.extend(other.served);
        self.refused.extend(other.refused);
        self.finished += other.finished;
        self.answered += other.answered;
        self.span = other.span;
    }
}

/// How long to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) warm_up: Duration,
    pub(crate) span: Duration,
}

/// How long a refused client waits when it would otherwise try again at once.
pub(crate) const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// Lets all lanes loose on `address` at the same time, and waits for the last answer.
///
/// One thread per core, each with clients of its own, since handing work between threads would cost
/// the server its share of the cores.
pub(crate) fn drive(
    address: SocketAddr,
    lanes: &mut [Lane],
    window: Window,
) -> Result<Vec<Outcome>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<Seat>> = (0..threads).map(|_| Vec::new()).collect();
    let mut turn = 0;
    for (number, lane) in lanes.iter_mut().enumerate() {
        let count = u32::try_from(lane.clients.len())?;
        for (place, client) in (0..count).zip(std::mem::take(&mut lane.clients)) {
            let rhythm = match lane.pace {
                Pace::AtOnce => None,
                Pace::PerSecond(rate) => {
                    let every = Duration::from_secs_f64(f64::from(count) / rate);
                    Some((every * place / count, every))
                }
            };
            let address = lane.elsewhere.unwrap_or(address);
            shares[turn % threads].push(Seat { lane: number, address, client, rhythm });
            turn += 1;
        }
    }
    let ready = Arc::new(Barrier::new(threads));
    let workers: Vec<_> = shares
        .into_iter()
        .map(|seats| {
            let ready = Arc::clone(&ready);
            std::thread::spawn(move || work(seats, window, &ready))
        })
        .collect();
    let mut outcomes: Vec<Outcome> = lanes.iter().map(|_| Outcome::default()).collect();
    let mut failure = None;
    for worker in workers {
        match worker.join().map_err(|_| anyhow!("the generator panicked"))? {
            Ok(done) => {
                for (lane, client, outcome) in done {
                    lanes[lane].clients.push(client);
                    outcomes[lane].add(outcome);
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        None => Ok(outcomes),
        Some(error) => Err(error),
    }
}

/// A client, and what it needs to begin.
struct Seat {
    lane: usize,
    address: SocketAddr,
    client: Box<dyn Client>,
    /// When it begins, and how often it sends.
    rhythm: Option<(Duration, Duration)>,
}

type Done = (usize, Box<dyn Client>, Outcome);

fn work(seats: Vec<Seat>, window: Window, ready: &Barrier) -> Result<Vec<Done>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connected = Vec::with_capacity(seats.len());
        let mut failed = None;
        for seat in seats {
            match Connection::open(seat.address).await {
                Ok(connection) => connected.push((seat, connection)),
                Err(error) => failed = Some(error),
            }
        }
        // Whoever failed must not keep the others waiting here.
        ready.wait();
        if let Some(error) = failed {
            return Err(error);
        }
        let from = Instant::now() + window.warm_up;
        let mut running = JoinSet::new();
        for (seat, connection) in connected {
            running.spawn(run(seat, connection, from, window.span));
        }
        let mut done = Vec::new();
        while let Some(outcome) = running.join_next().await {
            done.push(outcome.context("the generator panicked")??);
        }
        Ok(done)
    })
}

/// Lets one client send until the span is over.
async fn run(
    mut seat: Seat,
    mut connection: Connection,
    from: Instant,
    span: Duration,
) -> Result<Done> {
    let until = from + span;
    let mut outcome = Outcome { span, ..Outcome::default() };
    let mut request = Vec::with_capacity(4096);
    let mut due = Instant::now() + seat.rhythm.map_or(Duration::ZERO, |(offset, _)| offset);
    loop {
        // Somebody who is late because the last answer was late waits since it was due; somebody
        // whom the timer woke late does not.
        let mut since = due;
        if Instant::now() < due {
            tokio::time::sleep_until(due.into()).await;
            since = Instant::now();
        }
        if seat.rhythm.is_none() {
            since = Instant::now();
        }
        if since >= until {
            return Ok((seat.lane, seat.client, outcome));
        }
        let (status, body) = loop {
            request.clear();
            seat.client.ask(&mut request);
            let Answer { status, body } = connection.exchange(&request).await?;
            if !seat.client.goes_on(status, body)? {
                break (status, body);
            }
        };
        let answered = Instant::now();
        let latency = u32::try_from((answered - since).as_micros()).unwrap_or(u32::MAX);
        let counts = since >= from;
        match status {
            _ if seat.client.is_served(status) => {
                seat.client.told(body)?;
                outcome.answered += 1;
                if counts {
                    outcome.served.push(latency);
                }
                outcome.finished += u32::from(answered >= from && answered < until);
            }
            503 if counts => outcome.refused.push(latency),
            503 => {}
            _ => bail!("unexpected answer {status}: {}", String::from_utf8_lossy(body)),
        }
        due = match seat.rhythm {
            Some((_, every)) => due + every,
            None if status == 503 => answered + AFTER_REFUSAL,
            None => answered,
        };
    }
}
