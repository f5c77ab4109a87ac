//! The conversation with the relay: its words, its silence, its certificate.

use super::{Database, LINK, Office, smtp, to_relay};
use crate::support::smtp_server::{
    self, Certificate, Reaction, Script, SmtpServer, valid_certificate,
};
use authshield::config::SmtpTls;
use authshield::mail::{Class, Letter, Relay, SetupError, Step};
use lettre::transport::smtp::extension::ClientId;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

#[tokio::test]
async fn both_ways_to_authenticate_work() {
    for mechanisms in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let script = Script {
            login: Some(("post", "p\u{e4}ss word")),
            mechanisms: Some(mechanisms),
            ..Script::default()
        };
        let relay = SmtpServer::start(script).await;
        let mut settings = smtp(relay.port);
        settings.username = Some("post".to_owned());
        settings.password = Some("p\u{e4}ss word".into());
        let checked = Relay::new(&settings, ClientId::default()).unwrap().check().await;
        match mechanisms {
            "CRAM-MD5" => assert_eq!(checked.unwrap_err().class, Class::Configuration),
            _ => checked.unwrap(),
        }
    }
    let mut settings = smtp(25);
    settings.username = Some("post".to_owned());
    let half = Relay::new(&settings, ClientId::default()).unwrap_err();
    assert_eq!(half, SetupError::HalfCredentials);
}

#[tokio::test]
async fn a_cut_after_data_is_sent_again_under_the_same_name() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));
    relay.on(|heard| heard.is_message().then_some(Reaction::HangUp));
    let id = office.put().await;
    assert_eq!(office.post.deliver_due().await, 1);
    assert_eq!(office.row(id).await.state, "queued");
    relay.behave();
    office.world.advance(Duration::from_secs(5));
    assert_eq!(office.post.deliver_due().await, 1);
    assert_eq!(office.row(id).await.state, "accepted");
    let ids: Vec<_> = relay.mails().iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), 2, "the relay had taken it and could not say so");
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_crash_before_the_commit_is_sent_again_under_the_same_name() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));
    relay.on(|heard| heard.is_message().then_some(Reaction::Silence));
    let id = office.put().await;
    let post = office.post.clone();
    let crashing = tokio::spawn(async move { post.deliver_due().await });
    relay.wait_for(1).await;
    crashing.abort();
    assert!(crashing.await.unwrap_err().is_cancelled());
    relay.behave();

    assert_eq!(office.row(id).await.state, "sending");
    assert_eq!(office.post.deliver_due().await, 0, "the lease holds");
    office.world.advance(Duration::from_mins(10));
    assert_eq!(office.post.deliver_due().await, 1);
    let row = office.row(id).await;
    assert_eq!((row.state.as_str(), row.attempts), ("accepted", 2));
    let ids: BTreeSet<_> =
        relay.mails().iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert_eq!((relay.mails().len(), ids.len()), (2, 1));
}

#[tokio::test]
async fn a_relay_that_hangs_holds_one_place_and_not_the_queue() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let mut settings = smtp(relay.port);
    settings.timeout = Duration::from_millis(300);
    let office = Office::new(database.store, to_relay(&settings));
    relay.on(|heard| heard.line.contains("slow@").then_some(Reaction::Silence));
    let slow = office.put_to("slow@example.net", Letter::PasswordChanged).await;
    for _ in 0..30 {
        office.put().await;
    }
    assert_eq!(office.post.deliver_due().await, 31);
    assert_eq!(relay.mails().len(), 30);
    let row = office.row(slow).await;
    assert_eq!(row.state, "queued");
    assert_eq!(row.last_reply.unwrap(), "RCPT TO: no answer within 300ms");
    assert!(office.post.trouble().is_none());
}

#[tokio::test]
async fn a_relay_that_never_greets_is_given_up() {
    let relay = SmtpServer::start(Script::default()).await;
    let mut settings = smtp(relay.port);
    settings.timeout = Duration::from_millis(100);
    relay.on(|heard| heard.line.is_empty().then_some(Reaction::Silence));
    let failure = Relay::new(&settings, ClientId::default()).unwrap().check().await.unwrap_err();
    assert_eq!(failure.to_string(), "connecting: no answer within 100ms");
    relay.on(|heard| heard.line.is_empty().then(|| Reaction::say("421 4.3.2 too busy")));
    let failure = Relay::new(&settings, ClientId::default()).unwrap().check().await.unwrap_err();
    assert_eq!(failure.to_string(), "connecting: 421 4.3.2 too busy");
    assert!(failure.concerns_all());
}

#[tokio::test]
async fn a_refusal_is_one_whatever_its_words() {
    let database = Database::fresh().await;
    let many = [b"550-5.1.1 no\r\n".repeat(3000), b"550 5.1.1 no".to_vec()].concat();
    let refusals = [
        ("latin", b"550 5.1.1 bo\xeete inconnue".to_vec(), "550 5.1.1 bo\u{fffd}te inconnue"),
        ("long", [b"550 5.1.1 no ".as_slice(), &[b'x'; 5000]].concat(), "550 5.1.1 no xxxx"),
        ("many", many, "550 5.1.1 no no no no"),
        ("later", b"450 4.2.1 sp\xe4ter".to_vec(), "450 4.2.1 sp\u{fffd}ter"),
    ];
    for tls in [SmtpTls::None, SmtpTls::Starttls, SmtpTls::Implicit] {
        let script = Script {
            starttls: tls == SmtpTls::Starttls,
            implicit: tls == SmtpTls::Implicit,
            ..Script::default()
        };
        let relay = SmtpServer::start(script).await;
        let mut settings = smtp(relay.port);
        settings.tls = tls;
        let office = Office::new(database.store.clone(), to_relay(&settings));
        let said = refusals.clone();
        relay.on(move |heard| {
            let (_, answer, _) =
                said.iter().find(|(to, ..)| heard.line.starts_with(&format!("RCPT TO:<{to}@")))?;
            Some(Reaction::say(answer))
        });
        for (to, _, words) in &refusals {
            // Somewhere else each time: who refuses for good is not written to again.
            let to_whom = format!("{to}@{tls:?}.example.net").to_lowercase();
            let id = office.put_to(&to_whom, Letter::PasswordChanged).await;
            assert_eq!(office.post.deliver_due().await, 1);
            let (kind, code) = match *to {
                "later" => ("retried/recipient", 450),
                _ => ("failed/recipient", 550),
            };
            assert_eq!(office.timeline(id).await, ["queued", kind], "{tls:?} {to}");
            let refused = office.show(id).await.story.timeline.pop().unwrap();
            assert_eq!(refused.smtp_code, Some(code));
            assert_eq!(refused.enhanced_code.as_deref(), words.get(4..9));
            let reply = refused.reply.unwrap();
            assert!(reply.starts_with(words) && reply.chars().count() <= 300, "{reply}");
        }
        assert!(office.post.trouble().is_none());
        office.world.advance(Duration::from_secs(5));
        assert_eq!(office.post.deliver_due().await, 1, "only what may pass is tried again");
        relay.behave();
        office.world.advance(Duration::from_mins(1));
        assert_eq!(office.post.deliver_due().await, 1);
        assert_eq!(relay.mails().len(), 1);
        assert_eq!(relay.mails()[0].encrypted, tls != SmtpTls::None);
    }
}

/// ASVS: V12.3.1
#[tokio::test]
async fn encryption_is_never_given_up() {
    let database = Database::fresh().await;
    for (script, tls, why) in [
        (Script::default(), SmtpTls::Starttls, "does not offer STARTTLS"),
        (
            Script {
                starttls: true,
                injected: Some("250-relay.test\r\n250 AUTH PLAIN LOGIN\r\n"),
                ..Script::default()
            },
            SmtpTls::Starttls,
            "TLS",
        ),
        (Script::default(), SmtpTls::Implicit, ""),
    ] {
        let relay = SmtpServer::start(script).await;
        let mut settings = smtp(relay.port);
        settings.tls = tls;
        settings.timeout = Duration::from_secs(1);
        let office = Office::new(database.store.clone(), to_relay(&settings));
        let id = office.put().await;
        office.post.deliver_due().await;
        let row = office.row(id).await;
        assert_eq!(row.state, "queued");
        let reply = row.last_reply.unwrap();
        assert!(reply.contains(why), "{reply}");
        assert!(office.post.trouble().is_some(), "{reply}");
        assert!(relay.heard().iter().all(|heard| !heard.is("MAIL")), "{:?}", relay.heard());
        office.world.advance(Duration::from_hours(48));
        office.post.deliver_due().await;
    }
}

/// ASVS: V12.3.2
#[tokio::test]
async fn certificates_are_checked_with_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let other_name = Certificate::make(folder.path(), "DNS:relay.example.com");
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = Certificate::make(elsewhere.path(), "DNS:localhost").authority;
    for (implicit, tls) in [(false, SmtpTls::Starttls), (true, SmtpTls::Implicit)] {
        let script = Script { starttls: !implicit, implicit, ..Script::default() };
        let good = SmtpServer::start(script.clone()).await;
        let named = Some(other_name.clone());
        let misnamed = SmtpServer::start(Script { certificate: named, ..script }).await;
        for (port, ca_file, verdict) in [
            (good.port, Some(valid_certificate().authority), true),
            (good.port, None, false),
            (good.port, Some(stranger.clone()), false),
            (misnamed.port, Some(other_name.authority.clone()), false),
        ] {
            let mut settings = smtp(port);
            (settings.tls, settings.ca_file) = (tls, ca_file);
            settings.host = Some("localhost".to_owned());
            let relay = Relay::new(&settings, ClientId::default()).unwrap();
            let checked = relay.check().await;
            match checked {
                Ok(()) => assert!(verdict),
                Err(failure) => {
                    assert!(!verdict, "{failure}");
                    assert_eq!(failure.class, Class::Configuration, "{failure:?}");
                    assert!(failure.advice.unwrap().contains("smtp.ca_file"), "{failure:?}");
                }
            }
        }
    }
    for unusable in [elsewhere.path().join("none.pem"), elsewhere.path().join("names")] {
        let mut settings = smtp(25);
        (settings.tls, settings.ca_file) = (SmtpTls::Starttls, Some(unusable));
        let error = Relay::new(&settings, ClientId::default()).unwrap_err();
        assert!(matches!(error, SetupError::CaFile { .. }), "{error}");
    }
}

/// The relay of somebody else; ends with its standard input.
struct Aiosmtpd {
    process: std::process::Child,
    output: std::io::Lines<BufReader<std::process::ChildStdout>>,
    port: u16,
}

impl Aiosmtpd {
    fn start(mode: &str) -> Option<Self> {
        let python = if std::path::Path::new("/usr/bin/python3").exists() {
            "/usr/bin/python3"
        } else {
            "python3"
        };
        let known = Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !known {
            let _ = writeln!(std::io::stderr(), "skipped: python3-aiosmtpd is not installed");
            return None;
        }
        let certificate = valid_certificate();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/aiosmtpd_relay.py");
        let mut process = Command::new(python)
            .args(["-W", "ignore", script, mode])
            .args([&certificate.chain, &certificate.key])
            .args(["post", "s3cret"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = output.next().unwrap().unwrap().parse().unwrap();
        Some(Self { process, output, port })
    }
}

impl Drop for Aiosmtpd {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_relay_takes_our_mail() {
    for (mode, tls) in
        [("starttls", SmtpTls::Starttls), ("implicit", SmtpTls::Implicit), ("clear", SmtpTls::None)]
    {
        let Some(mut relay) = Aiosmtpd::start(mode) else { return };
        let database = Database::fresh().await;
        let mut settings = smtp(relay.port);
        settings.tls = tls;
        settings.username = Some("post".to_owned());
        settings.password = Some("wrong".into());
        let refused = Relay::new(&settings, ClientId::default()).unwrap().check().await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.step, refused.code), (Step::Auth, Some(535)), "{mode}: {refused}");

        settings.password = Some("s3cret".into());
        let office = Office::new(database.store, to_relay(&settings));
        let id = office.put().await;
        office.post.deliver_due().await;
        let row = office.row(id).await;
        assert_eq!(row.state, "accepted", "{mode}: {:?}", row.last_reply);
        assert_eq!(row.last_reply.unwrap(), "250 2.0.0 taken");
        let got: serde_json::Value =
            serde_json::from_str(&relay.output.next().unwrap().unwrap()).unwrap();
        assert_eq!(got["to"], serde_json::json!(["ann@example.net"]));
        assert_eq!(got["from"], "accounts@example.org");
        assert_eq!(got["authenticated"], true);
        assert_eq!(got["encrypted"], mode != "clear");
        let data = got["data"].as_str().unwrap();
        assert!(smtp_server::quoted_printable(data).contains(LINK), "{data}");
    }
}
