//! Devices on which a sign-in does without the second factor: what they spare, what they do not, and what ends
//! them.

use std::time::Duration;

use authshield::chores;
use authshield::world::World;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::passkeys::add;
use crate::registration::UNLIMITED;
use crate::second_factor::{enable, ticket};
use crate::support::{Authenticator, PASSWORD, Person, Reply, TestApp, claims};

const ANN: &str = "ann@example.org";
const BOB: &str = "bob@example.org";
const OTHER: &str = "seven herons under glass";
const DEVICES: &str = "/api/v1/users/me/trusted-devices";
const STEP_UP: &str = "/api/v1/auth/step-up";
const EXPORT: &str = "/api/v1/users/me/export";
const DAY: Duration = Duration::from_hours(24);

/// Signs in with the second factor, and has the device trusted.
pub(crate) async fn trusting(
    app: &TestApp,
    (email, password): (&str, &str),
    phone: &Authenticator,
) -> Reply {
    // A code works once.
    app.advance(Duration::from_mins(1));
    let ticket = ticket(app, email, password).await;
    let body = json!({ "mfa_token": ticket, "code": phone.code(app), "trust_device": true });
    app.post("/api/v1/auth/2fa/verify", body).await
}

fn token_of(reply: &Reply) -> String {
    reply.ok(200).body["trust_token"].as_str().expect("a token").to_owned()
}

async fn log_in(app: &TestApp, (email, password): (&str, &str), token: &str) -> Reply {
    let body = json!({ "email": email, "password": password, "trust_token": token });
    app.post("/api/v1/auth/login", body).await
}

async fn listed(app: &TestApp, person: &Person) -> Vec<Value> {
    app.get_as(person, DEVICES).await.ok(200).body["items"].as_array().unwrap().clone()
}

/// Attack: C04, D18
/// ASVS: V6.3.3, V7.5.3
#[tokio::test]
async fn a_trusted_device_spares_the_second_factor_of_its_owner_at_sign_in_and_nothing_else() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up(ANN).await;
    let (phone, _) = enable(&app, &ann).await;
    let bob = app.sign_up(BOB).await;
    enable(&app, &bob).await;

    // Nobody is trusted who does not say so.
    let asked = app.log_in(ANN, PASSWORD).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["trust_expires_in"], 30 * 24 * 60 * 60);
    let body = json!({ "mfa_token": asked.body["mfa_token"], "code": phone.code(&app) });
    let pair = app.post("/api/v1/auth/2fa/verify", body).await;
    assert!(!pair.ok(200).text.contains("trust"), "{pair:?}");
    let pair = trusting(&app, (ANN, PASSWORD), &phone).await;
    let token = token_of(&pair);
    assert!(token.starts_with("ast_"), "{token}");
    assert_eq!(pair.body["trust_expires_in"], 30 * 24 * 60 * 60);
    let ann = Person::from_pair(&pair.body);

    // The tokens tell what was shown: the password alone. A refresh makes no more of it.
    app.advance(Duration::from_mins(1));
    let laptop = Person::from_pair(&log_in(&app, (ANN, PASSWORD), &token).await.ok(200).body);
    let again = Person::from_pair(&app.refresh(&laptop.refresh).await.ok(200).body);
    for person in [&laptop, &again] {
        let claims = claims(&person.access);
        assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd"]), &json!("aal1")));
    }
    // What cannot be taken back wants the second factor, however short ago the sign-in was.
    app.post_as(&again, EXPORT, json!({})).await.is(403, "AUTH_STEP_UP_REQUIRED");
    let change = json!({ "current_password": PASSWORD, "new_password": OTHER });
    let change = app.post_as(&again, "/api/v1/auth/change-password", change).await;
    change.is(403, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(change.body["factors"], json!(["totp", "recovery_code"]));
    let body = json!({ "password": PASSWORD, "trust_token": token });
    app.post_as(&again, STEP_UP, body).await.is(422, "VALIDATION_FAILED");
    app.post_as(&again, STEP_UP, json!({ "password": PASSWORD })).await.is(401, "AUTH_2FA_INVALID");
    app.post_as(&again, STEP_UP, json!({ "code": phone.code(&app) })).await.ok(204);
    let export = app.post_as(&again, EXPORT, json!({})).await;
    assert_eq!(export.ok(200).body["trusted_devices"][0]["device"], "Firefox on Linux");
    assert!(!export.text.contains(&token), "{export:?}");
    let again = Person::from_pair(&app.refresh(&again.refresh).await.ok(200).body);
    assert_eq!(claims(&again.access)["amr"], json!(["pwd", "otp"]));

    // Not that of somebody else, not without the password, and nothing that only looks like it.
    log_in(&app, (BOB, PASSWORD), &token).await.is(403, "AUTH_2FA_REQUIRED");
    log_in(&app, (ANN, OTHER), &token).await.is(401, "AUTH_INVALID_CREDENTIALS");
    let forged = token.replace("ast_", "asm_");
    for other in ["", "ast_", &forged, &token[..52], ann.refresh.as_str()] {
        log_in(&app, (ANN, PASSWORD), other).await.is(403, "AUTH_2FA_REQUIRED");
    }

    // Its owner sees it and ends it; nobody else does.
    let devices = listed(&app, &ann).await;
    assert_eq!(devices.len(), 1, "{devices:?}");
    assert_eq!(devices[0]["device"], "Firefox on Linux");
    assert!(devices[0]["last_used_at"].as_str() > devices[0]["created_at"].as_str());
    let own = format!("{DEVICES}/{}", devices[0]["id"].as_str().unwrap());
    app.delete_as(&bob, &own).await.is(404, "TRUSTED_DEVICE_NOT_FOUND");
    assert!(listed(&app, &bob).await.is_empty());
    app.delete_as(&ann, &own).await.ok(204);
    app.delete_as(&ann, &own).await.is(404, "TRUSTED_DEVICE_NOT_FOUND");
    log_in(&app, (ANN, PASSWORD), &token).await.is(403, "AUTH_2FA_REQUIRED");
    app.me(&laptop).await.ok(200);

    let events = app.events().await;
    for event in
        ["TRUSTED_DEVICE_ADDED", "TRUSTED_DEVICE_USED", "TRUSTED_DEVICE_REMOVED/user_removed"]
    {
        assert_eq!(events.iter().filter(|seen| *seen == event).count(), 1, "{event}: {events:?}");
    }
    let told = app.get_as(&ann, "/api/v1/users/me/events").await;
    assert!(told.ok(200).text.contains("since the device is trusted"), "{told:?}");
    let metrics = app.app.metrics.encode();
    assert!(metrics.contains("authshield_second_factor_total{outcome=\"spared\"} 1"), "{metrics}");
}

#[tokio::test]
async fn who_is_trusted_and_for_how_long_is_for_the_operator_to_say() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let off = app.second_node(&[UNLIMITED, ("second_factor.trusted_device_ttl", "0s")]).await;
    let week = app.second_node(&[UNLIMITED, ("second_factor.trusted_device_ttl", "7d")]).await;
    let strict =
        app.second_node(&[UNLIMITED, ("second_factor.trusted_device_except", "user")]).await;
    let ann = app.sign_up(ANN).await;
    let (phone, _) = enable(&app, &ann).await;
    let token = token_of(&trusting(&app, (ANN, PASSWORD), &phone).await);

    for node in [&off, &strict] {
        let asked = log_in(node, (ANN, PASSWORD), &token).await;
        asked.is(403, "AUTH_2FA_REQUIRED");
        assert_eq!(asked.body["trust_expires_in"], Value::Null);
        let pair = trusting(node, (ANN, PASSWORD), &phone).await;
        assert!(!pair.ok(200).text.contains("trust"), "{pair:?}");
    }
    // Administrators are excepted, unless somebody says otherwise.
    let root = app.sign_up_admin("root@example.org").await;
    let (key, _) = enable(&app, &root).await;
    let pair = trusting(&app, ("root@example.org", PASSWORD), &key).await;
    assert_eq!(pair.ok(200).body["trust_token"], Value::Null);
    let lax = app.second_node(&[UNLIMITED, ("second_factor.trusted_device_except", "")]).await;
    token_of(&trusting(&lax, ("root@example.org", PASSWORD), &key).await);

    // A shorter life counts at once; else it ends when that was said.
    log_in(&week, (ANN, PASSWORD), &token).await.ok(200);
    app.advance(7 * DAY);
    log_in(&week, (ANN, PASSWORD), &token).await.is(403, "AUTH_2FA_REQUIRED");
    let laptop = Person::from_pair(&log_in(&app, (ANN, PASSWORD), &token).await.ok(200).body);
    assert_eq!((listed(&app, &laptop).await.len(), listed(&week, &laptop).await.len()), (1, 0));
    app.advance(23 * DAY);
    log_in(&app, (ANN, PASSWORD), &token).await.is(403, "AUTH_2FA_REQUIRED");
    chores::purge(&app.app, app.world.now()).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM trusted_devices").await, 0);

    // There is an end to how many there are.
    for _ in 0..21 {
        token_of(&trusting(&app, (ANN, PASSWORD), &phone).await);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM trusted_devices").await, 20);
}

/// Attack: D05, D07
/// ASVS: V7.4.3
#[tokio::test]
async fn a_trusted_device_ends_with_everything_that_signs_out_everywhere() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up(ANN).await;
    let (mut phone, _) = enable(&app, &ann).await;
    let of_ann = format!("/api/v1/admin/users/{}", ann.id);
    let mut password = PASSWORD;
    for end in [
        "logout_all",
        "password_changed",
        "password_reset",
        "admin_revoked",
        "admin_removed",
        "user_disabled",
        "second_factor_disabled",
        "recovery_codes_renewed",
        "passkey_removed",
        "owner",
        "not_me",
    ] {
        let pair = trusting(&app, (ANN, password), &phone).await;
        let (token, ann) = (token_of(&pair), Person::from_pair(&pair.body));
        log_in(&app, (ANN, password), &token).await.ok(200);
        app.mails().await;
        // What administrators do asks for a proof that is not old.
        let root = app.sign_in("root@example.org").await;
        let seen = app.get_as(&root, &format!("{of_ann}/trusted-devices")).await;
        assert_eq!(seen.ok(200).body["items"].as_array().unwrap().len(), 1, "{end}");
        match end {
            "logout_all" => {
                app.post_as(&ann, "/api/v1/auth/logout-all", json!({})).await.ok(204);
            }
            "password_changed" => {
                let body = json!({ "current_password": password, "new_password": OTHER });
                app.post_as(&ann, "/api/v1/auth/change-password", body).await.ok(204);
                password = OTHER;
            }
            "password_reset" => {
                reset(&app, PASSWORD).await;
                password = PASSWORD;
            }
            "admin_revoked" => {
                app.delete_as(&root, &format!("{of_ann}/sessions")).await.ok(204);
            }
            "admin_removed" => {
                app.delete_as(&root, &format!("{of_ann}/trusted-devices")).await.ok(204);
                app.me(&ann).await.ok(200);
            }
            "user_disabled" => {
                for is_active in [false, true] {
                    let body = json!({ "is_active": is_active });
                    app.patch_as(&root, &format!("{of_ann}/status"), body).await.ok(200);
                }
            }
            "second_factor_disabled" => {
                app.advance(Duration::from_mins(1));
                let body = json!({ "password": password, "code": phone.code(&app) });
                app.post_as(&ann, "/api/v1/auth/2fa/disable", body).await.ok(204);
                (phone, _) = enable(&app, &ann).await;
            }
            "recovery_codes_renewed" => {
                app.advance(Duration::from_mins(1));
                let body = json!({ "password": password, "code": phone.code(&app) });
                app.post_as(&ann, "/api/v1/auth/2fa/recovery-codes", body).await.ok(200);
            }
            "passkey_removed" => {
                add(&app, &ann).await;
                let passkeys = "/api/v1/auth/passkeys";
                let listed = app.get_as(&ann, passkeys).await;
                let id = listed.ok(200).body["items"][0]["id"].as_str().unwrap().to_owned();
                app.delete_as(&ann, &format!("{passkeys}/{id}")).await.ok(204);
            }
            "owner" => {
                app.post_as(&ann, "/api/v1/users/me/lock", json!({})).await.ok(204);
                reset(&app, OTHER).await;
                password = OTHER;
            }
            _ => {
                // The link of a notice: from a new kind of device, which its owner is told of.
                let body = json!({ "email": ANN, "password": password, "trust_token": token });
                let request = app.request(Method::POST, "/api/v1/auth/login").json(&body);
                app.send(request.header("user-agent", "curl/8.5.0")).await.ok(200);
                let link = app.last_mail(ANN).await.link("/not-me?token=").expect("a link");
                let token = link.split("token=").nth(1).unwrap();
                app.post("/api/v1/auth/not-me", json!({ "token": token })).await.ok(204);
                reset(&app, PASSWORD).await;
                password = PASSWORD;
            }
        }
        log_in(&app, (ANN, password), &token).await.is(403, "AUTH_2FA_REQUIRED");
        let removed = format!("TRUSTED_DEVICE_REMOVED/{end}");
        let events = app.events().await;
        assert_eq!(
            events.iter().filter(|event| **event == removed).count(),
            1,
            "{end}: {events:?}"
        );
    }
}

/// Chooses a new password by mail.
async fn reset(app: &TestApp, password: &str) {
    app.mails().await;
    app.post("/api/v1/auth/forgot-password", json!({ "email": ANN })).await.ok(202);
    let body = json!({ "token": app.token_for(ANN).await, "new_password": password });
    app.post("/api/v1/auth/reset-password", body).await.ok(204);
}

/// Whoever is let in at the instant at which trust ends is let in before, and then signed out with all others, or
/// is asked for the second factor.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_trusted_device_and_its_end_at_once_nothing_is_left() {
    let one = TestApp::with(&[UNLIMITED]).await;
    let other = one.second_node(&[UNLIMITED]).await;
    let nodes = [&one, &other];
    let root = one.sign_up_admin("root@example.org").await;
    let ann = one.sign_up(ANN).await;
    let (phone, _) = enable(&one, &ann).await;
    let sessions = format!("/api/v1/admin/users/{}/sessions", ann.id);
    for round in 0..4 {
        let token = token_of(&trusting(&one, (ANN, PASSWORD), &phone).await);
        let tries = (0..6).map(|n| log_in(nodes[n % 2], (ANN, PASSWORD), &token));
        let (entered, ended) =
            tokio::join!(join_all(tries), nodes[round % 2].delete_as(&root, &sessions));
        ended.ok(204);
        for reply in entered {
            if reply.status == 200 {
                one.me(&Person::from_pair(&reply.body)).await.is(401, "AUTH_TOKEN_REVOKED");
            } else {
                reply.is(403, "AUTH_2FA_REQUIRED");
            }
        }
        for node in nodes {
            log_in(node, (ANN, PASSWORD), &token).await.is(403, "AUTH_2FA_REQUIRED");
        }
    }
}
