//! A driver of our own for Chromium.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::folder::Folder;
use super::process::{Server, free_port};
use crate::command::found;

/// Starts it on a free port; returns where it is reached.
pub(super) fn start(folder: &Folder) -> Result<(Server, String)> {
    let program = found("chromedriver").context("chromedriver is not installed")?;
    let home = folder.inside("chromium", None)?;
    let port = free_port()?;
    let mut command = Command::new(program);
    // Profiles, caches and crash reports of its browsers end up here as well.
    command.env("HOME", &home).env("TMPDIR", &home).env_remove("XDG_CONFIG_HOME");
    command.env_remove("XDG_CACHE_HOME").arg(format!("--port={port}")).current_dir(&home);
    let log = folder.path().join("chromedriver.log");
    let server = Server::start("chromedriver", "TERM", log, &mut command)?
        .wait_until(|| is_ready(port).unwrap_or(false))?;
    Ok((server, format!("http://127.0.0.1:{port}")))
}

/// Asks the driver for its status. It keeps the connection open, so only what is needed is read.
fn is_ready(port: u16) -> std::io::Result<bool> {
    const READY: &[u8] = b"\"ready\":true";
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")?;
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        let length = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..length]);
        if length == 0 || answer.windows(READY.len()).any(|window| window == READY) {
            return Ok(length > 0);
        }
    }
}
