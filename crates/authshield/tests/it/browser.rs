//! The pages in a real browser, from the mail to the signed-in account.
//!
//! `cargo xtask test` starts the driver and names it in `AUTHSHIELD_TEST_CHROMEDRIVER`; without that
//! variable these tests say that they were skipped. To look at the pages, see `target/pictures`, or name another
//! folder in `AUTHSHIELD_TEST_PICTURES`.

use std::path::PathBuf;

use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser_factors::{add_an_app, look_at_a_notice, prove_it_again, trust_a_device};
use crate::page_judge;
use crate::support::{PASSWORD, TestApp, on_postgres};

pub(crate) const DESK: (u32, u32) = (1100, 860);
pub(crate) const PHONE: (u32, u32) = (360, 740);

/// A browser of its own, with nothing in it.
pub(crate) struct Browser {
    pub(crate) client: Client,
    scripts: bool,
    _profile: tempfile::TempDir,
}

/// What a browser is like.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) scripts: bool,
    pub(crate) size: (u32, u32),
}

pub(crate) const USUAL: Kind = Kind { scripts: true, size: DESK };

impl Browser {
    /// Opens one, or says that there is no driver.
    pub(crate) async fn open(kind: Kind) -> Option<Self> {
        let Some(driver) = variable("AUTHSHIELD_TEST_CHROMEDRIVER") else {
            eprintln!(
                "skipped: AUTHSHIELD_TEST_CHROMEDRIVER names no driver; `cargo xtask test` starts one"
            );
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let (width, height) = kind.size;
        let mut options = json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--lang=en",
                format!("--user-data-dir={}", profile.path().display()),
                format!("--window-size={width},{height}"),
            ],
            "prefs": { "intl.accept_languages": "en" },
        });
        if kind.size == PHONE {
            // A headless window has a least width, so a phone is emulated.
            options["mobileEmulation"] = json!({
                "deviceMetrics": { "width": width, "height": height, "pixelRatio": 2.0 },
            });
        }
        if !kind.scripts {
            options["prefs"]["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        let mut wanted = Capabilities::new();
        wanted.insert("browserName".into(), json!("chrome"));
        wanted.insert("goog:chromeOptions".into(), options);
        wanted.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
        let connector = HttpConnector::new();
        let client =
            ClientBuilder::new(connector).capabilities(wanted).connect(&driver).await.unwrap();
        Some(Self { client, scripts: kind.scripts, _profile: profile })
    }

    pub(crate) async fn go(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    async fn press(&self) {
        self.client.find(Locator::Css("button")).await.unwrap().click().await.unwrap();
    }

    pub(crate) async fn fill(&self, id: &str, text: &str) {
        let field = self.client.find(Locator::Id(id)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Waits until the heading is `words`.
    pub(crate) async fn heading(&self, words: &str) {
        let heading = format!("//h1[normalize-space()={words:?}]");
        let found = self.client.wait().for_element(Locator::XPath(&heading)).await;
        let page = self.client.source().await.unwrap();
        assert!(found.is_ok(), "no `{words}` on the page: {page}");
    }

    async fn text(&self, selector: &str) -> String {
        self.client.find(Locator::Css(selector)).await.unwrap().text().await.unwrap()
    }

    /// The style sheet works, nothing is wider than the window, the console is empty, and `page_judge` has nothing
    /// to say; that does not depend on the database.
    pub(crate) async fn is_sound(&self, name: &str) {
        let sheet = self.client.find(Locator::Css(".sheet")).await.unwrap();
        assert_ne!(sheet.css_value("border-top-left-radius").await.unwrap(), "0px", "{name}");
        let wide = "return [document.documentElement.scrollWidth, innerWidth, document.styleSheets.length]";
        let measured = self.client.execute(wide, Vec::new()).await.unwrap();
        let [scroll, inner, sheets] = serde_json::from_value::<[u32; 3]>(measured).unwrap();
        assert!(scroll <= inner, "{name} scrolls sideways: {scroll} > {inner}");
        assert_eq!(sheets, 1, "{name}");
        assert_eq!(self.console().await, Vec::<String>::new(), "{name}");
        self.picture(name).await;
        if self.scripts && !on_postgres() {
            assert_eq!(page_judge::judge(&self.client).await, Vec::<String>::new(), "{name}");
        }
    }

    /// Returns what the browser complained about; violations of the policy are among it. That an
    /// answer had an error status is not a complaint about the page.
    pub(crate) async fn console(&self) -> Vec<String> {
        let lines = self.client.issue_cmd(ConsoleLog).await.unwrap();
        let lines = lines.as_array().unwrap().iter();
        lines
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .filter(|line| !line.contains("the server responded with a status of"))
            .collect()
    }

    /// Leaves a picture in the folder that somebody named.
    async fn picture(&self, name: &str) {
        if let Some(folder) = variable("AUTHSHIELD_TEST_PICTURES") {
            let image = self.client.screenshot().await.unwrap();
            std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), image).unwrap();
        }
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}

pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the test command says so in the environment")]
    std::env::var(name).ok()
}

/// Asks the driver for what the page wrote to its console since the last time.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// Says to the browser what the driver has no words for.
#[derive(Debug)]
pub(crate) struct Devtools(pub(crate) &'static str, pub(crate) Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}

/// Sets the colour scheme that the reader prefers.
/// Sets the colour scheme that the reader prefers.
pub(crate) async fn prefer(client: &Client, scheme: &'static str) -> Result<Value, CmdError> {
    let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
    let media = Devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
    client.issue_cmd(media).await
}

#[tokio::test]
async fn a_mailed_link_is_pressed_and_the_account_signs_in() {
    let Some(browser) = Browser::open(USUAL).await else { return };
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let link = app.last_mail("ann@example.org").await.link("token=").unwrap();

    browser.go(&link).await;
    browser.heading("Confirm your email address").await;
    assert_eq!(browser.text(".address").await, "ann@example.org");
    browser.is_sound("verify").await;
    browser.press().await;
    browser.heading("Your address is confirmed").await;
    browser.is_sound("verified").await;
    assert!(!browser.client.current_url().await.unwrap().as_str().contains("token"));
    app.sign_in("ann@example.org").await;

    browser.go(&link).await;
    browser.heading("This link was used already").await;
    browser.is_sound("used").await;
    browser.close().await;
}

async fn a_password_is_reset(kind: Kind, name: &str) {
    let Some(browser) = Browser::open(kind).await else { return };
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let forgot = json!({ "email": "ann@example.org" });
    app.post("/api/v1/auth/forgot-password", forgot).await.ok(202);

    browser.go(&app.last_mail("ann@example.org").await.link("token=").unwrap()).await;
    browser.heading("Choose a new password").await;
    browser.is_sound(&format!("{name}-form")).await;
    browser.fill("new_password", "secret").await;
    browser.press().await;
    let why = browser.client.wait().for_element(Locator::Id("new_password-errors")).await.unwrap();
    assert!(why.text().await.unwrap().contains("Use at least 8 characters."));
    browser.is_sound(&format!("{name}-weak")).await;
    browser.fill("new_password", "nine quiet harbours 7").await;
    browser.press().await;
    browser.heading("Your password was changed").await;
    browser.is_sound(&format!("{name}-done")).await;
    app.log_in("ann@example.org", "nine quiet harbours 7").await.ok(200);
    browser.close().await;
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_after_a_weak_one_is_refused() {
    a_password_is_reset(USUAL, "reset").await;
}

#[tokio::test]
async fn without_scripts_everything_works_the_same() {
    let kind = Kind { scripts: false, ..USUAL };
    let Some(browser) = Browser::open(kind).await else { return };
    browser.go("data:text/html,<title>off</title><script>document.title='on'</script>").await;
    assert_eq!(browser.client.title().await.unwrap(), "off", "scripts run after all");
    browser.close().await;
    a_password_is_reset(kind, "plain").await;
}

#[tokio::test]
async fn the_first_administrator_is_made_on_a_phone() {
    let Some(browser) = Browser::open(Kind { size: PHONE, ..USUAL }).await else { return };
    let app = TestApp::start().await;
    let link = format!("{}/setup?token={}", app.base, app.setup_token().await);

    browser.go(&link).await;
    browser.heading("Open the first account").await;
    browser.is_sound("phone-setup").await;
    browser.fill("email", "ann@example.org").await;
    browser.fill("full_name", "Ann Lee").await;
    browser.fill("password", "ann@example.org").await;
    browser.press().await;
    browser.client.wait().for_element(Locator::Id("password-errors")).await.unwrap();
    browser.is_sound("phone-setup-weak").await;
    let email = browser.client.find(Locator::Id("email")).await.unwrap();
    assert_eq!(email.prop("value").await.unwrap().as_deref(), Some("ann@example.org"));
    browser.fill("password", PASSWORD).await;
    browser.press().await;
    browser.heading("AuthShield is ready").await;
    browser.is_sound("phone-setup-done").await;
    let ann = app.sign_in("ann@example.org").await;
    assert_eq!(app.me(&ann).await.body["roles"], json!(["admin", "user"]));
    browser.close().await;
}

#[tokio::test]
async fn a_phone_shows_every_page_in_full_width() {
    let Some(browser) = Browser::open(Kind { size: PHONE, ..USUAL }).await else { return };
    let app = TestApp::start().await;
    let long = format!("{}@{}.example.org", "long.name.".repeat(6) + "end", "x".repeat(60));
    app.register(&long, PASSWORD).await.ok(202);
    let link = app.last_mail(&long).await.link("token=").unwrap();
    browser.go(&format!("{link}&lang=de")).await;
    browser.heading("Bestätigen Sie Ihre E-Mail-Adresse").await;
    browser.is_sound("phone-verify-de").await;
    for (path, heading, name) in [
        ("/", "Sign-in service", "phone-home"),
        ("/problems", "Error codes", "phone-codes"),
        ("/problems/AUTH_REFRESH_TOKEN_REUSED", "The refresh token was already used", "phone-code"),
        ("/nowhere", "There is nothing here", "phone-nowhere"),
        ("/docs", "Try the API", "phone-docs"),
    ] {
        browser.go(&format!("{}{path}", app.base)).await;
        browser.heading(heading).await;
        if path == "/docs" {
            browser.client.wait().for_element(Locator::Css(".operation")).await.unwrap();
        }
        browser.is_sound(name).await;
    }
    for (path, language, heading) in [
        ("/sign-in", "es", "Iniciar sesión"),
        ("/register", "fr", "Ouvrir un compte"),
        ("/forgot-password", "es", "¿Ha olvidado su contraseña?"),
    ] {
        browser.go(&format!("{}{path}?lang={language}", app.base)).await;
        browser.heading(heading).await;
        browser.is_sound(&format!("phone{}-{language}", path.replace('/', "-"))).await;
    }
    if !on_postgres() {
        page_judge::notices_a_bad_page(&browser.client).await;
    }
    browser.close().await;
}

#[tokio::test]
async fn the_dark_scheme_is_dark() {
    let Some(browser) = Browser::open(USUAL).await else { return };
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let forgot = json!({ "email": "ann@example.org" });
    app.post("/api/v1/auth/forgot-password", forgot).await.ok(202);
    prefer(&browser.client, "dark").await.unwrap();
    browser.go(&app.last_mail("ann@example.org").await.link("token=").unwrap()).await;
    browser.heading("Choose a new password").await;
    let body = browser.client.find(Locator::Css("body")).await.unwrap();
    assert_eq!(body.css_value("background-color").await.unwrap(), "rgba(14, 18, 24, 1)");
    browser.is_sound("dark-reset").await;
    browser.fill("new_password", "short").await;
    browser.press().await;
    browser.client.wait().for_element(Locator::Id("new_password-errors")).await.unwrap();
    browser.is_sound("dark-weak").await;
    browser.fill("new_password", "nine quiet harbours 7").await;
    browser.press().await;
    browser.heading("Your password was changed").await;
    browser.is_sound("dark-done").await;
    browser.close().await;
}

#[tokio::test]
async fn the_api_is_tried_from_its_page() {
    let Some(browser) = Browser::open(USUAL).await else { return };
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    browser.go(&format!("{}/docs", app.base)).await;
    browser.client.wait().for_element(Locator::Css(".operation")).await.unwrap();
    browser.is_sound("docs").await;

    let log_in = "#post-api-v1-auth-login";
    let open = browser.client.find(Locator::Css(&format!("{log_in} > summary"))).await.unwrap();
    open.click().await.unwrap();
    let body = json!({ "email": "ann@example.org", "password": PASSWORD }).to_string();
    browser.fill("post-api-v1-auth-login-body", &body).await;
    let send = format!("{log_in} button");
    browser.client.find(Locator::Css(&send)).await.unwrap().click().await.unwrap();
    let answer = format!("{log_in} pre");
    browser.client.wait().for_element(Locator::Css(&answer)).await.unwrap();
    assert!(browser.text(&answer).await.contains("\"token_type\": \"Bearer\""));
    browser.is_sound("docs-login").await;

    // The token of the answer is used for what needs one.
    let me = "#get-api-v1-users-me";
    let open = browser.client.find(Locator::Css(&format!("{me} > summary"))).await.unwrap();
    open.click().await.unwrap();
    let send = browser.client.find(Locator::Css(&format!("{me} button"))).await.unwrap();
    send.click().await.unwrap();
    let answer = format!("{me} pre");
    browser.client.wait().for_element(Locator::Css(&answer)).await.unwrap();
    assert!(browser.text(&answer).await.contains("\"email\": \"ann@example.org\""));
    browser.is_sound("docs-me").await;
    browser.close().await;
}

impl Browser {
    /// Presses the button that says `words`.
    pub(crate) async fn press_on(&self, words: &str) {
        let button = format!("//button[normalize-space()={words:?}]");
        self.client
            .wait()
            .for_element(Locator::XPath(&button))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
    }

    /// Waits until something on the page says `words`.
    pub(crate) async fn says(&self, words: &str) {
        let said = format!("//main//*[contains(normalize-space(), {words:?})]");
        let found = self.client.wait().for_element(Locator::XPath(&said)).await;
        let page = self.client.source().await.unwrap();
        assert!(found.is_ok(), "nothing says `{words}` on the page: {page}");
    }
}

/// Opens every page of the account, leaves and comes back.
async fn look_around(browser: &Browser, app: &TestApp) {
    for place in ["Password", "Second factor", "Passkeys", "What happened", "Your data"] {
        let link = Locator::LinkText(place);
        browser.client.find(link).await.unwrap().click().await.unwrap();
        browser.heading(place).await;
        browser.is_sound(&format!("account-{}", place.to_lowercase().replace(' ', "-"))).await;
    }
    browser.go(&format!("{}/account", app.base)).await;
    for (place, link) in [
        ("Another email address", "Change the address"),
        ("Is somebody else in your account?", "Is somebody else in your account?"),
    ] {
        browser.client.find(Locator::LinkText(link)).await.unwrap().click().await.unwrap();
        browser.heading(place).await;
        browser
            .is_sound(&format!("account-{}", link.to_lowercase().replace([' ', '?'], "-")))
            .await;
        browser.client.back().await.unwrap();
        browser.heading("Your account").await;
    }
    browser.client.find(Locator::LinkText("Your data")).await.unwrap().click().await.unwrap();
    browser.heading("Your data").await;
    browser.press_on("Delete my account").await;
    browser.says("will be deleted on").await;
    browser.is_sound("account-leaving").await;
    browser.press_on("Keep my account").await;
    browser.says("is kept").await;
}

/// Asks for another address, and then presses the panic button.
async fn close_the_account(browser: &Browser, app: &TestApp) {
    browser
        .client
        .find(Locator::LinkText("Change the address"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.fill("new_email", "ann@example.net").await;
    browser.fill("password", "seven herons under glass").await;
    browser.press_on("Send the link").await;
    browser.says("The password is wrong.").await;
    browser.is_sound("email-wrong").await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Send the link").await;
    browser.says("on its way to the new address").await;
    let lock = Locator::LinkText("Is somebody else in your account?");
    browser.client.find(lock).await.unwrap().click().await.unwrap();
    browser.client.find(Locator::Id("also")).await.unwrap().click().await.unwrap();
    browser.is_sound("lock-dark").await;
    browser.press_on("Sign everybody out").await;
    browser.heading("Everybody was signed out").await;
    browser.is_sound("locked-dark").await;
    app.log_in("ann@example.org", PASSWORD).await.is(401, "AUTH_INVALID_CREDENTIALS");
}

/// One walk through the pages where people sign in; what depends on the database is told without a
/// browser, on both.
#[tokio::test]
async fn somebody_registers_signs_in_and_looks_after_their_account() {
    if on_postgres() {
        return;
    }
    let Some(browser) = Browser::open(Kind { size: PHONE, ..USUAL }).await else { return };
    let app = TestApp::start().await;
    browser.go(&app.base).await;
    browser.heading("Sign-in service").await;
    browser.client.find(Locator::LinkText("Your account")).await.unwrap().click().await.unwrap();
    browser.heading("Sign in").await;
    browser.is_sound("sign-in").await;
    browser.client.find(Locator::LinkText("Open an account")).await.unwrap().click().await.unwrap();
    browser.heading("Open an account").await;
    browser.fill("email", "ann@example.org").await;
    browser.fill("password", "ann@example.org").await;
    browser.press_on("Open the account").await;
    browser.says("easy to guess").await;
    browser.is_sound("register-weak").await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Open the account").await;
    browser.heading("Look into your mailbox").await;
    browser.is_sound("registered").await;
    browser.go(&app.last_mail("ann@example.org").await.link("token=").unwrap()).await;
    browser.press_on("Confirm this address").await;
    browser.heading("Your address is confirmed").await;
    browser.client.find(Locator::LinkText("Sign in")).await.unwrap().click().await.unwrap();

    browser.heading("Sign in").await;
    browser.fill("email", "ann@example.org").await;
    browser.fill("password", "seven herons under glass").await;
    browser.press_on("Sign in").await;
    browser.says("is wrong").await;
    // The focus is where the mistake is.
    browser.client.wait().for_element(Locator::Css("#password:focus")).await.unwrap();
    browser.is_sound("sign-in-wrong").await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Sign in").await;
    browser.heading("Your account").await;
    browser.says("This device").await;
    let phone = app.sign_in("ann@example.org").await;
    browser.client.refresh().await.unwrap();
    browser.press_on("Sign out there").await;
    browser.says("You are signed out there.").await;
    app.me(&phone).await.is(401, "AUTH_TOKEN_REVOKED");
    browser.fill("full_name", "Ann Lee").await;
    browser.press_on("Save").await;
    browser.says("It was saved.").await;
    browser.is_sound("account").await;

    look_around(&browser, &app).await;

    // What scripts see of it: nothing.
    let cookies = browser.client.execute("return document.cookie", Vec::new()).await.unwrap();
    assert_eq!(cookies, "");
    // Somebody else's page sends the form of sign-out along with the cookie, and nothing comes of it.
    let stranger = format!(
        "data:text/html,<form method=post action='{}/sign-out'><input name=guard value=x>\
         <button>go</button></form>",
        app.base
    );
    browser.go(&stranger).await;
    browser.press().await;
    browser.heading("This form is out of date").await;
    browser.go(&format!("{}/account", app.base)).await;
    browser.heading("Your account").await;
    browser.console().await;

    // With a second factor, in the dark.
    let authenticator = add_an_app(&browser, &app).await;
    prove_it_again(&browser, &app, &authenticator).await;
    look_at_a_notice(&browser, &app).await;
    browser.go(&format!("{}/account", app.base)).await;
    browser.press_on("Sign out").await;
    browser.heading("You are signed out").await;
    prefer(&browser.client, "dark").await.unwrap();
    browser.go(&format!("{}/sign-in", app.base)).await;
    browser.fill("email", "ann@example.org").await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Sign in").await;
    trust_a_device(&browser, &app, &phone, &authenticator).await;
    close_the_account(&browser, &app).await;
    browser.close().await;
}

/// The browser does the work by itself; who is not suspicious sees nothing of it.
#[tokio::test]
async fn a_browser_solves_our_captcha_while_a_form_is_filled_in() {
    if on_postgres() {
        return;
    }
    let Some(browser) = Browser::open(USUAL).await else { return };
    let app = TestApp::with(&[
        ("captcha.registration", "always"),
        ("captcha.login", "suspicion"),
        ("captcha.cost", "500"),
        ("rate_limit.unsuspected_per_address", "2/15m"),
    ])
    .await;
    browser.go(&format!("{}/register", app.base)).await;
    browser.fill("email", "ann@example.org").await;
    browser.fill("password", PASSWORD).await;
    // Whether or not it is done: the form waits for it.
    browser.press_on("Open the account").await;
    browser.heading("Look into your mailbox").await;
    browser.is_sound("captcha-registered").await;
    browser.go(&app.last_mail("ann@example.org").await.link("token=").unwrap()).await;
    browser.press_on("Confirm this address").await;
    browser.heading("Your address is confirmed").await;

    browser.go(&format!("{}/sign-in", app.base)).await;
    browser.fill("email", "ann@example.org").await;
    for _ in 0..2 {
        browser.fill("password", "seven herons under glass").await;
        browser.press_on("Sign in").await;
        browser.says("is wrong").await;
    }
    browser.fill("password", PASSWORD).await;
    browser.press_on("Sign in").await;
    browser.says("Before we go on").await;
    browser.says("has done the calculation").await;
    browser.is_sound("captcha-due").await;
    browser.fill("password", PASSWORD).await;
    browser.press_on("Sign in").await;
    browser.heading("Your account").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM captcha_solutions").await, 2);
    browser.close().await;
}
