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

/// ASVS: V7.4.3
#[tokio::test]
async fn an_address_is_changed_and_an_account_closed_with_forms_alone() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up(ANN).await;
    let mut browser = Browser::enter(&app, ANN).await;

    // Another address: the new one proves itself, the old one is told.
    let (path, new) = ("/account/email", "ann@example.net");
    browser.see("/account").await.looks(200, "href=\"/account/email?lang=en\"");
    browser.see(path).await.looks(200, "name=\"new_email\"");
    let fields = |email, password| [("new_email", email), ("password", password)];
    let before = app.events().await.len();
    let half = browser.press(path, &fields("ann", PASSWORD)).await;
    half.looks(422, "Enter a complete email address").looks(422, "value=\"ann\"");
    let stranger = [&[("guard", "x")], fields(new, PASSWORD).as_slice()].concat();
    browser.send(path, &stranger).await.looks(403, "This form is out of date");
    assert_eq!(app.events().await.len(), before);
    browser.press(path, &fields(new, OTHER)).await.looks(400, "The password is wrong.");
    let asked = browser.press(path, &fields(new, PASSWORD)).await;
    asked.leads_to("/account");
    let said = browser.see(asked.header("location")).await;
    said.looks(200, "on its way to the new address").looks(200, ANN);
    let told = app.last_mail(ANN).await.header("Subject").unwrap();
    assert!(told.contains("about to change"), "{told}");
    let token = app.token_for(new).await;
    app.submit("/verify-email", &[("token", &token)]).await.page(200, "is confirmed");
    browser.see("/account").await.looks(200, new);

    // The panic button ends everything, here too, and a mail leads back in.
    let path = "/account/lock";
    browser.see("/account/activity").await.looks(200, "href=\"/account/lock?lang=en\"");
    let button = browser.see(path).await;
    assert!(!button.looks(200, "Sign everybody out").text.contains("checkbox"));
    browser.send(path, &[("guard", "x")]).await.looks(403, "This form is out of date");
    let closed = browser.press(path, &[]).await;
    closed.looks(200, "Everybody was signed out").looks(200, new);
    assert_eq!(browser.cookie, None);
    app.me(&ann).await.is(401, "AUTH_TOKEN_REVOKED");
    app.log_in(new, PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
    let token = app.token_for(new).await;
    let chosen = [("token", token.as_str()), ("new_password", OTHER)];
    app.submit("/reset-password", &chosen).await.page(200, "Your password was changed");

    // Whoever has the factors removed with it proves again who they are; without that, nobody has to.
    browser.sign_in(new, OTHER).await.leads_to("/account");
    let factor = "/account/second-factor";
    let shown = browser.press(&format!("{factor}/add"), &[("password", OTHER)]).await;
    let phone = authenticator(&shown);
    browser.press(&format!("{factor}/confirm"), &[("code", &phone.code(&app))]).await.ok(200);
    browser.see(path).await.looks(200, "type=\"checkbox\"");
    app.advance(Duration::from_hours(1));
    browser.see("/account/email").await.looks(403, "Show again that it is you");
    let also = [("also", "factors")];
    browser.press(path, &also).await.looks(403, "Show again that it is you");
    let code = phone.code(&app);
    let proof = [("then", "lock"), ("code", code.as_str())];
    browser.press("/account/prove", &proof).await.leads_to(path);
    browser.press(path, &also).await.looks(200, "Everybody was signed out");
    // Two mails say so: that the factor is gone, and the way back in.
    let mails = app.mails().await;
    let link = mails.iter().rev().find_map(|mail| mail.link("reset-password?token=")).unwrap();
    let (_, token) = link.split_once("token=").unwrap();
    let chosen = [("token", token), ("new_password", PASSWORD)];
    app.submit("/reset-password", &chosen).await.page(200, "Your password was changed");
    browser.sign_in(new, PASSWORD).await.leads_to("/account");
}

/// ASVS: V7.4.3, V7.5.2
#[tokio::test]
async fn who_signs_out_everywhere_else_stays_in_here_and_is_told_so() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account(ANN).await;
    app.open_account("bob@example.org").await;
    let mut bob = Browser::enter(&app, "bob@example.org").await;
    let mut browser = Browser::enter(&app, ANN).await;
    let (path, button) = ("/account/sessions/end-others", "Sign out everywhere else");

    // There is nobody else, whatever the other languages of the page.
    let alone = browser.see("/account").await;
    assert!(!alone.looks(200, "lang=\"de\"").html().contains(path), "{alone:?}");

    let (mut other, phone) = (Browser::enter(&app, ANN).await, app.sign_in(ANN).await);
    browser.see("/account").await.looks(200, path).looks(200, button);
    let before = app.events().await.len();
    browser.send(path, &[("guard", "x")]).await.looks(403, "This form is out of date");
    assert_eq!(app.events().await.len(), before);
    let ended = browser.press(path, &[]).await;
    ended.leads_to("/account");
    assert_eq!(app.events().await.pop().unwrap(), "SESSION_REVOKED/logout_others");
    let page = browser.see(ended.header("location")).await;
    page.looks(200, "You are signed out everywhere else.");
    assert!(!page.html().contains(path), "{page:?}");
    other.is_out().await;
    app.me(&phone).await.is(401, "AUTH_TOKEN_REVOKED");
    app.refresh(&phone.refresh).await.is(401, "AUTH_REFRESH_TOKEN_INVALID");
    bob.see("/account").await.looks(200, "bob@example.org");

    // Pressed in a page of before, it ends nothing.
    browser.press(path, &[]).await.leads_to("/account");
    browser.see("/account").await.looks(200, ANN);
}
