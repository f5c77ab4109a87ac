//! What an operator makes of pages and mails: it shows, and what does not fit stops the start.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::smtp_server::quoted_printable;
use crate::support::{PASSWORD, Program, TestApp};

const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 80 20\"/>";
/// One grey point.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
    \0\0\0\x0aIDAT\x78\xda\x63\x60\0\0\0\x02\0\x01\xe5\x27\xde\xfc\0\0\0\0IEND\xaeB`\x82";

/// Writes files into a folder and returns it.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
    folder
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Names that would be sums, if anything took them for more than text, stay as they are: of the service, of a
/// person, in pages and mails, ours and an operator's.
///
/// ASVS: V1.3.5
#[tokio::test]
async fn pages_and_mails_look_as_the_operator_wants_and_names_stay_names() {
    let files = folder(&[
        ("logo.svg", LOGO.as_bytes()),
        ("icon.png", PNG),
        ("own/pages/footer.html", b"<p><a href=\"/privacy\">Privacy</a></p>"),
        ("own/pages/style.css", b".sheet { border-style: dashed; }"),
        ("own/mail/layout.txt", b"{{ greeting }} {{ lead }} {{ code }} {{ link }} -- ACME"),
    ]);
    let at = |name: &str| shown(&files.path().join(name)).to_owned();
    let (logo, icon, own) = (at("logo.svg"), at("icon.png"), at("own"));
    let app = TestApp::with(&[
        ("pages.name", "Acme {{7*7}} <%= 7*7 %>"),
        ("pages.accent", "#ffd600"),
        ("pages.accent_dark", "#0f766e"),
        ("pages.corners", "3"),
        ("pages.font", "serif"),
        ("pages.logo", &logo),
        ("pages.icon", &icon),
        ("pages.templates", &own),
    ])
    .await;
    let home = app.get("/sign-in").await;
    home.looks(200, "<title>Sign in · Acme {{7*7}} &lt;%= 7*7 %&gt;</title>");
    home.looks(200, "alt=\"Acme {{7*7}} &lt;%= 7*7 %&gt;\"");
    home.looks(200, "<a href=\"/privacy\">");
    let html = home.html();
    let address = |start: &str| {
        let named = html.split('"').find(|part| part.starts_with(start));
        named.unwrap_or_else(|| panic!("no {start} in {html}")).to_owned()
    };

    let mut weight = html.len();
    for (start, kind, policy) in [
        ("/assets/style.css?v=", "text/css; charset=utf-8", "default-src 'none'; base-uri"),
        (
            "/assets/logo?v=",
            "image/svg+xml",
            "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        ),
        (
            "/assets/icon.svg?v=",
            "image/png",
            "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        ),
        (
            "/assets/passkeys.js?v=",
            "text/javascript; charset=utf-8",
            "default-src 'none'; base-uri",
        ),
    ] {
        let file = app.get(&address(start)).await;
        assert_eq!(file.ok(200).header("content-type"), kind);
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
        assert!(file.header("content-security-policy").starts_with(policy), "{file:?}");
        weight += file.text.len();
    }
    assert!(weight < 60_000, "{weight} bytes");
    let style = app.get(&address("/assets/style.css?v=")).await.text;
    for part in [
        "--accent: #ffd600; --accent-deep: #ffdc26; --on-accent: #000000;",
        "dark) { :root { --accent: #0f766e; --accent-deep: #0d645e; --on-accent: #ffffff;",
        "--corner: 3px;",
        "serif;",
        ".sheet { border-style: dashed; }",
    ] {
        assert!(style.contains(part), "{part} in {style}");
    }
    let plain = TestApp::start().await.get("/sign-in").await.html();
    assert!(!plain.contains(&address("/assets/style.css?v=")), "another content, another address");
    assert!(!plain.contains("/assets/logo"));

    let name = "Ann {{7*7}} ${7*7} % 7*7 %";
    let body = json!({ "email": "ann@example.org", "password": PASSWORD, "full_name": name });
    app.post("/api/v1/auth/register", body).await.ok(202);
    let mail = quoted_printable(&app.last_mail("ann@example.org").await.data);
    assert!(mail.contains("Acme {{7*7}} &lt;%= 7*7 %&gt;"), "{mail}");
    assert!(mail.contains(&format!("Hello {name},")) && mail.contains("-- ACME"), "{mail}");
    assert!(mail.contains("background:#ffd600;") && mail.contains("color:#000000;"), "{mail}");
}

/// ASVS: V1.3.7
#[tokio::test]
async fn what_does_not_fit_is_refused_with_its_place_and_what_to_do() {
    let files = folder(&[
        ("large.svg", &b" ".repeat(20_000)),
        ("own/pages/home.html", b"<p>\n{{ config.master_key }}{{ env.PATH }}"),
        ("own/pages/docs.html", b"{% include '/etc/passwd' %}"),
        (
            "own/pages/lock.html",
            b"{% extends 'place.html' %}{% block place %}<form></form>{% endblock %}",
        ),
        ("own/mail/layout.html", b"<p>{{ lead }}"),
    ]);
    let at = |name: &str| shown(&files.path().join(name)).to_owned();
    let program = Program::new().await;
    let own = program.clone().set("pages.templates", &at("own"));
    let others =
        program.clone().set("pages.logo", &at("large.svg")).set("pages.icon", &at("none.png"));
    let others = others.set("pages.templates", &at("none"));
    for (program, words) in [
        (
            program.set("pages.accent", "teal"),
            &["PAGES_ACCENT must be a colour such as `#0f766e`"][..],
        ),
        (
            others,
            &[
                "pages.logo",
                "20000 bytes",
                "make it smaller",
                "pages.icon",
                "pages.templates",
                "cannot be read",
            ],
        ),
        (
            own.clone(),
            &[
                "pages/home.html, line 2: undefined value, in `{{ config.master_key }}{{ env.PATH }}`",
                "pages/docs.html, line 1: template not found",
                "pages/lock.html lacks",
                "`authshield config templates pages/lock.html`",
                "mail/layout.html does not show `code`",
            ],
        ),
    ] {
        let done = program.run(&["config", "check"]).await;
        assert_eq!(done.status, Some(78), "{done:?}");
        for word in words {
            assert!(done.err.contains(word), "no `{word}` in {done:?}");
        }
    }
    let program = own;
    let served = program.run(&["serve"]).await;
    assert_eq!(served.status, Some(78), "{served:?}");
    for place in ["pages/lock.html lacks", "mail/layout.html does not"] {
        assert!(served.err.contains(place), "{served:?}");
    }
    let report = program.run(&["preflight", "--offline", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    let found = report["checks"].as_array().unwrap().iter().find(|it| it["id"] == "PAGE-1");
    let found = found.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(found["status"], "fail", "{found}");
    assert!(found["observed"].as_str().unwrap().contains("pages/lock.html lacks"), "{found}");

    let ours = program.run(&["config", "templates", "pages/lock.html"]).await.ok();
    assert!(ours.out.contains("{% extends \"place.html\" %}"), "{ours:?}");
    let wrong = program.run(&["config", "templates", "pages/look.html"]).await;
    wrong.fails(1, &["did you mean `pages/lock.html`?"]);
}
