//! The rotation of refresh tokens held against a model of it: random histories on two nodes, and
//! after every step the service must answer what the model says.

use std::time::Duration;

use authshield::world::World;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use crate::registration::UNLIMITED;
use crate::support::{Person, TestApp};

const SECOND: i64 = 1_000_000;
const LEEWAY: i64 = 10 * SECOND;
const TOKEN: i64 = 30 * 60 * SECOND;
const IDLE: i64 = 60 * 60 * SECOND;
const LIFETIME: i64 = 3 * 60 * 60 * SECOND;
const ACCESS: i64 = 15 * 60;

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// The newest token is exchanged.
    Newest,
    /// A token is exchanged that may be of any age, of this session or of one before.
    Any(Index),
    /// The token that was exchanged last is exchanged again.
    Retry,
    /// The newest access token is used.
    Me,
    Wait(u64),
    LogOut,
    LogIn,
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let step = prop_oneof![
        6 => Just(Step::Newest),
        2 => any::<Index>().prop_map(Step::Any),
        3 => Just(Step::Retry),
        2 => Just(Step::Me),
        3 => prop::sample::select(vec![1, 5, 9, 11, 61, 840, 1200, 1801, 3601]).prop_map(Step::Wait),
        1 => Just(Step::LogOut),
        1 => Just(Step::LogIn),
    ];
    vec((step, any::<bool>()), 1..25)
}

#[derive(Debug)]
struct Session {
    ended: bool,
    last_active: i64,
    end: i64,
}

#[derive(Debug)]
struct Token {
    text: String,
    session: usize,
    end: i64,
    used: Option<i64>,
    successor: Option<usize>,
}

/// What a refresh must answer.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// A token that nobody had.
    New,
    /// The one that was given before.
    Again(usize),
    Invalid,
    Reused,
}

/// All that must be known to say how the service answers.
#[derive(Debug, Default)]
struct Model {
    sessions: Vec<Session>,
    tokens: Vec<Token>,
    /// The place of the token that was exchanged last.
    exchanged: Option<usize>,
    /// The newest access token: its text, its session, its end in seconds.
    access: Option<(String, usize, i64)>,
    thefts: usize,
}

impl Model {
    fn log_in(&mut self, pair: &Person, now: i64) {
        self.sessions.push(Session { ended: false, last_active: now, end: now + LIFETIME });
        let session = self.sessions.len() - 1;
        self.give(pair, session, now, None);
    }

    fn lives(&self, session: usize, now: i64) -> bool {
        let session = &self.sessions[session];
        !session.ended && session.end > now && session.last_active > now - IDLE
    }

    /// Says what exchanging the token at `place` must answer, and remembers that it was.
    fn refresh(&mut self, place: usize, now: i64) -> Answer {
        let Token { session, end, used, successor, .. } = self.tokens[place];
        if used.is_none() && end > now {
            if !self.lives(session, now) {
                return Answer::Invalid;
            }
            self.sessions[session].last_active = now;
            self.tokens[place].used = Some(now);
            self.exchanged = Some(place);
            return Answer::New;
        }
        if self.sessions[session].ended {
            return Answer::Invalid;
        }
        let Some(used) = used else { return Answer::Invalid };
        match successor {
            Some(next) if self.tokens[next].used.is_none() && now - used <= LEEWAY => {
                if !self.lives(session, now) {
                    return Answer::Invalid;
                }
                self.sessions[session].last_active = now;
                Answer::Again(next)
            }
            _ => {
                self.sessions[session].ended = true;
                self.thefts += 1;
                Answer::Reused
            }
        }
    }

    fn give(&mut self, pair: &Person, session: usize, now: i64, before: Option<usize>) {
        let end = (now + TOKEN).min(self.sessions[session].end);
        let text = pair.refresh.clone();
        self.tokens.push(Token { text, session, end, used: None, successor: None });
        if let Some(before) = before {
            self.tokens[before].successor = Some(self.tokens.len() - 1);
        }
        self.remember(pair, session, now);
    }

    fn remember(&mut self, pair: &Person, session: usize, now: i64) {
        let left = (self.sessions[session].end - now) / SECOND;
        let end = now / SECOND + ACCESS.min(left);
        self.access = Some((pair.access.clone(), session, end));
    }
}

/// The service beside the model.
struct Run<'t> {
    nodes: &'t [TestApp; 2],
    model: Model,
}

impl Run<'_> {
    fn now(&self) -> i64 {
        self.nodes[0].world.now().as_microsecond()
    }

    async fn step(&mut self, step: &Step, node: &TestApp) -> Result<(), TestCaseError> {
        let last = self.model.tokens.len() - 1;
        match step {
            Step::Newest => self.refresh(last, node).await?,
            Step::Any(index) => self.refresh(index.index(last + 1), node).await?,
            Step::Retry => self.refresh(self.model.exchanged.unwrap_or(last), node).await?,
            Step::Wait(seconds) => node.advance(Duration::from_secs(*seconds)),
            Step::LogIn => self.log_in(node).await,
            Step::Me => self.use_access(node, false).await?,
            Step::LogOut => self.use_access(node, true).await?,
        }
        Ok(())
    }

    async fn log_in(&mut self, node: &TestApp) {
        let pair = node.sign_in("ann@example.org").await;
        let now = self.now();
        self.model.log_in(&pair, now);
    }

    async fn refresh(&mut self, place: usize, node: &TestApp) -> Result<(), TestCaseError> {
        let reply = node.refresh(&self.model.tokens[place].text).await;
        let now = self.now();
        let expected = self.model.refresh(place, now);
        let session = self.model.tokens[place].session;
        match expected {
            Answer::New => {
                prop_assert_eq!(reply.status.as_u16(), 200, "{:?}", reply);
                let pair = Person::from_pair(&reply.body);
                prop_assert!(self.model.tokens.iter().all(|token| token.text != pair.refresh));
                self.model.give(&pair, session, now, Some(place));
            }
            Answer::Again(next) => {
                prop_assert_eq!(reply.status.as_u16(), 200, "{:?}", reply);
                let pair = Person::from_pair(&reply.body);
                prop_assert_eq!(&pair.refresh, &self.model.tokens[next].text);
                self.model.remember(&pair, session, now);
            }
            Answer::Invalid => prop_assert_eq!(reply.code(), "AUTH_REFRESH_TOKEN_INVALID"),
            Answer::Reused => prop_assert_eq!(reply.code(), "AUTH_REFRESH_TOKEN_REUSED"),
        }
        Ok(())
    }

    async fn use_access(&mut self, node: &TestApp, log_out: bool) -> Result<(), TestCaseError> {
        let (access, session, end) = self.model.access.clone().expect("somebody signed in");
        let person =
            Person { id: String::new(), email: String::new(), access, refresh: String::new() };
        let reply = if log_out {
            node.post_as(&person, "/api/v1/auth/logout", json!({})).await
        } else {
            node.me(&person).await
        };
        let now = self.now();
        let lives = self.model.lives(session, now);
        if end <= now / SECOND {
            prop_assert_eq!(reply.code(), "AUTH_TOKEN_EXPIRED");
        } else if !lives {
            prop_assert_eq!(reply.code(), "AUTH_TOKEN_REVOKED");
        } else {
            prop_assert_eq!(reply.status.as_u16(), if log_out { 204 } else { 200 });
            let session = &mut self.model.sessions[session];
            session.ended |= log_out;
            if now - session.last_active >= 60 * SECOND {
                session.last_active = now;
            }
        }
        Ok(())
    }
}

/// ASVS: V10.4.5
/// Attack: D02, D03, D12, D13
#[test]
fn rotation_does_what_its_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let nodes = runtime.block_on(async {
        let settings = [
            UNLIMITED,
            ("refresh.ttl", "30m"),
            ("refresh.retry_leeway", "10s"),
            ("session.idle_timeout", "1h"),
            ("session.lifetime", "3h"),
        ];
        let one = TestApp::with(&settings).await;
        let base = one.base.clone();
        let other = one.second_node(&[&settings[..], &[("public_url", &base)]].concat()).await;
        one.open_account("ann@example.org").await;
        [one, other]
    });
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let before = thefts(&nodes[0]).await;
            let mut run = Run { nodes: &nodes, model: Model::default() };
            run.log_in(&nodes[0]).await;
            for (step, second) in &steps {
                run.step(step, &nodes[usize::from(*second)]).await?;
            }
            prop_assert_eq!(thefts(&nodes[1]).await - before, run.model.thefts);
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

async fn thefts(app: &TestApp) -> usize {
    let count = "SELECT COUNT(*) FROM audit_events WHERE code = 'REFRESH_REUSED'";
    usize::try_from(app.count(count).await).unwrap()
}
