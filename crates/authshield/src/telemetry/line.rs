//! How one log line looks, as JSON or for people.
//!
//! What a stranger typed may stand in any value. Whatever they typed, an event is one line, and no
//! byte of it moves a cursor, colours a terminal or turns the reading direction (ASVS 5.0 V16.4.1).

use std::fmt::Write;
use std::ops::Range;

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

/// The fields of an event or a span, in the order of their first mention.
///
/// Texts stand behind each other in one place: a request's line has some twenty fields, and room for
/// each by itself would cost more than writing the line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    list: Vec<(&'static str, Value)>,
    texts: String,
}

/// The value of a field.
#[derive(Debug, Clone)]
enum Value {
    /// Where it stands among the texts.
    Text(Range<usize>),
    /// Anything whose JSON needs no quotes.
    Plain(serde_json::Value),
}

impl Fields {
    /// Returns none yet, with room for `count`.
    pub(super) fn with_room_for(count: usize) -> Self {
        Self { list: Vec::with_capacity(count), texts: String::with_capacity(count * 16) }
    }

    /// Says what `name` is; what was said before counts no more.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<serde_json::Value>) {
        self.put(name, Value::Plain(value.into()));
    }

    /// The same with a text that `write` writes; no more than its beginning is kept.
    pub(super) fn set_text(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        let from = self.texts.len();
        write(&mut self.texts);
        let end = from + self.texts[from..].floor_char_boundary(LONGEST_TEXT);
        if end < self.texts.len() {
            self.texts.truncate(end);
            self.texts.push('…');
        }
        self.put(name, Value::Text(from..self.texts.len()));
    }

    /// Says all that `others` say.
    pub(super) fn extend(&mut self, others: &Self) {
        for (name, value) in &others.list {
            match value {
                Value::Text(range) => {
                    self.set_text(name, |texts| texts.push_str(&others.texts[range.clone()]));
                }
                Value::Plain(value) => self.set(name, value.clone()),
            }
        }
    }

    fn put(&mut self, name: &'static str, value: Value) {
        match self.list.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.list.push((name, value)),
        }
    }

    fn message(&self) -> &str {
        let message = self.list.iter().find(|(name, _)| *name == "message");
        match message {
            Some((_, Value::Text(range))) => &self.texts[range.clone()],
            _ => "",
        }
    }

    /// The fields that are not the message, each under a name that cannot hide one of ours.
    fn others(&self) -> impl Iterator<Item = (&'static str, &'static str, Shown<'_>)> {
        self.list.iter().filter(|(name, _)| *name != "message").map(|(name, value)| {
            let prefix = if OWN_NAMES.contains(name) { "field_" } else { "" };
            let shown = match value {
                Value::Text(range) => Shown::Text(&self.texts[range.clone()]),
                Value::Plain(value) => Shown::Plain(value),
            };
            (prefix, *name, shown)
        })
    }
}

/// The value of a field, to be shown.
enum Shown<'f> {
    Text(&'f str),
    Plain(&'f serde_json::Value),
}

/// An event, ready to be written.
pub(super) struct Line<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) fields: &'a Fields,
}

/// The names that every line has; a field that bears one of them is renamed.
const OWN_NAMES: [&str; 4] = ["timestamp", "level", "target", "message"];

/// How much of one text is kept, in bytes: a line has an end, whatever somebody sent.
const LONGEST_TEXT: usize = 4096;

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

    fn json(&self) -> String {
        let mut line = String::with_capacity(640);
        let _ = write!(line, r#"{{"timestamp":"{}","level":"{}","target":"#, self.at, self.level);
        quote(&mut line, self.target);
        line.push_str(r#","message":"#);
        quote(&mut line, self.fields.message());
        for (prefix, name, value) in self.fields.others() {
            for part in [",\"", prefix, name, "\":"] {
                line.push_str(part);
            }
            match value {
                Shown::Text(text) => quote(&mut line, text),
                Shown::Plain(value) => drop(write!(line, "{value}")),
            }
        }
        line.push('}');
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
        escape(&mut line, self.fields.message());
        for (prefix, name, value) in self.fields.others() {
            let _ = write!(line, " {prefix}{name}=");
            match value {
                Shown::Text(text) if is_bare(text) => line.push_str(text),
                Shown::Text(text) => {
                    line.push('"');
                    escape(&mut line, text);
                    line.push('"');
                }
                Shown::Plain(value) => drop(write!(line, "{value}")),
            }
        }
        line
    }
}

/// Writes a text as a string of JSON.
fn quote(line: &mut String, text: &str) {
    line.push('"');
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        line.push_str(text);
    } else {
        for c in text.chars() {
            match c {
                '"' | '\\' => line.extend(['\\', c]),
                c if is_unsafe(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(line, "\\u{unit:04x}");
                    }
                }
                c => line.push(c),
            }
        }
    }
    line.push('"');
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

    fn line(format: Format, fields: &Fields) -> String {
        let at = "2026-11-22T08:00:00Z".parse().unwrap();
        Line { at, level: Level::INFO, target: "authshield::x", fields }.render(format)
    }

    fn texts(texts: &[(&'static str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, text) in texts {
            fields.set_text(name, |texts| texts.push_str(text));
        }
        fields
    }

    #[test]
    fn a_line_for_machines_and_a_line_for_people() {
        let mut fields = texts(&[("message", "mail sent"), ("kind", "verify"), ("took", "long")]);
        fields.set("took", 2.5);
        fields.extend(&texts(&[("kind", "reset"), ("note", "two words")]));
        fields.set("level", 9);
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
            let fields = texts(&[("message", &text), ("agent", &text)]);
            for format in [Format::Json, Format::Text { color: false }] {
                let line = line(format, &fields);
                let body = line.strip_suffix('\n').unwrap();
                assert!(!body.contains(is_unsafe), "{body:?}");
            }
            let parsed: serde_json::Value = serde_json::from_str(&line(Format::Json, &fields)).unwrap();
            assert_eq!(parsed["agent"], text);
            assert_eq!(parsed["message"], text);
        }
    }
}
