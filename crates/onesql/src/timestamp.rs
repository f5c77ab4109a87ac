use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

/// An instant in whole microseconds, in UTC.
///
/// Both databases give back exactly what they were given: PostgreSQL as `TIMESTAMPTZ`, SQLite as
/// RFC 3339 text with six digits, so that text order is time order.
///
/// ```
/// # use onesql::Timestamp;
/// let at: Timestamp = "2026-11-22T08:30:00.5Z".parse().unwrap();
/// assert_eq!(at.to_string(), "2026-11-22T08:30:00.500000Z");
/// assert_eq!((at + std::time::Duration::from_secs(60)).as_second(), at.as_second() + 60);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(jiff::Timestamp);

/// 2000-01-01T00:00:00Z, where PostgreSQL counts from, in microseconds since the Unix epoch.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Timestamp {
    /// Returns the instant `micros` microseconds after the Unix epoch; clamped to years 0 to 9999.
    #[must_use]
    pub fn from_microsecond(micros: i64) -> Self {
        // The library counts microseconds only up to the last whole second.
        let limit = jiff::Timestamp::MAX.as_second() * 1_000_000;
        let micros = micros.clamp(0, limit);
        Self(jiff::Timestamp::from_microsecond(micros).expect("clamped to what can be represented"))
    }

    /// Returns microseconds since the Unix epoch.
    #[must_use]
    pub fn as_microsecond(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Returns whole seconds since the Unix epoch, as `exp` and `iat` want them (RFC 7519, 2).
    #[must_use]
    pub fn as_second(self) -> i64 {
        self.0.as_second()
    }

    /// Returns how long ago `earlier` was; zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.as_microsecond() - earlier.as_microsecond())
            .map_or(Duration::ZERO, Duration::from_micros)
    }

    /// Returns a form for people, in UTC, to the minute.
    #[must_use]
    pub fn to_minute(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M UTC").to_string()
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_microsecond(self.as_microsecond().saturating_add(micros))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_microsecond(self.as_microsecond().saturating_sub(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        if let Some(at) = own_form(text.as_bytes()) {
            return Ok(at);
        }
        let at: jiff::Timestamp = text.parse()?;
        Ok(Self::from_microsecond(at.as_microsecond()))
    }
}

/// Reads what [`Timestamp`] writes. That is the one form in the database, where a request meets a dozen
/// of them, and a parser of every form takes ten times as long.
fn own_form(text: &[u8]) -> Option<Timestamp> {
    let text: &[u8; 27] = text.try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if marks.iter().any(|(place, mark)| text[*place] != *mark) {
        return None;
    }
    let number = |places: std::ops::Range<usize>| {
        text[places].iter().try_fold(0_i32, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i32::from(digit - b'0'))
        })
    };
    let small = |places| number(places).and_then(|number| i8::try_from(number).ok());
    let at = jiff::civil::DateTime::new(
        i16::try_from(number(0..4)?).ok()?,
        small(5..7)?,
        small(8..10)?,
        small(11..13)?,
        small(14..16)?,
        small(17..19)?,
        number(20..26)? * 1000,
    );
    let at = jiff::tz::TimeZone::UTC.to_timestamp(at.ok()?).ok()?;
    Some(Timestamp::from_microsecond(at.as_microsecond()))
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse()
    }
}

impl Type<Sqlite> for Timestamp {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.to_string(), buffer)
    }
}

impl Decode<'_, Sqlite> for Timestamp {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(<&str as Decode<Sqlite>>::decode(value)?.parse()?)
    }
}

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("TIMESTAMPTZ")
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        *ty == <Self as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.as_microsecond() - POSTGRES_EPOCH, buffer)
    }
}

impl Decode<'_, Postgres> for Timestamp {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        Ok(Self::from_microsecond(micros.saturating_add(POSTGRES_EPOCH)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_order_is_time_order() {
        let whole = Timestamp::from_microsecond(1_800_000_000_000_000);
        let after = Timestamp::from_microsecond(1_800_000_000_500_000);
        assert!(whole < after);
        assert!(whole.to_string() < after.to_string());
        assert_eq!(whole.to_string().parse::<Timestamp>().expect("our own form"), whole);
    }

    /// ASVS: V16.2.2
    #[test]
    fn what_is_written_is_read() {
        for micros in [0, 1, 951_782_399_999_999, 951_782_400_000_000, 253_402_207_200_000_000] {
            let at = Timestamp::from_microsecond(micros);
            assert_eq!(own_form(at.to_string().as_bytes()), Some(at), "{at}");
            assert_eq!(at.to_string().parse::<jiff::Timestamp>().expect("RFC 3339"), at.0);
        }
        for other in [
            "2026-11-22T08:30:00Z",
            "2026-11-22T08:30:00.500000+",
            "2026-02-29T08:30:00.500000Z",
            "2026-11-22T24:30:00.500000Z",
            "2026-11-22T08:30:00.5000 0Z",
            "+026-11-22T08:30:00.500000Z",
        ] {
            assert_eq!(own_form(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn arithmetic_never_leaves_the_calendar() {
        let now = Timestamp::from_microsecond(1);
        assert_eq!(now - Duration::from_secs(5), Timestamp::from_microsecond(0));
        let last = now + Duration::MAX;
        assert!(last.to_string().starts_with("9999-"));
        assert_eq!(Timestamp::from_microsecond(last.as_microsecond() + 1), last);
    }
}
