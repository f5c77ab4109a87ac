//! Passwords that were stolen elsewhere: a file that says which, read whole and looked at for replacement; and somebody
//! to ask.
//!
//! ```text
//! build     lists ─ keys ─ filter file, in the memory of one shard if the list is sorted
//! filter    the file: what stands in it, and whether a password is in it
//! Breached  the file of this service: a broken one never takes the place of a good one
//! Ranges    somebody else's server, which is told five hex digits, if the configuration says so
//! ```
//!
//! A key is the first eight bytes of the SHA-1 of a password, since that is what lists are published as.

mod build;
mod filter;
mod ranges;

use std::path::Path;

use sha1::{Digest, Sha1};

pub use build::{BuildError, Built, Lists, build};
pub use filter::{About, Broken, Filter};
pub use ranges::{Answer, Proof, Ranges, SetupError};

use super::nfc;
use crate::watched::{FromFile, Unread, Watched};

/// The file that the configuration names, if it names one.
pub type Breached = Watched<Filter>;

impl FromFile for Filter {
    type About = About;

    fn read(file: &Path) -> Result<Self, Unread> {
        Self::read(file).map_err(|broken| Unread {
            why: crate::problem::chain(&broken),
            may_pass: matches!(broken, Broken::Unreadable(_)),
        })
    }

    fn about(&self) -> About {
        self.about
    }
}

impl Breached {
    /// Whether a password is known; `false` while there is no file that says so.
    #[must_use]
    pub fn knows(&self, password: &str) -> bool {
        let filter = self.current();
        filter.as_ref().is_some_and(|filter| filter.knows(&nfc(password)))
    }

    /// As [`Breached::knows`], where nobody read the file before, as in a command.
    pub(super) fn knows_by_now(&self, password: &str) -> bool {
        self.read_once();
        self.knows(password)
    }
}

/// The key of a password, in the form in which it is hashed.
fn key(password: &[u8]) -> u64 {
    let digest = Sha1::digest(password);
    let first = digest.first_chunk().expect("a SHA-1 has twenty bytes");
    u64::from_be_bytes(*first)
}
