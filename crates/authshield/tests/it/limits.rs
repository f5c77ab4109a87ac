//! What a request waits for while it spends from a budget that is counted elsewhere.

use std::sync::Arc;

use futures_util::future::join;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::TestApp;

/// A Redis that answers at once, but keeps whoever spends from one budget waiting.
struct SlowRedis {
    url: String,
    asked: Arc<Notify>,
    go: Arc<Notify>,
}

impl SlowRedis {
    async fn slow_for(rule: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (heard, answer) = (Arc::clone(&asked), Arc::clone(&go));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                tokio::spawn(talk(stream, rule, heard, answer));
            }
        });
        Self { url, asked, go }
    }
}

/// Answers every command until the other side hangs up.
async fn talk(
    stream: TcpStream,
    slow: &str,
    asked: Arc<Notify>,
    go: Arc<Notify>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let words = command(&mut stream).await?;
        if words.iter().any(|word| word.contains(slow)) {
            asked.notify_one();
            go.notified().await;
        }
        // EVALSHA digest 1 key now …: nothing was spent before, so the state is now.
        let answer = match words[0].to_uppercase().as_str() {
            "EVALSHA" => format!("${}\r\n{}\r\n", words[4].len(), words[4]),
            "PING" => "+PONG\r\n".to_owned(),
            _ => "+OK\r\n".to_owned(),
        };
        stream.get_mut().write_all(answer.as_bytes()).await?;
    }
}

/// Reads one command: a list of texts.
async fn command(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Ok(words)
}

/// Reads a line such as `*3` or `$16`.
async fn number(stream: &mut BufReader<TcpStream>) -> std::io::Result<usize> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim()[1..].parse().expect("a number"))
}

/// The program waits for Redis for a moment only, so on a busy machine one try may come too late;
/// if a refresh held the one writer of SQLite meanwhile, none would come in time.
///
/// Fault: F40
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_waits_for_redis_keeps_nobody_from_writing() {
    for _ in 0..5 {
        let redis = SlowRedis::slow_for("refresh-per-session").await;
        let app = TestApp::with(&[("redis_url", &redis.url)]).await;
        let ann = app.sign_up("ann@example.org").await;
        let meanwhile = async {
            redis.asked.notified().await;
            let tx = app.app.store.write().await.unwrap();
            tx.commit().await.unwrap();
            let in_time = !app.app.limits.degraded();
            redis.go.notify_one();
            in_time
        };
        let (refreshed, in_time) = join(app.refresh(&ann.refresh), meanwhile).await;
        refreshed.ok(200);
        if in_time {
            return;
        }
    }
    panic!("nothing could be written while Redis was waited for");
}

async fn log_in_from(app: &TestApp, from: &str, email: &str) -> u16 {
    let request = app.request(reqwest::Method::POST, "/api/v1/auth/login");
    let body = serde_json::json!({ "email": email, "password": "battery staple" });
    app.send(request.header("x-forwarded-for", from).json(&body)).await.status.as_u16()
}

/// Counted in the database: one budget for all nodes, which outlasts them; the /64 of an IPv6 address is one
/// client; and numbers come from the configuration.
///
/// Attack: A01, A02, A06
#[tokio::test(flavor = "multi_thread")]
async fn a02_nodes_without_redis_share_one_budget_that_outlasts_them() {
    let settings = [
        ("rate_limit.store", "database"),
        ("rate_limit.login_per_client", "8/1m"),
        ("trusted_proxies", "127.0.0.1/32"),
    ];
    let one = TestApp::with(&settings).await;
    let two = one.second_node(&settings).await;
    let tries = (0..30).map(|n| {
        let (node, from) = (if n % 2 == 0 { &one } else { &two }, format!("2001:db8::{n:x}"));
        async move { log_in_from(node, &from, &format!("user{n}@example.org")).await }
    });
    let statuses = futures_util::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 8);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 22);
    drop(two);
    let reborn = one.second_node(&settings).await;
    assert_eq!(log_in_from(&reborn, "2001:db8::ffff", "late@example.org").await, 429);
    assert_eq!(log_in_from(&reborn, "2001:db8:0:1::1", "late@example.org").await, 401);
    assert!(!one.app.limits.degraded() && !reborn.app.limits.degraded());
    one.advance(std::time::Duration::from_mins(1));
    assert_eq!(log_in_from(&reborn, "2001:db8::ffff", "late@example.org").await, 401);

    // A refresh asks the database no more than before: each node counts those for itself.
    let ann = one.sign_up("ann@example.org").await;
    let before = one.count("SELECT COUNT(*) FROM limit_counters").await;
    one.refresh(&ann.refresh).await.ok(200);
    assert_eq!(one.count("SELECT COUNT(*) FROM limit_counters").await, before);
}

/// Attack: K02
/// ASVS: V15.4.4
#[tokio::test]
async fn who_has_many_networks_side_by_side_has_one_budget_of_hashes() {
    let settings = [("rate_limit.hashes_per_site", "12/1m"), ("trusted_proxies", "127.0.0.1/32")];
    let app = TestApp::with(&settings).await;
    let mut judged = 0;
    for n in 0..12 {
        let from = format!("2001:db8:7:{n:x}::1");
        let status = log_in_from(&app, &from, &format!("user{n}@example.org")).await;
        judged += usize::from(status == 401);
        assert!(status == 401 || status == 429, "{status}");
    }
    assert_eq!(judged, 6);
    assert_eq!(log_in_from(&app, "2001:db8:8::1", "user@example.org").await, 401);
}
