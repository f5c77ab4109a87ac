//! CFG: the configuration, as reading it found it.

use super::check::{About, Check};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::config::{Finding, Severity};

const POLICY: Policy = Policy { gate: Act::Fail, start: Act::Fail, running: Act::Nothing };

/// Which findings are about names.
const ABOUT_NAMES: [&str; 2] = ["unknown-name", "unread-variable"];

/// Names of settings.
pub(super) struct Names;

impl Check for Names {
    const ABOUT: About = About {
        id: "CFG-1",
        title: "Names of settings",
        verifies: "Every name in the file, in the environment under our prefix and on the command line \
                   is one that AuthShield reads; variables that look as if they were meant for it are \
                   named.",
        expected: "every name is one that AuthShield reads",
        remedy: "Correct the name; `authshield config reference` prints all of them.",
        policy: POLICY,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        verdict(at, |id| ABOUT_NAMES.contains(&id), "every name is known")
    }
}

/// Values of settings.
pub(super) struct Values;

impl Check for Values {
    const ABOUT: About = About {
        id: "CFG-2",
        title: "Values of settings",
        verifies: "Every value can be read, is within its bounds, is no placeholder, has no quotes or \
                   line ends that do not belong to it, and none contradicts another.",
        expected: "every value is one to start with",
        remedy: "Correct the value; `authshield config explain NAME` says what it may be.",
        policy: POLICY,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        verdict(at, |id| !ABOUT_NAMES.contains(&id), "every value is accepted")
    }
}

/// Makes one verdict of all findings that `mine` is for.
fn verdict(at: &Round, mine: impl Fn(&str) -> bool, fine: &str) -> Verdict {
    let mut findings: Vec<&Finding> = at.said().iter().filter(|it| mine(it.id)).collect();
    findings.retain(|finding| finding.severity != Severity::Notice);
    findings.sort_by_key(|finding| finding.severity != Severity::Refusal);
    let Some(first) = findings.first() else { return Verdict::pass(fine) };
    let more = match findings.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let observed = format!("{}{more}", first.message);
    let verdict = if first.severity == Severity::Refusal {
        Verdict::fail(observed)
    } else {
        Verdict::warn(observed)
    };
    let mut settings: Vec<_> = findings.iter().flat_map(|it| it.settings.iter().copied()).collect();
    let mut seen = std::collections::BTreeSet::new();
    settings.retain(|name| seen.insert(*name));
    let verdict = verdict.about(&settings);
    findings.iter().skip(1).fold(verdict, |verdict, it| verdict.evidence(it.message.clone()))
}
