//! KEY: the keys that sign, and what is sealed.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::problem::chain;
use crate::vault::{Keyring, KeyringError, VaultError};

/// The key that signs tokens.
pub(super) struct Signing;

impl Check for Signing {
    const ABOUT: About = About {
        id: "KEY-1",
        title: "Signing key",
        verifies: "There is an active signing key in the database, it opens with the master key, what \
                   it signs verifies with the keys that are published, and a running node publishes \
                   the keys that the database has.",
        expected: "a key that opens, signs and is published",
        remedy: "Give the master key that this database was made with, or restore a backup.",
        settings: &["master_key", "master_key_previous"],
        parents: &["DB-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Page },
        every: Some(Duration::from_mins(1)),
        scope: Scope::Node,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match examine(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn examine(at: &Round) -> Result<Verdict, Verdict> {
    super::database::has_tables(at).await?;
    let (vault, store) = (at.vault()?, at.store().await?);
    let proof = match Keyring::prove(store, &vault, at.now()).await {
        Ok(proof) => proof,
        // The first start makes one; a service that runs has one.
        Err(KeyringError::Empty) if at.app().is_none() => {
            return Ok(Verdict::pass("there is none yet; the first start makes it"));
        }
        Err(error) => return Err(trouble(&error)),
    };
    if !proof.verified {
        let words = format!("what the key {} signs does not verify with it", proof.kid);
        return Ok(Verdict::fail(words));
    }
    if let Some(app) = at.app()
        && app.keyring.jwks().body != proof.jwks.body
    {
        // It may have been rotated a moment ago: a node looks every few seconds.
        let _ = app.keyring.reload(at.now()).await;
        if app.keyring.jwks().body != proof.jwks.body {
            return Ok(Verdict::fail("this node publishes other keys than the database has"));
        }
    }
    let words = format!("{} of {} published keys signs", proof.kid, proof.count);
    Ok(Verdict::pass(words))
}

fn trouble(error: &KeyringError) -> Verdict {
    let verdict = Verdict::fail(chain(error));
    match error {
        KeyringError::Vault(VaultError::OtherKey { .. }) => verdict,
        KeyringError::Empty => verdict.remedy("Restart one node, or restore a backup."),
        _ => verdict.remedy("Restore a backup."),
    }
}

/// Whether keys are changed in time.
pub(super) struct Rotation;

impl Check for Rotation {
    const ABOUT: About = About {
        id: "KEY-2",
        title: "Rotation of signing keys",
        verifies: "The key that signs is not older than token.key_rotation by more than a day: somebody \
                   changes keys. That a key is published before it signs, and for as long as its tokens live, \
                   is how they are changed.",
        expected: "a key that is changed in time",
        remedy: "See why no node changes keys: its log says so. `authshield keys rotate` changes them now.",
        settings: &["token.key_rotation", "token.key_publish_ahead"],
        parents: &["KEY-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_mins(10)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match age(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn age(at: &Round) -> Result<Verdict, Verdict> {
    super::database::has_tables(at).await?;
    let (vault, store) = (at.vault()?, at.store().await?);
    let proof = match Keyring::prove(store, &vault, at.now()).await {
        Ok(proof) => proof,
        Err(KeyringError::Empty) => return Ok(Verdict::skip("there is none yet")),
        Err(error) => return Err(trouble(&error)),
    };
    let day = Duration::from_hours(24);
    let (age, limit) = (at.now().since(proof.active_from), at.config().token.key_rotation + day);
    let words = format!("the key signs since {}", proof.active_from.to_minute());
    Ok(if age > limit { Verdict::warn(words) } else { Verdict::pass(words) })
}

/// Everything that is sealed.
pub(super) struct Sealed;

impl Check for Sealed {
    const ABOUT: About = About {
        id: "KEY-3",
        title: "Sealed values",
        verifies: "Every sealed value in the database was sealed under the master key or the previous \
                   one. Only the ids of keys are read.",
        expected: "no value that was sealed under an unknown key",
        remedy: "Name the missing key in AUTHSHIELD_MASTER_KEY_PREVIOUS, or restore a backup.",
        settings: &["master_key_previous", "master_key"],
        parents: &["KEY-1"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Degrade },
        every: Some(Duration::from_mins(5)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match count(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn count(at: &Round) -> Result<Verdict, Verdict> {
    super::database::has_tables(at).await?;
    let (vault, store) = (at.vault()?, at.store().await?);
    let found = vault.inventory(store).await?;
    let words = format!("{} values under the master key", found.current);
    let words = match found.previous {
        0 => words,
        count => format!("{words}, {count} under the previous one"),
    };
    Ok(match found.unknown {
        0 => Verdict::pass(words),
        // The same words as where such a value is opened: it is the same trouble.
        count => {
            let id = found.unknown_key.unwrap_or_default();
            let error = VaultError::OtherKey { id };
            Verdict::fail(format!("{count} values cannot be opened: {error}")).evidence(words)
        }
    })
}
