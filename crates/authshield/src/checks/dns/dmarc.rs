//! DMARC (RFC 9989): what receivers do with mail that only claims to be from us.

use super::dkim::tags;
use crate::dns::{Dns, Unanswered};

/// How many names are asked at most, from the sender's upwards (RFC 9989, 4.10).
const QUERIES_AT_MOST: usize = 8;

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// Where it was found.
    pub(super) domain: String,
    /// `none`, `quarantine` or `reject`.
    pub(super) action: String,
    /// Whether the domain of DKIM must be the sender's own.
    pub(super) strict_dkim: bool,
    /// Whether the domain of SPF must be the sender's own.
    pub(super) strict_spf: bool,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("neither {0} nor a domain above it has a DMARC record")]
    Missing(String),
    #[error("_dmarc.{0} has {1} DMARC records, so none of them counts")]
    Several(String, usize),
    #[error("the DMARC record of {0} has no policy (`p=`) that receivers know")]
    NoPolicy(String),
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

/// Looks for the policy of `domain`: its own, or the one of the nearest domain above it.
pub(super) async fn find(dns: &Dns, domain: &str) -> Result<Policy, Broken> {
    for name in upwards(domain) {
        let texts = dns.texts(&format!("_dmarc.{name}")).await?;
        let records: Vec<_> = texts.iter().filter(|text| is_record(text)).collect();
        match records[..] {
            [] => {}
            [one] => return parse(name, one).ok_or_else(|| Broken::NoPolicy(name.to_owned())),
            ref several => return Err(Broken::Several(name.to_owned(), several.len())),
        }
    }
    Err(Broken::Missing(domain.to_owned()))
}

/// Returns the names whose record may speak for `domain`, the nearest first; not those at the very top.
fn upwards(domain: &str) -> Vec<&str> {
    let starts = std::iter::once(0).chain(domain.match_indices('.').map(|(at, _)| at + 1));
    let mut names: Vec<_> =
        starts.map(|at| &domain[at..]).filter(|name| name.contains('.')).collect();
    if names.len() > QUERIES_AT_MOST {
        // The name itself, and then the last ones.
        names.drain(1..=names.len() - QUERIES_AT_MOST);
    }
    names
}

fn is_record(text: &str) -> bool {
    tags(text).first() == Some(&("v", "DMARC1"))
}

fn parse(domain: &str, text: &str) -> Option<Policy> {
    let tags = tags(text);
    let tag = |name: &str| tags.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let action = tag("p")?.to_ascii_lowercase();
    ["none", "quarantine", "reject"].contains(&&*action).then(|| Policy {
        domain: domain.to_owned(),
        action,
        strict_dkim: tag("adkim") == Some("s"),
        strict_spf: tag("aspf") == Some("s"),
    })
}

impl Policy {
    /// Whether mail from `sender` counts as authenticated by `other`.
    ///
    /// Relaxed, both must be below the domain that the record was found at. Where that is the sender's
    /// own, a record further up could join them too; a receiver may see more alignment than this.
    pub(super) fn aligns(&self, strict: bool, sender: &str, other: &str) -> bool {
        let is_below = |name: &str| {
            name == self.domain
                || name.strip_suffix(&*self.domain).is_some_and(|it| it.ends_with('.'))
        };
        sender == other || (!strict && is_below(sender) && is_below(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_record_speaks_for_a_domain() {
        assert_eq!(
            upwards("mail.id.example.org"),
            ["mail.id.example.org", "id.example.org", "example.org"]
        );
        assert_eq!(upwards("example.org"), ["example.org"]);
        let deep = upwards("a.b.c.d.e.f.g.h.i.example.org");
        assert_eq!(
            (deep.len(), deep[0], deep[7]),
            (8, "a.b.c.d.e.f.g.h.i.example.org", "example.org")
        );
    }

    #[test]
    fn a_record_has_a_policy_that_receivers_know() {
        let read = |text| parse("example.org", text);
        let policy = read("v=DMARC1; p=Reject; adkim=s").unwrap();
        assert_eq!(
            (&*policy.action, policy.strict_dkim, policy.strict_spf),
            ("reject", true, false)
        );
        assert_eq!(read("v=DMARC1; sp=none"), None);
        assert_eq!(read("v=DMARC1; p=deny"), None);
        assert!(
            is_record("v=DMARC1; p=none") && !is_record("p=none; v=DMARC1") && !is_record("v=spf1")
        );
    }

    #[test]
    fn alignment_is_strict_only_where_it_is_said() {
        let policy = parse("example.org", "v=DMARC1; p=none").unwrap();
        assert!(policy.aligns(false, "example.org", "bounce.example.org"));
        assert!(policy.aligns(true, "example.org", "example.org"));
        assert!(!policy.aligns(true, "example.org", "bounce.example.org"));
        assert!(!policy.aligns(false, "example.org", "notexample.org"));
        assert!(!policy.aligns(false, "example.org", "relay.example.net"));
    }
}
