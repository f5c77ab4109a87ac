//! Two processes on one database.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{Client, PASSWORD, Program, Script, Server, SmtpServer, text, token_from};

/// Opens an account by the command line and returns a pair of tokens.
async fn sign_in(program: &Program, client: &Client) -> (String, String) {
    let create = ["user", "create", "ann@example.net", "--password-stdin", "--verified"];
    program.run_with(&create, PASSWORD).await.ok();
    let pair = client.log_in("ann@example.net", PASSWORD).await.unwrap();
    (text(pair.ok(200), "access_token"), text(&pair, "refresh_token"))
}

async fn kids(server: &Server) -> Vec<String> {
    let jwks = server.client.get("/.well-known/jwks.json").await.unwrap();
    let keys = jwks.ok(200).body["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn pair(program: &Program) -> (Server, Server) {
    let other = program.another();
    tokio::join!(program.serve(), other.serve())
}

/// Fault: F52
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_start_at_once_agree() {
    for _ in 0..20 {
        let program = Program::new().await;
        let (one, other) = pair(&program).await;
        let keys = kids(&one).await;
        assert_eq!(keys, kids(&other).await);
        assert_eq!(keys.len(), 1, "one of them made the key: {keys:?}");
        let state = program.run(&["migrate", "status", "--json"]).await.json();
        assert!(state.as_array().unwrap().iter().all(|row| row["applied"] == true), "{state}");
        // The token of one is good for the other: all their secrets are the same.
        let (access, refresh) = sign_in(&program, &one.client).await;
        other.client.me(&access).await.unwrap().ok(200);
        other.client.refresh(&refresh).await.unwrap().ok(200);
    }
}

/// ASVS: V7.4.1, V7.4.2
#[tokio::test]
async fn what_ends_on_one_node_has_ended_on_the_other() {
    let program = Program::new().await.unlimited();
    let (one, other) = pair(&program).await;
    let (access, refresh) = sign_in(&program, &one.client).await;
    for _ in 0..3 {
        one.client.me(&access).await.unwrap().ok(200);
        other.client.me(&access).await.unwrap().ok(200);
    }
    one.client.log_out(&access).await.unwrap().ok(204);
    other.client.me(&access).await.unwrap().is(401, "AUTH_TOKEN_REVOKED");
    other.client.refresh(&refresh).await.unwrap().is(401, "AUTH_REFRESH_TOKEN_INVALID");

    // What a command does counts at once, too.
    let again = one.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let access = text(again.ok(200), "access_token");
    other.client.me(&access).await.unwrap().ok(200);
    program.run(&["user", "disable", "ann@example.net"]).await.ok();
    for node in [&one, &other] {
        let refused = node.client.me(&access).await.unwrap();
        assert!(!refused.status.is_success(), "{refused:?}");
        let refused = node.client.log_in("ann@example.net", PASSWORD).await.unwrap();
        refused.is(403, "AUTH_ACCOUNT_DISABLED");
    }
}

/// ASVS: V2.3.4
///
/// Fault: F47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_race_across_nodes_leaves_one_chain() {
    let program = Program::new().await.unlimited();
    let (one, other) = pair(&program).await;
    let (_, mut refresh) = sign_in(&program, &one.client).await;
    for _ in 0..10 {
        let racers = (0..8_u32).map(|racer| {
            let node = if racer.is_multiple_of(2) { &one } else { &other };
            node.client.refresh(&refresh)
        });
        let mut successors: Vec<String> = join_all(racers)
            .await
            .into_iter()
            .map(|reply| text(reply.unwrap().ok(200), "refresh_token"))
            .collect();
        successors.dedup();
        assert_eq!(successors.len(), 1, "within the leeway all get the same successor");
        refresh = successors.remove(0);
    }
    assert_eq!(chains(&program).await, 1);
}

/// ASVS: V2.3.4
///
/// Fault: F47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_works_once_whichever_node_is_asked() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.unlimited().mailing(&relay);
    let (one, other) = pair(&program).await;
    let node = |racer: usize| if racer.is_multiple_of(2) { &one.client } else { &other.client };

    one.client.register("ann@example.net").await.unwrap().ok(202);
    let token = token_from(&relay, "ann@example.net", "verify-email").await;
    let racers = join_all((0..8).map(|racer| node(racer).verify(&token))).await;
    assert_eq!(winners(racers), 1);

    let forgot = serde_json::json!({ "email": "ann@example.net" });
    one.client.post("/api/v1/auth/forgot-password", forgot).await.unwrap().ok(202);
    let token = token_from(&relay, "ann@example.net", "reset-password").await;
    let racers = join_all((0..8).map(|racer| {
        let password = format!("{PASSWORD} {racer}");
        let body = serde_json::json!({ "token": token, "new_password": password });
        node(racer).post("/api/v1/auth/reset-password", body)
    }));
    assert_eq!(winners(racers.await), 1);
    // Only the winner's password opens the account.
    let tries = (0..8).map(|racer| {
        let password = format!("{PASSWORD} {racer}");
        async move { node(racer).log_in("ann@example.net", &password).await }
    });
    assert_eq!(winners(join_all(tries).await), 1);
    // Every mail left once, although two looked for them.
    let ids: Vec<_> = relay.mails().iter().filter_map(|mail| mail.header("Message-ID")).collect();
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
}

fn winners(replies: Vec<Option<crate::support::Reply>>) -> usize {
    replies.into_iter().flatten().filter(|reply| reply.status.is_success()).count()
}

/// Returns how many refresh tokens could still be used.
async fn chains(program: &Program) -> i64 {
    let options = onesql::Options::parse(&program.database_url).unwrap();
    let store = onesql::Store::open(&options).await.unwrap();
    let mut tx = store.read().await.unwrap();
    let alive = "SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL";
    tx.query(alive).one::<(i64,)>().await.unwrap().0
}

/// A key that a command rotates is soon published by every node that runs.
#[tokio::test]
async fn a_rotated_key_reaches_every_node() {
    let program = Program::new().await;
    let (one, other) = pair(&program).await;
    let rotated: Value = program.run(&["keys", "rotate", "--now", "--json"]).await.json();
    let newest = rotated.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap());
    let newest: Vec<_> = newest.collect();
    for node in [&one, &other] {
        crate::support::wait_until("the new key", Duration::from_secs(20), async || {
            let published = kids(node).await;
            newest.iter().all(|kid| published.iter().any(|known| known == kid)).then_some(())
        })
        .await;
    }
}

/// A node that stood still, as under a hypervisor that moves it, knows nothing old when it goes on.
///
/// ASVS: V7.4.1
///
/// Fault: F07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_frozen_goes_on_with_what_is_true_by_then() {
    let relay = SmtpServer::start(Script::default()).await;
    let program = Program::new().await.unlimited().mailing(&relay);
    let (one, other) = pair(&program).await;
    let (access, refresh) = sign_in(&program, &one.client).await;
    let again = one.client.log_in("ann@example.net", PASSWORD).await.unwrap();
    let (kept, kept_refresh) = (text(again.ok(200), "access_token"), text(&again, "refresh_token"));
    for token in [&access, &kept] {
        one.client.me(token).await.unwrap().ok(200);
    }

    one.freeze();
    // Asked while it stands still; answered when it goes on.
    let client = one.client.clone();
    let (late, token) = (access.clone(), kept.clone());
    let waiting = tokio::spawn(async move { tokio::join!(client.me(&late), client.me(&token)) });
    other.client.log_out(&access).await.unwrap().ok(204);
    let rotated = other.client.refresh(&kept_refresh).await.unwrap();
    let rotated = text(rotated.ok(200), "refresh_token");
    for number in 0..5 {
        let email = format!("p{number}@example.net");
        other.client.register(&email).await.unwrap().ok(202);
        token_from(&relay, &email, "verify-email").await;
    }
    one.thaw();

    let (ended, goes_on) = waiting.await.unwrap();
    ended.unwrap().is(401, "AUTH_TOKEN_REVOKED");
    goes_on.unwrap().ok(200);
    one.client.me(&access).await.unwrap().is(401, "AUTH_TOKEN_REVOKED");
    one.client.refresh(&refresh).await.unwrap().is(401, "AUTH_REFRESH_TOKEN_INVALID");
    one.client.refresh(&rotated).await.unwrap().ok(200);
    one.client.get("/api/v1/health/ready").await.unwrap().ok(200);
    assert_eq!(relay.mails().len(), 5, "no mail went twice");
    one.stop().await;
    other.stop().await;
}
