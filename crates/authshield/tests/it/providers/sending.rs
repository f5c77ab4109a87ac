//! What each provider is given, and what its answers mean.

use std::time::Duration;

use authshield::mail::BreakerState;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::app_with;
use crate::support::provider::{ALL, Asked, Provider, say};
use crate::support::{PASSWORD, TestApp};

async fn mail_to(app: &TestApp, email: &str) -> Value {
    app.register(email, PASSWORD).await.ok(202);
    app.app.post.deliver_due().await;
    newest(app).await
}

/// Returns the newest mail, as operators see it.
async fn newest(app: &TestApp) -> Value {
    let search = authshield::mail::Search::default();
    let start = authshield::kernel::Place::start();
    let now = app.ctx().now;
    let rows = authshield::mail::list(&app.app.store, &search, start, 1, now).await.unwrap();
    serde_json::to_value(&rows[0]).unwrap()
}

/// Says who is asked, with what proof, and to whom the mail goes.
fn gist(name: &str, asked: &Asked) -> (String, String, String) {
    let (body, text) = (asked.json(), asked.text());
    let of = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (proof, to) = match name {
        "ses" => {
            let raw = STANDARD.decode(of("/Content/Raw/Data")).unwrap();
            assert!(String::from_utf8(raw).unwrap().contains("Subject: "));
            assert_eq!(of("/FromEmailAddress"), "accounts@auth.example.net");
            assert_eq!(of("/ConfigurationSetName"), "authshield");
            let proof =
                asked.header("authorization").split("Signature=").next().unwrap().to_owned();
            (proof, of("/Destination/ToAddresses/0").to_owned())
        }
        "postmark" => {
            assert_eq!(of("/MessageStream"), "outbound");
            assert_eq!(body["TrackOpens"], false);
            assert_eq!(of("/TrackLinks"), "None");
            assert!(of("/TextBody").contains("token="));
            (asked.header("x-postmark-server-token").to_owned(), of("/To").to_owned())
        }
        "sendgrid" => {
            assert_eq!(body["tracking_settings"]["click_tracking"]["enable"], false);
            assert_eq!(body["mail_settings"]["sandbox_mode"]["enable"], false);
            assert!(of("/content/0/value").contains("token="));
            let to = of("/personalizations/0/to/0/email").to_owned();
            (asked.header("authorization").to_owned(), to)
        }
        "mailgun" => {
            assert!(text.contains("name=\"o:tracking\"\r\n\r\nno\r\n"), "{text}");
            assert!(!text.contains("o:testmode"));
            assert!(text.contains("Content-Type: message/rfc822\r\n\r\nFrom: "), "{text}");
            let to = text.split("name=\"to\"\r\n\r\n").nth(1).unwrap();
            let to = to.split("\r\n").next().unwrap().to_owned();
            (asked.header("authorization").to_owned(), to)
        }
        _ => {
            assert!(of("/html").contains("token="));
            (asked.header("authorization").to_owned(), of("/to/0").to_owned())
        }
    };
    (asked.path.clone(), proof, to)
}

#[tokio::test]
async fn each_provider_is_given_a_mail_in_its_own_way_and_its_name_for_it_is_kept() {
    for name in ALL {
        let provider = Provider::start(name).await;
        let app = app_with(&provider, &[]).await;
        let row = mail_to(&app, "ann@example.net").await;
        assert_eq!((&row["state"], &row["provider"]), (&json!("accepted"), &json!(name)), "{row}");
        let asked = provider.mails().remove(0);
        let (path, proof, to) = gist(name, &asked);
        let (expected_path, expected_proof, id) = match name {
            "ses" => (
                "/v2/email/outbound-emails",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-central-1/ses/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, "
                    .to_owned(),
                "010001524a1b2c3d-example-000000",
            ),
            "postmark" => (
                "/email",
                "3f0c9a7e-server-token-5d21".to_owned(),
                "0a129aee-e1cd-480d-b08d-4f48548ff48d",
            ),
            "sendgrid" => ("/v3/mail/send", "Bearer SG.key-7f3a9c1e5b".to_owned(), "14c5d75ce93"),
            "mailgun" => (
                "/v3/mail.auth.example.net/messages.mime",
                format!("Basic {}", STANDARD.encode("api:key-7f3a9c1e5b2d4f60")),
                "20111114174239.25659.5817@samples.mailgun.org",
            ),
            _ => (
                "/emails",
                "Bearer re_7f3a9c1e5b2d4f60".to_owned(),
                "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794",
            ),
        };
        assert_eq!((path.as_str(), proof), (expected_path, expected_proof));
        assert_eq!((to.as_str(), &row["provider_message_id"]), ("ann@example.net", &json!(id)));
        // Our name for it travels along, and nothing says who is a user of what.
        assert!(asked.text().contains(row["id"].as_str().unwrap()), "{name}");
        let key = asked.header("idempotency-key");
        assert_eq!(key, if name == "resend" { row["id"].as_str().unwrap() } else { "" });
        assert!(row["last_reply"].as_str().unwrap().contains(id), "{row}");
    }
}

/// Operations 4.4: whose affair an answer is, and what follows.
#[tokio::test]
async fn an_answer_says_whose_affair_it_is() {
    let ses = |kind: &str, words: &str| {
        let mut said = say(400, &json!({ "message": words }));
        said.1.push(("x-amzn-errortype", kind.to_owned()));
        said
    };
    let postmark =
        |code: i32, words: &str| say(422, &json!({ "ErrorCode": code, "Message": words }));
    let sendgrid = |status, words: &str, field: Value| {
        say(status, &json!({ "errors": [{ "message": words, "field": field, "help": null }] }))
    };
    let mailgun = |status, words: &str| say(status, &json!({ "message": words }));
    let resend = |status: u16, kind: &str, words: &str| {
        say(status, &json!({ "statusCode": status, "name": kind, "message": words }))
    };
    let not_verified = "Email address is not verified. The following identities failed the check in \
                        region EU-CENTRAL-1: ";
    let ours = format!("{not_verified}accounts@auth.example.net");
    let theirs = format!("{not_verified}ann@example.org");
    let identity = "The from address does not match a verified Sender Identity. Mail cannot be sent \
                    until this error is resolved.";
    let sandbox = "Domain sandbox.mailgun.org is not allowed to send: Free accounts are for test \
                   purposes only. Please upgrade or add the address to authorized recipients.";
    // Provider, answer, whose affair, whether it holds all mail back, what becomes of this one.
    let (yes, no) = (true, false);
    for (name, said, class, for_all, state) in [
        (
            "ses",
            ses("UnrecognizedClientException", "The security token is invalid."),
            "configuration",
            yes,
            "queued",
        ),
        (
            "ses",
            ses("SendingPausedException", "Sending is paused."),
            "configuration",
            yes,
            "queued",
        ),
        ("ses", ses("MessageRejected", &ours), "configuration", yes, "queued"),
        ("ses", ses("MessageRejected", &theirs), "configuration", no, "queued"),
        ("ses", ses("TooManyRequestsException", "Rate exceeded"), "reputation", yes, "queued"),
        ("ses", ses("BadRequestException", "Bad MIME"), "content", no, "failed"),
        (
            "postmark",
            say(401, &json!({ "ErrorCode": 10, "Message": "Bad or missing Server API token." })),
            "configuration",
            yes,
            "queued",
        ),
        (
            "postmark",
            postmark(
                400,
                "The 'From' address you supplied is not a Sender Signature on your account.",
            ),
            "configuration",
            yes,
            "queued",
        ),
        (
            "postmark",
            postmark(
                412,
                "While your account is pending approval, all recipient addresses must share the same domain.",
            ),
            "configuration",
            no,
            "queued",
        ),
        (
            "postmark",
            postmark(406, "You tried to send to a recipient that has been marked as inactive."),
            "recipient",
            no,
            "failed",
        ),
        (
            "postmark",
            postmark(300, "Error parsing 'To': Illegal email domain."),
            "recipient",
            no,
            "failed",
        ),
        (
            "sendgrid",
            sendgrid(401, "The provided authorization grant is invalid", Value::Null),
            "configuration",
            yes,
            "queued",
        ),
        ("sendgrid", sendgrid(403, identity, json!("from")), "configuration", yes, "queued"),
        (
            "sendgrid",
            sendgrid(401, "Maximum credits exceeded", Value::Null),
            "configuration",
            yes,
            "queued",
        ),
        (
            "sendgrid",
            sendgrid(
                400,
                "Does not contain a valid address.",
                json!("personalizations.0.to.0.email"),
            ),
            "recipient",
            no,
            "failed",
        ),
        ("sendgrid", sendgrid(429, "too many requests", Value::Null), "reputation", yes, "queued"),
        ("mailgun", (401, vec![], "Forbidden".to_owned()), "configuration", yes, "queued"),
        ("mailgun", mailgun(403, sandbox), "configuration", no, "queued"),
        (
            "mailgun",
            mailgun(404, "Domain not found: mail.auth.example.net"),
            "configuration",
            yes,
            "queued",
        ),
        (
            "mailgun",
            mailgun(400, "to parameter is not a valid address. please check documentation"),
            "recipient",
            no,
            "failed",
        ),
        (
            "resend",
            resend(403, "invalid_api_key", "API key is invalid"),
            "configuration",
            yes,
            "queued",
        ),
        (
            "resend",
            resend(403, "validation_error", "The auth.example.net domain is not verified."),
            "configuration",
            yes,
            "queued",
        ),
        (
            "resend",
            resend(
                403,
                "validation_error",
                "You can only send testing emails to your own email address",
            ),
            "configuration",
            no,
            "queued",
        ),
        (
            "resend",
            resend(429, "daily_quota_exceeded", "You have reached your daily quota."),
            "configuration",
            yes,
            "queued",
        ),
        (
            "resend",
            resend(429, "rate_limit_exceeded", "Too many requests."),
            "reputation",
            yes,
            "queued",
        ),
        ("resend", resend(503, "application_error", "Unavailable"), "relay", yes, "queued"),
        ("resend", resend(500, "application_error", "Internal"), "relay", no, "queued"),
    ] {
        let provider = Provider::start(name).await;
        let app = app_with(&provider, &[]).await;
        let words = said.2.clone();
        provider.on(move |asked| asked.is_mail().then(|| said.clone()));
        let row = mail_to(&app, "ann@example.org").await;
        assert_eq!(row["state"], state, "{name} {words}: {row}");
        let attempt =
            format!("authshield_mail_attempts_total{{provider=\"{name}\",class=\"{class}\"}} 1\n");
        let exposition = app.app.metrics.encode();
        assert!(exposition.contains(&attempt), "{name} {words} is {class}: {row}");
        let open = app.app.post.state() != BreakerState::Closed;
        assert_eq!(open, for_all, "{name} {words}");
        // Our own faults cost no mail one of its attempts, and say what to mend.
        if class == "configuration" {
            assert_eq!(row["attempts"], 0, "{name} {words}");
            assert!(app.app.post.trouble().unwrap().advice.is_some(), "{name} {words}");
        }
        if for_all {
            let trouble = app.app.post.trouble().unwrap().to_string();
            assert!(!trouble.contains("ann@example.org"), "the log names nobody: {trouble}");
        }
    }
}

/// Operations 4.3: the half-open probe is never a user's mail.
#[tokio::test]
async fn whether_mail_can_leave_again_is_tried_with_a_message_that_goes_nowhere() {
    for name in ALL {
        let provider = Provider::start(name).await;
        let app = app_with(&provider, &[]).await;
        let refused = || say(401, &json!({ "ErrorCode": 10, "message": "no such key" }));
        provider.on(move |asked| asked.is_mail().then(refused));
        for at in 0..3 {
            app.register(&format!("p{at}@example.org"), PASSWORD).await.ok(202);
        }
        // One is tried, or as many as there are hands; then all wait.
        app.app.post.deliver_due().await;
        let tried = provider.mails().len();
        assert!((1..=3).contains(&tried), "{tried}");
        for seconds in [6, 16] {
            app.advance(Duration::from_secs(seconds));
            app.app.post.deliver_due().await;
        }
        let drills = provider.asked().iter().filter(|asked| asked.is_drill()).count();
        assert_eq!((provider.mails().len(), drills), (tried, 2), "{name}");
        let sink = provider.asked().iter().rfind(|asked| asked.is_drill()).unwrap().text();
        let nowhere = match name {
            "ses" => "success@simulator.amazonses.com",
            "postmark" => "test@blackhole.postmarkapp.com",
            "sendgrid" => "\"sandbox_mode\":{\"enable\":true}",
            "mailgun" => "name=\"o:testmode\"\r\n\r\nyes",
            _ => "delivered@resend.dev",
        };
        assert!(sink.contains(nowhere), "{name}: {sink}");

        provider.behave();
        for _ in 0..3 {
            app.advance(Duration::from_mins(1));
            app.app.post.deliver_due().await;
        }
        assert_eq!(app.app.post.state(), BreakerState::Closed, "{name}");
        assert_eq!(provider.mails().len(), tried + 3, "{name}: all have left");
        authshield::mail::report(&app.app).await;
        let events = app.events().await;
        let incidents: Vec<_> =
            events.iter().filter(|code| code.starts_with("MAIL_CONFIG")).collect();
        assert!(incidents.len() <= 2, "{name}: {incidents:?}");
    }
}

/// No answer is no yes: it is tried again, as the same message.
#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_given_again_under_the_same_name() {
    let provider = Provider::start("resend").await;
    let app = app_with(&provider, &[]).await;
    provider.on(|asked| asked.is_mail().then(|| say(500, &json!({ "name": "application_error" }))));
    mail_to(&app, "ann@example.org").await;
    provider.behave();
    app.advance(Duration::from_secs(6));
    app.app.post.deliver_due().await;
    let mails = provider.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("idempotency-key"), mails[1].header("idempotency-key"));
    assert_eq!(mails[0].body, mails[1].body, "it is the same in every byte");
    assert_eq!(newest(&app).await["state"], "accepted");
}

/// A key never shows, whatever the provider answers.
#[tokio::test]
async fn keys_do_not_show() {
    for name in ALL {
        let provider = Provider::start(name).await;
        let app = app_with(&provider, &[]).await;
        let shown = format!("{:?} {:?} {:?}", app.app.post, app.app.webhooks, app.app.config);
        for (setting, value) in provider.settings() {
            let is_secret = ["key", "token", "secret"].iter().any(|word| setting.contains(word));
            let is_public = ["_id", "public"].iter().any(|word| setting.contains(word));
            assert!(!is_secret || is_public || !shown.contains(&value), "{setting} shows");
        }
    }
}
