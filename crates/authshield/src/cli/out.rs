//! What commands print.
//!
//! The standard macros panic when nobody reads any more, as after `authshield config reference |
//! head`. Those here take their place in every command: a reader that went away is no error, and the
//! command does its work all the same, with the status that it earns. Words that are lost in another
//! way, on a disk that is full for instance, make it fail.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

/// Why words were lost, if some were.
static LOST: OnceLock<String> = OnceLock::new();

macro_rules! println {
    () => { crate::cli::out::say(format_args!("\n")) };
    ($($words:tt)*) => { crate::cli::out::say(format_args!("{}\n", format_args!($($words)*))) };
}

macro_rules! print {
    ($($words:tt)*) => { crate::cli::out::say(format_args!($($words)*)) };
}

macro_rules! eprintln {
    () => { crate::cli::out::complain(format_args!("\n")) };
    ($($words:tt)*) => { crate::cli::out::complain(format_args!("{}\n", format_args!($($words)*))) };
}

/// Writes to standard output.
pub(super) fn say(words: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_fmt(words).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.get_or_init(|| format!("what was to be printed could not be written: {error}"));
    }
}

/// Writes to standard error; whoever closed it does not want to know.
pub(super) fn complain(words: Arguments<'_>) {
    let _ = std::io::stderr().lock().write_fmt(words);
}

/// Returns why words were lost, if some were.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}
