//! Looking after an account on its pages.

use std::time::Duration;

use crate::pages::{ANN, Browser, OTHER, authenticator};
use crate::registration::UNLIMITED;
use crate::support::{PASSWORD, TestApp};

/// ASVS: V6.2.3, V7.2.4, V7.4.3, V7.5.1
#[tokio::test]
async fn an_account_is_looked_after_with_forms_alone() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up(ANN).await;
    let (mut browser, mut other) =
        (Browser::enter(&app, ANN).await, Browser::enter(&app, ANN).await);

    // Another password.
    let path = "/account/password";
    browser.see(path).await.looks(200, "autocomplete=\"current-password\"");
    let mut fields = [("current_password", OTHER), ("new_password", OTHER)];
    browser.press(path, &fields).await.looks(400, "The password is wrong.");
    fields[0].1 = PASSWORD;
    fields[1].1 = "secret";
    browser.press(path, &fields).await.looks(422, "Use at least 8 characters.");
    fields[1].1 = PASSWORD;
    browser.press(path, &fields).await.looks(400, "This is the current password.");
    fields[1].1 = OTHER;
    let before = browser.cookie.clone();
    let changed = browser.press(path, &fields).await;
    changed.leads_to("/account");
    browser.see(changed.header("location")).await.looks(200, "Your password was changed");
    assert_ne!(browser.cookie, before);
    Browser { app: &app, cookie: before }.is_out().await;
    other.is_out().await;
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");

    // What cannot be taken back wants a fresh proof, and the cookie of before is worth nothing then.
    let path = "/account/data";
    browser.see(path).await.looks(200, "Delete my account");
    app.advance(Duration::from_hours(1));
    let stale = browser.see(path).await;
    stale.looks(403, "Show again that it is you").looks(403, "name=\"password\"");
    let events = app.events().await.len();
    for act in ["/account/data/export", "/account/data/delete"] {
        browser.press(act, &[]).await.looks(403, "Show again that it is you");
    }
    assert_eq!(app.events().await.len(), events);
    let wrong = [("then", "data"), ("password", PASSWORD)];
    browser.press("/account/prove", &wrong).await.looks(400, "The password is wrong.");
    let before = browser.cookie.clone();
    let right = [("then", "data"), ("password", OTHER)];
    browser.press("/account/prove", &right).await.leads_to(path);
    Browser { app: &app, cookie: before }.is_out().await;
    let export = browser.press("/account/data/export", &[]).await;
    assert_eq!(export.ok(200).body["account"]["email"], ANN, "{export:?}");
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"account.json\"");
    browser.press("/account/data/delete", &[]).await.leads_to("/account");
    let due = browser.see("/account").await;
    due.looks(200, "will be deleted on").looks(200, "Keep my account");
    browser.press("/account/data/keep", &[]).await.leads_to("/account");
    assert!(!browser.see("/account").await.text.contains("will be deleted"));

    // A second factor.
    let path = "/account/second-factor";
    browser.see(path).await.looks(200, "Add an app");
    browser.press(&format!("{path}/add"), &[("password", PASSWORD)]).await.looks(400, "is wrong.");
    let shown = browser.press(&format!("{path}/add"), &[("password", OTHER)]).await;
    shown.looks(200, "alt=\"QR code for your authenticator app\"");
    let phone = authenticator(&shown);
    let confirm = format!("{path}/confirm");
    browser.press(&confirm, &[("code", &phone.wrong(&app))]).await.looks(401, "not right");
    let before = browser.cookie.clone();
    let codes = browser.press(&confirm, &[("code", &phone.code(&app))]).await;
    codes.looks(200, "Keep these codes");
    Browser { app: &app, cookie: before }.is_out().await;
    browser.see(path).await.looks(200, "10 recovery codes are left.");
    app.advance(Duration::from_hours(1));
    let stale = browser.see("/account/password").await;
    stale.looks(403, "Show again that it is you").looks(403, "one-time-code");
    let code = |code: &str| [("then", "password".to_owned()), ("code", code.to_owned())];
    let wrong = code(&phone.wrong(&app));
    let wrong = wrong.each_ref().map(|(name, value)| (*name, value.as_str()));
    browser.press("/account/prove", &wrong).await.looks(401, "not right");
    let right = code(&phone.code(&app));
    let right = right.each_ref().map(|(name, value)| (*name, value.as_str()));
    browser.press("/account/prove", &right).await.leads_to("/account/password");
    browser.see("/account/password").await.looks(200, "Current password");
    app.advance(Duration::from_mins(1));
    let (renew, remove) = (format!("{path}/recovery-codes"), format!("{path}/remove"));
    let code = phone.code(&app);
    let both = [("password", OTHER), ("code", code.as_str())];
    let new = browser.press(&renew, &both).await;
    new.looks(200, "Keep these codes");
    assert_ne!(new.text, codes.text);
    browser.press(&remove, &both).await.looks(401, "This code was used already");
    app.advance(Duration::from_mins(1));
    let code = phone.code(&app);
    let both = [("password", OTHER), ("code", code.as_str())];
    browser.press(&remove, &both).await.leads_to("/account");
    browser.see(path).await.looks(200, "Add an app");
    browser.press(&renew, &both).await.looks(400, "That changed in the meantime");

    // What of all that is told, thirty at a time.
    let log = browser.see("/account/activity").await;
    for words in ["Second factor added", "Password changed", "All data of the account taken along"]
    {
        log.looks(200, words);
    }
    for number in 0..30 {
        let name = format!("Ann {number}");
        let fields = [("full_name", name.as_str()), ("locale", "en")];
        browser.press("/account/profile", &fields).await.leads_to("/account");
    }
    let log = browser.see("/account/activity").await.looks(200, "Name or language changed").html();
    let cursor = log.split("cursor=").nth(1).unwrap_or_else(|| panic!("no second page in {log}"));
    let cursor = cursor.split('"').next().unwrap();
    let older = browser.see(&format!("/account/activity?cursor={cursor}")).await;
    older.looks(200, "Second factor added");
    browser.see("/account/activity?cursor=x").await.looks(422, "We did not understand that");
}
