//! What is sent to a provider, and how its answers are read: each is bounded in time and size.

use reqwest::{RequestBuilder, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::flow::Flow;
use super::provider::{Place, Provider};
use super::rules::{self, Profile};
use crate::config::OauthProvider;
use crate::guard::body_at_most;
use crate::kernel::Timestamp;

/// The largest answer that is read, in bytes.
const ANSWER_AT_MOST: usize = 256 * 1024;

impl Provider {
    /// The request that exchanges a code (RFC 6749, 4.1.3). The secret goes into a header where the provider
    /// lets it (2.3.1), else into the body.
    pub(super) fn exchange(
        &self,
        place: &Place,
        flow: &Flow,
        code: &str,
        now: Timestamp,
    ) -> RequestBuilder {
        let OauthProvider { client_id, issuer, .. } = &self.settings;
        let client_secret = match &self.apple {
            Some(signer) => &signer.client_secret(client_id, issuer, now.as_second()),
            None => &self.settings.client_secret,
        };
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &flow.verifier),
        ];
        let methods = &place.token_endpoint_auth_methods_supported;
        let has = |method: &str| methods.iter().any(|known| known == method);
        let in_body = !methods.is_empty() && !has("client_secret_basic");
        let request = self.client.post(place.token_endpoint.clone());
        if in_body {
            form.push(("client_id", client_id));
            form.push(("client_secret", client_secret.expose_secret()));
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        if in_body {
            return request;
        }
        let encoded =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        request.basic_auth(encoded(client_id), Some(encoded(client_secret.expose_secret())))
    }

    /// Asks for what the ID token does not say (OpenID Connect Core, 5.3).
    pub(super) async fn look_up(
        &self,
        url: &Url,
        token: &SecretString,
        subject: &str,
        known: Profile,
    ) -> Result<Profile, &'static str> {
        let request = self.client.get(url.clone()).bearer_auth(token.expose_secret());
        let claims: Map<String, Value> = self.ask(request).await?;
        // 5.3.4: else it is about somebody else.
        if rules::subject(&claims)? != subject {
            return Err("other_sub");
        }
        let told = rules::profile(&claims)?;
        Ok(Profile { name: known.name.or(told.name), locale: known.locale.or(told.locale), ..told })
    }

    /// Sends a request and reads JSON.
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, &'static str> {
        let body = self.read(request).await?;
        serde_json::from_slice(&body).map_err(|_| "malformed")
    }

    /// Sends a request and reads an answer that is JSON and not too large. What else the answer says is not
    /// logged: it may hold anything.
    pub(super) async fn read(&self, request: RequestBuilder) -> Result<Vec<u8>, &'static str> {
        let unanswered = |error| self.unanswered(error);
        let request = request.header(header::ACCEPT, "application/json");
        let answer = request.send().await.map_err(unanswered)?;
        let status = answer.status();
        if !status.is_success() {
            tracing::warn!(provider = self.name(), status = status.as_u16(), "a provider refuses");
            return Err(match status.as_u16() {
                300..=399 => "redirected",
                400..=499 => "refused",
                _ => "failed",
            });
        }
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json")) {
            return Err("not_json");
        }
        body_at_most(answer, ANSWER_AT_MOST).await.map_err(unanswered)?.ok_or("too_large")
    }

    /// Finds out whether there is anybody who answers, whatever it is.
    pub(super) async fn reach(&self, url: Url) -> Result<(), &'static str> {
        match self.client.get(self.checked(&url)?).send().await {
            Ok(answer) if answer.status().is_server_error() => Err("failed"),
            Ok(_) => Ok(()),
            Err(error) => Err(self.unanswered(error)),
        }
    }

    /// Says in the log why there is no answer.
    fn unanswered(&self, error: reqwest::Error) -> &'static str {
        let timeout = error.is_timeout();
        let error = crate::problem::chain(&error.without_url());
        tracing::warn!(provider = self.name(), error, "a provider does not answer");
        if timeout { "timeout" } else { "unreachable" }
    }
}
