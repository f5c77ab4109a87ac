//! Which key signs, which are published, and when there must be another. Values in, values out.
//!
//! ```text
//! created ── published ──> active_from ── signs ──> successor's active_from ── verifies ──> expires_at
//! ```
//!
//! A key is published before it signs, so that nobody meets a token whose key they have not seen; it
//! is published until the last token it signed has died, on the slowest clock, and nobody keeps an
//! old copy of the key set.

use std::time::Duration;

use crate::config::{SigningAlgorithm, Token};
use crate::kernel::Timestamp;

/// How long others may keep our key set.
pub const JWKS_MAX_AGE: Duration = Duration::from_mins(5);

/// How far clocks may differ, and how long nodes may take to hear of a new key.
const LEEWAY: Duration = Duration::from_mins(1);

/// When a key was made, begins to sign and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyState {
    pub(super) kid: String,
    /// Counts up by one.
    pub(super) generation: i64,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) created_at: Timestamp,
    pub(super) active_from: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

/// Returns the place of the key that signs; `keys` are in the order of their generations.
///
/// It is the youngest that may. If none may yet, then our clock is behind that of the node which made
/// the first: that one.
pub(super) fn active<'k>(
    keys: impl DoubleEndedIterator<Item = &'k KeyState> + ExactSizeIterator,
    now: Timestamp,
) -> Option<usize> {
    let last = keys.len().checked_sub(1)?;
    let back = keys.rev().position(|key| key.active_from <= now);
    Some(back.map_or(0, |back| last - back))
}

/// Returns how long a key is still published after it stopped signing.
pub(super) fn afterlife(settings: &Token) -> Duration {
    settings.access_ttl + JWKS_MAX_AGE + LEEWAY
}

/// Returns from when a new key has to sign, if it is time to make one.
pub(super) fn due(keys: &[KeyState], settings: &Token, now: Timestamp) -> Option<Timestamp> {
    let active = active(keys.iter(), now)?;
    // A setting of zero would make a key with every look.
    if active + 1 < keys.len() || settings.key_rotation.is_zero() {
        return None;
    }
    let planned = keys[active].active_from + settings.key_rotation;
    let earliest = now + settings.key_publish_ahead;
    (planned <= earliest).then_some(planned.max(earliest))
}

/// Returns the generation and the end of a key that must live longer than was planned: the tokens
/// that it still signs live longer since a setting changed.
pub(super) fn overdue_end(
    keys: &[KeyState],
    settings: &Token,
    now: Timestamp,
) -> Option<(i64, Timestamp)> {
    let active = active(keys.iter(), now)?;
    let (key, successor) = (&keys[active], keys.get(active + 1)?);
    let end = successor.active_from + afterlife(settings);
    key.expires_at.filter(|planned| *planned < end).map(|_| (key.generation, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn settings() -> Token {
        Token {
            algorithm: SigningAlgorithm::Es256,
            access_ttl: Duration::from_mins(15),
            audience: "https://id.example.org".to_owned(),
            key_rotation: 90 * DAY,
            key_publish_ahead: DAY,
        }
    }

    fn day(number: u32) -> Timestamp {
        Timestamp::from_microsecond(1_795_334_400_000_000) + number * DAY
    }

    fn key(generation: i64, active_from: Timestamp) -> KeyState {
        KeyState {
            kid: generation.to_string(),
            generation,
            algorithm: SigningAlgorithm::Es256,
            created_at: day(0),
            active_from,
            expires_at: None,
        }
    }

    #[test]
    fn the_youngest_that_may_sign_does() {
        let keys = [key(1, day(0)), key(2, day(10)), key(3, day(20))];
        for (now, place) in [(day(0), 0), (day(9), 0), (day(10), 1), (day(19), 1), (day(99), 2)] {
            assert_eq!(active(keys.iter(), now), Some(place));
        }
        // A clock that is behind.
        assert_eq!(active([key(1, day(3))].iter(), day(2)), Some(0));
        assert_eq!(active([].iter(), day(2)), None);
    }

    #[test]
    fn a_successor_is_made_once_and_ahead_of_its_use() {
        let (first, settings) = (key(1, day(0)), settings());
        let alone = [first.clone()];
        assert_eq!(due(&alone, &settings, day(88)), None);
        assert_eq!(due(&alone, &settings, day(89)), Some(day(90)));
        // Switched off over the date: still published first.
        assert_eq!(due(&alone, &settings, day(200)), Some(day(201)));
        assert_eq!(due(&[first, key(2, day(90))], &settings, day(89)), None);
        let never = Token { key_rotation: Duration::ZERO, ..settings };
        assert_eq!(due(&alone, &never, day(200)), None);
    }

    #[test]
    fn a_key_outlives_the_tokens_that_it_signs() {
        let settings = settings();
        let mut old = key(1, day(0));
        old.expires_at = Some(day(90) + afterlife(&settings));
        let keys = [old, key(2, day(90))];
        assert_eq!(overdue_end(&keys, &settings, day(89)), None);
        let longer = Token { access_ttl: DAY, ..settings };
        let end = day(91) + JWKS_MAX_AGE + LEEWAY;
        assert_eq!(overdue_end(&keys, &longer, day(89)), Some((1, end)));
        // What it signed before it retired has the life that it had.
        assert_eq!(overdue_end(&keys, &longer, day(90)), None);
    }
}
