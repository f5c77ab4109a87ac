//! How long each silent failure went unnoticed, as the tests said when they ran last.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::root;

/// What the tests write: a line for each fault that was found.
const FILE: &str = "target/tmp/detections.jsonl";

/// Prints a table: what was injected, what found it, and after how many seconds on each database.
pub(crate) fn run() -> Result<()> {
    let text = fs::read_to_string(root().join(FILE)).with_context(|| {
        format!("there is no {FILE}: run `cargo xtask test -- silent_failures`")
    })?;
    print!("{}", table(&text));
    Ok(())
}

/// How soon something was found.
#[derive(Default)]
struct Found {
    /// In seconds, by database.
    seconds: BTreeMap<String, f64>,
    /// How soon it is found at real intervals, in seconds; nothing where that is no matter of intervals.
    at_most: Option<f64>,
}

fn table(text: &str) -> String {
    // What was said last counts.
    let mut rows: BTreeMap<(u64, String, String), Found> = BTreeMap::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let words = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let row = line["row"].as_u64().unwrap_or_default();
        let found = rows.entry((row, words("how"), words("by"))).or_default();
        found.seconds.insert(words("database"), line["seconds"].as_f64().unwrap_or_default());
        found.at_most = line["at_most"].as_f64();
    }
    let mut table = String::from(
        "| row | fault | found by | SQLite, s | PostgreSQL, s | at real intervals, s at most |\n\
         | --: | --- | --- | --: | --: | --: |\n",
    );
    for ((row, how, by), Found { seconds, at_most }) in rows {
        let cell = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        let (sqlite, postgres) = (seconds.get("sqlite"), seconds.get("postgres"));
        let _ = writeln!(
            table,
            "| {row} | {how} | {by} | {} | {} | {} |",
            cell(sqlite.copied(), 1),
            cell(postgres.copied(), 1),
            cell(at_most, 0)
        );
    }
    table
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_said_last_counts() {
        let text = r#"{"row":5,"database":"sqlite","how":"a","by":"SMTP-4","seconds":9.0,"at_most":143.0}
{"row":5,"database":"sqlite","how":"a","by":"SMTP-4","seconds":1.25,"at_most":143.0}
{"row":5,"database":"postgres","how":"a","by":"SMTP-4","seconds":1.5,"at_most":143.0}
{"row":1,"database":"sqlite","how":"b","by":"preflight","seconds":0.1,"at_most":null}
"#;
        let table = super::table(text);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            ["| 1 | b | preflight | 0.1 | – | – |", "| 5 | a | SMTP-4 | 1.2 | 1.5 | 143 |",]
        );
    }
}
