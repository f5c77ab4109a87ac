//! An application sends a browser to our pages to sign in, and gets it back with a code.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use reqwest::header;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::magic_link::{ON, code_of};
use crate::pages::{ANN, Browser, form, hidden};
use crate::registration::{UNLIMITED, disable};
use crate::support::{PASSWORD, Person, Reply, TestApp, claims};

const APPLICATION: &str = "https://app.example.net/signed-in?from=there";
const PHONE: &str = "dev.example.app:/signed-in";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDEEM: &str = "/api/v1/auth/oauth/redeem";
const ONWARD: &str = "/sign-in/continue";

const KNOWN: [(&str, &str); 9] = [
    UNLIMITED,
    ON,
    ("oauth.return_to", "https://app.example.net/signed-in?from=there,dev.example.app:/signed-in"),
    ("oauth_oidc.name", "acme"),
    ("oauth_oidc.issuer", "https://login.example.com"),
    ("oauth_oidc.client_id", "us"),
    ("oauth_oidc.client_secret", "tarragon-41-kettle"),
    ("oauth_github.client_id", "us"),
    ("oauth_github.client_secret", "tarragon-41-kettle"),
];

/// Returns the address of a page, for somebody who signs in for the application at `return_to`.
fn asked(path: &str, return_to: &str, more: &[(&str, &str)]) -> String {
    // The header line of a request is ASCII without spaces, and so is what this writes.
    let challenge = BASE64.encode(Sha256::digest(VERIFIER));
    let query = Serializer::new(String::new())
        .append_pair("return_to", return_to)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("state", "the application's <own>")
        .extend_pairs(more)
        .finish();
    format!("{path}?{query}")
}

/// Returns where a page leads on by itself.
pub(crate) fn onward(page: &Reply) -> Url {
    assert_eq!(page.header("cache-control"), "no-store");
    let html = page.ok(200).html();
    let to = html.split("http-equiv=\"refresh\" content=\"0;url=").nth(1);
    let to = to.unwrap_or_else(|| panic!("{html} leads nowhere")).split('"').next().unwrap();
    Url::parse(&to.replace("&amp;", "&").replace("&#x27;", "'")).unwrap()
}

/// Returns the code that goes to the application, and that all else comes along.
fn code(page: &Reply) -> String {
    let to = onward(page);
    assert!(to.as_str().starts_with(APPLICATION), "{to}");
    let mut told: std::collections::BTreeMap<_, _> = to.query_pairs().into_owned().collect();
    assert_eq!(told.remove("state").as_deref(), Some("the application's <own>"), "{to}");
    assert_eq!(told.remove("from").as_deref(), Some("there"), "{to}");
    let code = told.remove("code").unwrap();
    assert!(told.is_empty() && code.starts_with("asf_"), "{to}");
    code
}

async fn redeem(app: &TestApp, code: &str, verifier: &str) -> Reply {
    app.post(REDEEM, json!({ "code": code, "code_verifier": verifier })).await
}

async fn last(app: &TestApp) -> String {
    app.events().await.pop().unwrap()
}

impl Browser<'_> {
    /// Signs in for the application with the password, and returns the code for it.
    async fn sign_in_for(&mut self) -> String {
        let fields = [("email", ANN), ("password", PASSWORD)];
        let entered = self.send(&asked("/sign-in", APPLICATION, &[]), &fields).await;
        self.follow(&entered).await
    }

    /// Goes on where a form led, and returns the code for the application.
    async fn follow(&mut self, entered: &Reply) -> String {
        entered.leads_to(ONWARD);
        code(&self.see(entered.header("location")).await)
    }
}

/// ASVS: V7.6.1, V10.4.2, V10.4.3
#[tokio::test]
async fn an_application_gets_a_browser_back_with_a_code_on_every_way_of_signing_in() {
    let app = TestApp::with(&KNOWN).await;
    let ann = app.sign_up(ANN).await;
    let mut browser = Browser::new(&app);

    // With the password.
    let page = browser.see(&asked("/sign-in", APPLICATION, &[])).await;
    for other in ["/sign-in/at/acme", "/sign-in/at/github", "/sign-in/mail"] {
        page.looks(200, &format!("href=\"{other}?lang=en&amp;return_to=https"));
    }
    let door = page.html().split("href=\"/register").nth(1).unwrap().to_owned();
    assert!(door.split('"').next().unwrap().contains("return_to="), "it comes along: {door}");
    let fields = [("email", ANN), ("password", "seven herons under glass")];
    let wrong = browser.send(&asked("/sign-in", APPLICATION, &[]), &fields).await;
    wrong.looks(401, "is wrong").looks(401, "return_to=https");
    let first = browser.sign_in_for().await;
    assert_eq!(last(&app).await, "SIGN_IN_HANDED_OVER");
    let pair = redeem(&app, &first, VERIFIER).await;
    let there = Person::from_pair(&pair.ok(200).body);
    assert_eq!((&there.id, &claims(&there.access)["amr"]), (&ann.id, &json!(["pwd"])));
    redeem(&app, &first, VERIFIER).await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last(&app).await, "FEDERATION_REFUSED/code_used");
    let log = app.get_as(&there, "/api/v1/users/me/events").await;
    assert!(log.ok(200).text.contains("SIGN_IN_HANDED_OVER"), "{log:?}");

    // Who is signed in already goes straight back; not with another verifier, nor late, nor to link.
    let there_again = async |browser: &mut Browser<'_>| {
        let entered = browser.see(&asked("/sign-in", APPLICATION, &[])).await;
        browser.follow(&entered).await
    };
    let second = there_again(&mut browser).await;
    redeem(&app, &second, &VERIFIER.replace('d', "e")).await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last(&app).await, "FEDERATION_REFUSED/wrong_verifier");
    redeem(&app, &second, VERIFIER).await.is(400, "OAUTH_CODE_INVALID");
    let body = json!({ "code": there_again(&mut browser).await, "code_verifier": VERIFIER });
    let linked = app.post_as(&ann, "/api/v1/users/me/identities", body).await;
    linked.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last(&app).await, "FEDERATION_REFUSED/no_identity");
    let late = there_again(&mut browser).await;
    app.advance(Duration::from_mins(1));
    redeem(&app, &late, VERIFIER).await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last(&app).await, "FEDERATION_REFUSED/code_expired");

    // Unless that is too long ago for the application.
    app.advance(Duration::from_mins(5));
    let path = asked("/sign-in", APPLICATION, &[("max_age", "300")]);
    let page = browser.see(&path).await;
    let by_mail = path.replace("/sign-in", "/sign-in/mail");
    browser.see(&by_mail).await.looks(200, "max_age=300");
    page.looks(200, "name=\"password\"").looks(200, "/at/acme?");
    assert!(!page.html().contains("/at/github?"), "it does not tell when: {page:?}");
    browser.see(&path.replace("/sign-in", ONWARD)).await.leads_to("/sign-in");
    let fields = [("email", ANN), ("password", PASSWORD)];
    let entered = browser.send(&path, &fields).await;
    let fresh = browser.follow(&entered).await;
    redeem(&app, &fresh, VERIFIER).await.ok(200);
    let zero = asked("/sign-in", APPLICATION, &[("max_age", "0")]);
    browser.see(&zero).await.leads_to(ONWARD);

    // The application of a phone has a scheme of its own.
    let page = browser.see(&asked(ONWARD, PHONE, &[])).await;
    assert!(onward(&page).as_str().starts_with("dev.example.app:/signed-in?code=asf_"));

    // A session that has ended opens no other.
    let orphan = there_again(&mut browser).await;
    browser.press("/sign-out", &[]).await.looks(200, "You are signed out");
    redeem(&app, &orphan, VERIFIER).await.is(400, "OAUTH_CODE_INVALID");
    assert_eq!(last(&app).await, "FEDERATION_REFUSED/session_ended");
    browser.see(&asked(ONWARD, APPLICATION, &[])).await.leads_to("/sign-in");

    // With a passkey, and with a second factor.
    let phone = crate::passkeys::add(&app, &app.sign_in(ANN).await).await;
    let options = browser.send("/sign-in/passkey/challenge", &[]).await.ok(200).body.clone();
    let signed = phone.get(&options).to_string();
    let path = asked("/sign-in/passkey", APPLICATION, &[]);
    let entered = browser.send(&path, &[("credential", &signed)]).await;
    let by_passkey = browser.follow(&entered).await;
    let pair = redeem(&app, &by_passkey, VERIFIER).await;
    let told = claims(&Person::from_pair(&pair.ok(200).body).access);
    assert_eq!((&told["amr"], &told["acr"]), (&json!(["swk", "user", "mfa"]), &json!("aal2")));
    let (totp, _) = crate::second_factor::enable(&app, &app.sign_in(ANN).await).await;
    app.advance(Duration::from_mins(1));
    let mut other = Browser::new(&app);
    let fields = [("email", ANN), ("password", PASSWORD)];
    let waits = other.send(&asked("/sign-in", APPLICATION, &[]), &fields).await;
    waits.looks(200, "/sign-in/second-factor?lang=en&amp;return_to=");
    let (ticket, now) = (hidden(&waits, "ticket"), totp.code(&app));
    let fields = [("ticket", ticket.as_str()), ("code", now.as_str())];
    let entered = other.send(&asked("/sign-in/second-factor", APPLICATION, &[]), &fields).await;
    let by_code = other.follow(&entered).await;
    let pair = redeem(&app, &by_code, VERIFIER).await;
    let told = claims(&Person::from_pair(&pair.ok(200).body).access);
    assert_eq!(told["amr"], json!(["pwd", "otp"]));
    let late = there_again(&mut other).await;
    disable(&app, &ann).await;
    redeem(&app, &late, VERIFIER).await.ok(400);
}

#[tokio::test]
async fn who_registers_for_an_application_finds_the_way_back_from_the_mail() {
    let app = TestApp::with(&KNOWN).await;
    let fields = [("email", ANN), ("full_name", ""), ("password", PASSWORD)];
    let path = asked("/register", APPLICATION, &[]);
    let form_of = |path: &str, fields: &[(&str, &str)]| {
        form(&app, path, fields).header("sec-fetch-site", "same-origin")
    };
    let registered = app.send(form_of(&path, &fields)).await;
    registered.looks(202, "We sent a mail to");
    let kept = registered.header("set-cookie");
    assert!(kept.starts_with("authshield-return=") && kept.contains("; HttpOnly"), "{kept}");
    let kept = kept.split(';').next().unwrap();
    let token = app.token_for(ANN).await;
    let pressed = form_of("/verify-email", &[("token", &token)]).header(header::COOKIE, kept);
    let verified = app.send(pressed).await;
    verified.looks(200, "href=\"/sign-in?lang=en&amp;return_to=https");
    redeem(&app, &Browser::new(&app).sign_in_for().await, VERIFIER).await.ok(200);

    // So does who signs in by mail: with the code where they asked, or with the link.
    for by_link in [false, true] {
        app.mails().await;
        let path = asked("/sign-in/mail", APPLICATION, &[]);
        let asked_for = app.send(form_of(&path, &[("email", ANN)])).await;
        asked_for.leads_to("/sign-in/mail/code");
        let cookies = asked_for.headers.get_all(header::SET_COOKIE).iter();
        let cookies = cookies.map(|set| set.to_str().unwrap().split(';').next().unwrap());
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        assert!(cookies.ends_with(kept), "{cookies}");
        let mail = app.last_mail(ANN).await;
        let entered = if by_link {
            let link = mail.link("/sign-in/link?token=").unwrap();
            let path = link.strip_prefix(&app.base).unwrap();
            let page = app.request(reqwest::Method::GET, path).header(header::COOKIE, &cookies);
            app.send(page).await.looks(200, "\"/sign-in/link?lang=en&amp;return_to=https");
            let token = path.split_once('=').unwrap().1;
            form_of("/sign-in/link", &[("token", token)])
        } else {
            form_of(asked_for.header("location"), &[("code", &code_of(&mail))])
        };
        let entered = app.send(entered.header(header::COOKIE, &cookies)).await;
        let cookie = entered.header("set-cookie").split(';').next().map(str::to_owned);
        let mut browser = Browser { app: &app, cookie };
        redeem(&app, &browser.follow(&entered).await, VERIFIER).await.ok(200);
    }

    // And who forgot the password; elsewhere, and damaged, the cookie means nothing.
    let path = asked("/forgot-password", APPLICATION, &[]);
    let forgot = app.send(form_of(&path, &[("email", ANN)])).await;
    assert!(forgot.looks(202, "a mail with a link").header("set-cookie").starts_with(kept));
    let own = form_of("/forgot-password", &[("email", ANN)]).header(header::COOKIE, kept);
    let forgets = app.send(own).await;
    assert!(forgets.header("set-cookie").starts_with("authshield-return=;"), "{forgets:?}");
    for (path, cookie) in [("/sign-in", kept), ("/reset-password", "authshield-return=e30")] {
        let request = app.request(reqwest::Method::GET, path).header(header::COOKIE, cookie);
        assert!(!app.send(request).await.text.contains("return_to"), "{path}");
    }
}

/// Attack: J06
/// ASVS: V1.2.2, V3.7.2, V10.4.1, V10.4.6
#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_on_the_list() {
    let app = TestApp::with(&KNOWN).await;
    app.open_account(ANN).await;
    let mut browser = Browser::enter(&app, ANN).await;
    let hostile = [
        "https://evil.example/signed-in?from=there",
        "https://app.example.net@evil.example/signed-in?from=there",
        "https://app.example.net:x@evil.example/signed-in?from=there",
        "https://app.example.net.evil.example/signed-in?from=there",
        "https://evil.example\\@app.example.net/signed-in?from=there",
        "https://app.example.net\\.evil.example/signed-in?from=there",
        "https:\\\\app.example.net/signed-in?from=there",
        "https:app.example.net/signed-in?from=there",
        "https:///app.example.net/signed-in?from=there",
        "//app.example.net/signed-in?from=there",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http://app.example.net/signed-in?from=there",
        "HTTPS://app.example.net/signed-in?from=there",
        "https://APP.example.net/signed-in?from=there",
        "https://app.example.net:443/signed-in?from=there",
        "https://app.example.net:8443/signed-in?from=there",
        "https://sub.app.example.net/signed-in?from=there",
        "https://example.net/signed-in?from=there",
        "https://app.example.net./signed-in?from=there",
        "https://app.example.net/signed-in",
        "https://app.example.net/signed-in?from=there&to=https://evil.example",
        "https://app.example.net/signed-in/../evil?from=there",
        "https://app.example.net/signed-in?from=there#code",
        "https://app.example.net/signed-in%3Ffrom=there",
        "https%3A%2F%2Fapp.example.net/signed-in?from=there",
        "https://app.example.net%00.evil.example/signed-in?from=there",
        " https://app.example.net/signed-in?from=there",
        "https://app.example.net/signed-in?from=there\r\nLocation: https://evil.example",
        "https://app.example.net/signed-in?from=there\0",
        "ht\ttps://app.example.net/signed-in?from=there",
        "javascript:alert(1)",
        "JaVaScRiPt://app.example.net/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "dev.example.app:/signed-in/..",
        "dev.example.app://signed-in",
        "dev.example.app.evil:/signed-in",
        "https://app.example.net/signed-in?from=there,dev.example.app:/signed-in",
        "https://\u{430}pp.example.net/signed-in?from=there",
        "*",
        "",
    ];
    let events = app.events().await.len();
    let words = "This application is not known here";
    for address in hostile {
        for path in ["/sign-in", ONWARD] {
            browser.see(&asked(path, address, &[])).await.looks(400, words);
        }
        Browser::new(&app).see(&asked("/sign-in", address, &[])).await.looks(400, words);
    }
    assert_eq!(app.events().await.len(), events, "nothing was handed over");
    for address in hostile.iter().step_by(7) {
        let fields = [("email", ANN), ("password", PASSWORD)];
        let entered = Browser::new(&app).send(&asked("/sign-in", address, &[]), &fields).await;
        entered.leads_to("/account");
        assert!(!entered.header("location").contains("return_to"), "{entered:?}");
    }
    // Twice, without a challenge, with one that hides nothing, with more than fits.
    let good = asked("/sign-in", APPLICATION, &[]);
    let long = "x".repeat(600);
    for bad in [
        format!("{good}&return_to=https%3A%2F%2Fevil.example"),
        format!("{good}&code_challenge=x"),
        good.replace("S256", "plain"),
        good.replace("&code_challenge_method=S256", ""),
        good.replacen("code_challenge=", "code_challenge=A", 1),
        good.replace("state=", &format!("state={long}")),
        format!("{good}&max_age=-1"),
    ] {
        browser.see(&bad).await.looks(400, words);
    }
}

/// Between the making of a code and its exchange the policy on second factors becomes due: for everybody with the next
/// start, or for one with a role.
///
/// Attack: C05
/// ASVS: V7.6.1
#[tokio::test]
async fn a_code_opens_nothing_once_the_policy_asks_for_more_than_was_shown() {
    let app = TestApp::with(&KNOWN).await;
    let (ann, root) = (app.sign_up(ANN).await, app.sign_up_admin("root@example.org").await);
    crate::second_factor::enable(&app, &root).await;
    let root = Person::from_pair(&app.refresh(&root.refresh).await.ok(200).body);
    let node = async |role| {
        let policy = ("second_factor.required_for", role);
        app.second_node(&[&KNOWN[..], &[policy]].concat()).await
    };
    let sessions = async || app.count("SELECT COUNT(*) FROM sessions").await;
    let refused = async |node: &TestApp, code: &str, reason: &str| {
        let before = sessions().await;
        redeem(node, code, VERIFIER).await.is(400, "OAUTH_CODE_INVALID");
        assert_eq!(last(node).await, format!("FEDERATION_REFUSED/{reason}"));
        assert_eq!(sessions().await, before);
    };

    // The session of the browser goes on; what it can do is another matter.
    let strict = node("user").await;
    let mut browser = Browser::new(&app);
    let code = browser.sign_in_for().await;
    refused(&strict, &code, "account_changed").await;
    let mut there = Browser { app: &strict, cookie: browser.cookie.clone() };
    there.is_out().await;

    // A role given where the policy is not yet known, and where it is: there the session ends, too.
    let strict = node("admin").await;
    let roles = format!("/api/v1/admin/users/{}/roles", ann.id);
    let mut reasons = vec![(&app, "account_changed"), (&strict, "session_ended")];
    while let Some((giver, reason)) = reasons.pop() {
        let code = Browser::new(&app).sign_in_for().await;
        let body = json!({ "roles": ["user", "admin"] });
        giver.patch_as(&root, &roles, body).await.ok(200);
        refused(&strict, &code, reason).await;
        app.patch_as(&root, &roles, json!({ "roles": ["user"] })).await.ok(200);
    }
    // Nothing of it lasts longer than the policy.
    let code = Browser::new(&app).sign_in_for().await;
    redeem(&strict, &code, VERIFIER).await.ok(200);
}

/// The session of the application is its own: the page says so, and lists it.
///
/// ASVS: V7.4.1, V7.6.2
#[tokio::test]
async fn who_signs_out_on_the_page_stays_signed_in_in_the_application_and_ends_that_from_the_account()
 {
    let app = TestApp::with(&KNOWN).await;
    app.open_account(ANN).await;
    let mut browser = Browser::new(&app);
    let code = browser.sign_in_for().await;
    let there = Person::from_pair(&redeem(&app, &code, VERIFIER).await.ok(200).body);
    let out = browser.press("/sign-out", &[]).await;
    out.looks(200, "You are signed out").looks(200, "Applications that you signed in to from here");
    let there = Person::from_pair(&app.refresh(&there.refresh).await.ok(200).body);
    app.me(&there).await.ok(200);

    let mut browser = Browser::enter(&app, ANN).await;
    let page = browser.see("/account").await;
    let session = hidden(page.looks(200, "Sign out there"), "session");
    assert_eq!(claims(&there.access)["sid"], json!(session));
    browser.press("/account/sessions/end", &[("session", &session)]).await.leads_to("/account");
    app.me(&there).await.is(401, "AUTH_TOKEN_REVOKED");

    // Where no application sends anybody, nothing is said of any.
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account(ANN).await;
    let out = Browser::enter(&app, ANN).await.press("/sign-out", &[]).await;
    assert!(!out.looks(200, "On this device.").html().contains("pplication"), "{out:?}");
}
