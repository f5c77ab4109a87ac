//! What an operator makes of pages and mails: a name, colours, pictures, templates of their own.
//!
//! ```text
//! rules.rs    which colours go together: whatever the accent, words stay readable (pure)
//! picture.rs  a logo: small, and what it says it is
//! svg.rs      a drawing: whole, and nothing but that (pure)
//! own.rs      the folder with own templates
//! engine.rs   templates, ours and an operator's; pages and mails use the same
//! tags.rs     what no tag of an operator's has (pure)
//! html.rs     what a page does: its forms, its fields, its scripts
//! ```
//!
//! All of it is read and tried when the program starts, and by `config check` and `preflight` before: what does not
//! fit is refused with its place, and nobody meets it on a page.

mod engine;
pub(crate) mod html;
mod own;
mod picture;
mod rules;
mod svg;
mod tags;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use engine::Engine;
pub use own::Own;
pub use picture::Picture;
pub use rules::{Scheme, contrast};

use crate::config::{self, Colour, Config, Font};

/// The accent of pages and mails where nobody chose one.
const ACCENT: Colour = Colour([0x1d, 0x4e, 0xd8]);

/// How pages and mails look.
#[derive(Debug, Clone, Default)]
pub struct Theme {
    /// Declarations that follow those of our own style sheet.
    pub style: String,
    /// The accent, and the words on it, where a mail has a button.
    pub button: Button,
    /// What stands at the head of pages in the place of mark and name.
    pub logo: Option<Picture>,
    /// What is the mark in the place of ours.
    pub icon: Option<Picture>,
    /// Templates in the place of ours.
    pub own: Own,
}

/// The colours of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Button {
    /// What it is filled with.
    pub ground: Colour,
    /// What stands on it.
    pub words: Colour,
}

impl Default for Button {
    fn default() -> Self {
        Self { ground: ACCENT, words: rules::WHITE }
    }
}

/// What of it cannot be used: every reason, each with its place and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Unfit(pub Vec<String>);

impl Unfit {
    /// Returns `Ok` if nothing is wrong.
    pub(crate) fn unless_fine(wrong: Vec<String>) -> Result<(), Self> {
        if wrong.is_empty() { Ok(()) } else { Err(Self(wrong)) }
    }
}

impl Theme {
    /// Reads what `config` names. Whether own templates can take the place of ours is for those to say who know
    /// ours.
    pub fn from_config(config: &Config) -> Result<Self, Unfit> {
        let pages = &config.pages;
        let mut wrong = Vec::new();
        let mut picture = |setting: &str, file: &Option<PathBuf>| {
            let read = Picture::read(file.as_ref()?);
            read.map_err(|why| wrong.push(format!("{setting} {why}"))).ok()
        };
        let logo = picture("pages.logo", &pages.logo);
        let icon = picture("pages.icon", &pages.icon);
        let own = match &pages.templates {
            None => Own::default(),
            Some(folder) => Own::read(folder).unwrap_or_else(|Unfit(reasons)| {
                wrong.extend(reasons);
                Own::default()
            }),
        };
        wrong.extend(pages.name.as_deref().and_then(rules::unfit_name).map(str::to_owned));
        Unfit::unless_fine(wrong)?;
        let button = pages.accent.map_or_else(Button::default, |ground| Button {
            ground,
            words: rules::words_on(ground),
        });
        Ok(Self { style: style(pages), button, logo, icon, own })
    }
}

/// Returns what follows our style sheet.
fn style(pages: &config::Pages) -> String {
    let mut style = String::new();
    let mut put = |line: &str| style.push_str(line);
    if let Some(accent) = pages.accent {
        put(&format!("\n:root {{{}}}\n", accented(&Scheme::of(accent, rules::LIGHT))));
    }
    if let Some(accent) = pages.accent_dark.or(pages.accent) {
        let dark = accented(&Scheme::of(accent, rules::DARK));
        put(&format!("\n@media (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n"));
    }
    if pages.corners != 9 {
        put(&format!("\n:root {{ --corner: {}px; }}\n", pages.corners));
    }
    let letters = match pages.font {
        Font::System => None,
        Font::Serif => Some("\"Iowan Old Style\", Charter, Cambria, Georgia, serif"),
        Font::Rounded => Some(
            "ui-rounded, \"Hiragino Maru Gothic ProN\", Quicksand, Nunito, \"Arial Rounded MT Bold\", system-ui, sans-serif",
        ),
    };
    if let Some(letters) = letters {
        put(&format!("\n:root {{ --letters: {letters}; }}\n"));
    }
    style
}

fn accented(scheme: &Scheme) -> String {
    let Scheme { accent, deep, words, link } = scheme;
    let mut text = String::from(" ");
    for (name, colour) in
        [("accent", accent), ("accent-deep", deep), ("on-accent", words), ("link", link)]
    {
        write!(text, "--{name}: {colour}; ").expect("a string takes everything");
    }
    text
}

/// Reads a file of at most so many bytes, or says what is wrong with it. Who opens a pipe waits for ever.
fn read(file: &Path, at_most: u64) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let about = fs::metadata(file).map_err(cannot)?;
    if !about.is_file() {
        return Err("cannot be read: it is no file".to_owned());
    }
    let length = about.len();
    if length > at_most {
        return Err(format!("has {length} bytes, and {at_most} are the most; make it smaller"));
    }
    fs::read(file).map_err(cannot)
}

/// Returns which of `known` a name most likely means.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    let like = |other: &&str| strsim::jaro_winkler(name, other);
    known.max_by(|a, b| like(a).total_cmp(&like(b))).unwrap_or_default()
}
