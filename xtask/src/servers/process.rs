//! A server that we started: waited for, and stopped by its process id.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::packages::is_root;

const PAUSE: Duration = Duration::from_millis(20);
const READY_WITHIN: Duration = Duration::from_mins(1);
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// A user that may do nothing much: servers do not run as root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unprivileged {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Unprivileged {
    /// Returns who servers should run as, if that is not who we are.
    pub(crate) fn instead_of_root() -> Result<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("who is on this machine?")?;
        let somebody = ["postgres", "nobody"].iter().find_map(|name| Self::in_list(&users, name));
        Ok(Some(somebody.context("there is no user `postgres` or `nobody` to run servers as")?))
    }

    /// Reads `name:x:101:104:…`.
    fn in_list(users: &str, name: &str) -> Option<Self> {
        let mut fields = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next()? == name).then_some(fields))?
            .skip(1);
        Some(Self { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    }

    /// Makes `command` run as `this`, if there is one.
    pub(crate) fn apply(this: Option<Self>, command: &mut Command) {
        if let Some(Self { user, group }) = this {
            command.uid(user).gid(group);
        }
    }
}

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

/// Returns a password that nobody guesses: other users of this machine can reach the ports, too.
pub(crate) fn password() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// A server that we started.
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    /// What asks it to end.
    signal: &'static str,
    log: PathBuf,
}

impl Server {
    /// Starts `command` in a process group of its own; it writes to `log`.
    pub(crate) fn start(
        name: &'static str,
        signal: &'static str,
        log: PathBuf,
        command: &mut Command,
    ) -> Result<Self> {
        let out = File::create(&log)?;
        command.stdout(out.try_clone()?).stderr(out).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, signal, log })
    }

    /// What it reads, for those that are told something there.
    pub(crate) fn input(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until `is_ready`; if that does not come, the server is stopped and its log told.
    pub(crate) fn wait_until(mut self, is_ready: impl Fn() -> bool) -> Result<Self> {
        let began = Instant::now();
        let why = loop {
            if let Some(status) = self.child.try_wait()? {
                break format!("it ended ({status})");
            }
            if is_ready() {
                return Ok(self);
            }
            if began.elapsed() > READY_WITHIN {
                break format!("it is not ready after {READY_WITHIN:?}");
            }
            sleep(PAUSE);
        };
        self.stop();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(15)..].join("\n  ");
        bail!("{why} and all it said was:\n  {end}")
    }

    /// Asks it to end, and ends it if it does not.
    pub(crate) fn stop(&mut self) {
        for (name, patience) in [(self.signal, STOPPED_WITHIN), ("KILL", STOPPED_WITHIN)] {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            signal(name, self.child.id());
            let began = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < patience {
                sleep(PAUSE);
            }
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            eprintln!("xtask: {} (process {}) does not end", self.name, self.child.id());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends a signal to the group of processes whose first was `id`.
pub(crate) fn signal(name: &str, id: u32) {
    // A shell has `kill` built in; that the group is gone already is no reason to complain.
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$0\" -- \"-$1\"", name, &id.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Ends what servers left running. Such a process is known by our folder, which nobody else knows: it
/// is in its arguments or in its environment.
pub(crate) fn end_all_that_mention(folder: &Path) {
    let mark = folder.as_os_str().as_encoded_bytes();
    let mentions = |process: &Path| {
        ["cmdline", "environ"].iter().any(|file| {
            // Processes of others cannot be read, and processes end.
            fs::read(process.join(file))
                .is_ok_and(|bytes| bytes.windows(mark.len()).any(|part| part == mark))
        })
    };
    let began = Instant::now();
    loop {
        let left: Vec<u32> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|id| *id != std::process::id())
            .filter(|id| mentions(Path::new(&format!("/proc/{id}"))))
            .collect();
        if left.is_empty() || began.elapsed() > STOPPED_WITHIN {
            return;
        }
        for id in left {
            let kill = ["-c", "kill -s KILL -- \"$0\"", &id.to_string()];
            let _ = Command::new("sh").args(kill).stderr(Stdio::null()).status();
        }
        sleep(PAUSE);
    }
}

/// Runs a small program that prepares a server; what it prints is told only when it fails.
pub(crate) fn prepare(command: &mut Command) -> Result<()> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => bail!(
            "{} failed: {}{}",
            command.get_program().display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{} cannot be found", command.get_program().display())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_in_the_list() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104::/var/lib/postgresql:\n";
        let found = Unprivileged::in_list(users, "postgres").unwrap();
        assert_eq!((found.user, found.group), (101, 104));
        assert!(Unprivileged::in_list(users, "nobody").is_none());
    }

    #[test]
    fn a_server_that_ends_by_itself_is_not_waited_for() {
        let folder = super::super::folder::Folder::create().unwrap();
        let server = Server::start(
            "a server",
            "TERM",
            folder.path().join("log"),
            Command::new("sh").args(["-c", "echo the port is taken; exit 1"]),
        )
        .unwrap();
        let error = server.wait_until(|| false).err().unwrap().to_string();
        assert!(error.contains("the port is taken"), "{error}");
        folder.remove().unwrap();
    }

    #[test]
    fn a_server_is_stopped_with_all_that_it_started() {
        let folder = super::super::folder::Folder::create().unwrap();
        let started = folder.path().join("started");
        let mut server = Server::start(
            "a server",
            "TERM",
            folder.path().join("log"),
            Command::new("sh")
                .args(["-c", "sleep 600 & echo $! > \"$0.new\"; mv \"$0.new\" \"$0\"; wait"])
                .arg(&started),
        )
        .unwrap()
        .wait_until(|| started.exists())
        .unwrap();
        let inner = fs::read_to_string(&started).unwrap();
        server.stop();
        // It was told to end, and so it does, sooner or later.
        let runs = || {
            let state = fs::read_to_string(format!("/proc/{}/stat", inner.trim()));
            state.is_ok_and(|state| !state.contains(") Z "))
        };
        let began = Instant::now();
        while runs() && began.elapsed() < STOPPED_WITHIN {
            std::thread::yield_now();
        }
        assert!(!runs());
        folder.remove().unwrap();
    }
}
