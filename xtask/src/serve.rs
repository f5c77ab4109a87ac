//! Commands that run the program itself: `dev`, `tour`, `snippets` and `bench`.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::command::{cargo, must, program, root};
use crate::metadata::Metadata;
use crate::packages;
use crate::servers::{Folder, Kind, Server, Servers, free_port};

/// Serves from source, with what the environment says.
pub(crate) fn dev(arguments: &[String]) -> Result<()> {
    must(cargo("run").args(["--package", "authshield", "--", "serve"]).args(arguments))
}

/// Measures, on both databases if there is a PostgreSQL server or one can be started, and with Redis likewise.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    // Both as what is shipped is built: then they share what they depend on.
    let packages = ["--package", "bench", "--package", "authshield"];
    must(cargo("build").args(["--profile", "dist"]).args(packages))?;
    let mut bench = cargo("run");
    bench.args(["--profile", "dist", "--package", "bench", "--"]).args(arguments);
    let mut servers = Vec::new();
    for kind in [Kind::DurablePostgres, Kind::Redis] {
        match Servers::start(&[kind]) {
            Ok(started) => servers.push(started),
            Err(error) => eprintln!("xtask: without {kind:?}: {error:#}"),
        }
    }
    bench.envs(servers.iter().flat_map(|servers| &servers.environment));
    must(&mut bench)
}

/// Plays the tour against a server that nobody used before.
///
/// The script gets `BASE_URL`, and the settings of the server, so that `authshield mail list` finds
/// the mail; the program and the example service are on its `PATH`.
pub(crate) fn tour() -> Result<()> {
    let script = root().join("examples/tour.sh");
    if !script.is_file() {
        bail!("{} does not exist", script.display());
    }
    let (programs, path) = build()?;

    let folder = Folder::create()?;
    let data = folder.inside("data", None)?;
    let port = free_port()?;
    let base_url = format!("http://127.0.0.1:{port}");
    let mut settings: Vec<(&str, String)> = vec![
        ("AUTHSHIELD_LISTEN", format!("127.0.0.1:{port}")),
        ("AUTHSHIELD_PUBLIC_URL", base_url.clone()),
        ("AUTHSHIELD_DATA_DIR", data.display().to_string()),
    ];
    let mut serve = program(programs.join("authshield"));
    #[expect(clippy::disallowed_methods, reason = "to forget it, not to read it")]
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AUTHSHIELD_") {
            serve.env_remove(name);
        }
    }
    serve.arg("serve").envs(settings.iter().cloned()).current_dir(&data).stdin(Stdio::null());
    let log = folder.path().join("authshield.log");
    let outcome = Server::start("authshield", "TERM", log, &mut serve)
        .and_then(|server| server.wait_until(|| speaks_http(port)))
        .and_then(|server| {
            settings.push(("BASE_URL", base_url.clone()));
            let outcome = must(program("bash").arg(&script).envs(settings).env("PATH", path));
            drop(server);
            outcome
        });
    folder.remove()?;
    outcome
}

/// Tries the snippets of the book, each with its own ecosystem; what cannot be installed is left out.
pub(crate) fn snippets() -> Result<()> {
    if let Err(error) = packages::ensure_ecosystems() {
        eprintln!("xtask: {error:#}; what is missing is left out");
    }
    let (_, path) = build()?;
    must(program("bash").arg(root().join("examples/snippets/test.sh")).env("PATH", path))
}

/// Builds the program and the example service; returns their folder, and a `PATH` that begins with it.
fn build() -> Result<(PathBuf, OsString)> {
    // All packages, as when testing: with other features, all would be built again.
    must(cargo("build").args(["--workspace", "--bin", "authshield", "--bin", "orders-service"]))?;
    let programs = Metadata::ask()?.target_folder().join("debug");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(programs.clone()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders)?;
    Ok((programs, path))
}

/// Returns whether something on `port` answers in HTTP.
fn speaks_http(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut answer = [0; 5];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(b"GET /api/v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"HTTP/"
}
