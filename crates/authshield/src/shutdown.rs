//! One signal, and everybody finishes what they hold.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

static BEGUN: AtomicBool = AtomicBool::new(false);

/// Returns whether the service drains: it is not ready for new traffic.
#[must_use]
pub fn begun() -> bool {
    BEGUN.load(Ordering::Relaxed)
}

/// Says that the service drains.
pub fn begin() {
    BEGUN.store(true, Ordering::Relaxed);
}

/// Returns when the process is told to end, by SIGTERM or by Ctrl-C.
pub async fn told() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}
