//! Faults of our own settings, as incidents that somebody is told of: one, whatever number of
//! messages and nodes meet it, and one end.

use std::sync::Arc;

use onesql::Result;
use tokio_util::sync::CancellationToken;

use super::breaker::Note;
use super::sql;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};

/// Writes incidents down as they come, until `stop`.
pub async fn watch(app: App, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = app.post.noted() => report(&app).await,
        }
    }
    report(&app).await;
}

/// Writes down what there is to write down.
pub async fn report(app: &App) {
    for (provider, note) in app.post.notes() {
        if let Err(error) = write_down(app, provider, &note).await {
            app.post.untold(provider);
            let error = crate::problem::chain(&error);
            tracing::error!(error, "an incident of mail could not be written down");
        }
    }
}

async fn write_down(app: &App, provider: &'static str, note: &Note) -> Result<()> {
    let ctx = Ctx::command(Arc::clone(&app.world));
    let mut tx = app.store.write().await?;
    let event = match note {
        Note::Fault(failure) => {
            if !sql::open_fault(&mut tx, provider, ctx.now).await? {
                return Ok(());
            }
            Event::MailConfigFault {
                provider,
                step: failure.step.as_str(),
                smtp_code: failure.code,
                // An answer about a message may name its recipient.
                reply: failure.concerns_all().then(|| failure.reply.clone()),
                advice: failure.advice.unwrap_or_default(),
            }
        }
        Note::Mended => {
            let Some(since) = sql::close_fault(&mut tx, provider).await? else { return Ok(()) };
            Event::MailConfigRecovered { provider, seconds: ctx.now.since(since).as_secs() }
        }
    };
    audit::record(&mut tx, app, &ctx, &event).await?;
    tx.commit().await
}
