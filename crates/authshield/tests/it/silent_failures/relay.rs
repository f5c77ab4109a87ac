//! SMTP: the relay.

use std::time::Duration;

use super::Gate;
use crate::support::smtp_server::Reaction;
use crate::support::{Program, Script, SmtpServer};

/// A relay that wants to know who we are, and a program that tells it this password.
pub(crate) async fn with_login(password: &str) -> (SmtpServer, Program) {
    let login = Some(("postmaster", "Vt8-the-right-one"));
    let relay = SmtpServer::start(Script { login, ..Script::default() }).await;
    let program = Program::new()
        .await
        .mailing(&relay)
        .set("smtp.username", "postmaster")
        .set("smtp.password", password)
        .set("config.waive", "smtp.password:clear-text-login");
    (relay, program)
}

/// Operations 9, row 4
#[tokio::test]
async fn a_wrong_password_of_the_relay_is_a_fault_of_the_configuration() {
    let (relay, program) = with_login("Vt8-a-wrong-one").await;
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has(
        "SMTP-4",
        "fail",
        &["535", "configuration", "smtp.password", "AUTHSHIELD_SMTP_PASSWORD"],
    );
    gate.has("SMTP-1", "pass", &[]).has("SMTP-2", "pass", &["AUTH"]);
    gate.has("SMTP-5", "skip", &["SMTP-4"]);
    assert_eq!(relay.connections(), 1, "one conversation for all of it");
}

/// Operations 9, row 7
#[tokio::test]
async fn a_relay_that_takes_its_time_is_told() {
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|_| Some(Reaction::Late(Duration::from_millis(800))));
    let program = Program::new().await.mailing(&relay);
    let gate = Gate::of(&program, &[]).await;
    gate.ends(0).has("SMTP-1", "warn", &["slowest answer"]);
    // One that takes longer than smtp.timeout will never take a mail.
    relay.on(|_| Some(Reaction::Silence));
    let gate = Gate::of(&program, &["--deadline", "10"]).await;
    gate.ends(1).has("SMTP-1", "fail", &["no answer within 2s"]).has("SMTP-5", "skip", &["SMTP"]);
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_told() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay);
    drop(relay);
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("SMTP-1", "fail", &["onnection refused", "clouds close ports"]);
}

/// Operations 9, row 8 (the host)
#[tokio::test]
async fn a_sandbox_in_production_is_told_and_refused() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::production(&relay).await.set("smtp.host", "sandbox.smtp.mailtrap.io");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(78).has("CFG-2", "fail", &["sandbox", "smtp.host"]);
    assert_eq!(program.run(&["serve"]).await.status, Some(78));
    // Somebody who waived the finding is told by the check all the same.
    let waived = program.set("config.waive", "smtp.host:sandbox-relay,mail.from:example-domain");
    let gate = Gate::of(&waived, &[]).await;
    gate.ends(1).has("SMTP-6", "fail", &["delivers none"]).has("SMTP-1", "skip", &["SMTP-6"]);
}

/// Operations 9, row 9 (SMTP-5)
#[tokio::test]
async fn a_sender_that_the_relay_does_not_know_is_told() {
    for (verb, answer) in [
        ("MAIL", "550 5.7.1 Sender address not verified"),
        ("RCPT", "553 5.7.1 Sender address rejected: not owned by user"),
    ] {
        let relay = SmtpServer::start(Script::default()).await;
        relay.on(move |heard| heard.is(verb).then(|| Reaction::say(answer)));
        let program = Program::new().await.mailing(&relay);
        let gate = Gate::of(&program, &[]).await;
        gate.ends(1).has("SMTP-5", "fail", &["configuration", "AUTHSHIELD_MAIL_FROM", "mail.from"]);
    }
    // Nobody need have a mailbox at the sender's address.
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|heard| heard.is("RCPT").then(|| Reaction::say("550 5.1.1 no such user")));
    let program = Program::new().await.mailing(&relay);
    Gate::of(&program, &[]).await.has("SMTP-5", "pass", &["no such user"]);
}

#[tokio::test]
async fn encryption_that_is_not_offered_or_not_valid_is_told() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay).set("smtp.tls", "starttls");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("SMTP-2", "fail", &["STARTTLS", "smtp.tls"]).has("SMTP-3", "skip", &[]);

    let relay = SmtpServer::start(Script { starttls: true, ..Script::default() }).await;
    let program = Program::new().await.mailing(&relay).set("smtp.tls", "starttls");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("SMTP-3", "fail", &["certificate", "smtp.ca_file"]).has("SMTP-4", "skip", &[]);

    let authority = crate::support::smtp_server::valid_certificate().authority;
    let program = program.set("smtp.ca_file", authority.to_str().unwrap());
    let gate = Gate::of(&program, &[]).await;
    gate.has("SMTP-3", "pass", &["the certificate ends at"]);
}
