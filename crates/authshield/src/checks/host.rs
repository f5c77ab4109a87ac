//! CFG-4, CFG-5, PWD-1: the machine that the program runs on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::check::{About, Check};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::config::Source;
use crate::passwords::Passwords;

/// Files with secrets in them.
pub(super) struct SecretFiles;

impl Check for SecretFiles {
    const ABOUT: About = About {
        id: "CFG-4",
        title: "Files with secrets",
        verifies: "Nobody but their owner can write the files that hold secrets or the folders they are \
                   in; that everybody can read them is a warning, except where a container runtime \
                   mounts them (/run/secrets).",
        expected: "files that their owner alone can read",
        remedy: "Give the file mode 0600 or 0400, in a folder that others cannot write to.",
        parents: &["CFG-1"],
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_hours(1)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let files = secret_files(at);
        if files.is_empty() {
            return Verdict::skip("no secret is in a file");
        }
        let mut verdict = Verdict::pass(format!("{} files", files.len()));
        for file in &files {
            let worse = judge(file);
            if worse.status > verdict.status {
                verdict = worse;
            }
        }
        verdict
    }
}

fn secret_files(at: &Round) -> Vec<PathBuf> {
    let config = at.config();
    let named = at.effective().iter().filter_map(|value| match &value.source {
        Source::SecretFile { path, .. } => Some(path.clone()),
        _ => None,
    });
    let mut files: Vec<_> = named.chain(config.tls.private_key_file.clone()).collect();
    let made = config.data_dir.join("master.key");
    if config.master_key.is_none() && made.exists() {
        files.push(made);
    }
    files
}

fn judge(file: &Path) -> Verdict {
    use std::os::unix::fs::PermissionsExt;

    let shown = file.display();
    let mode = |path: &Path| std::fs::metadata(path).map(|meta| meta.permissions().mode());
    let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    match (mode(file), mode(folder)) {
        (Err(error), _) | (_, Err(error)) => Verdict::fail(format!("{shown}: {error}")),
        (Ok(mode), _) if mode & 0o022 != 0 => {
            Verdict::fail(format!("others can write {shown} (mode {:04o})", mode & 0o7777))
        }
        // A sticky folder, such as /tmp, lets nobody replace what is not theirs.
        (_, Ok(mode)) if mode & 0o002 != 0 && mode & 0o1000 == 0 => {
            Verdict::fail(format!("everybody can replace {shown}: its folder is open to all"))
        }
        (Ok(mode), _) if mode & 0o004 != 0 && !file.starts_with("/run/secrets") => {
            Verdict::warn(format!("everybody can read {shown} (mode {:04o})", mode & 0o7777))
        }
        _ => Verdict::pass("fine"),
    }
}

/// The process.
pub(super) struct Process;

impl Check for Process {
    const ABOUT: About = About {
        id: "CFG-5",
        title: "Process",
        verifies: "In production the program is not root, writes no core dumps (they hold secrets), and \
                   may open enough files for max_connections and the database's connections.",
        expected: "an ordinary user, no core dumps, enough files",
        remedy: "Run it as a user of its own, with LimitCORE=0 and a LimitNOFILE above max_connections.",
        settings: &["max_connections", "database.connections"],
        parents: &["CFG-2"],
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Nothing },
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        if !at.config().is_production() {
            return Verdict::skip("matters in production");
        }
        process(at)
    }
}

#[cfg(target_os = "linux")]
fn process(at: &Round) -> Verdict {
    use rustix::process::{Resource, geteuid, getrlimit};

    let config = at.config();
    // Beside connections: files of the database, of Redis, of the relay, of the log.
    let needed = config.max_connections as u64 + u64::from(config.database.connections) + 64;
    let files = getrlimit(Resource::Nofile).current;
    let core = getrlimit(Resource::Core).current;
    let mut facts = Vec::new();
    if geteuid().is_root() {
        facts.push("it runs as root".to_owned());
    }
    if core != Some(0) {
        facts.push("it may write core dumps".to_owned());
    }
    if let Some(files) = files.filter(|files| *files < needed) {
        facts.push(format!("it may open {files} files and needs up to {needed}"));
    }
    if facts.is_empty() {
        return Verdict::pass("an ordinary user, no core dumps, enough files");
    }
    Verdict::warn(facts.join("; "))
}

#[cfg(not(target_os = "linux"))]
fn process(_: &Round) -> Verdict {
    Verdict::skip("looked at on Linux only")
}

/// What a password hash costs here.
pub(super) struct Hashing;

impl Check for Hashing {
    const ABOUT: About = About {
        id: "PWD-1",
        title: "Cost of a password hash",
        verifies: "One password is hashed with the configured cost: in production it takes 5 ms at \
                   least, and 1 s at most; the memory of all workers is below the limit of the \
                   container, if there is one. How many sign-ins a second that allows is told.",
        expected: "a hash that takes from 5 ms to 1 s, in memory that is there",
        remedy: "Change password.hash_iterations or password.hash_memory_kib; run with more memory or \
                 fewer password.hash_workers.",
        settings: &[
            "password.hash_iterations",
            "password.hash_memory_kib",
            "password.hash_workers",
        ],
        parents: &["CFG-2"],
        policy: Policy { gate: Act::Warn, start: Act::Warn, running: Act::Warn },
        every: Some(Duration::from_hours(6)),
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        let production = at.config().is_production();
        if let Some(app) = at.app() {
            return measure(&app.passwords, production).await;
        }
        let passwords = Passwords::start(&at.config().password, at.shared_world());
        let verdict = measure(&passwords, production).await;
        passwords.shutdown();
        verdict
    }
}

async fn measure(passwords: &Passwords, production: bool) -> Verdict {
    let began = std::time::Instant::now();
    let hashed = passwords.hash(&SecretString::from("how long does this take?")).await;
    if hashed.is_err() {
        return Verdict::warn("the workers are too busy to say");
    }
    let took = began.elapsed();
    let stats = passwords.stats();
    let rate = 1.0 / took.as_secs_f64().max(1e-6);
    let words = format!("{took:.0?} for a hash, {rate:.0} a second by each worker");
    let mib = stats.memory_ceiling >> 20;
    let verdict = match memory_limit() {
        Some(limit) if limit < stats.memory_ceiling => Verdict::warn(format!(
            "{words}; hashing may take {mib} MiB, and the container has {} MiB",
            limit >> 20
        )),
        _ if took > Duration::from_secs(1) => Verdict::warn(format!("{words}: people will wait")),
        _ if production && took < Duration::from_millis(5) => {
            Verdict::warn(format!("{words}: guessing is as cheap"))
        }
        _ => Verdict::pass(words),
    };
    verdict.evidence(format!("up to {mib} MiB for hashing"))
}

/// Returns how much memory the container may use (cgroup v2), if it is limited.
fn memory_limit() -> Option<u64> {
    std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()
}
