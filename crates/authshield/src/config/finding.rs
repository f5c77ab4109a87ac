//! What was found wrong, and the refusal that lists all of it.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The program does not start.
    Refusal,
    /// It starts and says so.
    Warning,
    /// Nothing is wrong; somebody may wonder.
    Notice,
}

/// One thing that somebody should know about the configuration. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check found it.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The settings that it is about, the one to change first.
    pub settings: Vec<&'static str>,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// Whether `config.waive` can turn a refusal into a warning.
    pub waivable: bool,
}

impl Finding {
    pub(super) fn refusal(id: &'static str, message: impl Into<String>) -> Self {
        let (severity, message) = (Severity::Refusal, message.into());
        Self { id, severity, settings: Vec::new(), message, waivable: false }
    }

    pub(super) fn warning(id: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::refusal(id, message) }
    }

    pub(super) fn notice(id: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Notice, ..Self::refusal(id, message) }
    }

    pub(super) fn about(mut self, settings: &[&'static str]) -> Self {
        self.settings = settings.to_vec();
        self
    }

    /// Returns what to write into `config.waive` to live with it.
    #[must_use]
    pub fn waiver(&self) -> Option<String> {
        let setting = self.settings.first().filter(|_| self.waivable)?;
        Some(format!("{setting}:{}", self.id))
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.severity == Severity::Refusal
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The configuration is not one to start with. Holds every reason, not the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Why.
    pub refusals: Vec<Finding>,
    /// What else was found.
    pub warnings: Vec<Finding>,
}

impl Refused {
    /// What the process exits with: `EX_CONFIG` of BSD's `sysexits.h`.
    pub const EXIT_STATUS: u8 = 78;

    /// Returns a refusal for one reason, found by whoever knows more than the configuration does.
    #[must_use]
    pub fn because(id: &'static str, setting: &'static str, message: impl Into<String>) -> Self {
        let refusal = Finding::refusal(id, message).about(&[setting]);
        Self { refusals: vec![refusal], warnings: Vec::new() }
    }

    /// Returns a refusal for each of `reasons`: what is well formed, and yet nothing can be made of it.
    #[must_use]
    pub fn unusable(reasons: Vec<String>, warnings: Vec<Finding>) -> Self {
        let refusal = |reason| Finding::refusal("unusable", reason);
        Self { refusals: reasons.into_iter().map(refusal).collect(), warnings }
    }

    /// Returns every refusal and warning, the refusals first.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.refusals.iter().chain(&self.warnings)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusals.len() {
            1 => f.write_str("the configuration has a problem:")?,
            many => write!(f, "the configuration has {many} problems:")?,
        }
        for refusal in &self.refusals {
            write!(f, "\n  - {refusal}")?;
            if let Some(waiver) = refusal.waiver() {
                write!(f, " [{waiver}]")?;
            }
        }
        for warning in &self.warnings {
            write!(f, "\n  - (warning) {warning}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}
