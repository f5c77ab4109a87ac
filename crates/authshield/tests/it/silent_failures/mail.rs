//! Mail that does not leave, or does not arrive, is found and says why.

use std::time::{Duration, Instant};

use onesql::{Options, Sql, Store};
use serde_json::Value;

use crate::support::detection::Fault;
use crate::support::program::free_port;
use crate::support::smtp_server::Reaction;
use crate::support::{Client, Program, Script, Server, SmtpServer, on_postgres, wait_until};

/// Within what time a fault of our own settings is found, and a mail leaves when it is mended.
const FOUND: Duration = Duration::from_mins(1);

/// A program, what operators see of it, and its database.
struct Scene {
    program: Program,
    operator: Client,
}

impl Scene {
    async fn new(relay: &SmtpServer) -> Self {
        let port = free_port();
        let program = Program::new()
            .await
            .unlimited()
            .mailing(relay)
            .set("admin_listen", &format!("127.0.0.1:{port}"));
        Self { program, operator: Client::new(port) }
    }

    async fn store(&self) -> Store {
        Store::open(&Options::parse(&self.program.database_url).unwrap()).await.unwrap()
    }

    /// Counts the events with this code.
    async fn events(&self, code: &str) -> usize {
        let mut tx = self.store().await.glance().await.unwrap();
        let rows: Vec<(String,)> = tx
            .query("SELECT code FROM audit_events WHERE code = $1")
            .bind(code.to_owned())
            .all()
            .await
            .unwrap();
        rows.len()
    }

    async fn change(&self, statement: impl Into<Sql>) {
        let mut tx = self.store().await.write().await.unwrap();
        tx.query(statement).execute().await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Returns the value of a metric with its labels, as the exposition has them.
    async fn metric(&self, name: &str) -> Option<f64> {
        let page = self.operator.get("/metrics").await?;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        page.text.lines().find_map(value)
    }

    async fn mails(&self) -> Vec<Value> {
        self.program.run(&["mail", "list", "--json"]).await.json().as_array().unwrap().clone()
    }

    /// Waits until the fault is an event and a metric.
    async fn found(&self) {
        wait_until("the fault is an event", FOUND, async || {
            (self.events("MAIL_CONFIG_FAULT").await > 0).then_some(())
        })
        .await;
        assert_eq!(self.metric("authshield_mail_config_fault").await, Some(1.0));
    }

    /// Waits until the incident is over.
    async fn recovered(&self) {
        wait_until("the incident is over", FOUND, async || {
            (self.events("MAIL_CONFIG_RECOVERED").await == 1).then_some(())
        })
        .await;
        assert_eq!(self.metric("authshield_mail_config_fault").await, Some(0.0));
        assert_eq!(self.events("MAIL_CONFIG_FAULT").await, 1, "one incident");
    }
}

async fn register(server: &Server, count: usize) {
    for number in 0..count {
        server.client.register(&format!("p{number}@example.net")).await.unwrap().ok(202);
    }
}

fn to(relay: &SmtpServer) -> Vec<String> {
    let mut to: Vec<_> = relay.mails().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    to
}

/// Row 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_mail_password_is_one_incident_and_costs_no_mail() {
    let script = Script { login: Some(("post", "right-Vq7wKx2mzP")), ..Script::default() };
    let relay = SmtpServer::start(script).await;
    let mut scene = Scene::new(&relay).await;
    scene.program =
        scene.program.set("smtp.username", "post").set("smtp.password", "wrong-Vq7wKx2mzP");
    let server = scene.program.serve().await;
    let fault = Fault::injected(4, "a wrong mail password: three mails");
    register(&server, 3).await;
    scene.found().await;
    fault.found_by("MAIL_CONFIG_FAULT");
    let breaker = scene.metric("authshield_mail_breaker_state{provider=\"smtp\"}").await;
    assert!(breaker >= Some(1.0), "{breaker:?}");

    // Whatever is tried in the meantime: no message pays for it, and nobody is told again.
    let asked = || relay.heard().iter().filter(|heard| heard.is("AUTH")).count();
    let before = asked();
    wait_until("it is tried again, without a message", FOUND, async || {
        (asked() > before).then_some(())
    })
    .await;
    assert!(relay.heard().iter().all(|heard| !heard.is("MAIL")), "{:?}", relay.heard());
    for mail in scene.mails().await {
        assert_eq!((&mail["state"], &mail["attempts"]), (&"queued".into(), &0.into()), "{mail}");
    }
    server.client.get("/api/v1/health/ready").await.unwrap().ok(200);
    assert!(!server.stdout().contains("wrong-Vq7wKx2mzP"));
    server.stop().await;

    // Somebody mends the password.
    scene.program = scene.program.set("smtp.password", "right-Vq7wKx2mzP");
    let server = scene.program.serve().await;
    scene.recovered().await;
    relay.wait_for(3).await;
    assert_eq!(to(&relay), ["p0@example.net", "p1@example.net", "p2@example.net"]);
    server.stop().await;
}

/// Row 4, while it runs: the relay takes the password away, and gives it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_right_again_needs_no_restart() {
    let relay = SmtpServer::start(Script {
        login: Some(("post", "right-Vq7wKx2mzP")),
        ..Script::default()
    })
    .await;
    let mut scene = Scene::new(&relay).await;
    scene.program =
        scene.program.set("smtp.username", "post").set("smtp.password", "right-Vq7wKx2mzP");
    relay.on(|heard| heard.is("AUTH").then(|| Reaction::say("535 5.7.8 revoked")));
    let server = scene.program.serve().await;
    register(&server, 1).await;
    scene.found().await;
    relay.behave();
    scene.recovered().await;
    relay.wait_for(1).await;
    server.stop().await;
}

/// Row 9: the provider says only after the message that we may not write as `mail.from`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_not_verified_is_our_own_fault() {
    let relay = SmtpServer::start(Script::default()).await;
    relay.on(|heard| {
        let words = "554 Message rejected: Email address is not verified.";
        heard.is_message().then(|| Reaction::say(words))
    });
    let scene = Scene::new(&relay).await;
    let server = scene.program.serve().await;
    let fault = Fault::injected(9, "the relay refuses the sender after DATA");
    register(&server, 3).await;
    scene.found().await;
    fault.found_by("MAIL_CONFIG_FAULT");
    for mail in scene.mails().await {
        assert_eq!((&mail["state"], &mail["attempts"]), (&"queued".into(), &0.into()), "{mail}");
    }
    relay.behave();
    // Each comes back within its pause of a minute at most.
    let all = async || (relay.mails().len() == 3).then_some(());
    wait_until("all have left", FOUND + Duration::from_secs(30), all).await;
    scene.recovered().await;
    server.stop().await;
}

const NEVER_ACCEPTED: Sql = Sql {
    sqlite: "CREATE TRIGGER never BEFORE UPDATE ON mail_messages WHEN NEW.state = 'accepted'
             BEGIN SELECT RAISE(ABORT, 'not now'); END",
    postgres: "CREATE TRIGGER never BEFORE UPDATE ON mail_messages
               FOR EACH ROW WHEN (NEW.state = 'accepted') EXECUTE FUNCTION never()",
};

const NEVER_CLAIMED: Sql = Sql {
    sqlite: "CREATE TRIGGER never BEFORE UPDATE ON mail_messages WHEN NEW.state = 'sending'
             BEGIN SELECT RAISE(ABORT, 'not now'); END",
    postgres: "CREATE TRIGGER never BEFORE UPDATE ON mail_messages
               FOR EACH ROW WHEN (NEW.state = 'sending') EXECUTE FUNCTION never()",
};

const AGAIN: Sql =
    Sql { sqlite: "DROP TRIGGER never", postgres: "DROP TRIGGER never ON mail_messages" };

impl Scene {
    /// Lets the database refuse something.
    async fn refuse(&self, what: Sql) {
        if on_postgres() {
            self.change(
                "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql
                 AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$",
            )
            .await;
        }
        self.change(what).await;
    }
}

/// Row 16.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_relays_yes_and_the_commit_a_mail_goes_twice_at_most_and_as_the_same() {
    let relay = SmtpServer::start(Script::default()).await;
    let scene = Scene::new(&relay).await;
    scene.program.run(&["migrate", "run"]).await.ok();
    scene.refuse(NEVER_ACCEPTED).await;
    let server = scene.program.serve().await;
    register(&server, 1).await;
    // The relay said yes, and that cannot be written down.
    relay.wait_for(1).await;
    server.kill().await;
    let fault = Fault::injected(16, "killed between the relay's yes and the commit");
    scene.change(AGAIN).await;
    assert_eq!(scene.mails().await[0]["state"], "sending");

    // Its lease lasts for minutes; but on this machine it is known that it is gone.
    let server = scene.program.serve().await;
    let mails = relay.wait_for(2).await;
    wait_until("it is settled", FOUND, async || {
        (scene.mails().await[0]["state"] == "accepted").then_some(())
    })
    .await;
    fault.found_by("the next process, which settles it under the same Message-ID");
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    assert_eq!(mails[0].data, mails[1].data, "it is the same in every byte");
    server.stop().await;
    assert_eq!(relay.mails().len(), 2);
}

/// Row 17.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_nobody_takes_out_of_the_outbox_shows_its_age_and_leaves_after_a_restart() {
    let relay = SmtpServer::start(Script::default()).await;
    let scene = Scene::new(&relay).await;
    scene.program.run(&["migrate", "run"]).await.ok();
    scene.refuse(NEVER_CLAIMED).await;
    let server = scene.program.serve().await;
    let fault = Fault::injected(17, "nobody takes mail out of the outbox");
    register(&server, 1).await;
    wait_until("it waits", FOUND, async || {
        let age = "authshield_mail_queue_oldest_age_seconds{kind=\"verify_email\"}";
        let depth = "authshield_mail_queue_depth{state=\"queued\"}";
        let (age, depth) = (scene.metric(age).await?, scene.metric(depth).await?);
        (age > 1.0 && depth > 0.5).then_some(())
    })
    .await;
    fault.found_by("authshield_mail_queue_oldest_age_seconds");
    // The metric may be ahead of the worker's next try.
    wait_until("somebody is told", FOUND, async || {
        server.stdout().contains("the mail queue cannot be read").then_some(())
    })
    .await;
    server.client.get("/api/v1/health/ready").await.unwrap().ok(200);
    server.kill().await;
    scene.change(AGAIN).await;
    let server = scene.program.serve().await;
    assert_eq!(relay.wait_for(1).await[0].to, ["p0@example.net"]);
    server.stop().await;
}

/// Row 7, and what registration may cost: whatever the relay does, nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_takes_its_time_slows_nobody() {
    let relay = SmtpServer::start(Script::default()).await;
    let scene = Scene::new(&relay).await;
    let server = scene.program.serve().await;
    let mut medians = Vec::new();
    for (kind, tar_pit) in [("live", false), ("slow", true)] {
        if tar_pit {
            relay.on(|_| Some(Reaction::Late(Duration::from_secs(1))));
        }
        let mut spans = Vec::new();
        for number in 0..20 {
            let began = Instant::now();
            let email = format!("{kind}{number}@example.net");
            server.client.register(&email).await.unwrap().ok(202);
            spans.push(began.elapsed());
        }
        spans.sort();
        println!("register beside a {kind} relay: p50 {:?}, p95 {:?}", spans[10], spans[18]);
        medians.push(spans[10]);
    }
    // With room for a busy machine; a relay that is waited for costs seconds.
    assert!(medians[1] < medians[0] * 4 + Duration::from_millis(250), "{medians:?}");
    server.kill().await;
}
