//! Where values come from, and which of several wins.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::{Table, Value};
use zeroize::Zeroizing;

use super::finding::Finding;
use super::names;
use super::setting::{Kind, PREFIX, Setting};
use super::{setting, settings};

/// Where an effective value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// Its path.
        path: String,
    },
    /// The environment.
    Environment {
        /// Its variable.
        variable: String,
    },
    /// `--set`.
    CommandLine,
    /// A file that holds one secret.
    SecretFile {
        /// Its path.
        path: PathBuf,
        /// The variable or key with that path.
        named_by: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path } => write!(f, "from {path}"),
            Self::Environment { .. } => f.write_str("from env"),
            Self::CommandLine => f.write_str("from the command line"),
            Self::SecretFile { path, .. } => write!(f, "from {}", path.display()),
        }
    }
}

/// Reads a file that a `…_FILE` names.
type ReadFile<'a> = Box<dyn Fn(&Path) -> io::Result<String> + 'a>;

/// Everything that is read. Nothing in it is looked up while loading, so tests need no files and no
/// environment.
pub struct Sources<'a> {
    file: Option<(String, Result<String, String>)>,
    env: Vec<(String, String)>,
    set: Vec<String>,
    read_file: ReadFile<'a>,
}

impl Default for Sources<'_> {
    fn default() -> Self {
        Self {
            file: None,
            env: Vec::new(),
            set: Vec::new(),
            read_file: Box::new(|_| Err(io::ErrorKind::NotFound.into())),
        }
    }
}

impl<'a> Sources<'a> {
    /// Returns sources without anything in them: the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the text of a configuration file; `path` is for messages.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.file = Some((path.into(), Ok(text.into())));
        self
    }

    /// Says that there should have been a file, and why there is none (`does not exist`).
    #[must_use]
    pub(super) fn unreadable_file(mut self, path: impl Into<String>, why: String) -> Self {
        self.file = Some((path.into(), Err(why)));
        self
    }

    /// Adds variables.
    #[must_use]
    pub fn env<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.env.extend(pairs.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Adds `name=value` pairs of the command line.
    #[must_use]
    pub fn set<T: Into<String>>(mut self, pairs: impl IntoIterator<Item = T>) -> Self {
        self.set.extend(pairs.into_iter().map(Into::into));
        self
    }

    /// Says how a secret's file is read.
    #[must_use]
    pub fn read_file(mut self, read: impl Fn(&Path) -> io::Result<String> + 'a) -> Self {
        self.read_file = Box::new(read);
        self
    }
}

/// A value that somebody gave.
pub(super) struct Given {
    pub(super) text: Zeroizing<String>,
    pub(super) source: Source,
}

impl Given {
    /// Returns what messages call it: the name that somebody wrote, where they wrote it.
    pub(super) fn called(&self, setting: &Setting) -> String {
        match &self.source {
            Source::Default => format!("`{}`", setting.name),
            Source::File { path } => format!("`{}` in {path}", setting.name),
            Source::Environment { variable } => variable.clone(),
            Source::CommandLine => format!("`--set {}`", setting.name),
            Source::SecretFile { path, named_by } => {
                format!("the file {} ({named_by})", path.display())
            }
        }
    }
}

/// What all sources said together.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) given: BTreeMap<&'static str, Given>,
    pub(super) findings: Vec<Finding>,
    /// The file could not be read: what is missing may be in it.
    pub(super) file_is_broken: bool,
}

/// One source's say in one setting.
struct Entry {
    setting: &'static Setting,
    /// It is the path of a file with the value.
    is_path: bool,
    text: Zeroizing<String>,
    source: Source,
    /// What the user wrote to give it.
    written: String,
}

/// Reads every source; of several values for one setting, the last source's wins.
pub(super) fn gather(sources: &Sources<'_>) -> Gathered {
    let mut gathered = Gathered::default();
    let layers = [
        from_file(sources, &mut gathered),
        from_env(sources, &mut gathered),
        from_command_line(sources, &mut gathered),
    ];
    for layer in layers {
        settle(layer, sources, &mut gathered);
    }
    let others: Vec<_> =
        sources.env.iter().map(|(name, _)| name.as_str()).filter(|name| !is_ours(name)).collect();
    let foreign = names::foreign(&others, |name| gathered.given.contains_key(name));
    gathered.findings.extend(foreign);
    gathered
}

fn is_ours(variable: &str) -> bool {
    variable.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Lets one source override those before it, and reads the files that it names.
fn settle(layer: Vec<Entry>, sources: &Sources<'_>, gathered: &mut Gathered) {
    let mut direct: BTreeMap<&'static str, Entry> = BTreeMap::new();
    let mut by_path: BTreeMap<&'static str, Entry> = BTreeMap::new();
    for entry in layer {
        let map = if entry.is_path { &mut by_path } else { &mut direct };
        map.insert(entry.setting.name, entry);
    }
    for (name, entry) in by_path {
        if let Some(other) = direct.remove(name) {
            let message =
                format!("{} and {} are both given; keep one", other.written, entry.written);
            gathered.findings.push(Finding::refusal("given-twice", message).about(&[name]));
            gathered.given.insert(name, Given { text: other.text, source: other.source });
            continue;
        }
        match read_secret(&entry, sources) {
            Ok(given) => {
                gathered.given.insert(name, given);
            }
            Err(finding) => gathered.findings.push(finding.about(&[name])),
        }
    }
    for (name, Entry { text, source, .. }) in direct {
        gathered.given.insert(name, Given { text, source });
    }
}

/// Reads a secret from its own file, without the line end that editors put behind it.
fn read_secret(entry: &Entry, sources: &Sources<'_>) -> Result<Given, Finding> {
    let path = PathBuf::from(entry.text.as_str());
    let refusal = |why: &str| {
        let message = format!("the file {} that {} names {why}", path.display(), entry.written);
        Finding::refusal("secret-file", message)
    };
    if entry.text.is_empty() {
        let message = format!("{} is empty; name a file or remove it", entry.written);
        return Err(Finding::refusal("secret-file", message));
    }
    let text = (sources.read_file)(&path)
        .map(Zeroizing::new)
        .map_err(|error| refusal(&why_unreadable(&error)))?;
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
    if trimmed.trim().is_empty() {
        return Err(refusal("is empty"));
    }
    let source = Source::SecretFile { path: path.clone(), named_by: entry.written.clone() };
    Ok(Given { text: Zeroizing::new(trimmed.to_owned()), source })
}

/// Returns why a file cannot be read, to go behind its name.
pub(super) fn why_unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        io::ErrorKind::InvalidData => "is not text in UTF-8".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

fn from_env(sources: &Sources<'_>, gathered: &mut Gathered) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut links = Vec::new();
    for (variable, value) in sources.env.iter().filter(|(variable, _)| is_ours(variable)) {
        if names::is_service_link(variable, value) {
            links.push(variable.as_str());
            continue;
        }
        let found = settings().find_map(|setting| {
            if setting.env() == *variable {
                return Some((setting, false));
            }
            setting.file_env().filter(|name| name == variable).map(|_| (setting, true))
        });
        match found {
            Some((setting, is_path)) => entries.push(Entry {
                setting,
                is_path,
                text: Zeroizing::new(value.clone()),
                source: Source::Environment { variable: variable.clone() },
                written: variable.clone(),
            }),
            None => gathered.findings.push(names::unknown_variable(variable)),
        }
    }
    if !links.is_empty() {
        links.sort_unstable();
        let message = format!(
            "ignored what Kubernetes sets for a Service of our name ({}); `enableServiceLinks: false` in the pod stops it",
            links.join(", ")
        );
        gathered.findings.push(Finding::notice("service-links", message));
    }
    entries
}

fn from_command_line(sources: &Sources<'_>, gathered: &mut Gathered) -> Vec<Entry> {
    let mut entries = Vec::new();
    for pair in &sources.set {
        let Some((name, value)) = pair.split_once('=') else {
            // Without the equals sign it might be a secret alone, so it is not repeated.
            let message = "`--set` wants `name=value`, such as `--set log=debug`";
            gathered.findings.push(Finding::refusal("usage", message));
            continue;
        };
        match by_key(name.trim()) {
            Some((setting, is_path)) => entries.push(Entry {
                setting,
                is_path,
                text: Zeroizing::new(value.to_owned()),
                source: Source::CommandLine,
                written: format!("`--set {name}`"),
            }),
            None => gathered.findings.push(names::unknown_key(name.trim(), " in `--set`")),
        }
    }
    entries
}

/// Finds a setting by its key in the file, or by the key that names a file with its value.
fn by_key(key: &str) -> Option<(&'static Setting, bool)> {
    setting(key).map(|found| (found, false)).or_else(|| {
        let found = setting(key.strip_suffix("_file")?).filter(|found| found.secret)?;
        Some((found, true))
    })
}

fn from_file(sources: &Sources<'_>, gathered: &mut Gathered) -> Vec<Entry> {
    let Some((path, text)) = &sources.file else { return Vec::new() };
    let mut entries = Vec::new();
    let text = match text {
        Ok(text) => text,
        Err(why) => {
            let message = format!("the configuration file {path} {why}");
            gathered.findings.push(Finding::refusal("file", message));
            gathered.file_is_broken = true;
            return entries;
        }
    };
    match toml::from_str::<Table>(text) {
        Ok(table) => walk(path, "", &table, &mut entries, gathered),
        Err(error) => {
            // The error's own words would quote the line, which may hold a secret.
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            let message = format!("{path} is not TOML: line {line}: {}", error.message());
            gathered.findings.push(Finding::refusal("file", message));
            gathered.file_is_broken = true;
        }
    }
    entries
}

fn walk(path: &str, above: &str, table: &Table, entries: &mut Vec<Entry>, gathered: &mut Gathered) {
    for (key, value) in table {
        let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match (by_key(&name), value) {
            (None, Value::Table(inner)) if !inner.is_empty() => {
                walk(path, &name, inner, entries, gathered);
            }
            (None, Value::Table(_)) if super::SECTIONS.iter().any(|it| it.path == name) => {}
            (None, _) => gathered.findings.push(names::unknown_key(&name, "")),
            (Some((setting, is_path)), value) => {
                let kind = if is_path { Kind::Path } else { setting.kind };
                match plain(kind, value) {
                    Ok(text) => entries.push(Entry {
                        setting,
                        is_path,
                        text: Zeroizing::new(text),
                        source: Source::File { path: path.to_owned() },
                        written: format!("`{name}` in {path}"),
                    }),
                    Err(wanted) => {
                        let message = format!("`{name}` in {path} must be {wanted}");
                        gathered
                            .findings
                            .push(Finding::refusal("type", message).about(&[setting.name]));
                    }
                }
            }
        }
    }
}

/// Returns a value of the file the way that it would stand in the environment.
fn plain(kind: Kind, value: &Value) -> Result<String, &'static str> {
    match (kind, value) {
        (Kind::Flag, Value::Boolean(flag)) => Ok(flag.to_string()),
        (Kind::Flag, _) => Err("`true` or `false`, without quotes"),
        (Kind::Whole | Kind::Ratio, Value::Integer(number)) => Ok(number.to_string()),
        (Kind::Whole, _) => Err("a whole number, without quotes"),
        (Kind::Ratio, Value::Float(number)) => Ok(number.to_string()),
        (Kind::Ratio, _) => Err("a number, without quotes"),
        (Kind::List | Kind::Networks, Value::Array(items)) => {
            let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            let texts = texts.filter(|texts| !texts.iter().any(|text| text.contains(',')));
            texts.map(|texts| texts.join(",")).ok_or("a list of texts, such as `[\"a\", \"b\"]`")
        }
        (Kind::List | Kind::Networks, _) => Err("a list of texts, such as `[\"a\", \"b\"]`"),
        (Kind::Duration, Value::String(text)) => Ok(text.clone()),
        (Kind::Duration, _) => Err("a duration in quotes, such as `\"15m\"`"),
        (_, Value::String(text)) => Ok(text.clone()),
        _ => Err("a text in quotes"),
    }
}
