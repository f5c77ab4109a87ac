//! Passwords that were stolen elsewhere: a file that says which, read whole and looked at for replacement.
//!
//! ```text
//! build     lists ─ keys ─ filter file, in the memory of one shard if the list is sorted
//! filter    the file: what stands in it, and whether a password is in it
//! Breached  the file of this service: a broken one never takes the place of a good one
//! ```
//!
//! A key is the first eight bytes of the SHA-1 of a password, since that is what lists are published as.

mod build;
mod filter;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use sha1::{Digest, Sha1};

pub use build::{BuildError, Built, Lists, build};
pub use filter::{About, Broken, Filter};

use super::nfc;

/// The file that the configuration names, if it names one.
#[derive(Debug, Default)]
pub struct Breached {
    file: Option<PathBuf>,
    filter: ArcSwapOption<Filter>,
    seen: Mutex<Seen>,
}

/// What was found when somebody looked last.
#[derive(Debug, Default)]
struct Seen {
    stamp: Stamp,
    /// Whether somebody looked at all.
    looked: bool,
    trouble: Option<String>,
    /// What nobody was told yet.
    news: Option<Look>,
}

/// By what it is known that a file was replaced.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stamp {
    /// Nobody looked yet.
    #[default]
    Unknown,
    /// There is none.
    Missing,
    /// When it was written, how long it is, and which it is.
    Seen { seconds: i64, nanoseconds: i64, length: u64, inode: u64 },
}

/// What came of a look at the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It was read; what is in it counts from now on.
    Read(About),
    /// It cannot be used; what counted before still does.
    Broken(String),
}

impl Breached {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, ..Self::default() }
    }

    /// Reads the file if it was not read before, or if it is another one than that, and returns what came of it; once,
    /// whoever read it. It takes seconds, if it is large; whoever comes meanwhile finds nothing new.
    pub fn look(&self) -> Option<Look> {
        let mut seen = self.seen.try_lock().ok()?;
        self.look_with(&mut seen);
        seen.news.take()
    }

    fn look_with(&self, seen: &mut Seen) {
        let Some(file) = &self.file else { return };
        let stamp = stamp(file);
        if seen.stamp == stamp {
            return;
        }
        seen.stamp = stamp;
        seen.looked = true;
        match Filter::read(file) {
            Ok(filter) => {
                seen.news = Some(Look::Read(filter.about));
                self.filter.store(Some(Arc::new(filter)));
                seen.trouble = None;
            }
            Err(broken) => {
                let why = crate::problem::chain(&broken);
                if seen.trouble.as_ref() != Some(&why) {
                    seen.news = Some(Look::Broken(why.clone()));
                }
                seen.trouble = Some(why);
                // It can be read at another time without being another file: it got other permissions.
                if matches!(broken, Broken::Unreadable(_)) {
                    seen.stamp = Stamp::Unknown;
                }
            }
        }
    }

    /// Returns what counts at present, and what is wrong with the file that is there; looks first, and waits for
    /// who is looking.
    pub fn standing(&self) -> (Option<About>, Option<String>) {
        let mut seen = self.seen();
        self.look_with(&mut seen);
        (self.about(), seen.trouble.clone())
    }

    /// The lock guards nothing that a panic could leave half done.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what counts at present.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        self.filter.load().as_ref().map(|filter| filter.about)
    }

    /// Whether a password is known; `false` while there is no file that says so.
    #[must_use]
    pub fn knows(&self, password: &str) -> bool {
        let filter = self.filter.load();
        filter.as_ref().is_some_and(|filter| filter.knows(&nfc(password)))
    }

    /// As [`Breached::knows`], where nobody read the file before, as in a command. Whoever comes while somebody
    /// reads does not wait.
    pub(super) fn knows_by_now(&self, password: &str) -> bool {
        if self.file.is_some()
            && self.filter.load().is_none()
            && let Ok(mut seen) = self.seen.try_lock()
            && !seen.looked
        {
            self.look_with(&mut seen);
        }
        self.knows(password)
    }
}

fn stamp(file: &Path) -> Stamp {
    std::fs::metadata(file).map_or(Stamp::Missing, |about| Stamp::Seen {
        seconds: about.mtime(),
        nanoseconds: about.mtime_nsec(),
        length: about.size(),
        inode: about.ino(),
    })
}

/// The key of a password, in the form in which it is hashed.
fn key(password: &[u8]) -> u64 {
    let digest = Sha1::digest(password);
    let first = digest.first_chunk().expect("a SHA-1 has twenty bytes");
    u64::from_be_bytes(*first)
}
