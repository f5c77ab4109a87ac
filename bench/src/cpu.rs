//! What processes have had of the cores, as Linux counts it: in hundredths of a second.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::base::{Kind, served_by};

/// What stands in `/proc/ID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Its own time, and that of its children which ended.
    own: u64,
    ended: u64,
}

impl Stat {
    fn of(id: u32) -> Result<Self> {
        let line = fs::read_to_string(format!("/proc/{id}/stat"))?;
        Self::read(&line).context("the times of a process cannot be read")
    }

    fn read(line: &str) -> Option<Self> {
        // The name, in brackets, may hold anything. After it come the state and the parent; user and
        // system time are the 12th and 13th, those of the children that ended the next two.
        let (_, rest) = line.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let time = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: time(11)? + time(12)?,
            ended: time(13)? + time(14)?,
        })
    }
}

/// Returns how much time the threads of process `id` have had.
pub(crate) fn of(id: u32) -> Result<Duration> {
    Ok(time(Stat::of(id)?.own))
}

fn time(hundredths: u64) -> Duration {
    Duration::from_millis(hundredths * 10)
}

/// The processes of a database server on this machine.
pub(crate) struct Server {
    /// Whose children all others are; none where the database is a file.
    first: Option<u32>,
}

impl Server {
    /// Finds the one of `kind`.
    pub(crate) fn find(kind: &Kind) -> Result<Self> {
        let Kind::Postgres(url) = kind else { return Ok(Self { first: None }) };
        let first = served_by(url, |id| {
            let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            if name.trim() != "postgres" {
                bail!("the PostgreSQL server is not on this machine: nobody knows what it spends");
            }
            Ok(Stat::of(id)?.parent)
        })?;
        Ok(Self { first: Some(first) })
    }

    /// Returns how much time they have had.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let Some(first) = self.first else { return Ok(Duration::ZERO) };
        let mut sum = Stat::of(first)?.ended;
        for entry in fs::read_dir("/proc")? {
            let id = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            // Whoever ended meanwhile is in the sum of its parent the next time.
            let Some((id, stat)) = id.and_then(|id: u32| Some((id, Stat::of(id).ok()?))) else {
                continue;
            };
            if id == first || stat.parent == first {
                sum += stat.own;
            }
        }
        Ok(time(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_in_brackets_does_not_confuse() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 9 0 1 2 3";
        assert_eq!(Stat::read(line), Some(Stat { parent: 7, own: 120, ended: 34 }));
        assert_eq!(Stat::read("42 (a) S 7"), None);
    }
}
