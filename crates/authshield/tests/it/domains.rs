//! Addresses whose domain nobody keeps, and addresses that were mistyped.

use std::fs;

use authshield::chores;
use authshield::telemetry::metrics::Disposable;
use serde_json::json;

use crate::pages::form;
use crate::registration::UNLIMITED;
use crate::silent_failures::Gate;
use crate::support::{PASSWORD, Program, TestApp};

const ANN: &str = "ann@mail.trash.example";
const NEW: &str = "new@trash.example";

/// The whole story: in shadow such addresses are seen; where they are refused, nobody comes in with one by any way,
/// who has one already goes on, and no answer tells who that is. A list that breaks changes nothing.
///
/// Attack: A08, K08
#[tokio::test]
async fn addresses_that_nobody_keeps_are_seen_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("domains.txt");
    let list = ("registration.disposable_domains_file", file.to_str().unwrap());
    let app = TestApp::with(&[UNLIMITED, list, crate::magic_link::ON]).await;
    app.open_account(ANN).await;
    fs::write(&file, "# ours\nTrash.Example\n").unwrap();
    chores::look_at_domains(app.app.clone()).await;
    app.register(NEW, PASSWORD).await.ok(202);
    assert!(app.events().await.contains(&"DISPOSABLE_ADDRESS_SEEN/shadow".to_owned()));

    let refuse = ("registration.disposable_domains", "refuse");
    let strict = app.second_node(&[UNLIMITED, list, refuse, crate::magic_link::ON]).await;
    chores::look_at_domains(strict.app.clone()).await;
    let mut answers = Vec::new();
    for email in [ANN, NEW, "another@trash.example"] {
        let refused = strict.register(email, PASSWORD).await;
        refused.is(422, "AUTH_EMAIL_DOMAIN_REFUSED");
        let mut body = refused.body.clone();
        body["request_id"] = json!(null);
        answers.push(body);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let fields = [("email", NEW), ("password", PASSWORD)];
    let sent = form(&strict, "/register", &fields).header("sec-fetch-site", "same-origin");
    let page = strict.send(sent).await;
    assert_eq!(page.status, 422);
    assert!(page.html().contains("kept by nobody"), "{page:?}");

    // Whoever has one goes on; nobody changes to one, and no other way opens an account with one.
    let ann = strict.sign_in(ANN).await;
    let change = json!({ "new_email": NEW, "password": PASSWORD });
    let refused = strict.post_as(&ann, "/api/v1/users/me/email", change).await;
    refused.is(422, "AUTH_EMAIL_DOMAIN_REFUSED");
    let (of_ann, of_other) = (strict.mails_to(ANN).await, strict.mails_to("o@trash.example").await);
    for email in [ANN, "o@trash.example"] {
        strict.post("/api/v1/auth/magic-link", json!({ "email": email })).await.ok(202);
    }
    assert_eq!(strict.mails_to(ANN).await, of_ann + 1);
    assert_eq!(strict.mails_to("o@trash.example").await, of_other);
    let asked = app.post("/api/v1/auth/magic-link", json!({ "email": "o@trash.example" })).await;
    let code = crate::magic_link::code_of(&app.last_mail("o@trash.example").await);
    let shown = json!({ "handle": asked.ok(202).body["handle"], "code": code });
    let refused = strict.post("/api/v1/auth/magic-link/redeem", shown).await;
    refused.is(422, "AUTH_EMAIL_DOMAIN_REFUSED");
    let events = app.events().await;
    for event in ["MAGIC_LINK_REQUESTED", "MAGIC_LINK_REFUSED"] {
        let told = format!("{event}/email_domain_refused");
        assert!(events.contains(&told), "{told}: {events:?}");
    }
    let counted = |at, outcome| {
        let label = Disposable { at, outcome };
        strict.app.metrics.disposable_addresses.get_or_create(&label).get()
    };
    assert_eq!((counted("registration", "refused"), counted("email_change", "refused")), (4, 1));

    for broken in ["", "<!DOCTYPE html>\n<p>you must sign in</p>\n"] {
        fs::write(&file, broken).unwrap();
        chores::look_at_domains(strict.app.clone()).await;
        strict.register(NEW, PASSWORD).await.is(422, "AUTH_EMAIL_DOMAIN_REFUSED");
        let (about, trouble) = strict.app.domains.standing();
        assert_eq!(about.unwrap().domains, 1);
        assert!(trouble.unwrap().contains("no domain"));
    }
    fs::write(&file, "other.example\n").unwrap();
    chores::look_at_domains(strict.app.clone()).await;
    strict.register(NEW, PASSWORD).await.ok(202);
}

/// A slip is asked about and never refused, whoever has the address.
///
/// Attack: A08
#[tokio::test]
async fn a_mistyped_domain_is_asked_about() {
    let app = TestApp::with(&[UNLIMITED]).await;
    app.open_account("ann@gmial.com").await;
    for email in ["ann@gmial.com", "bob@gmial.com"] {
        let taken = app.register(email, PASSWORD).await;
        let meant = taken.ok(202).body["did_you_mean"].as_str().unwrap().to_owned();
        assert_eq!(meant, email.replace("gmial", "gmail"));
        let fields = [("email", email), ("password", PASSWORD)];
        let sent = form(&app, "/register", &fields).header("sec-fetch-site", "same-origin");
        let page = app.send(sent).await;
        assert_eq!(page.status, 202);
        assert!(page.html().contains(&format!("Did you mean {meant}?")), "{page:?}");
    }
    let taken = app.register("cat@gmail.com", PASSWORD).await;
    assert!(taken.ok(202).body.get("did_you_mean").is_none(), "{taken:?}");
}

/// Preflight reads the list.
#[tokio::test]
async fn preflight_reads_the_list_of_domains() {
    let program = Program::new().await;
    let file = program.folder().join("domains.txt");
    let refuse = program.clone().set("registration.disposable_domains", "refuse");
    let only = ["--only", "DIS-1"];
    Gate::of(&refuse, &only).await.has("DIS-1", "fail", &["no file says"]);
    let program = refuse.set("registration.disposable_domains_file", file.to_str().unwrap());
    for (text, status, words) in [
        (None, "fail", "cannot be read"),
        (Some("trash.example\nnot a domain\n"), "warn", "the first of them line 2"),
        (Some("trash.example\nrubbish.example\n"), "pass", "2 domains"),
    ] {
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        Gate::of(&program, &only).await.has("DIS-1", status, &[words]);
    }
}
