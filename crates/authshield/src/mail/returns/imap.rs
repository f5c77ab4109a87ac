//! Fetching reports from the mailbox that they come to.
//!
//! What was taken in is deleted; what was not believed is marked as seen and stays, for a person.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::intake::take_in;
use crate::app::App;
use crate::mail::mailbox::{self, Mailbox, NoVisit};
use crate::mail::reply::one_line;

/// How long one visit to the mailbox may take.
const VISIT: Duration = Duration::from_mins(2);

/// How many messages one visit takes in.
const PER_VISIT: usize = 200;

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
    let mailbox = Mailbox {
        host,
        port: settings.imap_port,
        tls: settings.imap_tls,
        ca_file: settings.imap_ca_file.as_deref(),
        username: settings.imap_username.as_deref().unwrap_or_default(),
        password: settings.imap_password.as_ref().map_or("", ExposeSecret::expose_secret),
    };
    let mut visit = mailbox.open().await?;
    visit.select(&settings.imap_mailbox).await?;
    let new = mailbox::news(&mut visit, PER_VISIT).await?;
    let count = new.len();
    for uid in new {
        let Some((raw, _)) = mailbox::fetch(&mut visit, uid).await? else { continue };
        let flags = match take_in(app, &raw).await? {
            Ok(()) => "\\Seen \\Deleted",
            Err(_) => "\\Seen",
        };
        mailbox::mark(&mut visit, uid, flags).await?;
    }
    mailbox::tidy(&mut visit).await?;
    visit.logout().await?;
    Ok(count)
}
