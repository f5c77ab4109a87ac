//! From what was given to typed values: lints, parsing, bounds, defaults.
//!
//! A value that cannot be read is reported, and its default stands in, so that everything else is
//! still checked and all findings come in one go. A stand-in never leaves [`super::load`].

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::finding::{Finding, Severity};
use super::lints::{self, Lint, Subject};
use super::setting::{Fallback, Kind, Setting};
use super::sources::{Gathered, Given, Source};
use super::value::{Value, in_words, items};

/// What a setting came to.
#[derive(Debug, Clone)]
pub struct Effective {
    /// Which.
    pub setting: &'static Setting,
    /// Its value; nothing when it is unset, or a secret that somebody gave.
    pub value: Option<String>,
    /// How long the secret is, if it is one that somebody gave.
    pub secret_bytes: Option<usize>,
    /// Where it came from.
    pub source: Source,
    /// The secret, to take its fingerprint.
    pub(super) secret: Option<SecretString>,
}

/// Hands out values and remembers what it saw.
pub(super) struct Reader<'a> {
    gathered: &'a Gathered,
    production: bool,
    waived: BTreeSet<String>,
    known: BTreeMap<&'static str, String>,
    pub(super) effective: Vec<Effective>,
    pub(super) findings: Vec<Finding>,
    /// Settings whose value is a stand-in.
    pub(super) failed: BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(gathered: &'a Gathered) -> Self {
        let raw = |name| gathered.given.get(name).map_or("", |given| given.text.as_str());
        // A value that was given and could not be read is a stand-in for every rule about it.
        let broken =
            gathered.findings.iter().filter(|it| it.is_refusal() && it.id != "unknown-name");
        Self {
            gathered,
            production: raw("environment").eq_ignore_ascii_case("production"),
            waived: items(raw("config.waive")).map(str::to_owned).collect(),
            known: BTreeMap::new(),
            effective: Vec::new(),
            findings: Vec::new(),
            failed: broken.flat_map(|finding| finding.settings.iter().copied()).collect(),
        }
    }

    /// Returns the value of a setting, or a stand-in after reporting what is wrong.
    pub(super) fn take<T: Value>(&mut self, rows: &'static [Setting], name: &str) -> T {
        let setting = rows
            .iter()
            .find(|row| row.name == name)
            .expect("a field and its row come from one declaration");
        let gathered = self.gathered;
        if let Some(given) = gathered.given.get(setting.name) {
            if let Some(value) = self.read(setting, given) {
                return value;
            }
            self.failed.insert(setting.name);
        } else if self.production
            && setting.required()
            && !self.failed.contains(setting.name)
            && !self.is_spared(setting)
        {
            self.miss(setting);
        }
        self.fall_back(setting)
    }

    /// Whoever gives mail to a provider needs no relay.
    fn is_spared(&self, setting: &Setting) -> bool {
        let provider = self.gathered.given.get("mail.provider");
        setting.name == "smtp.host"
            && provider.is_some_and(|given| !given.text.eq_ignore_ascii_case("smtp"))
    }

    fn miss(&mut self, setting: &'static Setting) {
        self.failed.insert(setting.name);
        if self.gathered.file_is_broken {
            return;
        }
        let message = format!(
            "production needs `{}`: set {}{}, such as {}",
            setting.name,
            setting.env(),
            setting.file_env().map(|name| format!(" (or {name})")).unwrap_or_default(),
            setting.example
        );
        self.findings.push(Finding::refusal("missing", message).about(&[setting.name]));
    }

    /// Reads what was given, or reports why not.
    fn read<T: Value>(&mut self, setting: &'static Setting, given: &Given) -> Option<T> {
        let called = given.called(setting);
        let is_list = matches!(setting.kind, Kind::List | Kind::Networks);
        if given.text.is_empty() && !is_list {
            let message = format!("{called} is set but empty; give it a value or remove it");
            self.findings.push(Finding::refusal("empty", message).about(&[setting.name]));
            return None;
        }
        if !self.hold_against(lints::EVERY_VALUE, setting, &called, &given.text) {
            return None;
        }
        let text = if setting.template {
            Zeroizing::new(self.fill_in(&given.text))
        } else {
            given.text.clone()
        };
        let value = match T::parse(&text) {
            Ok(value) => value,
            Err(wanted) => {
                let message = if setting.secret {
                    format!("{called} must be {wanted}")
                } else {
                    format!("{called} must be {wanted}, not `{}`", shortened(&text))
                };
                self.findings.push(Finding::refusal("type", message).about(&[setting.name]));
                return None;
            }
        };
        if let Some(message) = out_of_bounds(setting, &value) {
            let message = format!("{called} {message}, not {}", shortened(&text));
            self.findings.push(Finding::refusal("bounds", message).about(&[setting.name]));
            return None;
        }
        if !self.hold_against(setting.lints, setting, &called, &text) {
            return None;
        }
        if setting.secret {
            self.mind_exposure(setting, given, &called);
        }
        if let Some(text) = value.print() {
            self.known.insert(setting.name, text);
        }
        self.effective.push(Effective {
            setting,
            value: value.print(),
            secret_bytes: setting.secret.then_some(given.text.len()),
            source: given.source.clone(),
            secret: setting.secret.then(|| given.text.as_str().into()),
        });
        Some(value)
    }

    /// Runs lints; returns whether the value can be used.
    fn hold_against(
        &mut self,
        lints: &[Lint],
        setting: &'static Setting,
        called: &str,
        text: &str,
    ) -> bool {
        let subject = Subject {
            text,
            kind: setting.kind,
            secret: setting.secret,
            production: self.production,
        };
        for lint in lints {
            let Some((severity, why)) = lint.check(&subject) else { continue };
            let mut finding =
                Finding::refusal(lint.id, format!("{called} {why}")).about(&[setting.name]);
            finding.severity = severity;
            finding.waivable = lint.waivable;
            self.waive(&mut finding);
            let refused = finding.is_refusal();
            self.findings.push(finding);
            if refused {
                return false;
            }
        }
        true
    }

    /// Turns a refusal that somebody knows about into a warning.
    pub(super) fn waive(&self, finding: &mut Finding) {
        let known = finding.waiver().is_some_and(|waiver| self.waived.contains(&waiver));
        if known && finding.is_refusal() {
            finding.severity = Severity::Warning;
            finding.message.push_str(" (waived)");
        }
    }

    /// Others on the machine can read command lines, and who inspects a container its environment.
    fn mind_exposure(&mut self, setting: &'static Setting, given: &Given, called: &str) {
        let is_url = given.text.contains("://");
        let bare_url =
            is_url && url::Url::parse(&given.text).is_ok_and(|url| url.password().is_none());
        let message = match &given.source {
            _ if bare_url => return,
            Source::CommandLine => {
                format!("{called} is a secret that every user of this machine can read")
            }
            Source::Environment { .. } if self.production => format!(
                "{called} is a secret in the environment, which process listings and container inspection show; {}_FILE hides it",
                setting.env()
            ),
            _ => return,
        };
        self.findings.push(Finding::warning("exposed-secret", message).about(&[setting.name]));
    }

    fn fall_back<T: Value>(&mut self, setting: &'static Setting) -> T {
        let text = match setting.fallback {
            Fallback::None | Fallback::Required => None,
            Fallback::Always(text) | Fallback::Development(text) => Some(text),
            Fallback::ByEnvironment { development, production } => {
                Some(if self.production { production } else { development })
            }
        };
        let Some(text) = text else {
            self.remember(setting, None);
            return T::unset().expect("what has no default may be unset");
        };
        let text = self.fill_in(text);
        let value = T::parse(&text).unwrap_or_else(|wanted| {
            let message = format!(
                "`{}` has no default here; set {} to {wanted}",
                setting.name,
                setting.env()
            );
            self.findings.push(Finding::refusal("missing", message).about(&[setting.name]));
            self.failed.insert(setting.name);
            T::parse(setting.example).expect("an example can be read")
        });
        let shown = value.print().unwrap_or(text);
        self.remember(setting, Some(shown));
        value
    }

    fn remember(&mut self, setting: &'static Setting, value: Option<String>) {
        if let Some(text) = &value {
            self.known.insert(setting.name, text.clone());
        }
        let (secret_bytes, source) = (None, Source::Default);
        self.effective.push(Effective { setting, value, secret_bytes, source, secret: None });
    }

    /// Replaces `{other.setting}` by its value; other braces stay.
    fn fill_in(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }
}

fn out_of_bounds<T: Value>(setting: &Setting, value: &T) -> Option<String> {
    let ((least, most), measure) = (setting.bounds?, value.measure()?);
    if (least..=most).contains(&measure) {
        return None;
    }
    let (least, most) = bounds_in_words(setting, (least, most));
    Some(format!("must be from {least} to {most}"))
}

/// Returns bounds the way that values are written.
pub(super) fn bounds_in_words(setting: &Setting, (least, most): (u64, u64)) -> (String, String) {
    if setting.kind == Kind::Duration {
        (in_words(least), in_words(most))
    } else {
        (least.to_string(), most.to_string())
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
