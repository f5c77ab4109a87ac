//! A provider, as we talk to it: where it is, its keys, and what it answers.
//!
//! Whatever it does, what that costs is bounded: each answer in time and size, no redirect is followed, no
//! address inside is asked, and where it is and its keys are asked for once in a while by one request at a
//! time.

use std::sync::Arc;
use std::time::Duration;

use authshield_verify::{Algorithm, KeySet, VerifyError};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use super::apple::Signer;
use super::flow::Flow;
use super::microsoft::{self, Signers};
use super::rules::{self, Expected, Person, Profile};
use crate::config::{Config, OauthKind, OauthProvider};
use crate::guard::Guard;
use crate::kernel::Timestamp;

/// How long it is believed where a provider is, and which keys it has.
const FRESH: Duration = Duration::from_hours(1);
/// How long that is believed while the provider cannot be asked.
const KEPT: Duration = Duration::from_hours(24);
/// How long a provider that failed is not asked again, beyond the time that it may take to answer: that is
/// counted from when somebody asked.
const PAUSE: Duration = Duration::from_secs(5);
/// The same, because of a key that is not known.
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
    /// The key is none of Apple's.
    #[error("`oauth_apple.private_key` is no key of P-256 in PEM")]
    Key,
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
        let settings = config.oauth_providers();
        if settings.is_empty() {
            // A client would keep all the authorities that the machine trusts.
            return Ok(Self(Vec::new()));
        }
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
        for settings in settings {
            if all.iter().any(|other| other.settings.name == settings.name) {
                return Err(SetupError::Name(settings.name));
            }
            let redirect_uri =
                format!("{}/api/v1/auth/oauth/{}/callback", config.issuer(), settings.name);
            let apple = match &settings.kind {
                OauthKind::Apple { team_id, key_id } => {
                    let signer = Signer::new(&settings.client_secret, team_id, key_id);
                    Some(signer.ok_or(SetupError::Key)?)
                }
                _ => None,
            };
            let (client, guard, known) = (client.clone(), guard.clone(), Mutex::default());
            let patience = config.oauth.timeout;
            all.push(Provider { settings, redirect_uri, apple, client, guard, patience, known });
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

/// A provider: of OpenID Connect, or GitHub.
pub struct Provider {
    pub(super) settings: OauthProvider,
    /// Where browsers come back to.
    pub redirect_uri: String,
    /// What makes the client's secret, where it is made anew each time.
    pub(super) apple: Option<Signer>,
    pub(super) client: Client,
    guard: Guard,
    /// How long it may take to answer.
    patience: Duration,
    known: Mutex<Known>,
}

/// What is known of a provider, and since when.
#[derive(Default)]
struct Known {
    place: Option<(Timestamp, Arc<Place>)>,
    keys: Option<(Timestamp, Arc<Keys>)>,
    failed: Option<(Timestamp, Failure)>,
    /// When the keys were not to be had, and why.
    no_keys: Option<(Timestamp, &'static str)>,
}

/// The keys of a provider, and for whom they sign, where it says so.
struct Keys {
    set: KeySet,
    signers: Signers,
}

/// Where a provider is: what we need of its discovery document (OpenID Connect Discovery, 3).
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    /// All but GitHub sign what they say.
    pub(super) jwks_uri: Option<Url>,
    pub(super) userinfo_endpoint: Option<Url>,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
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

    /// What people call it.
    #[must_use]
    pub fn title(&self) -> &str {
        match self.name() {
            "google" => "Google",
            "gitlab" => "GitLab",
            "microsoft" => "Microsoft",
            "apple" => "Apple",
            "github" => "GitHub",
            other => other,
        }
    }

    /// Its issuer; at Microsoft with `{tenantid}` where there are several.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whether `issuer` is it, or one of the tenants for which it speaks.
    #[must_use]
    pub fn issues(&self, issuer: &str) -> bool {
        match &self.settings.kind {
            OauthKind::Microsoft { .. } => microsoft::is_one_of(self.issuer(), issuer),
            _ => issuer == self.issuer(),
        }
    }

    /// Whether it calls itself `iss` where it sends a browser back (RFC 9207).
    pub(super) fn is_called(&self, iss: &str) -> bool {
        let is_github = self.settings.kind == OauthKind::Github;
        self.issues(iss) || is_github && iss == format!("{}/login/oauth", self.issuer())
    }

    /// Whether browsers bring what it says in a form, from its page: Apple does, where it is asked for more
    /// than who somebody is.
    #[must_use]
    pub fn posts_back(&self) -> bool {
        self.apple.is_some()
    }

    /// Whether it can tell when somebody signed in there.
    #[must_use]
    pub fn tells_when(&self) -> bool {
        self.settings.kind != OauthKind::Github
    }

    /// Returns where a browser is sent, with PKCE (RFC 7636) and a nonce.
    pub(super) fn authorization(&self, place: &Place, flow: &Flow) -> String {
        let is_openid = self.settings.kind != OauthKind::Github;
        let mut scopes = self.settings.scopes.clone();
        if is_openid && !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        let mut url = place.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &flow.state)
            .append_pair("code_challenge", &rules::challenge_of(&flow.verifier))
            .append_pair("code_challenge_method", "S256");
        if is_openid {
            url.query_pairs_mut().append_pair("nonce", &flow.nonce);
        }
        if self.posts_back() {
            url.query_pairs_mut().append_pair("response_mode", "form_post");
        }
        if let Some(max_age) = flow.max_age {
            url.query_pairs_mut().append_pair("max_age", &max_age.to_string());
        }
        url.into()
    }

    /// Returns where the provider is.
    pub(super) async fn place(&self, now: Timestamp) -> Result<Arc<Place>, Failure> {
        if self.settings.kind == OauthKind::Github {
            return self.place_of_github();
        }
        let mut known = self.known.lock().await;
        if let Some((at, place)) = &known.place
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(place));
        }
        if let Some((at, failure)) = known.failed
            && now.since(at) < self.patience + PAUSE
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
        let url = format!("{}/.well-known/openid-configuration", self.settings.place);
        let url = Url::parse(&url).map_err(|_| "no_url")?;
        let place: Place = self.ask(self.client.get(self.checked(&url)?)).await?;
        // OpenID Connect Discovery, 4.3: else somebody would speak for another.
        if place.issuer != self.issuer() {
            return Err("other_issuer");
        }
        let keys = place.jwks_uri.as_ref().ok_or("malformed")?;
        let others = [&place.authorization_endpoint, &place.token_endpoint, keys];
        for url in others.into_iter().chain(&place.userinfo_endpoint) {
            self.checked(url)?;
        }
        Ok(place)
    }

    /// Returns `url` if we may go there: as safely as to the issuer, and not inside.
    pub(super) fn checked(&self, url: &Url) -> Result<Url, &'static str> {
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
    ) -> Result<Arc<Keys>, &'static str> {
        let url = place.jwks_uri.clone().ok_or("no_keys")?;
        let mut known = self.known.lock().await;
        let pause = if look_again { KEYS_PAUSE } else { FRESH };
        if let Some((at, keys)) = &known.keys
            && now.since(*at) < pause
        {
            return Ok(Arc::clone(keys));
        }
        // Who waited for somebody else's question does not ask it again.
        if let Some((at, reason)) = known.no_keys
            && now.since(at) < self.patience + if look_again { KEYS_PAUSE } else { PAUSE }
        {
            return kept(known.keys.as_ref(), now, reason);
        }
        let fetched = match self.read(self.client.get(url)).await {
            Ok(body) => self.read_keys(&body).map(Arc::new).ok_or("no_keys"),
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

    fn read_keys(&self, body: &[u8]) -> Option<Keys> {
        let text = std::str::from_utf8(body).ok()?;
        if !matches!(self.settings.kind, OauthKind::Microsoft { .. }) {
            let set = KeySet::from_json(text).ok()?;
            return Some(Keys { set, signers: Signers::default() });
        }
        let (text, signers) = microsoft::signers(text)?;
        Some(Keys { set: KeySet::from_json(&text).ok()?, signers })
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
        if self.settings.kind == OauthKind::Github {
            return self.ask_github(place, flow, code, now).await;
        }
        let tokens: Tokens =
            self.ask(self.exchange(place, flow, code, now)).await.map_err(at("token"))?;
        let id_token = tokens.id_token.expose_secret();
        let claims = self.open(place, id_token, now).await?;
        let issuer = match &self.settings.kind {
            OauthKind::Microsoft { tenant } => {
                microsoft::issuer_of(self.issuer(), tenant, &claims).map_err(at("id_token"))?
            }
            _ => self.issuer().to_owned(),
        };
        let expected = Expected {
            issuer: &issuer,
            client_id: &self.settings.client_id,
            nonce: &flow.nonce,
            max_age: flow.max_age,
            now: now.as_second(),
        };
        let identified = rules::judge(&claims, &expected).map_err(at("id_token"))?;
        let mut profile = identified.profile;
        if let OauthKind::Microsoft { .. } = &self.settings.kind {
            profile.verified = microsoft::is_domain_verified(&claims);
        } else if profile.email.is_none()
            && let (Some(url), Some(token)) = (&place.userinfo_endpoint, &tokens.access_token)
        {
            profile = self
                .look_up(url, token, &identified.subject, profile)
                .await
                .map_err(at("userinfo"))?;
        }
        Ok(self.person(issuer, identified.subject, profile, identified.auth_time))
    }

    /// Returns somebody for whom it vouches.
    pub(super) fn person(
        &self,
        issuer: String,
        subject: String,
        profile: Profile,
        auth_time: Option<i64>,
    ) -> Person {
        let OauthProvider { email_domains, trust_email, .. } = &self.settings;
        Person {
            provider: self.name().to_owned(),
            issuer,
            subject,
            proved: rules::proved(&profile, email_domains, *trust_email),
            email: profile.email,
            name: profile.name,
            locale: profile.locale,
            auth_time,
        }
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
        let (keys, opened) = match keys.set.open(token, &Algorithm::ALL) {
            Err(VerifyError::UnknownKey) => {
                let keys = self.keys(place, now, true).await.map_err(no_keys)?;
                let opened = keys.set.open(token, &Algorithm::ALL);
                (keys, opened)
            }
            opened => (keys, opened),
        };
        let claims = opened.map_err(|error| {
            let reason = match error {
                VerifyError::AlgorithmNotAllowed => "wrong_alg",
                VerifyError::UnknownKey => "unknown_key",
                VerifyError::Signature => "wrong_signature",
                _ => "malformed",
            };
            Failure { stage: "id_token", reason }
        })?;
        if !keys.signers.may_sign(token, &claims) {
            return Err(Failure { stage: "id_token", reason: "foreign_key" });
        }
        Ok(claims)
    }

    /// Finds the provider and its keys, for who checks whether it is there.
    pub async fn probe(&self, now: Timestamp) -> Result<(), Failure> {
        if self.settings.kind == OauthKind::Github {
            return self.reach_github().await;
        }
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
