//! A code by mail, for who has nothing else to show: where it counts, how often, and what it leads around.

use std::time::Duration;

use authshield::chores;
use authshield::world::World;
use reqwest::{Method, header};
use serde_json::json;

use crate::magic_link::{ON, code_of};
use crate::no_passwords::by_mail;
use crate::pages::{form, hidden};
use crate::passkeys::add;
use crate::registration::UNLIMITED;
use crate::second_factor::enable;
use crate::support::{Authenticator, PASSWORD, Person, Reply, TestApp, claims};

const ANN: &str = "ann@example.org";
const EMAIL: &str = "/api/v1/users/me/email";
const STEP_UP: &str = "/api/v1/auth/step-up";
const AGAIN: &str = "/api/v1/auth/step-up/email";

/// Another code than this.
fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

pub(crate) async fn ask(app: &TestApp, who: &Person) -> String {
    app.mails().await;
    app.post_as(who, AGAIN, json!({})).await.ok(202);
    code_of(&app.last_mail(&who.email).await)
}

pub(crate) async fn show(app: &TestApp, who: &Person, code: &str) -> Reply {
    app.post_as(who, STEP_UP, json!({ "email_code": code })).await
}

/// Attack: B18, C06, C12
/// ASVS: V6.6.2, V6.6.3, V7.5.1
#[tokio::test]
async fn who_has_nothing_else_proves_it_again_by_a_code_in_the_session_that_asked() {
    let app = TestApp::with(&[UNLIMITED, ON]).await;
    let old = Person::from_pair(&by_mail(&app, ANN).await.ok(200).body);
    app.advance(Duration::from_mins(14));
    let ann = Person::from_pair(&app.refresh(&old.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    let other = Person::from_pair(&by_mail(&app, ANN).await.ok(200).body);
    let new = json!({ "new_email": "anna@example.org" });
    let due = app.post_as(&ann, EMAIL, new.clone()).await;
    due.is(403, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(due.body["factors"], json!(["email"]));

    show(&app, &ann, "123456").await.is(401, "AUTH_2FA_INVALID");
    let code = ask(&app, &ann).await;
    let subject = app.last_mail(ANN).await.header("subject").unwrap();
    assert!(!subject.contains(&code), "what a locked screen shows proves nothing");
    // It is for that session, and for nothing else.
    show(&app, &other, &code).await.is(401, "AUTH_2FA_INVALID");
    app.post_as(&ann, STEP_UP, json!({ "code": code })).await.is(400, "AUTH_PASSWORD_MISMATCH");
    let asked = app.post("/api/v1/auth/magic-link", json!({ "email": ANN })).await;
    let redeem = json!({ "handle": asked.ok(202).body["handle"], "code": code });
    let redeemed = app.post("/api/v1/auth/magic-link/redeem", redeem).await;
    redeemed.is(401, "AUTH_MAGIC_LINK_INVALID");
    let two = json!({ "email_code": code, "code": code });
    app.post_as(&ann, STEP_UP, two).await.is(422, "VALIDATION_FAILED");
    // Few are looked at, and the newest mail counts.
    for _ in 0..5 {
        show(&app, &ann, &wrong(&code)).await.is(401, "AUTH_2FA_INVALID");
    }
    show(&app, &ann, &code).await.is(401, "AUTH_2FA_INVALID");
    let (older, code) = (ask(&app, &ann).await, ask(&app, &ann).await);
    if older != code {
        show(&app, &ann, &older).await.is(401, "AUTH_2FA_INVALID");
    }
    app.post_as(&ann, EMAIL, new.clone()).await.is(403, "AUTH_STEP_UP_REQUIRED");
    show(&app, &ann, &format!("{} {}", &code[..3], &code[3..])).await.ok(204);
    show(&app, &ann, &code).await.is(401, "AUTH_2FA_INVALID");
    app.post_as(&ann, EMAIL, new.clone()).await.ok(202);
    let before = claims(&ann.access);
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    let after = claims(&ann.access);
    assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64(), "{before} {after}");
    assert_eq!((&after["amr"], &after["acr"]), (&json!(["email"]), &json!("aal1")));

    // It has its end, and who has something else shows that.
    let code = ask(&app, &ann).await;
    app.advance(Duration::from_mins(10));
    show(&app, &ann, &code).await.is(401, "AUTH_2FA_INVALID");
    chores::purge(&app.app, app.world.now()).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM proof_codes").await, 0);
    let code = ask(&app, &ann).await;
    add(&app, &ann).await;
    show(&app, &ann, &code).await.is(400, "AUTH_2FA_NOT_ENABLED");
    app.post_as(&ann, AGAIN, json!({})).await.is(400, "AUTH_2FA_NOT_ENABLED");
    let bob = app.sign_up("bob@example.org").await;
    app.post_as(&bob, AGAIN, json!({})).await.is(400, "AUTH_2FA_NOT_ENABLED");
    show(&app, &bob, "123456").await.is(400, "AUTH_2FA_NOT_ENABLED");
}

/// A rule of risk asks for what there is, and the mailbox is there.
///
/// Attack: C05, C10
#[tokio::test]
async fn a_sign_in_that_looks_like_none_before_shows_a_code_that_went_by_mail() {
    let strict = [UNLIMITED, ("risk.mode", "enforce"), ("risk.new_device", "step_up")];
    let policy = ("second_factor.required_for", "moderator");
    let app = TestApp::with(&[&strict[..], &[policy]].concat()).await;
    let ann = app.sign_up(ANN).await;
    let from = |agent: &str, path: &str, body: serde_json::Value| {
        let request = app.request(Method::POST, path).json(&body);
        app.send(request.header(header::USER_AGENT, agent.to_owned()))
    };
    let log_in = json!({ "email": ANN, "password": PASSWORD });
    let asked = from("curl/8.5.0", "/api/v1/auth/login", log_in.clone()).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["factors"], json!(["email"]));
    let ticket = asked.body["mfa_token"].clone();
    let only = json!({ "mfa_token": ticket });
    // Nobody adds a factor to get around it, nor shows the code of another sign-in.
    let enrol = app.post("/api/v1/auth/2fa/enrol", only.clone()).await;
    enrol.is(400, "AUTH_2FA_NOT_ENABLED");
    let second = from("curl/8.5.0", "/api/v1/auth/login", log_in.clone()).await.body;
    app.mails().await;
    let sent = app.post("/api/v1/auth/2fa/email", only.clone()).await;
    assert_eq!(sent.ok(202).body["expires_in"], 600);
    let code = code_of(&app.last_mail(ANN).await);
    let verify = |ticket: &serde_json::Value, code: &str| {
        let body = json!({ "mfa_token": ticket, "email_code": code });
        from("curl/8.5.0", "/api/v1/auth/2fa/verify", body)
    };
    verify(&second["mfa_token"], &code).await.is(401, "AUTH_2FA_INVALID");
    verify(&ticket, &wrong(&code)).await.is(401, "AUTH_2FA_INVALID");
    let pair = verify(&ticket, &code).await;
    let token = claims(&Person::from_pair(&pair.ok(200).body).access);
    assert_eq!((&token["amr"], &token["acr"]), (&json!(["pwd", "email"]), &json!("aal1")));
    verify(&ticket, &code).await.is(401, "AUTH_2FA_INVALID");
    from("curl/8.5.0", "/api/v1/auth/login", log_in.clone()).await.ok(200);
    let outcome = "authshield_risk_decisions_total{rule=\"new_device\",action=\"step_up\",outcome=\"mail_code_asked\"} 2";
    assert!(app.app.metrics.encode().contains(outcome), "{}", app.app.metrics.encode());

    // On pages the mail is sent at once, and another one when it is asked for.
    let press = |path: &str, fields: &[(&str, &str)]| {
        let form = form(&app, path, fields).header("sec-fetch-site", "same-origin");
        app.send(form.header(header::USER_AGENT, "Wget/1.24"))
    };
    app.mails().await;
    let page = press("/sign-in", &[("email", ANN), ("password", PASSWORD)]).await;
    let ticket = hidden(page.looks(200, "Have another mail sent"), "ticket");
    let first = code_of(&app.last_mail(ANN).await);
    let shown = [("ticket", ticket.as_str()), ("email_code", &wrong(&first))];
    press("/sign-in/second-factor", &shown).await.looks(401, "This code is not right");
    press("/sign-in/second-factor/mail", &[("ticket", &ticket)]).await.looks(200, "six digits");
    let code = code_of(&app.last_mail(ANN).await);
    let shown = [("ticket", ticket.as_str()), ("email_code", &code)];
    let entered = press("/sign-in/second-factor", &shown).await;
    assert!(entered.ok(303).header("location").contains("/account"));

    // A ticket that waits is worth nothing once there is a second factor.
    let late = from("HTTPie/3.2", "/api/v1/auth/login", log_in).await;
    late.is(403, "AUTH_2FA_REQUIRED");
    let only = json!({ "mfa_token": late.body["mfa_token"] });
    app.mails().await;
    app.post("/api/v1/auth/2fa/email", only.clone()).await.ok(202);
    let code = code_of(&app.last_mail(ANN).await);
    enable(&app, &ann).await;
    let verified = verify(&late.body["mfa_token"], &code).await;
    assert!(matches!(verified.status.as_u16(), 400 | 401), "{verified:?}");
    let sent = app.post("/api/v1/auth/2fa/email", only).await;
    assert!(matches!(sent.status.as_u16(), 400 | 401), "{sent:?}");

    // Where a role came meanwhile that asks for more than a mailbox, the mailbox is shown all the same, and then a
    // factor is added: nobody who knows a password alone adds one where a rule of risk asks for more.
    let bob = app.sign_up("bob@example.org").await;
    let log_in = json!({ "email": bob.email, "password": PASSWORD });
    let asked = from("curl/8.5.0", "/api/v1/auth/login", log_in.clone()).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    let ticket = asked.body["mfa_token"].clone();
    app.mails().await;
    app.post("/api/v1/auth/2fa/email", json!({ "mfa_token": ticket })).await.ok(202);
    let code = code_of(&app.last_mail(&bob.email).await);
    let (id, roles) = (bob.id.parse().unwrap(), vec!["moderator".to_owned()]);
    authshield::roles::set_roles(&app.app, &app.ctx(), None, id, roles).await.unwrap();
    enrolled_behind_the_mailbox(&app, &ticket, &code).await;
    let asked = from("HTTPie/3.2", "/api/v1/auth/login", log_in).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["factors"], json!(["totp", "recovery_code"]));

    // The same where the role was there before; and on pages.
    let carl = app.sign_up("carl@example.org").await;
    let (id, roles) = (carl.id.parse().unwrap(), vec!["moderator".to_owned()]);
    authshield::roles::set_roles(&app.app, &app.ctx(), None, id, roles).await.unwrap();
    app.mails().await;
    let page = press("/sign-in", &[("email", &carl.email), ("password", PASSWORD)]).await;
    let ticket = hidden(page.looks(200, "Have another mail sent"), "ticket");
    press("/sign-in/enrol", &[("ticket", &ticket), ("code", "123456")]).await.ok(400);
    let code = code_of(&app.last_mail(&carl.email).await);
    let shown = [("ticket", ticket.as_str()), ("email_code", &code)];
    press("/sign-in/second-factor", &shown).await.looks(200, "Add a second factor");
}

/// Shows a code that went by mail for a sign-in of who must have a second factor, and adds one.
async fn enrolled_behind_the_mailbox(app: &TestApp, ticket: &serde_json::Value, code: &str) {
    let enrol = |path: &'static str, with: serde_json::Value| {
        let mut body = json!({ "mfa_token": ticket });
        body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        app.post(path, body)
    };
    let refused = enrol("/api/v1/auth/2fa/enrol", json!({})).await;
    refused.is(400, "AUTH_2FA_NOT_ENABLED");
    let due = enrol("/api/v1/auth/2fa/verify", json!({ "email_code": code })).await;
    due.is(403, "AUTH_2FA_ENROLMENT_REQUIRED");
    assert_eq!((&due.body["factors"], &due.body["mfa_token"]), (&json!(["totp"]), ticket));
    let again = enrol("/api/v1/auth/2fa/verify", json!({ "email_code": code })).await;
    again.is(401, "AUTH_2FA_INVALID");
    let secret = enrol("/api/v1/auth/2fa/enrol", json!({})).await;
    let phone = Authenticator::of(&secret.ok(200).body);
    let code = phone.code(app);
    let added = enrol("/api/v1/auth/2fa/enrol/confirm", json!({ "code": code })).await;
    let token = claims(&Person::from_pair(&added.ok(200).body["tokens"]).access);
    assert_eq!((&token["amr"], &token["acr"]), (&json!(["pwd", "otp"]), &json!("aal2")));
}
