//! A second way for mail, while the first cannot be used.

use std::time::Duration;

use authshield::mail::BreakerState;
use serde_json::json;

use super::app_with;
use crate::support::provider::{Asked, Provider, say};
use crate::support::smtp_server::Reaction;
use crate::support::{PASSWORD, Script, SmtpServer, TestApp};

async fn states(app: &TestApp) -> Vec<(String, String)> {
    let rows = authshield::mail::list(
        &app.app.store,
        &authshield::mail::Search::default(),
        authshield::kernel::Place::start(),
        50,
        app.ctx().now,
    )
    .await
    .unwrap();
    let provider = |row: &authshield::mail::MailRow| row.provider.clone().unwrap_or_default();
    rows.iter().rev().map(|row| (row.state.clone(), provider(row))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

/// The relay that tests have is the second way here.
#[tokio::test]
async fn a_relay_takes_over_from_a_provider_and_gives_back() {
    let provider = Provider::start("postmark");
    let app = app_with(&provider, &[("mail.fallback", "smtp")]).await;
    app.register("a@example.org", PASSWORD).await.ok(202);
    app.app.post.deliver_due().await;
    assert_eq!((provider.mails().len(), app.relay.mails().len()), (1, 0));

    // The token is revoked: whatever comes next takes the other way, at once.
    provider.on(|asked| {
        asked.is_mail().then(|| say(401, &json!({ "ErrorCode": 10, "Message": "Bad token." })))
    });
    app.register("b@example.org", PASSWORD).await.ok(202);
    app.app.post.deliver_due().await;
    app.advance(Duration::from_secs(6));
    app.register("c@example.org", PASSWORD).await.ok(202);
    app.app.post.deliver_due().await;
    let mut to: Vec<_> = app.relay.mails().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["b@example.org", "c@example.org"]);
    let took = pairs(&[("accepted", "postmark"), ("accepted", "smtp"), ("accepted", "smtp")]);
    assert_eq!(states(&app).await, took);
    // It is known that the first way is out of order, and only drills go there.
    assert_eq!(app.app.post.state(), BreakerState::Closed);
    assert!(app.app.post.trouble().unwrap().advice.unwrap().contains("postmark.server_token"));
    authshield::mail::report(&app.app).await;
    assert!(app.events().await.contains(&"MAIL_CONFIG_FAULT".to_owned()));
    authshield::chores::measure(&app.app).await;
    let exposition = app.app.metrics.encode();
    assert!(exposition.contains("authshield_mail_breaker_state{provider=\"postmark\"} 2"));
    assert!(exposition.contains("authshield_mail_breaker_state{provider=\"smtp\"} 0"));
    assert_eq!(provider.mails().len(), 2, "b was tried there once");
    assert!(provider.asked().iter().any(Asked::is_drill));

    provider.behave();
    app.advance(Duration::from_mins(2));
    app.app.post.deliver_due().await;
    app.register("d@example.org", PASSWORD).await.ok(202);
    app.app.post.deliver_due().await;
    assert_eq!((provider.mails().len(), app.relay.mails().len()), (3, 2), "it is the first again");
    authshield::mail::report(&app.app).await;
    assert!(app.events().await.contains(&"MAIL_CONFIG_RECOVERED".to_owned()));
}

#[tokio::test]
async fn a_second_relay_takes_over_and_when_both_are_away_mail_waits() {
    let second = SmtpServer::start(Script::default()).await;
    let port = second.port.to_string();
    let app = TestApp::with(&[
        ("rate_limit.enabled", "false"),
        ("smtp_fallback.host", "127.0.0.1"),
        ("smtp_fallback.port", &port),
        ("smtp_fallback.tls", "none"),
    ])
    .await;
    let away = |heard: &crate::support::smtp_server::Heard| {
        heard.is("EHLO").then(|| Reaction::say("421 4.3.2 not now"))
    };
    app.relay.on(away);
    app.register("a@example.org", PASSWORD).await.ok(202);
    app.app.post.deliver_due().await;
    app.advance(Duration::from_secs(6));
    app.app.post.deliver_due().await;
    assert_eq!((app.relay.mails().len(), second.mails().len()), (0, 1));
    assert_eq!(states(&app).await, pairs(&[("accepted", "smtp_fallback")]));

    second.on(away);
    app.register("b@example.org", PASSWORD).await.ok(202);
    for _ in 0..4 {
        app.advance(Duration::from_secs(10));
        app.app.post.deliver_due().await;
    }
    assert_ne!(app.app.post.state(), BreakerState::Closed);
    let waits = pairs(&[("accepted", "smtp_fallback"), ("queued", "")]);
    assert_eq!(states(&app).await, waits, "none is lost");
    second.behave();
    for _ in 0..4 {
        app.advance(Duration::from_mins(1));
        app.app.post.deliver_due().await;
    }
    assert_eq!(second.mails().len(), 2);
}
