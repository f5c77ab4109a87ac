//! What a bad result means, and for whom.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// What follows from a bad result on one occasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// The gate is closed; the server does not start; a running service is degraded.
    Fail,
    /// The server starts and goes on, degraded.
    Degrade,
    /// Like [`Act::Degrade`], and somebody should be woken: it will not mend itself.
    Page,
    /// It is said.
    Warn,
    /// It is not looked at.
    Nothing,
}

impl Act {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Degrade => "degrade",
            Self::Page => "page",
            Self::Warn => "warn",
            Self::Nothing => "nothing",
        }
    }
}

/// What a bad result means on each occasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Policy {
    /// In `authshield preflight`.
    pub gate: Act,
    /// When the server starts.
    pub start: Act,
    /// While it runs.
    pub running: Act,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {}", self.gate.as_str(), self.start.as_str(), self.running.as_str())
    }
}

/// Policies that the operator chose, by check (`checks.policy`).
#[derive(Debug, Clone, Default)]
pub struct Overrides(BTreeMap<&'static str, Act>);

/// A policy is for a check that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no check {0}; `authshield preflight --list` names all of them")]
pub struct UnknownCheck(pub String);

impl Overrides {
    /// Reads `SMTP-4=fail`, `SMTP-*=ignore` and the like, of which the last counts and whose form was checked with the configuration.
    pub fn read(chosen: &[String], known: &[&'static str]) -> Result<Self, UnknownCheck> {
        let mut acts = BTreeMap::new();
        for choice in chosen {
            let (id, word) = choice.split_once('=').unwrap_or((choice, ""));
            let id = id.trim();
            let fits = |known: &&&str| match id.strip_suffix('*') {
                Some(family) => {
                    known.get(..family.len()).is_some_and(|it| it.eq_ignore_ascii_case(family))
                }
                None => known.eq_ignore_ascii_case(id),
            };
            let meant: Vec<_> = known.iter().filter(fits).collect();
            if meant.is_empty() {
                return Err(UnknownCheck(id.to_owned()));
            }
            let act = match word.trim() {
                "fail" => Act::Fail,
                "degrade" => Act::Degrade,
                "ignore" => Act::Nothing,
                _ => Act::Warn,
            };
            acts.extend(meant.into_iter().map(|id| (*id, act)));
        }
        Ok(Self(acts))
    }

    /// Returns the policy of the check `id`, whose own is `policy`.
    ///
    /// `fail` closes the gate and refuses the start; `degrade` closes the gate and lets a server
    /// start; what was never repeated stays so.
    #[must_use]
    pub fn apply(&self, id: &str, policy: Policy) -> Policy {
        let Some(act) = self.0.get(id).copied() else { return policy };
        let running = |act| if policy.running == Act::Nothing { Act::Nothing } else { act };
        match act {
            Act::Fail => Policy { gate: Act::Fail, start: Act::Fail, running: running(Act::Page) },
            Act::Degrade | Act::Page => {
                Policy { gate: Act::Fail, start: Act::Degrade, running: running(Act::Degrade) }
            }
            act => Policy { gate: act, start: act, running: running(act) },
        }
    }

    /// Returns what was chosen, in the form it is written.
    #[must_use]
    pub fn words(&self) -> String {
        let word = |act: &Act| if *act == Act::Nothing { "ignore" } else { act.as_str() };
        let chosen: Vec<_> = self.0.iter().map(|(id, act)| format!("{id}={}", word(act))).collect();
        chosen.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Policy = Policy { gate: Act::Fail, start: Act::Degrade, running: Act::Page };

    #[test]
    fn an_operator_may_think_otherwise() {
        let read = |chosen: &[&str]| {
            let chosen: Vec<_> = chosen.iter().map(|text| (*text).to_owned()).collect();
            Overrides::read(&chosen, &["SMTP-4", "GEO-1", "CFG-1"])
        };
        let chosen = read(&["smtp-4=fail", "GEO-1 = ignore"]).unwrap();
        assert_eq!(chosen.words(), "GEO-1=ignore, SMTP-4=fail");
        assert_eq!(chosen.apply("SMTP-4", OWN).to_string(), "fail / fail / page");
        assert_eq!(chosen.apply("GEO-1", OWN).to_string(), "nothing / nothing / nothing");
        assert_eq!(chosen.apply("CFG-1", OWN), OWN);
        let all = read(&["SMTP-*=ignore", "CFG-1=warn"]).unwrap();
        assert_eq!(all.words(), "CFG-1=warn, SMTP-4=ignore");
        let once = Policy { running: Act::Nothing, ..OWN };
        assert_eq!(chosen.apply("SMTP-4", once).running, Act::Nothing);
        assert_eq!(read(&["SMTP-9=warn"]).unwrap_err(), UnknownCheck("SMTP-9".to_owned()));
    }
}
