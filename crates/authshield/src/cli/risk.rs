//! `authshield risk`: what other rules would have decided.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use uuid::Uuid;

use super::{Failure, Global, context};
use crate::audit;
use crate::config::Risk;
use crate::geoip::GeoIp;
use crate::kernel::Timestamp;
use crate::risk::replay::{Chosen, Decided, Example, Past, Replay, Report};

/// How many events are read at once.
const PIECE: i64 = 1000;

/// What to do with rules of risk.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Says how many past sign-ins other rules would decide otherwise, by rule, with examples. It changes nothing.
    Replay {
        /// Another rule, as in `risk.new_country=refuse`; may be repeated. All others are as they are.
        #[arg(long = "with", value_name = "NAME=VALUE", value_parser = rule)]
        with: Vec<String>,
        /// Only sign-ins from then on count, as in 2026-11-25T08:00:00Z; what was before is remembered.
        #[arg(long)]
        since: Option<Timestamp>,
        /// Reads what `authshield events export` wrote, in place of the database.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// How many examples.
        #[arg(long, default_value_t = 10)]
        examples: usize,
    },
}

fn rule(text: &str) -> Result<String, String> {
    if text.starts_with("risk.") {
        return Ok(text.to_owned());
    }
    Err("it is a setting of risk, as in risk.new_country=refuse".to_owned())
}

pub(super) async fn run(global: &Global, command: Command) -> Result<(), Failure> {
    let Command::Replay { with, since, from, examples } = command;
    let now = context::configuration(global)?.config;
    let set = [&global.set[..], &with[..]].concat();
    let then = context::configuration(&Global { config: global.config.clone(), set, json: false })?;
    let since = since.unwrap_or(Timestamp::from_microsecond(0));
    let geoip = GeoIp::new(now.geoip.file.clone());
    let _ = geoip.look();
    if geoip.about().is_none() {
        let why = geoip.standing().1.unwrap_or_else(|| "geoip.file is not set".to_owned());
        eprintln!("impossible_travel says nothing: {why}");
    }
    let place = |ip: IpAddr| geoip.place(ip);
    let (now, then): (Risk, Risk) = (now.risk, then.config.risk);
    let mut replay = Replay::new(place, now, then, since, examples);
    match from {
        Some(file) => read(&file, &mut |past: &Past| replay.take(past))?,
        None => ask(global, &mut |past: &Past| replay.take(past)).await?,
    }
    let report = replay.end();
    if global.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        tell(&report);
    }
    Ok(())
}

/// Reads an export, a line at a time.
fn read(file: &Path, take: &mut dyn FnMut(&Past)) -> Result<(), Failure> {
    let lines = BufReader::new(std::fs::File::open(file)?).lines();
    for (number, line) in (1..).zip(lines) {
        let past: Past = serde_json::from_str(&line?).map_err(|error| {
            let words = "is no event as `authshield events export` writes them";
            Failure::Failed(format!("{}, line {number}: {words} ({error})", file.display()))
        })?;
        take(&past);
    }
    Ok(())
}

/// Reads the audit trail.
async fn ask(global: &Global, take: &mut dyn FnMut(&Past)) -> Result<(), Failure> {
    let (app, _) = context::open(global).await?;
    let mut after = Uuid::nil();
    loop {
        let mut tx = app.store.glance().await?;
        let entries = audit::following(&mut tx, after, Uuid::max(), PIECE).await?;
        drop(tx);
        let Some(last) = entries.last() else { return Ok(()) };
        after = last.id.as_uuid();
        for entry in entries {
            take(&Past::from(entry));
        }
    }
}

/// Tells it to a person.
fn tell(report: &Report) {
    let Report { sign_ins, accounts, otherwise, rules, examples } = report;
    println!("{sign_ins} sign-ins of {accounts} accounts; {otherwise} would be decided otherwise.");
    println!(
        "{:<18} {:>8}  {:>16}  {:>16}  {:>9}",
        "", "signals", "at present", "then", "otherwise"
    );
    for (rule, tally) in rules {
        let of = |it: &Decided| format!("{} asked {} refused", it.step_up, it.refuse);
        let (now, then) = (of(&tally.now), of(&tally.then));
        println!("{rule:<18} {:>8}  {now:>16}  {then:>16}  {:>9}", tally.signals, tally.otherwise);
    }
    for it in examples {
        let word = |chosen: Option<&Chosen>| match chosen {
            Some(Chosen { rule, action }) => format!("{action} by {rule}"),
            None => "nothing".to_owned(),
        };
        let (now, then) = (word(it.now.as_ref()), word(it.then.as_ref()));
        let ip = it.ip_address.as_deref().unwrap_or("-");
        let Example { at, user, signals, .. } = it;
        println!("{at}  user={user}  from={ip}  {then}; at present {now}  {signals}");
    }
}
