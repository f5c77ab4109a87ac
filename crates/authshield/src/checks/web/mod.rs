//! WEB: the public address, by the way that every client comes.
//!
//! ```text
//! visit.rs   resolves it, connects, encrypts, asks                      once in a round
//! probe.rs   the question, signed; the answer, signed; who answers it   (http.rs: the route)
//! rules.rs   whom the service took for the client, and whether that is right   (pure)
//! ```

pub(crate) mod http;
mod probe;
mod rules;
mod visit;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

pub(crate) use probe::PATH;
use probe::{Asked, Key, Report};
use rules::{Arrival, Asker, Fault, Seen, Trust, judge};
use visit::{Answers, Silence, Visitor};
pub(super) use visit::{Trouble, Visit};

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::{Round, Subject};
use crate::config::ProxyProtocol;
use crate::kernel::is_trusted;
use crate::problem::chain;
use crate::server::{self, Bounds};
use crate::telemetry::metrics::Certificate as CertificateLabel;
use crate::vault::probe_secret;

/// How long the way there and back may take: less than a start waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

const BASE: About = About {
    parents: &["WEB-1"],
    effect: Effect::Network,
    timeout: Duration::from_secs(20),
    listening: true,
    every: Some(Duration::from_mins(10)),
    scope: Scope::Node,
    ..About::BASE
};

/// What those who look at the public address know besides the configuration.
#[derive(Debug, Default)]
pub(super) struct Standpoint {
    /// Whether they are clients like any other, on another machine.
    outside: bool,
    /// What they ask with, if not with the installation's own secret.
    key: Option<Key>,
    /// Whether the address was ever reached from here.
    reached: AtomicBool,
}

impl Subject {
    /// Looks at a service that runs elsewhere, as a client; `token` is its `operator_token`.
    #[must_use]
    pub fn from_outside(mut self, token: Option<&[u8]>) -> Self {
        let key = token.map(Key::new);
        self.web = Standpoint { outside: true, key, ..Standpoint::default() };
        self
    }

    /// Asks with what the one asks with who stands in.
    #[must_use]
    pub fn asking(mut self, stand_in: &StandIn) -> Self {
        self.web.key = Some(stand_in.key.clone());
        self
    }
}

/// Listens at the gate, where nobody else does yet, and answers questions; until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    key: Key,
    stop: CancellationToken,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl StandIn {
    /// Takes the public listener's place, if it is free and there is something to look at.
    pub async fn begin(subject: &Subject) -> Option<Self> {
        if !subject.is_accepted() || idle(subject).is_some() {
            return None;
        }
        let config = subject.config();
        let listener = server::bind(config.listen, "AUTHSHIELD_LISTEN").ok()?;
        let tls = server::certificate(config).await.ok()?;
        // Others who serve this installation may be asked in its place, if there are any.
        let key = installed(subject).await.unwrap_or_else(|_| Key::fresh(&*subject.shared_world()));
        let asked = Asked {
            keys: vec![key.clone()],
            installation: None,
            public_url: config.issuer().to_owned(),
            tls: tls.is_some(),
            trusted: config.trusted_proxies.clone(),
        };
        let stop = CancellationToken::new();
        let trusted = config.trusted_proxies.clone();
        let is_one = move |ip| is_trusted(ip, &trusted);
        let announcers = (config.proxy_protocol == ProxyProtocol::V2)
            .then(|| server::Announcers::new(is_one, Counter::default()));
        let router = probe::stand_in(asked, subject.shared_world());
        let bounds = Bounds::from(Duration::from_secs(1));
        tokio::spawn(server::serve(listener, router, announcers, tls, stop.clone(), bounds));
        Some(Self { key, stop })
    }
}

/// Why there is nothing to look at, if there is not.
fn idle(subject: &Subject) -> Option<&'static str> {
    let config = subject.config();
    let local = match config.public_url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => true,
    };
    let here = !subject.web.outside && !config.is_production() && local;
    here.then_some("development is for this machine alone")
}

/// Returns what the installation asks itself with, or why it does not.
async fn installed(subject: &Subject) -> Result<Key, String> {
    if let Some(app) = subject.app() {
        return Ok(Key::new(&*app.secrets.probe));
    }
    let words = |verdict: Verdict| verdict.observed;
    let (store, vault) = (subject.store().await.map_err(words)?, subject.vault().map_err(words)?);
    let secret = probe_secret(store, &vault).await.map_err(|error| chain(&error))?;
    secret.map(|secret| Key::new(&*secret)).ok_or_else(|| "there was no start yet".to_owned())
}

/// Goes to the public address and back.
pub(super) async fn visit(at: &Round) -> Result<Visit, Trouble> {
    if let Some(why) = idle(at) {
        return Err(Trouble::Idle(why));
    }
    let key = match (&at.web.key, at.web.outside) {
        (Some(key), _) => Ok(key.clone()),
        (None, false) => installed(at).await,
        (None, true) => {
            Err("without operator_token nobody is told how a request arrives".to_owned())
        }
    };
    let visitor = Visitor { config: at.config(), world: at.shared_world(), key };
    let gone = tokio::time::timeout(PATIENCE, visitor.go()).await;
    let visit = gone.unwrap_or_else(|_| {
        Err(Trouble::Unreachable(format!("{} took longer than {PATIENCE:?}", at.config().issuer())))
    });
    if let Ok(visit) = &visit {
        at.web.reached.store(true, Ordering::Relaxed);
        note_certificate(at, visit);
    }
    visit
}

/// Keeps the metrics of the certificate.
fn note_certificate(at: &Round, visit: &Visit) {
    let (Some(app), Some(certificate)) = (at.app(), visit.certificate) else { return };
    let label = CertificateLabel { certificate: "public_url" };
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 2255")]
    let seconds = |at: crate::kernel::Timestamp| at.as_second() as f64;
    let metrics = &app.metrics;
    metrics.certificate_not_before_timestamp.get_or_create(&label).set(seconds(certificate.from));
    metrics.certificate_not_after_timestamp.get_or_create(&label).set(seconds(certificate.until));
}

/// What to do where the way from here does not lead there.
const ELSEWHERE: &str = "If this machine cannot reach its own public address (no hairpin route), run \
                         `authshield preflight --from-outside URL` on another one.";

/// Being reached.
pub(super) struct Certificate;

impl Check for Certificate {
    const ABOUT: About = About {
        id: "WEB-1",
        title: "Public address",
        verifies: "The name of public_url resolves, the certificate there is signed by an authority that \
                   this machine trusts and is for that name, and it lasts: the last 21 days are a warning, \
                   the last 7 a failure (for certificates that live less than two months, the last third \
                   and the last sixth of their life).",
        expected: "a name that resolves, and a certificate that lasts",
        remedy: "Renew the certificate, and see why that did not happen by itself.",
        settings: &["public_url", "tls.certificate_file"],
        parents: &["CFG-1", "CFG-2"],
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        let visit = match at.visit().await {
            Ok(visit) => visit,
            Err(Trouble::Idle(why)) => return Verdict::skip(why),
            Err(Trouble::Name(why)) => {
                return Verdict::fail(why)
                    .about(&["public_url"])
                    .remedy("Correct public_url, or publish its name in the domain name system.");
            }
            Err(Trouble::Tls(why)) => return Verdict::fail(why),
            Err(Trouble::Unreachable(why)) => {
                let here = at.web.outside || at.web.reached.load(Ordering::Relaxed);
                let verdict = if here { Verdict::fail(why) } else { Verdict::skip(why) };
                return verdict.about(&["public_url"]).evidence(ELSEWHERE);
            }
        };
        let Some(certificate) = visit.certificate else {
            let words = format!("{} answers, without encryption", visit.peer);
            let plain = at.config().public_url.scheme() == "http";
            return if plain { Verdict::warn(words) } else { Verdict::pass(words) }
                .about(&["public_url"])
                .remedy("Use https.");
        };
        let day = Duration::from_hours(24);
        let life = certificate.until.since(certificate.from);
        let left = certificate.until.since(at.now());
        let words = format!(
            "{} answers; its certificate ends at {}",
            visit.peer,
            certificate.until.to_minute()
        );
        match left {
            left if left < (life / 6).min(day * 7) => Verdict::fail(words),
            left if left < (life / 3).min(day * 21) => Verdict::warn(words),
            _ => Verdict::pass(words),
        }
    }
}

/// Who answers.
pub(super) struct Loop;

impl Check for Loop {
    const ABOUT: About = About {
        id: "WEB-2",
        title: "Way to the public address",
        verifies: "A question that is sent to public_url arrives here: at this installation, not somewhere \
                   else and not by a redirection, with the scheme and the host that public_url has.",
        expected: "public_url leads to this installation",
        remedy: "Let the proxy hand public_url on to this service, with its host and scheme, or correct \
                 public_url.",
        settings: &["public_url", "trusted_proxies"],
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn },
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        let answers = match answers(at).await {
            Ok((_, answers)) => answers,
            Err(verdict) => return verdict,
        };
        let (config, report) = (at.config(), &answers.plain);
        let mut verdict = Verdict::pass(match report.installation {
            Some(id) => format!("{} leads to installation {id}", config.issuer()),
            None => format!("{} leads here", config.issuer()),
        });
        let authority = config.public_url.authority();
        let host = report.host.as_deref().unwrap_or_default();
        if !host.eq_ignore_ascii_case(authority) {
            verdict = Verdict::warn(format!("the request arrives for {host}, not for {authority}"));
        }
        let https = config.public_url.scheme() == "https";
        if report.peer_trusted && report.https == Some(!https) {
            let words = "the proxy says that the client spoke the other scheme (X-Forwarded-Proto)";
            verdict = Verdict::warn(words);
        }
        report
            .fields
            .iter()
            .fold(verdict, |verdict, (name, value)| verdict.evidence(format!("{name}: {value}")))
    }
}

/// Returns what came back, or what is to be said where nothing did.
async fn answers(at: &Round) -> Result<(Visit, Answers), Verdict> {
    let visit = match at.visit().await {
        Ok(visit) => visit,
        Err(Trouble::Idle(why)) => return Err(Verdict::skip(why)),
        Err(Trouble::Name(why) | Trouble::Unreachable(why) | Trouble::Tls(why)) => {
            return Err(Verdict::skip(format!("the public address was not reached: {why}")));
        }
    };
    // At the gate and at the start, a proxy may well wait for us before it lets anybody through.
    let settled = at.web.outside || at.app().is_some();
    match visit.answers.clone() {
        Ok(answers) => Ok((visit, answers)),
        Err(Silence::NoKey(why)) => Err(Verdict::skip(why)),
        Err(Silence::Nobody(status)) if !settled => {
            Err(Verdict::skip(format!("the answer is {status}: nobody is behind the proxy yet"))
                .evidence(ELSEWHERE))
        }
        Err(Silence::Nobody(status)) => {
            Err(Verdict::fail(format!("the answer is {status}: the proxy reaches nobody")))
        }
        Err(Silence::Redirected(to)) => Err(Verdict::fail(format!("clients are sent on to {to}"))
            .remedy("Make the address that clients end up at the public_url.")),
        Err(Silence::Stranger(why)) => {
            let verdict = Verdict::fail(format!("not this installation: {why}"));
            Err(match at.config().proxy_protocol {
                ProxyProtocol::Off => verdict,
                ProxyProtocol::V2 => verdict.evidence(
                    "proxy_protocol is v2: a proxy of trusted_proxies that announces no client is not heard",
                ),
            })
        }
    }
}

/// The same for what keeps a server from starting: whether the way leads here is for others to say.
async fn arrived(at: &Round) -> Result<(Visit, Answers), Verdict> {
    let skip = |verdict: Verdict| Verdict::skip(verdict.observed).evidence(ELSEWHERE);
    answers(at).await.map_err(skip)
}

/// Whom the service takes for the client.
pub(super) struct Proxies;

impl Check for Proxies {
    const ABOUT: About = About {
        id: "WEB-3",
        title: "Trusted proxies",
        verifies: "A question that is sent to public_url with a made-up X-Forwarded-For, and one with a \
                   made-up Forwarded, do not make the service take that address for the client's; and it \
                   does not take the address of a proxy for the client's. Where the question comes from an \
                   address that is itself trusted, nothing can be told.",
        expected: "the client's own address, neither a proxy's nor one that it made up",
        remedy: "List the addresses from which the proxy connects in trusted_proxies, and let it append \
                 the client's address to X-Forwarded-For.",
        settings: &["trusted_proxies"],
        parents: &["WEB-2"],
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Degrade },
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        match arrived(at).await {
            Ok((visit, answers)) => trust(at, &visit, &answers),
            Err(verdict) => verdict,
        }
    }
}

/// Returns the proxies that are trusted at present; from outside, nobody knows.
fn trusted(at: &Round) -> Option<Vec<IpNet>> {
    match at.app() {
        _ if at.web.outside => None,
        Some(app) => Some(app.live.load().trusted_proxies.clone()),
        None => Some(at.config().trusted_proxies.clone()),
    }
}

fn trust(at: &Round, visit: &Visit, answers: &Answers) -> Verdict {
    let trusted = trusted(at);
    let arrival = |report: &Report| {
        // Who answered may be a node with another configuration; ours counts.
        let report = match &trusted {
            Some(trusted) => report.clone().seen_by(trusted),
            None => report.clone(),
        };
        let has = |names: &[&str]| report.fields.iter().any(|(name, _)| names.contains(&&**name));
        let https = at.config().public_url.scheme() == "https";
        Arrival {
            peer: Seen { ip: report.peer, trusted: report.peer_trusted },
            announced: report.announced,
            client: Seen { ip: report.client, trusted: report.client_trusted },
            named: has(&["forwarded", "x-forwarded-for"]),
            proxied: !report.fields.is_empty() || (https && !report.tls),
        }
    };
    let made_up: Vec<_> =
        answers.made_up.iter().map(|(field, report)| (*field, arrival(report))).collect();
    let forged = answers.forged;
    let forged_trusted = trusted.as_ref().is_some_and(|nets| is_trusted(forged, nets));
    let asker = Asker { ours: visit.ours, outside: at.web.outside };
    let verdict =
        words(&judge(arrival(&answers.plain), &made_up, forged, forged_trusted, asker), forged);
    answers.plain.fields.iter().fold(verdict, |verdict, (name, value)| {
        verdict.evidence(format!("without anything made up, {name}: {value}"))
    })
}

fn words(trust: &Trust, forged: IpAddr) -> Verdict {
    let one = |ip: &IpAddr| format!("every client has the address {ip}: limits count them as one");
    match trust {
        Trust::Right { client, proxied: true } => {
            Verdict::pass(format!("behind a proxy, the client is {client}"))
        }
        Trust::Right { client, proxied: false } => {
            Verdict::pass(format!("nothing stands between; the client is {client}"))
        }
        Trust::NotTestable(client) => {
            Verdict::skip(format!("not testable from here: {client} is itself a trusted proxy"))
                .evidence("Run `authshield preflight --from-outside URL` on another machine.")
        }
        Trust::Wrong(Fault::Believed(field)) => Verdict::fail(format!(
            "a client that writes {forged} into {field} is believed to be {forged}"
        ))
        .remedy(
            "List in trusted_proxies the addresses of the proxies alone, and let the first of them \
             replace or append to X-Forwarded-For and drop Forwarded.",
        ),
        Trust::Wrong(Fault::NotTrusted(proxy)) => {
            Verdict::fail(format!("the proxy {proxy} is not trusted; {}", one(proxy))).remedy(format!(
                "If {proxy} is your proxy, set AUTHSHIELD_TRUSTED_PROXIES={proxy}, or to the network \
                 that it connects from."
            ))
        }
        Trust::Wrong(Fault::Silent(proxy)) => Verdict::fail(format!(
            "the proxy {proxy} does not say whom it heard from; {}",
            one(proxy)
        ))
        .remedy("Let the proxy append the client's address to X-Forwarded-For."),
        Trust::Wrong(Fault::OneAddress(ip)) => Verdict::fail(one(ip)).remedy(
            "Let every proxy before the service say whom it heard from, and list in trusted_proxies no \
             address that clients have.",
        ),
    }
}

/// What is served there.
pub(super) struct Issuer;

impl Check for Issuer {
    const ABOUT: About = About {
        id: "WEB-4",
        title: "Issuer and keys",
        verifies: "Whoever verifies our tokens finds, behind public_url, the key that signs them, and the \
                   service that answers there names the same public_url, which is the issuer of tokens.",
        expected: "the issuer, and the key that signs, behind public_url",
        remedy: "Let the proxy hand /.well-known/jwks.json on to this service without keeping it for \
                 longer than its Cache-Control says.",
        settings: &["public_url"],
        parents: &["WEB-2"],
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Degrade },
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        let (_, answers) = match arrived(at).await {
            Ok(arrived) => arrived,
            Err(verdict) => return verdict,
        };
        let (ours, theirs) = (at.config().issuer(), &answers.plain.public_url);
        if ours != theirs {
            return Verdict::fail(format!("tokens are issued by {theirs}, not by {ours}"))
                .remedy("Give every node the same public_url, the one that clients use.");
        }
        // Who stands in at the gate has no keys.
        if answers.plain.installation.is_none() {
            return Verdict::skip("there is no service yet that publishes keys");
        }
        let keys = match &answers.keys {
            Ok(keys) => keys,
            Err(why) => return Verdict::fail(format!("no keys are published: {why}")),
        };
        let words = format!("keys published: {}", keys.len());
        match at.app().map(|app| app.keyring.active(at.now()).kid) {
            Some(kid) if !keys.contains(&kid) => {
                Verdict::fail(format!("{words}, and the one that signs ({kid}) is not among them"))
            }
            None if keys.is_empty() => Verdict::fail("no keys are published"),
            _ => Verdict::pass(format!("the issuer is {ours}; {words}")),
        }
    }
}
