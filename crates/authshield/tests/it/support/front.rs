//! A reverse proxy of our own, as the world meets one: it ends TLS, connects to the service from an
//! address of its own, and says of its clients what a test wants it to say.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::smtp_server::Certificate;

/// From where it connects to the service.
pub(crate) const HOP: &str = "127.0.0.2";

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Appends whom it heard from, and drops what it does not know: as it should.
    Appends,
    /// Hands on what clients say of themselves.
    PassesOn,
    /// Looks into nothing, and announces each client by the PROXY protocol.
    Announces,
    /// Says nothing of its clients.
    Silent,
    /// Answers 503 by itself.
    Closed,
    /// Sends clients on to another address.
    Redirects,
    /// Takes requests and answers none.
    Hangs,
}

struct State {
    manner: Mutex<Manner>,
    acceptor: Mutex<TlsAcceptor>,
    to: Mutex<SocketAddr>,
}

/// The proxy; it ends with the test.
pub(crate) struct Front {
    pub(crate) port: u16,
    /// The authority that its certificate was signed by.
    pub(crate) authority: PathBuf,
    folder: tempfile::TempDir,
    state: Arc<State>,
}

/// The name that its certificate is for.
pub(crate) const NAME: &str = "id.authshield.dev";

impl Front {
    /// Stands in front of the service that listens at `port`, with a certificate that lasts `days`.
    pub(crate) async fn before(port: u16, days: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Certificate::make(folder.path(), &format!("DNS:{NAME}"));
        let certificate = Certificate::renewed(folder.path(), 0, days);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            manner: Mutex::new(Manner::Appends),
            acceptor: Mutex::new(certificate.acceptor()),
            to: Mutex::new(SocketAddr::from(([127, 0, 0, 1], port))),
        });
        let (at, known) = (listener.local_addr().unwrap().port(), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((client, from)) = listener.accept().await {
                let state = Arc::clone(&known);
                tokio::spawn(async move {
                    let acceptor = state.acceptor.lock().unwrap().clone();
                    if let Ok(client) = acceptor.accept(client).await {
                        let _ = serve(&state, client, from.ip()).await;
                    }
                });
            }
        });
        Self { port: at, authority: certificate.authority, folder, state }
    }

    /// Behaves like this from now on.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// Hands requests on to the service that listens at `port`.
    pub(crate) fn lead_to(&self, port: u16) {
        self.state.to.lock().unwrap().set_port(port);
    }

    /// Has a new certificate of the same authority: it holds since `ago` days, and for `left` more.
    pub(crate) fn renew(&self, ago: u32, left: u32) {
        let renewed = Certificate::renewed(self.folder.path(), ago, left);
        *self.state.acceptor.lock().unwrap() = renewed.acceptor();
    }

    /// The address that the world uses.
    pub(crate) fn url(&self) -> String {
        format!("https://{NAME}:{}", self.port)
    }
}

/// Serves one request; whatever comes behind its head goes to and fro as it is.
async fn serve<S>(state: &State, mut client: S, from: IpAddr) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).await? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let (manner, to) = (*state.manner.lock().unwrap(), *state.to.lock().unwrap());
    let end = "Content-Length: 0\r\nConnection: close\r\n\r\n";
    match manner {
        Manner::Closed => {
            let answer = format!("HTTP/1.1 503 Service Unavailable\r\n{end}");
            client.write_all(answer.as_bytes()).await?;
            return client.shutdown().await;
        }
        Manner::Redirects => {
            let to = "https://www.authshield.dev/api/v1/health/probe?nonce=x";
            let answer = format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\n{end}");
            client.write_all(answer.as_bytes()).await?;
            return client.shutdown().await;
        }
        Manner::Hangs => std::future::pending().await,
        Manner::Appends | Manner::PassesOn | Manner::Announces | Manner::Silent => {}
    }
    let head = match manner {
        Manner::Announces => {
            let said = rewrite(&String::from_utf8_lossy(&head), Manner::PassesOn, from);
            [announcement(from), said.into_bytes()].concat()
        }
        _ => rewrite(&String::from_utf8_lossy(&head), manner, from).into_bytes(),
    };
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((HOP.parse::<Ipv4Addr>().expect("an address"), 0)))?;
    let mut service: TcpStream = socket.connect(to).await?;
    service.write_all(&head).await?;
    let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}

/// Returns what says by the PROXY protocol, version 2, that somebody came from `from`.
pub(crate) fn announcement(from: IpAddr) -> Vec<u8> {
    let IpAddr::V4(from) = from else { panic!("{from} is not IPv4") };
    let rest = [&from.octets()[..], &[127, 0, 0, 1], &40_000_u16.to_be_bytes(), &[1, 187]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x21, 0x11, 0, 12][..], &rest].concat()
}

/// Returns the head as the service gets it.
fn rewrite(head: &str, manner: Manner, from: IpAddr) -> String {
    let mut lines: Vec<String> = head.trim_end().lines().map(ToOwned::to_owned).collect();
    let named = |line: &String, name: &str| {
        line.split(':').next().is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    lines.retain(|line| !named(line, "connection"));
    if manner != Manner::PassesOn {
        let said = lines.iter().find(|line| named(line, "x-forwarded-for")).cloned();
        lines.retain(|line| {
            !["x-forwarded-for", "x-forwarded-proto", "forwarded"].iter().any(|it| named(line, it))
        });
        if manner == Manner::Appends {
            let said = said.and_then(|line| Some(line.split_once(": ")?.1.to_owned()));
            let before = said.map(|said| format!("{said}, ")).unwrap_or_default();
            lines.push(format!("X-Forwarded-For: {before}{from}"));
            lines.push("X-Forwarded-Proto: https".to_owned());
        }
    }
    lines.push("Connection: close".to_owned());
    format!("{}\r\n\r\n", lines.join("\r\n"))
}
