//! The key of a file: from the master key, or from a passphrase.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::hkdf::{self, HKDF_SHA256};
use aws_lc_rs::signature::Ed25519KeyPair;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::BackupError;
use super::envelope::Head;
use crate::vault::{Vault, hex};
use crate::world::World;

/// What opens a backup.
pub enum Opener {
    /// The master key of the configuration, or the one before it.
    MasterKey(Vault),
    /// A passphrase, from a file.
    Passphrase(SecretString),
}

/// What passphrases cost: whoever steals a file may try as often as they like.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// The shortest passphrase, in characters.
const PASSPHRASE_AT_LEAST: usize = 16;

/// The keys of one file.
pub(super) struct FileKeys {
    pub(super) cipher: Zeroizing<[u8; 32]>,
    pub(super) signer: Ed25519KeyPair,
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(key: &hkdf::Prk, purpose: &[u8], salt: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    key.expand(&[purpose, salt], Length(32))
        .and_then(|okm| okm.fill(&mut *bytes))
        .expect("32 bytes are not too many for SHA-256");
    bytes
}

impl Opener {
    /// Takes a passphrase that is long enough.
    pub fn passphrase(text: &str) -> Result<Self, BackupError> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.chars().count() < PASSPHRASE_AT_LEAST {
            return Err(BackupError::WeakPassphrase);
        }
        Ok(Self::Passphrase(text.into()))
    }

    /// Makes the head and the keys of a new file.
    pub(super) fn new_file(&self, world: &dyn World) -> Result<(Head, FileKeys), BackupError> {
        let mut salt = [0; 32];
        world.fill(&mut salt);
        let id = match self {
            Self::MasterKey(vault) => Some(vault.master_key_id()),
            Self::Passphrase(_) => None,
        };
        let head = Head::new(id, hex(&salt));
        let keys = self.open(&head)?;
        Ok((head, keys))
    }

    /// Returns the keys of the file with this head.
    pub(super) fn open(&self, head: &Head) -> Result<FileKeys, BackupError> {
        let root = match (self, &head.master_key_id) {
            (Self::MasterKey(vault), Some(id)) => vault.derived(id, b"authshield backup v1")?,
            (Self::MasterKey(_), None) => return Err(BackupError::NeedsPassphrase),
            (Self::Passphrase(_), Some(_)) => return Err(BackupError::NeedsMasterKey),
            (Self::Passphrase(text), None) => {
                let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32));
                let params = params.expect("the cost is within bounds");
                let mut root = Zeroizing::new([0; 32]);
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(
                        text.expose_secret().as_bytes(),
                        head.salt.as_bytes(),
                        &mut *root,
                    )
                    .map_err(|_| BackupError::NotABackup)?;
                root
            }
        };
        let root = hkdf::Prk::new_less_safe(HKDF_SHA256, &*root);
        let seed = expand(&root, b"sign", b"");
        Ok(FileKeys {
            cipher: expand(&root, b"encrypt", head.salt.as_bytes()),
            signer: Ed25519KeyPair::from_seed_unchecked(&*seed).expect("a seed has 32 bytes"),
        })
    }
}
