//! What a check is.

use std::future::Future;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;

/// What a check does to the world besides looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it reads what this machine has. Such checks run with `--offline`.
    None,
    /// It talks to somebody.
    Network,
    /// It writes in a transaction that is rolled back.
    RollsBack,
    /// It sends a mail; it runs only when asked for.
    SendsMail,
}

impl Effect {
    /// Returns it in a word or two.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Network => "network",
            Self::RollsBack => "writes and rolls back",
            Self::SendsMail => "sends a mail",
        }
    }
}

/// Who has to look, where several nodes serve one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every node: what it sees may differ from what its neighbour sees.
    Node,
    /// One node for all, under a lease: it costs somebody something, or is the same everywhere.
    Service,
}

/// All that is known about a check before it ran.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Its name, which alerts and policies use: never changed.
    pub id: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What is really verified, in a sentence or two. For the reference page.
    pub verifies: &'static str,
    /// What a good result looks like.
    pub expected: &'static str,
    /// What to do about a bad one, if the verdict does not know better.
    pub remedy: &'static str,
    /// The settings it is about, the one to look at first.
    pub settings: &'static [&'static str],
    /// Without these it tells nothing: if one of them is bad, it is skipped.
    pub parents: &'static [&'static str],
    /// What it does besides looking.
    pub effect: Effect,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether it needs somebody who listens at the public address: then a start looks at it as soon
    /// as there is, and is not ready before.
    pub listening: bool,
    /// What a bad result means.
    pub policy: Policy,
    /// How often it is repeated while the service runs; `None` if never.
    pub every: Option<Duration>,
    /// Who repeats it.
    pub scope: Scope,
}

impl About {
    /// What a declaration starts from: it looks at this machine alone and is not repeated.
    pub const BASE: Self = Self {
        id: "",
        title: "",
        verifies: "",
        expected: "",
        remedy: "",
        settings: &[],
        parents: &[],
        effect: Effect::None,
        timeout: Duration::from_secs(10),
        listening: false,
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Nothing },
        every: None,
        scope: Scope::Node,
    };

    /// Returns what its id begins with: checks of one family are repeated together.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.id.split('-').next().unwrap_or(self.id)
    }

    /// Returns where the documentation tells of it.
    #[must_use]
    pub fn documentation(&self) -> String {
        format!("reference/checks.html#{}", self.id.to_lowercase())
    }
}

/// Something that could be wrong, and how to find out.
///
/// To add one:
///
/// 1. In the file of its family (or a new one, declared in `checks/mod.rs`), a unit struct that
///    implements this trait: [`Check::ABOUT`] says everything about it, [`Check::look`] looks.
/// 2. One line in [`super::all`], behind its parents.
/// 3. A test in `tests/it/silent_failures/` that injects the fault into the running program and waits
///    for the finding; then `cargo xtask generate`, which writes its entry on the reference page.
///
/// ```
/// use authshield::checks::{About, Act, Check, Policy, Round, Verdict};
///
/// struct Clock;
///
/// impl Check for Clock {
///     const ABOUT: About = About {
///         id: "XYZ-1",
///         title: "Year",
///         verifies: "The clock of this machine has been set.",
///         expected: "a time after 2025",
///         remedy: "Set the clock.",
///         policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Nothing },
///         ..About::BASE
///     };
///
///     async fn look(at: &Round) -> Verdict {
///         let now = at.now();
///         if now.as_second() > 1_767_225_600 {
///             Verdict::pass(now.to_string())
///         } else {
///             Verdict::fail(now.to_string()).evidence("the system's clock")
///         }
///     }
/// }
/// ```
///
/// What it reports is redacted afterwards, so an error of a library may be put into a verdict as it
/// is. It need not watch its own time: whoever runs it does. A panic becomes an error and, while
/// running, the state `unknown`.
pub trait Check: 'static {
    /// All that is known about it.
    const ABOUT: About;

    /// Looks, and says what was seen. Not called when a parent is bad.
    fn look(at: &Round) -> impl Future<Output = Verdict> + Send;
}

/// A check in the list of all.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// All that is known about it.
    pub about: &'static About,
    look: for<'a> fn(&'a Round) -> BoxFuture<'a, Verdict>,
}

impl Entry {
    /// Returns the entry of `C`.
    #[must_use]
    pub const fn of<C: Check>() -> Self {
        Self { about: &C::ABOUT, look: |at| Box::pin(C::look(at)) }
    }

    /// Looks.
    pub(super) fn look<'a>(&self, at: &'a Round) -> BoxFuture<'a, Verdict> {
        (self.look)(at)
    }
}
