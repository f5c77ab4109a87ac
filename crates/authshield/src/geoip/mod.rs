//! In which country an address is: a file in MaxMind's format, read whole and looked at for replacement.
//!
//! It is asked for every event and every session that is shown. Nobody is asked over the network, and what is not
//! known is nothing, never a guess.

mod file;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use file::{About, Broken, File};

use crate::watched::{Look, Watched};

/// A country, as ISO 3166-1 names it in two letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two capital letters.
    ///
    /// ```
    /// # use authshield::geoip::Country;
    /// assert_eq!(Country::parse("SE").map(|country| country.to_string()).as_deref(), Some("SE"));
    /// assert!(["", "se", "SWE", "S1", "Ö"].iter().all(|text| Country::parse(text).is_none()));
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// Returns the two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("two letters of ASCII")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is known of where an address is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Place {
    /// In which country.
    pub country: Option<Country>,
    /// Where on Earth; nothing in files that know countries only.
    pub point: Option<Point>,
}

/// Somewhere on Earth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Degrees to the north, -90 to 90.
    pub latitude: f64,
    /// Degrees to the east, -180 to 180.
    pub longitude: f64,
    /// Within how many kilometres of it, most likely.
    pub radius_km: u16,
}

/// Knows where addresses are; clones share it.
#[derive(Clone, Default)]
pub struct GeoIp(Arc<Watched<File>>);

impl GeoIp {
    /// Knows what stands in `file`; nothing is read yet.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self(Arc::new(Watched::new(file)))
    }

    /// See [`Watched::look`].
    #[must_use]
    pub fn look(&self) -> Option<Look<About>> {
        self.0.look()
    }

    /// See [`Watched::standing`].
    #[must_use]
    pub fn standing(&self) -> (Option<About>, Option<String>) {
        self.0.standing()
    }

    /// Returns what the file says of itself that counts at present.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        self.0.about()
    }

    /// Returns what is known of where an address is.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        self.0.current().as_ref().map_or_else(Place::default, |file| file.place(address))
    }

    /// Returns in which country an address is, if that is known.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        self.place(address).country
    }
}
