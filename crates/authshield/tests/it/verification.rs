//! Proving an address: that of a new account, and the next one of an old account.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::registration::{UNLIMITED, disable};
use crate::support::{PASSWORD, Person, TestApp};

const FORGOT: &str = "/api/v1/auth/forgot-password";
const RESET: &str = "/api/v1/auth/reset-password";
const OTHER: &str = "seven herons under glass";

async fn resend(app: &TestApp, email: &str) {
    app.post("/api/v1/auth/resend-verification", json!({ "email": email })).await.ok(202);
}

async fn change_email(app: &TestApp, who: &Person, new: &str) {
    let body = json!({ "new_email": new, "password": PASSWORD });
    app.post_as(who, "/api/v1/users/me/email", body).await.ok(202);
}

async fn email_of(app: &TestApp, who: &Person) -> Value {
    app.me(who).await.ok(200).body["email"].clone()
}

/// ASVS: V3.5.3
/// Attack: B06
#[tokio::test]
async fn a_mail_scanner_that_follows_the_link_uses_nothing_up() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let link = app.last_mail("ann@example.org").await.link("token=").unwrap();
    let token = app.token_for("ann@example.org").await;
    for method in [Method::GET, Method::HEAD, Method::GET, Method::OPTIONS] {
        app.client.request(method.clone(), &link).send().await.unwrap();
        let api = format!("{}/api/v1/auth/verify-email?token={token}", app.base);
        app.client.request(method, api).send().await.unwrap();
    }
    app.log_in("ann@example.org", PASSWORD).await.is(403, "AUTH_EMAIL_NOT_VERIFIED");
    app.verify(&token).await.ok(200);
    app.verify(&token).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
}

/// Attack: B07
#[tokio::test]
async fn one_link_of_many_proves_the_address_and_ends_the_others() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let first = app.token_for("ann@example.org").await;
    resend(&app, "ann@example.org").await;
    let second = app.token_for("ann@example.org").await;
    assert_ne!(first, second);
    app.verify(&second).await.ok(200);
    app.verify(&first).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    // Who is verified gets no more of these mails, and the answer does not say so.
    let mails = app.mails().await.len();
    resend(&app, "ann@example.org").await;
    resend(&app, "nobody@example.org").await;
    assert_eq!(app.mails().await.len(), mails);
}

/// ASVS: V6.6.2
/// Attack: B08
#[tokio::test]
async fn a_link_made_for_one_thing_does_no_other() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let verify = app.token_for("ann@example.org").await;
    app.post(FORGOT, json!({ "email": "ann@example.org" })).await.ok(202);
    let reset = app.token_for("ann@example.org").await;
    assert_ne!(verify, reset);

    app.verify(&reset).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    let body = json!({ "token": verify, "new_password": OTHER });
    app.post(RESET, body).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    app.refresh(&verify).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.verify(&verify).await.ok(200);

    let ann = app.sign_in("ann@example.org").await;
    app.verify(&ann.refresh).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    change_email(&app, &ann, "new@example.org").await;
    let change = app.token_for("new@example.org").await;
    let body = json!({ "token": change, "new_password": OTHER });
    app.post(RESET, body).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    app.verify(&change).await.ok(200);
}

#[tokio::test]
async fn a_link_works_until_its_end_and_not_after() {
    let app = TestApp::with(&[UNLIMITED, ("verification.ttl", "24h")]).await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    app.register("bob@example.org", PASSWORD).await.ok(202);
    let ann = app.token_for("ann@example.org").await;
    let bob = app.token_for("bob@example.org").await;
    app.advance(Duration::from_mins(24 * 60 - 1));
    app.verify(&ann).await.ok(200);
    app.advance(Duration::from_mins(2));
    app.verify(&bob).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    assert_eq!(app.events().await.last().unwrap(), "LINK_REJECTED/token_expired");
}

/// ASVS: V6.2.3, V6.3.7, V7.5.1
/// Attack: B18
#[tokio::test]
async fn an_address_changes_with_the_password_and_the_link_and_the_old_one_is_told() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let reset = {
        app.post(FORGOT, json!({ "email": "ann@example.org" })).await.ok(202);
        app.token_for("ann@example.org").await
    };
    let before = app.mails_to("ann@example.org").await;

    let path = "/api/v1/users/me/email";
    for wrong in [json!("not hers at all"), json!("")] {
        let body = json!({ "new_email": "new@example.org", "password": wrong });
        app.post_as(&ann, path, body).await.is(400, "AUTH_PASSWORD_MISMATCH");
    }
    // Without it, who it is was shown not long ago.
    app.advance(Duration::from_mins(14));
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    for body in [
        json!({ "new_email": "new@example.org" }),
        json!({ "new_email": "new@example.org", "password": null }),
    ] {
        let due = app.post_as(&ann, path, body).await;
        due.is(403, "AUTH_STEP_UP_REQUIRED");
        assert_eq!(due.body["factors"], json!(["password"]));
    }
    assert_eq!(app.mails_to("new@example.org").await, 0);

    change_email(&app, &ann, "New@Example.org").await;
    assert_eq!(app.mails_to("ann@example.org").await, before + 1);
    let notice = app.last_mail("ann@example.org").await;
    assert!(notice.link("token=").is_none(), "the old address gets no link to the new one");
    assert!(!notice.data.contains("new@example.org"), "the new address is masked");
    assert_eq!(email_of(&app, &ann).await, "ann@example.org");
    app.log_in("new@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");

    let token = app.token_for("new@example.org").await;
    assert_eq!(app.verify(&token).await.ok(200).body["email"], "new@example.org");
    assert_eq!(email_of(&app, &ann).await, "new@example.org");
    assert_eq!(app.mails_to("ann@example.org").await, before + 2);
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.log_in("new@example.org", PASSWORD).await.ok(200);
    app.verify(&token).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");

    // What was sent to the old address is worth nothing now.
    let body = json!({ "token": reset, "new_password": OTHER });
    app.post(RESET, body).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    app.log_in("new@example.org", PASSWORD).await.ok(200);
}

/// ASVS: V7.4.3
/// Attack: B04
#[tokio::test]
async fn a_pending_address_dies_with_a_reset_a_new_password_and_a_newer_request() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let refused = "AUTH_INVALID_VERIFICATION_TOKEN";
    // Whoever signs out everywhere may have found a stranger in a session.
    let bob = app.sign_up("bob@example.org").await;
    change_email(&app, &bob, "robert@example.org").await;
    let robert = app.token_for("robert@example.org").await;
    app.post_as(&bob, "/api/v1/auth/logout-all", json!({})).await.ok(204);
    app.verify(&robert).await.is(400, refused);
    let ann = app.sign_up("ann@example.org").await;

    change_email(&app, &ann, "first@example.org").await;
    let first = app.token_for("first@example.org").await;
    change_email(&app, &ann, "second@example.org").await;
    let second = app.token_for("second@example.org").await;
    app.verify(&first).await.is(400, refused);

    let body = json!({ "current_password": PASSWORD, "new_password": OTHER });
    app.post_as(&ann, "/api/v1/auth/change-password", body).await.ok(204);
    app.verify(&second).await.is(400, refused);

    let body = json!({ "new_email": "third@example.org", "password": OTHER });
    app.post_as(&ann, "/api/v1/users/me/email", body).await.ok(202);
    let third = app.token_for("third@example.org").await;
    app.post(FORGOT, json!({ "email": "ann@example.org" })).await.ok(202);
    let reset = app.token_for("ann@example.org").await;
    app.post(RESET, json!({ "token": reset, "new_password": PASSWORD })).await.ok(204);
    app.verify(&third).await.is(400, refused);
    let ann = app.sign_in("ann@example.org").await;
    assert_eq!(email_of(&app, &ann).await, "ann@example.org");
}

/// ASVS: V6.3.8
/// Attack: A08, B18
#[tokio::test]
async fn changing_to_somebody_elses_address_tells_nothing_and_takes_nothing() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let body = |email: &str| json!({ "new_email": email, "password": PASSWORD });
    let taken = app.post_as(&ann, "/api/v1/users/me/email", body("bob@example.org")).await;
    let free = app.post_as(&ann, "/api/v1/users/me/email", body("free@example.org")).await;
    let outside = crate::registration::outside;
    assert_eq!(outside(&taken), outside(&free));
    assert!(app.last_mail("bob@example.org").await.link("token=").is_none());

    // Taken while the mail was on its way.
    let link = app.token_for("free@example.org").await;
    app.open_account("free@example.org").await;
    app.verify(&link).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    assert_eq!(app.events().await.last().unwrap(), "LINK_REJECTED/address_changed");
    assert_eq!(email_of(&app, &ann).await, "ann@example.org");
    assert_eq!(email_of(&app, &bob).await, "bob@example.org");
}

/// Attack: B13
#[tokio::test]
async fn a_link_brings_no_disabled_account_back() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    change_email(&app, &ann, "new@example.org").await;
    let change = app.token_for("new@example.org").await;
    disable(&app, &ann).await;
    let before = app.mails().await.len();
    resend(&app, "ann@example.org").await;
    app.post(FORGOT, json!({ "email": "ann@example.org" })).await.ok(202);
    assert_eq!(app.mails().await.len(), before);
    let _ = app.verify(&change).await;
    for email in ["ann@example.org", "new@example.org"] {
        assert_ne!(app.log_in(email, PASSWORD).await.status, 200);
    }
    app.me(&ann).await.is(403, "AUTH_ACCOUNT_DISABLED");
}
