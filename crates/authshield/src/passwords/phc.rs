//! Argon2 hashes in the PHC string format: making ours, reading anybody's.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use password_hash::phc::PasswordHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::imported::{NotAHash, Scheme};
use super::memory::{ANNEX_KIB, Memory, NoMemory};
use crate::config;

/// Bytes of salt: what the PHC specification and RFC 9106 recommend.
pub(super) const SALT_LENGTH: usize = 16;

/// Bytes of hash.
const DIGEST_LENGTH: usize = 32;

/// The most work that a hash of unknown origin may ask for, in KiB times passes: about half a
/// second of a core.
const MOST_WORK: u64 = 8 * ANNEX_KIB as u64;

/// What an Argon2id hash of ours costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cost(Params);

impl Cost {
    /// Takes the cost from the configuration.
    pub(super) fn new(config: &config::Password) -> Self {
        // The configuration was checked; a number out of range becomes the nearest that Argon2
        // can do, because a server that cannot hash is worth nothing.
        let lanes = config.hash_parallelism.clamp(Params::MIN_P_COST, Params::MAX_P_COST);
        let memory = config.hash_memory_kib.max(Params::MIN_M_COST).max(lanes.saturating_mul(8));
        let passes = config.hash_iterations.max(Params::MIN_T_COST);
        Self(
            Params::new(memory, passes, lanes, Some(DIGEST_LENGTH))
                .expect("every number was brought into range"),
        )
    }

    /// Blocks of 1 KiB that one hash takes.
    pub(super) fn blocks(&self) -> usize {
        self.0.block_count()
    }

    /// KiB times passes, which the time it takes is proportional to.
    pub(super) fn work(&self) -> u64 {
        u64::from(self.0.m_cost()) * u64::from(self.0.t_cost())
    }

    /// Hashes `password` into a PHC string.
    pub(super) fn hash(
        &self,
        password: &[u8],
        salt: &[u8; SALT_LENGTH],
        memory: &mut Memory,
    ) -> Result<String, NoMemory> {
        let hash = Argon2Hash {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params: self.0.clone(),
            salt: salt.to_vec(),
            digest: Vec::new(),
        };
        let digest = hash.digest(password, DIGEST_LENGTH, memory)?;
        Ok(self.encode(salt, &digest))
    }

    /// Writes the PHC string of a hash at this cost.
    pub(super) fn encode(&self, salt: &[u8; SALT_LENGTH], digest: &[u8]) -> String {
        let (m, t, p) = (self.0.m_cost(), self.0.t_cost(), self.0.p_cost());
        let [salt, digest] = [salt.as_slice(), digest].map(|part| STANDARD_NO_PAD.encode(part));
        format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${digest}")
    }

    /// Returns a hash at this cost that no password has: 32 random bytes where its digest would be.
    pub(super) fn decoy(&self, salt: &[u8; SALT_LENGTH], digest: &[u8; DIGEST_LENGTH]) -> String {
        self.encode(salt, digest)
    }
}

/// An Argon2 hash, ours or imported.
#[derive(Clone)]
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Argon2Hash {
    /// Reads a PHC string. `ours` may cost more than a foreign hash may.
    pub(super) fn parse(stored: &str, ours: Option<&Cost>) -> Result<Self, NotAHash> {
        let phc = PasswordHash::new(stored).map_err(|_| NotAHash::Unknown)?;
        let algorithm = Algorithm::new(phc.algorithm).map_err(|_| NotAHash::Unknown)?;
        let scheme = match algorithm {
            Algorithm::Argon2d => Scheme::Argon2d,
            Algorithm::Argon2i => Scheme::Argon2i,
            Algorithm::Argon2id => Scheme::Argon2id,
        };
        let malformed = |what| NotAHash::Malformed { scheme, what };

        let version = match phc.version {
            None | Some(0x10) => Version::V0x10,
            Some(0x13) => Version::V0x13,
            Some(_) => return Err(malformed("its version is neither 16 nor 19")),
        };
        let [memory, passes, lanes] = numbers(&phc, ["m", "t", "p"])
            .ok_or(malformed("its parameters are not exactly m, t and p"))?;
        let (Some(salt), Some(digest)) = (phc.salt, phc.hash) else {
            return Err(malformed("it has no salt or no digest"));
        };
        let params = Params::new(memory, passes, lanes, Some(digest.len()))
            .map_err(|_| malformed("its parameters are out of range"))?;

        let fits = ours.is_some_and(|ours| params.block_count() <= ours.blocks());
        if memory > ANNEX_KIB && !fits {
            return Err(NotAHash::TooCostly { scheme, what: "it takes more than 128 MiB" });
        }
        let work = u64::from(memory) * u64::from(passes);
        if work > MOST_WORK && ours.is_none_or(|ours| work > ours.work()) {
            return Err(NotAHash::TooCostly { scheme, what: "it takes more than a second" });
        }
        Ok(Self {
            algorithm,
            version,
            params,
            salt: salt.to_vec(),
            digest: digest.as_bytes().to_vec(),
        })
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self.algorithm {
            Algorithm::Argon2d => Scheme::Argon2d,
            Algorithm::Argon2i => Scheme::Argon2i,
            Algorithm::Argon2id => Scheme::Argon2id,
        }
    }

    /// Whether a hash made now would be made like this one.
    pub(super) fn is_current(&self, cost: &Cost) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.params == cost.0
            && self.salt.len() >= SALT_LENGTH
    }

    /// Whether `password` is the one that was hashed.
    pub(super) fn matches(&self, password: &[u8], memory: &mut Memory) -> Result<bool, NoMemory> {
        let digest = self.digest(password, self.digest.len(), memory)?;
        Ok(digest.as_slice().ct_eq(&self.digest).into())
    }

    fn digest(
        &self,
        password: &[u8],
        length: usize,
        memory: &mut Memory,
    ) -> Result<Zeroizing<Vec<u8>>, NoMemory> {
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        let mut digest = Zeroizing::new(vec![0; length]);
        memory.lend(self.params.block_count(), |blocks| {
            argon2
                .hash_password_into_with_memory(password, &self.salt, &mut digest, blocks)
                .expect("salt, digest and memory have the sizes that were parsed or chosen");
        })?;
        Ok(digest)
    }
}

/// Returns the parameters `names`, if `phc` has exactly those and all are numbers.
pub(super) fn numbers<const N: usize>(phc: &PasswordHash, names: [&str; N]) -> Option<[u32; N]> {
    if phc.params.iter().count() != N {
        return None;
    }
    let mut numbers = [0; N];
    for (number, name) in numbers.iter_mut().zip(names) {
        *number = phc.params.get_decimal(name)?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiny;
    use super::*;

    fn cost(memory: u32, passes: u32, lanes: u32) -> Cost {
        Cost::new(&config::Password {
            hash_memory_kib: memory,
            hash_iterations: passes,
            hash_parallelism: lanes,
            ..tiny()
        })
    }

    fn memory(cost: &Cost) -> Memory {
        Memory::new(cost.blocks(), std::sync::Arc::default())
    }

    #[test]
    fn a_hash_names_its_cost_and_is_read_back() {
        let cost = cost(64, 1, 1);
        let mut memory = memory(&cost);
        let text = cost.hash(b"password", &[7; SALT_LENGTH], &mut memory).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=64,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$"), "{text}");

        let hash = Argon2Hash::parse(&text, None).unwrap();
        assert!(hash.is_current(&cost));
        assert!(hash.matches(b"password", &mut memory).unwrap());
        assert!(!hash.matches(b"Password", &mut memory).unwrap());
    }

    /// ASVS: V11.4.2
    #[test]
    fn every_pair_that_owasp_recommends_is_a_cost() {
        for (memory, passes) in [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)] {
            let cost = cost(memory, passes, 1);
            assert_eq!(cost.blocks(), memory as usize);
            let text = cost.decoy(&[1; SALT_LENGTH], &[2; DIGEST_LENGTH]);
            assert!(Argon2Hash::parse(&text, None).unwrap().is_current(&cost), "{text}");
        }
    }

    #[test]
    fn any_other_cost_is_not_current() {
        let now = cost(64, 2, 2);
        let text = |cost: &Cost| cost.decoy(&[1; SALT_LENGTH], &[2; DIGEST_LENGTH]);
        assert!(Argon2Hash::parse(&text(&now), None).unwrap().is_current(&now));
        let shorter = now.encode(&[1; SALT_LENGTH], &[2; 16]);
        for old in [
            text(&cost(65, 2, 2)),
            text(&cost(64, 1, 2)),
            text(&cost(64, 2, 1)),
            text(&now).replace("argon2id", "argon2i"),
            text(&now).replace("v=19", "v=16"),
            text(&now).replace("v=19$", ""),
            text(&now).replace("AQEBAQEBAQEBAQEBAQEBAQ", "AQEBAQEBAQEBAQEBAQEB"),
            shorter,
        ] {
            assert!(!Argon2Hash::parse(&old, None).unwrap().is_current(&now), "{old}");
        }
    }

    #[test]
    fn a_cost_out_of_range_becomes_the_nearest_possible() {
        assert_eq!(cost(0, 0, 0), cost(8, 1, 1));
        assert_eq!(cost(1, 1, 4), cost(32, 1, 4));
    }

    #[test]
    fn only_our_own_hashes_may_cost_more_than_the_ceiling() {
        let large = cost(200 * 1024, 9, 1);
        let text = large.decoy(&[1; SALT_LENGTH], &[2; DIGEST_LENGTH]);
        assert!(matches!(Argon2Hash::parse(&text, None), Err(NotAHash::TooCostly { .. })));
        assert!(Argon2Hash::parse(&text, Some(&large)).is_ok());
        let larger = text.replace("m=204800", "m=204804");
        assert!(matches!(
            Argon2Hash::parse(&larger, Some(&large)),
            Err(NotAHash::TooCostly { .. })
        ));
        let slower = text.replace("t=9", "t=10");
        assert!(matches!(
            Argon2Hash::parse(&slower, Some(&large)),
            Err(NotAHash::TooCostly { .. })
        ));
    }
}
