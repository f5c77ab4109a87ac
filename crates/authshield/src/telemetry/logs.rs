//! From events to lines: what is logged, and with which fields.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::line::{Fields, Format, Line};
use crate::world::SharedWorld;

/// `log` does not say what to log.
#[derive(Debug, thiserror::Error)]
pub enum NotAFilter {
    /// Taken as a filter, one word would silence everything but a module of that name.
    #[error(
        "`log` has `{0}`, which is not a level: write off, error, warn, info, debug or trace, \
         or `module=level`"
    )]
    Level(String),
    /// It cannot be read at all.
    #[error("`log` is `{filter}`, which is not a filter such as `info` or `info,authshield=debug`")]
    Syntax {
        /// What was written.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
}

/// Reads the setting `log`.
///
/// ```
/// # use authshield::telemetry::logs::filter;
/// assert!(filter("info,authshield::mail=debug").is_ok());
/// assert!(filter("inof").unwrap_err().to_string().contains("`inof`"));
/// ```
pub fn filter(text: &str) -> Result<EnvFilter, NotAFilter> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
        if !is_level && !word.contains(['=', '[', ']', '{', '}']) {
            return Err(NotAFilter::Level(word.to_owned()));
        }
    }
    EnvFilter::builder()
        .parse(text)
        .map_err(|source| NotAFilter::Syntax { filter: text.to_owned(), source })
}

/// Returns the layer that writes every event as one line, in one `write`.
///
/// A line also has the fields of the spans around it, outermost first; the nearer one wins. Names
/// with a dot (`http.route`) are attributes for traces: spans keep them out of the lines.
pub fn layer_for<W>(writer: W, format: Format, world: SharedWorld) -> LogLayer<W>
where
    W: for<'w> MakeWriter<'w> + 'static,
{
    LogLayer { writer, format, world }
}

/// Writes events as lines; see [`layer_for`].
pub struct LogLayer<W> {
    writer: W,
    format: Format,
    world: SharedWorld,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field.name(), |texts| texts.push_str(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value);
    }

    /// An error is told with what caused it: `Display` never repeats a source.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.set_text(field.name(), |texts| {
            let _ = write!(texts, "{value}");
            let mut cause = value.source();
            while let Some(error) = cause {
                let _ = write!(texts, ": {error}");
                cause = error.source();
            }
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set_text(field.name(), |texts| {
            let _ = write!(texts, "{value:?}");
        });
    }
}

/// The same, kept with a span; without what is for traces only.
#[derive(Default)]
struct SpanFields(Fields);

/// Passes on every kind of value whose name has no dot, before it is turned into text.
macro_rules! undotted {
    ($($record:ident: $value:ty),*) => {$(
        fn $record(&mut self, field: &Field, value: $value) {
            if !field.name().contains('.') {
                self.0.$record(field, value);
            }
        }
    )*};
}

impl Visit for SpanFields {
    undotted!(
        record_str: &str, record_bool: bool, record_i64: i64, record_u64: u64, record_f64: f64,
        record_error: &(dyn Error + 'static), record_debug: &dyn fmt::Debug
    );
}

impl<S, W> tracing_subscriber::Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = SpanFields::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // A request's line has some twenty.
        let mut fields = Fields::with_room_for(24);
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(SpanFields(around)) = span.extensions().get() {
                fields.extend(around);
            }
        }
        event.record(&mut fields);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let line = Line { at: self.world.now(), level, target, fields: &fields };
        // Whoever cannot log has nowhere to say so; the queue counts what it loses.
        let _ = self.writer.make_writer().write_all(line.render(self.format).as_bytes());
    }
}
