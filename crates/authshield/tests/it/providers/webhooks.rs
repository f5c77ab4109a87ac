//! What providers report: believed once, of our mails, and of whoever proves who they are.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::app_with;
use crate::support::provider::{ALL, Provider, TOPIC, say};
use crate::support::webhook::{self, CERTIFICATE, Webhook};
use crate::support::{PASSWORD, Person, Reply, TestApp};

const MAIL: &str = "/api/v1/admin/mail";

/// An application, its provider, and who administers it.
struct Scene {
    name: &'static str,
    provider: Provider,
    app: TestApp,
}

impl Scene {
    async fn new(name: &'static str) -> Self {
        let provider = Provider::start(name);
        let app = app_with(&provider, &[]).await;
        let scene = Self { name, provider, app };
        scene.serve_certificate();
        scene
    }

    /// Lets SNS show its certificate, and nothing else happen to what it is asked.
    fn serve_certificate(&self) {
        self.provider.on(|asked| match asked.path.as_str() {
            CERTIFICATE => Some((200, vec![], webhook::sns_certificate())),
            path if path.starts_with("/?Action=") => Some((200, vec![], String::new())),
            _ => None,
        });
    }

    fn sns(&self) -> String {
        format!("http://127.0.0.1:{}", self.provider.port)
    }

    /// Has a mail sent to `email`, and returns its id.
    async fn mail_to(&self, email: &str) -> String {
        self.app.register(email, PASSWORD).await.ok(202);
        self.app.app.post.deliver_due().await;
        self.newest(email).await["id"].as_str().unwrap().to_owned()
    }

    async fn newest(&self, email: &str) -> Value {
        let recipient = Some(email.to_owned());
        let search = authshield::mail::Search { recipient, ..Default::default() };
        let start = authshield::kernel::Place::start();
        let now = self.app.ctx().now;
        let store = &self.app.app.store;
        let rows = authshield::mail::list(store, &search, start, 1, now).await.unwrap();
        serde_json::to_value(&rows[0]).unwrap()
    }

    async fn story(&self, id: &str) -> Value {
        let mut tx = self.app.app.store.read().await.unwrap();
        let now = self.app.ctx().now;
        let story = authshield::mail::story(&mut tx, id.parse().unwrap(), now).await.unwrap();
        serde_json::to_value(story.unwrap()).unwrap()
    }

    /// Signs a payload of the corpus about a mail.
    fn signed(&self, kind: &str, mail: &str, name: &str) -> Webhook {
        let body = webhook::payload(&format!("{}-{kind}", self.name), mail, name);
        webhook::signed(self.name, &body, name, self.app.ctx().now, &self.sns())
    }

    async fn post(&self, webhook: &Webhook) -> Reply {
        let path = format!("/api/v1/webhooks/mail/{}", self.name);
        let mut request = self.app.request(Method::POST, &path).body(webhook.body.clone());
        for (name, value) in &webhook.headers {
            request = request.header(*name, value);
        }
        self.app.send(request).await
    }

    fn rejected(&self, reason: &str) -> u64 {
        let start = format!(
            "authshield_mail_webhook_rejected_total{{provider=\"{}\",reason=\"{reason}\"}} ",
            self.name
        );
        let exposition = self.app.app.metrics.encode();
        let line = exposition.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(0, |count| count.parse().unwrap())
    }

    async fn deliveries(&self) -> i64 {
        self.app.count("SELECT COUNT(*) FROM mail_webhooks").await
    }
}

fn kinds(story: &Value) -> Vec<String> {
    let entries = story["timeline"].as_array().unwrap().iter();
    entries.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

/// Returns the last that a provider said of a mail.
fn reported(story: &Value) -> Value {
    let entries = story["timeline"].as_array().unwrap();
    entries.iter().rfind(|entry| entry["source"] == "webhook").unwrap().clone()
}

/// What each provider calls it when mail arrives, comes back for good, and is unwanted.
fn kinds_of(name: &str) -> [&'static str; 3] {
    match name {
        "ses" => ["delivery", "bounce", "complaint"],
        "postmark" => ["delivery", "bounce", "spam-complaint"],
        "sendgrid" => ["batch", "bounce", "dropped-and-spam"],
        "mailgun" => ["delivered", "failed-permanent", "complained"],
        _ => ["delivered", "bounced", "complained"],
    }
}

#[tokio::test]
async fn what_each_provider_reports_goes_into_the_timeline_once_and_feeds_suppression() {
    for name in ALL {
        let scene = Scene::new(name).await;
        let [delivered, bounced, complained] = kinds_of(name);

        let id = scene.mail_to("ann@example.net").await;
        let report = scene.signed(delivered, &id, "one");
        for _ in 0..3 {
            scene.post(&report).await.ok(204);
        }
        let story = scene.story(&id).await;
        assert_eq!(story["state"], "delivered", "{name}: {story:#}");
        assert_eq!(kinds(&story).iter().filter(|kind| *kind == "delivered").count(), 1);
        let entry = reported(&story);
        assert!(entry["received_at"].as_str() >= entry["at"].as_str(), "{name}: {entry:#}");

        let id = scene.mail_to("bob@example.net").await;
        scene.post(&scene.signed(bounced, &id, "two")).await.ok(204);
        let story = scene.story(&id).await;
        assert_eq!(story["state"], "bounced", "{name}: {story:#}");
        let entry = reported(&story);
        assert_eq!(entry["class"], "recipient", "{name}: {entry:#}");
        if name != "resend" {
            let codes = (&entry["smtp_code"], &entry["enhanced_code"]);
            assert_eq!(codes, (&json!(550), &json!("5.1.1")), "{name}: {entry:#}");
        }
        let given = scene.provider.mails().len();
        let again = scene.mail_to("bob@example.net").await;
        assert_eq!(scene.story(&again).await["state"], "suppressed", "{name}");
        assert_eq!(scene.provider.mails().len(), given, "{name} is not asked");

        let id = scene.mail_to("eve@example.net").await;
        scene.post(&scene.signed(complained, &id, "three")).await.ok(204);
        assert_eq!(scene.story(&id).await["state"], "complained", "{name}");
        let again = scene.mail_to("eve@example.net").await;
        assert_eq!(scene.story(&again).await["state"], "suppressed", "{name}");

        let feedback = format!(
            "authshield_mail_feedback_last_event_timestamp_seconds{{provider=\"{name}\"}} 1795"
        );
        authshield::chores::measure(&scene.app.app).await;
        assert!(scene.app.app.metrics.encode().contains(&feedback), "{name}");
    }
}

/// Without our name in it, the provider's own name for the mail will do.
#[tokio::test]
async fn a_report_without_our_name_is_found_by_the_name_that_the_provider_gave() {
    let scene = Scene::new("ses").await;
    let id = scene.mail_to("ann@example.net").await;
    let body = webhook::payload("ses-notification-without-tags", &id, "").replace(
        "0000014644fe5ef6-9a483358-9170-4cb4-a269-f5dcdf415321-000000",
        "010001524a1b2c3d-example-000000",
    );
    let report = webhook::signed("ses", &body, "one", scene.app.ctx().now, &scene.sns());
    scene.post(&report).await.ok(204);
    assert_eq!(scene.story(&id).await["state"], "delivered");
}

/// Issue 3, "Bad input": refused, counted, nothing suppressed, never a 5xx.
#[tokio::test]
async fn what_is_not_proved_changes_nothing_and_is_counted() {
    for name in ALL {
        let scene = Scene::new(name).await;
        let bounced = kinds_of(name)[1];
        let id = scene.mail_to("victim@example.net").await;
        let genuine = scene.signed(bounced, &id, "one");
        let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
        let changed = |change: &dyn Fn(&mut Webhook)| {
            let mut webhook = genuine.clone();
            change(&mut webhook);
            webhook
        };
        let cut = changed(&|webhook| webhook.body.truncate(webhook.body.len() / 2));
        assert!(!is_json(&cut.body));
        let bare = changed(&|webhook| {
            webhook.headers.clear();
            webhook.body = webhook.body.replace("\"signature\"", "\"sig\"");
            webhook.body = webhook.body.replace("\"Signature\"", "\"Sig\"");
        });
        // Whoever has the body of a genuine report has not its proof, and the other way round.
        let forged = changed(&|webhook| {
            for (_, value) in &mut webhook.headers {
                let (start, rest) = value.split_at(6.min(value.len()));
                let swapped = rest.chars().map(|it| {
                    if it.is_ascii_lowercase() {
                        it.to_ascii_uppercase()
                    } else {
                        it.to_ascii_lowercase()
                    }
                });
                *value = format!("{start}{}", swapped.collect::<String>());
            }
            for key in ["\"signature\":\"", "\"Signature\":\""] {
                webhook.body = webhook.body.replace(key, &format!("{key}AAAA"));
            }
        });
        let garbage = Webhook { headers: genuine.headers.clone(), body: "\u{0}\u{1}{".to_owned() };
        for (webhook, what) in
            [(&cut, "cut"), (&bare, "bare"), (&forged, "forged"), (&garbage, "garbage")]
        {
            let reply = scene.post(webhook).await;
            let status = reply.status.as_u16();
            assert!([400, 401].contains(&status), "{name} {what}: {reply:?}");
            let code = if status == 400 { "REQUEST_MALFORMED" } else { "WEBHOOK_UNAUTHENTICATED" };
            assert_eq!(reply.code(), code, "{name} {what}");
        }
        assert_eq!(scene.rejected("unauthenticated"), 1, "{name}");
        assert!(scene.rejected("forged") >= 1, "{name}");
        let all: u64 =
            ["unauthenticated", "forged", "malformed"].iter().map(|it| scene.rejected(it)).sum();
        assert_eq!(all, 4, "{name}");

        let large = Webhook { body: " ".repeat((1 << 20) + 1), ..genuine.clone() };
        scene.post(&large).await.is(413, "REQUEST_BODY_TOO_LARGE");
        assert_eq!(scene.rejected("too_large"), 1, "{name}");

        // A genuine one that comes much later.
        if name != "postmark" {
            let later = scene.app.ctx().now;
            scene.app.advance(Duration::from_hours(2));
            scene.post(&genuine).await.is(401, "WEBHOOK_UNAUTHENTICATED");
            assert_eq!(scene.rejected("stale"), 1, "{name}, signed at {later}");
        }
        let story = scene.story(&id).await;
        assert!(!kinds(&story).contains(&"bounced".to_owned()), "{name}: {story:#}");
        assert_eq!(scene.app.count("SELECT COUNT(*) FROM mail_suppressions").await, 0, "{name}");
        assert_eq!(scene.deliveries().await, 0, "{name}");

        // Genuine, and about a mail that is not ours, or about a drill.
        let nobody = "018f0000-0000-7000-8000-000000000000";
        scene.post(&scene.signed(bounced, nobody, "two")).await.ok(204);
        assert_eq!(scene.rejected("no_such_mail"), 1, "{name}");
        scene.post(&scene.signed(bounced, "drill", "three")).await.ok(204);
        assert_eq!(scene.rejected("no_such_mail"), 1, "{name}");
    }
}

/// Operations 9, row 15, and what may come twice.
#[tokio::test]
async fn a_signature_that_was_used_carries_no_other_body() {
    let scene = Scene::new("mailgun").await;
    let (ann, eve) =
        (scene.mail_to("ann@example.net").await, scene.mail_to("eve@example.net").await);
    let genuine = scene.signed("delivered", &ann, "a8ce0edb2dd8301dee6c24");
    scene.post(&genuine).await.ok(204);
    // The provider, when our answer was lost: the same in every byte.
    scene.post(&genuine).await.ok(204);
    let mut replayed: Value =
        serde_json::from_str(&scene.signed("failed-permanent", &eve, "x").body).unwrap();
    replayed["signature"] =
        serde_json::from_str::<Value>(&genuine.body).unwrap()["signature"].clone();
    let replayed = Webhook { headers: Vec::new(), body: replayed.to_string() };
    scene.post(&replayed).await.is(401, "WEBHOOK_UNAUTHENTICATED");
    assert_eq!(scene.rejected("replayed"), 1);
    assert_eq!(scene.story(&eve).await["state"], "accepted");
    // On another node, and at once from many sides: one body counts.
    let other = scene.app.second_node(&[("rate_limit.enabled", "false")]).await;
    drop(other);
    let fresh = scene.signed("failed-permanent", &eve, "b8ce0edb2dd8301dee6c24");
    let posts = (0..6).map(|at| {
        let body = fresh.body.replace("smtp-in.example.com", &format!("mx{at}.example.com"));
        let path = "/api/v1/webhooks/mail/mailgun";
        scene.app.request(Method::POST, path).body(body).send()
    });
    let replies = futures_util::future::join_all(posts).await;
    let taken = replies.iter().filter(|reply| reply.as_ref().unwrap().status() == 204).count();
    assert_eq!(taken, 1, "{replies:?}");
    let bounces = kinds(&scene.story(&eve).await);
    assert_eq!(bounces.iter().filter(|kind| *kind == "bounced").count(), 1);
}

/// Operations 9, row 14.
#[tokio::test]
async fn amazons_signature_over_somebody_elses_topic_is_not_about_us() {
    let scene = Scene::new("ses").await;
    let id = scene.mail_to("victim@example.net").await;
    let now = scene.app.ctx().now;
    let message = webhook::payload("ses-bounce", &id, "");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut envelope = webhook::sns_envelope(&message, "one", now, &scene.sns());
        change(&mut envelope);
        webhook::sns_signed(envelope)
    };
    let foreign = with(&|envelope| {
        envelope["TopicArn"] = "arn:aws:sns:eu-central-1:666666666666:mail".into();
    });
    scene.post(&foreign).await.is(401, "WEBHOOK_UNAUTHENTICATED");
    assert_eq!(scene.rejected("foreign"), 1);
    let fetched = || scene.provider.asked().iter().filter(|asked| !asked.is_mail()).count();
    assert_eq!(fetched(), 0, "nothing is fetched for them");

    // SHA-1, and certificates from elsewhere.
    let old = with(&|envelope| envelope["SignatureVersion"] = "1".into());
    let elsewhere = with(&|envelope| {
        envelope["SigningCertURL"] = format!("http://localhost:1{CERTIFICATE}").into();
    });
    for webhook in [&old, &elsewhere] {
        scene.post(webhook).await.is(401, "WEBHOOK_UNAUTHENTICATED");
    }
    assert_eq!(fetched(), 0);
    // One of theirs, with another key than the certificate's.
    let mut changed = with(&|_| {});
    changed.body = changed.body.replace("ses-bounce", "x").replace("5.1.1", "5.1.2");
    scene.post(&changed).await.is(401, "WEBHOOK_UNAUTHENTICATED");
    assert_eq!(scene.rejected("forged"), 3);
    // What is at the address is no certificate.
    let odd = with(&|envelope| {
        envelope["SigningCertURL"] = format!("{}/odd.pem", scene.sns()).into();
    });
    scene.provider.on(|_| Some((200, vec![], "not one".to_owned())));
    scene.post(&odd).await.is(401, "WEBHOOK_UNAUTHENTICATED");
    assert_eq!(scene.story(&id).await["state"], "accepted");
    // It cannot be had now: then it has to come again, which 4xx would not tell SNS.
    scene.provider.on(|_| Some(say(503, &json!({}))));
    let other = with(&|envelope| {
        envelope["SigningCertURL"] = format!("{}/another.pem", scene.sns()).into();
    });
    let reply = scene.post(&other).await;
    reply.is(503, "SERVICE_UNAVAILABLE");
    assert!(!reply.header("retry-after").is_empty());

    // The certificate is fetched once.
    scene.serve_certificate();
    let before = fetched();
    scene.post(&with(&|_| {})).await.ok(204);
    scene.post(&with(&|envelope| envelope["MessageId"] = "two".into())).await.ok(204);
    assert!(fetched() <= before + 1);
    assert_eq!(scene.story(&id).await["state"], "bounced");
}

#[tokio::test]
async fn subscriptions_are_confirmed_for_our_topics_alone() {
    let scene = Scene::new("ses").await;
    let confirms = |topic: &str, url: &str| {
        let now = scene.app.ctx().now;
        let mut envelope =
            webhook::sns_envelope("You have chosen to subscribe.", "one", now, &scene.sns());
        envelope["Type"] = "SubscriptionConfirmation".into();
        envelope["Token"] = "2336412f37fb687f5d51e6e2425e".into();
        envelope["TopicArn"] = topic.into();
        envelope["SubscribeURL"] = url.into();
        webhook::sns_signed(envelope)
    };
    let ours = format!("{}/?Action=ConfirmSubscription&Token=2336", scene.sns());
    let confirmed = || {
        let asked = scene.provider.asked();
        asked.iter().filter(|asked| asked.path.contains("ConfirmSubscription")).count()
    };
    let foreign = confirms("arn:aws:sns:eu-central-1:666666666666:mail", &ours);
    scene.post(&foreign).await.is(401, "WEBHOOK_UNAUTHENTICATED");
    let elsewhere = confirms(TOPIC, "http://127.0.0.1:1/?Action=ConfirmSubscription");
    scene.post(&elsewhere).await.is(401, "WEBHOOK_UNAUTHENTICATED");
    assert_eq!(confirmed(), 0);
    scene.post(&confirms(TOPIC, &ours)).await.ok(204);
    assert_eq!(confirmed(), 1);
    assert_eq!(scene.deliveries().await, 0, "its token is not kept");
}

/// What came is kept for thirty days, and nobody who reads the database reads it.
/// ASVS: V14.2.7
#[tokio::test]
async fn payloads_are_kept_sealed_and_not_for_ever() {
    let scene = Scene::new("resend").await;
    let id = scene.mail_to("ann@example.net").await;
    scene.post(&scene.signed("delivered", &id, "one")).await.ok(204);
    let mut tx = scene.app.app.store.read().await.unwrap();
    let (payload,): (Vec<u8>,) = tx.query("SELECT payload FROM mail_webhooks").one().await.unwrap();
    drop(tx);
    assert!(payload.len() > 100 && !payload.windows(6).any(|window| window == b"resend"));
    for (days, left) in [(29, 1), (2, 0)] {
        scene.app.advance(Duration::from_hours(24 * days));
        authshield::chores::purge(&scene.app.app, scene.app.ctx().now).await.unwrap();
        assert_eq!(scene.deliveries().await, left);
    }
}

/// Nothing is at the address of a provider whose proof nobody could check.
#[tokio::test]
async fn without_a_key_there_is_no_webhook() {
    let app = TestApp::start().await;
    for name in ALL.into_iter().chain(["smtp", "file", "x", "%00"]) {
        let request = app.request(Method::POST, &format!("/api/v1/webhooks/mail/{name}"));
        app.send(request.body("{}")).await.is(404, "ROUTE_NOT_FOUND");
    }
}

/// Operators see by which name the provider knows a mail.
#[tokio::test]
async fn operators_see_who_took_a_mail() {
    let scene = Scene::new("sendgrid").await;
    let root: Person = {
        scene.app.register("root@example.org", PASSWORD).await.ok(202);
        scene.app.app.post.deliver_due().await;
        let token = scene.provider.mails()[0].text();
        let token = token.split("token=").nth(1).unwrap();
        let token: String =
            token.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
        scene.app.verify(&token).await.ok(200);
        let person = scene.app.sign_in("root@example.org").await;
        let wanted = vec!["admin".to_owned(), "user".to_owned()];
        let id = person.id.parse().unwrap();
        let ctx = scene.app.ctx();
        authshield::roles::set_roles(&scene.app.app, &ctx, None, id, wanted).await.unwrap();
        person
    };
    let id = scene.mail_to("ann@example.net").await;
    let reply = scene.app.get_as(&root, &format!("{MAIL}/{id}")).await;
    let body = &reply.ok(200).body;
    assert_eq!(
        (&body["provider"], &body["provider_message_id"]),
        (&json!("sendgrid"), &json!("14c5d75ce93"))
    );
}
