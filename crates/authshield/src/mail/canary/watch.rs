//! Sending them, and looking for them.

use std::time::Duration;

use futures_util::TryStreamExt;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::arrival::{Sight, arrived};
use super::{put, sql};
use crate::app::App;
use crate::config::{CanaryMailbox, Config};
use crate::leases;
use crate::mail::mailbox::{self, Mailbox, NoVisit, Visit};
use crate::mail::reply::one_line;
use crate::mail::schedule;
use crate::problem::chain;

/// How long one visit to one mailbox may take.
const VISIT: Duration = Duration::from_mins(1);

/// How long it may take to open one mailbox.
const OPEN: Duration = Duration::from_secs(15);

/// How many messages one visit looks at in one folder.
const PER_VISIT: usize = 50;

/// How many looks there are in one interval, and how long there is between two of them.
const LOOKS: u32 = 10;
const LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));

/// Sends canaries and looks for them until `stop`, where this node does it for all; does nothing
/// where none are configured.
pub async fn run(app: App, stop: CancellationToken) {
    if !app.config.canary.is_on() {
        return;
    }
    let every = app.config.canary.every;
    let look_every = (every / LOOKS).clamp(LOOK.0, LOOK.1);
    let mut trouble = String::new();
    let mut next = interval(&app);
    loop {
        let pause = look_every / 2 + schedule::jitter(look_every, &*app.world);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        // Longer than a look, or another node would look in between.
        let length = (look_every * 4).max(Duration::from_secs(2));
        let turn = async {
            if !leases::take(&app, "canary", length).await? {
                return Ok(());
            }
            let last = sql::last_sent(&mut app.store.glance().await?).await?;
            if last.is_none_or(|last| app.world.now().since(last) >= next) {
                send(&app).await?;
                next = interval(&app);
            }
            Ok::<_, onesql::Error>(())
        };
        let mut failed = match turn.await {
            Ok(()) => String::new(),
            Err(error) => format!("the database failed: {}", chain(&error)),
        };
        if failed.is_empty()
            && let Err(why) = look(&app).await
        {
            failed = why;
        }
        // Said once, not at every look.
        if failed != trouble {
            if failed.is_empty() {
                tracing::info!("the canaries can be looked for again");
            } else {
                tracing::error!(error = failed, "the canaries cannot be looked for");
            }
            trouble = failed;
        }
    }
}

/// Returns how long it is to the next: a tenth less or more, so that it marches in step with nobody.
fn interval(app: &App) -> Duration {
    let every = app.config.canary.every;
    every * 9 / 10 + schedule::jitter(every / 5, &*app.world)
}

/// Sends one to each address.
async fn send(app: &App) -> onesql::Result<()> {
    let now = app.world.now();
    let mut tx = app.store.write().await?;
    for (mailbox, address) in (1..).zip(&app.config.canary.addresses) {
        put(&mut tx, app, mailbox, address, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Looks into every mailbox that can be read; the error says, on one line, which cannot and why.
pub async fn look(app: &App) -> Result<(), String> {
    let mut troubles = Vec::new();
    for (mailbox, address) in app.config.canary.read_at().iter().zip(&app.config.canary.addresses) {
        let visited = tokio::time::timeout(VISIT, visit(app, mailbox)).await;
        if let Err(error) = visited.unwrap_or(Err(NoVisit::Late)) {
            troubles.push(format!("{address}: {}", one_line(&error.to_string())));
        }
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("; ")) }
}

/// Opens every mailbox, and changes nothing; the error says, on one line, which cannot be opened and why.
pub async fn open_all(config: &Config) -> Result<(), String> {
    let mut troubles = Vec::new();
    for (mailbox, address) in config.canary.read_at().iter().zip(&config.canary.addresses) {
        let opened = async {
            let mut visit = open(config, mailbox).await?;
            visit.examine(&mailbox.inbox).await?;
            if let Some(junk) = &mailbox.junk {
                visit.examine(junk).await?;
            }
            visit.logout().await?;
            Ok::<_, NoVisit>(())
        };
        let opened = tokio::time::timeout(OPEN, opened).await;
        if let Err(error) = opened.unwrap_or(Err(NoVisit::Late)) {
            troubles.push(format!("{address}: {}", one_line(&error.to_string())));
        }
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("; ")) }
}

async fn open(config: &Config, settings: &CanaryMailbox) -> Result<Visit, NoVisit> {
    let mailbox = Mailbox {
        host: &settings.host,
        port: settings.port,
        tls: settings.tls,
        ca_file: config.canary.imap_ca_file.as_deref(),
        username: &settings.username,
        password: settings.password.expose_secret(),
    };
    mailbox.open().await
}

async fn visit(app: &App, settings: &CanaryMailbox) -> Result<(), NoVisit> {
    let mut visit = open(&app.config, settings).await?;
    take(app, &mut visit, &settings.inbox, "inbox").await?;
    let junk = match &settings.junk {
        Some(junk) => Some(junk.clone()),
        None => junk_folder(&mut visit).await?,
    };
    if let Some(junk) = junk {
        take(app, &mut visit, &junk, "junk").await?;
    }
    visit.logout().await?;
    Ok(())
}

/// Takes in what is new in a folder: canaries are removed, anything else is left for a person.
async fn take(
    app: &App,
    visit: &mut Visit,
    folder: &str,
    called: &'static str,
) -> Result<(), NoVisit> {
    visit.select(folder).await?;
    let new = mailbox::news(visit, PER_VISIT).await?;
    if new.is_empty() {
        return Ok(());
    }
    for uid in new {
        let Some((raw, came)) = mailbox::fetch(visit, uid).await? else { continue };
        let sight = Sight { via: "imap", folder: called, came };
        let is_ours = arrived(app, &raw, sight).await?.is_some();
        mailbox::mark(visit, uid, if is_ours { "\\Seen \\Deleted" } else { "\\Seen" }).await?;
    }
    mailbox::tidy(visit).await
}

/// Finds the folder for junk: the one that the server calls so (RFC 6154), or one with a usual name.
async fn junk_folder(visit: &mut Visit) -> Result<Option<String>, NoVisit> {
    const NAMES: [&str; 6] = ["Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail", "Bulk"];
    let folders: Vec<_> = visit.list(Some(""), Some("*")).await?.try_collect().await?;
    let told = folders.iter().find(|folder| {
        folder.attributes().iter().any(|attribute| format!("{attribute:?}").contains("Junk"))
    });
    let usual = || {
        folders.iter().find(|folder| {
            let last = folder.name().rsplit(['/', '.']).next().unwrap_or_default();
            NAMES.iter().any(|name| last.eq_ignore_ascii_case(name))
        })
    };
    Ok(told.or_else(usual).map(|folder| folder.name().to_owned()))
}
