//! Signing in by mail: where a code or a link works, for whom, how often, and what nothing leads around.

use std::time::Duration;

use authshield::chores;
use authshield::world::World;
use reqwest::Method;
use serde_json::{Value, json};

use crate::guessing::{PROXY, WRONG, log_in};
use crate::registration::{UNLIMITED, disable, outside};
use crate::second_factor::{enable, verify};
use crate::support::smtp_server::{Received, quoted_printable};
use crate::support::{PASSWORD, Person, Reply, TestApp, claims};

pub(crate) const ON: (&str, &str) = ("magic_link.enabled", "true");
const ASK: &str = "/api/v1/auth/magic-link";
const REDEEM: &str = "/api/v1/auth/magic-link/redeem";
const ANN: &str = "ann@example.org";
const OTHER: &str = "seven herons under glass";

/// The six digits of a mail.
pub(crate) fn code_of(mail: &Received) -> String {
    let text = quoted_printable(&mail.data);
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    text.lines().find(is_code).unwrap_or_else(|| panic!("no code in {text}")).to_owned()
}

/// A sign-in that waits for what came by mail.
struct Asked {
    handle: String,
    code: String,
    token: String,
}

async fn ask(app: &TestApp, email: &str) -> Asked {
    app.mails().await; // so that the next one is the last one
    let reply = app.post(ASK, json!({ "email": email })).await;
    let handle = reply.ok(202).body["handle"].as_str().unwrap().to_owned();
    let mail = app.last_mail(email).await;
    let token = mail.link("/sign-in/link?token=").unwrap().split_once('=').unwrap().1.to_owned();
    Asked { handle, code: code_of(&mail), token }
}

async fn by_code(app: &TestApp, handle: &str, code: &str) -> Reply {
    app.post(REDEEM, json!({ "handle": handle, "code": code })).await
}

async fn by_link(app: &TestApp, handle: &str, token: &str) -> Reply {
    app.post(REDEEM, json!({ "handle": handle, "token": token })).await
}

/// Another code than this.
fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn last_event(app: &TestApp) -> String {
    app.events().await.pop().unwrap()
}

/// Attack: B06, B08, B10, C12
/// ASVS: V6.5.5, V6.6.2, V6.6.3
#[tokio::test]
async fn a_mail_signs_in_once_in_time_and_only_where_it_was_asked_for() {
    let off = TestApp::start().await;
    for (path, body) in
        [(ASK, json!({ "email": ANN })), (REDEEM, json!({ "handle": "", "code": "123456" }))]
    {
        off.post(path, body).await.is(403, "AUTH_SIGN_IN_METHOD_OFF");
    }

    let app = TestApp::with(&[UNLIMITED, ON]).await;
    app.open_account(ANN).await;
    app.open_account("bob@example.org").await;
    let (ann, bob) = (ask(&app, ANN).await, ask(&app, "bob@example.org").await);
    let subject = app.last_mail(ANN).await.header("subject").unwrap();
    assert!(!subject.contains(&ann.code), "what a locked screen shows opens nothing");

    // Whoever reads the mail has nothing, nor has whoever asked for a mail of their own.
    by_code(&app, &bob.handle, &ann.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    by_link(&app, &bob.handle, &ann.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/wrong_link");
    let made_up = ann.handle.replace("asa_", "asl_");
    for handle in ["", "null", &made_up, &ann.handle[..52], &ann.token] {
        by_code(&app, handle, &ann.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
        by_link(&app, handle, &ann.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    }
    for body in [
        json!({ "handle": ann.handle }),
        json!({ "handle": ann.handle, "code": ann.code, "token": ann.token }),
        json!({ "handle": ann.handle, "code": null }),
        json!({ "handle": ann.handle, "code": 123_456 }),
        json!({ "handle": ann.handle, "code": ["123456"] }),
    ] {
        app.post(REDEEM, body).await.is(422, "VALIDATION_FAILED");
    }
    // A link of another kind is none.
    app.post("/api/v1/auth/forgot-password", json!({ "email": ANN })).await.ok(202);
    let reset = app.token_for(ANN).await;
    by_link(&app, &ann.handle, &reset).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    let body = json!({ "token": ann.token, "new_password": OTHER });
    app.post("/api/v1/auth/reset-password", body).await.is(400, "AUTH_INVALID_RESET_TOKEN");

    let spaced = format!("{} {}", &ann.code[..3], &ann.code[3..]);
    let pair = by_code(&app, &ann.handle, &spaced).await;
    let person = Person::from_pair(&pair.ok(200).body);
    let token = claims(&person.access);
    assert_eq!((&token["amr"], &token["acr"]), (&json!(["email"]), &json!("aal1")));
    assert_eq!(app.me(&person).await.ok(200).body["email"], ANN);
    by_code(&app, &ann.handle, &ann.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/used");
    by_link(&app, &ann.handle, &ann.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");

    // The link is as good as the code, and each has its end.
    let ann = ask(&app, ANN).await;
    app.advance(Duration::from_secs(9 * 60 + 50));
    by_link(&app, &ann.handle, &ann.token).await.ok(200);
    let ann = ask(&app, ANN).await;
    app.advance(Duration::from_mins(10));
    by_link(&app, &ann.handle, &ann.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    by_code(&app, &ann.handle, &ann.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/expired");

    // Who asks again is given another handle: the mail before is worth nothing. What a stranger asks is not.
    let first = ask(&app, ANN).await;
    app.mails().await;
    let again = app.post(ASK, json!({ "email": ANN, "handle": first.handle })).await;
    let handle = again.ok(202).body["handle"].as_str().unwrap().to_owned();
    let code = code_of(&app.last_mail(ANN).await);
    ask(&app, ANN).await;
    by_link(&app, &first.handle, &first.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/unknown_handle");
    by_code(&app, &handle, &code).await.ok(200);

    app.advance(Duration::from_hours(1));
    chores::purge(&app.app, app.world.now()).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM mail_sign_ins").await, 0);
}

/// Attack: A08
/// ASVS: V6.3.8
#[tokio::test]
async fn asking_for_a_sign_in_by_mail_tells_nobody_whether_an_address_has_an_account() {
    let settings = [UNLIMITED, ON];
    let app = TestApp::with(&settings).await;
    let closed = app.second_node(&[UNLIMITED, ON, ("registration.enabled", "false")]).await;
    app.register("unverified@example.org", PASSWORD).await.ok(202);
    app.sign_up("verified@example.org").await;
    let disabled = app.sign_up("disabled@example.org").await;
    disable(&app, &disabled).await;
    let hidden = |reply: &Reply| {
        let mut seen = outside(reply);
        assert!(seen.1.as_object_mut().unwrap().remove("handle").is_some());
        seen
    };
    for (node, mailed) in [(&app, [1, 1, 1, 0]), (&closed, [0, 0, 1, 0])] {
        let mut answers = Vec::new();
        for (who, mailed) in ["unknown", "unverified", "verified", "disabled"].iter().zip(mailed) {
            let email = format!("{who}@example.org");
            let before = app.mails_to(&email).await;
            let asked = node.post(ASK, json!({ "email": email })).await;
            asked.ok(202);
            node.mails().await;
            assert_eq!(app.mails_to(&email).await - before, mailed, "{email}");
            let handle = asked.body["handle"].as_str().unwrap().to_owned();
            let mut tries = Vec::new();
            for _ in 0..6 {
                tries.push(outside(&by_code(node, &handle, "000000").await));
            }
            answers.push((hidden(&asked), tries));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    let reasons: Vec<_> = app.events().await;
    for reason in ["MAGIC_LINK_REQUESTED/user_disabled", "MAGIC_LINK_REQUESTED/registration_closed"]
    {
        let reason = reason.replace("user_disabled", "account_disabled");
        assert!(reasons.contains(&reason), "{reason} in {reasons:?}");
    }
}

/// Whoever guesses asks for mails as often as they like, on every node.
///
/// Attack: A03, B17, C02, C12
/// ASVS: V6.6.3
#[tokio::test]
async fn few_codes_are_looked_at_for_a_mail_and_few_for_an_address() {
    let settings = [
        ON,
        ("rate_limit.mail_per_recipient", "1000/1h"),
        ("rate_limit.mail_per_client", "1000/1h"),
        ("rate_limit.login_per_client", "1000/1m"),
        ("rate_limit.password_failures", "65"),
    ];
    let app = TestApp::with(&settings).await;
    let other = app.second_node(&settings).await;
    app.open_account(ANN).await;

    let ann = ask(&app, ANN).await;
    let shown = [&wrong(&ann.code), "", "１２３４５６", "12345", "1234567"];
    for (node, code) in [&app, &other, &app, &other, &app].into_iter().zip(shown) {
        by_code(node, &ann.handle, code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
        assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/wrong_code");
    }
    by_code(&app, &ann.handle, &ann.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/too_many_tries");
    // Nobody guesses the link.
    by_link(&app, &ann.handle, &ann.token).await.ok(200);

    // A right code ends the row of wrong ones, and the waits stay.
    let mut guesses = 5;
    loop {
        let ann = ask(&other, ANN).await;
        let refused = by_code(&app, &ann.handle, &wrong(&ann.code)).await;
        if refused.status == 429 {
            break;
        }
        refused.is(401, "AUTH_MAGIC_LINK_INVALID");
        guesses += 1;
    }
    assert_eq!(guesses, 10);
    assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/paused");
    let ann = ask(&app, ANN).await;
    by_code(&other, &ann.handle, &ann.code).await.is(429, "RATE_LIMIT_EXCEEDED");
    by_link(&other, &ann.handle, &ann.token).await.ok(200);
    app.advance(Duration::from_mins(1));
    let ann = ask(&app, ANN).await;
    by_code(&other, &ann.handle, &ann.code).await.ok(200);

    codes_in_a_session_count_apart(&app).await;

    // After so many in a row only links are taken, until one is.
    let mut judged = 0;
    let ann = loop {
        let ann = ask(&app, ANN).await;
        let refused = by_code(&app, &ann.handle, &wrong(&ann.code)).await;
        if refused.status == 429 {
            app.advance(Duration::from_secs(refused.header("retry-after").parse().unwrap()));
            continue;
        }
        refused.is(401, "AUTH_MAGIC_LINK_INVALID");
        if last_event(&app).await.ends_with("/codes_locked") {
            break ann;
        }
        judged += 1;
    };
    assert_eq!(judged, 65);
    by_code(&app, &ann.handle, &ann.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    by_link(&app, &ann.handle, &ann.token).await.ok(200);
    app.advance(Duration::from_hours(25));
    let ann = ask(&app, ANN).await;
    by_code(&app, &ann.handle, &ann.code).await.ok(200);
    assert!(app.app.limits.enabled());

    // Nobody's mailbox is filled: this is one more mail that anybody can cause.
    let usual = TestApp::with(&[ON]).await;
    for _ in 0..5 {
        usual.post(ASK, json!({ "email": ANN })).await.ok(202);
    }
    usual.post(ASK, json!({ "email": ANN })).await.is(429, "RATE_LIMIT_EXCEEDED");
    usual.post("/api/v1/auth/forgot-password", json!({ "email": ANN })).await.ok(429);
    // What strangers have used up is not missing to who is signed in.
    let asked = ask(&usual, "eve@example.org").await;
    let eve = by_code(&usual, &asked.handle, &asked.code).await;
    let eve = Person::from_pair(&eve.ok(200).body);
    while usual.post(ASK, json!({ "email": eve.email })).await.status == 202 {}
    crate::mail_proof::ask(&usual, &eve).await;
}

/// What strangers guess keeps nobody waiting who is signed in; what is guessed in sessions is counted for the account.
async fn codes_in_a_session_count_apart(app: &TestApp) {
    let asked = ask(app, "eve@example.org").await;
    let eve = by_code(app, &asked.handle, &asked.code).await;
    let eve = Person::from_pair(&eve.ok(200).body);
    for _ in 0..2 {
        let asked = ask(app, &eve.email).await;
        for _ in 0..5 {
            by_code(app, &asked.handle, &wrong(&asked.code)).await.ok(401);
        }
    }
    let asked = ask(app, &eve.email).await;
    by_code(app, &asked.handle, &asked.code).await.is(429, "RATE_LIMIT_EXCEEDED");

    crate::mail_proof::show(app, &eve, &crate::mail_proof::ask(app, &eve).await).await.ok(204);
    for _ in 0..2 {
        let code = crate::mail_proof::ask(app, &eve).await;
        for _ in 0..5 {
            let guess = crate::mail_proof::show(app, &eve, &wrong(&code)).await;
            guess.is(401, "AUTH_2FA_INVALID");
        }
    }
    let there = by_link(app, &asked.handle, &asked.token).await;
    let there = Person::from_pair(&there.ok(200).body);
    for session in [&eve, &there] {
        let code = crate::mail_proof::ask(app, session).await;
        crate::mail_proof::show(app, session, &code).await.ok(429);
    }
}

/// Attack: B09
#[tokio::test]
async fn of_two_that_show_the_same_at_once_one_gets_in() {
    let app = TestApp::with(&[UNLIMITED, ON]).await;
    let other = app.second_node(&[UNLIMITED, ON]).await;
    app.open_account(ANN).await;
    for round in 0..8 {
        // Also where nobody has the address yet: then there is no account to hold.
        let email = if round % 2 == 0 { ANN.to_owned() } else { format!("new{round}@example.org") };
        let asked = ask(&app, &email).await;
        let both = [&app, &other, &app, &other];
        let shown = both.iter().enumerate().map(|(at, node)| {
            let Asked { handle, code, token } = &asked;
            async move {
                match (round + at) % 3 {
                    0 => by_link(node, handle, token).await,
                    _ => by_code(node, handle, code).await,
                }
            }
        });
        let replies = futures_util::future::join_all(shown).await;
        let entered = replies.iter().filter(|reply| reply.status == 200).count();
        let refused = replies.iter().filter(|reply| reply.status == 401).count();
        assert_eq!((entered, refused), (1, 3), "{round}: {replies:?}");
    }
}

/// Attack: C05
/// ASVS: V6.3.3
#[tokio::test]
async fn a_sign_in_by_mail_leads_around_no_second_factor() {
    let app = TestApp::with(&[UNLIMITED, ON, ("second_factor.required_for", "admin")]).await;
    let ann = app.sign_up(ANN).await;
    let (phone, _) = enable(&app, &ann).await;
    let asked = ask(&app, ANN).await;
    let due = by_code(&app, &asked.handle, &asked.code).await;
    due.is(403, "AUTH_2FA_REQUIRED");
    by_link(&app, &asked.handle, &asked.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    let ticket = due.body["mfa_token"].as_str().unwrap();
    verify(&app, ticket, &phone.wrong(&app)).await.is(401, "AUTH_2FA_INVALID");
    let pair = verify(&app, ticket, &phone.code(&app)).await;
    let token = claims(&Person::from_pair(&pair.ok(200).body).access);
    // A mailbox is no factor (NIST SP 800-63B-4, 3.1.3), so this is one, and it does not call itself two.
    assert_eq!((&token["amr"], &token["acr"]), (&json!(["email", "otp"]), &json!("aal1")));

    app.sign_up_admin("root@example.org").await;
    let asked = ask(&app, "root@example.org").await;
    let due = by_link(&app, &asked.handle, &asked.token).await;
    due.is(403, "AUTH_2FA_ENROLMENT_REQUIRED");

    // A role that asks for it ends what a trusted device was spared, and nothing else; and no device spares it then.
    let pair = crate::trusted_devices::trusting(&app, (ANN, PASSWORD), &phone).await;
    let with = Person::from_pair(&pair.ok(200).body);
    let trusted = json!({
        "email": ANN, "password": PASSWORD, "trust_token": pair.body["trust_token"],
    });
    let without = app.post("/api/v1/auth/login", trusted.clone()).await;
    let without = Person::from_pair(&without.ok(200).body);
    let (id, roles) = (with.id.parse().unwrap(), vec!["admin".to_owned(), "user".to_owned()]);
    authshield::roles::set_roles(&app.app, &app.ctx(), None, id, roles).await.unwrap();
    let events = app.events().await;
    for event in ["TRUSTED_DEVICE_REMOVED", "SESSION_REVOKED"] {
        let told = format!("{event}/second_factor_missing");
        assert!(events.contains(&told), "{told}: {events:?}");
    }
    app.me(&without).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&without.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.get_as(&with, "/api/v1/admin/users").await.ok(200);
    app.refresh(&with.refresh).await.ok(200);
    let asked = app.post("/api/v1/auth/login", trusted).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["trust_expires_in"], json!(null));
}

/// The variants of account pre-hijacking (Sudhodanan and Paverd, 2022), and who arrives by mail.
///
/// Attack: B01, B02, B18
/// ASVS: V6.3.8
#[tokio::test]
async fn whoever_arrives_by_mail_finds_nothing_of_who_was_there_before() {
    let app = TestApp::with(&[UNLIMITED, ON]).await;
    // A thief began an account with the address.
    app.register(ANN, OTHER).await.ok(202);
    let before = app.count("SELECT COUNT(*) FROM users").await;
    let link = app.token_for(ANN).await;
    let asked = ask(&app, ANN).await;
    let mail = app.last_mail(ANN).await;
    assert!(
        quoted_printable(&mail.data).contains("Hello,"),
        "nothing that a thief said is repeated"
    );
    let ann = by_code(&app, &asked.handle, &asked.code).await;
    let ann = Person::from_pair(&ann.ok(200).body);
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, before);
    app.log_in(ANN, OTHER).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.verify(&link).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    let me = app.me(&ann).await;
    assert_eq!(
        (&me.ok(200).body["is_verified"], &me.body["roles"]),
        (&json!(true), &json!(["user"]))
    );
    let events = app.events().await;
    for event in ["USER_DELETED/address_proved_by_another", "REGISTER_SUCCEEDED/magic_link"] {
        assert!(events.iter().any(|one| one == event), "{event} in {events:?}");
    }

    // Somebody new speaks their own language, and comes back to the same account.
    app.mails().await;
    let body = json!({ "email": "neu@example.org", "locale": "de" });
    let reply = app.post(ASK, body).await;
    let handle = reply.ok(202).body["handle"].as_str().unwrap().to_owned();
    let mail = app.last_mail("neu@example.org").await;
    assert_eq!(mail.header("content-language").as_deref(), Some("de"));
    let first = by_code(&app, &handle, &code_of(&mail)).await;
    assert_eq!(first.ok(200).body["user"]["locale"], "de");
    let asked = ask(&app, "neu@example.org").await;
    let again = by_link(&app, &asked.handle, &asked.token).await;
    assert_eq!(again.ok(200).body["user"]["id"], first.body["user"]["id"]);

    // An address that was given up opens no account of who had it.
    let bob = app.sign_up("bob@example.org").await;
    let asked = ask(&app, "bob@example.org").await;
    let body = json!({ "new_email": "robert@example.org", "password": PASSWORD });
    app.post_as(&bob, "/api/v1/users/me/email", body).await.ok(202);
    let token = app.token_for("robert@example.org").await;
    app.verify(&token).await.ok(200);
    by_code(&app, &asked.handle, &asked.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    assert_eq!(last_event(&app).await, "MAGIC_LINK_REFUSED/account_changed");
}

/// Attack: B10, B13, D07
#[tokio::test]
async fn what_ends_everything_ends_sign_ins_by_mail_and_an_owner_gets_back_in_by_one() {
    let app = TestApp::with(&[UNLIMITED, ON]).await;
    let ann = app.sign_up(ANN).await;
    let root = app.sign_up_admin("root@example.org").await;
    let status = format!("/api/v1/admin/users/{}/status", ann.id);
    let set = async |is_active: bool| {
        app.patch_as(&root, &status, json!({ "is_active": is_active })).await.ok(200);
    };

    let asked = ask(&app, ANN).await;
    app.post_as(&ann, "/api/v1/auth/logout-all", json!({})).await.ok(204);
    by_link(&app, &asked.handle, &asked.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");

    let asked = ask(&app, ANN).await;
    let ann = app.sign_in(ANN).await;
    let body = json!({ "current_password": PASSWORD, "new_password": OTHER });
    app.post_as(&ann, "/api/v1/auth/change-password", body).await.ok(204);
    by_code(&app, &asked.handle, &asked.code).await.is(401, "AUTH_MAGIC_LINK_INVALID");

    let asked = ask(&app, ANN).await;
    set(false).await;
    by_code(&app, &asked.handle, &asked.code).await.is(403, "AUTH_ACCOUNT_DISABLED");
    let asked = app.post(ASK, json!({ "email": ANN })).await.ok(202).body["handle"].clone();
    set(true).await;
    let asked = app.post(REDEEM, json!({ "handle": asked, "code": "000000" })).await;
    asked.is(401, "AUTH_MAGIC_LINK_INVALID");

    // The panic button ends what was asked for before; the owner gets in by what is asked for then.
    let asked = ask(&app, ANN).await;
    let body = json!({ "email": ANN, "password": OTHER });
    let ann = Person::from_pair(&app.post("/api/v1/auth/login", body).await.ok(200).body);
    app.post_as(&ann, "/api/v1/users/me/lock", json!({})).await.ok(204);
    by_link(&app, &asked.handle, &asked.token).await.is(401, "AUTH_MAGIC_LINK_INVALID");
    app.log_in(ANN, OTHER).await.is(401, "AUTH_INVALID_CREDENTIALS");
    let asked = ask(&app, ANN).await;
    by_code(&app, &asked.handle, &asked.code).await.ok(200);
}

/// What strangers guess locks nobody out who reads the account's mail.
///
/// Attack: A05
#[tokio::test]
async fn a_sign_in_by_mail_ends_the_waits_that_wrong_passwords_led_to() {
    let app = TestApp::with(&[ON, PROXY]).await;
    app.open_account(ANN).await;
    let (thief, hotel) = ("198.51.100.9", "203.0.113.5");
    for _ in 0..10 {
        log_in(&app, thief, ANN, WRONG).await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
    log_in(&app, hotel, ANN, PASSWORD).await.is(429, "RATE_LIMIT_EXCEEDED");
    let asked = ask(&app, ANN).await;
    let body: Value = json!({ "handle": asked.handle, "code": asked.code });
    let request = app.request(Method::POST, REDEEM).header("x-forwarded-for", hotel).json(&body);
    app.send(request).await.ok(200);
    log_in(&app, hotel, ANN, PASSWORD).await.ok(200);
}
