//! Argon2id, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::clients::PASSWORD;

const SALT: &[u8; 16] = b"0123456789abcdef";

/// What one hash costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
}

impl Cost {
    /// What the service takes unless it is told otherwise.
    pub(crate) const DEFAULT: Self = Self { memory_kib: 19_456, passes: 2 };

    /// As good as nothing, to see what else a sign-in costs.
    pub(crate) const NONE: Self = Self { memory_kib: 8, passes: 1 };

    /// Returns the settings that make the service hash at this cost.
    pub(crate) fn settings(self) -> [String; 2] {
        [
            format!("password.hash_memory_kib={}", self.memory_kib),
            format!("password.hash_iterations={}", self.passes),
        ]
    }

    fn params(self) -> Result<Params> {
        Params::new(self.memory_kib, self.passes, 1, Some(32)).map_err(|error| anyhow!("{error}"))
    }

    /// Returns the hash of [`PASSWORD`] as the service stores it.
    pub(crate) fn hash(self) -> Result<String> {
        let mut memory = vec![Block::default(); self.params()?.block_count()];
        let digest = hash(&self.params()?, &mut memory)?;
        let Self { memory_kib, passes } = self;
        let [salt, digest] = [SALT.as_slice(), &digest].map(|part| STANDARD_NO_PAD.encode(part));
        Ok(format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"))
    }

    /// Returns how many hashes all cores make per second, each in memory that it keeps.
    pub(crate) fn rate(self, span: Duration) -> Result<f64> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let params = self.params()?;
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let params = params.clone();
                std::thread::spawn(move || {
                    let mut memory = vec![Block::default(); params.block_count()];
                    hash(&params, &mut memory)?;
                    let (begun, mut hashes) = (Instant::now(), 0_u32);
                    while begun.elapsed() < span {
                        hash(&params, &mut memory)?;
                        hashes += 1;
                    }
                    Ok::<_, anyhow::Error>(f64::from(hashes) / begun.elapsed().as_secs_f64())
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("it panicked"))?).sum()
    }
}

fn hash(params: &Params, memory: &mut [Block]) -> Result<[u8; 32]> {
    let mut digest = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(PASSWORD.as_bytes(), SALT, &mut digest, memory)
        .map_err(|error| anyhow!("{error}"))?;
    Ok(digest)
}
