//! Somebody else is asked whether a password was stolen: they learn next to nothing, and keep nobody out.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use authshield::chores;
use authshield::passwords::breached::{Lists, build};
use authshield::telemetry::metrics::BreachLookup;
use authshield::world::World;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha1::{Digest, Sha1};

use crate::registration::UNLIMITED;
use crate::silent_failures::Gate;
use crate::support::{PASSWORD, Program, Reply, TestApp};

const STOLEN: &str = "four teapots in a kayak";
const IN_THE_FILE: &str = "nine lanterns in a canal";
const OTHER: &str = "seven herons under glass";

/// The published key of a password: what is told, and the rest.
fn key(password: &str) -> (String, String) {
    let digest = Sha1::digest(password);
    let (first, last) = (digest.first_chunk().unwrap(), digest.last_chunk().unwrap());
    let hex = format!("{:032X}{:08X}", u128::from_be_bytes(*first), u32::from_be_bytes(*last));
    let (told, rest) = hex.split_at(5);
    (told.to_owned(), rest.to_owned())
}

/// What the server does with a question.
#[derive(Clone)]
enum Mood {
    /// Plays the API: these were stolen, these are only padding.
    Knows(Vec<&'static str>, Vec<&'static str>),
    /// Says this, whatever was asked.
    Says(u16, String),
    /// Takes questions, and answers none.
    Hangs,
}

/// A server that plays the range API, as it is documented, and remembers what it was told.
#[derive(Clone)]
struct Api {
    mood: Arc<Mutex<Mood>>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Api {
    async fn start() -> (Self, String) {
        let (mood, told) = (Arc::new(Mutex::new(Mood::Hangs)), Arc::default());
        let api = Self { mood, told };
        let answer = async |State(it): State<Self>, request: Request| match it.answer(&request) {
            Some(answer) => answer,
            None => std::future::pending().await,
        };
        let app = Router::new().fallback(answer).with_state(api.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/range/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (api, url)
    }

    fn answer(&self, request: &Request) -> Option<Response> {
        let padded = request.headers().get("add-padding").is_some_and(|is| is == "true");
        self.told.lock().unwrap().push(format!("{request:?}"));
        let told = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Knows(stolen, padding) => {
                let mut lines = vec!["0018A45C4D1DEF81644B54AB7F969B88D65:1".to_owned()];
                let mut put = |passwords: &[&str], times: u32| {
                    let keys = passwords.iter().map(|password| key(password));
                    let here = keys.filter(|(range, _)| *range == told);
                    lines.extend(here.map(|(_, rest)| format!("{rest}:{times}")));
                };
                put(&stolen, 7);
                if padded {
                    put(&padding, 0);
                    let none = "00D4F6E8FA6EECAD2A3AA415EEC418D38EC:0".to_owned();
                    lines.resize(lines.len() + 20, none);
                }
                Some(lines.join("\r\n").into_response())
            }
            Mood::Says(status, body) => {
                Some((StatusCode::from_u16(status).unwrap(), body).into_response())
            }
            Mood::Hangs => None,
        }
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn questions(&self) -> usize {
        self.told.lock().unwrap().len()
    }
}

#[track_caller]
fn is_refused(reply: &Reply) {
    reply.is(422, "VALIDATION_FAILED");
    assert_eq!(reply.body["errors"][0]["code"], "breached", "{reply:?}");
}

async fn events(app: &TestApp, code: &str) -> Vec<String> {
    let all = app.events().await;
    all.into_iter().filter(|event| event.starts_with(code)).collect()
}

#[track_caller]
fn ends_unasked(events: &[String]) {
    let last = events.last_chunk().unwrap();
    assert_eq!(last, &["BREACH_LOOKUP_FAILED/failed", "BREACH_LOOKUP_FAILED/paused"]);
}

/// The whole story: what was stolen cannot be chosen anywhere, padding is not stolen, and nothing but five digits
/// leaves; whatever the server does instead of answering, people register, and the trail says that nobody looked.
///
/// ASVS: V6.2.12
/// Attack: L04
#[tokio::test]
async fn l04_stolen_passwords_are_asked_for_and_whoever_is_asked_keeps_nobody_out() {
    let (api, url) = Api::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("breached.filter");
    let app = TestApp::with(&[
        UNLIMITED,
        ("password.breached_ranges", "always"),
        ("password.breached_ranges_url", &url),
        ("password.breached_ranges_timeout", "10s"),
        ("password.breached_file", file.to_str().unwrap()),
    ])
    .await;

    // Nobody has heard of it yet, and the hour for which that is believed passes.
    api.becomes(Mood::Knows(vec![], vec![STOLEN]));
    app.register("bob@example.org", STOLEN).await.ok(202);
    let bob = app.token_for("bob@example.org").await;
    app.verify(&bob).await.ok(200);
    app.open_account("ann@example.org").await;
    let asked = api.questions();
    app.register("eve@example.org", STOLEN).await.ok(202);
    assert_eq!(api.questions(), asked, "it was known");
    app.advance(Duration::from_hours(1));
    api.becomes(Mood::Knows(vec![STOLEN], vec![OTHER]));
    nobody_chooses_what_was_stolen(&app, &api).await;
    five_digits_left(&api);

    // Whatever it does, people register. The file knows what it knows all the same.
    let list = folder.path().join("list");
    fs::write(&list, IN_THE_FILE).unwrap();
    let lists = Lists { files: &[list], are_plain: true, at_least: 0 };
    build(lists, &file, app.world.now()).unwrap();
    chores::look_at_breached(app.app.clone()).await;
    let (_, rest) = key(STOLEN);
    for (at, (status, body)) in [
        (503, String::new()),
        (429, "slower".to_owned()),
        (302, String::new()),
        (200, String::new()),
        (200, "<html>you must sign in</html>".to_owned()),
        (200, format!("{rest}:many\r\n")),
        (200, format!("{rest}:7\r\n").repeat(10_000)),
    ]
    .into_iter()
    .enumerate()
    {
        app.advance(Duration::from_hours(1));
        api.becomes(Mood::Says(status, body));
        let (one, other) = (format!("one{at}@example.org"), format!("other{at}@example.org"));
        app.register(&one, STOLEN).await.ok(202);
        let asked = api.questions();
        app.register(&other, STOLEN).await.ok(202);
        assert_eq!(api.questions(), asked, "it is left alone");
        ends_unasked(&events(&app, "BREACH_LOOKUP_FAILED").await);
        is_refused(&app.register("dan@example.org", IN_THE_FILE).await);
    }
    app.log_in("bob@example.org", STOLEN).await.ok(200);

    // It is believed again as soon as it answers.
    app.advance(Duration::from_secs(10));
    api.becomes(Mood::Knows(vec![STOLEN], vec![]));
    is_refused(&app.register("dan@example.org", STOLEN).await);
    let counted = |at, outcome| {
        app.app.metrics.breach_lookups.get_or_create(&BreachLookup { at, outcome }).get()
    };
    assert_eq!(counted("registration", "stolen"), 2);
    assert_eq!((counted("change", "stolen"), counted("reset", "stolen")), (1, 1));
    assert_eq!((counted("registration", "failed"), counted("registration", "paused")), (7, 7));
    assert_eq!((counted("sign_in", "stolen"), counted("sign_in", "paused")), (1, 1));

    // On a node that has little patience it hangs: who comes first waits that long, the next not at all.
    let hasty = [
        UNLIMITED,
        ("password.breached_ranges", "new"),
        ("password.breached_ranges_url", &url),
        ("password.breached_ranges_timeout", "50ms"),
    ];
    let hasty = app.second_node(&hasty).await;
    api.becomes(Mood::Hangs);
    hasty.register("fay@example.org", STOLEN).await.ok(202);
    let asked = api.questions();
    hasty.register("gus@example.org", STOLEN).await.ok(202);
    hasty.log_in("bob@example.org", STOLEN).await.ok(200);
    assert_eq!(api.questions(), asked);
    ends_unasked(&events(&hasty, "BREACH_LOOKUP_FAILED").await);
}

/// At registration, change and reset; and who has one already signs in, and is seen.
async fn nobody_chooses_what_was_stolen(app: &TestApp, api: &Api) {
    is_refused(&app.register("eve@example.org", STOLEN).await);
    app.register("eve@example.org", OTHER).await.ok(202);
    let ann = app.sign_in("ann@example.org").await;
    let change = json!({ "current_password": PASSWORD, "new_password": STOLEN });
    is_refused(&app.post_as(&ann, "/api/v1/auth/change-password", change).await);
    app.mails().await; // so that the next one is the last one
    app.post("/api/v1/auth/forgot-password", json!({ "email": "ann@example.org" })).await.ok(202);
    let token = app.token_for("ann@example.org").await;
    let reset = json!({ "token": token, "new_password": STOLEN });
    is_refused(&app.post("/api/v1/auth/reset-password", reset).await);
    app.log_in("bob@example.org", STOLEN).await.ok(200);
    let asked = api.questions();
    let wrong = app.log_in("bob@example.org", "ten rafts of wrong reeds").await;
    wrong.is(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(api.questions(), asked, "a wrong password is nobody's");
    assert_eq!(events(app, "PASSWORD_REFUSED").await, ["PASSWORD_REFUSED/breached"; 3]);
    assert_eq!(events(app, "BREACHED_PASSWORD_USED").await.len(), 1);
}

/// Neither a password, nor its hash, nor whose it is.
fn five_digits_left(api: &Api) {
    for told in api.told.lock().unwrap().iter() {
        let (_, path) = told.split_once("/range/").unwrap();
        assert_eq!(path.chars().take_while(char::is_ascii_hexdigit).count(), 5, "{told}");
        assert!(told.contains("\"add-padding\": \"true\""), "{told}");
        for password in [STOLEN, OTHER, PASSWORD] {
            let (_, rest) = key(password);
            assert!(!told.to_uppercase().contains(&rest[..8]), "{told}");
        }
        assert!(!told.contains("example.org"), "{told}");
    }
}

/// Preflight proves that it answers, knows what everybody knows, and pads.
#[tokio::test]
async fn preflight_proves_the_range_api() {
    let (api, url) = Api::start().await;
    let program = Program::new()
        .await
        .set("password.breached_ranges", "new")
        .set("password.breached_ranges_url", &url)
        .set("password.breached_ranges_timeout", "10s");
    let (_, rest) = key("password");
    for (mood, status, found) in [
        (Mood::Knows(vec!["password"], vec![]), "pass", "20 entries of padding"),
        (Mood::Knows(vec![], vec!["password"]), "fail", "is none of them"),
        (Mood::Says(200, format!("{rest}:9545824\r\n")), "warn", "does not pad"),
        (Mood::Says(403, String::new()), "fail", "it answered 403"),
    ] {
        api.becomes(mood);
        let only = ["--only", "BRE-2"];
        Gate::of(&program, &only).await.has("BRE-2", status, &[found]);
    }
    assert_eq!(api.questions(), 4);
}
