//! CFG: names and values.

use super::Gate;
use crate::support::detection::Fault;
use crate::support::marked_secrets::MarkedSecrets;
use crate::support::{Program, Script, SmtpServer};

/// Operations 9, row 1
#[tokio::test]
async fn a_misspelt_setting_is_named_with_the_right_one() {
    let program = Program::new().await.variable("AUTHSHIELD_SMTP_USER", "postmaster");
    let fault = Fault::injected(1, "AUTHSHIELD_SMTP_USER is set");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(78).has("CFG-1", "fail", &["AUTHSHIELD_SMTP_USER", "AUTHSHIELD_SMTP_USERNAME"]);
    fault.found_by("preflight");
    gate.has("DB-1", "skip", &["refused"]).has("SMTP-4", "skip", &[]);
    gate.has("CFG-4", "skip", &["refused"]);
    let refused = program.run(&["serve"]).await;
    assert_eq!(refused.status, Some(78), "{refused:?}");
    assert!(refused.err.contains("did you mean AUTHSHIELD_SMTP_USERNAME"), "{refused:?}");
}

/// Operations 9, row 2
#[tokio::test]
async fn a_name_from_the_former_service_is_named_at_the_gate_and_at_the_start() {
    let program = Program::new().await.variable("SMTP_USER", "postmaster");
    let fault = Fault::injected(2, "SMTP_USER without the prefix");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(0).has("CFG-1", "warn", &["SMTP_USER", "AUTHSHIELD_SMTP_USERNAME"]);
    fault.found_by("preflight");
    Gate::of(&program, &["--strict"]).await.ends(2);
    let server = program.serve().await;
    let said = server.stdout();
    assert!(said.contains("AUTHSHIELD_SMTP_USERNAME") && said.contains("SMTP_USER"), "{said}");
    server.stop().await;
}

/// Operations 9, row 3
#[tokio::test]
async fn a_value_with_quotes_a_line_end_or_a_placeholder_is_refused() {
    let program = Program::new().await;
    for (name, value) in [
        ("smtp.host", "\"smtp.example.net\""),
        ("smtp.username", "postmaster\r"),
        ("smtp.password", "changeme"),
        ("public_url", "https://your-domain-here"),
    ] {
        let program = program.clone().set(name, value);
        let fault = Fault::injected(3, "quotes, a line end, a placeholder");
        let gate = Gate::of(&program, &[]).await;
        gate.ends(78).has("CFG-2", "fail", &[name]);
        fault.found_by("preflight");
        assert_eq!(program.run(&["serve"]).await.status, Some(78), "{name}");
    }
}

#[tokio::test]
async fn a_policy_for_a_check_that_does_not_exist_is_refused() {
    let program = Program::embedded();
    for (policy, words) in [("SMTP-44=warn", "no check SMTP-44"), ("SMTP-4=maybe", "pairs")] {
        let program = program.clone().set("checks.policy", policy);
        for command in ["preflight", "serve"] {
            let done = program.run(&[command]).await;
            assert_eq!(done.status, Some(78), "{done:?}");
            assert!(format!("{done:?}").contains(words), "{done:?}");
        }
    }
    for wrong in [&["preflight", "--only", "SMTP-44"] as &[&str], &["preflight", "--no-such"]] {
        assert_eq!(program.run(wrong).await.status, Some(64));
    }
}

#[tokio::test]
async fn a_healthy_installation_passes() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await.checked();
    program.run(&["init"]).await.ok();
    let gate = Gate::of(&program, &[]).await;
    gate.ends(0);
    for id in ["CFG-1", "DB-1", "DB-2", "DB-4", "KEY-1", "KEY-3", "SMTP-1", "SMTP-2", "SMTP-5"] {
        gate.has(id, "pass", &[]);
    }
    assert_eq!(relay.mails().len(), 0, "nothing was sent");
    let heard: Vec<_> = relay.heard().into_iter().map(|heard| heard.line).collect();
    assert!(heard.iter().any(|line| line == "RSET"), "{heard:?}");

    let offline = Gate::of(&program, &["--offline"]).await;
    offline.ends(0).has("CFG-2", "warn", &[]).has("DB-1", "skip", &["--offline"]);
    let only = Gate::of(&program, &["--only", "db-2"]).await;
    let ids: Vec<_> =
        only.report["checks"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["CFG-1", "CFG-2", "DB-1", "DB-2"]);
}

#[tokio::test]
async fn nothing_is_made_by_looking() {
    let program = Program::embedded();
    let gate = Gate::of(&program, &[]).await;
    gate.ends(0).has("DB-1", "warn", &["no database yet"]).has("KEY-1", "skip", &[]);
    assert!(!program.data().exists());
}

#[tokio::test]
async fn no_secret_is_in_a_report_whatever_others_say() {
    let mut secrets = MarkedSecrets::default();
    let password = secrets.mark("smtp.password");
    let relay =
        SmtpServer::start(Script { login: Some(("ann", "another one")), ..Script::default() })
            .await;
    relay.on({
        let password = password.clone();
        move |heard| {
            // It repeats what it heard, and what it knows.
            let words = format!("535 5.7.8 {} is not {password}", heard.line);
            heard.is("AUTH").then(|| crate::support::smtp_server::Reaction::say(&words))
        }
    });
    let database = secrets.mark("database.url");
    let url = format!("postgres://ann:{database}@127.0.0.1:1/shield");
    let program = Program::new()
        .await
        .mailing(&relay)
        .checked()
        .set("smtp.username", "ann")
        .set("smtp.password", &password)
        .set("config.waive", "smtp.password:clear-text-login")
        .set("operator_token", &secrets.mark("operator_token"));
    for program in [program.clone(), program.database(&url)] {
        let gate = Gate::of(&program, &[]).await;
        gate.ends(1);
        secrets.assert_absent(&gate.said);
        let text = program.run(&["preflight"]).await;
        secrets.assert_absent(&format!("{}{}", text.out, text.err));
    }
}
