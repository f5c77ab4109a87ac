//! Lists in pieces, by key: stable while rows are added.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesql::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::problem::Problem;

/// Which piece of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// How many items, 1 to 200; 50 unless said.
    limit: Option<u16>,
    /// `next_cursor` of the piece before.
    cursor: Option<String>,
}

/// A place in a list: everything after it is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the item before was made.
    pub at: Timestamp,
    /// Its id, since several may be made at once.
    pub id: Uuid,
}

impl Place {
    /// Before everything.
    #[must_use]
    pub fn start() -> Self {
        Self { at: Timestamp::from_microsecond(i64::MAX), id: Uuid::max() }
    }

    fn to_cursor(self) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.at.as_microsecond().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn from_cursor(text: &str) -> Option<Self> {
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (at, id) = bytes.split_at(8);
        let micros = i64::from_be_bytes(at.try_into().ok()?);
        Some(Self { at: Timestamp::from_microsecond(micros), id: Uuid::from_slice(id).ok()? })
    }
}

impl Paging {
    /// Makes one from what the query said.
    #[must_use]
    pub fn new(limit: Option<u16>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// Returns where to begin, and how many rows to read: one more than is shown, to know whether
    /// there is more.
    pub fn read(&self) -> Result<(Place, i64), Problem> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return Err(Problem::invalid_field("", "invalid_limit", "`limit` is 1 to 200."));
        }
        let place = match &self.cursor {
            None => Place::start(),
            Some(cursor) => Place::from_cursor(cursor).ok_or_else(|| {
                Problem::invalid_field("", "invalid_cursor", "`cursor` is not one that we gave.")
            })?,
        };
        Ok((place, i64::from(limit) + 1))
    }
}

/// A piece of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Give it as `cursor` to get what follows; `null` at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts the extra row off again.
    pub fn cut(mut items: Vec<T>, read: i64, place: impl Fn(&T) -> Place) -> Self {
        let shown = usize::try_from(read - 1).expect("read at least two");
        let more = items.len() > shown;
        items.truncate(shown);
        let next_cursor = items.last().filter(|_| more).map(|last| place(last).to_cursor());
        Self { items, next_cursor }
    }

    /// Shows each item in another form.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(show).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let place = Place {
            at: Timestamp::from_microsecond(1_795_334_400_000_001),
            id: Uuid::from_u128(7),
        };
        assert_eq!(Place::from_cursor(&place.to_cursor()), Some(place));
        for wrong in ["", "x", "AAAA", "%%%", &"A".repeat(4000)] {
            assert_eq!(Place::from_cursor(wrong), None, "{wrong}");
        }
    }
}
