//! Syslog (RFC 5424) over TLS (RFC 5425).
//!
//! Nobody says that a line arrived. So when a connection breaks, what was written in the last seconds is
//! written again over the next one; a connection over which nothing is acknowledged for so long breaks by
//! itself.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::SetupError;
use super::catalogue::classify;
use super::formats;
use super::rules::Failure;
use super::sql::Sealed;
use crate::audit::Entry;
use crate::config::{Config, EventFormat};
use crate::kernel::Timestamp;

/// How long connecting and writing may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long what was written may be on its way before the connection is given up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// What was written before then has arrived, as long as the connection stands.
const ON_ITS_WAY: Duration = Duration::from_secs(15);
/// The facility of what is about security and authorization.
const FACILITY: u8 = 10;

/// Where events are written to.
pub(super) struct Syslog {
    /// Host and port.
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
    stream: Option<TlsStream<TcpStream>>,
    format: EventFormat,
    /// Who says it.
    host: String,
    /// The links that were written a short while ago.
    written: VecDeque<(Timestamp, i64)>,
}

impl Syslog {
    /// Returns the one that is configured.
    pub(super) fn from_config(config: &Config) -> Result<Option<Self>, SetupError> {
        let settings = &config.export_syslog;
        let Some(address) = &settings.address else { return Ok(None) };
        let (host, port) = address.rsplit_once(':').ok_or(SetupError::Server)?;
        let host = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| SetupError::Server)?;
        port.parse::<u16>().map_err(|_| SetupError::Server)?;
        let wrong = |error: String| SetupError::Certificates(error);
        let tls = match &settings.ca_file {
            Some(file) => {
                let mut roots = RootCertStore::empty();
                let found = CertificateDer::pem_file_iter(file)
                    .map_err(|error| wrong(crate::problem::chain(&error)))?;
                for certificate in found {
                    let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                    roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(wrong("there is no certificate in it".to_owned()));
                }
                ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
            }
            None => ClientConfig::builder()
                .with_platform_verifier()
                .map_err(|error| SetupError::Tls(error.to_string()))?
                .with_no_client_auth(),
        };
        Ok(Some(Self {
            address: address.clone(),
            name,
            tls: TlsConnector::from(Arc::new(tls)),
            stream: None,
            format: settings.format,
            host: config.public_url.host_str().unwrap_or("-").to_owned(),
            written: VecDeque::new(),
        }))
    }

    /// Returns from which link on what was written may be lost, if the connection over which it was is gone.
    pub(super) fn lost_from(&mut self, now: Timestamp) -> Option<i64> {
        if let Some(stream) = &mut self.stream {
            // A receiver says nothing: when there is something to read, it is the end.
            if stream.read(&mut [0; 1]).now_or_never().is_none() {
                while self.written.front().is_some_and(|(at, _)| now.since(*at) > ON_ITS_WAY) {
                    self.written.pop_front();
                }
                return None;
            }
            self.stream = None;
        }
        self.written.iter().map(|(_, seq)| *seq).min()
    }

    /// What was lost is going to be written again.
    pub(super) fn found(&mut self) {
        self.written.clear();
    }

    /// Writes an event.
    pub(super) async fn send(&mut self, sealed: &Sealed, now: Timestamp) -> Result<(), Failure> {
        let line = frame(self.format, &sealed.entry, &self.host);
        match in_time(self.write(line.as_bytes())).await {
            Ok(()) => {
                self.written.push_back((now, sealed.seq));
                Ok(())
            }
            Err(error) => {
                self.stream = None;
                Err(Failure::Away(crate::problem::chain(&error)))
            }
        }
    }

    /// Connects, and writes nothing.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let connected = in_time(self.connect()).await;
        connected.map(drop).map_err(|error| crate::problem::chain(&error))
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let millis = u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(&tcp, millis)?;
        self.tls.connect(self.name.clone(), tcp).await
    }

    async fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        // Gone if it does not end well, or in time.
        let stream = self.stream.insert(stream);
        stream.write_all(line).await?;
        stream.flush().await
    }
}

async fn in_time<T>(doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout(TIMEOUT, doing).await;
    done.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")))
}

/// Returns the line with its length before it (RFC 5425, 4.3).
fn frame(format: EventFormat, entry: &Entry, host: &str) -> String {
    let severity = match classify(&entry.code, &entry.data.0).severity {
        8.. => 2,
        6..=7 => 4,
        4..=5 => 5,
        _ => 6,
    };
    let line = format!(
        "<{}>1 {} {host} authshield - {} - {}",
        FACILITY * 8 + severity,
        entry.at,
        // RFC 5424 lets a MSGID have 32 letters.
        entry.code.chars().take(32).collect::<String>(),
        formats::write(format, entry)
    );
    format!("{} {line}", line.len())
}
