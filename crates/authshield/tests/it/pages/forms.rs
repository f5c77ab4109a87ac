//! Whose forms count, and whose cookie it is.

use std::time::Duration;

use authshield::kernel::BrowserToken;
use authshield::world::Sandbox;
use onesql::Sql;
use reqwest::{Method, header};
use serde_json::json;

use crate::pages::{ANN, Browser, OTHER, form, hidden};
use crate::registration::{UNLIMITED, disable};
use crate::seals::execute;
use crate::support::{PASSWORD, TestApp};

/// Every form that somebody sends who is signed in.
const GUARDED: [&str; 13] = [
    "/sign-out",
    "/account/profile",
    "/account/sessions/end",
    "/account/sessions/end-others",
    "/account/prove",
    "/account/password",
    "/account/second-factor/add",
    "/account/second-factor/confirm",
    "/account/second-factor/recovery-codes",
    "/account/second-factor/remove",
    "/account/data/export",
    "/account/data/delete",
    "/account/data/keep",
];

/// Attack: D09, J03
/// ASVS: V3.5.1, V7.6.2
#[tokio::test]
async fn forms_of_other_pages_do_nothing() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account(ANN).await;
    let mut ann = Browser::enter(&app, ANN).await;
    let guard = hidden(&ann.see("/account").await, "guard");
    let cookie = ann.cookie.clone().unwrap();
    let (origin, events) = (app.base.clone(), app.events().await);
    let host = origin.split("://").nth(1).unwrap();
    let (evil, other_port) = (format!("{origin}.evil.example"), "http://127.0.0.1:1".to_owned());
    let secure = format!("https://{host}");
    let fields = [
        ("guard", guard.as_str()),
        ("email", ANN),
        ("password", PASSWORD),
        ("ticket", "x"),
        ("code", "x"),
    ];
    let open = [
        ("/sign-in", &fields[1..3]),
        ("/sign-in/second-factor", &fields[3..]),
        ("/sign-in/enrol", &fields[3..]),
        ("/sign-in/resend-verification", &fields[1..2]),
        ("/register", &fields[1..3]),
        ("/forgot-password", &fields[1..2]),
    ];
    let guarded = GUARDED.map(|path| (path, &fields[..1]));
    for (path, fields) in open.into_iter().chain(guarded) {
        for (site, from) in [
            (Some("cross-site"), Some(&origin)),
            (Some("same-site"), Some(&origin)),
            (Some("none"), None),
            (Some("cross-site"), None),
            (None, None),
            (None, Some(&"null".to_owned())),
            (None, Some(&evil)),
            (None, Some(&other_port)),
            (None, Some(&secure)),
        ] {
            let mut request = form(&app, path, fields).header(header::COOKIE, &cookie);
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            if let Some(from) = from {
                request = request.header(header::ORIGIN, from);
            }
            let reply = app.send(request).await;
            reply.page(403, "This form is out of date");
        }
        for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
            let request = app.request(Method::POST, path).header("sec-fetch-site", "same-origin");
            let request =
                request.header(header::CONTENT_TYPE, kind).header(header::COOKIE, &cookie);
            let reply = app.send(request.body("guard=x")).await;
            assert_eq!(reply.status.as_u16(), 415, "{path} {kind}: {reply:?}");
        }
    }
    // From our own page, but not one that was shown in this session.
    app.open_account("eve@example.org").await;
    let mut eve = Browser::enter(&app, "eve@example.org").await;
    let of_eve = hidden(&eve.see("/account").await, "guard");
    let since = app.events().await.len();
    let id = "018f0000-0000-7000-8000-000000000000";
    for path in GUARDED {
        for guard in ["", "x", &of_eve, &guard[1..], cookie.split('=').nth(1).unwrap()] {
            let mut fields = vec![("guard", guard)];
            match path {
                "/account/profile" => fields.extend([("full_name", "Eve"), ("locale", "en")]),
                "/account/sessions/end" => fields.push(("session", id)),
                "/account/prove" => fields.extend([("then", "data"), ("password", PASSWORD)]),
                "/account/password" => {
                    fields.extend([("current_password", PASSWORD), ("new_password", OTHER)]);
                }
                "/account/second-factor/add" => fields.push(("password", PASSWORD)),
                "/account/second-factor/confirm" => fields.push(("code", "123456")),
                path if path.starts_with("/account/second-factor/") => {
                    fields.extend([("password", PASSWORD), ("code", "123456")]);
                }
                _ => {}
            }
            ann.send(path, &fields).await.looks(403, "This form is out of date");
        }
        ann.send(path, &[]).await.looks(422, "We did not understand that");
        app.send(form(&app, path, &[("guard", &guard)]).header("sec-fetch-site", "same-origin"))
            .await
            .leads_to("/sign-in");
    }
    assert_eq!(app.events().await.len(), since);
    assert_eq!(app.events().await[..events.len()], events);
    // Those of a browser that says less are taken, where the origin is ours.
    let request = form(&app, "/sign-out", &[("guard", &guard)]).header(header::COOKIE, &cookie);
    app.send(request.header(header::ORIGIN, &origin)).await.looks(200, "You are signed out");
    // A GET does nothing, whoever asks.
    for path in GUARDED {
        let status = eve.see(path).await.status.as_u16();
        let shown = [200, 303].contains(&status) && !path.contains("/data/");
        assert!(shown || status == 405, "{path}: {status}");
    }
    assert_eq!(app.events().await.last().unwrap(), "LOGOUT", "that of the origin that is ours");
    eve.see("/account").await.looks(200, "eve@example.org");
}

/// Attack: D05, D08
/// ASVS: V3.3.3, V7.2.1, V7.3.1, V7.3.2, V7.4.2, V7.4.3
#[tokio::test]
async fn a_cookie_is_ours_alone_and_ends_with_its_session() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up(ANN).await;
    // What a browser brings is never made its own, and never more than one.
    let made = BrowserToken::new(&Sandbox::default());
    let cookie = Some(format!("authshield={}", made.reveal()));
    let mut planted = Browser { app: &app, cookie };
    let before = planted.cookie.clone();
    planted.sign_in(ANN, PASSWORD).await.leads_to("/account");
    assert_ne!(planted.cookie, before);
    Browser { app: &app, cookie: before.clone() }.is_out().await;
    // What others put beside it may be anything.
    let beside = [planted.cookie.clone().unwrap().as_bytes(), b"; x=J\xfcrgen"].concat();
    let beside = app.request(Method::GET, "/account").header(header::COOKIE, beside);
    app.send(beside).await.looks(200, ANN);
    let ours = planted.cookie.clone().unwrap();
    let other = if ours.ends_with('x') { 'y' } else { 'x' };
    for brought in [
        format!("{ours}; {}", before.unwrap()),
        format!("{ours}; {ours}"),
        format!("{}{other}", &ours[..ours.len() - 1]),
        ours.replace("authshield=", "__Host-authshield="),
        ours.replace("asb_", "asr_"),
        format!("authshield={}", ann.refresh),
        format!("authshield={}", ann.access),
    ] {
        Browser { app: &app, cookie: Some(brought) }.is_out().await;
    }
    // It opens no API, and a token opens no page.
    let token = ours.split('=').nth(1).unwrap();
    let me = |request: reqwest::RequestBuilder| app.send(request);
    let api = app.request(Method::GET, "/api/v1/users/me");
    me(api.header(header::COOKIE, &ours)).await.is(401, "AUTH_TOKEN_MISSING");
    let api = app.request(Method::GET, "/api/v1/users/me");
    me(api.bearer_auth(token)).await.is(401, "AUTH_TOKEN_INVALID");
    app.refresh(token).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.get_as(&ann, "/account").await.leads_to("/sign-in");

    // Ended from afar, on another node, by a new password, by an administrator, by time.
    let node = app.second_node(&[UNLIMITED]).await;
    let mut elsewhere = Browser { app: &node, cookie: planted.cookie.clone() };
    elsewhere.see("/account").await.looks(200, ANN);
    app.post_as(&ann, "/api/v1/auth/logout-all", json!({})).await.ok(204);
    elsewhere.is_out().await;
    planted.is_out().await;
    let ann = app.sign_in(ANN).await;
    let mut browser = Browser::enter(&app, ANN).await;
    let new = OTHER;
    let change = json!({ "current_password": PASSWORD, "new_password": new });
    app.post_as(&ann, "/api/v1/auth/change-password", change).await.ok(204);
    browser.is_out().await;
    browser.sign_in(ANN, new).await.leads_to("/account");
    for _ in 0..4 {
        app.advance(Duration::from_hours(6 * 24));
        browser.see("/account").await.looks(200, ANN);
    }
    app.advance(Duration::from_hours(6 * 24 + 1));
    browser.is_out().await;
    browser.sign_in(ANN, new).await.leads_to("/account");
    app.advance(Duration::from_hours(7 * 24));
    browser.is_out().await;
    browser.sign_in(ANN, new).await.leads_to("/account");
    disable(&app, &ann).await;
    browser.is_out().await;
    browser.sign_in(ANN, new).await.looks(403, "was disabled");
    let dump = app.count("SELECT COUNT(*) FROM browser_sessions").await;
    assert!(dump >= 5, "{dump}");
}

const NO_COOKIE: Sql = Sql {
    sqlite: "CREATE TRIGGER never BEFORE INSERT ON browser_sessions
             BEGIN SELECT RAISE(ABORT, 'not now'); END",
    postgres: "ALTER TABLE browser_sessions ADD CONSTRAINT never CHECK (created_at IS NULL) NOT VALID",
};

/// What was done stays done, and a cookie that was good for less is good for nothing.
#[tokio::test]
async fn a_cookie_that_cannot_be_replaced_is_dead_all_the_same() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account(ANN).await;
    let mut ann = Browser::enter(&app, ANN).await;
    let mut stolen = Browser { app: &app, cookie: ann.cookie.clone() };
    let guard = hidden(&ann.see("/account/password").await, "guard");
    execute(&app.app.store, NO_COOKIE).await;
    let fields = [("guard", &*guard), ("current_password", PASSWORD), ("new_password", OTHER)];
    ann.send("/account/password", &fields).await.ok(303);
    ann.is_out().await;
    stolen.is_out().await;
    app.log_in(ANN, PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.log_in(ANN, OTHER).await.ok(200);
}

/// ASVS: V3.3.1, V3.3.3
#[tokio::test]
async fn over_https_no_other_host_sets_the_cookie() {
    let app = TestApp::with(&[("public_url", "https://id.example.org/sso")]).await;
    app.open_account(ANN).await;
    let fields = [("email", ANN), ("password", PASSWORD)];
    let from = |origin: &str| form(&app, "/sign-in", &fields).header(header::ORIGIN, origin);
    app.send(from("https://id.example.org:8443")).await.page(403, "This form is out of date");
    let entered = app.send(from("https://id.example.org")).await;
    entered.ok(303);
    assert_eq!(entered.header("location"), "/sso/account?lang=en");
    let set = entered.header("set-cookie");
    assert!(set.starts_with("__Host-authshield=asb_"), "{set}");
    assert!(set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
    let pair = set.split(';').next().unwrap();
    let see = |cookie: &str| app.request(Method::GET, "/account").header(header::COOKIE, cookie);
    app.send(see(pair)).await.looks(200, "action=\"/sso/sign-out?lang=en\"");
    app.send(see(&pair.replace("__Host-", ""))).await.ok(303);
}
