//! The file: a binary fuse filter in parts, each over the keys that begin with the same bits.
//!
//! ```text
//! "ASBREACH"    8
//! version       4   1
//! bits          4   so many first bits of a key say in which part it is
//! at least      8   how often a password was seen to be in it; 0 if that was not asked
//! made          8   when, in microseconds since 1970
//! each part:
//!   keys        4   none: nothing follows
//!   length      4   of a segment
//!   span        4   of all segments but two
//!   seed        8
//!   sample      8   one of its keys
//!   cells       2 × (span + 2 × length)
//! entries       8
//! SHA-256      32   of all that stands before
//! ```
//!
//! Numbers have their low byte first. A password that is in no list is taken for one with a chance of 2⁻¹⁶.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use xorf::{BinaryFuse16, Filter as _};

use super::key;
use crate::kernel::Timestamp;

const MAGIC: [u8; 8] = *b"ASBREACH";
const VERSION: u32 = 1;
/// The most bits that choose a part.
pub(super) const MOST_BITS: u32 = 16;
/// The longest segment that the filter makes.
const LONGEST_SEGMENT: u32 = 1 << 18;
/// How long the checksum is.
const SEAL: usize = 32;
/// How many cells are read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// How many passwords it knows.
    pub entries: u64,
    /// How often each of them was seen; 0 if that was not asked.
    pub at_least: u64,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("it is not what `authshield breach build` makes")]
    Foreign,
    /// It is of a version that we do not know.
    #[error("it has version {0}, and this program reads version {VERSION}: build it anew")]
    Version(u32),
    /// It was changed, or it is not all there.
    #[error("it is damaged, or not all of it is there")]
    Damaged,
    /// It is whole, and its own keys are not found.
    #[error("it does not find its own entries: build it anew")]
    Deaf,
}

/// Which passwords are known, by their keys.
#[derive(Debug)]
pub struct Filter {
    /// What it says of itself.
    pub about: About,
    bits: u32,
    parts: Vec<Option<BinaryFuse16>>,
}

impl Filter {
    /// Reads a file, all of it, and proves that it is whole and finds what is in it.
    pub fn read(file: &Path) -> Result<Self, Broken> {
        // Before it is opened: that waits for ever where somebody put a pipe.
        let about = std::fs::metadata(file)?;
        if !about.is_file() {
            return Err(Broken::Foreign);
        }
        let file = File::open(file)?;
        Self::parse(BufReader::with_capacity(CHUNK, file), about.len())
    }

    /// Reads `length` bytes.
    pub(super) fn parse(from: impl Read, length: u64) -> Result<Self, Broken> {
        let left = length.checked_sub(SEAL as u64).ok_or(Broken::Foreign)?;
        let mut from = Source { from, digest: Sha256::new(), left };
        if from.take::<8>().map_err(|_| Broken::Foreign)? != MAGIC {
            return Err(Broken::Foreign);
        }
        let version = from.u32()?;
        if version != VERSION {
            return Err(Broken::Version(version));
        }
        let bits = from.u32()?;
        if bits > MOST_BITS {
            return Err(Broken::Damaged);
        }
        let (at_least, made) = (from.u64()?, from.u64()?);
        let (mut parts, mut samples) = (Vec::new(), Vec::new());
        for _ in 0..1_u32 << bits {
            parts.push(from.part()?.map(|(part, sample)| {
                samples.push(sample);
                part
            }));
        }
        let entries = from.u64()?;
        from.end()?;
        let made_at = Timestamp::from_microsecond(made.cast_signed());
        let filter = Self { about: About { entries, at_least, made_at }, bits, parts };
        if samples.into_iter().any(|sample| !filter.has(sample)) {
            return Err(Broken::Deaf);
        }
        Ok(filter)
    }

    /// Whether it knows a password, which is in NFC.
    #[must_use]
    pub fn knows(&self, password: &str) -> bool {
        self.has(key(password.as_bytes()))
    }

    fn has(&self, key: u64) -> bool {
        let part = self.parts.get(place(key, self.bits)).and_then(Option::as_ref);
        part.is_some_and(|part| part.contains(&key))
    }
}

/// In which part a key is.
pub(super) fn place(key: u64, bits: u32) -> usize {
    let first = key.checked_shr(u64::BITS - bits).unwrap_or_default();
    usize::try_from(first).expect("it has sixteen bits at most")
}

/// What is read, while it is counted and summed.
struct Source<R> {
    from: R,
    digest: Sha256,
    left: u64,
}

impl<R: Read> Source<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Broken> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(Broken::Damaged)?;
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Broken::Damaged,
            _ => Broken::Unreadable(error),
        })?;
        self.digest.update(bytes);
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Broken> {
        self.take().map(u64::from_le_bytes)
    }

    /// Reads a part and one of its keys. Whatever it says of itself, no key leads outside its cells.
    fn part(&mut self) -> Result<Option<(BinaryFuse16, u64)>, Broken> {
        if self.u32()? == 0 {
            return Ok(None);
        }
        let (length, span) = (self.u32()?, self.u32()?);
        let (seed, sample) = (self.u64()?, self.u64()?);
        let is_sound = length.is_power_of_two()
            && length <= LONGEST_SEGMENT
            && span > 0
            && span.is_multiple_of(length);
        let cells = u64::from(span) + 2 * u64::from(length);
        if !is_sound || u32::try_from(cells).is_err() || 2 * cells > self.left {
            return Err(Broken::Damaged);
        }
        let mut left = usize::try_from(2 * cells).map_err(|_| Broken::Damaged)?;
        let mut fingerprints = Vec::with_capacity(left / 2);
        let mut chunk = vec![0; CHUNK.min(left)];
        while left > 0 {
            let chunk = &mut chunk[..CHUNK.min(left)];
            self.fill(chunk)?;
            let pairs = chunk.as_chunks().0.iter();
            fingerprints.extend(pairs.map(|pair| u16::from_le_bytes(*pair)));
            left -= chunk.len();
        }
        // What describes a filter has no name outside its crate: so one of nothing becomes this one.
        let mut part = BinaryFuse16::try_from_iterator(std::iter::empty())
            .expect("there is a filter of nothing");
        part.descriptor.seed = seed;
        part.descriptor.segment_length = length;
        part.descriptor.segment_length_mask = length - 1;
        part.descriptor.segment_count_length = span;
        part.fingerprints = fingerprints.into_boxed_slice();
        Ok(Some((part, sample)))
    }

    /// Compares the checksum behind all that was read.
    fn end(mut self) -> Result<(), Broken> {
        let mut seal = [0; SEAL];
        if self.left > 0 || self.from.read_exact(&mut seal).is_err() {
            return Err(Broken::Damaged);
        }
        if self.digest.finalize().as_slice() != seal {
            return Err(Broken::Damaged);
        }
        Ok(())
    }
}

/// Writes a file, part by part.
pub(super) struct Writer<W> {
    to: W,
    digest: Sha256,
    bits: u32,
    /// Which part `keys` are of.
    part: usize,
    keys: Vec<u64>,
    entries: u64,
}

/// A key came after those of a later part.
pub(super) struct OutOfOrder;

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W, bits: u32, at_least: u64, made_at: Timestamp) -> io::Result<Self> {
        let (part, keys, entries) = (0, Vec::new(), 0);
        let mut writer = Self { to, digest: Sha256::new(), bits, part, keys, entries };
        writer.put(&MAGIC)?;
        writer.put(&VERSION.to_le_bytes())?;
        writer.put(&bits.to_le_bytes())?;
        writer.put(&at_least.to_le_bytes())?;
        writer.put(&made_at.as_microsecond().to_le_bytes())?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.to.write_all(bytes)
    }

    /// Adds a key; those of a part that is earlier than that of the key before are too late.
    pub(super) fn push(&mut self, key: u64) -> io::Result<Result<(), OutOfOrder>> {
        let part = place(key, self.bits);
        if part < self.part {
            return Ok(Err(OutOfOrder));
        }
        while self.part < part {
            self.close_part()?;
        }
        self.keys.push(key);
        Ok(Ok(()))
    }

    fn close_part(&mut self) -> io::Result<()> {
        self.part += 1;
        self.keys.sort_unstable();
        self.keys.dedup();
        let keys = std::mem::take(&mut self.keys);
        let count =
            u32::try_from(keys.len()).map_err(|_| io::Error::other("the list is too long"))?;
        self.entries += u64::from(count);
        self.put(&count.to_le_bytes())?;
        let Some(sample) = keys.first().copied() else { return Ok(()) };
        let BinaryFuse16 { descriptor, fingerprints } =
            BinaryFuse16::try_from(&keys).map_err(io::Error::other)?;
        self.put(&descriptor.segment_length.to_le_bytes())?;
        self.put(&descriptor.segment_count_length.to_le_bytes())?;
        self.put(&descriptor.seed.to_le_bytes())?;
        self.put(&sample.to_le_bytes())?;
        let cells: Vec<u8> = fingerprints.iter().flat_map(|cell| cell.to_le_bytes()).collect();
        self.put(&cells)
    }

    /// Writes what is still due, and returns how many entries there are.
    pub(super) fn finish(mut self) -> io::Result<(W, u64)> {
        while self.part < 1 << self.bits {
            self.close_part()?;
        }
        self.put(&self.entries.to_le_bytes())?;
        let seal = self.digest.finalize_reset();
        self.to.write_all(&seal)?;
        self.to.flush()?;
        Ok((self.to, self.entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::world::{Sandbox, World};

    fn written(passwords: impl IntoIterator<Item = String>, bits: u32) -> Vec<u8> {
        let mut keys: Vec<_> = passwords.into_iter().map(|it| key(it.as_bytes())).collect();
        keys.sort_unstable();
        let mut writer = Writer::new(Vec::new(), bits, 3, Sandbox::default().now()).unwrap();
        for key in keys {
            writer.push(key).unwrap().ok().unwrap();
        }
        writer.finish().unwrap().0
    }

    fn parse(bytes: &[u8]) -> Result<Filter, Broken> {
        Filter::parse(bytes, bytes.len() as u64)
    }

    /// Opening a pipe that nobody writes to never ends.
    #[test]
    fn what_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for what in [pipe.as_path(), folder.path()] {
            assert!(matches!(Filter::read(what), Err(Broken::Foreign)), "{}", what.display());
        }
    }

    #[test]
    fn what_is_in_it_is_known_and_little_else() {
        for (count, bits) in [(0, 0), (1, 0), (2, 3), (5, 0), (20_000, 4)] {
            let bytes = written((0..count).map(|n| format!("password {n}")), bits);
            let filter = parse(&bytes).unwrap();
            let about = About { entries: count, at_least: 3, made_at: Sandbox::default().now() };
            assert_eq!(filter.about, about);
            for n in 0..count {
                assert!(filter.knows(&format!("password {n}")), "{n} of {count}");
            }
            let others = (0..100_000).filter(|n| filter.knows(&format!("another {n}"))).count();
            assert!(others < 12, "{others} of 100,000, where two are to be expected");
        }
    }

    #[test]
    fn whatever_is_changed_or_cut_off_is_noticed() {
        let bytes = written((0..40).map(|n| format!("password {n}")), 2);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(parse(&changed).is_err(), "changed at {at}");
            assert!(parse(&bytes[..at]).is_err(), "cut off at {at}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(parse(&longer), Err(Broken::Damaged)));
        let mut newer = bytes;
        newer[8] = 2;
        assert!(matches!(parse(&newer), Err(Broken::Version(2))));
        assert!(matches!(
            parse(b"password\n123456\nqwertyuiop\nand so on, a list"),
            Err(Broken::Foreign)
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Who can write the file can also seal it: no sound seal makes it panic or take memory that is not in it.
        #[test]
        fn no_sealed_nonsense_makes_it_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            password in "[a-z]{0,12}",
        ) {
            let mut bytes = written((0..40).map(|n| format!("password {n}")), 2);
            let end = bytes.len() - 32;
            for (at, byte) in changes {
                // What comes first says most.
                let at = at.index(end).min(at.index(end)) % end;
                bytes[at] = byte;
            }
            let seal = Sha256::digest(&bytes[..end]);
            bytes[end..].copy_from_slice(&seal);
            if let Ok(filter) = parse(&bytes) {
                let _ = filter.knows(&password);
            }
        }
    }
}
