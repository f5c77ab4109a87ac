//! What the declarations look like to people, editors and programs. Each face is a plain function of
//! the table, so none can tell something else than what is read.

mod explain;
mod reference;
mod sample;
mod schema;
mod show;

pub use explain::{argument_help, explain};
pub use reference::reference;
pub use sample::sample;
pub use schema::schema;
pub use show::{show, show_json};

use super::reader::bounds_in_words;
use super::setting::{Fallback, Kind, Setting};

/// Returns what may be written, with bounds and unit.
fn type_in_words(setting: &Setting) -> String {
    let kind = setting.kind.words();
    let unit = match setting.unit {
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    let bounds = match setting.bounds {
        Some(bounds) => {
            let (least, most) = bounds_in_words(setting, bounds);
            format!(", from {least} to {most}")
        }
        None => String::new(),
    };
    format!("{kind}{unit}{bounds}")
}

/// Returns what holds when nobody says anything.
fn default_in_words(setting: &Setting) -> String {
    let quoted = |text: &str| match (text, setting.kind) {
        ("", Kind::List | Kind::Networks) => "empty".to_owned(),
        _ => format!("`{text}`"),
    };
    match setting.fallback {
        Fallback::None => "unset".to_owned(),
        Fallback::Always(text) => quoted(text),
        Fallback::Development(text) => {
            format!("{} in development; production must set it", quoted(text))
        }
        Fallback::Required => "unset in development; production must set it".to_owned(),
        Fallback::ByEnvironment { development, production } => {
            format!("{} in development, {} in production", quoted(development), quoted(production))
        }
    }
}

/// Returns when a change takes effect.
fn change_in_words(setting: &Setting) -> &'static str {
    if setting.reload {
        "takes effect at a reload (SIGHUP)"
    } else if setting.reread {
        "the file's contents are read again while the server runs; another path takes a restart"
    } else {
        "takes effect at the next start"
    }
}
