//! Maps of CBOR as authenticators write them (CTAP 2.1, section 8): a definite number of members, each
//! under a number or a word of its own. The values are left as they are until somebody asks for one.

use minicbor::Decoder;
use minicbor::data::Type;

/// The most members of a map that is read; the largest in use is the public key of an RSA key, with four.
const MEMBERS: u64 = 32;
/// How deep values may lie in each other: in use are certificates in a list in a statement.
const DEPTH: u8 = 8;

/// What a value stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'b> {
    Number(i64),
    Word(&'b str),
}

impl From<i64> for Key<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<'b> From<&'b str> for Key<'b> {
    fn from(word: &'b str) -> Self {
        Self::Word(word)
    }
}

/// A map.
#[derive(Debug)]
pub(super) struct Map<'b>(Vec<(Key<'b>, &'b [u8])>);

impl<'b> Map<'b> {
    /// Reads a map and returns what follows it; `None` if there is none of the kind above.
    pub(super) fn read(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let mut decoder = Decoder::new(bytes);
        let count = decoder.map().ok()?.filter(|count| *count <= MEMBERS)?;
        let mut members: Vec<(Key<'_>, &[u8])> = Vec::new();
        for _ in 0..count {
            let key = match decoder.datatype().ok()? {
                Type::String => Key::Word(decoder.str().ok()?),
                _ => Key::Number(decoder.i64().ok()?),
            };
            if members.iter().any(|(known, _)| *known == key) {
                return None;
            }
            let start = decoder.position();
            skip(&mut decoder, DEPTH)?;
            members.push((key, bytes.get(start..decoder.position())?));
        }
        Some((Self(members), bytes.get(decoder.position()..)?))
    }

    fn at<'k>(&self, key: impl Into<Key<'k>>) -> Option<Decoder<'b>> {
        let key = key.into();
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| Decoder::new(value))
    }

    /// Returns the number under `key`.
    pub(super) fn integer<'k>(&self, key: impl Into<Key<'k>>) -> Option<i64> {
        self.at(key)?.i64().ok()
    }

    /// Returns the bytes under `key`.
    pub(super) fn bytes<'k>(&self, key: impl Into<Key<'k>>) -> Option<&'b [u8]> {
        self.at(key)?.bytes().ok()
    }

    /// Returns the text under `key`.
    pub(super) fn text<'k>(&self, key: impl Into<Key<'k>>) -> Option<&'b str> {
        self.at(key)?.str().ok()
    }

    /// Whether there is a map under `key`.
    pub(super) fn has_map<'k>(&self, key: impl Into<Key<'k>>) -> bool {
        self.at(key).is_some_and(|value| value.datatype().is_ok_and(|kind| kind == Type::Map))
    }
}

/// Walks over a value.
fn skip(decoder: &mut Decoder<'_>, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let count = match decoder.datatype().ok()? {
        Type::Array => decoder.array().ok()??,
        Type::Map => decoder.map().ok()??.checked_mul(2)?,
        Type::Tag => {
            decoder.tag().ok()?;
            1
        }
        Type::ArrayIndef | Type::MapIndef | Type::Break | Type::Unknown(_) => return None,
        _ => return decoder.skip().ok(),
    };
    (0..count).try_for_each(|_| skip(decoder, depth))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_authenticators_write_is_read_and_nothing_else_is() {
        let (map, rest) =
            Map::read(b"\xa4\x01\x02\x20\x43abc\x63key\x64word\x18\x2a\xa0\xff").unwrap();
        assert_eq!(rest, b"\xff");
        assert_eq!((map.integer(1), map.bytes(-1)), (Some(2), Some(b"abc".as_slice())));
        assert_eq!((map.text("key"), map.has_map(42)), (Some("word"), true));
        assert_eq!((map.integer("key"), map.bytes(1), map.text(-1)), (None, None, None));
        assert_eq!((map.integer(2), map.has_map(1)), (None, false));
        for wrong in [
            b"".as_slice(),
            b"\x01",                                     // no map
            b"\xa1",                                     // a map without its members
            b"\xa1\x01",                                 // a key without its value
            b"\xa1\x18",                                 // a number without its digits
            b"\xa1\x01\x43ab",                           // bytes that break off
            b"\xa1\x62\xff\xfe\x01",                     // a word that is no UTF-8
            b"\xbf\x01\x02\xff",                         // a length that is told at the end
            b"\xa1\xf9\x3c\x00\x01",                     // a float for a key
            b"\xa2\x01\x02\x01\x03",                     // a key twice
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",     // more members than there can be
            b"\xa1\x1b\xff\xff\xff\xff\xff\xff\xff\xff", // a key that is no number of ours
        ] {
            assert!(Map::read(wrong).is_none(), "{wrong:02x?}");
        }
        // What is never looked at is bounded, too.
        let inside = |depth| [b"\xa1\x01".as_slice(), &vec![0x81; depth], b"\x01"].concat();
        assert!(
            Map::read(&inside(7)).is_some_and(|(map, rest)| rest.is_empty() && !map.has_map(1))
        );
        for value in [
            inside(8),
            inside(60_000),
            b"\xa1\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            b"\xa1\x01\xbb\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            b"\xa1\x01\x9f\x01\xff".to_vec(),
            b"\xa1\x01\xff".to_vec(),
            b"\xa1\x01\xdf".to_vec(),
        ] {
            assert!(Map::read(&value).is_none(), "{:02x?}", &value[..value.len().min(12)]);
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_fail(bytes: Vec<u8>) {
            if let Some((map, rest)) = Map::read(&bytes) {
                prop_assert!(rest.len() < bytes.len());
                let _ = (map.integer(1), map.bytes(1), map.text(1), map.has_map(1));
            }
        }
    }
}
