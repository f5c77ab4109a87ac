//! Where clients come in, and how the last of them leaves.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Version, header};
use axum_server::tls_rustls::RustlsConfig;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::Bounds;
use super::announced::{Announced, Announcers};
use super::prompt::Prompt;
use super::quiet::Quiet;
use super::shape;

/// The largest request head that is read, in bytes.
const HEAD_AT_MOST: usize = 16 * 1024;
/// How many requests one HTTP/2 connection may have open.
const STREAMS_AT_MOST: u32 = 100;
/// When nobody came for this long, nobody is on the way.
const LULL: Duration = Duration::from_millis(300);
/// How long clients are served that still come after the signal to stop: a load balancer needs some
/// time to see that this service is not ready any more.
const LULL_AT_MOST: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves `router` until `stop`, then finishes what was begun.
///
/// The end has three steps, so that no request that somebody took the trouble to send is dropped:
/// while `ready` says no, all who still come are served, each for the last time on its connection;
/// when nobody came for a moment, nobody is let in any more; and then what is under way has its
/// grace.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    announcers: Option<Announcers>,
    tls: Option<RustlsConfig>,
    stop: CancellationToken,
    bounds: impl Into<Bounds>,
) -> io::Result<()> {
    let bounds = bounds.into();
    let door = Door {
        listener: tokio::net::TcpListener::from_std(listener)?,
        places: Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS))),
        guests: TaskTracker::new(),
        house: House {
            router,
            announcers,
            tls,
            http: bounded(bounds.head_within),
            head_within: bounds.head_within,
            idle_within: bounds.idle_within,
            last_orders: stop.clone(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        },
    };
    tokio::select! {
        () = stop.cancelled() => {}
        never = door.receive() => match never {},
    }
    let late = Instant::now() + LULL_AT_MOST.min(bounds.grace / 2);
    while let Ok(()) = timeout_at(late.min(Instant::now() + LULL), door.receive_one()).await {}
    let Door { listener, guests, house, .. } = door;
    drop(listener);
    house.closing.cancel();
    guests.close();
    if tokio::time::timeout(bounds.grace, guests.wait()).await.is_err() {
        tracing::warn!(connections = guests.len(), "some requests took too long and were cut off");
        house.closed.cancel();
        guests.wait().await;
    }
    Ok(())
}

/// A request that two readers could take for different ones, and why: one of its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Ambiguous(pub &'static str);

/// Where clients come in.
struct Door {
    listener: tokio::net::TcpListener,
    places: Arc<Semaphore>,
    guests: TaskTracker,
    house: House,
}

impl Door {
    async fn receive(&self) -> Infallible {
        loop {
            self.receive_one().await;
        }
    }

    /// Waits for a free place and a client, and serves it.
    ///
    /// # Cancellation
    ///
    /// Nobody is lost: who was not taken in still stands at the door.
    async fn receive_one(&self) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("never closed");
        match self.listener.accept().await {
            Ok((stream, peer)) => {
                let house = self.house.clone();
                self.guests.spawn(async move {
                    house.serve(stream, peer).await;
                    drop(place);
                });
            }
            // This client went away again.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                ) => {}
            // Out of file descriptors or memory: one that ends makes room.
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
struct Peer {
    address: SocketAddr,
    /// Whether that is whom a proxy announced.
    announced: bool,
}

/// What serves one connection.
#[derive(Clone)]
struct House {
    router: Router,
    announcers: Option<Announcers>,
    tls: Option<RustlsConfig>,
    http: Builder<TokioExecutor>,
    head_within: Duration,
    idle_within: Duration,
    /// From now on, the next answer is the last.
    last_orders: CancellationToken,
    /// From now on, who asks for nothing has to go.
    closing: CancellationToken,
    /// Everybody has to go.
    closed: CancellationToken,
}

impl House {
    async fn serve(self, mut stream: TcpStream, peer: SocketAddr) {
        // Without it, answers would wait for company.
        let _ = stream.set_nodelay(true);
        let mut peer = Peer { address: peer, announced: false };
        if let Some(proxies) = &self.announcers {
            let client = proxies.client(&mut stream, peer.address, self.head_within).await;
            let Some(address) = client else { return };
            peer = Peer { announced: address != peer.address, address };
        }
        let Some(tls) = &self.tls else { return self.converse(stream, peer).await };
        let acceptor = tokio_rustls::TlsAcceptor::from(tls.get_inner());
        let shaken = tokio::time::timeout(self.head_within, acceptor.accept(stream));
        tokio::select! {
            Ok(Ok(stream)) = shaken => self.converse(stream, peer).await,
            else => {}
        }
    }

    async fn converse<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let since = Instant::now();
        let stream = Prompt::new(stream, self.head_within, self.idle_within);
        let (router, last_orders) = (self.router.clone(), self.last_orders.clone());
        let quiet = Quiet::new();
        let asked = quiet.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let asking = asked.disturb();
            request.extensions_mut().insert(ConnectInfo(peer.address));
            if peer.announced {
                request.extensions_mut().insert(Announced);
            }
            let version = request.version();
            let ambiguity = shape::ambiguity(&request);
            if let Some(words) = ambiguity {
                request.extensions_mut().insert(Ambiguous(words));
            }
            let (answer, last_orders) = (router.clone().call(request), last_orders.clone());
            async move {
                let mut response = answer.await?;
                drop(asking);
                let is_last = last_orders.is_cancelled() || ambiguity.is_some();
                // HTTP/2 has words of its own for it.
                if is_last && version <= Version::HTTP_11 {
                    let headers = response.headers_mut();
                    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let mut closing = pin!(async {
            self.closing.cancelled().await;
            // Who was let in a moment ago is about to speak.
            tokio::time::sleep_until(since + LULL).await;
        });
        tokio::select! {
            // How a client ends a conversation is its own affair.
            _ = connection.as_mut() => return,
            () = closing.as_mut() => connection.as_mut().graceful_shutdown(),
            () = quiet.lasts(self.idle_within) => {
                connection.as_mut().graceful_shutdown();
                // Who does not take the last answers either has had its time.
                let _ = tokio::time::timeout(self.head_within, connection).await;
                return;
            }
        }
        tokio::select! {
            _ = connection => {}
            () = self.closed.cancelled() => {}
        }
    }
}

/// Nobody may hold a connection for nothing.
fn bounded(head_within: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(HEAD_AT_MOST);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_AT_MOST)
        .max_header_list_size(u32::try_from(HEAD_AT_MOST).expect("16 KiB"))
        .max_local_error_reset_streams(Some(64))
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}
