//! Signing in: what each answer tells, what is hashed anew, what is written down, and who waits.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::registration::{UNLIMITED, disable, outside};
use crate::support::marked_secrets::MarkedSecrets;
use crate::support::{PASSWORD, TestApp, wait_until};

const LOGIN: &str = "/api/v1/auth/login";

/// The password of the imported hashes, which other systems made.
const IMPORTED: &str = "correct horse b\u{e4}ttery staple";

const HASHES: [&str; 6] = [
    "$2a$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey",
    "$2b$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey",
    "$scrypt$ln=10,r=8,p=2$AQIDBAUGBwgJCgsMDQ4PEA$KUhIiL+RE/eOlJQ1GZI01cNW00CY05WvCOWtyPAjyWw",
    "$pbkdf2-sha256$i=1000,l=32$AQIDBAUGBwgJCgsMDQ4PEA$OvME021j7Fty1D41tZD/pmv2yWb+zYx6gMwS9KajaC8",
    "pbkdf2_sha256$1000$s4ltOfDjangoXy$ErOSEK6KegWNY9D6cx4tEHKcEE+pHa/0zHIfxMZtYQA=",
    "$argon2i$v=19$m=64,t=2,p=2$AQIDBAUGBwgJCgsMDQ4PEA$ZuJDs+71y9iHjRYd6wjYILMl1SxvPImCS5kcNPJdMsM",
];

/// A hash that takes half a second, of a password that nobody has.
const SLOW: &str = "$argon2id$v=19$m=8192,t=120,p=1$AQIDBAUGBwgJCgsMDQ4PEA$OvME021j7Fty1D41tZD/pmv2yWb+zYx6gMwS9KajaC8";

/// How long a test waits for what a hashing thread does.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gives an account the hash that another system made of its password.
pub(crate) async fn import_hash(app: &TestApp, email: &str, hash: &str) {
    let mut tx = app.app.store.write().await.unwrap();
    tx.query("UPDATE users SET password_hash = $2 WHERE email = $1")
        .bind(email.to_owned())
        .bind(hash.to_owned())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn stored_hash(app: &TestApp, email: &str) -> String {
    let mut tx = app.app.store.read().await.unwrap();
    let asked = tx.query("SELECT password_hash FROM users WHERE email = $1").bind(email.to_owned());
    asked.one::<(String,)>().await.unwrap().0
}

/// ASVS: V6.3.8
/// Attack: A08, A10
#[tokio::test]
async fn only_who_knows_the_password_learns_anything_about_an_account() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    app.register("unverified@example.org", PASSWORD).await.ok(202);
    let disabled = app.sign_up("disabled@example.org").await;
    disable(&app, &disabled).await;

    let unknown = app.log_in("unknown@example.org", "battery staple").await;
    unknown.is(401, "AUTH_INVALID_CREDENTIALS");
    for known in ["ann@example.org", "unverified@example.org", "disabled@example.org"] {
        let wrong = app.log_in(known, "battery staple").await;
        assert_eq!(outside(&wrong), outside(&unknown), "{known}");
        assert_eq!(wrong.text.len(), unknown.text.len(), "{known}");
    }
    app.log_in("unverified@example.org", PASSWORD).await.is(403, "AUTH_EMAIL_NOT_VERIFIED");
    app.log_in("disabled@example.org", PASSWORD).await.is(403, "AUTH_ACCOUNT_DISABLED");
    assert_eq!(
        app.events().await[app.events().await.len() - 6..],
        [
            "LOGIN_FAILED/email_not_found",
            "LOGIN_FAILED/wrong_password",
            "LOGIN_FAILED/no_password_set",
            "LOGIN_FAILED/wrong_password",
            "LOGIN_FAILED/email_unverified",
            "LOGIN_FAILED/account_disabled",
        ]
    );
}

/// ASVS: V11.2.2
#[tokio::test]
async fn a_hash_at_another_cost_is_replaced_at_the_next_sign_in() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let cheap = stored_hash(&app, "ann@example.org").await;
    assert!(cheap.starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{cheap}");

    app.log_in("ann@example.org", PASSWORD).await.ok(200);
    assert_eq!(stored_hash(&app, "ann@example.org").await, cheap, "nothing to do");

    let dearer = [("password.hash_memory_kib", "64"), ("password.hash_iterations", "2")];
    let other = app.second_node(&dearer).await;
    other.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(stored_hash(&app, "ann@example.org").await, cheap, "only the right password may");
    other.log_in("ann@example.org", PASSWORD).await.ok(200);
    let dear = stored_hash(&app, "ann@example.org").await;
    assert!(dear.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{dear}");
    app.log_in("ann@example.org", PASSWORD).await.ok(200);
    other.log_in("ann@example.org", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn passwords_that_another_system_hashed_work_and_are_hashed_anew() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    for hash in HASHES {
        import_hash(&app, "ann@example.org", hash).await;
        app.log_in("ann@example.org", "correct horse battery staple")
            .await
            .is(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(stored_hash(&app, "ann@example.org").await, hash);
        app.log_in("ann@example.org", IMPORTED).await.ok(200);
        let ours = stored_hash(&app, "ann@example.org").await;
        assert!(ours.starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{hash} became {ours}");
        app.log_in("ann@example.org", IMPORTED).await.ok(200);
    }
    import_hash(&app, "ann@example.org", "5f4dcc3b5aa765d61d8327deb882cf99").await;
    app.log_in("ann@example.org", "password").await.is(401, "AUTH_INVALID_CREDENTIALS");
}

/// Each finds the password changed by the others' new hash, which is no reason to refuse it.
#[tokio::test(flavor = "multi_thread")]
async fn many_devices_sign_in_at_once_although_the_hash_is_due() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    for hash in HASHES {
        import_hash(&app, "ann@example.org", hash).await;
        for reply in join_all((0..8).map(|_| app.log_in("ann@example.org", IMPORTED))).await {
            reply.ok(200);
        }
    }
}

#[tokio::test]
async fn a_session_knows_from_where_and_with_what_it_was_opened() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    let list = app.get_as(&ann, "/api/v1/sessions").await;
    let session = &list.ok(200).body["items"][0];
    assert_eq!(session["ip_address"], "127.0.0.1");
    assert_eq!(session["device"], "Firefox on Linux");
    assert!(session["user_agent"].as_str().unwrap().starts_with("Mozilla/5.0 (X11; Linux"));
    assert_eq!((&session["is_current"], &session["amr"]), (&json!(true), &json!(["pwd"])));
}

/// Attack: K09, J09
#[tokio::test]
async fn no_user_agent_keeps_anybody_out() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@example.org").await;
    for agent in
        [&b"x"[..], &[b'a'; 9000], b"\xff\xfe\xfd", b"", b"a\tb", "\u{202e}evil".as_bytes()]
    {
        let body = json!({ "email": "ann@example.org", "password": PASSWORD });
        let value = reqwest::header::HeaderValue::from_bytes(agent).unwrap();
        let request = app.request(Method::POST, LOGIN).header("user-agent", value).json(&body);
        app.send(request).await.ok(200);
    }
    let longest = app.count("SELECT CAST(MAX(LENGTH(user_agent)) AS BIGINT) FROM sessions").await;
    assert!(longest <= 512, "{longest}");
}

/// ASVS: V6.3.1, V2.4.1
/// Attack: A01, A03
#[tokio::test]
async fn ten_guesses_is_all_there_is_wherever_they_are_made() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    app.log_in("ann@example.org", "battery staple").await.is(401, "AUTH_INVALID_CREDENTIALS"); // one
    let wrong = "battery staple";
    for typed in ["ann@example.org", " Ann@Example.org", "ANN@EXAMPLE.ORG"] {
        app.log_in(typed, wrong).await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
    for _ in 0..3 {
        let body = json!({ "current_password": wrong, "new_password": "seven herons under glass" });
        let reply = app.post_as(&ann, "/api/v1/auth/change-password", body).await;
        reply.is(400, "AUTH_PASSWORD_MISMATCH");
        let body = json!({ "new_email": "eve@example.org", "password": wrong });
        let reply = app.post_as(&ann, "/api/v1/users/me/email", body).await;
        reply.is(400, "AUTH_PASSWORD_MISMATCH");
    }

    let change = json!({ "current_password": wrong, "new_password": "seven herons under glass" });
    let email = json!({ "new_email": "eve@example.org", "password": wrong });
    for reply in [
        app.log_in("ann@example.org", PASSWORD).await,
        app.post_as(&ann, "/api/v1/auth/change-password", change).await,
        app.post_as(&ann, "/api/v1/users/me/email", email).await,
    ] {
        reply.is(429, "RATE_LIMIT_EXCEEDED");
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(reply.body["retry_after"], wait);
        assert_eq!(
            (&reply.body["limit"], &reply.body["window_seconds"]),
            (&json!(10), &json!(14400))
        );
        let all = |name: &str| {
            let values = reply.headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(", ")
        };
        let policy = "\"password-per-account\";q=10;w=14400";
        assert!(all("ratelimit-policy").contains(policy), "{reply:?}");
        assert!(all("ratelimit").contains(&format!("\"password-per-account\";r=0;t={wait}")));
    }
    // Whoever waits may try again, and whoever knows it is not counted; others are not shut out at all.
    app.open_account("bob@example.org").await;
    app.sign_in("bob@example.org").await;
    app.advance(Duration::from_mins(1));
    app.log_in("ann@example.org", PASSWORD).await.ok(200);
    app.log_in("ann@example.org", PASSWORD).await.ok(200);
}

/// Attack: A02
#[tokio::test]
async fn no_header_makes_another_client_of_anybody() {
    let app = TestApp::start().await;
    for n in 0..22_u8 {
        let (one, other) = (format!("192.0.2.{n}"), format!("2001:db8:{n:x}::1"));
        let body = json!({ "email": format!("user{n}@example.org"), "password": "battery staple" });
        let request = app
            .request(Method::POST, LOGIN)
            .header("x-forwarded-for", if n % 3 == 0 { "" } else { &one })
            .header("x-forwarded-for", &other)
            .header("x-real-ip", &one)
            .header("forwarded", format!("for=\"[{other}]\""))
            .json(&body);
        let reply = app.send(request).await;
        assert_eq!(reply.status == 429, n >= 20, "{n}: {reply:?}");
    }
    let told = app.count("SELECT COUNT(*) FROM audit_events WHERE ip_address <> '127.0.0.1'").await;
    assert_eq!(told, 0, "the audit trail believed a header");
}

/// Attack: A04
/// ASVS: V2.3.2
#[tokio::test(flavor = "multi_thread")]
async fn guesses_made_at_once_are_counted_before_they_are_judged() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let replies = join_all((0..19).map(|_| app.log_in("ann@example.org", "battery staple"))).await;
    let judged = replies.iter().filter(|reply| reply.status == 401).count();
    let refused = replies.iter().filter(|reply| reply.status == 429).count();
    assert_eq!((judged, refused), (10, 9));
}

/// Attack: K02
/// ASVS: V15.2.2, V15.4.4
#[tokio::test(flavor = "multi_thread")]
async fn too_many_sign_ins_are_shed_and_nobody_else_waits() {
    let app = TestApp::with(&[
        UNLIMITED,
        ("password.hash_workers", "1"),
        ("password.hash_memory_kib", "19456"),
        ("password.hash_iterations", "4"),
        ("password.hash_max_wait", "500ms"),
    ])
    .await;
    let ann = app.sign_up("ann@example.org").await;
    let flood = join_all((0..48).map(|_| app.log_in("ann@example.org", PASSWORD)));
    let meanwhile = async {
        for _ in 0..10 {
            app.me(&ann).await.ok(200);
        }
    };
    let (replies, ()) = tokio::join!(flood, meanwhile);
    let mut shed = 0;
    for reply in &replies {
        if reply.status == 503 {
            reply.is(503, "SERVICE_OVERLOADED");
            let wait: u64 = reply.header("retry-after").parse().unwrap();
            assert!(wait >= 1, "{reply:?}");
            shed += 1;
        } else {
            reply.ok(200);
        }
    }
    assert!(shed > 0 && shed < replies.len(), "{shed} of {} were shed", replies.len());
}

/// Attack: K02
/// ASVS: V15.2.2
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_shed_has_cost_nothing() {
    // As many hashes as a registration and three sign-ins cost.
    let settings = [
        ("rate_limit.hashes_per_site", "8/1m"),
        ("password.hash_workers", "1"),
        ("password.hash_max_wait", "10ms"),
    ];
    let app = TestApp::with(&settings).await;
    let ann = app.sign_up("ann@example.org").await;
    let slow = || {
        let passwords = app.app.passwords.clone();
        tokio::spawn(async move { passwords.verify(&PASSWORD.into(), Some(SLOW)).await })
    };
    // From now on a hash takes long, as far as the queue knows.
    slow().await.unwrap().unwrap();
    let written = "SELECT (SELECT COUNT(*) FROM audit_events) + (SELECT COUNT(*) FROM mail_messages) \
                   + (SELECT COUNT(*) FROM password_failures)";
    let before = app.count(written).await;

    let busy = slow();
    wait_until("a hash is made", PATIENCE, async || {
        (app.app.passwords.stats().busy == 1).then_some(())
    })
    .await;
    for _ in 0..4 {
        app.log_in("ann@example.org", PASSWORD).await.is(503, "SERVICE_OVERLOADED");
        app.register("ben@example.org", PASSWORD).await.is(503, "SERVICE_OVERLOADED");
        let change =
            json!({ "current_password": PASSWORD, "new_password": "another horse and battery" });
        let shown_again = app.post_as(&ann, "/api/v1/auth/change-password", change).await;
        shown_again.is(503, "SERVICE_OVERLOADED");
    }
    assert_eq!(app.count(written).await, before);
    busy.await.unwrap().unwrap();

    app.log_in("ann@example.org", PASSWORD).await.ok(200);
    app.log_in("ann@example.org", PASSWORD).await.ok(200);
    app.log_in("ann@example.org", PASSWORD).await.is(429, "RATE_LIMIT_EXCEEDED");
}

/// Attack: D14
#[tokio::test]
async fn nothing_that_a_client_keeps_secret_is_found_in_the_database() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let mut secrets = MarkedSecrets::default();
    let (first, second) = (secrets.mark("a password"), secrets.mark("a new password"));
    let wrong = secrets.mark("a wrong password");
    let typed = "who-is-this-stranger@nowhere.example.net";
    secrets.add("an address that nobody has", typed);

    app.register("ann@example.org", &first).await.ok(202);
    let verify = app.token_for("ann@example.org").await;
    secrets.add("a verification token", &verify);
    app.verify(&verify).await.ok(200);
    let pair = app.log_in("ann@example.org", &first).await;
    let ann = crate::support::Person::from_pair(&pair.ok(200).body);
    let pair = app.refresh(&ann.refresh).await;
    let fresh = crate::support::Person::from_pair(&pair.ok(200).body);
    for token in [&ann, &fresh] {
        secrets.add("a refresh token", &token.refresh);
        secrets.add("an access token", &token.access);
    }
    for (email, password) in [("ann@example.org", wrong.as_str()), (typed, wrong.as_str())] {
        app.log_in(email, password).await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
    for path in ["/api/v1/auth/forgot-password", "/api/v1/auth/resend-verification"] {
        app.post(path, json!({ "email": typed })).await.ok(202);
    }
    app.post("/api/v1/auth/forgot-password", json!({ "email": "ann@example.org" })).await.ok(202);
    // Before the mail is sent its variables are in the database, sealed.
    secrets.assert_absent(&everything(&app).await);
    let reset = app.token_for("ann@example.org").await;
    secrets.add("a reset token", &reset);
    let body = json!({ "token": reset, "new_password": second });
    app.post("/api/v1/auth/reset-password", body).await.ok(204);
    app.refresh(&fresh.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.log_in("ann@example.org", &second).await.ok(200);

    let all = everything(&app).await;
    assert!(all.contains("LOGIN_FAILED") && all.contains("$argon2id$"), "the dump is a dump");
    secrets.assert_absent(&all);
}

/// Returns all tables as text, with bytes in hex.
async fn everything(app: &TestApp) -> String {
    const TABLES: [[&str; 2]; 8] = [
        [
            "SELECT hex(id) || email || COALESCE(password_hash, '') || COALESCE(full_name, '') FROM users",
            "SELECT CAST(t AS TEXT) FROM users AS t",
        ],
        [
            "SELECT amr || ip_address || user_agent || device || COALESCE(end_reason, '') FROM sessions",
            "SELECT CAST(t AS TEXT) FROM sessions AS t",
        ],
        [
            "SELECT hex(token_hash) || hex(session_id) FROM refresh_tokens",
            "SELECT CAST(t AS TEXT) FROM refresh_tokens AS t",
        ],
        [
            "SELECT hex(token_hash) || purpose || COALESCE(email, '') FROM link_tokens",
            "SELECT CAST(t AS TEXT) FROM link_tokens AS t",
        ],
        [
            "SELECT kind || recipient || COALESCE(hex(variables), '') || message_id
                    || COALESCE(last_reply, '') FROM mail_messages",
            "SELECT CAST(t AS TEXT) FROM mail_messages AS t",
        ],
        [
            "SELECT code || COALESCE(reason, '') || COALESCE(hex(email_hash), '') || data
                    || COALESCE(user_agent, '') || COALESCE(request_id, '') FROM audit_events",
            "SELECT CAST(t AS TEXT) FROM audit_events AS t",
        ],
        [
            "SELECT kid || hex(private_key) FROM signing_keys",
            "SELECT CAST(t AS TEXT) FROM signing_keys AS t",
        ],
        ["SELECT name || hex(sealed) FROM secrets", "SELECT CAST(t AS TEXT) FROM secrets AS t"],
    ];
    let mut all = String::new();
    for [sqlite, postgres] in TABLES {
        let mut tx = app.app.store.read().await.unwrap();
        let rows: Vec<(String,)> = tx.query(onesql::Sql { sqlite, postgres }).all().await.unwrap();
        for (row,) in rows {
            all.push_str(&row);
            all.push('\n');
        }
    }
    if !crate::support::app::on_postgres() {
        for file in std::fs::read_dir(app.folder()).unwrap() {
            let path = file.unwrap().path();
            if path.to_string_lossy().contains("authshield.db") {
                all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
    }
    all
}
