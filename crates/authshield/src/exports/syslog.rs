//! Syslog (RFC 5424) over TLS (RFC 5425).
//!
//! Nobody says that a line arrived. So when a connection breaks, what was written in the last seconds is
//! written again over the next one.

use std::collections::VecDeque;
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

use super::catalogue::classify;
use super::formats::{self, Format};
use super::rules::Failure;
use super::webhook::SetupError;
use crate::audit::Entry;
use crate::config::Config;
use crate::kernel::Timestamp;

/// How long connecting and writing may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long what was written may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(10);
/// The facility of what is about security and authorization.
const FACILITY: u8 = 10;

/// Where events are written to.
pub(super) struct Syslog {
    /// Host and port.
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
    stream: Option<TlsStream<TcpStream>>,
    format: Format,
    /// Who says it.
    host: String,
    /// What was written a short while ago.
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
            format: settings.format.into(),
            host: config.public_url.host_str().unwrap_or("-").to_owned(),
            written: VecDeque::new(),
        }))
    }

    /// Writes an event, which is the link `seq`.
    pub(super) async fn send(
        &mut self,
        entry: &Entry,
        seq: i64,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let line = frame(self.format, entry, &self.host);
        match tokio::time::timeout(TIMEOUT, self.write(line.as_bytes())).await {
            Ok(Ok(())) => {
                self.written.push_back((now, seq));
                while self.written.front().is_some_and(|(at, _)| now.since(*at) > ON_ITS_WAY) {
                    self.written.pop_front();
                }
                Ok(())
            }
            Ok(Err(error)) => Err(self.lost(error.to_string())),
            Err(_) => Err(self.lost("it took too long".to_owned())),
        }
    }

    /// Says from where on it is written again.
    fn lost(&mut self, why: String) -> Failure {
        self.stream = None;
        let first = self.written.front().map(|(_, seq)| *seq);
        self.written.clear();
        match first {
            Some(first) => Failure::Lost(why, first),
            None => Failure::Later(why),
        }
    }

    async fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        if let Some(stream) = &mut self.stream {
            // A receiver says nothing: when there is something to read, it is the end.
            let mut byte = [0; 1];
            if stream.read(&mut byte).now_or_never().is_some() {
                self.stream = None;
                return Err(std::io::Error::other("the connection was closed"));
            }
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let tcp = TcpStream::connect(&self.address).await?;
                tcp.set_nodelay(true)?;
                none.insert(self.tls.connect(self.name.clone(), tcp).await?)
            }
        };
        stream.write_all(line).await?;
        stream.flush().await
    }
}

/// Returns the line with its length before it (RFC 5425, 4.3).
fn frame(format: Format, entry: &Entry, host: &str) -> String {
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
