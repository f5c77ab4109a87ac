//! GEO-1: the file that says in which country an address is.

use std::time::Duration;

use super::check::{About, Check};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::geoip::{self, File as Countries};
use crate::kernel::Timestamp;
use crate::problem::chain;

/// After how long a file should be replaced: new ones come every week or month.
const AGED: Duration = Duration::from_hours(60 * 24);
/// After how long what it says is wrong too often.
const OLD: Duration = Duration::from_hours(120 * 24);

/// The file of countries.
pub(super) struct File;

impl Check for File {
    const ABOUT: About = About {
        id: "GEO-1",
        title: "Countries of addresses",
        verifies: "The file that says in which country an address is, if one is configured, can be read, is whole, \
                   knows countries, and is not older than 120 days (from 60 on it warns). The service goes on \
                   without it: then countries are unknown, or what it read before still counts.",
        expected: "a file of the last two months that is whole, or none",
        remedy: "Fetch a new one, and put it in the place of the old one by renaming it; it is read at once.",
        settings: &["geoip.file"],
        parents: &["CFG-2"],
        timeout: Duration::from_mins(1),
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_mins(1)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let Some(file) = at.config().geoip.file.clone() else {
            return Verdict::skip("none is used (geoip.file is not set)");
        };
        let shown = file.display().to_string();
        let known = at.app().map(|app| app.geoip.clone());
        let looked = tokio::task::spawn_blocking(move || match known {
            Some(known) => known.standing(),
            None => match <Countries as crate::watched::FromFile>::read(&file) {
                Ok(read) => (Some(crate::watched::FromFile::about(&read)), None),
                Err(unread) => (None, Some(unread.why)),
            },
        });
        match looked.await {
            Ok((about, trouble)) => judge(&shown, about, trouble, at.now()),
            Err(error) => Verdict::error(chain(&error)),
        }
    }
}

fn judge(
    file: &str,
    about: Option<geoip::About>,
    trouble: Option<String>,
    now: Timestamp,
) -> Verdict {
    let (about, trouble) = match (about, trouble) {
        (None, why) => {
            let why = why.unwrap_or_else(|| "it was not read yet".to_owned());
            return Verdict::fail(format!("{file}: {why}; no country is known"));
        }
        (Some(about), trouble) => (about, trouble),
    };
    let made = format!("{} of {}", about.kind, about.built_at.to_minute());
    if let Some(why) = trouble {
        return Verdict::fail(format!("{file}: {why}; {made} still counts"));
    }
    match now.since(about.built_at) {
        age if age > OLD => Verdict::fail(format!("{made}, which is more than 120 days old")),
        age if age > AGED => Verdict::warn(format!("{made}, which is more than 60 days old")),
        _ => Verdict::pass(made),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn a_file_is_whole_and_of_the_last_months() {
        let now = Sandbox::default().now();
        let second = Duration::from_secs(1);
        let made = |built_at| Some(geoip::About { kind: "Some-City".to_owned(), built_at });
        let broken = || Some("it is damaged".to_owned());
        for (about, trouble, expected, words) in [
            (made(now), None, Status::Pass, "Some-City of"),
            (made(now + AGED), None, Status::Pass, "Some-City of"),
            (made(now - AGED - second), None, Status::Warn, "60 days"),
            (made(now - OLD - second), None, Status::Fail, "120 days"),
            (made(now), broken(), Status::Fail, "still counts"),
            (None, broken(), Status::Fail, "no country is known"),
            (None, None, Status::Fail, "not read yet"),
        ] {
            let verdict = judge("some.mmdb", about, trouble, now);
            assert_eq!(verdict.status, expected, "{verdict:?}");
            assert!(format!("{verdict:?}").contains(words), "{verdict:?}");
        }
    }
}
