//! The conversation with the relay, step by step, so that every answer is known for what it is.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{
    ClientId, Extension, MailBodyParameter, MailParameter, RcptParameter,
};
use lettre::transport::smtp::response::Response;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

use super::line::LineByLine;
use super::reply::{Class, Failure, Step};
use super::returns::Returns;
use super::setup::SetupError;
use crate::config::{Smtp, SmtpTls};
use crate::kernel::MailId;

/// How we may prove who we are, the better one first.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

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
    tls: Option<TlsParameters>,
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
    smtp: Box<AsyncSmtpConnection>,
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

    /// Returns whether the relay takes wishes about reports: the library forgets that it said so.
    async fn takes_wishes(&self, smtp: &mut AsyncSmtpConnection) -> Result<bool, Failure> {
        if self.returns.is_none() {
            return Ok(false);
        }
        let hello = Ehlo::new(self.hello.clone());
        let answer = self.step(Step::Connect, smtp.command(hello)).await?;
        let says = |line: &str| line.trim().eq_ignore_ascii_case("DSN");
        Ok(answer.message().skip(1).any(says))
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
        let asked = self.step(Step::Mail, connection.smtp.command(mail)).await;
        if let Err(failure) = asked {
            connection.quit(self).await;
            return Err(failure);
        }
        self.step(Step::Mail, connection.smtp.command(Rset)).await?;
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

    /// Returns the name that it is greeted with.
    pub(super) fn hello(&self) -> &ClientId {
        &self.hello
    }

    /// Reaches the relay; the way is encrypted and we are known when this returns.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let mut smtp = self.open().await?;
        self.authenticate(&mut smtp).await?;
        let dsn = self.takes_wishes(&mut smtp).await?;
        Ok(Connection { dsn, ..Connection::new(smtp) })
    }

    /// Reaches the relay; the way is encrypted when this returns.
    pub(super) async fn open(&self) -> Result<AsyncSmtpConnection, Failure> {
        Ok(match (self.security, &self.tls) {
            (SmtpTls::Implicit, Some(tls)) => {
                let connecting = AsyncSmtpConnection::connect_tokio1(
                    (self.host.as_str(), self.port),
                    None,
                    &self.hello,
                    Some(tls.clone()),
                    None,
                );
                self.step(Step::Connect, connecting).await?
            }
            (SmtpTls::Starttls, Some(tls)) => self.connect_and_upgrade(tls.clone()).await?,
            (SmtpTls::None, _) => self.connect_in_clear().await?,
            (_, None) => unreachable!("made by `new` whenever there is to be encryption"),
        })
    }

    /// Proves who we are, if there is something to prove it with.
    pub(super) async fn authenticate(&self, smtp: &mut AsyncSmtpConnection) -> Result<(), Failure> {
        if let Some(known) = self.credentials.0.load_full() {
            let (username, password) = &*known;
            if smtp.server_info().get_auth_mechanism(&MECHANISMS).is_none() {
                return Err(Failure::configuration(
                    Step::Auth,
                    "the relay offers neither AUTH PLAIN nor AUTH LOGIN",
                    "unset smtp.username and smtp.password, or use the relay's port for \
                     submission",
                ));
            }
            let password = password.expose_secret().to_owned();
            let credentials = Credentials::new(username.clone(), password);
            self.step(Step::Auth, smtp.auth(&MECHANISMS, &credentials)).await?;
        }
        Ok(())
    }

    async fn connect_in_clear(&self) -> Result<AsyncSmtpConnection, Failure> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let socket = within(self.timeout, Step::Connect, connecting)
            .await?
            .map_err(|error| Failure::relay(Step::Connect, error.to_string()))?;
        let _ = socket.set_nodelay(true);
        let stream = Box::new(LineByLine::new(socket));
        let greeting = AsyncSmtpConnection::connect_with_transport(stream, &self.hello);
        self.step(Step::Connect, greeting).await
    }

    /// Encrypts or fails: a relay that does not offer it is not written to.
    async fn connect_and_upgrade(
        &self,
        tls: TlsParameters,
    ) -> Result<AsyncSmtpConnection, Failure> {
        let mut smtp = self.connect_in_clear().await?;
        if !smtp.server_info().supports_feature(Extension::StartTls) {
            smtp.abort().await;
            return Err(Failure::configuration(
                Step::Tls,
                "the relay does not offer STARTTLS; nothing was sent in clear text",
                "set smtp.tls to implicit (usually port 465) if the relay wants that; if it always \
                 offered STARTTLS, somebody on the way may be removing it",
            ));
        }
        self.step(Step::Tls, smtp.starttls(tls, &self.hello)).await?;
        if !smtp.is_encrypted() {
            return Err(Failure::relay(Step::Tls, "the connection was not encrypted"));
        }
        Ok(smtp)
    }

    /// Runs one step of the conversation, for no longer than a step may take.
    pub(super) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        within(self.timeout, step, work).await?.map_err(|error| failure(step, &error))
    }
}

impl Connection {
    /// Returns one that has carried no message yet.
    pub(super) fn new(smtp: AsyncSmtpConnection) -> Self {
        Self { smtp: Box::new(smtp), messages: 0, dsn: false }
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
            if !self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
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
        relay.step(Step::Mail, self.smtp.command(mail)).await?;
        relay.step(Step::Rcpt, self.smtp.command(Rcpt::new(to.clone(), wishes))).await?;
        relay.step(Step::Data, self.smtp.command(Data)).await?;
        Ok(())
    }

    /// Hands over the message that was announced and returns the relay's answer.
    pub(super) async fn hand_over(
        &mut self,
        relay: &Relay,
        message: &[u8],
    ) -> Result<String, Failure> {
        let answer = self.smtp.message(message);
        let response = within(relay.timeout * THINKING, Step::Message, answer)
            .await?
            .map_err(|error| failure(Step::Message, &error))?;
        Ok(super::reply::one_line(&words(&response)))
    }

    /// Makes it ready for another message, or returns `None` if it had better be closed.
    pub(super) async fn again(mut self, relay: &Relay, after: Option<&Failure>) -> Option<Self> {
        match after {
            None => {}
            Some(failure) if failure.code.is_some_and(|code| code != 421) => {
                relay.step(Step::Mail, self.smtp.command(Rset)).await.ok()?;
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
        let _ = tokio::time::timeout(at_most, self.smtp.quit()).await;
    }
}

fn is_ascii(address: &Address) -> bool {
    let text: &str = address.as_ref();
    text.is_ascii()
}

fn words(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
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

/// Returns what an error of the conversation means.
fn failure(step: Step, error: &Error) -> Failure {
    let cause = || std::error::Error::source(error).map(ToString::to_string);
    if let Some(code) = error.status() {
        let code = code.to_string().parse().expect("three digits");
        return Failure::answer(step, code, &cause().unwrap_or_default());
    }
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(why)) => Failure::configuration(
            Step::Tls,
            format!("the relay's certificate is not valid: {why}"),
            "set smtp.host to the name in the certificate, and smtp.ca_file if a private authority \
             signed it",
        ),
        Some(why) => Failure::relay(Step::Tls, why.to_string()),
        None => Failure::relay(step, cause().unwrap_or_else(|| error.to_string())),
    }
}

/// Looks for an error of the handshake among the causes.
fn tls_error(error: &Error) -> Option<&rustls::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref());
        if let Some(found) = error.downcast_ref().or(inner) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// Returns how to encrypt: against the platform's authorities, or against the configured one only.
fn tls(host: &str, settings: &Smtp) -> Result<TlsParameters, SetupError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(file) = &settings.ca_file {
        let unusable = |why: String| SetupError::CaFile { file: file.clone(), why };
        let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        if CertificateDer::pem_slice_iter(&pem).next().is_none() {
            return Err(unusable("there is no certificate in it (PEM)".to_owned()));
        }
        let authority = Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    builder.build().map_err(|error| SetupError::Tls(error.to_string()))
}
