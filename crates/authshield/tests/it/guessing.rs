//! Wrong passwords: how many are judged, wherever they come from, and who gets in meanwhile.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::registration::{UNLIMITED, outside};
use crate::support::{PASSWORD, Reply, TestApp, wait_until};

pub(crate) const WRONG: &str = "battery staple";
const OTHER: &str = "seven herons under glass";

/// Clients come from where a proxy says, so that a test can be in many places.
pub(crate) const PROXY: (&str, &str) = ("trusted_proxies", "127.0.0.1/32");

pub(crate) const HOME: &str = "192.0.2.1";
const CAFE: &str = "198.51.100.7";

/// Signs in from an address.
pub(crate) async fn log_in(app: &TestApp, from: &str, email: &str, password: &str) -> Reply {
    let request = app.request(Method::POST, "/api/v1/auth/login").header("x-forwarded-for", from);
    app.send(request.json(&json!({ "email": email, "password": password }))).await
}

/// An address that nobody had before: no limit per client is in the way.
fn elsewhere(n: usize) -> String {
    format!("2001:db8:{:x}:{:x}::1", n / 1000 + 1, n % 1000)
}

/// Guesses from ever new places as often as it is allowed, waiting when it is told to, up to `times`; returns
/// what was answered when it was no 429.
async fn guess(app: &TestApp, email: &str, times: usize, seed: usize) -> Vec<Reply> {
    let mut judged = Vec::new();
    let mut asked = seed;
    while judged.len() < times {
        asked += 1;
        let reply = log_in(app, &elsewhere(asked), email, WRONG).await;
        if reply.status == 429 {
            let wait: u64 = reply.header("retry-after").parse().unwrap();
            app.advance(Duration::from_secs(wait));
        } else {
            judged.push(reply);
        }
    }
    judged
}

async fn reset_from(app: &TestApp, from: &str, email: &str, password: &str) {
    app.mails().await; // so that the next one is the last one
    app.post("/api/v1/auth/forgot-password", json!({ "email": email })).await.ok(202);
    let token = app.token_for(email).await;
    let request = app.request(Method::POST, "/api/v1/auth/reset-password");
    let body = json!({ "token": token, "new_password": password });
    app.send(request.header("x-forwarded-for", from).json(&body)).await.ok(204);
}

/// Anybody can ask for mails to an address, and a mailbox gets few: that keeps no owner out where she signed in
/// before, and what a stranger can have without a captcha uses up nothing that lets in.
///
/// Attack: A05
#[tokio::test]
async fn a05_mails_that_strangers_ask_for_leave_an_owner_hers() {
    let doubt = [("risk.mode", "enforce"), ("risk.new_device", "step_up")];
    let app = TestApp::with(&[&[PROXY, crate::magic_link::ON], &doubt[..]].concat()).await;
    app.open_account("ann@example.org").await;
    log_in(&app, HOME, "ann@example.org", PASSWORD).await.ok(200);
    let ask = async |from: &str, path: &str, email: &str| {
        let request = app.request(Method::POST, path).header("x-forwarded-for", from);
        app.send(request.json(&json!({ "email": email }))).await
    };
    let [resend, forgot, sign_in] = ["resend-verification", "forgot-password", "magic-link"]
        .map(|name| format!("/api/v1/auth/{name}"));

    // Both alike, whether or not there is somebody.
    for email in ["ann@example.org", "nobody@example.org"] {
        let mut n = 0;
        while ask(&elsewhere(n), &resend, email).await.status != 429 {
            n += 1;
            assert!(n < 6, "{email}");
        }
        for n in 0..5 {
            let path = if n % 2 == 0 { &forgot } else { &sign_in };
            ask(&elsewhere(n), path, email).await.ok(202);
        }
        for path in [&forgot, &sign_in] {
            ask(&elsewhere(7), path, email).await.is(429, "RATE_LIMIT_EXCEEDED");
        }
    }
    for path in [&forgot, &sign_in] {
        ask(HOME, path, "nobody@example.org").await.is(429, "RATE_LIMIT_EXCEEDED");
        ask(HOME, path, "ann@example.org").await.ok(202);
    }
    // On a new device she gets the code that a rule of risk asks for.
    let telephone = |path: &str, body: Value| {
        let request = app.request(Method::POST, path).header("x-forwarded-for", HOME);
        app.send(request.header(header::USER_AGENT, "curl/8.5.0").json(&body))
    };
    let log_in = json!({ "email": "ann@example.org", "password": PASSWORD });
    let asked = telephone("/api/v1/auth/login", log_in).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    let ticket = json!({ "mfa_token": asked.body["mfa_token"] });
    telephone("/api/v1/auth/2fa/email", ticket).await.ok(202);
    // Her mailbox is not filled from there either.
    for _ in 0..2 {
        ask(HOME, &forgot, "ann@example.org").await.ok(202);
    }
    ask(HOME, &sign_in, "ann@example.org").await.is(429, "RATE_LIMIT_EXCEEDED");
}

/// The whole story of somebody who is guessed at: where she signed in before she still gets in, by mail from
/// anywhere; she is told once; and an address that nobody has looks the same.
///
/// ASVS: V6.3.1
/// Attack: A01, A05, A10
#[tokio::test]
async fn a05_who_guesses_from_elsewhere_shuts_himself_out_and_not_the_owner() {
    let app = TestApp::with(&[PROXY]).await;
    app.open_account("ann@example.org").await;
    log_in(&app, HOME, "ann@example.org", PASSWORD).await.ok(200);

    for email in ["ann@example.org", "nobody@example.org"] {
        for reply in guess(&app, email, 10, 0).await {
            reply.is(401, "AUTH_INVALID_CREDENTIALS");
        }
    }
    let known = log_in(&app, &elsewhere(900), "ann@example.org", PASSWORD).await;
    known.is(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!((known.body["limit"].as_u64(), known.header("retry-after")), (Some(10), "60"));
    let unknown = log_in(&app, &elsewhere(901), "nobody@example.org", PASSWORD).await;
    assert_eq!(outside(&known), outside(&unknown));

    log_in(&app, HOME, "ann@example.org", PASSWORD).await.ok(200);
    log_in(&app, CAFE, "ann@example.org", PASSWORD).await.is(429, "RATE_LIMIT_EXCEEDED");

    // Ann's own sign-ins give strangers no guesses; and one that takes a quarter of an hour is a lock.
    guess(&app, "ann@example.org", 6, 2000).await;
    guess(&app, "nobody@example.org", 6, 2000).await;
    let events = app.events().await;
    let locks = events.iter().filter(|event| event.starts_with("ACCOUNT_LOCKED")).count();
    assert_eq!(locks, 6, "three waits of a quarter of an hour and more for each: {events:?}");
    assert!(events.contains(&"ACCOUNT_LOCKED/strangers_guess".to_owned()));
    let is_warning = |subject: Option<String>| subject.is_some_and(|it| it.contains("trying"));
    let told = app.mails().await.iter().filter(|mail| is_warning(mail.header("subject"))).count();
    assert_eq!(told, 1, "the owner is told once");
    assert_eq!(app.mails_to("nobody@example.org").await, 0);
    log_in(&app, HOME, "ann@example.org", PASSWORD).await.ok(200);
    log_in(&app, CAFE, "ann@example.org", PASSWORD).await.is(429, "RATE_LIMIT_EXCEEDED");

    reset_from(&app, CAFE, "ann@example.org", OTHER).await;
    guess(&app, "ann@example.org", 12, 5000).await;
    log_in(&app, CAFE, "ann@example.org", OTHER).await.ok(200);
    log_in(&app, HOME, "ann@example.org", OTHER).await.ok(200);
}

/// ASVS: V6.3.1
/// Attack: A06
#[tokio::test]
async fn a06_neither_another_node_nor_a_restart_gives_more_guesses() {
    let app = TestApp::with(&[PROXY]).await;
    app.open_account("ann@example.org").await;
    guess(&app, "ann@example.org", 4, 0).await;
    let other = app.second_node(&[PROXY]).await;
    guess(&other, "ann@example.org", 6, 100).await;
    drop(other);
    // It knows nothing but what the database does.
    let reborn = app.second_node(&[PROXY]).await;
    for (n, node) in [&app, &reborn].into_iter().enumerate() {
        let reply = log_in(node, &elsewhere(200 + n), "ann@example.org", PASSWORD).await;
        reply.is(429, "RATE_LIMIT_EXCEEDED");
    }
    app.advance(Duration::from_mins(1));
    log_in(&reborn, CAFE, "ann@example.org", PASSWORD).await.ok(200);
}

/// Attack: A04
/// ASVS: V2.3.2, V6.3.1
#[tokio::test(flavor = "multi_thread")]
async fn a04_many_guesses_at_once_on_two_nodes_do_not_exceed_the_budget() {
    let one = TestApp::with(&[PROXY]).await;
    let two = one.second_node(&[PROXY]).await;
    one.open_account("ann@example.org").await;
    let elsewhere: Vec<String> = (0..60).map(elsewhere).collect();
    let all = elsewhere.iter().enumerate().map(|(n, from)| {
        log_in(if n % 2 == 0 { &one } else { &two }, from, "ann@example.org", WRONG)
    });
    let replies = join_all(all).await;
    let judged = replies.iter().filter(|reply| reply.status == 401).count();
    let refused = replies.iter().filter(|reply| reply.status == 429).count();
    assert_eq!((judged, refused), (10, 50));
    assert_eq!(one.count("SELECT failures FROM password_failures").await, 10);

    // Many right ones at once are no guesses.
    one.advance(Duration::from_mins(1));
    log_in(&one, HOME, "ann@example.org", PASSWORD).await.ok(200);
    for reply in join_all((0..8).map(|_| log_in(&two, HOME, "ann@example.org", PASSWORD))).await {
        reply.ok(200);
    }
    assert_eq!(one.count("SELECT failures FROM password_failures").await, 0);
}

/// Strangers get eighty, everybody together a hundred in a row (NIST SP 800-63B-4, 3.2.2); then only a link
/// by mail helps, and whoever knows the password is told no more than whoever does not.
///
/// ASVS: V6.3.1
/// Attack: A01, A05
#[tokio::test]
async fn a01_after_a_hundred_in_a_row_only_a_link_by_mail_helps() {
    let app = TestApp::with(&[PROXY]).await;
    app.open_account("ann@example.org").await;
    log_in(&app, HOME, "ann@example.org", PASSWORD).await.ok(200);
    for email in ["ann@example.org", "nobody@example.org"] {
        guess(&app, email, 80, 0).await;
    }
    app.advance(Duration::from_hours(5));
    let known = log_in(&app, CAFE, "ann@example.org", PASSWORD).await;
    known.is(401, "AUTH_INVALID_CREDENTIALS");
    let unknown = log_in(&app, CAFE, "nobody@example.org", PASSWORD).await;
    assert_eq!(outside(&known), outside(&unknown));
    let events = app.events().await;
    assert_eq!(events[events.len() - 2..], ["LOGIN_FAILED/account_locked"; 2]);
    assert!(events.contains(&"ACCOUNT_LOCKED/too_many_from_strangers".to_owned()));

    // The last twenty are the owner's, who mistypes.
    let mut mistyped = 0;
    while mistyped < 20 {
        let reply = log_in(&app, HOME, "ann@example.org", WRONG).await;
        match reply.status.as_u16() {
            401 => mistyped += 1,
            _ => app.advance(Duration::from_secs(reply.header("retry-after").parse().unwrap())),
        }
    }
    app.advance(Duration::from_hours(5));
    let reply = log_in(&app, HOME, "ann@example.org", PASSWORD).await;
    reply.is(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(app.count("SELECT MAX(failures) FROM password_failures").await, 100);
    assert!(app.events().await.contains(&"ACCOUNT_LOCKED/too_many_in_a_row".to_owned()));

    reset_from(&app, CAFE, "ann@example.org", OTHER).await;
    log_in(&app, CAFE, "ann@example.org", OTHER).await.ok(200);
}

/// Attack: A05
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_nobody_judged_is_no_wrong_one() {
    let app = TestApp::with(&[
        PROXY,
        ("password.hash_workers", "1"),
        ("password.hash_memory_kib", "19456"),
        ("password.hash_iterations", "4"),
        ("password.hash_max_wait", "500ms"),
    ])
    .await;
    for n in 0..3 {
        app.open_account(&format!("bob{n}@example.org")).await;
    }
    let replies = join_all((0..24).map(|n| {
        let (app, from, bob) = (&app, elsewhere(n), format!("bob{}@example.org", n % 3));
        async move { log_in(app, &from, &bob, PASSWORD).await }
    }))
    .await;
    let right = replies.iter().filter(|reply| reply.status == 200).count();
    let shed = replies.iter().filter(|reply| reply.status == 503).count();
    assert!(shed > 0 && right > 0 && right + shed == 24, "{right} were right, {shed} shed");
    for sql in [
        "SELECT CAST(SUM(failures) AS BIGINT) FROM password_failures",
        "SELECT CAST(SUM(failures) AS BIGINT) FROM password_places",
        "SELECT CAST(SUM(streak) AS BIGINT) FROM password_places",
    ] {
        assert_eq!(app.count(sql).await, 0, "{sql}");
    }
}

/// Attack: A03
#[tokio::test]
async fn without_limits_nobody_is_counted() {
    let app = TestApp::with(&[PROXY, UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    for n in 0..12 {
        log_in(&app, &elsewhere(n), "ann@example.org", WRONG).await.ok(401);
    }
    log_in(&app, CAFE, "ann@example.org", PASSWORD).await.ok(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM password_failures").await, 0);
}

/// Who hangs up before the answer has guessed all the same: the password is judged, counted and told.
#[tokio::test]
async fn who_hangs_up_has_guessed_all_the_same() {
    let slow = [
        ("password.hash_memory_kib", "19456"),
        ("password.hash_iterations", "10"),
        ("rate_limit.password_wait", "15m"),
    ];
    let app = TestApp::with(&slow).await;
    app.open_account("ann@example.org").await;
    let address = app.base.trim_start_matches("http://");
    let body = json!({ "email": "ann@example.org", "password": WRONG }).to_string();
    for guess in 1..=10 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        // Gone as soon as it is counted, which is before it is judged.
        wait_until("it is counted", Duration::from_secs(10), async || {
            let sum = "SELECT CAST(COALESCE(SUM(failures), 0) AS BIGINT) FROM password_failures";
            let counted = app.count(sum).await;
            (counted == guess).then_some(())
        })
        .await;
        drop(stream);
    }
    // Hashing gives way to all other work, and there may be much.
    wait_until("the lock is told", Duration::from_secs(90), async || {
        let events = app.events().await;
        let told = events.iter().any(|event| event.starts_with("ACCOUNT_LOCKED"));
        let failed = events.iter().filter(|event| event.starts_with("LOGIN_FAILED")).count();
        (told && failed == 10).then_some(())
    })
    .await;
    let sent = app.mails().await;
    assert!(sent.iter().any(|mail| mail.to.contains(&"ann@example.org".to_owned())), "{sent:?}");
}

/// One place tries a list: it is seen, though the attacker signs in with an account of his own, and told again when
/// it is twice as long. Strangers there are slowed down; those who were there before, and everybody elsewhere,
/// are not.
///
/// ASVS: V6.3.1
/// Attack: A07
#[tokio::test]
async fn a07_a_list_of_addresses_from_one_place_is_seen_and_slows_strangers_only() {
    let app = TestApp::with(&[PROXY, ("rate_limit.login_per_client", "60/1m")]).await;
    for email in ["ann@example.org", "bob@example.org", "eve@example.org"] {
        app.open_account(email).await;
    }
    log_in(&app, CAFE, "ann@example.org", PASSWORD).await.ok(200);
    let told = async || {
        let events = app.events().await;
        let is_seen = |event: &&String| event.starts_with("SIGN_IN_ATTACK_SEEN");
        events.iter().filter(is_seen).cloned().collect::<Vec<_>>()
    };
    for n in 0..20 {
        assert_eq!(told().await, [""; 0], "before {n}");
        let email = format!("user{n}@example.org");
        log_in(&app, CAFE, &email, WRONG).await.is(401, "AUTH_INVALID_CREDENTIALS");
        if n % 3 == 0 {
            log_in(&app, CAFE, "eve@example.org", PASSWORD).await.ok(200);
        }
    }
    assert_eq!(told().await, ["SIGN_IN_ATTACK_SEEN/stuffing"]);

    for n in 20..25 {
        log_in(&app, CAFE, &format!("user{n}@example.org"), WRONG).await.ok(401);
    }
    let slowed = log_in(&app, CAFE, "user25@example.org", WRONG).await;
    slowed.is(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!((slowed.body["limit"].as_u64(), slowed.header("retry-after")), (Some(5), "12"));
    log_in(&app, CAFE, "bob@example.org", PASSWORD).await.is(429, "RATE_LIMIT_EXCEEDED");
    log_in(&app, CAFE, "ann@example.org", PASSWORD).await.ok(200);
    log_in(&app, HOME, "bob@example.org", PASSWORD).await.ok(200);

    for n in 25..40 {
        app.advance(Duration::from_secs(12));
        log_in(&app, CAFE, &format!("user{n}@example.org"), WRONG).await.ok(401);
    }
    assert_eq!(told().await, ["SIGN_IN_ATTACK_SEEN/stuffing"; 2]);
    app.advance(Duration::from_hours(1));
    for n in 0..10 {
        log_in(&app, CAFE, &format!("late{n}@example.org"), WRONG).await.ok(401);
    }
}
