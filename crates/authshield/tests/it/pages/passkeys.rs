//! Passkeys on the pages: what the script sends, and what nobody should.

use std::time::Duration;

use serde_json::{Value, json};

use crate::pages::{ANN, Browser, form, hidden};
use crate::registration::{UNLIMITED, disable};
use crate::support::passkey::SoftPasskey;
use crate::support::{PASSWORD, Reply, TestApp};

const LIST: &str = "/account/passkeys";
const ADD: &str = "/account/passkeys/add";
const SIGN_IN: &str = "/sign-in/passkey";
const ASK: &str = "/sign-in/passkey/challenge";
const SECOND: &str = "/sign-in/second-factor";
const ASK_SECOND: &str = "/sign-in/second-factor/challenge";

impl Browser<'_> {
    async fn asked(&mut self, path: &str, fields: &[(&str, &str)]) -> Value {
        self.send(path, fields).await.ok(200).body.clone()
    }

    /// Asks for a challenge of who is signed in.
    async fn asked_again(&mut self, path: &str) -> Value {
        self.press(path, &[]).await.ok(200).body.clone()
    }

    async fn shows(&mut self, credential: &Value) -> Reply {
        self.send(SIGN_IN, &[("credential", &credential.to_string())]).await
    }
}

async fn last(app: &TestApp) -> String {
    app.events().await.pop().unwrap()
}

/// Attack: H01, H02, H04, H06, H09
#[tokio::test]
async fn a_passkey_is_added_used_and_removed_on_the_pages() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account(ANN).await;
    let mut browser = Browser::enter(&app, ANN).await;
    browser.see(LIST).await.looks(200, "You have none yet.");
    browser.see(ADD).await.looks(200, "data-passkey=\"create\"").looks(200, "passkeys.js?v=");

    // Adding one: a challenge is good once, for the session that asked for it, in time.
    let mut phone = SoftPasskey::new(&app.base);
    let options = browser.asked_again("/account/passkeys/challenge").await;
    let made = phone.create(&options).to_string();
    let fields = |name| [("name", name), ("credential", made.as_str())];
    browser.press(ADD, &fields(" ")).await.looks(422, "A name has at most 200 characters");
    Browser::enter(&app, ANN).await.press(ADD, &fields("x")).await.looks(401, "was not accepted");
    assert_eq!(last(&app).await, "PASSKEY_REFUSED/unknown_challenge");
    let added = browser.press(ADD, &fields("Blue <b> phone")).await;
    added.leads_to(LIST);
    let list = browser.see(added.header("location")).await;
    list.looks(200, "The passkey was added.").looks(200, "Blue &lt;b&gt; phone");
    assert!(app.last_mail(ANN).await.data.contains("passkey was added"));
    browser.press(ADD, &fields("again")).await.looks(401, "was not accepted");
    let late = browser.asked_again("/account/passkeys/challenge").await;
    app.advance(Duration::from_mins(5));
    let late = SoftPasskey::new(&app.base).create(&late).to_string();
    let fields = [("name", "late"), ("credential", late.as_str())];
    browser.press(ADD, &fields).await.looks(401, "was not accepted");
    assert_eq!(last(&app).await, "PASSKEY_REFUSED/unknown_challenge");
    browser.press(ADD, &[("name", "x"), ("credential", "{")]).await.looks(422, "understand that");

    let id = hidden(&browser.see(LIST).await, "passkey");
    app.open_account("bob@example.org").await;
    let mut theirs = Browser::enter(&app, "bob@example.org").await;
    let renamed = [("passkey", id.as_str()), ("name", "mine")];
    for path in ["/account/passkeys/rename", "/account/passkeys/remove"] {
        let fields = if path.ends_with("rename") { &renamed[..] } else { &renamed[..1] };
        theirs.press(path, fields).await.looks(404, "That changed in the meantime");
    }
    browser.press("/account/passkeys/rename", &renamed).await.leads_to(LIST);
    browser.see(LIST).await.looks(200, "value=\"mine\"");

    // Signing in, whoever it is. A challenge is good once, for that, in time, for forms of ours.
    browser.press("/sign-out", &[]).await.looks(200, "You are signed out");
    browser.see("/sign-in").await.looks(200, "autocomplete=\"username webauthn\"");
    let options = browser.asked(ASK, &[]).await;
    let right = phone.get(&options);
    let text = right.to_string();
    let foreign =
        form(&app, SIGN_IN, &[("credential", &text)]).header("sec-fetch-site", "cross-site");
    app.send(foreign).await.looks(403, "This form is out of date");
    let stranger = form(&app, ASK, &[]).header("sec-fetch-site", "cross-site");
    app.send(stranger).await.looks(403, "This form is out of date");
    browser.shows(&right).await.leads_to("/account");
    browser.see("/account").await.looks(200, ANN);
    let mut other = Browser::new(&app);
    let of_second = {
        let (_, codes) = crate::second_factor::enable(&app, &app.sign_in(ANN).await).await;
        assert_eq!(codes.len(), 10);
        let ticket = hidden(&other.sign_in(ANN, PASSWORD).await, "ticket");
        phone.get(&other.asked(ASK_SECOND, &[("ticket", &ticket)]).await)
    };
    let late = phone.get(&other.asked(ASK, &[]).await);
    for (credential, reason) in [
        (right, "unknown_challenge"),
        (of_second, "unknown_challenge"),
        (SoftPasskey::new(&app.base).get(&other.asked(ASK, &[]).await), "unknown_credential"),
    ] {
        other.shows(&credential).await.looks(401, "The passkey was not accepted");
        assert_eq!(last(&app).await, format!("PASSKEY_REFUSED/{reason}"));
    }
    app.advance(Duration::from_mins(5));
    other.shows(&late).await.looks(401, "The passkey was not accepted");
    assert_eq!(last(&app).await, "PASSKEY_REFUSED/unknown_challenge");
    assert_eq!(other.cookie, None);
    other.shows(&json!({})).await.looks(422, "We did not understand that");
    other.see(SIGN_IN).await.leads_to("/sign-in");

    // In the place of a code.
    let asked = other.sign_in(ANN, PASSWORD).await;
    asked.looks(200, "Six digits of your authenticator app").looks(200, "data-passkey=\"get\"");
    let ticket = hidden(&asked, "ticket");
    let with =
        |credential: &Value| [("ticket", ticket.clone()), ("credential", credential.to_string())];
    let wrong = with(&phone.get(&other.asked(ASK, &[]).await));
    let wrong = wrong.each_ref().map(|(name, value)| (*name, value.as_str()));
    other.send(SECOND, &wrong).await.looks(401, "The passkey was not accepted");
    assert_eq!(last(&app).await, "SECOND_FACTOR_REFUSED/unknown_challenge");
    let both = [wrong[0], wrong[1], ("code", "123456")];
    other.send(SECOND, &both).await.looks(422, "We did not understand that");
    let right = with(&phone.get(&other.asked(ASK_SECOND, &[("ticket", &ticket)]).await));
    let right = right.each_ref().map(|(name, value)| (*name, value.as_str()));
    other.send(SECOND, &right).await.leads_to("/account");
    other.send(SECOND, &right).await.looks(401, "Please sign in again");

    // What is old is proved again with it; then it goes.
    app.advance(Duration::from_hours(1));
    let one = [("passkey", id.as_str())];
    let stale = other.press("/account/passkeys/remove", &one).await;
    stale.looks(403, "Show again that it is you").looks(403, "data-passkey=\"get\"");
    other.see(ADD).await.looks(403, "value=\"add-passkey\"");
    other.press("/account/passkeys/challenge", &[]).await.ok(403);
    let signed = phone.get(&other.asked(ASK, &[]).await).to_string();
    let fields = [("then", "passkeys"), ("credential", signed.as_str())];
    other.press("/account/prove", &fields).await.looks(401, "The passkey was not accepted");
    let signed = phone.get(&other.asked_again("/account/prove/challenge").await).to_string();
    let fields = [("then", "passkeys"), ("credential", signed.as_str())];
    other.press("/account/prove", &fields).await.leads_to(LIST);
    other.press("/account/passkeys/remove", &one).await.leads_to(LIST);
    other.see(LIST).await.looks(200, "You have none yet.");
    let gone = phone.get(&browser.asked(ASK, &[]).await);
    browser.shows(&gone).await.looks(401, "The passkey was not accepted");
}

/// Attack: C05, H09
#[tokio::test]
async fn a_passkey_alone_is_the_second_factor_on_the_pages() {
    let app = TestApp::with(&[UNLIMITED, ("second_factor.required_for", "moderator")]).await;
    let root = app.sign_up_admin("root@example.org").await;
    let ann = app.sign_up(ANN).await;
    let phone = crate::passkeys::add(&app, &ann).await;
    let roles = format!("/api/v1/admin/users/{}/roles", ann.id);
    app.patch_as(&root, &roles, json!({ "roles": ["user", "moderator"] })).await.ok(200);

    let mut browser = Browser::new(&app);
    let asked = browser.sign_in(ANN, PASSWORD).await;
    asked.looks(200, "This browser shows no passkeys here");
    assert!(!asked.text.contains("one-time-code"), "there is no code: {asked:?}");
    let ticket = hidden(&asked, "ticket");
    let options = browser.asked(ASK_SECOND, &[("ticket", &ticket)]).await;
    let signed = phone.get(&options).to_string();
    let fields = [("ticket", ticket.as_str()), ("credential", signed.as_str())];
    browser.send(SECOND, &fields).await.leads_to("/account");
    app.advance(Duration::from_hours(1));
    let stale = browser.see("/account/data").await;
    stale.looks(403, "Show again that it is you").looks(403, "data-passkey=\"get\"");
    assert!(!stale.text.contains("name=\"password\""), "that proves nothing here: {stale:?}");

    // A disabled account is told so, to who can show that it is theirs.
    disable(&app, &ann).await;
    let mut other = Browser::new(&app);
    let signed = phone.get(&other.asked(ASK, &[]).await);
    other.shows(&signed).await.looks(403, "was disabled");
}

/// Attack: A03
#[tokio::test]
async fn passkeys_on_pages_spend_the_budget_of_those_elsewhere() {
    let budget = ("rate_limit.passkey_per_client", "4/1m");
    let app = TestApp::with(&[budget]).await;
    let mut browser = Browser::new(&app);
    for _ in 0..2 {
        browser.asked(ASK, &[]).await;
        crate::passkeys::challenge(&app).await;
    }
    browser.send(ASK, &[]).await.ok(429);
    let shown = json!({ "rawId": "AA", "response": {
        "clientDataJSON": "AA", "authenticatorData": "AA", "signature": "AA" } });
    browser.shows(&shown).await.looks(429, "Too many tries");
    crate::passkeys::show(&app, shown).await.is(429, "RATE_LIMIT_EXCEEDED");
}
