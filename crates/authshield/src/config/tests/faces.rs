//! The generated pages, and that they are fresh.

use std::fs;
use std::path::PathBuf;

use super::*;

/// Returns the root of the repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Holds a committed file against what it is generated from; `UPDATE_GENERATED=1` writes it anew.
#[expect(clippy::disallowed_methods, reason = "a test is told to write its files by a variable")]
fn assert_fresh(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var("UPDATE_GENERATED").is_ok_and(|value| value == "1") {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    let differs = committed.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(
        committed == text,
        "{path} is stale; run the tests once with UPDATE_GENERATED=1 ({differs:?})"
    );
}

#[test]
fn generated_reference_page_is_fresh() {
    assert_fresh("docs/src/reference/configuration.md", &reference());
}

#[test]
fn generated_schema_is_fresh() {
    assert_fresh("docs/src/reference/configuration.schema.json", &schema());
}

#[test]
fn generated_sample_file_is_fresh() {
    assert_fresh("authshield.example.toml", &sample());
}

#[test]
fn the_sample_file_sets_nothing() {
    let loaded = load_text(&sample(), []).unwrap();
    assert!(loaded.effective.iter().all(|it| it.source == Source::Default));
}

#[test]
fn the_sample_file_uncommented_has_every_setting_and_no_unknown_one() {
    let text: String = sample()
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let refused = load_text(&text, []).unwrap_err();
    let bad: Vec<_> = refused
        .refusals
        .iter()
        .filter(|finding| !["placeholder", "half-a-pair"].contains(&finding.id))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    for setting in settings() {
        assert!(text.contains(&format!("\n{} = ", setting.key())), "{}", setting.name);
    }
}

#[test]
fn the_schema_knows_every_key_and_nothing_else() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    for setting in settings() {
        let mut pointer = String::new();
        for part in setting.name.split('.') {
            pointer.push_str("/properties/");
            pointer.push_str(part);
        }
        let property = schema.pointer(&pointer).unwrap_or_else(|| panic!("{}", setting.name));
        assert!(property["description"].is_string());
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["smtp"]["additionalProperties"], false);
    assert_eq!(schema["properties"]["smtp"]["properties"]["port"]["default"], 587);
}

#[test]
fn showing_tells_each_source_and_no_secret() {
    let loaded =
        load_env(&[("OPERATOR_TOKEN", "4d1c5bd7b5f0f4b8d2a9c3e6"), ("LOG", "debug")]).unwrap();
    let text = show(&loaded);
    let line = |name: &str| {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        line.split_once(" = ").unwrap().1.to_owned()
    };
    assert_eq!(line("operator_token"), "[set, 24 bytes, from env]");
    assert_eq!(line("log"), "debug  (from env AUTHSHIELD_LOG)");
    assert_eq!(line("smtp.port"), "587  (default)");
    assert_eq!(line("master_key"), "[unset]");
    assert_eq!(line("database.url"), "sqlite://./data/authshield.db  (default)");
    assert_eq!(line("cors.origins"), "[]  (default)");

    let json: serde_json::Value = serde_json::from_str(&show_json(&loaded)).unwrap();
    assert_eq!(json["settings"]["operator_token"]["secret_bytes"], 24);
    assert_eq!(json["settings"]["log"]["source"]["variable"], "AUTHSHIELD_LOG");
    assert_eq!(json["settings"]["smtp.host"]["set"], false);
}

#[test]
fn help_names_every_variable() {
    let help = argument_help();
    for setting in settings() {
        assert!(help.contains(&format!("  {} ", setting.env())), "{}", setting.name);
    }
}
