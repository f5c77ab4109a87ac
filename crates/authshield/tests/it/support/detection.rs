//! How long a fault went unnoticed: each test of section 9 of the operations page says when it injected
//! the fault and when it was found; `cargo xtask detections` prints what they said last.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use authshield::checks;
use serde_json::json;

use super::on_postgres;

/// A fault that was injected just now.
#[must_use = "a fault has to be found"]
pub(crate) struct Fault {
    row: u8,
    how: &'static str,
    began: Instant,
}

impl Fault {
    /// Says that the fault of `row` was injected, and how.
    pub(crate) fn injected(row: u8, how: &'static str) -> Self {
        Self { row, how, began: Instant::now() }
    }

    /// Says what found it, now: a check, or something else that people see.
    pub(crate) fn found_by(self, finder: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let line = json!({
            "row": self.row,
            "database": if on_postgres() { "postgres" } else { "sqlite" },
            "how": self.how,
            "by": finder,
            "seconds": seconds,
            "at_most": at_most(finder).map(|span| span.as_secs_f64()),
        });
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join("detections.jsonl");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// How long a running service takes at its real intervals, at most: a look may have been just before,
/// and two bad results in a row are needed; the second comes after ten seconds. Intervals vary by a
/// tenth.
fn at_most(check: &str) -> Option<Duration> {
    let all = checks::all();
    let every = all.iter().find(|entry| entry.about.id == check)?.about.every?;
    Some((every + every.min(Duration::from_secs(10))).mul_f64(1.1))
}
