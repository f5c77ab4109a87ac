//! Passkeys: a software authenticator signs in, and lies in every way that the standard names.

use std::time::Duration;

use authshield::world::World;
use authshield::{chores, roles};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::registration::{UNLIMITED, disable};
use crate::support::passkey::{DEVICE, SYNCED, SoftPasskey};
use crate::support::{PASSWORD, Person, Reply, TestApp, claims};

const PASSKEYS: &str = "/api/v1/auth/passkeys";
const REGISTRATION: &str = "/api/v1/auth/passkeys/registration";
const CHALLENGE: &str = "/api/v1/auth/passkeys/challenge";
const SIGN_IN: &str = "/api/v1/auth/passkeys/sign-in";
const STEP_UP: &str = "/api/v1/auth/step-up";
const AGAIN: &str = "/api/v1/auth/step-up/passkey";

/// A reason, and what is refused for it.
type Lie = (&'static str, fn(&mut SoftPasskey));

async fn begin(app: &TestApp, person: &Person) -> Value {
    app.post_as(person, REGISTRATION, json!({})).await.ok(200).body.clone()
}

async fn bring(app: &TestApp, person: &Person, credential: Value) -> Reply {
    app.post_as(person, PASSKEYS, json!({ "name": "Phone", "credential": credential })).await
}

/// Adds a passkey to the account of `person`.
pub(crate) async fn add(app: &TestApp, person: &Person) -> SoftPasskey {
    add_this(app, person, SoftPasskey::new(&app.base)).await
}

pub(crate) async fn add_this(
    app: &TestApp,
    person: &Person,
    mut passkey: SoftPasskey,
) -> SoftPasskey {
    let options = begin(app, person).await;
    bring(app, person, passkey.create(&options)).await.ok(201);
    passkey
}

pub(crate) async fn challenge(app: &TestApp) -> Value {
    app.post(CHALLENGE, json!({})).await.ok(200).body.clone()
}

pub(crate) async fn show(app: &TestApp, credential: Value) -> Reply {
    app.post(SIGN_IN, json!({ "credential": credential })).await
}

/// Returns a signature of another passkey.
async fn pair_of(passkey: &SoftPasskey, app: &TestApp) -> Value {
    passkey.get(&challenge(app).await)["response"]["signature"].clone()
}

/// Attack: H08, H09
/// ASVS: V6.3.3, V6.5.6
#[tokio::test]
async fn a_passkey_is_added_signs_in_is_renamed_and_removed() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let options = begin(&app, &ann).await;
    assert_eq!(options["rp"]["id"], "127.0.0.1");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert!(!options["user"]["id"].as_str().unwrap().contains("ann"));
    let mut phone = SoftPasskey::new(&app.base);
    let added = bring(&app, &ann, phone.create(&options)).await;
    assert_eq!(added.ok(201).body["is_synced"], true);
    let id = added.body["id"].as_str().unwrap().to_owned();
    assert!(app.last_mail("ann@example.org").await.data.contains("passkey was added"));
    let again = begin(&app, &ann).await;
    assert_eq!(again["excludeCredentials"].as_array().unwrap().len(), 1);

    // Nobody says who they are; the options are the same for everybody.
    let asked = challenge(&app).await;
    assert!(asked.get("allowCredentials").is_none(), "{asked}");
    let pair = show(&app, phone.get(&asked)).await;
    let by_passkey = Person::from_pair(&pair.ok(200).body);
    assert_eq!(by_passkey.id, ann.id);
    let told = claims(&by_passkey.access);
    assert_eq!((&told["amr"], &told["acr"]), (&json!(["swk", "user", "mfa"]), &json!("aal2")));
    show(&app, phone.get(&asked)).await.is(401, "AUTH_PASSKEY_INVALID");
    let key = app.app.metrics.encode();
    let line = "authshield_logins_total{method=\"passkey\",outcome=\"succeeded\"} 1";
    assert!(key.contains(line), "{key}");

    // Whichever kind of key: one that stays on its device says so. The pages that may use them are told.
    let origins = app.get("/.well-known/webauthn").await.ok(200).body.clone();
    assert_eq!(origins, json!({ "origins": [app.base] }));
    for mut passkey in [SoftPasskey::eddsa(&app.base), SoftPasskey::rs256(&app.base)] {
        passkey.flags = DEVICE;
        let passkey = add_this(&app, &ann, passkey).await;
        let pair = show(&app, passkey.get(&challenge(&app).await)).await;
        let told = claims(&Person::from_pair(&pair.ok(200).body).access);
        assert_eq!(told["amr"], json!(["hwk", "user", "mfa"]));
        let mut other = passkey.get(&challenge(&app).await);
        other["response"]["signature"] = pair_of(&phone, &app).await;
        show(&app, other).await.is(401, "AUTH_PASSKEY_INVALID");
    }

    let bob = app.sign_up("bob@example.org").await;
    let path = format!("{PASSKEYS}/{id}");
    app.patch_as(&bob, &path, json!({ "name": "mine" })).await.is(404, "PASSKEY_NOT_FOUND");
    app.delete_as(&bob, &path).await.is(404, "PASSKEY_NOT_FOUND");
    assert_eq!(app.get_as(&bob, PASSKEYS).await.ok(200).body["items"], json!([]));
    let named = app.patch_as(&ann, &path, json!({ "name": "Blue phone" })).await;
    assert_eq!(named.ok(200).body["name"], "Blue phone");
    let list = app.get_as(&ann, PASSKEYS).await.ok(200).body.clone();
    // The newest first.
    assert_eq!(list["items"][2]["name"], "Blue phone");
    assert!(list["items"][2]["last_used_at"].is_string());

    app.delete_as(&ann, &path).await.ok(204);
    assert!(app.mails().await.iter().any(|mail| mail.data.contains("passkey was removed")));
    show(&app, phone.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");
    let events = app.events().await;
    for event in ["PASSKEY_ADDED", "PASSKEY_REMOVED", "PASSKEY_REFUSED/unknown_credential"] {
        assert!(events.iter().any(|seen| seen == event), "{event} is not in {events:?}");
    }
}

/// Attack: H01, H02, H03, H04, H07, H10
/// ASVS: V6.7.2
#[tokio::test]
async fn h01_to_h07_what_an_authenticator_must_not_do_adds_nothing() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let phone = add(&app, &ann).await;
    let deep = [b"\xa1\x61x".as_slice(), &vec![0x81; 30_000], b"\x01"].concat();
    let mut bomb = SoftPasskey::new(&app.base);
    bomb.statement = deep;
    let options = begin(&app, &ann).await;
    bring(&app, &ann, bomb.create(&options)).await.is(401, "AUTH_PASSKEY_INVALID");
    assert_eq!(app.events().await.pop().unwrap(), "PASSKEY_REFUSED/attestation_malformed");
    let lies: [Lie; 13] = [
        ("wrong_origin", |passkey| passkey.origin.push_str(".evil.example")),
        ("wrong_origin", |passkey| passkey.origin.insert(7, 'x')),
        ("framed_by_another_origin", |passkey| passkey.cross_origin = true),
        ("wrong_relying_party", |passkey| passkey.rp_id.push('x')),
        ("nobody_was_present", |passkey| passkey.flags &= !1),
        ("nobody_was_verified", |passkey| passkey.flags &= !(1 << 2)),
        ("backup_flags_contradict", |passkey| passkey.flags &= !(1 << 3)),
        ("wrong_ceremony", |passkey| passkey.ceremony = Some("webauthn.get")),
        ("key_not_offered", |passkey| passkey.algorithm = -35),
        ("key_not_offered", |passkey| passkey.algorithm = -257),
        ("key_not_offered", |passkey| passkey.is_off_curve = true),
        ("authenticator_data_malformed", |passkey| passkey.trailing = vec![0]),
        ("credential_id_length", |passkey| passkey.id = vec![7; 1024]),
    ];
    for (reason, lie) in lies {
        let mut passkey = SoftPasskey::new(&app.base);
        lie(&mut passkey);
        let options = begin(&app, &ann).await;
        bring(&app, &ann, passkey.create(&options)).await.is(401, "AUTH_PASSKEY_INVALID");
        let last = app.events().await.pop().unwrap();
        assert_eq!(last, format!("PASSKEY_REFUSED/{reason}"));
    }
    // A challenge is for one account, one ceremony, once, and for minutes.
    let mut fresh = SoftPasskey::new(&app.base);
    let of_ann = begin(&app, &ann).await;
    let for_sign_in = challenge(&app).await;
    for options in [&of_ann, &for_sign_in] {
        assert_eq!(options["challenge"].as_str().unwrap().len(), 43, "32 bytes");
    }
    assert_ne!(of_ann["challenge"], for_sign_in["challenge"]);
    for options in [&of_ann, &for_sign_in, &json!({ "challenge": "AAAA" })] {
        bring(&app, &bob, fresh.create(options)).await.is(401, "AUTH_PASSKEY_INVALID");
    }
    show(&app, phone.get(&of_ann)).await.is(401, "AUTH_PASSKEY_INVALID");
    app.advance(Duration::from_mins(5));
    bring(&app, &ann, fresh.create(&of_ann)).await.is(401, "AUTH_PASSKEY_INVALID");
    // A credential belongs to one account.
    let mut stolen = SoftPasskey::new(&app.base);
    stolen.id.clone_from(&phone.id);
    let options = begin(&app, &bob).await;
    bring(&app, &bob, stolen.create(&options)).await.is(401, "AUTH_PASSKEY_INVALID");
    for body in [
        json!({ "name": "x" }),
        json!({ "name": "x", "credential": { "response": {} } }),
        json!({ "name": "", "credential": fresh.create(&options) }),
        json!({ "name": "x", "credential": fresh.create(&options), "user_id": ann.id }),
    ] {
        app.post_as(&bob, PASSKEYS, body).await.is(422, "VALIDATION_FAILED");
    }
    let huge = json!({ "name": "x", "credential": { "response": {
        "clientDataJSON": "A".repeat(100_000), "attestationObject": "" } } });
    app.post_as(&bob, PASSKEYS, huge).await.is(413, "REQUEST_BODY_TOO_LARGE");
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys").await, 1);

    // An old session adds none, and removes none.
    app.advance(Duration::from_mins(7));
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(5));
    app.post_as(&ann, REGISTRATION, json!({})).await.is(403, "AUTH_STEP_UP_REQUIRED");
    let list = app.get_as(&ann, PASSKEYS).await.ok(200).body.clone();
    let path = format!("{PASSKEYS}/{}", list["items"][0]["id"].as_str().unwrap());
    app.delete_as(&ann, &path).await.is(403, "AUTH_STEP_UP_REQUIRED");
    chores::purge(&app.app, app.world.now()).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM passkey_challenges").await, 0);
}

/// ASVS: V2.3.2
#[tokio::test]
async fn of_many_passkeys_that_are_added_at_once_no_more_than_twenty_are() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let mut made = Vec::new();
    for _ in 0..24 {
        let options = begin(&app, &ann).await;
        made.push(SoftPasskey::new(&app.base).create(&options));
    }
    let replies = join_all(made.into_iter().map(|credential| bring(&app, &ann, credential))).await;
    let (added, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!((added.len(), refused.len()), (20, 4), "{replies:?}");
    for reply in refused {
        reply.is(409, "AUTH_TOO_MANY_PASSKEYS");
    }
    app.post_as(&ann, REGISTRATION, json!({})).await.is(409, "AUTH_TOO_MANY_PASSKEYS");
    assert_eq!(app.count("SELECT COUNT(*) FROM passkeys").await, 20);
}

/// Attack: H01, H02, H03, H05, H06, H10
/// ASVS: V6.6.2, V6.7.2, V16.3.3
#[tokio::test(flavor = "multi_thread")]
async fn h01_to_h10_what_an_authenticator_must_not_do_signs_nobody_in() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let other = app.second_node(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let mut phone = add(&app, &ann).await;
    let of_bob = add(&app, &bob).await;
    let honest = phone.user_handle.clone();
    let lies: [Lie; 10] = [
        ("wrong_origin", |passkey| passkey.origin.push('0')),
        ("framed_by_another_origin", |passkey| passkey.cross_origin = true),
        ("wrong_relying_party", |passkey| passkey.rp_id.push('x')),
        ("nobody_was_present", |passkey| passkey.flags &= !1),
        ("nobody_was_verified", |passkey| passkey.flags &= !(1 << 2)),
        ("backup_eligibility_changed", |passkey| passkey.flags = DEVICE),
        ("wrong_ceremony", |passkey| passkey.ceremony = Some("webauthn.create")),
        ("authenticator_data_malformed", |passkey| passkey.trailing = vec![0xa0]),
        ("wrong_user_handle", |passkey| passkey.user_handle = Some(String::new())),
        ("wrong_user_handle", |passkey| passkey.user_handle = None),
    ];
    let (origin, rp_id) = (phone.origin.clone(), phone.rp_id.clone());
    for (reason, lie) in lies {
        lie(&mut phone);
        let asked = challenge(&app).await;
        show(&app, phone.get(&asked)).await.is(401, "AUTH_PASSKEY_INVALID");
        assert_eq!(app.events().await.pop().unwrap(), format!("PASSKEY_REFUSED/{reason}"));
        (phone.origin, phone.rp_id) = (origin.clone(), rp_id.clone());
        (phone.flags, phone.cross_origin, phone.ceremony) = (SYNCED, false, None);
        (phone.trailing, phone.user_handle) = (Vec::new(), honest.clone());
    }
    // With the handle, or the id, of another; with another's signature.
    phone.user_handle.clone_from(&of_bob.user_handle);
    show(&app, phone.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");
    phone.user_handle.clone_from(&honest);
    let asked = challenge(&app).await;
    let mut mixed = phone.get(&asked);
    mixed["response"]["signature"] = of_bob.get(&asked)["response"]["signature"].clone();
    show(&app, mixed).await.is(401, "AUTH_PASSKEY_INVALID");
    // The challenge was spent by that.
    show(&app, phone.get(&asked)).await.is(401, "AUTH_PASSKEY_INVALID");
    let late = challenge(&app).await;
    app.advance(Duration::from_mins(5));
    show(&app, phone.get(&late)).await.is(401, "AUTH_PASSKEY_INVALID");

    // One challenge, many at once, two nodes: one session.
    let asked = challenge(&app).await;
    let nodes = [&app, &other];
    let tries = (0..8).map(|n| show(nodes[n % 2], phone.get(&asked)));
    let replies = join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status.is_success()).count(), 1, "{replies:?}");

    // A counter goes on; a copy that stands still is found out.
    phone.sign_count = 5;
    show(&app, phone.get(&challenge(&app).await)).await.ok(200);
    for back in [5, 4, 0] {
        phone.sign_count = back;
        show(&app, phone.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");
        assert_eq!(app.events().await.pop().unwrap(), "PASSKEY_REFUSED/counter_went_back");
    }
    phone.sign_count = 6;
    show(&app, phone.get(&challenge(&app).await)).await.ok(200);
    phone.sign_count = 7;
    disable(&app, &ann).await;
    let asked = challenge(&app).await;
    show(&app, phone.get(&asked)).await.is(403, "AUTH_ACCOUNT_DISABLED");
    app.log_in("bob@example.org", PASSWORD).await.ok(200);
}

/// Asks for a challenge with a ticket.
async fn second(app: &TestApp, ticket: &str) -> Reply {
    app.post("/api/v1/auth/2fa/passkey", json!({ "mfa_token": ticket })).await
}

async fn verify(app: &TestApp, ticket: &str, credential: &Value) -> Reply {
    let body = json!({ "mfa_token": ticket, "credential": credential });
    app.post("/api/v1/auth/2fa/verify", body).await
}

async fn again(app: &TestApp, person: &Person) -> Value {
    app.post_as(person, AGAIN, json!({})).await.ok(200).body.clone()
}

async fn step_up(app: &TestApp, person: &Person, credential: Value) -> Reply {
    app.post_as(person, STEP_UP, json!({ "credential": credential })).await
}

/// Attack: C04, C05, C10, H01, H04, H06
/// ASVS: V6.3.3, V7.5.1
#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_shown_in_the_place_of_a_code_once_and_for_what_it_was_asked() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let other = app.second_node(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    // Without one there is no challenge; with one alone the password is enough, unless the policy says otherwise.
    app.post_as(&ann, AGAIN, json!({})).await.is(400, "AUTH_2FA_NOT_ENABLED");
    let (phone, of_bob) = (add(&app, &ann).await, add(&app, &bob).await);
    app.sign_in("ann@example.org").await;
    let (codes, _) = crate::second_factor::enable(&app, &ann).await;
    // A passkey is two factors by itself: no code is asked for.
    show(&app, phone.get(&challenge(&app).await)).await.ok(200);

    let asked = app.log_in("ann@example.org", PASSWORD).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["factors"], json!(["totp", "passkey", "recovery_code"]));
    let ticket = asked.body["mfa_token"].as_str().unwrap();
    let options = second(&app, ticket).await.ok(200).body.clone();
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1);
    let right = phone.get(&options);
    // Neither of another ticket, nor of a sign-in, nor of a step-up, nor of another account; nor the other way.
    let waits = crate::second_factor::ticket(&app, "ann@example.org", PASSWORD).await;
    let refused: [(&str, Value); 4] = [
        ("unknown_challenge", phone.get(&second(&app, &waits).await.ok(200).body)),
        ("unknown_challenge", phone.get(&challenge(&app).await)),
        ("unknown_challenge", phone.get(&again(&app, &ann).await)),
        ("credential_of_another", of_bob.get(&second(&app, ticket).await.ok(200).body)),
    ];
    for (reason, credential) in refused {
        verify(&app, ticket, &credential).await.is(401, "AUTH_2FA_INVALID");
        let last = app.events().await.pop().unwrap();
        assert_eq!(last, format!("SECOND_FACTOR_REFUSED/{reason}"));
    }
    show(&app, right.clone()).await.is(401, "AUTH_PASSKEY_INVALID");
    step_up(&app, &ann, right.clone()).await.is(401, "AUTH_2FA_INVALID");
    let both = json!({ "mfa_token": ticket, "credential": right, "code": codes.code(&app) });
    app.post("/api/v1/auth/2fa/verify", both).await.is(422, "VALIDATION_FAILED");
    let neither = json!({ "mfa_token": ticket });
    app.post("/api/v1/auth/2fa/verify", neither).await.is(422, "VALIDATION_FAILED");
    // The fifth try is the last one, and right; a ticket without tries gets no challenge.
    let pair = verify(&app, ticket, &right).await;
    let by_both = Person::from_pair(&pair.ok(200).body);
    let told = claims(&by_both.access);
    let amr = json!(["pwd", "swk", "user", "mfa"]);
    assert_eq!((&told["amr"], &told["acr"]), (&amr, &json!("aal2")));
    second(&app, ticket).await.is(401, "AUTH_2FA_INVALID");
    second(&app, "nonsense").await.is(401, "AUTH_2FA_INVALID");
    let metrics = app.app.metrics.encode();
    let line = "authshield_second_factor_total{outcome=\"accepted\"} 1";
    assert!(metrics.contains(line), "{metrics}");

    // One challenge, many at once, two tickets, two nodes: one session.
    let ticket = crate::second_factor::ticket(&app, "ann@example.org", PASSWORD).await;
    let right = phone.get(&second(&app, &ticket).await.ok(200).body);
    let nodes = [&app, &other];
    let replies = join_all((0..4).map(|n| verify(nodes[n % 2], &ticket, &right))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status.is_success()).count(), 1, "{replies:?}");

    // What is old is proved again with it, in the same session.
    app.advance(Duration::from_mins(14));
    let ann = Person::from_pair(&app.refresh(&by_both.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    let refused = app.post_as(&ann, REGISTRATION, json!({})).await;
    refused.is(403, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(refused.body["factors"], json!(["totp", "recovery_code", "passkey"]));
    let laptop = show(&app, phone.get(&challenge(&app).await)).await;
    let laptop = Person::from_pair(&laptop.ok(200).body);
    let elsewhere = phone.get(&again(&app, &laptop).await);
    step_up(&app, &ann, elsewhere).await.is(401, "AUTH_2FA_INVALID");
    let right = phone.get(&again(&app, &ann).await);
    step_up(&app, &ann, right.clone()).await.ok(204);
    step_up(&app, &ann, right).await.is(401, "AUTH_2FA_INVALID");
    begin(&app, &ann).await;
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    assert_eq!(claims(&ann.access)["amr"], json!(["swk", "user", "mfa"]));
}

/// Attack: C05, C06, H09
/// ASVS: V6.3.3, V6.3.4, V6.5.6
#[tokio::test]
async fn where_a_second_factor_is_demanded_a_passkey_is_one_and_the_password_leads_not_around_it() {
    let app = TestApp::with(&[UNLIMITED, ("second_factor.required_for", "moderator")]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let phone = add(&app, &bob).await;
    let roles = format!("/api/v1/admin/users/{}/roles", bob.id);
    app.patch_as(&root, &roles, json!({ "roles": ["user", "moderator"] })).await.ok(200);
    // What was opened with the password alone ends.
    app.me(&bob).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&bob.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    let asked = app.log_in("bob@example.org", PASSWORD).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    assert_eq!(asked.body["factors"], json!(["passkey"]));
    let ticket = asked.body["mfa_token"].as_str().unwrap();
    // Who knows the password only adds no other factor, and has no code to guess.
    let body = json!({ "mfa_token": ticket });
    app.post("/api/v1/auth/2fa/enrol", body).await.is(400, "AUTH_2FA_ALREADY_ENABLED");
    let body = json!({ "mfa_token": ticket, "code": "123456" });
    app.post("/api/v1/auth/2fa/enrol/confirm", body).await.is(400, "AUTH_2FA_ALREADY_ENABLED");
    crate::second_factor::verify(&app, ticket, "123456").await.is(400, "AUTH_2FA_NOT_ENABLED");
    let options = second(&app, ticket).await.ok(200).body.clone();
    let pair = verify(&app, ticket, &phone.get(&options)).await;
    let bob = Person::from_pair(&pair.ok(200).body);
    app.me(&bob).await.ok(200);
    let pair = show(&app, phone.get(&challenge(&app).await)).await;
    app.me(&Person::from_pair(&pair.ok(200).body)).await.ok(200);

    // Nor is the password alone a proof later.
    app.advance(Duration::from_mins(14));
    let bob = Person::from_pair(&app.refresh(&bob.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    let change =
        json!({ "current_password": PASSWORD, "new_password": "seven herons under glass" });
    let refused = app.post_as(&bob, "/api/v1/auth/change-password", change).await;
    refused.is(403, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(refused.body["factors"], json!(["passkey"]));
    let alone = json!({ "password": PASSWORD });
    app.post_as(&bob, STEP_UP, alone).await.is(401, "AUTH_2FA_INVALID");
    step_up(&app, &bob, phone.get(&again(&app, &bob).await)).await.ok(204);
    // Removed is removed: the password then leads to a new factor, and to nothing else.
    let list = app.get_as(&bob, PASSKEYS).await.ok(200).body.clone();
    let path = format!("{PASSKEYS}/{}", list["items"][0]["id"].as_str().unwrap());
    app.delete_as(&bob, &path).await.ok(204);
    show(&app, phone.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");
    app.log_in("bob@example.org", PASSWORD).await.is(403, "AUTH_2FA_ENROLMENT_REQUIRED");
}

/// ASVS: V6.5.6
#[tokio::test]
async fn an_account_is_deleted_with_its_factors_and_all_that_waits_for_them() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let (phone, of_bob) = (add(&app, &ann).await, add(&app, &bob).await);
    let (totp, codes) = crate::second_factor::enable(&app, &ann).await;
    let ticket = crate::second_factor::ticket(&app, "ann@example.org", PASSWORD).await;
    let waits = phone.get(&second(&app, &ticket).await.ok(200).body);
    let told = app.post_as(&ann, "/api/v1/users/me/export", json!({})).await;
    let told = told.ok(200).body["passkeys"].clone();
    assert_eq!((&told[0]["name"], told[0].as_object().unwrap().len()), (&json!("Phone"), 5));
    roles::delete_user(&app.app, &app.ctx(), ann.id.parse().unwrap()).await.unwrap();
    for rows in [
        "SELECT COUNT(*) FROM totp_secrets",
        "SELECT COUNT(*) FROM recovery_codes",
        "SELECT COUNT(*) FROM pending_sign_ins",
        "SELECT COUNT(*) - 1 FROM passkeys",
    ] {
        assert_eq!(app.count(rows).await, 0, "{rows}");
    }
    verify(&app, &ticket, &waits).await.is(401, "AUTH_2FA_INVALID");
    for code in [&totp.code(&app), &codes[0]] {
        crate::second_factor::verify(&app, &ticket, code).await.is(401, "AUTH_2FA_INVALID");
    }
    second(&app, &ticket).await.is(401, "AUTH_2FA_INVALID");
    show(&app, phone.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");
    show(&app, of_bob.get(&challenge(&app).await)).await.ok(200);
    app.mails().await;
    // Whoever opens an account with the address begins with the password alone, and may add that very key.
    let heir = app.sign_up("ann@example.org").await;
    assert_ne!(heir.id, ann.id);
    let heir = add_this(&app, &heir, phone).await;
    show(&app, heir.get(&challenge(&app).await)).await.ok(200);
}
