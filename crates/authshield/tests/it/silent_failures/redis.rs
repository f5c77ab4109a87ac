//! RED: Redis.

use std::time::Duration;

use super::{Gate, Watched};
use crate::support::detection::Fault;
use crate::support::redis_server::RedisServer;
use crate::support::{PASSWORD, Person, Program, wait_until};

/// An account that was made by command, signed in.
async fn somebody(watched: &Watched) -> Person {
    let create = ["user", "create", "ann@example.org", "--password-stdin", "--verified"];
    watched.program.run_with(&create, PASSWORD).await.ok();
    let reply = watched.server.client.log_in("ann@example.org", PASSWORD).await.unwrap();
    Person::from_pair(&reply.ok(200).body)
}

/// Operations 9, row 23
#[tokio::test]
async fn a_redis_that_throws_keys_away_is_told_and_no_token_comes_back() {
    let redis = RedisServer::start(&["--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru"]);
    let redis = redis.await;
    let program = Program::new().await.set("redis_url", &redis.url());
    let fault = Fault::injected(23, "allkeys-lru with 2 MB: the gate");
    let gate = Gate::of(&program, &[]).await;
    gate.ends(1).has("RED-2", "fail", &["allkeys-lru", "noeviction"]).has("RED-1", "pass", &[]);
    fault.found_by("preflight");

    redis.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await.unwrap();
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    Gate::of(&program, &[]).await.ends(0).has("RED-2", "pass", &[]);
    let watched = Watched::serve(program).await;
    watched.until("RED-2", 0).await;
    let person = somebody(&watched).await;
    watched.server.client.log_out(&person.access).await.unwrap().ok(204);

    let fault = Fault::injected(23, "allkeys-lru with 2 MB: while running");
    redis.command(&["CONFIG", "SET", "maxmemory", "2mb"]).await.unwrap();
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await.unwrap();
    watched.until("RED-2", 2).await;
    fault.found_by("RED-2");
    let much = "x".repeat(64 * 1024);
    for number in 0..100 {
        redis.command(&["SET", &format!("somebody else's {number}"), &much]).await.unwrap();
    }
    watched.server.client.me(&person.access).await.unwrap().is(401, "AUTH_TOKEN_REVOKED");
    watched.until_events(&["CHECK_FAILED/RED-2"]).await;

    let evictions = "authshield_redis_evictions_total";
    wait_until("the keys that were thrown away are counted", Duration::from_secs(20), async || {
        watched.metric(evictions).await.filter(|count| *count > 10.0)
    })
    .await;

    // It mends its ways; that keys were thrown away is told as well.
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await.unwrap();
    watched.until("RED-2", 0).await;
}

/// Operations 9, row 24
#[tokio::test]
async fn without_redis_people_sign_in_and_operators_are_told() {
    let redis = RedisServer::start(&[]).await;
    let program = Program::new().await.set("redis_url", &redis.url());
    let watched = Watched::serve(program).await;
    watched.until("RED-1", 0).await;
    somebody(&watched).await;
    let port = redis.port;
    let fault = Fault::injected(24, "Redis is gone: while running");
    drop(redis);
    watched.until("RED-1", 2).await;
    fault.found_by("RED-1");
    let client = &watched.server.client;
    client.log_in("ann@example.org", PASSWORD).await.unwrap().ok(200);
    assert_eq!(watched.metric("authshield_limiter_degraded").await, Some(1.0), "stricter limits");
    let health = client.get("/api/v1/health").await.unwrap();
    assert_eq!(health.ok(200).body["checks"]["redis"]["status"], "degraded");
    client.get("/api/v1/health/ready").await.unwrap().ok(200);
    let gate = Gate::of(&watched.program, &[]).await;
    gate.ends(1).has("RED-1", "fail", &["AUTHSHIELD_REDIS_URL"]).has("RED-2", "skip", &["RED-1"]);

    // A start without it is none the less a start.
    let second = watched.program.another().unset("admin_listen").serve().await;
    second.client.log_in("ann@example.org", PASSWORD).await.unwrap().ok(200);
    second.stop().await;
    let redis = RedisServer::start_on(port, &[]).await;
    watched.until("RED-1", 0).await;
    drop(redis);
}
