//! Passwords switched off: nobody sets or shows one, whatever was begun before, and people come in in other ways.

use std::time::Duration;

use authshield::chores::end_what_passwords_began;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::magic_link::{ON, code_of};
use crate::passkeys::{add, add_this, challenge, show};
use crate::registration::UNLIMITED;
use crate::second_factor::{enable, ticket, verify};
use crate::silent_failures::Gate;
use crate::support::passkey::SoftPasskey;
use crate::support::program::token_from;
use crate::support::{
    Authenticator, PASSWORD, Person, Program, Reply, Script, SmtpServer, TestApp, claims,
    wait_until,
};

const OFF: (&str, &str) = ("password.enabled", "false");
const NO: (u16, &str) = (403, "AUTH_SIGN_IN_METHOD_OFF");
const ANN: &str = "ann@example.org";
const OTHER: &str = "seven herons under glass";
const EMAIL: &str = "/api/v1/users/me/email";
const SOON: Duration = Duration::from_secs(20);
const ENABLE: &str = "/api/v1/auth/2fa/enable";
const CONFIRM: &str = "/api/v1/auth/2fa/confirm";

async fn register(app: &TestApp, email: &str) -> Reply {
    app.post("/api/v1/auth/register", json!({ "email": email })).await
}

/// Asks for a mail and shows its code.
pub(crate) async fn by_mail(app: &TestApp, email: &str) -> Reply {
    app.mails().await;
    let asked = app.post("/api/v1/auth/magic-link", json!({ "email": email })).await;
    let handle = asked.ok(202).body["handle"].as_str().unwrap().to_owned();
    let code = code_of(&app.last_mail(email).await);
    let body = json!({ "handle": handle, "code": code });
    app.post("/api/v1/auth/magic-link/redeem", body).await
}

/// Attack: B11, C05
#[tokio::test]
async fn with_passwords_off_nothing_takes_sets_or_asks_for_one() {
    let before = TestApp::with(&[UNLIMITED, ON]).await;
    let ann = before.sign_up(ANN).await;
    let bob = before.sign_up("bob@example.org").await;
    let (phone, _) = enable(&before, &bob).await;
    let root = before.sign_up_admin("root@example.org").await;
    let waiting = ticket(&before, "bob@example.org", PASSWORD).await;
    before.post("/api/v1/auth/forgot-password", json!({ "email": ANN })).await.ok(202);
    let reset = before.token_for(ANN).await;
    before.register("dora@example.org", PASSWORD).await.ok(202);
    let proof = before.token_for("dora@example.org").await;
    let hashes =
        async || before.count("SELECT COUNT(*) FROM users WHERE password_hash IS NOT NULL").await;
    let known = hashes().await;

    // What was begun with a password ends with it; what it opened before goes on.
    let app = before.second_node(&[UNLIMITED, ON, OFF]).await;
    let with = json!({ "password": PASSWORD });
    let both = json!({ "password": PASSWORD, "code": phone.code(&app) });
    let change = json!({ "current_password": PASSWORD, "new_password": OTHER });
    app.log_in(ANN, PASSWORD).await.is(NO.0, NO.1);
    app.log_in("nobody@example.org", OTHER).await.is(NO.0, NO.1);
    app.register("new@example.org", PASSWORD).await.is(NO.0, NO.1);
    for (path, body) in [
        ("/api/v1/auth/forgot-password", json!({ "email": ANN })),
        ("/api/v1/auth/reset-password", json!({ "token": reset, "new_password": OTHER })),
    ] {
        app.post(path, body).await.is(NO.0, NO.1);
    }
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    let email = json!({ "new_email": "anna@example.org", "password": PASSWORD });
    for (who, path, body) in [
        (&ann, "/api/v1/auth/change-password", &change),
        (&ann, "/api/v1/auth/step-up", &with),
        (&ann, ENABLE, &with),
        (&ann, EMAIL, &email),
        (&bob, "/api/v1/auth/2fa/disable", &both),
        (&bob, "/api/v1/auth/2fa/recovery-codes", &both),
    ] {
        app.post_as(who, path, body.clone()).await.is(NO.0, NO.1);
    }
    verify(&app, &waiting, &phone.code(&app)).await.is(401, "AUTH_2FA_INVALID");
    assert_eq!(app.events().await.pop().unwrap(), "SECOND_FACTOR_REFUSED/password_off");
    app.verify(&proof).await.ok(200);
    assert_eq!(hashes().await, known, "the registration that waited opens nothing");

    // No mail leads to a password: not the second registration, not one that contradicts, not an operator's.
    let leads = async |email: &str| app.last_mail(email).await.data.contains("reset-password");
    for email in [ANN, "dora@example.org", "new@example.org", "new@example.org"] {
        register(&app, email).await.ok(202);
        assert!(!leads(email).await, "{email}");
    }
    let resend = json!({ "email": "new@example.org" });
    app.post("/api/v1/auth/resend-verification", resend).await.ok(202);
    assert!(!leads("new@example.org").await);
    let token = app.token_for("new@example.org").await;
    app.verify(&token).await.ok(200);
    assert_eq!(hashes().await, known);

    // The panic button takes it away, and the way back proves the mailbox.
    let passkey = add_this(&app, &ann, SoftPasskey::new(&before.base)).await;
    app.mails().await;
    app.post_as(&ann, "/api/v1/users/me/lock", json!({})).await.ok(204);
    let closed = show(&app, passkey.get(&challenge(&app).await)).await;
    assert_ne!(closed.status, 200, "{closed:?}");
    assert!(app.last_mail(ANN).await.header("subject").unwrap().ends_with("is closed"));
    // A mail may be lost: there is another one.
    app.post("/api/v1/auth/resend-verification", json!({ "email": ANN })).await.ok(202);
    assert!(app.last_mail(ANN).await.header("subject").unwrap().ends_with("is closed"));
    let token = app.token_for(ANN).await;
    app.verify(&token).await.ok(200);
    show(&app, passkey.get(&challenge(&app).await)).await.ok(200);

    // Nor does an operator's leave it waiting for a password: whoever is let in again shows the mailbox.
    let of_ann = format!("/api/v1/admin/users/{}", ann.id);
    let also = json!({ "reset_password": true });
    app.post_as(&root, &format!("{of_ann}/lock"), also).await.ok(200);
    app.mails().await;
    let enable = json!({ "is_active": true });
    app.patch_as(&root, &format!("{of_ann}/status"), enable).await.ok(200);
    assert_ne!(show(&app, passkey.get(&challenge(&app).await)).await.status, 200);
    assert!(app.last_mail(ANN).await.header("subject").unwrap().ends_with("is closed"));
    let token = app.token_for(ANN).await;
    app.verify(&token).await.ok(200);
    show(&app, passkey.get(&challenge(&app).await)).await.ok(200);

    // Pages hide what is off, and say so where somebody comes with a former address or form.
    let setup = app.setup_token().await;
    for path in ["/sign-in", "/register", &format!("/setup?token={setup}")] {
        let page = app.get(path).await;
        assert!(!page.ok(200).text.contains("type=\"password\""), "{path}");
        assert!(!page.text.contains("/forgot-password"), "{path}");
    }
    app.get("/sign-in").await.looks(200, "action=\"/sign-in/mail?lang=en\"");
    for path in ["/forgot-password", &format!("/reset-password?token={reset}")] {
        app.get(path).await.looks(403, "Nobody has a password here");
    }
    for (path, fields) in [
        ("/sign-in", vec![("email", ANN), ("password", PASSWORD)]),
        ("/register", vec![("email", "new@example.net"), ("password", PASSWORD)]),
        ("/forgot-password", vec![("email", ANN)]),
        ("/reset-password", vec![("token", &reset), ("new_password", OTHER)]),
        ("/setup", vec![("token", &setup), ("email", "a@example.net"), ("password", PASSWORD)]),
    ] {
        let form = crate::pages::form(&app, path, &fields).header("sec-fetch-site", "same-origin");
        app.send(form).await.looks(403, "Nobody has a password here");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users WHERE email LIKE '%example.net'").await, 0);

    // The hash was kept, and is as good as before where it counts.
    app.get_as(&root, "/api/v1/admin/users").await.ok(200);
    before.sign_in("root@example.org").await;
}

/// Attack: B11, C05
#[tokio::test]
async fn what_a_password_began_stays_dead_when_passwords_come_back() {
    let on = TestApp::with(&[UNLIMITED, ON]).await;
    let ann = on.sign_up(ANN).await;
    let (phone, _) = enable(&on, &ann).await;
    let waiting = ticket(&on, ANN, PASSWORD).await;
    // What was told so far has arrived: the last mail is the one that is asked for.
    on.mails().await;
    on.post("/api/v1/auth/forgot-password", json!({ "email": ANN })).await.ok(202);
    let reset = json!({ "token": on.token_for(ANN).await, "new_password": OTHER });
    let mailed = by_mail(&on, ANN).await;
    mailed.is(403, "AUTH_2FA_REQUIRED");

    // Nobody shows them while passwords are off.
    let off = on.second_node(&[UNLIMITED, ON, OFF]).await;
    end_what_passwords_began(&off.app, off.ctx().now).await.unwrap();
    end_what_passwords_began(&on.app, on.ctx().now).await.unwrap();
    for node in [&on, &off] {
        verify(node, &waiting, &phone.code(node)).await.is(401, "AUTH_2FA_INVALID");
        assert_eq!(node.events().await.pop().unwrap(), "SECOND_FACTOR_REFUSED/password_off");
    }
    let body = json!({ "mfa_token": waiting });
    on.post("/api/v1/auth/2fa/enrol", body).await.is(401, "AUTH_2FA_INVALID");
    let refused = on.post("/api/v1/auth/reset-password", reset).await;
    refused.is(400, "AUTH_INVALID_RESET_TOKEN");
    assert_eq!(on.events().await.pop().unwrap(), "LINK_REJECTED/password_off");

    // A mailbox is no password, and what is begun now is not what was begun before.
    let mailed = mailed.body["mfa_token"].as_str().unwrap();
    verify(&off, mailed, &phone.code(&off)).await.ok(200);
    on.advance(Duration::from_mins(1));
    let anew = ticket(&on, ANN, PASSWORD).await;
    verify(&on, &anew, &phone.code(&on)).await.ok(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_set_a_password_survives_no_reload_without_passwords() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay).unlimited();
    let file = program.folder().join("authshield.toml");
    let write = |enabled: bool| {
        let text = format!("[password]\nenabled = {enabled}\n\n[magic_link]\nenabled = true\n");
        std::fs::write(&file, text).unwrap();
    };
    write(true);
    let server = program.serve().await;
    server.client.register(ANN).await.unwrap().ok(202);
    let proof = token_from(&relay, ANN, "verify-email").await;
    server.client.verify(&proof).await.unwrap().ok(200);
    let forgot = async |email: &str| {
        server.client.post("/api/v1/auth/forgot-password", json!({ "email": email })).await
    };
    forgot(ANN).await.unwrap().ok(202);
    let reset = token_from(&relay, ANN, "reset-password").await;
    for (enabled, status) in [(false, 403), (true, 202)] {
        write(enabled);
        server.hang_up();
        wait_until("the reload", SOON, async || {
            (forgot("nobody@example.org").await?.status == status).then_some(())
        })
        .await;
    }
    let body = json!({ "token": reset, "new_password": OTHER });
    let refused = server.client.post("/api/v1/auth/reset-password", body).await.unwrap();
    refused.is(400, "AUTH_INVALID_RESET_TOKEN");
    server.stop().await;
}

/// Attack: B18, C06
#[tokio::test]
async fn who_has_no_password_registers_comes_in_and_adds_what_makes_it_safe() {
    let app = TestApp::with(&[UNLIMITED, ON, OFF]).await;
    let named = json!({ "email": ANN, "full_name": "Ann Lee" });
    app.post("/api/v1/auth/register", named).await.ok(202);
    // Whoever registers the same address says nothing of its owner.
    let other = json!({ "email": ANN, "full_name": "You lost" });
    app.post("/api/v1/auth/register", other).await.ok(202);
    let token = app.token_for(ANN).await;
    app.verify(&token).await.ok(200);
    let ann = Person::from_pair(&by_mail(&app, ANN).await.ok(200).body);
    let me = app.me(&ann).await.body;
    assert_eq!((&me["full_name"], &me["is_verified"]), (&Value::Null, &json!(true)));

    // What it opened is fresh, and later what the account has is asked for.
    let new = json!({ "new_email": "anna@example.org" });
    app.post_as(&ann, EMAIL, new.clone()).await.ok(202);
    app.advance(Duration::from_mins(14));
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    app.advance(Duration::from_mins(2));
    for (path, body) in [(EMAIL, new.clone()), (ENABLE, json!({}))] {
        let due = app.post_as(&ann, path, body).await;
        due.is(403, "AUTH_STEP_UP_REQUIRED");
        assert_eq!(due.body["factors"], json!(["email"]));
    }
    let ann = Person::from_pair(&by_mail(&app, ANN).await.ok(200).body);
    let passkey = add(&app, &ann).await;
    let enrolment = app.post_as(&ann, ENABLE, json!({})).await;
    let phone = Authenticator::of(&enrolment.ok(200).body);
    app.post_as(&ann, CONFIRM, json!({ "code": phone.code(&app) })).await.ok(200);
    let ann = Person::from_pair(&app.refresh(&ann.refresh).await.ok(200).body);
    assert_eq!(claims(&ann.access)["amr"], json!(["email", "otp"]));
    app.advance(Duration::from_mins(1));

    let due = by_mail(&app, ANN).await;
    due.is(403, "AUTH_2FA_REQUIRED");
    let waiting = due.body["mfa_token"].as_str().unwrap();
    verify(&app, waiting, &phone.code(&app)).await.ok(200);
    let ann = show(&app, passkey.get(&challenge(&app).await)).await;
    let ann = Person::from_pair(&ann.ok(200).body);
    app.advance(Duration::from_mins(1));
    let codes = json!({ "code": phone.code(&app) });
    app.post_as(&ann, "/api/v1/auth/2fa/recovery-codes", codes).await.ok(200);
    app.advance(Duration::from_mins(1));
    let code = json!({ "code": phone.code(&app) });
    app.post_as(&ann, "/api/v1/auth/2fa/disable", code).await.ok(204);
    app.delete_as(&ann, "/api/v1/users/me").await.ok(202);
}

/// The same on pages, which show no field for what nobody has.
#[tokio::test]
async fn pages_of_an_account_without_a_password_ask_for_none() {
    let app = TestApp::with(&[UNLIMITED, ON, OFF]).await;
    register(&app, ANN).await.ok(202);
    let token = app.token_for(ANN).await;
    app.verify(&token).await.ok(200);
    app.mails().await;
    let send = async |path: &str, cookie: &str, fields: &[(&str, &str)]| {
        let form = crate::pages::form(&app, path, fields).header("sec-fetch-site", "same-origin");
        app.send(form.header(header::COOKIE, cookie)).await
    };
    let see = async |path: &str, cookie: &str| {
        let request = app.request(Method::GET, path).header("sec-fetch-site", "same-origin");
        app.send(request.header(header::COOKIE, cookie)).await
    };
    let cookie = |reply: &Reply| reply.header("set-cookie").split(';').next().unwrap().to_owned();
    let asked = send("/sign-in/mail", "", &[("email", ANN)]).await;
    let code = code_of(&app.last_mail(ANN).await);
    let entered = send("/sign-in/mail/code", &cookie(&asked), &[("code", &code)]).await;
    let session = cookie(entered.ok(303));

    let home = see("/account", &session).await;
    assert!(!home.ok(200).text.contains("/account/password"));
    see("/account/password", &session).await.ok(303);
    for path in ["/account/email", "/account/second-factor", "/account/lock"] {
        let page = see(path, &session).await;
        assert!(!page.ok(200).text.contains("type=\"password\""), "{path}");
    }
    let guard = crate::pages::hidden(&see("/account/email", &session).await, "guard");
    let fields = [("guard", guard.as_str()), ("new_email", "anna@example.org")];
    send("/account/email", &session, &fields).await.ok(303);
    let add = [("guard", guard.as_str())];
    send("/account/second-factor/add", &session, &add).await.looks(200, "Scan this picture");
    app.advance(Duration::from_mins(20));
    let prove = send("/account/second-factor/add", &session, &add).await;
    prove.looks(403, "Send me a code by mail");
    let then = [("guard", guard.as_str()), ("then", "factor")];
    app.mails().await;
    send("/account/prove/mail", &session, &then).await.looks(200, "on its way to ann@example.org");
    let code = code_of(&app.last_mail(ANN).await);
    let other = if code == "123456" { "123457" } else { "123456" };
    let shown = [&then[..], &[("email_code", other)]].concat();
    send("/account/prove", &session, &shown).await.looks(401, "This code is not right");
    let shown = [&then[..], &[("email_code", &code)]].concat();
    let proved = send("/account/prove", &session, &shown).await;
    assert!(proved.ok(303).header("location").contains("/account/second-factor"));
}

#[tokio::test]
async fn a_configuration_that_lets_nobody_in_is_found_and_commands_set_no_password() {
    let program = Program::new().await.set("password.enabled", "false");
    let only = ["--only", "ADM-3"];
    program.run(&["migrate", "run"]).await.ok();
    Gate::of(&program, &only).await.has(
        "ADM-3",
        "fail",
        &["nobody can sign in, the first administrator neither", "magic_link.enabled"],
    );
    let refused = ["passwords are switched off", "password.enabled"];
    for flag in ["--password-stdin", "--password-hash-stdin"] {
        let create = ["user", "create", "ann@example.org", flag];
        program.run_with(&create, PASSWORD).await.fails(1, &refused);
    }
    let program = program.set("magic_link.enabled", "true");
    Gate::of(&program, &only).await.has("ADM-3", "pass", &["people sign in by mail"]);
    program.run(&["user", "create", "ann@example.org", "--role", "admin"]).await.ok();
    program.run(&["user", "reset-password", "ann@example.org"]).await.fails(1, &refused);
    let sent = program.run(&["mail", "list", "--json"]).await.ok();
    assert!(sent.out.contains("verify_email"), "{sent:?}");
    assert!(!sent.out.contains("reset_password"), "{sent:?}");
}
