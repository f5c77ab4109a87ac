//! Proof of work by ALTCHA's protocol, version 2: a number is looked for whose PBKDF2 begins with a zero byte. A
//! function of values: no clock, no network, no database.
//!
//! A challenge is signed, so nobody has to remember it; that it is used once is the caller's business.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, hmac, pbkdf2};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::kernel::Timestamp;
use crate::vault::{from_hex, hex};

const ALGORITHM: &str = "PBKDF2/SHA-256";
/// What the key must begin with: one try of 256 has it.
const PREFIX: &str = "00";
/// How long the key is, in bytes.
const KEY_LENGTH: usize = 32;
/// No honest solution is longer.
const SOLUTION_AT_MOST: usize = 4096;

/// What a challenge is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Purpose {
    /// At which form it counts.
    at: String,
    /// Whether it was made because somebody else's captcha could not be judged.
    instead: bool,
}

/// What is to be solved. The members stand in the order of the alphabet: so they are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parameters {
    algorithm: String,
    cost: u32,
    data: Purpose,
    expires_at: i64,
    key_length: usize,
    key_prefix: String,
    nonce: String,
    salt: String,
}

/// A challenge, as the widget takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Challenge {
    parameters: Parameters,
    signature: String,
}

/// What the widget sends back.
#[derive(Deserialize)]
struct Payload {
    challenge: Challenge,
    solution: Solution,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Solution {
    counter: u32,
    derived_key: String,
}

/// A solution of a challenge of ours that is not over; whether it is right is not known yet.
pub(super) struct Claimed {
    parameters: Parameters,
    solution: Solution,
    /// Which challenge.
    pub(super) nonce: Vec<u8>,
    salt: Vec<u8>,
    /// When it is over.
    pub(super) expires_at: Timestamp,
}

/// What a challenge is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct New<'n> {
    /// At which form it counts.
    pub(super) at: &'n str,
    /// Whether it stands in for somebody else's captcha.
    pub(super) instead: bool,
    /// Rounds of each try.
    pub(super) cost: u32,
    /// Until when.
    pub(super) until: Timestamp,
}

/// Makes a challenge out of 32 random bytes.
pub(super) fn challenge(key: &[u8; 32], random: &[u8; 32], new: New<'_>) -> Challenge {
    let New { at, instead, cost, until } = new;
    let (nonce, salt) = random.split_at(16);
    let parameters = Parameters {
        algorithm: ALGORITHM.to_owned(),
        cost,
        data: Purpose { at: at.to_owned(), instead },
        expires_at: until.as_second(),
        key_length: KEY_LENGTH,
        key_prefix: PREFIX.to_owned(),
        nonce: hex(nonce),
        salt: hex(salt),
    };
    let signature = hex(hmac::sign(&signing(key), &signed(&parameters)).as_ref());
    Challenge { parameters, signature }
}

/// Whether a token is meant as a proof of work, right or wrong.
pub(super) fn is_meant(token: &str) -> bool {
    read(token).is_some()
}

/// Reads a solution for the form `at`, or says why it cannot be one. What is wrong is found before anything
/// costs anything.
pub(super) fn claimed(
    key: &[u8; 32],
    token: &str,
    at: &str,
    now: Timestamp,
) -> Result<Claimed, &'static str> {
    let Payload { challenge, solution } = read(token).ok_or("malformed")?;
    let Challenge { parameters, signature } = challenge;
    let signature = unhex(&signature).ok_or("malformed")?;
    hmac::verify(&signing(key), &signed(&parameters), &signature).map_err(|_| "signature")?;
    if parameters.expires_at <= now.as_second() {
        return Err("expired");
    }
    if parameters.data.at != at {
        return Err("action");
    }
    if !solution.derived_key.starts_with(PREFIX) {
        return Err("solution");
    }
    let (nonce, salt) = (unhex(&parameters.nonce), unhex(&parameters.salt));
    let (nonce, salt) = nonce.zip(salt).ok_or("malformed")?;
    let expires_at = Timestamp::from_microsecond(parameters.expires_at.saturating_mul(1_000_000));
    Ok(Claimed { parameters, solution, nonce, salt, expires_at })
}

impl Claimed {
    /// Whether it was made because somebody else's captcha could not be judged.
    pub(super) fn stands_in(&self) -> bool {
        self.parameters.data.instead
    }

    /// Does the work of one try: whether the solution is right.
    pub(super) fn is_right(&self) -> bool {
        let Some(rounds) = NonZeroU32::new(self.parameters.cost) else { return false };
        let password = [&self.nonce[..], &self.solution.counter.to_be_bytes()].concat();
        let mut derived = [0; KEY_LENGTH];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &self.salt, &password, &mut derived);
        unhex(&self.solution.derived_key).is_some_and(|given| {
            derived[0] == 0 && constant_time::verify_slices_are_equal(&derived, &given).is_ok()
        })
    }
}

fn read(token: &str) -> Option<Payload> {
    if token.len() > SOLUTION_AT_MOST {
        return None;
    }
    serde_json::from_slice(&BASE64.decode(token).ok()?).ok()
}

fn signing(key: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

fn signed(parameters: &Parameters) -> Vec<u8> {
    serde_json::to_vec(parameters).expect("parameters are plain data")
}

/// Reads bytes as they are written: in small letters.
fn unhex(text: &str) -> Option<Vec<u8>> {
    from_hex(text).filter(|bytes| hex(bytes) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microsecond((1_795_334_400 + seconds) * 1_000_000)
    }

    /// Looks for the number as the widget does: by the protocol's own library.
    fn solve(challenge: &Challenge) -> serde_json::Value {
        let theirs: altcha::Challenge =
            serde_json::from_value(serde_json::to_value(challenge).unwrap()).unwrap();
        let found = altcha::solve_challenge(altcha::SolveChallengeOptions::new(&theirs)).unwrap();
        serde_json::json!({ "challenge": theirs, "solution": found.unwrap() })
    }

    fn token(payload: &serde_json::Value) -> String {
        BASE64.encode(payload.to_string())
    }

    fn new(at: &str, until: Timestamp) -> New<'_> {
        New { at, instead: false, cost: 20, until }
    }

    #[test]
    fn what_the_protocols_own_library_solves_is_right_and_nothing_else_is() {
        let solved = solve(&challenge(&KEY, &[3; 32], new("login", at(600))));
        let claim = claimed(&KEY, &token(&solved), "login", at(599)).ok().unwrap();
        assert!(claim.is_right() && !claim.stands_in());
        assert_eq!((claim.nonce.len(), claim.expires_at), (16, at(600)));

        let with = |path: &str, value: serde_json::Value| {
            let mut other = solved.clone();
            *other.pointer_mut(path).unwrap() = value;
            token(&other)
        };
        let refusal =
            |token: &str, now| claimed(&KEY, token, "login", now).err().expect("it is refused");
        let parameters = "/challenge/parameters";
        for path in ["cost", "expiresAt", "keyLength"] {
            let easier = with(&format!("{parameters}/{path}"), 1.into());
            assert_eq!(refusal(&easier, at(0)), "signature", "{path}");
        }
        for path in ["algorithm", "keyPrefix", "nonce", "salt", "data/at"] {
            let easier = with(&format!("{parameters}/{path}"), "".into());
            assert_eq!(refusal(&easier, at(0)), "signature", "{path}");
        }
        let promoted = with(&format!("{parameters}/data/instead"), true.into());
        assert_eq!(refusal(&promoted, at(0)), "signature");
        assert_eq!(refusal(&with("/challenge/signature", "00".into()), at(0)), "signature");
        assert_eq!(refusal(&with("/challenge/signature", "zz".into()), at(0)), "malformed");
        assert_eq!(refusal(&with("/solution/derivedKey", "ff".into()), at(0)), "solution");
        assert_eq!(refusal(&token(&solved), at(600)), "expired");
        assert_eq!(claimed(&KEY, &token(&solved), "reset", at(0)).err(), Some("action"));
        assert_eq!(claimed(&[8; 32], &token(&solved), "login", at(0)).err(), Some("signature"));
        for nonsense in ["", "e30=", "eA==", "%", &"A".repeat(5000)] {
            assert_eq!(refusal(nonsense, at(0)), "malformed", "{nonsense}");
            assert!(!is_meant(nonsense));
        }
        // The work is done again, whatever is claimed.
        let lazy = with("/solution/derivedKey", "00".repeat(32).into());
        assert!(!claimed(&KEY, &lazy, "login", at(0)).ok().unwrap().is_right());
        let counter = solved["solution"]["counter"].as_u64().unwrap();
        let other = with("/solution/counter", (counter + 1).into());
        assert!(!claimed(&KEY, &other, "login", at(0)).ok().unwrap().is_right());
    }

    #[test]
    fn what_stands_in_says_so() {
        let made = New { instead: true, ..new("login", at(600)) };
        let solved = token(&solve(&challenge(&KEY, &[4; 32], made)));
        assert!(claimed(&KEY, &solved, "login", at(0)).ok().unwrap().stands_in());
    }
}
