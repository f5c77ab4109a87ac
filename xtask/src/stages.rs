//! One thing after the other, each with its name and its time, and the outcome of all at the end.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How a stage ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Well, with a few words about it.
    Done(String),
    /// Not at all, for a reason.
    Skipped(String),
    /// Badly, for a reason.
    Failed(String),
}

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Done(String::new()),
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// What was done so far.
#[derive(Debug, Default)]
pub(crate) struct Stages(Vec<(String, Outcome, Duration)>);

impl Stages {
    /// Does `work` under a heading; if it fails, the others are done all the same.
    pub(crate) fn stage<O: Into<Outcome>>(&mut self, name: &str, work: impl FnOnce() -> O) {
        eprintln!("\n── {name}");
        let began = Instant::now();
        let outcome = work().into();
        if let Outcome::Failed(why) = &outcome {
            eprintln!("{name}: {why}");
        }
        self.0.push((name.to_owned(), outcome, began.elapsed()));
    }

    /// Tells how each ended.
    pub(crate) fn summary(&self) -> String {
        let width = self.0.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        self.0.iter().fold(String::new(), |mut text, (name, outcome, took)| {
            let (verdict, words) = match outcome {
                Outcome::Done(words) => ("ok", words.as_str()),
                Outcome::Skipped(why) => ("skipped", why.as_str()),
                Outcome::Failed(why) => ("FAILED", why.lines().next().unwrap_or_default()),
            };
            let took = format!("{:.1} s", took.as_secs_f64());
            let line = format!("{name:width$}  {took:>8}  {verdict:7}  {words}");
            writeln!(text, "{}", line.trim_end()).expect("text can be written to");
            text
        })
    }

    /// Returns whether nothing failed.
    pub(crate) fn is_good(&self) -> bool {
        !self.0.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
    }

    /// Prints how each ended; if one failed, so did the whole.
    pub(crate) fn end(&self) -> Result<()> {
        println!("\n{}", self.summary());
        if !self.is_good() {
            bail!("not everything is as it should be");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_whole_and_stops_nothing() {
        let mut stages = Stages::default();
        stages.stage("first", || Outcome::from(Err(anyhow::anyhow!("a reason"))));
        stages.stage("the second", || Outcome::Done("12 passed".into()));
        stages.stage("third", || Outcome::Skipped("not installed".into()));
        assert!(stages.end().is_err());
        let summary: Vec<String> = stages.summary().lines().map(ToOwned::to_owned).collect();
        assert!(summary[0].starts_with("first     "), "{summary:?}");
        assert!(summary[0].ends_with("FAILED   a reason"), "{summary:?}");
        assert!(summary[1].ends_with("ok       12 passed"), "{summary:?}");
        assert!(summary[2].ends_with("skipped  not installed"), "{summary:?}");
    }
}
