//! DB-6, DB-7: what a PostgreSQL server has room for, and whether its order of text is still the one
//! that indexes were built with.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use super::sql;

/// Room for connections.
pub(super) struct Capacity;

impl Check for Capacity {
    const ABOUT: About = About {
        id: "DB-6",
        title: "Database capacity",
        verifies: "The PostgreSQL server has room for all of database.connections beside what others \
                   hold, and statements of one connection reach one server process: a pooler in \
                   transaction mode breaks prepared statements and locks.",
        expected: "room for all connections, and no pooler in transaction mode",
        remedy: "Raise max_connections of the server, or lower database.connections.",
        settings: &["database.connections", "database.url"],
        parents: &["DB-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_mins(10)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match room(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn room(at: &Round) -> Result<Verdict, Verdict> {
    let store = at.store().await?;
    if store.kind() == "sqlite" {
        return Ok(Verdict::skip("a file has no limit of connections"));
    }
    let backends = sql::backends(store).await?;
    if backends.windows(2).any(|pair| pair[0] != pair[1]) {
        let words = "statements of one connection reach different server processes";
        return Ok(Verdict::warn(words).remedy(
            "Connect to the server itself, or let the pooler pool \
                                               sessions.",
        ));
    }
    let room = sql::room(store).await?;
    let (ours, free) = (i64::from(at.config().database.connections), room.at_most - room.others);
    let words = format!("{ours} connections of ours at most, room for {free}");
    Ok(if ours > free { Verdict::warn(words) } else { Verdict::pass(words) })
}

/// The order of text.
pub(super) struct Collation;

impl Check for Collation {
    const ABOUT: About = About {
        id: "DB-7",
        title: "Database collation",
        verifies: "The version of the collation that PostgreSQL recorded when the database was made is \
                   that of the library it runs with: after a change of the base image indexes on text \
                   may be in the wrong order, and let doubles in.",
        expected: "the collation version that the database was made with",
        remedy: "REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION.",
        settings: &["database.url"],
        parents: &["DB-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_hours(1)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match collation(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn collation(at: &Round) -> Result<Verdict, Verdict> {
    let store = at.store().await?;
    if store.kind() == "sqlite" {
        return Ok(Verdict::skip("SQLite brings its own"));
    }
    Ok(match sql::collation(store).await? {
        (Some(recorded), Some(actual)) if recorded != actual => {
            Verdict::fail(format!("made with version {recorded}, and runs with {actual}"))
        }
        (Some(recorded), _) => Verdict::pass(format!("version {recorded}")),
        (None, _) => Verdict::pass("a collation without versions"),
    })
}
