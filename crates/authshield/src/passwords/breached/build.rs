//! Making the file from lists.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::filter::{MOST_BITS, Writer};
use super::key;
use crate::kernel::Timestamp;

/// How many keys a part should have: some two megabytes while it is made.
const PART: u64 = 250_000;
/// How long a line of hashes is, about: 40 digits, a colon, a number, its end.
const HASH_LINE: u64 = 44;
/// How long a line may be.
const LONGEST_LINE: u64 = 64 * 1024;

/// What the file is made from.
#[derive(Debug, Clone, Copy)]
pub struct Lists<'l> {
    /// Where they are.
    pub files: &'l [PathBuf],
    /// Whether they are passwords, one to a line; else the SHA-1 of one, and perhaps `:` and how often it was seen.
    pub are_plain: bool,
    /// How often a password must have been seen, where a list says so.
    pub at_least: u64,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// How many passwords it knows.
    pub entries: u64,
    /// How many lines were left out, since they were not seen often enough.
    pub left_out: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A list cannot be read.
    #[error("{} cannot be read", list.display())]
    Unreadable {
        /// Which.
        list: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is no hash. What stands there may be a password, so it is not repeated.
    #[error(
        "{}, line {line}: a SHA-1 of 40 digits is expected, and perhaps `:` and a number; for a list of passwords \
         say --plain",
        list.display()
    )]
    NotAHash {
        /// Where.
        list: PathBuf,
        /// Where in it, from 1.
        line: u64,
    },
    /// A line is too long.
    #[error("{}, line {line} is too long to be one password", list.display())]
    TooLong {
        /// Where.
        list: PathBuf,
        /// Where in it, from 1.
        line: u64,
    },
    /// The only list is not in the order of its hashes.
    #[error(
        "{}, line {line}: the list is not in the order of its hashes; sort it (`LC_ALL=C sort`), or download the \
         one that is",
        list.display()
    )]
    Unsorted {
        /// Where.
        list: PathBuf,
        /// Where in it, from 1.
        line: u64,
    },
    /// There is nothing in them.
    #[error("there is nothing in the lists that was seen often enough")]
    Empty,
    /// The file cannot be written.
    #[error("{} cannot be written", file.display())]
    Unwritable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the file `out`, which takes the place of one that is there when it is whole.
///
/// One sorted list of hashes is read once and takes the memory of one part. Several lists, and plain ones, take
/// eight bytes of memory for each password.
pub fn build(lists: Lists<'_>, out: &Path, made_at: Timestamp) -> Result<Built, BuildError> {
    let mut new = out.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let built = write(lists, &new, made_at).and_then(|built| {
        std::fs::rename(&new, out).map_err(unwritable(out))?;
        Ok(built)
    });
    if built.is_err() {
        // What is half done is of no use, and may not be there at all.
        let _ = std::fs::remove_file(&new);
    }
    built
}

fn write(lists: Lists<'_>, new: &Path, made_at: Timestamp) -> Result<Built, BuildError> {
    let mut left_out = 0;
    let (sorted, bits) = match lists.files {
        [list] if !lists.are_plain => {
            let length = std::fs::metadata(list).map_err(unreadable(list))?.len();
            (None, bits(length / HASH_LINE))
        }
        _ => {
            let mut keys = Vec::new();
            read(lists, &mut left_out, &mut |_, key| {
                keys.push(key);
                Ok(())
            })?;
            keys.sort_unstable();
            keys.dedup();
            let bits = bits(keys.len() as u64);
            (Some(keys), bits)
        }
    };
    let file = File::create(new).map_err(unwritable(new))?;
    let to = BufWriter::with_capacity(1 << 20, file);
    let mut writer = Writer::new(to, bits, lists.at_least, made_at).map_err(unwritable(new))?;
    let mut push = |(list, line): (&Path, u64), key| {
        let in_order = writer.push(key).map_err(unwritable(new))?;
        in_order.map_err(|_| BuildError::Unsorted { list: list.to_owned(), line })
    };
    match sorted {
        Some(keys) => keys.into_iter().try_for_each(|key| push((new, 0), key))?,
        None => read(lists, &mut left_out, &mut push)?,
    }
    let (to, entries) = writer.finish().map_err(unwritable(new))?;
    if entries == 0 {
        return Err(BuildError::Empty);
    }
    let file = to.into_inner().map_err(|error| unwritable(new)(error.into_error()))?;
    file.sync_all().map_err(unwritable(new))?;
    let bytes = file.metadata().map_err(unwritable(new))?.len();
    Ok(Built { entries, left_out, bytes })
}

/// How many bits choose a part, for so many keys.
fn bits(keys: u64) -> u32 {
    (keys / PART).checked_ilog2().map_or(0, |log| log + 1).min(MOST_BITS)
}

type Push<'p> = dyn FnMut((&Path, u64), u64) -> Result<(), BuildError> + 'p;

/// Reads all lists, line by line.
fn read(lists: Lists<'_>, left_out: &mut u64, push: &mut Push<'_>) -> Result<(), BuildError> {
    for list in lists.files {
        let file = File::open(list).map_err(unreadable(list))?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            number += 1;
            let read = (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut line);
            if read.map_err(unreadable(list))? == 0 {
                break;
            }
            if line.len() as u64 == LONGEST_LINE {
                return Err(BuildError::TooLong { list: list.clone(), line: number });
            }
            let text = line.trim_ascii_end();
            let key = if lists.are_plain {
                plain(line.strip_suffix(b"\n").unwrap_or(&line))
            } else if text.is_empty() {
                None
            } else {
                let (key, seen) = hash(text)
                    .ok_or_else(|| BuildError::NotAHash { list: list.clone(), line: number })?;
                let is_seen = seen.is_none_or(|seen| seen >= lists.at_least);
                *left_out += u64::from(!is_seen);
                is_seen.then_some(key)
            };
            if let Some(key) = key {
                push((list, number), key)?;
            }
        }
    }
    Ok(())
}

/// The key of a password on a line of its own, in the form in which we hash it.
fn plain(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return None;
    }
    Some(match str::from_utf8(line) {
        Ok(text) => key(text.nfc().collect::<String>().as_bytes()),
        // Some lists are older than UTF-8.
        Err(_) => key(line),
    })
}

/// The key of a SHA-1, and how often it was seen, if the line says so.
fn hash(line: &[u8]) -> Option<(u64, Option<u64>)> {
    let text = str::from_utf8(line).ok()?;
    let (digits, seen) = match text.split_once(':') {
        Some((digits, seen)) => (digits, Some(seen.parse().ok()?)),
        None => (text, None),
    };
    if digits.len() != 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some((u64::from_str_radix(&digits[..16], 16).ok()?, seen))
}

fn unreadable(list: &Path) -> impl Fn(io::Error) -> BuildError {
    move |source| BuildError::Unreadable { list: list.to_owned(), source }
}

fn unwritable(file: &Path) -> impl Fn(io::Error) -> BuildError {
    move |source| BuildError::Unwritable { file: file.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::super::Filter;
    use super::*;
    use crate::world::{Sandbox, World};

    /// SHA-1 of "password" and of "123456", in their order.
    const HASHES: [&str; 2] =
        ["5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8", "7C4A8D09CA3762AF61E59520943DC26494F8941B"];

    fn made(
        texts: &[&[u8]],
        are_plain: bool,
        at_least: u64,
    ) -> Result<(Built, Filter), BuildError> {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..texts.len()).map(|n| folder.path().join(n.to_string())).collect();
        for (file, text) in files.iter().zip(texts) {
            std::fs::write(file, text).unwrap();
        }
        let out = folder.path().join("filter");
        let lists = Lists { files: &files, are_plain, at_least };
        let built = build(lists, &out, Sandbox::default().now());
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            files.len() + usize::from(built.is_ok())
        );
        built.map(|built| (built, Filter::read(&out).unwrap()))
    }

    #[test]
    fn a_published_list_is_read_as_it_is() {
        let [password, digits] = HASHES;
        let list = format!("{password}:9545824\r\n{}:37359195\r\n", digits.to_lowercase());
        let (built, filter) = made(&[list.as_bytes()], false, 0).unwrap();
        assert_eq!((built.entries, built.left_out), (2, 0));
        assert!(filter.knows("password") && filter.knows("123456"));
        assert!(!filter.knows("correct horse"));
        let (built, filter) = made(&[list.as_bytes()], false, 10_000_000).unwrap();
        assert_eq!((built.entries, built.left_out), (1, 1));
        assert!(filter.knows("123456") && !filter.knows("password"));
        assert!(matches!(made(&[list.as_bytes()], false, u64::MAX), Err(BuildError::Empty)));
        // Several need no order, and a line without a number counts.
        let (built, _) =
            made(&[digits.as_bytes(), list.as_bytes(), password.as_bytes()], false, 2).unwrap();
        assert_eq!(built.entries, 2);
    }

    #[test]
    fn a_list_of_passwords_is_read_as_it_is() {
        let list = b" spaces \n\nde\xcc\x81compose\xcc\x81\r\nlatin\xe9\nwith:colon";
        let (built, filter) = made(&[list], true, 5).unwrap();
        assert_eq!(built.entries, 4);
        for password in [" spaces ", "d\u{e9}compos\u{e9}", "with:colon"] {
            assert!(filter.knows(password), "{password}");
        }
        assert!(!filter.knows("spaces"));
    }

    #[test]
    fn what_is_no_list_is_said_with_its_line_and_not_repeated() {
        let [password, _] = HASHES;
        for wrong in
            ["hunter2", &password[1..], &format!("{password}:many"), &format!("{password}:-1")]
        {
            let list = format!("{password}\n{wrong}\n");
            let error = made(&[list.as_bytes()], false, 0).unwrap_err();
            assert!(matches!(error, BuildError::NotAHash { line: 2, .. }), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let endless = vec![b'a'; 100_000];
        assert!(matches!(made(&[&endless], true, 0), Err(BuildError::TooLong { line: 1, .. })));
    }

    #[test]
    fn a_long_list_is_made_in_parts_and_has_to_be_in_order() {
        assert_eq!([0, 249_999, 250_000, 500_000, 1 << 40].map(bits), [0, 0, 1, 2, 16]);
        let mut keys: Vec<_> = (0..300_000_u32).map(|n| key(&n.to_be_bytes())).collect();
        keys.sort_unstable();
        let line = |key: &u64| format!("{key:016X}{:024}:1\n", 0);
        let list: String = keys.iter().map(line).collect();
        let (built, _) = made(&[list.as_bytes()], false, 0).unwrap();
        assert_eq!(built.entries, 300_000);
        assert!(built.bytes < 300_000 * 5 / 2, "{built:?}");
        let list: String = keys.iter().rev().map(line).collect();
        assert!(matches!(made(&[list.as_bytes()], false, 0), Err(BuildError::Unsorted { .. })));
    }
}
