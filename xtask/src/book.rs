//! `cargo xtask docs`: the book, and whether its links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{found, must, program, root};

/// Builds the book; without `mdbook`, checks what would be built.
pub(crate) fn run() -> Result<()> {
    check_links()?;
    if found("mdbook").is_none() {
        println!("every link leads somewhere; `mdbook` is not installed, so nothing was built");
        return Ok(());
    }
    must(program("mdbook").args(["build", "docs"]))
}

/// Checks that every chapter, relative link and include exists.
pub(crate) fn check_links() -> Result<()> {
    let source = root().join("docs/src");
    let summary = source.join("SUMMARY.md");
    if !summary.is_file() {
        bail!("{} does not exist", summary.display());
    }
    let mut pages = Vec::new();
    collect(&source, &mut pages)?;
    pages.sort();
    let mut complaints = Vec::new();
    for page in &pages {
        let text =
            fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
        let folder = page.parent().expect("a file is in a folder");
        let name = page.strip_prefix(root()).unwrap_or(page).display();
        for target in targets(&text) {
            if !folder.join(target).exists() {
                complaints.push(format!("{name}: `{target}` does not exist"));
            }
        }
    }
    let chapters = fs::read_to_string(&summary)?;
    let chapters: Vec<PathBuf> = targets(&chapters).map(|target| source.join(target)).collect();
    for page in pages.iter().filter(|page| **page != summary && !chapters.contains(page)) {
        let name = page.strip_prefix(&source).unwrap_or(page).display();
        complaints.push(format!("docs/src/SUMMARY.md: `{name}` is not mentioned"));
    }
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\n"));
    }
    Ok(())
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Lists the files that a page links to or includes: not what is elsewhere, and not what only looks
/// like a link, in code.
fn targets(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines()
        .filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            in_code ^= fence;
            // An include is honoured in code, too.
            !in_code || line.contains("{{#")
        })
        .flat_map(|line| links(line).chain(includes(line)))
        .filter(|target| !target.is_empty())
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    // What stands between backticks is code.
    line.split('`').step_by(2).flat_map(|prose| {
        prose.split("](").skip(1).filter_map(|rest| {
            let target = rest.split([')', ' ']).next()?;
            let file = target.split('#').next()?;
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            (!elsewhere && !target.starts_with('/')).then_some(file)
        })
    })
}

fn includes(line: &str) -> impl Iterator<Item = &str> {
    line.split("{{#").skip(1).filter_map(|rest| {
        let (directive, _) = rest.split_once("}}")?;
        let (verb, file) = directive.trim().split_once(' ')?;
        let known = ["include", "rustdoc_include", "playground"].contains(&verb);
        known.then(|| file.trim().split([':', ' ']).next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn links_and_includes_are_found() {
        let page = "\
See [one](one.md#part) and [two](../two.md \"title\"), not [web](https://example.org/x.md),
nor [part](#part), nor [mail](mailto:a@example.org), nor `[code](code.md)`, nor [root](/x).
```sh
[no](no.md)
{{#include ../script.sh:3:9}}
```
{{#rustdoc_include lib.rs}} {{#title x}} [three](three/)";
        assert_eq!(
            targets(page).collect::<Vec<_>>(),
            ["one.md", "../two.md", "../script.sh", "three/", "lib.rs"]
        );
    }
}
