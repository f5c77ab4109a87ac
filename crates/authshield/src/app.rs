//! What a request may reach, and what is known of it.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use authshield_verify::Verifier;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use onesql::{Store, Together};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::VerifiedTokens;
use crate::captcha::Remote;
use crate::checks::Board;
use crate::config::Config;
use crate::domains::Domains;
use crate::federation::Providers;
use crate::geoip::GeoIp;
use crate::guessing::Patterns;
use crate::health::Writes;
use crate::installation::Installation;
use crate::kernel::{
    ClientAddress, Device, IdentityId, MailId, PasskeyId, SessionId, SuppressionId, Timestamp,
    TrustedDeviceId, UserId,
};
use crate::limits::Limits;
use crate::mail::{Outbox, Post, RelayCredentials, Returns, Webhooks};
use crate::passwords::Passwords;
use crate::passwords::breached::Ranges;
use crate::problem::{Code, Problem};
use crate::revocations::Feed;
use crate::screens::Pages;
use crate::sessions::Present;
use crate::telemetry::Metrics;
use crate::tokens::Holder;
use crate::vault::{Keyring, Secrets, Vault};
use crate::world::{SharedWorld, World};

/// The largest body that is read, in bytes.
pub const BODY_AT_MOST: usize = 64 * 1024;
/// How much of a complaint is sent, in characters: it may name a member that somebody made up.
const WORDS_AT_MOST: usize = 300;
/// How much of such a name is sent, in characters.
const NAME_AT_MOST: usize = 100;

/// Everything a request may reach; clones share it.
#[derive(Clone)]
pub struct App(Arc<Reach>);

/// What is in an [`App`].
pub struct Reach {
    /// Every setting.
    pub config: Config,
    /// The same, with what was reloaded since the start; for settings that say that they reload.
    pub live: Arc<ArcSwap<Config>>,
    /// Which installation the database is.
    pub installation: Installation,
    /// Time and chance.
    pub world: SharedWorld,
    /// The database.
    pub store: Store,
    /// Hashing, on its own threads.
    pub passwords: Passwords,
    /// Where addresses are.
    pub geoip: GeoIp,
    /// Seals what must not be read in the database.
    pub vault: Vault,
    /// The keys that sign access tokens.
    pub keyring: Keyring,
    /// Keys for hashes of what must not be stored.
    pub secrets: Secrets,
    /// Budgets.
    pub limits: Limits,
    /// Attacks on many accounts, as this node sees them.
    pub patterns: Patterns,
    /// Mail that waits to be sent.
    pub outbox: Outbox,
    /// Who sends it.
    pub post: Post,
    /// Who we are to the relay, where there is one.
    pub relay_credentials: Option<RelayCredentials>,
    /// Where it comes back to, if it can.
    pub returns: Option<Returns>,
    /// Who else may report what became of it.
    pub webhooks: Webhooks,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What an access token must claim to be one of ours.
    pub verifier: Verifier,
    /// Access tokens whose signature was already checked.
    pub verified: VerifiedTokens,
    /// Who judges captchas besides ourselves.
    pub captcha: Option<Remote>,
    /// Whose addresses nobody keeps.
    pub domains: Domains,
    /// Who else is asked which passwords were stolen elsewhere.
    pub ranges: Option<Ranges>,
    /// What was revoked, as services are told.
    pub revocations: Feed,
    /// Finds the sessions of callers.
    pub callers: Together<SessionId, Present>,
    /// Finds who holds a refresh token, by its hash.
    pub holders: Together<Vec<u8>, Holder>,
    /// Whether the database takes writes.
    pub writes: Writes,
    /// Where people sign in with an account that they have elsewhere.
    pub providers: Providers,
    /// Templates of the pages.
    pub pages: Pages,
    /// What is believed of everything around the service.
    pub checks: Board,
    /// Whether it is still looked at what could not be before somebody listened.
    pub opening: AtomicBool,
}

impl App {
    /// Shares `reach`.
    #[must_use]
    pub fn new(reach: Reach) -> Self {
        Self(Arc::new(reach))
    }

    /// Returns the public address without a trailing slash: the issuer, and the base of links.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.config.issuer()
    }
}

impl Deref for App {
    type Target = Reach;

    fn deref(&self) -> &Reach {
        &self.0
    }
}

/// What is known about a request before any of it is believed.
///
/// `now` is read once: everything that one request writes bears the same instant. Clones share it.
#[derive(Clone)]
pub struct Ctx(Arc<Context>);

/// What is in a [`Ctx`].
pub struct Context {
    /// When it came in.
    pub now: Timestamp,
    /// Its name in logs, problems and the audit trail.
    pub request_id: Arc<str>,
    /// The client, through trusted proxies.
    pub client: ClientAddress,
    /// What the client says of itself.
    pub device: Device,
    world: SharedWorld,
}

impl Deref for Ctx {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Ctx {
    /// Knows what the frame found out.
    #[must_use]
    pub fn new(
        world: SharedWorld,
        request_id: Arc<str>,
        client: ClientAddress,
        headers: &HeaderMap,
    ) -> Self {
        let (now, device) = (world.now(), Device::from_headers(headers));
        Self(Arc::new(Context { now, request_id, client, device, world }))
    }

    /// Knows what a command knows: nobody's address.
    #[must_use]
    pub fn command(world: SharedWorld) -> Self {
        let now = world.now();
        Self::command_at(world, now)
    }

    /// The same, for what happened at `now` and is written down later.
    #[must_use]
    pub fn command_at(world: SharedWorld, now: Timestamp) -> Self {
        let client = ClientAddress { ip: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), https: None };
        let device = Device::from_headers(&HeaderMap::new());
        Self(Arc::new(Context { now, request_id: "command".into(), client, device, world }))
    }

    /// The same request, made for somebody else: their browser is at `ip` and calls itself `user_agent`.
    #[must_use]
    pub fn on_behalf_of(&self, ip: IpAddr, user_agent: Option<&str>) -> Self {
        let (now, request_id) = (self.now, Arc::clone(&self.request_id));
        let client = ClientAddress { ip, https: None };
        let device = Device::from_user_agent(user_agent.unwrap_or_default());
        Self(Arc::new(Context {
            now,
            request_id,
            client,
            device,
            world: Arc::clone(&self.0.world),
        }))
    }

    /// Time and chance, to make ids and secrets.
    #[must_use]
    pub fn world(&self) -> &dyn World {
        &*self.0.world
    }
}

impl<S: Sync> FromRequestParts<S> for Ctx {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::from(Code::InternalError).because("a route outside the frame"))
    }
}

/// A JSON body, read strictly: the right content type, at most 64 KiB, no unknown, duplicate or
/// deeply nested member.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = says_json(&request);
        read_as(json, &read(request, state).await?)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        let json = says_json(&request);
        let bytes = read(request, state).await?;
        // Many clients name the type of a body even when they send none.
        if bytes.is_empty() { Ok(None) } else { read_as(json, &bytes).map(Some) }
    }
}

fn says_json(request: &Request) -> bool {
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let first = types.next().and_then(|value| value.to_str().ok());
    first.is_some_and(is_json) && types.next().is_none()
}

fn read_as<T: DeserializeOwned>(json: bool, bytes: &[u8]) -> Result<Body<T>, Problem> {
    if !json {
        return Err(Problem::from(Code::UnsupportedMediaType)
            .detail("Send the body as JSON, with `Content-Type: application/json`."));
    }
    parse(bytes).map(Body)
}

/// Reads a body that is not too large.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Problem::from(Code::BodyTooLarge).detail("A body may have at most 65536 bytes.")
        } else {
            Problem::from(Code::RequestMalformed)
                .detail("The body did not arrive whole.")
                .because(rejection.body_text())
        }
    })
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';');
    let essence = parts.next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| {
            parameter.trim().split_once('=').is_none_or(|(name, value)| {
                !name.eq_ignore_ascii_case("charset")
                    || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take a list of the members' values as well; the description says object.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
            Ok(_) => Problem::invalid_field("", "invalid", "Expected an object."),
            Err(error) => Problem::invalid_field("", "malformed_json", sentence(&error)),
        });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let mut at = pointer(error.path());
        let inner = error.into_inner();
        if !inner.is_data() {
            return Problem::invalid_field("", "malformed_json", sentence(&inner));
        }
        let (code, member) = member(&inner.to_string());
        if let Some(member) = member {
            // The path has a member that was sent, but not one that is missing.
            let mut last = String::new();
            push(&mut last, &member);
            if !at.ends_with(&last) {
                at.push_str(&last);
            }
        }
        Problem::invalid_field(&at, code, sentence(&inner))
    })?;
    reader.end().map_err(|error| Problem::invalid_field("", "malformed_json", sentence(&error)))?;
    Ok(value)
}

/// What kind of complaint serde has, and the member it is about where the path does not say.
fn member(words: &str) -> (&'static str, Option<String>) {
    for (start, code) in [
        ("missing field `", "missing"),
        ("unknown field `", "unknown_field"),
        ("duplicate field `", "duplicate_field"),
    ] {
        if let Some((name, _)) = words.strip_prefix(start).and_then(|rest| rest.split_once('`')) {
            return (code, Some(name.chars().take(NAME_AT_MOST).collect()));
        }
    }
    ("invalid", None)
}

/// An RFC 6901 pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
}

/// What serde says, without the place in the text and without the value that was sent: it may be
/// a password.
fn sentence(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = words.strip_suffix(&place).unwrap_or(&words);
    let is_about_a_value =
        words.starts_with("invalid type: ") || words.starts_with("invalid value: ");
    // From the right: what was sent may have the same words in it.
    let words = match words.rsplit_once(", expected ") {
        Some((_, expected)) if is_about_a_value => format!("expected {expected}"),
        _ => words.chars().take(WORDS_AT_MOST).collect(),
    };
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// An id that a path may name.
pub trait InPath: DeserializeOwned + Send {
    /// What is said of one that names nothing.
    const MISSING: Code;
}

impl InPath for UserId {
    const MISSING: Code = Code::UserNotFound;
}

impl InPath for SessionId {
    const MISSING: Code = Code::SessionNotFound;
}

impl InPath for MailId {
    const MISSING: Code = Code::MailNotFound;
}

impl InPath for SuppressionId {
    const MISSING: Code = Code::SuppressionNotFound;
}

impl InPath for PasskeyId {
    const MISSING: Code = Code::PasskeyNotFound;
}

impl InPath for TrustedDeviceId {
    const MISSING: Code = Code::TrustedDeviceNotFound;
}

impl InPath for IdentityId {
    const MISSING: Code = Code::IdentityNotFound;
}

/// The segment of a path that must be an id: anything else names nothing, so it is 404.
pub struct PathId<T>(pub T);

impl<T: InPath, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(id)| Self(id))
            .map_err(|_| Problem::from(T::MISSING))
    }
}

/// A query string, read strictly: an unknown parameter is an error.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(params)| Self(params))
            .map_err(|rejection| {
                let (pointer, words) = query_complaint(&rejection.body_text());
                let words = format!("The query is not valid: {words}.");
                Problem::invalid_field(&pointer, "invalid_query", words)
            })
    }
}

/// Which parameter a complaint about a query is about, as a pointer, and what it says. It comes as
/// `…: name: what is wrong`, or names the parameter in what is wrong.
fn query_complaint(text: &str) -> (String, String) {
    let words = text.split_once(": ").map_or(text, |(_, words)| words);
    let (name, words) = match (member(words).1, words.split_once(": ")) {
        (Some(name), _) => (Some(name), words),
        (None, Some((name, words))) => (Some(name.to_owned()), words),
        (None, None) => (None, words),
    };
    let mut pointer = String::new();
    if let Some(name) = name {
        push(&mut pointer, &name);
    }
    (pointer, words.chars().take(WORDS_AT_MOST).collect())
}

/// Answers with a JSON body and a status.
pub(crate) fn answer<T: Serialize>(status: axum::http::StatusCode, body: T) -> Response {
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf8_is_json() {
        for yes in ["application/json", "Application/JSON; charset=UTF-8", "application/json;a=b"] {
            assert!(is_json(yes), "{yes}");
        }
        for no in ["text/plain", "application/json+x", "application/json; charset=latin1", ""] {
            assert!(!is_json(no), "{no}");
        }
    }

    #[test]
    fn a_complaint_never_repeats_what_was_sent() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct One {
            #[expect(dead_code, reason = "only parsed")]
            count: u8,
        }
        for (text, pointer, detail) in [
            (r#"{"count":"hunter2"}"#, "/count", "Expected u8."),
            (r#"{"count":"hunter2 at line 3"}"#, "/count", "Expected u8."),
            (r#"{"count":"hunter2, expected much"}"#, "/count", "Expected u8."),
            (r#"{"count":1,"count":2}"#, "/count", "Duplicate field `count`."),
            (r#"{"count":1,"a/b":2}"#, "/a~1b", "Unknown field `a/b`, expected `count`."),
            (r"{}", "/count", "Missing field `count`."),
            (r#"{"count":1} x"#, "", "Trailing characters."),
            (r"{", "", "EOF while parsing an object."),
            ("[1]", "", "Expected an object."),
            ("1", "", "Expected an object."),
        ] {
            let problem = parse::<One>(text.as_bytes()).expect_err(text);
            let body = format!("{problem:?}");
            assert!(!body.contains("hunter2"), "{body}");
            assert!(body.contains(detail), "{body}");
            assert!(body.contains(&format!("\"pointer\": String({pointer:?})")), "{body}");
        }
    }
}
