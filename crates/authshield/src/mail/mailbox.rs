//! Reading a mailbox (RFC 3501).

use std::path::Path;

use async_imap::error::Error;
use async_imap::{Client, Session};
use futures_util::TryStreamExt;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::returns::REPORT_AT_MOST;
use super::stream::{NoAuthority, Stream, connector};
use crate::config::ImapTls;
use crate::kernel::Timestamp;

/// A session in which somebody is known.
pub(super) type Visit = Session<Box<dyn Stream>>;

/// Why a mailbox could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoVisit {
    #[error("{0}")]
    Imap(#[from] Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("no answer in time")]
    Late,
    #[error("the certificates cannot be used: {0}")]
    Tls(#[from] NoAuthority),
    #[error("no certificate can have this name: {0}")]
    Name(String),
    #[error("the database failed: {0}")]
    Store(#[from] onesql::Error),
}

/// Where a mailbox is, and who may read it.
pub(super) struct Mailbox<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) tls: ImapTls,
    pub(super) ca_file: Option<&'a Path>,
    pub(super) username: &'a str,
    pub(super) password: &'a str,
}

impl Mailbox<'_> {
    /// Opens it; no folder is selected yet.
    pub(super) async fn open(&self) -> Result<Visit, NoVisit> {
        let socket = TcpStream::connect((self.host, self.port)).await?;
        let stream: Box<dyn Stream> = match self.tls {
            ImapTls::None => Box::new(socket),
            ImapTls::Implicit => {
                let name = ServerName::try_from(self.host.to_owned())
                    .map_err(|error| NoVisit::Name(error.to_string()))?;
                Box::new(connector(self.ca_file)?.connect(name, socket).await?)
            }
        };
        let mut client = Client::new(stream);
        client.read_response().await?;
        client.login(self.username, self.password).await.map_err(|(error, _)| NoVisit::Imap(error))
    }
}

/// Returns the new messages of the selected folder, up to `at_most`, the oldest first.
pub(super) async fn news(visit: &mut Visit, at_most: usize) -> Result<Vec<u32>, NoVisit> {
    let mut new: Vec<u32> = visit.uid_search("UNSEEN UNDELETED").await?.into_iter().collect();
    new.sort_unstable();
    new.truncate(at_most);
    Ok(new)
}

/// Fetches one message, and no more of it than shows that it is too large; with when it came, by the
/// clock of its server.
pub(super) async fn fetch(
    visit: &mut Visit,
    uid: u32,
) -> Result<Option<(Vec<u8>, Option<Timestamp>)>, NoVisit> {
    let part = format!("(INTERNALDATE BODY.PEEK[]<0.{}>)", REPORT_AT_MOST + 1);
    let fetched: Vec<_> =
        visit.uid_fetch(uid.to_string(), part).await?.try_collect::<Vec<_>>().await?;
    Ok(fetched.iter().find_map(|message| {
        let came = message.internal_date();
        let came = came.map(|date| Timestamp::from_microsecond(date.timestamp_micros()));
        message.body().map(|body| (body.to_vec(), came))
    }))
}

/// Marks a message.
pub(super) async fn mark(visit: &mut Visit, uid: u32, flags: &str) -> Result<(), NoVisit> {
    let flags = format!("+FLAGS.SILENT ({flags})");
    visit.uid_store(uid.to_string(), flags).await?.try_collect::<Vec<_>>().await?;
    Ok(())
}

/// Removes what is marked as deleted from the selected folder.
pub(super) async fn tidy(visit: &mut Visit) -> Result<(), NoVisit> {
    visit.expunge().await?.try_collect::<Vec<_>>().await?;
    Ok(())
}
