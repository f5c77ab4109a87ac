//! What must stay true of the configuration, by subject.

mod drift;
mod faces;
mod names;
mod production;
mod robustness;
mod sources;
mod table;
mod values;

use super::*;

/// A key that nobody would mistake for a placeholder.
const KEY: &str = "mJ8xq0Yv3cF1b7kT5nR2sW9zA4dH6gL0pE8uI1oQyXs=";

/// What production needs, and no more.
const PRODUCTION: [(&str, &str); 6] = [
    ("AUTHSHIELD_ENVIRONMENT", "production"),
    ("AUTHSHIELD_PUBLIC_URL", "https://id.acme.dev"),
    ("AUTHSHIELD_MASTER_KEY", KEY),
    ("AUTHSHIELD_DATABASE_URL", "postgres://authshield@db.acme.dev/authshield"),
    ("AUTHSHIELD_SMTP_HOST", "smtp.acme.dev"),
    ("AUTHSHIELD_MAIL_FROM", "Acme <no-reply@acme.dev>"),
];

/// Builds a variable that no file of ours may spell out, because nobody declared it.
fn var(tail: &str) -> String {
    format!("{PREFIX}{tail}")
}

/// Loads with a variable each for `pairs`, in development.
fn load_env(pairs: &[(&str, &str)]) -> Result<Loaded, Refused> {
    load(&Sources::new().env(pairs.iter().map(|(tail, value)| (var(tail), *value))))
}

/// Loads a sound production configuration with `pairs` laid over it.
fn load_production(pairs: &[(&str, &str)]) -> Result<Loaded, Refused> {
    let over = |name: &str| pairs.iter().any(|(tail, _)| var(tail) == name);
    let sound = PRODUCTION.into_iter().filter(|(name, _)| !over(name));
    let sound = sound.map(|(name, value)| (name.to_owned(), value));
    let pairs = pairs.iter().map(|(tail, value)| (var(tail), *value));
    load(&Sources::new().env(sound).env(pairs))
}

/// Returns the refusals' sentences.
fn complaints(outcome: Result<Loaded, Refused>) -> Vec<String> {
    match outcome {
        Ok(_) => Vec::new(),
        Err(refused) => refused.refusals.iter().map(ToString::to_string).collect(),
    }
}

/// Returns the ids of everything that was found, refusals first.
fn found(outcome: Result<Loaded, Refused>) -> Vec<&'static str> {
    match outcome {
        Ok(loaded) => loaded.warnings.iter().map(|finding| finding.id).collect(),
        Err(refused) => refused.iter().map(|finding| finding.id).collect(),
    }
}

/// Returns the ids of what stops the start.
fn refused(outcome: Result<Loaded, Refused>) -> Vec<&'static str> {
    match outcome {
        Ok(_) => Vec::new(),
        Err(refused) => refused.refusals.iter().map(|finding| finding.id).collect(),
    }
}
