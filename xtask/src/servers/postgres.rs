//! A PostgreSQL server of our own.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use anyhow::{Context, Result};

use super::folder::Folder;
use super::process::{Server, Unprivileged, free_port, password, prepare};
use crate::command::succeeds;
use crate::packages;

/// Whether what it acknowledged survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Yes,
    No,
}

/// Starts it on a free port; returns where its superuser reaches it.
pub(super) fn start(folder: &Folder, durable: Durable) -> Result<(Server, String)> {
    let bin = packages::postgres().context("PostgreSQL is not installed")?;
    let owner = Unprivileged::instead_of_root()?;
    let home = folder.inside("postgres", owner)?;
    let data = home.join("data");
    let password = password()?;
    let password_file = home.join("password");
    fs::write(&password_file, &password)?;
    if let Some(owner) = owner {
        chown(&password_file, Some(owner.user), Some(owner.group))?;
    }

    let command = |name: &str| {
        let mut command = Command::new(bin.join(name));
        command.current_dir(&home);
        Unprivileged::apply(owner, &mut command);
        command
    };
    prepare(
        command("initdb")
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"])
            // Weak, but on this machine; and tests connect so often that SCRAM's 4,096 rounds were a
            // fifth of what the server did.
            .args(["--auth=md5", "--pwfile"])
            .arg(&password_file),
    )?;

    let port = free_port()?.to_string();
    let mut server = command("postgres");
    server.arg("-D").arg(&data).args(["-p", &port]).arg("-k").arg(&home);
    for setting in ["listen_addresses=127.0.0.1", "max_connections=300", "max_wal_size=4GB"] {
        server.args(["-c", setting]);
    }
    if durable == Durable::No {
        // Nothing that tests write has to outlive the machine; each of them makes a database, which
        // would cost several flushes.
        server.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    // A fast shutdown: sessions are ended, not waited for.
    let server =
        Server::start("PostgreSQL", "INT", folder.path().join("postgres.log"), &mut server)?
            .wait_until(|| {
                succeeds(command("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port]))
            })?;
    Ok((server, format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres")))
}
