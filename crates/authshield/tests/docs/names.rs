//! What documents, rules and dashboards name exists: metrics, their labels, codes of events.
//!
//! A rule about a metric that nobody declares never fires, and says so nowhere. (Settings are looked
//! after by the tests of the configuration, commands and their flags by `commands`.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use authshield::telemetry::metrics::{Metrics, PREFIX, Row};

use crate::alerts::{FOLDER, found, read};
use crate::book::pages;
use crate::root;

/// Words that look like one of our metrics and are none.
const NO_METRICS: [(&str, &str); 2] = [
    ("authshield_verify", "the crate, as Rust spells it"),
    ("authshield_database", "the volume of the compose file"),
];

/// Labels that Prometheus adds.
const ADDED: [&str; 4] = ["job", "instance", "le", "alertname"];

/// Every file that speaks of metrics.
fn files() -> Vec<PathBuf> {
    let mut files = pages();
    let mut folders = vec![root().join(FOLDER)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Returns each word of `text` that begins as a metric does, and what follows it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let begin = format!("{PREFIX}_");
    let starts: Vec<_> = text.match_indices(&begin).map(|(at, _)| at).collect();
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    starts.into_iter().filter_map(move |at| {
        if text[..at].ends_with(is_part) {
            return None;
        }
        let rest = &text[at..];
        Some(rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len())))
    })
}

/// Returns every name in the exposition, with the labels it has.
pub(crate) fn series() -> BTreeMap<String, &'static [&'static str]> {
    let mut series = BTreeMap::new();
    for Row { name, kind, labels, .. } in Metrics::page() {
        let name = format!("{PREFIX}_{name}");
        if kind == "histogram" {
            for suffix in ["_bucket", "_sum", "_count"] {
                series.insert(format!("{name}{suffix}"), labels);
            }
        }
        series.insert(name, labels);
    }
    series
}

/// Returns the pairs of a selector: `{code="LOGIN_FAILED", reason=~"a|b"}`.
fn selector(after: &str) -> Vec<(&str, Vec<&str>)> {
    let Some(inside) = after.strip_prefix('{') else { return Vec::new() };
    let Some((inside, _)) = inside.split_once('}') else { return Vec::new() };
    let mut pairs = Vec::new();
    let mut rest = inside;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '!', '\n']);
        let after = after.trim_start_matches(['~', '\\']);
        let Some((value, after)) =
            after.strip_prefix('"').and_then(|after| after.split_once(['"', '\\']))
        else {
            break;
        };
        pairs.push((name, value.split('|').collect()));
        rest = after.trim_start_matches('"');
    }
    pairs
}

/// Row 38 of the table of silent failures.
#[test]
fn every_metric_that_the_repository_speaks_of_is_declared() {
    let series = series();
    let mut count = 0;
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        for (word, after) in words(&text) {
            // `authshield_mail_` and `authshield_hash_…` speak of all that begin so; a counter may be
            // named without its suffix where lines are looked for.
            let known = series.contains_key(word)
                || NO_METRICS.iter().any(|(known, _)| *known == word)
                || series.keys().any(|name| {
                    name.starts_with(word)
                        && (word.ends_with('_') || *name == format!("{word}_total"))
                });
            assert!(known, "{}: {word} is no metric", shown(&path));
            let Some(labels) = series.get(word) else { continue };
            count += 1;
            for (label, _) in selector(after) {
                let known = labels.contains(&label) || ADDED.contains(&label);
                assert!(known, "{}: {word} has no label {label:?}", shown(&path));
            }
        }
    }
    assert!(count > 50, "only {count} were found");
    found(38, "a page speaks of a metric that is not declared", "the build fails", 0);
}

/// What the generated pages list between backticks at the start of a row.
fn listed(page: &str) -> BTreeSet<String> {
    let rows = read(page);
    let rows = rows.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(ToOwned::to_owned).collect()
}

/// Row 38 of the table of silent failures, for events.
#[test]
fn every_event_that_the_repository_speaks_of_is_in_the_catalogue() {
    let events = listed("docs/src/reference/audit-events.md");
    let problems = read("docs/src/reference/problems.md");
    assert!(events.contains("LOGIN_FAILED") && problems.contains("AUTH_INVALID_CREDENTIALS"));
    let mut count = 0;
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        for (word, after) in words(&text) {
            for (label, values) in selector(after) {
                if label == "code" {
                    count += values.len();
                    for value in values {
                        let place = shown(&path);
                        assert!(events.contains(value), "{place}: {word}: {value} is no event");
                    }
                }
            }
        }
        // Between backticks stand settings, problems and events.
        for code in text.split('`').filter(|code| is_constant(code)) {
            let known = code.starts_with("AUTHSHIELD_")
                || events.contains(code)
                || problems.contains(code)
                || OTHERS.contains(&code);
            assert!(known, "{}: {code} is neither an event nor a problem", shown(&path));
        }
    }
    assert!(count > 3, "only {count} were found");
    found(38, "a page speaks of an event that is not declared", "the build fails", 0);
}

/// Constants that are somebody else's.
const OTHERS: [&str; 1] = ["SCHED_IDLE"];

fn is_constant(code: &str) -> bool {
    code.contains('_')
        && code.starts_with(|c: char| c.is_ascii_uppercase())
        && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// A label that is never given that value selects nothing, and is silent for ever.
#[test]
fn every_value_of_a_label_is_one_that_the_program_gives() {
    let mut source = String::new();
    let mut folders = vec![root().join("crates/authshield/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                source += &fs::read_to_string(&path).unwrap_or_default();
            }
        }
    }
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        for (word, after) in words(&text) {
            for (label, values) in selector(after) {
                for value in values.iter().filter(|_| !ADDED.contains(&label)) {
                    let is_text = value.chars().any(|c| "$.*{".contains(c));
                    let known = is_text
                        || source.contains(&format!("\"{value}\""))
                        || ["version", "instance", "digest", "method", "route"].contains(&label);
                    assert!(known, "{}: {word}: nobody sets {label}={value:?}", shown(&path));
                }
            }
        }
    }
}

#[test]
fn selectors_are_read() {
    assert_eq!(
        selector("{code=\"A_B\", reason=~\"a|b\",\n  job!=\"x\"}[5m]"),
        [("code", vec!["A_B"]), ("reason", vec!["a", "b"]), ("job", vec!["x"])]
    );
    assert_eq!(
        selector("{job=\\\"$job\\\", le=\\\"1\\\"}"),
        [("job", vec!["$job"]), ("le", vec!["1"])]
    );
    assert_eq!(selector("[5m]"), []);
}
