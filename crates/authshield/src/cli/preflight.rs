//! `authshield preflight`: the gate before the traffic.
//!
//! Exit status: 0 all passed or warned, 1 something failed, 2 something warned and `--strict`, 64
//! wrong usage, 70 a check itself broke, 78 the configuration is refused.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use secrecy::ExposeSecret;
use url::Url;

use super::{Failure, Global, context};
use crate::checks::{self, Entry, Occasion, Order, Overrides, Plan, Report, StandIn, Subject};
use crate::config::{self, Config, Environment, Refused};
use crate::kernel::EmailAddress;
use crate::world::{Real, SharedWorld, World};

/// The status of wrong usage (`EX_USAGE` of sysexits).
pub(super) const WRONG_USAGE: u8 = 64;
/// The status of a tool that broke (`EX_SOFTWARE`).
const BROKEN: u8 = 70;

/// How to look.
#[derive(Args)]
pub(super) struct Preflight {
    /// Only these checks, and those that they rest on; with commas between them.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these checks; the report names them.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    skip: Vec<String>,
    /// Only what this machine has: names, values and files. Nobody is asked.
    #[arg(long)]
    offline: bool,
    /// Warnings end with exit status 2.
    #[arg(long)]
    strict: bool,
    /// How long all of it may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: u64,
    /// Sends a real message to this address as well, and follows it until the relay has it.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "offline")]
    send_mail: Option<EmailAddress>,
    /// How long the message is followed, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "send_mail", value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait: u64,
    /// Looks at a service that runs elsewhere, from here, as a client does: its certificate, its proxies,
    /// its keys. With the service's `operator_token` in the environment it tells how a request arrives there.
    #[arg(long, value_name = "URL", conflicts_with_all = ["offline", "send_mail"])]
    from_outside: Option<Url>,
    /// Writes the result into this file as well, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Lists the checks, and looks at nothing.
    #[arg(long)]
    list: bool,
}

/// Whether the arguments of this process are meant for this command; then wrong ones have their own
/// status.
pub(super) fn is_meant() -> bool {
    std::env::args().skip(1).any(|argument| argument == "preflight")
}

pub(super) fn run(global: &Global, command: &Preflight) -> Result<(), Failure> {
    let entries = checks::all();
    if command.list {
        for Entry { about, .. } in &entries {
            println!("{:<7} {:<28} {}", about.id, about.title, about.policy);
        }
        return Ok(());
    }
    let mut entries = entries;
    if command.from_outside.is_some() {
        entries.retain(|entry| entry.about.listening);
    }
    let only = named(&entries, &command.only)?;
    let skip = named(&entries, &command.skip)?;
    let world: SharedWorld = Arc::new(Real);
    let configuration = match &command.from_outside {
        Some(url) => config::from_outside(&global.set, url).map_err(Failure::Configuration),
        None => context::configuration(global),
    };
    let (subject, environment, overrides) = match configuration {
        Ok(loaded) if command.from_outside.is_some() => {
            let overrides = overrides(&loaded.config)?;
            let token = loaded.config.operator_token.clone();
            let token = token.as_ref().map(|token| token.expose_secret().as_bytes());
            (Subject::new(&loaded, world).from_outside(token), Some("elsewhere"), overrides)
        }
        Ok(loaded) => {
            let overrides = overrides(&loaded.config)?;
            let environment = match loaded.config.environment {
                Environment::Development => "development",
                Environment::Production => "production",
            };
            (Subject::new(&loaded, world), Some(environment), overrides)
        }
        Err(Failure::Configuration(refused)) => {
            (Subject::refused(&refused, world), None, Overrides::default())
        }
        Err(other) => return Err(other),
    };
    let wait = Duration::from_secs(command.wait);
    let order = command.send_mail.clone().map(|to| Order { to, wait });
    let mut deadline = Duration::from_secs(command.deadline);
    if order.is_some() {
        deadline += wait;
    }
    let plan = Plan {
        only,
        skip,
        offline: command.offline,
        send: order.is_some(),
        ..Plan::new(Occasion::Gate, overrides, deadline)
    };
    let subject = subject.sending(order);
    let (started_at, began) = (Real.now(), Instant::now());
    let runtime = context::runtime()?;
    let findings = runtime.block_on(async {
        // Nobody may be behind the proxy yet.
        let asks = !plan.offline && command.from_outside.is_none();
        let stand_in = if asks { StandIn::begin(&subject).await } else { None };
        let subject = match &stand_in {
            Some(stand_in) => subject.asking(stand_in),
            None => subject,
        };
        checks::run(&entries, &Arc::new(subject), &plan).await
    });
    // What still hangs is not waited for.
    runtime.shutdown_background();
    let report = Report::new(
        environment,
        command.offline,
        command.strict,
        started_at,
        began.elapsed(),
        findings,
    );
    if let Some(file) = &command.junit
        && let Err(error) = std::fs::write(file, report.junit())
    {
        eprintln!("authshield: cannot write {}: {error}", file.display());
        return Err(Failure::Status(BROKEN));
    }
    if global.json {
        match serde_json::to_string(&report) {
            Ok(text) => println!("{text}"),
            Err(error) => {
                eprintln!("authshield: the report could not be written: {error}");
                return Err(Failure::Status(BROKEN));
            }
        }
    } else {
        print!("{}", report.text());
    }
    match report.exit_status {
        0 => Ok(()),
        status => Err(Failure::Status(status)),
    }
}

/// Returns the checks that somebody named.
fn named(entries: &[Entry], given: &[String]) -> Result<Vec<&'static str>, Failure> {
    let find = |given: &String| {
        let known = entries.iter().find(|entry| entry.about.id.eq_ignore_ascii_case(given.trim()));
        known.map(|entry| entry.about.id).ok_or_else(|| {
            eprintln!(
                "authshield: there is no check {given}; `preflight --list` names all of them"
            );
            Failure::Status(WRONG_USAGE)
        })
    };
    given.iter().map(find).collect()
}

/// Reads `checks.policy`; one for a check that does not exist is refused like any unknown name.
pub(super) fn overrides(config: &Config) -> Result<Overrides, Failure> {
    checks::overrides(config).map_err(|unknown| {
        let words = format!("AUTHSHIELD_CHECKS_POLICY: {unknown}");
        Failure::Configuration(Refused::because("unknown-check", "checks.policy", words))
    })
}
