//! The effective configuration, with the source of every value.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::config::reader::Effective;
use crate::config::{Loaded, Source};

/// Returns each effective value with where it came from; secrets as their length.
#[must_use]
pub fn show(loaded: &Loaded) -> String {
    let width = loaded.effective.iter().map(|it| it.setting.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for effective in &loaded.effective {
        let name = effective.setting.name;
        let value = value_in_words(effective);
        writeln!(text, "{name:width$} = {value}").expect("a string takes all that is written");
    }
    text
}

fn value_in_words(effective: &Effective) -> String {
    let source = &effective.source;
    match (&effective.value, effective.secret_bytes) {
        (_, Some(bytes)) => format!("[set, {bytes} bytes, {source}]"),
        (Some(value), None) => format!("{}  ({})", quoted(value), in_full(source)),
        (None, None) => "[unset]".to_owned(),
    }
}

fn quoted(value: &str) -> String {
    if value.is_empty() { "[]".to_owned() } else { value.to_owned() }
}

/// A public value's source names the variable; a secret's line is short by contract.
fn in_full(source: &Source) -> String {
    match source {
        Source::Environment { variable } => format!("from env {variable}"),
        other => other.to_string(),
    }
}

/// Returns the same for programs: an object by setting name.
#[must_use]
pub fn show_json(loaded: &Loaded) -> String {
    let settings: Map<String, Value> = loaded
        .effective
        .iter()
        .map(|effective| {
            let set = effective.value.is_some() || effective.secret_bytes.is_some();
            let mut entry = json!({
                "env": effective.setting.env(),
                "set": set,
                "source": effective.source,
            });
            if let Some(bytes) = effective.secret_bytes {
                entry["secret_bytes"] = json!(bytes);
            } else {
                entry["value"] = json!(effective.value);
            }
            (effective.setting.name.to_owned(), entry)
        })
        .collect();
    let all = json!({ "settings": settings, "warnings": loaded.warnings });
    format!("{all:#}\n")
}
