//! Log lines on their way out: a bounded queue and the one thread that writes.
//!
//! A pipe whose reader stopped blocks whoever writes to it. Here that is a thread which has nothing
//! else to do; everybody else only puts a line into memory, or, if too many wait there already,
//! counts it as lost and goes on. When lines get through again, the first says how many were lost.
//!
//! Waking a thread costs more than a line, so that is done for the first line after a silence only;
//! after each batch the thread naps, and finds what came meanwhile when it wakes.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::line::{Fields, Format, Line};
use crate::world::SharedWorld;

/// How many bytes may wait. The batch that is being written counts no more, so memory for logs is
/// at most twice this.
const CAPACITY: usize = 4 << 20;

/// How long lines gather before the next batch.
const NAP: Duration = Duration::from_millis(10);

/// How much is written at once, unless one line is longer.
const WRITE_AT_MOST: usize = 64 << 10;

/// How much memory is kept for the next batch.
const KEEP_AT_MOST: usize = 256 << 10;

/// Where lines wait to be written; clones share one queue.
///
/// One `write` is one line: it is kept whole or lost whole, and never waits.
#[derive(Debug, Clone)]
pub struct LineQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    /// Since the last notice.
    lost: AtomicU64,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct State {
    waiting: Batch,
    writing: bool,
    /// Whether the thread waits to be woken by the next line.
    asleep: bool,
    /// Whether somebody wants the thread to cut its nap short.
    hurried: bool,
}

/// Lines, one after the other.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
}

impl Batch {
    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.ends.push(self.bytes.len());
    }

    /// Writes everything, several lines at once, and returns how many could not be.
    fn write_to(&self, sink: &mut impl Write) -> u64 {
        let (mut lost, mut from, mut lines) = (0, 0, 0);
        for (place, end) in self.ends.iter().enumerate() {
            lines += 1;
            let next = self.ends.get(place + 1);
            if next.is_some_and(|next| next - from <= WRITE_AT_MOST) {
                continue;
            }
            if sink.write_all(&self.bytes[from..*end]).is_err() {
                lost += lines;
            }
            (from, lines) = (*end, 0);
        }
        lost
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_AT_MOST);
        self.ends.clear();
        self.ends.shrink_to(KEEP_AT_MOST / 64);
    }
}

impl LineQueue {
    /// Starts the thread that writes to `sink`; it lives as long as the program.
    pub fn start(
        sink: impl Write + Send + 'static,
        format: Format,
        world: SharedWorld,
        dropped: Counter,
    ) -> Self {
        let queue = Self(Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            lost: AtomicU64::new(0),
            dropped,
        }));
        let writer = queue.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_all_to(sink, format, &world))
            .expect("a program that starts can have one more thread");
        queue
    }

    /// Waits until all lines are written, or for `patience` if nobody reads them.
    pub fn flush(&self, patience: Duration) {
        let mut state = self.state();
        state.hurried = true;
        self.0.filled.notify_one();
        let _ = self.0.emptied.wait_timeout_while(state, patience, |state| {
            state.writing || !state.waiting.ends.is_empty()
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nobody panics while holding the queue")
    }

    fn lose(&self, lines: u64) {
        self.0.lost.fetch_add(lines, Ordering::Relaxed);
        self.0.dropped.inc_by(lines);
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        let bytes = state.waiting.bytes.len() + line.len();
        if bytes > CAPACITY {
            drop(state);
            return self.lose(1);
        }
        state.waiting.push(line);
        state.hurried |= bytes > CAPACITY / 2;
        let wake = std::mem::take(&mut state.asleep) || bytes > CAPACITY / 2;
        drop(state);
        if wake {
            self.0.filled.notify_one();
        }
    }

    fn write_all_to(&self, mut sink: impl Write, format: Format, world: &SharedWorld) {
        let mut batch = Batch::default();
        let mut state = self.state();
        loop {
            while state.waiting.ends.is_empty() {
                state.asleep = true;
                state = self.0.filled.wait(state).expect("nobody panics while holding the queue");
            }
            std::mem::swap(&mut batch, &mut state.waiting);
            (state.asleep, state.writing, state.hurried) = (false, true, false);
            drop(state);

            let unwritten = batch.write_to(&mut sink);
            if unwritten > 0 {
                self.lose(unwritten);
            }
            batch.clear();
            let lost = self.0.lost.swap(0, Ordering::Relaxed);
            if lost > 0 && sink.write_all(notice(lost, format, world).as_bytes()).is_err() {
                self.0.lost.fetch_add(lost, Ordering::Relaxed);
            }
            // A sink that cannot be flushed could not be written to: that was counted.
            let _ = sink.flush();

            state = self.state();
            state.writing = false;
            self.0.emptied.notify_all();
            let nap = self.0.filled.wait_timeout_while(state, NAP, |state| !state.hurried);
            (state, _) = nap.expect("nobody panics while holding the queue");
        }
    }
}

fn notice(lost: u64, format: Format, world: &SharedWorld) -> String {
    let message = "log lines were lost: they are read too slowly, or not at all";
    let mut fields = Fields::default();
    fields.set_text("message", |texts| texts.push_str(message));
    fields.set("lost", lost);
    let target = "authshield::telemetry";
    Line { at: world.now(), level: Level::WARN, target, fields: &fields }.render(format)
}

impl Write for &LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineQueue {
    type Writer = &'a LineQueue;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::world::Sandbox;

    /// A pipe whose reader has stopped, until it is told to go on.
    struct Stuck {
        entered: Sender<()>,
        go_on: Receiver<()>,
        seen: Sender<String>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.entered.send(());
            let _ = self.go_on.recv();
            let _ = self.seen.send(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// F36: a log that nobody reads costs lines, not requests, and memory has an end.
    #[test]
    fn a_stuck_reader_holds_nobody_up_and_is_told_what_it_missed() {
        let ((entered_in, entered), (release, go_on), (seen_in, seen)) =
            (channel(), channel(), channel());
        let dropped = Counter::default();
        let sink = Stuck { entered: entered_in, go_on, seen: seen_in };
        let world = Arc::new(Sandbox::default());
        let queue = LineQueue::start(sink, Format::Json, world, dropped.clone());

        queue.push(b"first\n");
        entered.recv().unwrap(); // the thread now hangs in `write`
        let line = vec![b'x'; 1 << 20];
        for _ in 0..10 {
            queue.push(&line);
        }
        assert_eq!(dropped.get(), 6);
        queue.flush(Duration::ZERO); // gives up at once

        drop(release);
        queue.flush(Duration::from_mins(1));
        let seen: Vec<_> = seen.try_iter().collect();
        assert_eq!(seen[0], "first\n");
        assert_eq!(seen.iter().filter(|line| line.starts_with('x')).count(), 4);
        let notice = seen.iter().find(|line| line.starts_with('{')).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(notice).unwrap()["lost"], 6);
    }

    #[test]
    fn a_closed_pipe_is_counted_and_nothing_panics() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let dropped = Counter::default();
        let world = Arc::new(Sandbox::default());
        let queue = LineQueue::start(Closed, Format::Json, world, dropped.clone());
        queue.push(b"a\n");
        queue.push(b"b\n");
        queue.flush(Duration::from_mins(1));
        assert_eq!(dropped.get(), 2);
    }
}
