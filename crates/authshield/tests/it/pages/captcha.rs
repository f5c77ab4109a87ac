//! Captchas on the pages, as browsers see them.

use crate::captcha::{shows, work};
use crate::pages::{ANN, Browser, OTHER};
use crate::registration::UNLIMITED;
use crate::support::{PASSWORD, Reply, TestApp};

/// It asks for one, says so to who has no scripts, and its page may run our own and nothing else.
#[track_caller]
fn asks(page: &Reply, status: u16, words: &str) {
    shows(page, status, &[words, "/assets/captcha.js?v=", "<noscript>"]);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'; connect-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
}

/// A page is no way around what programs have to solve, each time.
///
/// Attack: A03, A07, J04
/// ASVS: V2.4.1, V3.4.3
#[tokio::test]
async fn a_page_asks_for_what_programs_are_asked_for() {
    let settings = [
        ("captcha.cost", "20"),
        ("captcha.login", "always"),
        ("captcha.registration", "always"),
        ("captcha.reset", "always"),
        ("magic_link.enabled", "true"),
        UNLIMITED,
    ];
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account(ANN).await;
    assert!(!app.get("/sign-in").await.html().contains("captcha.js"));
    let app = app.second_node(&settings).await;
    let mut browser = Browser::new(&app);
    for (path, at, mut fields, done) in [
        (
            "/register",
            "registration",
            vec![("email", "bob@example.org"), ("password", PASSWORD)],
            202,
        ),
        ("/forgot-password", "reset", vec![("email", ANN)], 202),
        ("/sign-in/mail", "reset", vec![("email", ANN)], 303),
        ("/sign-in", "login", vec![("email", ANN), ("password", PASSWORD)], 303),
    ] {
        asks(&browser.see(path).await, 200, "JavaScript, for a short check");
        let before = app.events().await.len();
        asks(&browser.send(path, &fields).await, 403, "Before we go on");
        fields.push(("captcha_token", ""));
        asks(&browser.send(path, &fields).await, 403, "Before we go on");
        assert_eq!(app.events().await.len(), before, "nothing was judged");
        let answer = work(&app, at).await;
        fields.last_mut().unwrap().1 = &answer;
        assert_eq!(browser.send(path, &fields).await.status, done, "{path}");
        asks(&browser.send(path, &fields).await, 403, "did not count");
        // What is wrong besides leaves the form with another one to solve.
        fields[0].1 = "ann";
        asks(&browser.send(path, &fields).await, 422, "Enter a complete email address");
    }
    let answer = work(&app, "login").await;
    let fields = [("email", ANN), ("password", OTHER), ("captcha_token", &answer)];
    asks(&browser.send("/sign-in", &fields).await, 401, "is wrong");

    // On suspicion, nobody sees anything of it before.
    let settings = [
        ("captcha.cost", "20"),
        ("captcha.login", "suspicion"),
        ("rate_limit.unsuspected_per_address", "2/15m"),
    ];
    let app = app.second_node(&settings).await;
    let mut browser = Browser::new(&app);
    for _ in 0..2 {
        assert!(!browser.see("/sign-in").await.html().contains("captcha.js"));
        let wrong = browser.sign_in(ANN, OTHER).await;
        assert!(!wrong.looks(401, "is wrong").html().contains("captcha.js"));
    }
    asks(&browser.sign_in(ANN, PASSWORD).await, 403, "come back in a quarter of an hour");
    let answer = work(&app, "login").await;
    let fields = [("email", ANN), ("password", OTHER), ("captcha_token", &answer)];
    asks(&browser.send("/sign-in", &fields).await, 401, "is wrong");
    let answer = work(&app, "login").await;
    let fields = [("email", ANN), ("password", PASSWORD), ("captcha_token", &answer)];
    browser.send("/sign-in", &fields).await.leads_to("/account");
}
