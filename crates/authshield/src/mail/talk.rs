//! What is said to a relay, and what it answers (RFC 5321, 4.2).
//!
//! The code of an answer decides, whatever its words are: they may be no UTF-8, and have no end. A
//! final refusal that is taken for noise would be asked for again until its message expires.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::commands::{Data, Ehlo};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::reply::enhanced_code;
use super::stream::Stream;

/// How many bytes of a line are kept; a line should not have more than half as many.
const KEPT_OF_LINE: usize = 1000;

/// How many lines of an answer are kept.
const KEPT_LINES: usize = 100;

/// The codes of a yes.
const YES: RangeInclusive<u16> = 200..=299;

/// A conversation with a relay.
#[derive(Debug)]
pub(super) struct Talk {
    stream: BufReader<Box<dyn Stream>>,
    offers: Vec<String>,
    certificate: Option<Vec<u8>>,
}

/// What the relay answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u16,
    lines: Vec<String>,
}

/// Why something that was said did not get a yes.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoYes {
    #[error("{0}")]
    Refused(Answer),
    #[error("the relay answered what is not SMTP: {0}")]
    Noise(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

impl Answer {
    /// Returns its words without the code; an enhanced code that each line repeats stands once.
    pub(super) fn text(&self) -> String {
        let mut lines = self.lines.iter().map(String::as_str);
        let mut text = lines.next().unwrap_or_default().to_owned();
        let enhanced = enhanced_code(&text);
        for line in lines {
            let repeated = enhanced.as_deref().and_then(|code| line.strip_prefix(code));
            let words = repeated.filter(|rest| rest.starts_with(' ')).unwrap_or(line);
            text.push(' ');
            text.push_str(words.trim_start());
        }
        text
    }

    /// Returns it if its code is one that is `due`: what waits for more where nothing comes is no yes.
    fn due(self, due: RangeInclusive<u16>) -> Result<Self, NoYes> {
        if due.contains(&self.code) { Ok(self) } else { Err(NoYes::Noise(self.to_string())) }
    }
}

impl NoYes {
    /// Returns it without `secrets`, which some relays repeat.
    fn without(self, secrets: &[&str]) -> Self {
        let clean = |words: String| {
            let secrets = secrets.iter().filter(|secret| !secret.is_empty());
            secrets.fold(words, |words, secret| words.replace(*secret, "…"))
        };
        match self {
            Self::Refused(Answer { code, lines }) => {
                Self::Refused(Answer { code, lines: lines.into_iter().map(clean).collect() })
            }
            Self::Noise(words) => Self::Noise(clean(words)),
            Self::Io(error) => Self::Io(error),
        }
    }
}

impl Talk {
    /// Returns a conversation in which nothing has been said.
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream: BufReader::new(stream), offers: Vec::new(), certificate: None }
    }

    /// Encrypts it from here on.
    ///
    /// Whoever sits between us and the relay can append answers to its `220`, to be taken for
    /// encrypted ones after the handshake. What of it has come ends the conversation here; what has
    /// not is read by the handshake, and fails it.
    pub(super) async fn encrypt(
        self,
        tls: &TlsConnector,
        name: &ServerName<'static>,
    ) -> Result<Self, NoYes> {
        if !self.stream.buffer().is_empty() {
            let appended = "there is more in the clear than was asked for";
            return Err(NoYes::Noise(appended.to_owned()));
        }
        let stream = tls.connect(name.clone(), self.stream.into_inner()).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.map(|certificate: &CertificateDer<'_>| certificate.to_vec());
        Ok(Self { certificate, ..Self::new(Box::new(stream)) })
    }

    /// Returns the certificate that the relay proved itself with, DER.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// Waits for the greeting and greets as `name`.
    pub(super) async fn greet(&mut self, name: &ClientId) -> Result<(), NoYes> {
        self.answer().await?.due(YES)?;
        self.hello(name).await
    }

    /// Greets as `name`.
    pub(super) async fn hello(&mut self, name: &ClientId) -> Result<(), NoYes> {
        let answer = self.say(Ehlo::new(name.clone())).await?;
        self.offers = answer.lines.into_iter().skip(1).collect();
        Ok(())
    }

    /// Returns what the relay offered when it was greeted last, one line each.
    pub(super) fn offers(&self) -> &[String] {
        &self.offers
    }

    /// Returns whether `keyword` is offered.
    pub(super) fn offers_to(&self, keyword: &str) -> bool {
        self.words_of(keyword).next().is_some()
    }

    /// Returns whether one can authenticate by `mechanism`.
    pub(super) fn authenticates_by(&self, mechanism: &str) -> bool {
        let mut mechanisms = self.words_of("AUTH").flat_map(|line| line.split_whitespace().skip(1));
        mechanisms.any(|offered| offered.eq_ignore_ascii_case(mechanism))
    }

    fn words_of<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        let first = |line: &str| line.split_whitespace().next().map(str::to_ascii_uppercase);
        let lines = self.offers.iter().map(String::as_str);
        lines.filter(move |line| first(line).as_deref() == Some(keyword))
    }

    /// Authenticates in one message (RFC 4616).
    pub(super) async fn auth_plain(&mut self, user: &str, password: &str) -> Result<(), NoYes> {
        let both = encoded(&Zeroizing::new(format!("\0{user}\0{password}")));
        let command = Zeroizing::new(format!("AUTH PLAIN {}", *both));
        let proved = self.authenticate(&command, &[]).await;
        proved.map_err(|why| why.without(&[&both, password]))
    }

    /// Authenticates in the older way: the relay asks for both, one after the other.
    pub(super) async fn auth_login(&mut self, user: &str, password: &str) -> Result<(), NoYes> {
        let (name, secret) = (encoded(user), encoded(password));
        let proved = self.authenticate("AUTH LOGIN", &[&name, &secret]).await;
        proved.map_err(|why| why.without(&[&secret, password]))
    }

    /// Says `command`, and one of `answers` each time that the relay asks for more.
    async fn authenticate(&mut self, command: &str, answers: &[&str]) -> Result<(), NoYes> {
        let mut next = [command].into_iter().chain(answers.iter().copied());
        loop {
            let Some(words) = next.next() else {
                return Err(NoYes::Noise("it asks for more than it may".to_owned()));
            };
            let line = Zeroizing::new(format!("{words}\r\n"));
            let answer = self.ask(line.as_bytes()).await?;
            if answer.code != 334 {
                return answer.due(YES).map(drop);
            }
        }
    }

    /// Says a command and returns the answer, if it is a yes.
    pub(super) async fn say(&mut self, command: impl fmt::Display) -> Result<Answer, NoYes> {
        self.ask(command.to_string().as_bytes()).await?.due(YES)
    }

    /// Says that a message comes, if the relay waits for it then.
    pub(super) async fn announce_message(&mut self) -> Result<(), NoYes> {
        self.ask(Data.to_string().as_bytes()).await?.due(354..=354).map(drop)
    }

    /// Hands over a message and returns the answer, if it is a yes.
    pub(super) async fn message(&mut self, message: &[u8]) -> Result<Answer, NoYes> {
        self.ask(&transparent(message)).await?.due(YES)
    }

    async fn ask(&mut self, bytes: &[u8]) -> Result<Answer, NoYes> {
        if !self.stream.buffer().is_empty() {
            // It would be taken for the answer to what is said now.
            return Err(NoYes::Noise("there is more than was asked for".to_owned()));
        }
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        self.answer().await
    }

    /// Reads an answer to its end, wherever that is: who waits for it waits for so long only.
    async fn answer(&mut self) -> Result<Answer, NoYes> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((code, is_last, text)) = parts(&line) else { return Err(NoYes::Noise(line)) };
            if lines.len() < KEPT_LINES {
                lines.push(text.to_owned());
            }
            if is_last {
                let answer = Answer { code, lines };
                return if code < 400 { Ok(answer) } else { Err(NoYes::Refused(answer)) };
            }
        }
    }

    /// Reads a line to its end, and keeps the beginning of it.
    async fn line(&mut self) -> io::Result<String> {
        let mut kept = Vec::new();
        loop {
            let came = match self.stream.fill_buf().await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => &[],
                came => came?,
            };
            if came.is_empty() {
                let why = "the relay hung up";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            let end = came.iter().position(|byte| *byte == b'\n');
            let of_line = &came[..end.unwrap_or(came.len())];
            kept.extend(of_line.iter().take(KEPT_OF_LINE - kept.len()));
            let read = end.map_or(came.len(), |end| end + 1);
            self.stream.consume(read);
            if end.is_some() {
                return Ok(String::from_utf8_lossy(&kept).trim_end().to_owned());
            }
        }
    }
}

fn encoded(words: &str) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(words))
}

/// Takes a line of an answer apart: its code, whether it is the last one, and its words.
fn parts(line: &str) -> Option<(u16, bool, &str)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let is_code = digits.bytes().all(|byte| byte.is_ascii_digit());
    let code = digits.parse().ok().filter(|code| is_code && (200..600).contains(code))?;
    if let Some(text) = rest.strip_prefix('-') {
        return Some((code, false, text));
    }
    let text = if rest.is_empty() { rest } else { rest.strip_prefix(' ')? };
    Some((code, true, text))
}

/// Returns `message` as it is sent, to its end: no line of it can be taken for the end.
fn transparent(message: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(message.len() + 64);
    let mut starts = true;
    for &byte in message {
        if starts && byte == b'.' {
            sent.push(b'.');
        }
        sent.push(byte);
        starts = sent.ends_with(b"\r\n");
    }
    if !starts {
        sent.extend(b"\r\n");
    }
    sent.extend(b".\r\n");
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is made of `bytes`.
    async fn heard(bytes: &[u8]) -> Result<Answer, NoYes> {
        let (ours, mut theirs) = tokio::io::duplex(bytes.len().max(1));
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        Talk::new(Box::new(ours)).answer().await
    }

    #[tokio::test]
    async fn the_code_decides_whatever_the_words() {
        let long = [b"550-5.1.1 ".as_slice(), &[b'x'; 5000], b"\r\n550 5.1.1 end\r\n"].concat();
        let many = [b"550-5.1.1 no\r\n".repeat(3000), b"550 5.1.1 no\r\n".to_vec()].concat();
        for (bytes, code, begin) in [
            (b"550 5.1.1 no such user\r\n".to_vec(), 550, "5.1.1 no such user"),
            (b"550 5.1.1 bo\xeete inconnue\r\n".to_vec(), 550, "5.1.1 bo\u{fffd}te inconnue"),
            ("550 5.1.1 bo\u{ee}te\r\n".into(), 550, "5.1.1 bo\u{ee}te"),
            (b"550-5.1.1 no\r\n550 5.1.1 such user\r\n".to_vec(), 550, "5.1.1 no such user"),
            (b"550\r\n".to_vec(), 550, ""),
            (b"550-\r\n550\r\n".to_vec(), 550, " "),
            (b"550 no line feed before\n".to_vec(), 550, "no line feed before"),
            (b"571 5.7.1 no\r\n".to_vec(), 571, "5.7.1 no"),
            (b"450-4.2.0 later\r\n550 5.1.1 no\r\n".to_vec(), 550, "4.2.0 later 5.1.1 no"),
            (b"421 4.7.0 sp\xe4ter\r\n".to_vec(), 421, "4.7.0 sp\u{fffd}ter"),
            (long, 550, "5.1.1 xxxx"),
            (many, 550, "5.1.1 no no no"),
        ] {
            match heard(&bytes).await {
                Err(NoYes::Refused(answer)) => {
                    assert_eq!(answer.code, code);
                    assert!(answer.text().starts_with(begin), "{answer}");
                    assert!(answer.text().len() < KEPT_LINES * KEPT_OF_LINE);
                }
                other => panic!("{other:?}"),
            }
        }
        let yes = heard(b"250-2.0.0 taken\r\n250 2.0.0 as Q1\r\n").await.unwrap();
        assert_eq!(yes.to_string(), "250 2.0.0 taken as Q1");
    }

    #[tokio::test]
    async fn what_has_no_code_is_no_answer() {
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"\r\n",
            b"55\r\n",
            b"+50 no\r\n",
            b"150 what\r\n",
            b"600 what\r\n",
            b"550: no\r\n",
            b"5\xe450 no\r\n",
        ] {
            assert!(matches!(heard(bytes).await, Err(NoYes::Noise(_))), "{bytes:?}");
        }
        for bytes in [b"".as_slice(), b"550 no", b"550-no\r\n"] {
            assert_eq!(heard(bytes).await.unwrap_err().to_string(), "the relay hung up");
        }
    }

    /// Says `AUTH PLAIN` to somebody who answers with what they heard, behind `code`.
    async fn repeated(code: &str) -> NoYes {
        let (ours, theirs) = tokio::io::duplex(1000);
        let code = code.to_owned();
        tokio::spawn(async move {
            let mut theirs = BufReader::new(theirs);
            let mut heard = String::new();
            theirs.read_line(&mut heard).await.unwrap();
            theirs.write_all(format!("{code} {heard}").as_bytes()).await.unwrap();
        });
        Talk::new(Box::new(ours)).auth_plain("ann", "s3cret").await.unwrap_err()
    }

    #[tokio::test]
    async fn a_password_that_the_relay_repeats_is_not_kept() {
        for code in ["535", "334", "354"] {
            let told = repeated(code).await.to_string();
            assert!(!told.contains("AGFubgBzM2NyZXQ="), "{told}");
        }
        assert_eq!(repeated("535").await.to_string(), "535 AUTH PLAIN …");
    }

    #[tokio::test]
    async fn only_what_is_due_is_a_yes() {
        let after = async |bytes: &[u8]| {
            let (ours, mut theirs) = tokio::io::duplex(1000);
            theirs.write_all(bytes).await.unwrap();
            (Talk::new(Box::new(ours)), theirs)
        };
        let (mut talk, _theirs) = after(b"354 go on\r\n").await;
        assert!(matches!(talk.say("MAIL\r\n").await, Err(NoYes::Noise(_))));
        let (mut talk, _theirs) = after(b"250 yes\r\n").await;
        assert!(matches!(talk.announce_message().await, Err(NoYes::Noise(_))));
        let (mut talk, _theirs) = after(b"354 go on\r\n").await;
        talk.announce_message().await.unwrap();
        // An answer too many would be the answer to the next command.
        let (mut talk, _theirs) = after(b"250 yes\r\n250 yes\r\n").await;
        talk.say("NOOP\r\n").await.unwrap();
        assert!(matches!(talk.say("MAIL\r\n").await, Err(NoYes::Noise(_))));
    }

    #[test]
    fn no_line_of_a_message_is_its_end() {
        for (message, sent) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n.a\r\n..\r\n", "..\r\n..a\r\n...\r\n.\r\n"),
            ("a.\r\n\r\n.", "a.\r\n\r\n..\r\n.\r\n"),
        ] {
            assert_eq!(transparent(message.as_bytes()), sent.as_bytes(), "{message:?}");
        }
    }
}
