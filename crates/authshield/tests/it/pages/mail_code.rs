//! Signing in by mail on pages.

use reqwest::{Method, header};

use super::{ANN, Browser, form, hidden};
use crate::magic_link::{ON, code_of};
use crate::registration::UNLIMITED;
use crate::second_factor::enable;
use crate::support::{Reply, TestApp};

const ASK: &str = "/sign-in/mail";
const CODE: &str = "/sign-in/mail/code";

/// Asks for a mail; returns the cookie of the browser that did.
async fn ask(app: &TestApp, email: &str, before: Option<&str>) -> String {
    app.mails().await;
    let mut request = form(app, ASK, &[("email", email)]).header("sec-fetch-site", "same-origin");
    if let Some(before) = before {
        request = request.header(header::COOKIE, before);
    }
    let reply = app.send(request).await;
    reply.leads_to(CODE);
    let cookie = reply.header("set-cookie").to_owned();
    assert!(cookie.starts_with("authshield-mail=asa_"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

async fn see(app: &TestApp, path: &str, cookie: Option<&str>) -> Reply {
    let request = app.request(Method::GET, path).header("sec-fetch-site", "cross-site");
    app.send(match cookie {
        Some(cookie) => request.header(header::COOKIE, cookie),
        None => request,
    })
    .await
}

async fn send(app: &TestApp, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Reply {
    let request = form(app, path, fields).header("sec-fetch-site", "same-origin");
    app.send(request.header(header::COOKIE, cookie)).await
}

/// Attack: B06, B08
#[tokio::test]
async fn a_browser_signs_in_by_the_mail_that_it_asked_for() {
    let app = TestApp::with(&[UNLIMITED, ON]).await;
    let ann = app.sign_up(ANN).await;
    app.open_account("bob@example.org").await;
    let mut browser = Browser::new(&app);
    browser.see("/sign-in").await.looks(200, "href=\"/sign-in/mail?lang=en\"");
    browser.see(ASK).await.looks(200, "autocomplete=\"username\"");
    browser.see(CODE).await.leads_to(ASK);
    browser.send(ASK, &[("email", "ann")]).await.looks(422, "Enter a complete email address");
    let stranger = form(&app, ASK, &[("email", ANN)]).header("sec-fetch-site", "cross-site");
    app.send(stranger).await.looks(403, "");

    let cookie = ask(&app, ANN, None).await;
    let mail = app.last_mail(ANN).await;
    let (code, link) = (code_of(&mail), mail.link("/sign-in/link?token=").unwrap());
    let path = link.strip_prefix(&app.base).unwrap();
    see(&app, CODE, Some(&cookie)).await.looks(200, "autocomplete=\"one-time-code\"");

    // A link that is opened elsewhere, or followed by a scanner, opens nothing and uses nothing up.
    let bobs = ask(&app, "bob@example.org", None).await;
    for other in [None, Some(bobs.as_str())] {
        let page = see(&app, path, other).await;
        page.looks(401, "This link opens nothing here")
            .looks(401, "type the code of the same mail");
    }
    let token = path.split_once('=').unwrap().1;
    app.submit("/sign-in/link", &[("token", token)]).await.looks(401, "ask for another mail");
    send(&app, CODE, &bobs, &[("code", &code)]).await.looks(401, "This code is not right");
    let page = see(&app, path, Some(&cookie)).await;
    assert_eq!(hidden(page.looks(200, "Press the button"), "token"), token);
    assert_eq!(page.header("referrer-policy"), "no-referrer");

    let entered = send(&app, "/sign-in/link", &cookie, &[("token", token)]).await;
    entered.leads_to("/account");
    browser.cookie = entered.header("set-cookie").split(';').next().map(str::to_owned);
    browser.see("/account").await.looks(200, ANN);
    browser.see(ASK).await.leads_to("/account");
    see(&app, path, Some(&cookie)).await.looks(401, "opens nothing here");
    send(&app, CODE, &cookie, &[("code", &code)]).await.looks(401, "ask for another mail");

    // Who asks again in the same browser uses the newest mail; wrong codes are few.
    let older = ask(&app, ANN, None).await;
    let code = code_of(&app.last_mail(ANN).await);
    let cookie = ask(&app, ANN, Some(&older)).await;
    send(&app, CODE, &older, &[("code", &code)]).await.looks(401, "ask for another mail");
    for _ in 0..4 {
        send(&app, CODE, &cookie, &[("code", "no")]).await.looks(401, "role=\"alert\"");
    }
    send(&app, CODE, &cookie, &[("code", "no")]).await.looks(401, "ask for another mail");

    // The second factor is asked for as ever.
    let (phone, _) = enable(&app, &ann).await;
    let cookie = ask(&app, ANN, None).await;
    let code = code_of(&app.last_mail(ANN).await);
    let due = send(&app, CODE, &cookie, &[("code", &code)]).await;
    assert!(due.header("set-cookie").is_empty());
    let ticket = hidden(due.looks(200, "Show that it is you"), "ticket");
    let fields = [("ticket", ticket.as_str()), ("code", &phone.code(&app))];
    Browser::new(&app).send("/sign-in/second-factor", &fields).await.leads_to("/account");

    let off = app.second_node(&[UNLIMITED]).await;
    see(&off, ASK, None).await.leads_to("/sign-in");
    assert!(!see(&off, "/sign-in", None).await.text.contains(ASK));
}
