//! Who looks on while the database works: traces, and whoever wants to know how long it takes.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::Result;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It cannot write.
    Read,
    /// It can.
    Write,
}

/// A part of the work of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Waiting for a connection, or for the turn to write.
    Wait,
    /// One statement.
    Statement,
    /// Making it last.
    Commit,
}

/// One piece of work that ended, well or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Of what kind of transaction.
    pub mode: Mode,
    /// Which part of it.
    pub part: Part,
    /// How long it took.
    pub took: Duration,
}

type Observer = Box<dyn Fn(Work) + Send + Sync>;

/// Who looks on at the work of a store; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Onlookers(Arc<OnceLock<Observer>>);

impl Onlookers {
    /// Tells `observer` of all work from now on, on the task that does it. Only the first is kept.
    pub(crate) fn admit(&self, observer: Observer) {
        // A second one would count everything twice.
        let _ = self.0.set(observer);
    }

    pub(crate) fn at(&self, mode: Mode, system: &'static str) -> Watch {
        Watch { onlookers: self.clone(), mode, system }
    }
}

/// Looking on at one transaction.
pub(crate) struct Watch {
    onlookers: Onlookers,
    mode: Mode,
    system: &'static str,
}

impl Watch {
    /// Sees `work` through inside `span`, and says how long it took.
    ///
    /// No `async` block: it would keep room for `work` twice, and most of what a request keeps is this.
    pub(crate) fn over<T>(
        &self,
        part: Part,
        span: Span,
        work: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let since = Instant::now();
        work.instrument(span.clone()).map(move |outcome| {
            if let Err(error) = &outcome {
                span.record("otel.status_code", "ERROR");
                span.record("error.type", &*error.kind());
            }
            if let Some(observer) = self.onlookers.0.get() {
                observer(Work { mode: self.mode, part, took: since.elapsed() });
            }
            outcome
        })
    }

    /// Returns a span if somebody traces, of a statement and what goes the same way before it. They are
    /// what the program says, with parameters still `$1`: there is no value in it.
    ///
    /// Only if this is part of something: what the program asks by itself once a second would fill
    /// every collector with traces of one statement.
    pub(crate) fn span(&self, before: &[&'static str], sql: &'static str) -> Span {
        // (Not asked with `span_enabled!`: with a filter for each layer, that has a side effect on the
        // event that comes next.)
        if Span::current().is_none() {
            return Span::none();
        }
        tracing::trace_span!(
            target: "onesql",
            "database",
            otel.name = %Each(Summary, before, sql),
            otel.kind = "client",
            otel.status_code = Empty,
            db.system.name = self.system,
            db.query.text = %Each(Squeezed, before, sql),
            error.r#type = Empty,
        )
    }
}

/// Several statements, each shown by the same means.
struct Each<'t, T>(fn(&'static str) -> T, &'t [&'static str], &'static str);

impl<T: fmt::Display> fmt::Display for Each<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(show, before, last) = self;
        // The last is empty where there is nothing but what was put off.
        let all = before.iter().chain([last]).filter(|sql| !sql.is_empty());
        all.enumerate().try_for_each(|(number, sql)| {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}{}", show(sql))
        })
    }
}

/// A statement in two words, such as `SELECT users`.
struct Summary(&'static str);

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What stands in brackets is not what it is about.
        let mut depth = 0_u32;
        let outside = self.0.split_inclusive(['(', ')']).filter_map(|piece| {
            let text = (depth == 0).then(|| piece.trim_end_matches(['(', ')']));
            match piece.as_bytes().last() {
                Some(b'(') => depth += 1,
                Some(b')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            text
        });
        let mut words = outside.flat_map(str::split_whitespace);
        let verb = words.next().unwrap_or_default();
        f.write_str(verb)?;
        let mut before = verb;
        for word in words {
            if matches!(before, "FROM" | "INTO" | "UPDATE") {
                return write!(f, " {}", word.trim_end_matches(','));
            }
            before = word;
        }
        Ok(())
    }
}

/// A statement on one line.
struct Squeezed(&'static str);

impl fmt::Display for Squeezed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, word) in self.0.split_whitespace().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_a_short_name() {
        for (sql, name) in [
            ("SELECT id FROM users\n WHERE email = $1", "SELECT users"),
            ("INSERT INTO outbox (id) VALUES ($1)", "INSERT outbox"),
            ("UPDATE tickets SET used = $1", "UPDATE tickets"),
            ("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions)", "DELETE sessions"),
            ("SELECT CAST(1 AS BIGINT)", "SELECT"),
            ("SELECT id, (SELECT COUNT(*) FROM roles) FROM users, x", "SELECT users"),
            ("WITH gone AS (DELETE FROM a RETURNING id) SELECT id FROM gone", "WITH gone"),
            ("COMMIT", "COMMIT"),
        ] {
            assert_eq!(Summary(sql).to_string(), name);
        }
        assert_eq!(Squeezed("SELECT id\n    FROM users").to_string(), "SELECT id FROM users");
    }
}
