//! `authshield events`: the audit trail.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use uuid::Uuid;

use super::{Failure, Global, context};
use crate::app::{App, Ctx};
use crate::audit::{self, By, Entry, Event, Search};
use crate::config::EventFormat;
use crate::exports::{self, Sink};
use crate::kernel::{EmailAddress, Timestamp, UserId};

/// How many events are read at once.
const PIECE: i64 = 1000;
/// How often `tail` looks.
const EVERY: Duration = Duration::from_secs(1);
/// An event is seen once it lasts, which is a while after it got its id: so far back is looked again.
const LATE: Duration = Duration::from_secs(10);

/// What to do with events.
#[derive(Subcommand)]
pub(super) enum Events {
    /// Lists events, newest first; without rotations of refresh tokens, unless --user and their code
    /// are given.
    List {
        /// Only those about this account.
        #[arg(long, value_name = "ID")]
        user: Option<UserId>,
        /// Only what this account did to others, or to the service.
        #[arg(long, value_name = "ID", conflicts_with = "user")]
        actor: Option<UserId>,
        /// Only those in which somebody typed this address; it need not be anybody's.
        #[arg(long, conflicts_with_all = ["user", "actor"])]
        email: Option<EmailAddress>,
        /// Only those from this network address.
        #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["user", "actor", "email"])]
        ip: Option<IpAddr>,
        /// Only this code, as in `LOGIN_FAILED`.
        #[arg(long, value_parser = code)]
        code: Option<&'static str>,
        /// Only with this reason, as in `wrong_password`.
        #[arg(long)]
        reason: Option<String>,
        /// Only of the request with this id.
        #[arg(long, value_name = "ID")]
        request: Option<String>,
        /// Only from then on, as in 2026-11-25T08:00:00Z.
        #[arg(long)]
        since: Option<Timestamp>,
        /// Only before then.
        #[arg(long)]
        until: Option<Timestamp>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Prints events as they happen, until it is stopped.
    Tail,
    /// Writes every event of a time out, oldest first, each on a line.
    Export {
        /// From then on, as in 2026-11-25T08:00:00Z; from the beginning unless said.
        #[arg(long)]
        since: Option<Timestamp>,
        /// Before then; until a moment ago unless said.
        #[arg(long)]
        until: Option<Timestamp>,
        /// What they look like: json, ocsf, ecs or cef.
        #[arg(long, default_value_t = EventFormat::Json)]
        format: EventFormat,
    },
    /// Lists who else is given events, how far each is behind, and how much it did not take.
    Sinks,
    /// Lists the events that a sink did not take, newest first, with what it said.
    DeadLetters {
        /// Which.
        sink: Sink,
        /// How many, at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Forgets all of them instead; they stay in the audit trail.
        #[arg(long)]
        drop: bool,
    },
    /// Has a sink given events again, under the same ids.
    Replay {
        /// Which.
        sink: Sink,
        /// Those that it did not take.
        #[arg(long, required_unless_present = "since", conflicts_with = "since")]
        dead: bool,
        /// All from then on.
        #[arg(long)]
        since: Option<Timestamp>,
    },
}

fn code(text: &str) -> Result<&'static str, String> {
    let known = audit::CODES.iter().copied().find(|known| *known == text);
    known.ok_or_else(|| format!("it is one of {}", audit::CODES.join(", ")))
}

pub(super) async fn run(global: &Global, command: Events) -> Result<(), Failure> {
    let (app, ctx) = context::open(global).await?;
    match command {
        Events::List { user, actor, email, ip, code, reason, request, since, until, limit } => {
            let email = email.map(|email| app.secrets.email_hash.hash(email.as_str()).to_vec());
            let address = ip.map(|address| By::Address(address.to_string()));
            let by = user.map(By::User).or(actor.map(By::Actor)).or(email.map(By::Email));
            let by = by.or(address).unwrap_or_default();
            let search = Search {
                by,
                code,
                reason,
                request,
                since: since.unwrap_or(Timestamp::from_microsecond(0)),
                until: until.unwrap_or(Timestamp::from_microsecond(i64::MAX)),
            };
            search.check().map_err(|words| Failure::Failed(words.to_owned()))?;
            let mut tx = app.store.glance().await?;
            let entries = audit::find(&mut tx, &search, Uuid::max(), i64::from(limit)).await?;
            if global.json {
                println!("{}", serde_json::to_string(&entries)?);
            } else {
                entries.iter().for_each(tell);
            }
            Ok(())
        }
        Events::Tail => tail(&app, &ctx, global.json).await,
        Events::Export { since, until, format } => export(&app, &ctx, since, until, format).await,
        Events::Sinks => {
            let standings = exports::standings(&app.config, &mut app.store.glance().await?).await?;
            if global.json {
                println!("{}", serde_json::to_string(&standings)?);
                return Ok(());
            }
            for it in standings {
                let why = it.last_error.map(|why| format!("  fails: {why}")).unwrap_or_default();
                let (sink, behind, dead) = (it.sink.as_str(), it.behind, it.dead_letters);
                println!("{sink:<8} {behind} behind, {dead} not taken{why}");
            }
            Ok(())
        }
        Events::DeadLetters { sink, drop: true, .. } => {
            let count = exports::drop_dead_letters(&app, &ctx, None, sink).await?;
            tell_count(global, count, "events are forgotten.");
            Ok(())
        }
        Events::DeadLetters { sink, limit, .. } => {
            let mut tx = app.store.glance().await?;
            let letters = exports::dead_letters(&mut tx, sink, Uuid::max(), limit.into()).await?;
            if global.json {
                println!("{}", serde_json::to_string(&letters)?);
                return Ok(());
            }
            for it in letters {
                let again = if it.again_at.is_some() { "  (is sent again)" } else { "" };
                println!("{}  {:<24}  {}{again}", it.event_id, it.code, it.reason);
            }
            Ok(())
        }
        Events::Replay { sink, since, .. } => {
            let count = exports::replay(&app, &ctx, None, sink, since).await?;
            let count = count.ok_or_else(|| {
                let words = "was never given an event; `events sinks` lists who is";
                Failure::Failed(format!("{} {words}", sink.as_str()))
            })?;
            tell_count(global, count, "events are given again.");
            Ok(())
        }
    }
}

fn tell_count(global: &Global, count: u64, words: &str) {
    if global.json {
        println!("{}", serde_json::json!({ "events": count }));
    } else {
        println!("{count} {words}");
    }
}

/// Follows the trail. The clock is that of the machine: this ends only when it is stopped.
async fn tail(app: &App, ctx: &Ctx, json: bool) -> Result<(), Failure> {
    let (mut from, mut seen) = (audit::first_id_of(ctx.now), BTreeSet::new());
    loop {
        let entries =
            audit::following(&mut app.store.glance().await?, from, Uuid::max(), PIECE).await?;
        for entry in entries {
            if !seen.insert(entry.id.as_uuid()) {
                continue;
            }
            if json {
                println!("{}", serde_json::to_string(&entry)?);
            } else {
                tell(&entry);
            }
        }
        if super::out::lost().is_some() {
            return Ok(());
        }
        from = from.max(audit::first_id_of(ctx.world().now() - LATE));
        seen.retain(|id| *id > from);
        tokio::time::sleep(EVERY).await;
    }
}

async fn export(
    app: &App,
    ctx: &Ctx,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    format: EventFormat,
) -> Result<(), Failure> {
    let since = since.unwrap_or(Timestamp::from_microsecond(0));
    // What is being written at this moment may come before what was written already.
    let until = until.unwrap_or(ctx.now).min(ctx.now - LATE);
    let end = audit::first_id_of(until);
    let (mut after, mut count) = (before(audit::first_id_of(since)), 0);
    loop {
        let mut tx = app.store.glance().await?;
        let entries = audit::following(&mut tx, after, end, PIECE).await?;
        drop(tx);
        let Some(last) = entries.last() else { break };
        after = last.id.as_uuid();
        for entry in &entries {
            println!("{}", exports::write(format, entry));
            count += 1;
        }
        if super::out::lost().is_some() {
            break;
        }
    }
    // It may have taken long.
    let ctx = Ctx::command(Arc::clone(&app.world));
    audit::record_alone(app, &ctx, &Event::EventsExported { since, until, count }).await?;
    eprintln!("{count} events, until {until}");
    Ok(())
}

/// The id right before this one: what is listed follows it.
fn before(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_sub(1))
}

/// Tells one event to a person, in a line.
fn tell(entry: &Entry) {
    let Entry { at, code, reason, actor_id, user_id, session_id, ip_address, request_id, .. } =
        entry;
    let mut line = format!("{at}  {code:<24}");
    if let Some(reason) = reason {
        line += "  ";
        line += reason;
    }
    for (name, value) in [
        ("user", user_id.map(|id| id.to_string())),
        ("by", actor_id.filter(|actor| Some(*actor) != *user_id).map(|id| id.to_string())),
        ("session", session_id.map(|id| id.to_string())),
        ("from", ip_address.clone().filter(|address| address != "0.0.0.0")),
        ("request", request_id.clone()),
    ] {
        if let Some(value) = value {
            line.extend(["  ", name, "=", &value]);
        }
    }
    println!("{line}");
}
