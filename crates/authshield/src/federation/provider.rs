//! A provider, as we talk to it: where it is, its keys, and what it answers.
//!
//! Whatever it does, what that costs is bounded: each answer in time and size, no redirect is followed, no
//! address inside is asked, and where it is and its keys are asked for once in a while by one request at a
//! time.

use std::sync::Arc;
use std::time::Duration;

use authshield_verify::{Algorithm, KeySet, VerifyError};
use reqwest::{Client, RequestBuilder, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::flow::Flow;
use super::rules::{self, Expected, Person, Profile};
use crate::config::{Config, OauthProvider};
use crate::guard::Guard;
use crate::kernel::Timestamp;

/// The largest answer that is read, in bytes.
const ANSWER_AT_MOST: usize = 256 * 1024;
/// How long it is believed where a provider is, and which keys it has.
const FRESH: Duration = Duration::from_hours(1);
/// How long that is believed while the provider cannot be asked.
const KEPT: Duration = Duration::from_hours(24);
/// How long a provider that failed is not asked again where it is.
const PAUSE: Duration = Duration::from_secs(5);
/// How long keys are not asked for again because of one that is not known.
const KEYS_PAUSE: Duration = Duration::from_secs(10);

/// Why nobody can be sent to providers.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
    /// Two have one name.
    #[error("two providers are called `{0}`")]
    Name(String),
}

/// What a provider did wrong, and how far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// `discovery`, `keys`, `token`, `id_token` or `userinfo`.
    pub stage: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Where people sign in with an account that they have elsewhere.
pub struct Providers(Vec<Provider>);

impl Providers {
    /// Takes those that are configured; nobody is asked yet.
    pub fn from_config(config: &Config) -> Result<Self, SetupError> {
        let networks = config.oauth.private_networks.clone();
        let guard = Guard::new(networks, "oauth.private_networks");
        let client = Client::builder()
            .timeout(config.oauth.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A connection that the provider closes just then would cost somebody their sign-in.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(guard.clone()))
            .user_agent(concat!("authshield/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(SetupError::Client)?;
        let mut all: Vec<Provider> = Vec::new();
        for settings in config.oauth_providers() {
            if all.iter().any(|other| other.settings.name == settings.name) {
                return Err(SetupError::Name(settings.name));
            }
            let redirect_uri =
                format!("{}/api/v1/auth/oauth/{}/callback", config.issuer(), settings.name);
            let (client, guard) = (client.clone(), guard.clone());
            all.push(Provider { settings, redirect_uri, client, guard, known: Mutex::default() });
        }
        Ok(Self(all))
    }

    /// Returns the one of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.settings.name == name)
    }

    /// Returns all of them.
    #[must_use]
    pub fn all(&self) -> &[Provider] {
        &self.0
    }
}

/// A provider of OpenID Connect.
pub struct Provider {
    settings: OauthProvider,
    /// Where browsers come back to.
    pub redirect_uri: String,
    client: Client,
    guard: Guard,
    known: Mutex<Known>,
}

/// What is known of a provider, and since when.
#[derive(Default)]
struct Known {
    place: Option<(Timestamp, Arc<Place>)>,
    keys: Option<(Timestamp, Arc<KeySet>)>,
    failed: Option<(Timestamp, Failure)>,
    /// When the keys were not to be had, and why.
    no_keys: Option<(Timestamp, &'static str)>,
}

/// Where a provider is: what we need of its discovery document (OpenID Connect Discovery, 3).
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// Whether it names itself where it sends a browser back (RFC 9207, 3).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// What the token endpoint answers, as far as we need it.
#[derive(Deserialize)]
struct Tokens {
    access_token: Option<SecretString>,
    id_token: SecretString,
}

impl Provider {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Returns where a browser is sent, with PKCE (RFC 7636) and a nonce.
    pub(super) fn authorization(&self, place: &Place, flow: &Flow) -> String {
        let mut scopes = self.settings.scopes.clone();
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        let mut url = place.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &rules::challenge_of(&flow.verifier))
            .append_pair("code_challenge_method", "S256");
        if let Some(max_age) = flow.max_age {
            url.query_pairs_mut().append_pair("max_age", &max_age.to_string());
        }
        url.into()
    }

    /// Returns where the provider is.
    pub(super) async fn place(&self, now: Timestamp) -> Result<Arc<Place>, Failure> {
        let mut known = self.known.lock().await;
        if let Some((at, place)) = &known.place
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(place));
        }
        if let Some((at, failure)) = known.failed
            && now.since(at) < PAUSE
        {
            return kept(known.place.as_ref(), now, failure);
        }
        match self.discover().await {
            Ok(place) => {
                let place = Arc::new(place);
                known.place = Some((now, Arc::clone(&place)));
                known.failed = None;
                Ok(place)
            }
            Err(reason) => {
                let failure = Failure { stage: "discovery", reason };
                known.failed = Some((now, failure));
                kept(known.place.as_ref(), now, failure)
            }
        }
    }

    async fn discover(&self) -> Result<Place, &'static str> {
        let issuer = self.issuer();
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|_| "no_url")?;
        let place: Place = self.ask(self.client.get(self.checked(&url)?)).await?;
        // OpenID Connect Discovery, 4.3: else somebody would speak for another.
        if place.issuer != issuer {
            return Err("other_issuer");
        }
        let others = [&place.authorization_endpoint, &place.token_endpoint, &place.jwks_uri];
        for url in others.into_iter().chain(&place.userinfo_endpoint) {
            self.checked(url)?;
        }
        Ok(place)
    }

    /// Returns `url` if we may go there: as safely as to the issuer, and not inside.
    fn checked(&self, url: &Url) -> Result<Url, &'static str> {
        let in_clear = url.scheme() == "http" && self.issuer().starts_with("http://");
        if url.scheme() != "https" && !in_clear {
            return Err("not_https");
        }
        if !self.guard.lets_url(url) {
            return Err("inner_address");
        }
        Ok(url.clone())
    }

    /// Returns the provider's keys; newer ones, if it is time to `look_again` because one is not known.
    async fn keys(
        &self,
        place: &Place,
        now: Timestamp,
        look_again: bool,
    ) -> Result<Arc<KeySet>, &'static str> {
        let mut known = self.known.lock().await;
        let pause = if look_again { KEYS_PAUSE } else { FRESH };
        if let Some((at, keys)) = &known.keys
            && now.since(*at) < pause
        {
            return Ok(Arc::clone(keys));
        }
        // Who waited for somebody else's question does not ask it again.
        if let Some((at, reason)) = known.no_keys
            && now.since(at) < if look_again { KEYS_PAUSE } else { PAUSE }
        {
            return kept(known.keys.as_ref(), now, reason);
        }
        let fetched = match self.read(self.client.get(place.jwks_uri.clone())).await {
            Ok(body) => match std::str::from_utf8(&body).map(KeySet::from_json) {
                Ok(Ok(keys)) => Ok(Arc::new(keys)),
                _ => Err("no_keys"),
            },
            Err(reason) => Err(reason),
        };
        match fetched {
            Ok(keys) => {
                known.keys = Some((now, Arc::clone(&keys)));
                known.no_keys = None;
                Ok(keys)
            }
            Err(reason) => {
                known.no_keys = Some((now, reason));
                kept(known.keys.as_ref(), now, reason)
            }
        }
    }

    /// Exchanges a code, and returns for whom the provider vouches.
    pub(super) async fn vouch(
        &self,
        place: &Place,
        flow: &Flow,
        code: &str,
        now: Timestamp,
    ) -> Result<Person, Failure> {
        let at = |stage| move |reason| Failure { stage, reason };
        let tokens: Tokens =
            self.ask(self.exchange(place, flow, code)).await.map_err(at("token"))?;
        let id_token = tokens.id_token.expose_secret();
        let claims = self.open(place, id_token, now).await?;
        let expected = Expected {
            issuer: self.issuer(),
            client_id: &self.settings.client_id,
            nonce: &flow.nonce,
            max_age: flow.max_age,
            now: now.as_second(),
        };
        let identified = rules::judge(&claims, &expected).map_err(at("id_token"))?;
        let mut profile = identified.profile;
        if profile.email.is_none()
            && let (Some(url), Some(token)) = (&place.userinfo_endpoint, &tokens.access_token)
        {
            profile = self
                .look_up(url, token, &identified.subject, profile)
                .await
                .map_err(at("userinfo"))?;
        }
        let OauthProvider { email_domains, trust_email, .. } = &self.settings;
        Ok(Person {
            provider: self.name().to_owned(),
            issuer: self.issuer().to_owned(),
            subject: identified.subject,
            proved: rules::proved(&profile, email_domains, *trust_email),
            email: profile.email,
            name: profile.name,
            locale: profile.locale,
            auth_time: identified.auth_time,
        })
    }

    /// The request that exchanges a code (RFC 6749, 4.1.3). The secret goes into a header where the provider
    /// lets it (2.3.1), else into the body.
    fn exchange(&self, place: &Place, flow: &Flow, code: &str) -> RequestBuilder {
        let OauthProvider { client_id, client_secret, .. } = &self.settings;
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

    /// Returns what an ID token says, if the provider signed it.
    async fn open(
        &self,
        place: &Place,
        token: &str,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Failure> {
        let no_keys = |reason| Failure { stage: "keys", reason };
        let keys = self.keys(place, now, false).await.map_err(no_keys)?;
        let opened = match keys.open(token, &Algorithm::ALL) {
            Err(VerifyError::UnknownKey) => {
                let keys = self.keys(place, now, true).await.map_err(no_keys)?;
                keys.open(token, &Algorithm::ALL)
            }
            opened => opened,
        };
        opened.map_err(|error| {
            let reason = match error {
                VerifyError::AlgorithmNotAllowed => "wrong_alg",
                VerifyError::UnknownKey => "unknown_key",
                VerifyError::Signature => "wrong_signature",
                _ => "malformed",
            };
            Failure { stage: "id_token", reason }
        })
    }

    /// Asks for what the ID token does not say (OpenID Connect Core, 5.3).
    async fn look_up(
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
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, &'static str> {
        let body = self.read(request).await?;
        serde_json::from_slice(&body).map_err(|_| "malformed")
    }

    /// Sends a request and reads an answer that is JSON and not too large. What else the answer says is not
    /// logged: it may hold anything.
    async fn read(&self, request: RequestBuilder) -> Result<Vec<u8>, &'static str> {
        let unanswered = |error: reqwest::Error| {
            let timeout = error.is_timeout();
            let error = crate::problem::chain(&error.without_url());
            tracing::warn!(provider = self.name(), error, "a provider does not answer");
            if timeout { "timeout" } else { "unreachable" }
        };
        let request = request.header(header::ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(unanswered)?;
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
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unanswered)? {
            if body.len() + piece.len() > ANSWER_AT_MOST {
                return Err("too_large");
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Finds the provider and its keys, for who checks whether it is there.
    pub async fn probe(&self, now: Timestamp) -> Result<(), Failure> {
        let place = self.place(now).await?;
        let keys = self.keys(&place, now, false).await;
        keys.map(drop).map_err(|reason| Failure { stage: "keys", reason })
    }
}

/// Returns what was known of a provider before it could not be asked, for a while.
fn kept<T, E>(known: Option<&(Timestamp, Arc<T>)>, now: Timestamp, why: E) -> Result<Arc<T>, E> {
    match known {
        Some((at, known)) if now.since(*at) < KEPT => Ok(Arc::clone(known)),
        _ => Err(why),
    }
}
