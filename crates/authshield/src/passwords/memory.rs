//! The memory that hashing takes, and how it stays below a ceiling.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::Block;
use zeroize::Zeroize;

/// The most memory that an imported hash may need, in KiB.
///
/// Enough for scrypt as OWASP recommends it (N = 2^17, r = 8) and for what the frameworks that we
/// import from use by default.
pub(super) const ANNEX_KIB: u32 = 128 * 1024;

/// What scrypt needs beside its large table, in KiB.
pub(super) const ANNEX_SIDE_KIB: u32 = 1024;

/// The operating system has no memory left for a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory is left for a password hash")]
pub(super) struct NoMemory;

/// The most that `workers` can hold at one time, in bytes, if each keeps `blocks`.
pub(super) fn ceiling(workers: usize, blocks: usize) -> u64 {
    let kept = (workers as u64).saturating_mul(blocks as u64);
    let annex = u64::from(ANNEX_KIB) + u64::from(ANNEX_SIDE_KIB);
    kept.saturating_add(annex).saturating_mul(Block::SIZE as u64)
}

/// The memory of one hashing thread.
///
/// It is kept from one hash to the next, because the page faults of fresh memory cost as much as
/// the arithmetic. What does not fit goes to the annex, of which there is one for all threads: a
/// large imported hash waits for its turn there rather than multiply by the number of cores.
#[derive(Debug)]
pub(super) struct Memory {
    kept: Vec<Block>,
    blocks: usize,
    soiled: bool,
    annex: Arc<Mutex<()>>,
}

impl Memory {
    /// Returns memory that will keep `blocks`. Nothing is taken before the first hash.
    pub(super) fn new(blocks: usize, annex: Arc<Mutex<()>>) -> Self {
        Self { kept: Vec::new(), blocks, soiled: false, annex }
    }

    /// Lends `count` blocks to `work`.
    pub(super) fn lend<T>(
        &mut self,
        count: usize,
        work: impl FnOnce(&mut [Block]) -> T,
    ) -> Result<T, NoMemory> {
        if count > self.blocks {
            return self.lend_annex(|| {
                let mut blocks = Vec::new();
                grow(&mut blocks, count)?;
                let outcome = work(&mut blocks);
                blocks.zeroize();
                Ok(outcome)
            });
        }
        if self.kept.len() < self.blocks {
            grow(&mut self.kept, self.blocks)?;
        }
        self.soiled = true;
        Ok(work(&mut self.kept[..count]))
    }

    /// Runs `work`, which may take up to [`ANNEX_KIB`] and [`ANNEX_SIDE_KIB`], while no other does.
    pub(super) fn lend_annex<T>(&self, work: impl FnOnce() -> T) -> T {
        // The lock guards no data, so a panic under it has spoilt nothing.
        let _turn = self.annex.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Whether there is something to wipe.
    pub(super) fn is_soiled(&self) -> bool {
        self.soiled
    }

    /// Whether memory is held.
    pub(super) fn is_held(&self) -> bool {
        self.kept.capacity() > 0
    }

    /// Overwrites what the last hash left: with a single pass, its first block lets guesses be
    /// tried cheaply.
    pub(super) fn wipe(&mut self) {
        self.kept.iter_mut().zeroize();
        self.soiled = false;
    }

    /// Gives the memory back.
    pub(super) fn release(&mut self) {
        if self.soiled {
            self.wipe();
        }
        self.kept = Vec::new();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.release();
    }
}

fn grow(blocks: &mut Vec<Block>, count: usize) -> Result<(), NoMemory> {
    blocks.try_reserve_exact(count - blocks.len()).map_err(|_| NoMemory)?;
    blocks.resize(count, Block::new());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_is_workers_times_memory_and_one_annex() {
        let annex = 129 * 1024 * 1024;
        assert_eq!(ceiling(2, 19 * 1024), 2 * 19 * 1024 * 1024 + annex);
        assert_eq!(ceiling(0, 19 * 1024), annex);
        assert_eq!(ceiling(usize::MAX, usize::MAX), u64::MAX);
    }

    #[test]
    fn nothing_is_held_before_the_first_hash_and_nothing_left_after_wiping() {
        let mut memory = Memory::new(64, Arc::default());
        assert!(!memory.is_held() && !memory.is_soiled());

        let lent = memory.lend(16, |blocks| {
            blocks[0].as_mut()[0] = 7;
            blocks.len()
        });
        assert_eq!(lent, Ok(16));
        assert!(memory.is_held() && memory.is_soiled());
        assert_eq!(memory.kept.len(), 64);

        memory.wipe();
        assert!(!memory.is_soiled());
        assert!(memory.kept.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));

        memory.release();
        assert!(!memory.is_held());
    }

    #[test]
    fn what_does_not_fit_goes_to_the_annex_and_is_not_kept() {
        let mut memory = Memory::new(8, Arc::default());
        assert_eq!(memory.lend(9, |blocks| blocks.len()), Ok(9));
        assert!(!memory.is_held());
    }
}
