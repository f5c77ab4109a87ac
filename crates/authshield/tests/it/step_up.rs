//! Who must have a second factor, and what asks for a proof that is not old.

use std::time::Duration;

use serde_json::{Value, json};

use crate::registration::UNLIMITED;
use crate::second_factor::{enable, ticket, verify};
use crate::silent_failures::Gate;
use crate::support::{Authenticator, PASSWORD, Person, Program, TestApp, claims};

const OTHER: &str = "seven herons under glass";
const STEP_UP: &str = "/api/v1/auth/step-up";
const CHANGE_PASSWORD: &str = "/api/v1/auth/change-password";
const CHANGE_EMAIL: &str = "/api/v1/users/me/email";

async fn refreshed(app: &TestApp, person: &Person) -> Person {
    Person::from_pair(&app.refresh(&person.refresh).await.ok(200).body)
}

/// Attack: D18
/// ASVS: V7.5.1, V7.5.3, V10.3.4
#[tokio::test]
async fn d18_what_cannot_be_taken_back_needs_a_proof_that_is_not_old() {
    let app = TestApp::with(&[UNLIMITED, ("second_factor.max_age", "20m")]).await;
    let ann = app.sign_up("ann@example.org").await;
    let (phone, codes) = enable(&app, &ann).await;
    let root = app.sign_up_admin("root@example.org").await;
    app.advance(Duration::from_mins(14));
    let (ann, root) = (refreshed(&app, &ann).await, refreshed(&app, &root).await);
    app.advance(Duration::from_mins(5));
    let password = json!({ "current_password": PASSWORD, "new_password": OTHER });
    let email = json!({ "new_email": "anna@example.org", "password": PASSWORD });

    // A refresh makes nothing fresh.
    for (path, body) in [(CHANGE_PASSWORD, &password), (CHANGE_EMAIL, &email)] {
        let refused = app.post_as(&ann, path, body.clone()).await;
        refused.is(403, "AUTH_STEP_UP_REQUIRED");
        assert_eq!(refused.body["factors"], json!(["totp", "recovery_code"]));
        assert_eq!(refused.body["max_age"], 20 * 60);
    }
    assert_eq!(app.mails_to("anna@example.org").await, 0);
    // The password alone is no proof where there is more; a wrong code is none, and counts.
    let alone = json!({ "password": PASSWORD });
    app.post_as(&ann, STEP_UP, alone.clone()).await.is(401, "AUTH_2FA_INVALID");
    let wrong = json!({ "code": phone.wrong(&app) });
    app.post_as(&ann, STEP_UP, wrong).await.is(401, "AUTH_2FA_INVALID");
    app.post_as(&ann, CHANGE_PASSWORD, password.clone()).await.is(403, "AUTH_STEP_UP_REQUIRED");
    let code = phone.code(&app);
    app.post_as(&ann, STEP_UP, json!({ "code": code })).await.ok(204);
    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    verify(&app, &waiting, &code).await.is(401, "AUTH_2FA_INVALID");
    app.post_as(&ann, CHANGE_EMAIL, email).await.ok(202);
    app.post_as(&ann, CHANGE_PASSWORD, password).await.ok(204);
    let (before, after) = (claims(&ann.access), claims(&refreshed(&app, &ann).await.access));
    assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64(), "{before} {after}");
    assert_eq!((&after["amr"], &after["acr"]), (&json!(["pwd", "otp"]), &json!("aal2")));

    // Another session of the account is as old as it was; a recovery code is a proof, too.
    let waiting = ticket(&app, "ann@example.org", OTHER).await;
    let laptop = Person::from_pair(&verify(&app, &waiting, &codes[0]).await.ok(200).body);
    let back = json!({ "current_password": OTHER, "new_password": PASSWORD });
    app.advance(Duration::from_mins(14));
    let laptop = refreshed(&app, &laptop).await;
    app.advance(Duration::from_mins(6));
    app.post_as(&laptop, CHANGE_PASSWORD, back.clone()).await.is(403, "AUTH_STEP_UP_REQUIRED");
    app.post_as(&laptop, STEP_UP, json!({ "code": codes[1] })).await.ok(204);
    app.post_as(&laptop, CHANGE_PASSWORD, back).await.ok(204);

    // Administrators prove it with what they have; to who has no second factor the password is asked.
    let root = refreshed(&app, &root).await;
    for (path, body) in [
        ("roles", json!({ "roles": ["user", "moderator"] })),
        ("status", json!({ "is_active": false })),
    ] {
        let path = format!("/api/v1/admin/users/{}/{path}", ann.id);
        let refused = app.patch_as(&root, &path, body).await;
        refused.is(403, "AUTH_STEP_UP_REQUIRED");
        assert_eq!(refused.body["factors"], json!(["password"]));
    }
    let reset = format!("/api/v1/admin/users/{}/2fa", ann.id);
    app.delete_as(&root, &reset).await.is(403, "AUTH_STEP_UP_REQUIRED");
    app.get_as(&root, "/api/v1/admin/users").await.ok(200);
    app.post_as(&root, STEP_UP, json!({})).await.is(400, "AUTH_PASSWORD_MISMATCH");
    let wrong = json!({ "password": OTHER });
    app.post_as(&root, STEP_UP, wrong).await.is(400, "AUTH_PASSWORD_MISMATCH");
    app.post_as(&root, STEP_UP, alone).await.ok(204);
    app.delete_as(&root, &reset).await.ok(204);
    let events = app.events().await;
    assert_eq!(events.iter().filter(|event| *event == "STEPPED_UP").count(), 3);
    assert!(events.iter().any(|event| event == "PASSWORD_MISMATCH/step_up"));
}

async fn enrolment(app: &TestApp, email: &str) -> String {
    let reply = app.log_in(email, PASSWORD).await;
    reply.is(403, "AUTH_2FA_ENROLMENT_REQUIRED");
    assert_eq!(reply.body["factors"], json!(["totp"]));
    assert!(reply.body.get("access_token").is_none());
    reply.body["mfa_token"].as_str().unwrap().to_owned()
}

async fn enrol(app: &TestApp, ticket: &str) -> (Authenticator, Value) {
    let reply = app.post("/api/v1/auth/2fa/enrol", json!({ "mfa_token": ticket })).await;
    (Authenticator::of(&reply.ok(200).body), reply.body)
}

/// Attack: C05, C07, C10
/// ASVS: V2.3.1, V6.3.3, V6.4.4
#[tokio::test]
async fn who_must_have_a_second_factor_and_has_none_can_add_one_and_nothing_else() {
    let app = TestApp::with(&[UNLIMITED, ("second_factor.required_for", "admin,moderator")]).await;
    let bob = app.sign_up("bob@example.org").await;
    // Whoever becomes an administrator is signed out by that, until they have one.
    let ann = app.sign_up_admin("ann@example.org").await;
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&ann.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.me(&bob).await.ok(200);
    app.log_in("ann@example.org", OTHER).await.is(401, "AUTH_INVALID_CREDENTIALS");

    let confirm = async |ticket: &str, code: &str| {
        let body = json!({ "mfa_token": ticket, "code": code });
        app.post("/api/v1/auth/2fa/enrol/confirm", body).await
    };
    let one = enrolment(&app, "ann@example.org").await;
    let other = enrolment(&app, "ann@example.org").await;
    verify(&app, &one, "123456").await.is(400, "AUTH_2FA_NOT_ENABLED");
    confirm(&one, "123456").await.is(400, "AUTH_2FA_NOT_ENABLED");
    let (lost, _) = enrol(&app, &one).await;
    let (phone, enrolment_body) = enrol(&app, &other).await;
    assert!(enrolment_body["qr_svg"].as_str().unwrap().starts_with("<svg "));
    // The last secret counts, and with the ticket that it was asked for with.
    confirm(&one, &lost.code(&app)).await.is(400, "AUTH_2FA_NOT_ENABLED");
    confirm(&other, &phone.wrong(&app)).await.is(401, "AUTH_2FA_INVALID");
    let enrolled = confirm(&other, &phone.code(&app)).await;
    let codes = enrolled.ok(200).body["recovery_codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    let ann = Person::from_pair(&enrolled.body["tokens"]);
    assert_eq!(enrolled.body["tokens"]["user"]["is_2fa_enabled"], true);
    assert_eq!(claims(&ann.access)["acr"], "aal2");
    app.get_as(&ann, "/api/v1/admin/users").await.ok(200);
    let ann = refreshed(&app, &ann).await;
    confirm(&other, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    let body = json!({ "mfa_token": one });
    app.post("/api/v1/auth/2fa/enrol", body).await.is(400, "AUTH_2FA_ALREADY_ENABLED");
    assert!(app.last_mail("ann@example.org").await.data.contains("authenticator app was added"));

    // A ticket for a code adds nothing; without the second factor one begins anew.
    app.advance(Duration::from_mins(1));
    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    let body = json!({ "mfa_token": waiting });
    app.post("/api/v1/auth/2fa/enrol", body).await.is(400, "AUTH_2FA_ALREADY_ENABLED");
    let body = json!({ "password": PASSWORD, "code": phone.code(&app) });
    app.post_as(&ann, "/api/v1/auth/2fa/disable", body).await.ok(204);
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    let ticket = enrolment(&app, "ann@example.org").await;
    let (phone, _) = enrol(&app, &ticket).await;
    confirm(&ticket, &phone.code(&app)).await.ok(200);
}

/// A policy that names nobody protects nobody: the program does not start with it.
#[tokio::test]
async fn a_policy_for_a_role_that_does_not_exist_is_refused() {
    let program = Program::new().await.set("second_factor.required_for", "admins");
    program
        .run(&["serve"])
        .await
        .fails(1, &["second_factor.required_for", "admins", "role create"]);
    let policy = ["--only", "ADM-2"];
    Gate::of(&program, &policy).await.has("ADM-2", "fail", &["there is no role", "admins"]);
    program.run(&["role", "create", "admins"]).await.ok();
    Gate::of(&program, &policy).await.has("ADM-2", "pass", &["asked for from admins"]);
    program.run(&["role", "delete", "admins"]).await.fails(1, &["second_factor.required_for"]);
    program.serve().await.stop().await;
}
