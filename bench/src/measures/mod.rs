//! What is measured, one kind per file.

mod events;
mod factors;
mod feed;
mod flood;
mod footprint;
mod growth;
mod limits;
mod mail;
mod overload;
mod rates;
mod timing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::base::{Base, Kind};
use crate::limits::argon::Cost;
use crate::load::{Client, Lane, Outcome, Pace, Window, drive};
use crate::service::Service;
use crate::table::Row;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Sign-ins beside bare Argon2id
    SignIn,
    /// `GET /users/me` beside a bare route
    Me,
    /// Refreshes beside bare rotations of a row
    Refresh,
    /// Refresh and `me` while somebody floods the service with sign-ins
    Flood,
    /// Four times as many sign-ins as there can be
    Overload,
    /// Memory, time to start, size
    Footprint,
    /// What a request costs when there are many users, or many sessions of one
    Growth,
    /// How fast 100,000 queued mails leave, and in how much memory
    Mail,
    /// Registrations while the relay is gone, slow or silent
    Register,
    /// How long until a service that checks tokens by itself refuses a session that ended, at 1,000 a second
    Feed,
    /// Whether the time of an answer tells who has an account
    Timing,
    /// Sign-ins with a code besides the password, and with a passkey
    Factors,
    /// What rate limits cost, wherever they are counted
    Limits,
    /// What writing security events costs a sign-in
    Events,
}

/// Into how many turns a run is cut where a difference of a hundredth is sought.
const TURNS: u32 = 5;

/// Where and how to measure.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) binary: PathBuf,
    pub(crate) folder: PathBuf,
    /// How often each is repeated.
    pub(crate) runs: usize,
    pub(crate) window: Window,
    /// Where a Redis is, if there is one.
    pub(crate) redis: Option<String>,
}

impl Bench {
    /// Measures one thing on one database.
    pub(crate) fn measure(&self, measure: Measure, kind: &Kind) -> Result<Vec<Row>> {
        match measure {
            Measure::SignIn => rates::sign_in(self, kind),
            Measure::Me => rates::me(self, kind),
            Measure::Refresh => rates::refresh(self, kind),
            Measure::Flood => flood::measure(self, kind),
            Measure::Overload => overload::measure(self, kind),
            Measure::Footprint => footprint::measure(self, kind),
            Measure::Growth => growth::measure(self, kind),
            Measure::Mail => mail::drain(self, kind),
            Measure::Register => mail::register(self, kind),
            Measure::Feed => feed::measure(self, kind),
            Measure::Timing => timing::measure(self, kind),
            Measure::Factors => factors::measure(self, kind),
            Measure::Limits => limits::measure(self, kind),
            Measure::Events => events::measure(self, kind),
        }
    }

    /// The same time in more and shorter turns. The cores are not equally fast from one moment to the next, and
    /// what is compared is to have an equal share of both.
    fn in_short_turns(&self) -> Self {
        let span = (self.window.span / TURNS).max(Duration::from_millis(500));
        let window = Window { span, ..self.window };
        Self { runs: self.runs * TURNS as usize, window, ..self.clone() }
    }

    /// Starts the service with `users` whose passwords were hashed at `cost`.
    fn start(&self, kind: &Kind, users: u32, cost: Cost) -> Result<Stage> {
        self.start_with(kind, users, cost, &[])
    }

    /// The same, with more settings.
    fn start_with(&self, kind: &Kind, users: u32, cost: Cost, more: &[&str]) -> Result<Stage> {
        let base = Base::with_users(kind, &self.folder, users, &cost.hash()?)?;
        let folder = tempfile::tempdir_in(&self.folder)?;
        let settings = cost.settings();
        let settings: Vec<&str> =
            settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let service = Service::start(&self.binary, folder.path(), &base.url, &settings)?;
        Ok(Stage { service, folder, base })
    }

    /// Lets clients ask as fast as they get answers.
    fn drive(&self, service: &Service, clients: &mut Vec<Box<dyn Client>>) -> Result<Outcome> {
        let mut lanes = [Lane::new(std::mem::take(clients), Pace::AtOnce)];
        let outcomes = drive(service.address, &mut lanes, self.window);
        *clients = std::mem::take(&mut lanes[0].clients);
        service.settle()?;
        Ok(outcomes?.remove(0))
    }

    /// The same; returns how many were served per second, and the microseconds of a core that each took.
    fn drive_and_weigh(
        &self,
        service: &Service,
        clients: &mut Vec<Box<dyn Client>>,
    ) -> Result<(f64, f64)> {
        let before = service.cpu()?;
        let outcome = self.drive(service, clients)?;
        Ok((outcome.rate(), outcome.share_of(service.cpu()?.saturating_sub(before))))
    }

    fn folder(&self) -> &Path {
        &self.folder
    }
}

/// A service with what it stands on; dropped in this order.
struct Stage {
    service: Service,
    folder: tempfile::TempDir,
    base: Base,
}

/// Says on standard error what is being done.
fn say(words: &str) {
    eprintln!("bench: {words}");
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
