//! The pages where people sign in and look after their account, as a browser without scripts uses them.

mod account;
mod captcha;
mod forms;
mod mail_code;
pub(crate) mod onward;
mod passkeys;
mod trusted;

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::json;

use crate::registration::UNLIMITED;
use crate::support::{Authenticator, PASSWORD, Reply, TestApp};

const ANN: &str = "ann@example.org";
const OTHER: &str = "seven herons under glass";
const ENABLE: &str = "/api/v1/auth/2fa/enable";
const CONFIRM: &str = "/api/v1/auth/2fa/confirm";

/// A browser: it keeps its cookie, and says where a form comes from.
struct Browser<'a> {
    app: &'a TestApp,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(app: &'a TestApp) -> Self {
        Self { app, cookie: None }
    }

    async fn ask(&mut self, request: reqwest::RequestBuilder) -> Reply {
        let request = match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        };
        let reply = self.app.send(request).await;
        if let Some(set) = reply.headers.get(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert_eq!(reply.headers.get_all(header::SET_COOKIE).iter().count(), 1);
            let lasting = set.split("; Max-Age=").next().unwrap();
            assert!(lasting.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
            let pair = set.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        reply
    }

    async fn see(&mut self, path: &str) -> Reply {
        let request = self.app.request(Method::GET, path).header("sec-fetch-site", "none");
        self.ask(request).await
    }

    /// Sends a form of one of our pages.
    async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = form(self.app, path, fields).header("sec-fetch-site", "same-origin");
        self.ask(request).await
    }

    /// Sends a form of the account page, with what it carries.
    async fn press(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let page = self.see("/account").await;
        let guard = hidden(page.looks(200, "Your account"), "guard");
        let fields = [&[("guard", guard.as_str())], fields].concat();
        self.send(path, &fields).await
    }

    async fn sign_in(&mut self, email: &str, password: &str) -> Reply {
        self.send("/sign-in", &[("email", email), ("password", password)]).await
    }

    /// Signs in with [`PASSWORD`].
    async fn enter(app: &'a TestApp, email: &str) -> Self {
        let mut browser = Self::new(app);
        browser.sign_in(email, PASSWORD).await.leads_to("/account");
        browser
    }

    async fn is_out(&mut self) {
        self.see("/account").await.leads_to("/sign-in");
    }
}

impl Reply {
    #[track_caller]
    fn leads_to(&self, path: &str) {
        self.ok(303);
        let there = self.header("location").split('?').next().unwrap();
        assert_eq!(there, path, "{self:?}");
    }
}

pub(crate) fn form(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    app.request(Method::POST, path).header(kind.0, kind.1).body(body)
}

/// Returns what the first hidden field `name` of a page holds.
pub(crate) fn hidden(page: &Reply, name: &str) -> String {
    let html = page.html();
    let found = html.split(&format!("name=\"{name}\" value=\"")).nth(1);
    found.unwrap_or_else(|| panic!("no {name} in {html}")).split('"').next().unwrap().to_owned()
}

/// Sets an app up with what a page shows.
fn authenticator(page: &Reply) -> Authenticator {
    let html = page.html();
    let secret = html.split("<p class=\"address\"><code>").nth(1).unwrap();
    let secret = secret.split('<').next().unwrap().replace(' ', "");
    Authenticator::of(&json!({ "secret": secret }))
}

/// ASVS: V3.2.2, V3.3.2, V3.3.4, V7.2.2, V7.2.4, V7.4.1, V7.4.4, V7.5.2, V10.1.1, V14.2.3
#[tokio::test]
async fn everything_is_done_with_forms_alone() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let mut browser = Browser::new(&app);
    browser.see("/").await.page(200, "href=\"/account?lang=en\"");
    browser.is_out().await;

    // Registering.
    let mut fields = [("email", "ann"), ("full_name", ""), ("password", PASSWORD)];
    let refused = browser.send("/register", &fields).await;
    refused
        .looks(422, "Enter a complete email address")
        .looks(422, "<title>Error: Open an account");
    fields[0].1 = ANN;
    fields[2].1 = "secret";
    browser.send("/register", &fields).await.looks(422, "Use at least 8 characters.");
    fields[2].1 = PASSWORD;
    browser.send("/register", &fields).await.looks(202, "We sent a mail to ann@example.org.");
    browser
        .sign_in(ANN, PASSWORD)
        .await
        .looks(403, "never confirmed")
        .looks(403, "Send the mail again");
    let again = browser.send("/sign-in/resend-verification", &[("email", ANN)]).await;
    again.looks(202, "We sent a mail to ann@example.org.");
    let token = app.token_for(ANN).await;
    app.submit("/verify-email", &[("token", &token)]).await.page(200, "href=\"/sign-in?lang=en\"");
    // Again: the answer is the same, and the mail says so.
    browser.send("/register", &fields).await.looks(202, "We sent a mail to ann@example.org.");
    assert!(app.last_mail(ANN).await.data.contains("already"));

    // Signing in leaves the same behind as where programs do.
    let before = app.events().await.len();
    app.log_in(ANN, OTHER).await.is(401, "AUTH_INVALID_CREDENTIALS");
    let phone = app.sign_in(ANN).await;
    let between = app.events().await.len();
    let form = browser.see("/sign-in").await;
    form.looks(200, "autocomplete=\"current-password\"")
        .looks(200, "autocomplete=\"username webauthn\"");
    assert_eq!(form.header("referrer-policy"), "same-origin");
    let wrong = browser.sign_in(ANN, OTHER).await;
    wrong.looks(401, "role=\"alert\"").looks(401, "aria-describedby=\"alert\" autofocus");
    assert!(!wrong.text.contains("herons") && browser.cookie.is_none());
    let nobody = browser.sign_in("bob@example.org", OTHER).await;
    assert_eq!(nobody.text.replace("bob", "ann"), wrong.text);
    let entered = browser.sign_in(ANN, PASSWORD).await;
    entered.leads_to("/account");
    let cookie = browser.cookie.clone().unwrap();
    assert!(cookie.starts_with("authshield=asb_") && !entered.text.contains("asb_"), "{cookie}");
    let mut events = app.events().await.split_off(before);
    let by_form = events.split_off(between - before);
    assert_eq!(by_form[0], events[0]);
    assert_eq!(by_form[2..], events[1..], "one more that nobody has the address of");
    browser.see("/sign-in").await.leads_to("/account");

    // The account, and where one is signed in.
    let account = browser.see("/account").await;
    account.looks(200, ANN).looks(200, "This device");
    assert_eq!(account.text.matches("Sign out there").count(), 1, "that of the phone");
    assert!(!account.text.contains(cookie.split('=').nth(1).unwrap()));
    let sessions = app.get_as(&phone, "/api/v1/sessions").await;
    assert_eq!(sessions.body["items"].as_array().unwrap().len(), 2);
    browser
        .press("/account/profile", &[("full_name", "a\u{202e}b"), ("locale", "en")])
        .await
        .looks(422, "A name has at most 200 characters");
    let saved =
        browser.press("/account/profile", &[("full_name", "Ann <b>"), ("locale", "de")]).await;
    saved.leads_to("/account");
    browser
        .see(saved.header("location"))
        .await
        .looks(200, "It was saved.")
        .looks(200, "Ann &lt;b&gt;");
    let me = app.me(&phone).await;
    assert_eq!((&me.body["full_name"], &me.body["locale"]), (&json!("Ann <b>"), &json!("de")));

    let theirs = app.sign_up("bob@example.org").await;
    let id = app.get_as(&theirs, "/api/v1/sessions").await.body["items"][0]["id"].clone();
    let of_bob = [("session", id.as_str().unwrap())];
    browser.press("/account/sessions/end", &of_bob).await.leads_to("/account");
    app.me(&theirs).await.ok(200);
    let of_phone = hidden(&browser.see("/account").await, "session");
    browser.press("/account/sessions/end", &[("session", &of_phone)]).await.leads_to("/account");
    app.me(&phone).await.is(401, "AUTH_TOKEN_REVOKED");
    let (laptop, mut desk) = (app.sign_in(ANN).await, Browser::enter(&app, ANN).await);
    browser.press("/account/sessions/end-others", &[]).await.leads_to("/account");
    app.me(&laptop).await.is(401, "AUTH_TOKEN_REVOKED");
    desk.is_out().await;
    assert_eq!(desk.cookie, None, "a cookie that is no use is taken away");
    assert_eq!(app.events().await.last().unwrap(), "SESSION_REVOKED/logout_others");

    // Signing in anew ends what the same browser had, and the old cookie with it.
    browser.sign_in(ANN, PASSWORD).await.leads_to("/account");
    let mut old = Browser { app: &app, cookie: Some(cookie) };
    old.is_out().await;
    let last = browser.cookie.clone();
    browser.press("/sign-out", &[]).await.looks(200, "You are signed out");
    assert_eq!(browser.cookie, None);
    browser.is_out().await;
    Browser { app: &app, cookie: last }.is_out().await;
    assert_eq!(app.events().await.last().unwrap(), "LOGOUT");

    let asked = browser.send("/forgot-password", &[("email", ANN)]).await;
    let unknown = browser.send("/forgot-password", &[("email", "eve@example.org")]).await;
    assert_eq!(asked.looks(202, "a mail with a link").text.replace("ann", "eve"), unknown.text);
    let token = app.token_for(ANN).await;
    app.get(&format!("/reset-password?token={token}")).await.page(200, ANN);
}

/// Attack: C04
#[tokio::test]
async fn a_second_factor_is_shown_or_added_on_a_page() {
    let settings = [UNLIMITED, ("second_factor.required_for", "admin")];
    let app = TestApp::with(&settings).await;
    let ann = app.sign_up(ANN).await;
    let enrolment = app.post_as(&ann, ENABLE, json!({ "password": PASSWORD })).await;
    let phone = Authenticator::of(&enrolment.ok(200).body);
    let codes = app.post_as(&ann, CONFIRM, json!({ "code": phone.code(&app) })).await;
    let recovery = codes.ok(200).body["recovery_codes"][0].as_str().unwrap().to_owned();
    app.advance(Duration::from_mins(1));

    let path = "/sign-in/second-factor";
    let mut browser = Browser::new(&app);
    let asked = browser.sign_in(ANN, PASSWORD).await;
    asked.looks(200, "Six digits of your authenticator app").looks(200, "one-time-code");
    assert_eq!(browser.cookie, None, "the password alone opens nothing");
    browser.is_out().await;
    let ticket = hidden(&asked, "ticket");
    let wrong = [("ticket", ticket.as_str()), ("code", "000000")];
    let refused = browser.send(path, &[wrong[0], ("code", &phone.wrong(&app))]).await;
    refused.looks(401, "This code is not right").looks(401, "role=\"alert\"");
    assert_eq!(hidden(&refused, "ticket"), ticket);
    let right = [wrong[0], ("code", &phone.code(&app))];
    browser.send(path, &right).await.leads_to("/account");
    browser.see("/account").await.looks(200, ANN);
    let mut other = Browser::new(&app);
    other.send(path, &right).await.looks(401, "Please sign in again");
    let ticket = hidden(&other.sign_in(ANN, PASSWORD).await, "ticket");
    let used = [("ticket", ticket.as_str()), ("code", right[1].1)];
    other.send(path, &used).await.looks(401, "This code was used already");
    other.send(path, &[used[0], ("code", &recovery)]).await.leads_to("/account");
    other.send(path, &[("ticket", "asm_short"), used[1]]).await.looks(401, "Please sign in again");
    other.see(path).await.leads_to("/sign-in");

    // Five wrong codes in a row, and none is looked at for a minute.
    for round in 0..2 {
        let ticket = hidden(&other.sign_in(ANN, PASSWORD).await, "ticket");
        for _ in 0..3 {
            let code = phone.wrong(&app);
            let reply = other.send(path, &[("ticket", &ticket), ("code", &code)]).await;
            if round == 1 && reply.status == 429 {
                reply.looks(429, "please wait one minute");
                assert_eq!(reply.header("retry-after"), "60");
            }
        }
    }
    let last = app.events().await.pop().unwrap();
    assert_eq!(last, "SECOND_FACTOR_REFUSED/paused");

    // Who must have one and has none adds it.
    let root = app.sign_up_admin("root@example.org").await;
    let path = "/sign-in/enrol";
    let mut browser = Browser::new(&app);
    let shown = browser.sign_in(&root.email, PASSWORD).await;
    shown.looks(200, "alt=\"QR code for your authenticator app\"").looks(200, "otpauth:");
    let phone = authenticator(&shown);
    let ticket = hidden(&shown, "ticket");
    let wrong = [("ticket", ticket.as_str()), ("code", &phone.wrong(&app))];
    let refused = browser.send(path, &wrong).await;
    refused.looks(401, "This code is not right").looks(401, "the code that the app shows now");
    assert_eq!(browser.cookie, None);
    let right = [wrong[0], ("code", &phone.code(&app))];
    let added = browser.send(path, &right).await;
    added.looks(200, "Keep these codes");
    assert_eq!(added.text.matches("<li><code>").count(), 10);
    browser.see("/account").await.looks(200, &root.email);
}

/// Attack: A01, A03
#[tokio::test]
async fn guessing_on_a_page_costs_what_it_costs_elsewhere() {
    let app = TestApp::with(&[("registration.enabled", "true")]).await;
    app.open_account(ANN).await;
    let mut browser = Browser::new(&app);
    let wrong = OTHER;
    for _ in 0..5 {
        browser.sign_in(ANN, wrong).await.looks(401, "is wrong");
        app.log_in(ANN, wrong).await.is(401, "AUTH_INVALID_CREDENTIALS");
    }
    let waits = browser.sign_in(ANN, PASSWORD).await;
    waits.looks(429, "There were too many tries").looks(429, "name=\"password\"");
    assert_eq!(waits.header("retry-after"), "60");
    assert!(waits.header("ratelimit").contains("password-per-account"), "{waits:?}");
    // And so does asking at all.
    let mut limited = waits;
    for _ in 0..20 {
        limited = browser.sign_in("bob@example.org", wrong).await;
        if limited.header("ratelimit").contains("login-per-client") && limited.status == 429 {
            break;
        }
    }
    limited.looks(429, "Too many tries");
    app.log_in("bob@example.org", wrong).await.is(429, "RATE_LIMIT_EXCEEDED");
    for _ in 0..5 {
        browser.send("/forgot-password", &[("email", ANN)]).await;
    }
    browser.send("/forgot-password", &[("email", ANN)]).await.looks(429, "Nothing was judged now");

    let app = TestApp::with(&[("registration.enabled", "false")]).await;
    let mut browser = Browser::new(&app);
    assert!(!browser.see("/sign-in").await.html().contains("/register"));
    browser.see("/register").await.looks(403, "Nobody can register here");
    let fields = [("email", ANN), ("password", PASSWORD)];
    browser.send("/register", &fields).await.looks(403, "Nobody can register here");
}
