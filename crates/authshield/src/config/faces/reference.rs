//! The reference page.

use std::fmt::Write;

use super::{change_in_words, default_in_words, type_in_words};
use crate::config::setting::Setting;
use crate::config::{SECTIONS, lints, rules};

const HEAD: &str = "\
<!-- Generated from the declarations in crates/authshield/src/config. Do not edit. -->

# Configuration

Every setting that AuthShield reads is on this page. With none of them, `authshield serve` runs for
development on `127.0.0.1:8080`.

**Sources**, later wins: the default, then `authshield.toml` in the working directory (or the file that
`--config` names), then the environment, then `--set name=value` on the command line. `authshield config
show` prints each value with where it came from.

**Secrets** can be given through a file: the variable with `_FILE` behind it (in the file, the key with
`_file`) holds the path. Giving both is an error. A line end behind the secret is dropped.

**Unknown names stop the start** with exit status 78 and the nearest real names, and so do suspicious
values. Everything that is wrong is listed in one go.

**Durations** are a number and a unit: `900s`, `15m`, `12h`, `7d` (and `250ms`).
";

/// Returns the reference page, Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for section in SECTIONS {
        let title = if section.path.is_empty() {
            "Top level".to_owned()
        } else {
            format!("`{}`", section.path)
        };
        write!(page, "\n## {title}\n\n{}\n", section.about.trim()).expect(FITS);
        for setting in section.settings {
            page.push_str(&entry(setting));
        }
    }
    page.push_str(&findings());
    page
}

const FITS: &str = "a string takes all that is written";

fn entry(setting: &Setting) -> String {
    let variable = match setting.file_env() {
        Some(file) => format!("`{}`, or the path of a file with it in `{file}`", setting.env()),
        None => format!("`{}`", setting.env()),
    };
    let secret = if setting.secret { "; a secret, never shown" } else { "" };
    let mut text = format!("\n### `{}`\n\n{}\n\n", setting.name, setting.about());
    writeln!(text, "- Variable: {variable}").expect(FITS);
    writeln!(text, "- Type: {}{secret}", type_in_words(setting)).expect(FITS);
    writeln!(text, "- Default: {}", default_in_words(setting)).expect(FITS);
    writeln!(text, "- Example: `{}`", setting.example).expect(FITS);
    if setting.reread || setting.reload {
        writeln!(text, "- Change: {}", change_in_words(setting)).expect(FITS);
    }
    if !setting.former.is_empty() {
        writeln!(text, "- Formerly: `{}`", setting.former.join("`, `")).expect(FITS);
    }
    text
}

fn findings() -> String {
    let mut text = "
## What values are checked for

A refusal that shows `[setting:finding]` behind it can be waived: put those words into `config.waive`, and
it becomes a warning. The others cannot.

| Finding | A value with | Waivable |
| --- | --- | --- |
"
    .to_owned();
    for lint in lints::ALL {
        let waivable = if lint.waivable { "yes" } else { "no" };
        writeln!(text, "| `{}` | {} | {waivable} |", lint.id, lint.about).expect(FITS);
    }
    text.push_str("\n| Finding | Settings with |\n| --- | --- |\n");
    for rule in rules::ALL {
        writeln!(text, "| `{}` | {} |", rule.id, rule.about).expect(FITS);
    }
    text
}
