//! A service with the extractor, and an issuer that rotates, dawdles and dies.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{AUDIENCE, ISSUER, NOW, Signer, claims, set};
use authshield_verify::{
    AccessToken, CheckError, FetchError, Guard, Refusal, RemoteKeys, Rules, VerifyError,
};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// Serves `app` on a free port and returns its address; it stops with the test's runtime.
async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

/// What the issuer answers next.
#[derive(Clone)]
enum Answer {
    Keys(String),
    Status(u16),
    Redirect,
    Huge,
}

#[derive(Clone)]
struct Issuer {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    url: String,
}

async fn answer(State((answer, asked)): State<(Arc<Mutex<Answer>>, Arc<AtomicUsize>)>) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    let answer = answer.lock().unwrap().clone();
    match answer {
        Answer::Keys(set) => ([(header::CACHE_CONTROL, "max-age=300")], set).into_response(),
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Redirect => Redirect::temporary("/jwks.json").into_response(),
        Answer::Huge => " ".repeat(300 * 1024).into_response(),
    }
}

impl Issuer {
    async fn start(first: Answer) -> Self {
        let answer = Arc::new(Mutex::new(first));
        let asked = Arc::new(AtomicUsize::new(0));
        let state = (Arc::clone(&answer), Arc::clone(&asked));
        let app =
            Router::new().route("/.well-known/jwks.json", get(self::answer)).with_state(state);
        Self { answer, asked, url: serve(app).await }
    }

    fn answers(&self, next: Answer) {
        *self.answer.lock().unwrap() = next;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn guard(&self, pause: Duration) -> Guard {
        let url = format!("{}/.well-known/jwks.json", self.url);
        let keys = RemoteKeys::with_pause(&url, pause).unwrap();
        Guard::with_keys(Rules::new(ISSUER, AUDIENCE), keys).clock(|| NOW)
    }
}

const SOON: Duration = Duration::ZERO;
const LATER: Duration = Duration::from_hours(1);

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_a_new_key() {
    let (old, new) = (Signer::es256(), Signer::eddsa());
    let issuer = Issuer::start(Answer::Keys(set(&[old.jwk("old")]))).await;
    let guard = issuer.guard(SOON);
    let token = old.sign("old", &claims());

    let guards: Vec<_> = (0..20).map(|_| (guard.clone(), token.clone())).collect();
    let checks = guards.into_iter().map(|(guard, token)| {
        tokio::spawn(async move { guard.check(&token).await.map(|claims| claims.sub) })
    });
    for check in checks.collect::<Vec<_>>() {
        assert_eq!(check.await.unwrap().unwrap(), "0199-ann");
    }
    assert_eq!(issuer.asked(), 1);

    issuer.answers(Answer::Keys(set(&[old.jwk("old"), new.jwk("new")])));
    guard.check(&new.sign("new", &claims())).await.unwrap();
    guard.check(&token).await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn made_up_key_ids_do_not_make_a_flood() {
    let signer = Signer::es256();
    let issuer = Issuer::start(Answer::Keys(set(&[signer.jwk("k")]))).await;
    let guard = issuer.guard(LATER);
    for n in 0..50 {
        let error = guard.check(&signer.sign(&n.to_string(), &claims())).await.unwrap_err();
        assert!(matches!(error, CheckError::Refused(VerifyError::UnknownKey)));
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn known_keys_outlive_the_issuer() {
    let signer = Signer::es256();
    let issuer = Issuer::start(Answer::Keys(set(&[signer.jwk("k")]))).await;
    let guard = issuer.guard(SOON);
    let (good, unknown) = (signer.sign("k", &claims()), signer.sign("other", &claims()));
    guard.check(&good).await.unwrap();
    for bad_day in [
        Answer::Status(500),
        Answer::Status(404),
        Answer::Redirect,
        Answer::Huge,
        Answer::Keys("{}".to_owned()),
        Answer::Keys(set(&[])),
    ] {
        issuer.answers(bad_day);
        let error = guard.check(&unknown).await.unwrap_err();
        assert!(matches!(error, CheckError::Refused(VerifyError::UnknownKey)));
        guard.check(&good).await.unwrap();
    }
}

#[tokio::test]
async fn an_issuer_that_never_answered_is_our_trouble_and_not_the_callers() {
    let signer = Signer::es256();
    let token = signer.sign("k", &claims());
    for bad_day in [Answer::Status(503), Answer::Redirect, Answer::Huge] {
        let issuer = Issuer::start(bad_day).await;
        let guard = issuer.guard(SOON);
        assert!(matches!(guard.check(&token).await, Err(CheckError::Unavailable(_))));
        assert!(guard.keys().warm().await.is_err());
        issuer.answers(Answer::Keys(set(&[signer.jwk("k")])));
        guard.check(&token).await.unwrap();
    }
    let nobody = RemoteKeys::new("http://127.0.0.1:1/jwks.json").unwrap();
    assert!(matches!(nobody.warm().await, Err(FetchError::Http(_))));
    assert!(matches!(nobody.warm().await, Err(FetchError::TooSoon)));
}

async fn me(AccessToken(claims): AccessToken) -> Json<Value> {
    Json(json!({ "sub": claims.sub }))
}

async fn admin(token: AccessToken) -> Result<&'static str, Refusal> {
    token.require_role("admin")?;
    Ok("42")
}

struct Answered {
    status: u16,
    challenge: Option<String>,
    body: Value,
}

async fn ask(url: &str, authorization: &[&str]) -> Answered {
    let mut request = reqwest::Client::builder().no_proxy().build().unwrap().get(url);
    for value in authorization {
        request = request.header("authorization", *value);
    }
    let response = request.send().await.unwrap();
    let text = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
    let (status, challenge) = (response.status().as_u16(), text("www-authenticate"));
    if status >= 400 {
        assert_eq!(text("content-type").unwrap(), "application/problem+json");
        assert_eq!(text("cache-control").unwrap(), "no-store");
    }
    let body = response.text().await.unwrap();
    Answered { status, challenge, body: serde_json::from_str(&body).unwrap_or(Value::Null) }
}

#[tokio::test]
async fn the_extractor_lets_in_and_says_why_not() {
    let signer = Signer::es256();
    let issuer = Issuer::start(Answer::Keys(set(&[signer.jwk("k")]))).await;
    let app = Router::new()
        .route("/me", get(me))
        .route("/admin", get(admin))
        .with_state(issuer.guard(LATER));
    let url = serve(app).await;
    let (me, admin) = (format!("{url}/me"), format!("{url}/admin"));

    let good = format!("Bearer {}", signer.sign("k", &claims()));
    let answer = ask(&me, &[&good]).await;
    assert_eq!((answer.status, answer.body), (200, json!({"sub": "0199-ann"})));
    let lower = good.replacen("Bearer", "bearer", 1);
    assert_eq!(ask(&me, &[&lower]).await.status, 200);
    assert_eq!(ask(&admin, &[&good]).await.status, 200);

    for missing in [&[][..], &["Basic YTpi"], &[""], &["Token abc"]] {
        let answer = ask(&me, missing).await;
        assert_eq!((answer.status, answer.challenge.as_deref()), (401, Some("Bearer")));
        assert_eq!(answer.body["code"], "AUTH_TOKEN_MISSING");
    }
    let stolen = format!("Bearer {}", Signer::es256().sign("k", &claims()));
    let unknown = format!("Bearer {}", signer.sign("other", &claims()));
    let mut foreign = claims();
    foreign["aud"] = json!("https://other.example.org");
    let foreign = format!("Bearer {}", signer.sign("k", &foreign));
    let mut bodies = Vec::new();
    for invalid in [
        &[stolen.as_str()][..],
        &[&unknown],
        &[&foreign],
        &["Bearer"],
        &["Bearer a.b"],
        &[&good, &good],
    ] {
        let answer = ask(&me, invalid).await;
        assert_eq!(answer.status, 401);
        assert!(answer.challenge.unwrap().contains("error=\"invalid_token\""));
        assert_eq!(answer.body["code"], "AUTH_TOKEN_INVALID");
        bodies.push(answer.body.to_string());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "an answer that differs tells something");

    let mut old = claims();
    (old["iat"], old["exp"]) = (json!(NOW - 1000), json!(NOW - 100));
    let answer = ask(&me, &[&format!("Bearer {}", signer.sign("k", &old))]).await;
    assert_eq!((answer.status, &answer.body["code"]), (401, &json!("AUTH_TOKEN_EXPIRED")));

    let mut user = claims();
    user["roles"] = json!(["user"]);
    let answer = ask(&admin, &[&format!("Bearer {}", signer.sign("k", &user))]).await;
    assert_eq!((answer.status, &answer.body["required"]), (403, &json!("admin")));
    assert_eq!(answer.body["code"], "AUTH_INSUFFICIENT_PERMISSIONS");
}

#[tokio::test]
async fn without_keys_the_answer_is_503() {
    let issuer = Issuer::start(Answer::Status(500)).await;
    let url = serve(Router::new().route("/me", get(me)).with_state(issuer.guard(LATER))).await;
    let token = Signer::es256().sign("k", &claims());
    let answer = ask(&format!("{url}/me"), &[&format!("Bearer {token}")]).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("SERVICE_UNAVAILABLE")));
    assert!(answer.challenge.is_none());
}
