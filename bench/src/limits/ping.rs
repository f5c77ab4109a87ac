//! Asking Redis for a sign of life, and nothing else.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use url::Url;

use crate::stats::Spread;

/// Returns how long an answer of the Redis at `url` takes, in the middle, in microseconds.
pub(crate) fn takes(url: &str, span: Duration) -> Result<f64> {
    let url = Url::parse(url)?;
    let stream = TcpStream::connect(url.socket_addrs(|| Some(6379))?.as_slice())?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut answer = String::new();
    let mut ask = |words: &str| {
        stream.get_mut().write_all(words.as_bytes())?;
        answer.clear();
        stream.read_line(&mut answer)?;
        if !answer.starts_with('+') {
            bail!("Redis answers {}", answer.trim());
        }
        Ok(())
    };
    if let Some(password) = url.password() {
        ask(&format!("AUTH {password}\r\n"))?;
    }
    let (begun, mut took) = (Instant::now(), Vec::new());
    while begun.elapsed() < span {
        let began = Instant::now();
        ask("PING\r\n")?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Spread::of(took).median)
}
