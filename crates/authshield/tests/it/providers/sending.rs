//! What each provider is given, and what its answers mean.

use std::time::Duration;

use authshield::mail::BreakerState;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::app_with;
use crate::support::provider::{ALL, Asked, Provider, Said, say};
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
        let provider = Provider::start(name);
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

/// An answer; whose affair it is, whether it holds all mail back, and what becomes of this one.
type Case = (Said, &'static str, bool, &'static str);

const YES: bool = true;
const NO: bool = false;

fn answers_of_ses() -> Vec<Case> {
    let ses = |kind: &str, words: &str| {
        let mut said = say(400, &json!({ "message": words }));
        said.1.push(("x-amzn-errortype", kind.to_owned()));
        said
    };
    let rejected = |who: &str| {
        let words = "Email address is not verified. The following identities failed the check in region \
                     EU-CENTRAL-1: ";
        ses("MessageRejected", &format!("{words}{who}"))
    };
    let unknown = ses("UnrecognizedClientException", "The security token is invalid.");
    vec![
        (unknown, "configuration", YES, "queued"),
        (ses("SendingPausedException", "Paused."), "configuration", YES, "queued"),
        (rejected("accounts@auth.example.net"), "configuration", YES, "queued"),
        (rejected("ann@example.org"), "configuration", NO, "queued"),
        (ses("TooManyRequestsException", "Rate exceeded"), "reputation", YES, "queued"),
        (ses("BadRequestException", "Bad MIME"), "content", NO, "failed"),
    ]
}

fn answers_of_postmark() -> Vec<Case> {
    let postmark =
        |code: i32, words: &str| say(422, &json!({ "ErrorCode": code, "Message": words }));
    let token = json!({ "ErrorCode": 10, "Message": "Bad or missing Server API token." });
    let signature = "The 'From' address you supplied is not a Sender Signature on your account.";
    let pending = "While your account is pending approval, all recipient addresses must share the \
                   same domain as the 'From' address.";
    let inactive = "You tried to send to a recipient that has been marked as inactive.";
    vec![
        (say(401, &token), "configuration", YES, "queued"),
        (postmark(400, signature), "configuration", YES, "queued"),
        (postmark(412, pending), "configuration", NO, "queued"),
        (postmark(406, inactive), "recipient", NO, "failed"),
        (postmark(300, "Error parsing 'To': Illegal email domain."), "recipient", NO, "failed"),
    ]
}

fn answers_of_sendgrid() -> Vec<Case> {
    let sendgrid = |status, words: &str, field: Value| {
        say(status, &json!({ "errors": [{ "message": words, "field": field, "help": null }] }))
    };
    let grant = "The provided authorization grant is invalid, expired, or revoked";
    let identity = "The from address does not match a verified Sender Identity. Mail cannot be sent \
                    until this error is resolved.";
    let to = json!("personalizations.0.to.0.email");
    vec![
        (sendgrid(401, grant, Value::Null), "configuration", YES, "queued"),
        (sendgrid(403, identity, json!("from")), "configuration", YES, "queued"),
        (sendgrid(401, "Maximum credits exceeded", Value::Null), "configuration", YES, "queued"),
        (sendgrid(400, "Does not contain a valid address.", to), "recipient", NO, "failed"),
        (sendgrid(429, "too many requests", Value::Null), "reputation", YES, "queued"),
    ]
}

fn answers_of_mailgun() -> Vec<Case> {
    let mailgun = |status, words: &str| say(status, &json!({ "message": words }));
    let sandbox = "Domain sandbox.mailgun.org is not allowed to send: Free accounts are for test \
                   purposes only. Please upgrade or add the address to authorized recipients.";
    let unknown = "Domain not found: mail.auth.example.net";
    let to = "to parameter is not a valid address. please check documentation";
    vec![
        ((401, vec![], "Forbidden".to_owned()), "configuration", YES, "queued"),
        (mailgun(403, sandbox), "configuration", NO, "queued"),
        (mailgun(404, unknown), "configuration", YES, "queued"),
        (mailgun(400, to), "recipient", NO, "failed"),
    ]
}

fn answers_of_resend() -> Vec<Case> {
    let resend = |status: u16, kind: &str, words: &str| {
        say(status, &json!({ "statusCode": status, "name": kind, "message": words }))
    };
    let domain = "The auth.example.net domain is not verified.";
    let testing = "You can only send testing emails to your own email address";
    vec![
        (resend(403, "invalid_api_key", "API key is invalid"), "configuration", YES, "queued"),
        (resend(403, "validation_error", domain), "configuration", YES, "queued"),
        (resend(403, "validation_error", testing), "configuration", NO, "queued"),
        (resend(429, "daily_quota_exceeded", "Used up."), "configuration", YES, "queued"),
        (resend(429, "rate_limit_exceeded", "Too many."), "reputation", YES, "queued"),
        (resend(503, "application_error", "Unavailable"), "relay", YES, "queued"),
        (resend(500, "application_error", "Internal"), "relay", NO, "queued"),
    ]
}

/// Operations 4.4: whose affair an answer is, and what follows.
#[tokio::test]
async fn an_answer_says_whose_affair_it_is() {
    for (name, cases) in [
        ("ses", answers_of_ses()),
        ("postmark", answers_of_postmark()),
        ("sendgrid", answers_of_sendgrid()),
        ("mailgun", answers_of_mailgun()),
        ("resend", answers_of_resend()),
    ] {
        for case in cases {
            is_judged(name, case).await;
        }
    }
}

async fn is_judged(name: &'static str, (said, class, for_all, state): Case) {
    let provider = Provider::start(name);
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

/// Operations 4.3: the half-open probe is never a user's mail.
#[tokio::test]
async fn whether_mail_can_leave_again_is_tried_with_a_message_that_goes_nowhere() {
    for name in ALL {
        let provider = Provider::start(name);
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
    let provider = Provider::start("resend");
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
        let provider = Provider::start(name);
        let app = app_with(&provider, &[]).await;
        let shown = format!("{:?} {:?} {:?}", app.app.post, app.app.webhooks, app.app.config);
        for (setting, value) in provider.settings() {
            let is_secret = ["key", "token", "secret"].iter().any(|word| setting.contains(word));
            let is_public = ["_id", "public"].iter().any(|word| setting.contains(word));
            assert!(!is_secret || is_public || !shown.contains(&value), "{setting} shows");
        }
    }
}
