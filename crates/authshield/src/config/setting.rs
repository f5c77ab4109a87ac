//! What a setting is, and the two macros that declare them.
//!
//! A declaration gives the field of the typed tree and its row in the table, so neither can exist
//! without the other. Everything else (parser, audit, reference, schema, sample) reads the table.

use super::lints::Lint;

/// A second, in the unit in which durations are bounded.
pub(super) const SECOND: u64 = 1000;
/// A minute.
pub(super) const MINUTE: u64 = 60 * SECOND;
/// An hour.
pub(super) const HOUR: u64 = 60 * MINUTE;
/// A day.
pub(super) const DAY: u64 = 24 * HOUR;

/// The prefix of every environment variable that is read.
pub const PREFIX: &str = "AUTHSHIELD_";

/// One row of the table: all that is known about a setting before anybody set it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "a declaration names what is true of it")]
pub struct Setting {
    /// The dotted name, which is also the key in the file.
    pub name: &'static str,
    /// What it is for, in a sentence or two.
    pub doc: &'static str,
    /// What may be written.
    pub kind: Kind,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What holds when nobody set it.
    pub fallback: Fallback,
    /// What a bare number counts.
    pub unit: &'static str,
    /// The least and the most; milliseconds for durations.
    pub bounds: Option<(u64, u64)>,
    /// Whether a new value is taken over by a reload (SIGHUP); else it takes a restart.
    pub reload: bool,
    /// Whether nodes may differ in it: it is no part of the configuration's fingerprint.
    pub per_node: bool,
    /// Whether the files that it names are read again while the server runs. The setting itself
    /// always takes a restart.
    pub reread: bool,
    /// Whether `{public_url}` in a given value is filled in.
    pub template: bool,
    /// Dotted names that it had in earlier versions.
    pub former: &'static [&'static str],
    /// What people write after the prefix when they mean this.
    pub mistaken: &'static [&'static str],
    /// What other programs, and the Python service that AuthShield replaces, call it.
    pub foreign: &'static [&'static str],
    /// A value that could be real.
    pub example: &'static str,
    /// What its value is held against, besides what every value is.
    pub lints: &'static [Lint],
}

impl Setting {
    /// What a declaration starts from.
    pub(super) const BASE: Self = Self {
        name: "",
        doc: "",
        kind: Kind::Text,
        secret: false,
        fallback: Fallback::None,
        unit: "",
        bounds: None,
        reload: false,
        per_node: false,
        reread: false,
        template: false,
        former: &[],
        mistaken: &[],
        foreign: &[],
        example: "",
        lints: &[],
    };

    /// Returns the environment variable: the prefix, and the name in capitals.
    #[must_use]
    pub fn env(&self) -> String {
        format!("{PREFIX}{}", self.bare_env())
    }

    /// Returns the variable that names a file with the value, if this is a secret.
    #[must_use]
    pub fn file_env(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.env()))
    }

    /// Returns the key that names a file with the value, if this is a secret.
    #[must_use]
    pub fn file_key(&self) -> Option<String> {
        self.secret.then(|| format!("{}_file", self.name))
    }

    /// Returns what it is for, without the margin of a doc comment.
    #[must_use]
    pub fn about(&self) -> String {
        self.doc.trim().to_owned()
    }

    /// Returns the last part of the name.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// Whether production refuses to start without it.
    #[must_use]
    pub fn required(&self) -> bool {
        matches!(self.fallback, Fallback::Required | Fallback::Development(_))
    }

    pub(super) fn bare_env(&self) -> String {
        self.name.replace('.', "_").to_ascii_uppercase()
    }
}

/// What holds when nobody set a setting. `{other.setting}` in a text is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing: it is unset.
    None,
    /// This.
    Always(&'static str),
    /// This in development; production must say.
    Development(&'static str),
    /// Nothing in development; production must say.
    Required,
    /// One of two.
    ByEnvironment {
        /// In development.
        development: &'static str,
        /// In production.
        production: &'static str,
    },
}

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole,
    /// A number from 0 to 1.
    Ratio,
    /// A number and its unit.
    Duration,
    /// A path.
    Path,
    /// An absolute URL.
    Url,
    /// An IP address and a port.
    Socket,
    /// IP networks.
    Networks,
    /// Texts.
    List,
    /// One of these.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// Returns what to write, in words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Whole => "whole number".to_owned(),
            Self::Ratio => "number from 0 to 1".to_owned(),
            Self::Duration => "duration: `900s`, `15m`, `12h` or `7d`".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Url => "URL with its scheme".to_owned(),
            Self::Socket => "IP address and port".to_owned(),
            Self::Networks => {
                "list of IP networks (CIDR), with commas in the environment".to_owned()
            }
            Self::List => "list, with commas in the environment".to_owned(),
            Self::Choice(choices) => either(choices),
        }
    }
}

/// Returns `a`, `b` or `c`, each as code.
pub(super) fn either(choices: &[impl AsRef<str>]) -> String {
    let quoted: Vec<_> = choices.iter().map(|choice| format!("`{}`", choice.as_ref())).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Settings that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// What their names begin with, without the dot; empty at the top.
    pub path: &'static str,
    /// What they are about.
    pub about: &'static str,
    /// They.
    pub settings: &'static [Setting],
}

/// Declares a section: the struct that the program reads, and the rows of the table.
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        $name:ident at $path:literal $dot:literal {
            $(
                $(#[doc = $doc:literal])*
                $field:ident : $type:ty { $($key:ident : $value:expr),* $(,)? }
            )*
        }
        $(sections {
            $( $(#[doc = $inner_doc:literal])* $inner:ident : $inner_type:ty, )*
        })?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
            $($( $(#[doc = $inner_doc])* pub $inner: $inner_type, )*)?
        }

        impl $name {
            pub(in crate::config) const SECTION: $crate::config::setting::Section =
                $crate::config::setting::Section {
                    path: $path,
                    about: concat!($($about),*),
                    settings: &[$(
                        $crate::config::setting::Setting {
                            name: concat!($path, $dot, stringify!($field)),
                            doc: concat!($($doc),*),
                            kind: <$type as $crate::config::value::Value>::KIND,
                            secret: <$type as $crate::config::value::Value>::SECRET,
                            $($key: $value,)*
                            ..$crate::config::setting::Setting::BASE
                        },
                    )*],
                };

            $(pub(in crate::config) const TREE: &'static [$crate::config::setting::Section] =
                &[Self::SECTION, $(<$inner_type>::SECTION),*];)?

            /// Calls `tell` with every secret that is set.
            pub(in crate::config) fn each(&self, tell: &mut dyn FnMut(&str)) {
                $(
                    if let Some(secret) = $crate::config::value::Value::secret(&self.$field) {
                        tell(secret);
                    }
                )*
                $($( self.$inner.each(tell); )*)?
            }

            pub(in crate::config) fn read(
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Self {
                Self {
                    $( $field: reader.take(
                        Self::SECTION.settings, concat!($path, $dot, stringify!($field)),
                    ), )*
                    $($( $inner: <$inner_type>::read(reader), )*)?
                }
            }
        }
    };
}
pub(super) use settings;

/// Declares a setting's type that is one of a few words.
macro_rules! choice {
    (
        $(#[doc = $about:literal])*
        $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $text:literal, )* }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $doc])* $variant, )* }

        impl $name {
            /// Returns the word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::config::value::Value for $name {
            const KIND: $crate::config::setting::Kind =
                $crate::config::setting::Kind::Choice(&[$($text),*]);

            fn parse(text: &str) -> Result<Self, String> {
                $( if text.eq_ignore_ascii_case($text) { return Ok(Self::$variant); } )*
                Err($crate::config::setting::either(&[$($text),*]))
            }

            fn print(&self) -> Option<String> {
                Some(self.as_str().to_owned())
            }
        }
    };
}
pub(super) use choice;
