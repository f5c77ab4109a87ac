//! A whole server in a world of its own, and a client that checks what every answer must keep.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use authshield::app::{App, Ctx};
use authshield::assemble::{assemble, ready_store};
use authshield::config;
use authshield::mail::Post;
use authshield::telemetry::Metrics;
use authshield::world::{Sandbox, SharedWorld, World};
use authshield::{router, server};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::smtp_server::{Received, Script, SmtpServer};
use super::{Authenticator, leaks};

/// A password that every rule lets through.
pub(crate) const PASSWORD: &str = "tidal lantern omelette 42";

/// A server, its clock, its relay, its database.
pub(crate) struct TestApp {
    pub(crate) world: Arc<Sandbox>,
    pub(crate) app: App,
    pub(crate) base: String,
    pub(crate) relay: Arc<SmtpServer>,
    pub(crate) client: reqwest::Client,
    pub(crate) database_url: String,
    post: Post,
    description: Value,
    stop: CancellationToken,
    folder: Arc<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) text: String,
    /// Null where the body is not JSON.
    pub(crate) body: Value,
}

impl Reply {
    /// Returns the problem's code, or the empty text.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Fails unless this is the problem `code` with `status`.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{self:?}");
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Returns a header as text; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Person {
    pub(crate) fn from_pair(pair: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a token pair").to_owned();
        Self {
            id: text(&pair["user"]["id"]),
            email: text(&pair["user"]["email"]),
            access: text(&pair["access_token"]),
            refresh: text(&pair["refresh_token"]),
        }
    }
}

/// Which database this run is on.
pub(crate) fn on_postgres() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the test command says so in the environment")]
    let database = std::env::var("AUTHSHIELD_TEST_DATABASE");
    database.as_deref() == Ok("postgres")
}

/// Makes a schema of its own on the server that the test command started, and returns its URL.
pub(crate) async fn fresh_postgres() -> String {
    #[expect(clippy::disallowed_methods, reason = "the test command says so in the environment")]
    let url = std::env::var("AUTHSHIELD_TEST_POSTGRES").expect("`cargo xtask test` sets it");
    let mut random = [0; 8];
    Sandbox::default().fill(&mut random);
    let schema = format!("it_{:016x}", u64::from_be_bytes(random));
    let create: &'static str = Box::leak(format!("CREATE SCHEMA {schema}").into_boxed_str());
    let mut options = onesql::Options::parse(&url).unwrap();
    options.connections = 1;
    let server = onesql::Store::open(&options).await.unwrap();
    server.glance().await.unwrap().query(create).execute().await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options[search_path]={schema}")
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts with settings besides those of tests, by their dotted names; `{port}` in them is the server's.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let database_url = if on_postgres() {
            fresh_postgres().await
        } else {
            format!("sqlite://{}", folder.path().join("authshield.db").display())
        };
        let relay = Arc::new(SmtpServer::start(Script::default()).await);
        Self::on(folder, database_url, relay, Arc::default(), settings).await
    }

    /// Starts one more node on the same database, with the same keys and the same clock.
    pub(crate) async fn second_node(&self, settings: &[(&str, &str)]) -> Self {
        let (folder, url) = (Arc::clone(&self.folder), self.database_url.clone());
        // To the world they are one service, with one name.
        let mut all = vec![("public_url", self.app.issuer())];
        all.extend(settings);
        Self::on(folder, url, Arc::clone(&self.relay), Arc::clone(&self.world), &all).await
    }

    async fn on(
        folder: Arc<tempfile::TempDir>,
        database_url: String,
        relay: Arc<SmtpServer>,
        world: Arc<Sandbox>,
        settings: &[(&str, &str)],
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        leaks::watch();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut set = vec![
            format!("public_url={base}"),
            format!("data_dir={}", folder.path().display()),
            format!("database.url={database_url}"),
            "database.connections=6".to_owned(),
            "smtp.host=127.0.0.1".to_owned(),
            format!("smtp.port={}", relay.port),
            "smtp.tls=none".to_owned(),
            "mail.from=AuthShield <accounts@auth.example.net>".to_owned(),
            // Cheap hashes: what is tested here is everything around them.
            "password.hash_memory_kib=16".to_owned(),
            "password.hash_iterations=1".to_owned(),
            "password.hash_max_wait=30s".to_owned(),
        ];
        let port = listener.local_addr().unwrap().port().to_string();
        let said =
            |(name, value): &(&str, &str)| format!("{name}={}", value.replace("{port}", &port));
        set.extend(settings.iter().map(said));
        let config = config::load(&config::Sources::new().set(set))
            .unwrap_or_else(|refused| panic!("{refused}"))
            .config;
        let store = ready_store(&config, true).await.unwrap();
        let shared: SharedWorld = Arc::clone(&world) as SharedWorld;
        let metrics = Metrics::new(&*world);
        let (app, post) = assemble(config, shared, store, metrics).await.unwrap();
        let description = serde_json::to_value(router::document()).unwrap();
        let stop = CancellationToken::new();
        let (routes, ended) = (router::public(&app), stop.clone());
        tokio::spawn(async move {
            server::serve(listener, routes, None, None, ended, Duration::ZERO).await.unwrap();
        });
        let client = reqwest::Client::builder()
            // It speaks in the clear: all that the machine trusts is long to read.
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self { world, app, base, relay, client, database_url, post, description, stop, folder }
    }

    /// Where the service keeps its files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What a command would know, at the present instant of this world.
    pub(crate) fn ctx(&self) -> Ctx {
        Ctx::command(Arc::clone(&self.world) as SharedWorld)
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, span: Duration) {
        self.world.advance(span);
    }

    // ── asking ──

    /// Sends a request and checks what every answer must keep.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        // Time passes between requests, so that what they write has an order.
        self.advance(Duration::from_millis(1));
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = self.client.execute(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let reply = Reply { status, headers, text, body };
        self.check(&method, &path, &reply);
        reply
    }

    /// Whatever came back, the description must have promised it.
    #[track_caller]
    fn check(&self, method: &Method, path: &str, reply: &Reply) {
        for name in ["x-request-id", "cache-control", "content-security-policy", "referrer-policy"]
        {
            assert!(reply.headers.contains_key(name), "{method} {path} lacks {name}: {reply:?}");
        }
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        if reply.status.is_client_error() || reply.status.is_server_error() {
            let kind = reply.header("content-type");
            let page = kind.starts_with("text/html");
            assert!(page || kind == "application/problem+json", "{method} {path}: {reply:?}");
        }
        let Some(route) = self.route(path) else { return };
        let operation = &self.description["paths"][&route][method.as_str().to_lowercase()];
        if operation.is_object() {
            let promised = &operation["responses"][reply.status.as_str()];
            assert!(
                promised.is_object(),
                "{method} {route} answered {}, which openapi.json does not mention: {}",
                reply.status,
                reply.text
            );
            if let Some(code) = reply.body["code"].as_str() {
                let words = promised["description"].as_str().unwrap_or_default();
                assert!(words.contains(code), "{method} {route} does not promise {code}: {words}");
            }
        }
    }

    /// Returns the described route that `path` is for.
    fn route(&self, path: &str) -> Option<String> {
        let fits = |route: &str| {
            let (mut one, mut other) = (route.split('/'), path.split('/'));
            loop {
                match (one.next(), other.next()) {
                    (None, None) => return true,
                    (Some(part), Some(given)) if part == given || part.starts_with('{') => {}
                    _ => return false,
                }
            }
        };
        let paths = self.description["paths"].as_object().unwrap();
        paths.keys().find(|route| fits(route)).cloned()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn get_as(&self, who: &Person, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).bearer_auth(&who.access)).await
    }

    pub(crate) async fn post_as(&self, who: &Person, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).bearer_auth(&who.access).json(&body)).await
    }

    pub(crate) async fn patch_as(&self, who: &Person, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::PATCH, path).bearer_auth(&who.access).json(&body)).await
    }

    pub(crate) async fn delete_as(&self, who: &Person, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path).bearer_auth(&who.access)).await
    }

    // ── people ──

    pub(crate) async fn register(&self, email: &str, password: &str) -> Reply {
        self.post("/api/v1/auth/register", json!({ "email": email, "password": password })).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Reply {
        self.post("/api/v1/auth/verify-email", json!({ "token": token })).await
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Reply {
        self.post("/api/v1/auth/login", json!({ "email": email, "password": password })).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Reply {
        self.post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await
    }

    pub(crate) async fn me(&self, who: &Person) -> Reply {
        self.get_as(who, "/api/v1/users/me").await
    }

    /// Registers and verifies `email` with [`PASSWORD`], without a session.
    pub(crate) async fn open_account(&self, email: &str) {
        self.register(email, PASSWORD).await.ok(202);
        let token = self.token_for(email).await;
        self.verify(&token).await.ok(200);
    }

    /// Registers, verifies and signs in.
    pub(crate) async fn sign_up(&self, email: &str) -> Person {
        self.open_account(email).await;
        self.sign_in(email).await
    }

    /// Signs in with [`PASSWORD`].
    pub(crate) async fn sign_in(&self, email: &str) -> Person {
        let reply = self.log_in(email, PASSWORD).await;
        reply.ok(200);
        Person::from_pair(&reply.body)
    }

    /// Signs up and gets the role `admin`, as the command line gives it.
    pub(crate) async fn sign_up_admin(&self, email: &str) -> Person {
        let person = self.sign_up(email).await;
        let wanted = vec!["admin".to_owned(), "user".to_owned()];
        let id = person.id.parse().unwrap();
        authshield::roles::set_roles(&self.app, &self.ctx(), None, id, wanted).await.unwrap();
        person
    }

    // ── mail ──

    /// Sends what waits, and returns everything the relay ever took.
    pub(crate) async fn mails(&self) -> Vec<Received> {
        self.post.deliver_due().await;
        self.relay.mails()
    }

    /// Returns the last mail to `email`.
    pub(crate) async fn last_mail(&self, email: &str) -> Received {
        let to = |mail: &Received| mail.to.iter().any(|address| address == email);
        let mails = self.mails().await;
        mails.into_iter().rev().find(to).unwrap_or_else(|| panic!("no mail to {email}"))
    }

    /// Returns how many mails went to `email`.
    pub(crate) async fn mails_to(&self, email: &str) -> usize {
        let to = |mail: &&Received| mail.to.iter().any(|address| address == email);
        self.mails().await.iter().filter(to).count()
    }

    /// Returns the token of the link in the last mail to `email`.
    pub(crate) async fn token_for(&self, email: &str) -> String {
        let link = self.last_mail(email).await.link("token=").expect("a link");
        link.split("token=").nth(1).unwrap().to_owned()
    }

    // ── what only the database knows ──

    /// Returns the codes of all events, oldest first, with their inner reasons: `CODE` or
    /// `CODE/reason`.
    pub(crate) async fn events(&self) -> Vec<String> {
        let mut tx = self.app.store.read().await.unwrap();
        let rows: Vec<(String, Option<String>)> =
            tx.query("SELECT code, reason FROM audit_events ORDER BY at, id").all().await.unwrap();
        rows.into_iter()
            .map(|(code, reason)| match reason {
                Some(reason) => format!("{code}/{reason}"),
                None => code,
            })
            .collect()
    }

    /// Returns the one number that `sql` asks for.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let mut tx = self.app.store.read().await.unwrap();
        tx.query(sql).one::<(i64,)>().await.unwrap().0
    }
}

impl Authenticator {
    /// Returns the code that is shown now.
    pub(crate) fn code(&self, app: &TestApp) -> String {
        self.code_at(app.ctx().now.as_second(), 0)
    }

    /// Returns six digits that are no code of now, nor of a step nearby.
    pub(crate) fn wrong(&self, app: &TestApp) -> String {
        let second = app.ctx().now.as_second();
        let near: Vec<_> = (-3..=3).map(|away| self.code_at(second, away)).collect();
        let free = (0..8).map(|number| format!("{number:06}")).find(|code| !near.contains(code));
        free.expect("eight are more than seven")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        if !std::thread::panicking() {
            leaks::assert_none_so_far();
        }
    }
}
