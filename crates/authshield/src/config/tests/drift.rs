//! Nothing in the repository speaks of a setting that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::faces::root;
use super::*;

/// Words that may stand somewhere without being a setting: `WORD reason` on each line.
const ALLOWED: &str = include_str!("drift-allowed.txt");

/// What is not ours, or not tracked, wherever it is.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// What is not tracked, from the root.
const SKIPPED_PATHS: [&str; 2] = ["data", "docs/book"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let skipped = SKIPPED.iter().any(|name| entry.file_name() == *name)
            || SKIPPED_PATHS.iter().any(|skipped| path == root().join(skipped));
        if kind.is_dir() && !skipped {
            files(&path, found);
        } else if kind.is_file() && !skipped {
            found.push(path);
        }
    }
}

/// Returns the words of a text that begin with our prefix.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(PREFIX).filter_map(|(at, _)| {
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if text[..at].ends_with(|c: char| is_part(c) || c.is_ascii_lowercase()) {
            return None;
        }
        let rest = &text[at..];
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        (word.len() > PREFIX.len()).then_some(word)
    })
}

fn allowed() -> BTreeSet<&'static str> {
    ALLOWED
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (word, reason) = line.split_once(' ').unwrap_or((line, ""));
            assert!(!reason.trim().is_empty(), "{word} is allowed without a reason");
            word
        })
        .collect()
}

#[test]
fn every_setting_that_the_repository_speaks_of_is_declared() {
    let declared: BTreeSet<_> =
        settings().flat_map(|it| [Some(it.env()), it.file_env()]).flatten().collect();
    let allowed = allowed();
    // `AUTHSHIELD_SMTP_…` speaks of all that begin so.
    let is_known = |word: &str| {
        declared.contains(word)
            || allowed.contains(word)
            || (word.ends_with('_') && declared.iter().any(|name| name.starts_with(word)))
    };
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    let mut drifted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in &paths {
        if path.ends_with("drift-allowed.txt") {
            continue;
        }
        // What is not text has no words.
        let Ok(text) = fs::read_to_string(path) else { continue };
        for word in words(&text).filter(|word| !is_known(word)) {
            let path = path.strip_prefix(root()).unwrap_or(path).display().to_string();
            drifted.entry(word.to_owned()).or_default().insert(path);
        }
    }
    assert!(paths.len() > 10, "the repository was not found");
    assert!(drifted.is_empty(), "not settings: {drifted:#?}");
}

#[test]
fn words_are_found_whole() {
    let name = var("LOG");
    let text = format!("a {name}=1 X{name} {PREFIX}* `{name}`,");
    assert_eq!(words(&text).collect::<Vec<_>>(), [&name, &name]);
}
