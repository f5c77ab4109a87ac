//! Providers of mail: accounts that are valid and limited, webhooks that are gone, reports of strangers.

use std::time::Duration;

use authshield::world::{Real, World};
use serde_json::{Value, json};

use super::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::provider::{ALL, Asked, Provider, Said, say};
use crate::support::webhook::{self, CERTIFICATE, Webhook};
use crate::support::{Client, Program, Server, wait_until};

/// Within what time a finding has to come, where the service looks all the time.
const FOUND: Duration = Duration::from_secs(40);

/// Returns a program whose mail goes to `provider`.
async fn program_with(provider: &Provider) -> Program {
    let program = Program::new()
        .await
        .unlimited()
        .set("mail.from", "AuthShield <accounts@auth.example.net>")
        .set("smtp.timeout", "2s")
        .set("checks.policy", "DB-5=warn,DNS-*=ignore");
    provider.settings().iter().fold(program, |program, (name, value)| program.set(name, value))
}

/// A provider, the check that finds the limit, what its API tells then, and words of the finding.
type Limit = (&'static str, &'static str, fn(&Asked) -> Option<Said>, &'static [&'static str]);

/// What accounts can lack.
fn limits() -> [Limit; 10] {
    [
        (
            "ses",
            "API-1",
            |asked| {
                let sandbox = json!({ "ProductionAccessEnabled": false, "SendingEnabled": true });
                asked.path.ends_with("/account").then(|| say(200, &sandbox))
            },
            &["sandbox", "production access"],
        ),
        (
            "ses",
            "API-1",
            |asked| {
                let pending = json!({ "VerifiedForSendingStatus": true,
                                      "DkimAttributes": { "Status": "PENDING" } });
                asked.path.contains("/identities/").then(|| say(200, &pending))
            },
            &["DKIM", "PENDING"],
        ),
        (
            "postmark",
            "API-2",
            |asked| {
                let sandbox = json!({ "Name": "Test", "DeliveryType": "Sandbox" });
                (asked.path == "/server").then(|| say(200, &sandbox))
            },
            &["sandbox"],
        ),
        (
            "postmark",
            "API-2",
            |asked| {
                let no = json!({ "ErrorCode": 10, "Message": "Bad or missing Server API token." });
                (asked.path == "/server").then(|| say(401, &no))
            },
            &["401", "postmark.server_token"],
        ),
        (
            "sendgrid",
            "API-3",
            |asked| {
                (asked.path == "/v3/scopes")
                    .then(|| say(200, &json!({ "scopes": ["alerts.read"] })))
            },
            &["mail.send"],
        ),
        (
            "sendgrid",
            "API-3",
            |asked| {
                let invalid = json!([{ "domain": "auth.example.net", "valid": false }]);
                asked.path.starts_with("/v3/whitelabel").then(|| say(200, &invalid))
            },
            &["not authenticated"],
        ),
        (
            "mailgun",
            "API-4",
            |asked| {
                let sandbox = json!({ "domain": { "state": "active", "type": "sandbox" } });
                asked.path.ends_with("auth.example.net").then(|| say(200, &sandbox))
            },
            &["sandbox"],
        ),
        (
            "mailgun",
            "API-4",
            |asked| {
                let gone = json!({ "message": "Domain not found" });
                asked.path.ends_with("auth.example.net").then(|| say(404, &gone))
            },
            &["mailgun.url", "api.eu.mailgun.net"],
        ),
        (
            "resend",
            "API-5",
            |asked| {
                let pending =
                    json!({ "data": [{ "name": "auth.example.net", "status": "pending" }] });
                (asked.path == "/domains").then(|| say(200, &pending))
            },
            &["pending"],
        ),
        (
            "resend",
            "API-5",
            |asked| (asked.path == "/domains").then(|| say(200, &json!({ "data": [] }))),
            &["does not know the domain"],
        ),
    ]
}

/// Row 8: a sandboxed account; row 9: a sender that is not verified; and a key that is not known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_limited_does_not_pass_the_gate() {
    let limits = limits();
    for name in ALL {
        let provider = Provider::start(name);
        let program = program_with(&provider).await;
        let only = ["--only", "API-1,API-2,API-3,API-4,API-5,API-6"];
        let gate = Gate::of(&program, &only).await;
        gate.ends(0);
        for (_, check, limit, words) in limits.iter().filter(|(of, ..)| *of == name) {
            gate.has(check, "pass", &[]).has("API-6", "pass", &[]);
            let limit = *limit;
            provider.on(limit);
            Gate::of(&program, &only).await.ends(1).has(check, "fail", words);
        }
        // Nobody's mail was needed to know that, and no key shows.
        assert_eq!(provider.mails().len(), 0);
        for (setting, value) in provider.settings() {
            let public =
                ["url", "region", "id", "domain", "topics", "set", "provider", "public_key"];
            let is_public = public.iter().any(|end| setting.ends_with(end));
            assert!(is_public || !gate.said.contains(&value), "{setting} shows");
        }
    }
}

/// `--send-mail` takes the way that every mail takes, whoever is at its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_can_be_sent_to_a_provider_before_traffic_is_taken() {
    let provider = Provider::start("mailgun");
    let program = program_with(&provider).await;
    program.run(&["migrate", "run"]).await.ok();
    let only = ["--send-mail", "ann@example.net", "--wait", "5", "--only", "SMTP-7"];
    Gate::of(&program, &only).await.ends(0).has("SMTP-7", "pass", &["taken as"]);
    assert_eq!(provider.mails().len(), 1);
    provider.on(|asked| asked.is_mail().then(|| say(401, &json!({ "message": "Forbidden" }))));
    Gate::of(&program, &only).await.ends(1).has("SMTP-7", "fail", &["HTTP 401"]);
}

/// A running service: what operators see of it, and who reports to it.
struct Scene {
    watched: Watched,
    provider: Provider,
    name: &'static str,
}

impl Scene {
    async fn new(name: &'static str) -> Self {
        let provider = Provider::start(name);
        let program = program_with(&provider).await;
        let watched = Watched::serve(program).await;
        Self { watched, provider, name }
    }

    fn server(&self) -> &Server {
        &self.watched.server
    }

    /// Has a mail sent, and returns its id once the provider took it.
    async fn mail_to(&self, email: &str) -> String {
        self.server().client.register(email).await.unwrap().ok(202);
        wait_until("the provider took it", FOUND, async || {
            let list = self.watched.program.run(&["mail", "list", "--json", "--to", email]).await;
            let list = list.json();
            let id = list[0]["id"].as_str().map(ToOwned::to_owned);
            id.filter(|_| list[0]["state"] == "accepted")
        })
        .await
    }

    async fn state(&self, id: &str) -> Value {
        self.watched.program.run(&["mail", "show", id, "--json"]).await.json()["state"].clone()
    }

    fn signed(&self, kind: &str, mail: &str, name: &str) -> Webhook {
        let body = webhook::payload(&format!("{}-{kind}", self.name), mail, name);
        let sns = format!("http://127.0.0.1:{}", self.provider.port);
        webhook::signed(self.name, &body, name, Real.now(), &sns)
    }

    async fn post(&self, webhook: &Webhook) -> u16 {
        let client: &Client = &self.server().client;
        let path = format!("/api/v1/webhooks/mail/{}", self.name);
        let mut request = client.request(reqwest::Method::POST, &path).body(webhook.body.clone());
        for (name, value) in &webhook.headers {
            request = request.header(*name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    async fn rejected(&self, reason: &str) -> Option<f64> {
        let name = self.name;
        let metric = format!(
            "authshield_mail_webhook_rejected_total{{provider=\"{name}\",reason=\"{reason}\"}}"
        );
        self.watched.metric(&metric).await
    }

    /// Nothing is suppressed, and mail still goes there.
    async fn nothing_is_suppressed(&self) {
        let list = self.watched.program.run(&["mail", "suppressions", "list", "--json"]).await;
        assert_eq!(list.json(), json!([]));
        assert_eq!(self.watched.metric("authshield_mail_suppressions").await, Some(0.0));
    }
}

/// Row 12: the webhook is deleted, and its key is changed. That nobody reports while mail is taken is an
/// alert, whose rule is tested beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_gone_or_has_another_key_is_found() {
    let scene = Scene::new("resend").await;
    scene.watched.until("API-6", 0).await;
    let silent = "authshield_mail_feedback_last_event_timestamp_seconds{provider=\"resend\"}";
    assert_eq!(scene.watched.metric(silent).await, Some(0.0), "silence can be told from nothing");
    let id = scene.mail_to("ann@example.net").await;
    assert_eq!(scene.post(&scene.signed("delivered", &id, "one")).await, 204);
    assert_eq!(scene.state(&id).await, "delivered");
    assert!(scene.watched.metric(silent).await > Some(1.7e9));

    let fault = Fault::injected(12, "the webhook is deleted at the provider");
    let gone = json!({ "object": "list", "data": [] });
    scene.provider.on(move |asked| (asked.path == "/webhooks").then(|| say(200, &gone)));
    scene.watched.until("API-6", 2).await;
    fault.found_by("API-6");
    Gate::of(&scene.watched.program, &["--only", "API-6"]).await.ends(1).has(
        "API-6",
        "fail",
        &["no webhook leads to", "/api/v1/webhooks/mail/resend"],
    );

    // Its key was changed there, and not here.
    let mut foreign = scene.signed("delivered", &id, "two");
    for (name, value) in &mut foreign.headers {
        if *name == "svix-signature" {
            *value = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=".to_owned();
        }
    }
    let fault = Fault::injected(12, "the key of the webhook is changed at the provider");
    assert_eq!(scene.post(&foreign).await, 401);
    assert_eq!(scene.rejected("forged").await, Some(1.0), "at once");
    fault.found_by("authshield_mail_webhook_rejected_total");
    scene.provider.behave();
    scene.watched.until("API-6", 0).await;
    scene.watched.server.stop().await;
}

/// Row 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_genuine_report_from_a_foreign_topic_is_rejected_and_counted() {
    let scene = Scene::new("ses").await;
    scene.provider.on(|asked| {
        (asked.path == CERTIFICATE).then(|| (200, Vec::new(), webhook::sns_certificate()))
    });
    let id = scene.mail_to("victim@example.net").await;
    let sns = format!("http://127.0.0.1:{}", scene.provider.port);
    let message = webhook::payload("ses-bounce", &id, "");
    let mut envelope = webhook::sns_envelope(&message, "one", Real.now(), &sns);
    envelope["TopicArn"] = "arn:aws:sns:eu-central-1:666666666666:mail".into();
    let fault = Fault::injected(14, "a genuine report from a foreign topic");
    assert_eq!(scene.post(&webhook::sns_signed(envelope)).await, 401);
    assert_eq!(scene.rejected("foreign").await, Some(1.0));
    fault.found_by("authshield_mail_webhook_rejected_total");
    assert_eq!(scene.state(&id).await, "accepted");
    scene.nothing_is_suppressed().await;
    // The same from our topic is believed.
    assert_eq!(scene.post(&scene.signed("bounce", &id, "two")).await, 204);
    assert_eq!(scene.state(&id).await, "bounced");
    scene.watched.server.stop().await;
}

/// Row 15; and the name of a signature is remembered, whatever happens to the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_signature_with_another_body_is_rejected() {
    let scene = Scene::new("mailgun").await;
    let (ann, eve) =
        (scene.mail_to("ann@example.net").await, scene.mail_to("eve@example.net").await);
    let genuine = scene.signed("delivered", &ann, "a8ce0edb2dd8301dee6c24");
    assert_eq!(scene.post(&genuine).await, 204);
    let program = scene.watched.program.clone();
    let Scene { watched, provider, name } = scene;
    watched.server.kill().await;
    let scene = Scene { watched: Watched::serve(program).await, provider, name };
    let mut replayed: Value =
        serde_json::from_str(&scene.signed("failed-permanent", &eve, "x").body).unwrap();
    replayed["signature"] =
        serde_json::from_str::<Value>(&genuine.body).unwrap()["signature"].clone();
    let replayed = Webhook { headers: Vec::new(), body: replayed.to_string() };
    let fault = Fault::injected(15, "a replayed signature over another body");
    assert_eq!(scene.post(&replayed).await, 401);
    assert_eq!(scene.rejected("replayed").await, Some(1.0));
    fault.found_by("authshield_mail_webhook_rejected_total");
    assert_eq!(scene.state(&eve).await, "accepted");
    scene.nothing_is_suppressed().await;
    scene.watched.server.stop().await;
}
