//! Canaries: whether mail arrives, where, and as whose.

use std::sync::Arc;
use std::time::Duration;

use authshield::mail::{ReturnKey, canary};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::DkimSigner;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::dns_server::DnsServer;
use crate::support::mail_system::{MAILBOX_PASSWORD, MailSystem};
use crate::support::smtp_server::{Received, quoted_printable};
use crate::support::{Person, Program, Script, SmtpServer, TestApp, wait_until};

const SECRET: &str = "c41f0b5a93d27e68b1f4a0d95e7c3268";
const INBOUND: &str = "/api/v1/webhooks/mail/inbound";
const CANARY: &str = "canary@here.test";

/// Returns where the mailbox of canaries is read.
fn mailbox(system: &MailSystem) -> String {
    format!("imap://canary:{MAILBOX_PASSWORD}@127.0.0.1:{}/INBOX", system.imap_port)
}

async fn report(program: &Program) -> Value {
    program.run(&["mail", "canary", "--json"]).await.json()
}

/// With real parts: postfix delivers, dovecot serves the mailbox, one address is taken for junk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_is_followed_into_a_real_mailbox_and_its_folder_for_junk() {
    let gone = SmtpServer::start(Script::default()).await;
    let Some(system) = MailSystem::start(gone.port) else { return };
    let program = Program::new()
        .await
        .unlimited()
        .mailing(&gone)
        .checked()
        .set("smtp.port", &system.smtp_port.to_string())
        .set("canary.addresses", CANARY)
        .set("canary.mailboxes", &mailbox(&system))
        .set("canary.every", "2s");
    let watched = Watched::serve(program.clone()).await;
    watched.until("CAN-1", 0).await;
    watched.until("CAN-2", 0).await;
    let success = "authshield_mail_canary_last_success_timestamp_seconds{mailbox=\"1\"}";
    wait_until(&format!("one arrives; {}", system.log()), Duration::from_secs(30), async || {
        watched.metric(success).await.filter(|at| *at > 1e9)
    })
    .await;
    // Where the machine is busy the last may be some intervals old; the next comes.
    let report = wait_until("the newest is a recent one", Duration::from_secs(30), async || {
        let report = report(&program).await;
        (report["mailboxes"][0]["stale"] == json!(false)).then_some(report)
    })
    .await;
    let mails = report["mails"].as_array().unwrap();
    assert_eq!(report["enabled"], true);
    let arrived = mails.iter().find(|mail| mail["arrived_at"].is_string()).unwrap();
    assert_eq!((&arrived["folder"], &arrived["via"]), (&json!("inbox"), &json!("imap")));
    assert_eq!(arrived["state"], "delivered");
    assert!(arrived["accepted_at"].as_str() >= arrived["sent_at"].as_str(), "{arrived}");
    assert!(arrived["arrived_at"].as_str() >= arrived["accepted_at"].as_str(), "{arrived}");
    assert!(arrived["seen_at"].as_str() >= arrived["arrived_at"].as_str(), "{arrived}");
    let legs = "authshield_mail_canary_leg_seconds_count{mailbox=\"1\",leg=\"total\"}";
    // They are counted after the arrival is written down.
    wait_until("its legs are counted", Duration::from_secs(10), async || {
        watched.metric(legs).await.filter(|count| *count >= 1.0)
    })
    .await;
    assert!(!watched.server.stdout().contains(MAILBOX_PASSWORD));
    watched.server.stop().await;

    // At the gate: it is followed until it is there.
    let arguments = ["--send-mail", CANARY, "--wait", "30", "--only", "SMTP-7,CAN-1"];
    let gate = Gate::of(&program, &arguments).await;
    gate.ends(0).has("SMTP-7", "pass", &["arrived after", "folder: inbox"]);
    gate.has("CAN-1", "pass", &["1 can be read"]);
    let other = program.clone().set("canary.addresses", "junk@here.test");
    let arguments = ["--send-mail", "junk@here.test", "--wait", "30", "--only", "SMTP-7"];
    Gate::of(&other, &arguments).await.ends(0).has("SMTP-7", "warn", &["folder: junk"]);
    let wrong = mailbox(&system).replace(MAILBOX_PASSWORD, "another-Vq7wKx2mzP");
    let locked = program.set("canary.mailboxes", &wrong);
    let gate = Gate::of(&locked, &["--only", "CAN-1"]).await;
    gate.ends(1).has("CAN-1", "fail", &[CANARY, "AUTHSHIELD_CANARY_MAILBOXES"]);
    assert!(!gate.said.contains("another-Vq7"), "{}", gate.said);
}

/// Operations 9, row 6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_takes_everything_and_delivers_nothing_is_found_out() {
    let relay = SmtpServer::start(Script::default()).await;
    let Some(system) = MailSystem::start(relay.port) else { return };
    let program = Program::new()
        .await
        .unlimited()
        .mailing(&relay)
        .checked()
        .set("canary.addresses", CANARY)
        .set("canary.mailboxes", &mailbox(&system))
        .set("canary.every", "1s");
    program.run(&["migrate", "run"]).await.ok();
    let arguments = ["--send-mail", CANARY, "--wait", "3", "--only", "SMTP-7"];
    let fault = Fault::injected(6, "the relay drops everything: the gate waits 3 s for the mail");
    let gate = Gate::of(&program, &arguments).await;
    gate.ends(1).has("SMTP-7", "fail", &["the relay took it", "has not arrived", "250"]);
    fault.found_by("SMTP-7");
    // To an address that nobody looks at, the relay's yes is all there is.
    let other = ["--send-mail", "ann@example.net", "--wait", "3", "--only", "SMTP-7"];
    Gate::of(&program, &other).await.ends(0).has("SMTP-7", "pass", &["accepted"]);

    let watched = Watched::serve(program.clone()).await;
    let fault = Fault::injected(6, "the relay drops everything: a canary each second");
    watched.until("CAN-2", 2).await;
    fault.found_by("CAN-2");
    watched.until("CAN-1", 0).await;
    watched.until_events(&["CHECK_FAILED/CAN-2"]).await;
    let of = |name: &str| format!("authshield_mail_canary_{name}{{mailbox=\"1\"}}");
    assert_eq!(watched.metric(&of("last_success_timestamp_seconds")).await, Some(0.0));
    assert!(watched.metric(&of("started_timestamp_seconds")).await > Some(1e9));
    assert_eq!(watched.metric("authshield_mail_canary_interval_seconds").await, Some(1.0));
    let said = program.run(&["mail", "canary"]).await.ok().out;
    assert!(said.contains("NONE ARRIVED") && said.contains("accepted"), "{said}");
    watched.server.stop().await;
}

#[tokio::test]
async fn without_canaries_the_gate_says_that_nobody_looks() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay);
    let gate = Gate::of(&program, &["--only", "CAN-1"]).await;
    gate.ends(0).has("CAN-1", "skip", &["nobody looks whether mail arrives", "canary.addresses"]);
    let said = program.run(&["mail", "canary"]).await.ok().out;
    assert!(said.contains("AUTHSHIELD_CANARY_ADDRESSES"), "{said}");
    // Nobody would see them arrive.
    let blind = program.set("canary.addresses", CANARY).run(&["preflight"]).await;
    assert_eq!(blind.status, Some(78), "{blind:?}");
}

/// A server that takes mail in for `here.test`: what comes from the relay, signed by it, is posted to
/// us with what the server found.
struct Receiver {
    /// The relay's, PKCS#8.
    key: Vec<u8>,
}

impl Receiver {
    fn new() -> Self {
        Self { key: Ed25519Key::generate_pkcs8().unwrap() }
    }

    fn key(&self) -> Ed25519Key {
        Ed25519Key::from_pkcs8_der(&self.key).unwrap()
    }

    /// What the relay's domain publishes.
    fn record(&self) -> String {
        format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(self.key().public_key()))
    }

    /// Returns a mail as it lies in the mailbox.
    fn taken_in(&self, mail: &Received) -> String {
        let signer = DkimSigner::from_key(self.key()).domain("auth.example.net").selector("s1");
        let signer = signer.headers(["From", "To", "Subject", "Date", "Message-ID"]);
        let signature = signer.sign(mail.data.as_bytes()).unwrap().to_header();
        format!(
            "Return-Path: <{}>\r\nAuthentication-Results: mx.here.test; spf=pass; dkim=pass\r\n\
             Received: from out.example.net (out.example.net [192.0.2.25]) by mx.here.test; \
             Wed, 25 Nov 2026 12:00:00 +0000\r\n{signature}{}",
            mail.from, mail.data
        )
    }
}

/// Operations 9, row 10: what the canaries say of it.
#[tokio::test]
async fn a_signing_key_that_is_gone_shows_in_the_next_canary() {
    let relay = Arc::new(SmtpServer::start(Script::default()).await);
    let (dns, receiver) = (DnsServer::start().await, Receiver::new());
    let (key, published) = ("s1._domainkey.auth.example.net", receiver.record());
    dns.texts("auth.example.net", &["v=spf1 ip4:192.0.2.25 -all"])
        .texts(key, &[&published])
        .texts("_dmarc.auth.example.net", &["v=DMARC1; p=reject"]);
    let program = Program::new()
        .await
        .unlimited()
        .mailing(&relay)
        .set("canary.addresses", CANARY)
        .set("canary.every", "1s")
        .set("bounce.webhook_secret", SECRET)
        .set("mail.dkim_selectors", "s1")
        .set("dns.resolvers", &dns.address.to_string())
        // Three seconds without an arrival are soon over on a busy machine: that is another finding.
        .set("checks.policy", "DB-5=warn,SMTP-*=ignore,DNS-*=ignore,WEB-*=ignore,CAN-2=ignore");
    let watched = Watched::serve(program.clone()).await;
    let client = watched.server.client.clone();
    let posts = tokio::spawn({
        let relay = Arc::clone(&relay);
        async move {
            for count in 1.. {
                let mails = relay.wait_for(count).await;
                let raw = receiver.taken_in(&mails[count - 1]);
                let request = client.request(Method::POST, INBOUND).bearer_auth(SECRET);
                let Some(reply) = client.send(request.body(raw)).await else { return };
                reply.ok(204);
            }
        }
    });
    watched.until("CAN-3", 0).await;
    let of = |method: &str| {
        format!("authshield_mail_canary_authenticated{{mailbox=\"1\",method=\"{method}\"}}")
    };
    // One of them may have found no name server in time; each second there is another.
    for method in ["spf", "dkim", "dmarc"] {
        wait_until(&format!("{method} passes"), Duration::from_secs(20), async || {
            watched.metric(&of(method)).await.filter(|passed| *passed > 0.5)
        })
        .await;
    }

    let fault = Fault::injected(10, "the DKIM record is removed: a canary each second");
    dns.texts(key, &[]);
    watched.until("CAN-3", 2).await;
    fault.found_by("CAN-3");
    assert_eq!(watched.metric(&of("dkim")).await, Some(0.0));
    // By SPF alone it is still ours.
    let verdicts = ["pass", "permerror", "pass"].map(Value::from);
    let last = wait_until("SPF alone passes", Duration::from_secs(20), async || {
        let last = report(&program).await["mailboxes"][0]["last"].clone();
        (["spf", "dkim", "dmarc"].map(|method| last[method].clone()) == verdicts).then_some(last)
    })
    .await;
    assert_eq!(last["receiver"], "mx.here.test; spf=pass; dkim=pass");
    assert_eq!((&last["via"], &last["folder"]), (&json!("webhook"), &json!("unknown")));

    dns.texts(key, &[&published]);
    watched.until("CAN-3", 0).await;
    watched.until_events(&["CHECK_FAILED/CAN-3", "CHECK_RECOVERED/CAN-3"]).await;
    watched.server.stop().await;
    posts.abort();
}

/// What is posted proves an arrival only if we wrote it, and once.
#[tokio::test]
async fn nobody_else_writes_a_canary() {
    let app = TestApp::with(&[
        ("rate_limit.enabled", "false"),
        ("canary.addresses", CANARY),
        ("bounce.webhook_secret", SECRET),
    ])
    .await;
    let root = app.sign_up_admin("root@example.org").await;
    let see_as = async |who: &Person| {
        app.get_as(who, "/api/v1/admin/mail/canary").await.ok(200).body.clone()
    };
    let see = async || see_as(&root).await;
    let before = see().await;
    assert_eq!((&before["enabled"], &before["every_seconds"]), (&json!(true), &json!(300)));
    assert_eq!(before["mails"], json!([]));

    let mut tx = app.app.store.write().await.unwrap();
    let now = app.ctx().now;
    let mail = canary::put(&mut tx, &app.app, 1, CANARY, now).await.unwrap();
    tx.commit().await.unwrap();
    let sent = app.last_mail(CANARY).await;
    let nonce = ReturnKey::new(&app.app.secrets.mail_return).nonce(mail);
    assert!(quoted_printable(&sent.data).contains(&nonce));
    app.advance(Duration::from_secs(3));
    let post = async |raw: String| {
        app.send(app.request(Method::POST, INBOUND).bearer_auth(SECRET).body(raw)).await.ok(204);
    };
    let forged = ReturnKey::new(&[9; 32]).nonce(mail);
    for raw in [
        sent.data.replace(&nonce[..30], &forged[..30]),
        // A token of the same mail that says something else.
        format!(
            "From: a@b.test\r\n\r\n{}",
            ReturnKey::new(&app.app.secrets.mail_return).token(mail)
        ),
        "From: a@b.test\r\n\r\nhello".to_owned(),
    ] {
        post(raw).await;
        assert_eq!(see().await["mails"][0]["state"], "accepted");
    }
    post(sent.data.clone()).await;
    let arrived = see().await;
    let last = &arrived["mails"][0];
    assert_eq!((&last["state"], &last["mailbox"]), (&json!("delivered"), &json!(1)));
    assert_eq!(last["dmarc"], "unknown", "development asks nobody");
    app.advance(Duration::from_mins(4));
    post(sent.data.clone()).await;
    assert_eq!(see().await["mails"][0], *last, "a second time changes nothing");

    // None of three intervals: it is stale, and says since when.
    app.advance(Duration::from_mins(12));
    let stale = see_as(&app.sign_in("root@example.org").await).await;
    assert_eq!(stale["mailboxes"][0]["stale"], true, "{stale}");
    assert_eq!(stale["mailboxes"][0]["last_success_at"], last["sent_at"]);
}
