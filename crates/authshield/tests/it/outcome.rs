//! What becomes of mail, cell by cell.

use std::time::Duration;

use authshield::chores;
use authshield::mail::outcome;
use serde_json::{Value, json};

use crate::support::detection::Fault;
use crate::support::dns_server::DnsServer;
use crate::support::smtp_server::Reaction;
use crate::support::{PASSWORD, Person, TestApp};

const CELLS: &str = "/api/v1/admin/mail/cells";

/// A service whose users have mailboxes with three providers.
async fn app(dns: &DnsServer) -> TestApp {
    dns.mail_servers("gmail.test", &["gmail-smtp-in.l.google.com"])
        .mail_servers("outlook.test", &["outlook-test.mail.protection.outlook.com"])
        .mail_servers("own.test", &["mx.own.test"])
        .mail_servers("example.org", &["mx.example.org"]);
    TestApp::with(&[("rate_limit.enabled", "false"), ("dns.resolvers", &dns.address.to_string())])
        .await
}

/// Registers `count` people at `domain`, and sends what waits.
async fn register(app: &TestApp, domain: &str, from: u32, count: u32) {
    for number in from..from + count {
        app.register(&format!("p{number}@{domain}"), PASSWORD).await.ok(202);
    }
    app.mails().await;
}

/// Does what the service does twice a minute.
async fn settle(app: &TestApp) {
    outcome::attribute(&app.app).await.unwrap();
    outcome::count(&app.app).await.unwrap();
    outcome::watch(&app.app).await.unwrap();
}

async fn cells(app: &TestApp, root: &Person) -> Value {
    app.get_as(root, CELLS).await.ok(200).body.clone()
}

#[track_caller]
fn cell<'r>(report: &'r Value, provider: &str, kind: &str) -> &'r Value {
    let cells = report["cells"].as_array().unwrap();
    cells
        .iter()
        .find(|cell| cell["mailbox_provider"] == provider && cell["kind"] == kind)
        .unwrap_or_else(|| panic!("no {provider} {kind} in {report:#}"))
}

#[tokio::test]
async fn each_cell_tells_its_funnel_its_times_and_how_sure_that_is() {
    let dns = DnsServer::start().await;
    let app = app(&dns).await;
    let root = app.sign_up_admin("root@example.org").await;
    register(&app, "gmail.test", 0, 4).await;
    app.advance(Duration::from_secs(30));
    for number in 0..3 {
        let token = app.token_for(&format!("p{number}@gmail.test")).await;
        app.verify(&token).await.ok(200);
    }
    settle(&app).await;
    let report = cells(&app, &root).await;
    let google = cell(&report, "google", "verify_email");
    assert_eq!((&google["messages"], &google["sender"]), (&json!(4), &json!("auth.example.net")));
    assert_eq!((&google["accepted"]["count"], &google["accepted"]["of"]), (&json!(4), &json!(4)));
    let confirmed = &google["confirmed"];
    assert_eq!((&confirmed["count"], &confirmed["of"]), (&json!(3), &json!(4)));
    let (low, high) = (confirmed["low"].as_f64().unwrap(), confirmed["high"].as_f64().unwrap());
    assert!((low - 0.3006).abs() < 1e-4 && (high - 0.9544).abs() < 1e-4, "{confirmed}");
    assert_eq!(google["delivered"]["count"], 3, "who used the link had the mail");
    let p50 = google["to_confirm"]["p50"].as_f64().unwrap();
    assert!((30.0..60.0).contains(&p50), "{google:#}");
    assert_eq!(google["to_confirm"]["p99"], Value::Null, "one has not used it, and may never");
    assert!(google["confirmed_soon"].as_f64().unwrap() > 0.7, "{google:#}");
    // The administrator's own provider is another cell.
    assert_eq!(cell(&report, "other", "verify_email")["messages"], 1);
    let factors: Vec<_> =
        report["factors"].as_array().unwrap().iter().map(|it| it["factor"].clone()).collect();
    assert_eq!(factors.len(), 5, "{report:#}");

    // Silence that has lasted too long has a name, without anything having happened.
    app.advance(Duration::from_mins(61));
    settle(&app).await;
    let root = app.sign_in("root@example.org").await;
    let report = cells(&app, &root).await;
    assert_eq!(cell(&report, "google", "verify_email")["unknown"]["count"], 1);
    chores::measure(&app.app).await;
    let page = app.app.metrics.encode();
    for line in [
        "authshield_mail_outcome_unknown{provider=\"smtp\",mailbox_provider=\"google\"} 1",
        "authshield_mail_outcome_due{provider=\"smtp\",mailbox_provider=\"google\"} 4",
        "authshield_mail_time_to_confirm_seconds_count{kind=\"verify_email\",mailbox_provider=\"unknown\"} 4",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    // Now that it is known where the domain's mail goes, the next mail says so from the beginning.
    register(&app, "gmail.test", 10, 1).await;
    let placed = app
        .count("SELECT COUNT(*) FROM mail_messages WHERE mailbox_provider = 'google' AND recipient = 'p10@gmail.test'")
        .await;
    assert_eq!(placed, 1);
    for wrong in ["0", "673", "x", "-1"] {
        app.get_as(&root, &format!("{CELLS}?hours={wrong}")).await.is(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn where_no_name_server_answers_it_is_not_known_and_asked_again() {
    let dns = DnsServer::start().await;
    let app = TestApp::with(&[
        ("rate_limit.enabled", "false"),
        // Somebody who reads and does not answer.
        (
            "dns.resolvers",
            &tokio::net::UdpSocket::bind("127.0.0.1:0")
                .await
                .unwrap()
                .local_addr()
                .unwrap()
                .to_string(),
        ),
    ])
    .await;
    drop(dns);
    let root = app.sign_up_admin("root@example.org").await;
    settle(&app).await;
    assert_eq!(cell(&cells(&app, &root).await, "unknown", "verify_email")["messages"], 1);
    let open = app.count("SELECT COUNT(*) FROM mail_messages WHERE mailbox_provider IS NULL").await;
    assert_eq!(open, 1, "it is asked again");
}

/// Operations 9, row 11
#[tokio::test]
async fn one_mailbox_provider_that_begins_to_refuse_is_named_with_the_first_mail() {
    let dns = DnsServer::start().await;
    let app = app(&dns).await;
    app.sign_up_admin("root@example.org").await;
    for round in 0..4 {
        for domain in ["gmail.test", "outlook.test", "own.test"] {
            register(&app, domain, round * 10, 5).await;
        }
        app.advance(Duration::from_mins(5));
        settle(&app).await;
    }
    assert!(!app.events().await.contains(&"MAIL_CELL_DEGRADED/accept".to_owned()));

    app.relay.on(|heard| {
        (heard.is("RCPT") && heard.line.contains("@outlook.test")).then(|| {
            Reaction::say(
                "550 5.7.1 [192.0.2.25] weren't sent: part of their network is on our block list",
            )
        })
    });
    let fault = Fault::injected(11, "one mailbox provider refuses: five mails to each of three");
    for domain in ["gmail.test", "outlook.test", "own.test"] {
        register(&app, domain, 100, 5).await;
    }
    settle(&app).await;
    let root = app.sign_in("root@example.org").await;
    let report = cells(&app, &root).await;
    let microsoft = cell(&report, "microsoft", "verify_email");
    assert_eq!(microsoft["degraded"][0]["step"], "accept", "{microsoft:#}");
    fault.found_by("MAIL_CELL_DEGRADED");
    for fine in ["google", "other"] {
        assert_eq!(cell(&report, fine, "verify_email")["degraded"], json!([]));
    }
    // The first one that was refused is named: it can be looked at.
    let first = microsoft["degraded"][0]["first_mail"].as_str().unwrap();
    let story =
        app.get_as(&root, &format!("/api/v1/admin/mail/{first}")).await.ok(200).body.clone();
    assert_eq!(
        (&story["recipient"], &story["state"]),
        (&json!("p100@outlook.test"), &json!("queued"))
    );
    assert_eq!(microsoft["held"]["count"], 5, "refused, and tried again: {microsoft:#}");
    assert!(microsoft["held"]["low"].as_f64() > Some(0.05));
    let events = app.events().await;
    let raised = events.iter().filter(|event| *event == "MAIL_CELL_DEGRADED/accept").count();
    assert_eq!(raised, 1, "{events:?}");
    chores::measure(&app.app).await;
    let line = "authshield_mail_cell_degraded{provider=\"smtp\",mailbox_provider=\"microsoft\",kind=\"verify_email\",step=\"accept\"} 1";
    let page = app.app.metrics.encode();
    assert!(page.contains(line), "{page}");
    assert_eq!(page.matches("authshield_mail_cell_degraded{").count(), 1);

    // It stands once, and ends when mail is taken again.
    settle(&app).await;
    app.relay.behave();
    for round in 2..6 {
        app.advance(Duration::from_mins(5));
        register(&app, "outlook.test", round * 100, 20).await;
    }
    settle(&app).await;
    let events = app.events().await;
    let told: Vec<_> = events.iter().filter(|event| event.starts_with("MAIL_CELL")).collect();
    assert_eq!(told, ["MAIL_CELL_DEGRADED/accept", "MAIL_CELL_RECOVERED/accept"]);
    chores::measure(&app.app).await;
    assert!(!app.app.metrics.encode().contains("authshield_mail_cell_degraded{"));
}

/// News that comes late counts where the mail was written, and is not counted twice.
#[tokio::test]
async fn a_window_of_which_something_is_new_is_counted_again() {
    let dns = DnsServer::start().await;
    let app = app(&dns).await;
    let root = app.sign_up_admin("root@example.org").await;
    register(&app, "gmail.test", 0, 3).await;
    settle(&app).await;
    settle(&app).await;
    assert_eq!(cell(&cells(&app, &root).await, "google", "verify_email")["messages"], 3);
    app.advance(Duration::from_mins(10));
    let token = app.token_for("p1@gmail.test").await;
    app.verify(&token).await.ok(200);
    settle(&app).await;
    let report = cells(&app, &root).await;
    let google = cell(&report, "google", "verify_email");
    assert_eq!((&google["messages"], &google["confirmed"]["count"]), (&json!(3), &json!(1)));
    assert_eq!(
        app.count("SELECT COUNT(*) FROM mail_rollup_5m WHERE mailbox_provider = 'google'").await,
        1
    );
}

/// Servers that let strangers wait at first are no news; ones that go on refusing are.
#[tokio::test]
async fn a_server_that_lets_strangers_wait_is_no_news_and_one_that_goes_on_refusing_is() {
    let dns = DnsServer::start().await;
    let app = app(&dns).await;
    app.sign_up_admin("root@example.org").await;
    register(&app, "gmail.test", 0, 20).await;
    app.relay.on(|heard| heard.is("RCPT").then(|| Reaction::say("450 4.2.0 greylisted")));
    register(&app, "own.test", 0, 6).await;
    settle(&app).await;
    let root = app.sign_in("root@example.org").await;
    let other = cells(&app, &root).await;
    let own = cell(&other, "other", "verify_email");
    assert_eq!((&own["messages"], &own["held"]["count"]), (&json!(7), &json!(0)));
    assert_eq!(own["degraded"], json!([]));
    // A quarter of an hour later it still does.
    app.advance(Duration::from_mins(16));
    app.mails().await;
    settle(&app).await;
    let root = app.sign_in("root@example.org").await;
    let other = cells(&app, &root).await;
    let own = cell(&other, "other", "verify_email");
    assert_eq!(own["held"]["count"], 6, "{own:#}");
    assert_eq!(own["degraded"][0]["step"], "accept");
    assert_eq!(cell(&other, "google", "verify_email")["degraded"], json!([]));
}

/// Operations 4.9: what somebody should know who looks once a day.
#[tokio::test]
async fn once_a_day_it_is_told_what_is_not_as_usual() {
    let dns = DnsServer::start().await;
    let app = app(&dns).await;
    app.sign_up_admin("root@example.org").await;
    let answer = |domain: &'static str, words: &'static str| {
        app.relay.on(move |heard| {
            (heard.is("RCPT") && heard.line.contains(domain)).then(|| Reaction::say(words))
        });
    };
    // A week ago: mail arrives, but for one full mailbox.
    register(&app, "gmail.test", 0, 20).await;
    answer("outlook.test", "452 4.2.2 mailbox of p0 is full, 17 MB");
    register(&app, "outlook.test", 0, 1).await;
    settle(&app).await;
    app.advance(Duration::from_hours(24 * 7));
    assert!(outcome::write_daily(&app.app).await.unwrap());
    assert!(!outcome::write_daily(&app.app).await.unwrap(), "one a day");

    app.advance(Duration::from_hours(1));
    // Today one mailbox provider knows nobody, and another mailbox is full.
    register(&app, "outlook.test", 1, 1).await;
    answer("gmail.test", "550 5.1.1 gsmtp: no such account");
    register(&app, "gmail.test", 20, 20).await;
    settle(&app).await;
    let root = app.sign_in("root@example.org").await;
    let path = "/api/v1/admin/mail/digest";
    let digest = app.get_as(&root, path).await.ok(200).body.clone();
    let worst = &digest["deviations"][0];
    assert_eq!((&worst["mailbox_provider"], &worst["of"]), (&json!("google"), &json!(20)));
    let shares: Vec<_> =
        digest["deviations"].as_array().unwrap().iter().map(|it| it["share"].clone()).collect();
    assert!(shares.contains(&json!("failed")), "{digest:#}");
    let replies = digest["new_replies"].as_array().unwrap();
    assert_eq!(replies.len(), 1, "a mailbox that is full is nothing new: {digest:#}");
    assert_eq!(replies[0]["reply"], "550 5.1.1 gsmtp: no such account");
    assert_eq!(replies[0]["count"], 20);
    // Nobody reports deliveries here, so last week's mail stays in the dark.
    let dark = digest["unknown"].as_array().unwrap();
    let google = dark.iter().find(|it| it["mailbox_provider"] == "google").unwrap();
    assert_eq!((&google["provider"], &google["count"]), (&json!("smtp"), &json!(20)));

    app.advance(Duration::from_hours(23));
    assert!(outcome::write_daily(&app.app).await.unwrap());
    let root = app.sign_in("root@example.org").await;
    let events = app.get_as(&root, "/api/v1/admin/events?code=MAIL_DIGEST").await;
    let events = events.ok(200).body["items"].as_array().unwrap().clone();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["data"]["new_replies"][0]["count"], 20);
    app.get(path).await.is(401, "AUTH_TOKEN_MISSING");
    let ann = app.sign_up("ann@example.org").await;
    app.get_as(&ann, path).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
}
