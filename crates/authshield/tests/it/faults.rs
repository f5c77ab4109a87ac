//! The database goes away, and comes back.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    Client, PASSWORD, Program, Proxy, Reply, Script, Server, SmtpServer, Wire, on_postgres, text,
    token_from, wait_until,
};

/// How long an answer may take while the database is gone: it is promised within two seconds, and
/// this machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(4);
/// How long it may take until all is well again.
const RECOVERED: Duration = Duration::from_secs(10);

/// A database that only answers questions, as on a full disk or on a standby: here because somebody
/// else holds what is written to. No traffic is asked for.
#[tokio::test]
async fn while_nothing_can_be_written_the_service_is_not_ready() {
    let program = Program::new().await;
    let server = program.serve().await;
    let ready = async || server.client.get("/api/v1/health/ready").await;
    ready().await.unwrap().ok(200);

    let options = onesql::Options::parse(&program.database_url).unwrap();
    let store = onesql::Store::open(&options).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let hold = onesql::Sql {
        sqlite: "UPDATE leases SET until = until",
        postgres: "LOCK TABLE leases IN EXCLUSIVE MODE",
    };
    tx.query(hold).execute().await.unwrap();
    wait_until("not ready", RECOVERED, async || (ready().await?.status == 503).then_some(())).await;
    let health = server.client.get("/api/v1/health").await.unwrap();
    assert_eq!((health.status.as_u16(), text(&health, "status")), (503, "unhealthy".to_owned()));

    drop(tx);
    wait_until("ready again", RECOVERED, async || (ready().await?.status == 200).then_some(()))
        .await;
}

/// A server whose database is at the other end of a wire, and somebody who is signed in.
struct Scene {
    program: Program,
    server: Server,
    proxy: Proxy,
    access: String,
    refresh: String,
}

/// Nothing on SQLite: there is no wire to a file.
async fn scene() -> Option<Scene> {
    if !on_postgres() {
        return None;
    }
    let direct = Program::new().await.unlimited();
    let (proxy, url) = Proxy::before(&direct.database_url).await;
    let program = direct.clone().database(&url);
    let server = program.serve().await;
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    direct.run_with(&create, PASSWORD).await.ok();
    let pair = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let (access, refresh) = (text(pair.ok(200), "access_token"), text(&pair, "refresh_token"));
    Some(Scene { program: direct, server, proxy, access, refresh })
}

/// Sends and returns the answer, which comes soon whatever it is.
async fn soon(what: &str, answer: impl Future<Output = Option<Reply>>) -> Reply {
    let began = Instant::now();
    let reply = answer.await.unwrap_or_else(|| panic!("{what} got no answer"));
    assert!(began.elapsed() < SOON, "{what} took {:?}", began.elapsed());
    reply
}

#[track_caller]
fn is_unavailable(what: &str, reply: &Reply) {
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "SERVICE_UNAVAILABLE"), "{what}");
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|after| after > 0), "{what}");
    for inner in ["postgres", "sqlx", "Connection", "timed out", "os error"] {
        assert!(!reply.text.contains(inner), "{what} tells {inner}: {}", reply.text);
    }
}

/// Asks everything while the database is gone.
async fn everything(client: &Client, access: &str, refresh: &str) {
    let me = async { is_unavailable("me", &soon("me", client.me(access)).await) };
    let log_in = async {
        let reply = soon("login", client.log_in("ann@example.net", PASSWORD)).await;
        is_unavailable("login", &reply);
    };
    let register = async {
        is_unavailable("register", &soon("register", client.register("b@example.net")).await);
    };
    let refreshed = async {
        is_unavailable("refresh", &soon("refresh", client.refresh(refresh)).await);
    };
    let log_out = async {
        is_unavailable("logout", &soon("logout", client.log_out(access)).await);
    };
    let forged = async {
        // What can be refused without the database is refused as ever.
        let reply = soon("forged", client.me("eyJhbGciOiJub25lIn0.e30.")).await;
        reply.is(401, "AUTH_TOKEN_INVALID");
    };
    let health = async {
        let reply = soon("health", client.get("/api/v1/health")).await;
        assert_eq!(reply.ok(503).body["status"], "unhealthy");
        assert_eq!(reply.body["checks"]["database"]["status"], "unhealthy");
        soon("ready", client.get("/api/v1/health/ready")).await.ok(503);
    };
    let needs_nothing = async {
        for path in ["/api/v1/health/live", "/.well-known/jwks.json"] {
            let began = Instant::now();
            soon(path, client.get(path)).await.ok(200);
            assert!(began.elapsed() < Duration::from_secs(1), "{path}: {:?}", began.elapsed());
        }
    };
    let crowd = async {
        let crowd = (0..60).map(|_| async { soon("crowd", client.me(access)).await });
        for reply in join_all(crowd).await {
            is_unavailable("crowd", &reply);
        }
    };
    tokio::join!(me, log_in, register, refreshed, log_out, forged, health, needs_nothing, crowd);
}

/// ASVS: V16.5.1, V16.5.2, V16.5.3
///
/// Fault: F12, F13, F23
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_gone_that_is_said_soon() {
    let Some(Scene { server, proxy, access, refresh, .. }) = scene().await else { return };
    let client = &server.client;
    for wire in [Wire::Refused, Wire::BlackHole] {
        proxy.set(wire);
        // More than once: the first finds connections that were good, the others find none.
        for _ in 0..3 {
            Box::pin(everything(client, &access, &refresh)).await;
        }
        proxy.set(Wire::Whole);
        let began = Instant::now();
        wait_until("ready again", RECOVERED, async || {
            let ready = client.get("/api/v1/health/ready").await?;
            (ready.status == 200).then_some(())
        })
        .await;
        println!("{wire:?}: ready again after {:?}", began.elapsed());
        // All is well, for everybody.
        wait_until("served again", RECOVERED, async || {
            let all = join_all((0..20).map(|_| client.me(&access))).await;
            all.iter().flatten().all(|reply| reply.status == 200).then_some(())
        })
        .await;
        client.log_in("ann@example.net", PASSWORD).await.unwrap().ok(200);
        let health = client.get("/api/v1/health").await.unwrap();
        assert_eq!(health.ok(200).body["checks"]["database"]["status"], "healthy");
    }
    // The session outlived it all.
    client.refresh(&refresh).await.unwrap().ok(200);
    server.stop().await;
}

/// Fault: F15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_died_cost_one_request_at_most() {
    let Some(Scene { server, proxy, access, mut refresh, .. }) = scene().await else { return };
    for _ in 0..5 {
        // As many connections as there may be.
        let crowd = join_all((0..40).map(|_| server.client.me(&access))).await;
        for reply in crowd {
            reply.unwrap().ok(200);
        }
        proxy.cut();
        let mut failed = 0;
        for _ in 0..20 {
            let reply = server.client.me(&access).await.unwrap();
            failed += u32::from(reply.status != 200);
        }
        assert!(failed <= 1, "{failed} of 20 met a dead connection");
        // What changes something looks before it begins.
        let reply = server.client.refresh(&refresh).await.unwrap();
        refresh = text(reply.ok(200), "refresh_token");
    }
}

/// ASVS: V2.3.3
///
/// Fault: F24
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_whose_answer_was_lost_can_be_tried_again() {
    let Some(Scene { program, server, proxy, mut refresh, .. }) = scene().await else { return };
    for _ in 0..3 {
        proxy.lose_the_answer_to(&["REFRESH_ROTATED"]);
        is_unavailable("refresh", &soon("refresh", server.client.refresh(&refresh)).await);
        assert!(!proxy.waits_to_lose(), "it was lost");
        // It was done, yet nobody was told: the retry gets the successor that is already there.
        let reply = soon("retry", server.client.refresh(&refresh)).await;
        let successor = text(reply.ok(200), "refresh_token");
        assert_eq!(live_tokens(&program).await, 1, "one chain");
        refresh = text(server.client.refresh(&successor).await.unwrap().ok(200), "refresh_token");
        assert_eq!(live_tokens(&program).await, 1, "one chain");
    }
}

/// ASVS: V2.3.3
///
/// Fault: F24
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_whose_answer_was_lost_was_done_once() {
    if !on_postgres() {
        return;
    }
    let relay = SmtpServer::start(Script::default()).await;
    let direct = Program::new().await.unlimited().mailing(&relay);
    let (proxy, url) = Proxy::before(&direct.database_url).await;
    let server = direct.clone().database(&url).serve().await;
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    direct.run_with(&create, PASSWORD).await.ok();
    let pair = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let access = text(pair.ok(200), "access_token");
    let forgot = json!({ "email": "ann@example.net" });
    server.client.post("/api/v1/auth/forgot-password", forgot).await.unwrap().ok(202);
    let token = token_from(&relay, "ann@example.net", "reset-password").await;

    let fresh = "another lantern in the tide 7";
    let reset = || {
        let body = json!({ "token": token, "new_password": fresh });
        server.client.post("/api/v1/auth/reset-password", body)
    };
    proxy.lose_the_answer_to(&["PASSWORD_RESET_COMPLETED", "COMMIT\0"]);
    is_unavailable("reset", &soon("reset", reset()).await);
    reset().await.unwrap().is(400, "AUTH_INVALID_RESET_TOKEN");
    server.client.log_in("ann@example.net", fresh).await.unwrap().ok(200);
    server.client.log_in("ann@example.net", PASSWORD).await.unwrap().ok(401);
    server.client.me(&access).await.unwrap().is(401, "AUTH_TOKEN_REVOKED");
}

/// Returns how many refresh tokens could still be used.
async fn live_tokens(program: &Program) -> i64 {
    let options = onesql::Options::parse(&program.database_url).unwrap();
    let store = onesql::Store::open(&options).await.unwrap();
    let mut tx = store.read().await.unwrap();
    let alive = "SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL";
    tx.query(alive).one::<(i64,)>().await.unwrap().0
}

/// The embedded file has no wire, but somebody else may sit on it.
///
/// ASVS: V16.5.2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_else_holds_is_not_waited_for() {
    let program = Program::embedded().unlimited();
    let server = program.serve().await;
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
    let pair = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let (access, refresh) = (text(pair.ok(200), "access_token"), text(&pair, "refresh_token"));

    let options = onesql::Options::parse(&program.database_url).unwrap();
    let other = onesql::Store::open(&options).await.unwrap();
    let mut held = other.write().await.unwrap();
    held.query("DELETE FROM sessions WHERE FALSE").execute().await.unwrap();
    let (client, refresh) = (&server.client, &refresh);
    let crowd = (0..8).map(|_| async { soon("refresh", client.refresh(refresh)).await });
    let (crowd, me) = tokio::join!(join_all(crowd), soon("me", client.me(&access)));
    me.ok(200);
    for reply in &crowd {
        is_unavailable("refresh", reply);
    }
    drop(held);
    wait_until("written again", RECOVERED, async || {
        (client.refresh(refresh).await?.status == 200).then_some(())
    })
    .await;
    let path = "/api/v1/auth/logout-all";
    client.send(client.request(Method::POST, path).bearer_auth(&access)).await.unwrap().ok(204);
}

/// A role of its own, so that it can be told what it may do without others noticing.
struct Role {
    name: String,
    server: onesql::Store,
}

impl Role {
    /// Makes a role that may use the schema of `program`, and returns the program on it.
    async fn of(program: &Program) -> (Self, Program) {
        let mut url = url::Url::parse(&program.database_url).unwrap();
        let schema = url.query().unwrap().rsplit('=').next().unwrap().to_owned();
        let name = format!("{schema}_role");
        let mut options = onesql::Options::parse(&program.database_url).unwrap();
        options.connections = 1;
        let role =
            Self { name: name.clone(), server: onesql::Store::open(&options).await.unwrap() };
        role.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'only for this test'")).await;
        role.run(&format!("GRANT ALL ON SCHEMA {schema} TO {name}")).await;
        role.run(&format!("GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {name}")).await;
        url.set_username(&name).unwrap();
        url.set_password(Some("only for this test")).unwrap();
        (role, program.clone().database(url.as_str()))
    }

    /// Changes what the role may do.
    async fn alter(&self, what: &str) {
        self.run(&format!("ALTER ROLE {} {what}", self.name)).await;
    }

    async fn run(&self, sql: &str) {
        let sql: &'static str = Box::leak(sql.to_owned().into_boxed_str());
        self.server.glance().await.unwrap().query(sql).execute().await.unwrap();
    }
}

/// Fault: F14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_more_connections_is_waited_for_a_little() {
    if !on_postgres() {
        return;
    }
    let direct = Program::new().await.unlimited();
    direct.run(&["migrate", "run"]).await.ok();
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    direct.run_with(&create, PASSWORD).await.ok();
    let (role, program) = Role::of(&direct).await;
    let (proxy, url) = Proxy::before(&program.database_url).await;
    let server = program.clone().database(&url).serve().await;
    let pair = server.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let access = text(pair.ok(200), "access_token");

    for limit in [2, 0] {
        role.alter(&format!("CONNECTION LIMIT {limit}")).await;
        proxy.cut();
        for _ in 0..3 {
            let crowd = (0..40).map(|_| async { soon("me", server.client.me(&access)).await });
            for reply in join_all(crowd).await {
                if reply.status != 200 {
                    is_unavailable("me", &reply);
                }
            }
        }
        role.alter("CONNECTION LIMIT -1").await;
        wait_until("all are served again", RECOVERED, async || {
            let all = join_all((0..20).map(|_| server.client.me(&access))).await;
            all.iter().flatten().all(|reply| reply.status == 200).then_some(())
        })
        .await;
    }
    server.stop().await;
}

/// What an operator does before moving a database, and what an old primary is after one.
///
/// Fault: F18
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_read_only_is_read_and_nothing_is_half_done() {
    if !on_postgres() {
        return;
    }
    let direct = Program::new().await.unlimited();
    direct.run(&["migrate", "run"]).await.ok();
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    direct.run_with(&create, PASSWORD).await.ok();
    let (role, program) = Role::of(&direct).await;
    let (proxy, url) = Proxy::before(&program.database_url).await;
    let server = program.clone().database(&url).serve().await;
    let client = &server.client;
    let pair = client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let (access, refresh) = (text(pair.ok(200), "access_token"), text(&pair, "refresh_token"));

    role.alter("SET default_transaction_read_only = on").await;
    proxy.cut();
    wait_until("every connection is a new one", RECOVERED, async || {
        let reply = client.log_in("ann@example.net", PASSWORD).await?;
        (reply.status == 503).then_some(())
    })
    .await;
    // What reads goes on: who is signed in stays so, and others can check their tokens.
    client.me(&access).await.unwrap().ok(200);
    client.get("/.well-known/jwks.json").await.unwrap().ok(200);
    client.get("/api/v1/health/live").await.unwrap().ok(200);
    client.me("eyJhbGciOiJub25lIn0.e30.").await.unwrap().is(401, "AUTH_TOKEN_INVALID");
    // What writes is refused, and says that it can be tried again.
    is_unavailable("refresh", &soon("refresh", client.refresh(&refresh)).await);
    is_unavailable("logout", &soon("logout", client.log_out(&access)).await);
    is_unavailable("register", &soon("register", client.register("b@example.net")).await);
    let wrong = soon("login", client.log_in("ann@example.net", "not hers at all")).await;
    is_unavailable("login", &wrong);

    role.alter("RESET default_transaction_read_only").await;
    proxy.cut();
    wait_until("written again", RECOVERED, async || {
        (client.log_in("ann@example.net", PASSWORD).await?.status == 200).then_some(())
    })
    .await;
    // Nothing of what was refused was done: the session lives, and its token was not used.
    client.me(&access).await.unwrap().ok(200);
    client.refresh(&refresh).await.unwrap().ok(200);
    let users = direct.run(&["user", "list", "--json"]).await.json();
    assert_eq!(users.as_array().unwrap().len(), 1);
    server.stop().await;
}

/// Fault: F05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_cut_off_at_any_statement_is_finished_by_the_next() {
    if !on_postgres() {
        return;
    }
    let mut cut = 0;
    loop {
        cut += 3;
        let direct = Program::new().await;
        let (proxy, url) = Proxy::before(&direct.database_url).await;
        proxy.cut_after(cut);
        let done = direct.clone().database(&url).run(&["migrate", "run"]).await;
        let state = direct.run(&["migrate", "run"]).await;
        assert_eq!(state.status, Some(0), "after {cut} parts: {state:?}, first {done:?}");
        let state = direct.run(&["migrate", "status", "--json"]).await.json();
        assert!(state.as_array().unwrap().iter().all(|row| row["applied"] == true), "{state}");
        if done.status == Some(0) {
            break;
        }
        assert_eq!(done.status, Some(1), "{done:?}");
        assert!(!done.err.contains("panicked"), "{done:?}");
    }
    assert!(cut > 12, "the wire was never cut in the middle: {cut}");
}
