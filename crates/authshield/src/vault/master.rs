//! The master key: from the configuration, or in development made once and kept in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{VaultError, hex};
use crate::world::World;

/// A key of 256 bits, wiped when dropped.
type KeyBytes = Zeroizing<[u8; 32]>;

/// People paste keys with and without padding, in either alphabet.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Returns the key that seals: the one that was configured, else the one in the folder where it may be
/// made.
pub(super) fn current(
    configured: Option<&SecretString>,
    make_in: Option<&Path>,
    world: &dyn World,
) -> Result<KeyBytes, VaultError> {
    if let Some(key) = configured {
        return parse(key.expose_secret(), "AUTHSHIELD_MASTER_KEY");
    }
    let path = make_in.ok_or(VaultError::Missing)?.join("master.key");
    let text = read_or_make(&path, world)
        .map_err(|source| VaultError::File { path: path.clone(), source })?;
    parse(&text, &path.display().to_string())
}

/// Returns the key that only opens.
pub(super) fn previous(configured: Option<&SecretString>) -> Result<Option<KeyBytes>, VaultError> {
    configured.map(|key| parse(key.expose_secret(), "AUTHSHIELD_MASTER_KEY_PREVIOUS")).transpose()
}

fn parse(text: &str, place: &str) -> Result<KeyBytes, VaultError> {
    let text = text.trim();
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map(Zeroizing::new);
    bytes
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| VaultError::NotAKey { place: place.to_owned() })
}

/// Reads the file, or makes it. Of two programs that start at once, one makes it and both read it.
fn read_or_make(path: &Path, world: &dyn World) -> io::Result<Zeroizing<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path, world)?,
        read => return read.map(Zeroizing::new),
    }
    fs::read_to_string(path).map(Zeroizing::new)
}

/// Writes a new key to the side, flushes it and then gives it its name, unless that is taken: nobody
/// ever reads half a key, and no key is ever overwritten.
fn make(path: &Path, world: &dyn World) -> io::Result<()> {
    let folder = path.parent().expect("the key lies in the data folder");
    fs::create_dir_all(folder)?;
    let (mut key, mut suffix) = (Zeroizing::new([0; 32]), [0; 8]);
    world.fill(&mut *key);
    world.fill(&mut suffix);
    let aside = folder.join(format!(".master.key.{}", hex(&suffix)));
    let text = Zeroizing::new(BASE64_STANDARD.encode(*key) + "\n");
    let outcome = write_private(&aside, text.as_bytes())
        .and_then(|()| fs::hard_link(&aside, path))
        .or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        });
    fs::remove_file(&aside).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    outcome?;
    File::open(folder)?.sync_all()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sandbox;

    #[test]
    fn a_key_is_32_bytes_in_any_usual_base64() {
        let key = [0xFB; 32];
        let padded = BASE64_STANDARD.encode(key);
        let url = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(key);
        for text in [&padded, padded.trim_end_matches('='), &url, &format!(" {url}=\n")] {
            assert_eq!(*parse(text, "x").unwrap(), key);
        }
        for text in ["", "changeme", &BASE64_STANDARD.encode([1; 31]), &hex(&key)] {
            let error = parse(text, "AUTHSHIELD_MASTER_KEY").unwrap_err().to_string();
            assert!(error.starts_with("AUTHSHIELD_MASTER_KEY is not base64 of 32 bytes"));
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }

    #[test]
    fn e10_without_a_key_nothing_starts_outside_development() {
        let world = Sandbox::default();
        let missing = current(None, None, &world).unwrap_err();
        assert!(matches!(missing, VaultError::Missing));
        let weak = SecretString::from("REPLACE_ME");
        assert!(matches!(current(Some(&weak), None, &world), Err(VaultError::NotAKey { .. })));
        assert!(matches!(previous(Some(&weak)), Err(VaultError::NotAKey { .. })));
        assert!(previous(None).unwrap().is_none());

        let folder = tempfile::tempdir().unwrap();
        let made = current(None, Some(folder.path()), &world).unwrap();
        assert_eq!(made, current(None, Some(folder.path()), &world).unwrap());
        // What is configured wins, and a spoiled file is named.
        let key = SecretString::from(BASE64_STANDARD.encode([9; 32]));
        assert_eq!(*current(Some(&key), Some(folder.path()), &world).unwrap(), [9; 32]);
        fs::write(folder.path().join("master.key"), "oops").unwrap();
        let error = current(None, Some(folder.path()), &world).unwrap_err().to_string();
        assert!(error.contains("master.key is not base64"), "{error}");
    }

    #[test]
    fn many_who_start_at_once_read_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join("master.key");
        let keys: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
            let started: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| read_or_make(&path, &Sandbox::default()).unwrap()))
                .collect();
            started.into_iter().map(|thread| thread.join().unwrap().to_string()).collect()
        });
        assert_eq!(keys.len(), 1);
        parse(keys.first().unwrap(), "x").unwrap();
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
