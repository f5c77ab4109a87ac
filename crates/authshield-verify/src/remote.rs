//! The issuer's keys, fetched and kept fresh.
//!
//! Fetching is bounded whatever tokens come in: one fetch at a time, and a pause between two. While
//! the issuer is down, the keys that are known stay in use, for a day at most.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use reqwest::{Client, Url, header};

use crate::{
    Claims, FeedError, Follow, KeySet, KeySetError, Revocations, Rules, Verifier, VerifyError,
};

/// No honest key set is larger.
const BODY_AT_MOST: usize = 256 * 1024;

/// How long keys are fresh if the issuer does not say so, and the bounds of what it may say.
const FRESH: Duration = Duration::from_mins(5);
const FRESH_AT_LEAST: Duration = Duration::from_secs(10);
const FRESH_AT_MOST: Duration = Duration::from_hours(1);

/// How long keys are used that could not be refreshed: a key that was revoked must die some day,
/// even if somebody keeps us from hearing of it.
const KEPT_AT_MOST: Duration = Duration::from_hours(24);

/// The pause between two fetches while there are no keys at all.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The address of the key set is none.
    #[error("`{0}` is not an http or https address")]
    Address(String),
    /// The TLS or HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
    /// No answer, or not all of it.
    #[error("the key set could not be fetched")]
    Http(#[source] reqwest::Error),
    /// An answer, but not 200; redirects are not followed.
    #[error("the key set was answered with status {0}")]
    Status(u16),
    /// More than a key set.
    #[error("the key set is larger than 256 KiB")]
    TooLarge,
    /// Not a key set.
    #[error("what was fetched is no use")]
    KeySet(#[from] KeySetError),
    /// It was tried a moment ago, and failed; not tried again yet.
    #[error("the key set is not fetched again so soon")]
    TooSoon,
}

/// A key set somewhere on the network; clones share it.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Shared>);

struct Shared {
    url: Url,
    client: Client,
    pause: Duration,
    fetched: ArcSwapOption<Fetched>,
    /// When a fetch was begun for the last time.
    tried: Mutex<Option<Instant>>,
    /// One fetch at a time; whoever waits gets what the one before fetched.
    line: tokio::sync::Mutex<()>,
    refreshing: AtomicBool,
}

struct Fetched {
    keys: KeySet,
    at: Instant,
    fresh_for: Duration,
}

impl RemoteKeys {
    /// Names the key set at `url`; nothing is fetched yet.
    pub fn new(url: &str) -> Result<Self, FetchError> {
        Self::with_pause(url, Duration::from_secs(10))
    }

    /// The same, with another pause between two fetches than 10 seconds. It bounds what tokens with
    /// made-up key ids can cause.
    pub fn with_pause(url: &str, pause: Duration) -> Result<Self, FetchError> {
        let (url, client) = (address(url)?, client()?);
        Ok(Self(Arc::new(Shared {
            url,
            client,
            pause,
            fetched: ArcSwapOption::empty(),
            tried: Mutex::new(None),
            line: tokio::sync::Mutex::new(()),
            refreshing: AtomicBool::new(false),
        })))
    }

    /// Names the key set of an AuthShield server.
    pub fn of_issuer(issuer: &str) -> Result<Self, FetchError> {
        Self::new(&format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')))
    }

    /// Returns the claims of `token`, if it is good at `now_unix`.
    ///
    /// The first call fetches the keys; later ones do so only for a key id that is not known, and in
    /// the background when the keys are no longer fresh.
    pub async fn verify(
        &self,
        verifier: &Verifier,
        token: &str,
        now_unix: i64,
    ) -> Result<Claims, CheckError> {
        self.judge(|keys| verifier.verify(token, keys, now_unix)).await
    }

    /// Returns what `judge` finds with the keys, asking it again with newer ones if it misses one.
    pub(crate) async fn judge<T>(
        &self,
        judge: impl Fn(&KeySet) -> Result<T, VerifyError>,
    ) -> Result<T, CheckError> {
        let asked = Instant::now();
        let known = self.known(asked).await.map_err(CheckError::Unavailable)?;
        match judge(&known.keys) {
            Err(VerifyError::UnknownKey) => {
                // A failure to fetch is no reason to doubt that the key is unknown: the keys that
                // we have are still good for everybody else.
                let fetched = self.fetch(Some(asked)).await.map_err(|_| VerifyError::UnknownKey)?;
                Ok(judge(&fetched.keys)?)
            }
            verdict => Ok(verdict?),
        }
    }

    /// Fetches the keys now, unless that was tried a moment ago: to fail at start instead of at the
    /// first request.
    pub async fn warm(&self) -> Result<(), FetchError> {
        self.known(Instant::now()).await.map(|_| ())
    }

    /// Returns keys that may be used, however old within reason.
    async fn known(&self, asked: Instant) -> Result<Arc<Fetched>, FetchError> {
        let Some(fetched) = self.0.fetched.load_full() else {
            return self.fetch(None).await;
        };
        let age = asked.saturating_duration_since(fetched.at);
        if age >= KEPT_AT_MOST {
            return self.fetch(Some(asked)).await;
        }
        if age >= fetched.fresh_for
            && !self.too_soon()
            && !self.0.refreshing.swap(true, Ordering::AcqRel)
        {
            let this = self.clone();
            tokio::spawn(async move {
                if let Err(error) = this.fetch(Some(asked)).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        url = %this.0.url,
                        "the key set could not be refreshed; the known keys stay in use"
                    );
                }
                this.0.refreshing.store(false, Ordering::Release);
            });
        }
        Ok(fetched)
    }

    fn too_soon(&self) -> bool {
        let pause = if self.0.fetched.load().is_some() {
            self.0.pause
        } else {
            self.0.pause.min(FIRST_PAUSE)
        };
        let tried = self.0.tried.lock().expect("nobody panics while holding it");
        tried.is_some_and(|tried| tried.elapsed() < pause)
    }

    /// Fetches the keys, or returns what somebody else fetched while we waited: anything, or what was
    /// asked for later than `since`, because a key may be younger than an answer on its way.
    async fn fetch(&self, since: Option<Instant>) -> Result<Arc<Fetched>, FetchError> {
        let _turn = self.0.line.lock().await;
        if let Some(fetched) = self.0.fetched.load_full()
            && since.is_none_or(|since| fetched.at >= since)
        {
            return Ok(fetched);
        }
        if self.too_soon() {
            return Err(FetchError::TooSoon);
        }
        let at = Instant::now();
        *self.0.tried.lock().expect("nobody panics while holding it") = Some(at);
        let (keys, fresh_for) = self.request().await?;
        let fetched = Arc::new(Fetched { keys, at, fresh_for });
        self.0.fetched.store(Some(Arc::clone(&fetched)));
        Ok(fetched)
    }

    async fn request(&self) -> Result<(KeySet, Duration), FetchError> {
        let request =
            self.0.client.get(self.0.url.clone()).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(FetchError::Http)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let cache_control = response.headers().get(header::CACHE_CONTROL);
        let fresh_for = fresh_for(cache_control.and_then(|value| value.to_str().ok()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(FetchError::Http)? {
            if body.len() + chunk.len() > BODY_AT_MOST {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let text = std::str::from_utf8(&body).map_err(|_| KeySetError::Malformed)?;
        Ok((KeySet::from_json(text)?, fresh_for))
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteKeys").field(&self.0.url.as_str()).finish()
    }
}

/// Reads an address; only of the web.
pub(crate) fn address(url: &str) -> Result<Url, FetchError> {
    Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| FetchError::Address(url.to_owned()))
}

/// Makes a client that waits for nobody for long, and goes where it was sent and nowhere else.
pub(crate) fn client() -> Result<Client, FetchError> {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(5))
        .user_agent(concat!("authshield-verify/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(FetchError::Client)
}

/// Reads how long an answer is fresh (RFC 9111, 5.2.2), within our own bounds.
fn fresh_for(cache_control: Option<&str>) -> Duration {
    let mut span = FRESH;
    for directive in cache_control.unwrap_or_default().split(',').map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return FRESH_AT_LEAST,
            "max-age" => {
                span = value.trim_matches('"').parse().map_or(FRESH, Duration::from_secs);
            }
            _ => {}
        }
    }
    span.clamp(FRESH_AT_LEAST, FRESH_AT_MOST)
}

/// Why somebody with a token may not come in.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The token is no good.
    #[error("token refused")]
    Refused(#[from] VerifyError),
    /// The token may be good, but there are no keys to tell.
    #[error("no keys to verify with")]
    Unavailable(#[source] FetchError),
    /// The token may be good, but it is not known what was revoked lately, and the service wants no token
    /// accepted then.
    #[error("it is not known what was revoked lately")]
    Stale(#[source] FeedError),
}

/// Rules, keys and a clock: all that a service needs to judge tokens. Clones share it.
#[derive(Debug, Clone)]
pub struct Guard {
    verifier: Arc<Verifier>,
    keys: RemoteKeys,
    clock: fn() -> i64,
    revocations: Option<Revocations>,
}

impl Guard {
    /// Judges by `rules`, with the keys that their issuer publishes.
    pub fn new(rules: Rules) -> Result<Self, FetchError> {
        let keys = RemoteKeys::of_issuer(rules.issuer())?;
        Ok(Self::with_keys(rules, keys))
    }

    /// The same, with keys from elsewhere: the issuer's address inside a network, say.
    #[must_use]
    pub fn with_keys(rules: Rules, keys: RemoteKeys) -> Self {
        let verifier = Arc::new(Verifier::new(rules));
        Self { verifier, keys, clock: unix_now, revocations: None }
    }

    /// Takes the time, in seconds since 1970, from `clock`: for tests.
    #[must_use]
    pub fn clock(self, clock: fn() -> i64) -> Self {
        Self { clock, ..self }
    }

    /// Refuses as well what was revoked since it was issued: sessions that ended, and tokens that are
    /// older than a change of their user's roles. Asks for the issuer's feed in the background from now
    /// on, until the last clone is gone; call it in a runtime, behind [`Guard::clock`].
    pub fn following(self, follow: Follow) -> Result<Self, FetchError> {
        let rules = Arc::clone(&self.verifier);
        let feed = Revocations::follow(follow, rules, self.keys.clone(), self.clock)?;
        Ok(Self { revocations: Some(feed), ..self })
    }

    /// Returns what is known of revocations, where they are followed.
    #[must_use]
    pub fn revocations(&self) -> Option<&Revocations> {
        self.revocations.as_ref()
    }

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &RemoteKeys {
        &self.keys
    }

    /// Returns the claims of `token`, if it is good now.
    pub async fn check(&self, token: &str) -> Result<Claims, CheckError> {
        let now = (self.clock)();
        let claims = self.keys.verify(&self.verifier, token, now).await?;
        if let Some(revocations) = &self.revocations {
            revocations.judge(&claims, now)?;
        }
        Ok(claims)
    }
}

#[expect(clippy::disallowed_methods, reason = "a service that uses this crate has no other clock")]
fn unix_now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_decides_within_bounds_how_long_keys_are_fresh() {
        for (header, seconds) in [
            (None, 300),
            (Some("public, max-age=60"), 60),
            (Some("Max-Age=\"120\""), 120),
            (Some("max-age=0"), 10),
            (Some("max-age=99999999"), 3600),
            (Some("max-age=soon"), 300),
            (Some("no-store"), 10),
            (Some("no-cache, max-age=600"), 10),
        ] {
            assert_eq!(fresh_for(header).as_secs(), seconds, "{header:?}");
        }
    }

    #[test]
    fn an_address_is_http_or_none() {
        for address in ["", "file:///etc/passwd", "id.example.org", "ftp://id.example.org"] {
            assert!(matches!(RemoteKeys::new(address), Err(FetchError::Address(_))), "{address}");
        }
        assert!(RemoteKeys::of_issuer("http://127.0.0.1:8080/").is_ok());
    }
}
