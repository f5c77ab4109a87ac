//! What was revoked, page by page. A function of values: no clock, no network.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value};

use crate::jws::Compact;
use crate::{Claims, FetchError, KeySet, Rules, VerifyError, json};

/// No page is longer.
pub(crate) const PAGE_AT_MOST: usize = 1024 * 1024;

/// No more is remembered; it is four times what comes together when 1,000 sessions end every second.
const ENTRIES_AT_MOST: usize = 4_000_000;

/// The longest cursor that is sent back.
const CURSOR_AT_MOST: usize = 100;

/// What stands for a session: the first half of SHA-256 over its name.
type Session = [u8; 16];

/// All tokens of the session are dead.
const ENDED: i64 = i64::MAX;

/// Why it is not known what was revoked lately.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// Nothing was fetched yet.
    #[error("the feed was not fetched yet")]
    Never,
    /// What is known is too old.
    #[error(
        "what is known of the feed was signed {age} seconds ago, and at most {bound} are accepted: does \
         the issuer answer, and are the clocks right?"
    )]
    Old {
        /// How old it is, in seconds.
        age: i64,
        /// How old it may be.
        bound: i64,
    },
    /// It was signed in the future.
    #[error("the feed was signed {0} seconds in the future: the clock here is behind the issuer's")]
    Ahead(i64),
    /// It is older than what is known: somebody sends what was sent before.
    #[error("the page of the feed is older than one before")]
    Replayed,
    /// It goes on from somewhere else than was asked for.
    #[error("the page of the feed is not the one that was asked for")]
    OtherPage,
    /// It is no page of a feed.
    #[error("no page of a feed: {0}")]
    Malformed(&'static str),
    /// Nobody vouches for it.
    #[error("the page of the feed was refused")]
    Refused(#[source] VerifyError),
    /// There are no keys to tell.
    #[error("there are no keys to verify the feed with")]
    Keys(#[source] FetchError),
    /// No answer, or not all of it.
    #[error("the feed could not be fetched")]
    Http(#[source] reqwest::Error),
    /// An answer, but not 200; redirects are not followed.
    #[error("the feed was answered with status {0}")]
    Status(u16),
    /// More than a page.
    #[error("the page of the feed is larger than 1 MiB")]
    TooLarge,
    /// More than can be remembered.
    #[error("the feed has more than 4,000,000 entries")]
    TooMany,
}

/// A page that the issuer signed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    signed_at: i64,
    after: Option<String>,
    next: String,
    more: bool,
    epoch: i64,
    lifetime: i64,
    max_staleness: i64,
    entries: Vec<(Session, i64)>,
}

/// Returns what a page says, if it is signed by the issuer as such.
pub(crate) fn signed_payload(
    page: &str,
    keys: &KeySet,
    rules: &Rules,
) -> Result<Vec<u8>, VerifyError> {
    let page = Compact::parse_within(page, PAGE_AT_MOST)?;
    // Access tokens are signed by the same keys: `typ` keeps them apart.
    if page.typ.as_deref() != Some("revocations+jwt") {
        return Err(VerifyError::Type);
    }
    page.verify(keys, rules.accepted().0)
}

impl Page {
    pub(crate) fn parse(payload: &[u8], issuer: &str) -> Result<Self, FeedError> {
        const NO: fn() -> FeedError =
            || FeedError::Malformed("a claim is missing or no such thing");
        let members = json::object(payload)
            .ok_or(FeedError::Malformed("the claims are no object without duplicates"))?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let number = |name: &str| {
            members.get(name).and_then(Value::as_i64).filter(|n| *n >= 0).ok_or_else(NO)
        };
        if text("iss") != Some(issuer) {
            return Err(FeedError::Refused(VerifyError::Issuer));
        }
        let cursor = |text: &str| (text.len() <= CURSOR_AT_MOST).then(|| text.to_owned());
        let after = match members.get("after") {
            None => None,
            Some(_) => Some(text("after").and_then(cursor).ok_or_else(NO)?),
        };
        Ok(Self {
            signed_at: number("iat")?,
            after,
            next: text("next").and_then(cursor).ok_or_else(NO)?,
            more: members.get("more").and_then(Value::as_bool).ok_or_else(NO)?,
            epoch: number("epoch")?,
            lifetime: number("lifetime")?,
            max_staleness: number("max_staleness")?,
            entries: entries(&members).ok_or_else(NO)?,
        })
    }
}

fn entries(members: &Map<String, Value>) -> Option<Vec<(Session, i64)>> {
    let session = |text: &str| BASE64.decode(text).ok()?.try_into().ok();
    let ended = members.get("ended")?.as_array()?.iter();
    let ended = ended.map(|ended| Some((session(ended.as_str()?)?, ENDED)));
    let below = members.get("below")?.as_object()?.iter();
    let below = below.map(|(name, below)| Some((session(name)?, below.as_i64()?)));
    ended.chain(below).collect()
}

/// What stands for the session of this name.
fn fingerprint(session: &str) -> Session {
    digest(&SHA256, session.as_bytes()).as_ref()[..16].try_into().expect("SHA-256 has 32 bytes")
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Where the next page begins.
    cursor: Option<String>,
    /// When the newest page was signed.
    newest: i64,
    /// The last page behind which there was no other.
    whole: Option<Whole>,
    epoch: i64,
    /// Tokens of which sessions are dead if their epoch is below what, and until when that matters.
    below: HashMap<Session, (i64, i64)>,
    ends: VecDeque<(i64, Session)>,
}

#[derive(Debug, Clone, Copy)]
struct Whole {
    signed_at: i64,
    max_staleness: i64,
}

impl Known {
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    pub(crate) fn len(&self) -> usize {
        self.below.len()
    }

    /// As of when everything is known, in seconds since 1970.
    pub(crate) fn as_of(&self) -> Option<i64> {
        self.whole.map(|whole| whole.signed_at)
    }

    /// Takes in a page that was asked for behind `asked`; whether there is more.
    pub(crate) fn learn(
        &mut self,
        page: Page,
        asked: Option<&str>,
        now: i64,
        leeway: i64,
    ) -> Result<bool, FeedError> {
        let age = now.saturating_sub(page.signed_at);
        if age < -leeway {
            return Err(FeedError::Ahead(age.saturating_neg()));
        }
        if age > page.max_staleness.saturating_add(leeway) {
            return Err(FeedError::Old { age, bound: page.max_staleness });
        }
        if page.signed_at < self.newest || page.epoch < self.epoch {
            return Err(FeedError::Replayed);
        }
        // The issuer may begin anew, and nobody else may say where we are.
        if page.after.is_some() && page.after.as_deref() != asked {
            return Err(FeedError::OtherPage);
        }
        if page.epoch > self.epoch {
            // All that was known is about tokens that are dead by their epoch.
            *self = Self { epoch: page.epoch, newest: self.newest, ..Self::default() };
        }
        self.forget(now);
        if self.below.len() + page.entries.len() > ENTRIES_AT_MOST {
            return Err(FeedError::TooMany);
        }
        let until = now.saturating_add(page.lifetime);
        for (session, below) in page.entries {
            let known = self.below.entry(session).or_insert((below, until));
            *known = (known.0.max(below), known.1.max(until));
            self.ends.push_back((until, session));
        }
        (self.cursor, self.newest) = (Some(page.next), page.signed_at);
        if !page.more {
            let (signed_at, max_staleness) = (page.signed_at, page.max_staleness);
            self.whole = Some(Whole { signed_at, max_staleness });
        }
        Ok(page.more)
    }

    /// Forgets what no living token can be about.
    fn forget(&mut self, now: i64) {
        while let Some((until, session)) = self.ends.front().copied()
            && until < now
        {
            self.ends.pop_front();
            // It may have come again since.
            if self.below.get(&session).is_some_and(|(_, last)| *last == until) {
                self.below.remove(&session);
            }
        }
    }

    /// Whether a token with these claims is known to be revoked.
    pub(crate) fn revoked(&self, claims: &Claims) -> Result<bool, VerifyError> {
        let epoch = |name: &'static str, first| match claims.extra.get(name) {
            None => Ok(first),
            Some(value) => value.as_i64().ok_or(VerifyError::Claim(name)),
        };
        if epoch("epoch", 1)? < self.epoch {
            return Ok(true);
        }
        let user_epoch = epoch("user_epoch", 0)?;
        let found = claims.sid.as_deref().and_then(|sid| self.below.get(&fingerprint(sid)));
        Ok(found.is_some_and(|(below, _)| user_epoch < *below))
    }

    /// Fails unless it is known what was revoked until lately; `at_most` is the service's own bound.
    pub(crate) fn current(
        &self,
        at_most: Option<Duration>,
        now: i64,
        leeway: i64,
    ) -> Result<(), FeedError> {
        let whole = self.whole.ok_or(FeedError::Never)?;
        let age = now.saturating_sub(whole.signed_at);
        let bound = at_most.map_or(whole.max_staleness, |at_most| {
            i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX)
        });
        if age < -leeway {
            return Err(FeedError::Ahead(age.saturating_neg()));
        }
        if age > bound { Err(FeedError::Old { age, bound }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_334_400;
    const ISSUER: &str = "https://id.example.org";

    fn page(after: Option<&str>, next: &str, entries: &[(&str, i64)]) -> Page {
        Page {
            signed_at: NOW,
            after: after.map(str::to_owned),
            next: next.to_owned(),
            more: false,
            epoch: 1,
            lifetime: 1080,
            max_staleness: 10,
            entries: entries.iter().map(|(name, below)| (fingerprint(name), *below)).collect(),
        }
    }

    fn token(sid: &str, extra: &Value) -> Claims {
        let mut claims = serde_json::json!({
            "iss": ISSUER, "sub": "ann", "aud": [ISSUER], "exp": NOW + 900, "iat": NOW, "jti": "t",
            "client_id": "c", "sid": sid,
        });
        claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Claims::parse(claims.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_token_is_dead_by_its_session_by_its_users_epoch_and_by_the_installations() {
        let mut known = Known::default();
        known.learn(page(None, "1.2", &[("ended", ENDED), ("changed", 3)]), None, NOW, 5).unwrap();
        let none = || serde_json::json!({});
        for (claims, expected) in [
            (token("ended", &none()), true),
            (token("ended", &serde_json::json!({"user_epoch": 99})), true),
            (token("changed", &none()), true),
            (token("changed", &serde_json::json!({"user_epoch": 2})), true),
            (token("changed", &serde_json::json!({"user_epoch": 3})), false),
            (token("other", &none()), false),
        ] {
            assert_eq!(known.revoked(&claims), Ok(expected), "{claims:?}");
        }
        let odd = token("other", &serde_json::json!({"user_epoch": "3"}));
        assert_eq!(known.revoked(&odd), Err(VerifyError::Claim("user_epoch")));

        // After a restore everything that was issued before is dead, and nothing else is known.
        let restored = Page { epoch: 2, ..page(None, "2.0", &[]) };
        known.learn(restored, Some("1.2"), NOW, 5).unwrap();
        assert_eq!(known.revoked(&token("other", &none())), Ok(true));
        assert_eq!(known.revoked(&token("other", &serde_json::json!({"epoch": 2}))), Ok(false));
        assert!(matches!(
            known.learn(page(Some("2.0"), "1.3", &[]), Some("2.0"), NOW, 5),
            Err(FeedError::Replayed)
        ));
    }

    #[test]
    fn pages_that_are_old_ahead_or_from_elsewhere_change_nothing() {
        let mut known = Known::default();
        assert!(matches!(known.current(None, NOW, 5), Err(FeedError::Never)));
        let more = Page { more: true, ..page(None, "1.1", &[("a", ENDED)]) };
        assert!(known.learn(more, None, NOW, 5).unwrap());
        assert!(matches!(known.current(None, NOW, 5), Err(FeedError::Never)), "not whole yet");
        known.learn(page(Some("1.1"), "1.2", &[("b", ENDED)]), Some("1.1"), NOW, 5).unwrap();
        known.current(None, NOW + 10, 5).unwrap();
        assert!(matches!(
            known.current(None, NOW + 11, 5),
            Err(FeedError::Old { age: 11, bound: 10 })
        ));
        known.current(Some(Duration::from_secs(30)), NOW + 30, 5).unwrap();
        assert!(known.current(Some(Duration::from_secs(30)), NOW + 31, 5).is_err());
        assert!(known.current(None, NOW - 5, 5).is_ok());
        assert!(matches!(known.current(None, NOW - 6, 5), Err(FeedError::Ahead(6))));

        let at = |signed_at| Page { signed_at, ..page(Some("1.2"), "1.9", &[("x", ENDED)]) };
        let asked = Some("1.2");
        assert!(matches!(known.learn(at(NOW), asked, NOW + 16, 5), Err(FeedError::Old { .. })));
        assert!(matches!(known.learn(at(NOW + 6), asked, NOW, 5), Err(FeedError::Ahead(6))));
        assert!(matches!(known.learn(at(NOW - 1), asked, NOW, 5), Err(FeedError::Replayed)));
        let other = page(Some("1.1"), "1.9", &[("x", ENDED)]);
        assert!(matches!(known.learn(other, asked, NOW, 5), Err(FeedError::OtherPage)));
        assert_eq!((known.cursor(), known.len()), (asked, 2));

        // What can be about no living token is forgotten; what came again stays.
        let again = Page { signed_at: NOW + 1080, ..page(None, "1.3", &[("b", ENDED)]) };
        known.learn(again, asked, NOW + 1080, 5).unwrap();
        let empty = Page { signed_at: NOW + 1081, ..page(Some("1.3"), "1.3", &[]) };
        known.learn(empty, Some("1.3"), NOW + 1081, 5).unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known.revoked(&token("b", &serde_json::json!({}))), Ok(true));
    }

    #[test]
    fn a_page_has_every_claim_of_the_right_kind() {
        let good = serde_json::json!({
            "iss": ISSUER, "iat": NOW, "after": "1.1", "next": "1.2", "more": false, "epoch": 1,
            "lifetime": 1080, "max_staleness": 10, "ended": ["AAAAAAAAAAAAAAAAAAAAAA"],
            "below": {"AAAAAAAAAAAAAAAAAAAAAQ": 3},
        });
        let parse = |value: &Value| Page::parse(value.to_string().as_bytes(), ISSUER);
        assert_eq!(parse(&good).unwrap().entries.len(), 2);
        for (name, wrong) in [
            ("iss", "https://evil.example".into()),
            ("iat", (-1).into()),
            ("after", 7.into()),
            ("next", "x".repeat(101).into()),
            ("more", "false".into()),
            ("epoch", 1.5.into()),
            ("lifetime", Value::Null),
            ("max_staleness", "10".into()),
            ("ended", serde_json::json!(["AAAA"])),
            ("ended", serde_json::json!({})),
            ("below", serde_json::json!({"AAAAAAAAAAAAAAAAAAAAAQ": "3"})),
        ] {
            let mut bad = good.clone();
            bad[name] = wrong;
            assert!(parse(&bad).is_err(), "{bad}");
        }
        assert!(Page::parse(b"[]", ISSUER).is_err());
    }
}
