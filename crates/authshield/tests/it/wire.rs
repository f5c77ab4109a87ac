//! What clients do to a connection: slow ones, greedy ones, liars, and such as must be let finish.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use authshield::server::{self, Bounds};
use authshield::{frame, router};
use axum::Router;
use axum::routing::get;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::support::TestApp;
use crate::support::smtp_server::Certificate;

const LIVE: &str = "GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n";
/// How long anything here may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long is waited for what must not happen.
const A_WHILE: Duration = Duration::from_millis(300);

/// A listener of its own, with bounds of its own.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    fn start(
        router: Router,
        tls: Option<axum_server::tls_rustls::RustlsConfig>,
        bounds: Bounds,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ended = tokio::spawn(server::serve(listener, router, None, tls, stop.clone(), bounds));
        Self { address, stop, ended }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn bounds() -> Bounds {
    Bounds { head_within: A_WHILE, ..Duration::from_secs(10).into() }
}

/// Reads until the other side closes.
async fn to_the_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    let _ = read.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one answer of the kind that has no body worth waiting for.
async fn one_answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while !bytes.ends_with(b"}") {
            let mut part = [0; 2048];
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => break,
                Ok(count) => bytes.extend_from_slice(&part[..count]),
            }
        }
    };
    timeout(PATIENCE, read).await.expect("an answer");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends `bytes` to the service and returns all that comes until it closes.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    // Who is refused early may be cut off while still sending.
    let _ = stream.write_all(bytes).await;
    to_the_end(&mut stream).await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

/// Attack class K06.
/// ASVS: V4.2.1
#[tokio::test]
async fn what_proxies_could_read_otherwise_is_refused_and_the_connection_closed() {
    let app = TestApp::start().await;
    let post = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for (what, head, body) in [
        ("two lengths", "Content-Length: 2\r\nContent-Length: 40\r\n", "{}"),
        ("a list of lengths", "Content-Length: 2, 40\r\n", "{}"),
        ("a signed length", "Content-Length: +2\r\n", "{}"),
        ("a negative length", "Content-Length: -2\r\n", "{}"),
        ("a length in hex", "Content-Length: 0x2\r\n", "{}"),
        ("a huge length", "Content-Length: 99999999999999999999\r\n", "{}"),
        ("another coding", "Transfer-Encoding: xchunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
        ("chunked not last", "Transfer-Encoding: chunked, identity\r\n", "2\r\n{}\r\n0\r\n\r\n"),
        ("a space before the colon", "Content-Length : 2\r\n", "{}"),
        ("a folded line", "X-One: a\r\n b: c\r\nContent-Length: 2\r\n", "{}"),
        ("a bare CR", "X-One: a\rb\r\nContent-Length: 2\r\n", "{}"),
        ("a NUL", "X-One: a\0b\r\nContent-Length: 2\r\n", "{}"),
        ("no name", ": a\r\nContent-Length: 2\r\n", "{}"),
        (
            "a chunk size that overflows",
            "Transfer-Encoding: chunked\r\n",
            "FFFFFFFFFFFFFFFFF\r\n{}",
        ),
        ("a chunk size that is none", "Transfer-Encoding: chunked\r\n", "zz\r\n{}"),
        ("a chunk with a tail", "Transfer-Encoding: chunked\r\n", "2\r\n{}x\r\n0\r\n\r\n"),
    ] {
        let answer = raw(&app, format!("{post}{head}\r\n{body}{LIVE}").as_bytes()).await;
        assert_eq!(status(&answer), "400", "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
    }
    for bytes in [
        "GET /api/v1/health/live HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /api v1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        "G\u{e9}T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let answer = raw(&app, bytes.as_bytes()).await;
        assert!(["400", "505", "none"].contains(&status(&answer)), "{bytes:?}: {answer}");
        assert!(answer.matches("HTTP/1.").count() <= 1, "{bytes:?}: {answer}");
    }
}

/// What stands behind a request that two readers could take for different ones is never taken for a
/// request, and nor is it, but for a length beside chunks: that is not looked at, and the connection
/// closed (RFC 9112, 6.3). Attack class K06.
/// ASVS: V4.2.1
#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_and_smuggles_nothing() {
    let app = TestApp::start().await;
    for head in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nHost: y\r\n",
    ] {
        let request = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n\
             0\r\n\r\n{LIVE}"
        );
        let answer = raw(&app, request.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(!answer.contains("live"), "{answer}");
        assert!(head.contains("Length") || status(&answer) == "400", "{head}: {answer}");
    }
    let nameless = raw(&app, b"GET /api/v1/health/live HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&nameless), "400", "{nameless}");
}

/// Attack class K05, F42: who does not read what it asked for holds a place for a while only.
#[tokio::test]
async fn who_does_not_read_is_let_go() {
    let app = TestApp::start().await;
    let one = Bounds { connections: 1, idle_within: A_WHILE, ..bounds() };
    let served = Served::start(router::public(&app.app), None, one);
    let mut deaf = served.connect().await;
    let many = LIVE.repeat(1000);
    // Until nothing more goes through, in either direction.
    while let Ok(Ok(())) = timeout(A_WHILE, deaf.write_all(many.as_bytes())).await {}
    let mut next = served.connect().await;
    next.write_all(LIVE.as_bytes()).await.unwrap();
    assert_eq!(status(&one_answer(&mut next).await), "200");
}

/// Attack class K07: pings are no reason to keep a place, nor is an answer that nobody takes.
#[tokio::test]
async fn whoever_asks_nothing_over_http2_is_let_go() {
    let app = TestApp::start().await;
    let short = Bounds { idle_within: A_WHILE, ..bounds() };
    let served = Served::start(router::public(&app.app), None, short);
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    // No window: `SETTINGS_INITIAL_WINDOW_SIZE` is 0.
    let no_window = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    // `GET /api/v1/health/live` on stream 1, with the path as a literal.
    let path = b"/api/v1/health/live";
    let mut block = vec![0x82, 0x86, 0x41, 1, b'x', 0x44, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path);
    let mut ask = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1];
    ask.extend_from_slice(&block);
    for words in [settings.to_vec(), [no_window.to_vec(), ask].concat()] {
        let mut stream = served.connect().await;
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&words).await.unwrap();
        to_the_end(&mut stream).await;
    }
}

/// Attack class K04.
#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let app = TestApp::start().await;
    let many: Vec<String> = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect();
    let many = many.concat();
    for (line, headers) in [
        ("/api/v1/health/live".to_owned(), format!("x-long: {}\r\n", "a".repeat(40_000))),
        ("/api/v1/health/live".to_owned(), format!("cookie: {}\r\n", "a=b; ".repeat(8000))),
        ("/api/v1/health/live".to_owned(), many),
        (format!("/{}", "a".repeat(40_000)), String::new()),
    ] {
        let request = format!("GET {line} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let answer = raw(&app, request.as_bytes()).await;
        assert!(["431", "414"].contains(&status(&answer)), "{answer}");
    }
}

/// A body of unknown length is cut where one of known length is refused.
#[tokio::test]
async fn chunks_without_end_are_413() {
    let app = TestApp::start().await;
    let mut request = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                        Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..70 {
        request.extend_from_slice(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes());
    }
    let answer = raw(&app, &request).await;
    assert_eq!(status(&answer), "413", "{answer}");
    assert!(answer.contains("REQUEST_BODY_TOO_LARGE"), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
}

/// Attack class K05.
/// ASVS: V15.4.4
#[tokio::test]
async fn slow_clients_are_let_go_and_others_served() {
    let app = TestApp::start().await;
    let served = Served::start(router::public(&app.app), None, bounds());
    let mut slow = Vec::new();
    for begun in
        ["", "P", "PRI * HTTP/2.0\r\n", "GET", "GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\n"]
    {
        let mut stream = served.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push((begun, stream));
    }
    // An answered request does not buy more time.
    let mut idle = served.connect().await;
    idle.write_all(LIVE.as_bytes()).await.unwrap();
    assert_eq!(status(&one_answer(&mut idle).await), "200");
    for (begun, mut stream) in slow {
        let answer = to_the_end(&mut stream).await;
        assert!(["none", "408"].contains(&status(&answer)), "{begun:?}: {answer}");
    }
    assert_eq!(to_the_end(&mut idle).await, "");
}

/// Attack class K05.
#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let app = TestApp::with(&[("request_timeout", "1s")]).await;
    let request = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                   Content-Length: 100\r\n\r\n{\"email\"";
    let answer = raw(&app, request.as_bytes()).await;
    assert_eq!(status(&answer), "408", "{answer}");
    assert!(answer.contains("REQUEST_TIMEOUT"), "{answer}");
}

/// Attack class K05.
/// ASVS: V15.2.2
#[tokio::test]
async fn beyond_max_connections_one_waits_for_a_place() {
    let app = TestApp::with(&[("max_connections", "2")]).await;
    let few = Bounds { head_within: PATIENCE, ..Bounds::from(&app.app.config) };
    assert_eq!(few.connections, 2);
    let served = Served::start(router::public(&app.app), None, few);
    let (mut one, mut two) = (served.connect().await, served.connect().await);
    for stream in [&mut one, &mut two] {
        stream.write_all(LIVE.as_bytes()).await.unwrap();
        assert_eq!(status(&one_answer(stream).await), "200");
    }
    let (mut three, mut four) = (served.connect().await, served.connect().await);
    for stream in [&mut three, &mut four] {
        stream.write_all(LIVE.as_bytes()).await.unwrap();
        let waiting = timeout(A_WHILE, one_answer(stream)).await;
        assert!(waiting.is_err(), "it was answered: {waiting:?}");
    }
    drop(one);
    assert_eq!(status(&one_answer(&mut three).await), "200");
    drop(two);
    assert_eq!(status(&one_answer(&mut four).await), "200");
    // A full house can be closed.
    let mut five = served.connect().await;
    five.write_all(LIVE.as_bytes()).await.unwrap();
    served.stop.cancel();
    for stream in [&mut three, &mut four, &mut five] {
        to_the_end(stream).await;
    }
}

#[tokio::test]
async fn what_was_begun_is_finished_and_nothing_new_begun() {
    let app = TestApp::start().await;
    let mut served = Served::start(router::public(&app.app), None, bounds());
    let body = r#"{"email":"ann@example.org","password":"not the password"}"#;
    let head = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut begun = served.connect().await;
    begun.write_all(head.as_bytes()).await.unwrap();
    // The handler waits for the body now.
    let mut interim = [0; 25];
    timeout(PATIENCE, begun.read_exact(&mut interim)).await.unwrap().unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"));
    let mut idle = served.connect().await;

    served.stop.cancel();
    assert_eq!(to_the_end(&mut idle).await, "");
    let refused = async { while TcpStream::connect(served.address).await.is_ok() {} };
    timeout(PATIENCE, refused).await.expect("nobody listens any more");

    begun.write_all(body.as_bytes()).await.unwrap();
    let answer = to_the_end(&mut begun).await;
    assert_eq!(status(&answer), "401", "{answer}");
    timeout(PATIENCE, &mut served.ended).await.expect("it ends").unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off_at_the_end_of_the_grace() {
    let app = TestApp::start().await;
    let never = Router::new().route("/never", get(std::future::pending::<()>));
    let routes: Router = never.fallback(frame::no_route);
    let short = Bounds { grace: A_WHILE, ..bounds() };
    let mut served = Served::start(routes, None, short);
    let mut begun = served.connect().await;
    begun.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(timeout(A_WHILE, begun.read_u8()).await.is_err());
    served.stop.cancel();
    timeout(PATIENCE, &mut served.ended).await.expect("it ends").unwrap().unwrap();
    assert_eq!(to_the_end(&mut begun).await, "");
    drop(app);
}

// ── TLS ──

/// Connects and checks the certificate against `authority`.
async fn secure(
    served: &Served,
    authority: &Path,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let mut config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, served.connect().await).await
}

/// Asks `path` with a few bytes of HTTP/2 and returns the status, if it is one of the short ones.
async fn ask_http2(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> Option<u8> {
    let mut block = vec![0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(b"\x01\x09localhost");
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend_from_slice(&block);
    stream.write_all(&bytes).await.unwrap();
    let read = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.ok()?;
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            stream.read_exact(&mut payload).await.ok()?;
            if head[3] == 1 {
                // After updates of the table's size, an indexed `:status`.
                return payload.into_iter().find(|byte| byte & 0xe0 != 0x20);
            }
        }
    };
    timeout(PATIENCE, read).await.expect("an answer")
}

/// The index of `:status: 200` in the static table of HPACK.
const OK: Option<u8> = Some(0x88);

async fn with_certificate(certificate: &Certificate) -> TestApp {
    TestApp::with(&[
        ("tls.certificate_file", certificate.chain.to_str().unwrap()),
        ("tls.private_key_file", certificate.key.to_str().unwrap()),
        ("public_url", "https://localhost"),
    ])
    .await
}

/// Says hello as a client that knows this version of TLS and these suites alone, and returns what kind of record
/// comes: 22 goes on, 21 is an alert.
async fn answer_to(served: &Served, version: u8, suites: &[u16]) -> u8 {
    let suites: Vec<_> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let mut hello = vec![3, version];
    hello.extend([7; 32]);
    hello.extend([0, 0, u8::try_from(suites.len()).unwrap()]);
    hello.extend(suites);
    // No compression; P-256, and ECDSA with SHA-256 over it.
    hello.extend([1, 0, 0, 16, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut stream = served.connect().await;
    stream.write_all(&[22, 3, 1, 0, length + 4, 1, 0, 0, length]).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    timeout(PATIENCE, stream.read_u8()).await.expect("an answer").unwrap()
}

/// Attack class K11.
/// ASVS: V3.4.1, V12.1.1, V12.1.2
#[tokio::test]
async fn https_speaks_both_versions_of_http() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(folder.path(), "DNS:localhost");
    let app = with_certificate(&certificate).await;
    let tls = server::certificate(&app.app.config).await.unwrap();
    let served = Served::start(router::public(&app.app), tls, bounds());

    let mut stream = secure(&served, &certificate.authority, b"http/1.1").await.unwrap();
    stream.write_all(LIVE.as_bytes()).await.unwrap();
    let answer = one_answer(&mut stream).await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");

    let mut stream = secure(&served, &certificate.authority, b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(ask_http2(&mut stream, "/api/v1/health/live").await, OK);

    // TLS 1.2 with ephemeral keys and authenticated encryption is good; nothing before it, and nothing of it less.
    let good = 0xc02b;
    assert_eq!(answer_to(&served, 3, &[good]).await, 22);
    for older in 0..3 {
        assert_eq!(answer_to(&served, older, &[good]).await, 21, "3.{older}");
    }
    // RSA for the keys, CBC, 3DES, RC4, no encryption, nobody in particular.
    for weak in [0x009c, 0xc009, 0xc023, 0xc008, 0xc007, 0xc006, 0xc018] {
        assert_eq!(answer_to(&served, 3, &[weak]).await, 21, "{weak:#06x}");
    }

    // Plain HTTP, silence and nonsense get nothing.
    for said in [LIVE.as_bytes(), b"", b"\x16\x03\x01", &[0xff; 600]] {
        let mut stream = served.connect().await;
        stream.write_all(said).await.unwrap();
        assert!(!to_the_end(&mut stream).await.contains("HTTP/"), "{said:?}");
    }
    let mut silent = secure(&served, &certificate.authority, b"h2").await.unwrap();
    assert_eq!(to_the_end(&mut silent).await, "");
}

#[tokio::test]
async fn http2_without_tls_works_for_proxies_that_know() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    assert_eq!(ask_http2(&mut stream, "/api/v1/health/live").await, OK);
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_over_and_a_broken_one_is_not() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Certificate::make(old.path(), "DNS:localhost");
    let second = Certificate::make(new.path(), "DNS:localhost");
    let app = with_certificate(&first).await;
    let tls = server::certificate(&app.app.config).await.unwrap();
    let watched = server::watch_certificate(
        tls.clone().unwrap(),
        first.chain.clone(),
        first.key.clone(),
        Duration::from_millis(5),
        CancellationToken::new(),
    );
    let watched = tokio::spawn(watched);
    let served = Served::start(router::public(&app.app), tls, bounds());
    secure(&served, &first.authority, b"h2").await.unwrap();

    std::fs::write(&first.chain, "-----BEGIN CERTIFICATE-----\nbroken\n").unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..20 {
        ticks.tick().await;
        secure(&served, &first.authority, b"h2").await.expect("the old one stays");
    }
    std::fs::copy(&second.key, &first.key).unwrap();
    std::fs::copy(&second.chain, &first.chain).unwrap();
    let renewed = async {
        while secure(&served, &second.authority, b"h2").await.is_err() {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, renewed).await.expect("the new certificate");
    assert!(secure(&served, &first.authority, b"h2").await.is_err(), "the old one is gone");
    watched.abort();
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let certificate = Certificate::make(one.path(), "DNS:localhost");
    let other = Certificate::make(two.path(), "DNS:localhost");
    let app = with_certificate(&certificate).await;
    std::fs::copy(&other.key, &certificate.key).unwrap();
    let mismatch = server::certificate(&app.app.config).await.unwrap_err();
    assert!(mismatch.to_string().contains("AUTHSHIELD_TLS_PRIVATE_KEY_FILE"), "{mismatch}");
    std::fs::remove_file(&certificate.chain).unwrap();
    let missing = server::certificate(&app.app.config).await.unwrap_err();
    assert!(missing.to_string().contains("chain.pem"), "{missing}");
}
