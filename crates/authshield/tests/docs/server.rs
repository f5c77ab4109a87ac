//! A server that nobody used before, in a folder that goes away.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::AUTHSHIELD;

const READY_WITHIN: Duration = Duration::from_mins(1);

/// A program that runs until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server of one page.
pub(crate) struct Server {
    _running: Running,
    _orders: Option<Running>,
    pub(crate) folder: tempfile::TempDir,
    /// Where it listens, for everybody and for operators, and where the example service does.
    pub(crate) addresses: [String; 3],
}

/// Returns addresses that were free a moment ago, all of them others.
pub(crate) fn free_addresses<const COUNT: usize>() -> [String; COUNT] {
    let held = [(); COUNT].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().to_string())
}

/// A command without the settings and the cargo variables of whoever runs the tests.
#[expect(clippy::disallowed_methods, reason = "to forget it, not to read it")]
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["AUTHSHIELD_", "CARGO_MANIFEST", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];
        if ours.iter().any(|prefix| text.starts_with(prefix))
            || ["CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null());
    command
}

fn start(command: &mut Command, address: &str, log: &Path) -> Running {
    let out = std::fs::File::create(log).unwrap();
    let mut running =
        Running(command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap());
    let began = Instant::now();
    while !is_ready(address) {
        let log = || std::fs::read_to_string(log).unwrap();
        assert!(running.0.try_wait().unwrap().is_none(), "it ended: {}", log());
        assert!(began.elapsed() < READY_WITHIN, "nobody listens: {}", log());
        std::thread::yield_now();
    }
    running
}

/// Whether somebody listens who is ready, or has no such route.
fn is_ready(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /api/v1/health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| !answer.starts_with("HTTP/1.0 503") && !answer.is_empty())
}

impl Server {
    /// Starts one; with the example service, if that is asked for.
    pub(crate) fn start(with_orders: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addresses = free_addresses();
        let mut serve = clean(AUTHSHIELD);
        serve.arg("serve").current_dir(&folder);
        serve.env("AUTHSHIELD_LISTEN", &addresses[0]).env("AUTHSHIELD_ADMIN_LISTEN", &addresses[1]);
        let running = start(&mut serve, &addresses[0], &folder.path().join("serve.log"));
        let orders = with_orders.then(|| {
            let mut service = clean(orders_service());
            service.args([&format!("http://{}", addresses[0]), &addresses[2]]);
            start(&mut service, &addresses[2], &folder.path().join("orders.log"))
        });
        Self { _running: running, _orders: orders, folder, addresses }
    }
}

/// Builds the example service, which belongs to another package, and returns where it is.
fn orders_service() -> std::path::PathBuf {
    let mut build = clean(env!("CARGO"));
    build.args(["build", "--quiet", "--offline", "--workspace", "--bin", "orders-service"]);
    assert!(build.current_dir(crate::root()).status().unwrap().success());
    let target = Path::new(AUTHSHIELD).ancestors().nth(2).unwrap();
    target.join("debug/orders-service")
}
