//! What somebody may take along of what is kept of them, and how they go.

use std::time::Duration;

use authshield::kernel::Timestamp;
use authshield::{chores, own_data};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::registration::UNLIMITED;
use crate::second_factor::{enable, ticket, verify};
use crate::support::smtp_server::{Received, quoted_printable};
use crate::support::{PASSWORD, Person, TestApp};

const ME: &str = "/api/v1/users/me";
const DELETION: &str = "/api/v1/users/me/deletion";
const EXPORT: &str = "/api/v1/users/me/export";
const DAY: Duration = Duration::from_hours(24);

async fn carry_out(app: &TestApp) -> u64 {
    own_data::carry_out(&app.app, &app.ctx()).await.unwrap()
}

/// Returns a letter to Ann whose subject has these words.
async fn letter(app: &TestApp, words: &str) -> Option<Received> {
    let mails = app.mails().await;
    let to_ann = mails.into_iter().filter(|mail| mail.to == ["ann@example.org"]);
    to_ann.into_iter().find(|mail| mail.header("subject").unwrap().contains(words))
}

fn due(reply: &Value) -> Timestamp {
    reply["deletion_due_at"].as_str().unwrap().parse().unwrap()
}

/// ASVS: V7.5.1
#[tokio::test]
async fn an_account_is_deleted_when_its_owner_had_time_to_take_that_back() {
    let app = TestApp::with(&[UNLIMITED, ("session.idle_timeout", "30d")]).await;
    let ann = app.sign_up("ann@example.org").await;
    app.sign_up("ben@example.org").await;
    let (phone, codes) = enable(&app, &ann).await;
    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    let laptop = Person::from_pair(&verify(&app, &waiting, &codes[0]).await.ok(200).body);
    assert_eq!(app.me(&ann).await.ok(200).body["deletion_due_at"], Value::Null);

    // A stolen access token deletes nothing.
    app.advance(Duration::from_mins(14));
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    app.delete_as(&ann, ME).await.is(403, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(app.me(&ann).await.ok(200).body["deletion_due_at"], Value::Null);
    let code = json!({ "code": phone.code(&app) });
    app.post_as(&ann, "/api/v1/auth/step-up", code).await.ok(204);

    let asked = app.delete_as(&ann, ME).await;
    let first = due(&asked.ok(202).body);
    assert_eq!(app.refresh(&laptop.refresh).await.code(), "AUTH_REFRESH_TOKEN_INVALID");
    let told = quoted_printable(&letter(&app, "will be deleted").await.unwrap().data);
    assert!(told.contains(&first.to_string()[..10]), "{told}");
    let letters = app.mails_to("ann@example.org").await;
    app.advance(Duration::from_mins(1));
    assert_eq!(due(&app.delete_as(&ann, ME).await.ok(202).body), first);
    assert_eq!(due(&app.me(&ann).await.ok(200).body), first);

    // It is taken back, and asked for once more.
    app.delete_as(&ann, DELETION).await.ok(204);
    app.delete_as(&ann, DELETION).await.ok(204);
    assert_eq!(app.me(&ann).await.ok(200).body["deletion_due_at"], Value::Null);
    assert!(letter(&app, "stays").await.is_some());
    assert_eq!(app.mails_to("ann@example.org").await, letters + 1);
    app.advance(14 * DAY);
    assert_eq!(carry_out(&app).await, 0);
    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    let ann = verify(&app, &waiting, &phone.code(&app)).await;
    let ann = Person::from_pair(&ann.ok(200).body);
    app.delete_as(&ann, ME).await.ok(202);
    app.advance(13 * DAY);
    assert_eq!(carry_out(&app).await, 0);

    app.advance(DAY);
    assert_eq!((carry_out(&app).await, carry_out(&app).await), (1, 0));
    for table in [
        "SELECT COUNT(*) FROM totp_secrets",
        "SELECT COUNT(*) FROM recovery_codes",
        "SELECT COUNT(*) FROM pending_sign_ins",
        "SELECT COUNT(*) - 1 FROM users",
        "SELECT COUNT(*) FROM sessions WHERE user_id NOT IN (SELECT id FROM users)",
    ] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    app.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    assert!(letter(&app, "was deleted").await.is_some());
    let events = app.events().await;
    for code in ["USER_DELETION_REQUESTED", "USER_DELETION_WITHDRAWN", "USER_DELETED"] {
        assert!(events.iter().any(|event| event.starts_with(code)), "{code} in {events:?}");
    }
    // Nothing of the former account is in the way of a new one.
    let ann = app.sign_up("ann@example.org").await;
    assert_eq!(app.me(&ann).await.ok(200).body["is_2fa_enabled"], false);
}

#[tokio::test]
async fn of_a_deletion_and_its_withdrawal_at_once_one_counts_and_both_say_so() {
    let app = TestApp::with(&[UNLIMITED, ("deletion.grace", "0s")]).await;
    let other = app.second_node(&[UNLIMITED, ("deletion.grace", "0s")]).await;
    let mut gone = 0;
    for number in 0..8 {
        let person = app.sign_up(&format!("p{number}@example.org")).await;
        app.delete_as(&person, ME).await.ok(202);
        let deleted = join_all([&app, &other].map(carry_out));
        let (deleted, kept) = tokio::join!(deleted, app.delete_as(&person, DELETION));
        let deleted: u64 = deleted.into_iter().sum();
        let known = app.me(&person).await;
        if kept.status == 204 {
            assert_eq!(deleted, 0);
            assert_eq!(known.ok(200).body["deletion_due_at"], Value::Null);
        } else {
            kept.is(401, "AUTH_TOKEN_REVOKED");
            known.is(401, "AUTH_TOKEN_REVOKED");
            assert_eq!(deleted, 1);
            gone += 1;
        }
    }
    let deleted = "SELECT COUNT(*) FROM audit_events WHERE code = 'USER_DELETED'";
    assert_eq!(app.count(deleted).await, gone);
}

/// Whoever asked may be a thief: an account that is disabled is looked at by somebody, and stays.
#[tokio::test]
async fn an_account_that_is_disabled_meanwhile_stays() {
    let app = TestApp::with(&[]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    app.delete_as(&ann, ME).await.ok(202);
    let status = format!("/api/v1/admin/users/{}/status", ann.id);
    let disabled = app.patch_as(&root, &status, json!({ "is_active": false })).await;
    assert_eq!(disabled.ok(200).body["is_active"], false);
    assert!(letter(&app, "stays").await.is_some());
    app.advance(14 * DAY);
    assert_eq!(carry_out(&app).await, 0);
    let kept = "SELECT COUNT(*) FROM audit_events
                WHERE code = 'USER_DELETION_WITHDRAWN' AND reason = 'user_disabled'";
    assert_eq!(app.count(kept).await, 1);

    // Its owner is not told from where an administrator works.
    let root = app.sign_in("root@example.org").await;
    app.patch_as(&root, &status, json!({ "is_active": true })).await.ok(200);
    let ann = app.sign_in("ann@example.org").await;
    let told = app.get_as(&ann, "/api/v1/users/me/events").await;
    let by_others = told.ok(200).body["items"].as_array().unwrap().iter();
    let mut by_others = by_others.filter(|event| event["by_administrator"] == true).peekable();
    assert!(by_others.peek().is_some(), "{}", told.body);
    assert!(by_others.all(|event| event["ip_address"].is_null() && event["device"].is_null()));

    // What was counted of an address ends with its account.
    for _ in 0..10 {
        app.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM password_failures WHERE failures > 0").await, 1);
    let user = ann.id.parse().unwrap();
    authshield::roles::delete_user(&app.app, &app.ctx(), user).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM password_failures WHERE failures > 0").await, 0);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let root = app.sign_up_admin("root@example.org").await;
    app.delete_as(&root, ME).await.is(400, "ADMIN_LAST_ADMIN");

    // With another one they may go, until that one is gone.
    let second = app.sign_up_admin("second@example.org").await;
    app.delete_as(&root, ME).await.ok(202);
    app.delete_as(&second, ME).await.ok(202);
    app.advance(14 * DAY);
    chores::purge(&app.app, app.ctx().now).await.unwrap();
    assert_eq!(carry_out(&app).await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM user_roles WHERE role = 'admin'").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM users WHERE deletion_due_at IS NOT NULL").await, 0);
    let kept = "SELECT COUNT(*) FROM audit_events
                WHERE code = 'USER_DELETION_WITHDRAWN' AND reason = 'last_admin'";
    assert_eq!(app.count(kept).await, 1);
    assert_eq!(carry_out(&app).await, 0);
}

/// ASVS: V14.2.6
#[tokio::test]
async fn everything_can_be_taken_along_and_no_secret_is_in_it() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.sign_up("ben@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    app.log_in("ann@example.org", "not the password of ann")
        .await
        .is(401, "AUTH_INVALID_CREDENTIALS");
    let (_, codes) = enable(&app, &ann).await;
    app.patch_as(&ann, ME, json!({ "full_name": "Ann Lee" })).await.ok(200);

    let export = app.post_as(&ann, EXPORT, json!({})).await;
    assert_eq!(
        export.ok(200).header("content-disposition"),
        "attachment; filename=\"account.json\""
    );
    assert_eq!(export.header("cache-control"), "no-store");
    let told = &export.body;
    assert_eq!(told["is_complete"], true);
    assert_eq!(told["account"]["email"], "ann@example.org");
    assert_eq!(told["account"]["full_name"], "Ann Lee");
    assert_eq!(told["roles"][0]["role"], "user");
    assert_eq!(told["second_factor"]["recovery_codes_left"], 10);
    assert!(
        told["second_factor"]["enabled_at"].is_string() && told["password_changed_at"].is_string()
    );
    assert_eq!(told["sessions"].as_array().unwrap().len(), 1);
    let kinds = |list: &str, name: &str| -> Vec<String> {
        let items = told[list].as_array().unwrap().iter();
        items.map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    assert!(kinds("mails", "kind").contains(&"verify_email".to_owned()));
    for code in ["REGISTER_SUCCEEDED", "LOGIN_FAILED", "SECOND_FACTOR_ENABLED", "PROFILE_CHANGED"] {
        assert!(kinds("events", "code").contains(&code.to_owned()), "{code}");
    }
    let text = told.to_string();
    for secret in ["argon2", "ben@example.org", "wrong_password", codes[0].as_str()] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let taken = "SELECT COUNT(*) FROM audit_events WHERE code = 'DATA_EXPORTED'";
    assert_eq!(app.count(taken).await, 1);

    app.advance(Duration::from_mins(14));
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    app.post_as(&ann, EXPORT, json!({})).await.is(403, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(app.count(taken).await, 1);
}
