//! Webhooks, signed by Standard Webhooks: the id of an event is the same at every attempt, the time is
//! that of the attempt.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use reqwest::{Client, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;
use url::Url;

use super::SetupError;
use super::formats;
use super::rules::Failure;
use crate::audit::Entry;
use crate::config::{Config, EventFormat};
use crate::guard::Guard;
use crate::kernel::Timestamp;

/// How long a receiver may think.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of its answer is read, in bytes.
const ANSWER_AT_MOST: usize = 64 * 1024;

/// Where events are posted.
pub(super) struct Webhook {
    client: Client,
    url: Url,
    /// The present one, and the one before as long as somebody needs it.
    keys: Vec<hmac::Key>,
    format: EventFormat,
}

impl Webhook {
    /// Returns the one that is configured.
    pub(super) fn from_config(config: &Config) -> Result<Option<Self>, SetupError> {
        let settings = &config.export_webhook;
        let (Some(url), Some(secret)) = (&settings.url, &settings.secret) else { return Ok(None) };
        let guard =
            Guard::new(settings.private_networks.clone(), "export_webhook.private_networks");
        let encrypted =
            url.scheme() == "https" || !config.is_production() && url.scheme() == "http";
        // A URL is shown where the configuration is.
        let with_password = !url.username().is_empty() || url.password().is_some();
        if !encrypted || with_password || !guard.lets_url(url) {
            return Err(SetupError::Url);
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            // What a receiver says about where to go is not followed, and nobody stands between.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(guard))
            .user_agent(concat!("authshield/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SetupError::Tls(crate::problem::chain(&error)))?;
        let secrets = [Some(secret), settings.secret_previous.as_ref()].into_iter().flatten();
        let keys = secrets.map(|secret| key(secret.expose_secret())).collect::<Option<_>>();
        let keys = keys.ok_or(SetupError::Secret)?;
        Ok(Some(Self { client, url: url.clone(), keys, format: settings.format }))
    }

    /// Posts an event.
    pub(super) async fn send(&self, entry: &Entry, now: Timestamp) -> Result<(), Failure> {
        let data = formats::value(self.format, entry);
        let body = json!({ "type": entry.code, "timestamp": entry.at, "data": data }).to_string();
        let (id, time) = (entry.id.to_string(), now.as_second().to_string());
        let signature = sign(&self.keys, &id, &time, &body);
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(answer) => {
                let judged = judge(answer.status());
                drain(answer).await;
                judged
            }
            Err(error) => Err(Failure::Away(crate::problem::chain(&error.without_url()))),
        }
    }

    /// Asks for the head, which changes nothing: whatever the answer, somebody is there.
    pub(super) async fn probe(&self) -> Result<(), String> {
        match self.client.head(self.url.clone()).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(crate::problem::chain(&error.without_url())),
        }
    }
}

/// Reads what the receiver says besides its status, which is of no interest, so that the connection can be
/// used again.
async fn drain(mut answer: Response) {
    let mut left = ANSWER_AT_MOST;
    while let Ok(Some(piece)) = answer.chunk().await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn judge(status: StatusCode) -> Result<(), Failure> {
    let words = format!("it answered {}", status.as_u16());
    match status {
        status if status.is_success() => Ok(()),
        // It is about this event; all else is about the receiver.
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Err(Failure::Refused(words)),
        _ => Err(Failure::Later(words)),
    }
}

fn key(secret: &str) -> Option<hmac::Key> {
    let bytes = BASE64.decode(secret.trim().strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// Signs by every key: whoever knows one of them is content.
fn sign(keys: &[hmac::Key], id: &str, time: &str, body: &str) -> String {
    let words = format!("{id}.{time}.{body}");
    let tag = |key| format!("v1,{}", BASE64.encode(hmac::sign(key, words.as_bytes())));
    keys.iter().map(tag).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification (standard-webhooks, "Verifying signatures").
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let known = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let newer = key("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let (id, time) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let body = r#"{"test": 2432232314}"#;
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(std::slice::from_ref(&known), id, time, body), signature);
        let both = sign(&[newer, known], id, time, body);
        assert!(both.split(' ').count() == 2 && both.ends_with(signature), "{both}");
        for secret in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_?"] {
            assert!(super::key(secret).is_none(), "{secret}");
        }
    }

    #[test]
    fn only_what_is_about_the_event_is_not_tried_again() {
        let judged = |status: u16| judge(StatusCode::from_u16(status).unwrap());
        assert!(judged(200).is_ok() && judged(204).is_ok());
        for status in [400, 413, 422] {
            assert!(matches!(judged(status), Err(Failure::Refused(_))), "{status}");
        }
        for status in [301, 401, 403, 404, 408, 410, 429, 500, 503] {
            assert!(matches!(judged(status), Err(Failure::Later(_))), "{status}");
        }
    }
}
