//! The stores against the pure function, and what happens when Redis goes away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use url::Url;

use super::rules::{LOGIN_PER_CLIENT, REGISTER_PER_CLIENT};
use super::*;
use crate::world::{Real, Sandbox};

/// Long enough for a machine that is busy with other things.
const AGES: Duration = Duration::from_secs(30);

static SLOW: Rule = Rule { name: "slow", at_most: 3, within: Duration::from_secs(100) };
static FAST: Rule = Rule { name: "fast", at_most: 7, within: Duration::from_micros(9_999_999) };

/// Returns the server that the test command started, if it did.
#[expect(clippy::disallowed_methods, reason = "a test reads where its server is")]
fn test_server() -> Option<SecretString> {
    std::env::var("AUTHSHIELD_TEST_REDIS").ok().map(SecretString::from)
}

/// Returns text that no other test uses as a key.
fn unique() -> String {
    let mut random = [0; 16];
    Real.fill(&mut random);
    u128::from_le_bytes(random).to_string()
}

/// One step: time passes, maybe backwards, then somebody spends.
type Step = (i64, bool, u8, u32);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![0..3_000_000_i64, 0..60_000_000_i64, -50_000_000..0_i64];
    vec((gap, any::<bool>(), 0..3_u8, 0..5_u32), 1..40)
}

/// Runs `steps` on the pure function with a plain map.
fn expected(steps: &[Step], start: Timestamp) -> Vec<Decision> {
    let mut states = BTreeMap::new();
    let mut micros = start.as_microsecond();
    let run = |&(gap, fast, key, cost): &Step| {
        micros += gap;
        let rule = if fast { &FAST } else { &SLOW };
        let state = states.get(&(fast, key)).copied();
        let decision = gcra::check(state, rule, Timestamp::from_microsecond(micros), cost);
        if let Some(new_state) = decision.new_state {
            states.insert((fast, key), new_state);
        }
        decision
    };
    steps.iter().map(run).collect()
}

/// Returns what is told of a decision: what the script wrote shows in the next one.
fn told(decision: &Decision) -> (bool, u32, Duration, Duration) {
    (decision.allowed, decision.remaining, decision.reset_after, decision.retry_after)
}

fn at_each(steps: &[Step], start: Timestamp) -> Vec<(&'static Rule, u8, Timestamp, u32)> {
    let mut micros = start.as_microsecond();
    let place = |&(gap, fast, key, cost): &Step| {
        micros += gap;
        (if fast { &FAST } else { &SLOW }, key, Timestamp::from_microsecond(micros), cost)
    };
    steps.iter().map(place).collect()
}

/// The databases that limits may be counted in: a file, and the server that the test command started.
async fn databases() -> Vec<(onesql::Store, tempfile::TempDir)> {
    let folder = || tempfile::tempdir().expect("a folder");
    let file = folder();
    let mut all =
        vec![(onesql::Options::sqlite(file.path().join("limits.db")), file, None::<String>)];
    #[expect(clippy::disallowed_methods, reason = "a test reads where its server is")]
    if let Ok(url) = std::env::var("AUTHSHIELD_TEST_POSTGRES") {
        let (options, name) = (onesql::Options::parse(&url), format!("limits_{}", unique()));
        all.push((options.expect("an address"), folder(), Some(name)));
    }
    let mut stores = Vec::new();
    for (mut options, folder, schema) in all {
        if let Some(schema) = &schema {
            let server = onesql::Store::open(&options).await.expect("a server");
            server.create_schema(schema).await.expect("a schema");
            options = options.in_schema(schema);
        }
        let store = onesql::Store::open(&options).await.expect("a database");
        crate::schema::migrate(&store).await.expect("our tables");
        stores.push((store, folder));
    }
    stores
}

/// One property for every store, over the same sequences.
#[test]
fn every_store_agrees_with_the_pure_function() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let redis = test_server().map(|url| Redis::new(url.expose_secret(), AGES).expect("an address"));
    let databases: Vec<_> = runtime
        .block_on(databases())
        .into_iter()
        .map(|(store, folder)| (Shared::new(store, [7; 32]), folder))
        .collect();
    let world = Sandbox::default();
    let config = ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            let (start, run) = (world.now(), unique());
            let memory = Memory::new(&world);
            let expected = expected(&steps, start);
            let told: Vec<_> = expected.iter().map(told).collect();
            let taken = at_each(&steps, start);
            let key = |key: &u8| format!("{run} {key}");
            let found: Vec<_> = taken
                .iter()
                .map(|(rule, k, now, cost)| memory.check(rule, &key(k), *now, *cost))
                .collect();
            prop_assert_eq!(&found, &expected, "memory");
            if let Some(redis) = &redis {
                let found: Vec<_> = taken
                    .iter()
                    .map(|(rule, k, now, cost)| {
                        runtime.block_on(redis.check(rule, &key(k), *now, *cost))
                    })
                    .map(|decision| self::told(&decision.expect("an answer")))
                    .collect();
                prop_assert_eq!(&found, &told, "Redis");
            }
            for (n, (shared, _)) in databases.iter().enumerate() {
                let found: Vec<_> = taken
                    .iter()
                    .map(|(rule, k, now, cost)| {
                        runtime.block_on(shared.check(rule, &key(k), *now, *cost))
                    })
                    .map(|decision| self::told(&decision.expect("an answer")))
                    .collect();
                prop_assert_eq!(&found, &told, "database {}", n);
            }
            Ok(())
        })
        .expect("no step differs");
}

/// A database without our tables refuses every statement, as one that is down does.
#[tokio::test]
async fn a_database_that_does_not_count_neither_opens_nor_closes_the_door() {
    let world = Sandbox::default();
    let folder = tempfile::tempdir().expect("a folder");
    let options = onesql::Options::sqlite(folder.path().join("empty.db"));
    let store = onesql::Store::open(&options).await.expect("a file");
    let database = Store::Database(Box::new(Shared::new(store.clone(), [7; 32])));
    let limits = Limits::with(database, &world);
    assert_eq!(granted(&limits, &LOGIN_PER_CLIENT, "192.0.2.1", world.now()).await, 10);
    assert!(limits.degraded() && limits.enabled());
    assert_eq!(granted(&limits, &LOGIN_PER_CLIENT, "192.0.2.2", world.now()).await, 10);
    // What is the node's own is not halved.
    assert_eq!(granted(&limits, &rules::REFRESH_PER_SESSION, "s", world.now()).await, 60);
}

/// Many at once on two nodes.
///
/// Attack: A04
/// ASVS: V2.3.2
#[tokio::test(flavor = "multi_thread")]
async fn a04_of_a_hundred_takes_at_once_on_two_nodes_the_budget_passes() {
    let world = Sandbox::default();
    for (store, _folder) in databases().await {
        let node = || {
            let shared = Store::Database(Box::new(Shared::new(store.clone(), [7; 32])));
            Arc::new(Limits::with(shared, &world))
        };
        let (nodes, now) = ([node(), node()], world.now());
        let takes = (0..100).map(|n| {
            let limits = Arc::clone(&nodes[n % 2]);
            tokio::spawn(async move { limits.spend(&LOGIN_PER_CLIENT, "192.0.2.1", now).await })
        });
        let takes = futures_util::future::join_all(takes.collect::<Vec<_>>()).await;
        let passed = takes.into_iter().filter(|take| take.as_ref().is_ok_and(Result::is_ok));
        assert_eq!(passed.count(), 20, "on {}", store.kind());
        assert!(nodes.iter().all(|node| !node.degraded()), "on {}", store.kind());
    }
}

/// Spends until it is refused, and returns how often it was not.
async fn granted(limits: &Limits, rule: &'static Rule, key: &str, now: Timestamp) -> u32 {
    let mut granted = 0;
    while limits.spend(rule, key, now).await.is_ok() {
        granted += 1;
        assert!(granted <= rule.at_most, "a limit that does not limit");
    }
    granted
}

#[tokio::test]
async fn keys_and_rules_are_counted_apart() {
    let world = Sandbox::default();
    let (limits, now) = (Limits::with(Store::Memory, &world), world.now());
    assert!(limits.enabled() && !limits.degraded() && limits.ping().await.is_none());

    let first = limits.spend(&REGISTER_PER_CLIENT, "ann@example.org", now).await;
    let reset_after = Duration::from_mins(6);
    assert_eq!(first, Ok(Standing { rule: REGISTER_PER_CLIENT, remaining: 9, reset_after }));
    assert_eq!(granted(&limits, &REGISTER_PER_CLIENT, "ann@example.org", now).await, 9);
    assert_eq!(granted(&limits, &REGISTER_PER_CLIENT, "bob@example.org", now).await, 10);
    assert_eq!(granted(&limits, &LOGIN_PER_CLIENT, "ann@example.org", now).await, 20);

    let refused =
        limits.spend(&REGISTER_PER_CLIENT, "ann@example.org", now).await.expect_err("spent");
    assert_eq!(refused.retry_after_seconds(), 360);
    assert_eq!(refused.standing().remaining, 0);
    let later = now + refused.retry_after;
    assert_eq!(granted(&limits, &REGISTER_PER_CLIENT, "ann@example.org", later).await, 1);
}

#[test]
fn a_handler_can_wait_for_them() {
    fn is_send<T: Send>(_: &T) {}
    let world = Sandbox::default();
    let limits = Limits::with(Store::Off, &world);
    is_send(&limits.spend(&SLOW, "ann@example.org", world.now()));
    is_send(&limits.ping());
}

#[tokio::test]
async fn without_limits_nothing_is_limited() {
    let world = Sandbox::default();
    let (limits, now) = (Limits::with(Store::Off, &world), world.now());
    for _ in 0..100 {
        let standing = limits.spend(&SLOW, "ann@example.org", now).await;
        assert_eq!(standing.map(|standing| standing.remaining), Ok(3));
    }
    assert!(!limits.enabled());
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_refused_without_telling_the_password() {
    for url in ["", "localhost", "http://u:hunter2@localhost", "redis://u:hunter2@localhost/x"] {
        let refused = Limits::redis(&SecretString::from(url), PATIENCE).await;
        let Err(error) = refused else { panic!("{url} was taken") };
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn an_unreachable_redis_neither_opens_nor_closes_the_door() {
    let world = Sandbox::default();
    // it takes connections and never says a word
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = mute.local_addr().expect("bound");
    let url = SecretString::from(format!("redis://{address}"));
    let limits =
        Limits::with(Limits::redis(&url, PATIENCE).await.expect("an outage is no error"), &world);
    assert!(limits.degraded());
    assert!(limits.ping().await.expect("there is one").is_err());
    assert_eq!(granted(&limits, &LOGIN_PER_CLIENT, "192.0.2.1", world.now()).await, 10);
    world.advance(Duration::from_mins(1));
    assert_eq!(granted(&limits, &LOGIN_PER_CLIENT, "192.0.2.1", world.now()).await, 10);
}

/// A cable to a server that can be pulled and put back.
struct Cable {
    url: SecretString,
    whole: Arc<AtomicBool>,
    pulled: Arc<Notify>,
}

impl Cable {
    async fn to(server: &str) -> Self {
        let mut server = Url::parse(server).expect("an address");
        let target =
            format!("{}:{}", server.host_str().expect("a host"), server.port().unwrap_or(6379));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (whole, pulled) = (Arc::new(AtomicBool::new(true)), Arc::new(Notify::new()));
        // The same server with the same password, at the near end of the cable.
        server.set_host(Some(&address.ip().to_string())).expect("an address is a host");
        server.set_port(Some(address.port())).expect("it has a port");
        let cable = Self {
            url: SecretString::from(server.to_string()),
            whole: Arc::clone(&whole),
            pulled: Arc::clone(&pulled),
        };
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !whole.load(Ordering::SeqCst) {
                    continue;
                }
                let mut far = TcpStream::connect(&target).await.expect("the server is there");
                let pulled = Arc::clone(&pulled);
                tokio::spawn(async move {
                    let pull = pulled.notified();
                    tokio::select! {
                        () = pull => {}
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    }
                });
            }
        });
        cable
    }

    fn pull(&self) {
        self.whole.store(false, Ordering::SeqCst);
        self.pulled.notify_waiters();
    }

    fn put_back(&self) {
        self.whole.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn f25_limits_hold_through_an_outage_and_are_shared_again_after_it() {
    let Some(server) = test_server() else { return };
    let world = Sandbox::default();
    let (now, key) = (world.now(), unique());
    let cable = Cable::to(server.expose_secret()).await;
    let here = Limits::with(Limits::redis(&cable.url, AGES).await.expect("an address"), &world);
    let there = Limits::with(Limits::redis(&server, AGES).await.expect("an address"), &world);
    assert!(!here.degraded());

    for node in [&here, &there] {
        for _ in 0..5 {
            node.spend(&LOGIN_PER_CLIENT, &key, now).await.expect("of one budget for both");
        }
    }
    cable.pull();
    assert_eq!(granted(&here, &LOGIN_PER_CLIENT, &key, now).await, 10, "half, of its own");
    assert!(here.degraded());
    cable.put_back();
    here.ping().await.expect("there is a server").expect("and it answers");
    assert!(!here.degraded());
    assert_eq!(granted(&here, &LOGIN_PER_CLIENT, &key, now).await, 10, "what was left");
    assert_eq!(granted(&there, &LOGIN_PER_CLIENT, &key, now).await, 0);
}

#[tokio::test]
async fn f28_a_counter_that_somebody_spoiled_is_a_fresh_one() {
    let Some(server) = test_server() else { return };
    let world = Sandbox::default();
    let (now, key) = (world.now(), unique());
    let limits = Limits::with(Limits::redis(&server, AGES).await.expect("an address"), &world);
    assert_eq!(granted(&limits, &SLOW, &key, now).await, 3);
    let client = ::redis::Client::open(server.expose_secret()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a server");
    let stored = redis::key_of(&SLOW, &key);
    for rubbish in ["", "rubbish"] {
        let set = ::redis::cmd("SET").arg(&stored).arg(rubbish).exec_async(&mut connection).await;
        set.expect("set");
        assert_eq!(granted(&limits, &SLOW, &key, now).await, 3);
    }
    assert!(!limits.degraded());
}
