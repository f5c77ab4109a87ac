//! DB: the database, from the connection to what it promises.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use url::{Host, Url};

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use super::sql;
use crate::schema;

/// The oldest PostgreSQL that the schema was made for.
const POSTGRES_AT_LEAST: i64 = 150_000;

/// The connection.
pub(super) struct Connection;

impl Check for Connection {
    const ABOUT: About = About {
        id: "DB-1",
        title: "Database connection",
        verifies: "The database is reached by a new connection with the settings that the service uses; \
                   PostgreSQL is 15 or newer, and says itself that the connection is encrypted where \
                   it leaves this machine.",
        expected: "a database that answers, over an encrypted connection unless it is on this machine",
        remedy: "Check that the server runs and that the address, the user and the password are right.",
        settings: &["database.url"],
        parents: &["CFG-1", "CFG-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Page },
        every: Some(Duration::from_secs(15)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match connect(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn connect(at: &Round) -> Result<Verdict, Verdict> {
    if let Some(file) = at.missing_file() {
        let words =
            format!("there is no database yet at {file}; `authshield migrate run` makes it");
        return Ok(Verdict::warn(words).remedy("If there should be one, look where it went."));
    }
    let began = Instant::now();
    let store = at.store().await?;
    let unreachable = crate::assemble::unreachable(at.config());
    store.reach().await.map_err(unreachable)?;
    let took = began.elapsed();
    if store.kind() == "sqlite" {
        return Ok(Verdict::pass(format!("SQLite answers after {took:.0?}")));
    }
    let server = sql::server(store).await?;
    let words = format!("PostgreSQL {} answers after {took:.0?}", server.version_text);
    if server.version < POSTGRES_AT_LEAST {
        return Ok(Verdict::fail(words).remedy("Use PostgreSQL 15 or newer."));
    }
    let verdict = |verdict: Verdict| verdict.evidence(format!("encrypted: {}", server.encrypted));
    Ok(match way(at.config().database.url.expose_secret()) {
        Way::Local => Verdict::pass(words),
        _ if server.encrypted && verified(at.config().database.url.expose_secret()) => {
            verdict(Verdict::pass(format!("{words}, encrypted")))
        }
        _ if server.encrypted => verdict(Verdict::warn(format!(
            "{words}, encrypted, but nobody checked that it is the right server"
        )))
        .remedy("Add sslmode=verify-full to the address, and sslrootcert if a private authority signed."),
        Way::Private => verdict(Verdict::warn(format!("{words}, in clear text on a private network")))
            .remedy("Use TLS (sslmode=verify-full) if others share that network."),
        Way::Public => verdict(Verdict::fail(format!("{words}, in clear text")))
            .remedy("Add sslmode=verify-full to the address."),
    })
}

/// Where the connection leads.
enum Way {
    /// It does not leave this machine.
    Local,
    /// A name without dots, as between containers, or a private address.
    Private,
    /// Anywhere.
    Public,
}

fn way(address: &str) -> Way {
    let Ok(url) = Url::parse(address) else { return Way::Public };
    let asked = url.query_pairs().find(|(name, _)| name == "host" || name == "hostaddr");
    let host = asked.map(|(_, value)| value.into_owned());
    let host = host.or_else(|| url.host_str().map(ToOwned::to_owned)).unwrap_or_default();
    if host.is_empty() || host.starts_with('/') || host.starts_with("%2F") || host == "localhost" {
        return Way::Local;
    }
    match Host::parse(&host) {
        Ok(Host::Ipv4(ip)) if ip.is_loopback() => Way::Local,
        Ok(Host::Ipv6(ip)) if ip.is_loopback() => Way::Local,
        Ok(Host::Ipv4(ip)) if ip.is_private() => Way::Private,
        Ok(Host::Ipv6(ip)) if ip.is_unique_local() => Way::Private,
        Ok(Host::Domain(name)) if !name.contains('.') => Way::Private,
        _ => match host.parse::<std::net::IpAddr>() {
            Ok(ip) if ip.is_loopback() => Way::Local,
            _ => Way::Public,
        },
    }
}

fn verified(address: &str) -> bool {
    let url = Url::parse(address).ok();
    let mode = url.and_then(|url| {
        let mode = url.query_pairs().find(|(name, _)| name == "sslmode" || name == "ssl-mode");
        mode.map(|(_, value)| value.into_owned())
    });
    mode.is_some_and(|mode| mode.eq_ignore_ascii_case("verify-full"))
}

/// The schema.
pub(super) struct Schema;

impl Check for Schema {
    const ABOUT: About = About {
        id: "DB-2",
        title: "Database schema",
        verifies: "The database has every migration of this program, each as it is in the program, and \
                   none that the program does not know and that does not bear it. That it lacks some is a warning at the gate, \
                   since migrating comes behind it, and keeps a server from starting.",
        expected: "exactly the schema of this program",
        remedy: "Run the version that upgraded the database, or restore a backup.",
        settings: &["database.url"],
        parents: &["DB-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Nothing },
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match compare(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn compare(at: &Round) -> Result<Verdict, Verdict> {
    let store = at.store().await?;
    let failed = |error: onesql::Error| Verdict::fail(crate::problem::chain(&error));
    let known = schema::fitting(store).await.map_err(failed)?;
    let status = store.migration_status(&known).await.map_err(failed)?;
    let last = status.iter().filter(|it| it.applied).map(|it| it.version).max().unwrap_or(0);
    let missing: Vec<_> = status.iter().filter(|it| !it.applied).collect();
    if missing.is_empty() {
        return Ok(Verdict::pass(format!("migration {last} of {last}")));
    }
    let words = format!("the database lacks {} migrations", missing.len());
    let verdict = Verdict::warn(words).remedy("Run `authshield migrate run`.");
    let fact = |verdict: Verdict, it: &&onesql::MigrationStatus| {
        verdict.evidence(format!("{:04} {} is missing", it.version, it.name))
    };
    Ok(missing.iter().fold(verdict, fact))
}

/// Returns a verdict to end with if the database has no tables yet.
pub(super) async fn has_tables(at: &Round) -> Result<(), Verdict> {
    let store = at.store().await?;
    let missing = schema::pending(store).await.map_err(Verdict::from)?;
    if missing == 0 {
        return Ok(());
    }
    Err(Verdict::skip("the database has not this program's schema yet"))
}

/// The clock.
pub(super) struct Clock;

impl Check for Clock {
    const ABOUT: About = About {
        id: "DB-4",
        title: "Clocks",
        verifies: "The clock of the database server and ours agree, corrected by half the time the \
                   question took, and nothing in the database is from the future. More than 2 seconds \
                   are a warning; 30, the step of one-time codes and the leeway of tokens, are too many.",
        expected: "less than 2 seconds between the clocks",
        remedy: "Let both machines set their clocks from the same source (NTP).",
        settings: &[],
        parents: &["DB-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Page },
        every: Some(Duration::from_secs(30)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match skew(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

/// From how many microseconds on clocks differ so much that somebody should know.
const SKEW_WARNS: i64 = 2_000_000;
/// From how many on they do harm.
const SKEW_FAILS: i64 = 30_000_000;

async fn skew(at: &Round) -> Result<Verdict, Verdict> {
    let store = at.store().await?;
    let mut worst = (0, String::from("the database file has the clock of this machine"));
    if store.kind() == "postgres" {
        // The second question: the first may have had to connect.
        let _ = sql::server_clock(store).await?;
        let before = at.now().as_microsecond();
        let theirs = sql::server_clock(store).await?;
        let after = at.now().as_microsecond();
        let ahead = theirs - i64::midpoint(before, after);
        worst = (ahead, format!("the server's clock is {} ours", apart(ahead)));
    }
    if has_tables(at).await.is_ok()
        && let Some(newest) = sql::newest_event(store).await?
    {
        let ahead = newest.as_microsecond() - at.now().as_microsecond();
        if ahead > worst.0.abs() {
            worst = (ahead, format!("the newest audit event is {} our clock", apart(ahead)));
        }
    }
    let (by, words) = worst;
    if let Some(app) = at.app() {
        #[expect(clippy::cast_precision_loss, reason = "to the millisecond is more than enough")]
        app.metrics.clock_skew.set(by as f64 / 1e6);
    }
    Ok(match by.abs() {
        SKEW_FAILS.. => Verdict::fail(words),
        SKEW_WARNS.. => Verdict::warn(words),
        _ => Verdict::pass(words),
    })
}

fn apart(micros: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "to the millisecond is more than enough")]
    let seconds = micros.abs() as f64 / 1e6;
    format!("{seconds:.3} s {}", if micros < 0 { "behind" } else { "ahead of" })
}

/// What a commit is worth.
pub(super) struct Durability;

impl Check for Durability {
    const ABOUT: About = About {
        id: "DB-5",
        title: "Durability",
        verifies: "What is committed survives a power cut. PostgreSQL: fsync, full_page_writes and \
                   synchronous_commit are on. SQLite: write-ahead log, foreign keys, a quick check of \
                   the file, and free space.",
        expected: "a database that keeps what it acknowledged",
        remedy: "Switch fsync, full_page_writes and synchronous_commit on.",
        settings: &["database.url"],
        parents: &["DB-1"],
        effect: Effect::Network,
        timeout: Duration::from_secs(20),
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn },
        listening: false,
        every: Some(Duration::from_hours(1)),
        scope: Scope::Service,
    };

    async fn look(at: &Round) -> Verdict {
        match durability(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn durability(at: &Round) -> Result<Verdict, Verdict> {
    let store = at.store().await?;
    if store.kind() == "postgres" {
        let settings = sql::durability(store).await?;
        let off: Vec<_> = settings.iter().filter(|(_, value)| value == "off").collect();
        if off.is_empty() {
            return Ok(Verdict::pass("fsync, full_page_writes and synchronous_commit are on"));
        }
        let names: Vec<_> = off.iter().map(|(name, _)| name.as_str()).collect();
        let words = format!("{} is off: a power cut loses what was acknowledged", names.join(", "));
        return Ok(Verdict::fail(words));
    }
    let file = sql::file(store).await?;
    if file.journal_mode != "wal" {
        let words = format!("journal_mode is {}", file.journal_mode);
        return Ok(
            Verdict::fail(words).remedy("Put the file where shared memory works: a local disk.")
        );
    }
    let damage = match sql::quick_check(store).await {
        Ok(words) => words,
        // A large file takes longer than a statement may; that is no damage.
        Err(onesql::Error::Timeout(_)) => "ok".to_owned(),
        Err(error) => return Err(error.into()),
    };
    if damage != "ok" {
        let words = format!("the file is damaged: {damage}");
        return Ok(Verdict::fail(words).remedy("Restore a backup."));
    }
    Ok(Verdict::pass("write-ahead log with full synchronisation, no damage found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_where_a_connection_leads() {
        for (address, expected) in [
            ("postgres://a@127.0.0.1/x", "local"),
            ("postgres://a@[::1]/x", "local"),
            ("postgres://a@localhost/x", "local"),
            ("postgres:///x?host=/run/postgresql", "local"),
            ("postgres://a@%2Frun%2Fpostgresql/x", "local"),
            ("postgres://a@10.0.0.5/x", "private"),
            ("postgres://a@postgres/x", "private"),
            ("postgres://a@db.example.org/x", "public"),
            ("postgres://a@203.0.113.7/x", "public"),
        ] {
            let found = match way(address) {
                Way::Local => "local",
                Way::Private => "private",
                Way::Public => "public",
            };
            assert_eq!(found, expected, "{address}");
        }
        assert!(verified("postgres://a@db/x?sslmode=verify-full"));
        assert!(!verified("postgres://a@db/x?sslmode=require"));
    }
}
