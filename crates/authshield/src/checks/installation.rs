//! DB-8, CFG-3, BAK-1: which installation this is, what changed since it last started well, and
//! whether it could be restored.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::database::has_tables;
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::installation::{self, Admission, Seen, history};
use crate::problem::chain;
use crate::vault::fingerprint_key;

/// A verified backup that is older than this is old: two nights were missed.
const BACKUP_AT_MOST: Duration = Duration::from_hours(50);
/// One that is older than this is none.
const BACKUP_LOST: Duration = Duration::from_hours(7 * 24);

/// Which installation the database is.
pub(super) struct Identity;

impl Check for Identity {
    const ABOUT: About = About {
        id: "DB-8",
        title: "Installation",
        verifies: "The database is the installation that `installation_id` expects, and none that was \
                   wiped: production does not begin on a database that nobody set up.",
        expected: "the installation that is expected",
        remedy: "Name the right database, or restore a backup into an empty one.",
        settings: &["installation_id", "database.url"],
        parents: &["DB-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Nothing },
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match identity(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn identity(at: &Round) -> Result<Verdict, Verdict> {
    let config = at.config();
    let seen = match at.missing_file() {
        Some(_) => Seen { installation: None, accounts: false },
        None => installation::look(at.store().await?).await?,
    };
    Ok(match installation::admit(config.installation_id, &seen, config.is_production()) {
        Err(misplaced) => Verdict::fail(misplaced.to_string()),
        Ok(Admission::New) => Verdict::pass("a database that gets its id at the first start"),
        Ok(Admission::Known(known)) if config.is_production() && config.installation_id.is_none() => {
            Verdict::warn(format!("installation {}, and none is expected", known.id)).remedy(format!(
                "Keep AUTHSHIELD_INSTALLATION_ID={} with the configuration: a database that is another \
                 one's is noticed then.",
                known.id
            ))
        }
        Ok(Admission::Known(known)) => Verdict::pass(format!("installation {}", known.id)),
    })
}

/// What changed since the last good start.
pub(super) struct Drift;

impl Check for Drift {
    const ABOUT: About = About {
        id: "CFG-3",
        title: "Configuration drift",
        verifies: "Every setting is held against the last good start, by keyed fingerprint: what got a \
                   value, lost it, or has another one is told by name.",
        expected: "the configuration of the last good start",
        remedy: "If you did not mean to change it, look where the value went: `authshield config show` \
                 tells where each comes from.",
        parents: &["DB-1", "DB-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Warn, start: Act::Nothing, running: Act::Nothing },
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match drift(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn drift(at: &Round) -> Result<Verdict, Verdict> {
    has_tables(at).await?;
    let (store, vault) = (at.store().await?, at.vault()?);
    let key = fingerprint_key(store, &vault).await.map_err(|error| Verdict::skip(chain(&error)))?;
    let Some(key) = key else { return Ok(Verdict::skip("there was no start yet")) };
    let Some((last, changes)) = history::drift(store, &key, at.effective()).await? else {
        return Ok(Verdict::skip("there was no good start yet"));
    };
    if changes.is_empty() {
        return Ok(Verdict::pass(format!("as at the last good start, {}", last.at.to_minute())));
    }
    // An emptied setting is how the worst silent failure began; new and other values are meant.
    let names: Vec<_> = changes
        .names()
        .filter_map(|name| crate::config::setting(name).map(|setting| setting.name))
        .collect();
    Ok(Verdict::warn(format!("since the last good start, {}: {changes}", last.at.to_minute()))
        .about(&names))
}

/// Whether there is a backup that can be restored.
pub(super) struct Backup;

impl Check for Backup {
    const ABOUT: About = About {
        id: "BAK-1",
        title: "Verified backup",
        verifies: "A backup was restored for trial (`authshield backup verify`), and it is of the last \
                   two days.",
        expected: "a verified backup that is not older than 50 hours",
        remedy: "Run `authshield backup create` and `authshield backup verify` every night.",
        parents: &["DB-1", "DB-2", "DB-8"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Warn, start: Act::Nothing, running: Act::Warn },
        every: Some(Duration::from_hours(1)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match backup(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn backup(at: &Round) -> Result<Verdict, Verdict> {
    if !at.config().is_production() {
        return Ok(Verdict::skip("development needs no backup"));
    }
    has_tables(at).await?;
    let seen = installation::look(at.store().await?).await?;
    let Some(installation) = seen.installation else {
        return Ok(Verdict::skip("there is nothing to save yet"));
    };
    let now = at.now();
    Ok(match installation.backup_made_at {
        // A new installation has a night to make its first.
        None if now.since(installation.created_at) < BACKUP_AT_MOST => {
            Verdict::skip("the installation is new")
        }
        None => Verdict::fail("no backup was ever verified"),
        Some(made_at) => {
            let age = now.since(made_at);
            let words = format!("the last verified backup is of {}", made_at.to_minute());
            match age {
                age if age > BACKUP_LOST => Verdict::fail(words),
                age if age > BACKUP_AT_MOST => Verdict::warn(words),
                _ => Verdict::pass(words),
            }
        }
    })
}
