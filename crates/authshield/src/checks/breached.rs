//! BRE-1, BRE-2: passwords that were stolen elsewhere.

use std::time::Duration;

use super::check::{About, Check, Effect};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::kernel::Timestamp;
use crate::passwords::breached::{self, Filter, Proof, Ranges};
use crate::problem::chain;

/// After how long a file is old: lists grow by tens of millions a year.
const OLD: Duration = Duration::from_hours(365 * 24);

/// The file of stolen passwords.
pub(super) struct File;

impl Check for File {
    const ABOUT: About = About {
        id: "BRE-1",
        title: "Stolen passwords",
        verifies: "The file of stolen passwords, if one is configured, can be read, is whole, finds its own \
                   entries, and is not older than a year. The service goes on without it: new passwords are then \
                   held against what it read before, and against the lists that are built in.",
        expected: "a file of this year that is whole, or none",
        remedy: "Make it anew with `authshield breach build --out breached.filter list.txt`; it takes the \
                 place of the old one at once.",
        settings: &["password.breached_file"],
        parents: &["CFG-2"],
        timeout: Duration::from_mins(1),
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_mins(1)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let Some(file) = at.config().password.breached_file.clone() else {
            return Verdict::skip("none is used (password.breached_file is not set)");
        };
        let shown = file.display().to_string();
        let passwords = at.app().map(|app| app.passwords.clone());
        let looked = tokio::task::spawn_blocking(move || match passwords {
            Some(passwords) => passwords.breached().standing(),
            None => match Filter::read(&file) {
                Ok(filter) => (Some(filter.about), None),
                Err(broken) => (None, Some(chain(&broken))),
            },
        });
        match looked.await {
            Ok((about, trouble)) => judge(&shown, about, trouble, at.now()),
            Err(error) => Verdict::error(error.to_string()),
        }
    }
}

/// The range API of stolen passwords.
pub(super) struct Api;

impl Check for Api {
    const ABOUT: About = About {
        id: "BRE-2",
        title: "Range API of stolen passwords",
        verifies: "Where somebody else's server is asked whether passwords were stolen, it answers in time, with a \
                   range as the API has it, knows the most notorious one, and pads what it says: else who watches \
                   the line could tell by the size which range it was. While it does not answer, the file and \
                   the lists that are built in decide, and each password that is taken meanwhile is an event.",
        expected: "a range that holds the SHA-1 of `password`, and padding",
        remedy: "See that this machine reaches password.breached_ranges_url, through a firewall or a proxy; a mirror must \
                 pass on the header Add-Padding. If it is down, wait; a file (password.breached_file) needs nobody.",
        settings: &[
            "password.breached_ranges",
            "password.breached_ranges_url",
            "password.breached_ranges_timeout",
        ],
        parents: &["CFG-2"],
        effect: Effect::Network,
        timeout: Duration::from_secs(15),
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_mins(5)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let ranges = match Ranges::from_config(&at.config().password) {
            Ok(Some(ranges)) => ranges,
            Ok(None) => {
                return Verdict::skip("nobody is asked (password.breached_ranges is `off`)");
            }
            Err(error) => return Verdict::fail(error.to_string()),
        };
        match ranges.prove().await {
            Err(why) => {
                Verdict::fail(format!("{why}; new passwords are held against the file alone"))
            }
            Ok(Proof { knows: false, stolen, .. }) => Verdict::fail(format!(
                "it names {stolen} stolen passwords, and `password` is none of them"
            )),
            Ok(Proof { padding: 0, .. }) => {
                Verdict::warn("it knows `password`, and does not pad what it says")
            }
            Ok(Proof { stolen, padding, .. }) => {
                Verdict::pass(format!("{stolen} stolen passwords and {padding} entries of padding"))
            }
        }
    }
}

fn judge(
    file: &str,
    about: Option<breached::About>,
    trouble: Option<String>,
    now: Timestamp,
) -> Verdict {
    match (about, trouble) {
        (None, why) => {
            let why = why.unwrap_or_else(|| "it was not read yet".to_owned());
            Verdict::fail(format!("{file}: {why}; only the lists that are built in count"))
        }
        (Some(about), Some(why)) => {
            let made_at = about.made_at.to_minute();
            Verdict::fail(format!("{file}: {why}; what was made at {made_at} still counts"))
        }
        (Some(about), None) => {
            let words =
                format!("{} passwords, made at {}", about.entries, about.made_at.to_minute());
            if now.since(about.made_at) > OLD {
                return Verdict::warn(format!("{words}, which is more than a year ago"));
            }
            Verdict::pass(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn a_file_is_whole_and_of_this_year() {
        let now = Sandbox::default().now();
        let made = |made_at| Some(breached::About { entries: 7, at_least: 0, made_at });
        let broken = || Some("it is damaged".to_owned());
        for (about, trouble, expected, words) in [
            (made(now), None, Status::Pass, "7 passwords"),
            (made(now - OLD - Duration::from_secs(1)), None, Status::Warn, "more than a year"),
            (made(now), broken(), Status::Fail, "still counts"),
            (None, broken(), Status::Fail, "built in"),
        ] {
            let verdict = judge("some.filter", about, trouble, now);
            assert_eq!(verdict.status, expected, "{verdict:?}");
            assert!(format!("{verdict:?}").contains(words), "{verdict:?}");
        }
    }
}
