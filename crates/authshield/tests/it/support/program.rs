//! The real program: the binary that was built, in a folder and on a database of its own.
//!
//! ```text
//! let program = Program::new().await.set("smtp.host", "127.0.0.1");
//! let done = program.run(&["user", "list", "--json"]).await;
//! let server = program.serve().await;
//! ```

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::app::{fresh_postgres, on_postgres};
use super::{PASSWORD, Reply, SmtpServer, leaks};

/// A key as `openssl rand -base64 32` makes it.
pub(crate) const MASTER_KEY: &str = "FURBl69J9E/mg7hoIr5RHtq3GHEUYfnwSTFEvxtCB4U=";

/// How long a program may take for what it has to do, before a test gives up on it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `look` finds something; fails with `what` if it does not within `at_most`.
pub(crate) async fn wait_until<T>(
    what: &str,
    at_most: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < at_most, "after {at_most:?} still not: {what}");
    }
}

/// Returns a port that nobody listens at, and that the system gives to no client.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 97).expect("below 97") * 200;
    loop {
        let port = 11_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Where a program works, and what it is told.
#[derive(Clone)]
pub(crate) struct Program {
    folder: Arc<tempfile::TempDir>,
    pub(crate) database_url: String,
    pub(crate) port: u16,
    environment: Vec<(String, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Fails unless the command did what it was asked.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:?}");
        self
    }

    /// Reads the output as one JSON document.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let done = self.ok();
        serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }

    /// Fails unless the command ended with `status` and one line on standard error that contains
    /// all of `words`; returns the line.
    #[track_caller]
    pub(crate) fn fails(self, status: i32, words: &[&str]) -> String {
        assert_eq!(self.status, Some(status), "{self:?}");
        let said = self.err.trim_end();
        assert_eq!(said.lines().count(), 1, "{self:?}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said:?}");
        }
        said.to_owned()
    }
}

impl Program {
    /// Returns a program that nobody configured but for its address and its database.
    pub(crate) async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let url = if on_postgres() {
            fresh_postgres().await
        } else {
            format!("sqlite://{}", folder.path().join("data/authshield.db").display())
        };
        Self::on(folder, &url)
    }

    /// Returns one with a configuration that production accepts; nobody set its database up.
    pub(crate) async fn production(relay: &SmtpServer) -> Self {
        Self::new()
            .await
            .mailing(relay)
            .set("environment", "production")
            .set("public_url", "https://id.authshield.dev")
            .set("master_key", MASTER_KEY)
            .set("password.hash_memory_kib", "19456")
            .set("password.hash_iterations", "2")
            .set("config.waive", "mail.from:example-domain")
    }

    /// Returns one in a folder that has no database yet, on SQLite.
    pub(crate) fn embedded() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let url = format!("sqlite://{}", folder.path().join("data/authshield.db").display());
        Self::on(folder, &url)
    }

    fn on(folder: Arc<tempfile::TempDir>, database_url: &str) -> Self {
        let port = free_port();
        let program = Self { folder, database_url: String::new(), port, environment: Vec::new() };
        program
            .set("data_dir", "data")
            .set("log.format", "json")
            .database(database_url)
            .listen(port)
            // The PostgreSQL server of the tests is told to be fast and forget.
            .set("checks.policy", "DB-5=warn")
            // Cheap hashes: what is tested here is everything around them.
            .set("password.hash_memory_kib", "16")
            .set("password.hash_iterations", "1")
    }

    /// Returns one more node, on the same database and with the same keys.
    pub(crate) fn another(&self) -> Self {
        self.clone().listen(free_port())
    }

    fn listen(mut self, port: u16) -> Self {
        self.port = port;
        let address = format!("127.0.0.1:{port}");
        self.set("listen", &address).set("public_url", "http://127.0.0.1:8080")
    }

    /// Names another database.
    pub(crate) fn database(mut self, url: &str) -> Self {
        url.clone_into(&mut self.database_url);
        self.set("database.url", url)
    }

    /// Gives a setting by its dotted name, as a variable.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        let variable = format!("AUTHSHIELD_{}", name.to_uppercase().replace('.', "_"));
        self.variable(&variable, value)
    }

    /// Gives a variable.
    pub(crate) fn variable(mut self, variable: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != variable);
        self.environment.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Takes a setting away.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        let variable = format!("AUTHSHIELD_{}", name.to_uppercase().replace('.', "_"));
        self.environment.retain(|(known, _)| *known != variable);
        self
    }

    /// Sends mail to `relay`.
    pub(crate) fn mailing(self, relay: &SmtpServer) -> Self {
        self.set("smtp.host", "127.0.0.1")
            .set("smtp.port", &relay.port.to_string())
            .set("smtp.tls", "none")
            .set("smtp.timeout", "2s")
            .set("mail.from", "AuthShield <accounts@auth.example.net>")
            .set("checks.policy", "DB-5=warn,SMTP-*=ignore,DNS-*=ignore,WEB-*=ignore")
    }

    /// Has its relay looked at as well, all the time: where a test listens to what the relay hears,
    /// that would be in the way. What the world is told about a domain of tests is not looked at.
    pub(crate) fn checked(self) -> Self {
        self.set("checks.policy", "DB-5=warn,DNS-*=ignore,WEB-*=ignore")
    }

    /// Lifts what would be in the way of a client in a hurry.
    pub(crate) fn unlimited(self) -> Self {
        self.set("rate_limit.enabled", "false").set("password.hash_max_wait", "30s")
    }

    /// Where it works.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it keeps its files.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authshield"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, "").await
    }

    /// Runs a command that reads `input`.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Who reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
        let output = output.await.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
        Done {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command whose output nobody reads, and returns its status and what it complained of.
    pub(crate) async fn run_unread(&self, arguments: &[&str]) -> Done {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.run_to(arguments, writer).await
    }

    /// Runs a command that prints into `out`.
    pub(crate) async fn run_to(&self, arguments: &[&str], out: impl Into<Stdio>) -> Done {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped());
        // Not `output`, which would read what the command prints.
        let child = command.spawn().unwrap();
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
        let output = output.await.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        Done { status: output.status.code(), out: String::new(), err }
    }

    /// Starts the server and returns before it is ready.
    pub(crate) fn launch(&self) -> Server {
        self.start(&["serve"])
    }

    /// Starts a command that goes on until it is told to stop.
    pub(crate) fn start(&self, arguments: &[&str]) -> Server {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| self.folder.path().join(format!("{kind}.{count}"));
        let (out, err) = (file("out"), file("err"));
        let create = |path| Stdio::from(std::fs::File::create(path).unwrap());
        self.start_into(arguments, create(&out), create(&err), (out, err))
    }

    /// Starts a server whose words nobody reads, and returns before it is ready.
    pub(crate) fn launch_unread(&self) -> Server {
        let unread = || {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            Stdio::from(writer)
        };
        let nothing = || PathBuf::from("/dev/null");
        self.start_into(&["serve"], unread(), unread(), (nothing(), nothing()))
    }

    fn start_into(
        &self,
        arguments: &[&str],
        stdout: Stdio,
        stderr: Stdio,
        (out, err): (PathBuf, PathBuf),
    ) -> Server {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let child = command.spawn().unwrap();
        Server {
            child,
            out,
            err,
            secrets: self.secrets(),
            _folder: Arc::clone(&self.folder),
            client: Client::new(self.port),
            began: Instant::now(),
            ready: Duration::ZERO,
        }
    }

    /// Returns what it was given that must not turn up in a log.
    fn secrets(&self) -> Vec<String> {
        let values = self.environment.iter().filter_map(|(name, value)| {
            let is_secret = ["_PASSWORD", "_TOKEN", "_KEY", "_KEY_PREVIOUS", "_SECRET"]
                .iter()
                .any(|end| name.ends_with(end));
            let of_address =
                |value: &String| Some(url::Url::parse(value).ok()?.password()?.to_owned());
            if is_secret { Some(value.clone()) } else { of_address(value) }
        });
        values.filter(|value| value.len() >= 8).collect()
    }

    /// Starts the server and waits until it is ready.
    pub(crate) async fn serve(&self) -> Server {
        let mut server = self.launch();
        server.wait_ready().await;
        server
    }
}

/// The program, serving; killed when dropped. No secret may be in its log, whatever the test does.
pub(crate) struct Server {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    secrets: Vec<String>,
    /// Its log is read until the end.
    _folder: Arc<tempfile::TempDir>,
    pub(crate) client: Client,
    began: Instant,
    /// How long it took to be ready.
    pub(crate) ready: Duration,
}

impl Server {
    /// Waits until it says that it is ready.
    pub(crate) async fn wait_ready(&mut self) {
        let client = self.client.clone();
        wait_until("ready", PATIENCE, async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}{}", self.stdout(), self.stderr());
            }
            let reply = client.get("/api/v1/health/ready").await?;
            (reply.status == StatusCode::OK).then_some(())
        })
        .await;
        self.ready = self.began.elapsed();
    }

    /// Everything it wrote to standard output: its log.
    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    /// Everything it wrote to standard error.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Stops it where it stands, until [`Server::thaw`].
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to read its configuration again.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().await.unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, at_most: Duration) -> ExitStatus {
        let ended = tokio::time::timeout(at_most, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it does not end: {}", self.stdout())).unwrap()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        let status = self.ended(PATIENCE).await;
        assert!(status.success(), "{status}: {}{}", self.stdout(), self.stderr());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        leaks::assert_none(&self.stdout(), &self.secrets);
        // The link to the first administrator is for the terminal; a log never has it.
        let said = self.stderr();
        let said: Vec<_> = said.lines().filter(|line| !line.contains("/setup?token=")).collect();
        leaks::assert_none(&said.join("\n"), &self.secrets);
    }
}

/// A client of one node. Every request has a connection of its own, as from clients all over the
/// world; an answer that does not come is `None`.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self { base: format!("http://127.0.0.1:{port}"), http }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends, and says why there is no answer.
    pub(crate) async fn try_send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> reqwest::Result<Reply> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Reply { status, headers, text, body })
    }

    /// Sends; nothing, if no whole answer comes.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Option<Reply> {
        self.try_send(request).await.ok()
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Reply> {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Option<Reply> {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn register(&self, email: &str) -> Option<Reply> {
        self.post("/api/v1/auth/register", json!({ "email": email, "password": PASSWORD })).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Option<Reply> {
        self.post("/api/v1/auth/verify-email", json!({ "token": token })).await
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Option<Reply> {
        self.post("/api/v1/auth/login", json!({ "email": email, "password": password })).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Option<Reply> {
        self.post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await
    }

    pub(crate) async fn me(&self, access: &str) -> Option<Reply> {
        self.send(self.request(Method::GET, "/api/v1/users/me").bearer_auth(access)).await
    }

    pub(crate) async fn log_out(&self, access: &str) -> Option<Reply> {
        self.send(self.request(Method::POST, "/api/v1/auth/logout").bearer_auth(access)).await
    }
}

/// Waits for a mail to `email` with a link that contains `part`, and returns the token of the last.
pub(crate) async fn token_from(relay: &SmtpServer, email: &str, part: &str) -> String {
    let part = format!("{part}?token=");
    let found = wait_until("a mail with a link", PATIENCE, async || {
        let to = |mail: &&super::smtp_server::Received| mail.to.iter().any(|to| to == email);
        relay.mails().iter().rev().filter(to).find_map(|mail| mail.link(&part))
    });
    found.await.split("token=").nth(1).unwrap().to_owned()
}

/// Text of a pair's member.
pub(crate) fn text(reply: &Reply, name: &str) -> String {
    reply.body[name].as_str().unwrap_or_else(|| panic!("{name} is not in {reply:?}")).to_owned()
}
