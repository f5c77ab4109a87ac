//! Which processes on this machine still are: what one had in hand when it was killed need not wait.
//!
//! Each holds a lock on a file of its own in the data folder. The system takes the lock away when the
//! process ends, however it ends, and at no other time: a process that is only slow, or cannot reach the
//! database, keeps its own. So who gets the lock of another knows that it is gone. Of processes that do
//! not share the folder nothing is known, and their messages wait until their lease ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use onesql::Store;

use super::sql;
use crate::kernel::{NodeId, Timestamp};

/// What the files are called after the name of the process.
const SUFFIX: &str = ".node";

/// That this process is.
#[derive(Debug)]
pub struct Presence {
    node: NodeId,
    folder: PathBuf,
    _held: File,
}

/// A process that is gone; as long as this is held nobody else finds it.
struct Gone {
    node: NodeId,
    path: PathBuf,
    _held: File,
}

impl Presence {
    /// Lets others know that `node` is, in `folder`, which they share.
    pub fn begin(folder: &Path, node: NodeId) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // It gets its name when it is locked: nobody finds it before.
        let (path, begun) = (folder.join(format!("{node}{SUFFIX}")), folder.join(node.to_string()));
        let held = File::create(&begun)?;
        held.try_lock().map_err(io::Error::from)?;
        std::fs::rename(&begun, &path)?;
        Ok(Self { node, folder: folder.to_owned(), _held: held })
    }

    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    /// Gives back what those had in hand that are gone.
    pub(super) async fn take_over(&self, store: &Store, now: Timestamp) {
        for gone in self.gone() {
            let released = async {
                let mut tx = store.write().await?;
                let count = sql::release(&mut tx, gone.node, now).await?;
                tx.commit().await?;
                Ok::<_, onesql::Error>(count)
            };
            match released.await {
                Ok(count) => {
                    if count > 0 {
                        tracing::info!(
                            count,
                            "mails that a process had in hand when it ended go on"
                        );
                    }
                    gone.forget();
                }
                Err(error) => tracing::warn!(%error, "mails in hand of a process that ended wait"),
            }
        }
    }

    /// Returns the others that are gone.
    fn gone(&self) -> Vec<Gone> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let gone = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let node = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok()?;
            if node == self.node {
                return None;
            }
            let held = File::open(&path).ok()?;
            match held.try_lock() {
                Ok(()) => Some(Gone { node, path, _held: held }),
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
            }
        });
        gone.collect()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Who ends in order has nothing in hand.
        let _ = std::fs::remove_file(self.folder.join(format!("{}{SUFFIX}", self.node)));
    }
}

impl Gone {
    /// Nothing more has to be known of it.
    fn forget(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sandbox;

    #[test]
    fn who_is_gone_is_known_and_who_is_there_is_left_alone() {
        let (folder, world) = (tempfile::tempdir().unwrap(), Sandbox::default());
        let begin = || Presence::begin(folder.path(), NodeId::new(&world)).unwrap();
        let (one, other) = (begin(), begin());
        assert!(one.gone().is_empty() && other.gone().is_empty());
        // As after `kill -9`: the lock goes, the file stays.
        let path = folder.path().join(format!("{}{SUFFIX}", other.node()));
        let node = other.node();
        drop(other);
        File::create(&path).unwrap();
        let mut gone = one.gone();
        assert_eq!(gone.iter().map(|gone| gone.node).collect::<Vec<_>>(), [node]);
        assert!(one.gone().is_empty(), "one takes over, not two");
        gone.pop().unwrap().forget();
        assert!(!path.exists() && one.gone().is_empty());
        std::fs::write(folder.path().join("else.node"), "").unwrap();
        std::fs::write(folder.path().join("else"), "").unwrap();
        assert!(one.gone().is_empty());
    }
}
