//! A file that somebody else replaces: read whole, looked at again and again, and never given up for a broken one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};

/// What can be read from a file, all of it at once.
pub trait FromFile: Sized {
    /// What the file says of itself.
    type About: Clone;

    /// Reads a file, and proves that it is whole.
    fn read(file: &Path) -> Result<Self, Unread>;

    /// Returns what the file says of itself.
    fn about(&self) -> Self::About;
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What is wrong with it, for people.
    pub why: String,
    /// Whether it may be read at another time without being another file: it got other permissions.
    pub may_pass: bool,
}

/// The file that the configuration names, if it names one.
#[derive(Debug)]
pub struct Watched<T> {
    file: Option<PathBuf>,
    current: ArcSwapOption<T>,
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
    news: Option<News>,
}

#[derive(Debug)]
enum News {
    Read,
    Broken(String),
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
pub enum Look<A> {
    /// It was read; what is in it counts from now on.
    Read(A),
    /// It cannot be used; what counted before still does.
    Broken(String),
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<T> Watched<T> {
    /// Watches `file`; nothing is read yet.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, current: ArcSwapOption::const_empty(), seen: Mutex::default() }
    }

    /// Returns what counts at present.
    #[must_use]
    pub fn current(&self) -> Guard<Option<Arc<T>>> {
        self.current.load()
    }

    /// The lock guards nothing that a panic could leave half done.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: FromFile> Watched<T> {
    /// Reads the file if it was not read before, or if it is another one than that, and returns what came of it; once,
    /// whoever read it. It takes seconds, if it is large; whoever comes meanwhile finds nothing new.
    pub fn look(&self) -> Option<Look<T::About>> {
        let mut seen = self.seen.try_lock().ok()?;
        self.look_with(&mut seen);
        match seen.news.take()? {
            News::Read => self.about().map(Look::Read),
            News::Broken(why) => Some(Look::Broken(why)),
        }
    }

    fn look_with(&self, seen: &mut Seen) {
        let Some(file) = &self.file else { return };
        let stamp = stamp(file);
        if seen.stamp == stamp {
            return;
        }
        seen.stamp = stamp;
        seen.looked = true;
        match T::read(file) {
            Ok(read) => {
                seen.news = Some(News::Read);
                self.current.store(Some(Arc::new(read)));
                seen.trouble = None;
            }
            Err(Unread { why, may_pass }) => {
                if seen.trouble.as_ref() != Some(&why) {
                    seen.news = Some(News::Broken(why.clone()));
                }
                seen.trouble = Some(why);
                if may_pass {
                    seen.stamp = Stamp::Unknown;
                }
            }
        }
    }

    /// Returns what counts at present, and what is wrong with the file that is there; looks first, and waits for
    /// who is looking.
    pub fn standing(&self) -> (Option<T::About>, Option<String>) {
        let mut seen = self.seen();
        self.look_with(&mut seen);
        (self.about(), seen.trouble.clone())
    }

    /// Returns what is said of itself by what counts at present.
    #[must_use]
    pub fn about(&self) -> Option<T::About> {
        self.current.load().as_ref().map(|read| read.about())
    }

    /// Reads the file where nobody did before, as in a command. Whoever comes while somebody reads does not wait.
    pub fn read_once(&self) {
        if self.file.is_some()
            && self.current.load().is_none()
            && let Ok(mut seen) = self.seen.try_lock()
            && !seen.looked
        {
            self.look_with(&mut seen);
        }
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
