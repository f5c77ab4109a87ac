//! Opening an account: what strangers learn, what the mail says, and who owns what nobody proved.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::smtp_server::Reaction;
use crate::support::{PASSWORD, Person, Reply, TestApp};

const REGISTER: &str = "/api/v1/auth/register";

/// Limits are somebody else's scene.
pub(crate) const UNLIMITED: (&str, &str) = ("rate_limit.enabled", "false");

/// Returns what a stranger can compare: status, body, names of headers. The ids of the request and of
/// the mail differ by design.
pub(crate) fn outside(reply: &Reply) -> (u16, Value, Vec<String>) {
    let mut body = reply.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
        members.remove("email");
        members.remove("mail_id");
    }
    let mut names: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (reply.status.as_u16(), body, names)
}

/// Returns the pointers and codes of what is wrong with a body.
pub(crate) fn errors(reply: &Reply) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = reply.body["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
}

/// Disables the account of `person`, as the command line does.
pub(crate) async fn disable(app: &TestApp, person: &Person) {
    let id = person.id.parse().unwrap();
    authshield::roles::set_active(&app.app, &app.ctx(), None, id, false).await.unwrap();
}

/// ASVS: V6.3.8
/// Attack: A08
#[tokio::test]
async fn registering_tells_nobody_whether_an_address_has_an_account() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.register("unverified@example.org", PASSWORD).await.ok(202);
    app.sign_up("verified@example.org").await;
    let disabled = app.sign_up("disabled@example.org").await;
    disable(&app, &disabled).await;
    let before = app.mails().await.len();

    let new = app.register("new@example.org", PASSWORD).await;
    let mail = &new.ok(202).body["mail_id"];
    assert_eq!(
        new.body,
        json!({ "email": "new@example.org", "is_verified": false, "mail_id": mail })
    );
    for known in ["unverified@example.org", "verified@example.org", "disabled@example.org"] {
        let reply = app.register(known, PASSWORD).await;
        assert_eq!(reply.body["email"], known);
        assert_eq!(outside(&reply), outside(&new), "{known}");
    }

    assert_eq!(app.mails().await.len(), before + 4, "one each, or what becomes of it would tell");
    let told = app.last_mail("disabled@example.org").await;
    assert_eq!(told.link("token="), None, "a disabled account gets no link");
    let link = |to: &'static str| {
        let mail = app.last_mail(to);
        async { mail.await.link("token=").unwrap_or_default() }
    };
    assert!(link("new@example.org").await.contains("/verify-email"));
    assert!(link("unverified@example.org").await.contains("/verify-email"));
    assert!(link("verified@example.org").await.contains("/reset-password"));
    let reset = app.token_for("verified@example.org").await;
    app.verify(&reset).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    app.log_in("verified@example.org", PASSWORD).await.ok(200);
}

/// Returns what becomes of the mail of a registration.
async fn progress(app: &TestApp, id: &str) -> Reply {
    app.send(app.request(Method::GET, &format!("/api/v1/auth/mails/{id}"))).await
}

/// Operations 4.8: who waits for a mail hears that none will come, and nothing else.
#[tokio::test]
async fn who_registers_sees_what_becomes_of_the_mail_and_nothing_of_the_account() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let register = async |email: &str| {
        let reply = app.register(email, PASSWORD).await;
        reply.ok(202).body["mail_id"].as_str().unwrap().to_owned()
    };
    let state = async |id: &str| progress(&app, id).await.ok(200).body["state"].clone();

    // What each of four addresses has behind it cannot be told from what becomes of the mail.
    app.sign_up("verified@example.org").await;
    register("unverified@example.org").await;
    let disabled = app.sign_up("disabled@example.org").await;
    disable(&app, &disabled).await;
    let mut ids = Vec::new();
    for name in ["new", "unverified", "verified", "disabled"] {
        let id = register(&format!("{name}@example.org")).await;
        assert_eq!(state(&id).await, "queued", "{name}");
        ids.push(id);
    }
    app.mails().await;
    for id in &ids {
        let now = progress(&app, id).await.ok(200).body.clone();
        assert_eq!(now["state"], "handed_over");
        assert_eq!(now.as_object().unwrap().len(), 2, "{now}");
    }
    // Nor when they ask for another; and nobody is told of it who did not register.
    let resend = async |email: &str, id: Option<&str>| {
        let body = json!({ "email": email, "mail_id": id });
        app.post("/api/v1/auth/resend-verification", body).await.ok(202).body.clone()
    };
    for (name, id) in ["new", "unverified", "verified", "disabled"].iter().zip(&mut ids) {
        let email = format!("{name}@example.org");
        let told = resend(&email, Some(id)).await;
        assert_eq!(told.as_object().unwrap().len(), 2, "{told}");
        *id = told["mail_id"].as_str().unwrap().to_owned();
        assert_eq!(state(id).await, "queued", "{name}");
        let told = resend(&email, None).await;
        assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
    }
    let told = resend("verified@example.org", Some(&ids[0])).await;
    assert_eq!(told.as_object().unwrap().len(), 1, "of another address: {told}");
    app.mails().await;

    // That the link was used is its reader's affair.
    let token = app.token_for("new@example.org").await;
    app.verify(&token).await.ok(200);
    assert_eq!(state(&ids[0]).await, "handed_over");

    // Nor from how long it is tried, while nothing leaves.
    app.relay.on(|heard| heard.is("RCPT").then(|| Reaction::say("451 4.3.0 later")));
    let mut waiting = Vec::new();
    for name in ["newer", "unverified", "verified", "disabled"] {
        waiting.push(register(&format!("{name}@example.org")).await);
    }
    for hours in [2, 21] {
        app.advance(Duration::from_hours(hours));
        app.mails().await;
        for id in &waiting {
            assert_eq!(state(id).await, "waiting", "after {hours} more hours");
        }
    }
    app.relay.behave();

    // A server that asks us to wait, and one that knows nobody of that name.
    app.relay.on(|heard| match heard.line.as_str() {
        "RCPT TO:<later@example.org>" => Some(Reaction::say("451 4.7.1 greylisted")),
        "RCPT TO:<tpyo@example.org>" => Some(Reaction::say("550 5.1.1 no such user")),
        _ => None,
    });
    let (later, typo) = (register("later@example.org").await, register("tpyo@example.org").await);
    app.mails().await;
    assert_eq!(
        (state(&later).await, state(&typo).await),
        (json!("waiting"), json!("undeliverable"))
    );
    // Once more, and it is not even tried: the same to whoever asks.
    let again = register("tpyo@example.org").await;
    app.mails().await;
    assert_eq!(state(&again).await, "undeliverable");

    // Nobody's mail, no mail of a registration, no id, and too late.
    app.post("/api/v1/auth/forgot-password", json!({ "email": "verified@example.org" }))
        .await
        .ok(202);
    let root = app.sign_up_admin("root@example.org").await;
    let reset = app.get_as(&root, "/api/v1/admin/mail?kind=reset_password").await;
    let reset = reset.ok(200).body["items"][0]["id"].as_str().unwrap().to_owned();
    let nobody = "018f0000-0000-7000-8000-000000000000";
    for id in [nobody, reset.as_str(), "1", "%00"] {
        progress(&app, id).await.is(404, "MAIL_NOT_FOUND");
    }
    app.advance(Duration::from_hours(24));
    progress(&app, &ids[0]).await.is(404, "MAIL_NOT_FOUND");
}

#[tokio::test]
async fn reveal_says_so_and_only_of_what_is_somebodys() {
    let app = TestApp::with(&[UNLIMITED, ("registration.duplicate_email", "reveal")]).await;
    app.sign_up("ann@example.org").await;
    app.register("bob@example.org", PASSWORD).await.ok(202);

    app.register("Ann@Example.org", PASSWORD).await.is(409, "AUTH_EMAIL_ALREADY_REGISTERED");
    app.register("bob@example.org", PASSWORD).await.ok(202);
}

/// ASVS: V7.4.3
/// Attack: B02
#[tokio::test]
async fn who_registers_somebody_elses_address_first_gains_nothing_that_outlives_a_reset() {
    let app = TestApp::start().await;
    let theirs = "mallory waits in the wings";
    app.register("ann@example.org", theirs).await.ok(202);
    // Until the owner follows a link, nobody gets in.
    app.log_in("ann@example.org", theirs).await.is(403, "AUTH_EMAIL_NOT_VERIFIED");
    // She never registered, and does all the same.
    let link = app.token_for("ann@example.org").await;
    app.verify(&link).await.ok(200);
    let thief = Person::from_pair(&app.log_in("ann@example.org", theirs).await.ok(200).body);

    app.post("/api/v1/auth/forgot-password", json!({ "email": "ann@example.org" })).await.ok(202);
    let token = app.token_for("ann@example.org").await;
    let body = json!({ "token": token, "new_password": PASSWORD });
    app.post("/api/v1/auth/reset-password", body).await.ok(204);
    app.me(&thief).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&thief.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.log_in("ann@example.org", theirs).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.log_in("ann@example.org", PASSWORD).await.ok(200);
}

/// Attack: I12
#[tokio::test]
async fn registration_that_is_closed_is_closed_to_direct_requests_too() {
    let app = TestApp::with(&[("registration.enabled", "false")]).await;
    app.register("ann@example.org", PASSWORD).await.is(403, "AUTH_REGISTRATION_CLOSED");
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 0);
    assert!(app.mails().await.is_empty());
}

/// ASVS: V6.2.1, V6.2.4
/// Attack: B21
#[tokio::test]
async fn a_weak_password_is_refused_wherever_one_is_chosen() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let email = "annabelle.lovelace@example.org";
    let ann = app.sign_up(email).await;
    app.post("/api/v1/auth/forgot-password", json!({ "email": email })).await.ok(202);
    let token = app.token_for(email).await;

    for (weak, code) in [
        ("x7#Kq!v", "too_short"),
        ("password", "common"),
        ("P@ssw0rd", "common"),
        ("annabelle1815", "contains_context"),
        ("annabelle.lovelace@example.org", "contains_context"),
        ("abcabcabc1", "too_weak"),
    ] {
        let register = app.register("annabelle.lovelace@example.com", weak).await;
        let change = json!({ "current_password": PASSWORD, "new_password": weak });
        let change = app.post_as(&ann, "/api/v1/auth/change-password", change).await;
        let reset = json!({ "token": token, "new_password": weak });
        let reset = app.post("/api/v1/auth/reset-password", reset).await;
        for (reply, pointer) in
            [(&register, "/password"), (&change, "/new_password"), (&reset, "/new_password")]
        {
            reply.is(422, "VALIDATION_FAILED");
            let expected = (pointer.to_owned(), code.to_owned());
            assert!(errors(reply).contains(&expected), "{weak}: {reply:?}");
            let (said, quoted) = (&reply.text, format!("{weak}\""));
            assert!(
                weak == "password" || !said.contains(&quoted),
                "it repeats the password: {said}"
            );
        }
    }
    // Nothing was used up and nothing was changed.
    app.log_in(email, PASSWORD).await.ok(200);
    let reset = json!({ "token": token, "new_password": "seven herons under glass" });
    app.post("/api/v1/auth/reset-password", reset).await.ok(204);
}

/// ASVS: V6.2.5, V6.2.8, V6.2.9
/// Attack: B22
#[tokio::test]
async fn every_character_of_a_password_counts_and_none_is_required() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let long = "nine moss covered lanterns drift past the quiet harbour at dusk; ".repeat(6);
    let twin = |last: char| format!("{long}{last}");
    assert!(long.chars().count() > 256);
    let just_72 = "x7 quiet herons ".repeat(5)[..72].to_owned();
    for (number, (chosen, others)) in [
        (twin('a'), vec![twin('b'), long.clone(), twin('A')]),
        (format!("{just_72}p"), vec![format!("{just_72}q"), just_72.clone()]),
        ("  moss lantern drift ".into(), vec!["moss lantern drift".into()]),
        ("moss\0lantern\0drift".into(), vec!["moss".into(), "moss\0lantern".into()]),
        ("z\u{fc}rcher m\u{f6}wenschwarm".into(), vec!["zurcher mowenschwarm".into()]),
        ("kleine blaue reiher im moor".into(), vec!["Kleine blaue Reiher im Moor".into()]),
        (
            "\u{99ac}\u{96fb}\u{6c60}\u{91d8}\u{6b63}\u{89e3}\u{6a39}\u{6728}\u{6d77}\u{7a7a}"
                .into(),
            vec![],
        ),
        (
            "\u{1f98a}\u{1f30b}\u{1f9ca}\u{1f6f6}\u{1fab2}\u{1f3ba}\u{1f9ed}\u{1f33d}\u{1fa81}"
                .into(),
            vec![],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("user{number}@example.org");
        app.register(&email, &chosen).await.ok(202);
        let token = app.token_for(&email).await;
        app.verify(&token).await.ok(200);
        app.log_in(&email, &chosen).await.ok(200);
        for other in others {
            app.log_in(&email, &other).await.is(401, "AUTH_INVALID_CREDENTIALS");
        }
    }
    // The same characters, composed otherwise by another keyboard.
    app.log_in("user4@example.org", "zu\u{308}rcher mo\u{308}wenschwarm").await.ok(200);
    let reply = app.register("too.long@example.org", &"moss lantern ".repeat(80)).await;
    reply.is(422, "VALIDATION_FAILED");
    assert_eq!(errors(&reply), [("/password".to_owned(), "too_long".to_owned())]);
}

/// Eight characters are enough if they are hard to guess, seven never are.
///
/// ASVS: V6.2.1
#[tokio::test]
async fn seven_characters_are_too_few_and_eight_will_do() {
    let app = TestApp::with(&[("password.min_strength", "0")]).await;
    let reply = app.register("ann@example.org", "q7#vKx!").await;
    reply.is(422, "VALIDATION_FAILED");
    assert_eq!(errors(&reply), [("/password".to_owned(), "too_short".to_owned())]);
    // Eight code points came, but NFC makes seven characters of them.
    let reply = app.register("ann@example.org", "q7#vKu\u{308}!").await;
    reply.is(422, "VALIDATION_FAILED");
    app.register("ann@example.org", "q7#vKx!m").await.ok(202);
}

/// ASVS: V2.2.1, V2.2.2
/// Attack: I01
#[tokio::test]
async fn nobody_sets_what_is_not_theirs_to_set() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up("ann@example.org").await;
    for (field, value) in [
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("is_admin", json!(true)),
        ("is_verified", json!(true)),
        ("is_active", json!(true)),
        ("id", json!("019ab000-0000-7000-8000-000000000000")),
        ("user_id", json!("019ab000-0000-7000-8000-000000000000")),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("email_verified_at", json!("2020-01-01T00:00:00Z")),
        ("password_hash", json!("$2b$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey")),
        ("__proto__", json!({ "role": "admin" })),
    ] {
        let mut body = json!({ "email": "eve@example.org", "password": PASSWORD });
        body[field] = value.clone();
        let reply = app.post(REGISTER, body).await;
        reply.is(422, "VALIDATION_FAILED");
        assert_eq!(errors(&reply)[0].0, format!("/{field}"), "{reply:?}");
        let reply = app.patch_as(&ann, "/api/v1/users/me", json!({ (field): value })).await;
        reply.is(422, "VALIDATION_FAILED");
        assert_eq!(errors(&reply)[0].0, format!("/{field}"), "{reply:?}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
    assert_eq!(app.me(&ann).await.ok(200).body["roles"], json!(["user"]));
}

/// ASVS: V1.3.3
#[tokio::test]
async fn names_and_languages_have_a_form() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "email": "ann@example.org", "password": PASSWORD });
        body[field] = value;
        app.post(REGISTER, body)
    };
    for (field, wrong) in [
        ("full_name", json!("")),
        ("full_name", json!("   ")),
        ("full_name", json!("n".repeat(201))),
        ("full_name", json!("a\0b")),
        ("full_name", json!("a\r\nBcc: bob@example.org")),
        ("full_name", json!("a\u{202e}b")),
        ("full_name", json!(["Ann"])),
        ("locale", json!("not a language")),
        ("locale", json!("")),
        ("locale", json!("../../etc/passwd")),
        ("locale", json!(7)),
    ] {
        let reply = with(field, wrong.clone()).await;
        reply.is(422, "VALIDATION_FAILED");
        assert_eq!(errors(&reply)[0].0, format!("/{field}"), "{wrong}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 0);

    // A language that we have no words in is somebody's language all the same.
    with("locale", json!("tlh")).await.ok(202);
    assert_eq!(app.mails_to("ann@example.org").await, 1);
    with("full_name", json!("\u{1d504}".repeat(200))).await.ok(202);
    let token = app.token_for("ann@example.org").await;
    app.verify(&token).await.ok(200);
    let ann = app.sign_in("ann@example.org").await;
    let me = app.me(&ann).await;
    assert_eq!(me.ok(200).body["full_name"], "\u{1d504}".repeat(200));
}

/// ASVS: V1.3.11
/// Attack: B15, B16
#[tokio::test]
async fn one_person_has_one_address_and_mail_goes_there_only() {
    let app = TestApp::with(&[UNLIMITED]).await;
    for (typed, canonical) in [
        ("  MIKE@Example.ORG ", "mike@example.org"),
        ("ann@B\u{dc}CHER.example", "ann@xn--bcher-kva.example"),
        ("ann@bu\u{308}cher.example", "ann@xn--bcher-kva.example"),
        ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
    ] {
        let reply = app.register(typed, PASSWORD).await;
        assert_eq!(reply.ok(202).body["email"], canonical, "{typed}");
        assert_eq!(app.last_mail(canonical).await.to, [canonical]);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 2);
    let mails = app.mails().await;
    let asked = mails.len();
    assert!(mails.iter().all(|mail| mail.to.len() == 1), "more than one RCPT");

    for wrong in [
        "mi\u{212a}e@example.org",
        "m\u{131}ke@example.org",
        "mi\u{17f}ke@example.org",
        "mike\u{ff20}example.org",
        "mi\u{ad}ke@example.org",
        "mike@example.org\0",
        "mike@p\u{430}ypal.com",
        "mike@example.org,eve@example.net",
        "mike@example.org;eve@example.net",
        "mike@example.org eve@example.net",
        "Mike <mike@example.org>",
        "\"mike@example.org\"@example.net",
        "mike@example.org\r\nBcc: eve@example.net",
        "mike@[192.0.2.1]",
        "mike",
        "",
    ] {
        for path in [REGISTER, "/api/v1/auth/forgot-password", "/api/v1/auth/resend-verification"] {
            let mut body = json!({ "email": wrong });
            if path == REGISTER {
                body["password"] = json!(PASSWORD);
            }
            let reply = app.post(path, body).await;
            reply.is(422, "VALIDATION_FAILED");
            assert_eq!(errors(&reply)[0].0, "/email", "{wrong:?}");
        }
    }
    for list in [json!(["mike@example.org", "eve@example.net"]), json!({ "a": 1 }), Value::Null] {
        let reply = app.post("/api/v1/auth/forgot-password", json!({ "email": list })).await;
        reply.is(422, "VALIDATION_FAILED");
    }
    assert_eq!(app.mails().await.len(), asked, "a wrong address caused a mail");
}

/// ASVS: V2.4.1
/// Attack: B17
#[tokio::test]
async fn nobodys_mailbox_is_filled_by_us_whatever_kind_of_mail() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let email = json!({ "email": "Ann@Example.org" });
    let mut refused = 0;
    for round in 0..12 {
        let path = ["/api/v1/auth/forgot-password", "/api/v1/auth/resend-verification"][round % 2];
        let reply = app.post(path, email.clone()).await;
        if reply.status == 429 {
            reply.is(429, "RATE_LIMIT_EXCEEDED");
            assert!(!reply.header("retry-after").is_empty());
            refused += 1;
        } else {
            reply.ok(202);
        }
    }
    // Five that let somebody in, and as many that prove the address, with that of the registration.
    assert_eq!((app.mails_to("ann@example.org").await, refused), (10, 3));
    // An unknown address has the same budget: the limit tells nothing.
    for round in 0..6 {
        let reply =
            app.post("/api/v1/auth/forgot-password", json!({ "email": "bob@example.org" })).await;
        assert_eq!(reply.status == 429, round == 5);
    }
    app.advance(Duration::from_hours(1));
    app.post("/api/v1/auth/resend-verification", email).await.ok(202);
    assert_eq!(app.mails_to("ann@example.org").await, 11);
}

/// ASVS: V3.5.2
#[tokio::test]
async fn a_form_registers_nobody() {
    let app = TestApp::start().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = app
            .request(Method::POST, REGISTER)
            .header("content-type", kind)
            .body(json!({ "email": "ann@example.org", "password": PASSWORD }).to_string());
        app.send(request).await.is(415, "REQUEST_UNSUPPORTED_MEDIA_TYPE");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 0);
}
