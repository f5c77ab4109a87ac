//! DNS: what the world is told about who may send our mail. Mailbox providers ask for all of it before
//! they believe a mail, and say nothing when they do not.

mod dkim;
mod dmarc;
mod spf;

use std::net::IpAddr;
use std::time::Duration;

use self::spf::{Answer, LOOK_UPS_AT_MOST};
use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::dns::{Dns, NobodyToAsk, Unanswered};
use crate::mail::Letterhead;

const POLICY: Policy = Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn };
const MILD: Policy = Policy { gate: Act::Warn, start: Act::Warn, running: Act::Warn };

const BASE: About = About {
    parents: &["CFG-1", "CFG-2"],
    effect: Effect::Network,
    timeout: Duration::from_secs(20),
    policy: POLICY,
    every: Some(Duration::from_mins(50)),
    scope: Scope::Service,
    ..About::BASE
};

impl From<Unanswered> for Verdict {
    fn from(error: Unanswered) -> Self {
        Self::warn(error.to_string())
            .remedy("Nothing is known until a name server answers: check dns.resolvers.")
            .about(&["dns.resolvers"])
    }
}

impl From<NobodyToAsk> for Verdict {
    fn from(error: NobodyToAsk) -> Self {
        Self::warn(error.to_string())
            .remedy("Name a name server in dns.resolvers.")
            .about(&["dns.resolvers"])
    }
}

/// Whose domains mail leaves with.
struct Sender {
    /// That of `From`, which people see.
    domain: String,
    /// That of the envelope, which SPF is about and where bounces go.
    envelope: String,
}

impl Sender {
    /// Returns them in the form that DNS has them, where anybody is to be asked about them.
    fn of(at: &Round) -> Result<Self, Verdict> {
        let config = at.config();
        if !config.sends_mail() {
            return Err(Verdict::skip("development keeps mail instead of sending it"));
        }
        if !config.is_production() && config.dns.resolvers.is_empty() {
            return Err(Verdict::skip("development asks nobody, unless dns.resolvers says whom"));
        }
        let head = Letterhead::from_config(config);
        let head = head.map_err(|error| Verdict::fail(error.to_string()))?;
        let domain = domain_of(head.from.email.as_ref());
        let envelope = config.bounce.address.as_deref().map_or_else(|| domain.clone(), domain_of);
        Ok(Self { domain, envelope })
    }
}

fn domain_of(address: &str) -> String {
    let domain = address.trim().rsplit('@').next().unwrap_or_default();
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_ascii_lowercase())
}

/// SPF.
pub(super) struct Spf;

impl Check for Spf {
    const ABOUT: About = About {
        id: "DNS-1",
        title: "SPF",
        verifies: "The domain of the envelope has one SPF record that can be read, all it leads to is \
                   there, receivers need at most ten look-ups for it, it does not let the whole world \
                   send, and it lets the addresses of mail.sending_networks send, if any are named.",
        expected: "one record that authorises the addresses our mail comes from",
        remedy: "Publish the record that your mail provider gives you, as one TXT record of the \
                 domain.",
        settings: &["mail.from", "bounce.address", "mail.sending_networks"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_spf(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_spf(at: &Round) -> Result<Verdict, Verdict> {
    let domain = Sender::of(at)?.envelope;
    let dns = Dns::open(at.config())?;
    let mut count = spf::Count::default();
    let tree = match spf::follow(&dns, domain.clone(), &mut count).await {
        Ok(tree) => tree,
        Err(spf::Broken::Unanswered(error)) => return Err(error.into()),
        Err(broken) => return Err(Verdict::fail(broken.to_string())),
    };
    let look_ups = count.look_ups;
    if look_ups > LOOK_UPS_AT_MOST {
        let words =
            format!("the SPF record of {domain} needs {look_ups} look-ups; receivers stop at ten");
        return Err(Verdict::fail(words).remedy(
            "Remove what no longer sends from the record, or replace `include` by the networks it \
             stands for.",
        ));
    }
    if tree.is_open() {
        let words = format!("the SPF record of {domain} lets the whole world send (`+all`)");
        return Err(Verdict::fail(words).remedy("End the record with `-all` or `~all`."));
    }
    let networks = &at.config().mail.sending_networks;
    if networks.is_empty() {
        return Ok(Verdict::pass(format!(
            "{domain} has a record with {look_ups} look-ups; whether it authorises what our mail comes \
             from is known only with mail.sending_networks"
        )));
    }
    for ip in networks.iter().flat_map(|net| [net.network(), net.broadcast()]) {
        let said = match tree.judge(ip) {
            Some(Answer::Pass) => continue,
            None => {
                let words = format!("the SPF record of {domain} decides about {ip} mail by mail");
                return Ok(Verdict::pass(words));
            }
            Some(Answer::Fail) => "is refused",
            Some(Answer::SoftFail) => "is doubted (`~all`)",
            Some(Answer::Neutral) => "is not authorised",
        };
        return Err(Verdict::fail(format!("{ip} {said} by the SPF record of {domain}")));
    }
    Ok(Verdict::pass(format!("{domain} authorises {}, with {look_ups} look-ups", list(networks))))
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// DKIM.
pub(super) struct Dkim;

impl Check for Dkim {
    const ABOUT: About = About {
        id: "DNS-2",
        title: "DKIM",
        verifies: "Each key of mail.dkim_selectors is published, not revoked, not marked for testing, and \
                   strong: RSA with 2048 bits, or Ed25519. That the relay signs with it only a mail \
                   can show.",
        expected: "every selector published with a strong key",
        remedy: "Publish the record that your mail provider gives you for this selector.",
        settings: &["mail.dkim_selectors", "mail.from"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_dkim(at).await.unwrap_or_else(|verdict| verdict)
    }
}

/// Returns selector and domain of each key.
fn selectors<'s>(at: &'s Round, sender: &'s str) -> Vec<(&'s str, &'s str)> {
    let chosen = at.config().mail.dkim_selectors.iter();
    chosen.map(|text| text.split_once('@').unwrap_or((text, sender))).collect()
}

async fn examine_dkim(at: &Round) -> Result<Verdict, Verdict> {
    let domain = Sender::of(at)?.domain;
    let dns = Dns::open(at.config())?;
    let selectors = selectors(at, &domain);
    if selectors.is_empty() {
        return Err(Verdict::skip("mail.dkim_selectors names none, so nothing is known"));
    }
    let (mut keys, mut weak) = (Vec::new(), Vec::new());
    for (selector, domain) in selectors {
        let name = format!("{selector}._domainkey.{domain}");
        let texts = dns.texts(&name).await?;
        let [text] = &texts[..] else {
            let words = if texts.is_empty() {
                format!("there is no key at {name}")
            } else {
                format!("there are {} records at {name}, so none of them counts", texts.len())
            };
            return Err(Verdict::fail(words));
        };
        match dkim::parse(text) {
            Err(why) => {
                return Err(Verdict::fail(format!("the record at {name} helps nobody: {why}")));
            }
            Ok(dkim::Key::Ed25519) => keys.push(format!("{name}: Ed25519")),
            Ok(dkim::Key::Rsa(bits)) => {
                let words = format!("{name}: RSA with {bits} bits");
                match bits {
                    2048.. => keys.push(words),
                    1024.. => weak.push(words),
                    _ => return Err(Verdict::fail(format!("{words}, which receivers refuse"))),
                }
            }
        }
    }
    if let Some(words) = weak.first() {
        let words = format!("{words}, which is weak");
        return Err(Verdict::warn(words).remedy("Ask your mail provider for a key with 2048 bits."));
    }
    Ok(Verdict::pass(keys.join(", ")))
}

/// DMARC.
pub(super) struct Dmarc;

impl Check for Dmarc {
    const ABOUT: About = About {
        id: "DNS-3",
        title: "DMARC",
        verifies: "The sender's domain, or the nearest above it, has one DMARC record with a policy, and \
                   what authenticates our mail belongs to the sender's domain as that record demands: \
                   the domain of the envelope for SPF, or one of a selector for DKIM.",
        expected: "one record, and a domain that is aligned with the sender's",
        remedy: "Publish a TXT record at _dmarc under the sender's domain, such as `v=DMARC1; p=none`; \
                 large mailbox providers demand one.",
        settings: &["mail.from", "bounce.address", "mail.dkim_selectors"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_dmarc(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_dmarc(at: &Round) -> Result<Verdict, Verdict> {
    let Sender { domain, envelope } = Sender::of(at)?;
    let dns = Dns::open(at.config())?;
    let policy = match dmarc::find(&dns, &domain).await {
        Ok(policy) => policy,
        Err(dmarc::Broken::Unanswered(error)) => return Err(error.into()),
        Err(broken) => return Err(Verdict::fail(broken.to_string())),
    };
    let words = format!("{} has the policy {:?}", policy.domain, policy.action);
    let mut aligned = Vec::new();
    if policy.aligns(policy.strict_spf, &domain, &envelope) {
        aligned.push(format!("SPF by {envelope}"));
    }
    let selectors = selectors(at, &domain);
    let signed = |(_, other): &&(&str, &str)| policy.aligns(policy.strict_dkim, &domain, other);
    let keys = selectors.iter().filter(signed);
    aligned.extend(keys.map(|(selector, other)| format!("DKIM by {selector}@{other}")));
    if let Some((_, other)) = selectors.first().filter(|_| !selectors.iter().any(|it| signed(&it)))
    {
        let words = format!("{words}, and mail signed for {other} does not count for {domain}");
        return Err(Verdict::warn(words).remedy(
            "Have your mail provider sign for the sender's own domain, which they call custom or \
             authenticated domain.",
        ));
    }
    if aligned.is_empty() {
        let words = format!("{words}, and {envelope} of the envelope does not count for {domain}");
        return Err(Verdict::warn(words).remedy(
            "Have bounces go to a domain below the sender's, or name the keys that sign our mail in \
             mail.dkim_selectors.",
        ));
    }
    Ok(Verdict::pass(format!("{words}; aligned: {}", aligned.join(", "))))
}

/// Where bounces go.
pub(super) struct Bounces;

impl Check for Bounces {
    const ABOUT: About = About {
        id: "DNS-4",
        title: "Way of bounces",
        verifies: "The domain that bounces go to says who takes mail for it (MX), does not say that \
                   nobody does (null MX, RFC 7505), and the servers it names have addresses. Many \
                   receivers refuse mail from a domain that no mail can be sent to.",
        expected: "a mail server for the domain of the envelope",
        remedy: "Publish an MX record for this domain, or have bounces go to one that has it.",
        settings: &["mail.from", "bounce.address"],
        policy: MILD,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_bounces(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_bounces(at: &Round) -> Result<Verdict, Verdict> {
    let domain = Sender::of(at)?.envelope;
    let dns = Dns::open(at.config())?;
    let servers = dns.mail_servers(&domain).await?;
    if servers.iter().any(String::is_empty) {
        return Err(Verdict::fail(format!("{domain} says that it takes no mail (null MX)")));
    }
    if servers.is_empty() {
        let words = if dns.addresses(&domain).await?.is_empty() {
            Verdict::fail(format!("{domain} has neither an MX record nor an address"))
        } else {
            Verdict::warn(format!("{domain} has no MX record; its address stands in for one"))
        };
        return Err(words);
    }
    for server in &servers {
        if !dns.addresses(server).await?.is_empty() {
            return Ok(Verdict::pass(format!("{domain} has {}", servers.join(", "))));
        }
    }
    Err(Verdict::fail(format!(
        "none of the mail servers of {domain} has an address: {}",
        servers.join(", ")
    )))
}

/// Two that are asked say the same.
pub(super) struct Agreement;

impl Check for Agreement {
    const ABOUT: About = About {
        id: "DNS-5",
        title: "Name servers agree",
        verifies: "Two name servers, the first two of dns.resolvers or of this machine, say the same \
                   about the sender's domains and keys, and both or neither lead the public URL to a \
                   private address. If not, one is stale, or the inside of a network is told something \
                   else than the world.",
        expected: "the same answers from both",
        remedy: "Wait until a change has reached both, or have the one that is wrong corrected.",
        settings: &["dns.resolvers", "mail.from", "bounce.address", "public_url"],
        policy: MILD,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_agreement(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_agreement(at: &Round) -> Result<Verdict, Verdict> {
    let Sender { domain, envelope } = Sender::of(at)?;
    let each = Dns::each(at.config())?;
    let [one, other, ..] = &each[..] else {
        return Err(Verdict::skip("only one name server is known; name two in dns.resolvers"));
    };
    let mut names = vec![envelope.clone(), format!("_dmarc.{domain}")];
    names.extend(selectors(at, &domain).iter().map(|(key, at)| format!("{key}._domainkey.{at}")));
    for name in &names {
        let (mut here, mut there) = (one.texts(name).await?, other.texts(name).await?);
        here.sort();
        there.sort();
        if here != there {
            return Err(differ(one, other, &format!("the texts of {name}"))
                .evidence(format!("{}: {here:?}", one.who()))
                .evidence(format!("{}: {there:?}", other.who())));
        }
    }
    let (here, there) = (one.mail_servers(&envelope).await?, other.mail_servers(&envelope).await?);
    if here != there {
        return Err(differ(one, other, &format!("the mail servers of {envelope}"))
            .evidence(format!("{}: {}", one.who(), list(&here)))
            .evidence(format!("{}: {}", other.who(), list(&there))));
    }
    if let Some(host) = at.config().public_url.domain() {
        let (here, there) = (one.addresses(host).await?, other.addresses(host).await?);
        // Which of many they name is theirs to choose: content delivery networks do.
        let kind = |all: &[IpAddr]| (all.is_empty(), all.iter().any(is_private));
        if kind(&here) != kind(&there) {
            return Err(differ(one, other, &format!("the addresses of {host}"))
                .evidence(format!("{}: {}", one.who(), list(&here)))
                .evidence(format!("{}: {}", other.who(), list(&there))));
        }
    }
    let words =
        format!("{} and {} say the same about {}", one.who(), other.who(), names.join(", "));
    Ok(Verdict::pass(words))
}

fn is_private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback(),
    }
}

fn differ(one: &Dns, other: &Dns, about: &str) -> Verdict {
    Verdict::fail(format!("{} and {} differ about {about}", one.who(), other.who()))
}
