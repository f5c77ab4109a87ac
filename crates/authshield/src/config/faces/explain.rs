//! One setting for somebody who asks, and all of them for `--help`.

use std::fmt::Write;

use super::{change_in_words, default_in_words, type_in_words};
use crate::config::{names, settings};

/// Returns all there is to know about a setting, by its dotted name or its variable; for a name that
/// nobody declared, which ones look like it.
pub fn explain(name: &str) -> Result<String, String> {
    let setting = names::asked(name)?;
    let mut text = format!("{}\n\n{}\n\n", setting.name, setting.about());
    let mut line = |label: &str, value: &str| {
        writeln!(text, "{label:<12}{value}").expect("a string takes all that is written");
    };
    line("variable", &setting.env());
    if let Some(file) = setting.file_env() {
        line("or", &format!("{file}, the path of a file with the value"));
    }
    line("type", &type_in_words(setting));
    line("default", &default_in_words(setting));
    line("example", setting.example);
    line("change", change_in_words(setting));
    if setting.secret {
        line("secret", "never shown");
    }
    for lint in setting.lints {
        line("checked for", lint.about);
    }
    Ok(text)
}

/// Returns every variable with the first sentence about it, to go under `--help`.
#[must_use]
pub fn argument_help() -> String {
    let mut text =
        String::from("Settings, by environment variable (`--set name=value` overrides):\n");
    let width = settings().map(|setting| setting.env().len()).max().unwrap_or_default();
    for setting in settings() {
        let about = setting.about();
        let sentence = about.split_once(". ").map_or(about.as_str(), |(first, _)| first);
        writeln!(text, "  {:width$}  {}", setting.env(), sentence.trim_end_matches('.'))
            .expect("a string takes all that is written");
    }
    text
}
