//! The server's own secrets: made once, sealed in the database, the same on every node.

use std::fmt;

use aws_lc_rs::hmac;
use onesql::Store;
use zeroize::Zeroizing;

use super::seal::SealKey;
use super::{KeyringError, Vault, VaultError, sql};
use crate::config::FingerprintKey;
use crate::kernel::{SuccessorKey, Timestamp, TokenHashKey};

/// The name of the secret that signs questions to ourselves.
const PROBE: &str = "probe";
/// The name of the secret that signs checkpoints of the audit trail.
const SEAL: &str = "audit_seal";

/// The key under which addresses are hashed that somebody typed: the audit trail can tell that it was
/// the same one, and not which.
#[derive(Clone)]
pub struct EmailHashKey(hmac::Key);

impl EmailHashKey {
    /// Makes the key.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Returns the keyed hash of an address.
    #[must_use]
    pub fn hash(&self, address: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.0, address.as_bytes());
        tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }
}

impl fmt::Debug for EmailHashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailHashKey(…)")
    }
}

/// The server's own secrets.
pub struct Secrets {
    /// Hashes opaque tokens.
    pub token_hash: TokenHashKey,
    /// Derives the successors of refresh tokens.
    pub refresh_successor: SuccessorKey,
    /// Hashes addresses.
    pub email_hash: EmailHashKey,
    /// Signs what mails come back to.
    pub mail_return: Zeroizing<[u8; 32]>,
    /// Signs the questions that we ask ourselves through the public address.
    pub probe: Zeroizing<[u8; 32]>,
    /// Hashes settings.
    pub fingerprint: FingerprintKey,
    /// Signs checkpoints of the audit trail.
    pub seal: SealKey,
    /// Signs proofs of work to do.
    pub captcha: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Loads the secrets; the first node to start makes them.
    pub async fn load_or_create(
        store: &Store,
        vault: &Vault,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        Ok(Self {
            token_hash: TokenHashKey::new(&*secret(store, vault, "token_hash", now).await?),
            refresh_successor: SuccessorKey::new(
                &*secret(store, vault, "refresh_successor", now).await?,
            ),
            email_hash: EmailHashKey::new(&*secret(store, vault, "email_hash", now).await?),
            mail_return: secret(store, vault, "mail_return", now).await?,
            probe: secret(store, vault, PROBE, now).await?,
            fingerprint: FingerprintKey::new(&*secret(store, vault, "fingerprint", now).await?),
            seal: SealKey::new(&*secret(store, vault, SEAL, now).await?),
            captcha: secret(store, vault, "captcha", now).await?,
        })
    }
}

/// Finds the key under which settings are hashed, if a start made it; makes none.
pub async fn fingerprint_key(
    store: &Store,
    vault: &Vault,
) -> Result<Option<FingerprintKey>, KeyringError> {
    let known = known(store, vault, "fingerprint").await?;
    Ok(known.map(|secret| FingerprintKey::new(&secret)))
}

/// Finds what questions to ourselves are signed with, if a start made it; makes none.
pub async fn probe_secret(
    store: &Store,
    vault: &Vault,
) -> Result<Option<Zeroizing<[u8; 32]>>, KeyringError> {
    known(store, vault, PROBE).await
}

/// Finds what signs checkpoints of the audit trail, if a start made it; makes none.
pub async fn seal_key(store: &Store, vault: &Vault) -> Result<Option<SealKey>, KeyringError> {
    Ok(known(store, vault, SEAL).await?.map(|secret| SealKey::new(&secret)))
}

async fn known(
    store: &Store,
    vault: &Vault,
    name: &str,
) -> Result<Option<Zeroizing<[u8; 32]>>, KeyringError> {
    let sealed = sql::find_secret(&mut store.glance().await?, name).await?;
    Ok(sealed.map(|sealed| open(vault, name, &sealed)).transpose()?)
}

fn open(vault: &Vault, name: &str, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let purpose = sql::SECRETS.purpose(name);
    let opened = vault.open_sealed(&purpose, sealed)?;
    let bytes = <[u8; 32]>::try_from(opened.as_slice());
    bytes.map(Zeroizing::new).map_err(|_| VaultError::Damaged { purpose })
}

async fn secret(
    store: &Store,
    vault: &Vault,
    name: &str,
    now: Timestamp,
) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let purpose = sql::SECRETS.purpose(name);
    let known = sql::find_secret(&mut store.glance().await?, name).await?;
    let sealed = if let Some(sealed) = known {
        sealed
    } else {
        let mut fresh = Zeroizing::new([0; 32]);
        vault.world().fill(&mut *fresh);
        let mut tx = store.write().await?;
        // Another node may have been faster: whatever is there now is the secret.
        sql::insert_secret(&mut tx, name, &vault.seal(&purpose, &*fresh), now).await?;
        let sealed = sql::find_secret(&mut tx, name).await?.expect("it is there now");
        tx.commit().await?;
        sealed
    };
    Ok(open(vault, name, &sealed)?)
}
