//! The program that is shipped, started and watched from outside.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::cpu;
use crate::http::{self, Connection};

const READY_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A server in a process of its own; it ends when this is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    /// How long it took to be ready.
    pub(crate) ready_after: Duration,
    child: Child,
}

impl Service {
    /// Starts `binary` on the database at `url`, with `folder` for what it keeps.
    ///
    /// Its log goes nowhere: it is formatted as in production, and whoever reads it there has the
    /// cost of that.
    pub(crate) fn start(
        binary: &Path,
        folder: &Path,
        url: &str,
        settings: &[&str],
    ) -> Result<Self> {
        let address = free_address()?;
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        let mut command = Command::new(binary);
        command.env_clear().current_dir(folder).arg("serve");
        for setting in [
            format!("listen={address}"),
            format!("data_dir={}", data.display()),
            format!("database.url={url}"),
            "rate_limit.enabled=false".to_owned(),
        ] {
            command.args(["--set", &setting]);
        }
        for setting in settings {
            command.args(["--set", setting]);
        }
        Self::spawn(command, address, &folder.join("stderr.log"))
    }

    /// Starts the bare server: this very program.
    pub(crate) fn bare(folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve-bare", &address.to_string()]);
        Self::spawn(command, address, &folder.join("bare.log"))
    }

    fn spawn(mut command: Command, address: SocketAddr, complaints: &Path) -> Result<Self> {
        let complaints_file = File::create(complaints)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaints_file);
        let begun = Instant::now();
        let child = command.spawn().context("the server does not start")?;
        let mut service = Self { address, ready_after: Duration::ZERO, child };
        while !is_ready(address) {
            if let Some(status) = service.child.try_wait()? {
                let why = fs::read_to_string(complaints).unwrap_or_default();
                bail!("the server ended at once ({status}): {}", why.trim());
            }
            if begun.elapsed() > READY_WITHIN {
                bail!("the server is not ready after {READY_WITHIN:?}");
            }
            sleep(Duration::from_millis(1));
        }
        service.ready_after = begun.elapsed();
        Ok(service)
    }

    /// Waits until it has nothing left to do: queues are drained, the log is written, the
    /// write-ahead log is copied back.
    pub(crate) fn settle(&self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..200 {
            let before = self.cpu()?;
            sleep(Duration::from_millis(50));
            quiet = if self.cpu()? == before { quiet + 1 } else { 0 };
            if quiet == 4 {
                return Ok(());
            }
        }
        bail!("the server does not come to rest")
    }

    /// Returns how much memory it holds, in MiB.
    pub(crate) fn memory(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    /// Returns the most memory that it ever held, in MiB.
    pub(crate) fn most_memory(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
            .context("the memory of a process cannot be read")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    /// Returns how much time its threads have had on the cores.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu::of(self.child.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && kill_process(pid, Signal::TERM).is_ok()
        {
            let told = Instant::now();
            while told.elapsed() < STOPPED_WITHIN {
                if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                    return;
                }
                sleep(Duration::from_millis(5));
            }
        }
        // It had its chance.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a server whether it is ready; the bare one says so at any path.
fn is_ready(address: SocketAddr) -> bool {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return false;
    };
    let asked = runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let mut request = Vec::new();
        http::get(&mut request, "/api/v1/health/ready", "none");
        Ok::<_, anyhow::Error>(connection.exchange(&request).await?.status)
    });
    matches!(asked, Ok(200))
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
