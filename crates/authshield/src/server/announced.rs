//! Whom a proxy heard from, told before the first byte of the client: the PROXY protocol, version 2
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ppp::v2::{Addresses, Command, Header, ParseError, Protocol};
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What every header begins with: a signature, what it is, and how long the rest is.
const HEAD: usize = 16;
/// The longest rest that is read, in bytes: addresses, and what proxies add to them.
const REST_AT_MOST: usize = 4096;

/// The proxies that announce each client. Whoever else connects is a client, and believed nothing.
#[derive(Clone)]
pub struct Announcers {
    is_one: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    refused: Counter,
}

/// That the peer of a request is whom a proxy announced: one of its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Announced;

/// Why a connection has no known client.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unannounced {
    #[error("it ended or took too long before its header was whole")]
    Incomplete(#[from] io::Error),
    #[error("it does not begin with a header of the PROXY protocol, version 2: {0}")]
    Other(#[from] ParseError),
    #[error("its header is longer than {REST_AT_MOST} bytes")]
    TooLong,
    #[error("its header names no client that speaks TCP over IP")]
    NoAddress,
}

impl Announcers {
    /// Says who is one, and where it is counted that one of them announced nobody.
    pub fn new(is_one: impl Fn(IpAddr) -> bool + Send + Sync + 'static, refused: Counter) -> Self {
        Self { is_one: Arc::new(is_one), refused }
    }

    /// Returns who is at the other end of what comes from `peer`, or `None` if its proxy does not say: then
    /// nobody can be told apart, and there is no conversation.
    pub(super) async fn client(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        peer: SocketAddr,
        within: std::time::Duration,
    ) -> Option<SocketAddr> {
        if !(self.is_one)(peer.ip().to_canonical()) {
            return Some(peer);
        }
        let read = tokio::time::timeout(within, read(stream, peer));
        let read = read.await.unwrap_or_else(|late| Err(io::Error::from(late).into()));
        read.inspect_err(|error| {
            self.refused.inc();
            tracing::warn!(proxy = %peer.ip(), %error, "a proxy did not announce its client: closed");
        })
        .ok()
    }
}

impl fmt::Debug for Announcers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Announcers(…)")
    }
}

/// Reads the header, and not a byte more.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    peer: SocketAddr,
) -> Result<SocketAddr, Unannounced> {
    let mut header = vec![0; HEAD];
    stream.read_exact(&mut header).await?;
    let rest = match Header::try_from(&*header) {
        Err(ParseError::Partial(_, rest)) => rest,
        // Nothing that names an address is so short, and addresses are judged when all is here.
        Err(ParseError::InvalidAddresses(..)) => return Err(Unannounced::NoAddress),
        Err(error) => return Err(error.into()),
        Ok(_) => 0,
    };
    if rest > REST_AT_MOST {
        return Err(Unannounced::TooLong);
    }
    header.resize(HEAD + rest, 0);
    stream.read_exact(&mut header[HEAD..]).await?;
    let header = Header::try_from(&*header)?;
    match (header.command, header.protocol, header.addresses) {
        // The proxy itself, which looks whether somebody is there.
        (Command::Local, ..) => Ok(peer),
        (Command::Proxy, Protocol::Stream, Addresses::IPv4(of)) => {
            Ok(SocketAddr::from((of.source_address, of.source_port)))
        }
        (Command::Proxy, Protocol::Stream, Addresses::IPv6(of)) => {
            Ok(SocketAddr::from((of.source_address, of.source_port)))
        }
        (Command::Proxy, ..) => Err(Unannounced::NoAddress),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    const V4: [u8; 12] = [203, 0, 113, 9, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, rest].concat()
    }

    /// Returns who is told, and what is left for the conversation.
    fn told(bytes: &[u8]) -> (Result<String, String>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut left = bytes;
        let peer = "10.0.0.7:1".parse().unwrap();
        let read = runtime.block_on(read(&mut left, peer));
        (read.map(|it| it.to_string()).map_err(|it| it.to_string()), left.to_vec())
    }

    #[test]
    fn the_client_is_whom_the_header_names() {
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 7;
        v6[32..34].copy_from_slice(&[0, 80]);
        let more = [&V4[..], &[0xee, 0, 3, 1, 2, 3]].concat();
        for (bytes, client) in [
            (header(0x21, 0x11, &V4), "203.0.113.9:12345"),
            (header(0x21, 0x11, &more), "203.0.113.9:12345"),
            (header(0x21, 0x21, &v6), "[2001::7]:80"),
            // The proxy asks for itself, whatever it says besides.
            (header(0x20, 0x00, &[]), "10.0.0.7:1"),
            (header(0x20, 0x11, &V4), "10.0.0.7:1"),
        ] {
            let (client, said) = (Ok(client.to_owned()), b"GET / HTTP/1.1");
            assert_eq!(
                told(&[&bytes, &said[..]].concat()),
                (client, said.to_vec()),
                "{bytes:02x?}"
            );
        }
    }

    /// Attack: A02
    #[test]
    fn whoever_is_not_named_is_nobody() {
        let long = vec![0; REST_AT_MOST + 1];
        let whole = header(0x21, 0x11, &V4);
        for (bytes, why) in [
            (&b"GET /api/v1/health HTTP/1.1\r\n\r\n"[..], "does not begin"),
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 12345 443\r\n", "does not begin"),
            (&header(0x11, 0x11, &V4), "does not begin"),
            (&header(0x22, 0x11, &V4), "does not begin"),
            (&header(0x21, 0x41, &V4), "does not begin"),
            (&header(0x21, 0x11, &V4[..11]), "names no client"),
            (&header(0x21, 0x12, &V4), "names no client"),
            (&header(0x21, 0x00, &[]), "names no client"),
            (&header(0x21, 0x31, &[7; 216]), "names no client"),
            (&header(0x21, 0x11, &long), "longer than"),
            (&whole[..HEAD - 1], "ended"),
            (&whole[..whole.len() - 1], "ended"),
        ] {
            let error = told(bytes).0.unwrap_err();
            assert!(error.contains(why), "{bytes:02x?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn noise_is_refused_and_never_panics(
            noise in proptest::collection::vec(any::<u8>(), 0..300), signed in any::<bool>(),
        ) {
            let bytes = if signed { [SIGNATURE, &noise].concat() } else { noise };
            let (client, left) = told(&bytes);
            prop_assert!(client.is_err() || bytes.ends_with(&left));
        }
    }
}
