//! Signing in at a provider on our own pages.

use super::hostile::Behaviour;
use super::refusals::{ann, last_refusal, start};
use super::*;
use crate::pages::onward::onward;
use crate::pages::{form, hidden};
use crate::second_factor;
use crate::support::claims;

const LEAVE: &str = "https://id.example.net/sign-in/at/acme?lang=de";
const ACCOUNT: &str = "https://id.example.net/account?lang=de";
const RETURN: &str = "https://id.example.net/sign-in/return";

/// Goes to the provider and back, and returns the page at which that ends.
async fn go(app: &TestApp, browser: &mut Browser) -> Reply {
    browser.go(app, LEAVE, "nowhere").await.unwrap_err()
}

/// Attack: C05, G01, G08
/// ASVS: V7.6.2, V10.1.2
#[tokio::test]
async fn g01_who_signs_in_at_a_provider_on_our_pages_is_in_where_they_began_and_nowhere_else() {
    let (hostile, app) = start().await;
    hostile.vouches_for(ann());
    let page = app.get("/sign-in").await;
    let link = r#"<a class="button second" href="/sign-in/at/acme?lang=en">Sign in with acme</a>"#;
    assert!(page.ok(200).html().contains(link), "{}", page.text);

    // In, with the language that was read; the page is that of an account.
    let mut browser = Browser::default();
    let page = go(&app, &mut browser).await;
    assert!(page.ok(200).text.contains("ann@example.org") && page.text.contains("lang=\"de\""));
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-authshield"]);
    assert!(app.events().await.contains(&"LOGIN_SUCCEEDED".to_owned()));

    // For an application that sent the browser: it gets it back, with a code of our own and not of the provider's.
    let wish = door("acme", &[]);
    let leave = format!("{LEAVE}&{}", wish.split_once('?').unwrap().1);
    let page = Browser::default().go(&app, &leave, "nowhere").await.unwrap_err();
    let code = Told::read(&onward(&page)).code();
    let pair = app.post(REDEEM, json!({ "code": code, "code_verifier": VERIFIER })).await;
    assert_eq!(claims(&Person::from_pair(&pair.ok(200).body).access)["amr"], json!(["fed"]));
    // Who forges what comes along sends nobody elsewhere; how old the sign-in may be is asked there.
    let evil = leave.replace("app.example.net", "evil.example");
    let page = Browser::default().go(&app, &evil, "nowhere").await.unwrap_err();
    assert!(page.ok(200).text.contains("ann@example.org"), "{}", page.text);
    let asked = Browser::default().ask(&app, &format!("{leave}&max_age=300")).await;
    assert!(asked.header("location").contains("max_age=300"), "{asked:?}");

    // A code that another browser got signs nobody in here, and is spent.
    let mut other = Browser::default();
    let back = other.go(&app, LEAVE, RETURN).await.unwrap();
    let mut victim = Browser::default();
    victim.ask(&app, LEAVE).await.ok(303);
    for browser in [&mut victim, &mut other] {
        let page = browser.ask(&app, back.as_str()).await;
        assert_eq!(page.status, 400, "{}", page.text);
        assert!(page.text.contains("role=\"alert\"") && page.text.contains("Beginnen Sie neu"));
        assert!(!browser.cookies.contains_key("__Host-authshield"));
    }
    assert_eq!(last_refusal(&app).await, "code_used");

    // Who takes back their mind, or whose address is not proved, is told so on the page.
    let mut claims = ann();
    claims["email_verified"] = json!(false);
    claims["sub"] = json!("eve");
    for (behaviour, status, words) in [
        (
            Behaviour { callback: json!({ "error": "access_denied" }), ..Behaviour::default() },
            400,
            "kam nicht zustande",
        ),
        (Behaviour { claims, ..Behaviour::default() }, 403, "bestätigt nicht"),
    ] {
        hostile.behaves(behaviour);
        let page = go(&app, &mut Browser::default()).await;
        assert!(page.status == status && page.text.contains(words), "{status}: {}", page.text);
    }
    browser.ask(&app, &LEAVE.replace("acme", "nobody")).await.ok(404);

    // The second factor is asked for there, too.
    let bob = app.sign_up("bob@example.org").await;
    second_factor::enable(&app, &bob).await;
    hostile.vouches_for(json!({ "sub": "8", "email": "bob@example.org", "email_verified": true }));
    let mut bobs = Browser::default();
    let page = go(&app, &mut bobs).await;
    assert!(page.ok(200).text.contains("name=\"ticket\""), "{}", page.text);
    assert!(bobs.cookies.is_empty(), "{:?}", bobs.cookies.keys());

    // The page of the account shows the identity, and lets go of it where there is another way in.
    let page = browser.ask(&app, ACCOUNT).await;
    let unlink = async |browser: &Browser, page: &Reply| {
        let cookie = format!("__Host-authshield={}", browser.cookies["__Host-authshield"]);
        let fields = ["guard", "identity"].map(|name| (name, hidden(page, name)));
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let request = form(&app, "/account/identities/remove?lang=de", &fields);
        let request = request.header("sec-fetch-site", "same-origin");
        app.send(request.header(header::COOKIE, cookie)).await
    };
    assert!(page.ok(200).text.contains("Konten bei Anbietern"), "{}", page.text);
    let last = unlink(&browser, &page).await;
    assert!(last.ok(409).text.contains("der einzige Weg"), "{}", last.text);
    app.sign_up("carl@example.org").await;
    hostile.vouches_for(json!({ "sub": "9", "email": "carl@example.org", "email_verified": true }));
    let mut carl = Browser::default();
    let carls = go(&app, &mut carl).await;
    let done = unlink(&carl, &carls).await;
    assert!(done.ok(303).header("location").ends_with("&done=unlinked"), "{done:?}");
    let rest = carl.ask(&app, ACCOUNT).await;
    assert!(!rest.ok(200).text.contains("Konten bei Anbietern"), "{}", rest.text);
    app.advance(std::time::Duration::from_mins(16));
    assert!(unlink(&browser, &page).await.text.contains("Zeigen Sie noch einmal"));
}
