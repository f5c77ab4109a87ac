//! `kill -9` at any moment.
//!
//! Clients live through registrations, sign-ins, refreshes, resets and logouts and write down what
//! they were told. Whatever happens to the server: what somebody was told is true afterwards, and
//! what nobody was told is wholly done or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use authshield::world::{Real, World};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Client, PASSWORD, Program, Reply, Script, SmtpServer, text, token_from, wait_until,
};

const ROUNDS: u32 = 10;
const CLIENTS: u32 = 8;

/// What a client asked for last, and was not told the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Register,
    Verify,
    LogIn,
    Refresh,
    LogOut,
    Forgot,
    Reset,
}

/// What one client was told.
#[derive(Debug, Default)]
struct Ledger {
    email: String,
    registered: bool,
    verified: bool,
    forgot: u32,
    /// The password that is acknowledged, and the one that a reset without an answer may have set.
    password: String,
    wanted: String,
    /// Links that were used up, and one that may have been.
    used: Vec<(&'static str, String)>,
    using: Option<(&'static str, String)>,
    /// The session: access and refresh token.
    session: Option<(String, String)>,
    /// Tokens of sessions that ended.
    dead: Vec<(String, String)>,
    asked: Option<Asked>,
}

/// When the server dies: at the request with this number.
struct Fate {
    left: AtomicU32,
    now: Notify,
}

impl Fate {
    fn tick(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.now.notify_one();
        }
    }
}

/// What a client needs to live.
#[derive(Clone)]
struct Life {
    client: Client,
    relay: Arc<SmtpServer>,
    fate: Arc<Fate>,
}

impl Ledger {
    fn new(email: String) -> Self {
        Self { email, password: PASSWORD.to_owned(), ..Self::default() }
    }

    /// Sends one request; `None` is the end of this life.
    async fn ask(
        &mut self,
        life: &Life,
        what: Asked,
        status: u16,
        answer: impl Future<Output = Option<Reply>>,
    ) -> Option<Reply> {
        self.asked = Some(what);
        life.fate.tick();
        let reply = answer.await?;
        assert_eq!(reply.status.as_u16(), status, "{what:?} of {}: {reply:?}", self.email);
        self.asked = None;
        Some(reply)
    }

    /// Goes through everything that somebody with an account does.
    async fn live(&mut self, life: &Life) -> Option<()> {
        let client = &life.client;
        let email = self.email.clone();
        self.ask(life, Asked::Register, 202, client.register(&email)).await?;
        self.registered = true;
        let link = token_from(&life.relay, &email, "verify-email").await;
        self.using = Some(("verify-email", link.clone()));
        self.ask(life, Asked::Verify, 200, client.verify(&link)).await?;
        self.verified = true;
        self.used.extend(self.using.take());
        for turn in 0..3 {
            let (password, mut access, mut refresh);
            password = self.password.clone();
            let pair = self.ask(life, Asked::LogIn, 200, client.log_in(&email, &password)).await?;
            (access, refresh) = (text(&pair, "access_token"), text(&pair, "refresh_token"));
            self.session = Some((access.clone(), refresh.clone()));
            for _ in 0..3 {
                let pair = self.ask(life, Asked::Refresh, 200, client.refresh(&refresh)).await?;
                (access, refresh) = (text(&pair, "access_token"), text(&pair, "refresh_token"));
                self.session = Some((access.clone(), refresh.clone()));
            }
            if turn % 2 == 0 {
                self.ask(life, Asked::LogOut, 204, client.log_out(&access)).await?;
            } else {
                let body = json!({ "email": email });
                let path = "/api/v1/auth/forgot-password";
                self.ask(life, Asked::Forgot, 202, client.post(path, body)).await?;
                self.forgot += 1;
                let link = token_from(&life.relay, &email, "reset-password").await;
                self.using = Some(("reset-password", link.clone()));
                self.wanted = format!("{PASSWORD} and {turn}");
                let body = json!({ "token": link, "new_password": self.wanted });
                let path = "/api/v1/auth/reset-password";
                self.ask(life, Asked::Reset, 204, client.post(path, body)).await?;
                self.password.clone_from(&self.wanted);
                self.used.extend(self.using.take());
            }
            self.dead.extend(self.session.take());
        }
        Some(())
    }

    /// Holds everything that was told against the server as it is now.
    async fn check(&mut self, life: &Life) {
        let (client, email) = (&life.client, self.email.clone());
        let said = |reply: &Reply| (reply.status.as_u16(), reply.code().to_owned());
        // One-time tokens do not work twice.
        for (kind, token) in &self.used {
            let body = match *kind {
                "verify-email" => json!({ "token": token }),
                _ => json!({ "token": token, "new_password": "a thief's idea of 1 password" }),
            };
            let reply = client.post(&format!("/api/v1/auth/{}", path(kind)), body).await.unwrap();
            assert_eq!(reply.status, 400, "{kind} works twice: {self:?}");
        }
        // What was revoked stays revoked.
        for (access, refresh) in &self.dead {
            let reply = client.me(access).await.unwrap();
            assert_eq!(said(&reply), (401, "AUTH_TOKEN_REVOKED".to_owned()), "{self:?}");
            let reply = client.refresh(refresh).await.unwrap();
            assert_eq!(reply.status, 401, "a revoked token lives again: {self:?}");
        }
        // A link without an answer was used up, or can be used now.
        if let Some((kind, token)) = self.using.take() {
            let body = match kind {
                "verify-email" => json!({ "token": token }),
                _ => json!({ "token": token, "new_password": self.wanted }),
            };
            let reply = client.post(&format!("/api/v1/auth/{}", path(kind)), body).await.unwrap();
            assert!([200, 204, 400].contains(&reply.status.as_u16()), "{reply:?}");
            if kind == "verify-email" {
                self.verified = true;
            } else {
                self.password.clone_from(&self.wanted);
                // Whenever it was, it ended the session.
                self.dead.extend(self.session.take());
            }
        }
        // The session goes on: the token that was told last works, or its retry does.
        if let Some((access, refresh)) = self.session.take() {
            let me = client.me(&access).await.unwrap();
            let ended = self.asked == Some(Asked::LogOut) && me.status == 401;
            assert!(ended || me.status == 200, "{me:?}: {self:?}");
            let reply = client.refresh(&refresh).await.unwrap();
            assert_eq!(reply.status, if ended { 401 } else { 200 }, "{reply:?}: {self:?}");
        }
        // The account is there, with the password that was told.
        let reply = client.log_in(&email, &self.password).await.unwrap();
        let known = match (self.verified, self.registered) {
            (true, _) => said(&reply).0 == 200,
            (false, true) => said(&reply) == (403, "AUTH_EMAIL_NOT_VERIFIED".to_owned()),
            (false, false) => [401, 403].contains(&said(&reply).0),
        };
        assert!(known, "{reply:?}: {self:?}");
        // It came with its mail, told or not.
        self.registered |= reply.status == 403;
        if self.password != PASSWORD {
            let reply = client.log_in(&email, PASSWORD).await.unwrap();
            assert_eq!(reply.status, 401, "the old password works: {self:?}");
        }
    }
}

fn path(kind: &str) -> &'static str {
    if kind == "verify-email" { "verify-email" } else { "reset-password" }
}

fn random(below: u32) -> u32 {
    let mut bytes = [0; 4];
    Real.fill(&mut bytes);
    u32::from_le_bytes(bytes) % below
}

/// ASVS: V2.3.3, V2.3.4, V16.5.2
///
/// Fault: F01, F02, F03, F04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_told_is_lost() {
    let relay = Arc::new(SmtpServer::start(Script::default()).await);
    let program = Program::new()
        .await
        .unlimited()
        .mailing(&relay)
        // A retry is a retry even if this machine is busy with other tests.
        .set("refresh.retry_leeway", "60s");
    let mut all: Vec<Ledger> = Vec::new();
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let server = program.serve().await;
        slowest = slowest.max(server.ready);
        let after = 1 + random(150);
        let fate = Arc::new(Fate { left: AtomicU32::new(after), now: Notify::new() });
        let life =
            Life { client: server.client.clone(), relay: Arc::clone(&relay), fate: fate.clone() };
        let over = CancellationToken::new();
        let clients = (0..CLIENTS).map(async |client| {
            let mut ledgers = Vec::new();
            for number in 0.. {
                let email = format!("p{round}.{client}.{number}@example.net");
                let mut ledger = Ledger::new(email);
                let lived = tokio::select! {
                    lived = ledger.live(&life) => lived,
                    () = over.cancelled() => None,
                };
                ledgers.push(ledger);
                if lived.is_none() {
                    break;
                }
            }
            ledgers
        });
        let end = async {
            fate.now.notified().await;
            server.kill().await;
            over.cancel();
        };
        let (ledgers, ()) = tokio::join!(join_all(clients), end);
        let mut ledgers: Vec<Ledger> = ledgers.into_iter().flatten().collect();

        let server = program.serve().await;
        slowest = slowest.max(server.ready);
        let life = Life { client: server.client.clone(), ..life };
        for ledger in &mut ledgers {
            ledger.check(&life).await;
        }
        all.extend(ledgers);
        // And once more in the middle of nothing at all.
        server.kill().await;
    }

    // What a dead server held in hand its successor on the same machine takes over.
    let server = program.serve().await;
    let told: usize = all.iter().map(|ledger| ledger.used.len() + ledger.dead.len()).sum();
    println!("{} accounts, {told} ends, ready after {slowest:?} at most", all.len());
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert_eq!(forks(&program).await, 0, "sessions with more than one live refresh token");

    // Every mail that was promised leaves, at most twice and then as the same.
    wait_until("every mail has left", Duration::from_mins(1), async || {
        let mails = program.run(&["mail", "list", "--json", "--limit", "10000"]).await.json();
        let left = |mail: &Value| mail["state"] == "accepted" || mail["state"] == "confirmed";
        mails.as_array()?.iter().all(left).then_some(())
    })
    .await;
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    let mut letters: BTreeMap<(String, &str), std::collections::BTreeSet<String>> = BTreeMap::new();
    for mail in relay.mails() {
        let id = mail.header("Message-ID").unwrap();
        *copies.entry(id.clone()).or_default() += 1;
        for kind in ["verify-email", "reset-password"] {
            if mail.link(&format!("{kind}?token=")).is_some() {
                letters.entry((mail.to[0].clone(), kind)).or_default().insert(id.clone());
            }
        }
    }
    assert!(copies.values().all(|count| *count <= 2), "{copies:?}");
    let count = |email: &str, kind| {
        letters.get(&(email.to_owned(), kind)).map_or(0, std::collections::BTreeSet::len)
    };
    for ledger in &all {
        let (email, forgot) = (&ledger.email, ledger.forgot as usize);
        assert_eq!(count(email, "verify-email"), usize::from(ledger.registered), "{ledger:?}");
        let resets = count(email, "reset-password");
        let untold = usize::from(ledger.asked == Some(Asked::Forgot));
        assert!((forgot..=forgot + untold).contains(&resets), "{resets}: {ledger:?}");
    }
    server.stop().await;
}

/// Returns how many sessions have more than one refresh token that could be used.
async fn forks(program: &Program) -> i64 {
    let options = onesql::Options::parse(&program.database_url).unwrap();
    let store = onesql::Store::open(&options).await.unwrap();
    let mut tx = store.read().await.unwrap();
    let forked = "SELECT COUNT(*) FROM (SELECT session_id FROM refresh_tokens
                  WHERE used_at IS NULL GROUP BY session_id HAVING COUNT(*) > 1) AS forked";
    tx.query(forked).one::<(i64,)>().await.unwrap().0
}

/// On the embedded file; a server is at the other end of a wire, see `faults`.
///
/// Fault: F05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_killed_is_finished_by_the_next() {
    for stage in ["data", "data/authshield.db", "data/authshield.db-wal", "data/authshield.db-shm"]
    {
        let program = Program::embedded();
        let server = program.launch();
        let reached = program.folder().join(stage);
        wait_until(stage, Duration::from_secs(30), async || reached.exists().then_some(())).await;
        server.kill().await;
        program.run(&["migrate", "run"]).await.ok();
        let state = program.run(&["migrate", "status", "--json"]).await.json();
        assert!(state.as_array().unwrap().iter().all(|row| row["applied"] == true), "{state}");
        let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
        program.run_with(&create, PASSWORD).await.ok();
        let server = program.serve().await;
        server.client.log_in("ann@example.net", PASSWORD).await.unwrap().ok(200);
        server.stop().await;
    }
}
