//! The runner itself: beliefs, events, one node for all, and what happens when it fails.

use std::sync::Arc;
use std::time::Duration;

use authshield::checks::{
    About, Act, Board, Check, Entry, Overrides, Policy, Round, Standing, Subject, Verdict,
};
use authshield::config;
use authshield::world::{Sandbox, SharedWorld};
use reqwest::Method;
use serde_json::Value;

use super::{Watched, relay::with_login};
use crate::support::detection::Fault;
use crate::support::smtp_server::Reaction;
use crate::support::{Person, Program, Script, Server, SmtpServer, TestApp, wait_until};

/// Makes an administrator by command, signs in, and returns the access token.
async fn administrator(program: &Program, server: &Server) -> String {
    let create = ["user", "create", "root@example.org", "--password-stdin", "--role", "admin"];
    let create = [&create as &[&str], &["--verified"]].concat();
    program.run_with(&create, crate::support::PASSWORD).await.ok();
    let reply = server.client.log_in("root@example.org", crate::support::PASSWORD).await.unwrap();
    Person::from_pair(&reply.ok(200).body).access
}

async fn seen(server: &Server, access: &str) -> Value {
    let request = server.client.request(Method::GET, "/api/v1/admin/health").bearer_auth(access);
    server.client.send(request).await.unwrap().ok(200).body.clone()
}

/// Operations 9, row 5
#[tokio::test]
async fn a_password_that_is_revoked_while_it_runs_is_noticed_without_any_mail() {
    let (relay, program) = with_login("Vt8-the-right-one").await;
    let watched = Watched::serve(program).await;
    watched.until("SMTP-4", 0).await;
    let access = administrator(&watched.program, &watched.server).await;

    let fault = Fault::injected(5, "the mail password is revoked");
    relay.on(|heard| heard.is("AUTH").then(|| Reaction::say("535 5.7.8 no longer")));
    watched.until("SMTP-4", 2).await;
    fault.found_by("SMTP-4");
    watched.until_events(&["CHECK_FAILED/SMTP-4"]).await;
    assert_eq!(relay.mails().len(), 0);
    let health = seen(&watched.server, &access).await;
    assert_eq!(health["standing"], "bad");
    let of = |id: &str, list: &Value| {
        list.as_array().unwrap().iter().find(|it| it["id"] == id || it["check"] == id).cloned()
    };
    let found = of("SMTP-4", &health["checks"]).unwrap();
    let words = found.to_string();
    for part in ["535", "bad", "AUTHSHIELD_SMTP_PASSWORD", "page"] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    assert!(!words.contains("Vt8-the-right-one"), "{words}");
    let change = of("SMTP-4", &health["history"]).unwrap();
    assert_eq!((&change["was"], &change["became"]), (&"good".into(), &"bad".into()));
    // What rests on it is not told as well.
    assert_eq!(watched.status("SMTP-5").await, None);
    let reply = watched.server.client.get("/api/v1/health").await.unwrap();
    let public = reply.ok(200);
    assert_eq!(
        (&public.body["status"], &public.body["checks"]["mail"]["status"]),
        (&"degraded".into(), &"degraded".into())
    );

    relay.behave();
    watched.until("SMTP-4", 0).await;
    watched.until("SMTP-5", 0).await;
    watched.until_events(&["CHECK_FAILED/SMTP-4", "CHECK_RECOVERED/SMTP-4"]).await;
    watched.server.stop().await;
}

/// One bad result is a hiccup.
#[tokio::test]
async fn a_single_failure_alarms_nobody() {
    let (relay, program) = with_login("Vt8-the-right-one").await;
    let watched = Watched::serve(program).await;
    watched.until("SMTP-4", 0).await;
    let once = std::sync::atomic::AtomicBool::new(true);
    relay.on(move |heard| {
        let first = heard.is("AUTH") && once.swap(false, std::sync::atomic::Ordering::Relaxed);
        first.then(|| Reaction::say("454 4.7.0 not now"))
    });
    let refused = relay.connections();
    wait_until("two more conversations", Duration::from_secs(20), async || {
        (relay.connections() > refused + 3).then_some(())
    })
    .await;
    assert_eq!(watched.status("SMTP-4").await, Some(0));
    assert!(watched.events().await.is_empty());
}

#[tokio::test]
async fn one_node_looks_for_all_and_another_takes_over() {
    let relay = SmtpServer::start(Script::default()).await;
    let first = Watched::serve(Program::new().await.mailing(&relay).checked()).await;
    first.until("SMTP-1", 0).await;
    let second = Watched::serve(first.program.another()).await;
    // The second tells what the first found out.
    second.until("SMTP-1", 0).await;
    relay.on(|heard| heard.line.is_empty().then(|| Reaction::say("421 4.3.2 closed")));
    first.until("SMTP-1", 2).await;
    second.until("SMTP-1", 2).await;
    first.until_events(&["CHECK_FAILED/SMTP-1"]).await;

    first.server.kill().await;
    relay.behave();
    second.until("SMTP-1", 0).await;
    second.until_events(&["CHECK_FAILED/SMTP-1", "CHECK_RECOVERED/SMTP-1"]).await;
}

/// A check with a bug.
struct Panics;

impl Check for Panics {
    const ABOUT: About = About {
        id: "XYZ-1",
        title: "A check with a bug",
        verifies: "Nothing.",
        expected: "nothing",
        remedy: "Mend it.",
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_secs(1)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        assert!(at.now().as_second() < 0, "as it does");
        Verdict::pass("never")
    }
}

/// Operations 9, row 37
#[tokio::test]
async fn a_check_that_panicked_is_unknown_and_so_is_one_that_nobody_runs() {
    let app = TestApp::start().await;
    let loaded = config::load_text("checks.interval = \"1s\"", []).unwrap();
    let world: SharedWorld = Arc::new(Sandbox::default());
    let board =
        Board::new(&[Entry::of::<Panics>()], &loaded.config, &Overrides::default(), &*world);
    let subject = Arc::new(Subject::new(&loaded, Arc::clone(&world)));
    let plan = authshield::checks::Plan::new(
        authshield::checks::Occasion::Running,
        Overrides::default(),
        Duration::from_secs(5),
    );
    let now = world.now();
    board.begin(now);
    let metrics = &app.app.metrics;
    let exported = |at| {
        board.export(metrics, at);
        metrics.encode().lines().find_map(|line| {
            line.strip_prefix("authshield_check_status{check=\"XYZ-1\"} ").map(ToOwned::to_owned)
        })
    };
    assert_eq!(exported(now), None, "not looked at yet");
    let fault = Fault::injected(37, "a check panics");
    for finding in authshield::checks::run(&[Entry::of::<Panics>()], &subject, &plan).await {
        let change = board.note(finding, now);
        assert!(change.is_none(), "it was unknown before");
    }
    assert_eq!(board.rows(now)[0].track.standing, Standing::Unknown);
    assert_eq!(exported(now).as_deref(), Some("3"));
    fault.found_by("it is unknown, in the metric of its state");

    // Whoever looked is gone: what was good is unknown after three intervals.
    let fine = Board::new(&[Entry::of::<Fine>()], &loaded.config, &Overrides::default(), &*world);
    fine.begin(now);
    for finding in authshield::checks::run(&[Entry::of::<Fine>()], &subject, &plan).await {
        fine.note(finding, now);
    }
    let standing = |after| fine.rows(now + Duration::from_secs(after))[0].track.standing;
    assert_eq!((standing(3), standing(4)), (Standing::Good, Standing::Unknown));
}

/// A check that has none.
struct Fine;

impl Check for Fine {
    const ABOUT: About = About { id: "XYZ-2", ..Panics::ABOUT };

    async fn look(_: &Round) -> Verdict {
        Verdict::pass("fine")
    }
}
