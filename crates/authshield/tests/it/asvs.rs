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

/// Where most tests are.
const HERE: &str = "authshield/tests/it/";

const NO_PROVIDER: &str = "AuthShield is no OpenID provider yet: no clients, no consent";
const HANDED_OVER: &str = "for the codes that bring a browser back to an application; AuthShield is no OpenID provider yet";

/// Rows of the first two priorities that nothing shows, because what they are about does not exist. All others
/// need a test.
const NOT_YET: [(&str, &str); 13] = [
    ("V8.3.3", "there is no exchange of tokens yet"),
    ("V8.4.1", "there are no tenants yet"),
    ("V10.4.4", NO_PROVIDER),
    ("V10.4.7", NO_PROVIDER),
    ("V10.4.9", NO_PROVIDER),
    ("V10.4.10", NO_PROVIDER),
    ("V10.4.11", NO_PROVIDER),
    ("V10.5.5", "providers cannot end sessions here yet: no back-channel logout"),
    ("V10.6.1", NO_PROVIDER),
    ("V10.6.2", NO_PROVIDER),
    ("V10.7.1", NO_PROVIDER),
    ("V10.7.2", NO_PROVIDER),
    ("V10.7.3", NO_PROVIDER),
];

/// Rows of which tests show a part, and what is missing.
const IN_PART: [(&str, &str); 6] = [
    (
        "V7.6.1",
        "`max_age` and the time of a sign-in at a provider count; there is no back-channel logout yet",
    ),
    ("V10.4.1", HANDED_OVER),
    ("V10.4.2", HANDED_OVER),
    ("V10.4.3", HANDED_OVER),
    ("V10.4.6", HANDED_OVER),
    ("V15.2.1", "advisories are looked up where `cargo-deny` and its database are installed"),
];

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
    /// How to test it; of a row that is not applicable, why it is not.
    test: String,
}

impl Row {
    /// Whether it must be shown, or have a reason why it is not.
    fn is_due(&self) -> bool {
        self.priority == "P0" || self.priority == "P1"
    }

    fn is_applicable(&self) -> bool {
        self.priority != "-"
    }
}

/// How a row stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Covered,
    InPart(&'static str),
    NotYet(&'static str),
    /// Due and neither shown nor excused, or not due.
    Open,
}

fn standing(id: &str, claims: &Claims) -> Standing {
    let reason = |list: &'static [(&str, &str)]| {
        list.iter().find(|(row, _)| *row == id).map(|(_, reason)| *reason)
    };
    match (claims.contains_key(id), reason(&NOT_YET), reason(&IN_PART)) {
        (false, Some(reason), None) => Standing::NotYet(reason),
        (true, None, Some(reason)) => Standing::InPart(reason),
        (true, None, None) => Standing::Covered,
        _ => Standing::Open,
    }
}

/// The tests that claim each row.
type Claims = BTreeMap<String, BTreeSet<String>>;

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
        [id, level, chapter, _, _, priority, summary, _, test] => Row {
            id: id.clone(),
            level: level.clone(),
            chapter: chapter.clone(),
            priority: priority.clone(),
            summary: summary.clone(),
            test: test.clone(),
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
fn claims() -> Claims {
    let mut claims = Claims::new();
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
                let file = file.trim_end_matches(".rs").trim_start_matches(HERE);
                let test = format!("{file}::{name}");
                claims.entry(id.trim().to_owned()).or_default().insert(test);
            }
        }
    }
    claims
}

/// How many of the rows of `priority` stand how.
fn count(rows: &[Row], claims: &Claims, priority: &str) -> [usize; 4] {
    let mut counts = [0; 4];
    for row in rows.iter().filter(|row| row.priority == priority) {
        counts[0] += 1;
        match standing(&row.id, claims) {
            Standing::Covered => counts[1] += 1,
            Standing::InPart(_) => counts[2] += 1,
            Standing::NotYet(_) => counts[3] += 1,
            Standing::Open => {}
        }
    }
    counts
}

/// Returns what stands in a cell for how `row` stands.
fn shown(row: &Row, claims: &Claims) -> String {
    let tests = claims.get(&row.id).into_iter().flatten().map(|test| format!("`{test}`"));
    let tests = tests.collect::<Vec<_>>().join("<br>");
    match standing(&row.id, claims) {
        Standing::Covered => tests,
        Standing::InPart(reason) => format!("{tests}<br>**in part:** {reason}"),
        Standing::NotYet(reason) => format!("**not yet:** {reason}"),
        Standing::Open => "**open**".to_owned(),
    }
}

/// Returns the page.
fn page(rows: &[Row], claims: &Claims) -> String {
    let mut page = String::from(
        "# ASVS 5.0\n\n\
         <!-- Generated from the doc comments of tests; `cargo xtask generate` writes it. -->\n\n\
         Which requirement of the OWASP Application Security Verification Standard 5.0 is shown by which \
         test. [The list](asvs-5.0.csv) gives each row a priority (P0 comes first) and says how to test \
         it. Each row of P0 and P1 is here: covered, with the tests; covered in part, with what is \
         missing; or not yet, with the reason. Rows of later priority are here if a test shows them. Tests \
         without a package are those of `crates/authshield/tests/it`.\n\n\
         | rows | all | covered | in part | not yet |\n| --- | --- | --- | --- | --- |\n",
    );
    for priority in ["P0", "P1"] {
        let [all, covered, in_part, not_yet] = count(rows, claims, priority);
        writeln!(page, "| {priority} | {all} | {covered} | {in_part} | {not_yet} |").unwrap();
    }
    let later = ["P2", "P3"].map(|priority| count(rows, claims, priority));
    let (all, covered) = (later[0][0] + later[1][0], later[0][1] + later[1][1]);
    writeln!(page, "| later | {all} | {covered} | | |").unwrap();
    let without = rows.iter().filter(|row| !row.is_applicable()).count();
    writeln!(page, "| [not applicable](#not-applicable) | {without} | | | |").unwrap();

    let mut chapter = "";
    for row in rows.iter().filter(|row| row.is_due() || claims.contains_key(&row.id)) {
        if row.chapter != chapter {
            chapter = &row.chapter;
            write!(page, "\n## {chapter}\n\n").unwrap();
            page.push_str(
                "| row | level | priority | what | shown by |\n| --- | --- | --- | --- | --- |\n",
            );
        }
        let (what, tests) = (cell(&row.summary), shown(row, claims));
        writeln!(page, "| {} | {} | {} | {what} | {tests} |", row.id, row.level, row.priority)
            .unwrap();
    }

    page.push_str("\n## Not applicable\n\n| rows | what | why not |\n| --- | --- | --- |\n");
    let mut rest = rows.iter().filter(|row| !row.is_applicable()).peekable();
    while let Some(first) = rest.next() {
        let mut ids = vec![first.id.as_str()];
        let is_alike = |row: &&Row| (&row.summary, &row.test) == (&first.summary, &first.test);
        while let Some(row) = rest.next_if(is_alike) {
            ids.push(&row.id);
        }
        let (what, why) = (cell(&first.summary), cell(&first.test));
        writeln!(page, "| {} | {what} | {why} |", ids.join(", ")).unwrap();
    }
    page
}

/// Returns `text` as it stands in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
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
fn every_row_that_is_due_has_a_test_or_a_reason() {
    let (rows, claims) = (rows(), claims());
    let due: BTreeSet<_> =
        rows.iter().filter(|row| row.is_due()).map(|row| row.id.as_str()).collect();
    let open: Vec<_> = due.iter().filter(|id| standing(id, &claims) == Standing::Open).collect();
    assert!(
        open.is_empty(),
        "no test shows them, or one does and NOT_YET has them still: {open:?}"
    );
    for (id, _) in NOT_YET.iter().chain(&IN_PART) {
        assert!(due.contains(id), "{id} is not due");
    }
    for row in rows.iter().filter(|row| !row.is_applicable()) {
        assert!(!row.test.is_empty() && !claims.contains_key(&row.id), "{}", row.id);
    }
}

#[test]
fn quotes_in_the_list_are_read() {
    assert_eq!(fields(r#"a,"b, ""c""",,d"#), ["a", "b, \"c\"", "", "d"]);
}
