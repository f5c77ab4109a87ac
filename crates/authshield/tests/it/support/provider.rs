//! A provider of mail: an HTTP server that answers as the providers document, and remembers what it was
//! asked.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A request that it got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether it hands a message over.
    pub(crate) fn is_mail(&self) -> bool {
        self.method == Method::POST
    }

    /// Whether the message goes nowhere.
    pub(crate) fn is_drill(&self) -> bool {
        self.is_mail() && self.text().contains("drill")
    }
}

/// An answer: status, a header or two, and a body.
pub(crate) type Said = (u16, Vec<(&'static str, String)>, String);

type Script = Box<dyn Fn(&Asked) -> Option<Said> + Send>;

/// The server; it ends when dropped.
pub(crate) struct Provider {
    pub(crate) port: u16,
    name: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<Option<Script>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the webhook of a provider leads to, as its API tells: nothing, until a test says so.
const WEBHOOK: &str = "/api/v1/webhooks/mail/";

/// Answers with JSON.
pub(crate) fn say(status: u16, body: &Value) -> Said {
    (status, vec![("content-type", "application/json".to_owned())], body.to_string())
}

/// Answers as documented, for an account that may do everything; its webhook leads below `public_url`.
pub(crate) fn documented(name: &str, public_url: &str, asked: &Asked) -> Said {
    let url = format!("{public_url}{WEBHOOK}{name}");
    let path = asked.path.as_str();
    let yes = |body: Value| say(200, &body);
    match (name, path) {
        ("ses", "/v2/email/outbound-emails") => {
            yes(json!({ "MessageId": "010001524a1b2c3d-example-000000" }))
        }
        ("ses", "/v2/email/account") => yes(json!({
            "DedicatedIpAutoWarmupEnabled": false, "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": true, "SendingEnabled": true,
            "SendQuota": { "Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 12.0 },
        })),
        ("ses", path) if path.starts_with("/v2/email/identities/") => yes(json!({
            "IdentityType": "DOMAIN", "VerifiedForSendingStatus": true,
            "DkimAttributes": { "SigningEnabled": true, "Status": "SUCCESS" },
        })),
        ("ses", _) => yes(json!({ "EventDestinations": [{
            "Name": "sns", "Enabled": true,
            "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "DELIVERY_DELAY"],
            "SnsDestination": { "TopicArn": "arn:aws:sns:eu-central-1:123456789012:mail" },
        }] })),
        ("postmark", "/email") => yes(json!({
            "To": "receiver@example.com", "SubmittedAt": "2026-11-22T07:25:01.4178645-05:00",
            "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d", "ErrorCode": 0, "Message": "OK",
        })),
        ("postmark", "/server") => yes(json!({
            "ID": 1, "Name": "Staging Testing", "Color": "red", "SmtpApiActivated": true,
            "RawEmailEnabled": false, "DeliveryType": "Live", "TrackOpens": false,
        })),
        ("postmark", _) => {
            let with_user = url.replacen("://", "://any:secret@", 1);
            let on = json!({ "Enabled": true });
            yes(json!({ "Webhooks": [{
                "ID": 1_234_567, "Url": with_user, "MessageStream": "outbound",
                "Triggers": { "Open": { "Enabled": false }, "Click": { "Enabled": false },
                              "Delivery": on, "Bounce": on, "SpamComplaint": on },
            }] }))
        }
        ("sendgrid", "/v3/mail/send") => {
            let id = ("x-message-id", "14c5d75ce93".to_owned());
            let sandbox =
                asked.json()["mail_settings"]["sandbox_mode"]["enable"] == Value::Bool(true);
            (if sandbox { 200 } else { 202 }, vec![id], String::new())
        }
        ("sendgrid", "/v3/scopes") => yes(json!({ "scopes": ["mail.send", "alerts.read"] })),
        ("sendgrid", path) if path.starts_with("/v3/whitelabel/domains") => {
            yes(json!([{ "id": 1, "domain": "auth.example.net", "valid": true }]))
        }
        ("sendgrid", _) => yes(json!({ "max_allowed": 5, "webhooks": [{
            "enabled": true, "url": url, "delivered": true, "bounce": true, "deferred": true,
            "dropped": true, "spam_report": true, "open": false, "id": "77d4a5da",
            "public_key": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
        }] })),
        ("mailgun", "/v3/mail.auth.example.net/messages.mime") => yes(json!({
            "id": "<20111114174239.25659.5817@samples.mailgun.org>", "message": "Queued. Thank you.",
        })),
        ("mailgun", "/v3/domains/mail.auth.example.net") => yes(json!({ "domain": {
            "name": "mail.auth.example.net", "state": "active", "type": "custom", "is_disabled": false,
        } })),
        ("mailgun", _) => {
            let one = json!({ "urls": [url] });
            yes(json!({ "webhooks": {
                "delivered": one, "permanent_fail": one, "temporary_fail": one, "complained": one,
            } }))
        }
        ("resend", "/emails") => yes(json!({ "id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794" })),
        ("resend", "/domains") => yes(json!({ "data": [{
            "id": "d91cd9bd", "name": "auth.example.net", "status": "verified", "region": "eu-west-1",
        }] })),
        ("resend", _) => yes(json!({ "object": "list", "data": [{
            "id": "7ab123cd", "status": "enabled", "endpoint": url,
            "events": ["email.sent", "email.delivered", "email.delivery_delayed", "email.bounced",
                       "email.complained"],
        }] })),
        (name, path) => panic!("{name} has no {path}"),
    }
}

impl Provider {
    /// Starts one that answers as `name` documents.
    pub(crate) fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let script: Arc<Mutex<Option<Script>>> = Arc::default();
        let (seen, said) = (Arc::clone(&asked), Arc::clone(&script));
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let one = Asked { method, path, headers, body: body.to_vec() };
            let scripted = said.lock().unwrap().as_ref().and_then(|script| script(&one));
            let said = scripted.unwrap_or_else(|| documented(name, "http://127.0.0.1:8080", &one));
            seen.lock().unwrap().push(one);
            std::future::ready(answered(said))
        };
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let routes = Router::new().fallback(answer);
        let task = tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        });
        Self { port, name, asked, script, task }
    }

    /// From now on, answers what `script` says whenever it says anything.
    pub(crate) fn on(&self, script: impl Fn(&Asked) -> Option<Said> + Send + 'static) {
        *self.script.lock().unwrap() = Some(Box::new(script));
    }

    /// From now on, behaves.
    pub(crate) fn behave(&self) {
        *self.script.lock().unwrap() = None;
    }

    /// Returns everything that it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns every message that it was given and that goes to somebody.
    pub(crate) fn mails(&self) -> Vec<Asked> {
        let is_real = |asked: &Asked| asked.is_mail() && !asked.is_drill();
        self.asked().into_iter().filter(is_real).collect()
    }

    /// Returns the settings that lead to it, with keys and what proves its reports.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let mut all = vec![("mail.provider", self.name.to_owned())];
        all.extend(self.keys(&url));
        all
    }

    /// Returns its settings without saying that mail goes to it.
    pub(crate) fn keys(&self, url: &str) -> Vec<(&'static str, String)> {
        let url = url.to_owned();
        let own = |text: &str| text.to_owned();
        match self.name {
            "ses" => vec![
                ("ses.region", own("eu-central-1")),
                ("ses.access_key_id", own("AKIDEXAMPLE")),
                ("ses.secret_access_key", own("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")),
                ("ses.configuration_set", own("authshield")),
                ("ses.topics", own(TOPIC)),
                ("ses.sns_url", url.clone()),
                ("ses.url", url),
            ],
            "postmark" => vec![
                ("postmark.server_token", own("3f0c9a7e-server-token-5d21")),
                ("postmark.webhook_secret", own(POSTMARK_SECRET)),
                ("postmark.url", url),
            ],
            "sendgrid" => vec![
                ("sendgrid.api_key", own("SG.key-7f3a9c1e5b")),
                ("sendgrid.webhook_public_key", super::webhook::sendgrid_key()),
                ("sendgrid.url", url),
            ],
            "mailgun" => vec![
                ("mailgun.api_key", own("key-7f3a9c1e5b2d4f60")),
                ("mailgun.domain", own("mail.auth.example.net")),
                ("mailgun.webhook_signing_key", own(MAILGUN_SECRET)),
                ("mailgun.url", url),
            ],
            "resend" => vec![
                ("resend.api_key", own("re_7f3a9c1e5b2d4f60")),
                ("resend.webhook_secret", own(RESEND_SECRET)),
                ("resend.url", url),
            ],
            name => panic!("nobody knows {name}"),
        }
    }
}

pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mail";
pub(crate) const POSTMARK_SECRET: &str = "d1f0a7c35e9b48628a41c7d0";
pub(crate) const MAILGUN_SECRET: &str = "b2c9e4f7a1d3865090cafe11";
pub(crate) const RESEND_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Every provider there is.
pub(crate) const ALL: [&str; 5] = ["ses", "postmark", "sendgrid", "mailgun", "resend"];

fn answered((status, headers, body): Said) -> Response {
    let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        answer.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    answer
}
