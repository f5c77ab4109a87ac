//! What a browser shows of second factors: adding an app, the codes to keep, and proving again who one is; and the page
//! of who was signed in by somebody else.

use std::time::Duration;

use fantoccini::Locator;
use serde_json::json;

use crate::browser::Browser;
use crate::lockdown::link_identity;
use crate::support::{Authenticator, PASSWORD, Person, TestApp};

/// Adds an app on the pages of who is signed in; a minute later none of its codes was used.
pub(crate) async fn add_an_app(browser: &Browser, app: &TestApp) -> Authenticator {
    browser.go(&format!("{}/account/second-factor", app.base)).await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Add an app").await;
    browser.heading("Add a second factor").await;
    browser.is_sound("enrol").await;
    let secret = browser.client.find(Locator::Css("p.address code")).await.unwrap();
    let secret = secret.text().await.unwrap().replace(' ', "");
    let phone = Authenticator::of(&json!({ "secret": secret }));
    browser.fill("code", &phone.code(app)).await;
    browser.press_on("Add it").await;
    browser.heading("Keep these codes").await;
    browser.is_sound("recovery-codes").await;
    app.advance(Duration::from_mins(1));
    phone
}

/// Shows again who one is, long after the sign-in, before something that cannot be taken back.
pub(crate) async fn prove_it_again(browser: &Browser, app: &TestApp, phone: &Authenticator) {
    app.advance(Duration::from_mins(16));
    browser.go(&format!("{}/account/data", app.base)).await;
    browser.heading("Show again that it is you").await;
    browser.is_sound("prove").await;
    browser.fill("code", &phone.code(app)).await;
    browser.press_on("Go on").await;
    browser.heading("Your data").await;
    app.advance(Duration::from_mins(1));
}

/// Opens the page where a notice of a new device leads; looking at it changes nothing.
pub(crate) async fn look_at_a_notice(browser: &Browser, app: &TestApp) {
    let mails = app.mails().await;
    let link = mails.iter().rev().find_map(|mail| mail.link("/not-me?token="));
    browser.go(&link.expect("a notice of a new device")).await;
    browser.heading("Was this not you?").await;
    browser.is_sound("not-me").await;
}

/// Shows the second factor and trusts the device; the account then shows all that it may have.
pub(crate) async fn trust_a_device(
    browser: &Browser,
    app: &TestApp,
    person: &Person,
    phone: &Authenticator,
) {
    browser.heading("Show that it is you").await;
    browser.fill("code", &phone.wrong(app)).await;
    browser.press_on("Go on").await;
    browser.says("This code is not right").await;
    browser.is_sound("second-factor-wrong").await;
    browser.fill("code", &phone.code(app)).await;
    browser.client.find(Locator::Id("trust")).await.unwrap().click().await.unwrap();
    link_identity(app, person).await;
    browser.press_on("Go on").await;
    browser.heading("Your account").await;
    browser.says("Trusted devices").await;
    browser.says("google").await;
    browser.is_sound("account-dark").await;
}
