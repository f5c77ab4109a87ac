//! The page about every event, made from the words that stand beside them in `event.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;

const SOURCE: &str = include_str!("event.rs");
const CODES: &str = include_str!("codes.rs");

/// One event: its variant, what it means, and its fields with their meaning.
struct Entry<'s> {
    variant: &'s str,
    words: String,
    fields: Vec<(&'s str, String)>,
}

/// Reads the enum: one variant, one field and one doc line to a line, as rustfmt leaves them.
fn entries() -> Vec<Entry<'static>> {
    let body = SOURCE.split_once("pub enum Event {\n").expect("the enum is there").1;
    let body = body.split_once("\n}\n").expect("it ends").0;
    let (mut entries, mut words) = (Vec::<Entry<'_>>::new(), String::new());
    for line in body.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            words += more;
        } else if let Some(variant) = line.strip_suffix('{') {
            let words = std::mem::take(&mut words).trim().to_owned();
            entries.push(Entry { variant: variant.trim(), words, fields: Vec::new() });
        } else if let Some((field, _)) = line.split_once(':') {
            let words = std::mem::take(&mut words).trim().to_owned();
            entries.last_mut().expect("a field is of a variant").fields.push((field, words));
        }
    }
    entries
}

/// Reads the names: `Self::Logout { .. } => "LOGOUT",`.
fn codes() -> BTreeMap<&'static str, &'static str> {
    let body = CODES.split_once("pub fn code(&self)").expect("the function is there").1;
    let body = body.split_once("\n    }\n").expect("it ends").0;
    body.lines()
        .filter_map(|line| {
            let (variant, code) = line.trim().strip_prefix("Self::")?.split_once("=>")?;
            Some((variant.split(' ').next()?, code.trim().trim_matches(['"', ','])))
        })
        .collect()
}

/// Returns `docs/src/reference/audit-events.md`.
fn document() -> String {
    let mut page = String::from(
        "<!-- Generated from crates/authshield/src/audit/event.rs. -->\n\
         # Audit events\n\n\
         What happened stands in the table `audit_events`, written in the transaction of what it reports:\n\
         if the change does not last, neither does its line. Codes and fields are an interface: they are\n\
         added to, never changed.\n\n\
         Each row also has the time (`at`), the client's address and user agent, the `country` of the address\n\
         where `geoip.file` knows it (ISO 3166-1, two letters), and the `request_id` that the log and the answer have. An address that somebody typed (`email`) is kept as a keyed hash only.\n\
         `reason` is the true reason, which the client may not be told. Each event is also a line in the log\n\
         (target `authshield::audit`) and counted in `authshield_events_total`.\n\n\
         | Code | Meaning | Fields |\n| --- | --- | --- |\n",
    );
    let codes = codes();
    for Entry { variant, words, fields } in entries() {
        let fields: Vec<_> = fields
            .iter()
            .map(|(field, words)| format!("`{field}`: {}", words.trim_end_matches('.')))
            .collect();
        let _ = writeln!(page, "| `{}` | {words} | {} |", codes[variant], fields.join("<br>"));
    }
    page
}

#[test]
fn every_event_is_on_the_page() {
    let (entries, codes) = (entries(), codes());
    assert!(entries.len() > 20);
    assert_eq!(entries.len(), codes.len());
    let listed: std::collections::BTreeSet<_> = super::CODES.iter().copied().collect();
    assert_eq!(listed, codes.values().copied().collect());
    for Entry { variant, words, fields } in entries {
        assert!(codes.contains_key(variant) && !words.is_empty(), "{variant}");
        assert!(fields.iter().all(|(_, words)| !words.is_empty()), "{variant}");
    }
}

#[test]
fn generated_audit_events_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/reference/audit-events.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, document(), "set UPDATE_GENERATED=1 and run this test to rewrite it");
}
