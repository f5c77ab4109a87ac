//! What tests need besides Rust: looked for, and installed with apt when it is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{found, is_executable, must, succeeds};
use crate::servers::Kind;

/// The oldest PostgreSQL that is supported.
const POSTGRES_AT_LEAST: u32 = 15;

/// Something that is needed, and the Debian package that has it.
struct Need {
    package: &'static str,
    is_there: fn() -> bool,
}

const ALWAYS: [Need; 8] = [
    // For libFuzzer, which is built from its source.
    Need { package: "g++", is_there: || found("c++").is_some() },
    Need { package: "openssl", is_there: || found("openssl").is_some() },
    // An authenticator app by other hands, for the book.
    Need { package: "oathtool", is_there: || found("oathtool").is_some() },
    Need { package: "curl", is_there: || found("curl").is_some() },
    Need { package: "python3-aiosmtpd", is_there: || python().is_some() },
    // Who has another mail server keeps it, and the one test that needs postfix is skipped.
    Need { package: "postfix", is_there: || is_executable(Path::new("/usr/sbin/sendmail")) },
    Need { package: "dovecot-imapd", is_there: || is_executable(Path::new("/usr/sbin/dovecot")) },
    // For promtool, which tries the alert rules.
    Need { package: "prometheus", is_there: || found("promtool").is_some() },
];
const POSTGRES: Need = Need { package: "postgresql", is_there: || postgres().is_some() };
const REDIS: Need = Need { package: "redis-server", is_there: || redis().is_some() };
const BROWSER: [Need; 2] = [
    Need { package: "chromium", is_there: || found("chromium").is_some() },
    Need { package: "chromium-driver", is_there: || found("chromedriver").is_some() },
];

/// For an OpenID provider that others wrote, and for a snippet of the book.
const NPM: Need =
    Need { package: "npm", is_there: || found("npm").is_some() && found("node").is_some() };

/// What the book's snippets are tried with.
const ECOSYSTEMS: [Need; 5] = [
    Need { package: "python3-venv", is_there: || succeeds(&mut python_with("ensurepip")) },
    NPM,
    Need { package: "golang-go", is_there: || found("go").is_some() },
    Need {
        package: "golang-github-coreos-go-oidc-dev",
        is_there: || Path::new("/usr/share/gocode/src/github.com/coreos/go-oidc").is_dir(),
    },
    Need { package: "nginx-light", is_there: || found("nginx").is_some() },
];

/// Returns the first Python on the `PATH`, asked to load `module`.
fn python_with(module: &str) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", &format!("import {module}")]);
    python
}

/// Returns the folder of PostgreSQL's programs: the newest of those that Debian installs, or the one
/// on the `PATH`.
pub(crate) fn postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(version, bin)| *version >= POSTGRES_AT_LEAST && has_postgres(bin))
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin).or_else(|| {
        let bin = found("postgres")?.parent()?.to_owned();
        let says = crate::command::output(Command::new(bin.join("postgres")).arg("--version"));
        let version = major_version(&says.ok()?)?;
        (version >= POSTGRES_AT_LEAST && has_postgres(&bin)).then_some(bin)
    })
}

fn has_postgres(bin: &Path) -> bool {
    ["initdb", "postgres", "pg_isready"].iter().all(|name| is_executable(&bin.join(name)))
}

/// Reads `postgres (PostgreSQL) 15.9 (Debian …)`.
fn major_version(says: &str) -> Option<u32> {
    let (_, version) = says.split_once("(PostgreSQL) ")?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

/// Returns Redis, or Valkey, which answers to the same words.
pub(crate) fn redis() -> Option<PathBuf> {
    found("redis-server").or_else(|| found("valkey-server"))
}

/// Returns a Python that can play mail server: the first on the `PATH` need not be the one that
/// Debian's packages are for.
pub(crate) fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(|python| succeeds(Command::new(python).args(["-c", "import aiosmtpd"])))
}

/// Makes sure that all is there which tests with `servers` of our own need.
pub(crate) fn ensure(servers: &[Kind]) -> Result<()> {
    let mut needs: Vec<Need> = ALWAYS.into();
    needs.push(NPM);
    for server in servers {
        match server {
            Kind::Postgres | Kind::DurablePostgres => needs.push(POSTGRES),
            Kind::Redis => needs.push(REDIS),
            Kind::Chromedriver => needs.extend(BROWSER),
        }
    }
    ensure_all(&needs)
}

/// Makes sure that all is there which the book's snippets are tried with.
pub(crate) fn ensure_ecosystems() -> Result<()> {
    ensure_all(&ECOSYSTEMS)
}

fn ensure_all(needs: &[Need]) -> Result<()> {
    let missing = |needs: &[Need]| -> Vec<&str> {
        needs.iter().filter(|need| !(need.is_there)()).map(|need| need.package).collect()
    };
    let absent = missing(needs);
    if absent.is_empty() {
        return Ok(());
    }
    install(&absent)?;
    let absent = missing(needs);
    if !absent.is_empty() {
        bail!("{} cannot be found, although apt installed it", absent.join(", "));
    }
    Ok(())
}

/// Installs Debian packages, as root or by sudo when that asks no questions.
fn install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if found("apt-get").is_none() {
        bail!(
            "these Debian packages, or what they are called here, must be installed: {}",
            packages.join(", ")
        );
    }
    let sudo = if is_root() {
        None
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        Some("sudo")
    } else {
        bail!("something is missing that tests need; as root, run: {by_hand}");
    };
    eprintln!("xtask: {by_hand}");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new(sudo.unwrap_or("env"));
        if sudo.is_some() {
            apt.args(["-n", "env"]);
        }
        // The run level tells Debian not to start the servers: we start our own.
        apt.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-q"]);
        apt.args(arguments).stdin(std::process::Stdio::null());
        apt
    };
    // A list that is not quite fresh will often do.
    if let Err(error) = must(&mut apt(&["update"])) {
        eprintln!("xtask: {error:#}; trying all the same");
    }
    must(apt(&["install", "-y", "--no-install-recommends"]).args(packages))
        .map_err(|error| error.context(format!("as root, try: {by_hand}")))
}

/// Returns whether we are root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;

    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn the_version_of_postgres_is_read() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.9 (Debian 15.9-0+deb12u1)"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_version("something else"), None);
    }
}
