//! A throw-away folder.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::process::Unprivileged;

/// A folder of our own under the system's temporary one.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes one that did not exist.
    pub(crate) fn create() -> Result<Self> {
        let id = std::process::id();
        for attempt in 0..1000 {
            let path = std::env::temp_dir().join(format!("authshield-test-{id}-{attempt}"));
            match fs::create_dir(&path) {
                Ok(()) => {
                    // Others may pass through, to the folders that are theirs, but not look around.
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o711))?;
                    return Ok(Self(path));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot make {}", path.display()));
                }
            }
        }
        anyhow::bail!("{} is full of our folders", std::env::temp_dir().display())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a folder inside, for nobody but `owner`.
    pub(crate) fn inside(&self, name: &str, owner: Option<Unprivileged>) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        if let Some(owner) = owner {
            chown(&path, Some(owner.user), Some(owner.group))?;
        }
        Ok(path)
    }

    /// Removes it with all that is in it.
    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.0).with_context(|| format!("{} was left behind", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_ours_alone_and_goes_away() {
        let (one, other) = (Folder::create().unwrap(), Folder::create().unwrap());
        assert_ne!(one.path(), other.path());
        let inside = one.inside("secret", None).unwrap();
        assert_eq!(inside.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let path = one.path().to_owned();
        one.remove().unwrap();
        other.remove().unwrap();
        assert!(!path.exists());
    }
}
