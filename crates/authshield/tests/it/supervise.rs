//! Parts of the program that panic are begun again, and somebody is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use authshield::mail::{self, MailObserver, Outcome, Post, Transport};
use authshield::supervise::Keeper;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{PASSWORD, TestApp, wait_until};

/// Panics when it is first told of an outcome.
struct Trap {
    outcome: Outcome,
    set: AtomicBool,
    hands: AtomicUsize,
}

impl Trap {
    fn at(outcome: Outcome) -> Arc<Self> {
        Arc::new(Self { outcome, set: AtomicBool::new(true), hands: AtomicUsize::new(0) })
    }
}

impl MailObserver for Trap {
    fn outcome(&self, _: &str, outcome: Outcome, _: Duration) {
        let springs = outcome == self.outcome && self.set.swap(false, Ordering::SeqCst);
        assert!(!springs, "a bug");
    }

    fn panicked(&self) {
        self.hands.fetch_add(1, Ordering::SeqCst);
    }
}

/// Keeps a worker going that has `trap` in it.
fn work(app: &TestApp, trap: Arc<Trap>) -> (JoinSet<()>, CancellationToken) {
    let transport = Transport::from_config(&app.app.config, None).unwrap();
    let post = Post::new(app.app.store.clone(), app.app.outbox.clone(), transport, trap);
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let mut keeper = Keeper { app: &app.app, stop: &stop, tasks: &mut tasks };
    keeper.going("mail", move |_, stop| mail::run(post.clone(), None, stop));
    (tasks, stop)
}

/// ASVS: V16.5.4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_mail_that_panics_is_begun_again_and_somebody_is_told() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let restarts = |page: &str| {
        let line = "authshield_task_restarts_total{task=\"mail\"} ";
        page.lines().find_map(|found| found.strip_prefix(line)?.parse::<u64>().ok())
    };
    assert_eq!(restarts(&app.app.metrics.encode()), Some(0), "it is there before the first");
    // It panics over a mail that was not sent in time.
    app.register("late@example.org", PASSWORD).await.ok(202);
    app.advance(Duration::from_hours(25));
    let (mut tasks, stop) = work(&app, Trap::at(Outcome::Expired));
    wait_until("it panicked", Duration::from_secs(20), async || {
        (restarts(&app.app.metrics.encode()) == Some(1)).then_some(())
    })
    .await;
    app.register("ann@example.org", PASSWORD).await.ok(202);
    assert_eq!(app.relay.wait_for(1).await[0].to, ["ann@example.org"], "mail leaves again");
    wait_until("somebody is told", Duration::from_secs(20), async || {
        app.events().await.contains(&"SERVICE_TASK_RESTARTED/mail".to_owned()).then_some(())
    })
    .await;
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_panics_takes_no_other_with_it_and_is_counted() {
    let app = TestApp::with(&[("rate_limit.enabled", "false")]).await;
    let trap = Trap::at(Outcome::Accepted);
    let (mut tasks, stop) = work(&app, Arc::clone(&trap));
    for name in ["ann", "bob", "cyd"] {
        app.register(&format!("{name}@example.org"), PASSWORD).await.ok(202);
    }
    app.relay.wait_for(3).await;
    wait_until("it is counted", Duration::from_secs(20), async || {
        (trap.hands.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}
