//! Mail that comes back: who may say so, and what follows.

use authshield::kernel::MailId;
use authshield::mail::ReturnKey;
use reqwest::Method;
use serde_json::Value;

use crate::support::detection::Fault;
use crate::support::mail_system::{MAILBOX_PASSWORD, MailSystem};
use crate::support::smtp_server::{Reaction, Received};
use crate::support::{PASSWORD, Person, Program, Reply, Script, SmtpServer, TestApp};

const SECRET: &str = "c41f0b5a93d27e68b1f4a0d95e7c3268";
const INBOUND: &str = "/api/v1/webhooks/mail/inbound";

async fn app() -> TestApp {
    TestApp::with(&[
        ("rate_limit.enabled", "false"),
        ("bounce.address", "bounce@bounce.test"),
        ("bounce.webhook_secret", SECRET),
    ])
    .await
}

/// Registers somebody and returns the mail as the relay got it.
async fn mail_to(app: &TestApp, email: &str) -> Received {
    app.register(email, PASSWORD).await.ok(202);
    app.last_mail(email).await
}

/// Returns a report as Debian's mail server writes it, about the mail that left with `sender`.
fn report(kind: &str, sender: &str) -> String {
    let file = format!("{}/tests/corpus/reports/{kind}.eml", env!("CARGO_MANIFEST_DIR"));
    let token = sender.split(['+', '@']).nth(1).unwrap();
    std::fs::read_to_string(file).unwrap().replace("aaebagbaeaydqcqla2bq2dyrcekrgfawc7dukbr", token)
}

async fn post(app: &TestApp, report: impl Into<reqwest::Body>) -> Reply {
    app.send(app.request(Method::POST, INBOUND).bearer_auth(SECRET).body(report)).await
}

/// Returns the story of the only mail to `email`.
async fn story(app: &TestApp, root: &Person, email: &str) -> Value {
    let list = app.get_as(root, &format!("/api/v1/admin/mail?email={email}")).await;
    let id = list.ok(200).body["items"][0]["id"].as_str().unwrap().to_owned();
    app.get_as(root, &format!("/api/v1/admin/mail/{id}")).await.ok(200).body.clone()
}

fn kinds(story: &Value) -> Vec<&str> {
    let entries = story["timeline"].as_array().unwrap();
    entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

/// Returns how often reports were refused, by reason.
fn refused(app: &TestApp, reason: &str) -> u64 {
    let line =
        format!("authshield_mail_webhook_rejected_total{{provider=\"dsn\",reason=\"{reason}\"}} ");
    let page = app.app.metrics.encode();
    page.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn what_other_servers_report_is_in_the_timeline_once() {
    let app = app().await;
    let root = app.sign_up_admin("root@example.org").await;
    for (email, report_kind, state, class, code) in [
        ("ann@example.net", "postfix-failed-5.1.1", "bounced", Some("recipient"), Some(550)),
        ("bob@example.net", "postfix-failed-5.7.1", "bounced", Some("reputation"), Some(550)),
        ("cyd@example.net", "postfix-delayed-4.4.1", "deferred", Some("relay"), None),
        ("dan@example.net", "postfix-delivered-2.0.0", "delivered", None, None),
        ("eve@example.net", "postfix-relayed-2.0.0", "accepted", None, Some(250)),
        ("fay@example.net", "exchange-failed", "bounced", Some("recipient"), Some(550)),
        ("gus@example.net", "complaint", "complained", None, None),
    ] {
        let sent = mail_to(&app, email).await;
        assert!(sent.from.starts_with("bounce+") && sent.from.ends_with("@bounce.test"));
        let report = report(report_kind, &sent.from);
        for _ in 0..3 {
            post(&app, report.clone()).await.ok(204);
        }
        let story = story(&app, &root, email).await;
        assert_eq!(story["state"], state, "{report_kind}: {story}");
        let entries = story["timeline"].as_array().unwrap();
        assert_eq!(entries.len(), 3, "told thrice, written once: {story}");
        assert_eq!(entries[2]["class"].as_str(), class, "{report_kind}: {story}");
        assert_eq!(entries[2]["smtp_code"].as_i64(), code, "{report_kind}: {story}");
    }
    let page = app.app.metrics.encode();
    assert!(
        page.contains("authshield_mail_feedback_last_event_timestamp_seconds{provider=\"dsn\"} 1")
    );

    // Who uses the link after all shows that the report was false.
    let sent = mail_to(&app, "hal@example.net").await;
    post(&app, report("postfix-failed-5.1.1", &sent.from)).await.ok(204);
    let token = app.token_for("hal@example.net").await;
    app.verify(&token).await.ok(200);
    let story = story(&app, &root, "hal@example.net").await;
    assert_eq!((&story["state"], &story["false_bounce"]), (&"confirmed".into(), &true.into()));
}

/// Row 13.
#[tokio::test]
async fn forged_replayed_truncated_and_oversized_reports_change_nothing_and_are_counted() {
    let app = app().await;
    let root = app.sign_up_admin("root@example.org").await;
    let sent = mail_to(&app, "ann@example.net").await;
    let genuine = report("postfix-failed-5.1.1", &sent.from);
    let id = story(&app, &root, "ann@example.net").await["id"].as_str().unwrap().to_owned();
    let mail: MailId = id.parse().unwrap();
    let by_somebody = ReturnKey::new(&[9; 32]).token(mail);
    let unknown = MailId::new(&*app.world);
    let of_nothing = ReturnKey::new(&app.app.secrets.mail_return).token(unknown);

    for (reason, raw) in [
        // By somebody who knows the mail's name and address, and not our key.
        (
            "forged",
            report("postfix-failed-5.1.1", &format!("bounce+{by_somebody}@bounce.test"))
                .into_bytes(),
        ),
        (
            "no_such_mail",
            report("postfix-failed-5.1.1", &format!("bounce+{of_nothing}@bounce.test"))
                .into_bytes(),
        ),
        ("no_token", report("postfix-failed-5.1.1", "bounce+x@bounce.test").into_bytes()),
        (
            "no_token",
            genuine
                .replace("bounce.test", "elsewhere.test")
                .replace("Original-Envelope-Id", "X-Other")
                .into_bytes(),
        ),
        ("not_a_report", genuine.as_bytes()[..genuine.find("Action:").unwrap()].to_vec()),
        ("not_a_report", report("out-of-office", &sent.from).into_bytes()),
        ("not_a_report", report("qmail", &sent.from).into_bytes()),
        ("not_a_report", report("read-receipt", &sent.from).into_bytes()),
        ("not_a_report", report("not-spam", &sent.from).into_bytes()),
        ("not_a_report", vec![0; 1000]),
        ("not_a_report", Vec::new()),
    ] {
        let before = refused(&app, reason);
        let fault = Fault::injected(13, reason);
        let reply = post(&app, raw).await;
        assert_eq!((reply.status.as_u16(), refused(&app, reason)), (204, before + 1), "{reason}");
        fault.found_by("authshield_mail_webhook_rejected_total");
    }
    let large = genuine.clone() + &"x".repeat(300 * 1024);
    post(&app, large).await.is(413, "REQUEST_BODY_TOO_LARGE");
    assert_eq!(refused(&app, "too_large"), 1);
    for request in [
        app.request(Method::POST, INBOUND),
        app.request(Method::POST, INBOUND).bearer_auth("c41f0b5a93d27e68b1f4a0d95e7c3269"),
        app.request(Method::POST, INBOUND).bearer_auth(&root.access),
        app.request(Method::POST, INBOUND).basic_auth("x", Some("y")),
    ] {
        let reply = app.send(request.body(genuine.clone())).await;
        reply.is(401, "WEBHOOK_UNAUTHENTICATED");
    }
    assert_eq!(refused(&app, "unauthenticated"), 4);
    let story = story(&app, &root, "ann@example.net").await;
    assert_eq!((&story["state"], kinds(&story)), (&"accepted".into(), vec!["queued", "accepted"]));
}

/// Who has the token of a mail may write reports of it, but not without end.
#[tokio::test]
async fn one_mail_has_so_many_reports_and_no_more() {
    let app = app().await;
    let root = app.sign_up_admin("root@example.org").await;
    let sent = mail_to(&app, "ann@example.net").await;
    let report = report("postfix-delayed-4.4.1", &sent.from);
    for number in 0..40 {
        let report = report.replace("Status: 4.4.1", &format!("Status: 4.4.{number}"));
        post(&app, report).await.ok(204);
    }
    let story = story(&app, &root, "ann@example.net").await;
    assert_eq!(kinds(&story).len(), 2 + 32);
    assert_eq!(refused(&app, "too_many"), 8);
}

#[tokio::test]
async fn without_a_bounce_address_mail_leaves_as_its_sender_and_nothing_is_taken_in() {
    let app = TestApp::start().await;
    let sent = mail_to(&app, "ann@example.net").await;
    assert_eq!(sent.from, "accounts@auth.example.net");
    let request = app.request(Method::POST, INBOUND).bearer_auth(SECRET).body("x");
    app.send(request).await.is(404, "ROUTE_NOT_FOUND");
}

/// RFC 3461: a relay that knows the wishes is told them, another is not.
#[tokio::test]
async fn wishes_about_reports_go_to_relays_that_take_them() {
    let app = app().await;
    let sent = mail_to(&app, "ann@example.net").await;
    let token = sent.from.split(['+', '@']).nth(1).unwrap().to_owned();
    let said = |verb: &str| {
        let heard = app.relay.heard();
        heard.iter().rev().find(|heard| heard.is(verb)).unwrap().line.clone()
    };
    assert!(!said("MAIL").contains("ENVID") && !said("RCPT").contains("NOTIFY"));
    app.relay.on(|heard| {
        heard.is("EHLO").then(|| Reaction::say("250-relay.test\r\n250-DSN\r\n250 8BITMIME"))
    });
    let sent = mail_to(&app, "bob@example.net").await;
    let another = sent.from.split(['+', '@']).nth(1).unwrap();
    assert_ne!(another, token, "each mail has its own");
    assert!(said("MAIL").ends_with(&format!("RET=HDRS ENVID={another}")), "{}", said("MAIL"));
    assert_eq!(
        said("RCPT"),
        "RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;bob@example.net"
    );
}

/// With real parts: postfix writes the reports, dovecot serves the mailbox that they come to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_of_a_real_mail_system_are_fetched_from_a_real_mailbox() {
    let gone = SmtpServer::start(Script::default()).await;
    gone.on(|heard| heard.is("RCPT").then(|| Reaction::say("550 5.1.1 no such user here")));
    let Some(system) = MailSystem::start(gone.port) else { return };
    let program = Program::new()
        .await
        .unlimited()
        .mailing(&gone)
        .set("smtp.port", &system.smtp_port.to_string())
        .set("bounce.address", "bounce@bounce.test")
        .set("bounce.imap_host", "127.0.0.1")
        .set("bounce.imap_port", &system.imap_port.to_string())
        .set("bounce.imap_tls", "none")
        .set("bounce.imap_username", "bounce")
        .set("bounce.imap_password", MAILBOX_PASSWORD)
        .set("bounce.imap_every", "1s");
    let server = program.serve().await;
    for (email, state) in [
        ("ann@here.test", "delivered"),
        ("nobody@gone.test", "bounced"),
        ("somebody@slow.test", "deferred"),
    ] {
        server.client.register(email).await.unwrap().ok(202);
        let mut last = Value::Null;
        let found = tokio::time::timeout(std::time::Duration::from_mins(1), async {
            loop {
                let list = program.run(&["mail", "list", "--json", "--to", email]).await.json();
                last = list[0].clone();
                if last["state"] == state {
                    return;
                }
            }
        });
        let in_time = found.await.is_ok();
        assert!(in_time, "{last}\n{}\n{}", server.stdout(), system.log());
    }
    let bounced = program.run(&["mail", "list", "--json", "--state", "bounced"]).await.json();
    let id = bounced[0]["id"].as_str().unwrap();
    let story = program.run(&["mail", "show", id, "--json"]).await.json();
    let report = story["timeline"].as_array().unwrap().last().unwrap();
    assert_eq!((&report["source"], &report["class"]), (&"dsn".into(), &"recipient".into()));
    assert_eq!((&report["smtp_code"], &report["enhanced_code"]), (&550.into(), &"5.1.1".into()));
    assert_eq!(report["reply"], "550 5.1.1 no such user here");
    assert!(!server.stdout().contains(MAILBOX_PASSWORD));
    server.stop().await;
}
