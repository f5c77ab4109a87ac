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
    every: Some(Duration::from_hours(1)),
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

/// Returns the domain of the sender, in the form that DNS has it.
fn sender(at: &Round) -> Result<String, Verdict> {
    if at.config().smtp.host.is_none() {
        return Err(Verdict::skip("development keeps mail instead of sending it"));
    }
    let head = Letterhead::from_config(at.config());
    let head = head.map_err(|error| Verdict::fail(error.to_string()))?;
    let address = head.from.email.to_string();
    let domain = address.rsplit('@').next().unwrap_or_default();
    Ok(idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_ascii_lowercase()))
}

/// SPF.
pub(super) struct Spf;

impl Check for Spf {
    const ABOUT: About = About {
        id: "DNS-1",
        title: "SPF",
        verifies: "The sender's domain has one SPF record that can be read, all it leads to is there, \
                   receivers need at most ten look-ups for it, it does not let the whole world send, \
                   and it lets the addresses send that our mail comes from: those of \
                   mail.sending_networks, or else those of smtp.host, which is a guess.",
        expected: "one record that authorises the addresses our mail comes from",
        remedy: "Publish the record that your mail provider gives you, as one TXT record of the \
                 sender's domain.",
        settings: &["mail.from", "mail.sending_networks", "smtp.host"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_spf(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_spf(at: &Round) -> Result<Verdict, Verdict> {
    let domain = sender(at)?;
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
    let known = !networks.is_empty();
    let addresses: Vec<IpAddr> = if known {
        networks.iter().flat_map(|net| [net.network(), net.broadcast()]).collect()
    } else {
        let host = at.config().smtp.host.clone().unwrap_or_default();
        match host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => dns.addresses(&host).await?,
        }
    };
    let refused = addresses.iter().find(|ip| tree.judge(**ip) != Some(Answer::Pass));
    let verdict = match refused {
        None if addresses.is_empty() => Verdict::warn("where our mail comes from is not known"),
        None => {
            let words =
                format!("{domain} authorises {}, with {look_ups} look-ups", list(&addresses));
            return Ok(Verdict::pass(words));
        }
        Some(ip) => {
            let said = match tree.judge(*ip) {
                None => "depends on the mail whether it is authorised",
                Some(Answer::Fail) => "is refused",
                Some(Answer::SoftFail) => "is doubted (`~all`)",
                _ => "is not authorised",
            };
            let words = format!("{ip} {said} by the SPF record of {domain}");
            if known { Verdict::fail(words) } else { Verdict::warn(words) }
        }
    };
    Ok(if known {
        verdict
    } else {
        verdict.remedy(
            "The relay may send from other addresses than it listens at: say from which in \
             mail.sending_networks. Then publish the record that your mail provider gives you.",
        )
    })
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
    let domain = sender(at)?;
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
        settings: &["mail.from", "mail.dkim_selectors"],
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_dmarc(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_dmarc(at: &Round) -> Result<Verdict, Verdict> {
    let domain = sender(at)?;
    let dns = Dns::open(at.config())?;
    let policy = match dmarc::find(&dns, &domain).await {
        Ok(policy) => policy,
        Err(dmarc::Broken::Unanswered(error)) => return Err(error.into()),
        Err(broken) => return Err(Verdict::fail(broken.to_string())),
    };
    let words = format!("{} has the policy {:?}", policy.domain, policy.policy);
    // The envelope's sender is the one in the mail.
    let mut aligned = vec![format!("SPF by {domain}")];
    for (selector, other) in selectors(at, &domain) {
        if policy.aligns(policy.strict_dkim, &domain, other) {
            aligned.push(format!("DKIM by {selector}@{other}"));
        } else {
            let words = format!("{words}, and mail signed for {other} does not count for {domain}");
            return Err(Verdict::warn(words).remedy(
                "Have your mail provider sign for the sender's own domain, which they call custom \
                 or authenticated domain.",
            ));
        }
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
        expected: "a mail server for the sender's domain",
        remedy: "Publish an MX record for the sender's domain, or send from a domain that has one.",
        settings: &["mail.from"],
        policy: MILD,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_bounces(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_bounces(at: &Round) -> Result<Verdict, Verdict> {
    let domain = sender(at)?;
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
                   about the sender's domain, its keys and the public URL. If they do not, one is stale, \
                   or the inside of a network is told something else than the world.",
        expected: "the same answers from both",
        remedy: "Wait until a change has reached both, or have the one that is wrong corrected.",
        settings: &["dns.resolvers", "mail.from", "public_url"],
        policy: MILD,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        examine_agreement(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn examine_agreement(at: &Round) -> Result<Verdict, Verdict> {
    let domain = sender(at)?;
    let each = Dns::each(at.config())?;
    let [one, other, ..] = &each[..] else {
        return Err(Verdict::skip("only one name server is known; name two in dns.resolvers"));
    };
    let mut names = vec![domain.clone(), format!("_dmarc.{domain}")];
    names.extend(selectors(at, &domain).iter().map(|(key, at)| format!("{key}._domainkey.{at}")));
    let host = at.config().public_url.domain().map(ToOwned::to_owned);
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
    let (here, there) = (one.mail_servers(&domain).await?, other.mail_servers(&domain).await?);
    if here != there {
        return Err(differ(one, other, &format!("the mail servers of {domain}"))
            .evidence(format!("{}: {}", one.who(), list(&here)))
            .evidence(format!("{}: {}", other.who(), list(&there))));
    }
    if let Some(host) = &host {
        let (here, there) = (one.addresses(host).await?, other.addresses(host).await?);
        if here != there {
            return Err(differ(one, other, &format!("the addresses of {host}"))
                .evidence(format!("{}: {}", one.who(), list(&here)))
                .evidence(format!("{}: {}", other.who(), list(&there))));
        }
    }
    let words =
        format!("{} and {} say the same about {}", one.who(), other.who(), names.join(", "));
    Ok(Verdict::pass(words))
}

fn differ(one: &Dns, other: &Dns, about: &str) -> Verdict {
    Verdict::fail(format!("{} and {} differ about {about}", one.who(), other.who()))
}
