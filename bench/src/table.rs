//! What was measured, as a table.

use std::fmt::{self, Write};

use crate::stats::Spread;

/// What the middle run should reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    Below(f64),
    /// Nothing: it is there to be known.
    None,
}

impl Target {
    fn reached_by(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::Below(limit) => Some(value < limit),
            Self::None => None,
        }
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Microseconds,
    Mebibytes,
    /// A ratio.
    Times,
}

/// One thing that was measured, beside what it is compared with.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) base: &'static str,
    pub(crate) unit: Unit,
    pub(crate) measured: Spread,
    /// What it is compared with; without one, `measured` itself is held against the target.
    pub(crate) against: Option<Against>,
    pub(crate) target: Target,
}

#[derive(Debug, Clone)]
pub(crate) struct Against {
    pub(crate) what: &'static str,
    pub(crate) measured: Spread,
    /// Of runs that belong together.
    pub(crate) ratio: Spread,
}

impl Row {
    /// Compares runs with runs, pair by pair.
    pub(crate) fn ratio(
        what: impl Into<String>,
        base: &'static str,
        unit: Unit,
        pairs: &[(f64, f64)],
        against: &'static str,
        target: Target,
    ) -> Self {
        Self {
            what: what.into(),
            base,
            unit,
            measured: Spread::of(pairs.iter().map(|(ours, _)| *ours)),
            against: Some(Against {
                what: against,
                measured: Spread::of(pairs.iter().map(|(_, theirs)| *theirs)),
                ratio: Spread::of(pairs.iter().map(|(ours, theirs)| ours / theirs)),
            }),
            target,
        }
    }

    /// Takes runs as they are.
    pub(crate) fn value(
        what: impl Into<String>,
        base: &'static str,
        unit: Unit,
        runs: &[f64],
        target: Target,
    ) -> Self {
        let measured = Spread::of(runs.iter().copied());
        Self { what: what.into(), base, unit, measured, against: None, target }
    }

    fn score(&self) -> f64 {
        self.against.as_ref().map_or(self.measured.median, |against| against.ratio.median)
    }

    fn score_unit(&self) -> Unit {
        if self.against.is_some() { Unit::Times } else { self.unit }
    }
}

impl fmt::Display for Row {
    /// One line of the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} | {} |", self.what, self.base, shown(self.measured, self.unit))?;
        match &self.against {
            Some(Against { what, measured, ratio }) => {
                let (limit, ratio) = (shown(*measured, self.unit), shown(*ratio, Unit::Times));
                write!(f, " {limit} {what} | {ratio} |")?;
            }
            None => write!(f, " | |")?,
        }
        let unit = self.score_unit();
        match self.target {
            Target::AtLeast(least) => write!(f, " ≥ {} |", one(least, unit))?,
            Target::Below(limit) => write!(f, " < {} |", one(limit, unit))?,
            Target::None => write!(f, " |")?,
        }
        match self.target.reached_by(self.score()) {
            Some(true) => write!(f, " yes |"),
            Some(false) => write!(f, " **no** |"),
            None => write!(f, " |"),
        }
    }
}

/// Writes the table.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut table = String::from(
        "| what | database | measured | compared with | ratio | target | reached |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let _ = writeln!(table, "{row}");
    }
    table
}

/// The middle run, and between which values all of them were.
fn shown(Spread { min, median, max }: Spread, unit: Unit) -> String {
    let middle = one(median, unit);
    let (least, most) = (digits(min, unit), digits(max, unit));
    if least == most { middle } else { format!("{middle} ({least} to {most})") }
}

fn one(value: f64, unit: Unit) -> String {
    let digits = digits(value, unit);
    match unit {
        Unit::PerSecond => format!("{digits}/s"),
        Unit::Milliseconds => format!("{digits} ms"),
        Unit::Microseconds => format!("{digits} µs"),
        Unit::Mebibytes => format!("{digits} MiB"),
        Unit::Times => digits,
    }
}

fn digits(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Times => format!("{value:.2}"),
        _ if value < 9.95 => format!("{value:.1}"),
        _ => grouped(&format!("{value:.0}")),
    }
}

/// Writes a comma between thousands.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_compares_pairs_and_says_whether_it_is_enough() {
        let pairs = [(40.0, 100.0), (90.0, 120.0), (50.0, 100.0)];
        let row = |target| {
            Row::ratio("sign-ins", "SQLite", Unit::PerSecond, &pairs, "bare", target).to_string()
        };
        assert_eq!(
            row(Target::AtLeast(0.5)),
            "| sign-ins | SQLite | 50/s (40 to 90) | 100/s (100 to 120) bare \
             | 0.50 (0.40 to 0.75) | ≥ 0.50 | yes |"
        );
        assert!(row(Target::AtLeast(0.51)).ends_with("| ≥ 0.51 | **no** |"));
        assert!(row(Target::None).ends_with("| | |"));
    }

    #[test]
    fn a_row_without_a_limit_is_held_against_its_target() {
        let row = |limit| {
            let target = Target::Below(limit);
            Row::value("ready", "SQLite", Unit::Milliseconds, &[31.2], target).to_string()
        };
        assert_eq!(row(300.0), "| ready | SQLite | 31 ms | | | < 300 ms | yes |");
        assert_eq!(row(30.0), "| ready | SQLite | 31 ms | | | < 30 ms | **no** |");
    }

    #[test]
    fn numbers_have_as_many_digits_as_they_deserve() {
        for (value, unit, expected) in [
            (1_234_567.8, Unit::PerSecond, "1,234,568/s"),
            (999.4, Unit::PerSecond, "999/s"),
            (9.94, Unit::Mebibytes, "9.9 MiB"),
            (9.96, Unit::Milliseconds, "10 ms"),
            (12.3456, Unit::Times, "12.35"),
        ] {
            assert_eq!(one(value, unit), expected);
        }
    }
}
