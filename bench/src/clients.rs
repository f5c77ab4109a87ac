//! Who asks the service for what.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use authshield::kernel::LinkToken;
use authshield::world::Real;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use futures_util::future::try_join_all;

use crate::http::{self, Answer, Connection};
use crate::load::{AFTER_REFUSAL, Client};

/// What every seeded user types.
pub(crate) const PASSWORD: &str = "a correct horse with a battery";

/// Returns the address of seeded user `number`.
pub(crate) fn email(number: u32) -> String {
    format!("user{number}@example.org")
}

/// Signs in as one user after the other.
pub(crate) struct SignIn {
    next: usize,
    stride: usize,
    users: Arc<[u32]>,
}

impl SignIn {
    /// Returns `count` of them, who share `users` evenly.
    pub(crate) fn many(count: usize, users: impl IntoIterator<Item = u32>) -> Vec<Box<dyn Client>> {
        let users: Arc<[u32]> = users.into_iter().collect();
        let one = |next| Self { next, stride: count, users: Arc::clone(&users) };
        (0..count).map(|next| Box::new(one(next)) as _).collect()
    }
}

impl Client for SignIn {
    fn ask(&mut self, request: &mut Vec<u8>) {
        sign_in(request, self.users[self.next % self.users.len()]);
        self.next = self.next.wrapping_add(self.stride);
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

pub(crate) fn sign_in(request: &mut Vec<u8>, user: u32) {
    let email = email(user);
    let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
    http::post(request, "/api/v1/auth/login", &body);
}

/// Registers one stranger after the other.
pub(crate) struct Register {
    next: u32,
    stride: u32,
}

impl Register {
    /// Returns `count` of them.
    pub(crate) fn many(count: u32) -> Vec<Box<dyn Client>> {
        (0..count).map(|next| Box::new(Self { next, stride: count }) as _).collect()
    }
}

impl Client for Register {
    fn ask(&mut self, request: &mut Vec<u8>) {
        let email = format!("stranger{}@example.org", self.next);
        self.next += self.stride;
        let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
        http::post(request, "/api/v1/auth/register", &body);
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Asks who it is, in one session after the other.
pub(crate) struct Me {
    tokens: Vec<String>,
    next: usize,
}

impl Client for Me {
    fn ask(&mut self, request: &mut Vec<u8>) {
        http::get(request, "/api/v1/users/me", &self.tokens[self.next % self.tokens.len()]);
        self.next += 1;
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Refreshes its sessions in turn, each time with the token that came last.
pub(crate) struct Refresh {
    tokens: Vec<String>,
    next: usize,
}

impl Client for Refresh {
    fn ask(&mut self, request: &mut Vec<u8>) {
        let token = &self.tokens[self.next];
        let body = format!(r#"{{"refresh_token":"{token}"}}"#);
        http::post(request, "/api/v1/auth/refresh", &body);
    }

    fn told(&mut self, body: &[u8]) -> Result<()> {
        let token = http::member(body, "refresh_token").context("no refresh token came back")?;
        self.tokens[self.next].clear();
        self.tokens[self.next].push_str(token);
        self.next = (self.next + 1) % self.tokens.len();
        Ok(())
    }
}

/// Brings a link that nobody was sent: that is an event, and nothing else.
pub(crate) struct StrangeLink(LinkToken);

impl StrangeLink {
    /// Returns `count` of them.
    pub(crate) fn many(count: u32) -> Vec<Box<dyn Client>> {
        (0..count).map(|_| Box::new(Self(LinkToken::new(&Real))) as _).collect()
    }
}

impl Client for StrangeLink {
    fn ask(&mut self, request: &mut Vec<u8>) {
        let body = format!(r#"{{"token":"{}"}}"#, self.0.reveal());
        http::post(request, "/api/v1/auth/verify-email", &body);
    }

    fn is_served(&self, status: u16) -> bool {
        status == 400
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Asks for challenges for passkeys: each is a row, and nothing else.
pub(crate) struct Challenge;

impl Challenge {
    /// Returns `count` of them.
    pub(crate) fn many(count: u32) -> Vec<Box<dyn Client>> {
        (0..count).map(|_| Box::new(Self) as _).collect()
    }
}

impl Client for Challenge {
    fn ask(&mut self, request: &mut Vec<u8>) {
        http::post(request, "/api/v1/auth/passkeys/challenge", "");
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Asks what became of a mail.
pub(crate) struct Progress {
    path: String,
}

impl Progress {
    /// Registers somebody, and returns who asks for the mail of that.
    pub(crate) fn of_registration(address: SocketAddr) -> Result<Self> {
        let mut registered = each(address, [()], &async |connection, ()| {
            let mut request = Vec::new();
            let body = format!(r#"{{"email":"stranger@example.org","password":"{PASSWORD}"}}"#);
            http::post(&mut request, "/api/v1/auth/register", &body);
            let body = connection.succeed(&request).await?;
            let mail = http::member(body, "mail_id").context("no mail went out")?;
            Ok(format!("/api/v1/auth/mails/{mail}"))
        })?;
        Ok(Self { path: registered.pop().context("nobody registered")? })
    }
}

impl Client for Progress {
    fn ask(&mut self, request: &mut Vec<u8>) {
        http::get(request, &self.path, "none");
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Signs one user after the other out everywhere, and says which sessions that ended, and when it was told.
pub(crate) struct SignOut {
    users: Vec<Vec<String>>,
    told: Sender<(String, Instant)>,
}

impl SignOut {
    /// Returns `count` of them, who share the users of `sessions` evenly.
    pub(crate) fn many(
        count: usize,
        sessions: &[Tokens],
        told: &Sender<(String, Instant)>,
    ) -> Vec<Box<dyn Client>> {
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for session in sessions {
            users.entry(session.user()).or_default().push(session.access.clone());
        }
        let users: Vec<_> = users.into_values().collect();
        let share = |place| users.iter().skip(place).step_by(count).cloned().collect();
        (0..count)
            .map(|place| Box::new(Self { users: share(place), told: told.clone() }) as _)
            .collect()
    }
}

impl Client for SignOut {
    fn ask(&mut self, request: &mut Vec<u8>) {
        let user = self.users.last().and_then(|sessions| sessions.first());
        let token = user.map_or("none", String::as_str);
        http::post_as(request, "/api/v1/auth/logout-all", token, "");
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        let now = Instant::now();
        for token in self.users.pop().context("there were too few users")? {
            self.told.send((token, now)).context("nobody listens")?;
        }
        Ok(())
    }
}

/// What a sign-in gave.
pub(crate) struct Tokens {
    /// The number of who signed in.
    pub(crate) number: u32,
    pub(crate) access: String,
    refresh: String,
}

impl Tokens {
    /// Returns whose they are, as the access token says.
    fn user(&self) -> String {
        let payload = self.access.split('.').nth(1).and_then(|part| BASE64.decode(part).ok());
        let user = payload.as_deref().and_then(|claims| http::member(claims, "sub"));
        user.unwrap_or_default().to_owned()
    }
}

/// Signs in as each of `users`, several at a time.
pub(crate) fn open_sessions(
    address: SocketAddr,
    users: impl IntoIterator<Item = u32>,
) -> Result<Vec<Tokens>> {
    each(address, users, &async |connection, number| {
        let mut request = Vec::new();
        sign_in(&mut request, number);
        let body = loop {
            let Answer { status, body } = connection.exchange(&request).await?;
            match status {
                200 => break body,
                503 => tokio::time::sleep(AFTER_REFUSAL).await,
                _ => bail!("a sign-in is answered {status}: {}", String::from_utf8_lossy(body)),
            }
        };
        let member =
            |name| http::member(body, name).map(str::to_owned).context("a token is missing");
        let (access, refresh) = (member("access_token")?, member("refresh_token")?);
        Ok(Tokens { number, access, refresh })
    })
}

/// Does `work` with each of `items`, several at a time, each of those on a connection of its own.
pub(crate) fn each<T, R>(
    address: SocketAddr,
    items: impl IntoIterator<Item = T>,
    work: &impl AsyncFn(&mut Connection, T) -> Result<R>,
) -> Result<Vec<R>> {
    let mut shares: [Vec<T>; 8] = Default::default();
    for (place, item) in items.into_iter().enumerate() {
        shares[place % 8].push(item);
    }
    let shares = shares.map(async |share| {
        let mut connection = Connection::open(address).await?;
        let mut done = Vec::with_capacity(share.len());
        for item in share {
            done.push(work(&mut connection, item).await?);
        }
        Ok::<_, anyhow::Error>(done)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(try_join_all(shares))?.into_iter().flatten().collect())
}

/// Returns `count` clients that ask who they are, in sessions that they share evenly.
pub(crate) fn me(count: usize, sessions: &[Tokens]) -> Vec<Box<dyn Client>> {
    share(count, sessions, |session| session.access.clone())
        .map(|tokens| Box::new(Me { tokens, next: 0 }) as _)
        .collect()
}

/// Returns `count` clients that refresh the sessions that they share evenly.
///
/// Make them once for all runs: the tokens are used up.
pub(crate) fn refresh(count: usize, sessions: &[Tokens]) -> Vec<Box<dyn Client>> {
    share(count, sessions, |session| session.refresh.clone())
        .map(|tokens| Box::new(Refresh { tokens, next: 0 }) as _)
        .collect()
}

fn share(
    count: usize,
    sessions: &[Tokens],
    token: fn(&Tokens) -> String,
) -> impl Iterator<Item = Vec<String>> {
    (0..count).map(move |place| sessions.iter().skip(place).step_by(count).map(token).collect())
}
