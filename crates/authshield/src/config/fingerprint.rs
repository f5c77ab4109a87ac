//! Whether two configurations are the same, without keeping either.
//!
//! Each setting that has a value is hashed under a key that only the database has, so that a stored
//! fingerprint tells neither a secret nor a guess at one. What may differ between nodes is left out:
//! replicas with one configuration have one digest.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::reader::Effective;

/// The key under which settings are hashed.
pub struct FingerprintKey(hmac::Key);

impl FingerprintKey {
    /// Makes the key.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

/// A fingerprint of each setting that has a value, by its dotted name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprints(BTreeMap<String, String>);

/// Names of settings that differ between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Those that got a value.
    pub set: Vec<String>,
    /// Those that lost it.
    pub unset: Vec<String>,
    /// Those that have another one.
    pub changed: Vec<String>,
}

/// How much of a hash is kept, in bytes.
const LENGTH: usize = 8;

fn hex(bytes: &[u8]) -> String {
    bytes[..LENGTH].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

impl Fingerprints {
    /// Takes the fingerprints of what is in force.
    #[must_use]
    pub fn of(effective: &[Effective], key: &FingerprintKey) -> Self {
        let shared = effective.iter().filter(|effective| !effective.setting.per_node);
        let given = shared.filter_map(|effective| {
            let secret = effective.secret.as_ref().map(ExposeSecret::expose_secret);
            let value = effective.value.as_deref().or(secret)?;
            let name = effective.setting.name;
            let mut context = hmac::Context::with_key(&key.0);
            context.update(name.as_bytes());
            context.update(&[0]);
            context.update(value.as_bytes());
            Some((name.to_owned(), hex(context.sign().as_ref())))
        });
        Self(given.collect())
    }

    /// Returns one fingerprint for all of them.
    #[must_use]
    pub fn digest(&self) -> String {
        let text = serde_json::to_string(&self.0).expect("text is plain data");
        hex(digest(&SHA256, text.as_bytes()).as_ref())
    }

    /// Says what changed from `before` to this.
    #[must_use]
    pub fn since(&self, before: &Self) -> Changes {
        let mut changes = Changes::default();
        for (name, now) in &self.0 {
            match before.0.get(name) {
                None => changes.set.push(name.clone()),
                Some(then) if then != now => changes.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        let gone = before.0.keys().filter(|name| !self.0.contains_key(*name));
        changes.unset.extend(gone.cloned());
        changes
    }

    /// Takes over from `other` what `which` says of a setting's name.
    pub fn take_over(&mut self, other: &Self, which: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| !which(name));
        let theirs = other.0.iter().filter(|(name, _)| which(name));
        self.0.extend(theirs.map(|(name, value)| (name.clone(), value.clone())));
    }
}

impl Changes {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    /// Returns every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.set, &self.unset, &self.changed].into_iter().flatten().map(String::as_str)
    }

    /// Keeps those that `which` says.
    #[must_use]
    pub fn only(mut self, which: impl Fn(&str) -> bool) -> Self {
        for names in [&mut self.set, &mut self.unset, &mut self.changed] {
            names.retain(|name| which(name));
        }
        self
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.set.iter().map(|name| (name, "was set"));
        let all = all.chain(self.unset.iter().map(|name| (name, "became empty")));
        let mut between = "";
        for (name, what) in all.chain(self.changed.iter().map(|name| (name, "changed"))) {
            write!(f, "{between}`{name}` {what}")?;
            between = ", ";
        }
        if between.is_empty() { f.write_str("nothing changed") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_text;

    fn fingerprints(env: &[(&str, &str)]) -> Fingerprints {
        let loaded = load_text("", env.iter().copied()).unwrap_or_else(|no| panic!("{no}"));
        Fingerprints::of(&loaded.effective, &FingerprintKey::new(&[1; 32]))
    }

    #[test]
    fn names_tell_what_changed_and_values_stay_where_they_are() {
        let token = "4d1c5bd7b5f0f4b8d2a9c3e6";
        let before = fingerprints(&[
            ("AUTHSHIELD_OPERATOR_TOKEN", token),
            ("AUTHSHIELD_PASSWORD_MIN_LENGTH", "9"),
        ]);
        let after = fingerprints(&[
            ("AUTHSHIELD_PASSWORD_MIN_LENGTH", "10"),
            ("AUTHSHIELD_REDIS_URL", "redis://127.0.0.1:6379"),
        ]);
        let changes = after.since(&before);
        assert_eq!(
            changes.to_string(),
            "`redis_url` was set, `operator_token` became empty, `password.min_length` changed"
        );
        assert_ne!(before.digest(), after.digest());
        assert!(before.since(&before).is_empty());
        let kept = serde_json::to_string(&before).unwrap();
        assert!(kept.contains("operator_token") && !kept.contains(token), "{kept}");
        let other = FingerprintKey::new(&[2; 32]);
        let loaded = load_text("", [("AUTHSHIELD_OPERATOR_TOKEN", token)]).unwrap();
        assert_ne!(
            Fingerprints::of(&loaded.effective, &other),
            fingerprints(&[("AUTHSHIELD_OPERATOR_TOKEN", token)])
        );
    }

    #[test]
    fn nodes_differ_in_what_is_theirs() {
        let one = fingerprints(&[("AUTHSHIELD_LISTEN", "127.0.0.1:1111")]);
        let public = ("AUTHSHIELD_PUBLIC_URL", "http://127.0.0.1:8080");
        let one_named = fingerprints(&[("AUTHSHIELD_LISTEN", "127.0.0.1:1111"), public]);
        let other_named = fingerprints(&[("AUTHSHIELD_LISTEN", "127.0.0.1:2222"), public]);
        assert_eq!(one_named.digest(), other_named.digest());
        assert_ne!(one.digest(), one_named.digest());
    }

    #[test]
    fn what_is_taken_over_is_what_was_named() {
        let mut standing = fingerprints(&[("AUTHSHIELD_PASSWORD_MIN_LENGTH", "9")]);
        let new = fingerprints(&[
            ("AUTHSHIELD_PASSWORD_MIN_LENGTH", "10"),
            ("AUTHSHIELD_CORS_ORIGINS", "https://app.acme-shop.com"),
        ]);
        standing.take_over(&new, |name| name == "cors.origins");
        assert_eq!(new.since(&standing).changed, ["password.min_length"]);
    }
}
