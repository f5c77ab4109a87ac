//! The documentation is true: what it shows is run, what it names exists, what it packs works.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod alerts;
mod book;
mod commands;
mod dashboards;
mod kubernetes;
mod names;
mod packaging;
mod server;

use std::path::PathBuf;

/// The folder of the repository.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The program.
const AUTHSHIELD: &str = env!("CARGO_BIN_EXE_authshield");

/// Whether the documentation's `expected` is what came out; `…` stands for anything.
fn is_like(expected: &str, found: &str) -> bool {
    let (expected, mut rest) = (expected.trim(), found.trim());
    let mut pieces = expected.split('…').peekable();
    let first = pieces.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    if pieces.peek().is_none() {
        return after.is_empty();
    }
    rest = after;
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    true
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (expected, found, alike) in [
        ("a", " a\n", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("…b", "ab", true),
        ("a…c…e", "abcde", true),
        ("a…c…e", "abde", false),
        ("a…b", "ac", false),
    ] {
        assert_eq!(is_like(expected, found), alike, "{expected} {found}");
    }
}
