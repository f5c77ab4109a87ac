//! `cargo xtask release`: what is shipped.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::{cargo, found, must, output, program, root};
use crate::dependencies::shipped;
use crate::metadata::{Metadata, text};

/// What goes with the program, where it exists.
const FILES: [&str; 6] = [
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "authshield.example.toml",
];

/// Builds it and packs it into `dist/`.
pub(crate) fn run() -> Result<()> {
    let mut build = cargo("build");
    build.args(["--profile", "dist", "--package", "authshield", "--bin", "authshield"]);
    must(&mut build)?;
    let metadata = Metadata::ask()?;
    let binary = metadata.target_folder().join("dist/authshield");
    let version = metadata
        .members()
        .find(|package| text(package, "name") == "authshield")
        .map(|package| text(package, "version"))
        .context("there is no package `authshield`")?;
    let rustc = output(program("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("unknown");

    let name = format!("authshield-{version}-{host}");
    let dist = root().join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    copy(&binary, &folder.join("authshield"))?;
    for file in FILES {
        if root().join(file).is_file() {
            copy(&root().join(file), &folder.join(file))?;
        }
    }
    fs::write(folder.join("THIRD-PARTY.md"), third_party(&metadata)?)?;
    let size = binary.metadata()?.len();
    println!("{} is {:.1} MiB", folder.join("authshield").display(), mebibytes(size));

    if found("tar").is_some() {
        let archive = format!("{name}.tar.gz");
        must(program("tar").current_dir(&dist).args(["-czf", &archive, &name]))?;
        let sum = output(program("sha256sum").current_dir(&dist).arg(&archive))?;
        fs::write(dist.join(format!("{archive}.sha256")), &sum)?;
        print!("{}\n{sum}", dist.join(archive).display());
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {}", from.display()))
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Lists what the program is made of, as its licences ask for.
fn third_party(metadata: &Metadata) -> Result<String> {
    let mut page =
        "# What AuthShield is made of\n\n| crate | version | licence |\n| --- | --- | --- |\n"
            .to_owned();
    for (name, version, licence) in shipped(metadata)? {
        writeln!(page, "| {name} | {version} | {licence} |")?;
    }
    Ok(page)
}
