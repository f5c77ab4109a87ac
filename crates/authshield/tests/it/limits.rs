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
