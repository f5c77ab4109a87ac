//! Which requirement of OWASP ASVS 5.0 is shown by which test. A test claims rows in its doc
//! comment, in a line of its own:
//!
//! ```text
//! /// ASVS: V3.4.2, V3.4.4
//! #[tokio::test]
//! async fn browsers_of_exactly_the_named_origins_may_ask() {
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The rows of first priority that concern what exists: accounts, passwords, sessions, tokens, HTTP,
/// authorization, races, logs, errors, secrets, second factors. Each must have a test. What is not here
/// belongs to capabilities still to come: being or using an identity provider, tenants,
/// addresses that somebody else gives us to call or to redirect to.
const CONCERNS: [&str; 73] = [
    "V1.2.1", "V1.2.4", "V1.3.11", "V2.2.1", "V2.2.2", "V2.3.1", "V2.3.3", "V2.3.4", "V2.4.1",
    "V3.3.1", "V3.3.2", "V3.3.3", "V3.3.4", "V3.4.2", "V3.4.3", "V3.4.4", "V3.4.5", "V3.4.6",
    "V3.5.1", "V3.5.2", "V3.5.3", "V4.1.3", "V4.2.1", "V6.2.1", "V6.2.2", "V6.2.3", "V6.2.4",
    "V6.2.5", "V6.2.8", "V6.2.9", "V6.3.1", "V6.3.2", "V6.3.4", "V6.3.8", "V6.4.3", "V6.5.1",
    "V6.5.6", "V6.6.2", "V6.6.3", "V7.2.1", "V7.2.2", "V7.2.3", "V7.2.4", "V7.4.1", "V7.4.2",
    "V7.4.3", "V7.4.5", "V7.5.1", "V7.5.2", "V8.2.1", "V8.2.2", "V8.2.3", "V8.3.1", "V8.3.2",
    "V9.1.1", "V9.1.2", "V9.1.3", "V9.2.1", "V9.2.2", "V9.2.3", "V9.2.4", "V10.3.1", "V10.4.5",
    "V11.4.2", "V11.5.1", "V12.3.2", "V14.2.1", "V14.3.2", "V15.2.2", "V15.3.1", "V15.3.3",
    "V15.3.4", "V15.4.2",
];

/// The rest of them: what concerns logs and errors.
const CONCERNS_LOGS: [&str; 6] = ["V16.2.5", "V16.3.1", "V16.4.1", "V16.5.1", "V16.5.2", "V16.5.3"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A requirement.
struct Row {
    id: String,
    level: String,
    chapter: String,
    priority: String,
    summary: String,
}

/// Reads a line of comma-separated values with quotes (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut().expect("there is one from the start");
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(letter),
        }
    }
    fields
}

/// Returns all rows, in the order of the standard.
fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("docs/src/security/asvs-5.0.csv")).unwrap();
    let row = |line: &str| match fields(line).as_slice() {
        [id, level, chapter, _, _, priority, summary, ..] => Row {
            id: id.clone(),
            level: level.clone(),
            chapter: chapter.clone(),
            priority: priority.clone(),
            summary: summary.clone(),
        },
        other => panic!("not a row: {other:?}"),
    };
    text.lines().skip(1).map(row).collect()
}

/// Returns every file of ours that may hold tests.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let crates =
        std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> =
        crates.flat_map(|package| [package.join("src"), package.join("tests")]).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns the tests that claim each row.
fn claims() -> BTreeMap<String, BTreeSet<String>> {
    let mut claims: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files().into_iter().filter(|path| !path.ends_with("tests/it/asvs.rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root().join("crates")).unwrap().display().to_string();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(claimed) = line.strip_prefix("/// ASVS: ") else { continue };
            let place = format!("{file}:{}", at + 1);
            let above: Vec<_> = lines[at + 1..]
                .iter()
                .take_while(|line| line.starts_with("#[") || line.starts_with("///"))
                .collect();
            let is_test = above.iter().any(|line| line.starts_with("#[") && line.contains("test"));
            assert!(is_test, "{place}: a claim stands directly above a test");
            let head = lines[at + 1 + above.len()];
            let name = head.trim_start_matches("pub ").trim_start_matches("async ");
            let name = name.strip_prefix("fn ").unwrap_or_else(|| panic!("{place}: {head}"));
            let name = name.split(['(', '<']).next().expect("a name");
            for id in claimed.split(',') {
                let test = format!("{}::{name}", file.trim_end_matches(".rs"));
                claims.entry(id.trim().to_owned()).or_default().insert(test);
            }
        }
    }
    claims
}

fn concerns(id: &str) -> bool {
    CONCERNS.contains(&id) || CONCERNS_LOGS.contains(&id)
}

/// Returns the page.
fn page(rows: &[Row], claims: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut page = String::from(
        "# ASVS 5.0\n\n\
         <!-- Generated from the doc comments of tests; `cargo xtask generate` writes it. -->\n\n\
         Which requirement of the OWASP Application Security Verification Standard 5.0 is shown by which \
         test. The rows are those of [the list](asvs-5.0.csv) of first priority (P0), and those of later \
         priority that a test shows already. Rows without a test concern capabilities that are still to \
         come.\n\n",
    );
    let first = rows.iter().filter(|row| row.priority == "P0");
    let shown = first.clone().filter(|row| claims.contains_key(&row.id)).count();
    let later =
        rows.iter().filter(|row| row.priority != "P0" && claims.contains_key(&row.id)).count();
    writeln!(
        page,
        "{shown} of {} rows of first priority and {later} others are shown by tests.",
        first.count()
    )
    .unwrap();
    let mut chapter = "";
    for row in rows.iter().filter(|row| row.priority == "P0" || claims.contains_key(&row.id)) {
        if row.chapter != chapter {
            chapter = &row.chapter;
            write!(page, "\n## {chapter}\n\n").unwrap();
            page.push_str(
                "| row | level | priority | what | shown by |\n| --- | --- | --- | --- | --- |\n",
            );
        }
        let tests = match claims.get(&row.id) {
            None => "not yet: concerns later parts".to_owned(),
            Some(tests) => {
                tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join("<br>")
            }
        };
        let what = row.summary.replace('|', "\\|").replace('<', "&lt;");
        writeln!(page, "| {} | {} | {} | {what} | {tests} |", row.id, row.level, row.priority)
            .unwrap();
    }
    page
}

#[test]
fn generated_asvs_page_is_fresh() {
    let fresh = page(&rows(), &claims());
    let path = root().join("docs/src/security/asvs.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == fresh, "set UPDATE_GENERATED=1 and run this test to rewrite asvs.md");
}

#[test]
fn only_rows_that_exist_are_claimed() {
    let known: BTreeSet<_> = rows().into_iter().map(|row| row.id).collect();
    assert_eq!(known.len(), 345, "rows of the standard");
    for (id, tests) in claims() {
        assert!(known.contains(&id), "{tests:?} claims {id}, which is no row");
    }
}

#[test]
fn every_row_that_concerns_what_exists_has_a_test() {
    let (rows, claims) = (rows(), claims());
    let first: BTreeSet<_> =
        rows.iter().filter(|row| row.priority == "P0").map(|row| row.id.as_str()).collect();
    for id in CONCERNS.iter().chain(&CONCERNS_LOGS) {
        assert!(first.contains(id), "{id} is no row of first priority");
    }
    let bare: Vec<_> =
        first.iter().filter(|id| concerns(id) && !claims.contains_key(**id)).collect();
    assert!(bare.is_empty(), "no test shows {bare:?}");
    // What a test shows can be asked for from then on.
    let unasked: Vec<_> =
        first.iter().filter(|id| !concerns(id) && claims.contains_key(**id)).collect();
    assert!(unasked.len() < 5, "enter what is shown: {unasked:?}");
}

#[test]
fn quotes_in_the_list_are_read() {
    assert_eq!(fields(r#"a,"b, ""c""",,d"#), ["a", "b, \"c\"", "", "d"]);
}
