//! Captchas: who has to solve one, and what counts as solved.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use crate::pages::form;
use crate::registration::UNLIMITED;
use crate::silent_failures::Gate;
use crate::support::detection::Fault;
use crate::support::{PASSWORD, Program, Reply, TestApp, on_postgres};

const CHEAP: (&str, &str) = ("captcha.cost", "20");

/// Solves as ALTCHA's widget does, by the protocol's own library.
fn solve(challenge: &Value) -> Value {
    let challenge: altcha::Challenge = serde_json::from_value(challenge.clone()).unwrap();
    let options = altcha::SolveChallengeOptions::new(&challenge);
    let solution = altcha::solve_challenge(options).unwrap().unwrap();
    json!({ "challenge": challenge, "solution": solution })
}

fn token(solved: &Value) -> String {
    BASE64.encode(solved.to_string())
}

async fn solved(app: &TestApp, at: &str) -> Value {
    solve(&app.get(&format!("/api/v1/auth/captcha?at={at}")).await.ok(200).body)
}

/// Does a proof of work for the form `at`.
pub(crate) async fn work(app: &TestApp, at: &str) -> String {
    token(&solved(app, at).await)
}

/// A page that may run a script, as none may that asks for no captcha.
#[track_caller]
pub(crate) fn shows(page: &Reply, status: u16, words: &[&str]) {
    assert_eq!(page.status.as_u16(), status, "{page:?}");
    let text = page.html();
    for word in words {
        assert!(text.contains(word), "no `{word}` in {text}");
    }
    for never in ["<script>", "<style", "style=\"", "onclick", "javascript:"] {
        assert!(!text.contains(never), "`{never}` in {text}");
    }
}

async fn log_in(app: &TestApp, email: &str, captcha: Option<&str>) -> Reply {
    let body = json!({ "email": email, "password": PASSWORD, "captcha_token": captcha });
    app.post("/api/v1/auth/login", body).await
}

/// A proof of work opens one form once, wherever it is shown, and only if it is ours, for that form, in time, and
/// as dear as we made it.
///
/// Attack: A07, B17
/// ASVS: V2.4.1
#[tokio::test]
async fn a_proof_of_work_counts_once() {
    let app = TestApp::with(&[CHEAP, UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    let doors = [
        ("captcha.login", "always"),
        ("captcha.registration", "always"),
        ("captcha.reset", "always"),
        UNLIMITED,
        CHEAP,
    ];
    let (one, other) = (app.second_node(&doors).await, app.second_node(&doors).await);

    // Without one nobody gets anywhere, and the answer is the same for everybody.
    let asked = log_in(&one, "ann@example.org", None).await;
    asked.is(403, "AUTH_CAPTCHA_REQUIRED");
    assert_eq!(asked.body["provider"], "altcha");
    let challenge = asked.body["challenge_url"].as_str().unwrap();
    assert!(challenge.ends_with("/api/v1/auth/captcha?at=login"), "{challenge}");
    let without = |reply: &Reply| {
        let mut body = reply.body.clone();
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    let nobody = log_in(&one, "nobody@example.org", Some("")).await;
    assert_eq!(without(&asked), without(&nobody));
    one.register("bob@example.org", PASSWORD).await.is(403, "AUTH_CAPTCHA_REQUIRED");
    let forgot =
        |captcha: Option<String>| json!({ "email": "ann@example.org", "captcha_token": captcha });
    let path = "/api/v1/auth/forgot-password";
    one.post(path, forgot(None)).await.is(403, "AUTH_CAPTCHA_REQUIRED");
    for at in ["", "?at=", "?at=account", "?at=login&cost=1"] {
        let path = format!("/api/v1/auth/captcha{at}");
        one.get(&path).await.is(422, "VALIDATION_FAILED");
    }

    // Made by one node, shown to the other, and then again to either.
    let answer = work(&one, "login").await;
    log_in(&other, "ann@example.org", Some(&answer)).await.ok(200);
    for node in [&one, &other] {
        log_in(node, "ann@example.org", Some(&answer)).await.is(403, "AUTH_CAPTCHA_REQUIRED");
    }
    // Ten at once: one passes.
    let answer = work(&one, "login").await;
    let tries = (0..10).map(|n| {
        let node = if n % 2 == 0 { &one } else { &other };
        log_in(node, "ann@example.org", Some(&answer))
    });
    let replies = futures_util::future::join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status.is_success()).count(), 1);

    // The others, each with its own.
    let answer = work(&one, "login").await;
    one.post(path, forgot(Some(answer))).await.is(403, "AUTH_CAPTCHA_REQUIRED");
    let answer = work(&one, "reset").await;
    one.post(path, forgot(Some(answer))).await.ok(202);
    let answer = work(&one, "registration").await;
    let body = json!({ "email": "bob@example.org", "password": PASSWORD, "captcha_token": answer });
    one.post("/api/v1/auth/register", body).await.ok(202);
    // Who solved one may still be wrong.
    let answer = work(&one, "login").await;
    log_in(&one, "nobody@example.org", Some(&answer)).await.is(401, "AUTH_INVALID_CREDENTIALS");

    // Easier than it was made, of somebody else, not done, no answer at all, and too late.
    let good = solved(&one, "login").await;
    let with = |path: &str, value: Value| {
        let mut other = good.clone();
        *other.pointer_mut(path).unwrap() = value;
        token(&other)
    };
    for wrong in [
        with("/challenge/parameters/cost", 1.into()),
        with("/challenge/signature", "00".repeat(32).into()),
        with("/solution/derivedKey", "ff".repeat(32).into()),
        "nonsense".to_owned(),
    ] {
        log_in(&one, "ann@example.org", Some(&wrong)).await.is(403, "AUTH_CAPTCHA_REQUIRED");
    }
    one.advance(Duration::from_mins(10));
    let late = log_in(&one, "ann@example.org", Some(&token(&good))).await;
    late.is(403, "AUTH_CAPTCHA_REQUIRED");
    // What was only claimed is used up with the claim.
    let mut lazy = solved(&one, "login").await;
    let right = lazy.clone();
    lazy["solution"]["derivedKey"] = "00".repeat(32).into();
    for answer in [lazy, right] {
        let refused = log_in(&one, "ann@example.org", Some(&token(&answer))).await;
        refused.is(403, "AUTH_CAPTCHA_REQUIRED");
    }

    let events = one.events().await;
    let refused = |reason: &str| {
        let code = format!("CAPTCHA_REFUSED/{reason}");
        events.iter().filter(|event| **event == code).count()
    };
    let reasons = ["used", "signature", "solution", "malformed", "expired", "action"].map(refused);
    assert_eq!(reasons, [12, 2, 2, 1, 1, 1], "{events:?}");
    authshield::chores::purge(&one.app, one.app.world.now() + Duration::from_mins(11))
        .await
        .unwrap();
    assert_eq!(one.count("SELECT COUNT(*) FROM captcha_solutions").await, 0);
}

/// On suspicion, whoever asks seldom sees nothing of it, and whether an address has an account changes nothing.
///
/// Attack: A08, A10
#[tokio::test]
async fn suspicion_tells_nothing_of_accounts() {
    let settings = [
        CHEAP,
        ("captcha.login", "suspicion"),
        ("rate_limit.unsuspected_per_address", "3/15m"),
        ("rate_limit.unsuspected_per_client", "100/15m"),
    ];
    let app = TestApp::with(&settings).await;
    app.open_account("ann@example.org").await;
    let wrong = async |email: &str| app.log_in(email, "quite another thing 7").await;
    for email in ["ann@example.org", "nobody@example.org"] {
        for _ in 0..3 {
            wrong(email).await.is(401, "AUTH_INVALID_CREDENTIALS");
        }
        wrong(email).await.is(403, "AUTH_CAPTCHA_REQUIRED");
    }
    log_in(&app, "ann@example.org", None).await.is(403, "AUTH_CAPTCHA_REQUIRED");
    let answer = work(&app, "login").await;
    log_in(&app, "ann@example.org", Some(&answer)).await.ok(200);
    app.advance(Duration::from_mins(15));
    log_in(&app, "ann@example.org", None).await.ok(200);
}

/// What a provider's server says next, and what it was asked last.
#[derive(Clone, Default)]
struct Provider {
    says: Arc<Mutex<Option<(u16, String)>>>,
    asked: Arc<Mutex<String>>,
    questions: Arc<AtomicUsize>,
}

impl Provider {
    async fn start() -> (Self, String) {
        let provider = Self::default();
        let answer = async |State(it): State<Self>, body: String| it.answer(body).await;
        let app = Router::new().route("/siteverify", post(answer)).with_state(provider.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/siteverify", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (provider, url)
    }

    async fn answer(&self, body: String) -> Response {
        *self.asked.lock().unwrap() = body;
        self.questions.fetch_add(1, Ordering::SeqCst);
        let (status, words) = self.says.lock().unwrap().clone().unwrap_or_default();
        match StatusCode::from_u16(status) {
            Ok(status) => (status, words).into_response(),
            Err(_) => std::future::pending().await,
        }
    }

    fn says(&self, status: u16, words: &str) {
        *self.says.lock().unwrap() = Some((status, words.to_owned()));
    }

    /// Takes questions from now on, and answers none.
    fn hangs(&self) {
        *self.says.lock().unwrap() = None;
    }
}

/// What each provider says of a person, in the words of its documentation; the site is ours.
const GOOD: [(&str, &str); 3] = [
    (
        "turnstile",
        r#"{"success":true,"challenge_ts":"2022-02-28T15:14:30.096Z","hostname":"127.0.0.1",
            "error-codes":[],"action":"login","cdata":"sessionid-123456789",
            "metadata":{"ephemeral_id":"x:9f78e0ed210960d7693b167e"}}"#,
    ),
    (
        "hcaptcha",
        r#"{"success":true,"challenge_ts":"2026-11-26T08:00:00.000000Z","hostname":"127.0.0.1",
            "credit":true}"#,
    ),
    (
        "recaptcha",
        r#"{"success":true,"score":0.9,"action":"login","challenge_ts":"2026-11-26T08:00:00Z",
            "hostname":"127.0.0.1"}"#,
    ),
];

/// What its page may load, and how its answer is called there.
fn on_a_page(provider: &str) -> ([&'static str; 2], &'static str, &'static str) {
    match provider {
        "turnstile" => (
            [
                "script-src 'self' https://challenges.cloudflare.com;",
                "frame-src https://challenges.cloudflare.com;",
            ],
            "class=\"field cf-turnstile\" data-sitekey=\"the-site\" data-action=\"login\"",
            "captcha_token",
        ),
        "hcaptcha" => (
            [
                "script-src 'self' https://hcaptcha.com https://*.hcaptcha.com;",
                "frame-src https://hcaptcha.com https://*.hcaptcha.com;",
            ],
            "class=\"field h-captcha\" data-sitekey=\"the-site\"",
            "h-captcha-response",
        ),
        _ => (
            [
                "script-src 'self' https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/;",
                "frame-src https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/;",
            ],
            "class=\"field g-recaptcha\" data-sitekey=\"the-site\"",
            "g-recaptcha-response",
        ),
    }
}

/// Whatever a provider answers, it is a person, or a captcha is due: never an error, and never a way in. While
/// it is down our own work opens the door, and nobody but it can make it seem so.
///
/// Attack: L04, J04
#[tokio::test]
async fn a_provider_is_believed_within_reason() {
    for (provider, good) in GOOD {
        let (stub, url) = Provider::start().await;
        let settings = [
            CHEAP,
            UNLIMITED,
            ("captcha.login", "always"),
            ("captcha.provider", provider),
            ("captcha.site_key", "the-site"),
            ("captcha.secret_key", "the-secret-of-the-site"),
            ("captcha.verify_url", &url),
        ];
        let app = TestApp::with(&settings).await;
        app.open_account("ann@example.org").await;
        let refuses = r#"{"success":false,"error-codes":["invalid-input-response"]}"#;
        stub.says(200, refuses);
        let asked = log_in(&app, "ann@example.org", None).await;
        asked.is(403, "AUTH_CAPTCHA_REQUIRED");
        assert_eq!(
            (&asked.body["provider"], &asked.body["site_key"]),
            (&provider.into(), &"the-site".into())
        );

        stub.says(200, good);
        log_in(&app, "ann@example.org", Some("a person")).await.ok(200);
        let said = stub.asked.lock().unwrap().clone();
        let expected = "secret=the-secret-of-the-site&response=a+person&remoteip=127.0.0.1";
        assert_eq!(said, expected);

        // On the page: its box, what that may load and no more, and its answer.
        let (policy, shown, named) = on_a_page(provider);
        let page = app.get("/sign-in").await;
        shows(&page, 200, &[shown, "<noscript>"]);
        let said = page.header("content-security-policy");
        assert!(policy.iter().all(|part| said.contains(part)), "{said}");
        assert!(!said.contains("unsafe"), "{said}");
        let fields = [("email", "ann@example.org"), ("password", PASSWORD), (named, "a person")];
        let sent = form(&app, "/sign-in", &fields).header("sec-fetch-site", "same-origin");
        app.send(sent).await.ok(303);

        for (status, words, next, reason) in [
            (200, r#"{"success":true,"hostname":"evil.example"}"#, provider, "hostname"),
            (
                200,
                r#"{"success":true,"hostname":"127.0.0.1","action":"reset"}"#,
                provider,
                "action",
            ),
            (200, refuses, provider, "refused"),
            (200, r#"{"success":"true","hostname":"127.0.0.1"}"#, "altcha", "provider_down"),
            (
                200,
                r#"{"success":false,"error-codes":["invalid-input-secret"]}"#,
                "altcha",
                "provider_down",
            ),
            (200, &" ".repeat(70_000), "altcha", "provider_down"),
            (302, "", "altcha", "provider_down"),
            (503, "", "altcha", "provider_down"),
        ] {
            app.advance(Duration::from_mins(1));
            stub.says(status, words);
            let refused = log_in(&app, "ann@example.org", Some("a person")).await;
            refused.is(403, "AUTH_CAPTCHA_REQUIRED");
            assert_eq!(refused.body["provider"], next, "{words}");
            let last = app.events().await.pop().unwrap();
            assert_eq!(last, format!("CAPTCHA_REFUSED/{reason}"), "{words}");
        }
        // While it does not answer, our own work opens the door, on the page, too, and no longer.
        let page = app.get("/sign-in").await;
        shows(&page, 200, &["/assets/captcha.js?v="]);
        let said = page.header("content-security-policy");
        assert!(said.contains("script-src 'self'; connect-src 'self'"), "{said}");
        let (answer, late) = (work(&app, "login").await, work(&app, "login").await);
        log_in(&app, "ann@example.org", Some(&answer)).await.ok(200);
        app.advance(Duration::from_mins(1));
        stub.says(200, refuses);
        let answer = work(&app, "login").await;
        let refused = log_in(&app, "ann@example.org", Some(&answer)).await;
        refused.is(403, "AUTH_CAPTCHA_REQUIRED");
        assert_eq!(refused.body["provider"], provider);
        assert_eq!(app.events().await.last().unwrap(), "CAPTCHA_REFUSED/other_provider");
        // Who began while it was down has not worked in vain.
        log_in(&app, "ann@example.org", Some(&late)).await.ok(200);
    }
}

/// A provider that takes questions and answers none costs each request seconds, not the service its doors.
///
/// Attack: L04
#[tokio::test]
async fn a_provider_that_hangs_is_asked_once_in_a_while() {
    if on_postgres() {
        return;
    }
    let (stub, url) = Provider::start().await;
    let settings = [
        CHEAP,
        UNLIMITED,
        ("captcha.login", "always"),
        ("captcha.provider", "turnstile"),
        ("captcha.site_key", "the-site"),
        ("captcha.secret_key", "the-secret-of-the-site"),
        ("captcha.verify_url", &url),
    ];
    let app = TestApp::with(&settings).await;
    app.open_account("ann@example.org").await;
    stub.hangs();
    let tries = (0..8).map(|_| log_in(&app, "ann@example.org", None));
    for reply in futures_util::future::join_all(tries).await {
        reply.is(403, "AUTH_CAPTCHA_REQUIRED");
        assert_eq!(reply.body["provider"], "altcha");
    }
    assert_eq!(stub.questions.load(Ordering::SeqCst), 1);
    let answer = work(&app, "login").await;
    log_in(&app, "ann@example.org", Some(&answer)).await.ok(200);
    assert_eq!(stub.questions.load(Ordering::SeqCst), 1);
}

/// Preflight proves the keys.
#[tokio::test]
async fn preflight_finds_keys_that_are_wrong_or_for_tests() {
    let (stub, url) = Provider::start().await;
    let secret = "the-secret-of-the-site";
    let program = async |secret: &str| {
        Program::new()
            .await
            .set("captcha.login", "suspicion")
            .set("captcha.provider", "hcaptcha")
            .set("captcha.site_key", "the-site")
            .set("captcha.secret_key", secret)
            .set("captcha.verify_url", &url)
    };
    let refuses = r#"{"success":false,"error-codes":["invalid-input-response"]}"#;
    for (secret, words, status, found) in [
        (secret, refuses, "pass", "knows the key"),
        (
            secret,
            r#"{"success":false,"error-codes":["invalid-input-secret"]}"#,
            "fail",
            "invalid-input-secret",
        ),
        (secret, r#"{"success":true,"hostname":"example.com"}"#, "warn", "for tests"),
        // Documented for tests: it refuses what it did not make, as others do.
        ("0x0000000000000000000000000000000000000000", refuses, "warn", "for tests"),
    ] {
        stub.says(200, words);
        let program = program(secret).await;
        let fault = match status {
            "pass" => None,
            "fail" => Some(Fault::injected(29, "the secret of the captcha is wrong")),
            _ => Some(Fault::injected(29, "the keys of the captcha are for tests")),
        };
        Gate::of(&program, &[]).await.has("CAP-1", status, &[found]);
        if let Some(fault) = fault {
            fault.found_by("CAP-1");
        }
    }
}
