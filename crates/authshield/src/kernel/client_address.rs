//! Who is at the other end, when proxies stand between.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

/// Where a request came from.
///
/// `Forwarded` (RFC 7239) and `X-Forwarded-For` are lists to which every proxy appends whom it
/// heard from, and whose left part anybody can make up. So they are believed only if the peer is
/// one of our own proxies, and are read from the right: the first address that is not one of our
/// proxies is the client. An element that is not an address ends the reading, and the last hop that
/// was understood is the client, if need be the peer: doubt never gives anybody a fresh identity.
///
/// If both fields are there and lead to different clients, a proxy wrote one of them and passed on
/// the other as it came. Nobody can know which, so neither is believed and the peer counts. That
/// hurts only who sends such a field: requests that do not contradict themselves are not counted
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The address; an IPv4 address inside IPv6 is IPv4.
    pub ip: IpAddr,
    /// Whether a trusted proxy says that the client spoke https to it, `None` if none says. Good
    /// for advice, not for decisions: not every proxy overwrites what clients claim.
    pub https: Option<bool>,
}

impl ClientAddress {
    /// Works out the client from the `peer` of the connection and what `trusted` proxies say.
    #[must_use]
    pub fn resolve(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        if !is_trusted(peer, trusted) {
            return Self { ip: peer, https: None };
        }
        let standard = headers
            .contains_key(header::FORWARDED)
            .then(|| last_untrusted(peer, &forwarded(headers), trusted));
        let customary = headers
            .contains_key(X_FORWARDED_FOR)
            .then(|| last_untrusted(peer, &x_forwarded(headers), trusted));
        match (standard, customary) {
            (None, None) => Self { ip: peer, https: proto_at(headers, 0) },
            (Some(client), None) | (None, Some(client)) => client,
            (Some(one), Some(other)) if one.ip == other.ip => {
                let https = match (one.https, other.https) {
                    (Some(one), Some(other)) if one != other => None,
                    (one, other) => one.or(other),
                };
                Self { ip: one.ip, https }
            }
            (Some(_), Some(_)) => Self { ip: peer, https: None },
        }
    }

    /// Returns the neighbourhood of the client: the /24 of an IPv4 address, the /48 of an IPv6 address. Whoever
    /// has many addresses has them side by side.
    ///
    /// ```
    /// # use authshield::kernel::ClientAddress;
    /// let client = |ip: &str| ClientAddress { ip: ip.parse().unwrap(), https: None };
    /// assert_eq!(client("203.0.113.7").site(), "203.0.113.0/24");
    /// assert_eq!(client("2001:db8:1:2:3:4:5:6").site(), "2001:db8:1::/48");
    /// ```
    #[must_use]
    pub fn site(&self) -> String {
        let bits = if self.ip.is_ipv4() { 24 } else { 48 };
        IpNet::new(self.ip, bits).map_or_else(|_| self.network(), |net| net.trunc().to_string())
    }

    /// Returns whom to count a request against: an IPv4 address, or the /64 of an IPv6 address,
    /// since whoever has one address of a /64 has all of them.
    ///
    /// ```
    /// # use authshield::kernel::ClientAddress;
    /// let client = |ip: &str| ClientAddress { ip: ip.parse().unwrap(), https: None };
    /// assert_eq!(client("203.0.113.7").network(), "203.0.113.7");
    /// assert_eq!(client("2001:db8:1:2:3:4:5:6").network(), "2001:db8:1:2::/64");
    /// ```
    #[must_use]
    pub fn network(&self) -> String {
        match self.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let network = Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64));
                format!("{network}/64")
            }
        }
    }
}

/// Returns the request id that a trusted proxy gave, if it is fit to be written down: one header,
/// of 1 to 128 letters, digits and signs that need no quoting in logs.
#[must_use]
pub fn request_id_from(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<String> {
    if !is_trusted(peer.to_canonical(), trusted) {
        return None;
    }
    let mut lines = headers.get_all(X_REQUEST_ID).iter();
    let id = lines.next()?.to_str().ok()?;
    let is_sane = lines.next().is_none()
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/+=@".contains(&b));
    is_sane.then(|| id.to_owned())
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Returns whether an address, in its canonical form, is that of one of our own proxies.
#[must_use]
pub fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&ip))
}

/// Walks `hops` from the right to the first that is not ours.
fn last_untrusted(
    peer: IpAddr,
    hops: &[Option<ClientAddress>],
    trusted: &[IpNet],
) -> ClientAddress {
    let mut client = ClientAddress { ip: peer, https: None };
    for hop in hops.iter().rev() {
        let Some(hop) = hop else { break };
        client = *hop;
        if !is_trusted(hop.ip, trusted) {
            break;
        }
    }
    client
}

/// Returns the lines of a field in the order in which they came. What is not UTF-8 becomes U+FFFD,
/// which no address has.
fn lines(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect()
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Option<ClientAddress>> {
    let lines = lines(headers, &X_FORWARDED_FOR);
    let mut hops: Vec<_> =
        lines.iter().flat_map(|line| line.split(',')).map(|text| node(text.trim())).collect();
    hops.reverse();
    let mut hops: Vec<_> = hops
        .into_iter()
        .enumerate()
        .map(|(from_right, ip)| {
            Some(ClientAddress { ip: ip?, https: proto_at(headers, from_right) })
        })
        .collect();
    hops.reverse();
    hops
}

/// Returns what `X-Forwarded-Proto` says of the hop that stands `from_right` in `X-Forwarded-For`.
/// Proxies that keep no list leave one value, which then is that of all hops.
fn proto_at(headers: &HeaderMap, from_right: usize) -> Option<bool> {
    let lines = lines(headers, &X_FORWARDED_PROTO);
    let values: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    let last = values.len().checked_sub(1)?;
    is_https(values[last.saturating_sub(from_right)])
}

fn is_https(scheme: &str) -> Option<bool> {
    match scheme {
        scheme if scheme.eq_ignore_ascii_case("https") => Some(true),
        scheme if scheme.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

/// Reads `Forwarded`. A line whose quotation marks do not pair is one element that nobody
/// understands: were it split all the same, a client could quote away what a proxy appended.
fn forwarded(headers: &HeaderMap) -> Vec<Option<ClientAddress>> {
    let lines = lines(headers, &header::FORWARDED);
    lines
        .iter()
        .flat_map(|line| match split_unquoted(line, ',') {
            Some(elements) => elements.into_iter().map(forwarded_element).collect(),
            None => vec![None],
        })
        .collect()
}

/// Reads one `for=…;proto=…;by=…;host=…`.
fn forwarded_element(element: &str) -> Option<ClientAddress> {
    let (mut ip, mut https) = (None, None);
    for pair in split_unquoted(element, ';')? {
        let (name, value) = pair.trim().split_once('=')?;
        let value = unquote(value)?;
        if name.eq_ignore_ascii_case("for") {
            if ip.replace(node(&value)?).is_some() {
                return None;
            }
        } else if name.eq_ignore_ascii_case("proto") {
            https = is_https(&value);
        }
    }
    Some(ClientAddress { ip: ip?, https })
}

/// Splits where `separator` stands outside quotation marks; `None` if these do not pair.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// Returns the value of a token or a quoted string (RFC 9110, 5.6.4).
fn unquote(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let inner = inner.strip_suffix('"')?;
    let (mut value, mut chars) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?),
            '"' => return None,
            c => value.push(c),
        }
    }
    Some(value)
}

/// Reads an address, with or without brackets and a port.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let ip = match (bare, text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
        (Some(bare), ..) => IpAddr::V6(bare.parse().ok()?),
        (None, Ok(ip), _) => ip,
        (None, Err(_), Ok(address)) => address.ip(),
        (None, Err(_), Err(_)) => return None,
    };
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn proxies() -> Vec<IpNet> {
        ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|net| net.parse().expect("a network")).to_vec()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    fn resolve(peer: &str, lines: &[(&'static str, &str)]) -> ClientAddress {
        ClientAddress::resolve(peer.parse().expect("a peer"), &headers(lines), &proxies())
    }

    const XFF: &str = "x-forwarded-for";
    const XFP: &str = "x-forwarded-proto";
    const FWD: &str = "forwarded";

    #[test]
    fn a02_an_untrusted_peer_is_itself_whatever_it_sends() {
        for lines in [
            &[(XFF, "203.0.113.9")][..],
            &[(XFF, "203.0.113.9"), (XFF, "198.51.100.1")],
            &[(FWD, "for=203.0.113.9;proto=https")],
            &[("x-real-ip", "203.0.113.9")],
            &[(XFF, "10.0.0.1"), (XFP, "https")],
            &[(XFF, "a")],
            &[(XFF, "")],
        ] {
            let expected = ClientAddress { ip: [192, 0, 2, 1].into(), https: None };
            assert_eq!(resolve("192.0.2.1", lines), expected, "{lines:?}");
            assert_eq!(resolve("::ffff:192.0.2.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn v15_3_4_the_right_most_untrusted_hop_is_the_client() {
        for (lines, expected) in [
            (&[][..], PROXY),
            (&[(XFF, "203.0.113.9")], "203.0.113.9"),
            (&[(XFF, "1.1.1.1, 203.0.113.9")], "203.0.113.9"),
            (&[(XFF, "1.1.1.1,203.0.113.9,10.0.0.2")], "203.0.113.9"),
            (&[(XFF, "1.1.1.1"), (XFF, "203.0.113.9, 10.0.0.2")], "203.0.113.9"),
            (&[(XFF, "203.0.113.9"), (XFF, "1.1.1.1")], "1.1.1.1"),
            (&[(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (&[(XFF, "203.0.113.9:4711")], "203.0.113.9"),
            (&[(XFF, "2001:db8::9")], "2001:db8::9"),
            (&[(XFF, "[2001:db8::9]")], "2001:db8::9"),
            (&[(XFF, "[2001:db8::9]:4711")], "2001:db8::9"),
            (&[(XFF, "::ffff:203.0.113.9")], "203.0.113.9"),
            (&[(XFF, "203.0.113.9, ::ffff:10.0.0.2")], "203.0.113.9"),
            (&[(XFF, "203.0.113.9, 2001:db8:ffff::1")], "203.0.113.9"),
            (&[(XFF, "a")], PROXY),
            (&[(XFF, "")], PROXY),
            (&[(XFF, "203.0.113.9, ")], PROXY),
            (&[(XFF, "203.0.113.9, unknown")], PROXY),
            (&[(XFF, "203.0.113.9, unknown, 10.0.0.2")], "10.0.0.2"),
            (&[(XFF, "203.0.113.9, 10.0.0.300, 10.0.0.2")], "10.0.0.2"),
            (&[(XFF, "a, 203.0.113.9")], "203.0.113.9"),
            (&[(XFF, "203.0.113.9\u{e4}")], PROXY),
            (&[(XFF, "fe80::1%eth0")], PROXY),
            (&[(XFF, "[203.0.113.9]")], PROXY),
            (&[(XFF, "203.0.113.9:99999")], PROXY),
            (&[(XFF, "0x7f000001")], PROXY),
            (&[("x-real-ip", "203.0.113.9")], PROXY),
            (&[(FWD, "for=203.0.113.9")], "203.0.113.9"),
            (&[(FWD, "For=203.0.113.9;Proto=https;by=10.0.0.1")], "203.0.113.9"),
            (&[(FWD, "for=1.1.1.1, for=203.0.113.9; proto=http")], "203.0.113.9"),
            (&[(FWD, "for=1.1.1.1"), (FWD, "for=203.0.113.9")], "203.0.113.9"),
            (&[(FWD, "for=203.0.113.9, for=10.0.0.2")], "203.0.113.9"),
            (&[(FWD, "for=\"203.0.113.9:4711\"")], "203.0.113.9"),
            (&[(FWD, "for=\"[2001:db8::9]\"")], "2001:db8::9"),
            (&[(FWD, "for=\"[2001:db8::9]:4711\"")], "2001:db8::9"),
            (&[(FWD, "for=\"\\[2001:db8::9]\"")], "2001:db8::9"),
            (&[(FWD, "host=\"a, for=1.1.1.1\";for=203.0.113.9")], "203.0.113.9"),
            (&[(FWD, "for=unknown")], PROXY),
            (&[(FWD, "for=_hidden")], PROXY),
            (&[(FWD, "for=1.1.1.1, for=_hidden, for=10.0.0.2")], "10.0.0.2"),
            (&[(FWD, "proto=https")], PROXY),
            (&[(FWD, "for=1.1.1.1;for=203.0.113.9")], PROXY),
            (&[(FWD, "for=\"1.1.1.1, for=203.0.113.9")], PROXY),
            (&[(FWD, "for=1.1.1.1;x=\", for=\"[2001:db8::9]\"")], PROXY),
            (&[(FWD, "for=\"1.1.1.1"), (FWD, "for=203.0.113.9")], "203.0.113.9"),
            (&[(FWD, "for=203.0.113.9"), (XFF, "203.0.113.9, 10.0.0.2")], "203.0.113.9"),
            (&[(FWD, "for=1.1.1.1"), (XFF, "203.0.113.9")], PROXY),
            (&[(FWD, "for=203.0.113.9"), (XFF, "1.1.1.1")], PROXY),
            (&[(FWD, "nonsense"), (XFF, "203.0.113.9")], PROXY),
        ] {
            let found = resolve(PROXY, lines).ip.to_string();
            assert_eq!(found, expected, "{lines:?}");
        }
    }

    #[test]
    fn the_scheme_is_the_one_the_client_spoke() {
        for (lines, expected) in [
            (&[(XFF, "203.0.113.9")][..], None),
            (&[(XFF, "203.0.113.9"), (XFP, "https")], Some(true)),
            (&[(XFF, "203.0.113.9"), (XFP, "HTTP")], Some(false)),
            (&[(XFF, "203.0.113.9"), (XFP, "https, http")], Some(false)),
            (&[(XFF, "203.0.113.9, 10.0.0.2"), (XFP, "https, http")], Some(true)),
            (&[(XFF, "203.0.113.9, 10.0.0.2"), (XFP, "https")], Some(true)),
            (&[(XFF, "203.0.113.9"), (XFP, "gopher")], None),
            (&[(XFF, "203.0.113.9"), (XFP, "")], None),
            (&[(XFP, "https")], Some(true)),
            (&[(FWD, "for=203.0.113.9;proto=https, for=10.0.0.2;proto=http")], Some(true)),
            (&[(FWD, "for=203.0.113.9;proto=https"), (XFF, "203.0.113.9")], Some(true)),
            (&[(FWD, "for=203.0.113.9;proto=https"), (XFF, "203.0.113.9"), (XFP, "http")], None),
        ] {
            assert_eq!(resolve(PROXY, lines).https, expected, "{lines:?}");
        }
    }

    #[test]
    fn a02_an_ipv6_client_is_its_64() {
        let network = |ip: &str| resolve(ip, &[]).network();
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn only_a_trusted_proxy_names_requests_and_only_sanely() {
        let longest = "a".repeat(128);
        let too_long = "a".repeat(129);
        for (peer, lines, expected) in [
            (
                PROXY,
                &[("x-request-id", "0f9c-1.2_3:4/5+6=7@8~9")][..],
                Some("0f9c-1.2_3:4/5+6=7@8~9"),
            ),
            (PROXY, &[("x-request-id", &longest)], Some(&*longest)),
            (PROXY, &[("x-request-id", &too_long)], None),
            (PROXY, &[("x-request-id", "")], None),
            (PROXY, &[("x-request-id", "a b")], None),
            (PROXY, &[("x-request-id", "a\"b")], None),
            (PROXY, &[("x-request-id", "a{b}")], None),
            (PROXY, &[("x-request-id", "ä")], None),
            (PROXY, &[("x-request-id", "a"), ("x-request-id", "b")], None),
            (PROXY, &[], None),
            ("192.0.2.1", &[("x-request-id", "a")], None),
        ] {
            let peer = peer.parse().expect("a peer");
            let found = request_id_from(peer, &headers(lines), &proxies());
            assert_eq!(found.as_deref(), expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn a02_nothing_before_what_the_proxy_wrote_matters(
            claim in "[ -~]{0,60}", same_line: bool
        ) {
            let appended = if same_line {
                headers(&[(XFF, &format!("{claim}, 203.0.113.9"))])
            } else {
                headers(&[(XFF, &claim), (XFF, "203.0.113.9")])
            };
            let peer = PROXY.parse().expect("a peer");
            let client = ClientAddress::resolve(peer, &appended, &proxies());
            prop_assert_eq!(client.ip.to_string(), "203.0.113.9");
        }

        #[test]
        fn a02_nothing_before_an_element_of_forwarded_gives_a_new_identity(
            claim in "(for=|1\\.1\\.1\\.1|\"|\\\\|,|;| |\\[2001:db8::1\\]|proto=https|[ -~]){0,12}",
            quoted: bool,
        ) {
            let real = if quoted { "for=\"[2001:db8::9]\"" } else { "for=203.0.113.9" };
            let joined = headers(&[(FWD, &format!("{claim}, {real}"))]);
            let client = ClientAddress::resolve(PROXY.parse().expect("a peer"), &joined, &proxies());
            let expected = if quoted { "2001:db8::9" } else { "203.0.113.9" };
            let found = client.ip.to_string();
            prop_assert!(found == expected || found == PROXY, "{}: {}", claim, found);
        }

        #[test]
        fn no_header_is_too_strange(
            lines in proptest::collection::vec(
                (0..4_usize, proptest::collection::vec(b' '..=255_u8, 0..40)), 0..6
            ),
        ) {
            let mut headers = HeaderMap::new();
            for (which, value) in lines {
                let name = [XFF, XFP, FWD, "x-request-id"][which];
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    headers.append(name, value);
                }
            }
            let peer = PROXY.parse().expect("a peer");
            let _ = ClientAddress::resolve(peer, &headers, &proxies()).network();
            let _ = request_id_from(peer, &headers, &proxies());
        }
    }
}
