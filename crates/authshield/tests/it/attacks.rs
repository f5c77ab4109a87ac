//! Classes of attacks that no other file is about: time as an oracle, text that leads elsewhere, what piles up,
//! and switches that are only for tests.

use std::time::{Duration, Instant};

use authshield::kernel::EmailAddress;
use authshield::{accounts, chores, registration};
use reqwest::{Method, header};
use serde_json::json;

use crate::passkeys::challenge;
use crate::registration::UNLIMITED;
use crate::second_factor::{enable, ticket};
use crate::support::smtp_server::quoted_printable;
use crate::support::{PASSWORD, Program, SmtpServer, TestApp, wait_until};

const ANN: &str = "ann@example.org";
const MARKUP: &str = "<b>Ann</b> <a href=\"https://evil.example/x\">https://evil.example/x</a>";

/// Returns how many hashes were done.
fn hashes(app: &TestApp) -> u64 {
    let page = app.app.metrics.encode();
    let name = "authshield_hash_duration_seconds_count ";
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.parse().unwrap()
}

/// Waits until so many hashes were done, and no more: they are counted a moment after the answer.
pub(crate) async fn hashed(app: &TestApp, all: u64, what: &str) {
    let done = async || (hashes(app) >= all).then_some(());
    wait_until(what, Duration::from_secs(90), done).await;
    assert_eq!(hashes(app), all, "{what}");
}

/// A hash takes longer than all else that is done for an answer, so that one which is left out tells by the time
/// who has an account. What else is done is less than a step, at the end of which the answer leaves.
/// (`cargo xtask bench --only timing` measures what is left.)
///
/// Attack: A09
#[tokio::test]
async fn a09_the_work_for_an_answer_tells_nobody_who_has_an_account() {
    const STEP: Duration = Duration::from_millis(25);
    let app = TestApp::with(&[UNLIMITED, ("magic_link.enabled", "true")]).await;
    app.open_account(ANN).await;
    // Its own, and that of a registration before it.
    let mut all = 2;
    hashed(&app, all, "opening an account").await;
    for (path, more, work) in [
        ("/api/v1/auth/login", json!({ "password": "seven herons under glass" }), 2),
        ("/api/v1/auth/register", json!({ "password": PASSWORD }), 2),
        ("/api/v1/auth/forgot-password", json!({}), 0),
        ("/api/v1/auth/resend-verification", json!({}), 0),
        ("/api/v1/auth/magic-link", json!({}), 0),
    ] {
        for email in [ANN, "nobody@example.org"] {
            let mut body = more.clone();
            body["email"] = email.into();
            let asked = Instant::now();
            let reply = app.post(path, body).await;
            let waited = asked.elapsed() >= STEP;
            assert!(waited || path == "/api/v1/auth/login", "{path} answers as soon as it is done");
            assert!(reply.status.as_u16() < 429, "{reply:?}");
            all += work;
            hashed(&app, all, path).await;
        }
    }
}

/// Whoever asks many times at once would see by the last answer that an account made them wait.
///
/// Attack: A09
#[tokio::test]
async fn a09_who_asks_for_a_mail_waits_for_others_with_and_without_an_account() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account(ANN).await;
    for email in [ANN, "nobody@example.org"] {
        let email: EmailAddress = email.parse().unwrap();
        let store = app.app.store.clone();
        let mut first = store.write().await.unwrap();
        accounts::ask_by_email(&mut first, &email).await.unwrap();
        let second = tokio::spawn(async move {
            let mut second = store.write().await?;
            accounts::ask_by_email(&mut second, &email).await.map(drop)
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!second.is_finished());
        first.commit().await.unwrap();
        second.await.unwrap().unwrap();
    }
}

/// Attack: J05, J06, K10
/// ASVS: V1.2.1, V1.3.12
#[tokio::test]
async fn j05_j06_k10_what_somebody_types_is_text_leads_nowhere_and_is_read_soon() {
    let app = TestApp::with(&[UNLIMITED]).await;
    // A name is text in a mail, and none that leads elsewhere is shown there.
    let ann = json!({ "email": ANN, "password": PASSWORD, "full_name": MARKUP });
    app.post("/api/v1/auth/register", ann).await.ok(202);
    let mail = app.last_mail(ANN).await;
    let text = quoted_printable(&mail.data);
    assert!(!text.contains("evil.example") && !text.contains("<b>Ann"), "{text}");
    for name in ["a\u{202e}nnA", "Ann\r\nBcc: thief@example.net", &"x".repeat(201)] {
        let body = json!({ "email": "eve@example.org", "password": PASSWORD, "full_name": name });
        app.post("/api/v1/auth/register", body).await.is(422, "VALIDATION_FAILED");
    }
    app.verify(&app.token_for(ANN).await).await.ok(200);

    // Whatever a form or a query asks for, a browser stays here.
    for away in
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    {
        let encoded: String = url::form_urlencoded::byte_serialize(away.as_bytes()).collect();
        let mut fields = vec![("email", ANN), ("password", PASSWORD)];
        let names = ["next", "return_to", "redirect", "redirect_uri", "url", "continue"];
        fields.extend(names.map(|name| (name, away)));
        let query: Vec<_> = names.iter().map(|name| format!("{name}={encoded}")).collect();
        for path in ["/sign-in", "/sign-out", "/account", "/forgot-password", "/"] {
            let path = format!("{path}?{}", query.join("&"));
            for reply in [app.get(&path).await, app.submit(&path, &fields).await] {
                let to = reply.headers.get(header::LOCATION).map(|to| to.to_str().unwrap());
                let stays = |to: &str| {
                    let there = url::Url::parse(&app.base).unwrap().join(to).unwrap();
                    there.as_str().starts_with(&format!("{}/", app.base))
                };
                assert!(to.is_none_or(stays), "{path}: {to:?}");
                let link = format!("href=\"{away}");
                assert!(!reply.text.contains(&link), "{path}: {}", reply.text);
            }
        }
    }

    // What is long and made to be read slowly is answered soon.
    let long = |part: &str| part.repeat(60_000 / part.len());
    for text in ["a.", "@", "\"", "\\u0000", "ſ", "xn--", "[", "9", "a@a."].map(long) {
        let began = Instant::now();
        let body = json!({ "email": text, "password": text });
        let reply = app.post("/api/v1/auth/login", body).await;
        assert!((400..500).contains(&reply.status.as_u16()), "{reply:?}");
        let head: String = text.chars().filter(char::is_ascii).take(4000).collect();
        for name in ["user-agent", "accept-language", "cookie", "authorization", "forwarded"] {
            let request = app.request(Method::GET, "/api/v1/users/me").header(name, &head);
            let reply = app.send(request).await;
            assert!((400..500).contains(&reply.status.as_u16()), "{name}: {reply:?}");
        }
        let took = began.elapsed();
        assert!(took < Duration::from_mins(1), "{took:?} for {:?}…", &head[..1.min(head.len())]);
    }
}

/// What strangers leave behind goes by itself: accounts, too, that nobody proved, and no others.
///
/// Attack: K08
/// ASVS: V14.2.7
#[tokio::test]
async fn k08_what_strangers_leave_behind_ends() {
    let app = TestApp::start().await;
    let ann = app.sign_up(ANN).await;
    enable(&app, &ann).await;
    for n in 0..3 {
        app.register(&format!("waits{n}@example.org"), PASSWORD).await.ok(202);
        app.log_in(&format!("nobody{n}@example.org"), PASSWORD).await;
        challenge(&app).await;
    }
    app.post("/api/v1/auth/forgot-password", json!({ "email": ANN })).await.ok(202);
    ticket(&app, ANN, PASSWORD).await;
    app.refresh(&ann.refresh).await.ok(200);
    let tables: [(&str, &'static str); 9] = [
        ("sessions", "SELECT COUNT(*) FROM sessions"),
        ("refresh_tokens", "SELECT COUNT(*) FROM refresh_tokens"),
        ("link_tokens", "SELECT COUNT(*) FROM link_tokens"),
        ("registrations", "SELECT COUNT(*) FROM registrations"),
        ("password_failures", "SELECT COUNT(*) FROM password_failures"),
        ("password_places", "SELECT COUNT(*) FROM password_places"),
        ("known_devices", "SELECT COUNT(*) FROM known_devices"),
        ("passkey_challenges", "SELECT COUNT(*) FROM passkey_challenges"),
        ("pending_sign_ins", "SELECT COUNT(*) FROM pending_sign_ins"),
    ];
    for (table, count) in tables {
        assert!(app.count(count).await > 0, "nothing is in {table}");
    }
    // Somebody who comes back in time finds theirs; it goes when their link does.
    app.mails().await;
    app.advance(Duration::from_hours(24 * 30));
    app.register("waits0@example.org", PASSWORD).await.ok(202);
    app.advance(Duration::from_hours(23));
    assert_eq!(registration::forget_unproved(&app.app, &app.ctx()).await.unwrap(), 2);
    let proof = app.token_for("waits0@example.org").await;
    app.register("waits2@example.org", PASSWORD).await.ok(202);
    app.verify(&proof).await.ok(200);
    let left = "SELECT COUNT(*) FROM users";
    assert_eq!(app.count(left).await, 3);
    assert_eq!(registration::forget_unproved(&app.app, &app.ctx()).await.unwrap(), 0);
    let events = app.events().await;
    let gone = events.iter().filter(|event| *event == "USER_DELETED/never_proved").count();
    assert_eq!(gone, 2);
    app.advance(Duration::from_hours(24 * 500));
    chores::purge(&app.app, app.ctx().now).await.unwrap();
    assert_eq!(registration::forget_unproved(&app.app, &app.ctx()).await.unwrap(), 1);
    assert_eq!(app.count(left).await, 2);
    for (table, count) in tables {
        assert_eq!(app.count(count).await, 0, "{table}");
    }
}

/// Attack: L01
/// ASVS: V13.4.2, V15.2.3
#[tokio::test]
async fn l01_no_switch_of_tests_counts_in_production() {
    let relay = SmtpServer::start(crate::support::Script::default()).await;
    let program = Program::production(&relay).await;
    let check = ["config", "check"];
    program.run(&check).await.ok();
    for name in ["testing", "debug", "test_mode"] {
        let program = program.clone().set(name, "true");
        for command in [&check[..], &["serve"]] {
            let done = program.run(command).await;
            assert_eq!(done.status, Some(78), "{done:?}");
            let words = format!("{} is not a setting", name.to_uppercase());
            assert!(done.err.contains(&words), "{done:?}");
        }
    }
    let listens = program.clone().set("environment", "development").set("listen", "0.0.0.0:0");
    let unlimited = program.set("rate_limit.enabled", "false");
    for (program, words) in [
        (listens, "development listens on this machine only"),
        (unlimited, "`rate_limit.enabled` is false"),
    ] {
        let done = program.run(&check).await;
        assert!(done.status == Some(78) && done.err.contains(words), "{done:?}");
    }
}
