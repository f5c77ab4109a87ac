//! How one log line looks, as JSON or for people.
//!
//! What a stranger typed may stand in any value. Whatever they typed, an event is one line, and no
//! byte of it moves a cursor, colours a terminal or turns the reading direction (ASVS 5.0 V16.4.1).

use std::fmt::Write;
use std::io;

use serde_json::Value;
use tracing::Level;

use crate::config::LogFormat;
use crate::kernel::Timestamp;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// For people.
    Text {
        /// Whether levels are coloured.
        color: bool,
    },
}

impl Format {
    /// Returns what `log_format` means where people read along, or do not.
    #[must_use]
    pub fn choose(format: LogFormat, terminal: bool) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Auto if !terminal => Self::Json,
            LogFormat::Auto | LogFormat::Text => Self::Text { color: terminal },
        }
    }
}

/// An event, ready to be written.
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) fields: &'a [(&'static str, Value)],
}

/// The names that every line has; a field that bears one of them is renamed.
const OWN_NAMES: [&str; 4] = ["timestamp", "level", "target", "message"];

impl Line<'_> {
    /// Returns the line, with its end.
    pub(super) fn render(&self, format: Format) -> String {
        let mut line = match format {
            Format::Json => self.json(),
            Format::Text { color } => self.text(color),
        };
        line.push('\n');
        line
    }

    fn message(&self) -> &str {
        let message = self.fields.iter().find(|(name, _)| *name == "message");
        message.and_then(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The fields that are not the message, each under a name that cannot hide one of ours.
    fn others(&self) -> impl Iterator<Item = (&'static str, &'static str, &Value)> {
        self.fields.iter().filter(|(name, _)| *name != "message").map(|(name, value)| {
            let prefix = if OWN_NAMES.contains(name) { "field_" } else { "" };
            (prefix, *name, value)
        })
    }

    fn json(&self) -> String {
        let mut plain = Vec::with_capacity(512);
        let (target, message) = (Value::from(self.target), Value::from(self.message()));
        let (at, level) = (self.at, self.level);
        let _ = io::Write::write_fmt(
            &mut plain,
            format_args!(
                r#"{{"timestamp":"{at}","level":"{level}","target":{target},"message":{message}"#
            ),
        );
        for (prefix, name, value) in self.others() {
            for part in [",\"", prefix, name, "\":"] {
                plain.extend_from_slice(part.as_bytes());
            }
            let _ = serde_json::to_writer(&mut plain, value);
        }
        plain.push(b'}');
        let plain = String::from_utf8(plain).expect("JSON is text");
        if plain.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return plain;
        }
        let mut line = String::with_capacity(plain.len() + 64);
        // Outside of its strings JSON has only ASCII, so what is escaped here was in a string.
        for c in plain.chars() {
            if is_unsafe(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            } else {
                line.push(c);
            }
        }
        line
    }

    fn text(&self, color: bool) -> String {
        let mut line = String::with_capacity(256);
        let _ = write!(line, "{} ", self.at);
        let paint = match self.level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            _ => "34",
        };
        if color {
            let _ = write!(line, "\x1b[{paint}m{:>5}\x1b[0m ", self.level.as_str());
        } else {
            let _ = write!(line, "{:>5} ", self.level.as_str());
        }
        escape(&mut line, self.target);
        line.push_str(": ");
        escape(&mut line, self.message());
        for (prefix, name, value) in self.others() {
            let _ = write!(line, " {prefix}{name}=");
            match value.as_str() {
                Some(text) if is_bare(text) => line.push_str(text),
                Some(text) => {
                    line.push('"');
                    escape(&mut line, text);
                    line.push('"');
                }
                None => {
                    let _ = write!(line, "{value}");
                }
            }
        }
        line
    }
}

/// Whether a value can stand without quotes and nobody is misled.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| !is_unsafe(c) && !c.is_whitespace() && !"\"'\\=".contains(c))
}

fn escape(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            '"' | '\\' => line.extend(['\\', c]),
            c if is_unsafe(c) => {
                let _ = write!(line, "\\u{{{:x}}}", u32::from(c));
            }
            c => line.push(c),
        }
    }
}

/// Whether a character does something instead of being seen: controls, line separators, marks that
/// turn or hide text, invisible tags.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, fields: &[(&'static str, Value)]) -> String {
        let at = "2026-11-22T08:00:00Z".parse().unwrap();
        Line { at, level: Level::INFO, target: "authshield::x", fields }.render(format)
    }

    #[test]
    fn a_line_for_machines_and_a_line_for_people() {
        let fields = [
            ("message", Value::from("mail sent")),
            ("kind", Value::from("reset")),
            ("took", Value::from(2.5)),
            ("note", Value::from("two words")),
            ("level", Value::from(9)),
        ];
        assert_eq!(
            line(Format::Json, &fields),
            "{\"timestamp\":\"2026-11-22T08:00:00.000000Z\",\"level\":\"INFO\",\
             \"target\":\"authshield::x\",\"message\":\"mail sent\",\"kind\":\"reset\",\
             \"took\":2.5,\"note\":\"two words\",\"field_level\":9}\n"
        );
        assert_eq!(
            line(Format::Text { color: false }, &fields),
            "2026-11-22T08:00:00.000000Z  INFO authshield::x: mail sent kind=reset took=2.5 \
             note=\"two words\" field_level=9\n"
        );
        assert!(line(Format::Text { color: true }, &fields).contains("\x1b[32m INFO\x1b[0m"));
    }

    #[test]
    fn the_format_follows_the_setting_and_the_terminal() {
        for (setting, terminal, expected) in [
            (LogFormat::Auto, false, Format::Json),
            (LogFormat::Auto, true, Format::Text { color: true }),
            (LogFormat::Json, true, Format::Json),
            (LogFormat::Text, false, Format::Text { color: false }),
        ] {
            assert_eq!(Format::choose(setting, terminal), expected);
        }
    }

    proptest::proptest! {
        /// RUSTSEC-2025-0055, attack class J09, for every text there is.
        /// ASVS: V16.4.1
        #[test]
        fn any_text_is_one_line_without_a_raw_control(text in "\\PC*|.*|[\u{0}-\u{9f}\u{2028}\u{202e}\u{e0001}\"\\\\]*") {
            let fields = [("message", Value::from(text.as_str())), ("agent", Value::from(text.as_str()))];
            for format in [Format::Json, Format::Text { color: false }] {
                let line = line(format, &fields);
                let body = line.strip_suffix('\n').unwrap();
                assert!(!body.contains(is_unsafe), "{body:?}");
            }
            let parsed: Value = serde_json::from_str(&line(Format::Json, &fields)).unwrap();
            assert_eq!(parsed["agent"], text);
            assert_eq!(parsed["message"], text);
        }
    }
}
