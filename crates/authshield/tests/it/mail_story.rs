//! The whole story by the program that is shipped, over real HTTP and through somebody else's relay;
//! and what happens while there is no relay.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::program::free_port;
use crate::support::smtp_server::{Reaction, quoted_printable, valid_certificate};
use crate::support::{PASSWORD, Program, Script, SmtpServer, text, token_from, wait_until};

/// How long a mail may be under way.
const DELIVERED: Duration = Duration::from_secs(30);

/// A relay by somebody else, that wants encryption and a password.
struct Aiosmtpd {
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    _process: Child,
}

impl Aiosmtpd {
    async fn start(password: &str) -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test command says so in the environment"
        )]
        let python = std::env::var("AUTHSHIELD_TEST_PYTHON");
        let python = python.unwrap_or_else(|_| "python3".to_owned());
        let known = Command::new(&python).args(["-c", "import aiosmtpd"]).output().await;
        if !known.is_ok_and(|known| known.status.success()) {
            eprintln!("skipped: python3-aiosmtpd is not installed");
            return None;
        }
        let certificate = valid_certificate();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/aiosmtpd_relay.py");
        let mut process = Command::new(&python)
            .args(["-W", "ignore", script, "starttls"])
            .args([&certificate.chain, &certificate.key])
            .args(["post", password])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        Some(Self { lines, port, _process: process })
    }

    /// Waits for the next mail; it is to `email`, came encrypted, and by somebody who may send.
    async fn next(&mut self, email: &str) -> String {
        let line = tokio::time::timeout(DELIVERED, self.lines.next_line()).await;
        let line = line.expect("a mail in time").unwrap().expect("the relay runs");
        let mail: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(mail["to"], json!([email]), "{mail}");
        assert_eq!((&mail["encrypted"], &mail["authenticated"]), (&json!(true), &json!(true)));
        quoted_printable(mail["data"].as_str().unwrap())
    }
}

/// Returns the token of the link in a mail.
fn token(mail: &str, page: &str) -> String {
    let part = format!("/{page}?token=");
    let link =
        mail.split_whitespace().find(|word| word.starts_with("http") && word.contains(&part));
    link.unwrap().split("token=").nth(1).unwrap().to_owned()
}

/// ASVS: V12.3.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_through_somebody_elses_relay() {
    const RELAY_PASSWORD: &str = "relay-Vq7wKx2mzP";
    let Some(mut relay) = Aiosmtpd::start(RELAY_PASSWORD).await else { return };
    let program = Program::new()
        .await
        .set("smtp.host", "localhost")
        .set("smtp.port", &relay.port.to_string())
        .set("smtp.tls", "starttls")
        .set("smtp.ca_file", valid_certificate().authority.to_str().unwrap())
        .set("smtp.username", "post")
        .set("smtp.password", RELAY_PASSWORD)
        .set("mail.from", "AuthShield <accounts@auth.example.net>")
        .set("refresh.retry_leeway", "0s");
    let server = program.serve().await;
    let client = &server.client;
    let email = "ann@example.net";

    let reply = client.register("Ann@Example.NET").await.unwrap();
    reply.ok(202);
    assert_eq!((&reply.body["email"], &reply.body["is_verified"]), (&json!(email), &json!(false)));
    client.log_in(email, PASSWORD).await.unwrap().is(403, "AUTH_EMAIL_NOT_VERIFIED");
    let link = token(&relay.next(email).await, "verify-email");
    client.verify(&link).await.unwrap().ok(200);
    client.verify(&link).await.unwrap().is(400, "AUTH_INVALID_VERIFICATION_TOKEN");

    let pair = client.log_in(email, PASSWORD).await.unwrap();
    let (access, first) = (text(pair.ok(200), "access_token"), text(&pair, "refresh_token"));
    let me = client.me(&access).await.unwrap();
    assert_eq!(me.ok(200).body["email"], email);
    let pair = client.refresh(&first).await.unwrap();
    let (access, second) = (text(pair.ok(200), "access_token"), text(&pair, "refresh_token"));

    // The first token again: somebody has a copy, and the session ends for both.
    client.refresh(&first).await.unwrap().is(401, "AUTH_REFRESH_TOKEN_REUSED");
    client.refresh(&second).await.unwrap().is(401, "AUTH_REFRESH_TOKEN_INVALID");
    client.me(&access).await.unwrap().is(401, "AUTH_TOKEN_REVOKED");

    let pair = client.log_in(email, PASSWORD).await.unwrap();
    let access = text(pair.ok(200), "access_token");
    client.log_out(&access).await.unwrap().ok(204);
    client.me(&access).await.unwrap().is(401, "AUTH_TOKEN_REVOKED");

    let forgot = json!({ "email": email });
    client.post("/api/v1/auth/forgot-password", forgot).await.unwrap().ok(202);
    let link = token(&relay.next(email).await, "reset-password");
    let reset = json!({ "token": link, "new_password": "another lantern in the tide 7" });
    client.post("/api/v1/auth/reset-password", reset).await.unwrap().ok(204);
    client.log_in(email, PASSWORD).await.unwrap().is(401, "AUTH_INVALID_CREDENTIALS");
    client.log_in(email, "another lantern in the tide 7").await.unwrap().ok(200);
    let notice = relay.next(email).await;
    assert!(notice.contains("password"), "the owner is told: {notice}");

    let (log, said) = (server.stdout(), server.stderr());
    for secret in [RELAY_PASSWORD, PASSWORD, &link, &first, &second, &access] {
        assert!(!log.contains(secret) && !said.contains(secret), "a secret is in the log");
    }
    server.stop().await;
}

/// Returns how long each of a few registrations took.
async fn registrations(program: &Program, tag: &str) -> Vec<Duration> {
    let server = program.serve().await;
    let mut spans = Vec::new();
    for number in 0..12 {
        let began = Instant::now();
        let email = format!("{tag}{number}@example.net");
        server.client.register(&email).await.unwrap().ok(202);
        spans.push(began.elapsed());
    }
    server.stop().await;
    spans.sort();
    spans
}

/// Fault: F30, F31
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_relay_slows_nobody_and_mail_leaves_when_it_is_back() {
    let relay = SmtpServer::start(Script::default()).await;
    let live = Program::new().await.unlimited().mailing(&relay);
    let with_relay = registrations(&live, "live").await;

    let (refused, silent) = (free_port(), SmtpServer::start(Script::default()).await);
    silent.on(|_| Some(Reaction::Silence));
    for (kind, port) in [("refused", refused), ("silent", silent.port)] {
        let program = Program::new().await.unlimited().mailing(&relay);
        let program = program.set("smtp.port", &port.to_string());
        let without = registrations(&program, kind).await;
        // Medians, with room for a busy machine; a relay that is waited for costs seconds.
        let (with, without) = (with_relay[6], without[6]);
        assert!(without < with * 4 + Duration::from_millis(250), "{kind}: {with:?} {without:?}");

        // The relay is back, at another address.
        let back = SmtpServer::start(Script::default()).await;
        let program = program.set("smtp.port", &back.port.to_string());
        let server = program.serve().await;
        let began = Instant::now();
        wait_until("all mail has left", Duration::from_secs(150), async || {
            let mut to: Vec<_> = back.mails().into_iter().flat_map(|mail| mail.to).collect();
            to.sort();
            to.dedup();
            (to.len() == 12).then_some(())
        })
        .await;
        println!("{kind}: all mail left {:?} after the relay was back", began.elapsed());
        server.stop().await;
    }
}

/// Fault: F30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_finds_the_relay_again() {
    let port = free_port();
    let program = Program::new()
        .await
        .unlimited()
        .set("smtp.host", "127.0.0.1")
        .set("smtp.port", &port.to_string())
        .set("smtp.tls", "none")
        .set("smtp.timeout", "2s")
        .set("mail.from", "AuthShield <accounts@auth.example.net>");
    let server = program.serve().await;
    server.client.register("ann@example.net").await.unwrap().ok(202);
    wait_until("it was tried", DELIVERED, async || {
        let mails = program.run(&["mail", "list", "--json"]).await.json();
        (mails[0]["attempts"].as_i64()? > 0 && mails[0]["state"] == "queued").then_some(())
    })
    .await;
    server.client.get("/api/v1/health/ready").await.unwrap().ok(200);
    let relay = SmtpServer::start_on(port, Script::default()).await;
    let mails = tokio::time::timeout(Duration::from_secs(90), relay.wait_for(1)).await.unwrap();
    assert_eq!(mails[0].to, ["ann@example.net"]);
    server.stop().await;
}

/// ASVS: V12.3.1, V12.3.2
///
/// Fault: F35
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_never_goes_in_clear_or_to_a_stranger() {
    let trusted = valid_certificate().authority;
    for (script, ca_file) in [
        // It does not offer STARTTLS, or somebody on the way took that out.
        (Script::default(), Some(trusted.to_str().unwrap())),
        // Its certificate is by an authority that nobody trusts.
        (Script { starttls: true, ..Script::default() }, None),
    ] {
        let relay = SmtpServer::start(script).await;
        let mut program = Program::new().await.mailing(&relay).set("smtp.tls", "starttls");
        if let Some(ca_file) = ca_file {
            program = program.set("smtp.ca_file", ca_file);
        }
        let server = program.serve().await;
        server.client.register("ann@example.net").await.unwrap().ok(202);
        wait_until("it was tried", DELIVERED, async || {
            let mails = program.run(&["mail", "list", "--json"]).await.json();
            mails[0]["last_reply"].as_str()?.starts_with("TLS").then_some(())
        })
        .await;
        assert!(relay.mails().is_empty());
        for heard in relay.heard() {
            assert!(!heard.is("MAIL") && !heard.is("AUTH"), "{heard:?}");
        }
        assert!(server.stdout().contains("\"level\":\"ERROR\""), "somebody is told");
        server.stop().await;
    }
}

/// Fault: F32
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_asks_to_come_again_gets_each_mail_once() {
    let relay = SmtpServer::start(Script::default()).await;
    let asked = AtomicUsize::new(0);
    relay.on(move |heard| {
        let early = heard.is("RCPT") && asked.fetch_add(1, Ordering::Relaxed) < 2;
        early.then(|| Reaction::say("451 4.7.1 greylisted, try again later"))
    });
    let program = Program::new().await.unlimited().mailing(&relay);
    let server = program.serve().await;
    server.client.register("ann@example.net").await.unwrap().ok(202);
    let mail = settled(&program).await;
    assert_eq!((&mail["state"], &mail["attempts"]), (&json!("accepted"), &json!(3)), "{mail}");
    let mails = relay.mails();
    assert_eq!(mails.len(), 1);
    let token = token_from(&relay, "ann@example.net", "verify-email").await;
    server.client.verify(&token).await.unwrap().ok(200);
    server.stop().await;
}

/// Fault: F33
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_the_relay_refuses_is_tried_once_and_shown() {
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|heard| {
        let gone = heard.is("RCPT") && heard.line.contains("gone@");
        gone.then(|| Reaction::say("550 5.1.1 no such user here"))
    });
    let program = Program::new().await.unlimited().mailing(&relay);
    let server = program.serve().await;
    let refused = server.client.register("gone@example.net").await.unwrap();
    let mail = settled(&program).await;
    assert_eq!((&mail["state"], &mail["attempts"]), (&json!("failed"), &json!(1)), "{mail}");
    assert!(mail["last_reply"].as_str().unwrap().contains("550"), "{mail}");

    // Who asks over HTTP learns nothing of it, and others get their mail meanwhile.
    let taken = server.client.register("here@example.net").await.unwrap();
    assert_eq!((refused.status, refused.body["is_verified"].clone()), (taken.status, json!(false)));
    token_from(&relay, "here@example.net", "verify-email").await;
    let tries = relay.heard().iter().filter(|heard| heard.line.contains("gone@")).count();
    assert_eq!(tries, 1, "it was not tried again");
    server.stop().await;
}

/// Fault: F34
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_whose_receipt_was_lost_comes_twice_at_most_and_as_the_same() {
    let relay = SmtpServer::start(Script::default()).await;
    let lost = AtomicBool::new(false);
    relay.on(move |heard| {
        let first = heard.is_message() && !lost.swap(true, Ordering::Relaxed);
        first.then_some(Reaction::HangUp)
    });
    let program = Program::new().await.unlimited().mailing(&relay);
    let server = program.serve().await;
    server.client.register("ann@example.net").await.unwrap().ok(202);
    let mail = settled(&program).await;
    assert_eq!(mail["state"], "accepted", "{mail}");
    let mails = relay.mails();
    let ids: Vec<_> = mails.iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(ids[0], ids[1]);
    assert_eq!(mails[0].link("token="), mails[1].link("token="), "both links are one");
    let token = token_from(&relay, "ann@example.net", "verify-email").await;
    server.client.verify(&token).await.unwrap().ok(200);
    server.stop().await;
}

/// Waits until the first mail is settled for good, and returns what the operator sees of it.
async fn settled(program: &Program) -> Value {
    wait_until("the mail is settled", Duration::from_mins(1), async || {
        let mails = program.run(&["mail", "list", "--json"]).await.json();
        let mail = mails.as_array()?.iter().find(|mail| !mail["final_at"].is_null())?;
        Some(mail.clone())
    })
    .await
}
