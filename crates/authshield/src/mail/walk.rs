//! The way of a message to the relay, step by step and without a message: whoever looks whether mail
//! could leave goes it.

use std::time::{Duration, Instant};

use lettre::Address;
use lettre::transport::smtp::commands::{Mail, Rcpt, Rset};
use tokio::sync::watch;

use super::reply::{Failure, Step, one_line};
use super::smtp::{Connection, Relay};
use crate::config::SmtpTls;

/// How far somebody came, and what they saw.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The relay.
    pub relay: String,
    /// Whose envelope address it would leave with.
    pub sender: String,
    /// What the relay answered to `EHLO`, once the way was encrypted.
    pub capabilities: Vec<String>,
    /// The certificate that it proved itself with, DER.
    pub certificate: Option<Vec<u8>>,
    /// How long it took for its slowest answer so far.
    pub slowest: Duration,
    /// What stopped the walk, if something did.
    pub failed: Option<Failure>,
    /// Why it would take no mail for the recipient, which is who the mail would be from.
    pub recipient_refused: Option<Failure>,
    reached: Option<Step>,
    over: bool,
}

impl Walk {
    /// Sets out; the receiver is told whenever a step was done. Nothing goes on once nobody listens.
    #[must_use]
    pub fn begin(relay: Relay, from: Address) -> watch::Receiver<Self> {
        let (tell, news) = watch::channel(Self {
            relay: relay.to_string(),
            sender: relay.sender(&from).to_string(),
            capabilities: Vec::new(),
            certificate: None,
            slowest: Duration::ZERO,
            failed: None,
            recipient_refused: None,
            reached: None,
            over: false,
        });
        tokio::spawn(async move {
            let ended = tokio::select! {
                () = tell.closed() => return,
                ended = go(&relay, &from, &tell) => ended,
            };
            tell.send_modify(|walk| {
                walk.failed = ended.err();
                walk.over = true;
            });
        });
        news
    }

    /// Whether the relay has greeted.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.reached >= Some(Step::Connect)
    }

    /// Whether the way is as encrypted as it should be.
    #[must_use]
    pub fn encrypted(&self) -> bool {
        self.reached >= Some(Step::Tls)
    }

    /// Whether the relay knows us.
    #[must_use]
    pub fn known(&self) -> bool {
        self.reached >= Some(Step::Auth)
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }
}

/// Goes as far as it can.
async fn go(relay: &Relay, from: &Address, tell: &watch::Sender<Walk>) -> Result<(), Failure> {
    let timed = |answers: u32, since: Instant| {
        let took = since.elapsed() / answers;
        tell.send_modify(|walk| walk.slowest = walk.slowest.max(took));
    };
    let since = Instant::now();
    let mut talk = relay.open().await?;
    timed(if relay.security() == SmtpTls::Starttls { 4 } else { 2 }, since);

    let capabilities = talk.offers().iter().map(|line| one_line(line)).collect();
    tell.send_modify(|walk| {
        walk.capabilities = capabilities;
        walk.certificate = talk.certificate().map(ToOwned::to_owned);
        walk.reached = Some(Step::Tls);
    });

    relay.authenticate(&mut talk).await?;
    tell.send_modify(|walk| walk.reached = Some(Step::Auth));

    let since = Instant::now();
    let mail = Mail::new(Some(relay.sender(from).clone()), Vec::new());
    relay.step(Step::Mail, talk.say(mail)).await?;
    timed(1, since);
    let since = Instant::now();
    let recipient = Rcpt::new(from.clone(), Vec::new());
    let refused = relay.step(Step::Rcpt, talk.say(recipient)).await.err();
    timed(1, since);
    tell.send_modify(|walk| walk.recipient_refused = refused);
    // Whatever it answers: without a message, the end of the connection calls it off as well.
    let _ = relay.step(Step::Rcpt, talk.say(Rset)).await;
    Connection::new(talk).quit(relay).await;
    Ok(())
}
