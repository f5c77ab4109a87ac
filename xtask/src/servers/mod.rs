//! The servers that tests need: given by the environment, or our own in a throw-away folder.
//!
//! Our own are held by a process of their own, the keeper. It learns from the end of its input that
//! whoever wanted the servers is gone, be it by success, failure, Ctrl-C or `kill -9`; then it stops
//! by process id what was started, and removes the folder.

mod chromedriver;
mod folder;
mod postgres;
mod process;
mod redis;
mod upstream;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::variable;
use crate::packages;
pub(crate) use folder::Folder;
pub(crate) use process::{Server, free_port};

/// A server that tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The other database
    Postgres,
    /// The same, but what it acknowledged survives a power cut, as in production
    DurablePostgres,
    /// Redis, or Valkey
    Redis,
    /// Drives Chromium
    Chromedriver,
}

/// Where tests leave pictures of the pages, to look at.
const PICTURES: &str = "AUTHSHIELD_TEST_PICTURES";

impl Kind {
    /// One of each that tests need.
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::Redis, Self::Chromedriver];

    /// Returns the variable that says to tests where it is.
    fn variable(self) -> &'static str {
        match self {
            Self::Postgres | Self::DurablePostgres => "AUTHSHIELD_TEST_POSTGRES",
            Self::Redis => "AUTHSHIELD_TEST_REDIS",
            Self::Chromedriver => "AUTHSHIELD_TEST_CHROMEDRIVER",
        }
    }

    /// Returns its name as an argument.
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::DurablePostgres => "durable-postgres",
            Self::Redis => "redis",
            Self::Chromedriver => "chromedriver",
        }
    }
}

/// Returns those of `wanted` that the environment does not give.
pub(crate) fn not_given(wanted: &[Kind]) -> Vec<Kind> {
    wanted.iter().copied().filter(|kind| variable(kind.variable()).is_none()).collect()
}

/// The servers, for as long as this lives.
pub(crate) struct Servers {
    /// What tests must be told.
    pub(crate) environment: BTreeMap<String, String>,
    keeper: Child,
    /// Closed when we go, however we go.
    line: Option<ChildStdin>,
}

impl Servers {
    /// Starts those of `wanted` that the environment does not give.
    pub(crate) fn start(wanted: &[Kind]) -> Result<Self> {
        let own = not_given(wanted);
        packages::ensure(&own)?;
        let mut keeper = Command::new(std::env::current_exe().context("who are we?")?);
        keeper.arg("keep").args(own.iter().map(|kind| kind.name()));
        // Out of reach of Ctrl-C: it has to tidy up after that.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().context("the keeper of the servers does not start")?;
        let line = keeper.stdin.take();
        let said = BufReader::new(keeper.stdout.take().expect("it was asked for"));

        // From here on, whatever goes wrong drops this and so ends the keeper.
        let mut servers = Self { environment: BTreeMap::new(), keeper, line };
        if let Some(python) = packages::python() {
            servers.environment.insert("AUTHSHIELD_TEST_PYTHON".into(), python.into());
        }
        if let Some(folder) = upstream::installed() {
            servers.environment.insert("AUTHSHIELD_TEST_UPSTREAM".into(), folder);
        }
        if std::env::var_os(PICTURES).is_none() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/pictures");
            std::fs::create_dir_all(folder).context("there is no place for pictures of pages")?;
            servers.environment.insert(PICTURES.into(), folder.into());
        }
        let mut ready = false;
        for said in said.lines() {
            let said = said.context("the keeper of the servers is not understood")?;
            if said == READY {
                ready = true;
                break;
            }
            if let Some((name, value)) = said.split_once('=') {
                servers.environment.insert(name.to_owned(), value.to_owned());
            }
        }
        if !ready {
            bail!("the servers that tests need could not be started");
        }
        Ok(servers)
    }

    /// Runs `work` on a child that dies with us: it and all that it starts.
    pub(crate) fn with_child<T>(
        &mut self,
        command: &mut Command,
        work: impl FnOnce(&mut Child) -> Result<T>,
    ) -> Result<T> {
        let mut child = command.process_group(0).spawn().context("a program does not start")?;
        self.tell(&format!("+{}", child.id()))?;
        let outcome = work(&mut child);
        if outcome.is_err() {
            process::signal("KILL", child.id());
        }
        child.wait().context("a program went astray")?;
        self.tell(&format!("-{}", child.id()))?;
        outcome
    }

    fn tell(&mut self, what: &str) -> Result<()> {
        let line = self.line.as_mut().expect("closed only when dropped");
        writeln!(line, "{what}").context("the keeper of the servers is gone")
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.line.take());
        // It says by itself what it could not stop.
        let _ = self.keeper.wait();
    }
}

const READY: &str = "ready";

/// Starts the servers and prints where they are, until the input ends.
pub(crate) fn show() -> Result<()> {
    let servers = Servers::start(&Kind::ALL)?;
    for (name, value) in &servers.environment {
        println!("export {name}='{value}'");
    }
    eprintln!("xtask: Ctrl-D or Ctrl-C ends them");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Holds servers for the process at the other end of the input, until that is gone.
pub(crate) fn keep(kinds: &[Kind]) -> Result<()> {
    let folder = Folder::create()?;
    let mut running: Vec<Server> = Vec::new();
    let outcome = start_and_wait(kinds, &folder, &mut running);
    for server in running.iter_mut().rev() {
        server.stop();
    }
    process::end_all_that_mention(folder.path());
    folder.remove()?;
    outcome
}

fn start_and_wait(kinds: &[Kind], folder: &Folder, running: &mut Vec<Server>) -> Result<()> {
    let mut out = std::io::stdout();
    for kind in kinds {
        let (server, url) = match kind {
            Kind::Postgres => postgres::start(folder, postgres::Durable::No),
            Kind::DurablePostgres => postgres::start(folder, postgres::Durable::Yes),
            Kind::Redis => redis::start(folder),
            Kind::Chromedriver => chromedriver::start(folder),
        }
        .with_context(|| format!("{} does not start", kind.name()))?;
        running.push(server);
        writeln!(out, "{}={url}", kind.variable())?;
    }
    writeln!(out, "{READY}")?;
    out.flush()?;

    let mut children: Vec<u32> = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line?;
        match (line.get(..1), line.get(1..).and_then(|id| id.parse().ok())) {
            (Some("+"), Some(id)) => children.push(id),
            (Some("-"), Some(id)) => children.retain(|child| *child != id),
            _ => bail!("`{line}` is not understood"),
        }
    }
    for child in children {
        process::signal("TERM", child);
    }
    Ok(())
}
