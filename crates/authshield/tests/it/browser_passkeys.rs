//! Passkeys in a real browser, with an authenticator that it plays.

use std::time::Duration;

use fantoccini::Locator;
use serde_json::{Value, json};

use crate::browser::{Browser, Devtools, Kind, PHONE, USUAL};
use crate::support::{PASSWORD, TestApp, on_postgres};

/// How long a sign-in takes that nothing holds up.
const SOON: Duration = Duration::from_secs(4);

/// An authenticator that the browser plays: it holds passkeys, and knows its owner.
struct Authenticator<'b> {
    browser: &'b Browser,
    id: Value,
}

impl<'b> Authenticator<'b> {
    async fn plug(browser: &'b Browser) -> Self {
        let tell = |command, with| browser.client.issue_cmd(Devtools(command, with));
        tell("WebAuthn.enable", json!({})).await.unwrap();
        let options = json!({ "options": {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true,
            "automaticPresenceSimulation": true,
        } });
        let added = tell("WebAuthn.addVirtualAuthenticator", options).await.unwrap();
        Self { browser, id: added["authenticatorId"].clone() }
    }

    /// Sets whether its owner has a finger on it.
    async fn touched(&self, is_touched: bool) {
        let with = json!({ "authenticatorId": self.id, "enabled": is_touched });
        let set = Devtools("WebAuthn.setAutomaticPresenceSimulation", with);
        self.browser.client.issue_cmd(set).await.unwrap();
    }

    /// Presses the button on the page, and then touches it until somebody is in: where the browser asks before it
    /// is touched, what plays the authenticator may wait for ever.
    async fn signs_in(&self) {
        let (client, button) =
            (&self.browser.client, "//button[normalize-space()='Use a passkey']");
        self.browser.press_on("Use a passkey").await;
        self.touched(true).await;
        for _ in 0..5 {
            let account = Locator::XPath("//h1[normalize-space()='Your account']");
            if client.wait().at_most(SOON).for_element(account).await.is_ok() {
                return;
            }
            if let Ok(button) = client.find(Locator::XPath(button)).await {
                let _ = button.click().await;
            }
        }
        self.browser.heading("Your account").await;
    }
}

/// One walk: a passkey is added, signs in by button and out of the autofill, stands in the place of a code, gets
/// another name, and goes. What depends on the database is told without a browser, on both.
#[tokio::test]
async fn a_passkey_signs_in_from_the_pages() {
    if on_postgres() {
        return;
    }
    let Some(browser) = Browser::open(Kind { size: PHONE, ..USUAL }).await else { return };
    // Browsers have no passkeys for the numbers of a machine.
    let app = TestApp::with(&[("public_url", "http://localhost:{port}")]).await;
    let base = app.app.issuer().trim_end_matches('/').to_owned();
    app.open_account("ann@example.org").await;
    let authenticator = Authenticator::plug(&browser).await;
    browser.go(&format!("{base}/sign-in")).await;
    browser.heading("Sign in").await;
    browser.is_sound("sign-in-passkey").await;
    authenticator.touched(false).await;
    browser.fill("email", "ann@example.org").await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Sign in").await;
    browser.heading("Your account").await;
    browser.client.find(Locator::LinkText("Passkeys")).await.unwrap().click().await.unwrap();
    browser.says("You have none yet.").await;
    browser.client.find(Locator::LinkText("Add a passkey")).await.unwrap().click().await.unwrap();
    browser.heading("Add a passkey").await;
    browser.is_sound("passkey-add").await;
    authenticator.touched(true).await;
    browser.fill("name", "Blue phone").await;
    browser.press_on("Make the passkey").await;
    browser.says("The passkey was added.").await;
    browser.says("Blue phone").await;
    browser.is_sound("passkeys").await;
    // It holds one of this account already.
    browser.client.find(Locator::LinkText("Add a passkey")).await.unwrap().click().await.unwrap();
    browser.fill("name", "again").await;
    browser.press_on("Make the passkey").await;
    browser.says("There is a passkey for this account on this device already.").await;

    // By the button, without a name.
    let sign_out = async || {
        authenticator.touched(false).await;
        browser.go(&format!("{base}/account")).await;
        browser.press_on("Sign out").await;
        browser.heading("You are signed out").await;
    };
    sign_out().await;
    browser.go(&format!("{base}/sign-in")).await;
    authenticator.signs_in().await;
    // Out of the autofill: nobody presses anything.
    sign_out().await;
    authenticator.touched(true).await;
    browser.go(&format!("{base}/sign-in")).await;
    browser.heading("Your account").await;

    // In the place of a code.
    sign_out().await;
    let ann = app.sign_in("ann@example.org").await;
    crate::second_factor::enable(&app, &ann).await;
    browser.go(&format!("{base}/sign-in")).await;
    browser.fill("email", "ann@example.org").await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Sign in").await;
    browser.heading("Show that it is you").await;
    browser.is_sound("second-factor-passkey").await;
    browser.client.find(Locator::Id("trust")).await.unwrap().click().await.unwrap();
    authenticator.signs_in().await;
    browser.says("Trusted devices").await;

    browser.go(&format!("{base}/account/passkeys")).await;
    let name = browser.client.find(Locator::Css("input[name=name]")).await.unwrap();
    name.clear().await.unwrap();
    name.send_keys("Old phone").await.unwrap();
    browser.press_on("Rename it").await;
    browser.says("The passkey has its new name.").await;
    browser.says("Old phone").await;
    browser.press_on("Remove it").await;
    browser.says("The passkey was removed.").await;
    browser.says("You have none yet.").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.close().await;

    // With scripts off there is no button that does nothing.
    let plain = Browser::open(Kind { scripts: false, ..USUAL }).await.unwrap();
    plain.go(&format!("{base}/sign-in")).await;
    plain.heading("Sign in").await;
    let button = plain.client.find(Locator::Css(".passkey button")).await.unwrap();
    assert!(!button.is_displayed().await.unwrap());
    plain.close().await;
}
