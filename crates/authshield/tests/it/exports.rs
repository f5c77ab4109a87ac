//! Events on their way to others: in order, at least once, to receivers that are really there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use authshield::exports::{self, Sinks, Step};
use authshield::seals::{self, Memory, Pass};
use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::TestApp;
use crate::support::certificate::valid_certificate;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

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
    answer: Arc<Mutex<StatusCode>>,
    taken: Arc<Mutex<Vec<Delivery>>>,
    asked: Arc<Mutex<usize>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            answer: Arc::new(Mutex::new(StatusCode::NO_CONTENT)),
            taken: Arc::default(),
            asked: Arc::default(),
        };
        let routes = axum::Router::new()
            .route("/hook", axum::routing::post(take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        receiver
    }

    fn answers(&self, status: u16) {
        *self.answer.lock().unwrap() = StatusCode::from_u16(status).unwrap();
    }

    fn taken(&self) -> Vec<Delivery> {
        self.taken.lock().unwrap().clone()
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

/// Verifies as Standard Webhooks says, and takes what is good.
async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    *receiver.asked.lock().unwrap() += 1;
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    let key = BASE64.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let words = [id.as_bytes(), b".", time.as_bytes(), b".", &body].concat();
    let signature = header("webhook-signature");
    let tag = BASE64.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    assert!(hmac::verify(&key, &words, &tag).is_ok(), "the signature is good");
    let status = *receiver.answer.lock().unwrap();
    if status.is_success() {
        let body = serde_json::from_slice(&body).unwrap();
        receiver.taken.lock().unwrap().push(Delivery { id, time: time.parse().unwrap(), body });
    }
    status
}

async fn seal(app: &TestApp) {
    let mut memory = Memory::default();
    app.advance(Duration::from_secs(11));
    while let Pass::Sealed { more: true, .. } = seals::seal(&app.app, &mut memory).await.unwrap() {}
}

async fn send(app: &TestApp, sinks: &mut Sinks) {
    while exports::step(&app.app, sinks).await.unwrap() == Step::More {}
}

/// Returns the names of all sealed events, in the order of the chain.
async fn chain(app: &TestApp) -> Vec<String> {
    let mut tx = app.app.store.glance().await.unwrap();
    let rows: Vec<(uuid::Uuid,)> =
        tx.query("SELECT event_id FROM audit_links ORDER BY seq").all().await.unwrap();
    rows.into_iter().map(|(id,)| id.to_string()).collect()
}

async fn failures(app: &TestApp, count: usize) {
    for _ in 0..count {
        app.log_in("nobody@example.org", "battery staple").await;
    }
    seal(app).await;
}

/// L10: a webhook that is repeated bears the same id and a new time, and both are signed.
#[tokio::test]
async fn l10_webhooks_are_signed_come_in_order_are_tried_again_and_can_be_replayed() {
    let receiver = Receiver::start().await;
    let app = TestApp::with(&[
        ("rate_limit.enabled", "false"),
        ("export_webhook.url", &receiver.url),
        ("export_webhook.secret", SECRET),
        ("export_webhook.private_networks", "127.0.0.0/8"),
    ])
    .await;
    let mut sinks = Sinks::from_config(&app.app.config).unwrap();
    app.open_account("ann@example.org").await;
    seal(&app).await;
    let before = chain(&app).await.len();
    // What was before a sink is for a replay.
    send(&app, &mut sinks).await;
    assert_eq!(receiver.asked(), 0);

    failures(&app, 3).await;
    send(&app, &mut sinks).await;
    let ids = |taken: &[Delivery]| taken.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&receiver.taken()), chain(&app).await[before..]);
    let body = &receiver.taken()[0].body;
    assert_eq!(
        (&body["type"], &body["data"]["reason"]),
        (&"LOGIN_FAILED".into(), &"email_not_found".into())
    );
    assert_eq!(body["data"]["id"], receiver.taken()[0].id, "{body}");

    // It is down: nothing is lost, nothing overtakes, and nobody hammers.
    receiver.answers(503);
    failures(&app, 2).await;
    send(&app, &mut sinks).await;
    let asked = receiver.asked();
    send(&app, &mut sinks).await;
    assert_eq!(receiver.asked(), asked, "it waits");
    let standing = exports::standings(&app.app.store).await.unwrap();
    assert_eq!((standing[0].behind, standing[0].dead_letters), (2, 0));
    assert_eq!(standing[0].last_error.as_deref(), Some("it answered 503"));
    receiver.answers(200);
    app.advance(Duration::from_secs(5));
    // Another node, or this one after a restart, goes on where it was; one of them.
    let mut others = Sinks::from_config(&app.app.config).unwrap();
    let other = app.second_node(&[]).await;
    assert_eq!(exports::step(&other.app, &mut others).await.unwrap(), Step::Rest);
    send(&app, &mut sinks).await;
    app.advance(Duration::from_mins(1));
    assert_eq!(ids(&receiver.taken()), chain(&app).await[before..]);

    // One that is refused is put aside, and the rest goes on.
    receiver.answers(422);
    failures(&app, 1).await;
    send(&app, &mut sinks).await;
    receiver.answers(204);
    failures(&app, 1).await;
    send(&app, &mut sinks).await;
    let (all, taken) = (chain(&app).await, ids(&receiver.taken()));
    assert_eq!(taken.last(), all.last());
    let missing: Vec<_> = all[before..].iter().filter(|id| !taken.contains(id)).collect();
    assert_eq!(missing.len(), 1);
    let mut tx = app.app.store.glance().await.unwrap();
    exports::measure(&app.app, &mut tx).await.unwrap();
    drop(tx);
    let told = app.app.metrics.encode();
    assert!(told.contains("authshield_export_dead_letters{sink=\"webhook\"} 1"), "{told}");
    let first_try = app.ctx().now.as_second();
    assert_eq!(exports::replay_dead(&app.app.store, "webhook", app.ctx().now).await.unwrap(), 1);
    app.advance(Duration::from_mins(2));
    send(&app, &mut sinks).await;
    let last = receiver.taken().last().unwrap().clone();
    assert_eq!(&last.id, missing[0]);
    assert!(last.time >= first_try + 120, "the time is that of the attempt");
    assert_eq!(exports::standings(&app.app.store).await.unwrap()[0].dead_letters, 0);

    // After a day of nothing, the first becomes a dead letter.
    receiver.answers(500);
    failures(&app, 1).await;
    for _ in 0..3 {
        send(&app, &mut sinks).await;
        app.advance(Duration::from_hours(13));
    }
    assert_eq!(exports::standings(&app.app.store).await.unwrap()[0].dead_letters, 1);

    // All of it again.
    receiver.answers(200);
    receiver.taken.lock().unwrap().clear();
    let since = onesql::Timestamp::from_microsecond(0);
    assert!(exports::rewind(&app.app.store, "webhook", since).await.unwrap());
    assert!(!exports::rewind(&app.app.store, "pigeon", since).await.unwrap());
    send(&app, &mut sinks).await;
    assert_eq!(ids(&receiver.taken()), chain(&app).await);
}

/// J07: a webhook leads to no address inside that was not named.
#[tokio::test]
async fn j07_a_webhook_that_leads_inside_is_refused_at_the_start_and_when_its_name_changes() {
    let app = TestApp::start().await;
    let set = |url: &str, networks: &str| {
        let mut config = app.app.config.clone();
        config.export_webhook.url = Some(url.parse().unwrap());
        config.export_webhook.secret = Some(SECRET.to_owned().into());
        let networks = networks.split(',').filter(|text| !text.is_empty());
        config.export_webhook.private_networks = networks.map(|it| it.parse().unwrap()).collect();
        config
    };
    for url in
        ["http://127.0.0.1:1/", "https://[::1]/", "https://169.254.169.254/", "https://0x7f.1/"]
    {
        let refused = Sinks::from_config(&set(url, "")).err().expect(url);
        assert!(refused.to_string().contains("export_webhook.private_networks"), "{refused}");
    }
    // A name is looked at when it is used.
    let receiver = Receiver::start().await;
    let url = receiver.url.replace("127.0.0.1", "localhost");
    for (networks, asked) in [("", 0), ("127.0.0.0/8,::1/128", 1)] {
        let mut sinks = Sinks::from_config(&set(&url, networks)).unwrap();
        send(&app, &mut sinks).await;
        failures(&app, 1).await;
        app.advance(Duration::from_hours(1));
        send(&app, &mut sinks).await;
        assert_eq!(receiver.asked() > 0, asked > 0, "{networks:?}");
    }
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
            let Ok(mut stream) = valid_certificate().acceptor().accept(tcp).await else { continue };
            loop {
                let line = tokio::select! {
                    line = read(&mut stream) => line,
                    () = told.notified() => None,
                };
                let Some(line) = line else { break };
                lines.send(line).unwrap();
            }
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
    let (port, mut taken, hang_up) = syslog().await;
    let address = format!("localhost:{port}");
    let authority = valid_certificate().authority.display().to_string();
    let app = TestApp::with(&[
        ("rate_limit.enabled", "false"),
        ("export_syslog.address", &address),
        ("export_syslog.ca_file", &authority),
    ])
    .await;
    let mut sinks = Sinks::from_config(&app.app.config).unwrap();
    send(&app, &mut sinks).await;
    failures(&app, 2).await;
    send(&app, &mut sinks).await;
    let all = chain(&app).await;
    for id in &all {
        let line = taken.recv().await.unwrap();
        assert!(
            line.starts_with("<85>1 ") && line.contains(" authshield - LOGIN_FAILED - CEF:0|"),
            "{line}"
        );
        assert!(
            line.contains(&format!("externalId={id}")) && line.contains("outcome=failure"),
            "{line}"
        );
    }

    // What was on its way is written again over the next connection.
    hang_up.notify_one();
    failures(&app, 1).await;
    let all = chain(&app).await;
    let mut seen = Vec::new();
    for _ in 0..20 {
        send(&app, &mut sinks).await;
        app.advance(Duration::from_secs(20));
        while let Ok(line) = taken.try_recv() {
            seen.push(line);
        }
        if seen.iter().any(|line| line.contains(all.last().unwrap())) {
            break;
        }
        tokio::task::yield_now().await;
    }
    let last = tokio::time::timeout(Duration::from_secs(20), async {
        while !seen.iter().any(|line| line.contains(all.last().unwrap())) {
            seen.push(taken.recv().await.unwrap());
        }
    });
    last.await.expect("the last came");

    // Whoever is not who they should be gets nothing.
    let mut config = app.app.config.clone();
    config.export_syslog.ca_file = None;
    let mut strangers = Sinks::from_config(&config).unwrap();
    failures(&app, 1).await;
    send(&app, &mut strangers).await;
    let standing = exports::standings(&app.app.store).await.unwrap();
    assert_eq!(standing[0].behind, 1);
    assert!(
        standing[0].last_error.as_deref().unwrap_or_default().contains("certificate"),
        "{standing:?}"
    );
}
