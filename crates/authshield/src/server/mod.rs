//! Listeners: plain or TLS, slow clients bounded, drained at the end.

mod announced;
mod door;
mod prompt;
mod quiet;
mod shape;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use tokio_util::sync::CancellationToken;

pub use self::announced::{Announced, Announcers};
pub use self::door::{Ambiguous, serve};
use crate::config::Config;

/// How often the certificate's files are looked at.
pub const CERTIFICATE_EVERY: Duration = Duration::from_secs(10);

/// How much clients may take, and what they are left at the end.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many connections there may be at once; more wait in the kernel's queue.
    pub connections: usize,
    /// How long a client may take for its first words, and for the head of each request.
    pub head_within: Duration,
    /// How long a client may leave unread what it was sent, and keep a connection of HTTP/2 on which
    /// it asks nothing.
    pub idle_within: Duration,
    /// How long what was begun may take once the server is told to stop.
    pub grace: Duration,
}

impl From<Duration> for Bounds {
    /// The usual bounds, with this grace.
    fn from(grace: Duration) -> Self {
        Self {
            connections: 10_000,
            head_within: Duration::from_secs(10),
            idle_within: Duration::from_secs(30),
            grace,
        }
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
        "cannot use the certificate in {chain} with the key in {key} (AUTHSHIELD_TLS_CERTIFICATE_FILE, AUTHSHIELD_TLS_PRIVATE_KEY_FILE): both are PEM, and belong together"
    )]
    Certificate {
        /// Where the certificate is.
        chain: PathBuf,
        /// Where its key is.
        key: PathBuf,
        /// What is wrong.
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
    RustlsConfig::from_pem_file(chain, key).await.map(Some).map_err(|source| {
        ListenError::Certificate { chain: chain.clone(), key: key.clone(), source }
    })
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
