//! From settings to what sends mail.

use std::path::PathBuf;

use lettre::message::Mailbox;
use lettre::transport::smtp::extension::ClientId;
use url::{Host, Url};

use super::letter::Lives;
use super::providers::Api;
use super::reply::one_line;
use super::returns::{ReturnKey, Returns};
use super::smtp::{Relay, RelayCredentials};
use super::way::Way;
use crate::config::{Config, MailProvider, Smtp};

/// Who writes, and how.
#[derive(Debug, Clone)]
pub struct Letterhead {
    /// The sender.
    pub from: Mailbox,
    /// The name of the service in letters and on pages: `pages.name`, or the sender's name, or else the host.
    pub service: String,
    /// The host of the public address.
    pub site: String,
    /// The language for those who have not chosen one.
    pub default_locale: String,
    /// How long letters are worth sending.
    pub lives: Lives,
}

/// Where letters go.
#[derive(Debug)]
pub enum Transport {
    /// Into files, for development.
    Keep {
        /// `{data_dir}/mail`
        folder: PathBuf,
    },
    /// By the first of these that can be used.
    Ways(Vec<Way>),
}

impl From<Relay> for Transport {
    fn from(relay: Relay) -> Self {
        Self::Ways(vec![Way::Smtp(relay)])
    }
}

/// Why mail cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// There is no relay.
    #[error("smtp.host is not set")]
    NoRelay,
    /// The settings of a provider lack.
    #[error("mail is to be given to {0}, whose settings are not complete")]
    Provider(&'static str),
    /// One without the other.
    #[error("smtp.username and smtp.password belong together: set both or neither")]
    HalfCredentials,
    /// Nobody to write as.
    #[error("mail.from is not set: name the sender, as in `Example <accounts@example.org>`")]
    NoFrom,
    /// Not an address.
    #[error("mail.from is `{0}`; it must read `Name <address>`, or be an address")]
    From(String),
    /// Not an address.
    #[error("bounce.address is `{0}`; it must be an address")]
    Bounce(String),
    /// No certificates to be had there.
    #[error("smtp.ca_file `{file}` cannot be used: {why}")]
    CaFile {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing to verify certificates with.
    #[error("TLS for the relay cannot be set up: {0}")]
    Tls(String),
}

impl Letterhead {
    /// Returns the letterhead of `from`, in the words of `mail.from`.
    pub fn new(
        from: &str,
        public_url: &Url,
        default_locale: &str,
        lives: Lives,
    ) -> Result<Self, SetupError> {
        let from: Mailbox = from.trim().parse().map_err(|_| SetupError::From(one_line(from)))?;
        let site = public_url.host_str().unwrap_or("localhost").to_owned();
        let name = from.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        Ok(Self {
            service: name.clone().unwrap_or_else(|| site.clone()),
            from: Mailbox::new(name, from.email),
            site,
            default_locale: default_locale.to_owned(),
            lives,
        })
    }

    /// Returns the letterhead that `config` asks for; without a relay a stand-in will do.
    pub fn from_config(config: &Config) -> Result<Self, SetupError> {
        let from = match &config.mail.from {
            Some(from) => from,
            None if config.sends_mail() => return Err(SetupError::NoFrom),
            None => "AuthShield <authshield@localhost>",
        };
        let lives = Lives::from(config);
        let head = Self::new(from, &config.public_url, &config.mail.default_locale, lives)?;
        let service = config.pages.name.clone().unwrap_or(head.service);
        Ok(Self { service, ..head })
    }
}

impl Transport {
    /// Returns what `config` asks for: a relay, a provider, one after the other; or files when there is
    /// nobody. What cannot be delivered by relays goes to `returns`.
    pub fn from_config(config: &Config, returns: Option<&Returns>) -> Result<Self, SetupError> {
        if !config.sends_mail() {
            return Ok(Self::Keep { folder: config.data_dir.join("mail") });
        }
        let way = |provider| Way::from_config(config, provider, &config.smtp, returns);
        let mut ways = vec![way(config.mail.provider)?];
        if let Some(provider) = config.mail.fallback {
            ways.push(way(provider)?);
        }
        if config.smtp_fallback.host.is_some() {
            let second = config.smtp_fallback.relay(&config.smtp);
            let smtp = MailProvider::Smtp;
            ways.push(Way::from_config(config, smtp, &second, returns)?);
        }
        Ok(Self::Ways(ways))
    }

    /// Returns who we are to the relay of `smtp.*`, where mail goes to it.
    #[must_use]
    pub fn relay_credentials(&self, config: &Config) -> Option<RelayCredentials> {
        let used = [Some(config.mail.provider), config.mail.fallback];
        let Self::Ways(ways) = self else { return None };
        // A second relay comes behind the first, and has its own.
        used.contains(&Some(MailProvider::Smtp)).then_some(())?;
        ways.iter().find_map(|way| match way {
            Way::Smtp(relay) => Some(relay.credentials()),
            Way::Api(_) => None,
        })
    }

    /// Returns the relay that mail goes to, if it goes to one at all.
    #[must_use]
    pub fn relay(self) -> Option<Relay> {
        let Self::Ways(ways) = self else { return None };
        ways.into_iter().find_map(|way| match way {
            Way::Smtp(relay) => Some(relay),
            Way::Api(_) => None,
        })
    }
}

impl Way {
    fn from_config(
        config: &Config,
        provider: MailProvider,
        smtp: &Smtp,
        returns: Option<&Returns>,
    ) -> Result<Self, SetupError> {
        if let Some(api) = Api::from_config(config, provider)? {
            return Ok(Self::Api(api));
        }
        let relay = Relay::new(smtp, hello(&config.public_url))?;
        Ok(Self::Smtp(relay.returning(returns.cloned())))
    }
}

impl Returns {
    /// Returns where `config` lets mail come back to, if it names an address.
    pub fn from_config(config: &Config, key: ReturnKey) -> Result<Option<Self>, SetupError> {
        let Some(address) = &config.bounce.address else { return Ok(None) };
        let parsed = address.trim().parse().map_err(|_| SetupError::Bounce(one_line(address)))?;
        Ok(Some(Self::new(parsed, key)))
    }
}

/// Returns the name that we greet relays with: that of the public address, which resolves.
fn hello(public_url: &Url) -> ClientId {
    match public_url.host() {
        Some(Host::Domain(domain)) => ClientId::Domain(domain.to_owned()),
        Some(Host::Ipv4(address)) => ClientId::Ipv4(address),
        Some(Host::Ipv6(address)) => ClientId::Ipv6(address),
        None => ClientId::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn letterhead(from: &str) -> Result<Letterhead, SetupError> {
        let day = Duration::from_hours(24);
        let lives =
            Lives { verification: day, recovery: day, sign_in: day, not_me: day, notice: day };
        Letterhead::new(from, &"https://id.example.org".parse().unwrap(), "en", lives)
    }

    #[test]
    fn the_sender_names_the_service() {
        for (from, service, address) in [
            ("Example <accounts@example.org>", "Example", "accounts@example.org"),
            ("\"Lee, Ann\" <a@example.org>", "Lee, Ann", "a@example.org"),
            ("a@example.org", "id.example.org", "a@example.org"),
            ("AuthShield <authshield@localhost>", "AuthShield", "authshield@localhost"),
        ] {
            let head = letterhead(from).unwrap();
            assert_eq!((head.service.as_str(), head.from.email.as_ref()), (service, address));
        }
        for wrong in ["", "Example", "a@example.org, b@example.org", "a@b\r\nBcc: c@d"] {
            assert!(matches!(letterhead(wrong), Err(SetupError::From(_))), "{wrong:?}");
        }
    }
}
