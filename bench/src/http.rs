//! As little HTTP as driving a server takes: what the generator spends, the server cannot have.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept for one request after the other.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("the server does not answer")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends `request` and waits for the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let head = loop {
            if let Some(head) = Head::read(&self.answer)? {
                break head;
            }
            self.more().await?;
        };
        while self.answer.len() < head.end + head.body {
            self.more().await?;
        }
        if self.answer.len() > head.end + head.body {
            bail!("the server sent more than it said");
        }
        Ok(Answer { status: head.status, body: &self.answer[head.end..] })
    }

    /// The same, where nothing but success will do; returns the body.
    pub(crate) async fn succeed(&mut self, request: &[u8]) -> Result<&[u8]> {
        let Answer { status, body } = self.exchange(request).await?;
        if !(200..300).contains(&status) {
            bail!("the server answers {status}: {}", String::from_utf8_lossy(body));
        }
        Ok(body)
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.answer).await? == 0 {
            bail!("the server hung up");
        }
        Ok(())
    }
}

const LENGTH: &[u8] = b"content-length:";

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    end: usize,
    body: usize,
}

impl Head {
    /// Reads the head of an answer; nothing while some of it is missing.
    fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
            return Ok(None);
        };
        let mut lines = bytes[..end].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix(b"HTTP/1.1 "))
            .and_then(|line| number(line.get(..3)?))
            .context("this is not HTTP/1.1")?;
        // It has no body and says nothing of it.
        if status == 204 {
            return Ok(Some(Self { status: 204, end: end + 4, body: 0 }));
        }
        let body = lines
            .find(|line| line.get(..LENGTH.len()).is_some_and(|n| n.eq_ignore_ascii_case(LENGTH)))
            .and_then(|line| number(line[LENGTH.len()..].trim_ascii()))
            .context("the answer does not say how long it is")?;
        Ok(Some(Self { status: u16::try_from(status)?, end: end + 4, body }))
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Writes a request without a body.
pub(crate) fn get(request: &mut Vec<u8>, path: &str, token: &str) {
    for part in ["GET ", path, " HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ", token] {
        request.extend_from_slice(part.as_bytes());
    }
    request.extend_from_slice(b"\r\n\r\n");
}

/// Writes a request of somebody who is signed in, with a JSON body, or with none if that is empty.
pub(crate) fn post_as(request: &mut Vec<u8>, path: &str, token: &str, body: &str) {
    post_with(request, path, &["authorization: Bearer ", token, "\r\n"], body);
}

/// Writes a request with a JSON body.
pub(crate) fn post(request: &mut Vec<u8>, path: &str, body: &str) {
    post_with(request, path, &[], body);
}

fn post_with(request: &mut Vec<u8>, path: &str, fields: &[&str], body: &str) {
    let length = body.len().to_string();
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    let start = ["POST ", path, " HTTP/1.1\r\nhost: localhost\r\n", kind];
    let end = ["content-length: ", &length, "\r\n\r\n", body];
    for part in start.iter().chain(fields).chain(&end) {
        request.extend_from_slice(part.as_bytes());
    }
}

/// Returns the text member `name` of a JSON object that has no other member of that name.
pub(crate) fn member<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let body = str::from_utf8(body).ok()?;
    let (_, rest) = body.split_once(&format!("\"{name}\":\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let whole = b"HTTP/1.1 503 Oh\r\nretry-after: 1\r\nContent-Length: 12\r\n\r\n";
        for length in 0..whole.len() {
            assert_eq!(Head::read(&whole[..length]).unwrap(), None, "{length}");
        }
        let head = Head { status: 503, end: whole.len(), body: 12 };
        assert_eq!(Head::read(whole).unwrap(), Some(head));
        let empty = Head { status: 204, end: 27, body: 0 };
        assert_eq!(Head::read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some(empty));
        assert!(Head::read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Head::read(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn a_member_is_found() {
        let body = br#"{"access_token":"a.b","refresh_token":"c","n":1}"#;
        assert_eq!(member(body, "refresh_token"), Some("c"));
        assert_eq!(member(body, "access_token"), Some("a.b"));
        assert_eq!(member(body, "token"), None);
    }
}
