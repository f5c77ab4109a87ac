//! Listeners: plain or TLS, slow clients bounded, drained at the end.

mod prompt;
mod room;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio_util::sync::CancellationToken;

use self::prompt::PromptAcceptor;
use self::room::Room;
use crate::config::Config;

/// The largest request head that is read, in bytes.
const HEAD_AT_MOST: usize = 16 * 1024;
/// How many requests one HTTP/2 connection may have open.
const STREAMS_AT_MOST: u32 = 100;
/// How often the certificate's files are looked at.
pub const CERTIFICATE_EVERY: Duration = Duration::from_secs(10);

/// How much clients may take, and what they are left at the end.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many connections there may be at once; more wait in the kernel's queue.
    pub connections: usize,
    /// How long a client may take for its first words, and for the head of each request.
    pub head_within: Duration,
    /// How long what was begun may take once the server is told to stop.
    pub grace: Duration,
}

impl From<Duration> for Bounds {
    /// The usual bounds, with this grace.
    fn from(grace: Duration) -> Self {
        Self { connections: 10_000, head_within: Duration::from_secs(10), grace }
    }
}

impl From<&Config> for Bounds {
    fn from(config: &Config) -> Self {
        Self { connections: config.max_connections, ..config.shutdown_grace.into() }
    }
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port is taken, or the address is not ours.
    #[error("cannot listen on {address}: stop what uses it, or set {setting} to another address")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Which setting says so.
        setting: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(
        "cannot use the certificate in {path} (AUTHSHIELD_TLS_CERTIFICATE_FILE, AUTHSHIELD_TLS_PRIVATE_KEY_FILE)"
    )]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
}

/// Takes an address, before anything else is done that needs to be undone.
pub fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ListenError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| ListenError::Bind { address, setting, source })
}

/// Reads the certificate, if one is configured.
pub async fn certificate(config: &Config) -> Result<Option<RustlsConfig>, ListenError> {
    let (Some(chain), Some(key)) = (&config.tls.certificate_file, &config.tls.private_key_file)
    else {
        return Ok(None);
    };
    RustlsConfig::from_pem_file(chain, key)
        .await
        .map(Some)
        .map_err(|source| ListenError::Certificate { path: chain.clone(), source })
}

/// Serves `router` until `stop`, then finishes what was begun, within `bounds`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<RustlsConfig>,
    stop: CancellationToken,
    bounds: impl Into<Bounds>,
) -> io::Result<()> {
    let bounds = bounds.into();
    let handle = Handle::new();
    let drain = {
        let handle = handle.clone();
        async move {
            stop.cancelled().await;
            handle.graceful_shutdown(Some(bounds.grace));
        }
    };
    tokio::spawn(drain);
    let make = router.into_make_service_with_connect_info::<SocketAddr>();
    let make = Room::new(make, bounds.connections);
    let within = bounds.head_within;
    let server = axum_server::from_tcp(listener)?.handle(handle).acceptor(NoDelayAcceptor::new());
    match tls {
        None => {
            let mut server = server.map(|inner| PromptAcceptor { inner, within });
            bound_clients(server.http_builder(), within);
            server.serve(make).await
        }
        Some(tls) => {
            let secure = |plain| RustlsAcceptor::new(tls).handshake_timeout(within).acceptor(plain);
            let mut server =
                server.map(|plain| PromptAcceptor { inner: secure(plain), within });
            bound_clients(server.http_builder(), within);
            server.serve(make).await
        }
    }
}

/// Nobody may hold a connection for nothing.
fn bound_clients(builder: &mut Builder<TokioExecutor>, head_within: Duration) {
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
}

/// Takes over a renewed certificate without a restart, looking `every` so often; a broken one is
/// reported and the old one kept.
pub async fn watch_certificate(
    tls: RustlsConfig,
    chain: PathBuf,
    key: PathBuf,
    every: Duration,
    stop: CancellationToken,
) {
    let mut seen = changed(&chain, &key);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let now = changed(&chain, &key);
        if now == seen {
            continue;
        }
        seen = now;
        match tls.reload_from_pem_file(&chain, &key).await {
            Ok(()) => tracing::info!(file = %chain.display(), "the certificate was reloaded"),
            Err(error) => {
                tracing::error!(%error, file = %chain.display(), "the new certificate cannot be used; the old one stays");
            }
        }
    }
}

/// When the files last changed; nothing while one is missing.
fn changed(chain: &Path, key: &Path) -> Option<(SystemTime, SystemTime)> {
    let when = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    Some((when(chain)?, when(key)?))
}
