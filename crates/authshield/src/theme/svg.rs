//! Whether an SVG is one: XML that is whole, and a picture that needs nothing else.
//!
//! Browsers run nothing in a picture and load nothing for it, and its policy forbids both where it is opened alone. Who
//! drew one with a script, or with a part that is somewhere else, wants to know that it does not show.

use std::collections::BTreeSet;

/// What belongs to documents and programs, by the names without their prefixes.
const FORBIDDEN: [&str; 6] = ["script", "foreignobject", "iframe", "object", "embed", "handler"];
/// The entities that are there without a document type.
const ENTITIES: [&str; 5] = ["lt", "gt", "amp", "quot", "apos"];
/// How deep elements may stand in each other.
const DEEPEST: usize = 64;

/// Says what is wrong with `text` and what to do; `None` if it is a picture.
pub(super) fn wrong(text: &str) -> Option<String> {
    read(text.trim_start_matches('\u{feff}').trim_end()).err()
}

fn broken(what: &str) -> String {
    format!("is no whole SVG: {what}; save it again")
}

fn read(text: &str) -> Result<(), String> {
    let (mut rest, mut open) = (text, Vec::<&str>::new());
    let mut is_begun = false;
    while let Some(at) = rest.find('<') {
        let (words, tag) = rest.split_at(at);
        let is_outside = open.is_empty();
        judge_words(words, is_outside)?;
        if open.last().is_some_and(|name| local(name) == "style") {
            judge_style(words)?;
        }
        if let Some(after) = tag.strip_prefix("<!--") {
            rest = behind(after, "-->", "a comment")?;
        } else if let Some(after) = tag.strip_prefix("<![CDATA[") {
            if is_outside {
                return Err(broken("there are words outside of `<svg>`"));
            }
            judge_style(after.split("]]>").next().unwrap_or_default())?;
            rest = behind(after, "]]>", "a part `CDATA`")?;
        } else if let Some(after) = tag.strip_prefix("<?") {
            if !after.starts_with("xml ") || rest.len() != text.len() || at != 0 {
                return Err(
                    "has an instruction for programs (`<?`), which no picture needs; take it out"
                        .to_owned(),
                );
            }
            rest = behind(after, "?>", "an instruction")?;
        } else if tag.starts_with("<!") {
            return Err(
                "has a document type (`<!DOCTYPE`), which no picture needs; take it out".to_owned()
            );
        } else if let Some(after) = tag.strip_prefix("</") {
            let (name, after) = after.split_once('>').ok_or_else(|| broken("a tag has no end"))?;
            if open.pop() != Some(name.trim_end()) {
                return Err(broken(&format!("`</{name}>` ends nothing")));
            }
            rest = after;
        } else {
            let Tag { name, is_whole, after } = tag_of(&tag[1..])?;
            if is_outside && (is_begun || name != "svg") {
                return Err(broken("the one element around all is not `<svg>`"));
            }
            is_begun = true;
            if !is_whole {
                open.push(name);
            }
            if open.len() > DEEPEST {
                return Err(broken("its elements stand too deep in each other"));
            }
            rest = after;
        }
    }
    judge_words(rest, open.is_empty())?;
    match open.last() {
        Some(name) => Err(broken(&format!("`<{name}>` has no end"))),
        None if is_begun => Ok(()),
        None => Err(broken("it has no `<svg>`")),
    }
}

fn behind<'t>(text: &'t str, end: &str, what: &str) -> Result<&'t str, String> {
    text.split_once(end)
        .map(|(_, after)| after)
        .ok_or_else(|| broken(&format!("{what} has no end")))
}

/// A tag that opens an element.
struct Tag<'t> {
    name: &'t str,
    /// Whether it ends the element, too.
    is_whole: bool,
    after: &'t str,
}

fn tag_of(text: &str) -> Result<Tag<'_>, String> {
    let (name, mut rest) = name_of(text)?;
    let plain = local(name).to_ascii_lowercase();
    if FORBIDDEN.contains(&plain.as_str()) {
        return Err(format!("has `<{name}`, which no picture needs; take it out"));
    }
    let mut attributes = BTreeSet::new();
    loop {
        let trimmed = rest.trim_start();
        if let Some(after) = trimmed.strip_prefix("/>") {
            return Ok(Tag { name, is_whole: true, after });
        }
        if let Some(after) = trimmed.strip_prefix('>') {
            return Ok(Tag { name, is_whole: false, after });
        }
        if trimmed.len() == rest.len() {
            return Err(broken(&format!("`<{name}` cannot be read")));
        }
        let (attribute, after) = name_of(trimmed)?;
        let unquoted = || broken(&format!("the value of `{attribute}` is not in quotes"));
        let after = after.trim_start().strip_prefix('=').ok_or_else(unquoted)?.trim_start();
        let quote =
            after.chars().next().filter(|it| matches!(it, '"' | '\'')).ok_or_else(unquoted)?;
        let (value, after) = after[1..].split_once(quote).ok_or_else(unquoted)?;
        if !attributes.insert(attribute) {
            return Err(broken(&format!("`<{name}` has `{attribute}` twice")));
        }
        judge_attribute(attribute, value)?;
        rest = after;
    }
}

/// Splits the name of an element or an attribute off.
fn name_of(text: &str) -> Result<(&str, &str), String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.');
    let (name, rest) = text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()));
    if name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        Ok((name, rest))
    } else {
        Err(broken("a `<` is followed by no name"))
    }
}

/// Returns a name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn judge_attribute(name: &str, value: &str) -> Result<(), String> {
    judge_words(value, false)?;
    let plain = local(name).to_ascii_lowercase();
    if plain.starts_with("on") {
        return Err(format!("has `{name}`, which runs a script; take it out"));
    }
    if matches!(plain.as_str(), "href" | "src") && !is_inside(value) {
        return Err(elsewhere(value));
    }
    // Names of vocabularies are addresses to which nobody goes, and what a program notes for itself shows nothing.
    if name == "xmlns" || name.contains(':') { Ok(()) } else { judge_style(value) }
}

/// Whether an address is within the picture.
fn is_inside(address: &str) -> bool {
    let address =
        address.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    let kind = address.get(..11).unwrap_or_default();
    address.starts_with('#') || kind.eq_ignore_ascii_case("data:image/")
}

fn elsewhere(address: &str) -> String {
    let shown: String = address.chars().take(60).collect();
    format!("shows what is somewhere else, `{shown}`; draw it into the picture")
}

/// Judges a style, or a value that may be part of one.
fn judge_style(style: &str) -> Result<(), String> {
    let plain = style.to_ascii_lowercase();
    if plain.contains("@import") || plain.contains('\\') {
        return Err(
            "has a style that loads another (`@import`), or hides what it says; take it out"
                .to_owned(),
        );
    }
    plain
        .split("url(")
        .skip(1)
        .find(|address| !is_inside(address))
        .map_or(Ok(()), |address| Err(elsewhere(address.split(')').next().unwrap_or_default())))
}

/// Judges what stands between tags, or in a value.
fn judge_words(words: &str, is_outside: bool) -> Result<(), String> {
    if is_outside && !words.trim().is_empty() {
        return Err(broken("there are words outside of `<svg>`"));
    }
    if words.contains('<') || words.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
        return Err(broken("it has a character that XML does not have there"));
    }
    let mut entities = words.split('&').skip(1).map(|part| part.split_once(';'));
    let is_known = |entity: Option<(&str, &str)>| {
        entity.is_some_and(|(name, _)| ENTITIES.contains(&name) || is_number(name))
    };
    if entities.all(is_known) {
        Ok(())
    } else {
        Err(broken("`&` stands for nothing that is known"))
    }
}

/// Whether what stands between `&` and `;` is the number of a character.
fn is_number(name: &str) -> bool {
    let number = name.strip_prefix('#').map(|digits| match digits.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    });
    number.is_some_and(|number| number.is_ok_and(|it| it > 0 && char::from_u32(it).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_draw_is_a_picture() {
        for whole in [
            "<svg/>",
            "\u{feff}<?xml version=\"1.0\" encoding='UTF-8'?>\n<!-- a > b -->\n<svg\n xmlns=\"http://www.w3.org/2000/svg\" \
             xmlns:xlink='http://www.w3.org/1999/xlink' viewBox=\"0 0 8 8\">\n<title>R&amp;D &#169; &#xa9;</title>\
             <defs><linearGradient id=\"a\"><stop offset=\"0\" stop-color=\"#fff\"/></linearGradient></defs>\
             <style><![CDATA[.a > .b { fill: url(#a) }]]></style><style>.c{fill:url( '#a')}</style>\
             <g style=\"fill:url(#a)\"><path d=\"M0 0h8v8z\" fill=\"url(#a)\"/></g >\
             <use xlink:href=\"#b\"/><image href=\"data:image/png;base64,AAAA\"/></svg>\n",
        ] {
            assert_eq!(wrong(whole), None, "{whole}");
        }
        assert!(include_str!("../../assets/icon.svg").contains("<svg"));
        assert_eq!(wrong(include_str!("../../assets/icon.svg")), None);
    }

    #[test]
    fn what_is_broken_runs_or_is_elsewhere_is_no_picture() {
        for (text, why) in [
            ("", "no `<svg>`"),
            ("svg", "words outside"),
            ("<svg>", "`<svg>` has no end"),
            ("<svg", "cannot be read"),
            ("<svg></g>", "`</g>` ends nothing"),
            ("<svg><g></svg></g>", "ends nothing"),
            ("<svg/><svg/>", "around all"),
            ("<svg/>x", "words outside"),
            ("<html><svg/></html>", "around all"),
            ("<svg a=b/>", "not in quotes"),
            ("<svg a/>", "not in quotes"),
            ("<svg a=\"b/>", "not in quotes"),
            ("<svg a='1' a='2'/>", "twice"),
            ("<svg a='1'b='2'/>", "cannot be read"),
            ("<svg a='<'/>", "character"),
            ("<svg>a & b</svg>", "`&`"),
            ("<svg>&nbsp;</svg>", "`&`"),
            ("<svg>&#0;</svg>", "`&`"),
            ("<svg>< g/></svg>", "no name"),
            ("<svg>\0</svg>", "character"),
            ("<svg><!-- </svg>", "comment has no end"),
            ("<!DOCTYPE svg [<!ENTITY a 'aaa'>]><svg>&a;</svg>", "document type"),
            ("<?xml-stylesheet href='a.css'?><svg/>", "instruction"),
            ("<svg><SCRIPT>alert(1)</SCRIPT></svg>", "`<SCRIPT`"),
            ("<svg><svg:script/></svg>", "`<svg:script`"),
            ("<svg><foreignObject/></svg>", "`<foreignObject`"),
            ("<svg onload=\"alert(1)\"/>", "`onload`"),
            ("<svg><image href='https://evil.example/a.png'/></svg>", "somewhere else"),
            ("<svg><use xlink:href='sprite.svg#a'/></svg>", "somewhere else"),
            ("<svg><a href='javascript:alert(1)'/></svg>", "somewhere else"),
            ("<svg><image href='data:text/html,x'/></svg>", "somewhere else"),
            ("<svg><style>@import 'a.css';</style></svg>", "@import"),
            ("<svg><style>.a{fill:URL( \"//evil.example\")}</style></svg>", "somewhere else"),
            ("<svg><style><![CDATA[.a{fill:url(a.svg)}]]></style></svg>", "somewhere else"),
            ("<svg fill='url(a.svg#b)'/>", "somewhere else"),
            (&"<svg>".repeat(100), "too deep"),
        ] {
            let told = wrong(text).unwrap_or_else(|| panic!("{text} is a picture"));
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
