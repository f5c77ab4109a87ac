//! Signing in at a provider: with one that others wrote, and with one that lies.

mod hostile;
mod named;
mod others;
mod own_pages;
mod refusals;
mod story;

use std::collections::BTreeMap;

use authshield::world::World;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use reqwest::{Method, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::registration::UNLIMITED;
use crate::support::{Person, Reply, TestApp};

/// What the world calls the service; nothing goes there.
const PUBLIC: &str = "https://id.example.net";
const APPLICATION: &str = "https://app.example.net/signed-in?from=there";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDEEM: &str = "/api/v1/auth/oauth/redeem";
const IDENTITIES: &str = "/api/v1/users/me/identities";

/// A service that signs in at the providers that `settings` name.
async fn service(settings: &[(&str, &str)]) -> TestApp {
    let usual = [
        UNLIMITED,
        ("public_url", PUBLIC),
        ("oauth.return_to", APPLICATION),
        ("oauth.private_networks", "127.0.0.0/8"),
    ];
    TestApp::with(&[&usual, settings].concat()).await
}

fn challenge(verifier: &str) -> String {
    BASE64.encode(Sha256::digest(verifier.as_bytes()))
}

/// Where the application sends a browser to sign in at `provider`.
fn door(provider: &str, more: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&format!("{PUBLIC}/api/v1/auth/oauth/{provider}")).unwrap();
    url.query_pairs_mut()
        .append_pair("return_to", APPLICATION)
        .append_pair("code_challenge", &challenge(VERIFIER))
        .append_pair("code_challenge_method", "S256")
        .append_pair("state", "the application's own")
        .extend_pairs(more);
    url.into()
}

/// A browser: it keeps cookies and goes where it is sent.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
    /// Its address and what it calls itself, where a test is about that.
    looks: Option<(&'static str, &'static str)>,
}

impl Browser {
    /// One in which somebody is known to the provider.
    fn of(who: &str) -> Self {
        Self { cookies: BTreeMap::from([("who".to_owned(), who.to_owned())]), looks: None }
    }

    /// Asks for one address, of the service or of another.
    async fn ask(&mut self, app: &TestApp, address: &str) -> Reply {
        // A provider of others lives at another time, and is told ours.
        let now = ("now".to_owned(), app.world.now().as_second().to_string());
        let pairs = std::iter::once((&now.0, &now.1)).chain(&self.cookies);
        let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let reply = if let Some(path) = address.strip_prefix(PUBLIC) {
            let mut request = app.request(Method::GET, path).header(header::COOKIE, cookies);
            if let Some((ip, agent)) = self.looks {
                request = request.header("x-forwarded-for", ip).header(header::USER_AGENT, agent);
            }
            app.send(request).await
        } else {
            let answer = app.client.get(address).header(header::COOKIE, cookies).send().await;
            let answer = answer.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            Reply { status, headers, text: answer.text().await.unwrap(), body: Value::Null }
        };
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() || attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }

    /// Goes on from `address` until it is sent to somewhere that begins with `end`, or nowhere.
    async fn go(&mut self, app: &TestApp, address: &str, end: &str) -> Result<Url, Reply> {
        let mut here = Url::parse(address).unwrap();
        for _ in 0..10 {
            let reply = self.ask(app, here.as_str()).await;
            if !reply.status.is_redirection() {
                return Err(reply);
            }
            here = here.join(reply.header("location")).unwrap();
            if here.as_str().starts_with(end) {
                return Ok(here);
            }
        }
        panic!("{here} leads nowhere");
    }

    /// Signs in at `provider` and returns what the application is told.
    async fn sign_in(&mut self, app: &TestApp, provider: &str) -> Told {
        let back = self.go(app, &door(provider, &[]), APPLICATION).await;
        Told::read(&back.unwrap_or_else(|reply| panic!("{reply:?}")))
    }
}

/// What the application is told.
#[derive(Debug)]
struct Told {
    code: Option<String>,
    error: Option<String>,
}

impl Told {
    fn read(back: &Url) -> Self {
        let mut told: BTreeMap<_, _> = back.query_pairs().into_owned().collect();
        assert_eq!(told.remove("state").as_deref(), Some("the application's own"), "{back}");
        assert_eq!(told.remove("from").as_deref(), Some("there"), "{back}");
        let told = Self { code: told.remove("code"), error: told.remove("error") };
        assert!(told.code.is_some() != told.error.is_some(), "{back}");
        told
    }

    fn code(self) -> String {
        self.code.expect("a code")
    }
}

fn shown(code: &str) -> Value {
    json!({ "code": code, "code_verifier": VERIFIER })
}

async fn redeem(app: &TestApp, code: &str) -> Reply {
    app.post(REDEEM, shown(code)).await
}

/// Signs in at a provider, whoever `who` is there.
async fn enter(app: &TestApp, who: &str, provider: &str) -> Reply {
    let code = Browser::of(who).sign_in(app, provider).await.code();
    redeem(app, &code).await
}

async fn enter_as(app: &TestApp, who: &str, provider: &str) -> Person {
    Person::from_pair(&enter(app, who, provider).await.ok(200).body)
}

async fn identities(app: &TestApp, person: &Person) -> Vec<Value> {
    let reply = app.get_as(person, IDENTITIES).await;
    reply.ok(200).body["items"].as_array().unwrap().clone()
}
