//! The folder with an operator's templates.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{Unfit, nearest};

/// How large one template may be, in bytes.
const AT_MOST: u64 = 64 * 1024;
/// How large the style sheet may be that follows ours: each page loads both.
const STYLE_AT_MOST: u64 = 16 * 1024;
const STYLE: &str = "style.css";

/// The folders in it.
const PARTS: [&str; 2] = ["pages", "mail"];

/// An operator's templates, by their places in the folder: `pages/layout.html`.
#[derive(Debug, Clone, Default)]
pub struct Own(BTreeMap<String, String>);

impl Own {
    /// Reads a folder. What begins with a dot belongs to other programs and is passed over.
    pub(super) fn read(folder: &Path) -> Result<Self, Unfit> {
        let (mut own, mut wrong) = (Self::default(), Vec::new());
        match entries(folder) {
            Err(why) => wrong.push(format!("pages.templates `{}` {why}", folder.display())),
            Ok(names) => {
                for name in names {
                    let path = folder.join(&name);
                    if PARTS.contains(&name.as_str()) && path.is_dir() {
                        own.read_part(&path, &name, &mut wrong);
                    } else {
                        wrong.push(format!(
                            "pages.templates has `{name}`, which is neither `pages` nor `mail`; put \
                             templates into these folders"
                        ));
                    }
                }
            }
        }
        Unfit::unless_fine(wrong)?;
        Ok(own)
    }

    fn read_part(&mut self, folder: &Path, part: &str, wrong: &mut Vec<String>) {
        let names = match entries(folder) {
            Ok(names) => names,
            Err(why) => return wrong.push(format!("pages.templates/{part} {why}")),
        };
        for name in names {
            let (path, place) = (folder.join(&name), format!("{part}/{name}"));
            let text = |content| {
                String::from_utf8(content).map_err(|_| "cannot be read: it is not UTF-8".to_owned())
            };
            let at_most = if name == STYLE { STYLE_AT_MOST } else { AT_MOST };
            match super::read(&path, at_most).and_then(text) {
                Ok(source) => _ = self.0.insert(place, source),
                Err(why) => wrong.push(format!("{place} {why}")),
            }
        }
    }

    /// Returns the templates of one part by their names, all of which are among `known`.
    pub(crate) fn part(
        &self,
        part: &str,
        known: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>, Unfit> {
        let mut found = BTreeMap::new();
        let mut wrong = Vec::new();
        for (place, source) in &self.0 {
            let Some(name) = place.strip_prefix(part).and_then(|rest| rest.strip_prefix('/'))
            else {
                continue;
            };
            if known.iter().any(|(known, _)| *known == name) {
                found.insert(name.to_owned(), source.clone());
            } else {
                let near = nearest(name, known.iter().map(|(known, _)| *known));
                wrong.push(format!(
                    "{place} is no template that AuthShield uses; did you mean `{part}/{near}`? \
                     `authshield config templates` lists them"
                ));
            }
        }
        Unfit::unless_fine(wrong)?;
        Ok(found)
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let own = |(place, source): &(&str, &str)| ((*place).to_owned(), (*source).to_owned());
        Self(files.iter().map(own).collect())
    }
}

/// Lists what is in a folder and not hidden, or says why that cannot be done.
fn entries(folder: &Path) -> Result<Vec<String>, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
        if name.chars().any(char::is_control) {
            return Err(format!("has a file with the name {name:?}; give it another"));
        }
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_and_what_does_not_belong_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let gone = Own::read(&at("no")).unwrap_err().0.join("\n");
        assert!(gone.contains("pages.templates") && gone.contains("cannot be read"), "{gone}");

        fs::create_dir(at("pages")).unwrap();
        fs::create_dir(at("..data")).unwrap();
        fs::write(at("pages/.layout.html.swp"), "\0").unwrap();
        fs::write(at("pages/sign_in.html"), "x").unwrap();
        let own = Own::read(folder.path()).unwrap();
        let known = [("layout.html", ""), ("sign-in.html", "")];
        let wrong = own.part("pages", &known).unwrap_err().0.join("\n");
        assert!(wrong.contains("pages/sign_in.html is no template"), "{wrong}");
        assert!(wrong.contains("did you mean `pages/sign-in.html`?"), "{wrong}");
        assert!(own.part("mail", &known).unwrap().is_empty());

        fs::rename(at("pages/sign_in.html"), at("pages/sign-in.html")).unwrap();
        let own = Own::read(folder.path()).unwrap();
        assert_eq!(own.part("pages", &known).unwrap()["sign-in.html"], "x");

        fs::write(at("layout.html"), "x").unwrap();
        fs::write(at("pages/layout.html"), [0xff]).unwrap();
        let wrong = Own::read(folder.path()).unwrap_err().0.join("\n");
        assert!(wrong.contains("`layout.html`, which is neither"), "{wrong}");
        assert!(wrong.contains("pages/layout.html cannot be read: it is not UTF-8"), "{wrong}");

        fs::remove_file(at("layout.html")).unwrap();
        fs::remove_file(at("pages/layout.html")).unwrap();
        fs::create_dir(at("pages/layout.html")).unwrap();
        fs::write(at("pages/home.html"), "x".repeat(65_537)).unwrap();
        let wrong = Own::read(folder.path()).unwrap_err().0.join("\n");
        assert!(wrong.contains("pages/layout.html cannot be read: it is no file"), "{wrong}");
        assert!(wrong.contains("pages/home.html has 65537 bytes"), "{wrong}");
    }
}
