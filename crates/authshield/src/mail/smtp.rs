//! The conversation with the relay, step by step, so that every answer is known for what it is.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lettre::Address;
use lettre::transport::smtp::commands::{Mail, Quit, Rcpt, Rset, Starttls};
use lettre::transport::smtp::extension::{
    ClientId, MailBodyParameter, MailParameter, RcptParameter,
};
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::reply::{Class, Failure, Step, one_line};
use super::returns::Returns;
use super::setup::SetupError;
use super::stream::{NoAuthority, connector};
use super::talk::{NoYes, Talk};
use crate::config::{Smtp, SmtpTls};
use crate::kernel::MailId;

/// How many times the timeout of a step the relay may think about a message that it has in full:
/// giving up there means that the message may be sent twice.
const THINKING: u32 = 6;

/// After how many messages a connection is closed; some relays count.
const MESSAGES_PER_CONNECTION: u32 = 50;

/// The server that takes our mail.
pub struct Relay {
    host: String,
    port: u16,
    security: SmtpTls,
    credentials: RelayCredentials,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    hello: ClientId,
    timeout: Duration,
    returns: Option<Returns>,
}

/// Who we are to a relay. Clones share it: what is renewed counts for the next conversation.
#[derive(Clone, Default)]
pub struct RelayCredentials(Arc<ArcSwapOption<(String, SecretString)>>);

impl fmt::Debug for RelayCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayCredentials(…)")
    }
}

impl RelayCredentials {
    /// Takes over the user name and the password of `settings`.
    pub fn renew(&self, settings: &Smtp) -> Result<(), SetupError> {
        self.0.store(match (&settings.username, &settings.password) {
            (Some(username), Some(password)) => {
                Some(Arc::new((username.clone(), password.clone())))
            }
            (None, None) => None,
            _ => return Err(SetupError::HalfCredentials),
        });
        Ok(())
    }
}

/// A relay that has said hello.
pub(super) struct Connection {
    talk: Talk,
    messages: u32,
    /// Whether it takes wishes about reports (RFC 3461).
    dsn: bool,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({self})")
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Relay {
    /// Returns the relay of `settings`, which greets it as `hello`; nothing is sent yet.
    pub fn new(settings: &Smtp, hello: ClientId) -> Result<Self, SetupError> {
        let host = settings.host.clone().ok_or(SetupError::NoRelay)?;
        let tls = match settings.tls {
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Implicit => Some(tls(&host, settings)?),
        };
        let credentials = RelayCredentials::default();
        credentials.renew(settings)?;
        let (port, security, timeout) = (settings.port, settings.tls, settings.timeout);
        Ok(Self { host, port, security, credentials, tls, hello, timeout, returns: None })
    }

    /// Returns who we are to it, to be changed while it is used.
    #[must_use]
    pub fn credentials(&self) -> RelayCredentials {
        self.credentials.clone()
    }

    /// Lets mail come back to addresses of its own.
    #[must_use]
    pub fn returning(self, returns: Option<Returns>) -> Self {
        Self { returns, ..self }
    }

    /// Returns whose envelope address a session shows that carries no message.
    pub(super) fn sender<'a>(&'a self, from: &'a Address) -> &'a Address {
        self.returns.as_ref().map_or(from, Returns::address)
    }

    /// Goes as far as a message would, without one: reach it, encrypt, authenticate, say goodbye.
    pub async fn check(&self) -> Result<(), Failure> {
        self.connect().await?.quit(self).await;
        Ok(())
    }

    /// Goes as far as a message does before it names its recipient, and takes that back: whether we
    /// may write as `from` is known then, and nobody gets anything.
    pub(super) async fn probe(&self, from: &Address) -> Result<Connection, Failure> {
        let mut connection = self.connect().await?;
        let mail = Mail::new(Some(self.sender(from).clone()), Vec::new());
        let asked = self.step(Step::Mail, connection.talk.say(mail)).await;
        if let Err(failure) = asked {
            connection.quit(self).await;
            return Err(failure);
        }
        self.step(Step::Mail, connection.talk.say(Rset)).await?;
        Ok(connection)
    }

    /// Returns the longest that one message can take, from the connection to the last answer.
    pub(super) fn longest(&self) -> Duration {
        self.timeout * (10 + THINKING)
    }

    /// Returns how the way is encrypted.
    pub(super) fn security(&self) -> SmtpTls {
        self.security
    }

    /// Reaches the relay; the way is encrypted and we are known when this returns.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let mut talk = self.open().await?;
        self.authenticate(&mut talk).await?;
        let dsn = self.returns.is_some() && talk.offers_to("DSN");
        Ok(Connection { dsn, ..Connection::new(talk) })
    }

    /// Reaches the relay; the way is encrypted when this returns.
    pub(super) async fn open(&self) -> Result<Talk, Failure> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let socket = within(self.timeout, Step::Connect, connecting)
            .await?
            .map_err(|error| Failure::relay(Step::Connect, error.to_string()))?;
        let _ = socket.set_nodelay(true);
        let mut talk = Talk::new(Box::new(socket));
        let encrypted = self.security == SmtpTls::Implicit;
        if let Some((tls, name)) = self.tls.as_ref().filter(|_| encrypted) {
            talk = self.step(Step::Tls, talk.encrypt(tls, name)).await?;
        }
        self.step(Step::Connect, talk.greet(&self.hello)).await?;
        if let Some((tls, name)) = self.tls.as_ref().filter(|_| !encrypted) {
            talk = self.upgrade(talk, tls, name).await?;
        }
        Ok(talk)
    }

    /// Encrypts or fails: a relay that does not offer it is not written to.
    async fn upgrade(
        &self,
        mut talk: Talk,
        tls: &TlsConnector,
        name: &ServerName<'static>,
    ) -> Result<Talk, Failure> {
        if !talk.offers_to("STARTTLS") {
            Connection::new(talk).quit(self).await;
            return Err(Failure::configuration(
                Step::Tls,
                "the relay does not offer STARTTLS; nothing was sent in clear text",
                "set smtp.tls to implicit (usually port 465) if the relay wants that; if it always \
                 offered STARTTLS, somebody on the way may be removing it",
            ));
        }
        let upgrading = async {
            talk.say(Starttls).await?;
            let mut talk = talk.encrypt(tls, name).await?;
            talk.hello(&self.hello).await?;
            Ok(talk)
        };
        self.step(Step::Tls, upgrading).await
    }

    /// Proves who we are, if there is something to prove it with.
    pub(super) async fn authenticate(&self, talk: &mut Talk) -> Result<(), Failure> {
        let Some(known) = self.credentials.0.load_full() else { return Ok(()) };
        let (username, password) = (known.0.as_str(), known.1.expose_secret());
        if talk.authenticates_by("PLAIN") {
            self.step(Step::Auth, talk.auth_plain(username, password)).await
        } else if talk.authenticates_by("LOGIN") {
            self.step(Step::Auth, talk.auth_login(username, password)).await
        } else {
            Err(Failure::configuration(
                Step::Auth,
                "the relay offers neither AUTH PLAIN nor AUTH LOGIN",
                "unset smtp.username and smtp.password, or use the relay's port for submission",
            ))
        }
    }

    /// Runs one step of the conversation, for no longer than a step may take.
    pub(super) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, NoYes>>,
    ) -> Result<T, Failure> {
        within(self.timeout, step, work).await?.map_err(|error| failure(step, &error))
    }
}

impl Connection {
    /// Returns one that has carried no message yet.
    pub(super) fn new(talk: Talk) -> Self {
        Self { talk, messages: 0, dsn: false }
    }

    /// Returns whether it has carried a message before: then the relay may have hung up since.
    pub(super) fn is_used(&self) -> bool {
        self.messages > 0
    }

    /// Announces a message to exactly one recipient; until the relay has it, nothing has happened.
    pub(super) async fn announce(
        &mut self,
        relay: &Relay,
        from: &Address,
        to: &Address,
        id: MailId,
        message: &[u8],
    ) -> Result<(), Failure> {
        let returned = relay.returns.as_ref().map(|returns| returns.sender(id));
        let (from, token) = match &returned {
            Some((address, token)) => (address, Some(token).filter(|_| self.dsn)),
            None => (from, None),
        };
        let (mut parameters, mut wishes) = (Vec::new(), Vec::new());
        if let Some(token) = token {
            let other = |keyword: &str, value: &str| MailParameter::Other {
                keyword: keyword.to_owned(),
                value: Some(value.to_owned()),
            };
            parameters.extend([other("RET", "HDRS"), other("ENVID", token)]);
            let wish = |keyword: &str, value: String| RcptParameter::Other {
                keyword: keyword.to_owned(),
                value: Some(value),
            };
            wishes.push(wish("NOTIFY", "SUCCESS,FAILURE,DELAY".to_owned()));
            if is_ascii(to) {
                wishes.push(wish("ORCPT", format!("rfc822;{to}")));
            }
        }
        if !(is_ascii(from) && is_ascii(to)) {
            if !self.talk.offers_to("SMTPUTF8") {
                let why = "the relay does not take addresses beyond ASCII (SMTPUTF8)";
                return Err(Failure::hopeless(Step::Rcpt, Class::Recipient, why));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !message.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        self.messages += 1;
        let mail = Mail::new(Some(from.clone()), parameters);
        relay.step(Step::Mail, self.talk.say(mail)).await?;
        relay.step(Step::Rcpt, self.talk.say(Rcpt::new(to.clone(), wishes))).await?;
        relay.step(Step::Data, self.talk.announce_message()).await?;
        Ok(())
    }

    /// Hands over the message that was announced and returns the relay's answer.
    pub(super) async fn hand_over(
        &mut self,
        relay: &Relay,
        message: &[u8],
    ) -> Result<String, Failure> {
        let answer = self.talk.message(message);
        let answer = within(relay.timeout * THINKING, Step::Message, answer)
            .await?
            .map_err(|error| failure(Step::Message, &error))?;
        Ok(one_line(&answer.to_string()))
    }

    /// Makes it ready for another message, or returns `None` if it had better be closed.
    pub(super) async fn again(mut self, relay: &Relay, after: Option<&Failure>) -> Option<Self> {
        match after {
            None => {}
            Some(failure) if failure.code.is_some_and(|code| code != 421) => {
                relay.step(Step::Mail, self.talk.say(Rset)).await.ok()?;
            }
            Some(_) => return None,
        }
        if self.messages >= MESSAGES_PER_CONNECTION {
            self.quit(relay).await;
            return None;
        }
        Some(self)
    }

    /// Says goodbye, if the relay will listen.
    pub(super) async fn quit(mut self, relay: &Relay) {
        let at_most = relay.timeout.min(Duration::from_secs(2));
        let _ = tokio::time::timeout(at_most, self.talk.say(Quit)).await;
    }
}

fn is_ascii(address: &Address) -> bool {
    let text: &str = address.as_ref();
    text.is_ascii()
}

/// Waits for one step, but not for ever.
async fn within<T>(
    at_most: Duration,
    step: Step,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let nothing = |_| Failure::relay(step, format!("no answer within {at_most:?}"));
    tokio::time::timeout(at_most, work).await.map_err(nothing)
}

/// Returns what it means that there was no yes.
fn failure(step: Step, why: &NoYes) -> Failure {
    let error = match why {
        NoYes::Refused(answer) => return Failure::answer(step, answer.code, &answer.text()),
        NoYes::Noise(_) => return Failure::relay(step, why.to_string()),
        NoYes::Io(error) => error,
    };
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(why)) => Failure::configuration(
            Step::Tls,
            format!("the relay's certificate is not valid: {why}"),
            "set smtp.host to the name in the certificate, and smtp.ca_file if a private authority \
             signed it",
        ),
        Some(why) => Failure::relay(Step::Tls, why.to_string()),
        None => Failure::relay(step, error.to_string()),
    }
}

/// Returns how to encrypt the way to `host`, and whose certificate is expected there.
fn tls(host: &str, settings: &Smtp) -> Result<(TlsConnector, ServerName<'static>), SetupError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| SetupError::Tls(format!("`{host}`: {error}")))?;
    let connector = connector(settings.ca_file.as_deref()).map_err(|error| match error {
        NoAuthority::File(why) => {
            let file = settings.ca_file.clone().unwrap_or_default();
            SetupError::CaFile { file, why }
        }
        NoAuthority::Platform(why) => SetupError::Tls(why),
    })?;
    Ok((connector, name))
}
