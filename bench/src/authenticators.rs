//! Who signs in with more than a password, or without one: the authenticators are those of the tests.

#[path = "../../crates/authshield/tests/it/support/authenticator.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "tests ask more of it, and fail")]
mod app;
#[path = "../../crates/authshield/tests/it/support/passkey.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "tests ask more of it, and fail")]
mod passkey;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use authshield::world::{Real, World};
use serde_json::{Value, json};

use self::app::Authenticator;
use self::passkey::SoftPasskey;
use crate::clients::{Tokens, each, sign_in};
use crate::http;
use crate::load::Client;

/// How long an app shows a code, in seconds.
const STEP: i64 = 30;

/// An account with an authenticator app.
pub(crate) struct Person {
    number: u32,
    app: Authenticator,
    /// The step of the code that was shown last; it works once.
    shown: i64,
}

/// Adds an app to the account of each of `sessions`.
pub(crate) fn add_apps(address: SocketAddr, sessions: Vec<Tokens>) -> Result<Vec<Person>> {
    each(address, sessions, &async |connection, session| {
        let mut request = Vec::new();
        http::post_as(&mut request, "/api/v1/auth/2fa/enable", &session.access, "{}");
        let enrolment: Value = serde_json::from_slice(connection.succeed(&request).await?)?;
        let (app, shown) = (Authenticator::of(&enrolment), step());
        let body = json!({ "code": app.code_at(shown * STEP, 0) }).to_string();
        request.clear();
        http::post_as(&mut request, "/api/v1/auth/2fa/confirm", &session.access, &body);
        connection.succeed(&request).await?;
        Ok(Person { number: session.number, app, shown })
    })
}

/// Returns which step it is.
fn step() -> i64 {
    Real.now().as_second().div_euclid(STEP)
}

/// Signs in as one of its people after the other, with password and code; both together are one sign-in.
struct WithCode {
    people: Vec<Person>,
    next: usize,
    /// What is sent after the password.
    proof: Option<String>,
}

/// Returns `count` clients that sign in with password and code, as people whom they share evenly.
pub(crate) fn with_code(count: usize, people: Vec<Person>) -> Vec<Box<dyn Client>> {
    let mut shares: Vec<Vec<Person>> = (0..count).map(|_| Vec::new()).collect();
    for (place, person) in people.into_iter().enumerate() {
        shares[place % count].push(person);
    }
    let client = |people| Box::new(WithCode { people, next: 0, proof: None }) as _;
    shares.into_iter().map(client).collect()
}

impl Client for WithCode {
    fn ask(&mut self, request: &mut Vec<u8>) {
        match self.proof.take() {
            None => sign_in(request, self.people[self.next].number),
            Some(proof) => http::post(request, "/api/v1/auth/2fa/verify", &proof),
        }
    }

    fn goes_on(&mut self, status: u16, body: &[u8]) -> Result<bool> {
        if status != 403 {
            return Ok(false);
        }
        let ticket = http::member(body, "mfa_token").context("no code is asked for")?;
        let person = &mut self.people[self.next];
        let next = step().max(person.shown + 1);
        // The next code is taken as well, since clocks differ; but whoever showed that waits. Then it is somebody
        // else's turn, and the password was hashed in vain: the rate is less than it could be, not more.
        if next > step() + 1 {
            self.next = (self.next + 1) % self.people.len();
            return Ok(true);
        }
        person.shown = next;
        let code = person.app.code_at(person.shown * STEP, 0);
        self.proof = Some(json!({ "mfa_token": ticket, "code": code }).to_string());
        Ok(true)
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        self.next = (self.next + 1) % self.people.len();
        Ok(())
    }
}

/// Signs in with a passkey, again and again; the challenge and what is made of it are one sign-in.
struct WithPasskey {
    passkey: SoftPasskey,
    /// What is sent after the challenge came.
    credential: Option<String>,
}

/// Returns a client for each of `sessions`, to whose account it adds a passkey that it signs in with,
/// on a page at `origin`.
pub(crate) fn with_passkeys(
    address: SocketAddr,
    sessions: Vec<Tokens>,
    origin: &str,
) -> Result<Vec<Box<dyn Client>>> {
    each(address, sessions, &async |connection, session| {
        let (mut request, mut passkey) = (Vec::new(), SoftPasskey::new(origin));
        let path = "/api/v1/auth/passkeys/registration";
        http::post_as(&mut request, path, &session.access, "");
        let options: Value = serde_json::from_slice(connection.succeed(&request).await?)?;
        let body = json!({ "name": "Phone", "credential": passkey.create(&options) }).to_string();
        request.clear();
        http::post_as(&mut request, "/api/v1/auth/passkeys", &session.access, &body);
        connection.succeed(&request).await?;
        Ok(Box::new(WithPasskey { passkey, credential: None }) as _)
    })
}

impl Client for WithPasskey {
    fn ask(&mut self, request: &mut Vec<u8>) {
        match self.credential.take() {
            None => http::post(request, "/api/v1/auth/passkeys/challenge", ""),
            Some(shown) => http::post(request, "/api/v1/auth/passkeys/sign-in", &shown),
        }
    }

    fn goes_on(&mut self, _: u16, body: &[u8]) -> Result<bool> {
        if http::member(body, "challenge").is_none() {
            return Ok(false);
        }
        let options: Value = serde_json::from_slice(body)?;
        self.credential = Some(json!({ "credential": self.passkey.get(&options) }).to_string());
        Ok(true)
    }

    fn told(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}
