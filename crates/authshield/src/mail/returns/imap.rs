//! Fetching reports from the mailbox that they come to (RFC 3501).
//!
//! What was taken in is deleted; what was not believed is marked as seen and stays, for a person.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_imap::error::Error;
use async_imap::{Client, Session};
use futures_util::TryStreamExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::intake::take_in;
use super::report::AT_MOST;
use crate::app::App;
use crate::config::{Bounce, ImapTls};
use crate::mail::reply::one_line;

/// How long one visit to the mailbox may take.
const VISIT: Duration = Duration::from_mins(2);

/// How many messages one visit takes in.
const PER_VISIT: usize = 200;

/// What a session can be spoken on.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Stream for S {}

/// Why the mailbox could not be read.
#[derive(Debug, thiserror::Error)]
enum NoVisit {
    #[error("{0}")]
    Imap(#[from] Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("no answer in time")]
    Late,
    #[error("the certificates cannot be used: {0}")]
    Tls(String),
    #[error("the database failed: {0}")]
    Store(#[from] onesql::Error),
}

/// Visits the mailbox again and again, until `stop`; does nothing where none is configured.
pub async fn poll(app: App, stop: CancellationToken) {
    let Some(host) = app.config.bounce.imap_host.clone() else { return };
    let mut trouble = String::new();
    loop {
        let visited = tokio::select! {
            () = stop.cancelled() => return,
            visited = tokio::time::timeout(VISIT, visit(&app, &host)) => visited,
        };
        let failed = match visited {
            Ok(Ok(count)) => {
                if count > 0 {
                    tracing::info!(count, "reports about mail were fetched");
                }
                String::new()
            }
            Ok(Err(error)) => one_line(&error.to_string()),
            Err(_) => NoVisit::Late.to_string(),
        };
        app.metrics.mail_reports_up.set(i64::from(failed.is_empty()));
        // Said once, not once a minute.
        if failed != trouble {
            if failed.is_empty() {
                tracing::info!(host, "the mailbox of reports can be read again");
            } else {
                tracing::error!(host, error = failed, "the mailbox of reports cannot be read");
            }
            trouble = failed;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(app.config.bounce.imap_every) => {}
        }
    }
}

/// Takes in what came since the last visit, and returns how many messages that were.
async fn visit(app: &App, host: &str) -> Result<usize, NoVisit> {
    let settings = &app.config.bounce;
    let socket = TcpStream::connect((host, settings.imap_port)).await?;
    let stream: Box<dyn Stream> = match settings.imap_tls {
        ImapTls::None => Box::new(socket),
        ImapTls::Implicit => {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| NoVisit::Tls(error.to_string()))?;
            Box::new(connector(settings)?.connect(name, socket).await?)
        }
    };
    let mut client = Client::new(stream);
    client.read_response().await?;
    let username = settings.imap_username.as_deref().unwrap_or_default();
    let password = settings.imap_password.as_ref().map_or("", ExposeSecret::expose_secret);
    let mut session =
        client.login(username, password).await.map_err(|(error, _)| NoVisit::Imap(error))?;
    session.select(&settings.imap_mailbox).await?;
    let mut new: Vec<u32> = session.uid_search("UNSEEN UNDELETED").await?.into_iter().collect();
    new.sort_unstable();
    new.truncate(PER_VISIT);
    let count = new.len();
    for uid in new {
        let Some(raw) = fetch(&mut session, uid).await? else { continue };
        let flag = match take_in(app, &raw).await? {
            Ok(()) => "+FLAGS.SILENT (\\Seen \\Deleted)",
            Err(_) => "+FLAGS.SILENT (\\Seen)",
        };
        session.uid_store(uid.to_string(), flag).await?.try_collect::<Vec<_>>().await?;
    }
    session.expunge().await?.try_collect::<Vec<_>>().await?;
    session.logout().await?;
    Ok(count)
}

/// Fetches one message, and no more of it than shows that it is too large.
async fn fetch(
    session: &mut Session<Box<dyn Stream>>,
    uid: u32,
) -> Result<Option<Vec<u8>>, NoVisit> {
    let part = format!("(BODY.PEEK[]<0.{}>)", AT_MOST + 1);
    let fetched: Vec<_> =
        session.uid_fetch(uid.to_string(), part).await?.try_collect::<Vec<_>>().await?;
    Ok(fetched.iter().find_map(|message| message.body()).map(<[u8]>::to_vec))
}

/// Returns how to encrypt: against the platform's authorities, or against the configured one only.
fn connector(settings: &Bounce) -> Result<TlsConnector, NoVisit> {
    use rustls_platform_verifier::BuilderVerifierExt;

    let unusable = |error: String| NoVisit::Tls(error);
    let builder = rustls::ClientConfig::builder();
    let config = match &settings.imap_ca_file {
        None => builder
            .with_platform_verifier()
            .map_err(|error| unusable(error.to_string()))?
            .with_no_client_auth(),
        Some(file) => {
            let mut roots = rustls::RootCertStore::empty();
            let found =
                CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}
