//! What a migration says of itself, in the comments at its head.
//!
//! ```sql
//! -- phase: expand
//! -- oldest: 0.1.0
//! -- lock: none
//! ```

use std::fmt;
use std::str::FromStr;

/// What a migration is for: what is added may be used by the next version, and what nobody uses any
/// more is taken away by the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Adds; every program that worked before still works.
    Expand,
    /// Fills what was added.
    Backfill,
    /// Takes away what no program uses any more.
    Contract,
}

impl Phase {
    /// Returns its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
        }
    }
}

/// The strongest lock that a migration takes on a table that is in use, on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// None: it makes new tables.
    None,
    /// Others read and write meanwhile (`SHARE UPDATE EXCLUSIVE`, as `CREATE INDEX CONCURRENTLY`).
    Shared,
    /// Others read meanwhile (`SHARE`, `SHARE ROW EXCLUSIVE`).
    Writes,
    /// Nobody does anything meanwhile (`ACCESS EXCLUSIVE`, as `ADD COLUMN`): it must be over at once.
    Brief,
}

/// A version of the program: three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl Version {
    /// Returns this program's.
    #[must_use]
    pub fn own() -> Self {
        env!("CARGO_PKG_VERSION").parse().expect("the version has three numbers")
    }
}

/// The text is not three numbers with dots between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version such as 0.1.0")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        // A pre-release counts as the release it leads to: it has the same migrations.
        let text = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = text.split('.').map(|number| number.parse().map_err(|_| NotAVersion));
        let mut next = || numbers.next().unwrap_or(Err(NotAVersion));
        let version = Self(next()?, next()?, next()?);
        if numbers.next().is_some() { Err(NotAVersion) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// What a migration says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// What it is for.
    pub phase: Phase,
    /// The oldest program that works with it.
    pub oldest: Version,
    /// The strongest lock it takes.
    pub lock: Lock,
}

impl Note {
    /// What the first migration would say: it landed before there were notes.
    pub const FIRST: Self =
        Self { phase: Phase::Expand, oldest: Version(0, 1, 0), lock: Lock::None };

    /// Reads the head of a migration; nothing if it does not say everything.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let head = text.lines().map_while(|line| line.strip_prefix("--")).map(str::trim);
        let says = |key: &str| {
            head.clone().find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
        };
        let phase = match says("phase")? {
            "expand" => Phase::Expand,
            "backfill" => Phase::Backfill,
            "contract" => Phase::Contract,
            _ => return None,
        };
        let lock = match says("lock")? {
            "none" => Lock::None,
            "shared" => Lock::Shared,
            "writes" => Lock::Writes,
            "brief" => Lock::Brief,
            _ => return None,
        };
        Some(Self { phase, oldest: says("oldest")?.parse().ok()?, lock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_all_three_or_nothing() {
        let note = Note::read(
            "-- Words.\n-- phase: contract\n-- oldest: 1.20.3\n-- lock: brief\nDROP TABLE x;",
        );
        let oldest = Version(1, 20, 3);
        assert_eq!(note, Some(Note { phase: Phase::Contract, oldest, lock: Lock::Brief }));
        for text in [
            "",
            "CREATE TABLE x (id INTEGER);\n-- phase: expand\n-- oldest: 0.1.0\n-- lock: none",
            "-- phase: expand\n-- oldest: 0.1.0",
            "-- phase: expand\n-- oldest: 0.1\n-- lock: none",
            "-- phase: grow\n-- oldest: 0.1.0\n-- lock: none",
            "-- phase: expand\n-- oldest: 0.1.0\n-- lock: huge",
        ] {
            assert_eq!(Note::read(text), None, "{text}");
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("0.10.0").unwrap() > version("0.9.9").unwrap());
        assert_eq!(version("1.2.3-rc.1").unwrap(), version("1.2.3").unwrap());
        for text in ["", "1", "1.2", "1.2.x", "1.2.3.4", "v1.2.3"] {
            assert_eq!(version(text), Err(NotAVersion), "{text}");
        }
    }
}
