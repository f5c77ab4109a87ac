//! SMTP: the relay.

use std::time::Duration;

use super::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::smtp_server::Reaction;
use crate::support::{Program, Script, SmtpServer, wait_until};

/// A relay that wants to know who we are, and a program that tells it this password.
pub(crate) async fn with_login(password: &str) -> (SmtpServer, Program) {
    let login = Some(("postmaster", "Vt8-the-right-one"));
    let relay = SmtpServer::start(Script { login, ..Script::default() }).await;
    let program = Program::new()
        .await
        .mailing(&relay)
        .checked()
        .set("smtp.username", "postmaster")
        .set("smtp.password", password)
        .set("config.waive", "smtp.password:clear-text-login");
    (relay, program)
}

/// Operations 9, row 4
#[tokio::test]
async fn a_wrong_password_of_the_relay_is_a_fault_of_the_configuration() {
    let (relay, program) = with_login("Vt8-a-wrong-one").await;
    let fault = Fault::injected(4, "a wrong mail password: the gate");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has(
        "SMTP-4",
        "fail",
        &["535", "configuration", "smtp.password", "AUTHSHIELD_SMTP_PASSWORD"],
    );
    fault.found_by("preflight");
    gate.has("SMTP-1", "pass", &[]).has("SMTP-2", "pass", &["AUTH"]);
    gate.has("SMTP-5", "skip", &["SMTP-4"]);
    assert_eq!(relay.connections(), 1, "one conversation for all of it");
}

/// Operations 9, row 7
#[tokio::test]
async fn a_relay_that_takes_its_time_is_told() {
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|_| Some(Reaction::Late(Duration::from_millis(800))));
    let program = Program::new().await.mailing(&relay).checked();
    let fault = Fault::injected(7, "the relay takes 0.8 s for each answer: the gate");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(0).has("SMTP-1", "warn", &["slowest answer"]);
    fault.found_by("preflight");
    // One that takes longer than smtp.timeout will never take a mail.
    relay.on(|_| Some(Reaction::Silence));
    let gate = Gate::of(&program, &["--deadline", "10"]).await;
    gate.ends(1).has("SMTP-1", "fail", &["no answer within 2s"]).has("SMTP-5", "skip", &["SMTP"]);
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_told() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay).checked();
    drop(relay);
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("SMTP-1", "fail", &["onnection refused", "clouds close ports"]);
}

/// Operations 9, row 8 (the host)
#[tokio::test]
async fn a_sandbox_in_production_is_told_and_refused() {
    let relay = SmtpServer::start(Script::default()).await;
    let program =
        Program::production(&relay).await.checked().set("smtp.host", "sandbox.smtp.mailtrap.io");
    let fault = Fault::injected(8, "smtp.host is a sandbox");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(78).has("CFG-2", "fail", &["sandbox", "smtp.host"]);
    fault.found_by("preflight");
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
        let program = Program::new().await.mailing(&relay).checked();
        let fault = Fault::injected(9, "the relay refuses the sender: the gate");
        let gate = Gate::of(&program, &[]).await;
        gate.ends(1).has("SMTP-5", "fail", &["configuration", "AUTHSHIELD_MAIL_FROM", "mail.from"]);
        fault.found_by("preflight");
    }
    // Nobody need have a mailbox at the sender's address.
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|heard| heard.is("RCPT").then(|| Reaction::say("550 5.1.1 no such user")));
    let program = Program::new().await.mailing(&relay).checked();
    Gate::of(&program, &[]).await.has("SMTP-5", "pass", &["no such user"]);
}

#[tokio::test]
async fn encryption_that_is_not_offered_or_not_valid_is_told() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay).checked().set("smtp.tls", "starttls");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("SMTP-2", "fail", &["STARTTLS", "smtp.tls"]).has("SMTP-3", "skip", &[]);

    let relay = SmtpServer::start(Script { starttls: true, ..Script::default() }).await;
    let program = Program::new().await.mailing(&relay).checked().set("smtp.tls", "starttls");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("SMTP-3", "fail", &["certificate", "smtp.ca_file"]).has("SMTP-4", "skip", &[]);

    let authority = crate::support::smtp_server::valid_certificate().authority;
    let program = program.set("smtp.ca_file", authority.to_str().unwrap());
    let gate = Gate::of(&program, &[]).await;
    gate.has("SMTP-3", "pass", &["the certificate ends at"]);
}

/// Operations 9, row 4 (while it runs)
#[tokio::test]
async fn mail_waits_for_the_right_password_and_uses_up_no_attempt() {
    let (_relay, program) = with_login("Vt8-a-wrong-one").await;
    let watched = Watched::serve(program).await;
    let fault = Fault::injected(4, "a wrong mail password: while running");
    watched.server.client.register("ann@example.org").await.unwrap().ok(202);
    watched.until("SMTP-4", 2).await;
    fault.found_by("SMTP-4");
    let mails = watched.program.run(&["mail", "list", "--json"]).await.json();
    assert_eq!(
        (&mails[0]["state"], &mails[0]["attempts"]),
        (&"queued".into(), &0.into()),
        "{mails}"
    );
    watched.until_events(&["CHECK_FAILED/SMTP-4"]).await;
}

/// Operations 9, row 7 (while it runs)
#[tokio::test]
async fn a_tar_pit_slows_down_nobody_but_mail() {
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|_| Some(Reaction::Late(Duration::from_millis(1200))));
    let program = Program::new().await.mailing(&relay).checked().unlimited();
    let watched = Watched::serve(program.set("smtp.timeout", "4s")).await;
    let fault = Fault::injected(7, "the relay takes 1.2 s for each answer: while running");
    watched.until("SMTP-1", 1).await;
    fault.found_by("SMTP-1");
    let client = &watched.server.client;
    let began = std::time::Instant::now();
    client.register("ann@example.org").await.unwrap().ok(202);
    client.log_in("ann@example.org", crate::support::PASSWORD).await.unwrap().ok(403);
    // A mail takes the relay five answers, or six seconds.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let age = "authshield_mail_queue_oldest_age_seconds{kind=\"verify_email\"}";
    wait_until("the queue grows old", Duration::from_secs(20), async || {
        watched.metric(age).await.filter(|age| *age > 1.0)
    })
    .await;
}

/// SMTP-7
#[tokio::test]
async fn a_mail_can_be_sent_and_followed() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.mailing(&relay).checked();
    program.run(&["migrate", "run"]).await.ok();
    let gate = Gate::of(&program, &["--send-mail", "ann@example.net", "--wait", "20"]).await;
    gate.ends(0).has("SMTP-7", "pass", &["accepted", "taken as Q1", "Message-ID"]);
    assert_eq!(relay.mails()[0].to, ["ann@example.net"]);

    relay.on(|heard| {
        let to_ann = heard.is("RCPT") && heard.line.contains("ann@");
        to_ann.then(|| Reaction::say("550 5.1.1 no such user"))
    });
    let gate = Gate::of(&program, &["--send-mail", "ann@example.net", "--wait", "20"]).await;
    gate.ends(1).has("SMTP-7", "fail", &["no such user"]);

    // Operations 9, row 6 (preflight): what is taken and dropped is told by the mailbox, and as far as
    // the relay is concerned by what it answered.
    relay.on(|heard| heard.is("MAIL").then(|| Reaction::say("451 4.3.0 later")));
    let arguments = ["--send-mail", "ann@example.net", "--wait", "1", "--only", "SMTP-7"];
    let gate = Gate::of(&program, &arguments).await;
    gate.ends(1).has("SMTP-5", "fail", &["later"]).has("SMTP-7", "skip", &["SMTP-5"]);
    assert_eq!(program.run(&["preflight", "--send-mail", "nobody"]).await.status, Some(64));
}

/// A provider lets some write as the sender and not as where mail comes back to: real mail leaves as
/// the latter, so that is what has to be looked at.
#[tokio::test]
async fn the_relay_is_asked_about_the_envelope_address_that_mail_leaves_with() {
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|heard| {
        let refused = heard.is("MAIL") && heard.line.contains("<bounce@bounce.test>");
        refused.then(|| Reaction::say("553 5.7.1 Sender address rejected: not owned by user"))
    });
    let program = Program::new().await.mailing(&relay).checked();
    let only = ["--only", "SMTP-1,SMTP-2,SMTP-3,SMTP-4,SMTP-5"];
    Gate::of(&program, &only).await.ends(0).has("SMTP-5", "pass", &["accounts@auth.example.net"]);
    let program = program.set("bounce.address", "bounce@bounce.test");
    let gate = Gate::of(&program, &only).await;
    gate.ends(1).has("SMTP-5", "fail", &["553", "bounce.address", "AUTHSHIELD_BOUNCE_ADDRESS"]);
}
