//! Bounds on how long a client may be silent before it says which HTTP it speaks, and on how long it may
//! leave unread what it was sent.
//!
//! Both versions come in on one port, told apart by the first bytes, and while those are waited for
//! neither version's own time limit runs yet. Neither has one for an answer that nobody takes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What an HTTP/2 client says first (RFC 9113, 3.4); no request of HTTP/1 begins with all of it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream on which something must come soon, and whose other end must read.
pub(super) struct Prompt<S> {
    stream: S,
    /// Nothing once it is known which HTTP is spoken.
    awaited: Option<Awaited>,
    /// How long nothing may be taken of what was written.
    read_within: Duration,
    /// Runs while something was written that does not fit on the way.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Prompt<S> {
    /// Gives the client `within` for its first words, and `read_within` for each piece that it is sent.
    pub(super) fn new(stream: S, within: Duration, read_within: Duration) -> Self {
        Self { stream, awaited: Some(Awaited::new(within)), read_within, stalled: None }
    }

    /// Bounds how long `written` may be pending.
    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let read_within = self.read_within;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(read_within)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// How much of the preface came, and how long the rest may take.
struct Awaited {
    seen: usize,
    end: Pin<Box<Sleep>>,
}

impl Awaited {
    fn new(within: Duration) -> Self {
        Self { seen: 0, end: Box::pin(sleep(within)) }
    }

    /// Returns whether `came` decides which HTTP is spoken.
    fn decides(&mut self, came: &[u8]) -> bool {
        let expected = &PREFACE[self.seen..];
        self.seen += came.len();
        came.len() >= expected.len() || !expected.starts_with(came)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let Some(awaited) = &mut this.awaited else { return read };
        if read.is_ready() {
            let came = &buffer.filled()[before..];
            if came.is_empty() || awaited.decides(came) {
                this.awaited = None;
            }
            return read;
        }
        awaited.end.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.bounded(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        this.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.bounded(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
