//! Secrets: what we keep sealed, and the keys that sign.
//!
//! ```text
//! master.rs     the master key: from the configuration, or made once in development
//! mod.rs        seals and opens values under it; moves them to a new one
//! secrets.rs    the server's own secrets, made once and shared by all nodes
//! seal.rs       the key that signs checkpoints of the audit trail
//! key.rs        one signing key: made, sealed, parsed once
//! rotation.rs   which key signs, and when there must be another (pure)
//! signing.rs    the keyring: signs, publishes, rotates, verifies
//! claims.rs     what an access token says
//! sql.rs        remembers
//! ```

mod claims;
pub mod http;
mod key;
mod master;
mod rotation;
mod seal;
mod secrets;
mod signing;
mod sql;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};
use onesql::Store;
use zeroize::Zeroizing;

pub use claims::{AccessClaims, FIRST_EPOCH, FIRST_PARTY};
pub use seal::{NotAKeySet, SealKey, SealKeys};
pub use secrets::{EmailHashKey, Secrets, fingerprint_key, probe_secret, seal_key};
pub use signing::{
    Jwks, KeyInfo, KeyPhase, Keyring, KeyringError, Proof, Rotation, TOKEN_TYPE, VerificationError,
};

pub use rotation::JWKS_MAX_AGE;

use crate::config::{Config, Environment};
use crate::kernel::UserId;
use crate::world::{SharedWorld, World};

/// The purpose under which the variables of a mail are sealed.
pub const MAIL_VARIABLES: &str = "mail_messages.variables";

/// The purpose under which addresses are sealed that mail is not sent to.
pub const SUPPRESSED_ADDRESS: &str = "mail_suppressions.address";

/// The purpose under which reports of providers are sealed.
pub const WEBHOOK_PAYLOAD: &str = "mail_webhooks.payload";

/// Returns the purpose under which the secret of somebody's authenticator app is sealed.
#[must_use]
pub fn totp_secret_of(user: UserId) -> String {
    sql::TOTP_SECRETS.purpose(&format!("{:X}", user.as_uuid().simple()))
}

/// How an envelope begins: AES-256-GCM-SIV, with a random nonce.
const VERSION: u8 = 1;
const KEY_ID_LENGTH: usize = 8;
const HEADER_LENGTH: usize = 1 + KEY_ID_LENGTH + NONCE_LEN;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no master key.
    #[error(
        "AUTHSHIELD_MASTER_KEY is not set; make one with `openssl rand -base64 32` and keep a copy: \
         without it the database is of no use"
    )]
    Missing,

    /// The text is not a key.
    #[error("{place} is not base64 of 32 bytes; make one with `openssl rand -base64 32`")]
    NotAKey {
        /// Where the text was found.
        place: String,
    },

    /// The generated key could not be read or written.
    #[error("the master key in {} could not be read or made", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },

    /// It was sealed under a key that we do not have.
    #[error(
        "this database was sealed under another master key (id {id}): set AUTHSHIELD_MASTER_KEY to \
         the one it was made with, or name that one in AUTHSHIELD_MASTER_KEY_PREVIOUS. In \
         development it is the file master.key in the data folder"
    )]
    OtherKey {
        /// The id of that key; it tells nothing about the key.
        id: String,
    },

    /// It is not what was sealed, or was sealed for another purpose.
    #[error("a sealed value was changed or belongs elsewhere ({purpose}); restore a backup")]
    Damaged {
        /// What it should have been for.
        purpose: String,
    },
}

/// A master key, ready for use.
struct MasterKey {
    id: [u8; KEY_ID_LENGTH],
    aead: LessSafeKey,
    /// What keys for other purposes are made of; it leads to none of the above.
    root: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    fn new(bytes: &[u8; 32]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"authshield master key id v1\0");
        context.update(bytes);
        let mut id = [0; KEY_ID_LENGTH];
        id.copy_from_slice(&context.finish().as_ref()[..KEY_ID_LENGTH]);
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).expect("the key has 32 bytes");
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let root = hmac::sign(&root, b"authshield derived keys v1");
        let root = Zeroizing::new(root.as_ref().try_into().expect("SHA-256 has 32 bytes"));
        Self { id, aead: LessSafeKey::new(key), root }
    }
}

/// What is bound to a sealed value without being in it: the envelope's head, and the purpose.
fn aad(id: [u8; KEY_ID_LENGTH], purpose: &str) -> Vec<u8> {
    [&[VERSION], id.as_slice(), purpose.as_bytes()].concat()
}

/// Seals values under the master key. Clones share the keys.
#[derive(Clone)]
pub struct Vault(Arc<Keys>);

struct Keys {
    current: MasterKey,
    previous: Option<MasterKey>,
    world: SharedWorld,
}

impl Vault {
    /// Takes the master key from the configuration; in development it makes one, once.
    pub fn open(config: &Config, world: SharedWorld) -> Result<Self, VaultError> {
        let development = config.environment == Environment::Development;
        let make_in = development.then_some(config.data_dir.as_path());
        let current = master::current(config.master_key.as_ref(), make_in, world.as_ref())?;
        let previous = master::previous(config.master_key_previous.as_ref())?;
        Ok(Self::new(&current, previous.as_deref(), world))
    }

    /// Makes a vault of bare keys.
    #[must_use]
    pub fn new(current: &[u8; 32], previous: Option<&[u8; 32]>, world: SharedWorld) -> Self {
        Self(Arc::new(Keys {
            current: MasterKey::new(current),
            previous: previous.map(MasterKey::new),
            world,
        }))
    }

    /// Seals `plain` for `purpose`, which must be named again to open it: a value that somebody moves
    /// to another row or column does not open there.
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let key = &self.0.current;
        let mut nonce = [0; NONCE_LEN];
        self.0.world.fill(&mut nonce);
        // Encrypted in place: no copy of the secret is left behind.
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM_SIV.tag_len());
        body.extend_from_slice(plain);
        key.aead
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad(key.id, purpose)),
                &mut body,
            )
            .expect("anything that fits into memory can be sealed");
        [&[VERSION], key.id.as_slice(), &nonce, &body].concat()
    }

    /// Opens what was sealed for `purpose`, under the current master key or the previous one.
    pub fn open_sealed(
        &self,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let damaged = || VaultError::Damaged { purpose: purpose.to_owned() };
        let id = key_id(sealed).ok_or_else(damaged)?;
        let key = self.find(id).ok_or_else(|| VaultError::OtherKey { id: hex(id) })?;
        let nonce =
            Nonce::try_assume_unique_for_key(&sealed[HEADER_LENGTH - NONCE_LEN..HEADER_LENGTH])
                .map_err(|_| damaged())?;
        let mut body = Zeroizing::new(sealed[HEADER_LENGTH..].to_vec());
        let length = key
            .aead
            .open_in_place(nonce, Aad::from(aad(key.id, purpose)), &mut body)
            .map_err(|_| damaged())?
            .len();
        body.truncate(length);
        Ok(body)
    }

    /// Returns the id of the master key that seals; it tells nothing about the key.
    #[must_use]
    pub fn master_key_id(&self) -> String {
        hex(&self.0.current.id)
    }

    /// Returns a key for another purpose, made from the master key with this id.
    pub fn derived(&self, id: &str, purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let keys = [Some(&self.0.current), self.0.previous.as_ref()];
        let key = keys.into_iter().flatten().find(|key| hex(&key.id) == id);
        let key = key.ok_or_else(|| VaultError::OtherKey { id: id.to_owned() })?;
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key.root), purpose);
        Ok(Zeroizing::new(derived.as_ref().try_into().expect("SHA-256 has 32 bytes")))
    }

    /// Opens everything that is sealed in a database, and returns how much that was.
    pub async fn open_all(&self, store: &Store) -> Result<usize, RewrapError> {
        let mut tx = store.read().await?;
        let mut opened = 0;
        for column in &sql::SEALED {
            for row in sql::sealed_values(&mut tx, column).await? {
                self.open_sealed(&column.purpose(&row.key), &row.sealed)?;
                opened += 1;
            }
        }
        Ok(opened)
    }

    /// Returns where chance comes from.
    fn world(&self) -> &dyn World {
        self.0.world.as_ref()
    }

    fn find(&self, id: &[u8]) -> Option<&MasterKey> {
        [Some(&self.0.current), self.0.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| key.id == id)
    }

    /// Says under which key a value was sealed.
    fn sealed_under(&self, sealed: &[u8]) -> SealedUnder {
        key_id(sealed).map_or(SealedUnder::Unknown, |id| self.under(id))
    }

    /// The same for the first bytes of a value: the version, and the id of the key.
    fn head_under(&self, head: &[u8]) -> SealedUnder {
        match head.split_first() {
            Some((&VERSION, id)) => self.under(id),
            _ => SealedUnder::Unknown,
        }
    }

    fn under(&self, id: &[u8]) -> SealedUnder {
        match self.find(id) {
            Some(key) if key.id == self.0.current.id => SealedUnder::Current,
            Some(_) => SealedUnder::Previous,
            None => SealedUnder::Unknown,
        }
    }

    /// Moves everything that was sealed under the previous master key to the current one.
    ///
    /// When it has returned and nothing is unknown, the previous key can be taken out of the
    /// configuration. It may be run again, and while the service runs.
    pub async fn rewrap(&self, store: &Store) -> Result<Inventory, RewrapError> {
        let mut tx = store.write().await?;
        for column in &sql::SEALED {
            for row in sql::sealed_values(&mut tx, column).await? {
                if self.sealed_under(&row.sealed) == SealedUnder::Previous {
                    let purpose = column.purpose(&row.key);
                    let again = self.seal(&purpose, &self.open_sealed(&purpose, &row.sealed)?);
                    sql::replace_sealed(&mut tx, column, &row, &again).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(self.inventory(store).await?)
    }

    /// Counts sealed values by the key they were sealed under.
    pub async fn inventory(&self, store: &Store) -> onesql::Result<Inventory> {
        let mut tx = store.read().await?;
        let mut inventory = Inventory::default();
        for column in &sql::SEALED {
            for (head, count) in sql::sealed_heads(&mut tx, column).await? {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                match self.head_under(&head) {
                    SealedUnder::Current => inventory.current += count,
                    SealedUnder::Previous => inventory.previous += count,
                    SealedUnder::Unknown => {
                        inventory.unknown += count;
                        inventory.unknown_key = head.get(1..).map(hex);
                    }
                }
            }
        }
        Ok(inventory)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("current", &hex(&self.0.current.id))
            .field("previous", &self.0.previous.as_ref().map(|key| hex(&key.id)))
            .finish()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SealedUnder {
    Current,
    Previous,
    Unknown,
}

/// How many sealed values there are, by the key they were sealed under.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Inventory {
    /// Under the master key.
    pub current: usize,
    /// Under the previous one: to be moved.
    pub previous: usize,
    /// Under a key that the configuration does not name: lost without it.
    pub unknown: usize,
    /// The id of such a key; it tells nothing about the key.
    pub unknown_key: Option<String>,
}

/// Why sealed values could not be moved; then none was.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// One does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store failed.
    #[error("the store failed while sealed values were moved")]
    Store(#[from] onesql::Error),
}

/// Returns the id of the key a value was sealed under, if it is an envelope at all.
fn key_id(sealed: &[u8]) -> Option<&[u8]> {
    let long_enough = sealed.len() >= HEADER_LENGTH + AES_256_GCM_SIV.tag_len();
    (long_enough && sealed[0] == VERSION).then(|| &sealed[1..=KEY_ID_LENGTH])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::Sandbox;

    fn vault(current: u8, previous: Option<u8>) -> Vault {
        let previous = previous.map(|byte| [byte; 32]);
        Vault::new(&[current; 32], previous.as_ref(), Arc::new(Sandbox::default()))
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let vault = vault(1, None);
        let sealed = vault.seal("secrets.sealed/a", b"attack at dawn");
        let opened = vault.open_sealed("secrets.sealed/a", &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"attack at dawn");
        assert_ne!(sealed, vault.seal("secrets.sealed/a", b"attack at dawn"));
        assert!(!sealed.windows(6).any(|window| window == b"attack"));
        for purpose in ["secrets.sealed/b", "", "secrets.sealed/a "] {
            let error = vault.open_sealed(purpose, &sealed).unwrap_err();
            assert!(matches!(error, VaultError::Damaged { .. }));
        }
        let nothing = vault.seal("p", b"");
        assert!(vault.open_sealed("p", &nothing).unwrap().is_empty());
    }

    #[test]
    fn another_master_key_is_named_as_the_trouble_it_is() {
        let sealed = vault(1, None).seal("p", b"x");
        let error = vault(2, None).open_sealed("p", &sealed).unwrap_err();
        assert!(matches!(error, VaultError::OtherKey { .. }));
        let words = error.to_string();
        assert!(words.contains("AUTHSHIELD_MASTER_KEY") && !words.contains('\n'), "{words}");
        assert!(vault(2, Some(1)).open_sealed("p", &sealed).is_ok());
    }

    #[test]
    fn no_key_is_shown() {
        let shown = format!("{:?}", vault(0x41, Some(0x42)));
        assert!(shown.starts_with("Vault { current: \"") && !shown.contains("4141"), "{shown}");
    }

    proptest! {
        /// ASVS: V11.3.3
        #[test]
        fn a_changed_bit_does_not_open(plain: Vec<u8>, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let vault = vault(1, None);
            let mut sealed = vault.seal("p", &plain);
            prop_assert_eq!(&*vault.open_sealed("p", &sealed).unwrap(), &plain);
            let at = at.index(sealed.len());
            prop_assert!(vault.open_sealed("p", &sealed[..at]).is_err());
            sealed[at] ^= 1 << bit;
            prop_assert!(vault.open_sealed("p", &sealed).is_err());
        }

        #[test]
        fn noise_does_not_open(noise: Vec<u8>) {
            prop_assert!(vault(1, None).open_sealed("p", &noise).is_err());
        }
    }
}
