//! Runs checks: parents first, several at once, none for longer than it may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::check::{About, Effect, Entry};
use super::finding::{Finding, Status, Verdict};
use super::policy::{Act, Overrides, Policy};
use super::round::{Round, Subject};

/// How many checks run at once.
const AT_ONCE: usize = 8;

/// When checks are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// `authshield preflight`.
    Gate,
    /// The server starts: only what would keep it from starting.
    Start,
    /// The server runs.
    Running,
}

impl Occasion {
    fn act(self, policy: Policy) -> Act {
        match self {
            Self::Gate => policy.gate,
            Self::Start => policy.start,
            Self::Running => policy.running,
        }
    }
}

/// What is run, and for how long.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When.
    pub occasion: Occasion,
    /// What the operator thinks of some checks.
    pub overrides: Overrides,
    /// Only these and what they rest on; all if empty.
    pub only: Vec<&'static str>,
    /// Not these.
    pub skip: Vec<&'static str>,
    /// Only what looks at this machine alone.
    pub offline: bool,
    /// Whether a mail is sent.
    pub send: bool,
    /// How long all of it may take.
    pub deadline: Duration,
}

impl Plan {
    /// Returns the plan to run everything that `occasion` asks for.
    #[must_use]
    pub fn new(occasion: Occasion, overrides: Overrides, deadline: Duration) -> Self {
        Self {
            occasion,
            overrides,
            only: Vec::new(),
            skip: Vec::new(),
            offline: false,
            send: false,
            deadline,
        }
    }

    /// Returns whether a check is run.
    fn choose(&self, about: &About, wanted: &[&str]) -> Choice {
        let act = self.occasion.act(self.overrides.apply(about.id, about.policy));
        if !wanted.contains(&about.id) {
            return Choice::Ignore;
        }
        // Nobody is written to unless somebody says so.
        if about.effect == Effect::SendsMail && !self.send {
            return Choice::Ignore;
        }
        if self.skip.contains(&about.id) {
            return Choice::Skip("left out with --skip");
        }
        if act == Act::Nothing {
            let own = self.occasion.act(about.policy) == Act::Nothing;
            return if own { Choice::Ignore } else { Choice::Skip("ignored by checks.policy") };
        }
        if self.occasion == Occasion::Start && act != Act::Fail {
            return Choice::Ignore;
        }
        if self.offline && about.effect != Effect::None {
            return Choice::Skip("not looked at with --offline");
        }
        Choice::Run
    }
}

/// What is done with a check.
enum Choice {
    Run,
    /// It is not run, and the report says why.
    Skip(&'static str),
    /// It is not even mentioned.
    Ignore,
}

/// Runs `checks`, which stand behind their parents, and returns what they came to, in their order.
///
/// A check that hangs ends with its time, one that panics is an error, and neither holds up the
/// others. Returns when all are done or the deadline is over, whatever they do.
pub async fn run(checks: &[Entry], subject: &Arc<Subject>, plan: &Plan) -> Vec<Finding> {
    let began = Instant::now();
    let round = Arc::new(Round::new(Arc::clone(subject)));
    let wanted = wanted(checks, plan);
    let mut done: BTreeMap<&'static str, (Verdict, Duration)> = BTreeMap::new();
    let mut waiting: Vec<Entry> = Vec::new();
    for entry in checks {
        match plan.choose(entry.about, &wanted) {
            Choice::Run => waiting.push(*entry),
            Choice::Skip(why) => {
                done.insert(entry.about.id, (Verdict::skip(why), Duration::ZERO));
            }
            Choice::Ignore => {}
        }
    }
    let mut hands = JoinSet::new();
    let deadline = tokio::time::sleep(plan.deadline);
    tokio::pin!(deadline);
    let mut under_way = BTreeMap::new();
    loop {
        let mut later = Vec::new();
        for entry in std::mem::take(&mut waiting) {
            let about = entry.about;
            match standing(about, &done, &under_way, &later, subject) {
                Standing::Ready if under_way.len() < AT_ONCE => {
                    let round = Arc::clone(&round);
                    let id = hands.spawn(async move {
                        let began = Instant::now();
                        (one(entry, &round).await, began.elapsed())
                    });
                    under_way.insert(about.id, id.id());
                }
                Standing::Ready | Standing::Waits => later.push(entry),
                Standing::Senseless(why) => {
                    done.insert(about.id, (Verdict::skip(why), Duration::ZERO));
                }
            }
        }
        waiting = later;
        let ended = tokio::select! {
            ended = hands.join_next_with_id() => ended,
            () = &mut deadline => break,
        };
        let (task, outcome) = match ended {
            None => break,
            Some(Ok((task, outcome))) => (task, outcome),
            Some(Err(error)) => (
                error.id(),
                (Verdict::error("the check itself failed: it panicked"), Duration::ZERO),
            ),
        };
        if let Some(id) = under_way.iter().find(|(_, known)| **known == task).map(|(id, _)| *id) {
            under_way.remove(id);
            done.insert(id, outcome);
        }
    }
    // Whatever still hangs is left alone: it may not even notice that it is told to stop.
    hands.detach_all();
    for id in under_way.into_keys() {
        let words = format!("no answer before the deadline of {:?}", plan.deadline);
        done.insert(id, (Verdict::fail(words), began.elapsed()));
    }
    for entry in waiting {
        let words = format!("not begun before the deadline of {:?}", plan.deadline);
        done.insert(entry.about.id, (Verdict::skip(words), Duration::ZERO));
    }
    let finished = checks.iter().filter_map(|entry| {
        let (verdict, took) = done.remove(entry.about.id)?;
        let policy = plan.overrides.apply(entry.about.id, entry.about.policy);
        let mut finding =
            Finding::new(entry.about, policy, verdict, took, |text| subject.redact(text));
        if finding.status == Status::Fail && plan.occasion.act(policy) == Act::Warn {
            finding.status = Status::Warn;
        }
        Some(finding)
    });
    finished.collect()
}

/// Runs one check for as long as it may take.
async fn one(entry: Entry, round: &Round) -> Verdict {
    let at_most = entry.about.timeout;
    match tokio::time::timeout(at_most, entry.look(round)).await {
        Ok(verdict) => verdict,
        Err(_) => Verdict::fail(format!("no answer within {at_most:?}")),
    }
}

/// Returns the checks that are asked for, with all that they rest on.
fn wanted(checks: &[Entry], plan: &Plan) -> Vec<&'static str> {
    if plan.only.is_empty() {
        return checks.iter().map(|entry| entry.about.id).collect();
    }
    let mut wanted = plan.only.clone();
    // Parents stand before their children, so one pass from the end finds all.
    for entry in checks.iter().rev() {
        if wanted.contains(&entry.about.id) {
            wanted.extend(entry.about.parents);
        }
    }
    wanted
}

/// Whether a check can be run.
enum Standing {
    Ready,
    Waits,
    Senseless(String),
}

fn standing(
    about: &About,
    done: &BTreeMap<&'static str, (Verdict, Duration)>,
    under_way: &BTreeMap<&'static str, tokio::task::Id>,
    later: &[Entry],
    subject: &Subject,
) -> Standing {
    if !subject.is_accepted() && !["CFG-1", "CFG-2"].contains(&about.id) {
        return Standing::Senseless("the configuration is refused".to_owned());
    }
    for parent in about.parents {
        if let Some((verdict, _)) = done.get(parent) {
            match verdict.status {
                Status::Fail | Status::Error => {
                    return Standing::Senseless(format!("{parent} is not as it should be"));
                }
                Status::Skip => return Standing::Senseless(format!("{parent} was skipped")),
                Status::Pass | Status::Warn => {}
            }
        } else if under_way.contains_key(parent)
            || later.iter().any(|entry| entry.about.id == *parent)
        {
            return Standing::Waits;
        }
    }
    Standing::Ready
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::check::Check;
    use super::*;
    use crate::config;
    use crate::world::Sandbox;

    /// Declares a check in a line.
    macro_rules! check {
        ($name:ident $id:literal [$($parent:literal),*] $look:expr) => {
            struct $name;

            impl Check for $name {
                const ABOUT: About = About {
                    id: $id,
                    parents: &[$($parent),*],
                    timeout: Duration::from_millis(200),
                    policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Nothing },
                    ..About::BASE
                };

                async fn look(_: &Round) -> Verdict {
                    $look
                }
            }
        };
    }
    check!(Fine "A-1" [] Verdict::pass("fine"));
    check!(Wrong "B-1" ["A-1"] Verdict::fail("wrong: Xk4vQ9unlikely7rMz"));
    check!(Child "B-2" ["B-1"] Verdict::pass("never"));
    check!(Hangs "C-1" [] std::future::pending().await);
    check!(Panics "D-1" [] panic!("as it does"));
    /// Ends what [`Deaf`] waits for: when its other side is dropped.
    static END: Mutex<Option<Receiver<()>>> = Mutex::new(None);

    check!(Deaf "E-1" [] {
        // Holds its thread: nothing that is asynchronous can stop it.
        let end = END.lock().unwrap().take();
        let _ = end.expect("one test uses it, once").recv();
        Verdict::pass("at last")
    });

    fn subject() -> Arc<Subject> {
        let loaded = config::load_text("operator_token = \"Xk4vQ9unlikely7rMz\"", []).unwrap();
        Arc::new(Subject::new(&loaded, Arc::new(Sandbox::default())))
    }

    fn plan() -> Plan {
        Plan::new(Occasion::Gate, Overrides::default(), Duration::from_secs(2))
    }

    fn words(findings: &[Finding]) -> Vec<String> {
        let word = |it: &Finding| format!("{} {} {}", it.id, it.status.as_str(), it.observed);
        findings.iter().map(word).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_way_to_end_is_told_and_holds_up_nobody() {
        let checks = [
            Entry::of::<Fine>(),
            Entry::of::<Wrong>(),
            Entry::of::<Child>(),
            Entry::of::<Hangs>(),
            Entry::of::<Panics>(),
        ];
        let findings = run(&checks, &subject(), &plan()).await;
        assert_eq!(
            words(&findings),
            [
                "A-1 pass fine",
                "B-1 fail wrong: [secret]",
                "B-2 skip B-1 is not as it should be",
                "C-1 fail no answer within 200ms",
                "D-1 error the check itself failed: it panicked",
            ]
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_deadline_holds_whatever_a_check_does() {
        let (_held, end) = channel();
        *END.lock().unwrap() = Some(end);
        let began = Instant::now();
        let deadline = Duration::from_millis(300);
        let plan = Plan { deadline, ..plan() };
        let findings = run(&[Entry::of::<Fine>(), Entry::of::<Deaf>()], &subject(), &plan).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let expected = ["A-1 pass fine", "E-1 fail no answer before the deadline of 300ms"];
        assert_eq!(words(&findings), expected);
    }

    #[tokio::test]
    async fn what_is_left_out_is_told_unless_nobody_asked_for_it() {
        let checks = [Entry::of::<Fine>(), Entry::of::<Wrong>(), Entry::of::<Child>()];
        let only = Plan { only: vec!["B-1"], ..plan() };
        assert_eq!(
            words(&run(&checks, &subject(), &only).await),
            ["A-1 pass fine", "B-1 fail wrong: [secret]"]
        );
        let skip = Plan { skip: vec!["B-1"], ..plan() };
        assert_eq!(
            words(&run(&checks, &subject(), &skip).await),
            ["A-1 pass fine", "B-1 skip left out with --skip", "B-2 skip B-1 was skipped"]
        );
        let chosen = ["B-1=warn".to_owned()];
        let overrides = Overrides::read(&chosen, &["A-1", "B-1", "B-2"]).unwrap();
        let milder = Plan { overrides, ..plan() };
        assert_eq!(words(&run(&checks, &subject(), &milder).await)[1], "B-1 warn wrong: [secret]");
    }
}
