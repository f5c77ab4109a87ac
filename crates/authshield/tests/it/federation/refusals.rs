//! What a provider, a browser or a stranger may not do.

use std::time::Duration;

use authshield::world::World;
use futures_util::future::join_all;
use serde_json::json;

use super::hostile::{Behaviour, Hostile};
use super::*;
use crate::passkeys::add_this;
use crate::support::detection::Fault;
use crate::support::passkey::SoftPasskey;
use crate::support::{PASSWORD, claims};

pub(super) async fn start() -> (Hostile, TestApp) {
    let hostile = Hostile::start().await;
    let (a, b) = (hostile.issuer("a"), hostile.issuer("b"));
    let app = service(&[
        ("oauth.timeout", "1s"),
        ("oauth_oidc.name", "acme"),
        ("oauth_oidc.issuer", &a),
        ("oauth_oidc.client_id", "us"),
        ("oauth_oidc.client_secret", "tarragon-41-kettle"),
        ("oauth_oidc2.name", "staff"),
        ("oauth_oidc2.issuer", &b),
        ("oauth_oidc2.client_id", "us"),
        ("oauth_oidc2.client_secret", "tarragon-41-kettle"),
        ("oauth_oidc2.email_domains", "staff.example.org"),
    ])
    .await;
    (hostile, app)
}

/// Of whom the provider says the truth.
pub(super) fn ann() -> Value {
    json!({ "sub": "7", "email": "ann@example.org", "email_verified": true })
}

pub(super) async fn last_refusal(app: &TestApp) -> String {
    let events = app.events().await;
    let refusal = events.iter().rev().find_map(|event| event.strip_prefix("FEDERATION_REFUSED/"));
    refusal.unwrap_or_default().to_owned()
}

/// How many events there are of refusals.
async fn refusals(app: &TestApp) -> i64 {
    app.count("SELECT COUNT(*) FROM audit_events WHERE code = 'FEDERATION_REFUSED'").await
}

/// What a provider says of itself makes nobody speak for another, and leads nowhere inside nor into the clear.
async fn misplaced(hostile: &Hostile, app: &TestApp) {
    for (says, reason) in [
        (json!({ "issuer": hostile.issuer("b") }), "other_issuer"),
        (json!({ "jwks_uri": "http://169.254.169.254/keys" }), "inner_address"),
        (json!({ "token_endpoint": "http://[::ffff:10.0.0.1]/token" }), "inner_address"),
        (json!({ "userinfo_endpoint": "ftp://127.0.0.1/" }), "not_https"),
    ] {
        let fault = Fault::injected(28, "the provider publishes what it must not");
        hostile.behaves(Behaviour { discovery: says, ..Behaviour::default() });
        let away = Browser::default().ask(app, &door("acme", &[])).await;
        away.is(503, "OAUTH_PROVIDER_UNAVAILABLE");
        assert_eq!(last_refusal(app).await, reason);
        fault.found_by(&format!("FEDERATION_REFUSED {reason}"));
        app.advance(Duration::from_secs(6));
    }
}

/// Attack: G02, G03, G05
/// ASVS: V1.3.6, V6.8.2, V6.8.4, V7.6.1, V10.2.2, V10.5.1, V10.5.3, V10.5.4, V15.3.2
#[tokio::test]
async fn g02_g03_g05_what_a_provider_must_not_say_signs_nobody_in() {
    let (hostile, app) = start().await;
    app.open_account("local@example.org").await;

    // Down before anybody knew where it is: the local password works.
    hostile.behaves(Behaviour { is_down: true, ..Behaviour::default() });
    let mut browser = Browser::default();
    for _ in 0..2 {
        let down = browser.ask(&app, &door("acme", &[])).await;
        down.is(503, "OAUTH_PROVIDER_UNAVAILABLE");
        assert_eq!(down.header("retry-after"), "5");
    }
    app.log_in("local@example.org", PASSWORD).await.ok(200);
    app.advance(Duration::from_secs(6));
    misplaced(&hostile, &app).await;
    // Keys that do not come are waited for once, and not by one browser after the other.
    hostile.behaves(Behaviour { keeps_keys: true, ..Behaviour::default() });
    let told = (0..4).map(|_| async { Browser::default().sign_in(&app, "acme").await.error });
    for error in join_all(told).await {
        assert_eq!(error.as_deref(), Some("temporarily_unavailable"));
    }
    assert_eq!((hostile.asked_for_keys(), &*last_refusal(&app).await), (1, "timeout"));
    app.advance(Duration::from_secs(6));
    hostile.vouches_for(ann());
    let person = enter_as(&app, "", "acme").await;

    let claim = |claims: Value| Behaviour { claims, ..Behaviour::default() };
    let head = |header: Value| Behaviour { header, claims: ann(), ..Behaviour::default() };
    let says = |status, kind, body: &str| Behaviour {
        answers: Some((status, kind, body.to_owned())),
        ..Behaviour::default()
    };
    let comes_back = |callback: Value| Behaviour { callback, ..Behaviour::default() };
    let (json, broken) = ("application/json", "temporarily_unavailable");
    let large = format!("{{\"id_token\":\"{}\"}}", "x".repeat(300_000));
    for (behaviour, error, reason) in [
        (claim(json!({ "nonce": "another" })), "server_error", "wrong_nonce"),
        (claim(json!({ "aud": "somebody else" })), "server_error", "wrong_aud"),
        (claim(json!({ "iss": hostile.issuer("b") })), "server_error", "wrong_iss"),
        (claim(json!({ "exp": 1 })), "server_error", "expired"),
        (claim(json!({ "sub": ["7"] })), "server_error", "wrong_type"),
        (head(json!({ "alg": "none" })), "server_error", "wrong_alg"),
        (head(json!({ "alg": "HS256" })), "server_error", "wrong_alg"),
        (head(json!({ "alg": "RS256" })), "server_error", "wrong_alg"),
        (head(json!({ "kid": "made up" })), "server_error", "unknown_key"),
        (head(json!({ "crit": ["b64"], "b64": false })), "server_error", "malformed"),
        (Behaviour { forges: true, ..claim(ann()) }, "server_error", "wrong_signature"),
        (Behaviour { userinfo: json!({ "sub": "8" }), ..claim(json!({})) }, broken, "other_sub"),
        (says(200, json, "{}"), broken, "malformed"),
        (says(200, json, &large), broken, "too_large"),
        (says(200, "text/html", "<h1>Maintenance</h1>"), broken, "not_json"),
        (says(400, json, r#"{"error":"invalid_grant"}"#), broken, "refused"),
        (says(401, json, r#"{"error":"invalid_client"}"#), broken, "refused"),
        (says(307, json, "{}"), broken, "redirected"),
        (says(500, "text/plain", "secret words"), broken, "failed"),
        (Behaviour { is_silent: true, ..Behaviour::default() }, broken, "timeout"),
        (comes_back(json!({ "iss": hostile.issuer("b") })), "server_error", "other_issuer"),
        (comes_back(json!({ "iss": null })), "server_error", "no_iss"),
        (comes_back(json!({ "code": null })), "server_error", "no_code"),
        (comes_back(json!({ "error": "access_denied" })), "access_denied", "access_denied"),
        (comes_back(json!({ "error": "<script>" })), "server_error", "other_error"),
    ] {
        // What it answers to who has another client secret.
        let fault = matches!(&behaviour.answers, Some((401, ..)))
            .then(|| Fault::injected(27, "the client secret is wrong"));
        hostile.behaves(behaviour);
        let before = refusals(&app).await;
        let told = Browser::default().sign_in(&app, "acme").await;
        assert_eq!((told.error.as_deref(), told.code), (Some(error), None), "{reason}");
        assert_eq!(last_refusal(&app).await, reason);
        assert_eq!(refusals(&app).await, before + 1, "{reason}: one event");
        if let Some(fault) = fault {
            fault.found_by(&format!("FEDERATION_REFUSED {reason}"));
        }
    }
    app.log_in("local@example.org", PASSWORD).await.ok(200);

    // It changes its keys: they are asked for again, but not by everybody who makes one up.
    let fault = Fault::injected(28, "the provider changes its keys");
    hostile.changes_keys();
    hostile.vouches_for(ann());
    let told = Browser::default().sign_in(&app, "acme").await;
    assert_eq!(told.error.as_deref(), Some("server_error"));
    fault.found_by(&format!("FEDERATION_REFUSED {}", last_refusal(&app).await));
    app.advance(Duration::from_secs(11));
    assert_eq!(enter_as(&app, "", "acme").await.id, person.id);
    let asked = hostile.asked_for_keys();
    hostile.behaves(head(json!({ "kid": "made up" })));
    for _ in 0..3 {
        Browser::default().sign_in(&app, "acme").await;
    }
    assert_eq!(hostile.asked_for_keys(), asked);

    // How long ago whoever it is signed in there is what our token says, and can be demanded.
    let now = app.world.now().as_second();
    let with = |age: i64| {
        let mut claims = ann();
        claims["auth_time"] = json!(now - age);
        claims
    };
    hostile.vouches_for(with(3000));
    let pair = enter_as(&app, "", "acme").await;
    assert_eq!(claims(&pair.access)["auth_time"], now - 3000);
    let demanding = door("acme", &[("max_age", "300")]);
    let back = Browser::default().go(&app, &demanding, APPLICATION).await.unwrap();
    assert_eq!(Told::read(&back).error.as_deref(), Some("server_error"));
    hostile.vouches_for(with(30));
    let back = Browser::default().go(&app, &demanding, APPLICATION).await.unwrap();
    assert!(Told::read(&back).code.is_some());
}

/// Attack: G01, G03, G08, J06
/// ASVS: V2.3.1, V3.3.1, V3.3.2, V3.3.3, V10.1.2, V10.2.1, V10.4.2, V10.4.3, V10.4.6, V15.3.7, V16.3.3
#[tokio::test]
async fn g01_a_sign_in_ends_once_where_it_began_and_its_code_is_for_who_began_it() {
    let (hostile, app) = start().await;
    hostile.vouches_for(ann());
    let callback = format!("{PUBLIC}/api/v1/auth/oauth/acme/callback");

    // What is asked for is checked before a browser is sent anywhere.
    let mut browser = Browser::default();
    let at = |path: &str| format!("{PUBLIC}/api/v1/auth/oauth/{path}");
    for (address, status, code) in [
        (door("nobody", &[]), 404, "OAUTH_PROVIDER_NOT_FOUND"),
        (door("acme", &[]).replace("signed-in", "signed-in2"), 400, "OAUTH_RETURN_TO_REFUSED"),
        (door("acme", &[]).replace("https%3A", "http%3A"), 400, "OAUTH_RETURN_TO_REFUSED"),
        (door("acme", &[]).replace("S256", "plain"), 422, "VALIDATION_FAILED"),
        (
            door("acme", &[]).replace("code_challenge=", "code_challenge=x"),
            422,
            "VALIDATION_FAILED",
        ),
        (door("acme", &[("prompt", "none")]), 422, "VALIDATION_FAILED"),
        (at("acme"), 422, "VALIDATION_FAILED"),
        (at("nobody/callback?state=a&code=b"), 404, "OAUTH_PROVIDER_NOT_FOUND"),
        // Unsolicited.
        (at("acme/callback"), 400, "OAUTH_CALLBACK_INVALID"),
        (at("acme/callback?state=a&code=b"), 400, "OAUTH_CALLBACK_INVALID"),
        (at("acme/callback?state=a&state=b&code=b"), 422, "VALIDATION_FAILED"),
    ] {
        browser.ask(&app, &address).await.is(status, code);
    }
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);

    // However many somebody makes it begin, it carries few.
    for _ in 0..9 {
        browser.ask(&app, &door("acme", &[])).await.ok(303);
        assert!(browser.cookies.len() <= 4, "{:?}", browser.cookies.keys());
    }
    browser.cookies.clear();
    // Nor is one begun by what a page of somebody else's shows.
    let path = door("acme", &[]);
    let path = path.strip_prefix(PUBLIC).unwrap();
    for (shown_as, begins) in [("image", false), ("iframe", false), ("document", true)] {
        let request = app.request(Method::GET, path).header("sec-fetch-dest", shown_as);
        let sent = app.send(request).await;
        assert_eq!(sent.ok(303).headers.contains_key(header::SET_COOKIE), begins, "{shown_as}");
    }

    // The cookie is the browser's alone, and goes when it is used.
    let sent = browser.ask(&app, &door("acme", &[])).await;
    let cookie = sent.header("set-cookie");
    assert!(cookie.starts_with("__Host-oauth-"), "{cookie}");
    for attribute in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Secure", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let back = browser.go(&app, sent.header("location"), &callback).await.unwrap();
    let (back, kept) = (back.as_str(), browser.cookies.clone());

    // Another browser, another provider, another state, or a cookie that somebody changed: nothing.
    let mut foreign = Browser::default();
    foreign.ask(&app, back).await.is(400, "OAUTH_CALLBACK_INVALID");
    assert_eq!(last_refusal(&app).await, "foreign_browser");
    browser.ask(&app, &back.replace("/acme/", "/staff/")).await.is(400, "OAUTH_CALLBACK_INVALID");
    assert_eq!(last_refusal(&app).await, "other_provider");
    for value in browser.cookies.values_mut() {
        let other = if &value[40..41] == "A" { "B" } else { "A" };
        value.replace_range(40..41, other);
    }
    browser.ask(&app, back).await.is(400, "OAUTH_CALLBACK_INVALID");
    assert_eq!(last_refusal(&app).await, "damaged_cookie");

    // At once in eight tabs: one of them arrives.
    let tabs = (0..8).map(|_| {
        let mut tab = Browser { cookies: kept.clone(), ..Browser::of("") };
        let app = &app;
        async move { tab.ask(app, back).await }
    });
    let replies = join_all(tabs).await;
    let (arrived, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 303);
    assert_eq!((arrived.len(), lost.len()), (1, 7), "{replies:?}");
    assert!(lost.iter().all(|reply| reply.code() == "OAUTH_CALLBACK_INVALID"));
    assert_eq!(last_refusal(&app).await, "replayed");
    assert!(arrived[0].header("set-cookie").contains("Max-Age=0"));
    assert!(!arrived[0].headers["location"].to_str().unwrap().contains("eyJ"), "no token");

    // The code is the application's: with its verifier, once, within a minute.
    let code = Told::read(&arrived[0].header("location").parse().unwrap()).code();
    let stolen = json!({ "code": code, "code_verifier": "M".repeat(43) });
    app.post(REDEEM, stolen).await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last_refusal(&app).await, "wrong_verifier");
    redeem(&app, &code).await.is(400, "OAUTH_CODE_INVALID");
    let code = Browser::default().sign_in(&app, "acme").await.code();
    let replies = join_all((0..8).map(|_| redeem(&app, &code))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1, "{replies:?}");
    let code = Browser::default().sign_in(&app, "acme").await.code();
    app.advance(Duration::from_secs(61));
    redeem(&app, &code).await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last_refusal(&app).await, "code_expired");
    for code in ["", "asf_", &code.replace("asf_", "asl_")] {
        redeem(&app, code).await.is(400, "OAUTH_CODE_INVALID");
    }

    // Who takes too long begins again.
    let sent = browser.ask(&app, &door("acme", &[])).await;
    let back = browser.go(&app, sent.header("location"), &callback).await.unwrap();
    app.advance(Duration::from_mins(10));
    browser.ask(&app, back.as_str()).await.is(400, "OAUTH_CALLBACK_INVALID");
    assert_eq!(last_refusal(&app).await, "state_expired");
}

/// The variants of account pre-hijacking (Sudhodanan and Paverd, 2022), and providers that lie.
///
/// Attack: B01, B02, B03, B04, B05, G04
/// ASVS: V6.8.1, V10.5.2
#[tokio::test]
async fn b01_to_b05_whoever_was_there_before_has_nothing_when_the_owner_comes() {
    let (hostile, app) = start().await;
    let owner =
        |sub: &str, email: &str| json!({ "sub": sub, "email": email, "email_verified": true });
    let waits = "mallory waits in the wings";

    // B01, B02: an account that was begun with the address has no password, no link and no session left.
    app.register("ann@example.org", waits).await.ok(202);
    let link = app.token_for("ann@example.org").await;
    hostile.vouches_for(ann());
    let ann = enter_as(&app, "", "acme").await;
    app.log_in("ann@example.org", waits).await.is(401, "AUTH_INVALID_CREDENTIALS");
    app.verify(&link).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM registrations").await, 0);
    let events = app.events().await;
    assert!(events.contains(&"USER_DELETED/address_proved_by_another".to_owned()), "{events:?}");

    // B03: what the thief has at a provider opens no account with an address that is not proved there, and
    // so cannot wait for its owner.
    for email in ["ann@example.org", "nobody@example.org"] {
        for verified in [json!(false), json!("false"), json!(null)] {
            let mut claims = owner("thief", email);
            claims["email_verified"] = verified;
            hostile.vouches_for(claims);
            enter(&app, "", "acme").await.is(403, "OAUTH_EMAIL_UNVERIFIED");
        }
        // Nor does a provider open one that is not believed for the domain.
        hostile.vouches_for(owner("thief", email));
        enter(&app, "", "staff").await.is(403, "OAUTH_EMAIL_UNVERIFIED");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);

    // B04: a change to the owner's address that waits for its link comes too late.
    let mallory = app.sign_up("mallory@example.org").await;
    let body = json!({ "new_email": "bea@example.org", "password": PASSWORD });
    app.post_as(&mallory, "/api/v1/users/me/email", body).await.ok(202);
    let change = app.token_for("bea@example.org").await;
    hostile.vouches_for(owner("8", "bea@example.org"));
    let bea = enter_as(&app, "", "acme").await;
    app.verify(&change).await.is(400, "AUTH_INVALID_VERIFICATION_TOKEN");
    assert_eq!(app.me(&mallory).await.ok(200).body["email"], "mallory@example.org");

    // G04: the address moved to somebody else at the provider, or the tenant is another: not their account.
    hostile.vouches_for(owner("9", "bea@example.org"));
    enter(&app, "", "acme").await.is(409, "OAUTH_IDENTITY_NOT_LINKED");
    // And who has another address there by now is who they were.
    hostile.vouches_for(owner("8", "ann@example.org"));
    assert_eq!(enter_as(&app, "", "acme").await.id, bea.id);
    assert_eq!(app.me(&ann).await.ok(200).body["email"], "ann@example.org");

    // B02, B03: whoever was in and linked what is theirs is out when it is removed, with every session that
    // it opened; and when the owner shows up by mail, it is gone.
    let owner_of = app.sign_up("dan@example.org").await;
    let thief = json!({ "sub": "thief", "email": "dan@example.org", "email_verified": false });
    hostile.vouches_for(thief);
    let link = async |who: &Person| {
        let code = Browser::default().sign_in(&app, "acme").await.code();
        let linked = app.post_as(who, IDENTITIES, shown(&code)).await;
        format!("{IDENTITIES}/{}", linked.ok(201).body["id"].as_str().unwrap())
    };
    let linked = link(&owner_of).await;
    let inside = enter_as(&app, "", "acme").await;
    assert_eq!(inside.id, owner_of.id);
    app.delete_as(&owner_of, &linked).await.ok(204);
    app.me(&inside).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&inside.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    app.me(&owner_of).await.ok(200);
    let events = app.events().await;
    assert!(events.contains(&"SESSION_REVOKED/identity_removed".to_owned()), "{events:?}");
    link(&owner_of).await;
    let inside = enter_as(&app, "", "acme").await;
    // What waits goes out first, so that the link comes last.
    app.mails().await;
    app.post("/api/v1/auth/forgot-password", json!({ "email": "dan@example.org" })).await.ok(202);
    let token = app.token_for("dan@example.org").await;
    let reset = json!({ "token": token, "new_password": "a new one that nobody has" });
    app.post("/api/v1/auth/reset-password", reset).await.ok(204);
    app.me(&inside).await.is(401, "AUTH_TOKEN_REVOKED");
    enter(&app, "", "acme").await.is(403, "OAUTH_EMAIL_UNVERIFIED");

    // Of two that come for the first time at once, both have the one account.
    hostile.vouches_for(owner("10", "cas@example.org"));
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(Browser::default().sign_in(&app, "acme").await.code());
    }
    let pairs = join_all(codes.iter().map(|code| redeem(&app, code))).await;
    let ids: std::collections::BTreeSet<_> =
        pairs.iter().map(|pair| Person::from_pair(&pair.ok(200).body).id).collect();
    assert_eq!(ids.len(), 1);
}

/// Rules of risk hold for who comes from a provider as for who has a password: for their browser, and not for the
/// server of the application that exchanges the code.
#[tokio::test]
async fn a_rule_of_risk_counts_for_who_comes_from_a_provider() {
    let hostile = Hostile::start().await;
    let cities = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/geoip/GeoLite2-City-Test.mmdb");
    let app = service(&[
        ("oauth_oidc.name", "acme"),
        ("oauth_oidc.issuer", &hostile.issuer("a")),
        ("oauth_oidc.client_id", "us"),
        ("oauth_oidc.client_secret", "tarragon-41-kettle"),
        ("trusted_proxies", "127.0.0.1/32"),
        ("geoip.file", cities),
        ("risk.mode", "enforce"),
        ("risk.new_country", "refuse"),
        ("risk.new_device", "step_up"),
    ])
    .await;
    authshield::chores::look_at_geoip(app.app.clone()).await;
    hostile.vouches_for(ann());
    let enter_from = async |ip, agent| {
        let mut browser = Browser { looks: Some((ip, agent)), ..Browser::of("") };
        let code = browser.sign_in(&app, "acme").await.code();
        let request = app.request(Method::POST, REDEEM).json(&shown(&code));
        let request = request.header("x-forwarded-for", "216.160.83.56");
        app.send(request.header(header::USER_AGENT, "axios/1.7")).await
    };
    let home = enter_from("89.160.20.128", "curl/8.5.0").await;
    let ann = Person::from_pair(&home.ok(200).body);
    let sessions = app.get_as(&ann, "/api/v1/sessions").await;
    assert!(
        sessions.text.contains("89.160.20.128") && !sessions.text.contains("216."),
        "{sessions:?}"
    );
    enter_from("81.2.69.160", "curl/8.5.0").await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last_refusal(&app).await, "risk_refused");
    add_this(&app, &ann, SoftPasskey::new(PUBLIC)).await;
    enter_from("89.160.20.128", "curl/8.5.0").await.ok(200);
    enter_from("89.160.20.128", "Wget/1.21").await.is(403, "AUTH_2FA_REQUIRED");
}

/// Tabs that begin at once do not know of each other, so each has a cookie of its own; whichever comes back first, the
/// oldest go.
///
/// Attack: G01
#[tokio::test]
async fn of_sign_ins_that_tabs_began_at_once_the_newest_few_come_back() {
    let (hostile, app) = start().await;
    hostile.vouches_for(ann());
    let (mut browser, mut tabs) = (Browser::default(), Vec::new());
    for _ in 0..6 {
        let mut tab = Browser::default();
        let away = tab.ask(&app, &door("acme", &[])).await;
        tabs.push(away.ok(303).header("location").to_owned());
        browser.cookies.extend(tab.cookies);
        app.advance(Duration::from_secs(1));
    }
    assert_eq!(browser.cookies.len(), 6);
    let newest = tabs.pop().unwrap();
    let callback = format!("{PUBLIC}/api/v1/auth/oauth/acme/callback");
    let mut back = browser.go(&app, &newest, &callback).await.unwrap();
    browser.ask(&app, back.as_str()).await.ok(303);
    assert_eq!(browser.cookies.len(), 3, "{:?}", browser.cookies.keys());
    for (at, tab) in tabs.iter().enumerate() {
        back = browser.go(&app, tab, &callback).await.unwrap();
        let reply = browser.ask(&app, back.as_str()).await;
        assert_eq!(reply.status, if at < 2 { 400 } else { 303 }, "{at}: {reply:?}");
    }
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies.keys());
}

/// The code of a sign-in at a provider is made before anybody knows whose account it is; the policy of the instant in
/// which it is exchanged counts.
///
/// Attack: C05
#[tokio::test]
async fn a_code_of_a_provider_opens_no_session_once_a_second_factor_must_be_added() {
    let hostile = Hostile::start().await;
    let issuer = hostile.issuer("a");
    let acme = [
        ("oauth_oidc.name", "acme"),
        ("oauth_oidc.issuer", &issuer),
        ("oauth_oidc.client_id", "us"),
        ("oauth_oidc.client_secret", "tarragon-41-kettle"),
    ];
    let app = service(&acme).await;
    hostile.vouches_for(ann());
    enter_as(&app, "ann", "acme").await;
    let code = Browser::default().sign_in(&app, "acme").await.code();

    let more = [
        UNLIMITED,
        ("oauth.return_to", APPLICATION),
        ("oauth.private_networks", "127.0.0.0/8"),
        ("second_factor.required_for", "user"),
    ];
    let strict = app.second_node(&[&more[..], &acme].concat()).await;
    let sessions = async || app.count("SELECT COUNT(*) FROM sessions").await;
    let before = sessions().await;
    redeem(&strict, &code).await.is(403, "AUTH_2FA_ENROLMENT_REQUIRED");
    redeem(&strict, &code).await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(sessions().await, before);
}
