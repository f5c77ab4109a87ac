//! Counting in Redis or Valkey, so that all nodes share one count.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Script};

use super::gcra::{self, Decision};
use super::{Rule, digest};
use crate::kernel::Timestamp;

/// How long a request waits for an answer before it counts without.
pub(super) const PATIENCE: Duration = Duration::from_millis(150);

/// How long after a failure nobody waits, before one request tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// What [`gcra::check`] does with the state, where no other node can come between. It returns the
/// state it found, and the pure function turns that into the same decision.
///
/// Doubles hold microseconds exactly until the year 2255. The time is the caller's, so that all
/// stores can be tested by one clock. A key lasts a minute longer than it matters, for nodes whose
/// clocks differ.
const SCRIPT: &str = r"
local now, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
local burst, cost = tonumber(ARGV[3]), tonumber(ARGV[4])
local found = tonumber(redis.call('GET', KEYS[1]) or '')
local state = math.max(now, math.min(found or now, now + burst))
local after = state + interval * cost
if after - now > burst then after = state end
if after > now and after ~= found then
  local lasts = math.ceil((after - now) / 1000) + 60000
  redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', string.format('%.0f', lasts))
end
return string.format('%.0f', state)
";

/// Counters that nodes share, as long as they can be reached.
///
/// The connection is looked after here rather than by the library's connection manager: that one
/// gives up for good when the first answer is not a failure of the network, such as that of a server
/// which is still loading.
pub(super) struct Redis {
    client: Client,
    script: Script,
    patience: Duration,
    link: Mutex<Link>,
    /// Numbers connections, so that a late failure of an old one does not end a new one.
    generation: AtomicU64,
    degraded: AtomicBool,
}

enum Link {
    Up { connection: MultiplexedConnection, generation: u64 },
    Down { try_at: Instant },
}

/// What is done next: use what there is, or be the one that connects anew.
struct Attempt {
    connection: Option<MultiplexedConnection>,
    generation: u64,
}

impl Redis {
    /// Reads the address. Nothing is connected yet.
    pub(super) fn new(url: &str, patience: Duration) -> RedisResult<Self> {
        Ok(Self {
            client: Client::open(url)?,
            script: Script::new(SCRIPT),
            patience,
            link: Mutex::new(Link::Down { try_at: Instant::now() }),
            generation: AtomicU64::new(0),
            degraded: AtomicBool::new(false),
        })
    }

    /// Returns whether the last that was heard of the server is that it cannot be reached.
    pub(super) fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    /// Decides and remembers in one step; `None` if the server does not answer in time.
    pub(super) async fn check(
        &self,
        rule: &Rule,
        key: &str,
        now: Timestamp,
        cost: u32,
    ) -> Option<Decision> {
        let attempt = self.attempt(false)?;
        let key = key_of(rule, key);
        let work = async |mut connection: MultiplexedConnection| {
            self.script
                .key(key)
                .arg(now.as_microsecond())
                .arg(rule.interval())
                .arg(rule.burst())
                .arg(cost.min(rule.at_most.max(1)))
                .invoke_async::<i64>(&mut connection)
                .await
        };
        let state = self.run(attempt, work).await.ok()?;
        Some(gcra::check(Some(state), rule, now, cost))
    }

    /// Asks for a sign of life, and returns how long it took. It connects anew if need be, without
    /// waiting for the pause to end.
    pub(super) async fn ping(&self) -> Result<Duration, String> {
        let attempt = self.attempt(true).ok_or("unreachable")?;
        let began = Instant::now();
        let work = async |mut connection: MultiplexedConnection| {
            redis::cmd("PING").query_async::<String>(&mut connection).await
        };
        self.run(attempt, work).await.map(|_pong| began.elapsed())
    }

    /// Returns the connection, or the right to make one; `None` during the pause, unless `eager`.
    fn attempt(&self, eager: bool) -> Option<Attempt> {
        let mut link = self.link.lock().expect("nobody panics while holding the link");
        match &mut *link {
            Link::Up { connection, generation } => {
                Some(Attempt { connection: Some(connection.clone()), generation: *generation })
            }
            Link::Down { try_at } => {
                let now = Instant::now();
                if !eager && now < *try_at {
                    return None;
                }
                *try_at = now + PAUSE;
                let generation = 1 + self.generation.fetch_add(1, Ordering::Relaxed);
                Some(Attempt { connection: None, generation })
            }
        }
    }

    async fn run<T, F>(
        &self,
        attempt: Attempt,
        work: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, String>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let Attempt { connection, generation } = attempt;
        let is_new = connection.is_none();
        let conversation = async {
            let connection = match connection {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let answer = work(connection.clone()).await?;
            Ok::<_, redis::RedisError>((connection, answer))
        };
        let why = match tokio::time::timeout(self.patience, conversation).await {
            Ok(Ok((connection, answer))) => {
                if is_new {
                    self.came_up(connection, generation);
                }
                return Ok(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => format!("no answer within {:?}", self.patience),
        };
        self.went_down(generation, &why);
        Err(why)
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.patience))
            .set_response_timeout(Some(self.patience));
        self.client.get_multiplexed_async_connection_with_config(&settings).await
    }

    fn came_up(&self, connection: MultiplexedConnection, generation: u64) {
        let mut link = self.link.lock().expect("nobody panics while holding the link");
        *link = Link::Up { connection, generation };
        drop(link);
        if self.degraded.swap(false, Ordering::Relaxed) {
            tracing::info!(event = "limits.shared", "Redis answers again; limits are shared");
        }
    }

    fn went_down(&self, failed: u64, why: &str) {
        let mut link = self.link.lock().expect("nobody panics while holding the link");
        if matches!(&*link, Link::Up { generation, .. } if *generation != failed) {
            return;
        }
        *link = Link::Down { try_at: Instant::now() + PAUSE };
        drop(link);
        if !self.degraded.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                event = "limits.fallback",
                error = why,
                "Redis does not answer; until it does, this node counts for itself, with half the \
                 budgets"
            );
        }
    }
}

/// Returns the key of a counter. The server never learns whose it is.
pub(super) fn key_of(rule: &Rule, key: &str) -> String {
    let number = u128::from_be_bytes(digest(b"", rule, key));
    format!("authshield:limit:{}:{number:032x}", rule.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_rule_and_not_whose_it_is() {
        let rule = Rule { name: "test", at_most: 1, within: Duration::from_mins(1) };
        let key = key_of(&rule, "ann@example.org");
        let (start, hex) = key.rsplit_once(':').expect("three colons");
        assert_eq!((start, hex.len()), ("authshield:limit:test", 32));
        assert!(hex.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(key, key_of(&rule, "bob@example.org"));
    }
}
