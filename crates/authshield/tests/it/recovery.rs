//! A forgotten password: who learns what, what a link is worth, and what a reset ends.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::registration::{UNLIMITED, disable, outside};
use crate::support::{PASSWORD, Reply, TestApp};

const FORGOT: &str = "/api/v1/auth/forgot-password";
const OTHER: &str = "seven herons under glass";

async fn forgot(app: &TestApp, email: &str) -> Reply {
    app.post(FORGOT, json!({ "email": email })).await
}

async fn link_for(app: &TestApp, email: &str) -> String {
    app.mails().await; // so that the next one is the last one
    forgot(app, email).await.ok(202);
    app.token_for(email).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Reply {
    let body = json!({ "token": token, "new_password": password });
    app.post("/api/v1/auth/reset-password", body).await
}

/// ASVS: V6.3.8
/// Attack: A08
#[tokio::test]
async fn asking_for_a_reset_tells_nobody_whether_an_address_has_an_account() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.register("unverified@example.org", PASSWORD).await.ok(202);
    app.sign_up("verified@example.org").await;
    let disabled = app.sign_up("disabled@example.org").await;
    disable(&app, &disabled).await;
    for path in [FORGOT, "/api/v1/auth/resend-verification"] {
        let ask = |email: &str| app.post(path, json!({ "email": email }));
        let unknown = ask("unknown@example.org").await;
        unknown.ok(202);
        for known in ["unverified@example.org", "verified@example.org", "disabled@example.org"] {
            assert_eq!(outside(&ask(known).await), outside(&unknown), "{path} {known}");
        }
    }
    assert_eq!(app.mails_to("unknown@example.org").await, 0);
}

/// ASVS: V2.3.1, V7.4.3
/// Attack: B02, B10, B11
#[tokio::test]
async fn a_reset_ends_every_session_and_every_other_link_and_signs_nobody_in() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let phone = app.sign_up("ann@example.org").await;
    let laptop = app.sign_in("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let older = link_for(&app, "ann@example.org").await;
    let newer = link_for(&app, "ann@example.org").await;
    assert_ne!(older, newer);

    for nothing in ["", " ", "null", phone.id.as_str(), "asl_", &newer[..newer.len() - 1]] {
        reset(&app, nothing, OTHER).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    }
    let body = json!({ "new_password": OTHER });
    app.post("/api/v1/auth/reset-password", body).await.is(422, "VALIDATION_FAILED");
    app.me(&phone).await.ok(200);

    let done = reset(&app, &newer, OTHER).await;
    done.ok(204);
    assert!(done.text.is_empty() && !done.headers.contains_key("set-cookie"));
    reset(&app, &newer, PASSWORD).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    reset(&app, &older, PASSWORD).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    for person in [&phone, &laptop] {
        app.me(person).await.is(401, "AUTH_TOKEN_REVOKED");
        app.refresh(&person.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    app.me(&bob).await.ok(200);
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.log_in("ann@example.org", OTHER).await.ok(200);
    assert!(app.last_mail("ann@example.org").await.link("token=").is_none(), "the owner is told");
}

/// Attack: B10
#[tokio::test]
async fn a_new_password_ends_the_links_that_were_sent_before() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let link = link_for(&app, "ann@example.org").await;
    let body = json!({ "current_password": PASSWORD, "new_password": OTHER });
    app.post_as(&ann, "/api/v1/auth/change-password", body).await.ok(204);
    reset(&app, &link, PASSWORD).await.is(400, "AUTH_INVALID_RESET_TOKEN");
}

/// Attack: B13
#[tokio::test]
async fn a_reset_enables_nobody() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let link = link_for(&app, "ann@example.org").await;
    disable(&app, &ann).await;
    reset(&app, &link, OTHER).await;
    let reply = app.log_in("ann@example.org", OTHER).await;
    assert!(matches!(reply.code(), "AUTH_ACCOUNT_DISABLED" | "AUTH_INVALID_CREDENTIALS"));
    app.me(&ann).await.is(403, "AUTH_ACCOUNT_DISABLED");
    app.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn a_reset_link_works_for_its_hour_and_a_weak_password_does_not_use_it_up() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    let link = link_for(&app, "ann@example.org").await;
    app.advance(Duration::from_mins(59));
    reset(&app, &link, "password").await.is(422, "VALIDATION_FAILED");
    reset(&app, &link, OTHER).await.ok(204);

    let link = link_for(&app, "ann@example.org").await;
    app.advance(Duration::from_secs(60 * 60 + 1));
    reset(&app, &link, PASSWORD).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    app.log_in("ann@example.org", OTHER).await.ok(200);
}

/// Whoever used the link reads mail at the address.
#[tokio::test]
async fn a_reset_proves_the_address() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let verify = app.token_for("ann@example.org").await;
    let link = link_for(&app, "ann@example.org").await;
    reset(&app, &link, OTHER).await.ok(204);
    app.log_in("ann@example.org", OTHER).await.ok(200);
    app.verify(&verify).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
}

/// Attack: B14, J11
#[tokio::test]
async fn a_link_leads_to_us_whatever_the_request_says_of_us() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    let expected = format!("{}/reset-password?token=", app.base);
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "for=192.0.2.1;host=evil.example;proto=https"),
        ("x-original-url", "https://evil.example/"),
        ("x-original-host", "evil.example"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ] {
        let request =
            app.request(Method::POST, FORGOT).json(&json!({ "email": "ann@example.org" }));
        app.send(request.header(name, value)).await;
        let mail = app.last_mail("ann@example.org").await;
        let link = mail.link("token=").unwrap();
        assert!(link.starts_with(&expected), "{name}: {link}");
        assert!(!mail.data.contains("evil"), "{name}: {}", mail.data);
    }

    // What no client library sends: an address in the request line, and another host beside it.
    let body = json!({ "email": "ann@example.org" }).to_string();
    let address = app.base.strip_prefix("http://").unwrap();
    for head in [
        format!("POST http://evil.example{FORGOT} HTTP/1.1\r\nHost: {address}\r\n"),
        format!("POST {FORGOT} HTTP/1.1\r\nHost: {address}@evil.example\r\n"),
        format!("POST {FORGOT} HTTP/1.1\r\nHost: {address}\r\nHost: evil.example\r\n"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let rest = "Content-Type: application/json\r\nConnection: close\r\nContent-Length:";
        let request = format!("{head}{rest} {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(!answer.contains("evil.example"), "{answer}");
    }
    for mail in app.mails().await {
        assert!(!mail.data.contains("evil"), "{}", mail.data);
    }
}
