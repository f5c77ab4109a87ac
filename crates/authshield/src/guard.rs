//! Requests to others: which addresses they may lead to, which is none inside unless somebody said so; and how much
//! of an answer is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use reqwest::Response;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Lets requests go to public addresses and to those that were named, whatever a name resolves to at the
/// moment: it looks at the addresses that are connected to.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    named: Vec<IpNet>,
    setting: &'static str,
}

impl Guard {
    /// Lets requests go to these networks as well, which `setting` names.
    #[must_use]
    pub(crate) fn new(named: Vec<IpNet>, setting: &'static str) -> Self {
        Self { named, setting }
    }

    /// Whether requests may go to `address`.
    #[must_use]
    pub(crate) fn lets(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.named.iter().any(|network| network.contains(&address))
    }

    /// Whether requests may go to `url`, as far as its text tells: a name is looked at when it is resolved.
    #[must_use]
    pub(crate) fn lets_url(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.lets(address.into()),
            Some(Host::Ipv6(address)) => self.lets(address.into()),
            Some(Host::Domain(name)) => !name.is_empty(),
            None => false,
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (good, bad): (Vec<_>, Vec<_>) = found.partition(|found| guard.lets(found.ip()));
            if good.is_empty() && !bad.is_empty() {
                let setting = guard.setting;
                return Err(
                    format!("it is an address inside, which {setting} does not name").into()
                );
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

/// Reads an answer; nothing if it is longer than `at_most` bytes.
pub(crate) async fn body_at_most(
    mut answer: Response,
    at_most: usize,
) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > at_most {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// What IANA has not set aside for something else.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

/// Only global unicast, and of that nothing that leads to an address of the older kind.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    let special = a == 0x2002 || a == 0x2001 && (b < 0x0200 || b == 0x0db8);
    let documentation = a == 0x3fff && b < 0x1000;
    global && !special && !documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J07: every way to write an address that is inside.
    /// ASVS: V1.3.6
    #[test]
    fn j07_no_spelling_of_an_inner_address_is_let_through() {
        let guard = Guard::new(Vec::new(), SETTING);
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0177.0.0.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0.0.0.0/",
            "https://10.0.0.1/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://100.64.0.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[2001:0:1::]/",
            "https://[fe80::1]/",
            "https://[fc00::1]/",
            "https://[fd00:ec2::254]/",
            "https://[ff02::1]/",
        ] {
            assert!(!guard.lets_url(&url.parse().unwrap()), "{url}");
        }
        for url in [
            "https://93.184.215.14/",
            "https://[2606:2800:21f:cb07::1]/",
            "https://hooks.example.org/",
        ] {
            assert!(guard.lets_url(&url.parse().unwrap()), "{url}");
        }
    }

    const SETTING: &str = "export_webhook.private_networks";

    #[test]
    fn what_was_named_is_let_through_and_nothing_beside_it() {
        let guard = Guard::new(
            vec!["10.1.0.0/16".parse().unwrap(), "fd00:1::/32".parse().unwrap()],
            SETTING,
        );
        for (address, lets) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("fd00:1::5", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("fd00:2::5", false),
        ] {
            assert_eq!(guard.lets(address.parse().unwrap()), lets, "{address}");
        }
    }

    /// J07: a name that leads inside, by the time it is looked up.
    /// ASVS: V1.3.6
    #[tokio::test]
    async fn j07_a_name_that_leads_inside_is_resolved_to_nothing() {
        let refused = Guard::new(Vec::new(), SETTING).resolve("localhost".parse().unwrap()).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("private_networks")));
        let named =
            Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()], SETTING);
        assert!(named.resolve("localhost".parse().unwrap()).await.unwrap().next().is_some());
    }
}
