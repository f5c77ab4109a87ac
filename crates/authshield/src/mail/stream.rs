//! What conversations with mail servers run on, and what encrypts them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// What a conversation can run on, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Stream for S {}

/// Why no certificate can be verified.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAuthority {
    #[error("{0}")]
    File(String),
    #[error("{0}")]
    Platform(String),
}

/// Returns how to encrypt: against the platform's authorities, or against those of `ca_file` only.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, NoAuthority> {
    let builder = ClientConfig::builder();
    let config = match ca_file {
        None => builder
            .with_platform_verifier()
            .map_err(|error| NoAuthority::Platform(error.to_string()))?
            .with_no_client_auth(),
        Some(file) => builder.with_root_certificates(authorities(file)?).with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn authorities(file: &Path) -> Result<rustls::RootCertStore, NoAuthority> {
    let pem = std::fs::read(file).map_err(|error| NoAuthority::File(error.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| NoAuthority::File(error.to_string()))?;
        roots.add(certificate).map_err(|error| NoAuthority::File(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(NoAuthority::File("there is no certificate in it (PEM)".to_owned()));
    }
    Ok(roots)
}
