//! Seeing one arrive.

use std::time::Duration;

use mail_parser::MessageParser;
use onesql::Result;

use super::sql::{self, Arrival};
use super::verdict::{self, Verdict};
use super::{key, name};
use crate::app::App;
use crate::dns::Dns;
use crate::kernel::{MailId, Timestamp};
use crate::mail::events::{self, News};
use crate::mail::sql::Detail;
use crate::mail::timeline::EventKind;
use crate::telemetry::metrics::{CanaryArrival, CanaryLeg};

/// How long the name servers may take for all that a verdict needs.
const VERDICT: Duration = Duration::from_secs(15);

/// How many words of a mail are looked at.
const WORDS: usize = 2000;

/// Where one was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// `imap` or `webhook`.
    pub(super) via: &'static str,
    /// `inbox`, `junk` or `unknown`.
    pub(super) folder: &'static str,
    /// When it came there, if somebody says.
    pub(super) came: Option<Timestamp>,
}

/// Takes in a mail that was posted to us, if it is a canary; false if it is something else.
pub(in crate::mail) async fn take_in(app: &App, raw: &[u8]) -> Result<bool> {
    if !app.config.canary.is_on() {
        return Ok(false);
    }
    let sight = Sight { via: "webhook", folder: "unknown", came: None };
    Ok(arrived(app, raw, sight).await?.is_some())
}

/// Takes in a mail that came to a canary's mailbox; `None` if it is no canary of ours.
pub(super) async fn arrived(app: &App, raw: &[u8], sight: Sight) -> Result<Option<MailId>> {
    let Some(mail) = recognise(app, raw) else { return Ok(None) };
    if sql::sent(&mut app.store.glance().await?, mail).await?.is_none() {
        return Ok(None);
    }
    let verdict = judge(app, raw).await;
    let seen_at = app.world.now();
    let mut tx = app.store.write().await?;
    let Some((sent_at, accepted_at)) = sql::sent(&mut tx, mail).await? else { return Ok(None) };
    // By its own clock the mailbox may have had it before it was sent, or will have it tomorrow.
    let earliest = accepted_at.unwrap_or(sent_at);
    let arrived_at = sight.came.unwrap_or(seen_at).clamp(earliest.min(seen_at), seen_at);
    let arrival =
        Arrival { arrived_at, seen_at, via: sight.via, folder: sight.folder, verdict: &verdict };
    let Some(mailbox) = sql::arrive(&mut tx, mail, &arrival).await? else {
        return Ok(Some(mail));
    };
    let news = News {
        mail,
        at: arrived_at,
        source: "canary",
        external_id: mail.to_string(),
        kind: EventKind::Delivered,
        detail: Detail {
            reply: Some(format!("seen in {} by {}", sight.folder, sight.via)),
            ..Detail::default()
        },
    };
    events::append(&mut tx, &app.outbox, news).await?;
    tx.commit().await?;
    tracing::debug!(
        %mail, mailbox, folder = sight.folder, via = sight.via, spf = verdict.spf,
        dkim = verdict.dkim, dmarc = verdict.dmarc, "a canary arrived"
    );
    let mailbox = name(mailbox);
    let labels = CanaryArrival { mailbox, folder: sight.folder };
    app.metrics.mail_canary_arrivals.get_or_create(&labels).inc();
    let legs = [
        ("accept", accepted_at.map(|at| at.since(sent_at))),
        ("arrive", accepted_at.map(|at| arrived_at.since(at))),
        ("total", Some(arrived_at.since(sent_at))),
    ];
    for (leg, took) in legs {
        let Some(took) = took else { continue };
        let span = app.metrics.mail_canary_leg.get_or_create(&CanaryLeg { mailbox, leg });
        span.observe(took.as_secs_f64());
    }
    Ok(Some(mail))
}

/// Finds what only we can have written.
fn recognise(app: &App, raw: &[u8]) -> Option<MailId> {
    let message = MessageParser::new().parse(raw)?;
    let text = message.body_text(0)?;
    let key = key(app);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(WORDS).find_map(|word| key.read_nonce(word))
}

async fn judge(app: &App, raw: &[u8]) -> Verdict {
    let receiver = verdict::receiver(raw);
    // Where nobody is to be asked about our mail, nobody is.
    let asked = match Dns::for_mail(&app.config) {
        Some(Ok(dns)) => tokio::time::timeout(VERDICT, verdict::judge(&dns, raw)).await.ok(),
        Some(Err(_)) | None => None,
    };
    Verdict { receiver, ..asked.unwrap_or(Verdict::UNKNOWN) }
}
