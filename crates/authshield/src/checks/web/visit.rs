//! The way to our own public address, as a client goes it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::super::x509::{Validity, validity};
use super::probe::{Key, Question, Report};
use crate::config::Config;
use crate::dns::Dns;
use crate::problem::chain;
use crate::world::SharedWorld;

/// How long one address may take to be reached, encryption included.
const REACH: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(3);
/// How much of an answer is read, in bytes.
const ANSWER_AT_MOST: usize = 64 * 1024;

/// Why nothing was learnt about the public address.
#[derive(Debug, Clone)]
pub(in crate::checks) enum Trouble {
    /// There is none to look at.
    Idle(&'static str),
    /// Its name leads nowhere.
    Name(String),
    /// It cannot be reached from here.
    Unreachable(String),
    /// It can, and not securely.
    Tls(String),
}

/// Why nothing was learnt about who answers.
#[derive(Debug, Clone)]
pub(super) enum Silence {
    /// There is no key yet to ask with, and why.
    NoKey(String),
    /// Clients are sent on.
    Redirected(String),
    /// A proxy answers, and nobody is behind it.
    Nobody(StatusCode),
    /// Somebody else answers, or nobody we know.
    Stranger(String),
}

/// What was learnt.
#[derive(Debug, Clone)]
pub(in crate::checks) struct Visit {
    /// Where it is.
    pub(super) peer: SocketAddr,
    /// From where it was visited.
    pub(super) ours: IpAddr,
    /// What its certificate says, if it is encrypted.
    pub(super) certificate: Option<Validity>,
    pub(super) answers: Result<Answers, Silence>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    /// How a question arrived.
    pub(super) plain: Report,
    /// The same with an address made up in this field.
    pub(super) made_up: Vec<(&'static str, Report)>,
    /// The address that was made up: one of those that nobody has (RFC 5737).
    pub(super) forged: IpAddr,
    /// The ids of the keys that are published there.
    pub(super) keys: Result<Vec<String>, String>,
}

/// Somebody who goes there.
pub(super) struct Visitor<'a> {
    pub(super) config: &'a Config,
    pub(super) world: SharedWorld,
    pub(super) key: Result<Key, String>,
}

/// Where to go.
struct Way {
    url: Url,
    host: String,
    addresses: Vec<SocketAddr>,
    tls: Option<TlsConnector>,
}

/// What can be spoken over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Reached {
    stream: Box<dyn Stream>,
    peer: SocketAddr,
    ours: IpAddr,
    certificate: Option<Validity>,
}

struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Visitor<'_> {
    /// Goes there and asks.
    pub(super) async fn go(&self) -> Result<Visit, Trouble> {
        let way = self.way().await?;
        let Reached { peer, ours, certificate, stream } = way.reach().await?;
        drop(stream);
        let answers = self.ask(&way).await;
        Ok(Visit { peer, ours, certificate, answers })
    }

    async fn way(&self) -> Result<Way, Trouble> {
        let url = self.config.public_url.clone();
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let found = match url.host() {
            Some(url::Host::Ipv4(ip)) => vec![IpAddr::V4(ip)],
            Some(url::Host::Ipv6(ip)) => vec![IpAddr::V6(ip)],
            _ => self.resolve(&host).await.map_err(Trouble::Name)?,
        };
        if found.is_empty() {
            return Err(Trouble::Name(format!("{host} has no address")));
        }
        let tls = if url.scheme() == "https" { Some(connector()?) } else { None };
        let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Ok(Way { url, host, addresses, tls })
    }

    /// Asks the name servers that somebody named, or else whom this machine asks.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if self.config.dns.resolvers.is_empty() {
            let found = timeout(ANSWER, tokio::net::lookup_host((host, 443))).await;
            let found = found.map_err(|_| format!("{host}: the name server does not answer"))?;
            let found = found.map_err(|error| format!("{host}: {error}"))?;
            return Ok(found.map(|address| address.ip()).collect());
        }
        let dns = Dns::open(self.config).map_err(|error| error.to_string())?;
        dns.addresses(host).await.map_err(|error| error.to_string())
    }

    async fn ask(&self, way: &Way) -> Result<Answers, Silence> {
        let key = self.key.as_ref().map_err(|why| Silence::NoKey(why.clone()))?;
        let mut last = [0];
        self.world.fill(&mut last);
        let forged = IpAddr::from([192, 0, 2, last[0]]);
        let plain = self.question(way, key, None).await?;
        let mut made_up = Vec::new();
        for (field, name, value) in [
            ("X-Forwarded-For", "x-forwarded-for", forged.to_string()),
            ("Forwarded", "forwarded", format!("for={forged}")),
        ] {
            made_up.push((field, self.question(way, key, Some((name, value))).await?));
        }
        Ok(Answers { plain, made_up, forged, keys: keys(way).await })
    }

    async fn question(
        &self,
        way: &Way,
        key: &Key,
        made_up: Option<(&'static str, String)>,
    ) -> Result<Report, Silence> {
        let question = Question::new(key, &*self.world);
        let said = way.get(&question.target(), made_up).await.map_err(Silence::Stranger)?;
        if said.status.is_redirection() {
            let to = said.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
            // What stands behind the path is ours and of no interest.
            let to = to.unwrap_or_default().split('?').next().unwrap_or_default();
            return Err(Silence::Redirected(to.chars().take(200).collect()));
        }
        match said.status.as_u16() {
            200 => {}
            502..=504 => return Err(Silence::Nobody(said.status)),
            _ => return Err(Silence::Stranger(format!("the answer is {}", said.status))),
        }
        let stranger = || Silence::Stranger("another service answers".to_owned());
        question.read(key, &said.body).ok_or_else(stranger)
    }
}

/// Returns the ids of the keys that are published behind the public address.
async fn keys(way: &Way) -> Result<Vec<String>, String> {
    let said = way.get("/.well-known/jwks.json", None).await?;
    if said.status != StatusCode::OK {
        return Err(format!("the answer is {}", said.status));
    }
    let set: serde_json::Value =
        serde_json::from_slice(&said.body).map_err(|_| "the answer is not JSON".to_owned())?;
    let keys = set["keys"].as_array().ok_or("there are no keys in the answer")?;
    Ok(keys.iter().filter_map(|key| key["kid"].as_str().map(ToOwned::to_owned)).collect())
}

/// Encrypts against the authorities that this machine trusts.
fn connector() -> Result<TlsConnector, Trouble> {
    let config = ClientConfig::builder()
        .with_platform_verifier()
        .map_err(|error| Trouble::Tls(error.to_string()))?
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Way {
    /// Goes to the first address that can be reached.
    async fn reach(&self) -> Result<Reached, Trouble> {
        let mut why = Trouble::Unreachable(String::new());
        for address in &self.addresses {
            match timeout(REACH, self.reach_at(*address)).await {
                Ok(Ok(reached)) => return Ok(reached),
                Ok(Err(trouble)) => why = trouble,
                Err(_) => {
                    why = Trouble::Unreachable(format!("{address}: no answer within {REACH:?}"));
                }
            }
            if matches!(why, Trouble::Tls(_)) {
                break;
            }
        }
        Err(why)
    }

    async fn reach_at(&self, peer: SocketAddr) -> Result<Reached, Trouble> {
        let unreachable = |error| Trouble::Unreachable(format!("{peer}: {error}"));
        let stream = TcpStream::connect(peer).await.map_err(unreachable)?;
        let ours = stream.local_addr().map_err(unreachable)?.ip().to_canonical();
        let Some(tls) = &self.tls else {
            return Ok(Reached { stream: Box::new(stream), peer, ours, certificate: None });
        };
        let wrong = |words: String| Trouble::Tls(format!("{peer}: {words}"));
        // An IPv6 address stands in brackets in a URL, and without them in a certificate.
        let name = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|error| wrong(chain(&error)))?;
        let stream = tls.connect(name, stream).await.map_err(|error| wrong(chain(&error)))?;
        let certificates = stream.get_ref().1.peer_certificates();
        let certificate = certificates.and_then(|chain| chain.first()).and_then(|it| validity(it));
        Ok(Reached { stream: Box::new(stream), peer, ours, certificate })
    }

    /// Asks for `target`, which stands behind the path of the public address.
    async fn get(
        &self,
        target: &str,
        made_up: Option<(&'static str, String)>,
    ) -> Result<Said, String> {
        let reached = self.reach().await.map_err(|trouble| match trouble {
            Trouble::Idle(words) => words.to_owned(),
            Trouble::Name(words) | Trouble::Unreachable(words) | Trouble::Tls(words) => words,
        })?;
        let said = timeout(ANSWER, self.converse(reached.stream, target, made_up)).await;
        said.map_err(|_| format!("no answer within {ANSWER:?}"))?
    }

    async fn converse(
        &self,
        stream: Box<dyn Stream>,
        target: &str,
        made_up: Option<(&'static str, String)>,
    ) -> Result<Said, String> {
        let words = |error: hyper::Error| chain(&error);
        let (mut http, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
        let _task = AbortOnDropHandle::new(tokio::spawn(connection));
        let target = format!("{}{target}", self.url.path().trim_end_matches('/'));
        let host = match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        };
        let mut request = Request::builder()
            .uri(target)
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("AuthShield/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| error.to_string())?;
        if let Some((name, value)) = made_up
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let (parts, body) = http.send_request(request).await.map_err(words)?.into_parts();
        let body = axum::body::to_bytes(Body::new(body), ANSWER_AT_MOST).await;
        let body = body.map_err(|error| error.to_string())?.to_vec();
        Ok(Said { status: parts.status, headers: parts.headers, body })
    }
}
