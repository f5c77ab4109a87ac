//! What a Redis server says of itself, for whoever looks whether limits can rest on it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis::{AsyncConnectionConfig, Client, RedisResult};
use secrecy::{ExposeSecret, SecretString};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its version.
    pub version: String,
    /// `master`, or `slave` of another.
    pub role: String,
    /// What it throws away when its memory is full.
    pub policy: String,
    /// How much memory it may use, in bytes; 0 is no limit.
    pub memory: u64,
    /// How many keys it has thrown away since it started.
    pub evicted: u64,
    /// How long it took to answer.
    pub latency: Duration,
}

/// Connects anew, as a node does that starts; asks, and lets it run a script, which limits need.
/// Writes nothing. The error says what failed.
pub async fn inspect(url: &SecretString) -> Result<Facts, String> {
    let words = |error: redis::RedisError| error.to_string();
    let client = Client::open(url.expose_secret()).map_err(words)?;
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection =
        client.get_multiplexed_async_connection_with_config(&settings).await.map_err(words)?;
    let began = Instant::now();
    let ran: RedisResult<i64> =
        redis::cmd("EVAL").arg("return 1").arg(0).query_async(&mut connection).await;
    let latency = began.elapsed();
    ran.map_err(|error| format!("it runs no scripts, which limits need: {error}"))?;
    let said: String = redis::cmd("INFO").query_async(&mut connection).await.map_err(words)?;
    Ok(read(&said, latency))
}

fn read(said: &str, latency: Duration) -> Facts {
    let pairs: BTreeMap<&str, &str> =
        said.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    let text = |name: &str| pairs.get(name).copied().unwrap_or_default().to_owned();
    let number = |name: &str| pairs.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    Facts {
        version: text("redis_version"),
        role: text("role"),
        policy: text("maxmemory_policy"),
        memory: number("maxmemory"),
        evicted: number("evicted_keys"),
        latency,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_read() {
        let said = "# Server\r\nredis_version:7.2.4\r\n# Memory\r\nmaxmemory:1048576\r\n\
                    maxmemory_policy:allkeys-lru\r\nrole:master\r\nevicted_keys:12\r\n";
        let facts = read(said, Duration::ZERO);
        assert_eq!((facts.version.as_str(), facts.role.as_str()), ("7.2.4", "master"));
        assert_eq!((facts.policy.as_str(), facts.memory), ("allkeys-lru", 1 << 20));
        assert_eq!(facts.evicted, 12);
        assert_eq!(read("", Duration::ZERO).policy, "");
    }
}
