//! What this node knows of the feed, and the pages of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use serde::Serialize;

use super::rules::Cursor;
use super::sql::{ENDED, Row, Standing};
use crate::kernel::Timestamp;
use crate::vault::hex;

/// The `typ` of a page (RFC 8725, 3.11).
pub const TYPE: &str = "revocations+jwt";
/// How old a page may be until whoever follows the feed no longer knows what was revoked.
pub const MAX_STALENESS: Duration = Duration::from_secs(10);
/// How much is on one page: some 300 KiB.
const ON_A_PAGE: usize = 10_000;
/// How many pages are kept signed.
const PAGES: usize = 64;

/// What this node knows; requests read nothing else.
#[derive(Default)]
pub struct Feed(Mutex<State>);

#[derive(Default)]
struct State {
    /// All that is not forgotten yet, in the order of places.
    entries: VecDeque<Entry>,
    cursor: Option<Cursor>,
    /// The last look that saw everything.
    seen: Option<Seen>,
    /// Pages of that look, by where they begin.
    pages: HashMap<Option<i64>, Arc<Page>>,
}

struct Entry {
    seq: i64,
    session: [u8; 16],
    below: i64,
    expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    at: Timestamp,
    lifetime: i64,
}

/// A signed page.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// A compact JWS.
    pub body: Bytes,
    /// Its entity tag, with quotes.
    pub etag: String,
}

/// What a page says.
#[derive(Serialize)]
pub(super) struct Claims<'a> {
    iss: &'a str,
    /// As of when: what was revoked before is on this page or on one before, if `more` is false.
    iat: i64,
    exp: i64,
    /// Behind what it begins; absent if it begins at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// Where the next page begins.
    next: String,
    /// Whether there is one already.
    more: bool,
    /// Access tokens of an `epoch` before this one are dead.
    epoch: i64,
    /// For how many seconds what is on this page has to be remembered.
    lifetime: i64,
    /// For how many seconds a page is current.
    max_staleness: u64,
    /// Sessions that have ended: the first half of SHA-256 over `sid`.
    ended: Vec<String>,
    /// Sessions whose tokens are dead if their `user_epoch` is below the number.
    below: BTreeMap<String, i64>,
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how much is known.
    pub(super) fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Returns the last place that is known. Everything is forgotten if the database is of another
    /// epoch, or has given fewer places than are known: it is another one.
    pub(super) fn begin(&self, epoch: i64, seq: i64) -> i64 {
        let mut state = self.state();
        match state.cursor {
            // A look that failed may have read more than it could say.
            Some(known) if known.epoch == epoch && known.seq <= seq => {
                state.entries.back().map_or(known.seq, |last| last.seq.max(known.seq))
            }
            _ => {
                *state = State { cursor: Some(Cursor { epoch, seq: 0 }), ..State::default() };
                0
            }
        }
    }

    /// Adds what was read behind the last place that was known.
    pub(super) fn add(&self, rows: Vec<Row>) {
        let mut state = self.state();
        for Row { seq, session_id, below, expires_at } in rows {
            let session = fingerprint(&session_id.to_string());
            state.entries.push_back(Entry { seq, session, below, expires_at });
        }
    }

    /// Notes that all is known that was committed before `now`.
    pub(super) fn seen(&self, standing: &Standing, now: Timestamp) {
        let mut state = self.state();
        while state.entries.front().is_some_and(|entry| entry.expires_at <= now) {
            state.entries.pop_front();
        }
        let cursor = Some(Cursor { epoch: standing.epoch, seq: standing.seq });
        let seen = Seen { at: now, lifetime: standing.lifetime.seconds };
        let is_the_same = state.cursor == cursor
            && state.seen.is_some_and(|before| {
                before.at.as_second() == now.as_second() && before.lifetime == seen.lifetime
            });
        if !is_the_same {
            state.pages.clear();
        }
        (state.cursor, state.seen) = (cursor, Some(seen));
    }

    /// Returns the page behind `after`, signed by `sign`; nothing while it is not known what was revoked
    /// lately. A cursor of another epoch, or of a place that was not given yet, begins at the beginning.
    pub(super) fn page(
        &self,
        issuer: &str,
        after: Option<Cursor>,
        now: Timestamp,
        sign: impl FnOnce(&Claims<'_>) -> String,
    ) -> Option<Arc<Page>> {
        let mut state = self.state();
        let (seen, head) = (state.seen?, state.cursor?);
        if now.since(seen.at) > MAX_STALENESS {
            return None;
        }
        let after = after.filter(|after| after.epoch == head.epoch && after.seq <= head.seq);
        let key = after.map(|after| after.seq);
        if let Some(page) = state.pages.get(&key) {
            return Some(Arc::clone(page));
        }
        let from = state.entries.partition_point(|entry| entry.seq <= key.unwrap_or(0));
        let shown = state.entries.range(from..).take(ON_A_PAGE);
        let (mut ended, mut below) = (Vec::new(), BTreeMap::new());
        let mut last = None;
        for entry in shown {
            last = Some(entry.seq);
            let session = BASE64.encode(entry.session);
            if entry.below == ENDED {
                ended.push(session);
            } else {
                let highest = below.entry(session).or_insert(entry.below);
                *highest = entry.below.max(*highest);
            }
        }
        let more = state.entries.len() - from > ON_A_PAGE;
        let seq = last.filter(|_| more).unwrap_or(head.seq);
        let iat = seen.at.as_second();
        let claims = Claims {
            iss: issuer,
            iat,
            exp: iat + i64::try_from(MAX_STALENESS.as_secs()).expect("a few seconds"),
            after: after.map(|after| after.to_string()),
            next: Cursor { seq, ..head }.to_string(),
            more,
            epoch: head.epoch,
            lifetime: seen.lifetime,
            max_staleness: MAX_STALENESS.as_secs(),
            ended,
            below,
        };
        let body = Bytes::from(sign(&claims));
        let etag = format!("\"{}\"", hex(&digest(&SHA256, &body).as_ref()[..16]));
        let page = Arc::new(Page { body, etag });
        if state.pages.len() >= PAGES {
            state.pages.clear();
        }
        state.pages.insert(key, Arc::clone(&page));
        Some(page)
    }
}

/// What stands for a session in the feed: who has no token of it learns nothing, since a session's name has
/// more chance in it than anybody can try.
fn fingerprint(session: &str) -> [u8; 16] {
    digest(&SHA256, session.as_bytes()).as_ref()[..16].try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::kernel::SessionId;
    use crate::revocations::rules::Lifetime;
    use crate::world::{Sandbox, World};

    fn standing(seq: i64) -> Standing {
        let lifetime = Lifetime { seconds: 1080, confirmed_at: None };
        Standing { seq, lifetime, epoch: 1, waits: false }
    }

    fn read(feed: &Feed, after: Option<&str>, now: Timestamp) -> Option<Value> {
        let after = after.map(|text| text.parse().unwrap());
        let sign = |claims: &Claims<'_>| serde_json::to_string(claims).unwrap();
        let page = feed.page("https://id.example.org", after, now, sign)?;
        Some(serde_json::from_slice(&page.body).unwrap())
    }

    #[test]
    fn pages_follow_each_other_and_what_is_old_is_forgotten() {
        let (world, feed) = (Sandbox::default(), Feed::default());
        let now = world.now();
        assert!(read(&feed, None, now).is_none(), "nobody has looked");
        let row = |seq: i64, below, life| Row {
            seq,
            session_id: SessionId::new(&world),
            below,
            expires_at: now + Duration::from_secs(life),
        };
        let many = i64::try_from(ON_A_PAGE).unwrap() + 5;
        assert_eq!(feed.begin(1, many), 0);
        feed.add((1..=many).map(|seq| row(seq, if seq == 2 { 7 } else { ENDED }, 100)).collect());
        feed.seen(&standing(many), now);

        let first = read(&feed, None, now).unwrap();
        assert_eq!((&first["more"], &first["next"]), (&true.into(), &"1.10000".into()));
        assert_eq!(first["ended"].as_array().unwrap().len(), ON_A_PAGE - 1);
        assert_eq!(first["below"].as_object().unwrap().len(), 1);
        assert!(first.get("after").is_none());
        let second = read(&feed, Some("1.10000"), now).unwrap();
        assert_eq!((&second["more"], &second["next"]), (&false.into(), &"1.10005".into()));
        assert_eq!(
            (&second["after"], second["ended"].as_array().unwrap().len()),
            (&"1.10000".into(), 5)
        );
        let last = read(&feed, Some("1.10005"), now).unwrap();
        assert_eq!(
            (&last["next"], last["ended"].as_array().unwrap().len()),
            (&"1.10005".into(), 0)
        );
        // Of another epoch, or from the future of a database that was put back: from the beginning.
        for strange in ["2.5", "1.10006"] {
            assert!(read(&feed, Some(strange), now).unwrap().get("after").is_none(), "{strange}");
        }

        // A look that fails does not make what is known any newer.
        assert!(read(&feed, None, now + MAX_STALENESS).is_some());
        let later = now + Duration::from_secs(101);
        assert!(read(&feed, None, later).is_none());
        feed.seen(&standing(many), later);
        assert_eq!(feed.len(), 0);
        let empty = read(&feed, None, later).unwrap();
        assert_eq!((&empty["next"], &empty["more"]), (&"1.10005".into(), &false.into()));

        // Another database than before is learned from the beginning.
        assert_eq!(feed.begin(1, many), many);
        assert_eq!(feed.begin(2, many), 0);
        assert!(read(&feed, None, later).is_none());
        assert_eq!(feed.begin(2, 3), 0);
        feed.seen(&Standing { epoch: 2, ..standing(3) }, later);
        assert_eq!(feed.begin(2, 2), 0, "fewer places than were given before");
    }
}
