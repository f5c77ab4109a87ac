//! The JSON Schema of the file, for editors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::default_in_words;
use crate::config::SECTIONS;
use crate::config::setting::{Fallback, Kind, Setting};
use crate::config::value::items;

/// Returns the JSON Schema of `authshield.toml`.
#[must_use]
pub fn schema() -> String {
    let mut properties = Map::new();
    for section in SECTIONS {
        let entries = section.settings.iter().flat_map(entries).collect::<Map<_, _>>();
        if section.path.is_empty() {
            properties.extend(entries);
        } else {
            let table = json!({
                "type": "object",
                "description": section.about.trim(),
                "properties": entries,
                "additionalProperties": false,
            });
            properties.insert(section.path.to_owned(), table);
        }
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "AuthShield configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    format!("{:#}\n", sorted(schema))
}

/// Puts keys in order, which `serde_json` does or does not, by a feature that any crate may turn on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<_, _> = map.into_iter().map(|(key, it)| (key, sorted(it))).collect();
            Value::Object(map.into_iter().collect())
        }
        other => other,
    }
}

/// Returns the setting's property, and for a secret that of its file.
fn entries(setting: &Setting) -> Vec<(String, Value)> {
    let mut entries = vec![(setting.key().to_owned(), property(setting))];
    if setting.secret {
        let description = format!("The path of a file with `{}` in it.", setting.name);
        let path = json!({ "type": "string", "description": description });
        entries.push((format!("{}_file", setting.key()), path));
    }
    entries
}

fn property(setting: &Setting) -> Value {
    let mut property = match setting.kind {
        Kind::Text | Kind::Path | Kind::Socket => json!({ "type": "string" }),
        Kind::Url => json!({ "type": "string", "format": "uri" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Whole => json!({ "type": "integer" }),
        Kind::Ratio => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        Kind::Networks | Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Choice(choices) => json!({ "type": "string", "enum": choices }),
    };
    if let (Kind::Whole, Some((least, most))) = (setting.kind, setting.bounds) {
        property["minimum"] = json!(least);
        property["maximum"] = json!(most);
    }
    property["description"] = match setting.fallback {
        Fallback::Always(text) if !text.contains('{') => {
            property["default"] = default(setting.kind, text);
            json!(setting.about())
        }
        _ => json!(format!("{} Default: {}.", setting.about(), default_in_words(setting))),
    };
    if setting.secret {
        property["writeOnly"] = json!(true);
    }
    property
}

fn default(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Flag | Kind::Whole | Kind::Ratio => {
            text.parse().expect("the default of a flag or number is JSON")
        }
        Kind::List | Kind::Networks => json!(items(text).collect::<Vec<_>>()),
        _ => json!(text),
    }
}
