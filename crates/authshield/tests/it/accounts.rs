//! The own account: seeing it, changing it, changing its password.

use std::time::Duration;

use serde_json::json;

use crate::registration::UNLIMITED;
use crate::support::{PASSWORD, TestApp};

const ME: &str = "/api/v1/users/me";
const CHANGE: &str = "/api/v1/auth/change-password";
const OTHER: &str = "seven herons under glass";

#[tokio::test]
async fn a_profile_changes_where_it_is_told_to_and_nowhere_else() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    let before = app.me(&ann).await.ok(200).body.clone();
    assert_eq!(before["full_name"], json!(null));
    assert_eq!(before["is_2fa_enabled"], false);

    app.advance(Duration::from_secs(5));
    let body = json!({ "full_name": " Ann \u{c9}mile ", "locale": "de_at" });
    let reply = app.patch_as(&ann, ME, body).await;
    assert_eq!(reply.ok(200).body["full_name"], "Ann \u{c9}mile");
    assert_eq!(reply.body["locale"], "de-AT");
    assert_ne!(reply.body["updated_at"], before["updated_at"]);
    assert_eq!(reply.body["created_at"], before["created_at"]);

    let same = app.patch_as(&ann, ME, json!({})).await;
    assert_eq!(same.ok(200).body, reply.body);
    let gone = app.patch_as(&ann, ME, json!({ "full_name": null })).await;
    assert_eq!(
        (&gone.ok(200).body["full_name"], &gone.body["locale"]),
        (&json!(null), &json!("de-AT"))
    );
    assert_eq!(app.me(&ann).await.ok(200).body, gone.body);
    for wrong in [json!({ "email": "eve@example.org" }), json!({ "locale": "??" }), json!([])] {
        app.patch_as(&ann, ME, wrong).await.is(422, "VALIDATION_FAILED");
    }
}

/// ASVS: V6.2.2, V6.2.3, V6.3.7, V7.4.3, V7.5.1
#[tokio::test]
async fn a_password_changes_with_the_old_one_and_every_other_session_ends() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let here = app.sign_up("ann@example.org").await;
    let there = app.sign_in("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;

    for (body, status, code) in [
        (
            json!({ "current_password": "wrong", "new_password": OTHER }),
            400,
            "AUTH_PASSWORD_MISMATCH",
        ),
        (json!({ "current_password": "", "new_password": OTHER }), 400, "AUTH_PASSWORD_MISMATCH"),
        (json!({ "current_password": null, "new_password": OTHER }), 422, "VALIDATION_FAILED"),
        (json!({ "new_password": OTHER }), 422, "VALIDATION_FAILED"),
        (json!({ "current_password": PASSWORD }), 422, "VALIDATION_FAILED"),
        (
            json!({ "current_password": PASSWORD, "new_password": PASSWORD }),
            400,
            "AUTH_SAME_PASSWORD",
        ),
    ] {
        app.post_as(&here, CHANGE, body).await.is(status, code);
    }
    app.post(CHANGE, json!({ "current_password": PASSWORD, "new_password": OTHER }))
        .await
        .is(401, "AUTH_TOKEN_MISSING");
    app.me(&there).await.ok(200);

    let body = json!({ "current_password": PASSWORD, "new_password": OTHER });
    app.post_as(&here, CHANGE, body).await.ok(204);
    app.me(&here).await.ok(200);
    app.refresh(&here.refresh).await.ok(200);
    app.me(&there).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&there.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.me(&bob).await.ok(200);
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.log_in("ann@example.org", OTHER).await.ok(200);
    let told = app.last_mail("ann@example.org").await;
    assert!(told.link("token=").is_none(), "a notice, not a link");
    assert_eq!(app.mails_to("ann@example.org").await, 2);
}

/// Attack: B19
/// ASVS: V10.3.3
#[tokio::test]
async fn nothing_of_a_deleted_account_opens_the_next_one_at_its_address() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let old = app.sign_up("ann@example.org").await;
    app.mails().await;
    app.post("/api/v1/auth/forgot-password", json!({ "email": "ann@example.org" })).await.ok(202);
    let reset = app.token_for("ann@example.org").await;
    let id = old.id.parse().unwrap();
    authshield::roles::delete_user(&app.app, &app.ctx(), id).await.unwrap();
    app.me(&old).await.is(401, "AUTH_TOKEN_REVOKED");

    let new = app.sign_up("ann@example.org").await;
    assert_ne!(new.id, old.id);
    app.me(&old).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&old.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    let body = json!({ "token": reset, "new_password": OTHER });
    app.post("/api/v1/auth/reset-password", body).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    let trail = app.count("SELECT COUNT(*) FROM audit_events WHERE code = 'LOGIN_SUCCEEDED'").await;
    assert_eq!(trail, 2, "the audit trail of the old one stays");
}

/// Attack class A10: whoever changes an address learns nothing about who else has an account, not even
/// from the mail that they get themselves.
#[tokio::test]
async fn a_change_of_address_looks_alike_whoever_has_the_other() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.sign_up("ann@example.org").await;
    let gone = app.sign_up("gone@example.org").await;
    let id = gone.id.parse().unwrap();
    authshield::roles::set_active(&app.app, &app.ctx(), None, id, false).await.unwrap();
    app.register("waits@example.org", PASSWORD).await.ok(202);
    let spy = app.sign_up("spy@example.org").await;
    for taken in ["ann", "gone", "waits", "free"] {
        let before = app.mails_to("spy@example.org").await;
        let body = json!({ "new_email": format!("{taken}@example.org"), "password": PASSWORD });
        app.post_as(&spy, "/api/v1/users/me/email", body).await.ok(202);
        assert_eq!(app.mails_to("spy@example.org").await, before + 1, "{taken}");
    }
}
