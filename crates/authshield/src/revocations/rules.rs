//! How long a revocation has to be known, and where somebody is in the feed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::kernel::Timestamp;

/// What a token may live longer than it says: the clocks of services, which accept it for a minute at most
/// behind its end, and ours; and how old `confirmed_at` may be.
const MARGIN: Duration = Duration::from_mins(3);
/// How often a node says which life its tokens have.
const CONFIRM_EVERY: Duration = Duration::from_mins(1);

/// How long an access token can live that was issued by a node that ran at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) seconds: i64,
    pub(super) confirmed_at: Option<Timestamp>,
}

/// Returns for how many seconds a token of `access_ttl` may be accepted somewhere.
pub(super) fn longest_life(access_ttl: Duration) -> i64 {
    i64::try_from((access_ttl + MARGIN).as_secs()).unwrap_or(i64::MAX)
}

/// Whether a node whose tokens live for `configured` seconds has to say so.
pub(super) fn is_due(known: &Lifetime, configured: i64, now: Timestamp) -> bool {
    lifetime(known, configured, now) != *known
        && (configured != known.seconds
            || known.confirmed_at.is_none_or(|at| now.since(at) >= CONFIRM_EVERY))
}

/// Decides how long what is published now has to be known, by a node whose tokens live for `configured`
/// seconds. A longer life counts at once, a shorter one when the last token with the longer has died.
pub(super) fn lifetime(known: &Lifetime, configured: i64, now: Timestamp) -> Lifetime {
    let all_dead = known
        .confirmed_at
        .is_none_or(|at| now.since(at) > Duration::from_secs(known.seconds.unsigned_abs()));
    if configured >= known.seconds || all_dead {
        Lifetime { seconds: configured, confirmed_at: Some(now) }
    } else {
        *known
    }
}

/// How far somebody has read, as text: the epoch of the installation, and the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Under which epoch the place was given.
    pub epoch: i64,
    /// The last place that was read.
    pub seq: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

/// The text is no cursor of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain).ok_or(NotACursor)
        };
        let (epoch, seq) = text.split_once('.').ok_or(NotACursor)?;
        Ok(Self { epoch: number(epoch)?, seq: number(seq)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microsecond((1_795_334_400 + seconds) * 1_000_000)
    }

    #[test]
    fn a_shorter_life_counts_when_the_last_longer_one_is_over() {
        let known =
            |seconds, confirmed: i64| Lifetime { seconds, confirmed_at: Some(at(confirmed)) };
        let new = Lifetime { seconds: 0, confirmed_at: None };
        for (before, configured, now, expected) in [
            (new, 1080, 0, known(1080, 0)),
            (known(1080, 0), 1080, 60, known(1080, 60)),
            (known(1080, 0), 3780, 60, known(3780, 60)),
            (known(3780, 0), 1080, 3780, known(3780, 0)),
            (known(3780, 0), 1080, 3781, known(1080, 3781)),
        ] {
            assert_eq!(lifetime(&before, configured, at(now)), expected);
        }
        // Nothing is written for nothing.
        assert!(is_due(&new, 1080, at(0)));
        assert!(!is_due(&known(1080, 0), 1080, at(59)));
        assert!(is_due(&known(1080, 0), 1080, at(60)));
        assert!(is_due(&known(1080, 0), 3780, at(1)));
        assert!(!is_due(&known(3780, 0), 1080, at(3000)));
        assert!(is_due(&known(3780, 0), 1080, at(3781)));
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let cursor = Cursor { epoch: 2, seq: 41 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in
            ["", ".", "1", "1.", ".1", "1.2.3", "+1.2", "1.-2", "1. 2", "9999999999999999999.1"]
        {
            assert_eq!(wrong.parse::<Cursor>(), Err(NotACursor), "{wrong}");
        }
    }
}
