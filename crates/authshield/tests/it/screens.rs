//! The pages that links in mails lead to, as a browser without any ability gets them.

use std::fmt::Write;
use std::time::Duration;

use authshield::kernel::LinkToken;
use authshield::links::{self, Purpose};
use authshield::world::Sandbox;
use reqwest::{Method, header};
use serde_json::json;

use crate::support::{PASSWORD, Reply, TestApp};

const STRICT: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const MARKUP: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

impl TestApp {
    /// Sends a form as a browser does.
    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(self.request(Method::POST, path).header(kind.0, kind.1).body(form)).await
    }

    /// Makes the link that `serve` prints on an empty database.
    pub(crate) async fn setup_token(&self) -> String {
        let mut tx = self.app.store.write().await.unwrap();
        let hour = Duration::from_hours(1);
        let (purpose, lasts) = (Purpose::Setup, hour);
        let new = links::New { purpose, user: None, email: None, mail: None, lasts };
        let token = links::issue(&mut tx, &self.app, &self.ctx(), new).await.unwrap();
        tx.commit().await.unwrap();
        token.reveal().to_owned()
    }

    async fn forgot(&self, email: &str) -> String {
        self.post("/api/v1/auth/forgot-password", json!({ "email": email })).await.ok(202);
        self.token_for(email).await
    }

    async fn german(&self, path: &str) -> Reply {
        let field = "fr;q=0.9, de-AT, en;q=0.5";
        self.send(self.request(Method::GET, path).header(header::ACCEPT_LANGUAGE, field)).await
    }
}

impl Reply {
    /// Returns the page with its slashes as slashes: templates escape them too.
    pub(crate) fn html(&self) -> String {
        self.text.replace("&#x2f;", "/")
    }

    /// Fails unless this is a page with `status` that says `words`, and keeps what every page must.
    #[track_caller]
    pub(crate) fn page(&self, status: u16, words: &str) -> &Self {
        assert_eq!(self.header("referrer-policy"), "no-referrer");
        assert!(!self.headers.contains_key("set-cookie"));
        self.looks(status, words)
    }

    /// The same, of a page that knows who is signed in.
    #[track_caller]
    pub(crate) fn looks(&self, status: u16, words: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        let text = self.html();
        assert!(text.contains(words), "no `{words}` in {text}");
        // Only what uses passkeys has a script, and that is ours.
        let scripts = text.matches("<script src=\"/assets/passkeys.js?v=").count();
        assert_eq!(text.matches("<script").count(), scripts, "{text}");
        let more = if scripts == 1 { "; script-src 'self'; connect-src 'self'; " } else { "; " };
        let policy = STRICT.replacen("; ", more, 1);
        assert_eq!(self.header("content-security-policy"), policy);
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-frame-options"), "DENY");
        assert_eq!(self.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(self.header("cross-origin-resource-policy"), "same-origin");
        assert!(text.starts_with("<!doctype html>\n<html lang=\""));
        let language = self.header("content-language");
        assert!(text.contains(&format!("<html lang=\"{language}\">")));
        let phone = "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
        assert!(text.contains(phone));
        for never in ["<style", "style=\"", "onclick", "<img src=x", "javascript:"] {
            assert!(!text.contains(never), "`{never}` in {text}");
        }
        for place in text.split(" href=\"").chain(text.split(" src=\"")).skip(1) {
            let known = ["/", "<!doctype", "otpauth://totp/", "data:image/svg+xml;base64,"];
            assert!(known.iter().any(|start| place.starts_with(start)), "{place}");
        }
        assert!(text.len() < 60_000, "{} bytes", text.len());
        self
    }
}

/// ASVS: V3.5.3
#[tokio::test]
async fn looking_at_a_link_uses_nothing_up() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let verify = app.token_for("ann@example.org").await;
    app.open_account("bob@example.org").await;
    let reset = app.forgot("bob@example.org").await;
    let setup = app.setup_token().await;
    let before = app.events().await;

    for (path, token, button) in [
        ("/verify-email", &verify, "Confirm this address"),
        ("/reset-password", &reset, "Set the new password"),
        ("/setup", &setup, "Create the administrator"),
    ] {
        let link = format!("{path}?token={token}");
        for _ in 0..3 {
            let head = app.send(app.request(Method::HEAD, &link)).await;
            assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
            app.get(&link).await.page(200, button);
        }
    }
    assert_eq!(app.events().await, before);

    app.submit("/verify-email", &[("token", &verify)]).await.page(200, "Your address is confirmed");
    let new = [("token", reset.as_str()), ("new_password", "nine quiet harbours 7")];
    app.submit("/reset-password", &new).await.page(200, "Your password was changed");
}

#[tokio::test]
async fn an_address_is_confirmed_once_and_said_so_the_second_time() {
    let app = TestApp::start().await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    let token = app.token_for("ann@example.org").await;
    let link = app.last_mail("ann@example.org").await.link("token=").unwrap();
    assert_eq!(link, format!("{}/verify-email?token={token}", app.base));

    app.get(&format!("/verify-email?token={token}")).await.page(200, "ann@example.org");
    app.submit("/verify-email", &[("token", &token)])
        .await
        .page(200, "ann@example.org is confirmed");
    app.sign_in("ann@example.org").await;

    let again = app.submit("/verify-email", &[("token", &token)]).await;
    again.page(400, "This link was used already");
    app.get(&format!("/verify-email?token={token}")).await.page(400, "This link was used already");
}

#[tokio::test]
async fn the_link_of_a_new_address_leads_to_the_same_page() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.org").await;
    let wish = json!({ "new_email": "ann@example.net", "password": PASSWORD });
    app.post_as(&ann, "/api/v1/users/me/email", wish).await.ok(202);
    let token = app.token_for("ann@example.net").await;

    app.get(&format!("/verify-email?token={token}")).await.page(200, "ann@example.net");
    let done = app.submit("/verify-email", &[("token", &token)]).await;
    done.page(200, "ann@example.net is confirmed");
    app.sign_in("ann@example.net").await;
}

/// ASVS: V6.2.6, V6.2.7
#[tokio::test]
async fn a_weak_password_is_explained_and_leaves_the_link_alive() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let token = app.forgot("ann@example.org").await;

    let form = app.get(&format!("/reset-password?token={token}")).await;
    form.page(200, "type=\"password\" id=\"new_password\" name=\"new_password\"");
    for helps in [
        "autocomplete=\"new-password\"",
        "value=\"ann@example.org\" autocomplete=\"username\" readonly",
        "<label for=\"new_password\">",
        "At least 8 characters.",
    ] {
        assert!(form.html().contains(helps), "{helps}: {}", form.html());
    }

    let weak = [("token", token.as_str()), ("new_password", "secret")];
    let refused = app.submit("/reset-password", &weak).await;
    refused.page(422, "Use at least 8 characters.");
    assert!(refused.text.contains("tried first"));
    assert!(refused.text.contains("aria-describedby=\"new_password-errors new_password-rule\""));
    assert!(refused.text.contains("aria-invalid=\"true\""));
    assert!(refused.text.contains("<title>Error: "));
    assert!(!refused.text.contains("value=\"secret\""), "what was typed is not sent back");
    app.sign_in("ann@example.org").await;

    let strong = "nine quiet harbours 7";
    let strong = [("token", token.as_str()), ("new_password", strong)];
    app.submit("/reset-password", &strong).await.page(200, "Your password was changed");
    app.log_in("ann@example.org", strong[1].1).await.ok(200);
    app.submit("/reset-password", &strong).await.page(400, "This link was used already");
}

#[tokio::test]
async fn a_busy_service_keeps_the_form_and_the_link() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let token = app.forgot("ann@example.org").await;

    app.app.passwords.shutdown();
    let filled = [("token", token.as_str()), ("new_password", "nine quiet harbours 7")];
    let busy = app.submit("/reset-password", &filled).await;
    busy.page(503, "Nothing was changed").page(503, "name=\"new_password\"");
    assert!(!busy.header("retry-after").is_empty());
    app.get(&format!("/reset-password?token={token}")).await.page(200, "Set the new password");
}

/// ASVS: V6.3.2, V6.4.1
#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let app = TestApp::start().await;
    let (first, second) = (app.setup_token().await, app.setup_token().await);
    let form = app.get(&format!("/setup?token={first}")).await;
    for helps in
        ["autocomplete=\"email\"", "autocomplete=\"name\"", "autocomplete=\"new-password\""]
    {
        form.page(200, helps);
    }

    let wrong = [("token", first.as_str()), ("email", "ann"), ("full_name", ""), ("password", "x")];
    let refused = app.submit("/setup", &wrong).await;
    refused
        .page(422, "Enter a complete email address")
        .page(422, "aria-describedby=\"email-error\"");
    let weak = [("token", first.as_str()), ("email", "ann@example.org"), ("password", "ann")];
    app.submit("/setup", &weak).await.page(422, "Use at least 8 characters.");

    let mut filled = [
        ("token", first.as_str()),
        ("email", "ann@example.org"),
        ("full_name", "Ann Lee"),
        ("password", PASSWORD),
    ];
    app.submit("/setup", &filled).await.page(200, "ann@example.org is its administrator");
    let ann = app.sign_in("ann@example.org").await;
    let me = app.me(&ann).await;
    assert_eq!(me.body["roles"], json!(["admin", "user"]));
    assert_eq!(me.body["full_name"], "Ann Lee");

    app.submit("/setup", &filled).await.page(400, "This link was used already");
    filled[0].1 = &second;
    app.submit("/setup", &filled).await.page(400, "This link does not work");
    // One that is made when there is an administrator is no use either.
    let third = app.setup_token().await;
    filled[0].1 = &third;
    filled[1].1 = "bob@example.org";
    app.submit("/setup", &filled).await.page(400, "There is an administrator already");
}

#[tokio::test]
async fn a_link_that_does_not_work_says_why() {
    let app = TestApp::start().await;
    let unknown = LinkToken::new(&Sandbox::default());
    app.open_account("ann@example.org").await;
    let expired = app.forgot("ann@example.org").await;
    app.advance(Duration::from_hours(48));
    for path in ["/verify-email", "/reset-password", "/not-me", "/setup"] {
        for query in [
            String::new(),
            "?token=".to_owned(),
            "?token=asl_short".to_owned(),
            format!("?token={}", unknown.reveal()),
            format!("?token={expired}&token={expired}"),
        ] {
            let reply = app.get(&format!("{path}{query}")).await;
            reply.page(400, "This link does not work");
        }
        let fields: &[(&str, &str)] = match path {
            "/verify-email" | "/not-me" => &[("token", "asl_short")],
            "/reset-password" => &[("token", "asl_short"), ("new_password", PASSWORD)],
            _ => &[("token", "asl_short"), ("email", "a@example.org"), ("password", PASSWORD)],
        };
        app.submit(path, fields).await.page(400, "This link does not work");
    }
    let late = app.get(&format!("/reset-password?token={expired}")).await;
    late.page(400, "This link has expired");
}

/// Attack: J02
/// ASVS: V1.2.1, V3.2.2
#[tokio::test]
async fn what_was_sent_never_becomes_markup() {
    let app = TestApp::start().await;
    let token = app.setup_token().await;
    let markup: String = url::form_urlencoded::byte_serialize(MARKUP.as_bytes()).collect();

    for path in ["/", "/verify-email", "/reset-password", "/not-me", "/setup", "/problems"] {
        for query in [format!("token={markup}"), format!("token={token}&lang={markup}")] {
            let reply = app.get(&format!("{path}?{query}")).await;
            assert!(!reply.text.contains("alert(1)"), "{}", reply.text);
            reply.page(reply.status.as_u16(), "<h1");
        }
    }
    let fields =
        [("token", token.as_str()), ("email", MARKUP), ("full_name", MARKUP), ("password", "x")];
    let reply = app.submit("/setup", &fields).await;
    reply.page(422, "&lt;script&gt;");
    assert!(reply.text.contains("value=\"&quot;&#x27;&gt;&lt;script"), "{}", reply.text);

    // A name that was stored is text wherever it is shown.
    let name = "<b>Ann</b>";
    let filled = [
        ("token", token.as_str()),
        ("email", "ann@example.org"),
        ("full_name", name),
        ("password", PASSWORD),
    ];
    app.submit("/setup", &filled).await.page(200, "ann@example.org");
    let lost = format!("/{MARKUP}");
    let page = app.request(Method::GET, &lost).header(header::ACCEPT, "text/html");
    app.send(page).await.page(404, "There is nothing here");
}

/// ASVS: V3.4.3, V3.4.5, V3.4.6, V4.1.1, V14.2.3, V15.3.7
#[tokio::test]
async fn every_answer_to_a_reader_of_pages_is_a_page() {
    let app = TestApp::start().await;
    let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    let browser =
        |method: Method, path: &str| app.request(method, path).header(header::ACCEPT, accept);
    app.get("/").await.page(200, "Sign-in service");
    app.send(browser(Method::GET, "/nowhere")).await.page(404, "There is nothing here");
    let method = app.send(browser(Method::PUT, "/setup")).await;
    method.page(405, "This does not work here");
    assert_eq!(method.header("allow"), "GET,HEAD,POST");
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let other = browser(Method::POST, "/setup").header(header::CONTENT_TYPE, kind).body("{}");
        app.send(other).await.page(415, "We did not understand that");
    }
    let extra = [("token", "x"), ("new_password", PASSWORD), ("role", "admin")];
    app.submit("/reset-password", &extra).await.page(422, "We did not understand that");
    let twice = [("token", "x"), ("token", "y")];
    app.submit("/verify-email", &twice).await.page(422, "We did not understand that");
    let large = "x".repeat(70_000);
    app.submit("/verify-email", &[("token", &large)]).await.page(413, "We did not understand that");

    // Programs get what programs read.
    app.get("/nowhere").await.is(404, "ROUTE_NOT_FOUND");
    app.send(browser(Method::GET, "/api/v1/users/me")).await.is(401, "AUTH_TOKEN_MISSING");
    app.send(browser(Method::GET, "/api/v1/nowhere")).await.is(404, "ROUTE_NOT_FOUND");
}

#[tokio::test]
async fn too_many_tries_get_a_page_too() {
    let app = TestApp::start().await;
    let mut limited = app.submit("/verify-email", &[("token", "x")]).await;
    for _ in 0..40 {
        limited = app.submit("/verify-email?lang=de", &[("token", "x")]).await;
        if limited.status.as_u16() == 429 {
            break;
        }
    }
    limited.page(429, "Zu viele Versuche");
    assert!(!limited.header("retry-after").is_empty());
    assert!(!limited.header("ratelimit").is_empty());
    app.get("/").await.page(200, "Sign-in");
}

#[tokio::test]
async fn pages_speak_the_language_of_their_reader() {
    let app = TestApp::start().await;
    app.open_account("ann@example.org").await;
    let token = app.forgot("ann@example.org").await;
    let link = format!("/reset-password?token={token}");

    app.german("/").await.page(200, "Anmeldedienst").page(200, "<html lang=\"de\">");
    let form = app.german(&link).await;
    form.page(200, "Wählen Sie ein neues Passwort").page(200, "action=\"/reset-password?lang=de\"");
    assert!(form.html().contains(&format!("?token={token}&amp;lang=en")), "{}", form.html());
    app.german(&format!("{link}&lang=en")).await.page(200, "Choose a new password");
    app.get(&format!("{link}&lang=de")).await.page(200, "Neues Passwort");
    app.get(&format!("{link}&lang=es")).await.page(200, "Guardar la contraseña nueva");
    app.get(&format!("{link}&lang=fr-CA")).await.page(200, "Enregistrer le nouveau mot de passe");
    app.get(&format!("{link}&lang=tlh")).await.page(200, "Choose a new password");

    let weak = [("token", token.as_str()), ("new_password", "ann@example.org")];
    let refused = app.submit("/reset-password?lang=de", &weak).await;
    refused.page(422, "Ihr Name, Ihre E-Mail-Adresse").page(422, "<title>Fehler: ");
    let weak = [("token", token.as_str()), ("new_password", "abcabcabc1")];
    let refused = app.submit("/reset-password?lang=de", &weak).await;
    refused.page(422, "Wiederholungen wie").page(422, "Dieses Passwort ist zu leicht zu erraten.");
    assert!(!refused.text.contains("Avoid"), "{}", refused.text);
    let new = [("token", token.as_str()), ("new_password", "nine quiet harbours 7")];
    let done = app.submit("/reset-password?lang=de", &new).await;
    done.page(200, "Ihr Passwort wurde geändert");
    app.german(&link).await.page(400, "Dieser Link wurde schon benutzt");
}

#[tokio::test]
async fn every_code_has_a_page() {
    let app = TestApp::start().await;
    let list = app.get("/problems").await;
    let problem = app.get("/api/v1/users/me").await;
    let kind = problem.body["type"].as_str().unwrap().strip_prefix(&app.base).unwrap().to_owned();
    app.get(&kind).await.page(200, "<code>Authorization: Bearer …</code>");
    for code in authshield::problem::Code::ALL {
        let path = format!("/problems/{}", code.wire());
        list.page(200, &path);
        app.get(&path).await.page(200, code.wire());
    }
    app.get("/problems/NO_SUCH_CODE").await.is(404, "ROUTE_NOT_FOUND");

    let german = app.german("/problems").await;
    german.page(200, "<span lang=\"de\">Das Access-Token ist abgelaufen</span>");
    assert!(!german.text.contains("The access token"), "{}", german.text);
    let german = app.german("/problems/AUTH_TOKEN_MISSING").await;
    german.page(200, "<h1 lang=\"de\">Ein Access-Token wird gebraucht</h1>");
    german.page(200, "Senden Sie <code>Authorization: Bearer …</code>.");
    app.get("/problems/AUTH_TOKEN_MISSING?lang=de").await.page(200, "Senden Sie");
}

/// ASVS: V4.1.1
#[tokio::test]
async fn files_may_be_kept_under_the_address_of_their_content_only() {
    let app = TestApp::start().await;
    let home = app.get("/").await;
    let mut seen = String::new();
    for (path, kind) in
        [("/assets/style.css", "text/css; charset=utf-8"), ("/assets/icon.svg", "image/svg+xml")]
    {
        let html = home.html();
        let named = html.split('"').find(|part| part.starts_with(path)).unwrap();
        let file = app.get(named).await;
        assert_eq!(file.ok(200).header("content-type"), kind);
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
        for other in [path.to_owned(), format!("{path}?v=0000000000000000")] {
            assert_eq!(app.get(&other).await.ok(200).header("cache-control"), "no-cache");
        }
        write!(seen, "{named} ").unwrap();
    }
    assert!(seen.contains("?v="), "{seen}");
    app.get("/favicon.ico").await.ok(200);
}

/// ASVS: V3.6.1
#[tokio::test]
async fn the_page_to_try_the_api_loads_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let docs = app.get("/docs").await;
    let policy = docs.ok(200).header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("connect-src 'self'"));
    assert!(!docs.html().contains("://"), "{}", docs.text);
    let html = docs.html();
    let script = html.split('"').find(|part| part.starts_with("/assets/docs.js")).unwrap();
    let script = app.get(script).await;
    assert!(!script.ok(200).text.contains("://") && !script.text.contains("innerHTML"));
    app.get("/").await.page(200, "href=\"/docs\"");
    app.get("/openapi.json").await.ok(200);
}

/// ASVS: V13.4.5
#[tokio::test]
async fn documentation_is_off_where_nobody_asked_for_it() {
    let app = TestApp::with(&[("docs.enabled", "false")]).await;
    for path in ["/docs", "/openapi.json", "/assets/docs.js"] {
        app.get(path).await.is(404, "ROUTE_NOT_FOUND");
    }
    let home = app.get("/").await;
    assert!(!home.page(200, "Sign-in service").html().contains("/docs"));
    app.get("/problems/RATE_LIMIT_EXCEEDED").await.page(200, "RATE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn pages_stand_behind_the_path_of_the_public_address() {
    let app = TestApp::with(&[("public_url", "http://127.0.0.1:8080/id")]).await;
    let home = app.get("/").await;
    assert!(home.page(200, "href=\"/id/docs\"").html().contains("href=\"/id/assets/style.css?v="));
    let token = app.setup_token().await;
    let form = app.get(&format!("/setup?token={token}")).await;
    form.page(200, "action=\"/id/setup?lang=en\"");
}
