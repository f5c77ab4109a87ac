//! Hashes that another system made: bcrypt, scrypt, PBKDF2 and every Argon2.
//!
//! They verify as the other system would have, and are replaced by a hash of ours at the first
//! sign-in. Until then they are as strong as they were: bcrypt looks at the first 72 bytes only, and
//! an account whose hash is quicker or slower than ours can be told from others by the clock.
//!
//! What a hash may ask for has a ceiling, so that a file with an absurd one is not an attack.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use password_hash::phc::PasswordHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::memory::{ANNEX_KIB, ANNEX_SIDE_KIB, Memory, NoMemory};
use super::phc::{Argon2Hash, Cost, numbers};

/// The most expensive bcrypt: 14 takes a little more than a second, each step twice as long.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;

/// bcrypt hashes no more of a password than this.
const BCRYPT_LENGTH: usize = 72;

/// The most PBKDF2 iterations, counted over all blocks of the digest.
const PBKDF2_MOST: u64 = 5_000_000;

/// The most work that scrypt may ask for: N times r times p, four times what fills the annex.
const SCRYPT_MOST: u64 = 4 * 8 * ANNEX_KIB as u64;

/// Lenient where implementations differ and nothing depends on it: padding, and the bits that the
/// last character has too many.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BCRYPT64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);

/// How a password was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Argon2id, ours unless its cost is another.
    Argon2id,
    /// Argon2i
    Argon2i,
    /// Argon2d
    Argon2d,
    /// bcrypt, `2a`, `2b` or `2y`.
    Bcrypt,
    /// scrypt
    Scrypt,
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2Sha256,
    /// PBKDF2 with HMAC-SHA-512.
    Pbkdf2Sha512,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argon2id => "argon2id",
            Self::Argon2i => "argon2i",
            Self::Argon2d => "argon2d",
            Self::Bcrypt => "bcrypt",
            Self::Scrypt => "scrypt",
            Self::Pbkdf2Sha256 => "pbkdf2-sha256",
            Self::Pbkdf2Sha512 => "pbkdf2-sha512",
        })
    }
}

/// Why a text is no password hash that can be verified here. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAHash {
    /// No scheme is written like this.
    #[error(
        "not a password hash of a known form; known are $argon2id$, $argon2i$, $argon2d$, $2a$, \
         $2b$, $2y$, $scrypt$, $pbkdf2-sha256$, $pbkdf2-sha512$ and Django's pbkdf2_sha256$"
    )]
    Unknown,

    /// It begins like one, and is damaged.
    #[error("not a {scheme} hash: {what}")]
    Malformed {
        /// What it begins like.
        scheme: Scheme,
        /// What is wrong.
        what: &'static str,
    },

    /// It is one, and verifying it would take too much memory or time.
    #[error(
        "a {scheme} hash beyond what is verified here: {what}; let its owner reset the password"
    )]
    TooCostly {
        /// Its scheme.
        scheme: Scheme,
        /// What it takes too much of.
        what: &'static str,
    },
}

/// Returns the scheme of `stored`, if a password can be verified against it.
///
/// ```
/// use authshield::passwords::{Scheme, recognise};
///
/// let stored = "$2b$12$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey";
/// assert_eq!(recognise(stored), Ok(Scheme::Bcrypt));
/// assert!(recognise("5f4dcc3b5aa765d61d8327deb882cf99").is_err());
/// ```
pub fn recognise(stored: &str) -> Result<Scheme, NotAHash> {
    Stored::parse(stored, None).map(|stored| stored.scheme())
}

/// A hash that was read.
pub(super) enum Stored {
    Argon2(Argon2Hash),
    Bcrypt { cost: u32, salt: [u8; 16], digest: [u8; 23] },
    Scrypt { params: scrypt::Params, salt: Vec<u8>, digest: Vec<u8> },
    Pbkdf2 { scheme: Scheme, rounds: u32, salt: Vec<u8>, digest: Vec<u8> },
}

impl Stored {
    /// Reads `stored`. A hash of `ours` may cost more than a foreign one.
    pub(super) fn parse(stored: &str, ours: Option<&Cost>) -> Result<Self, NotAHash> {
        let scheme = match stored.split('$').nth(1) {
            _ if stored.starts_with("pbkdf2_sha256$") => return django(stored),
            _ if !stored.starts_with('$') => return Err(NotAHash::Unknown),
            Some("2a" | "2b" | "2y") => return bcrypt(stored),
            Some("argon2id" | "argon2i" | "argon2d") => {
                return Argon2Hash::parse(stored, ours).map(Self::Argon2);
            }
            Some("scrypt") => return scrypt(stored),
            Some("pbkdf2-sha256") => Scheme::Pbkdf2Sha256,
            Some("pbkdf2-sha512") => Scheme::Pbkdf2Sha512,
            _ => return Err(NotAHash::Unknown),
        };
        pbkdf2(scheme, stored)
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self {
            Self::Argon2(hash) => hash.scheme(),
            Self::Bcrypt { .. } => Scheme::Bcrypt,
            Self::Scrypt { .. } => Scheme::Scrypt,
            Self::Pbkdf2 { scheme, .. } => *scheme,
        }
    }

    /// Whether a hash made now would be made like this one.
    pub(super) fn is_current(&self, cost: &Cost) -> bool {
        matches!(self, Self::Argon2(hash) if hash.is_current(cost))
    }

    /// Whether `password` is the one that was hashed.
    pub(super) fn matches(&self, password: &[u8], memory: &mut Memory) -> Result<bool, NoMemory> {
        match self {
            Self::Argon2(hash) => hash.matches(password, memory),
            Self::Bcrypt { cost, salt, digest } => {
                // As every bcrypt does: a zero byte at the end, unless 72 came before it.
                let mut key = Zeroizing::new([0; BCRYPT_LENGTH]);
                let length = password.len().min(BCRYPT_LENGTH);
                key[..length].copy_from_slice(&password[..length]);
                let key = &key[..(length + 1).min(BCRYPT_LENGTH)];
                let found = Zeroizing::new(bcrypt::bcrypt(*cost, *salt, key));
                Ok(found[..digest.len()].ct_eq(digest).into())
            }
            Self::Scrypt { params, salt, digest } => {
                let mut found = Zeroizing::new(vec![0; digest.len()]);
                let done = memory
                    .lend_annex(|| scrypt::scrypt(password, salt, params, &mut found).is_ok());
                Ok(done && found.as_slice().ct_eq(digest).into())
            }
            Self::Pbkdf2 { scheme, rounds, salt, digest } => {
                let mut found = Zeroizing::new(vec![0; digest.len()]);
                let derive = match scheme {
                    Scheme::Pbkdf2Sha512 => pbkdf2::pbkdf2_hmac::<sha2::Sha512>,
                    _ => pbkdf2::pbkdf2_hmac::<sha2::Sha256>,
                };
                derive(password, salt, *rounds, &mut found);
                Ok(found.as_slice().ct_eq(digest).into())
            }
        }
    }
}

/// `$2b$12$` and 22 characters of salt, 31 of digest.
fn bcrypt(stored: &str) -> Result<Stored, NotAHash> {
    let scheme = Scheme::Bcrypt;
    let malformed = |what| NotAHash::Malformed { scheme, what };
    // ASCII, or the positions below could fall inside a character.
    if stored.len() != 60 || !stored.is_ascii() || &stored[6..7] != "$" {
        return Err(malformed("it must be $2b$, two digits, $, and 53 characters"));
    }
    let cost = number(&stored[4..6]).ok_or(malformed("its cost is not a number"))?;
    let not_base64 = malformed("its salt or digest is not bcrypt's base64");
    let salt = BCRYPT64.decode(&stored[7..29]).map_err(|_| not_base64)?;
    let digest = BCRYPT64.decode(&stored[29..]).map_err(|_| not_base64)?;
    let (Ok(salt), Ok(digest)) = (salt.try_into(), digest.try_into()) else {
        return Err(not_base64);
    };
    if cost > *BCRYPT_COSTS.end() {
        return Err(NotAHash::TooCostly { scheme, what: "its cost is more than 14" });
    }
    if !BCRYPT_COSTS.contains(&cost) {
        return Err(malformed("its cost is less than 4"));
    }
    Ok(Stored::Bcrypt { cost, salt, digest })
}

/// `$scrypt$ln=17,r=8,p=1$salt$digest`
fn scrypt(stored: &str) -> Result<Stored, NotAHash> {
    let scheme = Scheme::Scrypt;
    let malformed = |what| NotAHash::Malformed { scheme, what };
    let phc = PasswordHash::new(stored).map_err(|_| malformed("it is not a PHC string"))?;
    let [log_n, r, p] = numbers(&phc, ["ln", "r", "p"])
        .ok_or(malformed("its parameters are not exactly ln, r and p"))?;
    let (Some(salt), Some(digest)) = (phc.salt, phc.hash) else {
        return Err(malformed("it has no salt or no digest"));
    };
    let out_of_range = malformed("its parameters are out of range");
    if r == 0 || p == 0 || log_n == 0 {
        return Err(out_of_range);
    }
    // In u128 nothing overflows; the crate is asked only afterwards, since it multiplies in u32.
    let n = 1_u128.checked_shl(log_n).filter(|_| log_n < 63).unwrap_or(1 << 63);
    let (wide_r, wide_p) = (u128::from(r), u128::from(p));
    if n * wide_r > 8 * u128::from(ANNEX_KIB)
        || wide_r * (wide_p + 1) > 8 * u128::from(ANNEX_SIDE_KIB)
    {
        return Err(NotAHash::TooCostly { scheme, what: "it takes more than 128 MiB" });
    }
    if n * wide_r * wide_p > u128::from(SCRYPT_MOST) {
        return Err(NotAHash::TooCostly { scheme, what: "it takes more than a second or two" });
    }
    let params = u8::try_from(log_n)
        .ok()
        .and_then(|log_n| scrypt::Params::new(log_n, r, p).ok())
        .ok_or(out_of_range)?;
    Ok(Stored::Scrypt { params, salt: salt.to_vec(), digest: digest.as_bytes().to_vec() })
}

/// `$pbkdf2-sha256$i=600000,l=32$salt$digest` as PHC writes it, or `$pbkdf2-sha256$600000$salt$digest`
/// as passlib does, with `.` for `+`.
fn pbkdf2(scheme: Scheme, stored: &str) -> Result<Stored, NotAHash> {
    let malformed = |what| NotAHash::Malformed { scheme, what };
    let parts: Vec<_> = stored.split('$').collect();
    let ["", _, params, salt, digest] = parts[..] else {
        return Err(malformed("it must be iterations, salt and digest, with $ between them"));
    };
    if let Some(rounds) = number(params) {
        let bytes = |text: &str| BASE64.decode(text.replace('.', "+"));
        let (Ok(salt), Ok(digest)) = (bytes(salt), bytes(digest)) else {
            return Err(malformed("its salt or digest is not base64"));
        };
        return pbkdf2_within_bounds(scheme, rounds, salt, digest);
    }
    let phc = PasswordHash::new(stored).map_err(|_| malformed("it is not a PHC string"))?;
    let (Some(salt), Some(digest)) = (phc.salt, phc.hash) else {
        return Err(malformed("it has no salt or no digest"));
    };
    let rounds = match (numbers(&phc, ["i", "l"]), numbers(&phc, ["i"])) {
        (Some([_, length]), _) if length as usize != digest.len() => {
            return Err(malformed("its digest is not as long as l says"));
        }
        (Some([rounds, _]), _) | (_, Some([rounds])) => rounds,
        (None, None) => return Err(malformed("its parameters are not i, or i and l")),
    };
    pbkdf2_within_bounds(scheme, rounds, salt.to_vec(), digest.as_bytes().to_vec())
}

/// `pbkdf2_sha256$600000$salt$digest`, where the salt is text and the digest padded base64.
fn django(stored: &str) -> Result<Stored, NotAHash> {
    let scheme = Scheme::Pbkdf2Sha256;
    let malformed = |what| NotAHash::Malformed { scheme, what };
    let parts: Vec<_> = stored.split('$').collect();
    let [_, rounds, salt, digest] = parts[..] else {
        return Err(malformed("it must be iterations, salt and digest, with $ between them"));
    };
    let rounds = number(rounds).ok_or(malformed("its iterations are not a number"))?;
    let digest = BASE64.decode(digest).map_err(|_| malformed("its digest is not base64"))?;
    pbkdf2_within_bounds(scheme, rounds, salt.as_bytes().to_vec(), digest)
}

fn pbkdf2_within_bounds(
    scheme: Scheme,
    rounds: u32,
    salt: Vec<u8>,
    digest: Vec<u8>,
) -> Result<Stored, NotAHash> {
    let malformed = |what| NotAHash::Malformed { scheme, what };
    if rounds == 0 {
        return Err(malformed("it has no iterations"));
    }
    // A short digest would match other passwords by chance; a short salt only weakens the hash.
    if !(16..=64).contains(&digest.len()) || salt.is_empty() || salt.len() > 1024 {
        return Err(malformed("its digest must have 16 to 64 bytes, and its salt 1 to 1024"));
    }
    let block = if scheme == Scheme::Pbkdf2Sha512 { 64 } else { 32 };
    if u64::from(rounds) * digest.len().div_ceil(block) as u64 > PBKDF2_MOST {
        return Err(NotAHash::TooCostly { scheme, what: "it has more than 5,000,000 iterations" });
    }
    Ok(Stored::Pbkdf2 { scheme, rounds, salt, digest })
}

/// Reads digits and nothing else: no sign, no space.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    /// The password of every hash below. They were made by Python's hashlib, bcrypt, passlib and
    /// argon2-cffi (which is the C reference).
    const PASSWORD: &str = "correct horse b\u{e4}ttery staple";

    const KNOWN: [(Scheme, &str); 14] = [
        (Scheme::Bcrypt, "$2a$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey"),
        (Scheme::Bcrypt, "$2b$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey"),
        (Scheme::Bcrypt, "$2y$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey"),
        // the salt's last character has bits that mean nothing
        (Scheme::Bcrypt, "$2y$04$KX7Q0u1pYc9eW3rTgHjLsPUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey"),
        (
            Scheme::Scrypt,
            "$scrypt$ln=10,r=8,p=2$AQIDBAUGBwgJCgsMDQ4PEA\
             $KUhIiL+RE/eOlJQ1GZI01cNW00CY05WvCOWtyPAjyWw",
        ),
        (
            Scheme::Pbkdf2Sha256,
            "$pbkdf2-sha256$i=1000,l=32$AQIDBAUGBwgJCgsMDQ4PEA\
             $OvME021j7Fty1D41tZD/pmv2yWb+zYx6gMwS9KajaC8",
        ),
        (
            Scheme::Pbkdf2Sha256,
            "$pbkdf2-sha256$1000$AQIDBAUGBwgJCgsMDQ4PEA\
             $OvME021j7Fty1D41tZD/pmv2yWb.zYx6gMwS9KajaC8",
        ),
        (
            Scheme::Pbkdf2Sha512,
            "$pbkdf2-sha512$i=1000,l=64$AQIDBAUGBwgJCgsMDQ4PEA\
             $tbJa5pxj1Q9DOWxQ21uEBu2xoYy1bxx99axHETogpf2FlLS3Zswmw/czApiY3MOvx6O5j+JayR8qZ7RxmYza6w",
        ),
        (
            Scheme::Pbkdf2Sha512,
            "$pbkdf2-sha512$1000$AQIDBAUGBwgJCgsMDQ4PEA\
             $tbJa5pxj1Q9DOWxQ21uEBu2xoYy1bxx99axHETogpf2FlLS3Zswmw/czApiY3MOvx6O5j.JayR8qZ7RxmYza6w",
        ),
        (
            Scheme::Pbkdf2Sha256,
            "pbkdf2_sha256$1000$s4ltOfDjangoXy$ErOSEK6KegWNY9D6cx4tEHKcEE+pHa/0zHIfxMZtYQA=",
        ),
        (
            Scheme::Argon2i,
            "$argon2i$v=19$m=64,t=2,p=2$AQIDBAUGBwgJCgsMDQ4PEA\
             $ZuJDs+71y9iHjRYd6wjYILMl1SxvPImCS5kcNPJdMsM",
        ),
        (
            Scheme::Argon2d,
            "$argon2d$v=19$m=64,t=2,p=2$AQIDBAUGBwgJCgsMDQ4PEA\
             $YZ6byFwsSlcVVTEh6hObeebs3TOSrYNx30tQdB+45b4",
        ),
        (
            Scheme::Argon2id,
            "$argon2id$v=19$m=64,t=2,p=2$AQIDBAUGBwgJCgsMDQ4PEA\
             $KsrrrqKBElm4QEUUHlzgDEq5BAtKOkUsLxnFfi/LyCU",
        ),
        (
            Scheme::Argon2i,
            "$argon2i$v=16$m=64,t=2,p=1$AQIDBAUGBwgJCgsMDQ4PEA\
             $C/skq7ywvxUthl+iQeOv8+PapTN1I5uGhqyV65kFuz4",
        ),
    ];

    fn matches(stored: &str, password: &str) -> bool {
        let mut memory = Memory::new(64, Arc::default());
        Stored::parse(stored, None).unwrap().matches(password.as_bytes(), &mut memory).unwrap()
    }

    #[test]
    fn hashes_of_other_systems_verify_their_password_and_no_other() {
        for (scheme, stored) in KNOWN {
            assert_eq!(recognise(stored), Ok(scheme), "{stored}");
            assert!(matches(stored, PASSWORD), "{stored}");
            assert!(!matches(stored, "correct horse battery staple"), "{stored}");
            assert!(!matches(stored, ""), "{stored}");
        }
    }

    #[test]
    fn bcrypt_sees_72_bytes_as_it_always_did() {
        let stored = "$2b$04$KX7Q0u1pYc9eW3rTgHjLsOGYDRU4.bo09.k6BJwprSpoW7Vh5reIu";
        let x = "x".repeat(72);
        assert!(matches(stored, &x));
        assert!(matches(stored, &format!("{x}and what follows")));
        assert!(!matches(stored, &x[1..]));
    }

    #[test]
    fn what_cannot_be_verified_is_refused_with_a_reason() {
        let phc =
            |head: &str| format!("{head}$AQIDBAUGBwgJCgsMDQ4PEA$KUhIiL+RE/eOlJQ1GZI01cNW00CY05Wv");
        let cases = [
            ("", "known form"),
            ("$", "known form"),
            ("password", "known form"),
            ("5f4dcc3b5aa765d61d8327deb882cf99", "known form"),
            ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", "known form"),
            ("$2x$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey", "known form"),
            ("x$2b$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwue", "known form"),
            ("$2b$15$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey", "more than 14"),
            ("$2b$99$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey", "more than 14"),
            ("$2b$03$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey", "less than 4"),
            ("$2b$+4$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwuey", "not a number"),
            ("$2b$04$KX7Q0u1pYc9eW3rTgHjLsOUAr0jhtQ1nFwTFHS90QM.FIWRCjwue", "53 characters"),
            ("$2b$04$KX7Q0u1pYc9eW3rTgHjLs\u{e4}UAr0jhtQ1nFwTFHS90QM.FIWRCjwue", "53 characters"),
            ("$2b$04$KX7Q0u1pYc9eW3rTgHjLs!UAr0jhtQ1nFwTFHS90QM.FIWRCjwuey", "base64"),
            (&phc("$scrypt$ln=18,r=8,p=1"), "128 MiB"),
            (&phc("$scrypt$ln=4294967295,r=4294967295,p=4294967295"), "128 MiB"),
            (&phc("$scrypt$ln=1,r=1,p=1073741824"), "128 MiB"),
            (&phc("$scrypt$ln=17,r=8,p=5"), "a second or two"),
            (&phc("$scrypt$ln=10,r=0,p=1"), "out of range"),
            (&phc("$scrypt$ln=10,r=8"), "ln, r and p"),
            (&phc("$scrypt$ln=10,r=8,p=1,x=1"), "ln, r and p"),
            ("$scrypt$ln=10,r=8,p=1$AQIDBAUGBwgJCgsMDQ4PEA", "no salt or no digest"),
            (&phc("$pbkdf2-sha256$i=5000001"), "5,000,000"),
            (&phc("$pbkdf2-sha256$4294967295"), "5,000,000"),
            (&phc("$pbkdf2-sha256$0"), "no iterations"),
            (&phc("$pbkdf2-sha256$i=1000,l=32"), "as long as l says"),
            (&phc("$pbkdf2-sha256$r=1000"), "not i, or i and l"),
            ("$pbkdf2-sha256$1000$AQ$AAAA", "16 to 64 bytes"),
            ("$pbkdf2-sha256$1000$AQ$!", "not base64"),
            ("$pbkdf2-sha256$1000$AQ", "with $ between"),
            ("pbkdf2_sha256$1000$salt", "with $ between"),
            ("pbkdf2_sha256$many$salt$AAAA", "not a number"),
            ("pbkdf2_sha256$-1$salt$AAAA", "not a number"),
            ("pbkdf2_sha256$1$salt$AAAA", "16 to 64 bytes"),
            (&phc("$argon2id$v=19$m=4294967295,t=1,p=1"), "128 MiB"),
            (&phc("$argon2id$v=19$m=65536,t=4294967295,p=1"), "more than a second"),
            (&phc("$argon2id$v=19$m=8,t=1,p=4294967295"), "out of range"),
            (&phc("$argon2id$v=18$m=64,t=1,p=1"), "neither 16 nor 19"),
            (&phc("$argon2id$v=19$m=64,t=1"), "exactly m, t and p"),
            (&phc("$argon2id$v=19$m=64,t=1,p=1,keyid=AAAA"), "exactly m, t and p"),
            ("$argon2id$v=19$m=64,t=1,p=1", "no salt or no digest"),
            ("$argon2id$", "known form"),
        ];
        for (stored, reason) in cases {
            let refused = recognise(stored).unwrap_err().to_string();
            assert!(refused.contains(reason), "{stored}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = recognise(&text);
        }

        #[test]
        fn no_damage_to_a_hash_makes_it_panic(
            (which, at) in (0..KNOWN.len(), 0_usize..60),
            with in "[$=,.+0-9a-z\u{e4}]{0,3}",
        ) {
            let mut damaged: Vec<char> = KNOWN[which].1.chars().collect();
            let at = at.min(damaged.len() - 1);
            damaged.splice(at..=at, with.chars());
            let _ = recognise(&damaged.into_iter().collect::<String>());
        }
    }
}
