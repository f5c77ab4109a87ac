//! Messages to ourselves, which show that mail arrives.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::lints::{self, Lint, refuse};
use super::mail::ImapTls;
use super::setting::{Fallback, HOUR, SECOND, settings};
use super::value::items;

settings! {
    /// A message that goes the way of all mail to a mailbox of our own, again and again: whether it
    /// arrives, when, in which folder and how authenticated. Off unless addresses are named.
    Canary at "canary" "." {
        /// One to three addresses of our own, best at mailbox providers that many users have.
        addresses: Vec<String> {
            fallback: Fallback::Always(""),
            example: "canary@example.org",
            mistaken: &["CANARY", "CANARY_ADDRESS", "CANARY_MAILBOX", "CANARY_TO"],
            lints: &[lints::CANARIES],
        }
        /// Where their mailboxes are read, in the same order: `imaps://user:password@host:993/INBOX`, with
        /// what is not a letter or digit in the user and the password percent-encoded. `?junk=Folder` names
        /// the folder for junk where the server does not tell it. Unset, arrivals are told to
        /// `/api/v1/webhooks/mail/inbound`.
        mailboxes: Option<SecretString> {
            example: "imaps://canary%40example.org:<password>@imap.example.org/INBOX",
            mistaken: &["CANARY_IMAP", "CANARY_IMAP_URL", "CANARY_IMAP_URLS", "CANARY_URL"],
            lints: &[MAILBOXES],
        }
        /// The certificate, PEM, of a private authority that signed those of the mailboxes' servers.
        imap_ca_file: Option<PathBuf> {
            example: "/etc/authshield/imap-ca.pem",
            mistaken: &["CANARY_CA", "CANARY_CA_FILE"],
        }
        /// How often a message is sent to each.
        every: Duration {
            fallback: Fallback::Always("5m"),
            bounds: Some((SECOND, HOUR)),
            example: "5m",
            mistaken: &["CANARY_INTERVAL", "CANARY_PERIOD"],
        }
    }
}

/// Where one mailbox is read.
#[derive(Debug, Clone)]
pub struct CanaryMailbox {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the conversation is encrypted.
    pub tls: ImapTls,
    /// Who we are to it.
    pub username: String,
    /// How we prove it.
    pub password: SecretString,
    /// The folder that mail comes to.
    pub inbox: String,
    /// The folder for junk, if it was named.
    pub junk: Option<String>,
}

impl Canary {
    /// Whether messages are sent.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Returns where the mailboxes are read, in the order of the addresses; none if none is.
    #[must_use]
    pub fn read_at(&self) -> Vec<CanaryMailbox> {
        let Some(urls) = &self.mailboxes else { return Vec::new() };
        // Their form was checked with the configuration.
        items(urls.expose_secret()).filter_map(|url| CanaryMailbox::parse(url).ok()).collect()
    }
}

impl CanaryMailbox {
    /// Reads `imaps://user:password@host:993/INBOX?junk=Junk`; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        let tls = match url.scheme() {
            "imaps" => ImapTls::Implicit,
            "imap" => ImapTls::None,
            _ => return Err("does not begin with imaps://"),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no server")?;
        let is_here = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if tls == ImapTls::None && !is_here {
            return Err("would send its password in clear text: begin it with imaps://");
        }
        let decoded = |text: &str| decoded(text).ok_or("has a percent sign that encodes nothing");
        let (username, password) = (decoded(url.username())?, url.password().unwrap_or_default());
        if username.is_empty() || password.is_empty() {
            return Err("lacks the user or the password");
        }
        let inbox = decoded(url.path().trim_matches('/'))?;
        let mut junk = None;
        for (name, value) in url.query_pairs() {
            if name != "junk" || value.is_empty() {
                return Err("has something after the question mark that is not `junk=Folder`");
            }
            junk = Some(value.into_owned());
        }
        let standard = if tls == ImapTls::Implicit { 993 } else { 143 };
        Ok(Self {
            host: host.to_owned(),
            port: url.port().unwrap_or(standard),
            tls,
            username,
            password: decoded(password)?.into(),
            inbox: if inbox.is_empty() { "INBOX".to_owned() } else { inbox },
            junk,
        })
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (hex, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

pub(super) const MAILBOXES: Lint = Lint {
    id: "mailbox",
    about: "a mailbox that is not a URL such as `imaps://user:password@host/INBOX`",
    waivable: false,
    check: |subject| {
        let found = items(subject.text).map(CanaryMailbox::parse).find_map(Result::err);
        found.and_then(|why| refuse(format!("names a mailbox that {why}")))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_one_url() {
        let read = CanaryMailbox::parse(
            "imaps://canary%40example.org:p%3Aw%2Fd%25@imap.example.org/Canary%20Mail?junk=Junk+E-Mail",
        )
        .unwrap();
        assert_eq!((read.host.as_str(), read.port), ("imap.example.org", 993));
        assert_eq!((read.tls, read.username.as_str()), (ImapTls::Implicit, "canary@example.org"));
        assert_eq!(read.password.expose_secret(), "p:w/d%");
        assert_eq!(
            (read.inbox.as_str(), read.junk.as_deref()),
            ("Canary Mail", Some("Junk E-Mail"))
        );
        assert!(!format!("{read:?}").contains("p:w"));
        let here = CanaryMailbox::parse("imap://a:b@127.0.0.1:1143").unwrap();
        assert_eq!((here.port, here.inbox.as_str(), here.junk), (1143, "INBOX", None));
        for (text, why) in [
            ("canary@example.org", "is not a URL"),
            ("https://a:b@imap.example.org", "imaps://"),
            ("imap://a:b@imap.example.org", "in clear text"),
            ("imaps://imap.example.org", "user or the password"),
            ("imaps://a@imap.example.org", "user or the password"),
            ("imaps://a:%zz@imap.example.org", "percent sign"),
            ("imaps://a:b@imap.example.org/?spam=x", "junk=Folder"),
        ] {
            assert!(CanaryMailbox::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
