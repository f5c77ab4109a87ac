//! The real sources. Nothing else in the program looks at the environment.

use std::fs;
use std::io;
use std::path::Path;

use url::Url;

use super::finding::Refused;
use super::setting::PREFIX;
use super::sources::{Sources, why_unreadable};
use super::{Loaded, load};

/// The file that is read when the working directory has it.
pub const DEFAULT_FILE: &str = "authshield.toml";

/// Reads what this process was started with: `file` is `--config`, `set` are the values of `--set`.
#[expect(clippy::disallowed_methods, reason = "here, and only here, the environment is read")]
pub fn from_process(file: Option<&Path>, set: &[String]) -> Result<Loaded, Refused> {
    let env = std::env::vars_os().map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    });
    from_disk(Sources::new().env(env).set(set), file)
}

/// Reads what is needed to look at a service that runs elsewhere, at `url`, from the environment and the
/// command line. This machine's configuration is another one's, so nothing else in it counts.
#[expect(clippy::disallowed_methods, reason = "here, and only here, the environment is read")]
pub fn from_outside(set: &[String], url: &Url) -> Result<Loaded, Refused> {
    const COUNT: [&str; 4] =
        ["operator_token", "operator_token_file", "checks.policy", "dns.resolvers"];
    let counts = |name: &str| {
        let variable =
            |of: &&str| name == format!("{PREFIX}{}", of.to_uppercase().replace('.', "_"));
        COUNT.contains(&name) || COUNT.iter().any(variable)
    };
    let env = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_string_lossy().into_owned();
        counts(&name).then(|| (name, value.to_string_lossy().into_owned()))
    });
    let given = set.iter().filter(|pair| counts(pair.split('=').next().unwrap_or_default()));
    let set: Vec<_> = given.cloned().chain([format!("public_url={url}")]).collect();
    load(&Sources::new().env(env).set(set).read_file(|path| fs::read_to_string(path)))
}

fn from_disk(sources: Sources<'_>, file: Option<&Path>) -> Result<Loaded, Refused> {
    let path = file.unwrap_or_else(|| Path::new(DEFAULT_FILE));
    let sources = sources.read_file(|path| fs::read_to_string(path));
    match fs::read_to_string(path) {
        Ok(text) => load(&sources.file(path.display().to_string(), text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_none() => load(&sources),
        Err(error) => {
            load(&sources.unreadable_file(path.display().to_string(), why_unreadable(&error)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_asked_for_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no.toml");
        let sources = Sources::new().set(["password.min_length=1"]);
        let refused = from_disk(sources, Some(&path)).unwrap_err();
        assert!(refused.refusals[0].message.ends_with("no.toml does not exist"));
        assert_eq!(refused.refusals[1].id, "bounds");

        fs::write(&path, "log = \"debug\"").unwrap();
        assert_eq!(from_disk(Sources::new(), Some(&path)).unwrap().config.log, "debug");
    }

    #[test]
    fn a_secret_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "4d1c5bd7b5f0f4b8d2a9c3e6\n").unwrap();
        let set = format!("operator_token_file={}", path.display());
        let empty = folder.path().join("empty.toml");
        fs::write(&empty, "").unwrap();
        let loaded = from_disk(Sources::new().set([set]), Some(&empty)).unwrap();
        let effective = loaded.effective.iter().find(|it| it.setting.name == "operator_token");
        assert_eq!(effective.unwrap().secret_bytes, Some(24));
    }
}
