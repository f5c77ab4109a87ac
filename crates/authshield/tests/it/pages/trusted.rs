//! Trusted devices on pages.

use std::time::Duration;

use reqwest::header;

use super::{ANN, Browser, form, hidden};
use crate::magic_link::{ON, code_of};
use crate::registration::UNLIMITED;
use crate::second_factor::enable;
use crate::support::{PASSWORD, TestApp};

const VERIFY: &str = "/sign-in/second-factor";

#[tokio::test]
async fn a_browser_that_is_trusted_signs_in_without_a_code_until_its_owner_says_otherwise() {
    let app = TestApp::with(&[UNLIMITED, ON]).await;
    let ann = app.sign_up(ANN).await;
    let (phone, _) = enable(&app, &ann).await;
    let asks = "Do not ask for a code on this device for 30 days";

    // A box, which stays where the code was wrong.
    let asked = Browser::new(&app).sign_in(ANN, PASSWORD).await;
    let ticket = hidden(asked.looks(200, asks), "ticket");
    let wrong = phone.wrong(&app);
    let fields = [("ticket", ticket.as_str()), ("code", &wrong), ("trust", "yes")];
    Browser::new(&app).send(VERIFY, &fields).await.looks(401, asks);
    let code = phone.code(&app);
    let fields = [("ticket", ticket.as_str()), ("code", &code), ("trust", "yes")];
    let entered = app.send(form(&app, VERIFY, &fields).header("sec-fetch-site", "same-origin"));
    let entered = entered.await;
    entered.leads_to("/account");
    let cookies: Vec<_> = entered.headers.get_all(header::SET_COOKIE).iter().collect();
    let [trust, session] = cookies[..] else { panic!("{cookies:?}") };
    let (trust, session) = (trust.to_str().unwrap(), session.to_str().unwrap());
    assert!(trust.starts_with("authshield-trust=ast_"), "{trust}");
    assert!(trust.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000"), "{trust}");
    assert!(session.starts_with("authshield=asb_"), "{session}");
    let trust = trust.split(';').next().unwrap().to_owned();

    // Neither after the password nor after a mail.
    let mut browser = Browser { app: &app, cookie: Some(trust.clone()) };
    browser.sign_in(ANN, PASSWORD).await.leads_to("/account");
    let own = browser.cookie.clone().unwrap();
    app.mails().await;
    let mail =
        form(&app, "/sign-in/mail", &[("email", ANN)]).header("sec-fetch-site", "same-origin");
    let asker = app.send(mail).await.header("set-cookie").split(';').next().unwrap().to_owned();
    let code = code_of(&app.last_mail(ANN).await);
    let mut by_mail = Browser { app: &app, cookie: Some(format!("{asker}; {trust}")) };
    by_mail.send("/sign-in/mail/code", &[("code", &code)]).await.leads_to("/account");

    // What cannot be taken back asks for the code.
    browser.see("/account/email").await.looks(403, "Show again that it is you");

    // Its owner sees it on the page of the account, and ends it.
    let page = browser.see("/account").await;
    let device = hidden(page.looks(200, "Trusted devices"), "device");
    browser.cookie = Some(own);
    let fields = [("device", device.as_str())];
    let ended = browser.press("/account/trusted-devices/end", &fields).await;
    ended.leads_to("/account");
    let page = browser.see(ended.header("location")).await;
    page.looks(200, "A code is asked for there again.");
    assert!(!page.html().contains("Trusted devices"), "{page:?}");
    app.advance(Duration::from_mins(1));
    let mut browser = Browser { app: &app, cookie: Some(trust) };
    browser.sign_in(ANN, PASSWORD).await.looks(200, asks);
}

#[tokio::test]
async fn who_shows_a_passkey_in_the_place_of_the_code_can_trust_the_browser_as_well() {
    let app = TestApp::with(&[UNLIMITED]).await;
    let ann = app.sign_up(ANN).await;
    let passkey = crate::passkeys::add(&app, &ann).await;
    enable(&app, &ann).await;
    for trust in [false, true] {
        let mut browser = Browser::new(&app);
        let asked = browser.sign_in(ANN, PASSWORD).await;
        let ticket = hidden(asked.looks(200, "name=\"trust\""), "ticket");
        let mut fields = vec![("ticket", ticket.as_str())];
        let options = browser.send("/sign-in/second-factor/challenge", &fields).await;
        let signed = passkey.get(&options.ok(200).body).to_string();
        fields.push(("credential", &signed));
        // What the script takes along from the box.
        fields.extend(trust.then_some(("trust", "yes")));
        let request = form(&app, VERIFY, &fields).header("sec-fetch-site", "same-origin");
        let entered = app.send(request).await;
        entered.leads_to("/account");
        let kept = entered.header("set-cookie").split(';').next().unwrap().to_owned();
        assert_eq!(kept.starts_with("authshield-trust=ast_"), trust, "{kept}");
        let mut again = Browser { app: &app, cookie: Some(kept) };
        if trust {
            again.sign_in(ANN, PASSWORD).await.leads_to("/account");
        }
    }
}
