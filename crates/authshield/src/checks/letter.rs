//! SMTP-7: a real message, by the way that every message goes, until somebody has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check::{About, Check, Effect};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::app::App;
use crate::assemble::assemble;
use crate::kernel::{EmailAddress, MailId};
use crate::mail::{self, Letter, MailRow, Post, Recipient, canary};
use crate::telemetry::Metrics;

/// How often the message is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A message that somebody asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who gets it.
    pub to: EmailAddress,
    /// How long it is followed.
    pub wait: Duration,
}

/// Sending one.
pub(super) struct Arrival;

impl Check for Arrival {
    const ABOUT: About = About {
        id: "SMTP-7",
        title: "A mail is sent",
        verifies: "With `--send-mail ADDRESS`, a real message goes by way of the queue, the templates and \
                   the relay, and is followed for as long as `--wait` says: to one of canary.addresses \
                   until it has arrived in the mailbox, to any other until the relay took or refused it.",
        expected: "the message arrives, or the relay takes it where nobody can look into the mailbox",
        remedy: "Look at `authshield mail list`; the relay's last answer says why. If the relay took it, \
                 ask its operator what became of it.",
        settings: &["smtp.host", "mail.from"],
        parents: &["DB-2", "SMTP-5"],
        effect: Effect::SendsMail,
        timeout: Duration::from_hours(1),
        policy: Policy { gate: Act::Fail, start: Act::Nothing, running: Act::Nothing },
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match send(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn send(at: &Round) -> Result<Verdict, Verdict> {
    let Some(order) = at.order() else { return Ok(Verdict::skip("--send-mail was not given")) };
    super::database::has_tables(at).await?;
    let store = at.store().await?.clone();
    let world = at.shared_world();
    let metrics = Metrics::new(&*world);
    let (app, post) = assemble(at.config().clone(), Arc::clone(&world), store, metrics).await?;
    let mut canaries = (1..).zip(&app.config.canary.addresses);
    let canary = canaries.find(|(_, address)| address.parse().as_ref() == Ok(&order.to));
    let mut tx = app.store.write().await?;
    let id = if let Some((mailbox, address)) = canary {
        canary::put(&mut tx, &app, mailbox, address, at.now()).await?
    } else {
        let to = Recipient {
            user: None,
            email: order.to.to_string(),
            name: None,
            locale: app.config.mail.default_locale.clone(),
        };
        app.outbox.put(&mut tx, &to, &Letter::Test, at.now()).await?
    };
    tx.commit().await?;
    let to_the_end = canary.is_some() && app.config.canary.mailboxes.is_some();
    let verdict = follow(&app, &post, id, order.wait, to_the_end).await;
    app.passwords.shutdown();
    verdict
}

/// Waits until something became of the message: `to_the_end` until it arrived.
async fn follow(
    app: &App,
    post: &Post,
    id: MailId,
    wait: Duration,
    to_the_end: bool,
) -> Result<Verdict, Verdict> {
    let began = Instant::now();
    let mut trouble = None;
    loop {
        // A service that runs may be faster: whoever claims it sends it.
        post.deliver_due().await;
        let shown = mail::show(&app.store, &app.outbox, id, app.world.now()).await?;
        let Some(row) = shown.map(|shown| shown.story.row) else {
            return Ok(Verdict::fail("the message is gone from the queue"));
        };
        let took = began.elapsed();
        let verdict = match row.state.as_str() {
            "accepted" if to_the_end && took < wait => {
                trouble = canary::look(app).await.err();
                None
            }
            "accepted" if to_the_end => {
                let words = format!("the relay took it, and it has not arrived in {took:.1?}");
                let verdict = Verdict::fail(words).evidence(format!("the relay: {}", last(&row)));
                Some(trouble.take().into_iter().fold(verdict, Verdict::evidence))
            }
            "delivered" if to_the_end => Some(arrived(app, id).await?),
            "accepted" | "delivered" | "confirmed" => {
                let words = format!("{} after {took:.1?}: {}", row.state, last(&row));
                Some(Verdict::pass(words))
            }
            "kept" => Some(Verdict::pass(format!("kept in {}", last(&row)))),
            "queued" | "sending" | "deferred" if took < wait => None,
            state => Some(Verdict::fail(format!("{state} after {took:.1?}: {}", last(&row)))),
        };
        if let Some(verdict) = verdict {
            return Ok(verdict.evidence(format!("Message-ID {}", row.message_id)));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells how a canary arrived.
async fn arrived(app: &App, id: MailId) -> Result<Verdict, Verdict> {
    let Some(canary) = canary::find(app, id).await? else {
        return Ok(Verdict::fail("the message is gone from the queue"));
    };
    let took = canary.legs().2.unwrap_or_default();
    let folder = canary.folder.as_deref().unwrap_or("unknown");
    let words = format!("arrived after {took:.1?}; folder: {folder}");
    let verdict = if folder == "junk" { Verdict::warn(words) } else { Verdict::pass(words) };
    let said = canary.verdicts().map(|(method, verdict)| format!("{method}={verdict}"));
    Ok(verdict.evidence(said.join(" ")))
}

fn last(row: &MailRow) -> &str {
    row.last_reply.as_deref().unwrap_or("no answer so far")
}
