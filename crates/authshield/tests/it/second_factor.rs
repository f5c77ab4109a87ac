//! The second factor: what it asks, what it keeps out, and that nothing leads around it.

use std::time::Duration;

use authshield::chores;
use authshield::world::World;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::registration::{UNLIMITED, disable};
use crate::support::program::MASTER_KEY;
use crate::support::{Authenticator, PASSWORD, Person, Program, Reply, TestApp, claims, text};

const OTHER: &str = "seven herons under glass";
const ENABLE: &str = "/api/v1/auth/2fa/enable";
const CONFIRM: &str = "/api/v1/auth/2fa/confirm";
const DISABLE: &str = "/api/v1/auth/2fa/disable";
const CODES: &str = "/api/v1/auth/2fa/recovery-codes";

/// Adds a second factor; returns the app and the recovery codes. A minute later none of its codes was
/// used.
pub(crate) async fn enable(app: &TestApp, person: &Person) -> (Authenticator, Vec<String>) {
    let enrolment = app.post_as(person, ENABLE, json!({ "password": PASSWORD })).await;
    let phone = Authenticator::of(&enrolment.ok(200).body);
    let reply = app.post_as(person, CONFIRM, json!({ "code": phone.code(app) })).await;
    let codes = reply.ok(200).body["recovery_codes"].as_array().unwrap().iter();
    let codes = codes.map(|code| code.as_str().unwrap().to_owned()).collect();
    app.advance(Duration::from_mins(1));
    (phone, codes)
}

/// Shows the right password and returns the ticket.
pub(crate) async fn ticket(app: &TestApp, email: &str, password: &str) -> String {
    let reply = app.log_in(email, password).await;
    reply.is(403, "AUTH_2FA_REQUIRED");
    reply.body["mfa_token"].as_str().unwrap().to_owned()
}

pub(crate) async fn verify(app: &TestApp, ticket: &str, code: &str) -> Reply {
    app.post("/api/v1/auth/2fa/verify", json!({ "mfa_token": ticket, "code": code })).await
}

#[tokio::test]
async fn a_sign_in_that_waits_for_a_code_ends_with_the_sessions() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let root = app.sign_up_admin("root@example.org").await;
    let (phone, _) = enable(&app, &ann).await;
    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    app.post_as(&ann, "/api/v1/auth/logout-all", json!({})).await.ok(204);
    verify(&app, &waiting, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");

    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    for is_active in [false, true] {
        let status = format!("/api/v1/admin/users/{}/status", ann.id);
        app.patch_as(&root, &status, json!({ "is_active": is_active })).await.ok(200);
    }
    verify(&app, &waiting, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");
}

fn again(code: &str) -> Value {
    json!({ "password": PASSWORD, "code": code })
}

/// Attack: C04, C06, C07, C08, C11
/// ASVS: V2.3.1, V6.3.3, V6.3.7, V6.5.1, V7.5.1
#[tokio::test]
async fn a_second_factor_is_added_asked_for_and_removed() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let laptop = app.sign_in("ann@example.org").await;
    assert_eq!(claims(&ann.access)["acr"], "aal1");

    // The password is asked for again, or a sign-in that was not long ago.
    app.post_as(&ann, ENABLE, json!({ "password": OTHER })).await.is(400, "AUTH_PASSWORD_MISMATCH");
    app.post_as(&ann, CONFIRM, json!({ "code": "123456" })).await.is(400, "AUTH_2FA_NOT_ENABLED");
    let first = app.post_as(&ann, ENABLE, json!({ "password": PASSWORD })).await;
    let second = app.post_as(&ann, ENABLE, json!({ "password": PASSWORD })).await;
    let enrolment = &second.ok(200).body;
    let secret = enrolment["secret"].as_str().unwrap();
    assert_ne!(first.body["secret"], enrolment["secret"]);
    let uri = enrolment["otpauth_uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/AuthShield:ann%40example.org?secret="), "{uri}");
    assert!(uri.contains(secret) && enrolment["qr_svg"].as_str().unwrap().starts_with("<svg "));
    let (lost, phone) = (Authenticator::of(&first.body), Authenticator::of(enrolment));
    let confirm =
        async |who: &Person, code: &str| app.post_as(who, CONFIRM, json!({ "code": code })).await;
    // Nothing counts yet; the last secret alone will, and where it was asked for.
    app.sign_in("ann@example.org").await;
    assert_eq!(app.me(&ann).await.body["is_2fa_enabled"], false);
    confirm(&ann, &lost.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    confirm(&ann, &phone.wrong(&app)).await.is(401, "AUTH_2FA_INVALID");
    confirm(&laptop, &phone.code(&app)).await.is(400, "AUTH_2FA_NOT_ENABLED");
    app.advance(Duration::from_mins(10));
    confirm(&ann, &phone.code(&app)).await.is(400, "AUTH_2FA_NOT_ENABLED");
    chores::purge(&app.app, app.world.now()).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM totp_secrets").await, 0);

    let (phone, codes) = enable(&app, &ann).await;
    let unique: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(unique.len(), 10);
    assert!(app.last_mail("ann@example.org").await.data.contains("authenticator app was added"));
    app.post_as(&ann, ENABLE, json!({ "password": PASSWORD }))
        .await
        .is(400, "AUTH_2FA_ALREADY_ENABLED");
    confirm(&ann, &phone.code(&app)).await.is(400, "AUTH_2FA_ALREADY_ENABLED");
    // Whoever was signed in without it is signed out.
    app.me(&laptop).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&laptop.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    assert_eq!(app.me(&ann).await.ok(200).body["is_2fa_enabled"], true);
    let standing = app.get_as(&ann, "/api/v1/auth/2fa").await;
    assert_eq!(standing.ok(200).body["is_enabled"], true);
    assert_eq!(standing.body["recovery_codes_left"], 10);
    assert_eq!(standing.body["recovery_codes_low"], false);

    // The right password is answered with a ticket, and that opens nothing.
    let asked = app.log_in("ann@example.org", PASSWORD).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["factors"], json!(["totp", "recovery_code"]));
    assert!(asked.body.get("access_token").is_none() && !asked.headers.contains_key("set-cookie"));
    let ticket = asked.body["mfa_token"].as_str().unwrap();
    let request = app.request(Method::GET, "/api/v1/users/me").bearer_auth(ticket);
    app.send(request).await.is(401, "AUTH_TOKEN_INVALID");
    app.refresh(ticket).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.verify(ticket).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    app.log_in("ann@example.org", OTHER).await.is(401, "AUTH_INVALID_CREDENTIALS");

    let pair = verify(&app, ticket, &phone.code(&app)).await;
    let ann = Person::from_pair(&pair.ok(200).body);
    let fresh = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    for person in [&ann, &fresh] {
        let claims = claims(&person.access);
        assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd", "otp"]), &json!("aal2")));
    }
    let sessions = app.get_as(&fresh, "/api/v1/sessions").await;
    assert_eq!(sessions.ok(200).body["items"][0]["amr"], json!(["pwd", "otp"]));

    // Removing it takes the password and an unused code.
    let code = phone.code(&app);
    app.post_as(&fresh, DISABLE, again(&code)).await.is(401, "AUTH_2FA_INVALID");
    app.advance(Duration::from_secs(30));
    let code = phone.code(&app);
    let body = json!({ "password": OTHER, "code": code });
    app.post_as(&fresh, DISABLE, body).await.is(400, "AUTH_PASSWORD_MISMATCH");
    let wrong = again(&phone.wrong(&app));
    app.post_as(&fresh, DISABLE, wrong).await.is(401, "AUTH_2FA_INVALID");
    app.post_as(&fresh, DISABLE, again(&code)).await.ok(204);
    assert!(app.last_mail("ann@example.org").await.data.contains("second factor"));
    app.post_as(&fresh, DISABLE, again(&code)).await.is(400, "AUTH_2FA_NOT_ENABLED");
    let plain = app.sign_in("ann@example.org").await;
    assert_eq!(claims(&plain.access)["acr"], "aal1");
    let rows = "SELECT (SELECT COUNT(*) FROM totp_secrets) + (SELECT COUNT(*) FROM recovery_codes)";
    assert_eq!(app.count(rows).await, 0);
    let events = app.events().await;
    for event in [
        "SECOND_FACTOR_ENABLED",
        "SESSION_REVOKED/second_factor_enabled",
        "SECOND_FACTOR_ASKED",
        "SECOND_FACTOR_REFUSED/code_used",
        "SECOND_FACTOR_REFUSED/wrong_code",
        "PASSWORD_MISMATCH/disable_2fa",
        "SECOND_FACTOR_DISABLED",
    ] {
        assert!(events.iter().any(|seen| seen == event), "{event} is not in {events:?}");
    }
}

/// Attack: C01, C03
/// ASVS: V6.5.1, V2.3.4
#[tokio::test(flavor = "multi_thread")]
async fn c01_a_code_works_once_however_many_show_it_where_and_for_what() {
    let one = TestApp::with(&[UNLIMITED]).await;
    let other = one.second_node(&[UNLIMITED]).await;
    let nodes = [&one, &other];
    let ann = one.sign_up("ann@example.org").await;
    let (phone, codes) = enable(&one, &ann).await;
    for round in 0..3 {
        one.advance(Duration::from_mins(1));
        let mut tickets = Vec::new();
        for _ in 0..8 {
            tickets.push(ticket(&one, "ann@example.org", PASSWORD).await);
        }
        // One step early, now, one step late: each is a code of its own.
        let code = phone.code_at(one.ctx().now.as_second(), round - 1);
        let tries =
            tickets.iter().enumerate().map(|(n, ticket)| verify(nodes[n % 2], ticket, &code));
        let replies = join_all(tries).await;
        let taken = replies.iter().filter(|reply| reply.status.is_success()).count();
        assert_eq!(taken, 1, "{replies:?}");
        for reply in replies.iter().filter(|reply| !reply.status.is_success()) {
            reply.is(401, "AUTH_2FA_INVALID");
        }
        for (path, body) in [(DISABLE, again(&code)), (CODES, again(&code))] {
            other.post_as(&ann, path, body).await.is(401, "AUTH_2FA_INVALID");
        }
    }
    // An older code than the last that was taken is worth nothing, though its time is not yet over.
    one.advance(Duration::from_mins(1));
    let second = one.ctx().now.as_second();
    let tickets = [
        ticket(&one, "ann@example.org", PASSWORD).await,
        ticket(&one, "ann@example.org", PASSWORD).await,
    ];
    verify(&one, &tickets[0], &phone.code_at(second, 1)).await.ok(200);
    verify(&other, &tickets[1], &phone.code_at(second, 0)).await.is(401, "AUTH_2FA_INVALID");

    // A recovery code, too, lets one in; and one ticket opens one session.
    let mut tickets = Vec::new();
    for _ in 0..8 {
        tickets.push(ticket(&one, "ann@example.org", PASSWORD).await);
    }
    let tries = tickets.iter().enumerate().map(|(n, one)| verify(nodes[n % 2], one, &codes[0]));
    let replies = join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status.is_success()).count(), 1, "{replies:?}");
    let ticket = ticket(&one, "ann@example.org", PASSWORD).await;
    let tries = (1..5).map(|n| verify(nodes[n % 2], &ticket, &codes[n]));
    let replies = join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status.is_success()).count(), 1, "{replies:?}");
    assert_eq!(one.count("SELECT COUNT(*) FROM recovery_codes WHERE used_at IS NULL").await, 8);
}

/// Attack: C02, C12, A06
/// ASVS: V6.2.10, V6.3.1, V6.6.3, V16.3.3
#[tokio::test(flavor = "multi_thread")]
async fn c02_guessing_ends_soon_on_every_ticket_and_node_and_the_owner_hears_of_it() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let (phone, codes) = enable(&app, &ann).await;
    let email = "ann@example.org";

    // What is no code counts as a try, and opens nothing.
    let first = ticket(&app, email, PASSWORD).await;
    for code in ["", "1234567", "１２３４５６", "null"] {
        verify(&app, &first, code).await.is(401, "AUTH_2FA_INVALID");
    }
    for code in [json!(null), json!([]), json!(0), json!({})] {
        let body = json!({ "mfa_token": first, "code": code });
        app.post("/api/v1/auth/2fa/verify", body).await.is(422, "VALIDATION_FAILED");
    }
    assert_eq!(app.mails_to(email).await, 2, "the welcome, and news of the app");
    verify(&app, &first, &phone.wrong(&app)).await.is(401, "AUTH_2FA_INVALID");
    // Five tries, and the ticket is gone, whatever is shown.
    verify(&app, &first, &codes[0]).await.is(401, "AUTH_2FA_INVALID");
    assert!(app.last_mail(email).await.data.contains("guessing codes"));

    // Another ticket, another node: the account looks at no code for a while.
    let other = app.second_node(&[UNLIMITED]).await;
    let second = ticket(&other, email, PASSWORD).await;
    let paused = verify(&other, &second, &phone.code(&app)).await;
    paused.is(429, "RATE_LIMIT_EXCEEDED");
    let wait = paused.body["retry_after"].as_u64().unwrap();
    assert!(wait <= 60 && paused.header("retry-after") == wait.to_string(), "{paused:?}");
    let body = again(&phone.code(&app));
    other.post_as(&ann, DISABLE, body).await.is(429, "RATE_LIMIT_EXCEEDED");
    // The owner has a way in meanwhile.
    verify(&other, &second, &codes[0]).await.ok(200);

    // Each further miss doubles the wait; the right code makes all of that forgotten.
    for minutes in [2, 4, 8] {
        app.advance(Duration::from_secs(wait) + Duration::from_mins(minutes));
        let third = ticket(&app, email, PASSWORD).await;
        verify(&app, &third, &phone.wrong(&app)).await.is(401, "AUTH_2FA_INVALID");
        let paused = verify(&app, &third, &phone.code(&app)).await;
        paused.is(429, "RATE_LIMIT_EXCEEDED");
        let wait = paused.body["retry_after"].as_u64().unwrap();
        assert!(wait > 60 * (minutes - 1) && wait <= 60 * minutes, "{wait}");
    }
    app.advance(Duration::from_mins(8));
    let last = ticket(&app, email, PASSWORD).await;
    verify(&app, &last, &phone.code(&app)).await.ok(200);
    app.advance(Duration::from_mins(1));
    let last = ticket(&app, email, PASSWORD).await;
    for _ in 0..3 {
        verify(&app, &last, &phone.wrong(&app)).await.is(401, "AUTH_2FA_INVALID");
    }
    verify(&app, &last, &phone.code(&app)).await.ok(200);
    let guessed = app.mails().await.iter().filter(|m| m.data.contains("guessing codes")).count();
    assert_eq!(guessed, 1);

    // After a hundred in a row no code is taken any more, two years later either; the password is, as ever.
    let mut tx = app.app.store.write().await.unwrap();
    tx.query("UPDATE totp_secrets SET misses = 99").execute().await.unwrap();
    tx.commit().await.unwrap();
    app.advance(Duration::from_mins(1));
    let last = ticket(&app, email, PASSWORD).await;
    verify(&app, &last, &phone.wrong(&app)).await.is(401, "AUTH_2FA_INVALID");
    app.advance(Duration::from_hours(24 * 731));
    let last = ticket(&app, email, PASSWORD).await;
    let locked = verify(&app, &last, &phone.code(&app)).await;
    locked.is(401, "AUTH_2FA_INVALID");
    assert!(locked.body["detail"].as_str().unwrap().contains("recovery code"), "{locked:?}");
    verify(&app, &last, &codes[1]).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_shown_at_once_with_many_tickets_are_counted_one_by_one() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let (phone, _) = enable(&app, &ann).await;
    let other = app.second_node(&[UNLIMITED]).await;
    let mut tickets = Vec::new();
    for _ in 0..6 {
        for node in [&app, &other] {
            tickets.push((node, ticket(node, "ann@example.org", PASSWORD).await));
        }
    }
    let wrong = phone.wrong(&app);
    let shown = tickets.iter().map(|(node, ticket)| verify(node, ticket, &wrong));
    let judged = join_all(shown).await.iter().filter(|reply| reply.status == 401).count();
    assert_eq!(judged, 5);
    assert_eq!(app.count("SELECT misses FROM totp_secrets").await, 5);
}

/// Attack: C09, D14
/// ASVS: V6.5.1, V6.5.2, V11.3.3
#[tokio::test]
async fn c09_recovery_codes_are_shown_once_used_once_and_replaced_as_a_whole() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let (phone, codes) = enable(&app, &ann).await;
    let bob = app.sign_up("bob@example.org").await;
    let (_, of_bob) = enable(&app, &bob).await;
    let standing = async || app.get_as(&ann, "/api/v1/auth/2fa").await.ok(200).body.clone();

    let pending = ticket(&app, "ann@example.org", PASSWORD).await;
    verify(&app, &pending, &of_bob[0]).await.is(401, "AUTH_2FA_INVALID");
    verify(&app, &pending, &codes[0].to_uppercase().replace('-', "")).await.ok(200);
    assert!(app.last_mail("ann@example.org").await.data.contains("left: 9"));
    let pending = ticket(&app, "ann@example.org", PASSWORD).await;
    verify(&app, &pending, &codes[0]).await.is(401, "AUTH_2FA_INVALID");
    for code in &codes[1..7] {
        assert_eq!(standing().await["recovery_codes_low"], false);
        let pending = ticket(&app, "ann@example.org", PASSWORD).await;
        verify(&app, &pending, code).await.ok(200);
    }
    assert_eq!(standing().await["recovery_codes_left"], 3);
    assert_eq!(standing().await["recovery_codes_low"], true);

    let wrong = again(&phone.wrong(&app));
    app.post_as(&ann, CODES, wrong).await.is(401, "AUTH_2FA_INVALID");
    let renewed = app.post_as(&ann, CODES, again(&phone.code(&app))).await;
    let renewed = renewed.ok(200).body["recovery_codes"].clone();
    // They were sent side by side, so none of them is the last.
    assert!(app.mails().await.iter().any(|mail| mail.data.contains("recovery codes were made")));
    assert_eq!(standing().await["recovery_codes_left"], 10);
    let pending = ticket(&app, "ann@example.org", PASSWORD).await;
    verify(&app, &pending, &codes[8]).await.is(401, "AUTH_2FA_INVALID");
    verify(&app, &pending, renewed[0].as_str().unwrap()).await.ok(200);

    // Whoever reads the database gets neither codes nor secrets; nor does who moves them.
    let mut tx = app.app.store.write().await.unwrap();
    let hashes: Vec<(Vec<u8>,)> =
        tx.query("SELECT code_hash FROM recovery_codes").all().await.unwrap();
    assert!(hashes.iter().all(|(hash,)| hash.len() == 32));
    let sealed: Vec<(Vec<u8>,)> = tx.query("SELECT secret FROM totp_secrets").all().await.unwrap();
    assert!(sealed.iter().all(|(secret,)| secret.len() == 1 + 8 + 12 + 20 + 16), "{sealed:?}");
    tx.query("UPDATE totp_secrets SET secret = $1")
        .bind(sealed[0].0.clone())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let refused = [
        verify(&app, &ticket(&app, "ann@example.org", PASSWORD).await, &phone.code(&app)).await,
        verify(&app, &ticket(&app, "bob@example.org", PASSWORD).await, &phone.code(&app)).await,
    ];
    assert!(refused.iter().any(|reply| reply.status.as_u16() == 500), "{refused:?}");
    assert!(refused.iter().all(|reply| reply.body["user"]["email"] != "bob@example.org"));
}

/// Attack: B12, C05, C10
/// ASVS: V6.3.4, V6.4.3, V6.6.2
#[tokio::test]
async fn c10_a_ticket_is_for_its_account_for_minutes_and_dies_with_the_password() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let (phone, _) = enable(&app, &ann).await;
    let bob = app.sign_up("bob@example.org").await;
    let (of_bob, _) = enable(&app, &bob).await;

    let for_ann = ticket(&app, "ann@example.org", PASSWORD).await;
    verify(&app, &for_ann, &of_bob.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    for other in ["", "asm_", ann.refresh.as_str(), ann.access.as_str(), &for_ann[..52]] {
        verify(&app, other, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    }
    app.advance(Duration::from_mins(5));
    verify(&app, &for_ann, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");

    // A reset signs nobody in, removes nothing, and ends what waits.
    let waiting = ticket(&app, "ann@example.org", PASSWORD).await;
    app.mails().await;
    let forgot = json!({ "email": "ann@example.org" });
    app.post("/api/v1/auth/forgot-password", forgot).await.ok(202);
    let link = app.token_for("ann@example.org").await;
    let reset = json!({ "token": link, "new_password": OTHER });
    app.post("/api/v1/auth/reset-password", reset).await.ok(204);
    verify(&app, &waiting, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    let after = ticket(&app, "ann@example.org", OTHER).await;
    let pair = verify(&app, &after, &phone.code(&app)).await;
    let ann = Person::from_pair(&pair.ok(200).body);
    verify(&app, &after, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");

    // Neither does another address, nor a new password.
    let body = json!({ "new_email": "anna@example.org", "password": OTHER });
    app.post_as(&ann, "/api/v1/users/me/email", body).await.ok(202);
    let link = app.token_for("anna@example.org").await;
    app.verify(&link).await.ok(200);
    let waiting = ticket(&app, "anna@example.org", OTHER).await;
    app.advance(Duration::from_secs(30));
    let body = json!({ "current_password": OTHER, "new_password": PASSWORD });
    app.post_as(&ann, "/api/v1/auth/change-password", body).await.ok(204);
    verify(&app, &waiting, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    let waiting = ticket(&app, "anna@example.org", PASSWORD).await;
    disable(&app, &ann).await;
    verify(&app, &waiting, &phone.code(&app)).await.is(403, "AUTH_ACCOUNT_DISABLED");
    app.log_in("anna@example.org", PASSWORD).await.is(403, "AUTH_ACCOUNT_DISABLED");

    app.advance(Duration::from_mins(6));
    chores::purge(&app.app, app.world.now()).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM pending_sign_ins").await, 0);
}

/// A sign-in that was judged before the second factor was there opens nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn no_session_without_a_second_factor_survives_its_enrolment() {
    let one = TestApp::with(&[UNLIMITED]).await;
    let other = one.second_node(&[UNLIMITED]).await;
    for round in 0..6 {
        let email = format!("ann{round}@example.org");
        let ann = one.sign_up(&email).await;
        let enrolment = one.post_as(&ann, ENABLE, json!({ "password": PASSWORD })).await;
        let phone = Authenticator::of(&enrolment.ok(200).body);
        let code = phone.code(&one);
        let confirm = one.post_as(&ann, CONFIRM, json!({ "code": code }));
        let logins = join_all((0..6).map(|_| other.log_in(&email, PASSWORD)));
        let (confirmed, logins) = futures_util::future::join(confirm, logins).await;
        confirmed.ok(200);
        for reply in logins {
            assert!(reply.status.as_u16() < 500, "{reply:?}");
            if reply.status.is_success() {
                let person = Person::from_pair(&reply.body);
                one.me(&person).await.is(401, "AUTH_TOKEN_REVOKED");
            }
        }
        let waiting = ticket(&one, &email, PASSWORD).await;
        one.advance(Duration::from_mins(1));
        verify(&other, &waiting, &phone.code(&one)).await.ok(200);
    }
}

/// Attack: C08, I06
/// ASVS: V6.4.4, V6.5.6
#[tokio::test]
async fn an_administrator_helps_who_lost_everything_and_not_themselves() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let (of_root, _) = enable(&app, &root).await;
    let ann = app.sign_up("ann@example.org").await;
    app.patch_as(&ann, "/api/v1/users/me", json!({ "locale": "de" })).await.ok(200);
    let path = |person: &Person| format!("/api/v1/admin/users/{}/2fa", person.id);
    app.delete_as(&root, &path(&ann)).await.is(400, "AUTH_2FA_NOT_ENABLED");
    enable(&app, &ann).await;
    assert!(app.last_mail("ann@example.org").await.data.contains("Authenticator-App"));
    app.delete_as(&ann, &path(&root)).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
    app.delete_as(&root, &path(&root)).await.is(403, "AUTH_INSUFFICIENT_PERMISSIONS");

    app.delete_as(&root, &path(&ann)).await.ok(204);
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    app.sign_in("ann@example.org").await;
    let mail = app.last_mail("ann@example.org").await;
    assert!(mail.data.contains("zweite Faktor"), "{}", mail.data);
    let waiting = ticket(&app, "root@example.org", PASSWORD).await;
    verify(&app, &waiting, &of_root.code(&app)).await.ok(200);
    let events = app.events().await;
    let count = |event: &str| events.iter().filter(|seen| *seen == event).count();
    assert_eq!(count("SECOND_FACTOR_RESET"), 1, "{events:?}");
    assert_eq!(count("SESSION_REVOKED/second_factor_reset"), 1);
    assert_eq!(count("ADMIN_REFUSED/own_second_factor"), 1);
}

/// The running program: a backup has it, another master key opens it, a command takes it.
#[tokio::test]
async fn a_second_factor_outlives_a_restore_and_another_master_key() {
    let program = Program::new().await.unlimited();
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
    let server = program.serve().await;
    let pair = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let access = text(pair.ok(200), "access_token");
    let as_ann = async |path: &str, body: Value| {
        let request = server.client.request(Method::POST, path).bearer_auth(&access).json(&body);
        server.client.send(request).await.unwrap()
    };
    let enrolment = as_ann(ENABLE, json!({ "password": PASSWORD })).await;
    let phone = Authenticator::of(&enrolment.ok(200).body);
    let now = || authshield::world::Real.now().as_second();
    let used = phone.code_at(now(), 0);
    let codes = as_ann(CONFIRM, json!({ "code": used })).await;
    let codes = codes.ok(200).body["recovery_codes"].clone();
    server.stop().await;

    let file = program.folder().join("monday.backup");
    let manifest =
        program.run(&["backup", "create", file.to_str().unwrap(), "--json"]).await.json();
    let tables = manifest["tables"].as_array().unwrap();
    let rows = |name| tables.iter().find(|table| table["name"] == name).unwrap()["rows"].clone();
    assert_eq!((rows("totp_secrets"), rows("recovery_codes")), (json!(1), json!(10)));
    let target = crate::restore::elsewhere(&program).await;
    let id = manifest["installation_id"].as_str().unwrap();
    target.run(&["restore", file.to_str().unwrap(), "--installation-id", id]).await.ok();

    let former = std::fs::read_to_string(program.data().join("master.key")).unwrap();
    let target = target.set("master_key", MASTER_KEY).set("master_key_previous", former.trim());
    target.serve().await.stop().await;
    let target = target.unset("master_key_previous");
    let server = target.serve().await;
    let verify = async |code: &str| {
        let asked = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
        asked.is(403, "AUTH_2FA_REQUIRED");
        let body = json!({ "mfa_token": asked.body["mfa_token"], "code": code });
        server.client.post("/api/v1/auth/2fa/verify", body).await.unwrap()
    };
    verify(&used).await.is(401, "AUTH_2FA_INVALID");
    verify(&phone.code_at(now(), 1)).await.ok(200);
    verify(codes[0].as_str().unwrap()).await.ok(200);

    let shown = target.run(&["user", "show", "ann@example.net"]).await.json();
    assert_eq!(shown["is_2fa_enabled"], true);
    let done = target.run(&["user", "reset-2fa", "ann@example.net", "--json"]).await.json();
    assert_eq!(done["is_2fa_enabled"], false);
    let again = target.run(&["user", "reset-2fa", "ann@example.net"]).await;
    again.fails(1, &["there is no second factor"]);
    server.client.log_in("ann@example.net", PASSWORD).await.unwrap().ok(200);
    server.stop().await;
}
