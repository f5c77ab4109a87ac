//! A question that we ask ourselves through the public address, and what arrived of it.
//!
//! ```text
//! who asks    Question: a nonce and the time, under a MAC ── the world, proxies ──▶ answer
//! who is asked    Report: whom the service heard from, and what stood in the request, under a MAC
//! ```
//!
//! Without the key there is no such route: strangers are told what they are told about any path that
//! leads nowhere. An answer that bears the MAC comes from this installation.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::kernel::{ClientAddress, InstallationId, Timestamp, is_trusted};
use crate::server::Announced;
use crate::world::{SharedWorld, World};

/// Where it is answered, behind the public address.
pub(crate) const PATH: &str = "/api/v1/health/probe";

/// How long a question may be under way; clocks differ by that much as well.
const LASTS: Duration = Duration::from_mins(2);

/// The fields in which proxies say whom they heard from, or that they were there.
const FIELDS: [&str; 10] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "via",
];

/// How much of one field is told, in characters.
const FIELD_AT_MOST: usize = 300;

/// What questions and answers are signed with.
#[derive(Clone)]
pub(super) struct Key(hmac::Key);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Makes the key of a secret.
    #[must_use]
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Makes one that nobody else has.
    #[must_use]
    pub(super) fn fresh(world: &dyn World) -> Self {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        world.fill(&mut *secret);
        Self::new(&*secret)
    }

    fn sign(&self, what: &str, text: &str) -> String {
        let tag = hmac::sign(&self.0, format!("authshield probe {what}\n{text}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag.as_ref())
    }

    fn signed(&self, what: &str, text: &str, mac: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(mac) else { return false };
        let signed = format!("authshield probe {what}\n{text}");
        hmac::verify(&self.0, signed.as_bytes(), &tag).is_ok()
    }
}

/// A question, as it stands behind the `?`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    nonce: String,
    at: i64,
    mac: String,
}

impl Question {
    /// Makes a new one.
    #[must_use]
    pub(super) fn new(key: &Key, world: &dyn World) -> Self {
        let mut nonce = [0; 16];
        world.fill(&mut nonce);
        let (nonce, at) = (URL_SAFE_NO_PAD.encode(nonce), world.now().as_second());
        let mac = key.sign("question", &format!("{nonce}\n{at}"));
        Self { nonce, at, mac }
    }

    /// Returns it as path and query.
    #[must_use]
    pub(super) fn target(&self) -> String {
        format!("{PATH}?nonce={}&at={}&mac={}", self.nonce, self.at, self.mac)
    }

    /// Reads the answer; nothing if it is not that of who has the key, to this question.
    #[must_use]
    pub(super) fn read(&self, key: &Key, answer: &[u8]) -> Option<Report> {
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        if !key.signed("answer", &answer.report, &answer.mac) {
            return None;
        }
        let report: Report = serde_json::from_str(&answer.report).ok()?;
        (report.nonce == self.nonce).then_some(report)
    }

    fn is_from(&self, key: &Key, now: Timestamp) -> bool {
        let fresh = self.at.abs_diff(now.as_second()) <= LASTS.as_secs();
        fresh && key.signed("question", &format!("{}\n{}", self.nonce, self.at), &self.mac)
    }
}

/// An answer: a report and what it is signed with.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    report: String,
    mac: String,
}

/// What arrived of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one answer of its own")]
pub(super) struct Report {
    nonce: String,
    /// Which installation; none is set up yet if nothing.
    pub(super) installation: Option<InstallationId>,
    /// What the service believes to be its public address.
    pub(super) public_url: String,
    /// Whether the service itself ends TLS.
    pub(super) tls: bool,
    /// Who was at the other end of the connection.
    pub(super) peer: IpAddr,
    /// Whether a trusted proxy announced it, and was itself at the other end.
    #[serde(default)]
    pub(super) announced: bool,
    /// Whether the service trusts what the peer says of others.
    pub(super) peer_trusted: bool,
    /// Whom the service took for the client.
    pub(super) client: IpAddr,
    /// Whether that is a proxy that it trusts.
    pub(super) client_trusted: bool,
    /// Whether the client spoke https, as a trusted proxy says or the service knows.
    pub(super) https: Option<bool>,
    /// The host that was asked for, as it arrived.
    pub(super) host: Option<String>,
    /// What proxies wrote.
    pub(super) fields: Vec<(String, String)>,
}

impl Report {
    /// Works it out again as somebody would who trusts these proxies.
    #[must_use]
    pub(super) fn seen_by(self, trusted: &[IpNet]) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.fields {
            if let (Ok(name), Ok(value)) =
                (header::HeaderName::try_from(name.as_str()), value.parse())
            {
                headers.append(name, value);
            }
        }
        let client = ClientAddress::resolve(self.peer, &headers, trusted);
        Self {
            peer_trusted: is_trusted(self.peer, trusted),
            client: client.ip,
            client_trusted: is_trusted(client.ip, trusted),
            https: if self.tls { Some(true) } else { client.https },
            ..self
        }
    }
}

/// What whoever is asked knows of itself.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Which keys are accepted.
    pub(super) keys: Vec<Key>,
    /// Which installation it is.
    pub(super) installation: Option<InstallationId>,
    /// What it believes to be its public address.
    pub(super) public_url: String,
    /// Whether it ends TLS itself.
    pub(super) tls: bool,
    /// Whom it trusts.
    pub(super) trusted: Vec<IpNet>,
}

impl Asked {
    /// Answers a question that bears the right MAC.
    #[must_use]
    pub(super) fn answer(
        &self,
        now: Timestamp,
        peer: IpAddr,
        announced: bool,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<Response> {
        let question = axum::extract::Query::<Question>::try_from_uri(uri).ok()?.0;
        let key = self.keys.iter().find(|key| question.is_from(key, now))?;
        let text = |value: &header::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).chars().take(FIELD_AT_MOST).collect()
        };
        let fields = FIELDS.iter().flat_map(|name| {
            let lines = headers.get_all(*name).iter();
            lines.map(|value| ((*name).to_owned(), text(value)))
        });
        let host = headers.get(header::HOST).map(text);
        let report = Report {
            nonce: question.nonce,
            installation: self.installation,
            public_url: self.public_url.clone(),
            tls: self.tls,
            peer: peer.to_canonical(),
            announced,
            peer_trusted: false,
            client: peer.to_canonical(),
            client_trusted: false,
            https: None,
            host: host.or_else(|| uri.authority().map(ToString::to_string)),
            fields: fields.collect(),
        };
        let report = serde_json::to_string(&report.seen_by(&self.trusted)).ok()?;
        let mac = key.sign("answer", &report);
        Some(([(header::CACHE_CONTROL, "no-store")], Json(Answer { report, mac })).into_response())
    }
}

/// Returns a service that answers questions and nothing else: it stands in at the gate, before there is
/// another.
pub(super) fn stand_in(asked: Asked, world: SharedWorld) -> Router {
    async fn answer(
        State((asked, world)): State<(Asked, SharedWorld)>,
        Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
        request: Request,
    ) -> Response {
        let announced = request.extensions().get::<Announced>().is_some();
        let (uri, headers) = (request.uri(), request.headers());
        let answer = asked.answer(world.now(), peer.ip(), announced, uri, headers);
        answer.unwrap_or_else(|| later(request.uri()))
    }
    Router::new()
        .route(PATH, any(answer))
        .fallback(|uri: Uri| std::future::ready(later(&uri)))
        .with_state((asked, world))
}

fn later(_: &Uri) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sandbox;

    fn asked(keys: &[&Key]) -> Asked {
        Asked {
            keys: keys.iter().map(|key| (*key).clone()).collect(),
            installation: None,
            public_url: "https://id.example.org".to_owned(),
            tls: false,
            trusted: vec!["10.0.0.0/8".parse().expect("a network")],
        }
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body").to_vec()
    }

    #[tokio::test]
    async fn only_who_has_the_key_is_answered_and_only_for_a_while() {
        let world = Sandbox::default();
        let (ours, theirs) = (Key::fresh(&world), Key::new(b"another secret"));
        let question = Question::new(&ours, &world);
        let uri: Uri = question.target().parse().expect("a target");
        let peer = [10, 0, 0, 1].into();
        let ask =
            |asked: Asked, now, uri: &Uri| asked.answer(now, peer, false, uri, &HeaderMap::new());
        let now = world.now();
        let answer = ask(asked(&[&theirs, &ours]), now, &uri).expect("an answer");
        let answer = body(answer).await;
        let report = question.read(&ours, &answer).expect("a report");
        assert_eq!((report.peer, report.peer_trusted), (peer, true));
        // Neither another's answer nor one to another question is believed.
        assert!(question.read(&theirs, &answer).is_none());
        assert!(Question::new(&ours, &world).read(&ours, &answer).is_none());
        assert!(question.read(&ours, b"{}").is_none());

        assert!(ask(asked(&[&theirs]), now, &uri).is_none(), "another key");
        assert!(ask(asked(&[&ours]), now + LASTS * 2, &uri).is_none(), "too late");
        for wrong in ["", "?nonce=a&at=1&mac=b", "?nonce=a&at=x&mac=", "?nonce=a"] {
            let uri = format!("{PATH}{wrong}").parse().expect("a target");
            assert!(ask(asked(&[&ours]), now, &uri).is_none(), "{wrong}");
        }
        let other = uri.to_string().replace("at=", "at=1");
        assert!(ask(asked(&[&ours]), now, &other.parse().expect("a target")).is_none());
    }
}
