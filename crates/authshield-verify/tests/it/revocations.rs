//! A service that follows the feed, and somebody in between who sends what they like.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use authshield_verify::{
    AccessToken, CheckError, FeedError, Follow, Guard, RemoteKeys, Rules, VerifyError, WhenStale,
};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::common::{AUDIENCE, ISSUER, NOW, Signer, claims, set};

/// Of `0199-session`: the first half of SHA-256, in base64url.
fn session() -> String {
    use base64::Engine as _;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"0199-session");
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

fn page(after: Option<&str>, next: &str, ended: &[String]) -> Value {
    let mut page = json!({
        "iss": ISSUER, "iat": NOW, "exp": NOW + 10, "next": next, "more": false, "epoch": 1,
        "lifetime": 1080, "max_staleness": 10, "ended": ended, "below": {},
    });
    if let Some(after) = after {
        page["after"] = after.into();
    }
    page
}

fn signed(signer: &Signer, page: &Value) -> String {
    let header = json!({"alg": signer.alg(), "typ": "revocations+jwt", "kid": "k"});
    signer.sign_raw(&header.to_string(), &page.to_string())
}

/// What is answered next, and what was asked for last.
#[derive(Clone, Default)]
struct Middle {
    answer: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Option<String>>>,
    keys: String,
}

impl Middle {
    async fn start(signer: &Signer) -> (Self, String) {
        let middle = Self { keys: set(&[signer.jwk("k")]), ..Self::default() };
        let feed = async |State(middle): State<Self>, RawQuery(query): RawQuery| middle.feed(query);
        let app = Router::new()
            .route("/keys", get(async |State(middle): State<Self>| middle.keys))
            .route("/api/v1/revocations", get(feed))
            .with_state(middle.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (middle, format!("http://{address}"))
    }

    fn feed(&self, query: Option<String>) -> Response {
        *self.asked.lock().unwrap() = query;
        match self.answer.lock().unwrap().clone() {
            Some(page) => page.into_response(),
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }

    fn answers(&self, page: String) {
        *self.answer.lock().unwrap() = Some(page);
    }
}

/// Of whom, and when: asked when the test says so.
fn guard(url: &str, clock: fn() -> i64, when_stale: WhenStale) -> Guard {
    let keys = RemoteKeys::with_pause(&format!("{url}/keys"), Duration::ZERO).unwrap();
    let feed = format!("{url}/api/v1/revocations");
    let follow = Follow::default().at(feed).every(Duration::from_hours(24)).when_stale(when_stale);
    let guard = Guard::with_keys(Rules::new(ISSUER, AUDIENCE), keys).clock(clock);
    guard.following(follow).unwrap()
}

#[tokio::test]
async fn only_what_the_issuer_says_now_counts() {
    static CLOCK: AtomicI64 = AtomicI64::new(NOW);
    let (signer, thief) = (Signer::es256(), Signer::es256());
    let (middle, url) = Middle::start(&signer).await;
    let clock = || CLOCK.load(Ordering::SeqCst);
    let strict = guard(&url, clock, WhenStale::Refuse);
    let lenient = guard(&url, clock, WhenStale::Accept);
    let token = signer.sign("k", &claims());
    let feed = strict.revocations().unwrap();

    // Nothing is known yet.
    assert!(matches!(feed.refresh().await, Err(FeedError::Status(503))));
    let refused = strict.check(&token).await;
    assert!(matches!(refused, Err(CheckError::Stale(FeedError::Never))), "{refused:?}");
    lenient.check(&token).await.unwrap();

    let first = signed(&signer, &page(None, "1.1", &[]));
    middle.answers(first.clone());
    feed.refresh().await.unwrap();
    strict.check(&token).await.unwrap();

    // Tampered with, of another kind, by somebody else, about something else, from another time.
    let good = page(Some("1.1"), "1.2", &[]);
    let with = |name: &str, value: Value| {
        let mut page = good.clone();
        page[name] = value;
        page
    };
    let mut tampered = signed(&signer, &good);
    let middle_of_it = tampered.len() / 2;
    let other = if tampered.as_bytes()[middle_of_it] == b'A' { "B" } else { "A" };
    tampered.replace_range(middle_of_it..=middle_of_it, other);
    let as_token = signer.sign("k", &good);
    for (bad, expected) in [
        (tampered, "refused"),
        (as_token, "refused"),
        (signed(&thief, &good), "refused"),
        (signed(&signer, &with("iss", "https://evil.example".into())), "refused"),
        (signed(&signer, &with("iat", (NOW - 1).into())), "older than one before"),
        (signed(&signer, &with("iat", (NOW - 60).into())), "60 seconds ago"),
        (signed(&signer, &with("iat", (NOW + 60).into())), "60 seconds in the future"),
        (signed(&signer, &with("after", "1.0".into())), "not the one that was asked for"),
        (signed(&signer, &with("ended", "all".into())), "no page of a feed"),
        ("nonsense".to_owned(), "refused"),
        ("x".repeat(1024 * 1024 + 1), "larger than 1 MiB"),
    ] {
        middle.answers(bad);
        let error = feed.refresh().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}: {error:?}");
        assert_eq!(middle.asked.lock().unwrap().as_deref(), Some("after=1.1"));
        strict.check(&token).await.unwrap();
    }

    // A page that was right eleven seconds ago is replayed: nobody is told of what was revoked since, and
    // so nobody is let in.
    CLOCK.store(NOW + 16, Ordering::SeqCst);
    middle.answers(first);
    assert!(matches!(feed.refresh().await, Err(FeedError::Old { age: 16, bound: 10 })));
    let refused = strict.check(&token).await;
    assert!(matches!(refused, Err(CheckError::Stale(FeedError::Old { .. }))), "{refused:?}");
    lenient.check(&token).await.unwrap();

    // What is known to be revoked is refused, however old that is.
    let mut last = page(None, "1.3", &[session()]);
    last["iat"] = (NOW + 16).into();
    middle.answers(signed(&signer, &last));
    for guard in [&strict, &lenient] {
        guard.revocations().unwrap().refresh().await.unwrap();
        let refused = guard.check(&token).await;
        assert!(matches!(refused, Err(CheckError::Refused(VerifyError::Revoked))), "{refused:?}");
    }
    CLOCK.store(NOW + 60, Ordering::SeqCst);
    let refused = lenient.check(&token).await;
    assert!(matches!(refused, Err(CheckError::Refused(VerifyError::Revoked))), "{refused:?}");
}

#[tokio::test]
async fn the_extractor_says_revoked_and_try_again() {
    let signer = Signer::eddsa();
    let (middle, url) = Middle::start(&signer).await;
    let guard = guard(&url, || NOW, WhenStale::Refuse);
    let feed = guard.revocations().unwrap().clone();
    let app = Router::new()
        .route("/", get(async |AccessToken(claims): AccessToken| claims.sub))
        .with_state(guard);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let token = signer.sign("k", &claims());
    let ask = async || {
        let request = reqwest::Client::new().get(format!("http://{address}/")).bearer_auth(&token);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().clone(), answer.text().await.unwrap())
    };
    let (status, headers, body) = ask().await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "1"), "{body}");
    middle.answers(signed(&signer, &page(None, "1.1", &[])));
    feed.refresh().await.unwrap();
    assert_eq!(ask().await.0, 200);
    middle.answers(signed(&signer, &page(Some("1.1"), "1.2", &[session()])));
    feed.refresh().await.unwrap();
    let (status, headers, body) = ask().await;
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("AUTH_TOKEN_REVOKED"), "{body}");
    assert!(headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
}
