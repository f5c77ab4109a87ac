//! Whom the service took for the client, and what that says about the proxies that it trusts.

use std::net::IpAddr;

/// How a question arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Who was at the other end.
    pub(super) peer: Seen,
    /// Whether that is whom a trusted proxy announced.
    pub(super) announced: bool,
    /// Whom the service took for the client.
    pub(super) client: Seen,
    /// Whether a proxy said whom it heard from.
    pub(super) named: bool,
    /// Whether a proxy was there at all, as far as anybody can tell.
    pub(super) proxied: bool,
}

/// An address, and whether it is that of a trusted proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) ip: IpAddr,
    pub(super) trusted: bool,
}

/// From where somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker {
    /// Its address, before anybody translated it.
    pub(super) ours: IpAddr,
    /// Whether it is a client like any other, and not the service itself.
    pub(super) outside: bool,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A client can make up its address in this field.
    Believed(&'static str),
    /// The proxy is not one that is trusted: every client has its address.
    NotTrusted(IpAddr),
    /// The proxy does not say whom it heard from: every client has its address.
    Silent(IpAddr),
    /// Every client has the address of something in between.
    OneAddress(IpAddr),
}

/// What is to be said about trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is as it should be: this is who the client was, and whether a proxy was there.
    Right { client: IpAddr, proxied: bool },
    /// The asker is one of those that are trusted, so nothing can be told.
    NotTestable(IpAddr),
    /// It is not.
    Wrong(Fault),
}

/// Judges how a question arrived without anything made up, and how it did with `forged` as the client
/// in each of these fields.
pub(super) fn judge(
    plain: Arrival,
    made_up: &[(&'static str, Arrival)],
    forged: IpAddr,
    forged_trusted: bool,
    asker: Asker,
) -> Trust {
    // Who asks from a trusted address may say what it likes; a proxy that says nothing looks the same
    // only if it has the asker's own address.
    let asker_trusted =
        plain.client.trusted && (plain.client.ip == asker.ours || plain.named) && !asker.outside;
    let believed = made_up.iter().find(|(_, arrival)| arrival.client.ip == forged);
    match believed {
        Some((field, _)) if forged_trusted || !asker_trusted => {
            return Trust::Wrong(Fault::Believed(field));
        }
        _ if forged_trusted => return Trust::Wrong(Fault::Believed("X-Forwarded-For")),
        _ => {}
    }
    let (peer, client) = (plain.peer.ip, plain.client.ip);
    if plain.proxied && !plain.peer.trusted && !plain.announced {
        return Trust::Wrong(Fault::NotTrusted(peer));
    }
    if plain.client.trusted {
        return match () {
            () if asker_trusted => Trust::NotTestable(client),
            () if client == peer => Trust::Wrong(Fault::Silent(peer)),
            () => Trust::Wrong(Fault::OneAddress(client)),
        };
    }
    // From outside, nobody comes from a private address: something in between has it.
    if asker.outside && !plain.proxied && peer != asker.ours && is_private(peer) {
        return Trust::Wrong(Fault::OneAddress(peer));
    }
    Trust::Right { client, proxied: plain.proxied }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    const FORGED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const PROXY: u8 = 2;
    const ASKER: u8 = 5;

    /// Arrives at the service from `peer`, which took `client` for the client.
    fn arrives(peer: u8, client: IpAddr, trusted: &[u8], named: bool, proxied: bool) -> Arrival {
        let seen = |address| {
            let trusted = trusted.iter().any(|last| ip(*last) == address);
            Seen { ip: address, trusted }
        };
        Arrival { peer: seen(ip(peer)), announced: false, client: seen(client), named, proxied }
    }

    fn judged(plain: Arrival, believed: bool, outside: bool) -> Trust {
        let forged = Seen { ip: FORGED, trusted: false };
        let client = if believed { forged } else { plain.client };
        let made_up = [("X-Forwarded-For", Arrival { client, named: true, ..plain })];
        judge(plain, &made_up, FORGED, false, Asker { ours: ip(ASKER), outside })
    }

    #[test]
    fn a_proxy_is_trusted_neither_too_little_nor_too_far() {
        let right = |proxied| Trust::Right { client: ip(ASKER), proxied };
        let wrong = Trust::Wrong;
        let direct = arrives(ASKER, ip(ASKER), &[], false, false);
        let appends = arrives(PROXY, ip(ASKER), &[PROXY], true, true);
        let silent = arrives(PROXY, ip(PROXY), &[PROXY], false, true);
        let unknown = arrives(PROXY, ip(PROXY), &[], true, true);
        for (plain, believed, expected) in [
            (direct, false, right(false)),
            (appends, false, right(true)),
            // It hands on what clients say.
            (appends, true, wrong(Fault::Believed("X-Forwarded-For"))),
            (silent, true, wrong(Fault::Believed("X-Forwarded-For"))),
            (silent, false, wrong(Fault::Silent(ip(PROXY)))),
            (unknown, false, wrong(Fault::NotTrusted(ip(PROXY)))),
            (
                Arrival { announced: true, ..arrives(ASKER, ip(ASKER), &[PROXY], false, true) },
                false,
                right(true),
            ),
            // Behind a network that is the first hop for everybody.
            (arrives(PROXY, ip(3), &[PROXY, 3], true, true), false, Trust::NotTestable(ip(3))),
            // The asker itself is trusted.
            (
                arrives(PROXY, ip(ASKER), &[PROXY, ASKER], true, true),
                true,
                Trust::NotTestable(ip(ASKER)),
            ),
            (
                arrives(ASKER, ip(ASKER), &[ASKER], false, false),
                true,
                Trust::NotTestable(ip(ASKER)),
            ),
        ] {
            assert_eq!(judged(plain, believed, false), expected, "{plain:?} {believed}");
        }
    }

    #[test]
    fn from_outside_nobody_has_a_trusted_address() {
        let hop = arrives(PROXY, ip(3), &[PROXY, 3], true, true);
        assert_eq!(judged(hop, false, true), Trust::Wrong(Fault::OneAddress(ip(3))));
        let hidden = arrives(PROXY, ip(PROXY), &[], false, false);
        assert_eq!(judged(hidden, false, true), Trust::Wrong(Fault::OneAddress(ip(PROXY))));
        let translated = Trust::Right { client: ip(PROXY), proxied: false };
        assert_eq!(judged(hidden, false, false), translated);
        let own = arrives(PROXY, ip(ASKER), &[PROXY, ASKER], true, true);
        let believed = Trust::Wrong(Fault::Believed("X-Forwarded-For"));
        assert_eq!(judged(own, true, true), believed);
    }

    #[test]
    fn who_trusts_addresses_that_nobody_has_trusts_everybody() {
        let plain = arrives(PROXY, ip(ASKER), &[PROXY], true, true);
        let asker = Asker { ours: ip(ASKER), outside: false };
        let wrong = Trust::Wrong(Fault::Believed("X-Forwarded-For"));
        assert_eq!(judge(plain, &[], FORGED, true, asker), wrong);
    }
}
