//! Events on their way to others: in order, at least once, to receivers that are really there.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use authshield::audit::{self, Event};
use authshield::exports::{self, Senders, Sink, Step};
use authshield::seals::{self, Memory, Pass};
use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::silent_failures::Gate;
use crate::support::certificate::valid_certificate;
use crate::support::{
    Person, Program, Reply, Script, SmtpServer, TestApp, on_postgres, wait_until,
};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEWER: &str = "whsec_W3sL0XnWQ3p8sH1hJ5tRrV0aY2cUe6mKqZbNf9dGx7k=";

/// How long something may take that the program does by itself.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a webhook was sent.
#[derive(Debug, Clone)]
struct Delivery {
    id: String,
    time: i64,
    body: Value,
}

/// Somebody who takes webhooks, or does not.
#[derive(Clone)]
struct Receiver {
    url: String,
    /// Nothing is no answer at all.
    answer: Arc<Mutex<Option<StatusCode>>>,
    asked: Arc<Mutex<Vec<Delivery>>>,
    taken: Arc<Mutex<Vec<Delivery>>>,
    /// Whether somebody went where a redirect leads.
    strayed: Arc<AtomicBool>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            answer: Arc::new(Mutex::new(Some(StatusCode::NO_CONTENT))),
            asked: Arc::default(),
            taken: Arc::default(),
            strayed: Arc::default(),
        };
        let hook = async |state: State<Self>, headers: HeaderMap, body: Bytes| {
            (take(state, headers, body).await, [("location", "/elsewhere")])
        };
        let stray = async |State(receiver): State<Self>| receiver.strayed.store(true, Relaxed);
        let routes = axum::Router::new()
            .route("/hook", axum::routing::post(hook))
            .route("/elsewhere", axum::routing::any(stray))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        receiver
    }

    fn answers(&self, status: u16) {
        *self.answer.lock().unwrap() = Some(StatusCode::from_u16(status).unwrap());
    }

    fn is_silent(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn taken(&self) -> Vec<Delivery> {
        self.taken.lock().unwrap().clone()
    }

    fn asked(&self) -> Vec<Delivery> {
        self.asked.lock().unwrap().clone()
    }
}

/// Verifies as Standard Webhooks says, and takes what is good.
async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    let key = BASE64.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let words = [id.as_bytes(), b".", time.as_bytes(), b".", &body].concat();
    let is_ours = |signature: &str| {
        let tag = BASE64.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&key, &words, &tag).is_ok()
    };
    if !header("webhook-signature").split(' ').any(is_ours) {
        return StatusCode::UNAUTHORIZED;
    }
    let body = serde_json::from_slice(&body).unwrap();
    let delivery = Delivery { id, time: time.parse().unwrap(), body };
    receiver.asked.lock().unwrap().push(delivery.clone());
    let answer = *receiver.answer.lock().unwrap();
    let Some(status) = answer else { return std::future::pending().await };
    if status.is_success() {
        receiver.taken.lock().unwrap().push(delivery);
    }
    status
}

/// Returns the ids of what was delivered: up to eight are on their way at once, so their order says nothing.
fn ids(deliveries: &[Delivery]) -> BTreeSet<String> {
    deliveries.iter().map(|it| it.id.clone()).collect()
}

async fn seal(app: &TestApp) {
    let mut memory = Memory::default();
    app.advance(Duration::from_secs(11));
    while let Pass::Sealed { more: true, .. } = seals::seal(&app.app, &mut memory).await.unwrap() {}
}

async fn send(app: &TestApp, senders: &mut Senders) {
    while exports::step(&app.app, senders).await.unwrap() == Step::More {}
}

/// Returns the ids of all sealed events, in the order of the chain.
async fn chain(app: &TestApp) -> Vec<String> {
    let mut tx = app.app.store.glance().await.unwrap();
    let rows: Vec<(uuid::Uuid,)> =
        tx.query("SELECT event_id FROM audit_links ORDER BY seq").all().await.unwrap();
    rows.into_iter().map(|(id,)| id.to_string()).collect()
}

/// So many sign-ins fail, and are sealed.
async fn failures(app: &TestApp, count: usize) {
    for _ in 0..count {
        app.log_in("nobody@example.org", "battery staple").await;
    }
    seal(app).await;
}

async fn standing(app: &TestApp) -> exports::Standing {
    let mut tx = app.app.store.glance().await.unwrap();
    let found = exports::standings(&app.app.config, &mut tx).await.unwrap();
    found.into_iter().next().expect("there is a sink")
}

async fn replay(app: &TestApp, root: &Person, body: Value) -> Reply {
    app.post_as(root, "/api/v1/admin/exports/replay", body).await
}

async fn with_webhook(receiver: &Receiver, secrets: &[(&str, &str)]) -> (TestApp, Senders) {
    let mut settings = vec![
        ("rate_limit.enabled", "false"),
        ("export_webhook.url", receiver.url.as_str()),
        ("export_webhook.private_networks", "127.0.0.0/8"),
    ];
    settings.extend(secrets);
    let app = TestApp::with(&settings).await;
    let senders = Senders::from_config(&app.app.config).unwrap();
    (app, senders)
}

/// L10: a webhook that is repeated bears the same id and a new time, and both are signed.
///
/// F55: the receiver is down, slow or refuses: users notice nothing, nothing is lost.
#[tokio::test]
async fn l10_webhooks_are_signed_and_tried_again_and_none_is_passed_over() {
    let receiver = Receiver::start().await;
    let (app, mut senders) = with_webhook(&receiver, &[("export_webhook.secret", SECRET)]).await;
    app.open_account("ann@example.org").await;
    seal(&app).await;
    let before = chain(&app).await.len();
    let new = async || chain(&app).await.split_off(before).into_iter().collect::<BTreeSet<_>>();
    // What was before a sink is for a replay.
    send(&app, &mut senders).await;
    assert!(receiver.asked().is_empty());

    // An event whose transaction ends late is behind those that were written after it.
    let late = Event::KeyRotated { kid: "late".into(), reason: "scheduled" };
    let mut tx = app.app.store.write().await.unwrap();
    audit::record(&mut tx, &app.app, &app.ctx(), &late).await.unwrap();
    if !on_postgres() {
        // There is one writer.
        tx.commit().await.unwrap();
        tx = app.app.store.glance().await.unwrap();
    }
    failures(&app, 20).await;
    send(&app, &mut senders).await;
    let early = new().await;
    assert_eq!(ids(&receiver.taken()), early);
    tx.commit().await.unwrap();
    for _ in 0..3 {
        seal(&app).await;
    }
    send(&app, &mut senders).await;
    assert_eq!(ids(&receiver.taken()), new().await);
    assert_eq!(receiver.taken().len(), new().await.len(), "each came once");
    let types: Vec<_> = receiver.taken().iter().map(|it| it.body["type"].clone()).collect();
    assert!(types.contains(&json!("KEY_ROTATED")) && types.contains(&json!("LOGIN_FAILED")));
    let failed = receiver.taken().into_iter().find(|it| it.body["type"] == "LOGIN_FAILED").unwrap();
    assert_eq!(failed.body["data"]["reason"], "email_not_found");
    assert_eq!(failed.body["data"]["id"], failed.id);

    // It is down: nothing is lost, and nobody hammers.
    receiver.answers(503);
    failures(&app, 2).await;
    send(&app, &mut senders).await;
    let asked = receiver.asked().len();
    send(&app, &mut senders).await;
    assert_eq!(receiver.asked().len(), asked, "it waits");
    let stands = standing(&app).await;
    assert_eq!((stands.behind, stands.dead_letters), (2, 0));
    assert_eq!(stands.last_error.as_deref(), Some("it answered 503"));
    receiver.answers(200);
    app.advance(Duration::from_secs(5));
    // One node at a time.
    let other = app.second_node(&[]).await;
    let mut others = Senders::from_config(&app.app.config).unwrap();
    assert_eq!(exports::step(&other.app, &mut others).await.unwrap(), Step::Rest);
    send(&app, &mut senders).await;
    assert_eq!(ids(&receiver.taken()), new().await);
    // The other goes on when this one is gone.
    failures(&app, 1).await;
    app.advance(Duration::from_mins(1));
    send(&other, &mut others).await;
    assert_eq!(ids(&receiver.taken()), new().await);
}

/// What a receiver refuses is put aside, and administrators see it, have it sent again, or give it up.
/// ASVS: V15.3.2
#[tokio::test]
async fn dead_letters_are_seen_sent_again_and_given_up_and_everything_can_be_replayed() {
    let receiver = Receiver::start().await;
    // The receiver does not know the new secret yet.
    let secrets = [("export_webhook.secret", NEWER), ("export_webhook.secret_previous", SECRET)];
    let (app, mut senders) = with_webhook(&receiver, &secrets).await;
    send(&app, &mut senders).await;
    let new = async || chain(&app).await.into_iter().collect::<BTreeSet<_>>();
    app.sign_up_admin("root@example.org").await;
    failures(&app, 1).await;
    send(&app, &mut senders).await;
    assert_eq!(ids(&receiver.taken()), new().await);

    // The rest goes on.
    receiver.answers(422);
    failures(&app, 1).await;
    send(&app, &mut senders).await;
    receiver.answers(204);
    failures(&app, 1).await;
    send(&app, &mut senders).await;
    let missing: Vec<_> = new().await.difference(&ids(&receiver.taken())).cloned().collect();
    assert_eq!(missing.len(), 1);
    let mut tx = app.app.store.glance().await.unwrap();
    exports::measure(&app.app, &mut tx).await.unwrap();
    drop(tx);
    let told = app.app.metrics.encode();
    assert!(told.contains("authshield_export_dead_letters{sink=\"webhook\"} 1"), "{told}");
    let root = app.sign_in("root@example.org").await;
    let letters = app.get_as(&root, "/api/v1/admin/exports/dead-letters?sink=webhook").await;
    let letter = &letters.ok(200).body["items"][0];
    assert_eq!(
        (&letter["event_id"], &letter["code"]),
        (&json!(missing[0]), &json!("LOGIN_FAILED"))
    );
    assert_eq!(letter["reason"], "it answered 422");
    let refused = app.ctx().now.as_second();
    app.advance(Duration::from_mins(2));
    assert_eq!(replay(&app, &root, json!({ "sink": "webhook" })).await.ok(200).body["events"], 1);
    send(&app, &mut senders).await;
    let last = receiver.taken().into_iter().find(|it| it.id == missing[0]).expect("it came");
    assert!(last.time >= refused + 120, "the time is that of the attempt");
    let seen = app.get_as(&root, "/api/v1/admin/exports").await;
    assert_eq!(seen.ok(200).body["items"][0]["dead_letters"], 0);

    // What it answers with no for a day, or sends elsewhere, becomes a dead letter, which can be forgotten.
    receiver.answers(307);
    failures(&app, 1).await;
    for _ in 0..3 {
        send(&app, &mut senders).await;
        app.advance(Duration::from_hours(13));
    }
    assert_eq!(standing(&app).await.dead_letters, 1);
    assert!(!receiver.strayed.load(Relaxed), "a redirect was followed");
    let root = app.sign_in("root@example.org").await;
    let drop = "/api/v1/admin/exports/dead-letters?sink=webhook";
    let dropped = app.delete_as(&root, drop).await;
    assert_eq!(dropped.ok(200).body["events"], 1);
    assert_eq!(standing(&app).await.dead_letters, 0);

    // All of it again, while it is at it: what somebody asked for is not forgotten. Never forward, either.
    receiver.answers(204);
    receiver.taken.lock().unwrap().clear();
    failures(&app, 1).await;
    app.advance(Duration::from_hours(1));
    let root = app.sign_in("root@example.org").await;
    let ahead = json!({ "sink": "webhook", "since": app.ctx().now });
    replay(&app, &root, ahead).await.ok(200);
    assert!(standing(&app).await.behind > 0);
    let begin = json!({ "sink": "webhook", "since": "1970-01-01T00:00:00Z" });
    assert_eq!(replay(&app, &root, begin).await.ok(200).body["events"], chain(&app).await.len());
    send(&app, &mut senders).await;
    assert_eq!(ids(&receiver.taken()), chain(&app).await.into_iter().collect());
    replay(&app, &root, json!({ "sink": "syslog", "since": "1970-01-01T00:00:00Z" }))
        .await
        .is(422, "VALIDATION_FAILED");
    replay(&app, &root, json!({ "sink": "pigeon" })).await.is(422, "VALIDATION_FAILED");
    let events = app.events().await;
    let counted = |code: &str| events.iter().filter(|event| *event == code).count();
    assert_eq!((counted("EXPORT_REPLAYED"), counted("EXPORT_DEAD_LETTERS_DROPPED")), (3, 1));
}

/// J07: a webhook leads to no address inside that was not named.
/// ASVS: V1.3.6
#[tokio::test]
async fn j07_a_webhook_that_leads_inside_is_refused_at_the_start_and_when_its_name_changes() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let set = |url: &str, networks: &str| {
        let mut config = app.app.config.clone();
        config.export_webhook.url = Some(url.parse().unwrap());
        config.export_webhook.secret = Some(SECRET.to_owned().into());
        let networks = networks.split(',').filter(|text| !text.is_empty());
        config.export_webhook.private_networks = networks.map(|it| it.parse().unwrap()).collect();
        config
    };
    for url in [
        "http://127.0.0.1:1/",
        "https://[::1]/",
        "https://169.254.169.254/",
        "https://0x7f.1/",
        "https://somebody:secret@hooks.example.org/",
    ] {
        let refused = Senders::from_config(&set(url, "")).err().expect(url);
        assert!(refused.to_string().contains("export_webhook.private_networks"), "{refused}");
    }
    // A name is looked at when it is used.
    let receiver = Receiver::start().await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    for (networks, comes) in [("", false), ("127.0.0.0/8,::1/128", true)] {
        let mut senders = Senders::from_config(&set(&url, networks)).unwrap();
        let reached = &senders.probe().await[0];
        assert!(reached.0 == Sink::Webhook && reached.1.is_ok() == comes, "{reached:?}");
        send(&app, &mut senders).await;
        failures(&app, 1).await;
        app.advance(Duration::from_hours(1));
        send(&app, &mut senders).await;
        assert_eq!(!receiver.asked().is_empty(), comes, "{networks:?}");
    }
}

/// What was on its way when the process died is sent again, under the same id; and what commands say.
#[tokio::test]
async fn kill_9_loses_no_event_and_operators_see_and_mend_what_was_not_taken() {
    let receiver = Receiver::start().await;
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new()
        .await
        .mailing(&relay)
        .unlimited()
        .set("export_webhook.url", &receiver.url)
        .set("export_webhook.secret", SECRET)
        .set("export_webhook.private_networks", "127.0.0.0/8");
    let server = program.serve().await;
    let sinks = async || program.run(&["events", "sinks", "--json"]).await.json();
    wait_until("the sink is begun", PATIENCE, async || sinks().await.get(0).map(|_| ())).await;
    receiver.is_silent();
    for _ in 0..20 {
        server.client.log_in("nobody@example.org", "battery staple").await.unwrap();
    }
    let held = wait_until("some are on their way", PATIENCE, async || {
        (receiver.asked().len() > 1).then(|| ids(&receiver.asked()))
    });
    let held = held.await;
    server.kill().await;
    assert!(receiver.taken().is_empty() && sinks().await[0]["behind"].as_u64() > Some(0));
    let prune = ["audit", "prune", "--before", "2100-01-01T00:00:00Z"];
    program.run(&prune).await.fails(1, &["webhook was not given everything"]);

    receiver.answers(204);
    let server = program.serve().await;
    let list = ["events", "list", "--json", "--code", "LOGIN_FAILED", "--limit", "100"];
    let failed = program.run(&list).await.json();
    let failed = failed.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
    let failed: BTreeSet<_> = failed.collect();
    assert_eq!(failed.len(), 20);
    wait_until("all came, and those that were on their way again", PATIENCE, async || {
        let taken = ids(&receiver.taken());
        (failed.is_subset(&taken) && held.is_subset(&taken)).then_some(())
    })
    .await;
    let cef = program.run(&["events", "export", "--format", "cef"]).await.ok().out;
    let lines = |code: &str| cef.lines().filter(|line| line.contains(code)).count();
    assert_eq!(
        (cef.lines().all(|line| line.starts_with("CEF:0|")), lines("LOGIN_FAILED")),
        (true, 20)
    );

    // It refuses one: the rest goes on, and somebody is told.
    Gate::of(&program, &[]).await.has("OBS-2", "pass", &["webhook"]).has("OBS-3", "pass", &[]);
    receiver.answers(422);
    server.client.log_in("nobody@example.org", "battery staple").await.unwrap();
    let letters =
        async || program.run(&["events", "dead-letters", "webhook", "--json"]).await.json();
    let dead = wait_until("it is put aside", PATIENCE, async || {
        letters().await.as_array().filter(|all| !all.is_empty()).cloned()
    });
    assert_eq!(dead.await[0]["reason"], "it answered 422");
    Gate::of(&program, &[]).await.has("OBS-3", "warn", &["did not take"]);
    receiver.answers(204);
    program.run(&["events", "replay", "webhook", "--dead"]).await.ok();
    wait_until("none is left", PATIENCE, async || (letters().await == json!([])).then_some(()))
        .await;
    program.run(&["events", "dead-letters", "webhook", "--drop"]).await.ok();
    assert_eq!(program.run(&["events", "replay", "pigeon", "--dead"]).await.status, Some(2));
    let gone = program.clone().set("export_webhook.url", "http://127.0.0.1:1/hook");
    Gate::of(&gone, &[]).await.has("OBS-2", "warn", &["webhook", "refused"]);
    server.stop().await;
}

/// A syslog server over TLS, which can be made to hang up.
async fn syslog() -> (u16, mpsc::UnboundedReceiver<String>, Arc<tokio::sync::Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (lines, taken) = mpsc::unbounded_channel();
    let hang_up = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&hang_up);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (lines, told) = (lines.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                let accepted = valid_certificate().acceptor().accept(tcp).await;
                let Ok(mut stream) = accepted else { return };
                loop {
                    let line = tokio::select! {
                        line = read(&mut stream) => line,
                        () = told.notified() => None,
                    };
                    let Some(line) = line else { break };
                    lines.send(line).unwrap();
                }
            });
        }
    });
    (port, taken, hang_up)
}

/// Reads one line with its length before it (RFC 5425).
async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut length = 0_usize;
    loop {
        match stream.read_u8().await.ok()? {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut line = vec![0; length];
    stream.read_exact(&mut line).await.ok()?;
    Some(String::from_utf8(line).unwrap())
}

/// ASVS: V16.4.3
#[tokio::test]
async fn events_go_to_a_syslog_server_over_tls_and_again_when_it_hangs_up() {
    let (port, mut lines, hang_up) = syslog().await;
    let address = format!("localhost:{port}");
    let authority = valid_certificate().authority.display().to_string();
    let app = TestApp::with(&[
        ("rate_limit.enabled", "false"),
        ("export_syslog.address", &address),
        ("export_syslog.ca_file", &authority),
    ])
    .await;
    let mut senders = Senders::from_config(&app.app.config).unwrap();
    assert!(senders.probe().await[0].1.is_ok());
    send(&app, &mut senders).await;
    failures(&app, 2).await;
    send(&app, &mut senders).await;
    for id in chain(&app).await {
        let line = lines.recv().await.unwrap();
        assert!(
            line.starts_with("<85>1 ") && line.contains(" authshield - LOGIN_FAILED - CEF:0|"),
            "{line}"
        );
        assert!(
            line.contains(&format!("externalId={id}")) && line.contains("outcome=failure"),
            "{line}"
        );
    }

    // What was written into a connection that nobody reads any more is written again over the next one.
    hang_up.notify_one();
    failures(&app, 1).await;
    let last = chain(&app).await.pop().unwrap();
    wait_until("the last one comes", PATIENCE, async || {
        send(&app, &mut senders).await;
        let line = lines.try_recv().ok()?;
        line.contains(&last).then_some(())
    })
    .await;

    // Whoever is not who they should be gets nothing, and for as long as it takes nothing is given up.
    let mut config = app.app.config.clone();
    config.export_syslog.ca_file = None;
    let mut strangers = Senders::from_config(&config).unwrap();
    failures(&app, 1).await;
    for _ in 0..4 {
        send(&app, &mut strangers).await;
        app.advance(Duration::from_hours(13));
    }
    let stands = standing(&app).await;
    assert_eq!((stands.behind, stands.dead_letters), (1, 0));
    let why = stands.last_error.unwrap_or_default();
    assert!(why.contains("certificate"), "{why}");
    send(&app, &mut senders).await;
    assert_eq!(standing(&app).await.behind, 0);
}
