//! The range API of stolen passwords, as Have I Been Pwned publishes it ("Pwned Passwords"): somebody else's server is
//! told the first five hex digits of a SHA-1, and answers with the rest of every key that begins so. It learns one
//! of a million ranges; by the padding that we ask for, who watches the line learns not even that from the size.
//!
//! What it does bounds nobody else: asking, with all that belongs to it, takes `password.breached_ranges_timeout` at
//! most, an answer has a size, and one that failed is not asked again for a while.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, StatusCode, header};
use sha1::{Digest, Sha1};
use tokio::sync::Semaphore;
use url::Url;

use crate::config::{self, BreachedRanges};
use crate::guard::body_at_most;
use crate::kernel::Timestamp;
use crate::passwords::nfc;
use crate::problem::chain;

/// How much of an answer is read, in bytes: with padding it is under 100 KiB today.
const ANSWER_AT_MOST: usize = 256 * 1024;
/// How long it is left alone after it failed.
const PAUSE: Duration = Duration::from_secs(10);
/// How many are asked at once, at most.
const AT_ONCE: usize = 32;
/// How many answers are kept: a megabyte, or seven if each is as long as it may be.
const KEPT: usize = 128;
/// For how long. The lists grow by the month.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// How many hex digits the rest of a key has.
const REST: usize = 35;
/// What everybody knows to be stolen, for a proof.
const NOTORIOUS: &str = "password";

/// Somebody who knows which passwords were stolen.
pub struct Ranges {
    client: Client,
    url: Url,
    at_most: Duration,
    also_at_sign_in: bool,
    places: Semaphore,
    failed_at: Mutex<Option<Timestamp>>,
    /// The last answers, oldest first.
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    prefix: u32,
    at: Timestamp,
    range: Range,
}

/// Why there is nobody to ask.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for stolen passwords cannot be set up: {0}")]
pub struct SetupError(String);

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was stolen.
    Stolen,
    /// It was not, as far as is known there.
    Unknown,
    /// It did not answer, not in time, or not to this question.
    Failed(String),
    /// It failed a moment ago, and was not asked.
    Paused,
}

impl Answer {
    /// Returns its name, for metrics and events.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Stolen => "stolen",
            Self::Unknown => "unknown",
            Self::Failed(_) => "failed",
            Self::Paused => "paused",
        }
    }
}

/// What it answers about a password that everybody knows to be stolen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Whether it knows it.
    pub knows: bool,
    /// How many stolen passwords it named.
    pub stolen: usize,
    /// How many entries were put in so that the size tells nothing.
    pub padding: usize,
}

/// The keys that begin alike, and were found at least once; of each what stands behind its prefix, as far as that
/// goes into eight bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Range {
    stolen: Box<[u64]>,
    padding: usize,
}

impl Ranges {
    /// Returns the one that is configured, if one is.
    pub fn from_config(config: &config::Password) -> Result<Option<Self>, SetupError> {
        if config.breached_ranges == BreachedRanges::Never {
            return Ok(None);
        }
        let client = Client::builder()
            .timeout(config.breached_ranges_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("authshield/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SetupError(chain(&error)))?;
        Ok(Some(Self {
            client,
            url: config.breached_ranges_url.clone(),
            at_most: config.breached_ranges_timeout,
            also_at_sign_in: config.breached_ranges == BreachedRanges::Always,
            places: Semaphore::new(AT_ONCE),
            failed_at: Mutex::default(),
            kept: Mutex::default(),
        }))
    }

    /// Whether it is asked about passwords that somebody signs in with, too.
    #[must_use]
    pub fn are_asked_at_sign_in(&self) -> bool {
        self.also_at_sign_in
    }

    /// Asks whether `password` was stolen, unless that is known, or the last question failed a moment ago.
    pub async fn ask(&self, password: &str, now: Timestamp) -> Answer {
        let (prefix, rest) = key(password);
        if let Some(stolen) = self.known(prefix, rest, now) {
            return if stolen { Answer::Stolen } else { Answer::Unknown };
        }
        let failed_at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if failed_at.is_some_and(|at| at + PAUSE > now) {
            return Answer::Paused;
        }
        let asked = self.range(prefix).await;
        let failed = asked.is_err().then_some(now);
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        match asked {
            Ok(range) => {
                let stolen = range.stolen.contains(&rest);
                self.keep(Kept { prefix, at: now, range });
                if stolen { Answer::Stolen } else { Answer::Unknown }
            }
            Err(why) => Answer::Failed(why),
        }
    }

    /// Asks about a password that everybody knows to be stolen, whatever was asked before.
    pub async fn prove(&self) -> Result<Proof, String> {
        let (prefix, rest) = key(NOTORIOUS);
        let Range { stolen, padding } = self.range(prefix).await?;
        Ok(Proof { knows: stolen.contains(&rest), stolen: stolen.len(), padding })
    }

    fn known(&self, prefix: u32, rest: u64, now: Timestamp) -> Option<bool> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|kept| kept.prefix == prefix && kept.at + KEPT_FOR > now)?;
        Some(found.range.stolen.contains(&rest))
    }

    fn keep(&self, new: Kept) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|old| old.prefix != new.prefix);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(new);
    }

    async fn range(&self, prefix: u32) -> Result<Range, String> {
        let asked = tokio::time::timeout(self.at_most, async {
            let _place = self.places.acquire().await.map_err(|_| "it is asked no more")?;
            self.fetch(prefix).await
        });
        asked.await.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
    }

    async fn fetch(&self, prefix: u32) -> Result<Range, String> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| "its address has no path")?
            .pop_if_empty()
            .push(&format!("{prefix:05X}"));
        let request = self.client.get(url).header("Add-Padding", "true");
        let request = request.header(header::ACCEPT, "text/plain");
        let answer = request.send().await.map_err(|error| chain(&error.without_url()))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status().as_u16()));
        }
        let body = body_at_most(answer, ANSWER_AT_MOST)
            .await
            .map_err(|error| chain(&error.without_url()))?
            .ok_or("it answered too much")?;
        read(&body).ok_or_else(|| "it answered something else".to_owned())
    }
}

/// The range of a password, which is told, and what says where in it, which is not.
fn key(password: &str) -> (u32, u64) {
    let digest = Sha1::digest(nfc(password).as_bytes());
    let first = digest.first_chunk().expect("a SHA-1 has twenty bytes");
    let first = u128::from_be_bytes(*first);
    let (prefix, rest) = (first >> 108, (first >> 44) & u128::from(u64::MAX));
    (u32::try_from(prefix).expect("20 bits"), u64::try_from(rest).expect("64 bits"))
}

/// Reads a range; `None` if it is none. No range is empty. What was put in as padding was found zero times, and is
/// not stolen.
fn read(body: &[u8]) -> Option<Range> {
    let text = std::str::from_utf8(body).ok()?;
    let (mut stolen, mut padding) = (Vec::new(), 0);
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (rest, times) = line.trim_end().split_once(':')?;
        if rest.len() != REST || !rest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        if times.parse::<u64>().ok()? == 0 {
            padding += 1;
        } else {
            stolen.push(u64::from_str_radix(rest.get(..16)?, 16).ok()?);
        }
    }
    (padding > 0 || !stolen.is_empty()).then(|| Range { stolen: stolen.into(), padding })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::{Sandbox, World};

    /// "password", as it is published.
    const REST_OF_PASSWORD: &str = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";
    const OTHER: &str = "0018A45C4D1DEF81644B54AB7F969B88D65";

    #[test]
    fn five_digits_are_told_and_the_next_sixteen_are_compared() {
        assert_eq!(key("password"), (0x5_baa6, 0x1e4c_9b93_f3f0_6822));
        // As it is hashed: composed.
        assert_eq!(key("caf\u{e9}"), key("cafe\u{301}"));
    }

    #[test]
    fn what_was_found_counts_and_padding_does_not() {
        let (_, sought) = key("password");
        let (rest, small) = (REST_OF_PASSWORD, REST_OF_PASSWORD.to_lowercase());
        for (body, expected) in [
            (format!("{OTHER}:1\r\n{rest}:9545824\r\n"), Some((true, 2, 0))),
            (format!("{rest}:1"), Some((true, 1, 0))),
            (format!("{small}:3\n"), Some((true, 1, 0))),
            (format!("{rest}:0\r\n{OTHER}:4\r\n"), Some((false, 1, 1))),
            (format!("{OTHER}:0\r\n"), Some((false, 0, 1))),
            (String::new(), None),
            ("\r\n".to_owned(), None),
            ("<html>".to_owned(), None),
            (rest.to_owned(), None),
            (format!("{rest}:many"), None),
            (format!("{rest}:-1"), None),
            (format!("{}:1", &rest[1..]), None),
            (format!("{OTHER}:1\r\nx{}:1\r\n", &rest[1..]), None),
        ] {
            let range = read(body.as_bytes());
            let found = range
                .as_ref()
                .map(|range| (range.stolen.contains(&sought), range.stolen.len(), range.padding));
            assert_eq!(found, expected, "{body}");
        }
        assert_eq!(read(&[0xff, 0xfe]), None);
    }

    #[test]
    fn no_more_answers_are_kept_than_fit() {
        let config = config::Password {
            breached_ranges: BreachedRanges::New,
            ..crate::passwords::tests::tiny()
        };
        let ranges = Ranges::from_config(&config).unwrap().unwrap();
        let at = Sandbox::default().now();
        let one = |prefix| {
            let range = Range { stolen: [7].into(), padding: 0 };
            Kept { prefix, at, range }
        };
        for prefix in (0..).take(KEPT + 1) {
            ranges.keep(one(prefix));
            ranges.keep(one(prefix));
        }
        assert_eq!(ranges.kept.lock().unwrap().len(), KEPT);
        let known = |prefix, now| ranges.known(prefix, 7, now);
        assert_eq!((known(0, at), known(1, at)), (None, Some(true)));
        assert_eq!(ranges.known(1, 8, at), Some(false));
        assert_eq!(known(1, at + KEPT_FOR), None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(body in any::<Vec<u8>>(), text in "[0-9A-F:\r\n]{0,200}") {
            read(&body);
            read(text.as_bytes());
        }
    }
}
