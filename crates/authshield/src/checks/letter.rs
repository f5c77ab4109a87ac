//! SMTP-7: a real message, by the way that every message goes, until somebody has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check::{About, Check, Effect};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::assemble::assemble;
use crate::kernel::{EmailAddress, MailId};
use crate::mail::{self, Letter, MailRow, Post, Recipient};
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
                   the relay, and is followed until the relay took or refused it, for as long as \
                   `--wait` says. What servers behind the relay do with it, the mailbox tells.",
        expected: "the relay takes the message",
        remedy: "Look at `authshield mail list`; the relay's last answer says why.",
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
    let to = Recipient {
        user: None,
        email: order.to.to_string(),
        name: None,
        locale: app.config.mail.default_locale.clone(),
    };
    let mut tx = app.store.write().await?;
    let id = app.outbox.put(&mut tx, &to, &Letter::Test, at.now()).await?;
    tx.commit().await?;
    app.outbox.wake();
    let verdict = follow(&app, &post, id, order.wait).await;
    app.passwords.shutdown();
    verdict
}

/// Waits until something became of the message.
async fn follow(
    app: &crate::app::App,
    post: &Post,
    id: MailId,
    wait: Duration,
) -> Result<Verdict, Verdict> {
    let began = Instant::now();
    loop {
        // A service that runs may be faster: whoever claims it sends it.
        post.deliver_due().await;
        let shown = mail::show(&app.store, &app.outbox, id, app.world.now()).await?;
        let Some(row) = shown.map(|shown| shown.story.row) else {
            return Ok(Verdict::fail("the message is gone from the queue"));
        };
        let took = began.elapsed();
        let verdict = match row.state.as_str() {
            "accepted" | "delivered" | "confirmed" => {
                Some(Verdict::pass(format!("{} after {took:.1?}: {}", row.state, last(&row))))
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

fn last(row: &MailRow) -> &str {
    row.last_reply.as_deref().unwrap_or("no answer so far")
}
