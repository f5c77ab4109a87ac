//! The sample file: every setting, commented out.

use std::fmt::Write;

use super::default_in_words;
use crate::config::SECTIONS;
use crate::config::setting::{Fallback, Kind, Setting};
use crate::config::value::items;

const HEAD: &str = "\
# AuthShield's settings. Copy this to authshield.toml and uncomment what you change.
# Generated from the declarations in crates/authshield/src/config: do not edit this copy.
#
# Each setting also has an environment variable: AUTHSHIELD, the section and the key, in capitals, with
# underscores between them. Secrets also take a path, in the key with _file behind it.
";

/// Returns the sample file, TOML.
#[must_use]
pub fn sample() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        if !section.path.is_empty() {
            text.push('\n');
            comment(&mut text, section.about.trim());
            writeln!(text, "[{}]", section.path).expect(FITS);
        }
        for setting in section.settings {
            text.push('\n');
            comment(&mut text, &setting.about());
            comment(&mut text, &format!("Default: {}.", default_in_words(setting)));
            writeln!(text, "#{} = {}", setting.key(), literal(setting)).expect(FITS);
        }
    }
    text
}

const FITS: &str = "a string takes all that is written";

/// Wraps at 98 characters behind `# `.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

/// Returns the value to start from: the default, or else the example.
pub(super) fn literal(setting: &Setting) -> String {
    let text = match setting.fallback {
        Fallback::Always(text) if !text.is_empty() && !text.contains('{') => text,
        _ => setting.example,
    };
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    match setting.kind {
        Kind::Flag | Kind::Whole | Kind::Ratio => text.to_owned(),
        Kind::List | Kind::Networks => {
            format!("[{}]", items(text).map(quote).collect::<Vec<_>>().join(", "))
        }
        _ => quote(text),
    }
}
