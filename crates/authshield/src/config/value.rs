//! From text to typed values and back.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::setting::{DAY, HOUR, Kind, MINUTE, SECOND};
use crate::kernel::InstallationId;

/// What the type of a setting can do.
pub(super) trait Value: Sized {
    /// What may be written.
    const KIND: Kind;
    /// Whether it is never shown.
    const SECRET: bool = false;

    /// Reads it, or says what was wanted (`a whole number`).
    fn parse(text: &str) -> Result<Self, String>;

    /// Returns the value of what is unset.
    fn unset() -> Option<Self> {
        None
    }

    /// Returns the text in its one form; nothing when unset or secret.
    fn print(&self) -> Option<String>;

    /// Returns what is bounded: the number, or the milliseconds.
    fn measure(&self) -> Option<u64> {
        None
    }

    /// Returns the value, if it is a secret that is set.
    fn secret(&self) -> Option<&str> {
        None
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Some)
    }

    fn unset() -> Option<Self> {
        Some(None)
    }

    fn print(&self) -> Option<String> {
        self.as_ref().and_then(Value::print)
    }

    fn measure(&self) -> Option<u64> {
        self.as_ref().and_then(Value::measure)
    }

    fn secret(&self) -> Option<&str> {
        self.as_ref().and_then(Value::secret)
    }
}

impl Value for String {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn print(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Value for SecretString {
    const KIND: Kind = Kind::Text;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn print(&self) -> Option<String> {
        None
    }

    fn secret(&self) -> Option<&str> {
        Some(self.expose_secret())
    }
}

impl Value for InstallationId {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "the id that `authshield init` printed".to_owned())
    }

    fn print(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Flag;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "`true` or `false`".to_owned())
    }

    fn print(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! whole {
    ($($type:ty),*) => {$(
        impl Value for $type {
            const KIND: Kind = Kind::Whole;

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("a whole number up to {}", <$type>::MAX))
            }

            fn print(&self) -> Option<String> {
                Some(self.to_string())
            }

            fn measure(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
        }
    )*};
}
whole!(u8, u16, u32, usize);

impl Value for f64 {
    const KIND: Kind = Kind::Ratio;

    fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "a number from 0 to 1".to_owned();
        let ratio = text.parse().map_err(|_| wanted())?;
        if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(wanted()) }
    }

    fn print(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

/// The units of a duration, longest first.
const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

impl Value for Duration {
    const KIND: Kind = Kind::Duration;

    fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "a duration; write `900s`, `15m`, `12h` or `7d`".to_owned();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wanted)?;
        let number: u64 = number.parse().map_err(|_| wanted())?;
        number.checked_mul(*unit).map(Self::from_millis).ok_or_else(wanted)
    }

    fn print(&self) -> Option<String> {
        Some(in_words(self.measure()?))
    }

    fn measure(&self) -> Option<u64> {
        u64::try_from(self.as_millis()).ok()
    }
}

/// How often something may happen: `20/1m` is 20 at once, and 20 in a minute in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How much of it.
    pub at_most: u32,
    /// In how long.
    pub within: Duration,
}

impl Value for Rate {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let wanted =
            || "a number and a time, such as `20/1m`, from 2 up and from 1 s to 1 d".to_owned();
        let (number, span) = text.split_once('/').ok_or_else(wanted)?;
        let at_most = number.parse().ok().filter(|number| (2..=1_000_000).contains(number));
        let within = Duration::parse(span).ok();
        let within = within.filter(|span| (SECOND..=DAY).contains(&span.measure().unwrap_or(0)));
        at_most.zip(within).map(|(at_most, within)| Self { at_most, within }).ok_or_else(wanted)
    }

    fn print(&self) -> Option<String> {
        Some(format!("{}/{}", self.at_most, self.within.print()?))
    }
}

/// Returns milliseconds the way a duration is written: in the longest unit that divides them.
pub(super) fn in_words(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let (name, unit) = UNITS
        .into_iter()
        .find(|(_, unit)| milliseconds.is_multiple_of(*unit))
        .expect("every number of milliseconds is divisible by one");
    format!("{}{name}", milliseconds / unit)
}

impl Value for PathBuf {
    const KIND: Kind = Kind::Path;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn print(&self) -> Option<String> {
        Some(self.display().to_string())
    }
}

impl Value for Url {
    const KIND: Kind = Kind::Url;

    /// A slash at the end is dropped, so that `{public_url}/path` has one slash.
    fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "a URL such as `https://id.example.org`".to_owned();
        let url = Self::parse(text.trim_end_matches('/')).map_err(|_| wanted())?;
        if url.has_host() { Ok(url) } else { Err(wanted()) }
    }

    fn print(&self) -> Option<String> {
        Some(self.as_str().trim_end_matches('/').to_owned())
    }
}

impl Value for SocketAddr {
    const KIND: Kind = Kind::Socket;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            "an IP address and a port, such as `127.0.0.1:8080` or `[::]:8080`".to_owned()
        })
    }

    fn print(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Returns the items of a list as it stands in the environment.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl Value for Vec<String> {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(items(text).map(str::to_owned).collect())
    }

    fn print(&self) -> Option<String> {
        Some(self.join(","))
    }
}

impl Value for Vec<IpNet> {
    const KIND: Kind = Kind::Networks;

    /// An address alone is the network of that address.
    fn parse(text: &str) -> Result<Self, String> {
        items(text)
            .map(|item| {
                item.parse().or_else(|_| item.parse().map(|host: IpAddr| IpNet::from(host)))
            })
            .collect::<Result<_, _>>()
            .map_err(|_| "a list of networks such as `10.0.0.0/8,fd00::/8`".to_owned())
    }

    fn print(&self) -> Option<String> {
        Some(self.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_one_unit() {
        for (text, seconds, printed) in [
            ("900s", 900, "15m"),
            ("15m", 900, "15m"),
            ("12h", 43_200, "12h"),
            ("7d", 604_800, "7d"),
            ("0s", 0, "0s"),
            ("90s", 90, "90s"),
        ] {
            let duration = <Duration as Value>::parse(text).unwrap();
            assert_eq!(duration, Duration::from_secs(seconds), "{text}");
            assert_eq!(duration.print().unwrap(), printed, "{text}");
        }
        assert_eq!(<Duration as Value>::parse("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "15", "m", "-1s", "1.5h", "15 m", "1h30m", "15M", "99999999999999999d"] {
            assert!(<Duration as Value>::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_may_be_one_address() {
        let networks = <Vec<IpNet> as Value>::parse("10.0.0.0/8, 192.0.2.7,fd00::/8,").unwrap();
        assert_eq!(networks.print().unwrap(), "10.0.0.0/8,192.0.2.7/32,fd00::/8");
        assert!(<Vec<IpNet> as Value>::parse("10.0.0.0/33").is_err());
        assert_eq!(<Vec<IpNet> as Value>::parse("").unwrap(), []);
    }

    #[test]
    fn a_url_has_a_host_and_no_slash_at_the_end() {
        let url = <Url as Value>::parse("https://id.example.org/auth/").unwrap();
        assert_eq!(url.print().unwrap(), "https://id.example.org/auth");
        let url = <Url as Value>::parse("https://id.example.org/").unwrap();
        assert_eq!(url.print().unwrap(), "https://id.example.org");
        for text in ["id.example.org", "localhost:8080", "mailto:a@example.org", "/auth", ""] {
            assert!(<Url as Value>::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_ratio_is_between_nothing_and_all() {
        assert_eq!(<f64 as Value>::parse("0.25").unwrap().print().unwrap(), "0.25");
        assert_eq!(<f64 as Value>::parse("1").unwrap().print().unwrap(), "1.0");
        for text in ["-0.1", "1.1", "NaN", "inf", "half"] {
            assert!(<f64 as Value>::parse(text).is_err(), "{text}");
        }
    }
}
