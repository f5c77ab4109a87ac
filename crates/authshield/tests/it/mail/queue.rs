//! What becomes of mail that waits: sent, tried again, given up, kept.

use super::{Database, LINK, Office, OtherKey, list, outbox, smtp, to_relay};
use crate::support::on_postgres;
use crate::support::smtp_server::{self, Reaction, Script, SmtpServer};
use authshield::mail::{
    BreakerState, Class, Counts, Letter, Outcome, Post, Recipient, Step, Transport, purge,
    queue_state, run,
};
use authshield::world::{Sandbox, World};
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn what_is_committed_is_sent_once_and_then_forgets_its_link() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));

    let mut tx = office.store.write().await.unwrap();
    let ann = Recipient {
        user: None,
        email: "ann@example.net".to_owned(),
        name: None,
        locale: "en".to_owned(),
    };
    let now = office.world.now();
    office.outbox.put(&mut tx, &ann, &Letter::PasswordChanged, now).await.unwrap();
    drop(tx);
    assert_eq!(office.post.deliver_due().await, 0, "no commit, no mail");

    let id = office.put().await;
    assert!(office.has_variables(id).await);
    assert_eq!(office.post.deliver_due().await, 1);
    assert_eq!(office.post.deliver_due().await, 0);

    let mails = relay.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].hello, "id.example.org");
    assert!(!mails[0].encrypted, "this relay has no TLS");
    assert_eq!(mails[0].from, "accounts@example.org");
    assert_eq!(mails[0].to, ["ann@example.net"]);
    assert_eq!(mails[0].header("To").unwrap(), "=?utf-8?b?TGVlLCBBbm4=?= <ann@example.net>");
    assert_eq!(
        mails[0].header("From").unwrap(),
        "=?utf-8?b?RXhhbXBsZSwgSW5jLg==?= <accounts@example.org>"
    );
    assert_eq!(mails[0].header("Auto-Submitted").unwrap(), "auto-generated");
    assert_eq!(mails[0].header("Date").unwrap(), "Sun, 22 Nov 2026 08:00:00 +0000");
    assert_eq!(mails[0].link("verify-email").unwrap(), LINK);

    let row = office.row(id).await;
    assert_eq!(mails[0].header("Message-ID").unwrap(), row.message_id);
    assert!(row.message_id.ends_with("@example.org>"), "{}", row.message_id);
    assert_eq!((row.state.as_str(), row.attempts, row.locale.as_str()), ("accepted", 1, "de"));
    assert_eq!(row.last_reply.unwrap(), "250 2.0.0 taken as Q1");
    assert_eq!(row.final_at, Some(office.world.now()));
    assert!(!office.has_variables(id).await);
    assert_eq!(office.counts.of("verify_email", Outcome::Accepted), 1);
    assert!(office.show(id).await.rendered.is_none());

    assert_eq!(list(&office.store, Some("accepted"), 10).await.len(), 1);
    assert_eq!(list(&office.store, Some("queued"), 10).await.len(), 0);
    assert_eq!(list(&office.store, None, 10).await[0].id, id);
    assert_eq!(purge(&office.store, office.world.now()).await.unwrap(), 0);
    let later = office.world.now() + Duration::from_secs(1);
    assert_eq!(purge(&office.store, later).await.unwrap(), 1);
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again_and_a_final_one_is_not() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));
    relay.on(|heard| match heard.line.as_str() {
        "RCPT TO:<gone@example.net>" => Some(Reaction::say("550 5.1.1 no\tsuch user")),
        "RCPT TO:<full@example.net>" => Some(Reaction::say("452 4.2.2 mailbox full")),
        _ => None,
    });
    let gone = office.put_to("gone@example.net", Letter::PasswordChanged).await;
    let full = office.put_to("full@example.net", Letter::PasswordChanged).await;
    let fine = office.put_to("fine@example.net", Letter::PasswordChanged).await;
    assert_eq!(office.post.deliver_due().await, 3);

    let row = office.row(gone).await;
    assert_eq!(row.state, "failed");
    assert_eq!(row.last_reply.unwrap(), "RCPT TO: 550 5.1.1 no such user");
    assert!(!office.has_variables(gone).await);
    assert_eq!(office.row(fine).await.state, "accepted");
    let row = office.row(full).await;
    assert_eq!((row.state.as_str(), row.attempts), ("queued", 1));
    assert!(row.next_attempt_at > office.world.now());
    assert!(row.next_attempt_at <= office.world.now() + Duration::from_secs(5));
    assert!(office.post.trouble().is_none());
    let waiting = queue_state(&office.store).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].depth), (1, 1));
    assert_eq!(waiting[0].oldest, office.world.now());

    assert_eq!(office.post.deliver_due().await, 0, "not before its time");
    office.world.advance(Duration::from_secs(5));
    assert_eq!(office.post.deliver_due().await, 1);
    relay.behave();
    office.world.advance(Duration::from_secs(15));
    assert_eq!(office.post.deliver_due().await, 1);
    let row = office.row(full).await;
    assert_eq!((row.state.as_str(), row.attempts), ("accepted", 3));
    let retried = "retried/recipient";
    assert_eq!(office.timeline(full).await, ["queued", retried, retried, "accepted"]);
    assert_eq!(office.timeline(gone).await, ["queued", "failed/recipient"]);
    let refused = office.show(gone).await.story.timeline.pop().unwrap();
    assert_eq!((refused.source.as_str(), refused.smtp_code), ("relay", Some(550)));
    assert_eq!(refused.enhanced_code.as_deref(), Some("5.1.1"));
    assert_eq!(refused.reply.as_deref(), Some("550 5.1.1 no such user"));
    assert_eq!(relay.mails().len(), 2);
    assert_eq!(office.counts.of("password_changed", Outcome::Retried), 2);
    assert_eq!(office.counts.of("password_changed", Outcome::Failed), 1);
}

#[tokio::test]
async fn a_letter_dies_with_its_link() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));
    let id = office.put_to("ann@example.net", Letter::ResetPassword { link: LINK.into() }).await;
    office.world.advance(Duration::from_mins(30));
    assert_eq!(office.post.deliver_due().await, 0);
    assert_eq!(office.row(id).await.state, "expired");
    assert!(!office.has_variables(id).await);
    assert_eq!(office.counts.of("reset_password", Outcome::Expired), 1);
    assert_eq!(office.timeline(id).await, ["queued", "expired"]);
    assert!(relay.heard().is_empty());
}

#[tokio::test]
async fn a_dead_relay_loses_nothing_and_mail_leaves_soon_after() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let port = relay.port;
    drop(relay);
    let office = Office::new(database.store, to_relay(&smtp(port)));
    for _ in 0..20 {
        office.put().await;
    }
    // The one listener is gone: connections are refused. An hour of that.
    for _ in 0..60 {
        office.post.deliver_due().await;
        office.world.advance(Duration::from_mins(1));
    }
    let trouble = office.post.trouble().unwrap();
    assert_eq!((trouble.step, trouble.class), (Step::Connect, Class::Relay));
    let queued = list(&office.store, Some("queued"), 100).await;
    assert_eq!(queued.len(), 20);
    let attempts: i64 = queued.iter().map(|row| row.attempts).sum();
    assert!(attempts < 80, "one try per pause, not one per message: {attempts}");

    let relay = SmtpServer::start_on(port, Script::default()).await;
    office.world.advance(Duration::from_mins(1));
    office.post.deliver_due().await;
    assert_eq!(relay.mails().len(), 20);
    assert!(office.post.trouble().is_none());
    assert_eq!(relay.connections(), 8, "connections are used again");
}

#[tokio::test]
async fn wrong_credentials_cost_no_message() {
    let database = Database::fresh().await;
    let script = Script { login: Some(("post", "right")), ..Script::default() };
    let relay = SmtpServer::start(script).await;
    let mut settings = smtp(relay.port);
    (settings.username, settings.password) = (Some("post".to_owned()), Some("wrong".into()));
    let office = Office::new(database.store.clone(), to_relay(&settings));
    let id = office.put().await;
    for _ in 0..10 {
        office.post.deliver_due().await;
        office.world.advance(Duration::from_mins(1));
    }
    let row = office.row(id).await;
    assert_eq!((row.state.as_str(), row.attempts), ("queued", 0), "tries are not burnt");
    assert_eq!(office.timeline(id).await, ["queued", "retried/configuration"], "said once");
    assert_eq!(office.post.state(), BreakerState::Open);
    let tried = relay.heard().iter().filter(|heard| heard.is("MAIL")).count();
    assert_eq!(tried, 0, "no message goes that far");
    assert!(row.last_reply.unwrap().starts_with("AUTH: 535 5.7.8"));
    let trouble = office.post.trouble().unwrap();
    assert_eq!(trouble.class, Class::Configuration);
    assert!(trouble.advice.unwrap().contains("smtp.username"), "{trouble:?}");

    settings.password = Some("right".into());
    let office = Office::on(office.world, database.store, to_relay(&settings));
    assert_eq!(office.post.deliver_due().await, 1);
    assert_eq!(relay.mails()[0].user.as_deref(), Some("post"));
}

#[tokio::test]
async fn a_relay_that_hung_up_in_between_is_called_again() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));
    let announced = AtomicUsize::new(0);
    relay.on(move |heard| {
        let second = heard.connection == 1
            && heard.is("MAIL")
            && announced.fetch_add(1, Ordering::SeqCst) == 1;
        second.then_some(Reaction::HangUp)
    });
    for _ in 0..40 {
        office.put().await;
    }
    office.post.deliver_due().await;
    let accepted = list(&office.store, Some("accepted"), 100).await;
    assert_eq!((accepted.len(), relay.mails().len()), (40, 40));
    assert!(accepted.iter().all(|row| row.attempts == 1));
}

/// What is logged while this lives, on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains("authshield::")).map(ToOwned::to_owned).collect()
    }
}

/// ASVS: V16.3.4
#[tokio::test]
async fn an_outage_is_one_line_that_says_what_to_mend() {
    let database = Database::fresh().await;
    let (log, listening) = Log::listen();
    let script = Script { login: Some(("post", "right")), ..Script::default() };
    let relay = SmtpServer::start(script).await;
    relay.on(|heard| heard.line.contains("gone@").then(|| Reaction::say("550 5.1.1 no gone@")));
    let mut settings = smtp(relay.port);
    (settings.username, settings.password) = (Some("post".to_owned()), Some("Wr0ng!".into()));
    let mut office = Office::new(database.store, to_relay(&settings));
    for _ in 0..20 {
        office.put().await;
    }
    office.put_to("gone@example.net", Letter::ResetPassword { link: LINK.into() }).await;
    for _ in 0..5 {
        office.post.deliver_due().await;
        office.world.advance(Duration::from_mins(1));
    }
    let errors: Vec<_> =
        log.lines().into_iter().filter(|line| line.contains("\"ERROR\"")).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("check smtp.username and smtp.password"), "{errors:#?}");
    assert!(errors[0].contains(&format!("127.0.0.1:{}", relay.port)), "{errors:#?}");

    settings.password = Some("right".into());
    office = Office::on(office.world, office.store, to_relay(&settings));
    office.post.deliver_due().await;
    assert_eq!(relay.mails().len(), 20);
    let all = format!("{:?}", log.lines());
    for secret in ["T0ken", "Wr0ng", "ann@", "gone@", "Lee"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }

    // In development the link is what the log is for.
    let folder = database.folder.path().join("mail");
    office = Office::on(office.world, office.store, Transport::Keep { folder });
    office.put().await;
    office.post.deliver_due().await;
    let kept: Vec<_> = log.lines().into_iter().filter(|line| line.contains("mail kept")).collect();
    assert_eq!(kept.len(), 1);
    for part in [LINK, "ann@example.net", "verify_email", ".eml"] {
        assert!(kept[0].contains(part), "{part} in {kept:?}");
    }
    drop(listening);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_share_the_work_and_never_send_twice() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let transport = || to_relay(&smtp(relay.port));
    let world: Arc<Sandbox> = Arc::default();
    let mut offices = Vec::new();
    for _ in 0..3 {
        offices.push(Office::on(world.clone(), database.again().await, transport()));
    }
    let letters = 150;
    for _ in 0..letters {
        offices[0].put().await;
    }
    let tried = Arc::new(AtomicUsize::new(0));
    let mut nodes = tokio::task::JoinSet::new();
    for office in &offices {
        // Two posts on each node: nodes race across connections, posts within one.
        for _ in 0..2 {
            let (post, tried) = (office.post.clone(), tried.clone());
            nodes.spawn(async move {
                loop {
                    let some = post.deliver_due().await;
                    tried.fetch_add(some, Ordering::SeqCst);
                    if some == 0 {
                        return;
                    }
                }
            });
        }
    }
    nodes.join_all().await;
    let ids: BTreeSet<_> =
        relay.mails().iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert_eq!((ids.len(), relay.mails().len()), (letters, letters));
    assert_eq!(tried.load(Ordering::SeqCst), letters);
    let accepted = list(&database.store, Some("accepted"), 1000).await;
    assert_eq!(accepted.len(), letters);
    assert!(accepted.iter().all(|row| row.attempts == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_wakes_and_leaves_in_good_order() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));
    let stop = CancellationToken::new();
    let worker = tokio::spawn(run(office.post.clone(), None, stop.clone()));
    office.put().await;
    relay.wait_for(1).await;

    // One message is with the relay, which thinks about it; shutdown waits for the answer.
    let (thinking, think) = tokio::sync::watch::channel(false);
    relay.on(move |heard| {
        if heard.is_message() {
            thinking.send_replace(true);
        }
        None
    });
    let id = office.put().await;
    let mut think = think;
    think.wait_for(|thinks| *thinks).await.unwrap();
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(office.row(id).await.state, "accepted");

    // A stopped worker claims nothing.
    let id = office.put().await;
    run(office.post.clone(), None, stop).await;
    assert_eq!(office.row(id).await.state, "queued");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_relay_does_not_have_is_given_back_at_shutdown() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let mut settings = smtp(relay.port);
    settings.timeout = Duration::from_mins(10);
    let office = Office::new(database.store, to_relay(&settings));
    let (reached, hear) = tokio::sync::watch::channel(false);
    relay.on(move |heard| {
        heard.is("RCPT").then(|| {
            reached.send_replace(true);
            Reaction::Silence
        })
    });
    let id = office.put().await;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(run(office.post.clone(), None, stop.clone()));
    let mut hear = hear;
    hear.wait_for(|heard| *heard).await.unwrap();
    stop.cancel();
    worker.await.unwrap();
    let row = office.row(id).await;
    assert_eq!((row.state.as_str(), row.attempts), ("queued", 0));
    relay.behave();
    assert_eq!(office.post.deliver_due().await, 1, "another node need not wait");
}

#[tokio::test]
async fn in_development_mail_is_kept_and_shown() {
    let database = Database::fresh().await;
    let folder = database.folder.path().join("mail");
    let office = Office::new(database.store, Transport::Keep { folder: folder.clone() });
    let id = office.put().await;
    assert_eq!(office.post.deliver_due().await, 1);
    let shown = office.show(id).await;
    assert_eq!(shown.story.row.state, "kept");
    let rendered = shown.rendered.unwrap();
    assert!(rendered.subject.starts_with("Bestätigen Sie"), "{}", rendered.subject);
    assert!(rendered.text.contains(LINK));
    let file = folder.join(format!("{id}.eml"));
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(smtp_server::quoted_printable(&kept).contains(LINK));
    assert_eq!(office.counts.of("verify_email", Outcome::Kept), 1);
}

#[tokio::test]
async fn variables_are_sealed_and_wait_for_the_right_key() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store.clone(), to_relay(&smtp(relay.port)));
    let id = office.put().await;
    let mut tx = database.store.read().await.unwrap();
    let (sealed,): (Vec<u8>,) =
        tx.query("SELECT variables FROM mail_messages").one().await.unwrap();
    drop(tx);
    let readable = String::from_utf8_lossy(&sealed);
    assert!(!readable.contains("T0ken") && !readable.contains("Ann"));

    let counts = Arc::new(Counts::default());
    let other = outbox(&office.world, OtherKey);
    let transport = to_relay(&smtp(relay.port));
    let wrong_key = Post::new(database.store.clone(), other, transport, counts);
    assert_eq!(wrong_key.deliver_due().await, 1);
    assert_eq!(office.row(id).await.state, "queued");
    assert!(wrong_key.trouble().unwrap().advice.unwrap().contains("master_key"));
    office.world.advance(Duration::from_mins(1));
    assert_eq!(office.post.deliver_due().await, 1);
    assert_eq!(office.row(id).await.state, "accepted");

    // A row cannot borrow another's variables.
    let (thief, victim) = (office.put().await, office.put().await);
    let mut tx = office.store.write().await.unwrap();
    tx.query(
        "UPDATE mail_messages
         SET variables = (SELECT variables FROM mail_messages WHERE id = $2)
         WHERE id = $1",
    )
    .bind(thief)
    .bind(victim)
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
    office.post.deliver_due().await;
    assert_eq!(office.row(thief).await.state, "queued");
    assert_eq!(office.row(victim).await.state, "accepted");
}

/// ASVS: V1.3.11
#[tokio::test]
async fn an_address_is_one_recipient_or_none() {
    let database = Database::fresh().await;
    let relay = SmtpServer::start(Script::default()).await;
    let office = Office::new(database.store, to_relay(&smtp(relay.port)));
    for lure in [
        "a@example.net,b@example.net",
        "a@example.net;b@example.net",
        "a@example.net b@example.net",
        "a@example.net>\r\nRCPT TO:<b@example.net",
        "a@example.net\r\nDATA",
        "\"a@example.net> RCPT TO:<b\"@example.net\n",
        "Ann <a@example.net>",
        "<a@example.net>",
        // What PostgreSQL does not even keep.
        if on_postgres() { "@" } else { "a@example.net\0" },
        "",
    ] {
        let id = office.put_to(lure, Letter::PasswordChanged).await;
        office.post.deliver_due().await;
        assert_eq!(office.row(id).await.state, "failed", "{lure:?}");
    }
    assert!(relay.mails().is_empty());
    // Beyond ASCII needs a relay that can; this one cannot.
    let id = office.put_to("zoë@example.net", Letter::PasswordChanged).await;
    office.post.deliver_due().await;
    let row = office.row(id).await;
    assert_eq!(row.state, "failed");
    assert!(row.last_reply.unwrap().contains("SMTPUTF8"));
}
