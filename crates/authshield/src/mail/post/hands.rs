//! What is in hand: under whose name, as part of which trace, and what if it panics.

use tokio::task::JoinError;
use tracing::Span;

use super::{Post, Presence};
use crate::mail::sql::Row;
use crate::telemetry::traces;

impl Post {
    /// Returns the way that mail is to take first, by the name that metrics have for it.
    #[must_use]
    pub(in crate::mail) fn first(&self) -> &'static str {
        self.lanes().first().map_or("file", |lane| lane.name)
    }

    /// Takes messages in hand under the name of this process from now on, and gives back what those had in
    /// hand that are gone.
    pub(super) async fn stand_in(&self, presence: &Presence) {
        let _ = self.0.node.set(presence.node());
        presence.take_over(&self.0.store, self.0.outbox.world().now()).await;
    }

    /// One message in hand never touches its neighbours, whatever happens to it. Returns how many
    /// messages were tried: a probe is none.
    pub(super) fn ended(&self, ended: Result<usize, JoinError>) -> usize {
        ended.unwrap_or_else(|error| {
            tracing::error!(%error, "sending a mail panicked; it is tried again when its lease ends");
            self.0.observer.panicked();
            1
        })
    }
}

/// Returns the span of a try: part of the trace of what caused the message, if somebody traces that.
pub(super) fn span_of(row: &Row) -> Span {
    let Some(cause) = &row.trace_context else { return Span::none() };
    let span = tracing::debug_span!("send a mail", authshield.mail_kind = row.kind);
    traces::go_on(&span, cause);
    span
}
