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
