//! A relay that does as it is told: greets, takes mail, and fails exactly where a test wants it to.
//!
//! ```text
//! let relay = SmtpServer::start(Script::default()).await;
//! relay.on(|heard| heard.is("RCPT").then(|| Reaction::say("550 5.1.1 no such user")));
//! …
//! assert_eq!(relay.mails()[0].to, ["ann@example.net"]);
//! ```

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

pub(crate) use super::certificate::{Certificate, valid_certificate};

/// What kind of relay it is.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Whether it offers `STARTTLS`.
    pub(crate) starttls: bool,
    /// Whether it speaks TLS from the first byte.
    pub(crate) implicit: bool,
    /// What it proves itself with; a valid one for `localhost` and `127.0.0.1` unless set.
    pub(crate) certificate: Option<Certificate>,
    /// The user name and password it wants before any mail.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// The mechanisms it offers; `PLAIN LOGIN` unless set.
    pub(crate) mechanisms: Option<&'static str>,
    /// What it appends, in the clear, to its answer to `STARTTLS`.
    pub(crate) injected: Option<&'static str>,
}

/// Something that a client said.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Which connection, counted from 1.
    pub(crate) connection: usize,
    /// The line; a message in full is `.`, a new connection the empty line.
    pub(crate) line: String,
}

impl Heard {
    /// Returns whether it is the command `verb`.
    pub(crate) fn is(&self, verb: &str) -> bool {
        self.line.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(verb))
    }

    /// Returns whether it is the end of a message.
    pub(crate) fn is_message(&self) -> bool {
        self.line == "."
    }
}

/// What the relay does instead of what it would.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    /// Says this; a message is not taken.
    Say(Vec<u8>),
    /// Takes the message if there is one, then hangs up without an answer.
    HangUp,
    /// Takes the message if there is one, then says nothing more, for ever.
    Silence,
    /// Does what it would, but only after this time: a tar pit.
    Late(std::time::Duration),
}

impl Reaction {
    /// Returns an answer.
    pub(crate) fn say(answer: impl AsRef<[u8]>) -> Self {
        Self::Say(answer.as_ref().to_owned())
    }
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The name after `EHLO`.
    pub(crate) hello: String,
    /// `MAIL FROM`, without brackets.
    pub(crate) from: String,
    /// Every `RCPT TO`, without brackets.
    pub(crate) to: Vec<String>,
    /// The message, with CRLF.
    pub(crate) data: String,
    /// Whether the way was encrypted.
    pub(crate) encrypted: bool,
    /// Who the client proved to be.
    pub(crate) user: Option<String>,
}

impl Received {
    /// Returns the value of a header field, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.data.split_once("\r\n\r\n")?;
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// Returns the first address of a page in the text part that contains `part`.
    pub(crate) fn link(&self, part: &str) -> Option<String> {
        let text = quoted_printable(&self.data);
        text.split_whitespace()
            .find(|word| word.starts_with("http") && word.contains(part))
            .map(ToOwned::to_owned)
    }
}

/// Undoes quoted-printable, as far as our own mail uses it.
pub(crate) fn quoted_printable(data: &str) -> String {
    let joined = data.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'=')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = code {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

type Director = Box<dyn Fn(&Heard) -> Option<Reaction> + Send + Sync>;

struct State {
    script: Script,
    director: Mutex<Option<Director>>,
    mails: Mutex<Vec<Received>>,
    heard: Mutex<Vec<Heard>>,
    connections: Mutex<usize>,
    changed: Notify,
    tls: Option<TlsAcceptor>,
}

/// The relay; it stops when this is dropped.
pub(crate) struct SmtpServer {
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SmtpServer {
    /// Starts a relay on a free port.
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::serve(listener, script)
    }

    /// Starts a relay on `port`, where there was one before.
    pub(crate) async fn start_on(port: u16, script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        Self::serve(listener, script)
    }

    fn serve(listener: TcpListener, script: Script) -> Self {
        let port = listener.local_addr().expect("it listens").port();
        let tls = (script.starttls || script.implicit)
            .then(|| script.certificate.clone().unwrap_or_else(valid_certificate).acceptor());
        let state = Arc::new(State {
            script,
            director: Mutex::default(),
            mails: Mutex::default(),
            heard: Mutex::default(),
            connections: Mutex::default(),
            changed: Notify::new(),
            tls,
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            loop {
                let Ok((socket, _)) = listener.accept().await else { return };
                let state = Arc::clone(&shared);
                conversations.spawn(async move {
                    let _ = converse(state, socket).await;
                });
            }
        });
        Self { port, state, task }
    }

    /// From now on, does what `director` says whenever it says anything.
    pub(crate) fn on(&self, director: impl Fn(&Heard) -> Option<Reaction> + Send + Sync + 'static) {
        *self.state.director.lock().unwrap() = Some(Box::new(director));
    }

    /// From now on, behaves.
    pub(crate) fn behave(&self) {
        *self.state.director.lock().unwrap() = None;
    }

    /// Returns every message that was taken, in order.
    pub(crate) fn mails(&self) -> Vec<Received> {
        self.state.mails.lock().unwrap().clone()
    }

    /// Returns everything that was said to it, in order.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.heard.lock().unwrap().clone()
    }

    /// Returns how many connections there were.
    pub(crate) fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    /// Waits until `count` messages were taken.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        let enough = async {
            loop {
                let changed = self.state.changed.notified();
                let mails = self.mails();
                if mails.len() >= count {
                    return mails;
                }
                changed.await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), enough)
            .await
            .unwrap_or_else(|_| panic!("{} of {count} mails came", self.mails().len()))
    }
}

/// What holds for one connection.
#[derive(Default)]
struct Talk {
    connection: usize,
    hello: String,
    from: String,
    to: Vec<String>,
    user: Option<String>,
    encrypted: bool,
}

/// Why a part of a conversation ended.
enum Next {
    Encrypt,
    Over,
}

async fn converse(state: Arc<State>, mut socket: TcpStream) -> std::io::Result<()> {
    let connection = {
        let mut connections = state.connections.lock().unwrap();
        *connections += 1;
        *connections
    };
    let mut talk = Talk { connection, ..Talk::default() };
    if state.script.implicit {
        let acceptor = state.tls.clone().expect("made at start");
        talk.encrypted = true;
        let mut stream = acceptor.accept(socket).await?;
        speak(&state, &mut talk, &mut stream, true).await?;
        return stream.shutdown().await;
    }
    if matches!(speak(&state, &mut talk, &mut socket, true).await?, Next::Encrypt) {
        let acceptor = state.tls.clone().expect("made at start");
        let mut stream = acceptor.accept(socket).await?;
        talk = Talk { connection, encrypted: true, ..Talk::default() };
        speak(&state, &mut talk, &mut stream, false).await?;
        return stream.shutdown().await;
    }
    Ok(())
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    state: &State,
    talk: &mut Talk,
    stream: &mut S,
    greet: bool,
) -> std::io::Result<Next> {
    let mut stream = BufReader::new(stream);
    if greet {
        let reaction = react(state, talk, "");
        late(reaction.as_ref()).await;
        match reaction {
            None | Some(Reaction::Late(_)) => say(&mut stream, "220 relay.test ESMTP").await?,
            Some(reaction) => {
                if perform(&mut stream, reaction).await? {
                    return Ok(Next::Over);
                }
            }
        }
    }
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(Next::Over);
        }
        let said = line.trim_end().to_owned();
        let reaction = react(state, talk, &said);
        late(reaction.as_ref()).await;
        if let Some(reaction) = reaction.filter(|it| !matches!(it, Reaction::Late(_))) {
            if perform(&mut stream, reaction).await? {
                return Ok(Next::Over);
            }
            continue;
        }
        let verb = said.split(' ').next().unwrap_or("").to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                said[4..].trim().clone_into(&mut talk.hello);
                let mut lines = vec!["relay.test".to_owned(), "8BITMIME".to_owned()];
                if state.script.starttls && !talk.encrypted {
                    lines.push("STARTTLS".to_owned());
                }
                if state.script.login.is_some() {
                    let offered = state.script.mechanisms.unwrap_or("PLAIN LOGIN");
                    lines.push(format!("AUTH {offered}"));
                }
                let last = lines.len() - 1;
                for (at, words) in lines.iter().enumerate() {
                    let mark = if at == last { ' ' } else { '-' };
                    say(&mut stream, &format!("250{mark}{words}")).await?;
                }
            }
            "STARTTLS" if state.script.starttls && !talk.encrypted => {
                let injected = state.script.injected.unwrap_or("");
                stream.write_all(format!("220 go on\r\n{injected}").as_bytes()).await?;
                stream.flush().await?;
                return Ok(Next::Encrypt);
            }
            "AUTH" => authenticate(state, talk, &mut stream, &said).await?,
            "MAIL" if state.script.login.is_some() && talk.user.is_none() => {
                say(&mut stream, "530 5.7.0 Authentication required").await?;
            }
            "MAIL" => {
                talk.from = path(&said);
                talk.to.clear();
                say(&mut stream, "250 2.1.0 ok").await?;
            }
            "RCPT" => {
                talk.to.push(path(&said));
                say(&mut stream, "250 2.1.5 ok").await?;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                let data = message(&mut stream).await?;
                let reaction = react(state, talk, ".");
                if !matches!(reaction, Some(Reaction::Say(_))) {
                    take(state, talk, data);
                }
                late(reaction.as_ref()).await;
                match reaction {
                    None | Some(Reaction::Late(_)) => {
                        say(&mut stream, "250 2.0.0 taken as Q1").await?;
                    }
                    Some(reaction) => {
                        if perform(&mut stream, reaction).await? {
                            return Ok(Next::Over);
                        }
                    }
                }
            }
            "RSET" | "NOOP" => say(&mut stream, "250 2.0.0 ok").await?,
            "QUIT" => {
                say(&mut stream, "221 2.0.0 bye").await?;
                return Ok(Next::Over);
            }
            _ => say(&mut stream, "502 5.5.1 what?").await?,
        }
    }
}

fn react(state: &State, talk: &Talk, line: &str) -> Option<Reaction> {
    let heard = Heard { connection: talk.connection, line: line.to_owned() };
    state.heard.lock().unwrap().push(heard.clone());
    state.director.lock().unwrap().as_ref().and_then(|director| director(&heard))
}

/// Lets a tar pit be one.
async fn late(reaction: Option<&Reaction>) {
    if let Some(Reaction::Late(span)) = reaction {
        tokio::time::sleep(*span).await;
    }
}

/// Returns whether the conversation is over.
async fn perform<S: AsyncWrite + Unpin>(
    stream: &mut S,
    reaction: Reaction,
) -> std::io::Result<bool> {
    match reaction {
        Reaction::Say(answer) => {
            say(stream, &answer).await?;
            Ok(answer.starts_with(b"421"))
        }
        Reaction::HangUp => Ok(true),
        Reaction::Silence => std::future::pending().await,
        Reaction::Late(_) => unreachable!("waited for, and then as usual"),
    }
}

fn take(state: &State, talk: &Talk, data: String) {
    state.mails.lock().unwrap().push(Received {
        hello: talk.hello.clone(),
        from: talk.from.clone(),
        to: talk.to.clone(),
        data,
        encrypted: talk.encrypted,
        user: talk.user.clone(),
    });
    state.changed.notify_waiters();
}

async fn message<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let (mut data, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(data);
        }
        data += line.strip_prefix('.').unwrap_or(&line);
    }
}

async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    state: &State,
    talk: &mut Talk,
    stream: &mut BufReader<S>,
    said: &str,
) -> std::io::Result<()> {
    let mut words = said.split(' ').skip(1);
    let mechanism = words.next().unwrap_or("");
    let decode = |text: &str| {
        String::from_utf8(STANDARD.decode(text.trim()).unwrap_or_default()).unwrap_or_default()
    };
    let (user, password) = if mechanism == "PLAIN" {
        let given = decode(words.next().unwrap_or(""));
        let mut parts = given.split('\0').skip(1).map(ToOwned::to_owned);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    } else {
        let mut answers = Vec::new();
        for prompt in ["Username:", "Password:"] {
            say(stream, &format!("334 {}", STANDARD.encode(prompt))).await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            answers.push(decode(&line));
        }
        let password = answers.pop().unwrap_or_default();
        (answers.pop().unwrap_or_default(), password)
    };
    if state.script.login.is_some_and(|login| login == (user.as_str(), password.as_str())) {
        talk.user = Some(user);
        return say(stream, "235 2.7.0 welcome").await;
    }
    say(stream, "535 5.7.8 Authentication credentials invalid").await
}

async fn say<S: AsyncWrite + Unpin>(
    stream: &mut S,
    words: impl AsRef<[u8]>,
) -> std::io::Result<()> {
    stream.write_all(&[words.as_ref(), b"\r\n"].concat()).await?;
    stream.flush().await
}

fn path(said: &str) -> String {
    let inner = said.split_once('<').map_or("", |(_, rest)| rest);
    inner.split_once('>').map_or("", |(path, _)| path).to_owned()
}
