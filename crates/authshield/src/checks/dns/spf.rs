//! SPF (RFC 7208): who may send for a domain, asked about an address that our mail comes from.

use std::net::IpAddr;

use futures_util::future::BoxFuture;
use ipnet::IpNet;

use crate::dns::{Dns, Unanswered};

/// How many terms that make a receiver ask again there may be (RFC 7208, 4.6.4).
pub(super) const LOOK_UPS_AT_MOST: usize = 10;

/// How many names a record may lead to here before we stop: more than any receiver follows.
const RECORDS_AT_MOST: usize = 40;

/// What a term that matches says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mechanism {
    All,
    Include(String),
    /// `a` and `mx`: of which name, and how much of an address counts.
    Host {
        mx: bool,
        domain: Option<String>,
        four: u8,
        six: u8,
    },
    Net(IpNet),
    /// `ptr`, `exists` and whatever has a macro: it depends on the mail.
    Depends,
}

/// A record, read and not yet followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    terms: Vec<(Answer, Mechanism)>,
    redirect: Option<String>,
}

/// Whether a text is a record of this kind.
pub(super) fn is_record(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower == "v=spf1" || lower.starts_with("v=spf1 ")
}

/// Reads a record; the error names the term.
pub(super) fn parse(text: &str) -> Result<Record, String> {
    let mut record = Record { terms: Vec::new(), redirect: None };
    for term in text.split_ascii_whitespace().skip(1) {
        let wrong = || format!("{term:?} is not a term of SPF");
        let name_ends = term.find([':', '=', '/']).unwrap_or(term.len());
        if term[name_ends..].starts_with('=') {
            if term[..name_ends].eq_ignore_ascii_case("redirect") {
                record.redirect = Some(term[name_ends + 1..].to_owned());
            }
            // Other modifiers, such as `exp`, change no answer.
            continue;
        }
        let (answer, term) = match term.as_bytes().first() {
            Some(b'+') => (Answer::Pass, &term[1..]),
            Some(b'-') => (Answer::Fail, &term[1..]),
            Some(b'~') => (Answer::SoftFail, &term[1..]),
            Some(b'?') => (Answer::Neutral, &term[1..]),
            _ => (Answer::Pass, term),
        };
        let (name, rest) = term.split_at(term.find([':', '/']).unwrap_or(term.len()));
        let value = rest.strip_prefix(':');
        let mechanism = match (name.to_ascii_lowercase().as_str(), value) {
            ("all", None) if rest.is_empty() => Mechanism::All,
            (_, Some(value)) if value.contains("%{") => Mechanism::Depends,
            ("include", Some(domain)) if !domain.is_empty() => {
                Mechanism::Include(domain.to_owned())
            }
            (host @ ("a" | "mx"), _) => {
                let (domain, lengths) = match value {
                    Some(value) => value.split_at(value.find('/').unwrap_or(value.len())),
                    None => ("", rest),
                };
                let (four, six) = prefix_lengths(lengths).ok_or_else(wrong)?;
                let domain = (!domain.is_empty()).then(|| domain.to_owned());
                Mechanism::Host { mx: host == "mx", domain, four, six }
            }
            (family @ ("ip4" | "ip6"), Some(net)) => {
                let net = net.parse().or_else(|_| net.parse::<IpAddr>().map(IpNet::from));
                let net = net.ok().filter(|net| {
                    matches!((family, net), ("ip4", IpNet::V4(_)) | ("ip6", IpNet::V6(_)))
                });
                Mechanism::Net(net.ok_or_else(wrong)?)
            }
            ("ptr", _) | ("exists", Some(_)) => Mechanism::Depends,
            _ => return Err(wrong()),
        };
        record.terms.push((answer, mechanism));
    }
    Ok(record)
}

/// Reads `/24//64`; what is left out is all of an address.
fn prefix_lengths(text: &str) -> Option<(u8, u8)> {
    let number = |text: &str, at_most: u8| text.parse().ok().filter(|length| *length <= at_most);
    let (four, six) = match text.split_once("//") {
        Some((four, six)) => (four, number(six, 128)?),
        None => (text, 128),
    };
    match four.strip_prefix('/') {
        Some(four) => Some((number(four, 32)?, six)),
        None => four.is_empty().then_some((32, six)),
    }
}

/// A record with everything that it leads to.
#[derive(Debug, Default)]
pub(super) struct Tree {
    terms: Vec<(Answer, Leaf)>,
    redirect: Option<Box<Tree>>,
}

#[derive(Debug)]
enum Leaf {
    All,
    Nets(Vec<IpNet>),
    Include(Tree),
    Depends,
}

/// Why a record helps nobody.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{0} has no SPF record")]
    Missing(String),
    #[error("{0} has {1} SPF records, so none of them counts")]
    Several(String, usize),
    #[error("the SPF record of {0} cannot be read: {1}")]
    Unreadable(String, String),
    #[error("the SPF record of {0} leads to too many others")]
    Endless(String),
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

/// What was counted on the way.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Terms that make a receiver ask again.
    pub(super) look_ups: usize,
    records: usize,
}

/// Reads the record of `domain` and all that it leads to.
pub(super) fn follow<'f>(
    dns: &'f Dns,
    domain: String,
    count: &'f mut Count,
) -> BoxFuture<'f, Result<Tree, Broken>> {
    Box::pin(async move {
        count.records += 1;
        if count.records > RECORDS_AT_MOST {
            return Err(Broken::Endless(domain));
        }
        let texts = dns.texts(&domain).await?;
        let records: Vec<_> = texts.iter().filter(|text| is_record(text)).collect();
        let record = match records[..] {
            [] => return Err(Broken::Missing(domain)),
            [one] => parse(one).map_err(|why| Broken::Unreadable(domain.clone(), why))?,
            ref several => return Err(Broken::Several(domain, several.len())),
        };
        let mut tree = Tree::default();
        let has_all = record.terms.iter().any(|(_, term)| *term == Mechanism::All);
        for (answer, mechanism) in record.terms {
            let leaf = match mechanism {
                Mechanism::All => Leaf::All,
                Mechanism::Net(net) => Leaf::Nets(vec![net]),
                Mechanism::Include(other) => {
                    count.look_ups += 1;
                    Leaf::Include(follow(dns, other, count).await?)
                }
                Mechanism::Host { mx, domain: other, four, six } => {
                    count.look_ups += 1;
                    let other = other.unwrap_or_else(|| domain.clone());
                    let hosts = if mx { dns.mail_servers(&other).await? } else { vec![other] };
                    let mut nets = Vec::new();
                    for host in hosts.iter().filter(|host| !host.is_empty()).take(10) {
                        for ip in dns.addresses(host).await? {
                            let length = if ip.is_ipv4() { four } else { six };
                            nets.extend(IpNet::new(ip, length).ok());
                        }
                    }
                    Leaf::Nets(nets)
                }
                Mechanism::Depends => {
                    count.look_ups += 1;
                    Leaf::Depends
                }
            };
            tree.terms.push((answer, leaf));
        }
        // Only a record without `all` is continued elsewhere (RFC 7208, 6.1).
        if let Some(other) = record.redirect.filter(|_| !has_all) {
            count.look_ups += 1;
            tree.redirect = Some(Box::new(follow(dns, other, count).await?));
        }
        Ok(tree)
    })
}

impl Tree {
    /// Returns what a receiver concludes about a mail from `ip`; `None` if that depends on the mail.
    pub(super) fn judge(&self, ip: IpAddr) -> Option<Answer> {
        let mut depends = false;
        for (answer, leaf) in &self.terms {
            let matches = match leaf {
                Leaf::All => true,
                Leaf::Nets(nets) => nets.iter().any(|net| net.contains(&ip)),
                Leaf::Include(tree) => {
                    let said = tree.judge(ip);
                    depends |= said.is_none();
                    said == Some(Answer::Pass)
                }
                Leaf::Depends => {
                    depends = true;
                    false
                }
            };
            if matches {
                // A term before it might have matched, and said something else.
                return (!depends || *answer == Answer::Pass).then_some(*answer);
            }
        }
        match &self.redirect {
            _ if depends => None,
            Some(other) => other.judge(ip),
            None => Some(Answer::Neutral),
        }
    }

    /// Whether the whole world may send.
    pub(super) fn is_open(&self) -> bool {
        let is_open = |leaf: &Leaf| match leaf {
            Leaf::All => true,
            Leaf::Include(tree) => tree.is_open(),
            Leaf::Nets(_) | Leaf::Depends => false,
        };
        self.terms.iter().any(|(answer, leaf)| *answer == Answer::Pass && is_open(leaf))
            || self.redirect.as_ref().is_some_and(|tree| tree.is_open())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_read_as_the_standard_has_them() {
        let record =
            parse("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx:example.org/28//64 -all");
        let terms = record.unwrap().terms;
        let host = |mx, domain: Option<&str>, four, six| Mechanism::Host {
            mx,
            domain: domain.map(ToOwned::to_owned),
            four,
            six,
        };
        assert_eq!(
            terms,
            [
                (Answer::Pass, Mechanism::Net("192.0.2.0/24".parse().unwrap())),
                (Answer::Pass, Mechanism::Net("2001:db8::/32".parse().unwrap())),
                (Answer::Pass, host(false, None, 32, 128)),
                (Answer::Pass, host(true, Some("example.org"), 28, 64)),
                (Answer::Fail, Mechanism::All),
            ]
        );
        let record =
            parse("v=spf1 include:_spf.example.org ?exists:%{i}.x.org exp=why.org redirect=r.org");
        let record = record.unwrap();
        assert_eq!(record.redirect.as_deref(), Some("r.org"));
        assert_eq!(record.terms[0].1, Mechanism::Include("_spf.example.org".to_owned()));
        assert_eq!(record.terms[1], (Answer::Neutral, Mechanism::Depends));
        for wrong in
            ["ip4:2001:db8::1", "ip4:192.0.2.0/33", "a/40", "inlcude:x.org", "all:x", "include:"]
        {
            assert!(parse(&format!("v=spf1 {wrong} -all")).unwrap_err().contains("SPF"), "{wrong}");
        }
        assert!(is_record("V=SPF1 -all") && !is_record("v=spf10 -all") && !is_record("spf1"));
    }

    #[test]
    fn a_term_that_depends_on_the_mail_leaves_it_open() {
        let nets = |text: &str| Leaf::Nets(vec![text.parse().unwrap()]);
        let ip = "192.0.2.7".parse().unwrap();
        let judged = |terms| Tree { terms, redirect: None }.judge(ip);
        assert_eq!(judged(vec![(Answer::Pass, nets("192.0.2.0/24"))]), Some(Answer::Pass));
        assert_eq!(judged(vec![(Answer::Fail, Leaf::All)]), Some(Answer::Fail));
        assert_eq!(judged(vec![]), Some(Answer::Neutral));
        assert_eq!(judged(vec![(Answer::Pass, Leaf::Depends), (Answer::Fail, Leaf::All)]), None);
        // Whichever of the two matches, the answer is the same.
        let either = vec![(Answer::Pass, Leaf::Depends), (Answer::Pass, nets("192.0.2.0/24"))];
        assert_eq!(judged(either), Some(Answer::Pass));
        let inside = Tree {
            terms: vec![(Answer::Pass, Leaf::Depends), (Answer::Fail, Leaf::All)],
            redirect: None,
        };
        let included = vec![(Answer::Pass, Leaf::Include(inside)), (Answer::Fail, Leaf::All)];
        assert_eq!(judged(included), None);
        let refused = Tree { terms: vec![(Answer::Fail, Leaf::All)], redirect: None };
        assert_eq!(
            judged(vec![(Answer::Pass, Leaf::Include(refused)), (Answer::SoftFail, Leaf::All)]),
            Some(Answer::SoftFail),
            "a refusal inside an include is no refusal"
        );
    }

    proptest! {
        #[test]
        fn noise_is_refused_or_read_and_never_a_panic(noise in "v=spf1 [ -~äß]{0,80}") {
            let _ = parse(&noise);
        }
    }
}
