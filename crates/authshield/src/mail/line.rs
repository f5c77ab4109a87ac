//! Reading the clear-text part of a conversation, one line at a time and no further.
//!
//! Whoever sits between us and the relay can append answers to its `220` after `STARTTLS`. A
//! buffered reader would take them in and serve them, after the handshake, as if they had been
//! encrypted. So nothing beyond the end of a line is taken from the socket while it is in the clear:
//! what was appended is then read by the handshake, and fails it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The first byte of a TLS handshake record; no answer in SMTP begins with it.
const HANDSHAKE: u8 = 22;

/// A socket that is read line by line until TLS begins on it.
#[derive(Debug)]
pub(super) struct LineByLine {
    socket: TcpStream,
    clear: bool,
}

impl LineByLine {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, clear: true }
    }
}

impl AsyncRead for LineByLine {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.clear {
            return Pin::new(&mut this.socket).poll_read(cx, buffer);
        }
        let mut ahead = [0; 1024];
        let seen = ahead.len().min(buffer.remaining());
        let mut ahead = ReadBuf::new(&mut ahead[..seen]);
        ready!(this.socket.poll_peek(cx, &mut ahead))?;
        let ahead = ahead.filled();
        if ahead.first() == Some(&HANDSHAKE) {
            this.clear = false;
            return Pin::new(&mut this.socket).poll_read(cx, buffer);
        }
        let line = ahead.iter().position(|byte| *byte == b'\n').map_or(ahead.len(), |end| end + 1);
        let mut taken = [0; 1024];
        let mut taken = ReadBuf::new(&mut taken[..line]);
        ready!(Pin::new(&mut this.socket).poll_read(cx, &mut taken))?;
        buffer.put_slice(taken.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineByLine {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for LineByLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }
}
