//! What a check came to.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::check::About;
use super::policy::Policy;

/// How a check ended, the better first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is as it should be.
    Pass,
    /// There was nothing to look at, or no sense in looking.
    Skip,
    /// It works, and somebody should know something.
    Warn,
    /// It is wrong.
    Fail,
    /// The check itself broke: nobody knows.
    Error,
}

impl Status {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }

    /// Whether it is known not to be as it should.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Warn | Self::Fail)
    }
}

/// What somebody saw who looked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a verdict is what a check returns"]
pub struct Verdict {
    pub(super) status: Status,
    pub(super) observed: String,
    pub(super) evidence: Vec<String>,
    pub(super) remedy: Option<String>,
    pub(super) settings: Option<Vec<&'static str>>,
}

impl Verdict {
    fn new(status: Status, observed: impl Into<String>) -> Self {
        let observed = observed.into();
        Self { status, observed, evidence: Vec::new(), remedy: None, settings: None }
    }

    /// It is as it should be.
    pub fn pass(observed: impl Into<String>) -> Self {
        Self::new(Status::Pass, observed)
    }

    /// It works, and somebody should know something.
    pub fn warn(observed: impl Into<String>) -> Self {
        Self::new(Status::Warn, observed)
    }

    /// It is wrong.
    pub fn fail(observed: impl Into<String>) -> Self {
        Self::new(Status::Fail, observed)
    }

    /// There is nothing to look at, and why.
    pub fn skip(why: impl Into<String>) -> Self {
        Self::new(Status::Skip, why)
    }

    /// The check itself broke.
    pub(super) fn error(why: impl Into<String>) -> Self {
        Self::new(Status::Error, why)
    }

    /// Adds a fact that the verdict rests on; one line.
    pub fn evidence(mut self, fact: impl Into<String>) -> Self {
        self.evidence.push(fact.into());
        self
    }

    /// Says what to do, better than the check's own words.
    pub fn remedy(mut self, words: impl Into<String>) -> Self {
        self.remedy = Some(words.into());
        self
    }

    /// Says which settings it is about, if not all of the check's.
    pub fn about(mut self, settings: &[&'static str]) -> Self {
        self.settings = Some(settings.to_vec());
        self
    }
}

/// A setting, as somebody would write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Named {
    /// Dotted, as in the file.
    pub name: &'static str,
    /// As a variable.
    pub variable: String,
}

/// What a check came to: complete, and with nothing secret in it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// Which check.
    pub id: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// How it ended.
    pub status: Status,
    /// What a bad result means on each occasion, as the operator chose.
    pub policy: Policy,
    /// What should be.
    pub expected: &'static str,
    /// What is.
    pub observed: String,
    /// Facts that this rests on.
    pub evidence: Vec<String>,
    /// What to do; nothing when all is well.
    pub remedy: Option<String>,
    /// The settings it is about, the one to look at first.
    pub settings: Vec<Named>,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// Where the documentation tells of it.
    pub documentation: String,
}

impl Finding {
    /// Puts a verdict into full words; `redact` takes out what is secret.
    pub(super) fn new(
        about: &'static About,
        policy: Policy,
        verdict: Verdict,
        took: Duration,
        redact: impl Fn(&str) -> String,
    ) -> Self {
        let bad = !matches!(verdict.status, Status::Pass | Status::Skip);
        let remedy = verdict.remedy.unwrap_or_else(|| about.remedy.to_owned());
        let settings = verdict.settings.unwrap_or_else(|| about.settings.to_vec());
        let named = |name: &'static str| {
            let setting = crate::config::setting(name).expect("a check names real settings");
            Named { name, variable: setting.env() }
        };
        Self {
            id: about.id,
            title: about.title,
            status: verdict.status,
            policy,
            expected: about.expected,
            observed: redact(&verdict.observed),
            evidence: verdict.evidence.iter().map(|fact| redact(fact)).collect(),
            remedy: bad.then(|| redact(&remedy)),
            settings: settings.into_iter().map(named).collect(),
            duration_ms: (took.as_secs_f64() * 1e4).round() / 10.0,
            documentation: about.documentation(),
        }
    }

    /// Reads a finding of `about` that another node wrote down.
    pub(super) fn from_stored(
        about: &'static About,
        policy: Policy,
        stored: &Value,
    ) -> Option<Self> {
        #[derive(Deserialize)]
        struct Stored {
            status: Status,
            observed: String,
            evidence: Vec<String>,
            remedy: Option<String>,
            duration_ms: f64,
        }
        let stored = Stored::deserialize(stored).ok()?;
        let verdict = Verdict::pass("");
        let empty = Self::new(about, policy, verdict, Duration::ZERO, str::to_owned);
        let Stored { status, observed, evidence, remedy, duration_ms } = stored;
        Some(Self { status, observed, evidence, remedy, duration_ms, ..empty })
    }

    /// Returns it in one line: what is wrong, what to do, which check says so.
    #[must_use]
    pub fn line(&self) -> String {
        let remedy = self.remedy.as_deref().map(|words| format!(". {words}")).unwrap_or_default();
        format!("{}{remedy} [{}]", self.observed, self.id)
    }
}
