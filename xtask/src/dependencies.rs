//! What we depend on: under which licences, from where, and whether we need it.
//!
//! `deny.toml` says what is allowed, for `cargo-deny` and for us: these checks always run, since they
//! need nothing that is not here anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::root;
use crate::licences::is_satisfied;
use crate::metadata::{Metadata, list, text};

/// Direct dependencies whose name need not occur in the source: package, dependency, reason.
const UNNAMED: [(&str, &str, &str); 2] = [
    (
        "bench",
        "aws-lc-rs",
        "the authenticators of the service's tests, which it includes, sign with it",
    ),
    ("bench", "sha2", "they hash with it"),
];

/// Where crates may come from: the registry, by either of its names.
const REGISTRY: [&str; 2] = [
    "registry+https://github.com/rust-lang/crates.io-index",
    "registry+sparse+https://index.crates.io/",
];

/// What `deny.toml` says.
struct Policy {
    licences: Vec<String>,
    /// Licences that are allowed for one crate.
    exceptions: BTreeMap<String, Vec<String>>,
    banned: Vec<String>,
}

impl Policy {
    fn read(deny: &str) -> Self {
        let exceptions = entries(deny, "licenses", "exceptions")
            .into_iter()
            .map(|entry| {
                let words = quoted(&entry);
                let (allowed, name) = words.split_at(words.len().saturating_sub(1));
                (name.concat(), allowed.to_vec())
            })
            .collect();
        let banned = entries(deny, "bans", "deny")
            .into_iter()
            .filter_map(|entry| quoted(&entry).into_iter().next())
            .collect();
        let licences = entries(deny, "licenses", "allow").iter().flat_map(|e| quoted(e)).collect();
        Self { licences, exceptions, banned }
    }
}

/// Returns the lines of the list `key` in `section`; `deny.toml` has one entry to a line.
fn entries(toml: &str, section: &str, key: &str) -> Vec<String> {
    let header = format!("[{section}]");
    toml.lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .skip_while(|line| line.split('=').next().map(str::trim) != Some(key))
        .skip(1)
        .take_while(|line| *line != "]")
        .filter(|line| !line.starts_with('#'))
        .map(ToOwned::to_owned)
        .collect()
}

/// Returns what stands between quotation marks.
fn quoted(line: &str) -> Vec<String> {
    line.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// Checks all that can be known without asking anybody.
pub(crate) fn check() -> Result<()> {
    let deny = fs::read_to_string(root().join("deny.toml")).context("cannot read deny.toml")?;
    let metadata = Metadata::ask()?;
    let mut complaints = judge(&metadata, &Policy::read(&deny));
    complaints.extend(unused(&metadata)?);
    let several = versions(&metadata).into_iter().filter(|(_, versions)| versions.len() > 1);
    println!("{} packages, {} in several versions", metadata.packages().count(), several.count());
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\n"));
    }
    Ok(())
}

/// Compares every package with the policy.
fn judge(metadata: &Metadata, policy: &Policy) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in metadata.packages() {
        let (name, version) = (text(package, "name"), text(package, "version"));
        let none = Vec::new();
        let more = policy.exceptions.get(name).unwrap_or(&none);
        let allowed =
            |licence: &str| policy.licences.iter().chain(more).any(|allowed| allowed == licence);
        let licence = text(package, "license");
        if !is_satisfied(licence, &allowed) {
            complaints.push(format!("{name} {version}: its licence, `{licence}`, is not allowed"));
        }
        if policy.banned.iter().any(|banned| banned == name) {
            complaints.push(format!("{name} {version} is banned; see deny.toml for the reason"));
        }
        match package["source"].as_str() {
            None => {
                if !metadata.members().any(|member| member["id"] == package["id"]) {
                    complaints.push(format!("{name} {version} is a folder outside the workspace"));
                }
            }
            Some(source) if REGISTRY.contains(&source) => {}
            Some(source) => complaints.push(format!("{name} {version} comes from {source}")),
        }
    }
    complaints
}

fn versions(metadata: &Metadata) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata.packages() {
        versions.entry(text(package, "name")).or_default().insert(text(package, "version"));
    }
    versions
}

/// Finds direct dependencies that the source never names.
fn unused(metadata: &Metadata) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for package in metadata.members() {
        let manifest = Path::new(text(package, "manifest_path"));
        let folder = manifest.parent().context("a manifest is in a folder")?;
        let mut source = String::new();
        read_rust(folder, &mut source)?;
        let name = text(package, "name");
        for dependency in dependencies_of(package) {
            let excused = UNNAMED.iter().any(|(of, what, _)| *of == name && *what == dependency);
            match (names(&source, dependency), excused) {
                (false, false) => {
                    complaints.push(format!("{name} does not use its dependency `{dependency}`"));
                }
                (true, true) => complaints.push(format!(
                    "{name} uses its dependency `{dependency}`: it needs no excuse any more"
                )),
                _ => {}
            }
        }
    }
    Ok(complaints)
}

/// Lists the direct dependencies of a package as its source calls them, but with hyphens.
fn dependencies_of(package: &Value) -> BTreeSet<&str> {
    list(package, "dependencies")
        .map(|dependency| dependency["rename"].as_str().unwrap_or_else(|| text(dependency, "name")))
        .collect()
}

/// Returns whether `source` has the name of the crate as a word.
fn names(source: &str, dependency: &str) -> bool {
    let word = dependency.replace('-', "_");
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    source.match_indices(&word).any(|(at, _)| {
        !source[..at].ends_with(is_part) && !source[at + word.len()..].starts_with(is_part)
    })
}

/// Reads all Rust source of a package, but not of packages inside it.
fn read_rust(folder: &Path, into: &mut String) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            let apart = path.join("Cargo.toml").exists() || path.ends_with("target");
            if !apart {
                read_rust(&path, into)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            into.push_str(&text);
        }
    }
    Ok(())
}

/// Lists what is part of the program that we ship: name, version and licence.
pub(crate) fn shipped(metadata: &Metadata) -> Result<BTreeSet<(&str, &str, &str)>> {
    let tree = crate::command::output(crate::command::cargo("tree").args([
        "--package",
        "authshield",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let in_tree: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.trim_start_matches('v')))
        })
        .collect();
    Ok(metadata
        .packages()
        .filter(|package| !package["source"].is_null())
        .map(|package| (text(package, "name"), text(package, "version"), text(package, "license")))
        .filter(|(name, version, _)| in_tree.contains(&(*name, *version)))
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = r#"
[licenses]
allow = [
    "MIT", # the usual one
    # "GPL-3.0-only" is not
    "ISC",
]
exceptions = [
    { allow = ["MPL-2.0"], crate = "webdriver" }, # only in tests
]

[bans]
deny = [
    { crate = "openssl", reason = "we use \"rustls\"" },
]
"#;

    #[test]
    fn the_policy_is_what_deny_toml_says() {
        let policy = Policy::read(DENY);
        assert_eq!(policy.licences, ["MIT", "ISC"]);
        assert_eq!(policy.exceptions["webdriver"], ["MPL-2.0"]);
        assert_eq!(policy.banned, ["openssl"]);
    }

    #[test]
    fn our_own_policy_is_read_whole() {
        let policy = Policy::read(&fs::read_to_string(root().join("deny.toml")).unwrap());
        assert!(policy.licences.len() > 5, "{:?}", policy.licences);
        assert_eq!(policy.exceptions.len(), 3, "{:?}", policy.exceptions);
        assert_eq!(policy.banned, ["openssl", "openssl-sys", "native-tls"]);
    }

    #[test]
    fn everything_that_is_not_allowed_is_named() {
        let registry = REGISTRY[0];
        let package = |name: &str, licence: &str, source: Value| json!({ "id": name, "name": name, "version": "1.0.0", "license": licence, "source": source });
        let metadata = Metadata::of(json!({
            "workspace_members": ["ours"],
            "packages": [
                package("ours", "MIT", Value::Null),
                package("fine", "MIT OR GPL-3.0-only", registry.into()),
                package("webdriver", "MPL-2.0", registry.into()),
                package("other", "MPL-2.0", registry.into()),
                package("openssl", "ISC", registry.into()),
                package("fork", "MIT", "git+https://example.org/fork".into()),
                package("elsewhere", "MIT", Value::Null),
                package("nameless", "", registry.into()),
            ],
        }));
        assert_eq!(
            judge(&metadata, &Policy::read(DENY)),
            [
                "other 1.0.0: its licence, `MPL-2.0`, is not allowed",
                "openssl 1.0.0 is banned; see deny.toml for the reason",
                "fork 1.0.0 comes from git+https://example.org/fork",
                "elsewhere 1.0.0 is a folder outside the workspace",
                "nameless 1.0.0: its licence, ``, is not allowed",
            ]
        );
    }

    #[test]
    fn what_is_shipped_is_what_the_program_is_built_from() {
        let metadata = Metadata::ask().unwrap();
        let names: Vec<&str> =
            shipped(&metadata).unwrap().into_iter().map(|(name, ..)| name).collect();
        assert!(names.contains(&"tokio") && !names.contains(&"onesql"), "{names:?}");
        assert!(!names.contains(&"fantoccini"), "{names:?}");
    }

    #[test]
    fn a_name_is_a_word() {
        assert!(names("use tokio_util::sync;", "tokio-util"));
        assert!(!names("use tokio_util::sync;", "tokio"));
        assert!(names("let x = tokio::spawn(y);", "tokio"));
        assert!(!names("", "tokio"));
    }
}
