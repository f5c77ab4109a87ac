//! How fast a long queue of mail drains, in how much memory, and whether anybody waits for a relay.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use authshield::assemble::{assemble, ready_store};
use authshield::config::{self, Sources};
use authshield::mail::{Letter, Recipient};
use authshield::telemetry::Metrics;
use authshield::world::{Real, SharedWorld};

use super::{Bench, millis, say};
use crate::base::{Base, Kind};
use crate::clients::Register;
use crate::limits::argon::Cost;
use crate::load::{Lane, Pace, Window, drive};
use crate::relay::{Manner, Relay, bare_rate};
use crate::service::Service;
use crate::stats::percentile;
use crate::table::{Row, Target, Unit};

/// How many mails wait, and how many of them for a relay that takes its time.
const LONG: u32 = 100_000;
const SHORT: u32 = 5_000;

/// What a real relay takes to take a message, at least.
const THINKING: Duration = Duration::from_millis(10);

/// How many register per second: few, so that nothing but a relay could be in their way.
const REGISTRATIONS_PER_SECOND: f64 = 40.0;

/// How long nothing may happen before a measurement is given up.
const STUCK: Duration = Duration::from_mins(2);

/// Measures how a queue drains.
pub(super) fn drain(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let long = if bench.runs == 1 { LONG / 50 } else { LONG };
    let fast = drained(bench, kind, long, Manner::Takes(Duration::ZERO))?;
    let real = drained(bench, kind, SHORT.min(long), Manner::Takes(THINKING))?;
    say(&format!(
        "{long} mails left at {:.0} per second, a bare client has {:.0}; memory {:.1} MiB after a tenth \
         and {:.1} MiB at the most from then on; with a relay that thinks for 10 ms {:.0} against {:.0}",
        fast.rate, fast.bare, fast.early, fast.most, real.rate, real.bare
    ));
    let name = kind.name();
    let of = |what: &str| format!("{what} of {long} queued mails");
    Ok(vec![
        Row::ratio(
            of("draining"),
            name,
            Unit::PerSecond,
            &[(fast.rate, fast.bare)],
            "by a bare client",
            Target::None,
        ),
        Row::ratio(
            "the same with a relay that takes 10 ms for each",
            name,
            Unit::PerSecond,
            &[(real.rate, real.bare)],
            "by a bare client",
            Target::AtLeast(0.5),
        ),
        Row::ratio(
            of("most memory while draining the rest"),
            name,
            Unit::Mebibytes,
            &[(fast.most, fast.early)],
            "after a tenth of it",
            Target::Below(1.2),
        ),
    ])
}

/// How a queue drained.
struct Drained {
    /// Messages per second, and what a client has that keeps nothing.
    rate: f64,
    bare: f64,
    /// In MiB: when a tenth was gone, and the most from then on.
    early: f64,
    most: f64,
}

fn drained(bench: &Bench, kind: &Kind, messages: u32, manner: Manner) -> Result<Drained> {
    let bare = bare_rate(&Relay::start(manner)?, messages.min(8_000))?;
    let folder = tempfile::tempdir_in(bench.folder())?;
    let base = Base::create(kind, folder.path())?;
    let relay = Relay::start(manner)?;
    let settings = settings(&relay);
    fill(&base, folder.path(), &settings, messages)?;
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let service = Service::start(&bench.binary, folder.path(), &base.url, &settings)?;
    let (begun, mut early, mut most) = (Instant::now(), None, 0.0_f64);
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let taken = relay.taken();
        let memory = service.memory()?;
        if taken >= messages / 10 {
            // Not before: a start hashes once to see how long that takes, and keeps the memory for a while.
            early.get_or_insert(memory);
            most = most.max(memory);
        }
        if taken >= messages {
            break;
        }
        if taken != last {
            (last, moved) = (taken, Instant::now());
        }
        if moved.elapsed() > STUCK {
            bail!("after {taken} of {messages} mails nothing leaves any more");
        }
        sleep(Duration::from_millis(20));
    }
    let rate = f64::from(messages) / begun.elapsed().as_secs_f64();
    Ok(Drained { rate, bare, early: early.context("a tenth left")?, most })
}

/// Returns the settings that make the service send its mail to `relay`.
fn settings(relay: &Relay) -> Vec<String> {
    vec![
        "smtp.host=127.0.0.1".to_owned(),
        format!("smtp.port={}", relay.address.port()),
        "smtp.tls=none".to_owned(),
        "mail.from=Bench <bench@example.org>".to_owned(),
        // Somebody else's conversations with the relay are not what is measured.
        "checks.policy=SMTP-*=ignore,DNS-*=ignore,DB-5=warn".to_owned(),
    ]
}

/// Puts mails into the outbox of a service that does not run yet.
fn fill(base: &Base, folder: &std::path::Path, settings: &[String], messages: u32) -> Result<()> {
    let mut set = vec![
        format!("data_dir={}", folder.join("data").display()),
        format!("database.url={}", base.url),
    ];
    set.extend(settings.iter().cloned());
    let loaded = config::load(&Sources::new().set(set));
    let config = loaded.map_err(|refused| anyhow::anyhow!("{refused}"))?.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let world: SharedWorld = Arc::new(Real);
        let store = ready_store(&config, true).await?;
        let metrics = Metrics::new(&*world);
        let (app, _) = assemble(config, Arc::clone(&world), store, metrics).await?;
        for batch in 0..messages.div_ceil(1000) {
            let mut tx = app.store.write().await?;
            for number in (batch * 1000..messages).take(1000) {
                let to = Recipient {
                    user: None,
                    email: format!("user{number}@example.org"),
                    name: None,
                    locale: "en".to_owned(),
                };
                app.outbox.put(&mut tx, &to, &Letter::Test, world.now()).await?;
            }
            tx.commit().await?;
        }
        app.passwords.shutdown();
        Ok::<_, anyhow::Error>(())
    })
}

/// Measures what a relay's bad hour costs those who register.
pub(super) fn register(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let window = Window { span: bench.window.span * 3, ..bench.window };
    let mut against = Vec::new();
    let (mut dead, mut slow, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let fast = p99(bench, kind, Some(Manner::Takes(Duration::ZERO)), window)?;
        dead.push((p99(bench, kind, None, window)?, fast));
        slow.push((
            p99(bench, kind, Some(Manner::Slow(Duration::from_millis(200))), window)?,
            fast,
        ));
        silent.push((p99(bench, kind, Some(Manner::Silent), window)?, fast));
        against.push(fast);
    }
    say(&format!("p99 of a registration: {against:.2?} ms with a fast relay"));
    let row = |what: &str, pairs: &[(f64, f64)]| {
        let what = format!("p99 of registering while the relay {what}");
        let (unit, target) = (Unit::Milliseconds, Target::Below(1.2));
        Row::ratio(what, kind.name(), unit, pairs, "with a fast one", target)
    };
    Ok(vec![
        row("is gone", &dead),
        row("takes 0.2 s for each answer", &slow),
        row("says nothing", &silent),
    ])
}

/// In milliseconds; without a manner nobody listens.
fn p99(bench: &Bench, kind: &Kind, manner: Option<Manner>, window: Window) -> Result<f64> {
    let relay = Relay::start(manner.unwrap_or(Manner::Silent))?;
    let folder = tempfile::tempdir_in(bench.folder())?;
    let base = Base::create(kind, folder.path())?;
    let mut all = settings(&relay);
    // Whoever is gone was there: the port is nobody else's meanwhile.
    let relay = manner.map(|_| relay);
    all.extend(Cost::NONE.settings());
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let service = Service::start(&bench.binary, folder.path(), &base.url, &all)?;
    let pace = Pace::PerSecond(REGISTRATIONS_PER_SECOND);
    let mut lanes = [Lane::new(Register::many(8), pace)];
    let outcome = drive(service.address, &mut lanes, window)?.remove(0);
    drop(relay);
    Ok(millis(Duration::from_micros(percentile(&outcome.served, 0.99).into())))
}
