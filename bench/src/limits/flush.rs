//! How long the disk takes to keep a page while something else goes on.

use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

const PAGE: [u8; 4096] = [0x5a; 4096];
/// Of the file; they are written over and over, like a log that is used again.
const PAGES: usize = 256;
/// Seldom, so that it is no load of its own.
const EVERY: Duration = Duration::from_millis(20);

/// Does `work`; beside it a page is written to a file in `folder` now and then, and is on disk before
/// the next. Returns how long that took each time, in microseconds.
pub(crate) fn beside<T>(folder: &Path, work: impl FnOnce() -> Result<T>) -> Result<(T, Vec<u32>)> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&PAGE.repeat(PAGES))?;
    file.sync_all()?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flushes = scope.spawn(|| {
            let mut took = Vec::new();
            while !done.load(Ordering::Relaxed) {
                if took.len() % PAGES == 0 {
                    file.rewind()?;
                }
                let began = Instant::now();
                file.write_all(&PAGE)?;
                file.sync_data()?;
                took.push(u32::try_from(began.elapsed().as_micros())?);
                std::thread::sleep(EVERY);
            }
            Ok(took)
        });
        let worked = work();
        done.store(true, Ordering::Relaxed);
        let took: Result<_> = flushes.join().map_err(|_| anyhow!("the writer panicked"))?;
        Ok((worked?, took?))
    })
}
