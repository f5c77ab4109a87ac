//! Follows the issuer's feed of what was revoked, in the background.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use reqwest::{Client, Url, header};

use crate::remote::{address, client};
use crate::revocations::{Known, PAGE_AT_MOST, Page, signed_payload};
use crate::{CheckError, Claims, FeedError, FetchError, RemoteKeys, Verifier, VerifyError};

/// What to do with good tokens while it is not known what was revoked lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenStale {
    /// Accept none: who signed out, or was disabled, does not get in because the issuer is out of reach.
    #[default]
    Refuse,
    /// Accept all that are not known to be revoked: a service that goes on without the issuer is worth
    /// more than that.
    Accept,
}

/// How to follow a feed.
#[derive(Debug, Clone)]
pub struct Follow {
    url: Option<String>,
    every: Duration,
    when_stale: WhenStale,
    at_most: Option<Duration>,
}

impl Default for Follow {
    fn default() -> Self {
        let every = Duration::from_millis(500);
        Self { url: None, every, when_stale: WhenStale::default(), at_most: None }
    }
}

impl Follow {
    /// Asks there instead of at the issuer's public address.
    #[must_use]
    pub fn at(self, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..self }
    }

    /// Asks so often; twice a second unless set, ten times at most.
    #[must_use]
    pub fn every(self, every: Duration) -> Self {
        Self { every: every.max(Duration::from_millis(100)), ..self }
    }

    /// Says what to do with good tokens while it is not known what was revoked lately.
    #[must_use]
    pub fn when_stale(self, when_stale: WhenStale) -> Self {
        Self { when_stale, ..self }
    }

    /// Sets how old what is known may be, in whole seconds; what the issuer says unless set.
    #[must_use]
    pub fn at_most(self, at_most: Duration) -> Self {
        Self { at_most: Some(at_most), ..self }
    }
}

/// What is known of revocations; clones share it.
#[derive(Clone)]
pub struct Revocations(Arc<Shared>);

struct Shared {
    url: Url,
    client: Client,
    follow: Follow,
    verifier: Arc<Verifier>,
    keys: RemoteKeys,
    clock: fn() -> i64,
    known: RwLock<Known>,
    /// One request at a time.
    line: tokio::sync::Mutex<()>,
}

/// How well the feed is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// As of when everything is known, in seconds since 1970.
    pub as_of: Option<i64>,
    /// How many sessions are remembered.
    pub entries: usize,
}

impl Revocations {
    pub(crate) fn follow(
        follow: Follow,
        verifier: Arc<Verifier>,
        keys: RemoteKeys,
        clock: fn() -> i64,
    ) -> Result<Self, FetchError> {
        let issuer = verifier.rules().issuer().trim_end_matches('/');
        let url = follow.url.clone().unwrap_or_else(|| format!("{issuer}/api/v1/revocations"));
        let (url, client) = (address(&url)?, client()?);
        let (known, line) = (RwLock::default(), tokio::sync::Mutex::default());
        let feed =
            Self(Arc::new(Shared { url, client, follow, verifier, keys, clock, known, line }));
        feed.keep_asking();
        Ok(feed)
    }

    /// Asks until nobody holds the feed any more.
    fn keep_asking(&self) {
        let (weak, every) = (Arc::downgrade(&self.0), self.0.follow.every);
        tokio::spawn(async move {
            let mut told = false;
            while let Some(shared) = weak.upgrade() {
                match Self(shared).refresh().await {
                    Ok(()) => told = false,
                    Err(error) if told => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "no feed");
                    }
                    Err(error) => {
                        told = true;
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "it is not known what is revoked from now on"
                        );
                    }
                }
                tokio::time::sleep(every).await;
            }
        });
    }

    /// Asks now, and learns all there is: to fail at start instead of at the first request.
    pub async fn refresh(&self) -> Result<(), FeedError> {
        let _turn = self.0.line.lock().await;
        while self.ask().await? {}
        Ok(())
    }

    /// Asks for one page; whether there is more.
    async fn ask(&self) -> Result<bool, FeedError> {
        let Shared { verifier, keys, clock, known, .. } = &*self.0;
        let asked = self.known().cursor().map(str::to_owned);
        let page = self.fetch(asked.as_deref()).await?;
        let rules = verifier.rules();
        let payload = keys.judge(|keys| signed_payload(&page, keys, rules)).await;
        let payload = payload.map_err(|error| match error {
            CheckError::Refused(why) => FeedError::Refused(why),
            CheckError::Unavailable(error) => FeedError::Keys(error),
            CheckError::Stale(error) => error,
        })?;
        let page = Page::parse(&payload, rules.issuer())?;
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        known.learn(page, asked.as_deref(), clock(), rules.accepted().1)
    }

    async fn fetch(&self, after: Option<&str>) -> Result<String, FeedError> {
        let mut url = self.0.url.clone();
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        let request = self.0.client.get(url).header(header::ACCEPT, "application/jwt");
        let mut response = request.send().await.map_err(FeedError::Http)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FeedError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(FeedError::Http)? {
            if body.len() + chunk.len() > PAGE_AT_MOST {
                return Err(FeedError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| FeedError::Malformed("it is not text"))
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how well the feed is known, for the service's own metrics.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let known = self.known();
        Standing { as_of: known.as_of(), entries: known.len() }
    }

    /// Fails if the token of `claims` was revoked; what is known counts however old it is.
    pub(crate) fn judge(&self, claims: &Claims, now: i64) -> Result<(), CheckError> {
        let known = self.known();
        if known.revoked(claims)? {
            return Err(VerifyError::Revoked.into());
        }
        let Follow { when_stale, at_most, .. } = &self.0.follow;
        match known.current(*at_most, now, self.0.verifier.rules().accepted().1) {
            Err(error) if *when_stale == WhenStale::Refuse => Err(CheckError::Stale(error)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Revocations").field(&self.0.url.as_str()).field(&self.standing()).finish()
    }
}
