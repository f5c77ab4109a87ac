//! The file. What stands in it is somebody else's, so all of it is walked once before any of it is believed.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use super::{Country, Place, Point};
use crate::kernel::Timestamp;
use crate::watched::{FromFile, Unread};

/// How large a file may be; the largest that are sold have a third of it.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// How many networks are looked at for a country.
const ASKED: usize = 10_000;

/// How far a point may be off in a file that does not say.
const UNKNOWN_RADIUS: u16 = 1000;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What it calls itself: `GeoLite2-City`, …
    pub kind: String,
    /// When it was made.
    pub built_at: Timestamp,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("it is no file, or larger than a gibibyte")]
    Foreign,
    /// It is not in the format of MaxMind, or damaged, or not all there.
    #[error("it is no whole file in the format of MaxMind")]
    Damaged(#[source] MaxMindDbError),
    /// It is about something else.
    #[error("it is whole, and knows no countries (it calls itself {0})")]
    NoCountries(String),
}

/// Where addresses are.
#[derive(Debug)]
pub struct File {
    reader: Reader<Vec<u8>>,
    about: About,
}

/// What of a record is of interest, in the words of MaxMind, and of those who write `country_code` instead.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    country: Option<Named>,
    #[serde(default)]
    country_code: Option<String>,
    #[serde(default)]
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    iso_code: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
    #[serde(default)]
    accuracy_radius: Option<u16>,
}

impl From<Record> for Place {
    fn from(record: Record) -> Self {
        let code = record.country.and_then(|country| country.iso_code).or(record.country_code);
        let country = code.as_deref().and_then(Country::parse);
        let point = record.location.and_then(|location| {
            let Location { latitude, longitude, accuracy_radius } = location;
            let latitude = latitude.filter(|degrees| (-90.0..=90.0).contains(degrees))?;
            let longitude = longitude.filter(|degrees| (-180.0..=180.0).contains(degrees))?;
            let radius_km = accuracy_radius.unwrap_or(UNKNOWN_RADIUS);
            Some(Point { latitude, longitude, radius_km })
        });
        Self { country, point }
    }
}

impl File {
    /// Reads a file, all of it, and proves that it is whole and knows countries.
    pub fn read(path: &Path) -> Result<Self, Broken> {
        // Before it is opened: that waits for ever where somebody put a pipe.
        let about = std::fs::metadata(path)?;
        if !about.is_file() || about.len() > LARGEST {
            return Err(Broken::Foreign);
        }
        Self::parse(std::fs::read(path)?)
    }

    /// Reads what stood in a file.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Broken> {
        let reader = Reader::from_source(bytes).map_err(Broken::Damaged)?;
        reader.verify().map_err(Broken::Damaged)?;
        let metadata = reader.metadata();
        let seconds = i64::try_from(metadata.build_epoch).unwrap_or(i64::MAX);
        let built_at = Timestamp::from_microsecond(seconds.saturating_mul(1_000_000));
        let about = About { kind: metadata.database_type.clone(), built_at };
        let file = Self { reader, about };
        if file.knows_a_country().map_err(Broken::Damaged)? {
            Ok(file)
        } else {
            Err(Broken::NoCountries(file.about.kind))
        }
    }

    fn knows_a_country(&self) -> Result<bool, MaxMindDbError> {
        for network in self.reader.networks(WithinOptions::default())?.take(ASKED) {
            let place = network?.decode::<Record>()?.map(Place::from);
            if place.is_some_and(|place| place.country.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns what is known of where an address is.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        let found = self.reader.lookup(address).and_then(|found| found.decode::<Record>());
        found.ok().flatten().map_or_else(Place::default, Place::from)
    }
}

impl FromFile for File {
    type About = About;

    fn read(path: &Path) -> Result<Self, Unread> {
        Self::read(path).map_err(|broken| Unread {
            why: crate::problem::chain(&broken),
            may_pass: matches!(broken, Broken::Unreadable(_)),
        })
    }

    fn about(&self) -> About {
        self.about.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CITY: &[u8] = include_bytes!("../../tests/corpus/geoip/GeoLite2-City-Test.mmdb");
    const COUNTRY: &[u8] = include_bytes!("../../tests/corpus/geoip/GeoLite2-Country-Test.mmdb");
    const ASN: &[u8] = include_bytes!("../../tests/corpus/geoip/GeoLite2-ASN-Test.mmdb");
    const DOUBLE: &[u8] =
        include_bytes!("../../tests/corpus/geoip/GeoIP2-City-Test-Broken-Double-Format.mmdb");
    const NODES: &[u8] =
        include_bytes!("../../tests/corpus/geoip/GeoIP2-City-Test-Invalid-Node-Count.mmdb");

    fn at(file: &File, address: &str) -> Place {
        file.place(address.parse().unwrap())
    }

    #[test]
    fn what_is_known_is_told_and_the_rest_is_nothing() {
        let (city, country) =
            (File::parse(CITY.into()).unwrap(), File::parse(COUNTRY.into()).unwrap());
        for (address, code) in [
            ("89.160.20.128", Some("SE")),
            ("81.2.69.160", Some("GB")),
            ("2001:218::1", Some("JP")),
            ("127.0.0.1", None),
            ("0.0.0.0", None),
            ("10.1.2.3", None),
            ("::1", None),
        ] {
            let code = code.and_then(Country::parse);
            assert_eq!(at(&city, address).country, code, "{address}");
            assert_eq!(at(&country, address).country, code, "{address}");
            assert_eq!(at(&country, address).point, None);
        }
        let Point { latitude, longitude, radius_km } = at(&city, "89.160.20.128").point.unwrap();
        assert!((latitude - 58.4167).abs() < 0.01 && (longitude - 15.6167).abs() < 0.01);
        assert!(radius_km > 0);
        assert_eq!(city.about.kind, "GeoLite2-City");
        assert_eq!(&city.about.built_at.to_string()[..3], "202");
    }

    #[test]
    fn what_is_broken_or_about_something_else_is_refused_with_a_reason() {
        for (bytes, words) in [
            (DOUBLE, "no whole file"),
            (NODES, "no whole file"),
            (&CITY[..CITY.len() / 2], "no whole file"),
            (&CITY[..CITY.len() - 1], "no whole file"),
            (b"".as_slice(), "no whole file"),
            (b"\xab\xcd\xefMaxMind.com".as_slice(), "no whole file"),
            (ASN, "knows no countries (it calls itself GeoLite2-ASN)"),
        ] {
            let broken = File::parse(bytes.to_vec()).unwrap_err();
            assert!(broken.to_string().contains(words), "{broken}");
        }
        let there = File::read(Path::new("/")).unwrap_err();
        assert!(matches!(there, Broken::Foreign));
    }

    proptest! {
        /// Whatever somebody puts into a file: it is refused, or answers; nothing panics.
        #[test]
        fn no_file_makes_anybody_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
            length in any::<prop::sample::Index>(),
            address in any::<u32>(),
        ) {
            let mut bytes = CITY.to_vec();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let _ = File::parse(bytes[..length.index(bytes.len())].to_vec());
            if let Ok(file) = File::parse(bytes) {
                let _ = file.place(IpAddr::V4(address.into()));
            }
        }
    }
}
