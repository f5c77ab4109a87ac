//! A Redis or Valkey server of our own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::folder::Folder;
use super::process::{Server, Unprivileged, free_port, password};
use crate::packages;

/// Starts it on a free port; returns where it is reached.
pub(super) fn start(folder: &Folder) -> Result<(Server, String)> {
    let program = packages::redis().context("neither Redis nor Valkey is installed")?;
    let owner = Unprivileged::instead_of_root()?;
    let home = folder.inside("redis", owner)?;
    let (port, password) = (free_port()?, password()?);

    let mut command = Command::new(program);
    command.arg("-").current_dir(&home).stdin(Stdio::piped());
    Unprivileged::apply(owner, &mut command);
    let mut server = Server::start("Redis", "TERM", folder.path().join("redis.log"), &mut command)?;
    // Told there and not by arguments, which everybody on this machine can read.
    let mut settings = server.input().context("it does not listen")?;
    write!(
        settings,
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave \"\"\nappendonly no\n"
    )?;
    drop(settings);
    let server = server.wait_until(|| answers(port))?;
    Ok((server, format!("redis://:{password}@127.0.0.1:{port}/")))
}

/// Returns whether something on `port` talks like Redis.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut answer = [0; 1];
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && matches!(&answer, b"+" | b"-")
}
