//! "This was not me", and the panic button: what they end, for whom, and how one comes back.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::passkeys::{add, challenge, show};
use crate::registration::UNLIMITED;
use crate::second_factor::{enable, ticket, verify};
use crate::support::passkey::SoftPasskey;
use crate::support::smtp_server::{Received, quoted_printable};
use crate::support::{PASSWORD, Person, Reply, TestApp};

const NOT_ME: &str = "/api/v1/auth/not-me";
const LOCK: &str = "/api/v1/users/me/lock";
const OTHER: &str = "seven herons under glass";
const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                       Chrome/140.0.0.0 Safari/537.36";
const DAY: Duration = Duration::from_hours(24);

/// Signs in with another browser than the client of tests is.
async fn from_elsewhere(app: &TestApp, email: &str, agent: &str) -> Person {
    let body = json!({ "email": email, "password": PASSWORD });
    let request = app.request(Method::POST, "/api/v1/auth/login").json(&body);
    let reply = app.send(request.header(header::USER_AGENT, agent)).await;
    Person::from_pair(&reply.ok(200).body)
}

async fn letters(app: &TestApp, email: &str, words: &str) -> Vec<Received> {
    let says = |mail: &Received| {
        mail.to == [email] && mail.header("subject").is_some_and(|subject| subject.contains(words))
    };
    app.mails().await.into_iter().filter(says).collect()
}

fn token_of(mail: &Received) -> String {
    mail.link("token=").unwrap().split("token=").nth(1).unwrap().to_owned()
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Reply {
    let body = json!({ "token": token, "new_password": password });
    app.post("/api/v1/auth/reset-password", body).await
}

/// Returns the token of the last mail that leads to a new password.
async fn way_back(app: &TestApp, email: &str) -> String {
    token_of(letters(app, email, "Choose a new password").await.last().unwrap())
}

async fn secured(app: &TestApp) -> Vec<(String, Value)> {
    let mut tx = app.app.store.read().await.unwrap();
    let rows: Vec<(String, onesql::Json<Value>)> = tx
        .query("SELECT reason, data FROM audit_events WHERE code = 'ACCOUNT_SECURED' ORDER BY id")
        .all()
        .await
        .unwrap();
    rows.into_iter().map(|(reason, data)| (reason, data.0)).collect()
}

/// Links an identity to an account, as `federation` does after a sign-in at a provider.
pub(crate) async fn link_identity(app: &TestApp, person: &Person) {
    let mut tx = app.app.store.write().await.unwrap();
    let id: authshield::kernel::UserId = person.id.parse().unwrap();
    let columns = "INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
                   VALUES ($1, $1, 'google', 'https://accounts.google.com', '248289761001', $2)";
    let row = tx.query(columns).bind(id).bind(app.ctx().now);
    row.execute().await.unwrap();
    tx.commit().await.unwrap();
}

/// A thief knows the password, and does all that keeps an owner out. The owner has their mailbox.
#[tokio::test]
async fn who_says_that_it_was_not_them_gets_the_account_back_and_the_thief_keeps_nothing() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let hers = add(&app, &ann).await;
    app.sign_in("ann@example.org").await;
    assert!(letters(&app, "ann@example.org", "New sign-in").await.is_empty());
    app.advance(DAY);

    let thief = from_elsewhere(&app, "ann@example.org", WINDOWS).await;
    let notices = letters(&app, "ann@example.org", "New sign-in").await;
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    let text = quoted_printable(&notice.data);
    assert!(text.contains("Chrome on Windows") && text.contains("127.0.0.1"), "{text}");
    let token = token_of(notice);
    from_elsewhere(&app, "ann@example.org", WINDOWS).await;
    assert_eq!(letters(&app, "ann@example.org", "New sign-in").await.len(), 1);

    // A passkey of his own, another password, another address.
    let his = add(&app, &thief).await;
    let change = json!({ "new_email": "thief@example.net", "password": PASSWORD });
    app.post_as(&thief, "/api/v1/users/me/email", change).await.ok(202);
    let proof = app.token_for("thief@example.net").await;
    app.verify(&proof).await.ok(200);
    let change = json!({ "current_password": PASSWORD, "new_password": OTHER });
    app.post_as(&thief, "/api/v1/auth/change-password", change).await.ok(204);
    app.delete_as(&thief, "/api/v1/users/me").await.ok(202);
    let reset_for_thief = json!({ "email": "thief@example.net" });
    app.post("/api/v1/auth/forgot-password", reset_for_thief).await.ok(202);
    let his_link = way_back(&app, "thief@example.net").await;
    // He chooses a password by his own mailbox, and presses the panic button there, twice: the owner's link stays.
    reset(&app, &his_link, OTHER).await.ok(204);
    for _ in 0..2 {
        let again = app.log_in("thief@example.net", OTHER).await;
        let again = Person::from_pair(&again.ok(200).body);
        app.post_as(&again, LOCK, json!({})).await.ok(204);
        let link = way_back(&app, "thief@example.net").await;
        reset(&app, &link, OTHER).await.ok(204);
    }
    let again = app.log_in("thief@example.net", OTHER).await;
    let thief = Person::from_pair(&again.ok(200).body);
    link_identity(&app, &thief).await;
    app.post("/api/v1/auth/forgot-password", json!({ "email": "thief@example.net" })).await.ok(202);
    let his_link = way_back(&app, "thief@example.net").await;

    // Scanners follow links.
    let page = format!("/not-me?token={token}");
    for method in [Method::GET, Method::HEAD, Method::GET] {
        app.send(app.request(method, &page)).await.ok(200);
    }
    app.get(&page).await.page(200, "It was not me");
    app.get(&format!("{page}&lang=de")).await.page(200, "Das war ich nicht");
    app.me(&thief).await.ok(200);
    for nothing in ["", "x", &token[..token.len() - 1], &his_link] {
        app.post(NOT_ME, json!({ "token": nothing })).await.is(400, "AUTH_INVALID_NOTICE_TOKEN");
    }
    // It opens nothing but what it is for.
    reset(&app, &token, OTHER).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    app.verify(&token).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");

    // The button, pressed twice at once.
    let fields = [("token", token.as_str())];
    let pressed = join_all([app.submit("/not-me", &fields), app.submit("/not-me", &fields)]).await;
    let done: Vec<_> = pressed.iter().filter(|reply| reply.status == 200).collect();
    let [done] = done.as_slice() else { panic!("{pressed:?}") };
    done.page(200, "Everybody was signed out");
    assert!(done.headers.get("set-cookie").is_none() && !done.text.contains("asl_"), "{done:?}");
    app.get(&page).await.page(400, "This link was used already");

    app.me(&thief).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&thief.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    reset(&app, &his_link, OTHER).await.is(400, "AUTH_INVALID_RESET_TOKEN");
    for email in ["ann@example.org", "thief@example.net"] {
        for password in [PASSWORD, OTHER] {
            app.log_in(email, password).await.is(401, "AUTH_INVALID_CREDENTIALS");
        }
    }
    // Nothing opens it before, not even what the owner has.
    for passkey in [&his, &hers] {
        let shown = show(&app, passkey.get(&challenge(&app).await)).await;
        shown.is(401, "AUTH_PASSKEY_INVALID");
    }
    let seen = secured(&app).await;
    let [.., (reason, data)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(seen.len(), 3);
    assert_eq!(reason, "not_me");
    assert_eq!(data["done"], json!(["password", "address_put_back", "passkeys", "identities"]));

    // The way back goes to the mailbox of the notice.
    let link = way_back(&app, "ann@example.org").await;
    reset(&app, &link, OTHER).await.ok(204);
    let back = app.log_in("ann@example.org", OTHER).await;
    let ann = Person::from_pair(&back.ok(200).body);
    assert_eq!(app.me(&ann).await.body["email"], "ann@example.org");
    assert_eq!(app.me(&ann).await.body["deletion_due_at"], Value::Null);
    show(&app, his.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");
    show(&app, hers.get(&challenge(&app).await)).await.ok(200);
    app.log_in("thief@example.net", OTHER).await.is(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(letters(&app, "thief@example.net", "New sign-in").await.len(), 0);

    // Of many new devices the owner is told of some, and a link ends.
    app.advance(2 * DAY);
    let before = letters(&app, "ann@example.org", "New sign-in").await.len();
    for agent in ["curl/8", "Wget/1", "okhttp/4", "Dart/3", "python-requests/2", "PostmanRuntime/7"]
    {
        let body = json!({ "email": "ann@example.org", "password": OTHER });
        let request = app.request(Method::POST, "/api/v1/auth/login").json(&body);
        app.send(request.header(header::USER_AGENT, agent)).await.ok(200);
    }
    let told = letters(&app, "ann@example.org", "New sign-in").await;
    assert_eq!(told.len() - before, 5);
    app.advance(7 * DAY);
    let late = json!({ "token": token_of(told.last().unwrap()) });
    app.post(NOT_ME, late).await.is(400, "AUTH_INVALID_NOTICE_TOKEN");
    let new = "SELECT COUNT(*) FROM audit_events
               WHERE code = 'LOGIN_SUCCEEDED' AND CAST(data ->> 'new_device' AS TEXT) IN ('true', '1')";
    assert_eq!(app.count(new).await, 7);
}

/// What a thief adds goes; what the owner had before stays, and codes that the thief made open nothing.
#[tokio::test]
async fn an_app_of_the_thief_goes_and_one_of_the_owner_stays_without_codes_that_he_made() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.sign_up("ann@example.org").await;
    let bob = app.sign_up("bob@example.org").await;
    let (phone, codes) = enable(&app, &bob).await;
    app.advance(DAY);

    // Of Ann he knows the password, and adds an app.
    let thief = from_elsewhere(&app, "ann@example.org", WINDOWS).await;
    enable(&app, &thief).await;
    app.log_in("ann@example.org", PASSWORD).await.is(403, "AUTH_2FA_REQUIRED");
    // Of Bob he saw two codes, too, and makes recovery codes.
    let body = json!({ "email": "bob@example.org", "password": PASSWORD });
    let request = app.request(Method::POST, "/api/v1/auth/login").json(&body);
    let asked = app.send(request.header(header::USER_AGENT, WINDOWS)).await;
    asked.is(403, "AUTH_2FA_REQUIRED");
    let code = json!({ "mfa_token": asked.body["mfa_token"], "code": phone.code(&app) });
    let request = app.request(Method::POST, "/api/v1/auth/2fa/verify").json(&code);
    let entered = app.send(request.header(header::USER_AGENT, WINDOWS)).await;
    let thief = Person::from_pair(&entered.ok(200).body);
    app.advance(Duration::from_mins(1));
    let again = json!({ "password": PASSWORD, "code": phone.code(&app) });
    let made = app.post_as(&thief, "/api/v1/auth/2fa/recovery-codes", again).await;
    let made = made.ok(200).body["recovery_codes"][0].as_str().unwrap().to_owned();

    for (email, also) in
        [("ann@example.org", "second_factor"), ("bob@example.org", "recovery_codes")]
    {
        let notices = letters(&app, email, "New sign-in").await;
        let [notice] = notices.as_slice() else { panic!("{notices:?}") };
        app.post(NOT_ME, json!({ "token": token_of(notice) })).await.ok(204);
        let seen = secured(&app).await;
        assert_eq!(seen.last().unwrap().1["done"], json!(["password", also]));
        reset(&app, &way_back(&app, email).await, OTHER).await.ok(204);
    }
    let back = app.log_in("ann@example.org", OTHER).await;
    let ann = Person::from_pair(&back.ok(200).body);
    assert_eq!(app.me(&ann).await.body["email"], "ann@example.org");
    assert_eq!(letters(&app, "ann@example.org", "second factor was removed").await.len(), 1);
    assert_eq!(letters(&app, "bob@example.org", "second factor was removed").await.len(), 0);
    app.advance(Duration::from_mins(1));
    for nothing in [&made, &codes[0]] {
        let waiting = ticket(&app, "bob@example.org", OTHER).await;
        verify(&app, &waiting, nothing).await.is(401, "AUTH_2FA_INVALID");
    }
    let waiting = ticket(&app, "bob@example.org", OTHER).await;
    verify(&app, &waiting, &phone.code(&app)).await.ok(200);
}

/// ASVS: V6.4.6, V7.4.2
#[tokio::test]
async fn the_panic_button_closes_everything_and_says_how_one_comes_back() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up("ann@example.org").await;
    let passkey = add(&app, &ann).await;
    let other = app.sign_in("ann@example.org").await;

    // A stolen access token takes no second factor away.
    app.advance(Duration::from_mins(14));
    let stolen = Person::from_pair(&app.refresh(&other.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    let all = json!({ "remove_factors": true });
    app.post_as(&stolen, LOCK, all.clone()).await.is(403, "AUTH_STEP_UP_REQUIRED");
    app.post_as(&stolen, LOCK, json!({})).await.ok(204);
    for person in [&ann, &stolen] {
        app.refresh(&person.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    app.me(&stolen).await.is(401, "AUTH_TOKEN_REVOKED");
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    show(&app, passkey.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");
    reset(&app, &way_back(&app, "ann@example.org").await, OTHER).await.ok(204);
    show(&app, passkey.get(&challenge(&app).await)).await.ok(200);
    let back = Person::from_pair(&app.log_in("ann@example.org", OTHER).await.ok(200).body);
    app.post_as(&back, LOCK, all).await.ok(204);
    reset(&app, &way_back(&app, "ann@example.org").await, PASSWORD).await.ok(204);
    show(&app, passkey.get(&challenge(&app).await)).await.is(401, "AUTH_PASSKEY_INVALID");

    // An operator's: disabled until it is enabled.
    let ann = Person::from_pair(&app.log_in("ann@example.org", PASSWORD).await.ok(200).body);
    let (_, codes) = enable(&app, &ann).await;
    assert!(!codes.is_empty());
    let root = Person::from_pair(&app.refresh(&root.refresh).await.ok(200).body);
    let path = |person: &Person, what: &str| format!("/api/v1/admin/users/{}/{what}", person.id);
    let both = json!({ "reset_password": true, "reset_factors": true });
    app.post_as(&ann, &path(&root, "lock"), both.clone())
        .await
        .is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
    app.post_as(&root, &path(&ann, "lock"), both.clone()).await.is(403, "AUTH_STEP_UP_REQUIRED");
    let proof = json!({ "password": PASSWORD });
    app.post_as(&root, "/api/v1/auth/step-up", proof).await.ok(204);
    app.post_as(&root, &path(&root, "lock"), both.clone())
        .await
        .is(403, "AUTH_INSUFFICIENT_PERMISSIONS");
    app.post_as(&root, &path(&root, "lock"), json!({})).await.is(400, "ADMIN_LAST_ADMIN");
    let locked = app.post_as(&root, &path(&ann, "lock"), both).await;
    assert_eq!(locked.ok(200).body["is_active"], false);
    assert_eq!(locked.body["is_2fa_enabled"], false);
    app.me(&ann).await.is(403, "AUTH_ACCOUNT_DISABLED");
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    let forgot = json!({ "email": "ann@example.org" });
    let mails = app.mails_to("ann@example.org").await;
    app.post("/api/v1/auth/forgot-password", forgot.clone()).await.ok(202);
    assert_eq!(app.mails_to("ann@example.org").await, mails);
    let enabled = json!({ "is_active": true });
    app.patch_as(&root, &path(&ann, "status"), enabled).await.ok(200);
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.post("/api/v1/auth/forgot-password", forgot).await.ok(202);
    reset(&app, &way_back(&app, "ann@example.org").await, OTHER).await.ok(204);
    app.log_in("ann@example.org", OTHER).await.ok(200);

    let reasons: Vec<_> = secured(&app).await.into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons, ["owner", "owner", "operator"]);
    let (_, last) = secured(&app).await.pop().unwrap();
    assert_eq!(last["done"], json!(["disabled", "password", "factors"]));
}

/// The notice at the old address undoes a change; who never proved an address gets nothing by it.
#[tokio::test]
async fn a_change_of_address_is_undone_at_the_old_one_and_nowhere_else() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    let change = async |person: &Person, email: &str| {
        let body = json!({ "new_email": email, "password": PASSWORD });
        app.post_as(person, "/api/v1/users/me/email", body).await.ok(202);
        app.verify(&app.token_for(email).await).await.ok(200);
    };
    change(&ann, "ann@example.net").await;
    let undo = token_of(letters(&app, "ann@example.org", "was changed").await.last().unwrap());
    // Once more, and undone at the second: that takes nothing from the first.
    change(&ann, "ann@example.com").await;
    let second = token_of(letters(&app, "ann@example.net", "was changed").await.last().unwrap());
    app.post(NOT_ME, json!({ "token": second })).await.ok(204);
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    app.submit("/not-me", &[("token", &undo)]).await.page(200, "Everybody was signed out");
    let link = way_back(&app, "ann@example.org").await;
    reset(&app, &link, OTHER).await.ok(204);
    for nobody in ["ann@example.net", "ann@example.com"] {
        app.log_in(nobody, OTHER).await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
    let ann = Person::from_pair(&app.log_in("ann@example.org", OTHER).await.ok(200).body);

    // Somebody else took the old address meanwhile: nothing is put back, and nobody gets a link.
    let body = json!({ "new_email": "ann@example.net", "password": OTHER });
    app.post_as(&ann, "/api/v1/users/me/email", body).await.ok(202);
    app.verify(&app.token_for("ann@example.net").await).await.ok(200);
    let undo = token_of(letters(&app, "ann@example.org", "was changed").await.last().unwrap());
    app.open_account("ann@example.org").await;
    let sent = app.mails().await.len();
    app.post(NOT_ME, json!({ "token": undo })).await.ok(204);
    assert_eq!(app.mails().await.len(), sent);
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    app.sign_in("ann@example.org").await;
    let (_, last) = secured(&app).await.pop().unwrap();
    assert_eq!(last["done"], json!(["password", "address_taken"]));
}

#[tokio::test]
async fn a_stolen_token_fills_no_mailbox_and_takes_no_copy_after_another() {
    let limits =
        [("rate_limit.notice_per_account", "2/1h"), ("rate_limit.export_per_account", "2/1h")];
    let app = TestApp::with(&limits).await;
    let ann = app.sign_up("ann@example.org").await;
    let me = "/api/v1/users/me";
    for _ in 0..2 {
        app.delete_as(&ann, me).await.ok(202);
        app.delete_as(&ann, "/api/v1/users/me/deletion").await.ok(204);
    }
    let sent = app.mails_to("ann@example.org").await;
    app.delete_as(&ann, me).await.is(429, "RATE_LIMIT_EXCEEDED");
    let registration = "/api/v1/auth/passkeys/registration";
    let options = app.post_as(&ann, registration, json!({})).await.ok(200).body.clone();
    let credential = SoftPasskey::new(&app.base).create(&options);
    let passkey = json!({ "name": "Phone", "credential": credential });
    app.post_as(&ann, "/api/v1/auth/passkeys", passkey).await.is(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(app.mails_to("ann@example.org").await, sent);
    let export = "/api/v1/users/me/export";
    let devices = app.post_as(&ann, export, json!({})).await.ok(200).body["devices"].clone();
    assert_eq!(devices[0]["label"], "Firefox on Linux");
    app.post_as(&ann, export, json!({})).await.ok(200);
    app.post_as(&ann, export, json!({})).await.is(429, "RATE_LIMIT_EXCEEDED");
    app.advance(Duration::from_hours(1));
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.post_as(&ann, "/api/v1/auth/step-up", json!({ "password": PASSWORD })).await.ok(204);
    app.post_as(&ann, export, json!({})).await.ok(200);
    app.delete_as(&ann, me).await.ok(202);
}

#[tokio::test]
async fn where_a_second_factor_is_asked_for_the_last_passkey_takes_its_sessions_along() {
    let app = TestApp::with(&[UNLIMITED, ("second_factor.required_for", "admin")]).await;
    let ann = app.sign_up_admin("ann@example.org").await;
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    let ben = app.sign_up("ben@example.org").await;
    let (one, two) = (add(&app, &ben).await, add(&app, &ben).await);
    let roles = vec!["admin".to_owned(), "user".to_owned()];
    let id = ben.id.parse().unwrap();
    authshield::roles::set_roles(&app.app, &app.ctx(), None, id, roles).await.unwrap();
    let sign_in = async |passkey: &SoftPasskey| {
        let shown = show(&app, passkey.get(&challenge(&app).await)).await;
        Person::from_pair(&shown.ok(200).body)
    };
    let (here, there) = (sign_in(&one).await, sign_in(&two).await);
    let passkeys = "/api/v1/auth/passkeys";
    let list = app.get_as(&here, passkeys).await.ok(200).body["items"].clone();
    let path = |at: usize| format!("{passkeys}/{}", list[at]["id"].as_str().unwrap());
    app.delete_as(&here, &path(0)).await.ok(204);
    app.me(&here).await.ok(200);
    app.delete_as(&here, &path(1)).await.ok(204);
    for person in [&here, &there] {
        app.me(person).await.is(401, "AUTH_TOKEN_REVOKED");
        app.refresh(&person.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    }
    let events = app.events().await;
    assert!(events.contains(&"SESSION_REVOKED/second_factor_missing".to_owned()), "{events:?}");
}
