//! An encrypted file that is written and read as a stream.
//!
//! ```text
//! authshield-backup\n        what it is
//! {"format":1, …}\n          the head, in clear: which key, which salt
//! length, ciphertext         frames of at most 64 KiB (AES-256-GCM); the top bit marks the last
//! ```
//!
//! Every file has a key of its own, so the nonce is the frame's number. It also says whether the frame
//! is the last, so a file that was cut, spliced or put in another order does not open. The head is
//! bound to every frame.

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::BackupError;

/// How a file begins.
const MAGIC: &[u8] = b"authshield-backup\n";
/// The only format there is.
const FORMAT: u32 = 1;
/// How much goes into one frame, in bytes.
const FRAME: usize = 64 << 10;
/// Marks the last frame in its length.
const LAST: u32 = 1 << 31;
/// The longest head that is read, in bytes.
const HEAD_AT_MOST: usize = 4096;

/// What is known of a file without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) format: u32,
    /// The id of the master key, or nothing when a passphrase opens it.
    pub(super) master_key_id: Option<String>,
    /// 32 bytes of chance, in hexadecimal digits: the file's key is made with them.
    pub(super) salt: String,
}

impl Head {
    pub(super) fn new(master_key_id: Option<String>, salt: String) -> Self {
        Self { format: FORMAT, master_key_id, salt }
    }
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[3] = u8::from(last);
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Encrypts what is written to it.
pub(super) struct Writer<W> {
    to: W,
    cipher: LessSafeKey,
    head: Vec<u8>,
    frame: Vec<u8>,
    number: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(mut to: W, head: &Head, key: &[u8; 32]) -> io::Result<Self> {
        let text = serde_json::to_string(head).expect("a head is plain data");
        to.write_all(MAGIC)?;
        to.write_all(text.as_bytes())?;
        to.write_all(b"\n")?;
        let head = digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        Ok(Self { to, cipher: cipher(key), head, frame: Vec::with_capacity(FRAME + 64), number: 0 })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        self.cipher
            .seal_in_place_append_tag(
                nonce(self.number, last),
                Aad::from(&self.head),
                &mut self.frame,
            )
            .expect("a frame can be sealed");
        let length = u32::try_from(self.frame.len()).expect("frames are small");
        self.to.write_all(&(if last { length | LAST } else { length }).to_be_bytes())?;
        self.to.write_all(&self.frame)?;
        self.frame.clear();
        self.number += 1;
        Ok(())
    }

    /// Writes the last frame; without it the file does not open.
    pub(super) fn end(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME - self.frame.len());
        self.frame.extend_from_slice(&bytes[..taken]);
        if self.frame.len() == FRAME {
            self.seal(false)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Decrypts a file; an error in it is of kind [`io::ErrorKind::InvalidData`].
pub(super) struct Reader<R> {
    from: R,
    cipher: LessSafeKey,
    head: Vec<u8>,
    frame: Vec<u8>,
    at: usize,
    number: u64,
    last: bool,
}

/// Reads what a file says of itself before it is opened.
pub(super) fn read_head<R: Read>(from: &mut R) -> Result<(Head, Vec<u8>), BackupError> {
    let mut magic = vec![0; MAGIC.len()];
    from.read_exact(&mut magic).map_err(|_| BackupError::NotABackup)?;
    if magic != MAGIC {
        return Err(BackupError::NotABackup);
    }
    let mut text = Vec::new();
    let mut byte = [0];
    loop {
        from.read_exact(&mut byte).map_err(|_| BackupError::NotABackup)?;
        match byte[0] {
            b'\n' => break,
            _ if text.len() >= HEAD_AT_MOST => return Err(BackupError::NotABackup),
            other => text.push(other),
        }
    }
    let head: Head = serde_json::from_slice(&text).map_err(|_| BackupError::NotABackup)?;
    if head.format != FORMAT {
        return Err(BackupError::Format(head.format));
    }
    Ok((head, digest(&SHA256, &text).as_ref().to_vec()))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it was cut off or changed, or the key is another")
}

impl<R: Read> Reader<R> {
    /// Goes on behind the head, whose digest [`read_head`] returned.
    pub(super) fn new(from: R, head: Vec<u8>, key: &[u8; 32]) -> Self {
        let (frame, at) = (Vec::new(), 0);
        Self { from, cipher: cipher(key), head, frame, at, number: 0, last: false }
    }

    fn next_frame(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        self.from.read_exact(&mut length).map_err(|_| damaged())?;
        let length = u32::from_be_bytes(length);
        self.last = length & LAST != 0;
        let length = usize::try_from(length & !LAST).unwrap_or(usize::MAX);
        if length > FRAME + AES_256_GCM.tag_len() {
            return Err(damaged());
        }
        self.frame.resize(length, 0);
        self.from.read_exact(&mut self.frame).map_err(|_| damaged())?;
        let nonce = nonce(self.number, self.last);
        let plain = self
            .cipher
            .open_in_place(nonce, Aad::from(&self.head), &mut self.frame)
            .map_err(|_| damaged())?
            .len();
        self.frame.truncate(plain);
        self.at = 0;
        self.number += 1;
        if self.last && self.from.read(&mut [0])? != 0 {
            return Err(damaged());
        }
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.frame.len() {
            if self.last {
                return Ok(0);
            }
            self.next_frame()?;
        }
        let taken = into.len().min(self.frame.len() - self.at);
        into[..taken].copy_from_slice(&self.frame[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let head = Head::new(None, "00".into());
        let mut writer = Writer::begin(Vec::new(), &head, &[7; 32]).unwrap();
        writer.write_all(plain).unwrap();
        writer.end().unwrap()
    }

    fn opened(file: &[u8], key: u8) -> Option<Vec<u8>> {
        let mut file = file;
        let (_, digest) = read_head(&mut file).ok()?;
        let mut plain = Vec::new();
        Reader::new(file, digest, &[key; 32]).read_to_end(&mut plain).ok()?;
        Some(plain)
    }

    #[test]
    fn what_was_written_is_read_whatever_its_length() {
        for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME] {
            let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let file = sealed(&plain);
            assert_eq!(opened(&file, 7).as_deref(), Some(plain.as_slice()), "{length}");
            assert_eq!(opened(&file, 8), None, "another key");
        }
    }

    #[test]
    fn frames_cannot_be_left_out_or_moved() {
        let file = sealed(&vec![1; 3 * FRAME]);
        let begin = file.len() - (3 * (FRAME + 16 + 4)) - (16 + 4);
        let frame = |at: usize| &file[begin + at * (FRAME + 20)..begin + (at + 1) * (FRAME + 20)];
        let last = &file[begin + 3 * (FRAME + 20)..];
        let put = |parts: &[&[u8]]| [&[&file[..begin]], parts].concat().concat();
        assert!(opened(&put(&[frame(0), frame(1), frame(2), last]), 7).is_some());
        for parts in [
            &[frame(0), frame(1), frame(2)] as &[&[u8]],
            &[frame(0), frame(1), last],
            &[frame(1), frame(0), frame(2), last],
            &[frame(0), frame(1), frame(2), last, last],
            &[last],
            &[],
        ] {
            assert_eq!(opened(&put(parts), 7), None);
        }
    }

    proptest! {
        #[test]
        fn a_changed_bit_does_not_open(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut file = sealed(b"attack at dawn");
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            prop_assert_eq!(opened(&file, 7), None);
        }

        #[test]
        fn noise_does_not_open(noise: Vec<u8>) {
            prop_assert_eq!(opened(&noise, 7), None);
            prop_assert_eq!(opened(&[MAGIC, &noise].concat(), 7), None);
        }
    }
}
