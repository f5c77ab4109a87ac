//! What can be known about the service while it runs: logs, metrics, traces, the request line.
//!
//! ```text
//! init ─ logs::filter          what to log, or a clear complaint
//!      ─ queue::LineQueue      lines wait in memory, one thread writes them
//!      ─ logs::layer_for       events become lines
//!      ─ traces::provider      spans go to a collector, if one is configured
//! request_line                 one line, one span and the metrics of every request
//! ```
//!
//! Nothing here may hold up a request: whoever does not read the log loses lines, whoever does not
//! take spans loses spans, and both are counted.

mod labels;
mod line;
pub mod logs;
pub mod metrics;
mod process;
mod queue;
pub mod request_line;
pub mod traces;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Dispatch;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

use crate::config::{Config, Otel};
use crate::world::SharedWorld;
pub use line::Format;
pub use metrics::Metrics;
pub use queue::LineQueue;
pub use request_line::{Asked, InnerReason, Notes, Part, ProblemCode, request_line, to_the_end};

/// How long the end of the program waits for whoever reads the log, and for the collector.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `log` is not a filter.
    #[error(transparent)]
    Filter(#[from] logs::NotAFilter),
    /// `otel.endpoint` cannot be sent to.
    #[error(transparent)]
    Traces(#[from] traces::NotACollector),
    /// The program may do this once.
    #[error("logging was started before in this process")]
    Twice,
}

/// What must be written out before the program ends; dropping it does so.
#[derive(Debug)]
pub struct Telemetry {
    filter: LogFilter,
    lines: LineQueue,
    spans: Option<SdkTracerProvider>,
}

/// What is logged; it can be changed while the program runs. Clones share it.
#[derive(Debug, Clone)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

/// Why the filter stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The text is none.
    #[error(transparent)]
    Filter(#[from] logs::NotAFilter),
    /// Nothing is logged any more.
    #[error("logging has ended")]
    Ended(#[from] reload::Error),
}

impl LogFilter {
    /// Logs what `text` says from now on.
    pub fn set(&self, text: &str) -> Result<(), FilterError> {
        Ok(self.0.reload(logs::filter(text)?)?)
    }
}

impl Telemetry {
    /// Returns what changes the filter.
    #[must_use]
    pub fn log_filter(&self) -> LogFilter {
        self.filter.clone()
    }

    /// Writes out what waits: spans first, since a failure to do so is itself logged.
    ///
    /// Blocks its thread for at most a few seconds; in async code, call it where blocking is fine.
    pub fn flush(&self) {
        if let Some(spans) = &self.spans {
            // A collector that is not there was already logged by the exporter.
            let _ = spans.force_flush();
        }
        self.lines.flush(PATIENCE);
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(spans) = &self.spans {
            let _ = spans.shutdown_with_timeout(PATIENCE);
        }
        self.lines.flush(PATIENCE);
    }
}

/// Sends the logs of the whole program to `sink` and its spans to the collector, if there is one.
///
/// `terminal` says whether people read `sink`. Keep what is returned until the end.
pub fn init(
    config: &Config,
    sink: impl Write + Send + 'static,
    terminal: bool,
    world: SharedWorld,
    metrics: &Metrics,
) -> Result<Telemetry, InitError> {
    let format = Format::choose(config.log_format, terminal);
    let (dispatch, telemetry) = stack(&config.log, format, &config.otel, sink, world, metrics)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| InitError::Twice)?;
    Ok(telemetry)
}

fn stack(
    log: &str,
    format: Format,
    otel: &Otel,
    sink: impl Write + Send + 'static,
    world: SharedWorld,
    metrics: &Metrics,
) -> Result<(Dispatch, Telemetry), InitError> {
    let (filter, handle) = reload::Layer::new(logs::filter(log)?);
    let spans = traces::provider(otel, metrics)?;
    let lost = metrics.log_lines_dropped.clone();
    let lines = LineQueue::start(sink, format, Arc::clone(&world), lost);

    let logs = logs::layer_for(lines.clone(), format, world).with_filter(filter);
    let base = tracing_subscriber::registry().with(logs);
    let dispatch = match &spans {
        None => Dispatch::new(base),
        Some(spans) => Dispatch::new(base.with(traces::layer_for(spans))),
    };
    Ok((dispatch, Telemetry { filter: LogFilter(handle), lines, spans }))
}

#[cfg(test)]
mod tests;
