//! The keyring: signs tokens, publishes its keys, rotates them, verifies what they signed.
//!
//! The database is the truth and every node has a snapshot of it, with keys parsed once. Nodes do not
//! talk to each other: of two that make the next key, the unique generation lets one; a token whose
//! key a node has not seen makes it look again.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use authshield_verify::{Claims, KeySet, Verifier, VerifyError};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use onesql::Store;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::key::Pair;
use super::rotation::{self, KeyState};
use super::{Vault, VaultError, hex, sql};
use crate::config::{SigningAlgorithm, Token};
use crate::kernel::Timestamp;

/// The `typ` of access tokens (RFC 9068, 2.1).
pub const TOKEN_TYPE: &str = "at+jwt";

/// The pause between two looks for an unknown key: a flood of made-up key ids costs ten reads a second.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The master key does not fit.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store failed.
    #[error("the store failed while keys were read or written")]
    Store(#[from] onesql::Error),
    /// Somebody deleted the keys.
    #[error("there is no signing key in the database; a restart makes one")]
    Empty,
    /// A key is not what its row says.
    #[error("the signing key {kid} is damaged; restore a backup, or delete its row")]
    Damaged {
        /// Its name.
        kid: String,
    },
}

/// Why a token does not let anybody in.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// It is no good.
    #[error("token refused")]
    Refused(#[from] VerifyError),
    /// Nobody can tell: its key is not known here, and the store does not answer.
    #[error("keys could not be looked up")]
    Keys(#[from] KeyringError),
}

/// How keys are replaced when somebody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// A new key is published now and signs after `token.key_publish_ahead`, as by schedule.
    Announced,
    /// A new key signs now; the old ones verify until their tokens have died.
    Immediate,
    /// A new key signs now and the old ones are gone: every access token is dead, on this node at
    /// once and on others as soon as they look. For keys that leaked.
    Compromised,
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPhase {
    /// Published, not used yet.
    Next,
    /// Signs.
    Active,
    /// Verifies what it signed.
    Retired,
}

/// A signing key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// Its name: the thumbprint of its public half.
    pub kid: String,
    /// Its algorithm, as JOSE names it.
    pub algorithm: &'static str,
    /// Where it is in its life.
    pub phase: KeyPhase,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it begins to sign, or began.
    pub active_from: Timestamp,
    /// When it is deleted; known as soon as there is a successor.
    pub expires_at: Option<Timestamp>,
}

/// The published keys, as they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks {
    /// The JWK set (RFC 7517).
    pub body: Bytes,
    /// Its entity tag, with quotes.
    pub etag: String,
}

/// What the keys in the database are worth.
#[derive(Debug, Clone)]
pub struct Proof {
    /// Which key signs now.
    pub kid: String,
    /// Since when.
    pub active_from: Timestamp,
    /// Whether its public half confirms what it signs.
    pub verified: bool,
    /// How many keys there are.
    pub count: usize,
    /// What is to be published.
    pub jwks: Arc<Jwks>,
}

/// The keys that sign and verify. Clones share them.
#[derive(Clone)]
pub struct Keyring(Arc<Shared>);

struct Shared {
    store: Store,
    vault: Vault,
    settings: Token,
    ring: ArcSwap<Ring>,
    /// One look at the database at a time.
    line: Mutex<()>,
}

/// What the database said when we last looked.
struct Ring {
    keys: Vec<Key>,
    public: Arc<KeySet>,
    jwks: Arc<Jwks>,
    looked: Instant,
}

#[derive(Clone)]
struct Key {
    state: KeyState,
    pair: Arc<Pair>,
}

impl Keyring {
    /// Loads the keys; on an empty database the first node to start makes one. If the algorithm was
    /// changed in the configuration, a key of the new kind signs from now on.
    pub async fn load_or_create(
        store: &Store,
        vault: &Vault,
        settings: &Token,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        let seen = states(store, now).await?;
        if seen.last().is_none_or(|newest| newest.algorithm != settings.algorithm) {
            // Nodes that start at once have seen the same, so they make the same generation.
            make(store, vault, settings, &seen, Rotation::Immediate, now).await?;
        }
        let ring = look(store, vault, &[], now).await?;
        Ok(Self(Arc::new(Shared {
            store: store.clone(),
            vault: vault.clone(),
            settings: settings.clone(),
            ring: ArcSwap::from_pointee(ring),
            line: Mutex::new(()),
        })))
    }

    /// Looks at the keys in the database, changes nothing, and lets the active one prove itself.
    pub async fn prove(
        store: &Store,
        vault: &Vault,
        now: Timestamp,
    ) -> Result<Proof, KeyringError> {
        const WORDS: &[u8] = b"authshield: does this key sign?";
        let ring = look(store, vault, &[], now).await?;
        let active = ring.active(now);
        let kid = active.state.kid.clone();
        let verified = active.pair.verifies(WORDS, &active.pair.sign(WORDS));
        let active_from = active.state.active_from;
        Ok(Proof { kid, active_from, verified, count: ring.keys.len(), jwks: ring.jwks })
    }

    /// Signs `claims` as a token of the kind `typ`, with the key that is active now.
    #[must_use]
    pub fn sign(&self, typ: &str, claims: &impl Serialize, now: Timestamp) -> String {
        let ring = self.0.ring.load();
        let key = ring.active(now);
        let header = json!({"alg": key.pair.alg(), "kid": key.state.kid, "typ": typ});
        let claims = serde_json::to_vec(claims).expect("claims are plain data");
        let mut token = BASE64.encode(header.to_string());
        token.push('.');
        BASE64.encode_string(claims, &mut token);
        let signature = key.pair.sign(token.as_bytes());
        token.push('.');
        BASE64.encode_string(signature, &mut token);
        token
    }

    /// Returns the claims of `token`, if it is good now.
    ///
    /// Without waiting, unless its key is not known: then the database is looked at again, by one at
    /// a time and ten times a second at most, and whoever waits gets what was seen after they came.
    pub async fn verify(
        &self,
        verifier: &Verifier,
        token: &str,
        now: Timestamp,
    ) -> Result<Claims, VerificationError> {
        let asked = Instant::now();
        let public = Arc::clone(&self.0.ring.load().public);
        match verifier.verify(token, &public, now.as_second()) {
            Err(VerifyError::UnknownKey) => {
                self.look_again(asked, now).await?;
                let public = Arc::clone(&self.0.ring.load().public);
                Ok(verifier.verify(token, &public, now.as_second())?)
            }
            verdict => Ok(verdict?),
        }
    }

    /// Returns the published keys: the one that signs, the next, and those that still verify.
    #[must_use]
    pub fn jwks(&self) -> Arc<Jwks> {
        Arc::clone(&self.0.ring.load().jwks)
    }

    /// Looks at the database again.
    pub async fn reload(&self, now: Timestamp) -> Result<(), KeyringError> {
        let _turn = self.0.line.lock().await;
        self.look(now).await
    }

    /// Looks at the database again, makes the next key when it is time, and deletes those past their
    /// end. Every node calls it every few seconds: that is how long a node may take to hear of a
    /// rotation, and to forget a key that leaked. Nothing is written unless something is due.
    ///
    /// Returns the name of the key that was made, if one was.
    pub async fn rotate_if_due(&self, now: Timestamp) -> Result<Option<String>, KeyringError> {
        self.reload(now).await?;
        let Shared { store, vault, settings, .. } = &*self.0;
        let states = self.0.ring.load().states();
        if let Some((generation, end)) = rotation::overdue_end(&states, settings, now) {
            let mut tx = store.write().await?;
            sql::extend(&mut tx, generation, end).await?;
            tx.commit().await?;
            self.reload(now).await?;
        }
        if sql::has_expired(&mut store.glance().await?, now).await? {
            let mut tx = store.write().await?;
            sql::delete_expired(&mut tx, now).await?;
            tx.commit().await?;
        }
        let Some(from) = rotation::due(&states, settings, now) else {
            return Ok(None);
        };
        let next = Successor { after: states.last().map_or(0, |key| key.generation), from };
        let made = next.make(store, vault, settings, now).await?;
        self.reload(now).await?;
        Ok(made)
    }

    /// Replaces the key that signs, and returns the name of its successor, unless another node was
    /// faster.
    pub async fn rotate(
        &self,
        how: Rotation,
        now: Timestamp,
    ) -> Result<Option<String>, KeyringError> {
        let Shared { store, vault, settings, .. } = &*self.0;
        let seen = states(store, now).await?;
        let made = make(store, vault, settings, &seen, how, now).await?;
        self.reload(now).await?;
        Ok(made)
    }

    /// Lists the keys of the last look, the youngest first.
    #[must_use]
    pub fn list(&self, now: Timestamp) -> Vec<KeyInfo> {
        let states = self.0.ring.load().states();
        let active = rotation::active(states.iter(), now).unwrap_or(0);
        let info = |(place, key): (usize, KeyState)| KeyInfo {
            phase: match place.cmp(&active) {
                std::cmp::Ordering::Less => KeyPhase::Retired,
                std::cmp::Ordering::Equal => KeyPhase::Active,
                std::cmp::Ordering::Greater => KeyPhase::Next,
            },
            algorithm: sql::algorithm_name(key.algorithm),
            kid: key.kid,
            created_at: key.created_at,
            active_from: key.active_from,
            expires_at: key.expires_at,
        };
        states.into_iter().enumerate().map(info).rev().collect()
    }

    /// Returns the key that signs now.
    #[must_use]
    pub fn active(&self, now: Timestamp) -> KeyInfo {
        let signs = |key: &KeyInfo| key.phase == KeyPhase::Active;
        self.list(now).into_iter().find(signs).expect("a ring is never empty")
    }

    /// Looks at the database for somebody who asked at `asked`, unless that was done since.
    async fn look_again(&self, asked: Instant, now: Timestamp) -> Result<(), KeyringError> {
        let _turn = self.0.line.lock().await;
        let looked = self.0.ring.load().looked;
        if looked >= asked {
            return Ok(());
        }
        tokio::time::sleep_until((looked + PAUSE).into()).await;
        self.look(now).await
    }

    /// Replaces the snapshot; the caller holds the line.
    async fn look(&self, now: Timestamp) -> Result<(), KeyringError> {
        let known = self.0.ring.load_full();
        let ring = look(&self.0.store, &self.0.vault, &known.keys, now).await?;
        self.0.ring.store(Arc::new(ring));
        Ok(())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.ring.load().keys.iter().map(|key| &key.state)).finish()
    }
}

impl Ring {
    fn states(&self) -> Vec<KeyState> {
        self.keys.iter().map(|key| key.state.clone()).collect()
    }

    fn active(&self, now: Timestamp) -> &Key {
        let place = rotation::active(self.keys.iter().map(|key| &key.state), now);
        &self.keys[place.expect("a ring is never empty")]
    }
}

/// Reads the keys; those that are `known` are neither opened nor parsed again.
async fn look(
    store: &Store,
    vault: &Vault,
    known: &[Key],
    now: Timestamp,
) -> Result<Ring, KeyringError> {
    let looked = Instant::now();
    let rows = sql::keys(&mut store.glance().await?, now).await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let pair = if let Some(key) = known.iter().find(|key| key.state.kid == row.state.kid) {
            Arc::clone(&key.pair)
        } else {
            let purpose = sql::SIGNING_KEYS.purpose(&row.state.kid);
            let der = vault.open_sealed(&purpose, &row.sealed)?;
            let pair = Pair::from_pkcs8(row.state.algorithm, &der)
                .filter(|pair| pair.kid() == row.state.kid)
                .ok_or_else(|| KeyringError::Damaged { kid: row.state.kid.clone() })?;
            Arc::new(pair)
        };
        keys.push(Key { state: row.state, pair });
    }
    // The one that signs goes first: simple readers take the first they see.
    let active =
        rotation::active(keys.iter().map(|key| &key.state), now).ok_or(KeyringError::Empty)?;
    let order = std::iter::once(&keys[active]).chain(
        keys.iter().enumerate().rev().filter(|(place, _)| *place != active).map(|(_, key)| key),
    );
    let body = json!({ "keys": order.map(|key| key.pair.jwk()).collect::<Vec<_>>() }).to_string();
    let public = KeySet::from_json(&body).expect("we publish what can be verified with");
    let tag = digest::digest(&digest::SHA256, body.as_bytes());
    let etag = format!("\"{}\"", hex(&tag.as_ref()[..16]));
    let jwks = Arc::new(Jwks { body: body.into(), etag });
    Ok(Ring { keys, public: Arc::new(public), jwks, looked })
}

/// The place and the beginning of a key that is to be made.
struct Successor {
    /// The youngest generation that is there.
    after: i64,
    from: Timestamp,
}

impl Successor {
    /// Makes the key, seals it and writes it down; `None` if another node was faster. The keys before
    /// it end when their last tokens have died.
    async fn make(
        self,
        store: &Store,
        vault: &Vault,
        settings: &Token,
        now: Timestamp,
    ) -> Result<Option<String>, KeyringError> {
        let (state, sealed) = generate(vault, settings.algorithm, &self, now).await;
        let mut tx = store.write().await?;
        let inserted = sql::insert_key(&mut tx, &state, &sealed).await?;
        if inserted {
            let end = self.from + rotation::afterlife(settings);
            sql::retire_before(&mut tx, state.generation, end).await?;
        }
        // If another was faster, then this waits until what that one wrote can be read.
        tx.commit().await?;
        Ok(inserted.then_some(state.kid))
    }
}

/// Makes a key, off the threads that serve requests.
async fn generate(
    vault: &Vault,
    algorithm: SigningAlgorithm,
    place: &Successor,
    now: Timestamp,
) -> (KeyState, Vec<u8>) {
    let made = tokio::task::spawn_blocking(move || Pair::generate(algorithm)).await;
    let pair = made.expect("making a key does not panic");
    let kid = pair.kid();
    let sealed = vault.seal(&sql::SIGNING_KEYS.purpose(&kid), &pair.to_pkcs8());
    let state = KeyState {
        kid,
        generation: place.after + 1,
        algorithm,
        created_at: now,
        active_from: place.from,
        expires_at: None,
    };
    (state, sealed)
}

/// Reads the states of the keys, without the keys.
async fn states(store: &Store, now: Timestamp) -> Result<Vec<KeyState>, KeyringError> {
    let rows = sql::keys(&mut store.glance().await?, now).await?;
    Ok(rows.into_iter().map(|row| row.state).collect())
}

/// Does what somebody asked for who has `seen` the database; `None` if it is different by now.
async fn make(
    store: &Store,
    vault: &Vault,
    settings: &Token,
    seen: &[KeyState],
    how: Rotation,
    now: Timestamp,
) -> Result<Option<String>, KeyringError> {
    let newest = seen.last();
    let after = newest.map_or(0, |key| key.generation);
    let waiting = newest.filter(|key| key.active_from > now && seen.len() > 1);
    match how {
        Rotation::Announced => {
            // One that is announced already is as good.
            if waiting.is_some() {
                return Ok(None);
            }
            let from = now + settings.key_publish_ahead;
            Successor { after, from }.make(store, vault, settings, now).await
        }
        Rotation::Immediate => {
            let ready = waiting.filter(|key| key.algorithm == settings.algorithm);
            let Some(next) = ready else {
                return Successor { after, from: now }.make(store, vault, settings, now).await;
            };
            let mut tx = store.write().await?;
            let promoted = sql::promote(&mut tx, next.generation, now).await?;
            let end = now + rotation::afterlife(settings);
            sql::retire_before(&mut tx, next.generation, end).await?;
            tx.commit().await?;
            Ok(promoted.then(|| next.kid.clone()))
        }
        Rotation::Compromised => {
            let place = Successor { after, from: now };
            let (state, sealed) = generate(vault, settings.algorithm, &place, now).await;
            let mut tx = store.write().await?;
            let inserted = sql::insert_key(&mut tx, &state, &sealed).await?;
            // If another was faster with a key that is as new, the ones before it go all the same.
            sql::delete_before(&mut tx, state.generation).await?;
            tx.commit().await?;
            Ok(inserted.then_some(state.kid))
        }
    }
}
