//! Parts of the program that go on for as long as it does: one that panics is begun again, and somebody
//! is told.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::telemetry::metrics::Task;

/// The names of all, as metrics have them; and of a mail that was in hand, which is never begun again.
pub const TASKS: [&str; 11] = [
    "mail",
    "mail_in_hand",
    "mail_faults",
    "mail_reports",
    "canary",
    "outcome",
    "seals",
    "exports",
    "revocations",
    "checks",
    "chores",
];

/// How long it is to the first new beginning, and how much longer to each that follows soon, at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// After how long a panic is no longer the same trouble as the one before.
const CALM: Duration = Duration::from_mins(10);

/// Keeps what the program does by itself going, among its tasks.
pub struct Keeper<'k> {
    /// The service.
    pub app: &'k App,
    /// When it ends.
    pub stop: &'k CancellationToken,
    /// Who waits for the end.
    pub tasks: &'k mut JoinSet<()>,
}

impl Keeper<'_> {
    /// Keeps `what` going.
    pub fn going<F>(
        &mut self,
        what: &'static str,
        begin: impl Fn(App, CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (app, stop) = (self.app.clone(), self.stop.clone());
        let again = (app.clone(), stop.clone());
        let begin = move || begin(again.0.clone(), again.1.clone());
        self.tasks.spawn(keep(app, what, stop, begin));
    }
}

/// Keeps `what` going until it ends by itself, which it does at `stop`: whenever it panics it is begun
/// again, a little later each time.
async fn keep<F>(
    app: App,
    what: &'static str,
    stop: CancellationToken,
    begin: impl Fn() -> F + Send,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = PAUSE.0;
    loop {
        let since = Instant::now();
        match tokio::spawn(begin()).await {
            Err(error) if error.is_panic() => tell(&app, what).await,
            Ok(()) | Err(_) => return,
        }
        if since.elapsed() > CALM {
            pause = PAUSE.0;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Tells that `task` panicked: what it said stands in the log already.
async fn tell(app: &App, task: &'static str) {
    app.metrics.task_restarts.get_or_create(&Task { task }).inc();
    tracing::error!(task, "a part of the program panicked and is begun again: this is a bug");
    let ctx = Ctx::command(Arc::clone(&app.world));
    let event = Event::ServiceTaskRestarted { task, node: app.checks.node };
    if let Err(error) = audit::record_alone(app, &ctx, &event).await {
        let error = crate::problem::chain(&error);
        tracing::error!(error, task, "that it panicked could not be written down");
    }
}
